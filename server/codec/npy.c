/* npy.c - an array of NumPy's, two dimensions of numbers, becomes a table with the columns c0, c1, ...
 *
 * Row after row (C order) is read as it arrives, one row in memory. Column after column (Fortran order) cannot be: the
 * first row is complete when the last column begins. Such a body is written to a scratch file without a name beside the
 * database as it arrives, and read back in blocks of rows of about BLOCK_BYTES, one piece of each column at a time. That
 * costs the array's size on the disk until the upload ends, and one read of it; memory stays a block.
 *
 * NaN is missing, an infinity a fault. A whole number beyond 2^53 becomes the nearest double, but keeps its digits in a
 * column that ?types makes a category. A float32 that is the nearest one to a decimal of at most six digits is that
 * decimal (0.1, not 0.10000000149), as if it had come in CSV, and is stored in four bytes; every other number is the
 * double that it is. Booleans are booleans.
 *
 * For faults, a row is a line: the first is 1.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/buffer.h"
#include "server/codec/body_parts.h"
#include "server/codec/little.h"
#include "server/codec/npy_header.h"
#include "server/codec/number.h"
#include "server/scratch.h"

#define BLOCK_BYTES (16u << 20)
#define WHOLE_MAX   9007199254740992.0 /* 2^53: doubles hold all whole numbers up to here */
#define WHOLE_TEXT  24                 /* bytes for the digits of 64 bits */
#define NAME_BYTES  8                  /* c99999 */
#define POWERS      23                 /* 10^22 is the last power of ten that is a double */
#define LOG10_2     0.30102999566398120
#define SIX_DIGITS  1000000.0

struct npy {
	struct body_reading to;
	struct npy_header header;
	struct buffer bytes;       /* the header, then what does not make a row yet */
	uint64_t left;             /* bytes of the array still to come */
	uint64_t row;              /* that was read last; from 1 */
	size_t row_bytes;          /* 0: the header is not complete */
	struct scratch *spool;     /* of an array in Fortran order */
	struct table_cell *cells;  /* (columns) */
	char (*texts)[WHOLE_TEXT]; /* (columns), of whole numbers of 64 bits; else NULL */
};

/* ---- one number ---- */

static const double powers[POWERS] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
	1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

/* Where x, a float32, is the nearest one to a decimal of FLT_DIG digits, it becomes the double nearest to that. The decimal
 * is a whole number over or times a power of ten, both exact, so one operation rounds once. */
static void prefer_decimal(double *x)
{
	double size = fabs(*x), whole, back;
	int exponent, shift;

	frexp(size, &exponent); /* 2^(exponent-1) <= size < 2^exponent */
	shift = FLT_DIG - 1 - (int)floor((exponent - 1) * LOG10_2);
	if (size == rint(size) || shift >= POWERS || shift <= -POWERS) return;
	whole = shift > 0 ? rint(size * powers[shift]) : rint(size / powers[-shift]);
	if (whole >= SIX_DIGITS && fmod(whole, 10) != 0) return;
	back = shift > 0 ? whole / powers[shift] : whole * powers[-shift];
	if ((float)back == (float)size) *x = copysign(back, *x);
}

/* IEEE 754 binary16, section 3.4: one sign bit, five of exponent, ten of fraction. */
static float half_value(unsigned bits)
{
	int exponent = (bits >> 10) & 31;
	float size, fraction = (float)(bits & 1023);

	if (exponent == 31)
		size = fraction > 0 ? NAN : INFINITY;
	else
		size = exponent ? ldexpf(fraction + 1024, exponent - 25) : ldexpf(fraction, -24);
	return bits & 0x8000 ? -size : size;
}

static double float_value(uint64_t bits, size_t width)
{
	uint32_t word = (uint32_t)bits;
	float narrow;
	double wide;

	if (width == 2) return (double)half_value((unsigned)bits);
	memcpy(&narrow, &word, sizeof narrow);
	if (width == 4) return (double)narrow;
	memcpy(&wide, &bits, sizeof wide);
	return wide;
}

static uint64_t load(const unsigned char *from, size_t width, bool big_endian)
{
	uint64_t bits;

	switch (width) {
	case 1: return *from;
	case 2: bits = get16(from); return big_endian ? __builtin_bswap16((uint16_t)bits) : bits;
	case 4: bits = get32(from); return big_endian ? __builtin_bswap32((uint32_t)bits) : bits;
	default: bits = get64(from); return big_endian ? __builtin_bswap64(bits) : bits;
	}
}

/* false: an infinity, which is left to the caller. */
static bool read_float(const struct npy *npy, uint64_t bits, struct table_cell *cell)
{
	cell->kind = TABLE_NUMBER;
	cell->number = float_value(bits, npy->header.width);
	if (isnan(cell->number)) cell->kind = TABLE_MISSING;
	if (!isfinite(cell->number)) return cell->kind == TABLE_MISSING;
	if (npy->header.width < sizeof(double)) prefer_decimal(&cell->number);
	return true;
}

static void read_whole(const struct npy *npy, uint64_t bits, size_t column, struct table_cell *cell)
{
	bool is_signed = npy->header.kind == NPY_SIGNED;
	unsigned unused = 64 - 8 * (unsigned)npy->header.width;
	int64_t value = (int64_t)(bits << unused) >> unused;

	cell->kind = TABLE_NUMBER;
	cell->number = is_signed ? (double)value : (double)bits;
	if (fabs(cell->number) < WHOLE_MAX) return;
	cell->text = npy->texts[column];
	cell->size = (size_t)(is_signed ? snprintf(npy->texts[column], WHOLE_TEXT, "%lld", (long long)value)
					: snprintf(npy->texts[column], WHOLE_TEXT, "%llu",
							  (unsigned long long)bits));
}

static void read_boolean(uint64_t bits, struct table_cell *cell)
{
	cell->kind = TABLE_BOOLEAN;
	cell->number = bits != 0;
	cell->text = bits ? "true" : "false";
	cell->size = strlen(cell->text);
}

static void add_infinity(struct npy *npy, size_t column)
{
	struct fault *fault = faults_add(npy->to.faults, ERR_RANGE, "",
			"row %llu of the column c%zu is infinite; put a number or NaN, which is missing, in its place",
			(unsigned long long)npy->row, column);

	if (!fault) return;
	fault->line = npy->row;
	fault->column = column + 1;
}

/* ---- rows ---- */

/* Cell `column` of the row is at from + column * step. */
static int take_row(struct npy *npy, const unsigned char *from, size_t step, struct err *e)
{
	const struct npy_header *header = &npy->header;
	bool whole = true;

	npy->row++;
	for (size_t i = 0; i < header->columns; i++) {
		struct table_cell *cell = &npy->cells[i];
		uint64_t bits = load(from + i * step, header->width, header->big_endian);

		cell->text = NULL;
		cell->size = 0;
		if (header->kind == NPY_BOOLEAN)
			read_boolean(bits, cell);
		else if (header->kind != NPY_FLOAT)
			read_whole(npy, bits, i, cell);
		else if (!read_float(npy, bits, cell)) {
			whole = false;
			add_infinity(npy, i);
		}
	}
	return whole ? table_row(npy->to.table, npy->cells, npy->row, e) : 0;
}

/* In C order: all rows that are complete. */
static int take_rows(struct npy *npy, struct err *e)
{
	size_t at = 0;
	int rc = 0;

	for (; npy->bytes.size - at >= npy->row_bytes && !rc; at += npy->row_bytes)
		rc = take_row(npy, (const unsigned char *)npy->bytes.data + at, npy->header.width, e);
	npy->bytes.size -= at;
	memmove(npy->bytes.data, npy->bytes.data + at, npy->bytes.size);
	return rc;
}

/* Reads rows first to first + count of all columns; block is (columns, count). */
static int read_block(struct npy *npy, uint64_t first, size_t count, unsigned char *block, struct err *e)
{
	const struct npy_header *header = &npy->header;
	int rc = 0;

	for (size_t i = 0; i < header->columns && !rc; i++)
		rc = scratch_read(npy->spool, (i * header->rows + first) * header->width,
				block + i * count * header->width, count * header->width, e);
	return rc;
}

static int take_spooled(struct npy *npy, struct err *e)
{
	const struct npy_header *header = &npy->header;
	size_t block_rows = BLOCK_BYTES / npy->row_bytes ? BLOCK_BYTES / npy->row_bytes : 1;
	unsigned char *block;
	int rc = 0;

	if (block_rows > header->rows) block_rows = (size_t)header->rows;
	if (!(block = malloc(block_rows * npy->row_bytes))) return err_nomem(e);
	while (npy->row < header->rows && !rc) {
		size_t count = header->rows - npy->row < block_rows ? (size_t)(header->rows - npy->row)
								    : block_rows;

		rc = read_block(npy, npy->row, count, block, e);
		for (size_t i = 0; i < count && !rc; i++)
			rc = take_row(npy, block + i * header->width, count * header->width, e);
	}
	free(block);
	return rc;
}

/* ---- the header ---- */

static int name_columns(struct npy *npy, struct err *e)
{
	size_t count = (size_t)npy->header.columns;
	struct csv_cell *names = calloc(count, sizeof *names);
	char(*texts)[NAME_BYTES] = calloc(count, sizeof *texts);
	int rc = names && texts ? 0 : err_nomem(e);

	for (size_t i = 0; i < count && !rc; i++) {
		names[i].text = texts[i];
		names[i].size = (size_t)snprintf(
				texts[i], sizeof texts[i], "c%u", (unsigned)(i % CSV_COLUMNS_MAX));
	}
	if (!rc) rc = table_header(npy->to.table, names, count, e);
	free(names);
	free(texts);
	return rc;
}

static int begin_array(struct npy *npy, struct err *e)
{
	const struct npy_header *header = &npy->header;
	size_t count = (size_t)header->columns;

	npy->row_bytes = count * header->width;
	npy->left = header->rows * npy->row_bytes;
	if (npy->left > npy->to.options->bytes_max)
		return err_set(e, ERR_TOO_LARGE,
				"the array has %llu bytes; at most %llu are read here (--max-upload)",
				(unsigned long long)npy->left,
				(unsigned long long)npy->to.options->bytes_max);
	npy->cells = calloc(count, sizeof *npy->cells);
	npy->texts = header->width == sizeof(uint64_t) ? calloc(count, sizeof *npy->texts) : NULL;
	if (!npy->cells || (header->width == sizeof(uint64_t) && !npy->texts)) return err_nomem(e);
	return name_columns(npy, e);
}

/* Takes the header off the bytes kept, once it is all there. */
static int take_header(struct npy *npy, struct err *e)
{
	int rc;

	if ((rc = npy_header_read(&npy->header, npy->bytes.data, npy->bytes.size, e))) return rc;
	return npy->header.bytes ? begin_array(npy, e) : 0;
}

/* ---- the format ---- */

static void npy_close(void *reader)
{
	struct npy *npy = reader;

	scratch_free(npy->spool);
	buffer_free(&npy->bytes);
	free(npy->cells);
	free(npy->texts);
	free(npy);
}

static int npy_open(void **reader, const struct body_reading *reading, struct err *e)
{
	struct npy *npy = calloc(1, sizeof *npy);

	/* cppcheck-suppress memleak ; *reader has it */
	if (!(*reader = npy)) return err_nomem(e);
	npy->to = *reading;
	/* cppcheck-suppress memleak ; the same */
	return 0;
}

static int say_length(const struct npy *npy, const char *what, struct err *e)
{
	const struct npy_header *header = &npy->header;

	return err_set(e, ERR_SYNTAX,
			"the shape (%llu, %llu) of %zu-byte numbers takes %llu bytes behind the header, but the body %s",
			(unsigned long long)header->rows, (unsigned long long)header->columns, header->width,
			(unsigned long long)(header->rows * npy->row_bytes), what);
}

/* Bytes of the array. */
static int keep_bytes(struct npy *npy, const char *bytes, size_t n, struct err *e)
{
	const struct npy_header *header = &npy->header;
	int rc;

	npy->left -= n;
	if (header->fortran && header->rows > 1 && header->columns > 1) {
		if (!npy->spool && (rc = scratch_new(&npy->spool, npy->to.options->database, e))) return rc;
		return scratch_write(npy->spool, bytes, n, e);
	}
	buffer_add(&npy->bytes, bytes, n);
	return buffer_ok(&npy->bytes) ? take_rows(npy, e) : err_nomem(e);
}

/* Bytes behind the header. What is too much is met after all that is not, however the body is cut. */
static int take_bytes(struct npy *npy, const char *bytes, size_t n, struct err *e)
{
	size_t within = n < npy->left ? n : (size_t)npy->left;
	int rc = within ? keep_bytes(npy, bytes, within, e) : 0;

	return rc || within == n ? rc : say_length(npy, "goes on after them", e);
}

static int npy_feed(void *reader, const char *bytes, size_t n, struct err *e)
{
	struct npy *npy = reader;
	size_t before = npy->bytes.size;
	int rc;

	if (npy->row_bytes) return take_bytes(npy, bytes, n, e);
	buffer_add(&npy->bytes, bytes, n);
	if (!buffer_ok(&npy->bytes)) return err_nomem(e);
	if ((rc = take_header(npy, e)) || !npy->row_bytes) return rc;
	npy->bytes.size = 0;
	n -= npy->header.bytes - before;
	return take_bytes(npy, bytes + (npy->header.bytes - before), n, e);
}

static int npy_end(void *reader, struct err *e)
{
	struct npy *npy = reader;
	char what[48];

	if (!npy->row_bytes) return err_set(e, ERR_SYNTAX, "the NPY file ends within its header");
	if (npy->left) {
		snprintf(what, sizeof what, "ends %llu bytes before", (unsigned long long)npy->left);
		return say_length(npy, what, e);
	}
	return npy->spool ? take_spooled(npy, e) : 0;
}

const struct format npy_format = { "application/x-npy", npy_open, npy_feed, npy_end, npy_close };
