/* training.h - what the tests of the trainer share: a classification of three clouds of points, and a run of it. */
#ifndef TESTS_UNIT_TRAINING_H
#define TESTS_UNIT_TRAINING_H

#include <math.h>
#include <string.h>

#include "core/train.h"
#include "tests/unit/engine.h"

#define INPUTS  6
#define CLASSES 3

struct task {
	struct net *net;
	struct train_data data, validation;
	struct objective objective;
	struct train_config config;
	struct team team;
};

static inline struct train_data clouds(size_t rows, uint64_t seed)
{
	real *x = random_numbers(rows * INPUTS, seed), *y = random_classes(rows, CLASSES, seed);

	for (size_t b = 0; b < rows; b++)
		for (size_t k = 0; k < CLASSES; k++)
			x[b * INPUTS + k] += 2 * y[b * CLASSES + k];
	return (struct train_data){ .x = x, .y = y, .rows = rows };
}

/* Adam in batches of 32 for 5 epochs; layers (3), the last of CLASSES units. config.objectives is set by trainer_of. */
static inline struct task task_of(const struct layer_spec layers[3], size_t rows, size_t validation_rows)
{
	struct task task = { .team = team_of(1) };
	struct err e;

	OK(net_new(&task.net, INPUTS, layers, 3, &e), e);
	net_init(task.net, 1);
	task.data = clouds(rows, 1);
	if (validation_rows) task.validation = clouds(validation_rows, 2);
	task.config = (struct train_config){
		.epochs = 5,
		.batch_size = 32,
		.shuffle = true,
		.seed = 1,
		.target_loss = -1,
		.optimizer = optim_find("adam"),
	};
	task.objective = objective_of("cross_entropy");
	task.objective.category = true;
	params_fallback(task.config.optimizer->params, task.config.optimizer_params);
	return task;
}

static inline struct task task_new(size_t hidden, size_t rows, size_t validation_rows)
{
	const struct layer_spec layers[3] = { layer_of(hidden, "relu"), layer_of(hidden, "tanh"),
		layer_of(CLASSES, "softmax") };

	return task_of(layers, rows, validation_rows);
}

static inline void task_free(struct task *task)
{
	net_free(task->net);
	free((real *)task->data.x);
	free((real *)task->data.y);
	free((real *)task->data.weights);
	free((real *)task->validation.x);
	free((real *)task->validation.y);
}

static inline void task_optimizer(struct task *task, const char *name)
{
	task->config.optimizer = optim_find(name);
	ck_assert_ptr_nonnull(task->config.optimizer);
	params_fallback(task->config.optimizer->params, task->config.optimizer_params);
}

static inline struct trainer *trainer_of(struct task *task)
{
	struct trainer *trainer;
	struct err e;

	task->config.objectives = &task->objective;
	OK(trainer_new(&trainer, task->net, &task->config, &task->data, &task->validation, test_engine(),
			   &task->team, &e),
			e);
	return trainer;
}

static inline int run(struct task *task, const struct train_hooks *hooks, struct train_result *result,
		struct err *e)
{
	struct trainer *trainer = trainer_of(task);
	int rc = trainer_run(trainer, hooks, result, e);

	trainer_free(trainer);
	return rc;
}

static inline struct train_result run_well(struct task *task, const struct train_hooks *hooks)
{
	struct train_result result;
	struct err e;

	OK(run(task, hooks, &result, &e), e);
	return result;
}

static inline void check_same_bits(const struct task *a, const struct task *b)
{
	ck_assert_mem_eq(net_block(a->net), net_block(b->net), net_parameters(a->net) * sizeof(real));
	if (net_statistics(a->net))
		ck_assert_mem_eq(net_statistics_block(a->net), net_statistics_block(b->net),
				net_statistics(a->net) * sizeof(real));
}

/* What a run told while it went. */
struct curve {
	size_t count;
	struct train_point points[600];
};

static inline void note(void *self, const struct train_point *point)
{
	struct curve *curve = self;

	ck_assert_uint_lt(curve->count, 600);
	curve->points[curve->count++] = *point;
}

#endif
