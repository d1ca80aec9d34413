/* csv.c - CSV from the first byte to the last: memory, faults and the stages of a reading. See csv.h.
 *
 * Bytes pass three stages: a byte order mark is dropped; the header line is collected until it is complete,
 * to find its delimiter; from then on, header line first, csv_machine.c takes them.
 */
#include "server/codec/csv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/codec/csv_parts.h"
#include "server/codec/csv_text.h"

#define RECORD_BYTES_LIMIT (1u << 30) /* offsets within a record fit struct csv_span */
#define BOM_BYTES          3

/* ---- memory ---- */

int csv_bytes_reserve(struct csv_bytes *bytes, size_t n, size_t max, struct err *e)
{
	size_t room = bytes->room ? bytes->room : 4096;
	char *data;

	if (n <= bytes->room) return 0;
	while (room < n)
		room *= 2;
	if (room > max) room = max;
	if (!(data = realloc(bytes->data, room))) return err_nomem(e);
	bytes->data = data;
	bytes->room = room;
	return 0;
}

int csv_bytes_append(struct csv_bytes *bytes, const char *data, size_t n, size_t max, struct err *e)
{
	int rc;

	if (!n) return 0;
	if ((rc = csv_bytes_reserve(bytes, bytes->used + n, max, e))) return rc;
	memcpy(bytes->data + bytes->used, data, n);
	bytes->used += n;
	return 0;
}

/* ---- faults ---- */

void csv_fault_add(struct csv *csv, uint64_t line, uint64_t column, const char *format, ...)
{
	struct csv_fault *fault;
	va_list args;

	if (csv->faults_count == CSV_FAULTS_MAX) {
		csv->faults_more++;
		return;
	}
	fault = &csv->faults[csv->faults_count++];
	fault->line = line;
	fault->column = column;
	va_start(args, format);
	vsnprintf(fault->text, sizeof fault->text, format, args);
	va_end(args);
}

int csv_say_faults(const struct csv *csv, int code, struct err *e)
{
	const struct csv_fault *first = &csv->faults[0];
	size_t others = csv->faults_count - 1 + csv->faults_more;
	char column[40] = "", more[48] = "";

	if (first->column)
		snprintf(column, sizeof column, ", column %llu", (unsigned long long)first->column);
	if (others)
		snprintf(more, sizeof more, " (and %zu more %s)", others, others == 1 ? "fault" : "faults");
	return err_set(e, (enum err_code)code, "line %llu%s: %s%s", (unsigned long long)first->line, column,
			first->text, more);
}

int csv_fault_too_large(struct csv *csv, struct err *e)
{
	csv_fault_add(csv, csv->record_line, 0, "the record is longer than %zu bytes; is a quote left open?",
			csv->record_bytes_max);
	return csv_say_faults(csv, ERR_TOO_LARGE, e);
}

/* ---- before the delimiter is known ---- */

static void set_delimiter(struct csv *csv, char delimiter)
{
	csv->delimiter = delimiter;
	csv->kinds[(unsigned char)delimiter] = KIND_DELIMITER;
}

/* The header line is complete, or the body ends in it. */
static int finish_header(struct csv *csv, struct err *e)
{
	int rc;

	set_delimiter(csv, csv_sniffed(&csv->sniffer));
	rc = csv_tokenize(csv, csv->header.data, csv->header.used, e);
	free(csv->header.data);
	csv->header = (struct csv_bytes){ 0 };
	return rc;
}

/* Collects up to the end of the header line; *used of the n bytes were taken. */
static int collect_header(struct csv *csv, const char *bytes, size_t n, size_t *used, struct err *e)
{
	size_t max = csv->record_bytes_max + 2; /* with its line end */
	size_t blank = 0;
	bool ended;
	int rc;

	while (!csv->header.used && blank < n && (bytes[blank] == '\n' || bytes[blank] == '\r'))
		blank++;
	if ((*used = blank)) return csv_tokenize(csv, bytes, blank, e);
	*used = csv_sniff(&csv->sniffer, bytes, n, &ended);
	if (*used > max - csv->header.used) return csv_fault_too_large(csv, e);
	if ((rc = csv_bytes_append(&csv->header, bytes, *used, max, e))) return rc;
	return ended ? finish_header(csv, e) : 0;
}

static int take(struct csv *csv, const char *bytes, size_t n, struct err *e)
{
	size_t used;
	int rc;

	while (n && !csv->delimiter) {
		if ((rc = collect_header(csv, bytes, n, &used, e))) return rc;
		bytes += used;
		n -= used;
	}
	return n ? csv_tokenize(csv, bytes, n, e) : 0;
}

static const char bom[] = "\xef\xbb\xbf";

/* Drops a byte order mark, whose bytes may come one by one; what only began like one is text after all. */
static int take_first(struct csv *csv, const char *bytes, size_t n, struct err *e)
{
	int rc;

	while (n && !csv->bom_done && csv->bom_matched < BOM_BYTES) {
		csv->bom_done = *bytes != bom[csv->bom_matched];
		if (csv->bom_done) break;
		csv->bom_matched++;
		bytes++;
		n--;
	}
	if (csv->bom_matched == BOM_BYTES && !csv->bom_done) {
		csv->bom_done = true;
		csv->chunk_at = csv->record_at = csv->cell_at = BOM_BYTES;
	} else if (csv->bom_done && (rc = take(csv, bom, csv->bom_matched, e)))
		return rc;
	return csv->bom_done ? take(csv, bytes, n, e) : 0;
}

/* ---- what the header promises ---- */

int csv_new(struct csv **out, const struct csv_options *options, const struct csv_callbacks *callbacks,
		struct err *e)
{
	struct csv *csv;

	*out = NULL;
	if (options->delimiter && !strchr(",;\t", options->delimiter))
		return err_set(e, ERR_INVALID, "the delimiter of CSV is a comma, a semicolon or a tab");
	if (options->record_bytes_max > RECORD_BYTES_LIMIT)
		return err_set(e, ERR_INVALID, "a limit of %zu bytes for a record is more than %u",
				options->record_bytes_max, RECORD_BYTES_LIMIT);
	if (!(csv = calloc(1, sizeof *csv))) return err_nomem(e);
	csv->callbacks = *callbacks;
	csv->record_bytes_max = options->record_bytes_max ? options->record_bytes_max : CSV_RECORD_BYTES_MAX;
	csv->line = csv->record_line = 1;
	csv->kinds['\n'] = KIND_LF;
	csv->kinds['\r'] = KIND_CR;
	csv->kinds['"'] = KIND_QUOTE;
	csv->kinds[0] = KIND_NUL;
	if (options->delimiter) set_delimiter(csv, options->delimiter);
	*out = csv;
	return 0;
}

void csv_free(struct csv *csv)
{
	if (!csv) return;
	free(csv->header.data);
	free(csv->held.data);
	free(csv->scratch.data);
	free(csv->spans);
	free(csv->cells);
	free(csv);
}

void csv_decimal_comma(struct csv *csv)
{
	csv->sniffer.no_comma = true;
}

/* Remembers what ended the reading, and says it to the caller. */
static int conclude(struct csv *csv, int rc, struct err *e)
{
	csv->ended = rc;
	if (rc && e) *e = csv->why;
	return rc;
}

int csv_feed(struct csv *csv, const void *bytes, size_t n, struct err *e)
{
	if (csv->ended) return conclude(csv, csv->ended, e);
	if (csv->bom_done) return conclude(csv, take(csv, bytes, n, &csv->why), e);
	return conclude(csv, take_first(csv, bytes, n, &csv->why), e);
}

static int finish(struct csv *csv, struct err *e)
{
	int rc;

	if (!csv->bom_done && (rc = take(csv, bom, csv->bom_matched, e))) return rc;
	if (csv->header.used && (rc = finish_header(csv, e))) return rc;
	if ((rc = csv_finish_record(csv, e))) return rc;
	if (!csv->columns)
		csv_fault_add(csv, 1, 0, "there is no header line; the first line names the columns");
	return csv->faults_count ? csv_say_faults(csv, ERR_CSV, e) : 0;
}

int csv_end(struct csv *csv, struct err *e)
{
	if (csv->ended) return conclude(csv, csv->ended, e);
	return conclude(csv, finish(csv, &csv->why), e);
}

const struct csv_fault *csv_faults(const struct csv *csv, size_t *count, size_t *more)
{
	*count = csv->faults_count;
	*more = csv->faults_more;
	return csv->faults;
}

char csv_delimiter(const struct csv *csv)
{
	return csv->delimiter;
}

size_t csv_columns(const struct csv *csv)
{
	return csv->columns;
}

uint64_t csv_records(const struct csv *csv)
{
	return csv->records;
}

size_t csv_memory_bytes(const struct csv *csv)
{
	return sizeof *csv + csv->header.room + csv->held.room + csv->scratch.room +
	       csv->room * (sizeof *csv->spans + sizeof *csv->cells);
}
