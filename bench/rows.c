/* rows.c - how fast JSON rows become a network's numbers and scores become JSON: MB of text a second for a matrix,
 * nanoseconds for a body of one row. One thread; `make bench-rows`.
 *
 * Each line is the median of RUNS runs; the matrix is MATRIX_ROWS x MATRIX_COLUMNS pixels as they come from a
 * client, a body of one row is read REPEATS times a run. jansson's parse of the same matrix stands beside. Behind two of
 * them stands what was asked for.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/codec/answers.h"
#include "server/codec/rows.h"
#include "server/codec/scan.h"

#define RUNS           11
#define REPEATS        100000
#define MATRIX_ROWS    1000
#define MATRIX_COLUMNS 784
#define CLASSES        10
#define NAME_BYTES     16
#define READ_ASKED     300 /* MB/s, of a matrix of numbers on one core */
#define WRITE_ASKED    150

struct bench {
	struct buffer text; /* the body */
	struct buffer out;  /* the answer */
	struct encoder *inputs, *targets;
	struct rows *rows;
	struct answers *answers;
	float *x; /* (MATRIX_ROWS, MATRIX_COLUMNS) */
};

static struct faults faults;

static void must(bool fine)
{
	if (!fine) exit(1);
}

/* ---- texts ---- */

static void make_encoder(struct encoder **out, size_t columns)
{
	static char names[MATRIX_COLUMNS][NAME_BYTES];
	static struct column_spec specs[MATRIX_COLUMNS];

	for (size_t i = 0; i < columns; i++) {
		snprintf(names[i], sizeof names[i], "feature_%zu", i);
		specs[i] = (struct column_spec){ names[i], COLUMN_NUMBER, NULL, 0 };
	}
	must(!encoder_new(out, specs, columns, ENCODER_INPUTS, NORMALIZE_STANDARD, MISSING_MEAN, NULL));
}

static void make_rows(struct buffer *text, size_t rows, size_t columns, bool records, const char *format)
{
	uint64_t state = 88172645463325252u;

	buffer_text(text, "{\"instances\":[");
	for (size_t r = 0; r < rows; r++) {
		buffer_text(text, r ? "," : "");
		buffer_text(text, records ? "{" : "[");
		for (size_t c = 0; c < columns; c++) {
			state ^= state << 13; /* xorshift64 (Marsaglia 2003) */
			state ^= state >> 7;
			state ^= state << 17;
			buffer_text(text, c ? "," : "");
			if (records) buffer_printf(text, "\"feature_%zu\":", c);
			buffer_printf(text, format, (double)(state >> 11) * 0x1p-53);
		}
		buffer_text(text, records ? "}" : "]");
	}
	buffer_text(text, "]}");
	must(buffer_ok(text));
}

/* ---- what is timed ---- */

static void check(struct bench *b)
{
	struct scan_value value;

	must(!scan_check(b->text.data, b->text.size, &value, NULL));
}

static void read_body(struct bench *b)
{
	struct scan_value value;
	struct scan_iter i;
	size_t n = 1;

	must(!scan_check(b->text.data, b->text.size, &value, NULL));
	i = scan_begin(value);
	must(scan_next(&i) && scan_equals(i.key, "instances"));
	must(!rows_begin(b->rows, b->inputs, i.value, "/instances", &faults, NULL));
	while (n)
		must(!rows_next(b->rows, MATRIX_ROWS, b->x, &n, NULL));
	must(!faults.count);
}

static void write_rows(struct bench *b, size_t rows)
{
	b->out.size = 0;
	answers_begin(b->answers, ANSWER_PREDICTIONS, b->targets, &b->out);
	answers_add(b->answers, b->x, rows);
	answers_end(b->answers, 3, NULL);
	must(buffer_ok(&b->out));
}

static void write_many(struct bench *b)
{
	write_rows(b, MATRIX_ROWS);
}

static void write_one(struct bench *b)
{
	write_rows(b, 1);
}

static void parse_jansson(struct bench *b)
{
	json_t *tree = json_loadb(b->text.data, b->text.size, 0, NULL);

	must(tree);
	json_decref(tree);
}

static const struct run {
	const char *name;
	void (*work)(struct bench *);
	size_t rows, columns;
	bool records;
	const char *format;
	int asked; /* MB/s; 0: nothing */
} runs[] = {
	{ "check, 0.1234567", check, MATRIX_ROWS, MATRIX_COLUMNS, false, "%.7f", 0 },
	{ "check, 0.3", check, MATRIX_ROWS, MATRIX_COLUMNS, false, "%.1f", 0 },
	{ "check, 17 digits", check, MATRIX_ROWS, MATRIX_COLUMNS, false, "%.17g", 0 },
	{ "check and read, 0.1234567", read_body, MATRIX_ROWS, MATRIX_COLUMNS, false, "%.7f", READ_ASKED },
	{ "check and read, 0.3", read_body, MATRIX_ROWS, MATRIX_COLUMNS, false, "%.1f", 0 },
	{ "check and read, 17 digits", read_body, MATRIX_ROWS, MATRIX_COLUMNS, false, "%.17g", 0 },
	{ "check and read, records", read_body, MATRIX_ROWS, MATRIX_COLUMNS, true, "%.7f", 0 },
	{ "jansson, 0.1234567", parse_jansson, MATRIX_ROWS, MATRIX_COLUMNS, false, "%.7f", 0 },
	{ "read one row of 4", read_body, 1, 4, false, "%.1f", 0 },
	{ "read one record of 4", read_body, 1, 4, true, "%.1f", 0 },
	{ "read one row of 784", read_body, 1, MATRIX_COLUMNS, false, "%.7f", 0 },
	{ "write 1000 rows of 10 scores", write_many, MATRIX_ROWS, MATRIX_COLUMNS, false, "%.7f",
			WRITE_ASKED },
	{ "write one row of 10 scores", write_one, 1, MATRIX_COLUMNS, false, "%.7f", 0 },
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

static void time_run(struct bench *b, const struct run *run)
{
	int repeats = run->rows > 1 ? 1 : REPEATS;
	double times[RUNS], median;
	size_t bytes;

	b->text.size = 0;
	make_rows(&b->text, run->rows, run->columns, run->records, run->format);
	make_encoder(&b->inputs, run->columns);
	for (int k = 0; k < RUNS; k++) {
		double start = seconds();

		for (int i = 0; i < repeats; i++)
			run->work(b);
		times[k] = (seconds() - start) / repeats;
	}
	encoder_free(b->inputs);
	qsort(times, RUNS, sizeof *times, by_value);
	median = times[RUNS / 2];
	bytes = run->work == write_one || run->work == write_many ? b->out.size : b->text.size;
	if (repeats > 1)
		printf("%-30s %8.0f ns  (%.0f to %.0f)", run->name, median * 1e9, times[0] * 1e9,
				times[RUNS - 1] * 1e9);
	else
		printf("%-30s %8.0f MB/s (%.0f to %.0f)", run->name, (double)bytes / median / 1e6,
				(double)bytes / times[RUNS - 1] / 1e6, (double)bytes / times[0] / 1e6);
	if (run->asked) printf(", asked: %d", run->asked);
	printf("\n");
}

int main(void)
{
	static const char *const digits[CLASSES] = { "0", "1", "2", "3", "4", "5", "6", "7", "8", "9" };
	const struct column_spec target = { "digit", COLUMN_CATEGORY, digits, CLASSES };
	struct bench b = { .x = calloc((size_t)MATRIX_ROWS * MATRIX_COLUMNS, sizeof *b.x) };

	must(b.x && !rows_new(&b.rows, NULL) && !answers_new(&b.answers, NULL));
	must(!encoder_new(&b.targets, &target, 1, ENCODER_TARGETS, NORMALIZE_NONE, MISSING_ERROR, NULL));
	for (size_t i = 0; i < sizeof runs / sizeof *runs; i++)
		time_run(&b, &runs[i]);
	encoder_free(b.targets);
	answers_free(b.answers);
	rows_free(b.rows);
	buffer_free(&b.text);
	buffer_free(&b.out);
	free(b.x);
	return 0;
}
