/* checkpoint.h - a running job as bytes to go on from: the trainer's state, what is known of the curve, and what it is
 * all of.
 *
 * The bytes are those of this machine, and are checked before they are believed: a checkpoint is read only by the
 * program that wrote it, on the same engine, for the same configuration and data, and whole.
 */
#ifndef SERVER_JOBS_CHECKPOINT_H
#define SERVER_JOBS_CHECKPOINT_H

#include <nettle/sha2.h>
#include <stddef.h>
#include <stdint.h>

#include "core/train.h"
#include "server/store/store.h"

#define CHECKPOINT_NAME_BYTES 32

/* What a checkpoint is of. */
struct checkpoint_of {
	char program[CHECKPOINT_NAME_BYTES]; /* its version */
	char engine[CHECKPOINT_NAME_BYTES];
	uint8_t config[SHA256_DIGEST_SIZE]; /* of the job's configuration and the model's definition */
	uint8_t data[SHA256_DIGEST_SIZE];   /* of the revisions that it trains and validates on */
};
/* held: the revision that it validates on, of id 0 when there is none. */
void checkpoint_identify(struct checkpoint_of *of, const char *engine, const char *config,
		const char *definition, const struct store_revision *data, const struct store_revision *held);

/* Room for a checkpoint whose state is known by its size: made once, so that saving allocates next to nothing. */
struct checkpoint_room { /* zeroed is empty; new: checkpoint_room_clear */
	unsigned char *bytes;
	size_t state_bytes, capacity;
};
int checkpoint_room_new(struct checkpoint_room *room, size_t state_bytes, struct err *e);
void checkpoint_room_clear(struct checkpoint_room *room);
/* Where the state goes (state_bytes); borrowed until the next checkpoint_close. */
unsigned char *checkpoint_state(const struct checkpoint_room *room);

/* What goes with the state. */
struct checkpoint_parts {
	struct train_point last;            /* the last whole epoch */
	struct train_point left;            /* the epoch of the weights that would be left now */
	const unsigned char *curve, *state; /* borrowed: of the caller, or of the bytes that were opened */
	size_t curve_bytes, state_bytes;
};
/* Puts head, curve and checksum around the state that lies in the room (parts->state is not looked at). room->bytes are
 * the checkpoint then, *size of them. ERR_NOMEM. */
int checkpoint_close(struct checkpoint_room *room, const struct checkpoint_of *of,
		const struct checkpoint_parts *parts, size_t *size, struct err *e);

/* Are the bytes a whole checkpoint, of whatever? ERR_CORRUPT. */
int checkpoint_check(const unsigned char *bytes, size_t size, struct err *e);
/* *parts borrow from bytes. ERR_CORRUPT: damaged, or of something else; the sentence says of what. */
int checkpoint_open(const unsigned char *bytes, size_t size, const struct checkpoint_of *of,
		struct checkpoint_parts *parts, struct err *e);

#endif
