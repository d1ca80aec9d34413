/* core_train_threads.c - one seed gives the same bits at any number of threads, on a network large enough that all of
 * them work, with everything at work that a team divides.
 */
#include <stdatomic.h>

#include "tests/unit/suite.h"
#include "tests/unit/training.h"

#define WIDE      300
#define HIDDEN    256
#define ROWS      200
#define BATCH     128
#define LAYERS    4
#define TEAMS_MIN 8 /* calls of a team in each of the 4 steps, at the least */

/* A team that remembers which of its members did something. */
struct watched {
	struct team team; /* first */
	struct team real;
	atomic_uint worked; /* a bit each */
	unsigned calls;
};

struct call {
	struct watched *watched;
	void (*work)(void *arg, int part, int parts);
	void *arg;
};

static void watch_part(void *arg, int part, int parts)
{
	struct call *call = arg;

	call->work(call->arg, part, parts);
	atomic_fetch_or(&call->watched->worked, 1u << part);
}

static void watch(struct team *team, void (*work)(void *arg, int part, int parts), void *arg)
{
	struct watched *watched = (struct watched *)team;
	struct call call = { watched, work, arg };

	watched->calls++;
	watched->real.run(&watched->real, watch_part, &call);
}

static struct watched watched_of(int threads)
{
	return (struct watched){ .team = { .threads = threads, .run = watch }, .real = team_of(threads) };
}

struct kept {
	struct curve curve;
	struct train_health health[LAYERS];
};

static void keep_point(void *self, const struct train_point *point)
{
	note(&((struct kept *)self)->curve, point);
}

static void keep_health(void *self, const struct train_point *point, const struct train_health *layers)
{
	(void)point;
	memcpy(((struct kept *)self)->health, layers, sizeof((struct kept *)self)->health);
}

static struct net *train(struct watched *watched, struct kept *kept)
{
	struct layer_spec layers[LAYERS] = { layer_of(HIDDEN, "relu"), layer_of(HIDDEN, "prelu"),
		layer_of(HIDDEN, "maxout"), layer_of(CLASSES, "softmax") };
	real *x = random_numbers(ROWS * WIDE, 1), *y = random_classes(ROWS, CLASSES, 2);
	const struct train_data data = { .x = x, .y = y, .rows = ROWS };
	struct objective objective = objective_of("cross_entropy");
	struct train_config config = { .epochs = 2,
		.batch_size = BATCH,
		.shuffle = true,
		.seed = 3,
		.target_loss = -1,
		.optimizer = optim_find("adam"),
		.objectives = &objective,
		.gradient_clip_value = 0.01,
		.gradient_clip_norm = 0.1,
		.gradient_noise = 1e-6,
		.input_noise = 0.1,
		.input_dropout = 0.1,
		.ema_decay = 0.9 };
	struct train_hooks hooks = { .self = kept, .epoch = keep_point, .health = keep_health };
	struct train_result result;
	struct trainer *trainer;
	struct net *net;
	struct err e;

	objective.category = true;
	layers[0].dropout = 0.1;
	layers[1].normalization = NORMALIZATION_BATCH;
	layers[2].normalization = NORMALIZATION_LAYER;
	layers[2].from[0] = NET_INPUTS;
	layers[2].from[1] = 1;
	layers[2].from_count = 2;
	layers[2].max_norm = 3;
	params_fallback(config.optimizer->params, config.optimizer_params);
	OK(net_new(&net, WIDE, layers, LAYERS, &e), e);
	net_init(net, 1);
	kept->curve.count = 0;
	OK(trainer_new(&trainer, net, &config, &data, &data, test_engine(), &watched->team, &e), e);
	OK(trainer_run(trainer, &hooks, &result, &e), e);
	trainer_free(trainer);
	free(x);
	free(y);
	return net;
}

START_TEST(the_bits_are_the_same)
{
	static const int threads[] = { 1, 2, 3, 8 };
	struct net *one = NULL;
	static struct kept kept[4];

	for (int i = 0; i < 4; i++) {
		struct watched watched = watched_of(threads[i]);
		struct net *net = train(&watched, &kept[i]);
		size_t parameters = net_parameters(net);

		if (threads[i] > 1) {
			ck_assert_uint_eq(watched.worked, (1u << threads[i]) - 1);
			ck_assert_uint_ge(watched.calls, 4 * TEAMS_MIN);
		} else
			ck_assert_uint_eq(watched.calls, 0);
		for (size_t k = 0; k < kept[i].curve.count; k++)
			kept[i].curve.points[k].seconds = kept[i].curve.points[k].elapsed = 0;
		if (!one) {
			one = net;
			continue;
		}
		ck_assert_mem_eq(net_block(one), net_block(net), parameters * sizeof(real));
		ck_assert_mem_eq(net_statistics_block(one), net_statistics_block(net),
				net_statistics(net) * sizeof(real));
		ck_assert_mem_eq(kept[0].health, kept[i].health, sizeof kept[0].health);
		ck_assert_mem_eq(kept[0].curve.points, kept[i].curve.points,
				2 * sizeof kept[0].curve.points[0]);
		net_free(net);
	}
	net_free(one);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { the_bits_are_the_same, NULL };

	return suite_main("core_train_threads", tests, 60);
}
