/* dataset_rows.c - GET /v1/datasets/{name}/rows: the cells, a page at a time, as JSON or CSV.
 *
 * Where a page starts is found in the heads of the row groups' segments; then one group after another is read. A page
 * ends early when its text passes PAGE_BYTES, so that memory is bounded whatever the rows are: `next` (and the Link)
 * says where the following one starts. A data set that is replaced while it is read is read again from the start.
 */
#include <string.h>

#include "server/api/api.h"
#include "server/api/cells.h"
#include "server/api/columns.h"
#include "server/api/datasets.h"
#include "server/api/document.h"
#include "server/codec/csv_quote.h"
#include "server/codec/json.h"
#include "server/codec/segment.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX     10000
#define PAGE_BYTES    (8u << 20)
#define TRIES         5 /* of reading what others replace */

struct rows_page {
	struct store *store;
	struct store_revision revision;
	struct faults *faults;
	json_t *columns; /* as their cells are stored */
	struct cells *cells;
	struct buffer *out;
	uint64_t offset, limit, written;
	bool csv;
};

/* ---- one cell ---- */

static void write_json_cell(const struct rows_page *p, size_t column, size_t row)
{
	char room[CELL_TEXT_MAX];
	struct table_cell cell;
	const char *text;
	size_t n;

	cells_get(p->cells, column, row, &cell);
	text = cells_text(p->cells, column, row, room, &n);
	if (!text)
		buffer_text(p->out, "null");
	else if (cell.kind == TABLE_TEXT ||
			(cell.kind == TABLE_NUMBER && cells_type(p->cells, column) == TYPE_DATE))
		json_escape(p->out, text, n);
	else
		buffer_add(p->out, text, n); /* a number, true, false */
}

/* A line that is empty would be no row: alone, a missing cell is "". */
static void write_csv_cell(const struct rows_page *p, size_t column, size_t row)
{
	char room[CELL_TEXT_MAX];
	size_t n;
	const char *text = cells_text(p->cells, column, row, room, &n);

	if (text && n)
		csv_quote(p->out, text, n);
	else if (p->revision.columns_count == 1)
		buffer_text(p->out, "\"\"");
}

/* ---- rows ---- */

static void write_row(const struct rows_page *p, size_t row)
{
	if (!p->csv) buffer_text(p->out, p->written ? ",[" : "[");
	for (size_t i = 0; i < p->revision.columns_count; i++) {
		if (i) buffer_text(p->out, ",");
		(p->csv ? write_csv_cell : write_json_cell)(p, i, row);
	}
	buffer_text(p->out, p->csv ? "\n" : "]");
}

static bool page_is_full(const struct rows_page *p)
{
	return p->written == p->limit || p->out->size >= PAGE_BYTES;
}

/* The group that row `offset` lies in, *first its first row; the number of groups when there is none. */
static int find_group(const struct rows_page *p, uint64_t *group, uint64_t *first, struct err *e)
{
	unsigned char head[SEGMENT_HEADER_BYTES];
	size_t rows, whole;
	int rc;

	*first = 0;
	for (*group = 0; *group < p->revision.groups; ++*group) {
		rc = p->store->segment_head(
				p->store, p->revision.id, *group, 0, head, sizeof head, &whole, e);
		if (rc || (rc = segment_rows(head, whole, &rows, e))) return rc;
		if (p->offset < *first + rows) return 0;
		*first += rows;
	}
	return 0;
}

static int write_rows(struct rows_page *p, struct err *e)
{
	uint64_t group, first;
	int rc = find_group(p, &group, &first, e);

	for (; !rc && group < p->revision.groups && !page_is_full(p); group++) {
		if ((rc = cells_read(p->cells, group, e))) break;
		for (uint64_t row = p->offset + p->written - first;
				row < cells_rows(p->cells) && !page_is_full(p); row++, p->written++)
			write_row(p, row);
		first += cells_rows(p->cells);
	}
	return rc;
}

/* ---- the page ---- */

static void write_names(const struct rows_page *p)
{
	size_t i;
	const json_t *column;

	json_array_foreach(p->columns, i, column)
	{
		const json_t *name = json_object_get(column, "name");

		if (i) buffer_text(p->out, ",");
		(p->csv ? csv_quote : json_escape)(p->out, json_string_value(name), json_string_length(name));
	}
}

static int write_page(struct rows_page *p, struct err *e)
{
	int rc;

	buffer_text(p->out, p->csv ? "" : "{\"columns\":[");
	write_names(p);
	buffer_text(p->out, p->csv ? "\n" : "],\"rows\":[");
	if ((rc = write_rows(p, e))) return rc;
	if (!p->csv) {
		uint64_t next = p->offset + p->written;

		buffer_printf(p->out,
				"],\"offset\":%llu,\"total\":%llu,\"next\":", (unsigned long long)p->offset,
				(unsigned long long)p->revision.rows);
		if (next < p->revision.rows)
			buffer_printf(p->out, "%llu", (unsigned long long)next);
		else
			buffer_text(p->out, "null");
		buffer_printf(p->out, ",\"revision\":\"%llu\"}", (unsigned long long)p->revision.number);
	}
	return buffer_ok(p->out) ? 0 : err_nomem(e);
}

static void page_clear(struct rows_page *p)
{
	cells_free(p->cells);
	json_decref(p->columns);
	store_revision_clear(&p->revision);
	p->cells = NULL;
	p->columns = NULL;
	p->written = 0;
}

/* *there: the data set is, so that ERR_NOT_FOUND means that it changed under our hands. */
static int read_page(struct rows_page *p, const char *name, bool *there, struct err *e)
{
	json_t *stored = NULL;
	int rc = p->store->dataset_get(p->store, name, &p->revision, e);

	*there = !rc;
	if (rc || (rc = faults_result(p->faults, e))) return rc;
	if ((rc = json_read_stored(p->revision.columns, &stored, e))) return rc;
	p->columns = columns_kept(stored);
	json_decref(stored);
	if (!p->columns) return err_nomem(e);
	rc = cells_new(&p->cells, p->store, p->revision.id, p->revision.id, p->columns, e);
	return rc ? rc : write_page(p, e);
}

static void say_next(const struct request *rq, struct reply *rp, const struct rows_page *p)
{
	uint64_t next = p->offset + p->written;

	if (next < p->revision.rows)
		reply_header(rp, "Link", "<%.*s?offset=%llu&limit=%llu>; rel=\"next\"", (int)rq->path_length,
				rq->url, (unsigned long long)next, (unsigned long long)p->limit);
}

int dataset_rows(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	struct rows_page p = { .store = app->store,
		.faults = request_faults(rq),
		.out = &rp->body,
		.limit = LIMIT_DEFAULT,
		.csv = request_accepts(rq, "text/csv") };
	const char *name = request_param(rq, "dataset");
	bool there = true;
	int rc = ERR_NOT_FOUND;

	if (!p.faults) return err_nomem(e);
	query_number(rq, "offset", 0, INT64_MAX, &p.offset, p.faults);
	query_number(rq, "limit", 1, LIMIT_MAX, &p.limit, p.faults);
	for (int n = 0; n < TRIES && rc == ERR_NOT_FOUND && there; n++) {
		page_clear(&p);
		buffer_reset(&rp->body, PAGE_BYTES);
		rc = read_page(&p, name, &there, e);
	}
	if (rc == ERR_NOT_FOUND && there)
		rc = err_set(e, ERR_BUSY, "data set \"%s\" is being replaced all the time; try again", name);
	if (!rc) {
		rp->content_type = p.csv ? "text/csv" : NULL;
		say_next(rq, rp, &p);
	} else
		buffer_reset(&rp->body, PAGE_BYTES); /* a part of a page is none */
	page_clear(&p);
	return rc;
}
