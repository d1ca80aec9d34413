/* fuzz_json_table.c - libFuzzer on records of JSON (server/codec/json_table.c) and on what cuts them (json_stream.c).
 *
 * The first byte says how the body is cut into chunks, the second whether it is lines, the size of row groups and whether
 * types are said; the rest is the body. It is read whole, in chunks and byte by byte, each piece from a block of its own:
 * all readings must come to the same columns, cells and faults. The seeds lie in tests/fuzz/corpus/json_table.
 */
#include <stdint.h>

#include "tests/unit/body_reading.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_as(const uint8_t *data, size_t size, struct body_how how, struct buffer *out)
{
	print_body((const char *)data, size, &how, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const types[] = { NULL, "a:number", "a:category,b:boolean", "a:date,b:ignore" };
	struct buffer whole = { 0 }, cut = { 0 }, bytes = { 0 };
	struct body_how how = { 0 };

	if (size < 2) return 0;
	how.format = data[1] & 1 ? BODY_NDJSON : BODY_JSON;
	how.types = types[data[1] >> 1 & 3];
	how.group_bytes = 16 * (1 + (size_t)data[1] / 16);
	read_as(data + 2, size - 2, how, &whole);
	how.first = (size_t)data[0] + 1;
	how.step = (size_t)data[0] / 2 + 1;
	read_as(data + 2, size - 2, how, &cut);
	how.first = how.step = 1;
	read_as(data + 2, size - 2, how, &bytes);
	if (whole.size != cut.size || memcmp(whole.data, cut.data, cut.size)) abort();
	if (whole.size != bytes.size || memcmp(whole.data, bytes.data, bytes.size)) abort();
	buffer_free(&whole);
	buffer_free(&cut);
	buffer_free(&bytes);
	return 0;
}
