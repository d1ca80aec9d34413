/* sweep.h - what a :sweep asks for, and what follows: which runs there are, and how long each goes on.
 *
 * Everything about run number i follows from the sweep and i alone (its values are drawn by the seed and i), so that nothing
 * needs to be kept of it, and a sweep that goes on after a restart is the one that was asked for.
 *
 * Halving and hyperband are Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter
 * optimization", AISTATS 2016, and Li, Jamieson, DeSalvo, Rostamizadeh and Talwalkar, "Hyperband: a novel bandit-based approach
 * to hyperparameter optimization", JMLR 18, 2018. Their resource is epochs. A run that goes on does so where it stopped.
 */
#ifndef SERVER_CODEC_SWEEP_H
#define SERVER_CODEC_SWEEP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/codec/definition.h"
#include "server/codec/faults.h"
#include "server/codec/train_request.h"

#define SWEEP_RUNS_MAX       1000
#define SWEEP_PARAMETERS_MAX 24

enum sweep_strategy { SWEEP_GRID, SWEEP_RANDOM, SWEEP_HALVING, SWEEP_HYPERBAND, SWEEP_STRATEGIES };

struct sweep_parameter; /* a row of the table of what can be searched */

/* The values that a parameter may have: listed, or from min to max. */
struct sweep_domain {
	const struct sweep_parameter *parameter;
	const json_t *choices; /* an array; NULL: a range */
	double min, max;
	bool log;       /* evenly by the logarithm */
	uint64_t steps; /* only so many values, evenly spread; 0: all */
	uint64_t size;  /* how many values there are; 0: no end of them */
};

/* Borrows from the document that it was read from. */
struct sweep {
	struct sweep_domain domains[SWEEP_PARAMETERS_MAX];
	size_t count;
	enum sweep_strategy strategy;
	const char *metric;
	bool highest_wins;
	uint64_t runs;                  /* 0 until sweep_resolve where nothing is said */
	double seconds;                 /* for all of it; 0: no such bound */
	uint64_t reduction, min_epochs; /* of halving and hyperband */
	uint64_t seed, epochs;          /* of each run; epochs: that the longest has */
	/* Of a config of ours: */
	const json_t *request; /* what each run's :train is told beside its own */
	uint64_t held_rows;    /* that a column holds out; 0: it is not known, or no column does */
	bool at_best;          /* runs are compared by the best epoch so far, whose weights they keep */
};

/* Takes the fields of a :sweep out of document, a new reference; what is left is that of a :train. */
json_t *sweep_take(json_t *document);
/* Reads them; stored: of a config of ours. Pointers begin with `at`. Faults: an empty space, values that are none, … */
void sweep_read(const json_t *document, bool stored, const char *at, struct sweep *out,
		struct faults *faults);
/* Chooses what was left open: epochs are those of a run, metrics what the runs will have. Faults: a grid without end, more than
 * SWEEP_RUNS_MAX runs, a metric that there is not. */
struct sweep_metrics {
	bool accuracy, mae, validation;
	uint64_t every; /* epochs from one validation to the next */
};
void sweep_resolve(
		struct sweep *s, uint64_t epochs, const struct sweep_metrics *metrics, struct faults *faults);
/* What sweep_read reads as a stored one; new. NULL: no memory. */
json_t *sweep_document(const struct sweep *s);
const char *sweep_strategy_name(enum sweep_strategy strategy);

/* After sweep_read: config is the one of the whole, which says whether runs keep their best epoch. */
void sweep_compare_as(struct sweep *s, const json_t *config);
/* The value of a run's metric, NaN when it has none; metrics and best are those of the job. */
double sweep_value(const struct sweep *s, const json_t *metrics, const json_t *best);
/* Is a better than b? Everything is better than NaN. */
bool sweep_better(const struct sweep *s, double a, double b);

/* ---- the runs ---- */

/* {"units": 16, "learning_rate": 0.01}: what run number `run` (from 1) tries; new. NULL: no memory. */
json_t *sweep_parameters(const struct sweep *s, uint64_t run);

/* What the runs are made of. */
struct sweep_base {
	const json_t *model; /* its resolved definition */
	uint64_t rows;       /* of the data */
	bool classifies;
	unsigned threads_max;
};

/* One run, ready to be trained; sweep_run_clear. */
struct sweep_run {
	json_t *parameters, *asked, *network, *config;
	struct train_request request;
	struct definition definition;
};
/* Run `number`, or with parameters (borrowed; NULL: its own) of which nothing else is looked at. ERR_NOMEM. What :train
 * would refuse is a fault. */
int sweep_run_make(const struct sweep *s, const struct sweep_base *base, uint64_t number, json_t *parameters,
		struct sweep_run *run, struct faults *faults, struct err *e);
void sweep_run_clear(struct sweep_run *run);
/* Calls each with every value that can be tried alone: the choices, and the ends of ranges. at is where it stands. */
int sweep_each_value(const struct sweep *s,
		int (*each)(void *self, json_t *parameters, const char *at, struct err *e), void *self,
		struct err *e);

/* ---- how long they go on ---- */

/* Runs first … first + runs - 1 are compared at the end of each rung but the last; the best of them go on. */
struct sweep_bracket {
	uint64_t number; /* from 1 */
	uint64_t first, runs;
	unsigned rungs;
};
/* The next one after *b; of a zeroed one the first. false: there is no more. The sweep is resolved. */
bool sweep_bracket_next(const struct sweep *s, struct sweep_bracket *b);
/* After how many epochs rung i (from 0) ends; that of the last is s->epochs. */
uint64_t sweep_rung_epochs(const struct sweep *s, const struct sweep_bracket *b, unsigned i);
/* How many runs are in it. */
uint64_t sweep_rung_runs(const struct sweep *s, const struct sweep_bracket *b, unsigned i);
/* Epochs that all runs are asked for together. */
uint64_t sweep_total_epochs(const struct sweep *s);

#endif
