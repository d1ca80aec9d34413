/* fuzz_checkpoint.c - libFuzzer on checkpoints (server/jobs/checkpoint.h) and the two states in them, of the trainer
 * (core/train.h) and of the curve (server/codec/curve_record.h).
 *
 * The input is a list of changes, of three bytes each: place, low byte first, and what that byte is xored with. They are made
 * to a checkpoint of a small run, which must then be refused. With the lengths and the checksums that it should have it is
 * read again: what is accepted is written as it was read, the run goes on from it to an end, and what is refused has changed
 * nothing. At last the input is read as a checkpoint itself. The seeds lie in tests/fuzz/corpus/checkpoint.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/crc32c.h"
#include "core/train.h"
#include "server/codec/curve_record.h"
#include "server/jobs/checkpoint.h"

#define INPUTS       3
#define ROWS         9
#define CLASSES      2
#define EPOCHS       40 /* as many as make the curve's first summary */
#define EPOCHS_MORE  2
#define STEPS_MAX    100 /* after which a run is stopped */
#define LENGTH_AT    8   /* of the whole, in the head of a checkpoint */
#define CHANGE_BYTES 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct checkpoint_of of;
static struct checkpoint_room room; /* the checkpoint that is changed */
static size_t room_bytes;
static real x[ROWS * INPUTS], y[ROWS * CLASSES];
static struct objective objective;
static struct curve_recorder recorder;
static atomic_int stop;
static unsigned steps;

static void require(bool condition)
{
	if (!condition) abort();
}

static void take_epoch(void *self, const struct train_point *point)
{
	require(curve_record(self, point));
}

static void count_step(void *self, const struct train_point *point)
{
	(void)self;
	(void)point;
	if (++steps >= STEPS_MAX) atomic_store(&stop, 1);
}

/* A run with all that a state may have; *net is new and borrowed by *trainer, which is new too. */
static void make_run(struct net **net, struct trainer **trainer, uint64_t epochs)
{
	struct layer_spec layers[2] = { { .units = 4, .activation = activation_find("relu"), .bias = true },
		{ .units = CLASSES, .activation = activation_find("softmax"), .bias = true, .head = true } };
	const struct train_data data = { .x = x, .y = y, .rows = ROWS };
	struct train_config config = {
		.epochs = epochs,
		.batch_size = 2,
		.shuffle = true,
		.target_loss = -1,
		.optimizer = optim_find("adam"),
		.schedule = schedule_find("reduce_on_plateau"),
		.objectives = &objective,
		.accumulate = 2,
		.ema_decay = 0.9,
		.patience = 1000,
		.restore_best = true,
	};

	layers[0].normalization = NORMALIZATION_BATCH;
	params_fallback(config.optimizer->params, config.optimizer_params);
	params_fallback(config.schedule->params, config.schedule_params);
	require(!net_new(net, INPUTS, layers, 2, NULL));
	net_init(*net, 1);
	require(!trainer_new(trainer, *net, &config, &data, &data, gemm_engine_at(0), NULL, NULL));
}

static void free_run(struct net *net, struct trainer *trainer)
{
	trainer_free(trainer);
	net_free(net);
}

static void make_checkpoint(void)
{
	static const struct store_revision data = { .id = 1, .sha256 = "a", .columns = "[]" }, held;
	const struct train_hooks hooks = { .self = &recorder, .epoch = take_epoch };
	struct train_result result;
	struct checkpoint_parts parts = { 0 };
	struct net *net;
	struct trainer *trainer;
	unsigned char *curve;

	for (size_t i = 0; i < ROWS; i++) {
		for (size_t j = 0; j < INPUTS; j++)
			x[i * INPUTS + j] = (real)(i % (j + 2));
		y[i * CLASSES + i % CLASSES] = 1;
	}
	objective = (struct objective){ .loss = loss_find("cross_entropy"), .weight = 1, .category = true };
	params_fallback(objective.loss->params, objective.params);
	make_run(&net, &trainer, EPOCHS);
	require(!trainer_run(trainer, &hooks, &result, NULL));
	checkpoint_identify(&of, "naive", "{}", "{}", &data, &held);
	require(!checkpoint_room_new(&room, trainer_state_bytes(trainer), NULL));
	trainer_save(trainer, checkpoint_state(&room));
	parts.last = parts.left = result.last;
	parts.curve_bytes = curve_recorder_bytes(&recorder);
	require((curve = malloc(parts.curve_bytes)) != NULL);
	curve_recorder_save(&recorder, curve);
	parts.curve = curve;
	require(!checkpoint_close(&room, &of, &parts, &room_bytes, NULL));
	free(curve);
	curve_recorder_free(&recorder);
	free_run(net, trainer);
}

static void put_sum(unsigned char *bytes, size_t size)
{
	uint32_t sum = crc32c(bytes, size - sizeof sum);

	memcpy(bytes + size - sizeof sum, &sum, sizeof sum);
}

/* As it should be, but for what was changed. */
static void seal(unsigned char *bytes)
{
	uint64_t length = room_bytes;

	memcpy(bytes + LENGTH_AT, &length, sizeof length);
	put_sum(bytes + (checkpoint_state(&room) - room.bytes), room.state_bytes);
	put_sum(bytes, room_bytes);
}

static void check_curve(const struct checkpoint_parts *parts)
{
	struct curve_recorder read;
	struct err e = { "" };
	unsigned char *again;

	if (curve_recorder_load(&read, parts->curve, parts->curve_bytes, &e)) {
		require(*e.text && !read.points);
		return;
	}
	require(curve_recorder_bytes(&read) == parts->curve_bytes);
	require((again = malloc(parts->curve_bytes)) != NULL);
	curve_recorder_save(&read, again);
	require(!memcmp(again, parts->curve, parts->curve_bytes));
	free(again);
	curve_recorder_free(&read);
}

static void check_trainer(const struct checkpoint_parts *parts)
{
	const struct train_hooks hooks = { .step = count_step, .stop = &stop };
	struct train_result result;
	struct net *net;
	struct trainer *trainer;
	unsigned char *before, *after;
	size_t size;
	struct err e = { "" };
	int rc;

	make_run(&net, &trainer, EPOCHS + EPOCHS_MORE);
	size = trainer_state_bytes(trainer);
	before = malloc(size);
	after = malloc(size);
	require(before && after);
	trainer_save(trainer, before);
	rc = trainer_load(trainer, parts->state, parts->state_bytes, &e);
	trainer_save(trainer, after);
	require(!memcmp(after, rc ? before : parts->state, size) && (!rc || *e.text));
	steps = 0;
	atomic_store(&stop, 0);
	rc = rc ? 0 : trainer_run(trainer, &hooks, &result, &e);
	require(!rc || rc == ERR_DIVERGED);
	free(before);
	free(after);
	free_run(net, trainer);
}

static void check_parts(const unsigned char *bytes, const struct checkpoint_parts *parts)
{
	struct checkpoint_room again;
	size_t size;

	require(!checkpoint_room_new(&again, parts->state_bytes, NULL));
	memcpy(checkpoint_state(&again), parts->state, parts->state_bytes);
	require(!checkpoint_close(&again, &of, parts, &size, NULL));
	require(size == room_bytes && !memcmp(again.bytes, bytes, size));
	checkpoint_room_clear(&again);
	check_curve(parts);
	check_trainer(parts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct checkpoint_parts parts;
	struct err e = { "" };
	unsigned char *bytes;
	bool same;

	if (!room_bytes) make_checkpoint();
	if (!(bytes = malloc(room_bytes))) return 0;
	memcpy(bytes, room.bytes, room_bytes);
	for (size_t i = 0; i + CHANGE_BYTES <= size; i += CHANGE_BYTES)
		bytes[(size_t)(data[i] | data[i + 1] << 8) % room_bytes] ^= data[i + 2];
	same = !memcmp(bytes, room.bytes, room_bytes);
	require(same == !checkpoint_open(bytes, room_bytes, &of, &parts, &e) && (same || *e.text));
	seal(bytes);
	if (!checkpoint_open(bytes, room_bytes, &of, &parts, &e)) check_parts(bytes, &parts);
	free(bytes);
	require(checkpoint_open(data, size, &of, &parts, &e) && *e.text);
	return 0;
}
