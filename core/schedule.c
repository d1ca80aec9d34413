/* schedule.c - the table of schedules. See schedule.h.
 *
 * A factor sees the time after the warm-up only: schedule_rate takes the warm-up from the epoch and from all epochs,
 * so that no row has to know of it. What is said in epochs may be a fraction of one.
 */
#include "core/schedule.h"

#include <string.h>

#define PI 3.14159265358979323846

/* Parameters that several rows have. Each row begins with WARMUP. */
enum { WARMUP_EPOCHS, FIRST };
#define EPOCHS_MAX 1e9
#define WARMUP                                                                            \
	{                                                                                 \
		.name = "warmup", .fallback = 0, .min = 0, .max = EPOCHS_MAX,             \
		.meaning = "epochs in which the rate rises to where the schedule begins", \
	}
#define EPOCHS(called, what)                                                                    \
	{                                                                                       \
		.name = (called), .fallback = 0, .min = 0, .max = EPOCHS_MAX, .meaning = (what) \
	}
#define SHARE(called, standard, what)                                                           \
	{                                                                                       \
		.name = (called), .fallback = (standard), .min = 0, .max = 1, .meaning = (what) \
	}
#define GAMMA(standard, what)                                                                  \
	{                                                                                      \
		.name = "gamma", .fallback = (standard), .min = 0, .max = 1, .min_open = true, \
		.meaning = (what)                                                              \
	}

/* How much of all epochs is done, [0, 1]; nothing at epoch 0, even if the warm-up takes all of them. */
static double progress(const struct schedule_at *at)
{
	if (at->epoch <= 0) return 0;
	return at->epoch < at->epochs ? at->epoch / at->epochs : 1;
}

/* Half a wave of the cosine from `from` to `to` as x goes from 0 to 1. */
static double half_wave(double from, double to, double x)
{
	double share = (1 + cos(PI * x)) / 2;

	return from * share + to * (1 - share);
}

static double constant_factor(
		const struct schedule_at *at, const double *params, const double state[SCHEDULE_STATE])
{
	(void)at, (void)params, (void)state;
	return 1;
}

enum { STEP_SIZE = FIRST, STEP_GAMMA };
#define STEPS_DEFAULT 3 /* stages of a training without a step_size */

static double step_factor(
		const struct schedule_at *at, const double *params, const double state[SCHEDULE_STATE])
{
	double size = params[STEP_SIZE] > 0 ? params[STEP_SIZE] : at->epochs / STEPS_DEFAULT;

	(void)state;
	return size > 0 ? pow(params[STEP_GAMMA], floor(at->epoch / size)) : 1;
}

enum { MULTISTEP_GAMMA = FIRST, MULTISTEP_MILESTONES };

static double multistep_factor(
		const struct schedule_at *at, const double *params, const double state[SCHEDULE_STATE])
{
	const double *milestones = params + MULTISTEP_MILESTONES;
	size_t i = 0, passed = 0;

	(void)state;
	for (; MULTISTEP_MILESTONES + i < PARAMS_MAX && !isnan(milestones[i]); i++)
		passed += at->epoch >= milestones[i];
	if (!i) passed = (size_t)(progress(at) >= 0.5) + (progress(at) >= 0.75);
	return pow(params[MULTISTEP_GAMMA], (double)passed);
}

static double exponential_factor(
		const struct schedule_at *at, const double *params, const double state[SCHEDULE_STATE])
{
	(void)state;
	return pow(params[FIRST], at->epoch);
}

enum { COSINE_PERIOD = FIRST, COSINE_GROWTH, COSINE_MIN };
#define CYCLE_MIN 1e-6 /* epochs: keeps the number of cycles finite */

/* How much of its cycle an epoch has done, [0, 1): cycles last period, period growth, period growth^2, … */
static double cycle_share(double epoch, double period, double growth)
{
	double cycle, begin, length;

	period = fmax(period, CYCLE_MIN);
	if (growth == 1) return fmod(epoch, period) / period;
	cycle = floor(log1p(epoch / period * (growth - 1)) / log(growth));
	do { /* rounding may have taken the next cycle for this one */
		length = period * pow(growth, cycle);
		begin = period * expm1(cycle * log(growth)) / (growth - 1);
	} while (begin > epoch && cycle-- > 0);
	return fmod((epoch - begin) / length, 1);
}

static double cosine_factor(
		const struct schedule_at *at, const double *params, const double state[SCHEDULE_STATE])
{
	double period = params[COSINE_PERIOD];
	double share = period > 0 ? cycle_share(at->epoch, period, params[COSINE_GROWTH]) : progress(at);

	(void)state;
	return half_wave(1, params[COSINE_MIN], share);
}

enum { CYCLE_PEAK_AT = FIRST, CYCLE_START, CYCLE_END };

static double one_cycle_factor(
		const struct schedule_at *at, const double *params, const double state[SCHEDULE_STATE])
{
	double done = progress(at), peak = params[CYCLE_PEAK_AT];

	(void)state;
	if (done < peak) return half_wave(params[CYCLE_START], 1, done / peak);
	return half_wave(1, params[CYCLE_END], peak < 1 ? (done - peak) / (1 - peak) : 0);
}

static double inverse_time_factor(
		const struct schedule_at *at, const double *params, const double state[SCHEDULE_STATE])
{
	(void)state;
	return 1 / (1 + params[FIRST] * at->epoch);
}

enum { POLYNOMIAL_POWER = FIRST, POLYNOMIAL_END };

static double polynomial_factor(
		const struct schedule_at *at, const double *params, const double state[SCHEDULE_STATE])
{
	double end = params[POLYNOMIAL_END];

	(void)state;
	return end + (1 - end) * pow(1 - progress(at), params[POLYNOMIAL_POWER]);
}

enum { PLATEAU_FACTOR = FIRST, PLATEAU_PATIENCE, PLATEAU_MIN_DELTA, PLATEAU_COOLDOWN, PLATEAU_MIN };
/* waited: epochs without an improvement; below 0: epochs to wait before they are counted again. */
enum { PLATEAU_SEEN, PLATEAU_BEST, PLATEAU_WAITED, PLATEAU_CUTS };

static double plateau_factor(
		const struct schedule_at *at, const double *params, const double state[SCHEDULE_STATE])
{
	(void)at;
	return fmax(pow(params[PLATEAU_FACTOR], state[PLATEAU_CUTS]), params[PLATEAU_MIN]);
}

static void plateau_observe(double monitored, const double *params, double state[SCHEDULE_STATE])
{
	bool better = !isnan(monitored) &&
		      (!state[PLATEAU_SEEN] || monitored < state[PLATEAU_BEST] - params[PLATEAU_MIN_DELTA]);
	bool cooling = state[PLATEAU_WAITED] < 0;

	if (better) {
		state[PLATEAU_SEEN] = 1;
		state[PLATEAU_BEST] = monitored;
	}
	if (cooling || !better)
		state[PLATEAU_WAITED]++;
	else
		state[PLATEAU_WAITED] = 0;
	if (state[PLATEAU_WAITED] <= params[PLATEAU_PATIENCE]) return;
	state[PLATEAU_CUTS]++;
	state[PLATEAU_WAITED] = -params[PLATEAU_COOLDOWN];
}

static const struct schedule schedules[] = {
	{
			.name = "constant",
			.formula = "1",
			.derivative = "0",
			.range = "[1, 1]",
			.differentiable = true,
			.source = "Robbins, Monro: A stochastic approximation method, 1951 (the rate before it decays)",
			.params = { WARMUP },
			.factor = constant_factor,
	},
	{
			.name = "step",
			.formula = "gamma^floor(e / step_size)",
			.derivative = "0 between the cuts",
			.range = "[0, 1]",
			.nonlinear = true,
			.source = "Krizhevsky, Sutskever, Hinton: ImageNet classification with deep convolutional "
				  "neural networks, 2012, section 5",
			.params = { WARMUP,
					EPOCHS("step_size",
							"epochs from one cut to the next; 0: a third of all"),
					GAMMA(0.1, "what a cut multiplies the rate by") },
			.factor = step_factor,
	},
	{
			.name = "multistep",
			.formula = "gamma^(milestones that are not after e)",
			.derivative = "0 between the milestones",
			.range = "[0, 1]",
			.nonlinear = true,
			.source = "He, Zhang, Ren, Sun: Deep residual learning for image recognition, CVPR 2016, "
				  "section 4.2",
			.params = { WARMUP, GAMMA(0.1, "what a milestone multiplies the rate by"),
					{ .name = "milestones",
							.fallback = NAN,
							.min = 0,
							.max = EPOCHS_MAX,
							.list = true,
							.meaning = "epochs of the cuts; none: half and three quarters of all" } },
			.factor = multistep_factor,
	},
	{
			.name = "exponential",
			.formula = "gamma^e",
			.derivative = "ln(gamma) gamma^e",
			.range = "[0, 1]",
			.nonlinear = true,
			.differentiable = true,
			.source = "Darken, Moody: Note on learning rate schedules for stochastic optimization, 1990",
			.params = { WARMUP, GAMMA(0.97, "what an epoch multiplies the rate by") },
			.factor = exponential_factor,
	},
	{
			.name = "cosine",
			.formula = "min_factor + (1 - min_factor) (1 + cos(π t / T)) / 2, t epochs after the last restart, "
				   "T the cycle's length: period, period period_factor, …",
			.derivative = "-(1 - min_factor) π sin(π t / T) / (2 T) between the restarts",
			.range = "[0, 1]",
			.nonlinear = true,
			.source = "Loshchilov, Hutter: SGDR: stochastic gradient descent with warm restarts, ICLR "
				  "2017, equation 5",
			.params = { WARMUP,
					EPOCHS("period",
							"epochs of the first cycle; 0: one cycle over all epochs"),
					{ .name = "period_factor",
							.fallback = 1,
							.min = 1,
							.max = 100,
							.meaning = "how many times as long each cycle is as the one before" },
					SHARE("min_factor", 0,
							"where a cycle ends, as a factor on the rate") },
			.factor = cosine_factor,
	},
	{
			.name = "one_cycle",
			.formula = "p = e / E; up to p = peak_at half a wave of the cosine from start_factor to 1, then "
				   "half a wave from 1 to end_factor",
			.derivative = "(1 - start_factor) π sin(π p / peak_at) / (2 peak_at E), after the peak"
				      " -(1 - end_factor) π sin(π q) / (2 (1 - peak_at) E), q = (p - peak_at) / (1 - peak_at)",
			.range = "[0, 1]",
			.nonlinear = true,
			.differentiable = true,
			.source = "Smith, Topin: Super-convergence: very fast training of neural networks using large "
				  "learning rates, 2018",
			.params = { WARMUP,
					SHARE("peak_at", 0.3,
							"share of all epochs at which the rate is highest"),
					SHARE("start_factor", 0.04,
							"where it begins, as a factor on the highest rate"),
					SHARE("end_factor", 4e-6,
							"where it ends, as a factor on the highest rate") },
			.factor = one_cycle_factor,
	},
	{
			.name = "inverse_time",
			.formula = "1 / (1 + decay e)",
			.derivative = "-decay / (1 + decay e)^2",
			.range = "[0, 1]",
			.nonlinear = true,
			.differentiable = true,
			.source = "Bottou: Stochastic gradient descent tricks, 2012, section 5.2",
			.params = { WARMUP,
					{ .name = "decay",
							.fallback = 0.1,
							.min = 0,
							.max = 1e6,
							.meaning = "how fast: at epoch 1 / decay the rate is halved" } },
			.factor = inverse_time_factor,
	},
	{
			.name = "polynomial",
			.formula = "end_factor + (1 - end_factor) (1 - e / E)^power",
			.derivative = "-(1 - end_factor) power (1 - e / E)^(power - 1) / E",
			.range = "[0, 1]",
			.nonlinear = true,
			.differentiable = true,
			.source = "Chen, Papandreou, Kokkinos, Murphy, Yuille: DeepLab, 2018, section 4.1",
			.params = { WARMUP,
					{ .name = "power",
							.fallback = 1,
							.min = 0,
							.max = 100,
							.min_open = true,
							.meaning = "1 is a straight line" },
					SHARE("end_factor", 0, "where it ends, as a factor on the rate") },
			.factor = polynomial_factor,
	},
	{
			.name = "reduce_on_plateau",
			.formula = "max(factor^k, min_factor), k cuts: one after more than patience epochs in which "
				   "val_loss (or loss) was not below the best - min_delta",
			.derivative = "0 between the cuts",
			.range = "[0, 1]",
			.nonlinear = true,
			.source = "Goodfellow, Bengio, Courville: Deep Learning, 2016, section 11.4.1; as in PyTorch's "
				  "ReduceLROnPlateau",
			.params = { WARMUP,
					{ .name = "factor",
							.fallback = 0.1,
							.min = 0,
							.max = 1,
							.min_open = true,
							.max_open = true,
							.meaning = "what a cut multiplies the rate by" },
					{ .name = "patience",
							.fallback = 10,
							.min = 0,
							.max = EPOCHS_MAX,
							.meaning = "epochs without an improvement that are borne" },
					{ .name = "min_delta",
							.fallback = 1e-4,
							.min = 0,
							.max = 1e6,
							.meaning = "the least that counts as an improvement" },
					{ .name = "cooldown",
							.fallback = 0,
							.min = 0,
							.max = EPOCHS_MAX,
							.meaning = "epochs after a cut that are not counted" },
					SHARE("min_factor", 0, "lowest factor on the rate") },
			.factor = plateau_factor,
			.observe = plateau_observe,
	},
};

#define COUNT (sizeof schedules / sizeof schedules[0])

const struct schedule *schedule_at(size_t i)
{
	return i < COUNT ? &schedules[i] : NULL;
}

const struct schedule *schedule_find(const char *name)
{
	for (size_t i = 0; i < COUNT; i++)
		if (!strcmp(schedules[i].name, name)) return &schedules[i];
	return NULL;
}

double schedule_rate(const struct schedule *schedule, double base, const struct schedule_at *at,
		const double *params, const double state[SCHEDULE_STATE])
{
	struct schedule_at after = *at;
	double warmup;

	if (!schedule) return base;
	warmup = params[WARMUP_EPOCHS];
	after.epoch = fmax(at->epoch - warmup, 0);
	after.epochs = fmax(at->epochs - warmup, 0);
	base *= schedule->factor(&after, params, state);
	return at->epoch < warmup ? base * fmin((at->epoch + at->share) / warmup, 1) : base;
}

void schedule_observe(const struct schedule *schedule, double monitored, const double *params,
		double state[SCHEDULE_STATE])
{
	if (schedule && schedule->observe) schedule->observe(monitored, params, state);
}
