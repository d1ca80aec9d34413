/* sweep_rungs.c - how long the runs of a sweep go on: which are compared with which, and when. See sweep.h for the papers. */
#include <string.h>

#include "server/codec/sweep_parts.h"

static uint64_t power(uint64_t base, unsigned exponent)
{
	uint64_t out = 1;

	while (exponent--)
		if (__builtin_mul_overflow(out, base, &out)) return UINT64_MAX;
	return out;
}

unsigned sweep_rungs_max(const struct sweep *s)
{
	unsigned rungs = 1;

	while (s->epochs / s->min_epochs >= power(s->reduction, rungs))
		rungs++;
	return rungs;
}

/* Of so many rungs; of halving as many as its runs can fill. */
static unsigned halving_rungs(const struct sweep *s)
{
	unsigned rungs = 1, most = sweep_rungs_max(s);

	while (rungs < most && s->runs >= power(s->reduction, rungs))
		rungs++;
	return rungs;
}

/* n = ceil((s_max + 1) / (s + 1) * eta^s), where the bracket has s + 1 rungs. */
static uint64_t bracket_runs(const struct sweep *s, unsigned rungs, unsigned most)
{
	uint64_t runs = power(s->reduction, rungs - 1);

	if (runs > UINT32_MAX) return UINT32_MAX;
	return (runs * most + rungs - 1) / rungs;
}

uint64_t sweep_round_runs(const struct sweep *s)
{
	unsigned most = sweep_rungs_max(s);
	uint64_t runs = 0;

	for (unsigned rungs = most; rungs; rungs--)
		runs += bracket_runs(s, rungs, most);
	return runs;
}

bool sweep_bracket_next(const struct sweep *s, struct sweep_bracket *b)
{
	uint64_t first = b->number ? b->first + b->runs : 1;
	unsigned most;

	if (first > s->runs) return false;
	b->number++;
	b->first = first;
	b->runs = s->runs - (first - 1);
	b->rungs = s->strategy == SWEEP_HALVING ? halving_rungs(s) : 1;
	if (s->strategy != SWEEP_HYPERBAND) return true;
	most = sweep_rungs_max(s);
	b->rungs = most - (unsigned)((b->number - 1) % most);
	if (bracket_runs(s, b->rungs, most) < b->runs) b->runs = bracket_runs(s, b->rungs, most);
	return true;
}

uint64_t sweep_rung_epochs(const struct sweep *s, const struct sweep_bracket *b, unsigned i)
{
	uint64_t epochs = s->epochs / power(s->reduction, b->rungs - 1 - i);

	return epochs ? epochs : 1;
}

uint64_t sweep_rung_runs(const struct sweep *s, const struct sweep_bracket *b, unsigned i)
{
	uint64_t runs = b->runs / power(s->reduction, i);

	return runs ? runs : 1;
}

/* Where each run says itself how long it is. */
static uint64_t searched_epochs(const struct sweep *s)
{
	uint64_t total = 0;

	for (uint64_t run = 1; run <= s->runs; run++) {
		json_t *parameters = sweep_parameters(s, run);

		total += (uint64_t)json_number_value(json_object_get(parameters, "epochs"));
		json_decref(parameters);
	}
	return total;
}

uint64_t sweep_total_epochs(const struct sweep *s)
{
	struct sweep_bracket b = { 0 };
	uint64_t total = 0;

	for (size_t i = 0; i < s->count; i++)
		if (!strcmp(s->domains[i].parameter->name, "epochs")) return searched_epochs(s);
	while (sweep_bracket_next(s, &b))
		for (unsigned i = 0; i < b.rungs; i++) {
			uint64_t from = i ? sweep_rung_epochs(s, &b, i - 1) : 0;

			total += sweep_rung_runs(s, &b, i) * (sweep_rung_epochs(s, &b, i) - from);
		}
	return total;
}
