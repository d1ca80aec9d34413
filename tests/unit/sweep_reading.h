/* sweep_reading.h - sweeps read from a few words, and what they come to as text, for tests. */
#ifndef TESTS_UNIT_SWEEP_READING_H
#define TESTS_UNIT_SWEEP_READING_H

#include <stdio.h>
#include <string.h>

#include "server/codec/json.h"
#include "server/codec/sweep.h"
#include "tests/unit/suite.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static struct faults faults;

/* Documents live until the test's process ends, as what is read borrows from them. */
static inline json_t *keep(json_t *document)
{
	static json_t *kept;

	if (!kept) kept = json_array();
	ck_assert_int_eq(json_array_append_new(kept, document), 0);
	return document;
}

static inline json_t *json_of(const char *text)
{
	json_error_t why;
	json_t *document = json_loads(text, JSON_DECODE_ANY, &why);

	ck_assert_msg(document != NULL, "%s: %s", text, why.text);
	return keep(document);
}

/* The text of a document (new, taken over), borrowed. */
static inline const char *text_of(json_t *document)
{
	char *text = json_text(keep(document), false);
	json_t *copy = keep(json_string(text));

	free(text);
	return json_string_value(copy);
}

static inline struct sweep reads_at(const char *text, bool stored, const char *at)
{
	struct sweep s;

	memset(&faults, 0, sizeof faults);
	sweep_read(json_of(text), stored, at, &s, &faults);
	return s;
}

#define ASSERT_NO_FAULTS(of) \
	ck_assert_msg(!faults.count, "%s: %s: %s", of, faults.items[0].pointer, faults.items[0].detail)
/* One fault, of this code, there. */
#define ASSERT_FAULT(of, wanted_code, wanted_pointer)                                                       \
	do {                                                                                                \
		ck_assert_msg(faults.count == 1, "%s: %zu faults", of, faults.count);                       \
		ck_assert_msg(faults.items[0].code == (wanted_code), "%s: %s", of, faults.items[0].detail); \
		ck_assert_msg(!strcmp(faults.items[0].pointer, wanted_pointer), "%s: at %s, not %s", of,    \
				faults.items[0].pointer, wanted_pointer);                                   \
		ck_assert_msg(strlen(faults.items[0].detail) > 0, "%s: no sentence", of);                   \
	} while (0)

static const struct sweep_metrics all_metrics = { true, true, true, 1 };

/* {"space": {…space}, …fields}, completed for runs of so many epochs of data that have all metrics. */
static inline struct sweep sweep_of(const char *space, const char *fields, uint64_t epochs)
{
	char text[2048];
	struct sweep s;

	snprintf(text, sizeof text, "{\"space\":{%s}%s%s}", space, *fields ? "," : "", fields);
	s = reads_at(text, false, "");
	ASSERT_NO_FAULTS(text);
	s.request = json_of("{\"dataset\":\"d\"}");
	sweep_resolve(&s, epochs, &all_metrics, &faults);
	return s;
}

/* What run number `run` tries; borrowed. */
static inline const char *tried(const struct sweep *s, uint64_t run)
{
	return text_of(sweep_parameters(s, run));
}

#endif
