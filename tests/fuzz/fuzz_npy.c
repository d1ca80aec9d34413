/* fuzz_npy.c - libFuzzer on NPY files (server/codec/npy.h and npy_header.h).
 *
 * The first byte says how the body is cut into chunks, the second the size of row groups and whether types are said; the
 * rest is the file. It is read whole and in chunks, each from a block of its own: both must come to the same. The seeds lie
 * in tests/fuzz/corpus/npy.
 */
#include <stdint.h>

#include "tests/unit/body_reading.h"

#define BYTES_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const types[] = { NULL, "c0:number", "c0:category,c1:boolean",
		"c0:date,c1:ignore" };
	struct buffer whole = { 0 }, cut = { 0 };
	struct body_how how = { .format = BODY_NPY, .bytes_max = BYTES_MAX };

	if (size < 2) return 0;
	how.types = types[data[1] & 3];
	how.group_bytes = 16 * (1 + (size_t)data[1] / 4);
	print_body((const char *)data + 2, size - 2, &how, &whole);
	how.first = (size_t)data[0] + 1;
	how.step = (size_t)data[0] / 2 + 1;
	print_body((const char *)data + 2, size - 2, &how, &cut);
	if (whole.size != cut.size || memcmp(whole.data, cut.data, cut.size)) abort();
	buffer_free(&whole);
	buffer_free(&cut);
	return 0;
}
