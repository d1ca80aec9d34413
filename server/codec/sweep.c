/* sweep.c - what a :sweep asks for: read, completed, written. See sweep.h. */
#include "server/codec/sweep.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "server/codec/fields.h"
#include "server/codec/json.h"
#include "server/codec/sweep_parts.h"

#define DEFAULT_RUNS      20
#define DEFAULT_HALVED    27 /* three rungs above the first */
#define DEFAULT_REDUCTION 3
#define DEFAULT_RUNGS     3 /* that min_epochs is below the epochs of a run, in reductions */
#define REDUCTION_MAX     100
#define SECONDS_MAX       1e9
#define HELD_MAX          9007199254740992.0

static const char *const strategies[] = {
	[SWEEP_GRID] = "grid",
	[SWEEP_RANDOM] = "random",
	[SWEEP_HALVING] = "halving",
	[SWEEP_HYPERBAND] = "hyperband",
};
_Static_assert(sizeof strategies / sizeof *strategies == SWEEP_STRATEGIES, "a name for each strategy");

static const struct metric {
	const char *name;
	bool highest_wins, validation, accuracy, mae;
} metric_rows[] = {
	{ "val_loss", false, true, false, false },
	{ "val_accuracy", true, true, true, false },
	{ "val_mae", false, true, false, true },
	{ "loss", false, false, false, false },
	{ "accuracy", true, false, true, false },
	{ "mae", false, false, false, true },
};
#define METRICS (sizeof metric_rows / sizeof *metric_rows)

const char *sweep_strategy_name(enum sweep_strategy strategy)
{
	return strategies[strategy];
}

/* ---- reading ---- */

struct said {
	const json_t *space, *request, *seconds;
	const char *strategy, *metric;
	uint64_t runs, reduction, min_epochs, held_rows, seed, epochs;
};

static const struct field fields[] = {
	/* of a config of ours alone */
	{ "request", FIELD_ANY, offsetof(struct said, request), 0, 0, false, false },
	{ "held_rows", FIELD_UINT, offsetof(struct said, held_rows), 0, HELD_MAX, false, true },
	{ "seed", FIELD_UINT, offsetof(struct said, seed), 0, HELD_MAX, false, false },
	{ "epochs", FIELD_UINT, offsetof(struct said, epochs), 1, TRAIN_EPOCHS_MAX, false, false },
#define STORED_ONLY 4
	{ "space", FIELD_ANY, offsetof(struct said, space), 0, 0, false, false },
	{ "strategy", FIELD_STRING, offsetof(struct said, strategy), 0, 0, false, false },
	{ "runs", FIELD_UINT, offsetof(struct said, runs), 1, SWEEP_RUNS_MAX, false, true },
	{ "seconds", FIELD_ANY, offsetof(struct said, seconds), 0, 0, false, true },
	{ "metric", FIELD_STRING, offsetof(struct said, metric), 0, 0, false, true },
	{ "reduction", FIELD_UINT, offsetof(struct said, reduction), 2, REDUCTION_MAX, false, true },
	{ "min_epochs", FIELD_UINT, offsetof(struct said, min_epochs), 1, TRAIN_EPOCHS_MAX, false, true },
	{ 0 },
};

json_t *sweep_take(json_t *document)
{
	json_t *out = json_object();
	bool whole = out != NULL;

	for (const struct field *f = fields + STORED_ONLY; f->name; f++) {
		json_t *value = json_object_get(document, f->name);

		if (value) whole &= json_put(out, f->name, json_incref(value));
		json_object_del(document, f->name);
	}
	return json_whole(out, whole);
}

static void read_strategy(const char *said, const char *at, struct sweep *s, struct faults *faults)
{
	char pointer[FAULT_POINTER_BYTES];

	s->strategy = SWEEP_RANDOM;
	for (size_t i = 0; said && i < SWEEP_STRATEGIES; i++)
		if (!strcmp(strategies[i], said)) {
			s->strategy = (enum sweep_strategy)i;
			return;
		}
	if (said)
		faults_add(faults, ERR_INVALID, pointer_join(pointer, at, "strategy"),
				"must be \"grid\", \"random\", \"halving\" or \"hyperband\", not \"%.64s\"",
				said);
}

static const struct metric *metric_find(const char *name)
{
	for (size_t i = 0; i < METRICS; i++)
		if (!strcmp(metric_rows[i].name, name)) return &metric_rows[i];
	return NULL;
}

static void read_metric(const char *said, const char *at, struct sweep *s, struct faults *faults)
{
	const struct metric *metric = said ? metric_find(said) : NULL;
	char pointer[FAULT_POINTER_BYTES];

	if (said && !metric)
		faults_add(faults, ERR_INVALID, pointer_join(pointer, at, "metric"),
				"must be \"val_loss\", \"val_accuracy\", \"val_mae\", \"loss\", \"accuracy\" or \"mae\", not "
				"\"%.64s\"",
				said);
	if (!metric) return;
	s->metric = metric->name;
	s->highest_wins = metric->highest_wins;
}

static void read_seconds(const json_t *value, const char *at, struct sweep *s, struct faults *faults)
{
	static const struct field range = { "", FIELD_REAL, 0, 0, SECONDS_MAX, true, false };
	char pointer[FAULT_POINTER_BYTES];

	if (value) field_value(value, &range, &s->seconds, pointer_join(pointer, at, "seconds"), faults);
}

void sweep_read(const json_t *document, bool stored, const char *at, struct sweep *s, struct faults *faults)
{
	struct said said = { 0 };

	*s = (struct sweep){ 0 };
	fields_read(document, stored ? fields : fields + STORED_ONLY, &said, at, faults);
	read_strategy(said.strategy, at, s, faults);
	read_metric(said.metric, at, s, faults);
	read_seconds(said.seconds, at, s, faults);
	sweep_space_read(said.space, at, s, faults);
	s->runs = said.runs;
	s->reduction = said.reduction;
	s->min_epochs = said.min_epochs;
	s->seed = said.seed;
	s->epochs = said.epochs;
	s->request = said.request;
	s->held_rows = said.held_rows;
}

/* ---- completing ---- */

static bool compares(const struct sweep *s)
{
	return s->strategy == SWEEP_HALVING || s->strategy == SWEEP_HYPERBAND;
}

static void resolve_metric(struct sweep *s, const struct sweep_metrics *has, struct faults *faults)
{
	const struct metric *metric = metric_find(s->metric         ? s->metric
						  : has->validation ? "val_loss"
								    : "loss");

	s->metric = metric->name;
	s->highest_wins = metric->highest_wins;
	if (metric->validation && !has->validation)
		faults_add(faults, ERR_INVALID, "/metric",
				"\"%s\" needs validation, as in \"validation\": {\"split\": 0.2}", s->metric);
	else if ((metric->accuracy && !has->accuracy) || (metric->mae && !has->mae))
		faults_add(faults, ERR_INVALID, "/metric", "the model has no %s: it predicts %s", s->metric,
				metric->accuracy ? "no category" : "no number");
}

static void resolve_rungs(struct sweep *s, struct faults *faults)
{
	uint64_t least = s->epochs;

	if (!compares(s)) {
		if (s->reduction || s->min_epochs)
			faults_add(faults, ERR_INVALID, s->reduction ? "/reduction" : "/min_epochs",
					"is of \"halving\" and \"hyperband\", which compare runs on their way");
		return;
	}
	if (!s->reduction) s->reduction = DEFAULT_REDUCTION;
	for (int i = 0; i < DEFAULT_RUNGS; i++)
		least /= s->reduction;
	if (!s->min_epochs) s->min_epochs = least ? least : 1;
	if (s->min_epochs > s->epochs)
		faults_add(faults, ERR_RANGE, "/min_epochs", "%llu is more than the %llu epochs of a run",
				(unsigned long long)s->min_epochs, (unsigned long long)s->epochs);
	for (size_t i = 0; i < s->count; i++)
		if (!strcmp(s->domains[i].parameter->name, "epochs"))
			faults_add(faults, ERR_INVALID, "/space/epochs",
					"cannot be searched by %s, which deals epochs out itself; say \"epochs\" beside \"space\"",
					strategies[s->strategy]);
}

/* What is compared must have been measured then. */
static void check_rungs(const struct sweep *s, uint64_t every, struct faults *faults)
{
	struct sweep_bracket b = { 0 };

	if (!compares(s) || every < 2 || !metric_find(s->metric)->validation) return;
	while (sweep_bracket_next(s, &b))
		for (unsigned i = 0; i + 1 < b.rungs; i++) {
			uint64_t epochs = sweep_rung_epochs(s, &b, i);

			if (epochs % every == 0) continue;
			faults_add(faults, ERR_INVALID, "/evaluate_every",
					"the runs are compared after %llu epochs, and validated after every %llu: leave it out, or "
					"say a min_epochs and epochs of which all rungs are multiples of it",
					(unsigned long long)epochs, (unsigned long long)every);
			return;
		}
}

/* The first range without an end, for a grid. */
static const char *endless(const struct sweep *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (!s->domains[i].size) return s->domains[i].parameter->name;
	return NULL;
}

static void resolve_grid(struct sweep *s, uint64_t size, struct faults *faults)
{
	char at[FAULT_POINTER_BYTES];

	if (!size) {
		faults_add(faults, ERR_INVALID, pointer_join(at, "/space", endless(s)),
				"is a range without an end for a grid: add \"steps\", or list its values");
		return;
	}
	if (size > SWEEP_RUNS_MAX && !s->runs)
		faults_add(faults, ERR_RANGE, "/space",
				"the grid has %s%llu points, and a sweep at most %d runs: take fewer values, or another strategy",
				size == UINT64_MAX ? "more than " : "", (unsigned long long)size,
				SWEEP_RUNS_MAX);
	if (!s->runs || s->runs > size) s->runs = size;
}

static void resolve_runs(struct sweep *s, struct faults *faults)
{
	uint64_t size = sweep_space_size(s), said = s->runs;

	if (faults->count) return;
	if (s->strategy == SWEEP_GRID) {
		resolve_grid(s, size, faults);
		return;
	}
	if (!said) s->runs = s->strategy == SWEEP_HALVING ? DEFAULT_HALVED : DEFAULT_RUNS;
	if (!said && s->strategy == SWEEP_HYPERBAND) s->runs = sweep_round_runs(s);
	if (!said && s->strategy == SWEEP_RANDOM && s->seconds > 0) s->runs = SWEEP_RUNS_MAX;
	if (sweep_space_shuffled(s) && s->strategy != SWEEP_HYPERBAND && s->runs > size) s->runs = size;
	if (s->runs > SWEEP_RUNS_MAX)
		faults_add(faults, ERR_RANGE, "/min_epochs",
				"a round of hyperband from %llu to %llu epochs has %llu runs, and a sweep at most %d: say a "
				"larger min_epochs, or runs",
				(unsigned long long)s->min_epochs, (unsigned long long)s->epochs,
				(unsigned long long)s->runs, SWEEP_RUNS_MAX);
}

void sweep_resolve(struct sweep *s, uint64_t epochs, const struct sweep_metrics *has, struct faults *faults)
{
	s->epochs = epochs;
	resolve_metric(s, has, faults);
	resolve_rungs(s, faults);
	resolve_runs(s, faults);
	if (!faults->count) check_rungs(s, has->every, faults);
}

/* ---- writing ---- */

static json_t *optional_count(uint64_t count)
{
	return count ? json_integer((json_int_t)count) : json_null();
}

json_t *sweep_document(const struct sweep *s)
{
	json_t *out = json_object();
	bool whole = json_put(out, "space", sweep_space_document(s));

	whole &= json_put(out, "strategy", json_string(strategies[s->strategy]));
	whole &= json_put(out, "runs", json_integer((json_int_t)s->runs));
	whole &= json_put(out, "seconds", s->seconds > 0 ? json_real(s->seconds) : json_null());
	whole &= json_put(out, "metric", json_string(s->metric));
	whole &= json_put(out, "reduction", optional_count(s->reduction));
	whole &= json_put(out, "min_epochs", optional_count(s->min_epochs));
	whole &= json_put(out, "seed", json_integer((json_int_t)s->seed));
	whole &= json_put(out, "epochs", json_integer((json_int_t)s->epochs));
	whole &= json_put(out, "held_rows", optional_count(s->held_rows));
	whole &= json_put(out, "request", json_incref((json_t *)s->request));
	return json_whole(out, whole);
}

/* ---- comparing ---- */

void sweep_compare_as(struct sweep *s, const json_t *config)
{
	const json_t *stopping = json_object_get(config, "early_stopping");
	const char *monitor = json_string_value(json_object_get(stopping, "monitor"));

	s->at_best = monitor && !strcmp(monitor, s->metric) &&
		     json_is_true(json_object_get(stopping, "restore_best"));
	for (size_t i = 0; i < s->count; i++)
		if (!strcmp(s->domains[i].parameter->name, "early_stopping")) s->at_best = false;
}

double sweep_value(const struct sweep *s, const json_t *metrics, const json_t *best)
{
	const json_t *value = json_object_get(best, s->metric);

	if (!s->at_best || !json_is_number(value)) value = json_object_get(metrics, s->metric);

	return json_is_number(value) ? json_number_value(value) : NAN;
}

bool sweep_better(const struct sweep *s, double a, double b)
{
	if (isnan(a)) return false;
	if (isnan(b)) return true;
	return s->highest_wins ? a > b : a < b;
}
