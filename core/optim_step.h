/* optim_step.h - what the files that hold rows of the table of optimizers share; optim.c puts them together. */
#ifndef DESCENT_OPTIM_STEP_H
#define DESCENT_OPTIM_STEP_H

#include <float.h>
#include <math.h>

#include "core/optim.h"

/* Moments decay towards 0 where a unit is dead. Before they become denormal, which would make each later step many
 * times slower, they are cut to 0. The first moment is compared with epsilon times a step, so that 1e-30 is nothing;
 * the second one is a square and is cut no earlier than where float32 itself gives up. */
#ifdef DESCENT_DOUBLE
#define MOMENT_FLOOR 1e-290
#define SQUARE_FLOOR DBL_MIN
#else
#define MOMENT_FLOOR 1e-30f
#define SQUARE_FLOOR FLT_MIN
#endif

static inline real optim_cut(real moment)
{
	return moment < MOMENT_FLOOR && moment > -MOMENT_FLOOR ? 0 : moment;
}

static inline real optim_cut_square(real square)
{
	return square < SQUARE_FLOOR ? 0 : square;
}

static inline real optim_root(real x)
{
#ifdef DESCENT_DOUBLE
	return sqrt(x);
#else
	return sqrtf(x);
#endif
}

/* Parameters that several optimizers have. */
#define LEARNING_RATE(standard)                                                                          \
	{                                                                                                \
		.name = "learning_rate", .fallback = (standard), .min = 0, .max = 1e3, .min_open = true, \
		.meaning = "length of a step"                                                            \
	}
#define DECAY(called, standard, what)                                                           \
	{                                                                                       \
		.name = (called), .fallback = (standard), .min = 0, .max = 1, .max_open = true, \
		.meaning = (what)                                                               \
	}
#define MOMENTUM DECAY("momentum", 0.9, "share of the last step's velocity that is kept")
#define EPSILON(standard)                                                          \
	{                                                                          \
		.name = "epsilon", .fallback = (standard), .min = 1e-12, .max = 1, \
		.meaning = "keeps the division away from 0"                        \
	}
#define WEIGHT_DECAY(standard)                                                      \
	{                                                                           \
		.name = "weight_decay", .fallback = (standard), .min = 0, .max = 1, \
		.meaning = "share of a weight that is taken away, times the rate"   \
	}

/* Rows in the catalogue's order; the last one has no name. */
extern const struct optimizer optim_momentum_rows[]; /* sgd, and steps along a velocity or its sign */
extern const struct optimizer optim_scaled_rows[];   /* steps over the root of past squared gradients */
extern const struct optimizer optim_adam_rows[];     /* both */
extern const struct optimizer optim_rprop_rows[];    /* full batch, a step size for each weight */
extern const struct optimizer optim_search_rows[];   /* full batch, along lines */

#endif
