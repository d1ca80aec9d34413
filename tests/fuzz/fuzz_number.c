/* fuzz_number.c - libFuzzer on the decimal reader and printer (server/codec/number.h).
 *
 * The input is read as text, from a block of exactly its size, and held against the C library; its first
 * bytes are also taken as the bits of a float and a double, which must come back from what is printed of
 * them. Build with clang -fsanitize=fuzzer,address,undefined; the seeds lie in tests/fuzz/corpus/number.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/codec/number.h"
#include "server/codec/number_short.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition) abort();
}

/* Reads the number that text[0..n) is, as the C library has it; text ends with a NUL behind it. */
static void check_value(const char *text, size_t n, float f, double d)
{
	char *copy = malloc(n + 1);

	if (!copy) return;
	memcpy(copy, text, n);
	copy[n] = 0;
	require(f == strtof(copy, NULL) && signbit(f) == (*copy == '-'));
	require(d == strtod(copy, NULL) && signbit(d) == (*copy == '-'));
	free(copy);
}

static void check_text(const char *text, size_t n)
{
	float f = 42;
	double d = 42, parsed = 42, cell = 42, quick = 42;
	const char *end = number_scan_float(text, text + n, &f),
		   *same = number_scan_double(text, text + n, &d);
	bool whole = number_parse_double(text, n, &parsed);
	bool is_cell = number_read_cell(text, n, &cell) == CELL_NUMBER;

	require(end == same && (!end || (end > text && end <= text + n)));
	require(whole == (n && end == text + n) && (!whole || is_cell));
	require(end || (f == 42 && d == 42)); /* what is no number leaves the result alone */
	if (end) check_value(text, (size_t)(end - text), f, d);
	if (whole) require(parsed == d && cell == d);
	if (number_read_short(text, n, &quick)) require(is_cell && quick == cell);
}

static void check_printing(const uint8_t *data, size_t size)
{
	char out[NUMBER_PRINT_MAX];
	float f, f_back;
	double d, d_back;
	size_t n;

	if (size < sizeof d) return;
	memcpy(&f, data, sizeof f);
	memcpy(&d, data, sizeof d);
	if (isfinite(f)) {
		n = number_print_float(f, out);
		require(number_scan_float(out, out + n, &f_back) == out + n &&
				!memcmp(&f, &f_back, sizeof f));
	}
	if (isfinite(d)) {
		n = number_print_double(d, out);
		require(number_scan_double(out, out + n, &d_back) == out + n &&
				!memcmp(&d, &d_back, sizeof d));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size ? size : 1);

	if (!text) return 0;
	memcpy(text, data, size);
	check_text(text, size);
	check_printing(data, size);
	free(text);
	return 0;
}
