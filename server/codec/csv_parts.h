/* csv_parts.h - what the three files of the CSV reader share; nobody else includes it.
 *
 * csv.c has the stages before the delimiter is known and what csv.h promises; csv_machine.c cuts bytes into
 * cells and records; csv_record.c hands a complete record over and checks the header line's names.
 *
 * All places are offsets in the whole body (uint64_t), so that nothing depends on where chunks were cut. A
 * record that began in an earlier chunk has its bytes so far in `held`; one that lies in a single chunk is
 * delivered from there without a copy. Invariant between calls: held has the bytes from record_at to
 * chunk_at, at most record_bytes_max + 1 (a CR may yet turn out to be half of a line end).
 *
 * Functions return 0, or the code that ends the reading with its sentence in *e.
 */
#ifndef SERVER_CODEC_CSV_PARTS_H
#define SERVER_CODEC_CSV_PARTS_H

#include "server/codec/csv.h"
#include "server/codec/csv_text.h"

enum csv_state {
	STATE_PLAIN,    /* outside quotes, at the start of a cell too */
	STATE_QUOTED,   /* inside quotes */
	STATE_CLOSED,   /* right after the quote at close_at: a second one, or the end of the cell */
	STATE_RETURNED, /* right after the CR at return_at: the LF must follow */
	STATES,
};

enum csv_kind { KIND_OTHER, KIND_DELIMITER, KIND_LF, KIND_CR, KIND_QUOTE, KIND_NUL, KINDS };

/* Where a cell's text is, from the start of its record and without its quotes. */
struct csv_span {
	uint32_t at, size;
	bool quoted, doubled; /* doubled: quotes inside are still two */
};

struct csv_bytes {
	char *data;
	size_t used, room;
};

struct csv {
	struct csv_callbacks callbacks;
	size_t record_bytes_max;

	/* before the delimiter is known */
	size_t bom_matched;
	bool bom_done;
	struct csv_sniffer sniffer;
	struct csv_bytes header;

	/* where we are */
	char delimiter;
	unsigned char kinds[256];
	enum csv_state state;
	uint64_t chunk_at;            /* offset of chunk[0] */
	const char *chunk;            /* borrowed within tokenize */
	uint64_t record_at, cell_at;  /* where the present ones start */
	uint64_t close_at, return_at; /* the last closing quote and CR */
	uint64_t line, record_line, quote_line;
	size_t quote_column;
	bool quoted, doubled;   /* the present cell */
	bool record_doubled;    /* any cell of the present record */
	bool high, block_high;  /* bytes outside ASCII in the record so far, in the present block */
	size_t count;           /* complete cells of the present record; only the first room have a span */
	struct csv_span *spans; /* (room) */
	struct csv_cell *cells; /* (room) */
	size_t room;
	struct csv_bytes held, scratch; /* scratch: cells whose doubled quotes became single */

	/* the result */
	size_t columns; /* 0: no header line yet */
	bool header_bad;
	uint64_t records;
	struct csv_fault faults[CSV_FAULTS_MAX];
	size_t faults_count, faults_more;
	int ended; /* the code that ended the reading */
	struct err why;
};

/* ---- csv.c ---- */

/* Makes room for n bytes by doubling, but not beyond max, which n does not exceed. */
int csv_bytes_reserve(struct csv_bytes *bytes, size_t n, size_t max, struct err *e);
int csv_bytes_append(struct csv_bytes *bytes, const char *data, size_t n, size_t max, struct err *e);

void csv_fault_add(struct csv *csv, uint64_t line, uint64_t column, const char *format, ...)
		__attribute__((format(printf, 4, 5)));
/* The first fault as a sentence with the number of the others; returns code. */
int csv_say_faults(const struct csv *csv, int code, struct err *e);
/* Adds the fault of a record beyond record_bytes_max; returns ERR_TOO_LARGE. */
int csv_fault_too_large(struct csv *csv, struct err *e);

/* ---- csv_machine.c ---- */

/* Reads n bytes at chunk_at on, and keeps what they have of an incomplete record. */
int csv_tokenize(struct csv *csv, const char *bytes, size_t n, struct err *e);
/* At the end of the body: delivers the last record when no line end did. */
int csv_finish_record(struct csv *csv, struct err *e);

/* ---- csv_record.c ---- */

/* Hands over the complete record of n > 0 bytes, whose cells have their spans: the header line, or to
 * record. */
int csv_deliver(struct csv *csv, const char *record, size_t n, struct err *e);

#endif
