/* csv_record.c - hands complete records over, the header line first. See csv_parts.h. */
#include <stdlib.h>
#include <string.h>

#include "server/codec/csv_parts.h"
#include "server/utf8.h"

#define EXCERPT_BYTES 48 /* of a name within a sentence */

/* ---- the header line ---- */

/* At most EXCERPT_BYTES of a name, cut between characters, on one line. */
static const char *excerpt(const struct csv_cell *name, char out[EXCERPT_BYTES + 4])
{
	size_t n = name->size <= EXCERPT_BYTES ? name->size : utf8_valid(name->text, EXCERPT_BYTES);

	for (size_t i = 0; i < n; i++)
		out[i] = (unsigned char)name->text[i] < 0x20 ? ' ' : name->text[i];
	memcpy(out + n, n < name->size ? "..." : "", n < name->size ? 4 : 1);
	return out;
}

static int by_name(const void *a, const void *b)
{
	const struct csv_cell *x = *(const struct csv_cell *const *)a;
	const struct csv_cell *y = *(const struct csv_cell *const *)b;
	size_t shorter = x->size < y->size ? x->size : y->size;
	int order = memcmp(x->text, y->text, shorter);

	if (order) return order;
	if (x->size != y->size) return x->size < y->size ? -1 : 1;
	return (x > y) - (x < y); /* both lie in one array: the first column stays first */
}

/* first[i] becomes the first column that is called as column i is. */
static int find_doubled(const struct csv_cell *names, size_t count, uint32_t *first, struct err *e)
{
	const struct csv_cell **sorted = malloc(count * sizeof *sorted);

	if (!sorted) return err_nomem(e);
	for (size_t i = 0; i < count; i++)
		sorted[i] = &names[i];
	qsort(sorted, count, sizeof *sorted, by_name);
	for (size_t i = 0; i < count; i++) {
		const struct csv_cell *name = sorted[i], *before = i ? sorted[i - 1] : NULL;
		bool same = before && before->size == name->size &&
			    !memcmp(before->text, name->text, name->size);

		first[name - names] = same ? first[before - names] : (uint32_t)(name - names);
	}
	free(sorted);
	return 0;
}

static int check_names(struct csv *csv, struct err *e)
{
	uint32_t *first = malloc(csv->count * sizeof *first);
	int rc;

	if (!first) return err_nomem(e);
	if ((rc = find_doubled(csv->cells, csv->count, first, e))) goto out;
	for (size_t i = 0; i < csv->count; i++) {
		const struct csv_cell *name = &csv->cells[i];
		char shown[EXCERPT_BYTES + 4];

		if (!name->size)
			csv_fault_add(csv, csv->record_line, i + 1, "the column has no name");
		else if (name->size > CSV_NAME_BYTES_MAX)
			csv_fault_add(csv, csv->record_line, i + 1,
					"the column name is %zu bytes long; at most %d are allowed",
					name->size, CSV_NAME_BYTES_MAX);
		else if (first[i] != i)
			csv_fault_add(csv, csv->record_line, i + 1,
					"the name \"%s\" is that of column %lu already", excerpt(name, shown),
					(unsigned long)first[i] + 1);
	}
out:
	free(first);
	return rc;
}

static int take_header(struct csv *csv, struct err *e)
{
	int rc;

	if ((rc = check_names(csv, e))) return rc;
	csv->columns = csv->count;
	csv->header_bad = csv->faults_count > 0;
	if (csv->header_bad || !csv->callbacks.header) return 0;
	return csv->callbacks.header(csv->callbacks.user, csv->cells, csv->count, e);
}

/* ---- records ---- */

/* Copies text with every doubled quote made single to the end of scratch, which has room for it. */
static void unquote(struct csv *csv, struct csv_cell *cell)
{
	char *to = csv->scratch.data + csv->scratch.used;
	size_t n = 0;

	for (size_t i = 0; i < cell->size; i++) {
		to[n++] = cell->text[i];
		if (cell->text[i] == '"') i++;
	}
	cell->text = to;
	cell->size = n;
	csv->scratch.used += n;
}

/* Turns the spans into cells of the record's bytes. */
static int place_cells(struct csv *csv, const char *record, size_t n, size_t count, struct err *e)
{
	int rc;

	for (size_t i = 0; i < count; i++) {
		const struct csv_span *span = &csv->spans[i];

		csv->cells[i] = (struct csv_cell){ record + span->at, span->size, span->quoted };
	}
	if (!csv->record_doubled) return 0;
	csv->scratch.used = 0;
	if ((rc = csv_bytes_reserve(&csv->scratch, n, csv->record_bytes_max + 1, e))) return rc;
	for (size_t i = 0; i < count; i++)
		if (csv->spans[i].doubled) unquote(csv, &csv->cells[i]);
	return 0;
}

/* Which cell of the record, from 1, has the byte; 0 beyond those whose places are kept, of a record with too many. */
static size_t cell_at(const struct csv *csv, size_t byte)
{
	size_t known = csv->count < csv->room ? csv->count : csv->room, cell = 1;

	while (cell < known && csv->spans[cell].at <= byte)
		cell++;
	return cell == known && known < csv->count ? 0 : cell;
}

int csv_deliver(struct csv *csv, const char *record, size_t n, struct err *e)
{
	bool ragged = csv->columns && csv->count != csv->columns;
	size_t valid;
	int rc;

	if (csv->high && (valid = utf8_valid(record, n)) < n) {
		csv_fault_add(csv, csv->record_line, cell_at(csv, valid),
				"byte %llu of the body is not UTF-8; save the table as UTF-8",
				(unsigned long long)(csv->record_at + valid));
		return csv_say_faults(csv, ERR_CSV, e);
	}
	if (ragged) {
		csv_fault_add(csv, csv->record_line,
				(csv->count < csv->columns ? csv->count : csv->columns) + 1,
				"the record has %zu %s, but the header line names %zu", csv->count,
				csv->count == 1 ? "cell" : "cells", csv->columns);
		return 0;
	}
	if (csv->columns && csv->header_bad) return 0;
	if ((rc = place_cells(csv, record, n, csv->count, e))) return rc;
	if (!csv->columns) return take_header(csv, e);
	csv->records++;
	return csv->callbacks.record(csv->callbacks.user, csv->cells, csv->count, csv->record_line, e);
}
