/* csv_machine.c - cuts bytes into cells and records. See csv_parts.h.
 *
 * csv_tokenize() looks for special bytes 64 at a time and gives each to the action that the table below has
 * for the state and the kind of byte. What lies between two special bytes needs no look at all.
 *
 * A fault depends on the bytes before it alone, never on the cuts between chunks: one beyond record_bytes_max
 * always gives way to "too large", because with other cuts that would have been met first.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/codec/csv_parts.h"

/* Doubles the room for cells, of which there are never more than CSV_COLUMNS_MAX. */
static int cells_grow(struct csv *csv, struct err *e)
{
	size_t room = csv->room ? csv->room * 2 : 64;
	struct csv_cell *cells;
	struct csv_span *spans;

	if (room > CSV_COLUMNS_MAX) room = CSV_COLUMNS_MAX;
	if (!(spans = realloc(csv->spans, room * sizeof *spans))) return err_nomem(e);
	csv->spans = spans;
	if (!(cells = realloc(csv->cells, room * sizeof *cells))) return err_nomem(e);
	csv->cells = cells;
	csv->room = room;
	return 0;
}

/* The present cell ends before pos. */
static inline int end_cell(struct csv *csv, uint64_t pos, struct err *e)
{
	int rc;

	if (csv->count >= csv->room && !csv->columns) {
		if (csv->count == CSV_COLUMNS_MAX) {
			if (pos - csv->record_at > csv->record_bytes_max) return csv_fault_too_large(csv, e);
			csv_fault_add(csv, csv->record_line, csv->count + 1, "there are more than %d columns",
					CSV_COLUMNS_MAX);
			return csv_say_faults(csv, ERR_TOO_LARGE, e);
		}
		if ((rc = cells_grow(csv, e))) return rc;
	}
	if (csv->count < csv->room) {
		struct csv_span *span = &csv->spans[csv->count];

		span->at = (uint32_t)(csv->cell_at + csv->quoted - csv->record_at);
		span->size = (uint32_t)((csv->quoted ? csv->close_at : pos) - csv->cell_at - csv->quoted);
		span->quoted = csv->quoted;
		span->doubled = csv->doubled;
	}
	csv->count++;
	csv->quoted = csv->doubled = false;
	return 0;
}

/* *record becomes the bytes from record_at to end: in the chunk, or held and completed from the chunk. */
static int whole_record(struct csv *csv, uint64_t end, const char **record, struct err *e)
{
	size_t n = end > csv->chunk_at ? (size_t)(end - csv->chunk_at)
				       : 0; /* 0: held ends with the record's CR */
	int rc;

	if (!csv->held.used) {
		*record = csv->chunk + (csv->record_at - csv->chunk_at);
		return 0;
	}
	rc = csv_bytes_append(&csv->held, csv->chunk, n, csv->record_bytes_max + 1, e);
	*record = csv->held.data;
	return rc;
}

/* The present record ends before `end`, and the next one begins at `next`. */
static int end_record(struct csv *csv, uint64_t end, uint64_t next, struct err *e)
{
	size_t n = (size_t)(end - csv->record_at);
	const char *record;
	int rc;

	if (n > csv->record_bytes_max) return csv_fault_too_large(csv, e);
	if (n) {
		if ((rc = end_cell(csv, end, e))) return rc;
		if ((rc = whole_record(csv, end, &record, e))) return rc;
		if ((rc = csv_deliver(csv, record, n, e))) return rc;
	}
	csv->held.used = 0;
	csv->record_at = csv->cell_at = next;
	csv->count = 0;
	csv->record_doubled = false;
	csv->high = csv->block_high; /* the block has bytes of the next record too */
	csv->state = STATE_PLAIN;
	csv->record_line = ++csv->line;
	return 0;
}

/* A fault at the special byte at pos, after which the rest cannot be trusted. */
static int fault_at(struct csv *csv, uint64_t pos, const char *text, struct err *e)
{
	if (pos - csv->record_at > csv->record_bytes_max) return csv_fault_too_large(csv, e);
	csv_fault_add(csv, csv->line, csv->count + 1, "%s", text);
	return csv_say_faults(csv, ERR_CSV, e);
}

/* ---- the machine: what a special byte at pos does ---- */

typedef int (*action)(struct csv *csv, uint64_t pos, struct err *e);

static int do_nothing(struct csv *csv, uint64_t pos, struct err *e)
{
	(void)csv, (void)pos, (void)e;
	return 0;
}

static int do_end_cell(struct csv *csv, uint64_t pos, struct err *e)
{
	int rc;

	if ((rc = end_cell(csv, pos, e))) return rc;
	csv->cell_at = pos + 1;
	csv->state = STATE_PLAIN;
	return 0;
}

static int do_end_record(struct csv *csv, uint64_t pos, struct err *e)
{
	return end_record(csv, csv->state == STATE_RETURNED ? csv->return_at : pos, pos + 1, e);
}

static int do_return(struct csv *csv, uint64_t pos, struct err *e)
{
	(void)e;
	csv->return_at = pos;
	csv->state = STATE_RETURNED;
	return 0;
}

static int do_open(struct csv *csv, uint64_t pos, struct err *e)
{
	if (pos != csv->cell_at)
		return fault_at(csv, pos,
				"a quote within an unquoted cell; quote the whole cell and double the quote",
				e);
	csv->quoted = true;
	csv->quote_line = csv->line;
	csv->quote_column = csv->count + 1;
	csv->state = STATE_QUOTED;
	return 0;
}

static int do_close(struct csv *csv, uint64_t pos, struct err *e)
{
	(void)e;
	csv->close_at = pos;
	csv->state = STATE_CLOSED;
	return 0;
}

static int do_double(struct csv *csv, uint64_t pos, struct err *e)
{
	(void)pos, (void)e;
	csv->doubled = csv->record_doubled = true;
	csv->state = STATE_QUOTED;
	return 0;
}

static int do_line(struct csv *csv, uint64_t pos, struct err *e)
{
	(void)pos, (void)e;
	csv->line++;
	return 0;
}

static int fault_nul(struct csv *csv, uint64_t pos, struct err *e)
{
	char text[CSV_FAULT_BYTES];

	snprintf(text, sizeof text, "byte %llu of the body is a NUL; CSV is text in UTF-8, is this UTF-16?",
			(unsigned long long)pos);
	return fault_at(csv, pos, text, e);
}

static int fault_after_quote(struct csv *csv, uint64_t pos, struct err *e)
{
	return fault_at(csv, pos,
			"text after the quote that closes the cell; a quote inside is written twice", e);
}

static int fault_return(struct csv *csv, uint64_t pos, struct err *e)
{
	return fault_at(csv, pos, "a carriage return without a line feed; lines end in LF or CRLF", e);
}

static const action actions[STATES][KINDS] = {
	[STATE_PLAIN] = { [KIND_OTHER] = do_nothing,
			[KIND_DELIMITER] = do_end_cell,
			[KIND_LF] = do_end_record,
			[KIND_CR] = do_return,
			[KIND_QUOTE] = do_open,
			[KIND_NUL] = fault_nul },
	[STATE_QUOTED] = { [KIND_OTHER] = do_nothing,
			[KIND_DELIMITER] = do_nothing,
			[KIND_LF] = do_line,
			[KIND_CR] = do_nothing,
			[KIND_QUOTE] = do_close,
			[KIND_NUL] = fault_nul },
	[STATE_CLOSED] = { [KIND_OTHER] = fault_after_quote,
			[KIND_DELIMITER] = do_end_cell,
			[KIND_LF] = do_end_record,
			[KIND_CR] = do_return,
			[KIND_QUOTE] = do_double,
			[KIND_NUL] = fault_nul },
	[STATE_RETURNED] = { [KIND_OTHER] = fault_return,
			[KIND_DELIMITER] = fault_return,
			[KIND_LF] = do_end_record,
			[KIND_CR] = fault_return,
			[KIND_QUOTE] = fault_return,
			[KIND_NUL] = fault_return },
};

/* After a closing quote or a CR, the next byte is a special one or there is a fault. */
static int check_next(struct csv *csv, uint64_t pos, struct err *e)
{
	if (csv->state == STATE_CLOSED && pos != csv->close_at + 1) return fault_after_quote(csv, pos, e);
	if (csv->state == STATE_RETURNED && pos != csv->return_at + 1) return fault_return(csv, pos, e);
	return 0;
}

/* Keeps what the chunk has of a record that is not complete. */
static int hold_rest(struct csv *csv, size_t n, struct err *e)
{
	uint64_t end = csv->chunk_at + n;
	uint64_t from = csv->record_at > csv->chunk_at ? csv->record_at : csv->chunk_at;

	if (end - csv->record_at > csv->record_bytes_max + 1) return csv_fault_too_large(csv, e);
	return csv_bytes_append(&csv->held, csv->chunk + (from - csv->chunk_at), (size_t)(end - from),
			csv->record_bytes_max + 1, e);
}

static int act_on_block(struct csv *csv, const char *block, uint64_t block_at, struct err *e)
{
	uint64_t bits = csv_text_specials(block, csv->delimiter, &csv->block_high);
	int rc;

	csv->high |= csv->block_high;
	for (; bits; bits &= bits - 1) {
		unsigned i = (unsigned)__builtin_ctzll(bits);
		enum csv_kind kind = (enum csv_kind)csv->kinds[(unsigned char)block[i]];

		/* The most frequent case is called directly, so that it can be inlined. */
		if (csv->state == STATE_PLAIN && kind == KIND_DELIMITER)
			rc = do_end_cell(csv, block_at + i, e);
		else if (!(rc = check_next(csv, block_at + i, e)))
			rc = actions[csv->state][kind](csv, block_at + i, e);
		if (rc) return rc;
	}
	return 0;
}

int csv_tokenize(struct csv *csv, const char *bytes, size_t n, struct err *e)
{
	char last[CSV_BLOCK_BYTES];
	int rc;

	csv->chunk = bytes;
	for (size_t i = 0; i < n; i += CSV_BLOCK_BYTES) {
		const char *block = bytes + i;

		if (n - i < CSV_BLOCK_BYTES) {
			memset(last, 'a', sizeof last); /* anything that is not special */
			block = memcpy(last, block, n - i);
		}
		if ((rc = act_on_block(csv, block, csv->chunk_at + i, e))) return rc;
	}
	if ((rc = hold_rest(csv, n, e))) return rc;
	csv->chunk_at += n;
	csv->chunk = NULL;
	return 0;
}

int csv_finish_record(struct csv *csv, struct err *e)
{
	uint64_t end = csv->chunk_at;
	int rc;

	if ((rc = check_next(csv, end, e))) return rc;
	if (csv->state == STATE_QUOTED) {
		csv_fault_add(csv, csv->quote_line, csv->quote_column,
				"the quote that opens the cell is never closed");
		return csv_say_faults(csv, ERR_CSV, e);
	}
	return end_record(csv, csv->state == STATE_RETURNED ? csv->return_at : end, end, e);
}
