/* train.c - samples a second of training, whole epochs with shuffling, one thread unless told otherwise; what measuring
 * health adds to it, and the memory it takes against parameters x (1 + gradient + moments) + activations of one batch +
 * data.
 *
 * `make bench-train`, or `train TASK [THREADS]` for one line. Data are random; each figure is the best of RUNS runs after a
 * warm-up, as noise only ever adds time. Time is CPU time, so that a busy machine says the same as a quiet one; the clock's
 * where THREADS are named. bench/engine.py runs the same tasks turn about with other libraries.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/block.h"
#include "core/rng.h"
#include "core/train.h"
#include "server/jobs/crew.h"

#define RUNS 5

struct task {
	const char *name;
	size_t sizes[5]; /* inputs, hidden layers, outputs; ended by 0 */
	size_t batch, rows, epochs;
};
static const struct task tasks[] = {
	{ "4-16-3", { 4, 16, 3 }, 32, 150, 2000 },
	{ "784-128-10", { 784, 128, 10 }, 64, 12800, 2 },
	{ "64-256-256-10", { 64, 256, 256, 10 }, 128, 12800, 4 },
	{ "512-1024-1024-512", { 512, 1024, 1024, 512 }, 256, 5120, 1 },
};

static size_t task_layers(const struct task *task, struct layer_spec layers[4])
{
	size_t count = 0;

	for (; count < 4 && task->sizes[count + 1]; count++)
		layers[count] = (struct layer_spec){
			.units = task->sizes[count + 1], .activation = activation_find("relu"), .bias = true
		};
	layers[count - 1].activation = activation_find("softmax");
	return count;
}

static void fill(const struct task *task, size_t classes, struct train_data *data)
{
	struct rng_key key = { 1, RNG_TEST, 0, 0 };
	real *x = block_new(task->rows * task->sizes[0]), *y = block_new(task->rows * classes);

	if (!x || !y) abort();
	for (size_t i = 0; i < task->rows * task->sizes[0]; i++)
		x[i] = (real)rng_uniform(&key, i);
	for (size_t i = 0; i < task->rows; i++)
		y[i * classes + rng_below(&key, i, classes)] = 1;
	*data = (struct train_data){ .x = x, .y = y, .rows = task->rows };
}

static double now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void note_health(void *self, const struct train_point *point, const struct train_health *layers)
{
	(void)self, (void)point, (void)layers;
}

/* What nobody can do without, in bytes. */
static size_t needed_bytes(const struct task *task, const struct net *net, const struct optimizer *optimizer)
{
	size_t outputs = net_outputs(net), numbers = (2 + optimizer->moments) * net_parameters(net);

	for (size_t i = 0; i < net_layers(net); i++)
		numbers += task->batch * net_layer(net, i)->spec.units;
	return (numbers + task->rows * (task->sizes[0] + outputs)) * sizeof(real);
}

static size_t taken_bytes(const struct task *task, const struct net *net, const struct train_config *config)
{
	size_t numbers = net_parameters(net) + task->rows * (task->sizes[0] + net_outputs(net));
	const struct train_data data = { .rows = task->rows };

	return numbers * sizeof(real) + trainer_bytes(net, config, &data, NULL);
}

static void run_task(const struct task *task, struct team *team, clockid_t clock)
{
	struct layer_spec layers[4];
	size_t count = task_layers(task, layers);
	struct objective objective = { .loss = loss_find("cross_entropy"), .weight = 1, .category = true };
	struct train_config config = { .epochs = task->epochs,
		.batch_size = task->batch,
		.shuffle = true,
		.target_loss = -1,
		.optimizer = optim_find("adam"),
		.objectives = &objective };
	const struct gemm_engine *engine;
	struct train_data data;
	struct train_result result;
	struct trainer *trainer;
	struct net *net;
	struct err e;
	double best[2] = { 0 }, seconds;
	double steps = (double)(task->epochs * ((task->rows + task->batch - 1) / task->batch));

	params_fallback(config.optimizer->params, config.optimizer_params);
	fill(task, layers[count - 1].units, &data);
	if (gemm_choose(&engine, NULL, &e) || net_new(&net, task->sizes[0], layers, count, &e)) abort();
	if (trainer_new(&trainer, net, &config, &data, NULL, engine, team, &e)) abort();
	for (int run = 0; run < 2 * (RUNS + 1); run++) { /* plain and with health, turn about */
		int health = run % 2;
		struct train_hooks hooks = { .health = health ? note_health : NULL };

		net_init(net, 1);
		seconds = now(clock);
		if (trainer_run(trainer, &hooks, &result, &e)) abort();
		seconds = now(clock) - seconds;
		if (run >= 2 && (best[health] == 0 || seconds < best[health])) best[health] = seconds;
	}
	printf("%-18s %12.0f samples/s %9.2f us a step, health %+.1f %%, %.3f MB, %.2f of what is needed\n",
			task->name, (double)(task->rows * task->epochs) / best[0], best[0] / steps * 1e6,
			(best[1] / best[0] - 1) * 100, (double)taken_bytes(task, net, &config) / 1e6,
			(double)taken_bytes(task, net, &config) /
					(double)needed_bytes(task, net, config.optimizer));
	trainer_free(trainer);
	net_free(net);
	free((real *)data.x);
	free((real *)data.y);
}

int main(int argc, char **argv)
{
	unsigned threads = argc > 2 ? (unsigned)atoi(argv[2]) : 1;
	clockid_t clock = argc > 2 ? CLOCK_MONOTONIC : CLOCK_PROCESS_CPUTIME_ID;
	struct crew *crew = NULL;
	struct err e;

	if (threads > 1 && crew_new(&crew, threads, &e)) abort();
	for (size_t i = 0; i < sizeof tasks / sizeof *tasks; i++)
		if (argc < 2 || !strcmp(argv[1], tasks[i].name))
			run_task(&tasks[i], crew ? crew_team(crew) : NULL, clock);
	crew_free(crew);
	return 0;
}
