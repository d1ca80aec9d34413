/* train_state.c - a run's state as bytes. See trainer_save in train.h.
 *
 *	struct head       what it is a state of; every part must be what this trainer would write
 *	struct train_state
 *	parameters, statistics; the optimizer's moments; the accumulated gradient; averaged and best weights
 *	u32               crc32c of all before it
 *
 * Numbers are in this machine's byte order, which the magic shows: bits that go on are those of one engine and one
 * instruction set anyway. What is not there by the configuration takes no room.
 */
#include <stdlib.h>
#include <string.h>

#include "core/crc32c.h"
#include "core/size.h"
#include "core/train_parts.h"

#define MAGIC      0x314E525454434544 /* "DECTTRN1" where the low byte comes first */
#define FORMAT     2
#define NAME_BYTES 32

/* What must be the same where a state is loaded. */
struct head {
	uint64_t magic, format, bytes;
	uint64_t real_bytes, state_bytes;
	uint64_t parameters, statistics, layers, cells;
	uint64_t rows, batch, validation_rows;
	uint64_t accumulate, moments, averaged, best;
	uint64_t seed, evaluate_every;
	char optimizer[NAME_BYTES];
	double optimizer_params[PARAMS_MAX];
	char schedule[NAME_BYTES];
	double schedule_params[PARAMS_MAX];
};

static void name_copy(char to[NAME_BYTES], const char *name)
{
	size_t length = strlen(name);

	memcpy(to, name, length < NAME_BYTES ? length : NAME_BYTES);
}

static void head_of(const struct trainer *t, struct head *head)
{
	const struct train_sizes *s = &t->sizes;
	const struct train_config *config = &t->config;

	memset(head, 0, sizeof *head);
	head->magic = MAGIC;
	head->format = FORMAT;
	head->bytes = trainer_state_bytes(t);
	head->real_bytes = sizeof(real);
	head->state_bytes = sizeof t->state;
	head->parameters = s->parameters;
	head->statistics = s->statistics;
	head->layers = s->layers;
	head->cells = s->cells;
	head->rows = t->train.rows;
	head->batch = s->batch;
	head->validation_rows = t->validation.rows;
	head->accumulate = s->accumulate;
	head->moments = s->moments;
	head->averaged = s->averaged;
	head->best = s->best;
	head->seed = config->seed;
	head->evaluate_every = config->evaluate_every;
	name_copy(head->optimizer, config->optimizer->name);
	memcpy(head->optimizer_params, config->optimizer_params, sizeof head->optimizer_params);
	if (!config->schedule) return;
	name_copy(head->schedule, config->schedule->name);
	memcpy(head->schedule_params, config->schedule_params, sizeof head->schedule_params);
}

size_t trainer_state_bytes(const struct trainer *t)
{
	const struct train_sizes *s = &t->sizes;
	size_t kept = 1 + (size_t)s->averaged + (size_t)s->best, blocks = s->moments + (size_t)s->gathered;

	return sizeof(struct head) + sizeof(struct train_state) +
	       (kept * s->kept + blocks * s->parameters) * sizeof(real) + sizeof(uint32_t);
}

/* One run of numbers of the state; copies it to or from the bytes. */
struct cursor {
	unsigned char *to;
	const unsigned char *from; /* NULL: writing */
};

static void move_bytes(struct cursor *c, void *numbers, size_t size)
{
	if (c->from) {
		memcpy(numbers, c->from, size);
		c->from += size;
	} else {
		memcpy(c->to, numbers, size);
		c->to += size;
	}
}

static void move_weights(struct cursor *c, const struct trainer *t, enum train_weights which)
{
	real *parameters, *statistics;

	train_find(t, which, &parameters, &statistics);
	move_bytes(c, parameters, t->sizes.parameters * sizeof(real));
	if (t->sizes.statistics) move_bytes(c, statistics, t->sizes.statistics * sizeof(real));
}

/* All of the state, one way or the other. */
static void move_state(struct cursor *c, struct trainer *t)
{
	size_t block = t->sizes.parameters * sizeof(real);

	move_bytes(c, &t->state, sizeof t->state);
	move_weights(c, t, TRAIN_RAW);
	for (size_t i = 0; i < t->sizes.moments; i++)
		move_bytes(c, t->moments[i], block);
	if (t->gathered) move_bytes(c, t->gathered, block);
	if (t->averaged) move_weights(c, t, TRAIN_AVERAGED);
	if (t->best) move_weights(c, t, TRAIN_BEST);
}

void trainer_save(const struct trainer *t, unsigned char *out)
{
	struct cursor cursor = { .to = out };
	struct head head;
	uint32_t sum;

	head_of(t, &head);
	move_bytes(&cursor, &head, sizeof head);
	move_state(&cursor, (struct trainer *)t); /* writing reads it only */
	sum = crc32c(out, (size_t)(cursor.to - out));
	move_bytes(&cursor, &sum, sizeof sum);
}

int trainer_load(struct trainer *t, const unsigned char *bytes, size_t size, struct err *e)
{
	struct cursor cursor = { .from = bytes + sizeof(struct head) };
	struct head head;
	uint32_t sum;

	head_of(t, &head);
	/* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-exp42-c,cert-flp37-c): both came from head_of, to the bit */
	if (size != head.bytes || memcmp(bytes, &head, sizeof head) != 0)
		return err_set(e, ERR_CORRUPT,
				"the checkpoint is of another network, other data or another configuration");
	memcpy(&sum, bytes + size - sizeof sum, sizeof sum);
	if (sum != crc32c(bytes, size - sizeof sum))
		return err_set(e, ERR_CORRUPT, "the checkpoint is damaged");
	train_settle(t);
	move_state(&cursor, t);
	t->loaded = true;
	return 0;
}
