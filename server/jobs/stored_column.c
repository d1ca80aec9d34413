/* stored_column.c - one column of a stored data set. See stored_column.h. */
#include "server/jobs/stored_column.h"

#include <stdlib.h>
#include <string.h>

#include "server/codec/json.h"
#include "server/codec/segment.h"

#define NO_CODE (SEGMENT_CODE_MISSING - 1)

struct stored_column {
	struct store *store;
	const struct store_revision *revision;
	uint64_t column;
	enum column_type type;
	size_t room; /* rows that the memory below holds */
	double *numbers;
	uint32_t *codes;
	struct store_bytes bytes;
};

static int find_column(struct stored_column *c, const char *name, struct err *e)
{
	json_t *columns, *column;
	bool found = false;
	size_t i;
	int rc = json_read_stored(c->revision->columns, &columns, e);

	if (rc) return rc;
	json_array_foreach(columns, i, column)
	{
		if (strcmp(json_string_value(json_object_get(column, "name")), name)) continue;
		found = column_type_find(json_string_value(json_object_get(column, "type")), &c->type);
		c->column = i;
		break;
	}
	json_decref(columns);
	return found ? 0 : err_set(e, ERR_INVALID, "there is no column \"%.64s\"", name);
}

int stored_column_new(struct stored_column **out, struct store *store, const struct store_revision *revision,
		const char *column, struct err *e)
{
	struct stored_column *c = calloc(1, sizeof *c);
	int rc;

	*out = NULL;
	if (!c) return err_nomem(e);
	c->store = store;
	c->revision = revision;
	if ((rc = find_column(c, column, e)))
		stored_column_free(c);
	else
		*out = c;
	return rc;
}

void stored_column_free(struct stored_column *c)
{
	if (!c) return;
	free(c->numbers);
	free(c->codes);
	store_bytes_clear(&c->bytes);
	free(c);
}

enum column_type stored_column_type(const struct stored_column *c)
{
	return c->type;
}

static int make_room(struct stored_column *c, size_t rows, struct err *e)
{
	if (rows <= c->room) return 0;
	free(c->numbers);
	free(c->codes);
	c->numbers = NULL;
	c->codes = NULL;
	c->room = 0;
	if (column_type_has_codes(c->type))
		c->codes = calloc(rows, sizeof *c->codes);
	else
		c->numbers = calloc(rows, sizeof *c->numbers);
	if (!c->codes && !c->numbers) return err_nomem(e);
	c->room = rows;
	return 0;
}

int stored_column_read(struct stored_column *c, uint64_t group, size_t *rows, struct err *e)
{
	int rc = c->store->segment_read(c->store, c->revision->id, group, c->column, &c->bytes, e);

	if (rc || (rc = segment_rows(c->bytes.data, c->bytes.size, rows, e)) || (rc = make_room(c, *rows, e)))
		return rc;
	return c->codes ? segment_read_codes(c->bytes.data, c->bytes.size, NO_CODE, c->codes, e)
			: segment_read_numbers(c->bytes.data, c->bytes.size, c->numbers, e);
}

const double *stored_column_numbers(const struct stored_column *c)
{
	return c->numbers;
}

const uint32_t *stored_column_codes(const struct stored_column *c)
{
	return c->codes;
}

int stored_column_code(
		struct stored_column *c, const char *text, size_t length, uint32_t *code, struct err *e)
{
	struct dictionary dictionary = { 0 };
	int rc = c->store->dictionary_read(c->store, c->revision->id, c->column, &c->bytes, e);

	*code = NO_CODE;
	if (rc || (rc = dictionary_read(c->bytes.data, c->bytes.size, &dictionary, e))) return rc;
	for (size_t i = 0; i < dictionary.count && *code == NO_CODE; i++)
		if (dictionary.lengths[i] == length && !memcmp(dictionary.values[i], text, length))
			*code = (uint32_t)i;
	dictionary_clear(&dictionary);
	return 0;
}
