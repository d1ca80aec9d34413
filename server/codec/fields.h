/* fields.h - reads a JSON object into a struct by a table: one row a field, with its type, its range and where it
 * goes. Unknown fields, wrong types and numbers out of range become faults, all of them in one reading.
 */
#ifndef SERVER_CODEC_FIELDS_H
#define SERVER_CODEC_FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/param.h"
#include "server/codec/faults.h"

enum field_type {
	FIELD_UINT,   /* uint64_t: a whole number in [min, max] */
	FIELD_REAL,   /* double in [min, max] */
	FIELD_BOOL,   /* bool */
	FIELD_STRING, /* const char *, borrowed from the document */
	FIELD_ANY,    /* json_t *, borrowed; the caller reads it */
};

struct field {
	const char *name;
	enum field_type type;
	size_t offset; /* of the target in the struct */
	double min, max;
	bool min_open;    /* min itself is refused */
	bool may_be_null; /* null counts as absent */
};

/* Fields of object that are in the table (ended by a row without a name) go to `to`; what is absent stays as it was.
 * pointer is where the object lies in its document. A document that is no object is one fault. */
void fields_read(const json_t *object, const struct field *fields, void *to, const char *pointer,
		struct faults *faults);

/* Does a value have this type and range? Else a fault. For values that are not fields of an object. */
bool field_value(const json_t *value, const struct field *field, void *to, const char *pointer,
		struct faults *faults);

/* A name, or {"name": …, parameters}, of a row with these parameters: "adam", {"name":"adam","beta_1":0.8}. The
 * row's name goes to *name (borrowed); call named_params once the row is found. */
bool named_read(const json_t *value, const char **name, const char *pointer, struct faults *faults);
/* The parameters beside "name" into out; what is absent keeps its default. A list is an array of numbers. */
void named_params(const json_t *value, const struct param params[PARAMS_MAX], double out[PARAMS_MAX],
		const char *pointer, const char *what, struct faults *faults);

/* What named_read and named_params read: {"name": …, parameters}; name NULL: the parameters alone. New; NULL: no memory. */
json_t *named_document(const char *name, const struct param params[PARAMS_MAX], const double *values);

/* "a JSON object", "a number", …: what a value is, for sentences. */
const char *json_kind(const json_t *value);

#endif
