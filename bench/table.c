/* table.c - how fast a CSV becomes columns: MB of text a second of CPU, one thread, the pieces thrown away.
 *
 * `make bench-table`. Each line is the median of RUNS runs over one text of TEXT_BYTES from a fixed seed, fed in
 * chunks as a body arrives. The last column is the memory that the table held at its end.
 */
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/codec/table.h"

#define RUNS        7
#define TEXT_BYTES  (32u << 20)
#define CHUNK_BYTES (64u << 10)
#define LINE_ROOM   8192

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

/* ---- texts: each maker writes one line at out and returns its length; line 0 is the header ---- */

static size_t make_flowers(char *out, size_t line)
{
	static const char *const names[] = { "setosa", "versicolor", "virginica" };

	if (!line) return (size_t)sprintf(out, "a,b,c,d,species\n");
	return (size_t)sprintf(out, "%.1f,%.1f,%.1f,%.1f,%s\n", uniform() * 8, uniform() * 4, uniform() * 7,
			uniform() * 3, names[next_random() % 3]);
}

static size_t make_columns(char *out, size_t line, size_t columns, const char *format, double range)
{
	size_t n = 0;

	for (size_t i = 0; i < columns; i++) {
		n += (size_t)(line ? sprintf(out + n, format, uniform() * range)
				   : sprintf(out + n, "c%zu", i));
		out[n++] = i + 1 < columns ? ',' : '\n';
	}
	return n;
}

static size_t make_measures(char *out, size_t line)
{
	return make_columns(out, line, 20, "%.7f", 1);
}

static size_t make_doubles(char *out, size_t line)
{
	return make_columns(out, line, 10, "%.17g", 1);
}

static size_t make_pixels(char *out, size_t line)
{
	return make_columns(out, line, 785, "%.0f", 255);
}

static size_t make_words(char *out, size_t line)
{
	size_t n = 0;

	if (!line) return (size_t)sprintf(out, "a,b,c,d\n");
	for (size_t i = 0; i < 4; i++)
		n += (size_t)sprintf(
				out + n, "value %u%c", (unsigned)(next_random() % 5000), i < 3 ? ',' : '\n');
	return n;
}

/* A number column, but for a word in the last rows. */
static size_t make_late(char *out, size_t line)
{
	if (!line) return (size_t)sprintf(out, "a,b\n");
	if (line > 4000000) return (size_t)sprintf(out, "late,1\n");
	return (size_t)sprintf(
			out, "%u,%u\n", (unsigned)(next_random() % 100), (unsigned)(next_random() % 10));
}

/* ---- a store that forgets, but for the first segment, which stands for all that are asked for again ---- */

struct kept {
	unsigned char *data;
	size_t size;
};

static int on_group(void *self, uint64_t group, unsigned char **data, const size_t *sizes, size_t count,
		struct err *e)
{
	struct kept *kept = self;

	(void)group, (void)e;
	for (size_t i = 0; i < count; i++) {
		if (!kept->data)
			*kept = (struct kept){ data[i], sizes[i] };
		else
			free(data[i]);
		data[i] = NULL;
	}
	return 0;
}

static int on_replace(
		void *self, uint64_t group, uint64_t column, const void *data, size_t size, struct err *e)
{
	(void)self, (void)group, (void)column, (void)data, (void)size, (void)e;
	return 0;
}

static int on_read(void *self, uint64_t group, uint64_t column, unsigned char **data, size_t *size,
		struct err *e)
{
	const struct kept *kept = self;

	(void)group, (void)column;
	if (!(*data = malloc(kept->size))) return err_nomem(e);
	memcpy(*data, kept->data, kept->size);
	*size = kept->size;
	return 0;
}

static int on_dictionary(void *self, uint64_t column, const void *data, size_t size, struct err *e)
{
	return on_replace(self, 0, column, data, size, e);
}

/* ---- the table of runs ---- */

static const struct run {
	const char *name;
	size_t (*line)(char *, size_t);
} runs[] = {
	{ "4 short numbers, a word", make_flowers },
	{ "20 numbers, 0.1234567", make_measures },
	{ "10 numbers, 17 digits", make_doubles },
	{ "785 small whole numbers", make_pixels },
	{ "4 words of 5,000", make_words },
	{ "2 numbers, then a late word", make_late },
};

static double cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static size_t held(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/* Seconds for the whole text; *bytes is what the table held at its end. */
static double read_table(const char *text, size_t size, size_t *bytes)
{
	struct kept kept = { 0 };
	const struct table_sink sink = { &kept, on_group, on_replace, on_read, on_dictionary };
	struct faults faults = { 0 };
	struct table *table;
	struct err e;
	size_t before = held();
	double start = cpu_seconds(), end;

	if (table_new_csv(&table, NULL, &sink, &faults, &e)) exit(1);
	for (size_t i = 0; i < size; i += CHUNK_BYTES)
		if (table_feed(table, text + i, size - i < CHUNK_BYTES ? size - i : CHUNK_BYTES, &e)) exit(1);
	if (table_end(table, &e)) {
		fprintf(stderr, "%s\n", e.text);
		exit(1);
	}
	end = cpu_seconds();
	*bytes = held() - before - kept.size;
	table_free(table);
	free(kept.data);
	return end - start;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(void)
{
	char *text = malloc(TEXT_BYTES + LINE_ROOM);

	if (!text) return 1;
	for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
		double rates[RUNS];
		size_t size = 0, bytes = 0;

		for (size_t line = 0; size < TEXT_BYTES; line++)
			size += runs[i].line(text + size, line);
		for (int k = 0; k < RUNS; k++)
			rates[k] = (double)size / read_table(text, size, &bytes) / 1e6;
		qsort(rates, RUNS, sizeof *rates, by_value);
		printf("%-30s %6.0f MB/s   (%.0f to %.0f)   %5.1f MiB\n", runs[i].name, rates[RUNS / 2],
				rates[0], rates[RUNS - 1], (double)bytes / (1 << 20));
	}
	free(text);
	return 0;
}
