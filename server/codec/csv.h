/* csv.h - reads CSV as it arrives: RFC 4180 with a header line, one record in memory at a time.
 *
 * Bytes go in through csv_feed, cut anywhere; records come out through callbacks, the same ones wherever the
 * cuts were. The header line names the columns and shows the delimiter (comma, semicolon or tab, whichever it
 * has most of outside quotes). Accepted beyond the RFC: a byte order mark, LF line ends, blank lines (skipped
 * anywhere), a last line without an end. Cells are taken as they are: no white space is trimmed.
 *
 * What is wrong is collected as faults, with line and column. A record with too few or too many cells and a
 * bad column name are faults to read on after, so that all of them come at once; after anything else the rest
 * could not be trusted, and reading ends. Once there is a fault nothing the caller got may be kept: csv_end
 * says so.
 *
 * Memory: one record at most, when it spans chunks or has doubled quotes, and the places of its cells.
 */
#ifndef SERVER_CODEC_CSV_H
#define SERVER_CODEC_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

#define CSV_COLUMNS_MAX      100000
#define CSV_NAME_BYTES_MAX   1024
#define CSV_RECORD_BYTES_MAX (16u << 20) /* the default */
#define CSV_FAULTS_MAX       20
#define CSV_FAULT_BYTES      200

struct csv; /* one reading of one body, by one thread at a time */

struct csv_options {             /* zeroed: all by default */
	char delimiter;          /* ',' ';' or '\t'; 0: by the header line */
	size_t record_bytes_max; /* without its line end; 0: CSV_RECORD_BYTES_MAX; at most 1 GiB */
};

/* A cell's text without the quotes around it, doubled ones made single. Not ended by a NUL. */
struct csv_cell {
	const char *text;
	size_t size;
	bool quoted; /* in quotes: "" is then an empty text rather than nothing */
};

/* Cells are borrowed until the callback returns. A callback that returns other than 0 ends the reading:
 * csv_feed or csv_end gives that code and what it wrote into *e. */
struct csv_callbacks {
	/* Once, before any record: the column names, each valid and unlike the others. May be NULL. Not
	 * called when the header line has a fault; no record is delivered then, but all are looked at. */
	int (*header)(void *user, const struct csv_cell *names, size_t count, struct err *e);
	/* A record with as many cells as the header has names. line: where it starts, from 1. */
	int (*record)(void *user, const struct csv_cell *cells, size_t count, uint64_t line, struct err *e);
	void *user;
};

struct csv_fault {
	uint64_t line;   /* of the body as a text editor counts, from 1 */
	uint64_t column; /* the cell within the record, from 1; 0: no one cell */
	char text[CSV_FAULT_BYTES];
};

/* *out is new (csv_free). ERR_INVALID: another delimiter or a limit above 1 GiB; ERR_NOMEM. */
int csv_new(struct csv **out, const struct csv_options *options, const struct csv_callbacks *callbacks,
		struct err *e);
void csv_free(struct csv *csv); /* NULL is fine */
/* A comma is the decimal mark, so the delimiter is a semicolon or a tab. Before the first byte. */
void csv_decimal_comma(struct csv *csv);

/* Reads on. bytes are borrowed for the call. 0 means "go on", also when there are faults to read on after.
 * ERR_CSV: a fault that ends the reading; ERR_TOO_LARGE: a record beyond the limit, or too many columns (both
 * are in the faults too); ERR_NOMEM; a callback's code. Every later call gives the same code and sentence
 * again. */
int csv_feed(struct csv *csv, const void *bytes, size_t n, struct err *e);

/* The body is complete: delivers a last record without a line end, and judges the whole. 0: not a fault in
 * it. ERR_CSV and the others as in csv_feed; the sentence is the first fault's and counts the others. */
int csv_end(struct csv *csv, struct err *e);

/* The faults so far in the order found, at most CSV_FAULTS_MAX of them; borrowed until the next call. *more
 * is how many were found beyond those. */
const struct csv_fault *csv_faults(const struct csv *csv, size_t *count, size_t *more);

char csv_delimiter(const struct csv *csv);      /* 0 until the header line is complete */
size_t csv_columns(const struct csv *csv);      /* likewise */
uint64_t csv_records(const struct csv *csv);    /* with the right number of cells, the header not counted */
size_t csv_memory_bytes(const struct csv *csv); /* what this reading holds now */

#endif
