/* sweep_parts.h - what the files of sweep.h share; nobody else includes it.
 *
 *	sweep.c        the request: read, completed, written
 *	sweep_space.c  what may be searched, and the values that run number i tries
 *	sweep_run.c    run number i as a :train of a network
 *	sweep_rungs.c  how long the runs go on
 */
#ifndef SERVER_CODEC_SWEEP_PARTS_H
#define SERVER_CODEC_SWEEP_PARTS_H

#include "server/codec/sweep.h"

/* Where a parameter's value goes. */
enum sweep_place {
	PLACE_REQUEST,   /* a field of :train */
	PLACE_OPTIMIZER, /* a field of its optimizer */
	PLACE_NETWORK,   /* the hidden layers as a whole */
	PLACE_LAYERS,    /* a field of each hidden layer */
};

/* What a range of it is of. */
enum sweep_kind { KIND_WHOLE, KIND_REAL, KIND_LISTED /* has no range */ };

struct sweep_parameter {
	const char *name;
	enum sweep_place place;
	enum sweep_kind kind;
};

/* ---- sweep_space.c ---- */

/* Reads the member "space" of what lies at `of`. */
void sweep_space_read(const json_t *space, const char *of, struct sweep *s, struct faults *faults);
/* New; NULL: no memory. */
json_t *sweep_space_document(const struct sweep *s);
/* How many points a grid of it has; 0: no end of them. UINT64_MAX: at least that. */
uint64_t sweep_space_size(const struct sweep *s);
/* Are its points drawn without doing one twice? */
bool sweep_space_shuffled(const struct sweep *s);
const struct sweep_parameter *sweep_parameter_find(const char *name);

/* ---- sweep_rungs.c ---- */

/* How many rungs there may be at most: as often as min_epochs can be multiplied. */
unsigned sweep_rungs_max(const struct sweep *s);
/* Runs of one round of hyperband's brackets. */
uint64_t sweep_round_runs(const struct sweep *s);

#endif
