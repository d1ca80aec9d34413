/* optim_line.c - line search for the strong conditions of Wolfe: Nocedal, Wright: Numerical Optimization, 2nd edition
 * 2006, algorithms 3.5 and 3.6, with the cubic interpolation of equation 3.59.
 *
 * Along f(a) = loss(start + a * direction), lengths grow until two of them have an acceptable one between them; the
 * interval then shrinks around it. The number of evaluations is bounded, and an interval whose whole fall is below
 * the rounding of the loss is not looked into: then the lowest point that was seen is taken, if it is lower than the
 * start at all. So a search never ends higher than it began.
 */
#include "core/optim_line.h"

#include <math.h>
#include <string.h>

#include "core/wide.h"

#define GROW_LEAST 1.1 /* the next length is within these of the last one */
#define GROW_MOST  10
#define MARGIN     0.1 /* share of an interval at either end in which no length is tried */
#define NOT_FINITE 0.1 /* how far into an interval to go whose other end is not finite */
#define LANES      16

struct sample {
	double at, loss, slope;
};

struct search {
	const struct optim_line *line;
	double left; /* evaluations */
	struct sample first, last, best;
};

/* ---- blocks ---- */

/* Clang calls what WIDE wrote within its own file alone. */
WIDE static double dot(const real *a, const real *b, size_t n)
{
	double lanes[LANES] = { 0 }, sum = 0;
	size_t whole = n - n % LANES;

	for (size_t i = 0; i < whole; i += LANES)
		for (size_t l = 0; l < LANES; l++)
			lanes[l] += (double)a[i + l] * (double)b[i + l];
	for (size_t i = whole; i < n; i++)
		lanes[i - whole] += (double)a[i] * (double)b[i];
	for (size_t l = 0; l < LANES; l++)
		sum += lanes[l];
	return sum;
}

WIDE static void add(real *y, double a, const real *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] = (real)((double)y[i] + a * (double)x[i]);
}

double optim_dot(const real *a, const real *b, size_t n)
{
	return dot(a, b, n);
}

void optim_add(real *y, double a, const real *x, size_t n)
{
	add(y, a, x, n);
}

void optim_scale(real *y, double a, const real *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] = (real)(a * (double)x[i]);
}

void optim_differ(real *y, const real *a, const real *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		y[i] = a[i] - b[i];
}

/* ---- one length ---- */

static void return_to_start(const struct search *s)
{
	const struct optim_line *line = s->line;
	struct optim_problem *problem = line->problem;

	memcpy(problem->w, line->start, problem->n * sizeof(real));
	memcpy(problem->g, line->gradient, problem->n * sizeof(real));
	problem->loss = s->first.loss;
}

/* False: interrupted. */
static bool look_at(struct search *s, double at)
{
	const struct optim_line *line = s->line;
	struct optim_problem *problem = line->problem;

	memcpy(problem->w, line->start, problem->n * sizeof(real));
	optim_add(problem->w, at, line->direction, problem->n);
	s->left--;
	if (!problem->evaluate(problem)) return false;
	s->last = (struct sample){ at, problem->loss, optim_dot(problem->g, line->direction, problem->n) };
	if (!isfinite(s->last.loss) || !isfinite(s->last.slope)) s->last.loss = INFINITY;
	if (s->last.loss < s->best.loss) s->best = s->last;
	return true;
}

/* Equation 3.6a is broken. */
static bool too_high(const struct search *s, const struct sample *p)
{
	return !(p->loss <= s->first.loss + s->line->c_1 * p->at * s->first.slope);
}

/* Equation 3.7b holds. */
static bool flat_enough(const struct search *s, const struct sample *p)
{
	return fabs(p->slope) <= -s->line->c_2 * s->first.slope;
}

/* Equation 3.59: where the cubic through two samples has its minimum; NaN: nowhere. */
static double cubic_minimum(const struct sample *a, const struct sample *b)
{
	double d_1 = a->slope + b->slope - 3 * (a->loss - b->loss) / (a->at - b->at);
	double d_2 = copysign(sqrt(d_1 * d_1 - a->slope * b->slope), b->at - a->at);

	return b->at - (b->at - a->at) * (b->slope + d_2 - d_1) / (b->slope - a->slope + 2 * d_2);
}

/* ---- the search ---- */

/* The lowest point seen stands, if it is lower than the start. */
static enum optim_line_end settle(struct search *s)
{
	if (!(s->best.loss < s->first.loss)) {
		return_to_start(s);
		return OPTIM_LINE_NONE;
	}
	if (s->last.at != s->best.at && !look_at(s, s->best.at)) return OPTIM_LINE_INTERRUPTED;
	return OPTIM_LINE_LOWER;
}

static double between(const struct sample *low, const struct sample *high)
{
	double width = high->at - low->at, share = NOT_FINITE;

	if (isfinite(high->loss)) {
		share = (cubic_minimum(low, high) - low->at) / width;
		if (!isfinite(share)) share = 0.5;
		share = fmin(fmax(share, MARGIN), 1 - MARGIN);
	}
	return low->at + share * width;
}

/* Algorithm 3.6. low is the lowest sample that is not too high, and falls towards high. */
static enum optim_line_end zoom(struct search *s, struct sample low, struct sample high)
{
	double least = OPTIM_RESOLUTION * fabs(s->first.loss) / -s->first.slope;

	while (s->left > 0 && fabs(high.at - low.at) > least) {
		if (!look_at(s, between(&low, &high))) return OPTIM_LINE_INTERRUPTED;
		if (too_high(s, &s->last) || s->last.loss >= low.loss) {
			high = s->last;
			continue;
		}
		if (flat_enough(s, &s->last)) return OPTIM_LINE_WOLFE;
		if (s->last.slope * (high.at - low.at) >= 0) high = low;
		low = s->last;
	}
	return settle(s);
}

static double farther(const struct sample *before, const struct sample *now)
{
	double at = cubic_minimum(before, now);

	if (!(at > now->at)) return GROW_MOST * now->at; /* falls without end */
	return fmin(fmax(at, GROW_LEAST * now->at), GROW_MOST * now->at);
}

/* Algorithm 3.5. */
static enum optim_line_end bracket(struct search *s, double at)
{
	struct sample before = s->first, now;

	while (s->left > 0) {
		if (!look_at(s, at)) return OPTIM_LINE_INTERRUPTED;
		now = s->last;
		if (too_high(s, &now) || (now.loss >= before.loss && before.at > 0))
			return zoom(s, before, now);
		if (flat_enough(s, &now)) return OPTIM_LINE_WOLFE;
		if (now.slope >= 0) return zoom(s, now, before);
		at = farther(&before, &now);
		before = now;
	}
	return settle(s);
}

enum optim_line_end optim_line_search(const struct optim_line *line, double trial, double *length)
{
	struct search s = {
		.line = line, .left = line->evaluations, .first = { 0, line->problem->loss, line->slope }
	};
	enum optim_line_end end;

	s.best = s.last = s.first;
	end = bracket(&s, trial);
	if (end == OPTIM_LINE_INTERRUPTED) return_to_start(&s);
	*length = s.last.at;
	return end;
}

bool optim_line_spent(const struct optim_line *line, enum optim_line_end end, double before)
{
	double fall = before - line->problem->loss;

	return fall <= (end == OPTIM_LINE_WOLFE ? 0 : OPTIM_RESOLUTION * fabs(before));
}
