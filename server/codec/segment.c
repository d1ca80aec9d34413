/* segment.c - the bytes of segments and dictionaries. See segment.h.
 *
 * A dictionary is a header like a segment's (kind, zeros, count as u32), then the length of each value (u32), then
 * their texts one after another.
 *
 * A number that was stored as float32 reads back as the double it was: number_fits_float let it pass, so it is a
 * whole number that the float holds, or the one decimal of up to FLT_DIG digits that is nearest to the float. That
 * decimal is an integer of few digits over or times a power of ten; where both are exact doubles, one division or
 * product rounds once, as reading the text does.
 */
#include "server/codec/segment.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/size.h"
#include "server/codec/little.h"
#include "server/codec/number.h"

#define ROWS_AT      4          /* of the header */
#define LENGTH_BYTES 4          /* of one value of a dictionary */
#define FLOAT_WHOLE  16777216.0 /* 2^24: whole numbers up to here are float32s */
#define POWERS       23         /* 10^22 is the last power of ten that is a double */
#define LOG10_2      0.30102999566398120

enum kind { KIND_FLOAT = 1, KIND_DOUBLE, KIND_CODE8, KIND_CODE16, KIND_CODE32, KIND_DICTIONARY, KINDS };

static const size_t widths[KINDS] = {
	[KIND_FLOAT] = 4,
	[KIND_DOUBLE] = 8,
	[KIND_CODE8] = 1,
	[KIND_CODE16] = 2,
	[KIND_CODE32] = 4,
};

static const double powers[POWERS] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
	1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };

/* ---- writing ---- */

/* Makes *bytes with its header and room for body_bytes behind it. */
static int begin(enum kind kind, size_t count, size_t body_bytes, unsigned char **bytes, size_t *size,
		struct err *e)
{
	size_t total = size_add(SEGMENT_HEADER_BYTES, body_bytes);

	*size = 0;
	if (total == SIZE_MAX || count > UINT32_MAX || !(*bytes = malloc(total))) {
		*bytes = NULL;
		return err_nomem(e);
	}
	memset(*bytes, 0, SEGMENT_HEADER_BYTES);
	(*bytes)[0] = (unsigned char)kind;
	put32(*bytes + ROWS_AT, (uint32_t)count);
	*size = total;
	return 0;
}

int segment_write_numbers(const double *x, size_t rows, bool as_float, unsigned char **bytes, size_t *size,
		struct err *e)
{
	enum kind kind = as_float ? KIND_FLOAT : KIND_DOUBLE;
	int rc = begin(kind, rows, size_mul(rows, widths[kind]), bytes, size, e);
	unsigned char *to;

	if (rc) return rc;
	to = *bytes + SEGMENT_HEADER_BYTES;
	for (size_t i = 0; i < rows; i++) {
		float narrow = (float)x[i];
		uint32_t narrow_bits;
		uint64_t bits;

		memcpy(&narrow_bits, &narrow, sizeof narrow_bits);
		memcpy(&bits, &x[i], sizeof bits);
		if (as_float)
			put32(to + 4 * i, narrow_bits);
		else
			put64(to + 8 * i, bits);
	}
	return 0;
}

static enum kind code_kind(uint32_t codes_count)
{
	if (codes_count <= UINT8_MAX) return KIND_CODE8;
	return codes_count <= UINT16_MAX ? KIND_CODE16 : KIND_CODE32;
}

int segment_write_codes(const uint32_t *codes, size_t rows, uint32_t codes_count, unsigned char **bytes,
		size_t *size, struct err *e)
{
	enum kind kind = code_kind(codes_count);
	int rc = begin(kind, rows, size_mul(rows, widths[kind]), bytes, size, e);
	unsigned char *to;

	if (rc) return rc;
	to = *bytes + SEGMENT_HEADER_BYTES;
	for (size_t i = 0; i < rows; i++) { /* the low bytes of SEGMENT_CODE_MISSING are all set too */
		uint32_t code = htole32(codes[i]);
		uint16_t code16 = htole16((uint16_t)codes[i]);

		if (kind == KIND_CODE8)
			to[i] = (unsigned char)codes[i];
		else if (kind == KIND_CODE16)
			memcpy(to + 2 * i, &code16, sizeof code16);
		else
			memcpy(to + 4 * i, &code, sizeof code);
	}
	return 0;
}

/* ---- reading ---- */

static int corrupt(struct err *e, const char *what)
{
	return err_set(e, ERR_CORRUPT, "a stored %s is damaged; send the data set again", what);
}

int segment_rows_said(const unsigned char head[SEGMENT_HEADER_BYTES], size_t *rows, struct err *e)
{
	size_t kind = head[0];

	*rows = 0;
	if (kind >= KINDS || !widths[kind] || head[1] || head[2] || head[3]) return corrupt(e, "column");
	if (get32(head + ROWS_AT) > SEGMENT_ROWS_MAX) return corrupt(e, "column");
	*rows = get32(head + ROWS_AT);
	return 0;
}

int segment_rows(const unsigned char *bytes, size_t size, size_t *rows, struct err *e)
{
	size_t said;
	int rc;

	*rows = 0;
	if (size < SEGMENT_HEADER_BYTES) return corrupt(e, "column");
	if ((rc = segment_rows_said(bytes, &said, e))) return rc;
	if (size - SEGMENT_HEADER_BYTES != said * widths[bytes[0]]) return corrupt(e, "column");
	*rows = said;
	return 0;
}

/* The double of the same text, where that is too far from 1 for exact powers of ten. */
static double widen_by_text(float x)
{
	char text[NUMBER_PRINT_MAX];
	double wide = (double)x;

	number_parse_double(text, number_print_float(x, text), &wide);
	return wide;
}

/* The decimal that became this float (see above), as a double. NaN stays NaN, -0 stays -0. */
static double widen(float narrow)
{
	double x = (double)narrow, size = fabs(x);
	int exponent, shift;

	if (isnan(x) || (size <= FLOAT_WHOLE && x == rint(x))) return x;
	frexp(size, &exponent); /* 2^(exponent-1) <= size < 2^exponent */
	/* 10^shift makes FLT_DIG digits before the point, or one more and then less than 2 * 10^FLT_DIG: the float's
	 * error of 2^-24 stays well below the half that rint forgives. */
	shift = FLT_DIG - 1 - (int)floor((exponent - 1) * LOG10_2);
	if (shift >= POWERS || shift <= -POWERS) return widen_by_text(narrow);
	return shift > 0 ? rint(x * powers[shift]) / powers[shift]
			 : rint(x / powers[-shift]) * powers[-shift];
}

int segment_read_numbers(const unsigned char *bytes, size_t size, double *x, struct err *e)
{
	const unsigned char *from = bytes + SEGMENT_HEADER_BYTES;
	size_t rows;
	int rc = segment_rows(bytes, size, &rows, e);

	if (rc) return rc;
	if (bytes[0] != KIND_FLOAT && bytes[0] != KIND_DOUBLE) return corrupt(e, "number column");
	for (size_t i = 0; i < rows; i++) {
		uint32_t narrow_bits;
		uint64_t bits;
		float narrow;

		if (bytes[0] == KIND_FLOAT) {
			narrow_bits = get32(from + 4 * i);
			memcpy(&narrow, &narrow_bits, sizeof narrow);
			x[i] = widen(narrow);
		} else {
			bits = get64(from + 8 * i);
			memcpy(&x[i], &bits, sizeof bits);
		}
		if (isinf(x[i])) return corrupt(e, "number column");
	}
	return 0;
}

int segment_read_codes(
		const unsigned char *bytes, size_t size, uint32_t codes_count, uint32_t *codes, struct err *e)
{
	const unsigned char *from = bytes + SEGMENT_HEADER_BYTES;
	uint32_t missing;
	size_t rows;
	int rc = segment_rows(bytes, size, &rows, e);

	if (rc) return rc;
	if (bytes[0] < KIND_CODE8) return corrupt(e, "category column");
	missing = bytes[0] == KIND_CODE8    ? UINT8_MAX
		  : bytes[0] == KIND_CODE16 ? UINT16_MAX
					    : SEGMENT_CODE_MISSING;
	for (size_t i = 0; i < rows; i++) {
		uint32_t code = bytes[0] == KIND_CODE8    ? from[i]
				: bytes[0] == KIND_CODE16 ? get16(from + 2 * i)
							  : get32(from + 4 * i);

		if (code != missing && code >= codes_count) return corrupt(e, "category column");
		codes[i] = code == missing ? SEGMENT_CODE_MISSING : code;
	}
	return 0;
}

/* ---- dictionaries ---- */

int dictionary_write(const char *const *values, const size_t *lengths, size_t count, unsigned char **bytes,
		size_t *size, struct err *e)
{
	size_t body = size_mul(count, LENGTH_BYTES);
	unsigned char *to;
	int rc;

	*bytes = NULL;
	*size = 0;
	for (size_t i = 0; i < count; i++) {
		if (lengths[i] > UINT32_MAX)
			return err_set(e, ERR_TOO_LARGE, "a category value is longer than 4 GiB");
		body = size_add(body, lengths[i]);
	}
	if ((rc = begin(KIND_DICTIONARY, count, body, bytes, size, e))) return rc;
	to = *bytes + SEGMENT_HEADER_BYTES;
	for (size_t i = 0; i < count; i++, to += LENGTH_BYTES)
		put32(to, (uint32_t)lengths[i]);
	for (size_t i = 0; i < count; to += lengths[i], i++)
		memcpy(to, values[i], lengths[i]);
	return 0;
}

/* Whether the lengths add up to the text that follows them. */
static bool dictionary_fits(const unsigned char *bytes, size_t size, size_t *count, size_t *text_bytes)
{
	size_t rest, sum = 0;

	if (size < SEGMENT_HEADER_BYTES || bytes[0] != KIND_DICTIONARY || bytes[1] || bytes[2] || bytes[3])
		return false;
	*count = get32(bytes + ROWS_AT);
	rest = size - SEGMENT_HEADER_BYTES;
	if (*count > rest / LENGTH_BYTES) return false;
	*text_bytes = rest - *count * LENGTH_BYTES;
	for (size_t i = 0; i < *count; i++) /* at most 2^32 of below 2^32 */
		sum += get32(bytes + SEGMENT_HEADER_BYTES + i * LENGTH_BYTES);
	return sum == *text_bytes;
}

int dictionary_read(const unsigned char *bytes, size_t size, struct dictionary *out, struct err *e)
{
	const unsigned char *from;
	size_t count, text_bytes, total, each = sizeof *out->values + sizeof *out->lengths + 1;
	char *text;

	memset(out, 0, sizeof *out);
	if (!dictionary_fits(bytes, size, &count, &text_bytes)) return corrupt(e, "list of values");
	/* One block: pointers, lengths, texts with their NULs; one byte more, so that none is empty. */
	total = size_add(size_add(size_mul(count, each), text_bytes), 1);
	if (total == SIZE_MAX || !(out->memory = malloc(total))) return err_nomem(e);
	out->values = out->memory;
	out->lengths = (size_t *)(out->values + count);
	text = (char *)(out->lengths + count);
	from = bytes + SEGMENT_HEADER_BYTES + count * LENGTH_BYTES;
	for (; out->count < count; out->count++) {
		size_t length = get32(bytes + SEGMENT_HEADER_BYTES + out->count * LENGTH_BYTES);

		memcpy(text, from, length);
		text[length] = 0;
		out->values[out->count] = text;
		out->lengths[out->count] = length;
		if (memchr(text, 0, length)) {
			dictionary_clear(out);
			return corrupt(e, "list of values");
		}
		text += length + 1;
		from += length;
	}
	return 0;
}

void dictionary_clear(struct dictionary *dictionary)
{
	free(dictionary->memory);
	memset(dictionary, 0, sizeof *dictionary);
}
