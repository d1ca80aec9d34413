/* test_npy.c - arrays as NumPy wrote them (tests/golden/formats.h) become the table they were; headers that lie or are no table
 * are refused.
 */
#include "tests/golden/formats.h"
#include "tests/unit/body_reading.h"
#include "tests/unit/suite.h"

#define HEADER_BYTES 128 /* as NumPy pads it */

static void read_npy(const char *bytes, size_t n, struct body_how how, const char *expected)
{
	for (size_t first = 0; first <= n; first++) {
		struct buffer found = { 0 };

		how.format = BODY_NPY;
		how.first = first;
		how.step = first == n ? 1 : 0;
		print_body(bytes, n, &how, &found);
		ck_assert_str_eq(found.data, expected);
		buffer_free(&found);
	}
}

#define READ(golden, types_, expected) \
	read_npy(golden, sizeof(golden) - 1, (struct body_how){ .types = (types_) }, expected)

/* ---- numbers ---- */

START_TEST(every_type_and_order)
{
	for (size_t i = 0; i < sizeof golden_npy / sizeof *golden_npy; i++) {
		read_npy(golden_npy[i].bytes, golden_npy[i].size, (struct body_how){ 0 },
				"c0 number: 0 2 100 |\nc1 number: 1 3 7 |");
		read_npy(golden_npy[i].bytes, golden_npy[i].size, (struct body_how){ .group_bytes = 48 },
				"c0 number: 0 2 |100 |\nc1 number: 1 3 |7 |");
	}
}
END_TEST

START_TEST(floats)
{
	READ(golden_npy_numbers, NULL,
			"c0 number: 0.1 -2.5 0.3333333333333333 |\nc1 number: - 1e300 5e-324 |");
	READ(golden_npy_floats, NULL, "c0 number: 0.1 16777216 |\nc1 number: 0.3333333432674408 -65504.5 |");
	READ(golden_npy_halves, NULL,
			"c0 number: 0.0999755859375 -5.960464477539063e-8 |\nc1 number: 65504 - |");
}
END_TEST

START_TEST(types_that_are_said)
{
	READ(golden_npy_bool, NULL, "c0 boolean: true false |\nc1 boolean: false false |");
	READ(golden_npy_bool, "c0:number,c1:category", "c0 number: 1 0 |\nc1 category: false false |");
	READ(golden_version1, "c0:category,c1:ignore", "c0 category: 0 2 100 |\nc1 ignore: - - - |");
	READ(golden_npy_large, "c0:category",
			"c0 category: 9223372036854775807 |\nc1 number: -9.223372036854776e18 |");
	READ(golden_version1, "c0:boolean",
			"2 line 2, column 1: \"2\" is in the column \"c0\", which ?types makes a boolean; write true or false (yes/no, on/off, t/f, y/n, 1/0 will do) (and 1 more fault)\n"
			"2:1 2 \"2\" is in the column \"c0\", which ?types makes a boolean; write true or false (yes/no, on/off, t/f, y/n, 1/0 will do)\n"
			"3:1 2 \"100\" is in the column \"c0\", which ?types makes a boolean; write true or false (yes/no, on/off, t/f, y/n, 1/0 will do)");
	READ(golden_version1, "c9:number",
			"2 ?types: \"c9\" is not a column; did you mean \"c0\"?\n"
			"?types0:0 2 \"c9\" is not a column; did you mean \"c0\"?");
}
END_TEST

START_TEST(infinities)
{
	READ(golden_npy_infinite, NULL,
			"3 line 1, column 2: row 1 of the column c1 is infinite; put a number or NaN, which is missing, in its place (and 1 more fault)\n"
			"1:2 3 row 1 of the column c1 is infinite; put a number or NaN, which is missing, in its place\n"
			"2:1 3 row 2 of the column c0 is infinite; put a number or NaN, which is missing, in its place");
}
END_TEST

/* ---- headers ---- */

/* A file of version 1.0 with that dictionary and n bytes of zeros. */
static void check_header(const char *dictionary, size_t n, const char *expected)
{
	struct body_how how = { .format = BODY_NPY, .bytes_max = 1u << 20 };
	struct buffer bytes = { 0 }, found = { 0 };
	size_t size = strlen(dictionary);

	buffer_add(&bytes, "\x93NUMPY\1", 8);
	buffer_add(&bytes, (const char[]){ (char)size, (char)(size >> 8) }, 2);
	buffer_text(&bytes, dictionary);
	memset(buffer_reserve(&bytes, n), 0, n);
	bytes.size += n;
	for (how.step = 0; how.step < 3; how.step++) {
		found.size = 0;
		print_body(bytes.data, bytes.size, &how, &found);
		ck_assert_str_eq(found.data, expected);
	}
	buffer_free(&bytes);
	buffer_free(&found);
}

static const struct header {
	const char *dictionary;
	size_t bytes;
	const char *expected;
} headers[] = {
	{ "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }", 16,
			"c0 number: 0 |\nc1 number: 0 |" },
	{ "{\"shape\":(1L,2L),\"fortran_order\":True,\"descr\":\"|u1\"}\n", 2,
			"c0 number: 0 |\nc1 number: 0 |" },
	{ "{'descr': '=i2', 'fortran_order': False, 'shape': (1, 1)}", 2, "c0 number: 0 |" },
	{ "{'descr': 'f8', 'fortran_order': False, 'shape': (1, 1)}", 8, "c0 number: 0 |" },
	{ "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }", 15,
			"1 the shape (1, 2) of 8-byte numbers takes 16 bytes behind the header, but the body ends 1 bytes before" },
	{ "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }", 17,
			"1 the shape (1, 2) of 8-byte numbers takes 16 bytes behind the header, but the body goes on after them" },
	{ "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }", 0,
			"1 the shape (1, 2) of 8-byte numbers takes 16 bytes behind the header, but the body ends 16 bytes before" },
	{ "{'descr': '<f8', 'fortran_order': True, 'shape': (2, 2), }", 31,
			"1 the shape (2, 2) of 8-byte numbers takes 32 bytes behind the header, but the body ends 1 bytes before" },
	{ "{'descr': '<f8', 'fortran_order': True, 'shape': (2, 2), }", 33,
			"1 the shape (2, 2) of 8-byte numbers takes 32 bytes behind the header, but the body goes on after them" },
	{ "{'descr': '<f8', 'fortran_order': False, 'shape': (), }", 8,
			"2 the array has 0 dimensions; a table has 2: rows and columns" },
	{ "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }", 24,
			"2 the array has 1 dimension; a table has 2: rows and columns (save a.reshape(-1, 1) for one column)" },
	{ "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1, 1), }", 8,
			"2 the array has 3 dimensions; a table has 2: rows and columns" },
	{ "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 2), }", 0,
			"2 there are no rows; a data set needs at least one" },
	{ "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 0), }", 0, "2 the array has no columns" },
	{ "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 100001), }", 0,
			"7 there are more than 100000 columns" },
	{ "{'descr': '<f8', 'fortran_order': False, 'shape': (131072, 2), }", 0,
			"7 the array has 2097152 bytes; at most 1048576 are read here (--max-upload)" },
	{ "{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", 0,
			"1 the shape (4611686018427387904, 4) is more than any file can have" },
	{ "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999, 4), }", 0,
			"1 the header of the NPY file is broken: shape is not a tuple of sizes; write the file with numpy.save" },
	{ "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 4), }", 0,
			"1 the header of the NPY file is broken: shape is not a tuple of sizes; write the file with numpy.save" },
	{ "{'descr': '|O', 'fortran_order': False, 'shape': (1, 1), }", 8,
			"2 the array is of type |O, Python objects, which are never unpickled here; save a table of f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 or bool" },
	{ "{'descr': '<c16', 'fortran_order': False, 'shape': (1, 1), }", 16,
			"2 the array is of type <c16; save a table of f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 or bool" },
	{ "{'descr': '<U5', 'fortran_order': False, 'shape': (1, 1), }", 20,
			"2 the array is of type <U5; save a table of f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 or bool" },
	{ "{'descr': '<f16', 'fortran_order': False, 'shape': (1, 1), }", 16,
			"2 the array is of type <f16; save a table of f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 or bool" },
	{ "{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (1, 1), }", 8,
			"2 the array is of type <M8[ns]; save a table of f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 or bool" },
	{ "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1, 1), }", 8,
			"2 the array is a structured one; save a table of one numeric type, or send its columns as CSV" },
	{ "{'descr': '<f8', 'fortran_order': 0, 'shape': (1, 1), }", 8,
			"1 the header of the NPY file is broken: fortran_order is neither True nor False; write the file with numpy.save" },
	{ "{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (1, 1), }", 8,
			"1 the header of the NPY file is broken: a key is there twice; write the file with numpy.save" },
	{ "{'descr': '<f8', 'shape': (1, 1), }", 8,
			"1 the header of the NPY file is broken: descr, fortran_order or shape is missing; write the file with numpy.save" },
	{ "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1), 'more': 1}", 8,
			"1 the header of the NPY file is broken: its keys are descr, fortran_order and shape, and no others; write the file with numpy.save" },
	{ "{'descr': '<f8', 'fortran_order': False, 'shape': (1 1)}", 8,
			"1 the header of the NPY file is broken: shape is not a tuple of sizes; write the file with numpy.save" },
	{ "{'descr': '<f8' 'fortran_order': False, 'shape': (1, 1)}", 8,
			"1 the header of the NPY file is broken: it is not a dictionary; write the file with numpy.save" },
	{ "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1)} x", 8,
			"1 the header of the NPY file is broken: something follows the dictionary; write the file with numpy.save" },
	{ "{'descr': '<f8", 8,
			"1 the header of the NPY file is broken: descr is not a string; write the file with numpy.save" },
	{ "", 0, "1 the header of the NPY file is broken: it is not a dictionary; write the file with numpy.save" },
	{ "print('hello')", 8,
			"1 the header of the NPY file is broken: it is not a dictionary; write the file with numpy.save" },
};

START_TEST(headers_that_lie)
{
	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
		check_header(headers[i].dictionary, headers[i].bytes, headers[i].expected);
}
END_TEST

START_TEST(files_that_are_none)
{
	char bytes[sizeof golden_version1 - 1];

	read_npy("", 0, (struct body_how){ 0 }, "1 the NPY file ends within its header");
	read_npy("a,b\n1,2\n", 8, (struct body_how){ 0 }, "1 this is not an NPY file; numpy.save writes one");
	read_npy("PK\3\4", 4, (struct body_how){ 0 },
			"1 the body is a ZIP archive, as .xlsx and .npz files are; save the table as CSV, or the array as NPY, and send that");
	read_npy(golden_version1, 100, (struct body_how){ 0 }, "1 the NPY file ends within its header");
	memcpy(bytes, golden_version1, sizeof bytes);
	bytes[6] = 4;
	read_npy(bytes, sizeof bytes, (struct body_how){ 0 },
			"1 this is an NPY file of version 4.0; 1.0 to 3.0 are read");
	memcpy(bytes, golden_version2, sizeof bytes);
	bytes[10] = 1; /* a header of 65 KiB and more */
	read_npy(bytes, sizeof bytes, (struct body_how){ 0 },
			"1 the header of the NPY file is broken: it is longer than 64 KiB; write the file with numpy.save");
}
END_TEST

/* Every byte of the header changed: never a crash, never other numbers than the shape has room for. */
START_TEST(damaged_headers)
{
	char bytes[sizeof golden_version1 - 1];

	for (size_t i = 0; i < HEADER_BYTES; i++)
		for (int change = 1; change < 256; change *= 2) {
			struct body_how how = { .format = BODY_NPY, .bytes_max = 1u << 20 };
			struct buffer found = { 0 };

			memcpy(bytes, golden_version1, sizeof bytes);
			bytes[i] = (char)(bytes[i] ^ change);
			print_body(bytes, sizeof bytes, &how, &found);
			buffer_free(&found);
		}
}
END_TEST

/* ---- Fortran order ---- */

/* More rows than a block has: what is spooled comes back in the order of the rows. */
START_TEST(spooled_in_blocks)
{
	enum { ROWS = 300000, COLUMNS = 9 };
	struct body_how how = { .format = BODY_NPY, .step = 50021 };
	struct buffer bytes = { 0 };
	char dictionary[HEADER_BYTES];
	struct memory_sink memory = { 0 };
	struct table_sink sink = sink_of(&memory);
	struct body_options options = { BODY_NPY, NULL, NULL, UINT64_MAX, SCRATCH_BESIDE };
	struct faults faults = { 0 };
	struct body *body;
	struct err e;
	size_t size = (size_t)snprintf(dictionary, sizeof dictionary,
			"{'descr': '<f8', 'fortran_order': True, 'shape': (%d, %d)}", ROWS, COLUMNS);
	double *x = malloc(sizeof(double) * SEGMENT_ROWS_MAX);
	size_t row = 0;

	buffer_add(&bytes, "\x93NUMPY\1", 8);
	buffer_add(&bytes, (const char[]){ (char)size, 0 }, 2);
	buffer_text(&bytes, dictionary);
	for (size_t c = 0; c < COLUMNS; c++)
		for (size_t r = 0; r < ROWS; r++) {
			double value = (double)(c * ROWS + r) + 0.125;

			buffer_add(&bytes, &value, sizeof value);
		}
	ck_assert_int_eq(body_new(&body, &options, &sink, &faults, &e), 0);
	ck_assert_int_eq(feed_body(body, bytes.data, bytes.size, &how, &e), 0);
	ck_assert_uint_eq(table_rows(body_table(body)), ROWS);
	for (size_t group = 0; group < memory.groups; group++) {
		size_t rows = 0;

		for (size_t c = 0; c < COLUMNS; c++) {
			const struct piece *piece = &memory.segments[group * COLUMNS + c];

			ck_assert_int_eq(segment_rows(piece->data, piece->size, &rows, &e), 0);
			ck_assert_int_eq(segment_read_numbers(piece->data, piece->size, x, &e), 0);
			for (size_t i = 0; i < rows; i++)
				ck_assert(x[i] == (double)(c * ROWS + row + i) + 0.125);
		}
		row += rows;
	}
	ck_assert_uint_eq(row, ROWS);
	body_free(body);
	sink_clear(&memory);
	buffer_free(&bytes);
	free(x);
}
END_TEST

START_TEST(no_place_to_spool)
{
	struct body_options options = { BODY_NPY, NULL, NULL, UINT64_MAX, "/nonexistent/folder/x.db" };
	struct memory_sink memory = { 0 };
	struct table_sink sink = sink_of(&memory);
	struct body_how how = { .format = BODY_NPY };
	struct faults faults = { 0 };
	struct body *body;
	struct err e;

	ck_assert_int_eq(body_new(&body, &options, &sink, &faults, &e), 0);
	ck_assert_int_eq(feed_body(body, golden_f8_le_f, sizeof golden_f8_le_f - 1, &how, &e), ERR_IO);
	body_free(body);
	sink_clear(&memory);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { every_type_and_order, floats, types_that_are_said, infinities,
		headers_that_lie, files_that_are_none, damaged_headers, spooled_in_blocks, no_place_to_spool,
		NULL };

	return suite_main("npy", tests, 60);
}
