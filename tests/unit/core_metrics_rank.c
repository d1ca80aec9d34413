/* core_metrics_rank.c - areas under curves: against all pairs counted one by one, and what bins make of them. */
#include <math.h>

#include "core/metrics_rank.h"
#include "tests/unit/engine.h"
#include "tests/unit/suite.h"

/* Adds the rows in batches of no round number and ends. New (ranking_free). */
static struct ranking *ranked(
		const real *scores, const uint32_t *truth, size_t rows, size_t classes, size_t scores_max)
{
	struct ranking *r;
	struct err e;

	OK(ranking_new(&r, classes, scores_max, &e), e);
	for (size_t i = 0, n; i < rows; i += n) {
		n = rows - i < 61 ? rows - i : 61;
		OK(ranking_add(r, scores + i * classes, truth + i, n, &e), e);
	}
	OK(ranking_end(r, &e), e);
	return r;
}

START_TEST(pairs_counted_one_by_one)
{
	enum { ROWS = 90, CLASSES = 3 };
	struct rng_key key = { .seed = 4, .stream = RNG_TEST };
	real *scores = random_numbers(ROWS * CLASSES, 3);
	uint32_t truth[ROWS];
	struct ranking *r;

	for (size_t i = 0; i < ROWS; i++)
		truth[i] = (uint32_t)rng_below(&key, i, CLASSES);
	for (size_t i = 0; i < ROWS * CLASSES; i++)
		scores[i] = floor(scores[i] * 4) / 4; /* ties, and both signs */
	r = ranked(scores, truth, ROWS, CLASSES, RANKING_SCORES_MAX);
	for (size_t k = 0; k < CLASSES; k++) {
		double right = 0, pairs = 0;

		for (size_t i = 0; i < ROWS; i++)
			for (size_t j = 0; j < ROWS; j++) {
				real a = scores[i * CLASSES + k], b = scores[j * CLASSES + k];

				if (truth[i] != k || truth[j] == k) continue;
				right += a > b ? 1 : a == b ? 0.5 : 0;
				pairs++;
			}
		ck_assert_double_eq_tol(ranking_area(r, k).roc, right / pairs, 1e-14);
		ck_assert_double_eq(ranking_area(r, k).roc_slack, 0);
	}
	ranking_free(r);
	free(scores);
}
END_TEST

/* Four rows: the class's at 0.8 and 0.4, the others at 0.6 and 0.2. */
START_TEST(curves_by_hand)
{
	static const real scores[8] = { 0.2f, 0.8f, 0.6f, 0.4f, 0.4f, 0.6f, 0.8f, 0.2f };
	static const uint32_t truth[4] = { 1, 1, 0, 0 };
	struct ranking *r = ranked(scores, truth, 4, 2, RANKING_SCORES_MAX);

	ck_assert_double_eq_tol(ranking_area(r, 1).roc, 3.0 / 4, 1e-15);
	ck_assert_double_eq_tol(ranking_area(r, 1).pr, 0.5 * 1 + 0.5 * 2 / 3, 1e-15);
	ranking_free(r);
}
END_TEST

START_TEST(minus_zero_is_zero_and_nan_is_no_score)
{
	static const real scores[8] = { 0, 1, -0.0f, 1, 0, 2, 0, NAN };
	static const uint32_t truth[4] = { 0, 1, 1, 0 };
	struct ranking *r = ranked(scores, truth, 4, 2, RANKING_SCORES_MAX);

	ck_assert_double_eq(ranking_area(r, 0).roc, 0.5);
	ck_assert(isnan(ranking_area(r, 1).roc) && isnan(ranking_area(r, 1).pr));
	ranking_free(r);
	r = ranked(scores, truth, 1, 2, RANKING_SCORES_MAX);
	ck_assert(isnan(ranking_area(r, 0).roc)); /* no others */
	ck_assert(isnan(ranking_area(r, 1).pr));  /* none of its own */
	ranking_free(r);
}
END_TEST

/* Ways in which 500,000 rows may come: how many are of class 1, how the scores look, in which order. */
static const struct stream {
	const char *name;
	double share, apart;     /* of class 1; between the classes' means, in deviations */
	double grid;             /* scores are multiples of it; 0: of nothing */
	double pr_slack, pr_off; /* allowed */
	int order;               /* 0: as drawn; 1: one class after the other; 2: by score */
} streams[] = {
	{ "in no order", 0.5, 1, 0, 1e-3, 1e-4, 0 },
	{ "class after class", 0.5, 1, 0, 1e-3, 1e-3, 1 },
	{ "from the lowest score up", 0.4, 1.5, 0, 1e-3, 1e-4, 2 },
	{ "few of the class", 0.001, 2, 0, 0.01, 1e-3, 0 },
	{ "many ties", 0.3, 1, 0.125, 1e-3, 1e-4, 0 },
	{ "nearly apart", 0.5, 6, 0, 1e-3, 1e-4, 1 },
	{ "nothing learnt", 0.5, 0, 0, 1e-3, 1e-4, 0 },
};
#define STREAM_ROWS 500000

struct row {
	float score;
	uint32_t truth;
};

static int by_score(const void *a, const void *b)
{
	float x = ((const struct row *)a)->score, y = ((const struct row *)b)->score;

	return (x > y) - (x < y);
}

static int by_class(const void *a, const void *b)
{
	return (int)((const struct row *)a)->truth - (int)((const struct row *)b)->truth;
}

/* Softmax scores of two classes. */
static void draw(const struct stream *s, real *scores, uint32_t *truth)
{
	struct rng_key key = { .seed = 9, .stream = RNG_TEST };
	real *noise = random_numbers(STREAM_ROWS, 8);
	struct row *rows = calloc(STREAM_ROWS, sizeof *rows);

	for (size_t i = 0; i < STREAM_ROWS; i++) {
		double z;

		rows[i].truth = (double)rng_below(&key, i, 1000000) < s->share * 1e6;
		z = (double)noise[i] + (rows[i].truth ? s->apart : 0);
		rows[i].score = (float)(1 / (1 + exp(-z)));
		if (s->grid > 0) rows[i].score = (float)(floor(rows[i].score / s->grid) * s->grid);
	}
	if (s->order) qsort(rows, STREAM_ROWS, sizeof *rows, s->order == 1 ? by_class : by_score);
	for (size_t i = 0; i < STREAM_ROWS; i++) {
		truth[i] = rows[i].truth;
		scores[2 * i] = 1 - rows[i].score;
		scores[2 * i + 1] = rows[i].score;
	}
	free(rows);
	free(noise);
}

/* 125,000 rows are kept, a quarter: the bins are packed three times. */
START_TEST(bins_are_near_and_say_how_near)
{
	const struct stream *s = &streams[_i];
	real *scores = malloc(2 * STREAM_ROWS * sizeof *scores);
	uint32_t *truth = malloc(STREAM_ROWS * sizeof *truth);
	struct ranking *exact, *binned;

	draw(s, scores, truth);
	exact = ranked(scores, truth, STREAM_ROWS, 2, RANKING_SCORES_MAX);
	binned = ranked(scores, truth, STREAM_ROWS, 2, 250000);
	for (size_t k = 0; k < 2; k++) {
		struct ranking_area is = ranking_area(binned, k), should = ranking_area(exact, k);

		ck_assert_double_eq(should.roc_slack, 0);
		ck_assert_msg(fabs(is.roc - should.roc) <= is.roc_slack + 1e-12,
				"%s: roc %.9g, exactly %.9g, slack %.3g", s->name, is.roc, should.roc,
				is.roc_slack);
		ck_assert_msg(fabs(is.pr - should.pr) <= is.pr_slack + 1e-12,
				"%s: pr %.9g, exactly %.9g, slack %.3g", s->name, is.pr, should.pr,
				is.pr_slack);
		ck_assert_msg(is.roc_slack < 2e-4 && is.pr_slack < s->pr_slack, "%s: slack %.3g and %.3g",
				s->name, is.roc_slack, is.pr_slack);
		ck_assert_msg(fabs(is.roc - should.roc) < 1e-4 && fabs(is.pr - should.pr) < s->pr_off,
				"%s: off by %.3g and %.3g", s->name, is.roc - should.roc, is.pr - should.pr);
	}
	ranking_free(exact);
	ranking_free(binned);
	free(scores);
	free(truth);
}
END_TEST

START_TEST(memory_is_bounded)
{
	static const size_t classes[] = { 1, 2, 3, 10, 100, 2000 };
	static const size_t scores[] = { 1u << 18, RANKING_SCORES_MAX };

	ck_assert_uint_lt(ranking_bytes(3, RANKING_SCORES_MAX, 150), 10000);
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
		for (size_t j = 0; j < 2; j++)
			ck_assert_uint_le(ranking_bytes(classes[i], scores[j], UINT64_MAX),
					RANKING_SCORE_BYTES * scores[j]);
}
END_TEST

START_TEST(a_ranking_has_limits)
{
	struct ranking *r;
	struct err e;

	ck_assert_int_eq(ranking_new(&r, 0, 10, &e), ERR_RANGE);
	ck_assert_ptr_null(r);
	ranking_free(r);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("metrics_rank");
	TCase *tcase = tcase_create("metrics_rank");
	SRunner *runner;
	int failed;

	tcase_add_test(tcase, pairs_counted_one_by_one);
	tcase_add_test(tcase, curves_by_hand);
	tcase_add_test(tcase, minus_zero_is_zero_and_nan_is_no_score);
	tcase_add_loop_test(tcase, bins_are_near_and_say_how_near, 0, sizeof streams / sizeof *streams);
	tcase_add_test(tcase, memory_is_bounded);
	tcase_add_test(tcase, a_ranking_has_limits);
	tcase_set_timeout(tcase, 60);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
