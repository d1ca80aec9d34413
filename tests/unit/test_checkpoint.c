/* test_checkpoint.c - a checkpoint is read as it was written, or not at all: damaged in any byte, cut at any length, of
 * another program, engine, configuration or data. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/crc32c.h"
#include "server/jobs/checkpoint.h"
#include "tests/unit/suite.h"

#define STATE_BYTES 100
#define CURVE_BYTES 37

static struct err e;
static struct store_revision data = { .id = 3, .sha256 = "abc", .columns = "[]" }, held;

static struct checkpoint_of of_this(void)
{
	struct checkpoint_of of;

	checkpoint_identify(&of, "avx2", "{\"epochs\":3}", "{\"layers\":[]}", &data, &held);
	return of;
}

/* A checkpoint of this; *size bytes, borrowed from the room. */
static const unsigned char *write_one(struct checkpoint_room *room, size_t *size)
{
	const struct checkpoint_of of = of_this();
	unsigned char curve[CURVE_BYTES];
	const struct checkpoint_parts parts = { .last = { .epoch = 7, .loss = 0.5 },
		.left = { .epoch = 5 },
		.curve = curve,
		.curve_bytes = CURVE_BYTES };

	ck_assert_int_eq(checkpoint_room_new(room, STATE_BYTES, &e), 0);
	memset(curve, 'c', sizeof curve);
	memset(checkpoint_state(room), 's', STATE_BYTES);
	ck_assert_int_eq(checkpoint_close(room, &of, &parts, size, &e), 0);
	return room->bytes;
}

START_TEST(what_is_written_is_read)
{
	const struct checkpoint_of of = of_this();
	struct checkpoint_room room;
	struct checkpoint_parts parts;
	size_t size, again;
	const unsigned char *bytes = write_one(&room, &size);

	ck_assert_int_eq(checkpoint_open(bytes, size, &of, &parts, &e), 0);
	ck_assert_uint_eq(parts.last.epoch, 7);
	ck_assert_double_eq(parts.last.loss, 0.5);
	ck_assert_uint_eq(parts.left.epoch, 5);
	ck_assert_uint_eq(parts.state_bytes, STATE_BYTES);
	ck_assert_uint_eq(parts.curve_bytes, CURVE_BYTES);
	for (size_t i = 0; i < STATE_BYTES; i++)
		ck_assert_int_eq(parts.state[i], 's');
	for (size_t i = 0; i < CURVE_BYTES; i++)
		ck_assert_int_eq(parts.curve[i], 'c');
	parts.curve = NULL; /* the room is used again, for a shorter one */
	parts.curve_bytes = 0;
	ck_assert_int_eq(checkpoint_close(&room, &of,
					 &(struct checkpoint_parts){ .curve = (const unsigned char *)"" },
					 &again, &e),
			0);
	ck_assert_uint_eq(again, size - CURVE_BYTES);
	ck_assert_int_eq(checkpoint_open(room.bytes, again, &of, &parts, &e), 0);
	ck_assert_int_eq(parts.state[STATE_BYTES - 1], 's');
	checkpoint_room_clear(&room);
}
END_TEST

START_TEST(every_flipped_bit_is_seen)
{
	const struct checkpoint_of of = of_this();
	struct checkpoint_room room;
	struct checkpoint_parts parts;
	size_t size;

	write_one(&room, &size);
	for (size_t bit = 0; bit < size * 8; bit++) {
		room.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
		ck_assert_int_eq(checkpoint_open(room.bytes, size, &of, &parts, &e), ERR_CORRUPT);
		ck_assert_ptr_null(parts.state);
		room.bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
	}
	for (size_t cut = 0; cut < size; cut++) {
		unsigned char *shorter = malloc(cut ? cut : 1); /* so that a reader past its end is seen */

		memcpy(shorter, room.bytes, cut);
		ck_assert_int_eq(checkpoint_open(shorter, cut, &of, &parts, &e), ERR_CORRUPT);
		free(shorter);
	}
	ck_assert_int_eq(checkpoint_open(room.bytes, size, &of, &parts, &e), 0);
	checkpoint_room_clear(&room);
}
END_TEST

/* The checksum as it should be, after a change. */
static void seal(unsigned char *bytes, size_t size)
{
	uint32_t sum = crc32c(bytes, size - sizeof sum);

	memcpy(bytes + size - sizeof sum, &sum, sizeof sum);
}

START_TEST(sizes_that_lie_are_refused)
{
	const struct checkpoint_of of = of_this();
	struct checkpoint_room room;
	struct checkpoint_parts parts;
	size_t size;

	write_one(&room, &size);
	for (size_t at = 0; at + 8 <= size - STATE_BYTES - CURVE_BYTES - 4; at += 8) {
		unsigned char kept[8];

		memcpy(kept, room.bytes + at, 8);
		memset(room.bytes + at, 0xff, 8);
		seal(room.bytes, size);
		if (!checkpoint_open(room.bytes, size, &of, &parts, &e)) {
			ck_assert_uint_eq(parts.state_bytes, STATE_BYTES); /* a number of a point */
			ck_assert_uint_eq(parts.curve_bytes, CURVE_BYTES);
		}
		memcpy(room.bytes + at, kept, 8);
	}
	room.bytes[4] = 2; /* the format of a program to come */
	seal(room.bytes, size);
	ck_assert_int_eq(checkpoint_open(room.bytes, size, &of, &parts, &e), ERR_CORRUPT);
	ck_assert_ptr_nonnull(strstr(e.text, "format"));
	checkpoint_room_clear(&room);
}
END_TEST

static void foreign(const struct checkpoint_of *of, const char *word)
{
	struct checkpoint_room room;
	struct checkpoint_parts parts;
	size_t size;

	write_one(&room, &size);
	ck_assert_int_eq(checkpoint_open(room.bytes, size, of, &parts, &e), ERR_CORRUPT);
	ck_assert_msg(strstr(e.text, word) != NULL, "%s: %s", word, e.text);
	checkpoint_room_clear(&room);
}

START_TEST(foreign_ones_are_refused)
{
	struct store_revision other = data, more = { .id = 9, .sha256 = "abc", .columns = "[]" };
	struct checkpoint_of of = of_this();

	strcpy(of.program, "0.0.9");
	foreign(&of, "program");
	checkpoint_identify(&of, "portable", "{\"epochs\":3}", "{\"layers\":[]}", &data, &held);
	foreign(&of, "engine");
	checkpoint_identify(&of, "avx2", "{\"epochs\":4}", "{\"layers\":[]}", &data, &held);
	foreign(&of, "configuration");
	checkpoint_identify(&of, "avx2", "{\"epochs\":3}", "{\"layers\":[1]}", &data, &held);
	foreign(&of, "configuration");
	strcpy(other.sha256, "abd");
	checkpoint_identify(&of, "avx2", "{\"epochs\":3}", "{\"layers\":[]}", &other, &held);
	foreign(&of, "data");
	checkpoint_identify(&of, "avx2", "{\"epochs\":3}", "{\"layers\":[]}", &data, &more);
	foreign(&of, "data");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { what_is_written_is_read, every_flipped_bit_is_seen,
		sizes_that_lie_are_refused, foreign_ones_are_refused, NULL };

	return suite_main("checkpoints", tests, 60);
}
