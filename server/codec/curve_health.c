/* curve_health.c - how the layers fared, beside a curve's points. See curve_health.h.
 *
 * A section of a block: mark and number of layers, number of rows, then each row's epoch and for each layer its
 * numbers as float32, in the order of the table `columns`; everything little-endian.
 */
#include "server/codec/curve_health.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/size.h"
#include "server/codec/curve_record.h"
#include "server/codec/json.h"
#include "server/codec/little.h"
#include "server/codec/number.h"

#define SECTION_MARK 0xDE5CE47C0002u /* larger than any epoch, and not that of points */
#define MARK_SHIFT   16
#define HEAD_BYTES   16
#define EPOCH_BYTES  8

static const struct {
	const char *name;
	size_t offset;
} columns[] = {
	{ "gradient_norm", offsetof(struct train_health, gradient_norm) },
	{ "weight_norm", offsetof(struct train_health, weight_norm) },
	{ "update_ratio", offsetof(struct train_health, update_ratio) },
	{ "dead", offsetof(struct train_health, dead) },
	{ "saturated", offsetof(struct train_health, saturated) },
};
#define COLUMNS (sizeof columns / sizeof *columns)

static float *number_at(const struct train_health *row, size_t column)
{
	return (float *)((char *)row + columns[column].offset);
}

static size_t row_bytes(size_t layers)
{
	return EPOCH_BYTES + layers * COLUMNS * sizeof(float);
}

void curve_health_clear(struct curve_health *h)
{
	free(h->epochs);
	free(h->rows);
	*h = (struct curve_health){ 0 };
}

bool curve_health_wanted(enum curve_keep keep, uint64_t epoch)
{
	return epoch % curve_bucket_points(keep, epoch) == 0;
}

static bool grow(struct curve_health *h)
{
	size_t wanted = h->capacity ? h->capacity * 2 : 64;
	uint64_t *epochs = reallocarray(h->epochs, wanted, sizeof *epochs);
	struct train_health *rows;

	if (!epochs) return false;
	h->epochs = epochs;
	rows = reallocarray(h->rows, size_mul(wanted, h->layers), sizeof *rows);
	if (!rows) return false;
	h->rows = rows;
	h->capacity = wanted;
	return true;
}

bool curve_health_add(struct curve_health *h, uint64_t epoch, const struct train_health *row, size_t layers)
{
	h->layers = layers;
	if (h->count == h->capacity && !grow(h)) return false;
	h->epochs[h->count] = epoch;
	memcpy(h->rows + h->count * layers, row, layers * sizeof *row);
	h->count++;
	return true;
}

/* ---- blocks ---- */

size_t curve_health_bytes(const struct curve_health *h, size_t from, size_t to)
{
	return from < to ? HEAD_BYTES + (to - from) * row_bytes(h->layers) : 0;
}

void curve_health_encode(const struct curve_health *h, size_t from, size_t to, unsigned char *out)
{
	if (from >= to) return;
	put64(out, (uint64_t)SECTION_MARK << MARK_SHIFT | h->layers);
	put64(out + EPOCH_BYTES, to - from);
	out += HEAD_BYTES;
	for (size_t i = from; i < to; i++) {
		put64(out, h->epochs[i]);
		out += EPOCH_BYTES;
		for (size_t l = 0; l < h->layers; l++)
			for (size_t c = 0; c < COLUMNS; c++, out += sizeof(float)) {
				uint32_t bits;

				memcpy(&bits, number_at(&h->rows[i * h->layers + l], c), sizeof bits);
				put32(out, bits);
			}
	}
}

size_t curve_health_section(const unsigned char *data, size_t size)
{
	size_t layers, bytes;

	if (size < HEAD_BYTES || get64(data) >> MARK_SHIFT != SECTION_MARK) return 0;
	layers = get64(data) & ((1u << MARK_SHIFT) - 1);
	bytes = size_mul(get64(data + EPOCH_BYTES), row_bytes(layers));
	if (!layers || bytes > size - HEAD_BYTES) return SIZE_MAX;
	return HEAD_BYTES + bytes;
}

int curve_health_decode(struct curve_health *h, const unsigned char *data, size_t size, uint64_t from,
		uint64_t to, struct err *e)
{
	size_t section = curve_health_section(data, size), layers;
	struct train_health *row;
	int rc = 0;

	if (!section) return 0;
	layers = section == SIZE_MAX ? 0 : get64(data) & ((1u << MARK_SHIFT) - 1);
	if (!layers || layers > NET_LAYERS_MAX || (h->layers && h->layers != layers))
		return err_set(e, ERR_CORRUPT, "a block of a stored curve is damaged");
	if (!(row = calloc(layers, sizeof *row))) return err_nomem(e);
	for (const unsigned char *at = data + HEAD_BYTES; !rc && at < data + section;
			at += row_bytes(layers)) {
		uint64_t epoch = get64(at);

		if (epoch < from || epoch > to) continue;
		for (size_t l = 0; l < layers; l++)
			for (size_t c = 0; c < COLUMNS; c++) {
				uint32_t bits = get32(at + EPOCH_BYTES + (l * COLUMNS + c) * sizeof bits);

				memcpy(number_at(&row[l], c), &bits, sizeof bits);
			}
		if (!curve_health_add(h, epoch, row, layers)) rc = err_nomem(e);
	}
	free(row);
	return rc;
}

/* ---- showing ---- */

void curve_health_thin(struct curve_health *h, size_t max)
{
	if (h->count <= max || !max) return;
	for (size_t i = 0; i < max; i++) {
		size_t from = (i + 1) * h->count / max - 1;

		h->epochs[i] = h->epochs[from];
		memmove(h->rows + i * h->layers, h->rows + from * h->layers, h->layers * sizeof *h->rows);
	}
	h->count = max;
}

static void write_column(const struct curve_health *h, size_t layer, size_t column, struct buffer *out)
{
	buffer_text(out, ",\"");
	buffer_text(out, columns[column].name);
	buffer_text(out, "\":[");
	for (size_t i = 0; i < h->count; i++) {
		float value = *number_at(&h->rows[i * h->layers + layer], column);
		char *to = buffer_reserve(out, NUMBER_PRINT_MAX + 1);

		if (!to) return;
		if (i) buffer_text(out, ",");
		if (isfinite(value))
			out->size += number_print_float(value, (char *)out->data + out->size);
		else
			buffer_text(out, "null");
	}
	buffer_text(out, "]");
}

void curve_health_write(const struct curve_health *h, struct buffer *out)
{
	buffer_text(out, "{\"epoch\":[");
	for (size_t i = 0; i < h->count; i++)
		buffer_printf(out, "%s%llu", i ? "," : "", (unsigned long long)h->epochs[i]);
	buffer_text(out, "],\"layers\":[");
	for (size_t l = 0; l < h->layers; l++) {
		buffer_printf(out, "%s{\"index\":%zu", l ? "," : "", l);
		for (size_t c = 0; c < COLUMNS; c++)
			write_column(h, l, c, out);
		buffer_text(out, "}");
	}
	buffer_text(out, "]}");
}

json_t *curve_health_document(const struct train_health *rows, size_t layers)
{
	json_t *out = json_array();
	bool whole = out != NULL;

	for (size_t l = 0; l < layers; l++) {
		json_t *row = json_object();

		whole &= json_put(row, "index", json_integer((json_int_t)l));
		for (size_t c = 0; c < COLUMNS; c++)
			whole &= json_put(row, columns[c].name, json_number((double)*number_at(&rows[l], c)));
		whole &= json_append(out, row);
	}
	return json_whole(out, whole);
}
