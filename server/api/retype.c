/* retype.c - PUT /v1/datasets/{name}/columns/{column}: the type of a column, as a new revision.
 *
 * The new revision shares all row groups of the present one. Only the column's segments are written anew, over the shared
 * ones: its cells go, group by group, through a table of one column of the new type, which gives the dictionary and the
 * description too. Dictionaries are a revision's own, so those of the other columns are copied.
 *
 * To ignore a column changes its description alone, and so does taking that back: the description keeps what it was
 * (columns.h). A column that was ignored when it was uploaded has no cells to come back.
 *
 * What a cell becomes: in a category its text, a number's being its shortest form; in a number, date or boolean what its
 * text reads as, but that a boolean is 0 or 1 and a date its seconds since 1970 where a number is asked for. Cells that do
 * not read so are faults with their rows, and nothing is changed.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/date.h"
#include "core/encoder.h"
#include "server/api/api.h"
#include "server/api/cells.h"
#include "server/api/columns.h"
#include "server/api/datasets.h"
#include "server/api/document.h"
#include "server/api/upload.h"
#include "server/codec/fields.h"
#include "server/codec/json.h"
#include "server/utf8.h"

#define SHOWN  64 /* bytes of a name or a cell in a sentence */
#define LISTED 5  /* names in a sentence */

struct retype {
	int64_t token; /* who asks */
	struct store *store;
	struct faults *faults;
	struct store_revision base;
	json_t *columns; /* of base, as they are stored */
	json_t *kept;    /* as their cells are stored */
	json_t *now;     /* the new description of the column, when its cells stay what they are */
	size_t at;       /* the column */
	enum column_type to;
	struct upload upload;
	struct cells *cells;
	struct table *table; /* of one column */
	uint64_t row;        /* of the data set */
};

static int excerpt(const char *text, size_t n)
{
	return (int)utf8_valid(text, n < SHOWN ? n : SHOWN);
}

static const char *name_of(const struct retype *r)
{
	return json_string_value(json_object_get(json_array_get(r->columns, r->at), "name"));
}

static bool has_type(const json_t *column, enum column_type type)
{
	const char *name = json_string_value(json_object_get(column, "type"));

	return name && !strcmp(name, column_type_name(type));
}

/* ---- one cell ---- */

/* Each makes of *cell, whose text is text[0..n), what its type takes; false: it cannot. */

static bool to_number(struct table_cell *cell, const char *text, size_t n)
{
	if (cell->kind == TABLE_TEXT)
		return number_read_cell(text, n, &cell->number) == CELL_NUMBER && isfinite(cell->number);
	return true; /* of a boolean or a date: what they are stored as */
}

static bool to_category(struct table_cell *cell, const char *text, size_t n)
{
	cell->text = text;
	cell->size = n;
	return true;
}

static bool to_boolean(struct table_cell *cell, const char *text, size_t n)
{
	bool value;

	if (!encoder_boolean(text, n, &value)) return false;
	cell->number = value;
	return true;
}

static bool to_date(struct table_cell *cell, const char *text, size_t n)
{
	char room[DATE_PRINT_MAX];

	return date_read(text, n, &cell->number) &&
	       date_print(cell->number, room); /* an offset may lead outside */
}

static const struct rule {
	bool (*make)(struct table_cell *cell, const char *text, size_t n);
	enum table_cell_kind kind; /* of what it makes */
	const char *name;
} rules[COLUMN_TYPES] = {
	[TYPE_NUMBER] = { to_number, TABLE_NUMBER, "a number" },
	[TYPE_CATEGORY] = { to_category, TABLE_TEXT, "a category" },
	[TYPE_BOOLEAN] = { to_boolean, TABLE_BOOLEAN, "true or false" },
	[TYPE_DATE] = { to_date, TABLE_NUMBER, "a date like 2024-02-29T13:05:00Z" },
};

static int put_cell(struct retype *r, size_t row, struct err *e)
{
	const struct rule *rule = &rules[r->to];
	char room[CELL_TEXT_MAX];
	struct table_cell cell;
	size_t n;
	const char *text = cells_text(r->cells, r->at, row, room, &n);

	r->row++;
	cells_get(r->cells, r->at, row, &cell);
	if (text && !rule->make(&cell, text, n)) {
		faults_add(r->faults, ERR_INVALID, "/type",
				"row %llu has \"%.*s\", which does not read as %s",
				(unsigned long long)r->row, excerpt(text, n), text, rule->name);
		return 0;
	}
	if (r->faults->count) return 0; /* the rest is only looked at */
	if (text) cell.kind = rule->kind;
	return table_add(r->table, &cell, e);
}

/* ---- the column ---- */

static int on_group(void *self, uint64_t group, unsigned char **data, const size_t *sizes, size_t count,
		struct err *e)
{
	struct retype *r = self;
	int rc = r->store->upload_segment(r->store, r->upload.revision, group, r->at, data[0], sizes[0], e);

	(void)count;
	free(data[0]);
	data[0] = NULL;
	return rc;
}

static int on_dictionary(void *self, uint64_t column, const void *data, size_t size, struct err *e)
{
	struct retype *r = self;

	(void)column;
	return r->store->upload_dictionary(r->store, r->upload.revision, r->at, data, size, e);
}

static int begin_table(struct retype *r, struct err *e)
{
	const struct table_sink sink = { .self = r, .group = on_group, .dictionary = on_dictionary };
	const char *name = name_of(r);

	return table_new(&r->table, &name, &r->to, 1, &sink, r->faults, e);
}

/* Writes the column's cells anew, one group of the table for one that is shared. */
static int write_column(struct retype *r, struct err *e)
{
	int rc = begin_table(r, e);

	if (!rc) rc = cells_new(&r->cells, r->store, r->upload.revision, r->base.id, r->kept, e);
	for (uint64_t group = 0; group < r->base.groups && !rc; group++) {
		rc = cells_read_column(r->cells, group, r->at, e);
		for (size_t row = 0; !rc && row < cells_rows(r->cells); row++)
			rc = put_cell(r, row, e);
		if (!rc && !r->faults->count) rc = table_cut(r->table, e);
	}
	if (rc || (rc = faults_result(r->faults, e))) return rc;
	return table_end(r->table, e);
}

/* What the table says of its column; new. Numbers that became a category stand in their shortest form, and so must those
 * that are appended: as in a category that nobody declared. */
static json_t *describe_column(const struct retype *r)
{
	json_t *list = table_describe(r->table), *out = json_incref(json_array_get(list, 0));

	if (has_type(json_array_get(r->kept, r->at), TYPE_NUMBER)) json_object_del(out, "declared");
	json_decref(list);
	return out;
}

static int copy_dictionaries(struct retype *r, struct err *e)
{
	struct store_bytes bytes = { 0 };
	const json_t *column;
	int rc = 0;
	size_t i;

	json_array_foreach(r->kept, i, column)
	{
		const char *name = json_string_value(json_object_get(column, "type"));
		enum column_type type;

		if (i == r->at && !r->now) continue; /* it gets another one */
		if (!name || !column_type_find(name, &type) || !column_type_has_codes(type)) continue;
		rc = r->store->dictionary_read(r->store, r->base.id, i, &bytes, e);
		if (!rc)
			rc = r->store->upload_dictionary(
					r->store, r->upload.revision, i, bytes.data, bytes.size, e);
		if (rc) break;
	}
	store_bytes_clear(&bytes);
	return rc;
}

/* ---- what is asked for ---- */

/* r->now is made where the cells stay what they are. */
static int decide(struct retype *r, bool *same, struct err *e)
{
	const json_t *stored = json_array_get(r->columns, r->at), *kept = json_array_get(r->kept, r->at);

	*same = has_type(stored, r->to);
	if (*same) return 0;
	if (has_type(kept, TYPE_IGNORE))
		return err_set(e, ERR_INVALID,
				"the column \"%.*s\" was ignored when it was uploaded, so its cells were not kept; send the "
				"data set again with ?types=%.*s:%s&replace=true",
				excerpt(name_of(r), strlen(name_of(r))), name_of(r),
				excerpt(name_of(r), strlen(name_of(r))), name_of(r), column_type_name(r->to));
	if (r->to == TYPE_IGNORE && !(r->now = column_ignored(stored))) return err_nomem(e);
	if (has_type(kept, r->to) && !(r->now = json_deep_copy(kept))) return err_nomem(e);
	return 0;
}

static int change(struct retype *r, struct store_revision *out, struct err *e)
{
	json_t *columns;
	int rc;

	rc = upload_begin_change(&r->upload, r->store, &r->base, r->base.groups, e);
	r->upload.token = r->token;
	if (!rc) rc = upload_room(&r->upload, r->base.dataset, false, &r->base, r->base.size_bytes, e);
	if (rc || (rc = copy_dictionaries(r, e)) || (!r->now && (rc = write_column(r, e))))
		return upload_changed(r->store, &r->base, rc, e);
	if (!r->now) r->now = describe_column(r);
	columns = json_copy(r->columns);
	columns = json_whole(columns, r->now && columns && !json_array_set(columns, r->at, r->now));
	return upload_commit_change(&r->upload, &r->base, &r->base, columns, out, e);
}

static int no_column(const struct retype *r, const char *name, const char *const *names, struct err *e)
{
	const char *meant = did_you_mean(name, names);
	struct buffer list = { 0 };
	int rc;

	for (size_t i = 0; names[i] && i < LISTED && !meant; i++)
		buffer_printf(&list, "%s\"%.*s\"", i ? ", " : "", excerpt(names[i], strlen(names[i])),
				names[i]);
	rc = err_set(e, ERR_NOT_FOUND, "data set \"%s\" has no column \"%.*s\"; %s%.*s%s", r->base.dataset,
			excerpt(name, strlen(name)), name, meant ? "did you mean \"" : "its columns are ",
			meant ? excerpt(meant, strlen(meant)) : (int)list.size,
			meant       ? meant
			: list.data ? list.data
				    : "",
			meant                                  ? "\"?"
			: json_array_size(r->columns) > LISTED ? " and others"
							       : "");
	buffer_free(&list);
	return rc;
}

static int find_column(struct retype *r, const char *name, struct err *e)
{
	size_t count = json_array_size(r->columns);
	const char **names = calloc(count + 1, sizeof *names);
	int rc = 0;

	if (!names) return err_nomem(e);
	for (r->at = 0; r->at < count; r->at++) {
		names[r->at] = name_of(r);
		if (!names[r->at]) names[r->at] = "";
		if (!strcmp(names[r->at], name)) break;
	}
	if (r->at == count) rc = no_column(r, name, names, e);
	free(names);
	return rc;
}

static void read_type(const json_t *document, enum column_type *type, struct faults *faults)
{
	static const struct field rows[] = {
		{ "type", FIELD_STRING, 0, 0, 0, false, false },
		{ 0 },
	};
	const char *name = NULL, *meant;

	fields_read(document, rows, &name, "", faults);
	if (faults->count || (name && column_type_find(name, type))) return;
	if (!name) {
		faults_add(faults, ERR_MISSING_FIELD, "", "needs \"type\", as in {\"type\":\"category\"}");
		return;
	}
	meant = did_you_mean(name, column_type_names());
	faults_add(faults, ERR_INVALID, "/type", "\"%.*s\" is not a type; %s%s%s",
			excerpt(name, strlen(name)), name,
			meant ? "did you mean \"" : "a column is a number, category, boolean, date or ignore",
			meant ? meant : "", meant ? "\"?" : "");
}

/* ---- the request ---- */

/* If-Match is about the data set's document. */
static int guard(const struct request *rq, const struct retype *r, struct err *e)
{
	struct reply now = { 0 };
	int rc = reply_document(&now, dataset_document(&r->base), e);

	if (!rc) rc = request_guard(rq, &now, e);
	buffer_free(&now.body);
	return rc;
}

static void retype_clear(struct retype *r)
{
	upload_abort(&r->upload);
	cells_free(r->cells);
	table_free(r->table);
	json_decref(r->now);
	json_decref(r->kept);
	json_decref(r->columns);
	store_revision_clear(&r->base);
}

static int retype(struct request *rq, struct retype *r, const json_t *document, struct store_revision *out,
		struct err *e)
{
	bool same;
	int rc = r->store->dataset_get(r->store, request_param(rq, "dataset"), &r->base, e);

	if (rc || (rc = json_read_stored(r->base.columns, &r->columns, e))) return rc;
	if ((rc = find_column(r, request_param(rq, "column"), e)) || (rc = guard(rq, r, e))) return rc;
	read_type(document, &r->to, r->faults);
	if ((rc = faults_result(r->faults, e))) return rc;
	if (!(r->kept = columns_kept(r->columns))) return err_nomem(e);
	if ((rc = decide(r, &same, e))) return rc;
	if (!same) return change(r, out, e);
	*out = r->base;
	r->base = (struct store_revision){ 0 };
	return 0;
}

int dataset_column_put(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	struct retype r = { .store = app->store, .faults = request_faults(rq), .token = rq->token };
	struct store_revision now = { 0 };
	json_t *document = NULL;
	int rc;

	if (!r.faults) return err_nomem(e);
	if ((rc = request_document(rq, &document, e))) return rc;
	rc = retype(rq, &r, document, &now, e);
	if (rc == ERR_TOO_LARGE) rc = ERR_INVALID; /* the dictionary, not the body */
	if (!rc) rc = reply_document(rp, dataset_document(&now), e);
	store_revision_clear(&now);
	retype_clear(&r);
	json_decref(document);
	return rc;
}
