/* fold_rows.c - see fold_rows.h. Everything is little-endian:
 *
 *	"DSOF", u32 format, u32 outputs, u32 bytes of the definition, u64 rows, definition,
 *	u64 row (rows), u8 fold (rows), f32 score (rows, outputs), u32 CRC-32C
 */
#include "server/codec/fold_rows.h"

#include <stdlib.h>
#include <string.h>

#include "core/crc32c.h"
#include "core/size.h"
#include "server/codec/little.h"

#define MAGIC      "DSOF"
#define FORMAT     1
#define HEAD_BYTES 24
#define CRC_BYTES  4

void fold_rows_clear(struct fold_rows *rows)
{
	free(rows->definition);
	free(rows->rows);
	free(rows->folds);
	free(rows->scores);
	*rows = (struct fold_rows){ 0 };
}

int fold_rows_new(struct fold_rows *out, const char *definition, size_t outputs, size_t count, struct err *e)
{
	size_t scores = size_mul(size_mul(count, outputs), sizeof *out->scores);

	*out = (struct fold_rows){ .outputs = outputs, .count = count };
	if (scores != SIZE_MAX && size_mul(count, sizeof *out->rows) != SIZE_MAX) {
		out->definition = strdup(definition);
		out->rows = malloc(count * sizeof *out->rows + 1);
		out->folds = malloc(count + 1);
		out->scores = malloc(scores + 1);
	}
	if (out->definition && out->rows && out->folds && out->scores) return 0;
	fold_rows_clear(out);
	return err_nomem(e);
}

/* ---- bytes ---- */

/* SIZE_MAX: more than can be had. */
static size_t bytes_of(size_t definition, size_t outputs, size_t count)
{
	size_t row = size_add(sizeof(uint64_t) + 1, size_mul(outputs, sizeof(float)));

	return size_add(size_add(HEAD_BYTES + CRC_BYTES, definition), size_mul(count, row));
}

int fold_rows_write(const struct fold_rows *r, unsigned char **bytes, size_t *size, struct err *e)
{
	size_t text = strlen(r->definition), scores = r->count * r->outputs;
	unsigned char *at;

	*size = bytes_of(text, r->outputs, r->count);
	*bytes = *size == SIZE_MAX ? NULL : malloc(*size);
	if (!*bytes) return err_nomem(e);
	at = *bytes;
	memcpy(at, MAGIC, 4);
	put32(at + 4, FORMAT);
	put32(at + 8, (uint32_t)r->outputs);
	put32(at + 12, (uint32_t)text);
	put64(at + 16, r->count);
	at += HEAD_BYTES;
	memcpy(at, r->definition, text);
	at += text;
	for (size_t i = 0; i < r->count; i++, at += sizeof(uint64_t))
		put64(at, r->rows[i]);
	memcpy(at, r->folds, r->count);
	at += r->count;
	for (size_t i = 0; i < scores; i++, at += sizeof(float)) {
		uint32_t bits;

		memcpy(&bits, &r->scores[i], sizeof bits);
		put32(at, bits);
	}
	put32(at, crc32c(*bytes, *size - CRC_BYTES));
	return 0;
}

static int damaged(struct err *e)
{
	return err_set(e, ERR_CORRUPT, "the predictions of this job are damaged in the database");
}

int fold_rows_read(struct fold_rows *out, const unsigned char *bytes, size_t size, struct err *e)
{
	const unsigned char *at = bytes + HEAD_BYTES;
	size_t text, outputs, count;
	char *definition;
	int rc;

	*out = (struct fold_rows){ 0 };
	if (size < HEAD_BYTES + CRC_BYTES || memcmp(bytes, MAGIC, 4) || get32(bytes + 4) != FORMAT)
		return damaged(e);
	outputs = get32(bytes + 8);
	text = get32(bytes + 12);
	count = get64(bytes + 16);
	if (bytes_of(text, outputs, count) != size ||
			crc32c(bytes, size - CRC_BYTES) != get32(bytes + size - CRC_BYTES))
		return damaged(e);
	if (!(definition = strndup((const char *)at, text))) return err_nomem(e);
	rc = fold_rows_new(out, definition, outputs, count, e);
	free(definition);
	if (rc) return rc;
	at += text;
	for (size_t i = 0; i < count; i++, at += sizeof(uint64_t))
		out->rows[i] = get64(at);
	memcpy(out->folds, at, count);
	at += count;
	for (size_t i = 0; i < count * outputs; i++, at += sizeof(float)) {
		uint32_t bits = get32(at);

		memcpy(&out->scores[i], &bits, sizeof bits);
	}
	return 0;
}

/* ---- all folds together ---- */

/* The part whose next row comes first. */
static size_t first_of(const struct fold_rows *parts, const size_t *next, size_t count)
{
	size_t first = SIZE_MAX;

	for (size_t i = 0; i < count; i++)
		if (next[i] < parts[i].count &&
				(first == SIZE_MAX ||
						parts[i].rows[next[i]] < parts[first].rows[next[first]]))
			first = i;
	return first;
}

int fold_rows_merge(struct fold_rows *out, const struct fold_rows *parts, size_t count, struct err *e)
{
	size_t *next = calloc(count + 1, sizeof *next), total = 0;
	int rc;

	*out = (struct fold_rows){ 0 };
	if (!next) return err_nomem(e);
	rc = count ? 0 : damaged(e);
	for (size_t i = 0; i < count && !rc; i++) {
		if (parts[i].outputs != parts[0].outputs || strcmp(parts[i].definition, parts[0].definition))
			rc = damaged(e);
		total += parts[i].count;
	}
	if (!rc) rc = fold_rows_new(out, parts[0].definition, parts[0].outputs, total, e);
	for (size_t i = 0; i < total && !rc; i++) {
		size_t part = first_of(parts, next, count), from = next[part]++;

		out->rows[i] = parts[part].rows[from];
		out->folds[i] = parts[part].folds[from];
		memcpy(out->scores + i * out->outputs, parts[part].scores + from * out->outputs,
				out->outputs * sizeof *out->scores);
	}
	free(next);
	return rc;
}
