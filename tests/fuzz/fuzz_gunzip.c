/* fuzz_gunzip.c - libFuzzer on the gzip coding (server/codec/gunzip.h).
 *
 * The first byte says how the body is cut into chunks; the rest is taken for gzip data, whole and in chunks, each from a
 * block of its own: both must end with the same code and have given the same bytes. Then the rest is packed by zlib,
 * and must come out again. The seeds lie in tests/fuzz/corpus/gunzip.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "server/buffer.h"
#include "server/codec/gunzip.h"

#define BYTES_MAX (20u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int keep(void *user, const char *bytes, size_t n, struct err *e)
{
	(void)e;
	buffer_add(user, bytes, n);
	return 0;
}

/* In chunks of `step` bytes, 0: in one. */
static int unpack(const uint8_t *data, size_t size, size_t step, struct buffer *out)
{
	struct gunzip *gunzip;
	int rc = 0;

	if (gunzip_new(&gunzip, BYTES_MAX, keep, out, NULL)) abort();
	for (size_t i = 0, n; i < size && !rc; i += n) {
		char *piece;

		n = step && step < size - i ? step : size - i;
		if (!(piece = malloc(n))) abort();
		memcpy(piece, data + i, n);
		rc = gunzip_feed(gunzip, piece, n, NULL);
		free(piece);
	}
	if (!rc) rc = gunzip_end(gunzip, NULL);
	gunzip_free(gunzip);
	return rc;
}

static void pack(const uint8_t *data, size_t size, struct buffer *out)
{
	z_stream z = { .next_in = (z_const Bytef *)(uintptr_t)data, .avail_in = (uInt)size };

	if (deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY) != Z_OK) abort();
	z.avail_out = (uInt)deflateBound(&z, size) + 64;
	if (!(z.next_out = (Bytef *)buffer_reserve(out, z.avail_out))) abort();
	if (deflate(&z, Z_FINISH) != Z_STREAM_END) abort();
	out->size += z.total_out;
	deflateEnd(&z);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buffer whole = { 0 }, cut = { 0 }, packed = { 0 };
	int rc;

	if (!size) return 0;
	rc = unpack(data + 1, size - 1, 0, &whole);
	if (unpack(data + 1, size - 1, (size_t)data[0] + 1, &cut) != rc) abort();
	if (!rc && (whole.size != cut.size || (whole.size && memcmp(whole.data, cut.data, cut.size))))
		abort();
	pack(data + 1, size - 1, &packed);
	whole.size = 0;
	if (unpack((const uint8_t *)packed.data, packed.size, (size_t)data[0] + 1, &whole)) abort();
	if (whole.size != size - 1 || (whole.size && memcmp(whole.data, data + 1, whole.size))) abort();
	buffer_free(&whole);
	buffer_free(&cut);
	buffer_free(&packed);
	return 0;
}
