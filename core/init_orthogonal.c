/* init_orthogonal.c - random orthogonal matrices by Kac's walk: many rotations of two coordinates each.
 *
 * A stage pairs all coordinates of the longer side and turns each pair by an angle of its own; what it turns stays
 * orthogonal, whatever the angles. After about log2(n) stages every coordinate has met every other, and a few more
 * leave each column spread evenly over the sphere (Pillai, Smith: Kac's walk on n-sphere mixes in n log n steps,
 * 2017). So a matrix costs three operations for each of its numbers and each stage, where a QR decomposition costs
 * as many as the matrix has columns, and needs no memory beside it. The pairs are neighbours on a round trip through
 * all coordinates with a random stride.
 */
#include <math.h>
#include <stdbool.h>

#include "core/init_rows.h"
#include "core/rng.h"
#include "core/wide.h"

#define TWO_PI       6.28318530717958647692
#define EXTRA_STAGES 16  /* beside two for each doubling of the side */
#define CHUNK        512 /* pairs whose angles are known at a time */

struct stage {
	struct rng_key key;
	size_t side;
	size_t place, stride; /* of the trip */
	size_t next;          /* pair, up to side / 2 */
};

struct pairs {
	size_t count;
	size_t one[CHUNK], other[CHUNK];
	real cosine[CHUNK], sine[CHUNK];
};

static size_t common_divisor(size_t a, size_t b)
{
	while (b) {
		size_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* Draws the trip. Its numbers come before those of the angles: rng_below takes a block, two angles share one. */
static struct stage stage_begin(size_t side, uint64_t seed, uint32_t layer, uint32_t number)
{
	struct stage stage = { { seed, RNG_WEIGHTS, layer, number }, side, 0, 1, 0 };

	stage.place = rng_below(&stage.key, 0, side);
	if (side > 2) stage.stride = 1 + rng_below(&stage.key, 1, side - 1);
	while (common_divisor(side, stage.stride) != 1)
		stage.stride = stage.stride % side + 1;
	return stage;
}

static size_t stage_go(struct stage *stage)
{
	size_t place = stage->place;

	stage->place = (place + stage->stride) % stage->side;
	return place;
}

/* The next pairs of a stage; false: it is over. */
static bool stage_pairs(struct stage *stage, struct pairs *pairs)
{
	enum { FIRST_ANGLE = 4 };

	for (pairs->count = 0; pairs->count < CHUNK && stage->next < stage->side / 2; stage->next++) {
		double angle = TWO_PI * rng_uniform(&stage->key, FIRST_ANGLE + stage->next);

		pairs->one[pairs->count] = stage_go(stage);
		pairs->other[pairs->count] = stage_go(stage);
		pairs->cosine[pairs->count] = (real)cos(angle);
		pairs->sine[pairs->count++] = (real)sin(angle);
	}
	return pairs->count;
}

WIDE static void turn_rows(real *restrict a, real *restrict b, size_t n, real cosine, real sine)
{
	for (size_t i = 0; i < n; i++) {
		real x = a[i], y = b[i];

		a[i] = cosine * x - sine * y;
		b[i] = sine * x + cosine * y;
	}
}

static void turn_columns(real *row, const struct pairs *pairs)
{
	for (size_t i = 0; i < pairs->count; i++) {
		real x = row[pairs->one[i]], y = row[pairs->other[i]];

		row[pairs->one[i]] = pairs->cosine[i] * x - pairs->sine[i] * y;
		row[pairs->other[i]] = pairs->sine[i] * x + pairs->cosine[i] * y;
	}
}

/* A diagonal of gain and -gain: the walk alone would have only the matrices that turn, none that mirrors. */
static void diagonal(real *weights, size_t inputs, size_t units, uint64_t seed, uint32_t layer, double gain)
{
	struct rng_key key = { .seed = seed, .stream = RNG_WEIGHTS, .epoch = layer };
	size_t shorter = inputs < units ? inputs : units;

	for (size_t i = 0; i < inputs * units; i++)
		weights[i] = 0;
	for (size_t i = 0; i < shorter; i++)
		weights[i * units + i] = (real)(rng_u32(&key, i) & 1 ? -gain : gain);
}

void init_orthogonal(real *weights, size_t inputs, size_t units, uint64_t seed, uint32_t layer, double gain)
{
	size_t side = inputs < units ? units : inputs;
	uint32_t stages = side > 1 ? EXTRA_STAGES : 0;
	struct pairs pairs;

	for (size_t n = side; n > 1; n -= n / 2)
		stages += 2;
	diagonal(weights, inputs, units, seed, layer, gain);
	for (uint32_t s = 1; s <= stages; s++) {
		struct stage stage = stage_begin(side, seed, layer, s);

		while (stage_pairs(&stage, &pairs)) {
			if (side == inputs)
				for (size_t p = 0; p < pairs.count; p++)
					turn_rows(weights + pairs.one[p] * units,
							weights + pairs.other[p] * units, units,
							pairs.cosine[p], pairs.sine[p]);
			else
				for (size_t i = 0; i < inputs; i++)
					turn_columns(weights + i * units, &pairs);
		}
	}
}
