/* test_unpack.c - the gzip coding: whole, cut anywhere, of several members, damaged at every byte, too short at every length,
 * and bombs.
 *
 * The bytes of `packed` are those that Python's gzip module wrote (tests/golden/formats.py); the rest is packed by zlib here.
 */
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "server/buffer.h"
#include "server/http/unpack.h"
#include "tests/golden/formats.h"
#include "tests/unit/suite.h"

#define MIB          (1u << 20)
#define PACKED_BYTES (sizeof golden_gzip - 1)
#define PLAIN_BYTES  (sizeof golden_gzip_plain - 1)

static int keep(void *user, const char *bytes, size_t n, struct err *e)
{
	struct buffer *out = user;

	(void)e;
	ck_assert_uint_gt(n, 0);
	buffer_add(out, bytes, n);
	return 0;
}

static int refuse(void *user, const char *bytes, size_t n, struct err *e)
{
	(void)user, (void)bytes, (void)n;
	return err_set(e, ERR_DISK_FULL, "no");
}

/* What becomes of n bytes whose first piece has `first`, the others `step`; 0: the rest. */
static int unpack(const char *bytes, size_t n, size_t first, size_t step, uint64_t max, struct buffer *out,
		struct err *e)
{
	struct unpack *unpack;
	struct err again;
	int rc = 0;

	out->size = 0;
	ck_assert_int_eq(unpack_new(&unpack, CODING_GZIP, max, keep, out, e), 0);
	for (size_t i = 0, piece = first; i < n && !rc; i += piece, piece = step) {
		char *copy;

		if (!piece || piece > n - i) piece = n - i;
		copy = malloc(piece);
		memcpy(copy, bytes + i, piece);
		rc = unpack_feed(unpack, copy, piece, e);
		free(copy);
	}
	if (!rc) rc = unpack_end(unpack, e);
	if (rc) {
		ck_assert_int_eq(unpack_feed(unpack, "x", 1, &again), rc);
		ck_assert_str_eq(again.text, e->text);
	}
	unpack_free(unpack);
	return rc;
}

static void pack(const char *plain, size_t n, int level, struct buffer *out)
{
	z_stream z = { 0 };

	ck_assert_int_eq(deflateInit2(&z, level, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (z_const Bytef *)(uintptr_t)plain;
	z.avail_in = (uInt)n;
	z.avail_out = (uInt)deflateBound(&z, n) + 64;
	z.next_out = (Bytef *)buffer_reserve(out, z.avail_out);
	ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	out->size += z.total_out;
	deflateEnd(&z);
}

START_TEST(however_it_is_cut)
{
	struct buffer out = { 0 };
	struct err e;

	for (size_t first = 0; first <= PACKED_BYTES; first++) {
		size_t step = first == PACKED_BYTES ? 1 : 0;

		ck_assert_int_eq(unpack(golden_gzip, PACKED_BYTES, step ? 1 : first, step, MIB, &out, &e), 0);
		ck_assert_uint_eq(out.size, PLAIN_BYTES);
		ck_assert_mem_eq(out.data, golden_gzip_plain, out.size);
	}
	buffer_free(&out);
}
END_TEST

START_TEST(too_short_at_every_length)
{
	struct buffer out = { 0 };
	struct err e;

	for (size_t n = 0; n < PACKED_BYTES; n++) {
		if (n == golden_gzip_first_member) continue; /* a whole body */
		ck_assert_int_eq(unpack(golden_gzip, n, 0, 0, MIB, &out, &e), ERR_SYNTAX);
		ck_assert_ptr_nonnull(strstr(e.text, "before they are complete"));
	}
	buffer_free(&out);
}
END_TEST

/* Either it is refused or the same bytes come out: the header has bytes that mean nothing here (time, system). */
START_TEST(damaged_at_every_byte)
{
	char bytes[PACKED_BYTES];
	struct buffer out = { 0 };
	struct err e;
	size_t refused = 0;

	for (size_t i = 0; i < sizeof bytes; i++) {
		int rc;

		memcpy(bytes, golden_gzip, sizeof bytes);
		bytes[i] = (char)(bytes[i] ^ 0x55);
		rc = unpack(bytes, sizeof bytes, 0, 0, MIB, &out, &e);
		if (rc) {
			ck_assert_int_eq(rc, ERR_SYNTAX);
			refused++;
			continue;
		}
		ck_assert_uint_eq(out.size, PLAIN_BYTES);
		ck_assert_mem_eq(out.data, golden_gzip_plain, out.size);
	}
	ck_assert_uint_gt(refused, sizeof bytes - 16);
	buffer_free(&out);
}
END_TEST

START_TEST(members_and_what_follows)
{
	struct buffer bytes = { 0 }, out = { 0 };
	struct err e;

	pack("a,b\n", 4, 9, &bytes);
	pack("", 0, 9, &bytes);
	pack("1,2\n", 4, 0, &bytes);
	ck_assert_int_eq(unpack(bytes.data, bytes.size, 1, 1, MIB, &out, &e), 0);
	ck_assert_uint_eq(out.size, 8);
	ck_assert_mem_eq(out.data, "a,b\n1,2\n", 8);
	buffer_add(&bytes, "\0\0\0", 3);
	ck_assert_int_eq(unpack(bytes.data, bytes.size, 1, 1, MIB, &out, &e), 0);
	buffer_add(&bytes, "x", 1);
	ck_assert_int_eq(unpack(bytes.data, bytes.size, 1, 1, MIB, &out, &e), ERR_SYNTAX);
	ck_assert_int_eq(unpack(bytes.data, bytes.size, 0, 0, MIB, &out, &e), ERR_SYNTAX);
	bytes.size -= 4;
	buffer_add(&bytes, "1,2\n", 4);
	ck_assert_int_eq(unpack(bytes.data, bytes.size, 0, 0, MIB, &out, &e), ERR_SYNTAX);
	ck_assert_int_eq(unpack("a,b\n1,2\n", 8, 0, 0, MIB, &out, &e), ERR_SYNTAX);
	buffer_free(&bytes);
	buffer_free(&out);
}
END_TEST

/* More than one piece of output hides behind the last bytes of input. */
START_TEST(limits)
{
	struct buffer plain = { 0 }, bytes = { 0 }, out = { 0 };
	size_t n = 64 * MIB;
	struct err e;

	ck_assert_ptr_nonnull(buffer_reserve(&plain, n));
	memset(plain.data, '0', n);
	pack(plain.data, 3 * MIB, 9, &bytes);
	ck_assert_int_eq(unpack(bytes.data, bytes.size, 0, 0, 3 * MIB, &out, &e), 0);
	ck_assert_uint_eq(out.size, 3 * MIB);
	ck_assert_int_eq(unpack(bytes.data, bytes.size, 0, 0, 3 * MIB - 1, &out, &e), ERR_TOO_LARGE);
	ck_assert_ptr_nonnull(strstr(e.text, "3145727 bytes"));
	bytes.size = 0;
	pack(plain.data, n, 9, &bytes);
	ck_assert_uint_lt(bytes.size, n / 1000);
	ck_assert_int_eq(unpack(bytes.data, bytes.size, 1000, 1000, UINT64_MAX, &out, &e), ERR_TOO_LARGE);
	ck_assert_ptr_nonnull(strstr(e.text, "500 times"));
	ck_assert_uint_le(out.size, UNPACK_FREE_BYTES);
	for (size_t i = 0; i < n; i += 97) /* as well packed as a table may be */
		plain.data[i] = (char)('0' + i * i % 10);
	bytes.size = 0;
	pack(plain.data, n, 9, &bytes);
	ck_assert_uint_gt(bytes.size, n / 500);
	ck_assert_int_eq(unpack(bytes.data, bytes.size, 1000, 1000, UINT64_MAX, &out, &e), 0);
	ck_assert_uint_eq(out.size, n);
	ck_assert_mem_eq(out.data, plain.data, n);
	buffer_free(&plain);
	buffer_free(&bytes);
	buffer_free(&out);
}
END_TEST

START_TEST(whoever_takes_may_refuse)
{
	struct unpack *unpack;
	struct err e;

	ck_assert_int_eq(unpack_new(&unpack, CODING_GZIP, MIB, refuse, NULL, &e), 0);
	ck_assert_int_eq(unpack_feed(unpack, golden_gzip, PACKED_BYTES, &e), ERR_DISK_FULL);
	ck_assert_str_eq(e.text, "no");
	ck_assert_int_eq(unpack_end(unpack, &e), ERR_DISK_FULL);
	unpack_free(unpack);
	unpack_free(NULL);
}
END_TEST

/* RFC 1950, section 2.2: 78 9C, the deflate data, Adler-32. Made by Python's zlib.compress(b"a" * 9). */
START_TEST(the_form_of_zlib)
{
	static const char packed[] = "\x78\x9c\x4b\x4c\x84\x02\x00\x11\x16\x03\x6a";
	struct buffer out = { 0 };
	struct unpack *unpack;
	struct err e;

	for (size_t n = 0; n < sizeof packed + 1; n++) {
		out.size = 0;
		ck_assert_int_eq(unpack_new(&unpack, CODING_DEFLATE, MIB, keep, &out, &e), 0);
		int rc = unpack_feed(unpack, packed, n < sizeof packed ? n : sizeof packed, &e);
		if (!rc) rc = unpack_end(unpack, &e);
		ck_assert_int_eq(rc, n == sizeof packed - 1 ? 0 : ERR_SYNTAX);
		unpack_free(unpack);
		if (!rc) ck_assert(out.size == 9 && !memcmp(out.data, "aaaaaaaaa", 9));
	}
	ck_assert_int_eq(unpack_new(&unpack, CODING_DEFLATE, MIB, keep, &out, &e), 0);
	ck_assert_int_eq(unpack_feed(unpack, golden_gzip, PACKED_BYTES, &e), ERR_SYNTAX);
	unpack_free(unpack);
	buffer_free(&out);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { however_it_is_cut, too_short_at_every_length, damaged_at_every_byte,
		members_and_what_follows, limits, whoever_takes_may_refuse, the_form_of_zlib, NULL };

	return suite_main("unpack", tests, 60);
}
