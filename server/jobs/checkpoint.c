/* checkpoint.c - a running job as bytes. See checkpoint.h.
 *
 *	struct head   the mark, the format, how long all is, what it is of, points, sizes of what follows
 *	state         of the trainer (core/train_state.c)
 *	curve         of the recorder (codec/curve_record.c)
 *	u32           crc32c of all before it
 */
#include "server/jobs/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/crc32c.h"
#include "core/size.h"

#define MARK   0x4B435344 /* "DSCK" where the low byte comes first */
#define FORMAT 1

struct head {
	uint32_t mark, format;
	uint64_t bytes; /* of everything */
	struct checkpoint_of of;
	struct train_point last, left;
	uint64_t state_bytes, curve_bytes;
};

#define CRC_BYTES sizeof(uint32_t)

/* ---- what it is of ---- */

static void hash_text(struct sha256_ctx *hash, const char *text)
{
	sha256_update(hash, strlen(text) + 1,
			(const uint8_t *)text); /* with its end: no two texts run together */
}

static void hash_revision(struct sha256_ctx *hash, const struct store_revision *revision)
{
	sha256_update(hash, sizeof revision->id, (const uint8_t *)&revision->id);
	if (!revision->id) return;
	hash_text(hash, revision->sha256);
	hash_text(hash, revision->columns);
}

void checkpoint_identify(struct checkpoint_of *of, const char *engine, const char *config,
		const char *definition, const struct store_revision *data, const struct store_revision *held)
{
	struct sha256_ctx hash;

	memset(of, 0, sizeof *of); /* it is compared as bytes */
	snprintf(of->program, sizeof of->program, "%s", DESCENTD_VERSION);
	snprintf(of->engine, sizeof of->engine, "%s", engine);
	sha256_init(&hash);
	hash_text(&hash, config);
	hash_text(&hash, definition);
	sha256_digest(&hash, sizeof of->config, of->config);
	hash_revision(&hash, data);
	hash_revision(&hash, held);
	sha256_digest(&hash, sizeof of->data, of->data);
}

/* ---- writing ---- */

int checkpoint_room_new(struct checkpoint_room *room, size_t state_bytes, struct err *e)
{
	size_t capacity = size_add(sizeof(struct head), state_bytes);

	*room = (struct checkpoint_room){ 0 };
	if (capacity == SIZE_MAX || !(room->bytes = malloc(capacity))) return err_nomem(e);
	room->state_bytes = state_bytes;
	room->capacity = capacity;
	return 0;
}

void checkpoint_room_clear(struct checkpoint_room *room)
{
	free(room->bytes);
	*room = (struct checkpoint_room){ 0 };
}

unsigned char *checkpoint_state(const struct checkpoint_room *room)
{
	return room->bytes + sizeof(struct head);
}

static int widen(struct checkpoint_room *room, size_t wanted, struct err *e)
{
	unsigned char *wider;

	if (wanted <= room->capacity) return 0;
	if (wanted == SIZE_MAX || !(wider = realloc(room->bytes, wanted))) return err_nomem(e);
	room->bytes = wider;
	room->capacity = wanted;
	return 0;
}

int checkpoint_close(struct checkpoint_room *room, const struct checkpoint_of *of,
		const struct checkpoint_parts *parts, size_t *size, struct err *e)
{
	size_t body = size_add(size_add(sizeof(struct head), room->state_bytes), parts->curve_bytes);
	struct head head;
	uint32_t sum;
	int rc;

	if ((rc = widen(room, size_add(body, CRC_BYTES), e))) return rc;
	memset(&head, 0, sizeof head);
	head.mark = MARK;
	head.format = FORMAT;
	head.bytes = body + CRC_BYTES;
	head.of = *of;
	head.last = parts->last;
	head.left = parts->left;
	head.state_bytes = room->state_bytes;
	head.curve_bytes = parts->curve_bytes;
	memcpy(room->bytes, &head, sizeof head);
	memcpy(room->bytes + sizeof head + room->state_bytes, parts->curve, parts->curve_bytes);
	sum = crc32c(room->bytes, body);
	memcpy(room->bytes + body, &sum, sizeof sum);
	*size = body + CRC_BYTES;
	return 0;
}

/* ---- reading ---- */

static int check_bytes(const unsigned char *bytes, size_t size, struct head *head, struct err *e)
{
	uint32_t sum;

	if (size < sizeof *head + CRC_BYTES) return err_set(e, ERR_CORRUPT, "it is cut short");
	memcpy(head, bytes, sizeof *head);
	if (head->mark != MARK) return err_set(e, ERR_CORRUPT, "it is no checkpoint");
	if (head->format != FORMAT)
		return err_set(e, ERR_CORRUPT, "its format is %u, and this program reads %u", head->format,
				FORMAT);
	memcpy(&sum, bytes + size - CRC_BYTES, sizeof sum);
	if (head->bytes != size ||
			size_add(size_add(head->state_bytes, head->curve_bytes), sizeof *head + CRC_BYTES) !=
					size ||
			sum != crc32c(bytes, size - CRC_BYTES))
		return err_set(e, ERR_CORRUPT, "it is damaged");
	return 0;
}

static int check_of(const struct checkpoint_of *is, const struct checkpoint_of *of, struct err *e)
{
	if (memcmp(is->program, of->program, sizeof of->program) != 0)
		return err_set(e, ERR_CORRUPT, "it is of version %.*s of the program, and this is %s",
				(int)sizeof is->program, is->program, of->program);
	if (memcmp(is->engine, of->engine, sizeof of->engine) != 0)
		return err_set(e, ERR_CORRUPT, "it is of the engine %.*s, and this is %s",
				(int)sizeof is->engine, is->engine, of->engine);
	if (memcmp(is->config, of->config, sizeof of->config) != 0)
		return err_set(e, ERR_CORRUPT, "it is of another configuration");
	if (memcmp(is->data, of->data, sizeof of->data) != 0)
		return err_set(e, ERR_CORRUPT, "it is of other data");
	return 0;
}

int checkpoint_check(const unsigned char *bytes, size_t size, struct err *e)
{
	struct head head;

	return check_bytes(bytes, size, &head, e);
}

int checkpoint_open(const unsigned char *bytes, size_t size, const struct checkpoint_of *of,
		struct checkpoint_parts *parts, struct err *e)
{
	struct head head;
	int rc;

	*parts = (struct checkpoint_parts){ 0 };
	if ((rc = check_bytes(bytes, size, &head, e)) || (rc = check_of(&head.of, of, e))) return rc;
	*parts = (struct checkpoint_parts){ .last = head.last,
		.left = head.left,
		.state = bytes + sizeof head,
		.state_bytes = head.state_bytes,
		.curve = bytes + sizeof head + head.state_bytes,
		.curve_bytes = head.curve_bytes };
	return 0;
}
