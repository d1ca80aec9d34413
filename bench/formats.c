/* formats.c - how fast a body of each format becomes columns: MB of body a second of CPU, one thread, the pieces thrown away.
 *
 * `make bench-formats`. Each line is the median of RUNS runs over one body of BODY_BYTES from a fixed seed, fed in chunks
 * as a body arrives. The tables are the same in all formats, as far as those can say them: 10 numbers of seven digits and
 * 2 categories, and 100 small whole numbers. The last line is gzip with CSV in it, in MB of plain bytes.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#include "server/buffer.h"
#include "server/codec/body.h"
#include "server/http/unpack.h"

#define RUNS        7
#define BODY_BYTES  (32u << 20)
#define CHUNK_BYTES (64u << 10)
#define NUMBERS     10
#define CATEGORIES  2
#define PIXELS      100
#define SCRATCH     "/tmp/descentd-bench"

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

/* ---- bodies ---- */

/* What stands around the cells of a row: with keys, between brackets, or bare. */
struct shape {
	const char *before, *key, *between, *after, *quote;
};

static const struct shape bare = { "", NULL, ",", "\n", "" };
static const struct shape object = { "{", "\"%s%zu\":", ",", "}\n", "\"" };
static const struct shape array = { "[", NULL, ",", "]\n", "\"" };

static void put_cell(struct buffer *out, const struct shape *shape, const char *name, size_t i)
{
	static const char *const words[] = { "setosa", "versicolor", "virginica", "none of these" };

	if (i) buffer_text(out, shape->between);
	if (shape->key) buffer_printf(out, shape->key, name, i);
	if (*name == 'p')
		buffer_printf(out, "%u", (unsigned)(next_random() % 256));
	else if (i < NUMBERS)
		buffer_printf(out, "%.7f", uniform());
	else
		buffer_printf(out, "%s%s%s", shape->quote, words[next_random() % 4], shape->quote);
}

static void put_rows(struct buffer *out, const struct shape *shape, bool pixels, const char *between)
{
	size_t columns = pixels ? PIXELS : NUMBERS + CATEGORIES;

	for (size_t row = 0; out->size < BODY_BYTES; row++) {
		if (row) buffer_text(out, between);
		buffer_text(out, shape->before);
		for (size_t i = 0; i < columns; i++)
			put_cell(out, shape, pixels ? "p" : "c", i);
		buffer_text(out, shape->after);
	}
}

static void put_names(struct buffer *out, bool pixels, const char *quote)
{
	for (size_t i = 0; i < (pixels ? PIXELS : NUMBERS + CATEGORIES); i++)
		buffer_printf(out, "%s%sc%zu%s", i ? "," : "", quote, i, quote);
}

static void make_csv(struct buffer *out, bool pixels)
{
	put_names(out, pixels, "");
	buffer_text(out, "\n");
	put_rows(out, &bare, pixels, "");
}

static void make_objects(struct buffer *out, bool pixels)
{
	buffer_text(out, "[");
	put_rows(out, &object, pixels, ",");
	buffer_text(out, "]");
}

static void make_arrays(struct buffer *out, bool pixels)
{
	buffer_text(out, "{\"columns\":[");
	put_names(out, pixels, "\"");
	buffer_text(out, "],\"rows\":[");
	put_rows(out, &array, pixels, ",");
	buffer_text(out, "]}");
}

static void make_lines(struct buffer *out, bool pixels)
{
	put_rows(out, &object, pixels, "");
}

static void put_npy(struct buffer *out, const char *descr, bool fortran, size_t width, size_t columns)
{
	char header[128];
	size_t rows = BODY_BYTES / width / columns;
	size_t n = (size_t)snprintf(header, sizeof header,
			"{'descr':'%s','fortran_order':%s,'shape':(%zu,%zu)}", descr,
			fortran ? "True" : "False", rows, columns);

	buffer_add(out, "\x93NUMPY\1", 8);
	buffer_add(out, (const char[]){ (char)n, 0 }, 2);
	buffer_text(out, header);
	for (size_t i = 0; i < rows * columns; i++) {
		float narrow = (float)uniform();
		double wide = (double)(next_random() % 10000000) / 1e7;
		unsigned char pixel = (unsigned char)next_random();

		buffer_add(out,
				width == 1   ? (void *)&pixel
				: width == 4 ? (void *)&narrow
					     : (void *)&wide,
				width);
	}
}

static void make_doubles(struct buffer *out, bool fortran)
{
	put_npy(out, "<f8", fortran, sizeof(double), NUMBERS);
}

static void make_floats(struct buffer *out, bool fortran)
{
	put_npy(out, "<f4", fortran, sizeof(float), NUMBERS);
}

static void make_bytes(struct buffer *out, bool fortran)
{
	put_npy(out, "|u1", fortran, 1, PIXELS);
}

static const struct run {
	const char *name;
	enum body_format format;
	void (*make)(struct buffer *out, bool second);
	bool second; /* pixels, or Fortran order */
	bool gzip;
} runs[] = {
	{ "CSV", BODY_CSV, make_csv, false, false },
	{ "JSON, objects", BODY_JSON, make_objects, false, false },
	{ "JSON, columns and rows", BODY_JSON, make_arrays, false, false },
	{ "NDJSON", BODY_NDJSON, make_lines, false, false },
	{ "CSV, 100 small whole numbers", BODY_CSV, make_csv, true, false },
	{ "JSON, objects, 100 small", BODY_JSON, make_objects, true, false },
	{ "JSON, columns and rows, 100", BODY_JSON, make_arrays, true, false },
	{ "NDJSON, 100 small", BODY_NDJSON, make_lines, true, false },
	{ "NPY, f8 of seven digits", BODY_NPY, make_doubles, false, false },
	{ "NPY, f8, Fortran order", BODY_NPY, make_doubles, true, false },
	{ "NPY, f4", BODY_NPY, make_floats, false, false },
	{ "NPY, u1", BODY_NPY, make_bytes, false, false },
	{ "CSV in gzip", BODY_CSV, make_csv, false, true },
};

/* ---- a store that forgets ---- */

static int on_group(void *self, uint64_t group, unsigned char **data, const size_t *sizes, size_t count,
		struct err *e)
{
	(void)self, (void)group, (void)sizes, (void)e;
	for (size_t i = 0; i < count; i++) {
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
	(void)self, (void)group, (void)column, (void)data, (void)size;
	return err_set(e, ERR_IO, "nothing was kept");
}

static int on_dictionary(void *self, uint64_t column, const void *data, size_t size, struct err *e)
{
	return on_replace(self, 0, column, data, size, e);
}

/* ---- the runs ---- */

static double cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static int take(void *user, const char *bytes, size_t n, struct err *e)
{
	return body_feed(user, bytes, n, e);
}

/* Seconds for the whole body. */
static double read_bytes(const struct run *run, const struct buffer *bytes)
{
	const struct body_options options = { run->format, NULL, NULL, UINT64_MAX, SCRATCH };
	const struct table_sink sink = { NULL, on_group, on_replace, on_read, on_dictionary };
	struct faults faults = { 0 };
	struct unpack *unpack = NULL;
	struct body *body;
	struct err e;
	double start = cpu_seconds();
	int rc = body_new(&body, &options, &sink, &faults, &e);

	if (!rc && run->gzip) rc = unpack_new(&unpack, CODING_GZIP, UINT64_MAX, take, body, &e);
	for (size_t i = 0; i < bytes->size && !rc; i += CHUNK_BYTES) {
		size_t n = bytes->size - i < CHUNK_BYTES ? bytes->size - i : CHUNK_BYTES;

		rc = unpack ? unpack_feed(unpack, bytes->data + i, n, &e)
			    : body_feed(body, bytes->data + i, n, &e);
	}
	if (!rc && unpack) rc = unpack_end(unpack, &e);
	if (!rc) rc = body_end(body, &e);
	if (rc) {
		fprintf(stderr, "%s: %s\n", run->name, e.text);
		exit(1);
	}
	start = cpu_seconds() - start;
	unpack_free(unpack);
	body_free(body);
	return start;
}

static void pack(struct buffer *bytes)
{
	struct buffer out = { 0 };
	z_stream z = { .next_in = (Bytef *)bytes->data, .avail_in = (uInt)bytes->size };

	if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) exit(1);
	z.avail_out = (uInt)deflateBound(&z, bytes->size);
	z.next_out = (Bytef *)buffer_reserve(&out, z.avail_out);
	if (!z.next_out || deflate(&z, Z_FINISH) != Z_STREAM_END) exit(1);
	out.size = z.total_out;
	deflateEnd(&z);
	buffer_free(bytes);
	*bytes = out;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(void)
{
	for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
		struct buffer bytes = { 0 };
		double rates[RUNS], size;

		runs[i].make(&bytes, runs[i].second);
		if (!buffer_ok(&bytes)) return 1;
		size = (double)bytes.size;
		if (runs[i].gzip) pack(&bytes);
		for (int k = 0; k < RUNS; k++)
			rates[k] = size / read_bytes(&runs[i], &bytes) / 1e6;
		qsort(rates, RUNS, sizeof *rates, by_value);
		printf("%-30s %6.0f MB/s   (%.0f to %.0f)\n", runs[i].name, rates[RUNS / 2], rates[0],
				rates[RUNS - 1]);
		buffer_free(&bytes);
	}
	return 0;
}
