/* fuzz_csv.c - libFuzzer on the CSV reader (server/codec/csv.h).
 *
 * The first byte says how the rest is cut into chunks, the second gives a small limit for records. The body
 * is read whole and in those chunks, each from a block of its own that is freed right after: both readings
 * must deliver the same cells, faults and code. Build with clang -fsanitize=fuzzer,address,undefined; the
 * seeds lie in tests/fuzz/corpus/csv.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/codec/csv.h"

#define HASH_START 14695981039346656037u /* FNV-1a, 64 bits */
#define HASH_PRIME 1099511628211u

struct reading {
	uint64_t hash; /* of everything delivered, in order */
	size_t columns;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition) abort();
}

static void mix(struct reading *reading, const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		reading->hash = (reading->hash ^ ((const unsigned char *)bytes)[i]) * HASH_PRIME;
}

static void mix_number(struct reading *reading, uint64_t number)
{
	mix(reading, &number, sizeof number);
}

static int on_header(void *user, const struct csv_cell *names, size_t count, struct err *e)
{
	struct reading *reading = user;

	(void)e;
	require(!reading->columns && count && count <= CSV_COLUMNS_MAX);
	reading->columns = count;
	for (size_t i = 0; i < count; i++) {
		require(names[i].size && names[i].size <= CSV_NAME_BYTES_MAX);
		mix(reading, names[i].text, names[i].size);
		mix_number(reading, names[i].size * 2 + names[i].quoted);
	}
	return 0;
}

static int on_record(void *user, const struct csv_cell *cells, size_t count, uint64_t line, struct err *e)
{
	struct reading *reading = user;

	(void)e;
	require(reading->columns && count == reading->columns);
	mix_number(reading, line);
	for (size_t i = 0; i < count; i++) {
		mix(reading, cells[i].text, cells[i].size);
		mix_number(reading, cells[i].size * 2 + cells[i].quoted);
	}
	return 0;
}

static int feed_piece(struct csv *csv, const uint8_t *data, size_t n)
{
	uint8_t *piece = malloc(n ? n : 1);
	int rc;

	if (!piece) abort();
	memcpy(piece, data, n);
	rc = csv_feed(csv, piece, n, NULL);
	free(piece);
	return rc;
}

/* Reads the body in chunks of 1 to `longest` bytes, 0: in one; returns what it came to. */
static uint64_t read_body(const uint8_t *data, size_t size, size_t longest, size_t record_bytes_max)
{
	const struct csv_options options = { .record_bytes_max = record_bytes_max };
	struct reading reading = { .hash = HASH_START };
	const struct csv_callbacks callbacks = { on_header, on_record, &reading };
	const struct csv_fault *faults;
	size_t count, more, seed = longest;
	struct csv *csv;
	int rc = 0;

	require(!csv_new(&csv, &options, &callbacks, NULL));
	for (size_t i = 0, n; i < size && !rc; i += n) {
		seed = seed * 31 + 7;
		n = longest ? seed % longest + 1 : size;
		if (n > size - i) n = size - i;
		rc = feed_piece(csv, data + i, n);
	}
	if (!rc) rc = csv_end(csv, NULL);
	faults = csv_faults(csv, &count, &more);
	require((rc == 0) == (count == 0) && (more == 0 || count == CSV_FAULTS_MAX));
	for (size_t i = 0; i < count; i++) {
		require(faults[i].line >= 1 && faults[i].text[0]);
		mix_number(&reading, faults[i].line);
		mix_number(&reading, faults[i].column);
		mix(&reading, faults[i].text, strlen(faults[i].text));
	}
	mix_number(&reading, (uint64_t)rc);
	mix_number(&reading, csv_records(csv));
	csv_free(csv);
	return reading.hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t longest, limit;
	uint64_t whole;

	if (size < 2) return 0;
	longest = (size_t)data[0] + 1;
	limit = data[1] % 4 ? 0 : (size_t)data[1] + 1; /* one in four has a small limit */
	whole = read_body(data + 2, size - 2, 0, limit);
	require(read_body(data + 2, size - 2, 1, limit) == whole);
	require(read_body(data + 2, size - 2, longest, limit) == whole);
	return 0;
}
