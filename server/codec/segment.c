/* segment.c - the bytes of segments and dictionaries. See segment.h.
 *
 * A dictionary is a header like a segment's (kind, zeros, count as u32), then the length of each value (u32), then
 * their texts one after another.
 */
#include <stdlib.h>
#include <string.h>

#include "core/size.h"
#include "server/codec/little.h"
#include "server/codec/segment_parts.h"

#define LENGTH_BYTES 4 /* of one value of a dictionary */

static const size_t widths[KINDS] = {
	[KIND_FLOAT] = 4,
	[KIND_DOUBLE] = 8,
	[KIND_CODE8] = 1,
	[KIND_CODE16] = 2,
	[KIND_CODE32] = 4,
	[KIND_SCALED8] = 1,
	[KIND_SCALED16] = 2,
	[KIND_SCALED32] = 4,
};

/* ---- writing ---- */

int segment_begin(enum segment_kind kind, size_t count, size_t body_bytes, unsigned char **bytes,
		size_t *size, struct err *e)
{
	size_t total = size_add(SEGMENT_HEADER_BYTES, body_bytes);

	*size = 0;
	if (total == SIZE_MAX || count > UINT32_MAX || !(*bytes = malloc(total))) {
		*bytes = NULL;
		return err_nomem(e);
	}
	memset(*bytes, 0, SEGMENT_HEADER_BYTES);
	(*bytes)[0] = (unsigned char)kind;
	put32(*bytes + SEGMENT_ROWS_AT, (uint32_t)count);
	*size = total;
	return 0;
}

static enum segment_kind code_kind(uint32_t codes_count)
{
	if (codes_count <= UINT8_MAX) return KIND_CODE8;
	return codes_count <= UINT16_MAX ? KIND_CODE16 : KIND_CODE32;
}

int segment_write_codes(const uint32_t *codes, size_t rows, uint32_t codes_count, unsigned char **bytes,
		size_t *size, struct err *e)
{
	enum segment_kind kind = code_kind(codes_count);
	int rc = segment_begin(kind, rows, size_mul(rows, widths[kind]), bytes, size, e);
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

int segment_corrupt(struct err *e, const char *what)
{
	return err_set(e, ERR_CORRUPT, "a stored %s is damaged; send the data set again", what);
}

/* What its head says, which may not be so. */
static int rows_said(const unsigned char *head, size_t *rows, struct err *e)
{
	size_t kind = head[0];
	unsigned char places_max = kind >= KIND_SCALED8 ? SEGMENT_PLACES_MAX : 0;

	*rows = 0;
	if (kind >= KINDS || !widths[kind] || head[SEGMENT_PLACES_AT] > places_max || head[2] || head[3])
		return segment_corrupt(e, "column");
	if (get32(head + SEGMENT_ROWS_AT) > SEGMENT_ROWS_MAX) return segment_corrupt(e, "column");
	*rows = get32(head + SEGMENT_ROWS_AT);
	return 0;
}

int segment_rows(const unsigned char *bytes, size_t size, size_t *rows, struct err *e)
{
	size_t said, before = SEGMENT_HEADER_BYTES;
	int rc;

	*rows = 0;
	if (size < before) return segment_corrupt(e, "column");
	if ((rc = rows_said(bytes, &said, e))) return rc;
	if (bytes[0] >= KIND_SCALED8) before += SEGMENT_BASE_BYTES;
	if (size < before || size - before != said * widths[bytes[0]]) return segment_corrupt(e, "column");
	*rows = said;
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
	if (bytes[0] < KIND_CODE8 || bytes[0] > KIND_CODE32) return segment_corrupt(e, "category column");
	missing = bytes[0] == KIND_CODE8    ? UINT8_MAX
		  : bytes[0] == KIND_CODE16 ? UINT16_MAX
					    : SEGMENT_CODE_MISSING;
	for (size_t i = 0; i < rows; i++) {
		uint32_t code = bytes[0] == KIND_CODE8    ? from[i]
				: bytes[0] == KIND_CODE16 ? get16(from + 2 * i)
							  : get32(from + 4 * i);

		if (code != missing && code >= codes_count) return segment_corrupt(e, "category column");
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
	if ((rc = segment_begin(KIND_DICTIONARY, count, body, bytes, size, e))) return rc;
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
	*count = get32(bytes + SEGMENT_ROWS_AT);
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
	if (!dictionary_fits(bytes, size, &count, &text_bytes)) return segment_corrupt(e, "list of values");
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
			return segment_corrupt(e, "list of values");
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
