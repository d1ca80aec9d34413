/* column_type.h - what a data set's column can be: the names that `?types` and the descriptions use, how the cells of
 * each are stored, and what a network is shown of them.
 *
 * A type says what the cells mean; core's enum column_kind says what a network is shown. Cells are stored either as
 * numbers (segment_write_numbers) or as codes into the column's dictionary (segment_write_codes).
 */
#ifndef SERVER_CODEC_COLUMN_TYPE_H
#define SERVER_CODEC_COLUMN_TYPE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/encoder.h"

enum column_type {
	TYPE_NUMBER,
	TYPE_CATEGORY,
	TYPE_BOOLEAN, /* codes: 0 "false", 1 "true", and no others */
	TYPE_DATE,    /* numbers: seconds since 1970-01-01T00:00:00Z (core/date.h) */
	TYPE_IGNORE,  /* codes, all of them missing: the cells are not kept */
	COLUMN_TYPES,
};

const char *column_type_name(enum column_type type); /* static */
/* false: not a type's name, *type is untouched. */
bool column_type_find(const char *name, enum column_type *type);
/* All names, ended by a NULL; static. */
const char *const *column_type_names(void);
/* Are its cells codes, of a dictionary? Else they are numbers. */
bool column_type_has_codes(enum column_type type);

/* What a network is shown of it. */
enum column_kind column_type_kind(enum column_type type);
/* Of a column's stored description; a type that is none of ours is ignored. */
enum column_type column_type_stored(const json_t *column);

const char *boolean_text(bool value); /* "true" or "false" */

/* ---- what a network is shown, in words ---- */

extern const char *const kind_names[COLUMN_KINDS]; /* "number", "category", "date" */
extern const char *const kind_holds[COLUMN_KINDS]; /* what is in such a column: "numbers", "words", "dates" */
extern const char *const normalize_names[];        /* of enum normalize, ended by NULL */
extern const char *const missing_names[];          /* of enum missing, ended by NULL */
/* Can a column of the one kind stand for one of the other? Numbers can for a category: 3 is the value "3" too. */
bool kind_feeds(enum column_kind stored, enum column_kind wanted);

#endif
