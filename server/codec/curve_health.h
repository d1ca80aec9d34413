/* curve_health.h - how the layers of a network fared, epoch by epoch: kept beside a curve's points, in the same blocks of
 * the store, and shown as columns. The trainer measures it at most ten times a second (server/jobs/training.c), and of
 * each bucket of a curve's epochs once: it is a measurement, and no two runs of the same bits need have it of the same epochs.
 */
#ifndef SERVER_CODEC_CURVE_HEALTH_H
#define SERVER_CODEC_CURVE_HEALTH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "core/train.h"
#include "server/buffer.h"
#include "server/codec/curve_span.h"

struct curve_health {              /* zeroed is empty; new: curve_health_clear */
	uint64_t *epochs;          /* (count) */
	struct train_health *rows; /* (count, layers) */
	size_t count, capacity, layers;
};
void curve_health_clear(struct curve_health *health);
/* May it be measured in this epoch? */
bool curve_health_wanted(enum curve_keep keep, uint64_t epoch);
/* False: no memory. layers stays the same between calls. */
bool curve_health_add(
		struct curve_health *health, uint64_t epoch, const struct train_health *row, size_t layers);

/* The section that goes before the points of a block: rows [from, to). 0 bytes when there are none. */
size_t curve_health_bytes(const struct curve_health *health, size_t from, size_t to);
void curve_health_encode(const struct curve_health *health, size_t from, size_t to, unsigned char *out);
/* How many bytes of a block are such a section; SIZE_MAX when it is damaged. */
size_t curve_health_section(const unsigned char *data, size_t size);
/* Appends the rows of a block's section whose epoch lies in [from, to]. ERR_CORRUPT, ERR_NOMEM. */
int curve_health_decode(struct curve_health *health, const unsigned char *data, size_t size, uint64_t from,
		uint64_t to, struct err *e);
/* Leaves at most max rows, evenly spread, the last one among them. */
void curve_health_thin(struct curve_health *health, size_t max);
/* {"epoch":[…],"layers":[{"index":0,"gradient_norm":[…],…}]}; what is not finite, or no quality of a layer, is null. */
void curve_health_write(const struct curve_health *health, struct buffer *out);
/* [{"index":0,"gradient_norm":0.1,…}] of one epoch, with the same names and nulls; new, NULL: no memory. */
json_t *curve_health_document(const struct train_health *rows, size_t layers);

#endif
