/* fuzz_unpack.c - libFuzzer on the codings of bodies (server/http/unpack.h).
 *
 * The first byte says how the body is cut into chunks; the rest is taken for gzip data, and for zlib's, whole and in chunks,
 * each from a block of its own: both must end with the same code and have given the same bytes. Then the rest is packed
 * by zlib, and must come out again. The seeds lie in tests/fuzz/corpus/unpack.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "server/buffer.h"
#include "server/http/unpack.h"

#define BYTES_MAX (20u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int keep(void *user, const char *bytes, size_t n, struct err *e)
{
	(void)e;
	buffer_add(user, bytes, n);
	return 0;
}

/* In chunks of `step` bytes, 0: in one. */
static int unpack(enum coding coding, const uint8_t *data, size_t size, size_t step, struct buffer *out)
{
	struct unpack *unpack;
	int rc = 0;

	if (unpack_new(&unpack, coding, BYTES_MAX, keep, out, NULL)) abort();
	for (size_t i = 0, n; i < size && !rc; i += n) {
		char *piece;

		n = step && step < size - i ? step : size - i;
		if (!(piece = malloc(n))) abort();
		memcpy(piece, data + i, n);
		rc = unpack_feed(unpack, piece, n, NULL);
		free(piece);
	}
	if (!rc) rc = unpack_end(unpack, NULL);
	unpack_free(unpack);
	return rc;
}

static void pack(enum coding coding, const uint8_t *data, size_t size, struct buffer *out)
{
	z_stream z = { .next_in = (z_const Bytef *)(uintptr_t)data, .avail_in = (uInt)size };

	if (deflateInit2(&z, 1, Z_DEFLATED, coding == CODING_GZIP ? 15 + 16 : 15, 9, Z_DEFAULT_STRATEGY) !=
			Z_OK)
		abort();
	z.avail_out = (uInt)deflateBound(&z, size) + 64;
	if (!(z.next_out = (Bytef *)buffer_reserve(out, z.avail_out))) abort();
	if (deflate(&z, Z_FINISH) != Z_STREAM_END) abort();
	out->size += z.total_out;
	deflateEnd(&z);
}

static void try_coding(enum coding coding, const uint8_t *data, size_t size, size_t step)
{
	struct buffer whole = { 0 }, cut = { 0 }, packed = { 0 };
	int rc = unpack(coding, data, size, 0, &whole);

	if (unpack(coding, data, size, step, &cut) != rc) abort();
	if (!rc && (whole.size != cut.size || (whole.size && memcmp(whole.data, cut.data, cut.size))))
		abort();
	pack(coding, data, size, &packed);
	whole.size = 0;
	if (unpack(coding, (const uint8_t *)packed.data, packed.size, step, &whole)) abort();
	if (whole.size != size || (whole.size && memcmp(whole.data, data, whole.size))) abort();
	buffer_free(&whole);
	buffer_free(&cut);
	buffer_free(&packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size) return 0;
	try_coding(CODING_GZIP, data + 1, size - 1, (size_t)data[0] + 1);
	try_coding(CODING_DEFLATE, data + 1, size - 1, (size_t)data[0] + 1);
	return 0;
}
