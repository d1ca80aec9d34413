/* codec.c - how fast numbers are read and printed and CSV is cut: MB of text a second, one thread.
 *
 * `make bench-codec` builds and runs it.
 *
 * Each line is the median of RUNS runs over one text of TEXT_BYTES, made anew from a fixed seed; the C
 * library's strtof stands beside for comparison. Data do not fit the second-level cache, as in an upload.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/codec/csv.h"
#include "server/codec/number.h"

#define RUNS        11
#define TEXT_BYTES  (16u << 20)
#define CHUNK_BYTES (64u << 10) /* as a body arrives */
#define LINE_ROOM   512

struct text {
	char *data;
	size_t size;
};

static uint64_t state = 88172645463325252u;

static uint64_t next_random(void) /* xorshift64 (Marsaglia 2003) */
{
	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static double uniform(void)
{
	return (double)(next_random() >> 11) * 0x1p-53;
}

/* ---- texts: each maker writes one piece at out and returns its length ---- */

static size_t make_seven(char *out)
{
	return (size_t)sprintf(out, "%.7f,", uniform());
}

static size_t make_short(char *out)
{
	return (size_t)sprintf(out, "%.1f,", uniform() * 8);
}

static size_t make_mixed(char *out)
{
	return (size_t)sprintf(out, "%.*g,", (int)(1 + next_random() % 9), (uniform() - 0.5) * 1000);
}

static size_t make_seventeen(char *out)
{
	return (size_t)sprintf(out, "%.17g,", uniform());
}

static size_t make_flowers(char *out)
{
	return (size_t)sprintf(out, "%.1f,%.1f,%.1f,%.1f,setosa\n", uniform() * 8, uniform() * 4,
			uniform() * 7, uniform() * 3);
}

static size_t make_measures(char *out)
{
	size_t n = 0;

	for (int i = 0; i < 20; i++)
		n += (size_t)sprintf(out + n, "%.7f%c", uniform(), i < 19 ? ',' : '\n');
	return n;
}

static size_t make_quoted(char *out)
{
	return (size_t)sprintf(out, "%u,\"Smith, %u\",\"said \"\"%u\"\"\",%.3f\r\n",
			(unsigned)(next_random() % 1000), (unsigned)(next_random() % 100),
			(unsigned)(next_random() % 10), uniform());
}

static struct text make_text(const char *head, size_t (*piece)(char *))
{
	struct text text = { malloc(TEXT_BYTES + LINE_ROOM), 0 };

	if (!text.data) exit(1);
	text.size = strlen(head);
	memcpy(text.data, head, text.size);
	while (text.size < TEXT_BYTES)
		text.size += piece(text.data + text.size);
	text.data[text.size] = 0;
	return text;
}

/* ---- what is timed: each returns how many bytes of text it dealt with ---- */

static double sink; /* keeps results from being optimized away */

static size_t scan_floats(struct text text)
{
	const char *end = text.data + text.size;
	float x, sum = 0;

	for (const char *p = text.data; p < end; p++) {
		if (!(p = number_scan_float(p, end, &x))) exit(1);
		sum += x;
	}
	sink += (double)sum;
	return text.size;
}

static size_t scan_doubles(struct text text)
{
	const char *end = text.data + text.size;
	double x;

	for (const char *p = text.data; p < end; p++) {
		if (!(p = number_scan_double(p, end, &x))) exit(1);
		sink += x;
	}
	return text.size;
}

static size_t scan_strtof(struct text text)
{
	char *p = text.data, *end = text.data + text.size;

	for (; p < end; p++)
		sink += (double)strtof(p, &p);
	return text.size;
}

static float *numbers_single; /* (numbers_count), what the print runs print */
static double *numbers_double;
static size_t numbers_count;

/* Printing reads the numbers of the text beforehand; reading is not timed. */
static void read_numbers(struct text text)
{
	const char *end = text.data + text.size;

	numbers_count = 0;
	for (const char *p = text.data; p < end; p++, numbers_count++) {
		if (!(p = number_scan_double(p, end, &numbers_double[numbers_count]))) exit(1);
		numbers_single[numbers_count] = (float)numbers_double[numbers_count];
	}
}

static size_t print_floats(struct text text)
{
	char out[NUMBER_PRINT_MAX];
	size_t total = 0;

	(void)text;
	for (size_t i = 0; i < numbers_count; i++) {
		total += number_print_float(numbers_single[i], out) + 1;
		sink += out[0];
	}
	return total;
}

static size_t print_doubles(struct text text)
{
	char out[NUMBER_PRINT_MAX];
	size_t total = 0;

	(void)text;
	for (size_t i = 0; i < numbers_count; i++) {
		total += number_print_double(numbers_double[i], out) + 1;
		sink += out[0];
	}
	return total;
}

static int count_record(void *user, const struct csv_cell *cells, size_t count, uint64_t line, struct err *e)
{
	(void)line, (void)e;
	*(size_t *)user += cells[count - 1].size;
	return 0;
}

static int read_record(void *user, const struct csv_cell *cells, size_t count, uint64_t line, struct err *e)
{
	double value;

	(void)line, (void)e, (void)user;
	for (size_t i = 0; i < count; i++)
		if (number_read_cell(cells[i].text, cells[i].size, &value) == CELL_NUMBER) sink += value;
	return 0;
}

static size_t feed_csv(struct text text,
		int (*record)(void *, const struct csv_cell *, size_t, uint64_t, struct err *))
{
	size_t seen = 0;
	const struct csv_options options = { 0 };
	const struct csv_callbacks callbacks = { .record = record, .user = &seen };
	struct csv *csv;
	struct err e;

	if (csv_new(&csv, &options, &callbacks, &e)) exit(1);
	for (size_t i = 0; i < text.size; i += CHUNK_BYTES) {
		size_t n = text.size - i < CHUNK_BYTES ? text.size - i : CHUNK_BYTES;

		if (csv_feed(csv, text.data + i, n, &e)) exit(1);
	}
	if (csv_end(csv, &e)) exit(1);
	csv_free(csv);
	sink += (double)seen;
	return text.size;
}

static size_t cut_csv(struct text text)
{
	return feed_csv(text, count_record);
}

static size_t read_csv(struct text text)
{
	return feed_csv(text, read_record);
}

/* ---- the table ---- */

#define COLUMNS20 "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t\n"

static const struct run {
	const char *name;
	const char *head;
	size_t (*piece)(char *);
	size_t (*work)(struct text);
} runs[] = {
	{ "scan float, 0.1234567", "", make_seven, scan_floats },
	{ "scan float, 5.1", "", make_short, scan_floats },
	{ "scan float, 1 to 9 digits", "", make_mixed, scan_floats },
	{ "scan float, 17 digits", "", make_seventeen, scan_floats },
	{ "scan double, 0.1234567", "", make_seven, scan_doubles },
	{ "scan double, 17 digits", "", make_seventeen, scan_doubles },
	{ "strtof, 0.1234567", "", make_seven, scan_strtof },
	{ "print float, 0.1234567", "", make_seven, print_floats },
	{ "print float, 5.1", "", make_short, print_floats },
	{ "print float, 1 to 9 digits", "", make_mixed, print_floats },
	{ "print double, 17 digits", "", make_seventeen, print_doubles },
	{ "csv cut, 5 short columns", "a,b,c,d,e\n", make_flowers, cut_csv },
	{ "csv cut, 20 number columns", COLUMNS20, make_measures, cut_csv },
	{ "csv cut, quoted, CRLF", "a,b,c,d\r\n", make_quoted, cut_csv },
	{ "csv cut and read, 5 short", "a,b,c,d,e\n", make_flowers, read_csv },
	{ "csv cut and read, 20 numbers", COLUMNS20, make_measures, read_csv },
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

int main(void)
{
	numbers_single = malloc(TEXT_BYTES * sizeof *numbers_single);
	numbers_double = malloc(TEXT_BYTES * sizeof *numbers_double);
	if (!numbers_single || !numbers_double) return 1;
	for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
		const struct run *run = &runs[i];
		struct text text = make_text(run->head, run->piece);
		double rates[RUNS];

		if (run->work == print_floats || run->work == print_doubles) read_numbers(text);
		for (int k = 0; k < RUNS; k++) {
			double start = seconds();
			size_t bytes = run->work(text);

			rates[k] = (double)bytes / (seconds() - start) / 1e6;
		}
		qsort(rates, RUNS, sizeof *rates, by_value);
		printf("%-30s %6.0f MB/s   (%.0f to %.0f)\n", run->name, rates[RUNS / 2], rates[0],
				rates[RUNS - 1]);
		free(text.data);
	}
	free(numbers_single);
	free(numbers_double);
	return isnan(sink) ? 1 : 0;
}
