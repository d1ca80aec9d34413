/* test_csv.c - the CSV reader: dialects, faults, limits, and that cuts between chunks change nothing.
 *
 * What a reading delivers is written down as text: "H" or the line number, then each cell in brackets (a
 * quoted one with a '), faults as "!line:column sentence", and the code at the end. Two readings are the same
 * when their texts are. Every piece is fed from a block of its own that is freed right after, so that a
 * sanitizer sees a cell that outlives its chunk and a look past its end.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "server/codec/csv.h"
#include "tests/unit/suite.h"

#define LOG_BYTES (1u << 16)
#define MIB       (1u << 20)

struct log {
	char text[LOG_BYTES];
	size_t used;
};

static __attribute__((format(printf, 2, 3))) void note(struct log *log, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log->used += (size_t)vsnprintf(log->text + log->used, sizeof log->text - log->used, format, args);
	va_end(args);
	if (log->used >= sizeof log->text) ck_abort_msg("LOG_BYTES are too few");
}

static void note_cells(struct log *log, const struct csv_cell *cells, size_t count)
{
	for (size_t i = 0; i < count; i++)
		note(log, "[%.*s]%s", (int)cells[i].size, cells[i].text, cells[i].quoted ? "'" : "");
	note(log, "\n");
}

static int on_header(void *user, const struct csv_cell *names, size_t count, struct err *e)
{
	(void)e;
	note(user, "H");
	note_cells(user, names, count);
	return 0;
}

static int on_record(void *user, const struct csv_cell *cells, size_t count, uint64_t line, struct err *e)
{
	(void)e;
	note(user, "%llu", (unsigned long long)line);
	note_cells(user, cells, count);
	return 0;
}

/* Feeds text in pieces: the first of `first` bytes, the others of `step`. 0 stands for "all the rest". */
static void read_text(struct log *log, const char *text, size_t n, size_t first, size_t step,
		const struct csv_options *options)
{
	const struct csv_callbacks callbacks = { on_header, on_record, log };
	const struct csv_fault *faults;
	size_t count, more;
	struct csv *csv;
	int rc = 0;

	log->used = 0;
	ck_assert_int_eq(csv_new(&csv, options, &callbacks, NULL), 0);
	for (size_t i = 0, take = first; i < n && !rc; i += take, take = step) {
		char *piece;

		if (!take || take > n - i) take = n - i;
		piece = malloc(take);
		if (!piece) ck_abort_msg("no memory");
		memcpy(piece, text + i, take);
		rc = csv_feed(csv, piece, take, NULL);
		free(piece);
	}
	if (!rc) rc = csv_end(csv, NULL);
	faults = csv_faults(csv, &count, &more);
	for (size_t i = 0; i < count; i++)
		note(log, "!%llu:%llu %s\n", (unsigned long long)faults[i].line,
				(unsigned long long)faults[i].column, faults[i].text);
	if (more) note(log, "and %zu\n", more);
	note(log, "%s", rc == 0 ? "ok" : rc == ERR_CSV ? "csv" : rc == ERR_TOO_LARGE ? "large" : "other");
	csv_free(csv);
}

/* Every way to cut text gives what one piece gave. */
static void check_cuts(const char *text, size_t n, const struct csv_options *options, const char *expected)
{
	static const size_t steps[] = { 1, 2, 3, 7, 63, 64, 65 };
	static struct log log;

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		read_text(&log, text, n, steps[i], steps[i], options);
		if (strcmp(log.text, expected))
			ck_abort_msg("in steps of %zu: %s\nnot: %s", steps[i], log.text, expected);
	}
	for (size_t cut = 1; cut < n; cut++) {
		read_text(&log, text, n, cut, 0, options);
		if (strcmp(log.text, expected))
			ck_abort_msg("cut at %zu: %s\nnot: %s", cut, log.text, expected);
	}
}

#define AFTER     "text after the quote that closes the cell; a quote inside is written twice"
#define STRAY     "a quote within an unquoted cell; quote the whole cell and double the quote"
#define RETURN    "a carriage return without a line feed; lines end in LF or CRLF"
#define COMMAS_10 ",,,,,,,,,,"
#define COMMAS_70 COMMAS_10 COMMAS_10 COMMAS_10 COMMAS_10 COMMAS_10 COMMAS_10 COMMAS_10
#define UTF16     "CSV is text in UTF-8, is this UTF-16?"

static const struct {
	const char *text;
	size_t size; /* 0: to its NUL */
	const char *log;
} cases[] = {
	/* dialects */
	{ "a,b\n1,2\n", 0, "H[a][b]\n2[1][2]\nok" },
	{ "a,b\n1,2", 0, "H[a][b]\n2[1][2]\nok" },
	{ "a,b\r\n1,2\r\n", 0, "H[a][b]\n2[1][2]\nok" },
	{ "a,b\r\n1,2\r", 0, "H[a][b]\n2[1][2]\nok" },
	{ "a,b\n1,2\r\n3,4\n", 0, "H[a][b]\n2[1][2]\n3[3][4]\nok" },
	{ "a,b", 0, "H[a][b]\nok" },
	{ "\xef\xbb\xbf"
	  "a,b\n1,2\n",
			0, "H[a][b]\n2[1][2]\nok" },
	{ "\xef\xbb\xbf"
	  "\"a\",b\n1,2\n",
			0, "H[a]'[b]\n2[1][2]\nok" },
	{ "a;b,c;d\n1;2,5;3\n", 0, "H[a][b,c][d]\n2[1][2,5][3]\nok" },
	{ "a\tb\n1\t2,5\n", 0, "H[a][b]\n2[1][2,5]\nok" },
	{ "a,b;c\n1,2\n", 0, "H[a][b;c]\n2[1][2]\nok" }, /* as many of either: the comma */
	{ "\"a;b;c\",d\n1,2\n", 0, "H[a;b;c]'[d]\n2[1][2]\nok" },
	{ "\"a\"\";;\",d\n1,2\n", 0, "H[a\";;]'[d]\n2[1][2]\nok" },
	{ "a\n1\n2\n", 0, "H[a]\n2[1]\n3[2]\nok" },
	{ "a\tx,b\n1,2\n", 0, "H[a\tx][b]\n2[1][2]\nok" },
	{ " a , b \n 1 , 2 \n", 0, "H[ a ][ b ]\n2[ 1 ][ 2 ]\nok" },
	{ "a,b\n,\n", 0, "H[a][b]\n2[][]\nok" },
	{ "a,b\n\"\",\"\"\n", 0, "H[a][b]\n2[]'[]'\nok" },
	{ "a\n\"\"\n", 0, "H[a]\n2[]'\nok" },
	{ "a,b\n\n1,2\n\r\n\n3,4\n\n\n", 0, "H[a][b]\n3[1][2]\n6[3][4]\nok" },
	{ "\n\r\na,b\n1,2\n", 0, "H[a][b]\n4[1][2]\nok" },
	{ "a,b\n\"x\ny\",2\n3,4\n", 0, "H[a][b]\n2[x\ny]'[2]\n4[3][4]\nok" },
	{ "a,b\r\n\"x\r\ny\",2\r\n", 0, "H[a][b]\n2[x\r\ny]'[2]\nok" },
	{ "a,b\n\"\"\"\",\"\"\"\"\"\"\n", 0, "H[a][b]\n2[\"]'[\"\"]'\nok" },
	{ "a,b\n\"say \"\"hi\"\", you\",\"\"\"\"\n5,6\n", 0,
			"H[a][b]\n2[say \"hi\", you]'[\"]'\n3[5][6]\nok" },
	{ "\"a\nb\",c\n1,2\n", 0, "H[a\nb]'[c]\n3[1][2]\nok" },
	{ "gr\xc3\xb6\xc3\x9f"
	  "e,b\n\xe2\x82\xac,\xf0\x9f\x98\x80\n",
			0,
			"H[gr\xc3\xb6\xc3\x9f"
			"e][b]\n2[\xe2\x82\xac][\xf0\x9f\x98\x80]\nok" },
	{ "a,b\n1,\"2\"", 0, "H[a][b]\n2[1][2]'\nok" },
	{ "a,b\n\x01,\x7f\n", 0, "H[a][b]\n2[\x01][\x7f]\nok" },
	/* faults to read on after */
	{ "a,b\n1\n2,3\n4,5,6\n7,8\n", 0,
			"H[a][b]\n3[2][3]\n5[7][8]\n!2:2 the record has 1 cell, but the header line names 2\n"
			"!4:3 the record has 3 cells, but the header line names 2\ncsv" },
	{ "a,b\n1,2,\n", 0, "H[a][b]\n!2:3 the record has 3 cells, but the header line names 2\ncsv" },
	{ "a,,a,a\n1,2,3,4\n1\n", 0,
			"!1:2 the column has no name\n!1:3 the name \"a\" is that of column 1 already\n"
			"!1:4 the name \"a\" is that of column 1 already\n"
			"!3:2 the record has 1 cell, but the header line names 4\ncsv" },
	{ "\"a\",b,a\n", 0, "!1:3 the name \"a\" is that of column 1 already\ncsv" },
	{ "\"\"\n1\n", 0, "!1:1 the column has no name\ncsv" },
	{ "a,\n", 0, "!1:2 the column has no name\ncsv" },
	/* faults that end the reading */
	{ "", 0, "!1:0 there is no header line; the first line names the columns\ncsv" },
	{ "\n\n", 0, "!1:0 there is no header line; the first line names the columns\ncsv" },
	{ "\xef\xbb\xbf", 0, "!1:0 there is no header line; the first line names the columns\ncsv" },
	{ "a,b\n1,\"2\n3,4\n", 0, "H[a][b]\n!2:2 the quote that opens the cell is never closed\ncsv" },
	{ "a,b\n\"x\ny\",\"2\n", 0, "H[a][b]\n!3:2 the quote that opens the cell is never closed\ncsv" },
	{ "a,\"b\n", 0, "!1:2 the quote that opens the cell is never closed\ncsv" },
	{ "a,b\n1,\"2\"x\n3,4\n", 0, "H[a][b]\n!2:2 " AFTER "\ncsv" },
	{ "a,b\n1,\"2\" \n", 0, "H[a][b]\n!2:2 " AFTER "\ncsv" },
	{ "a,b\n1,\"2\"x", 0, "H[a][b]\n!2:2 " AFTER "\ncsv" },
	{ "a,b\n1,\"2\"\t\n", 0, "H[a][b]\n!2:2 " AFTER "\ncsv" },
	{ "a,b\n\"\"\"\"x,2\n", 0, "H[a][b]\n!2:1 " AFTER "\ncsv" },
	{ "a,b\n1,2\n3,4\"\n5\n", 0, "H[a][b]\n2[1][2]\n!3:2 " STRAY "\ncsv" },
	{ "a\"x\",b\n1,2\n", 0, "!1:1 " STRAY "\ncsv" },
	{ "a,b\r1,2\r", 0, "!1:2 " RETURN "\ncsv" },
	{ "a,b\n1,2\r3,4\n", 0, "H[a][b]\n!2:2 " RETURN "\ncsv" },
	{ "a,b\n1,2\r3", 0, "H[a][b]\n!2:2 " RETURN "\ncsv" },
	{ "a,b\n1,2\r\r\n", 0, "H[a][b]\n!2:2 " RETURN "\ncsv" },
	{ "a,b\n1,\"2\"\rx\n", 0, "H[a][b]\n!2:2 " RETURN "\ncsv" },
	{ "\ra,b\n", 0, "!1:1 " RETURN "\ncsv" },
	{ "a,b\n1,\0\n", 9, "H[a][b]\n!2:2 byte 6 of the body is a NUL; " UTF16 "\ncsv" },
	{ "a,b\n\"\0\",1\n", 10, "H[a][b]\n!2:1 byte 5 of the body is a NUL; " UTF16 "\ncsv" },
	{ "\xff\xfe"
	  "a\0,\0",
			6, "!1:1 byte 3 of the body is a NUL; " UTF16 "\ncsv" },
	{ "a,b\n1,\xff\n", 0, "H[a][b]\n!2:2 byte 6 of the body is not UTF-8; save the table as UTF-8\ncsv" },
	/* Places of cells are kept as many as the header line needs: a byte behind those was looked for in memory that was
	 * not there. */
	{ "a\n" COMMAS_70 "\xff\n", 0,
			"H[a]\n!2:0 byte 72 of the body is not UTF-8; save the table as UTF-8\ncsv" },
	{ "a,b\n1,2\n\xc3,4\n", 0,
			"H[a][b]\n2[1][2]\n!3:1 byte 8 of the body is not UTF-8; save the table as UTF-8\ncsv" },
	{ "a,b\n1,2\nx,\xe2\x82", 0,
			"H[a][b]\n2[1][2]\n!3:2 byte 10 of the body is not UTF-8; save the table as UTF-8\ncsv" },
	{ "\xef\xbb"
	  "a,b\n",
			0, "!1:1 byte 0 of the body is not UTF-8; save the table as UTF-8\ncsv" },
	{ "\xef", 0, "!1:1 byte 0 of the body is not UTF-8; save the table as UTF-8\ncsv" },
	{ "\xef\xbb\xbf"
	  "a,\xf8\n",
			0, "!1:2 byte 5 of the body is not UTF-8; save the table as UTF-8\ncsv" },
	{ "a,b\n1\n2,\"3", 0,
			"H[a][b]\n!2:2 the record has 1 cell, but the header line names 2\n"
			"!3:2 the quote that opens the cell is never closed\ncsv" },
};

START_TEST(dialects_and_faults)
{
	static const struct csv_options options = { 0 };
	static struct log log;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		size_t n = cases[i].size ? cases[i].size : strlen(cases[i].text);

		read_text(&log, cases[i].text, n, 0, 0, &options);
		ck_assert_str_eq(log.text, cases[i].log);
		check_cuts(cases[i].text, n, &options, cases[i].log);
	}
}
END_TEST

START_TEST(utf8_as_the_rfc_has_it)
{
	static const char *const good[] = { "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
		"\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf" };
	static const char *const bad[] = { "\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2x",
		"\xe0\x9f\xbf", "\xed\xa0\x80", "\xef\xbf", "\xef\xbfx", "\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf0\x90\x80", "\xf0\x90\x80x", "\xfe", "\xff" };
	static const struct csv_options options = { 0 };
	static struct log log;
	char text[128];

	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		snprintf(text, sizeof text, "a\n0123456789%s\n", good[i]);
		read_text(&log, text, strlen(text), 0, 0, &options);
		ck_assert_msg(strstr(log.text, "ok"), "%zu: %s", i, log.text);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		snprintf(text, sizeof text, "a\n0123456789%s\n", bad[i]);
		read_text(&log, text, strlen(text), 0, 0, &options);
		ck_assert_msg(strstr(log.text, "!2:1 byte 12 of"), "%zu: %s", i, log.text);
	}
}
END_TEST

START_TEST(a_given_delimiter)
{
	static const struct csv_options options = { .delimiter = ';' };
	static const char text[] = "a,b,c;d\n1,2;3\n";
	static struct log log;

	read_text(&log, text, strlen(text), 0, 0, &options);
	ck_assert_str_eq(log.text, "H[a,b,c][d]\n2[1,2][3]\nok");
	check_cuts(text, strlen(text), &options, log.text);
}
END_TEST

/* ---- random bodies: written as CSV, they come back ---- */

static uint64_t state = 88172645463325252u;

static unsigned below(unsigned n)
{
	state ^= state << 13; /* xorshift64 (Marsaglia 2003) */
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)((state >> 20) % n);
}

/* Writes a random cell into csv and what it must read as into log. */
static void random_cell(struct log *csv, struct log *log)
{
	static const char *const parts[] = { "a", "1.5", "", "\"", ",", "\n", "\r\n", ";", "\t", " ",
		"\xc3\xa4", "\xe2\x82\xac",
		"a long piece of text that is more than one block of sixty-four bytes long, with a comma" };
	char text[512], quoted[1024];
	size_t n = 0, q = 0;
	bool plain = below(3), needed = false;

	for (unsigned k = below(4); k > 0; k--) {
		const char *part = parts[plain ? below(3) : below(sizeof parts / sizeof *parts)];

		n += (size_t)sprintf(text + n, "%s", part);
	}
	text[n] = 0;
	for (size_t i = 0; i < n; i++) {
		needed |= strchr("\",\n\r", text[i]) != NULL;
		if (text[i] == '"') quoted[q++] = '"';
		quoted[q++] = text[i];
	}
	quoted[q] = 0;
	needed |= !plain;
	note(csv, needed ? "\"%s\"" : "%s", quoted);
	note(log, "[%s]%s", text, needed ? "'" : "");
}

START_TEST(random_bodies)
{
	static const struct csv_options options = { 0 };
	static struct log csv, expected, log;

	for (int round = 0; round < 300; round++) {
		const char *eol = below(2) ? "\n" : "\r\n";
		uint64_t line = 2;

		csv.used = expected.used = 0;
		note(&csv, "a,b,c%s", eol);
		note(&expected, "H[a][b][c]\n");
		for (unsigned r = below(12); r > 0; r--) {
			size_t from = csv.used;

			note(&expected, "%llu", (unsigned long long)line);
			for (int c = 0; c < 3; c++) {
				if (c) note(&csv, ",");
				random_cell(&csv, &expected);
			}
			note(&csv, "%s", eol);
			note(&expected, "\n");
			for (; from < csv.used; from++)
				line += csv.text[from] == '\n';
		}
		note(&expected, "ok");
		for (int k = 0; k < 8; k++) {
			read_text(&log, csv.text, csv.used, below(200), below(200), &options);
			ck_assert_str_eq(log.text, expected.text);
		}
		if (round % 30 == 0 && csv.used < 1500)
			check_cuts(csv.text, csv.used, &options, expected.text);
	}
}
END_TEST

/* ---- limits ---- */

START_TEST(twenty_faults_are_kept)
{
	static const struct csv_options options = { 0 };
	static struct log log;
	struct log *csv = calloc(1, sizeof *csv);
	const struct csv_callbacks callbacks = { on_header, on_record, &log };
	struct csv *reading;
	struct err e;

	ck_assert_ptr_nonnull(csv);
	note(csv, "a,b\n");
	for (int i = 0; i < 25; i++)
		note(csv, "%d\n", i);
	read_text(&log, csv->text, csv->used, 0, 0, &options);
	ck_assert_ptr_nonnull(strstr(log.text, "!21:2 "));
	ck_assert_ptr_null(strstr(log.text, "!22:2 "));
	ck_assert_ptr_nonnull(strstr(log.text, "and 5\ncsv"));
	log.used = 0;
	ck_assert_int_eq(csv_new(&reading, &options, &callbacks, &e), 0);
	ck_assert_int_eq(csv_feed(reading, csv->text, csv->used, &e), 0);
	ck_assert_int_eq(csv_end(reading, &e), ERR_CSV);
	ck_assert_str_eq(e.text, "line 2, column 2: the record has 1 cell, but the header line names 2 "
				 "(and 24 more faults)");
	csv_free(reading);
	free(csv);
}
END_TEST

START_TEST(names_have_a_limit)
{
	static const struct csv_options options = { 0 };
	static struct log log;
	char text[CSV_NAME_BYTES_MAX + 16];

	memset(text, 'x', sizeof text);
	memcpy(text + CSV_NAME_BYTES_MAX, ",b\n", 3);
	read_text(&log, text, CSV_NAME_BYTES_MAX + 3, 0, 0, &options);
	ck_assert_ptr_nonnull(strstr(log.text, "xxx][b]\nok"));
	memcpy(text + CSV_NAME_BYTES_MAX, "x,b\n", 4);
	read_text(&log, text, CSV_NAME_BYTES_MAX + 4, 0, 0, &options);
	ck_assert_str_eq(log.text, "!1:1 the column name is 1025 bytes long; at most 1024 are allowed\ncsv");
	/* a long name is cut in the sentence, between two characters */
	snprintf(text, sizeof text, "%047d\xc3\xa4zzz,%047d\xc3\xa4zzz\n", 0, 0);
	read_text(&log, text, strlen(text), 0, 0, &options);
	snprintf(text, sizeof text, "!1:2 the name \"%047d...\" is that of column 1 already\ncsv", 0);
	ck_assert_str_eq(log.text, text);
}
END_TEST

static int count_cells(void *user, const struct csv_cell *cells, size_t count, struct err *e)
{
	(void)cells, (void)e;
	*(size_t *)user = count;
	return 0;
}

static int count_records(void *user, const struct csv_cell *cells, size_t count, uint64_t line, struct err *e)
{
	(void)cells, (void)e, (void)line;
	*(size_t *)user += count;
	return 0;
}

/* Reads a header line of n names (c0, c1, …) and gives the code; *seen is how many names were delivered. */
static int read_columns(size_t n, size_t *seen, struct err *e)
{
	const struct csv_callbacks callbacks = { count_cells, count_records, seen };
	const struct csv_options options = { 0 };
	struct csv *csv;
	char name[32];
	int rc;

	*seen = 0;
	ck_assert_int_eq(csv_new(&csv, &options, &callbacks, e), 0);
	for (size_t i = 0; i < n; i++)
		if ((rc = csv_feed(csv, name, (size_t)sprintf(name, "%sc%zu", i ? "," : "", i), e)))
			ck_abort();
	rc = csv_end(csv, e);
	csv_free(csv);
	return rc;
}

START_TEST(columns_have_a_limit)
{
	struct err e;
	size_t seen;

	ck_assert_int_eq(read_columns(CSV_COLUMNS_MAX, &seen, &e), 0);
	ck_assert_uint_eq(seen, CSV_COLUMNS_MAX);
	ck_assert_int_eq(read_columns(CSV_COLUMNS_MAX + 1, &seen, &e), ERR_TOO_LARGE);
	ck_assert_uint_eq(seen, 0);
	ck_assert_str_eq(e.text, "line 1, column 100001: there are more than 100000 columns");
}
END_TEST

/* A record of exactly the limit is read, one byte more is not, wherever the cuts are. */
START_TEST(records_have_a_limit)
{
	static const struct csv_options options = { .record_bytes_max = 8 };
	static const char *const fit[] = { "a,b\n123,5678\n1,2\n", "a,b\r\n123,5678\r\n1,2\r\n",
		"abc,efgh\n1,2\n", "abc,efgh\r\n1,2", "a,b\n1,\"3456\"", "a,b\n1,\"3\"\"6\"\n",
		"a,b\n123,5678\r" };
	static const struct {
		const char *text;
		int line;
	} large[] = { { "a,b\n1,2\n123,56789\n1,2\n", 3 }, { "a,b\n123,56789\r\n", 2 },
		{ "a,b\n123,56789", 2 }, { "\nabc,efghi\n1,2\n", 2 }, { "abc,efghi", 1 },
		{ "a,b\n1,\"345678\nx,y\n\n", 2 }, { "a,b\n123,56789x\"\n", 2 },
		{ "a,b\n\"2345678\n\n\n", 2 }, { "a,b\n\"234567\"x9,\n", 2 },
		{ "a,b\n1,2\n1234567890123456789012345678901234567890123456789012345678901234567890\"", 3 } };
	static struct log log;
	char expected[32];

	for (size_t i = 0; i < sizeof fit / sizeof *fit; i++) {
		read_text(&log, fit[i], strlen(fit[i]), 0, 0, &options);
		ck_assert_msg(strstr(log.text, "]\nok") || strstr(log.text, "]'\nok"), "%zu: %s", i,
				log.text);
		check_cuts(fit[i], strlen(fit[i]), &options, log.text);
	}
	for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
		read_text(&log, large[i].text, strlen(large[i].text), 0, 0, &options);
		snprintf(expected, sizeof expected, "!%d:0 the record is longer", large[i].line);
		ck_assert_msg(strstr(log.text, expected) && strstr(log.text, "\nlarge"), "%zu: %s", i,
				log.text);
		check_cuts(large[i].text, strlen(large[i].text), &options, log.text);
	}
}
END_TEST

/* Feeds `before`, then 100 MB of `fill`, and returns the most memory it took; *rc is the code. */
static size_t feed_100_mb(const char *before, const char *fill, size_t limit, int *rc)
{
	const struct csv_options options = { .record_bytes_max = limit };
	size_t cells = 0, most = 0, size = strlen(fill), chunk = 64 * 1024 / size * size;
	const struct csv_callbacks callbacks = { NULL, count_records, &cells };
	char *bytes = malloc(chunk);
	struct csv *csv;
	struct err e;

	ck_assert_ptr_nonnull(bytes);
	for (size_t i = 0; i < chunk; i += size)
		memcpy(bytes + i, fill, size);
	ck_assert_int_eq(csv_new(&csv, &options, &callbacks, NULL), 0);
	ck_assert_int_eq(csv_feed(csv, before, strlen(before), NULL), 0);
	*rc = 0;
	for (size_t i = 0; i < 100 * MIB; i += chunk) {
		*rc = csv_feed(csv, bytes, chunk, &e);
		if (csv_memory_bytes(csv) > most) most = csv_memory_bytes(csv);
	}
	if (*rc) ck_assert_ptr_eq(strstr(e.text, "line "), e.text);
	csv_free(csv);
	free(bytes);
	return most;
}

START_TEST(memory_does_not_grow_with_the_body)
{
	int rc;

	/* records by the million */
	ck_assert_uint_lt(feed_100_mb("a,b,c\n", "1.5,\"x\"\"y\",\"z\"\r\n", 0, &rc), 64 * 1024);
	ck_assert_int_eq(rc, 0);
	/* one line that never ends: plain, in quotes, in the header line, all delimiters */
	ck_assert_uint_lt(feed_100_mb("a,b\n", "xxxxxxxx", 0, &rc), 17 * MIB);
	ck_assert_int_eq(rc, ERR_TOO_LARGE);
	ck_assert_uint_lt(feed_100_mb("a,b\n1,\"", "xxxxxx\n,", MIB, &rc), MIB + 64 * 1024);
	ck_assert_int_eq(rc, ERR_TOO_LARGE);
	ck_assert_uint_lt(feed_100_mb("a,b", "xxxxxxxx", MIB, &rc), MIB + 64 * 1024);
	ck_assert_int_eq(rc, ERR_TOO_LARGE);
	ck_assert_uint_lt(feed_100_mb("a,b\n", ",,,,,,,,", MIB, &rc), MIB + 64 * 1024);
	ck_assert_int_eq(rc, ERR_TOO_LARGE);
}
END_TEST

/* ---- the callbacks ---- */

struct borrow {
	const char *from, *to;
	int inside;
};

static int look_inside(void *user, const struct csv_cell *cells, size_t count, uint64_t line, struct err *e)
{
	struct borrow *borrow = user;

	(void)line, (void)e;
	for (size_t i = 0; i < count; i++)
		borrow->inside +=
				cells[i].text >= borrow->from && cells[i].text + cells[i].size <= borrow->to;
	return 0;
}

START_TEST(plain_records_are_not_copied)
{
	static const char text[] = "1,2\n\"3\",4\n5,6\n", head[] = "a,b\n";
	const struct csv_options options = { 0 };
	struct borrow borrow = { text, text + sizeof text - 1, 0 };
	const struct csv_callbacks callbacks = { NULL, look_inside, &borrow };
	struct csv *csv;

	ck_assert_int_eq(csv_new(&csv, &options, &callbacks, NULL), 0);
	ck_assert_int_eq(csv_feed(csv, head, strlen(head), NULL), 0);
	ck_assert_int_eq(csv_feed(csv, text, strlen(text), NULL), 0);
	ck_assert_int_eq(csv_end(csv, NULL), 0);
	ck_assert_int_eq(borrow.inside, 6);
	ck_assert_uint_eq(csv_records(csv), 3);
	ck_assert_uint_eq(csv_columns(csv), 2);
	ck_assert_int_eq(csv_delimiter(csv), ',');
	csv_free(csv);
}
END_TEST

static int refuse_line_3(void *user, const struct csv_cell *cells, size_t count, uint64_t line, struct err *e)
{
	(void)cells, (void)count;
	++*(int *)user;
	return line == 3 ? err_set(e, ERR_DISK_FULL, "no room") : 0;
}

static int refuse_header(void *user, const struct csv_cell *cells, size_t count, struct err *e)
{
	(void)user, (void)cells, (void)count;
	return err_set(e, ERR_CONFLICT, "other columns");
}

START_TEST(a_callback_can_stop)
{
	static const char text[] = "a\n2\n3\n4\n";
	const struct csv_options options = { 0 };
	int calls = 0;
	struct csv_callbacks callbacks = { NULL, refuse_line_3, &calls };
	struct csv *csv;
	struct err e;

	ck_assert_int_eq(csv_new(&csv, &options, &callbacks, &e), 0);
	ck_assert_int_eq(csv_feed(csv, text, strlen(text), &e), ERR_DISK_FULL);
	ck_assert_str_eq(e.text, "no room");
	memset(&e, 0, sizeof e);
	ck_assert_int_eq(csv_feed(csv, text, strlen(text), &e), ERR_DISK_FULL);
	ck_assert_int_eq(csv_end(csv, &e), ERR_DISK_FULL);
	ck_assert_str_eq(e.text, "no room");
	ck_assert_int_eq(calls, 2);
	csv_free(csv);

	callbacks.header = refuse_header;
	ck_assert_int_eq(csv_new(&csv, &options, &callbacks, &e), 0);
	ck_assert_int_eq(csv_feed(csv, text, strlen(text), &e), ERR_CONFLICT);
	ck_assert_int_eq(calls, 2);
	csv_free(csv);
}
END_TEST

START_TEST(options_are_checked)
{
	const struct csv_callbacks callbacks = { NULL, refuse_line_3, NULL };
	struct csv_options options = { .delimiter = '|' };
	struct csv *csv;
	struct err e;

	ck_assert_int_eq(csv_new(&csv, &options, &callbacks, &e), ERR_INVALID);
	ck_assert_ptr_null(csv);
	options = (struct csv_options){ .record_bytes_max = (size_t)2 << 30 };
	ck_assert_int_eq(csv_new(&csv, &options, &callbacks, &e), ERR_INVALID);
	ck_assert_ptr_null(csv);
	csv_free(NULL);
}
END_TEST

int main(void)
{
	const TTest *tests[] = { dialects_and_faults, utf8_as_the_rfc_has_it, a_given_delimiter,
		random_bodies, twenty_faults_are_kept, names_have_a_limit, columns_have_a_limit,
		records_have_a_limit, memory_does_not_grow_with_the_body, plain_records_are_not_copied,
		a_callback_can_stop, options_are_checked, NULL };

	return suite_main("csv", tests, 120);
}
