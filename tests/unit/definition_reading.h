/* definition_reading.h - definitions read and resolved against one small data set, for tests. */
#ifndef TESTS_UNIT_DEFINITION_READING_H
#define TESTS_UNIT_DEFINITION_READING_H

#include <stdio.h>
#include <string.h>

#include "server/codec/definition.h"
#include "server/codec/json.h"
#include "tests/unit/suite.h"

#define DATASET                "\"dataset\":\"d\""
#define ONE_INPUT              "\"inputs\":1"
#define ONE_OUTPUT             "\"outputs\":1"
#define NUMBER(name)           "{\"name\":\"" name "\",\"type\":\"number\"}"
#define CATEGORY(name, values) "{\"name\":\"" name "\",\"type\":\"category\",\"values\":" values "}"
#define EXPLICIT               "\"inputs\":2,\"outputs\":1"

static struct faults faults;
static json_t *warnings; /* of the last resolving */

/* A data set of 150 rows: two numbers, a category, classes of words, whole numbers that may be classes. */
static char *color_values[] = { "red", "green", "blue" }, *species_values[] = { "virginica", "setosa" },
	    *grade_values[] = { "10", "9", "2" }, *constant_values[] = { "one" };
static const struct definition_source columns[] = {
	{ .name = "length", .kind = COLUMN_NUMBER, .distinct = 90 },
	{ .name = "width", .kind = COLUMN_NUMBER, .missing = 3, .distinct = 90 },
	{ .name = "color",
			.kind = COLUMN_CATEGORY,
			.distinct = 3,
			.values_listed = true,
			.values = color_values,
			.values_count = 3 },
	{ .name = "species",
			.kind = COLUMN_CATEGORY,
			.distinct = 2,
			.values_listed = true,
			.values = species_values,
			.values_count = 2 },
	{ .name = "grade",
			.kind = COLUMN_NUMBER,
			.distinct = 3,
			.integers = true,
			.values_listed = true,
			.values = grade_values,
			.values_count = 3 },
	{ .name = "constant",
			.kind = COLUMN_CATEGORY,
			.distinct = 1,
			.values_listed = true,
			.values = constant_values,
			.values_count = 1 },
	{ .name = "street",
			.kind = COLUMN_CATEGORY,
			.distinct = 5000,
			.values = color_values,
			.values_count = 3 },
	{ .name = "empty", .kind = COLUMN_NUMBER, .missing = 150, .empty = true },
	{ .name = "void", .kind = COLUMN_CATEGORY, .missing = 150, .empty = true, .values_listed = true },
};
#define COLUMNS (sizeof columns / sizeof *columns)

static inline json_t *json_of(const char *text)
{
	json_error_t why;
	json_t *document = json_loads(text, JSON_DECODE_ANY, &why);

	ck_assert_msg(document != NULL, "%s: %s", text, why.text);
	return document;
}

static inline struct definition resolve(const char *text, bool stored)
{
	struct definition d;
	json_t *document = json_of(text);

	memset(&faults, 0, sizeof faults);
	json_decref(warnings);
	warnings = json_array();
	definition_read(document, stored, &d, &faults);
	json_decref(document); /* nothing is borrowed from it */
	if (faults.count) return d;
	if (d.inputs)
		definition_finish(&d, 0, &faults);
	else
		definition_from_columns(&d, columns, COLUMNS, 150, warnings, &faults);
	return d;
}

/* {"inputs":2,"outputs":1, …fields}, or from the data set: {"dataset":"d", …fields}. */
static inline struct definition resolve_fields(const char *head, const char *fields)
{
	char text[1024];

	snprintf(text, sizeof text, "{%s%s%s}", head, *fields ? "," : "", fields);
	return resolve(text, false);
}

#endif
