/* bulk.c - :predict of a whole table at once: CSV by column names, or an array of NumPy, answered in kind. The version that
 * answered is in the header Model-Version; Model-Warnings and Model-Nonfinite say how much there would be to name in an answer of
 * JSON, which has a place for it.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/api/document.h"
#include "server/api/predict.h"
#include "server/codec/answers.h"
#include "server/codec/csv.h"
#include "server/codec/little.h"
#include "server/codec/npy_header.h"
#include "server/codec/rows.h"
#include "server/codec/tensor.h"

#define SKIP        SIZE_MAX /* a column of the table that is none of the model's: what encoder_find says then */
#define NPY_ALIGNED 64       /* bytes, of all that stands before the numbers */

struct bulk {
	struct request *rq;
	struct prediction p;
	const struct version_work *work;
	struct rows *rows;
	struct faults *faults;
	struct buffer *out;
	float *values;      /* (work->rows, outputs) */
	uint64_t nonfinite; /* of those in the answer */
	size_t warnings;
	bool compared; /* it is asked for a shadow: values go to out as they are, and nothing is counted */
	/* of CSV */
	size_t *columns; /* (of the table): which of the model's it is */
	bool unfit;      /* the columns are not the model's: of the rows nothing is said */
};

/* Through the network, and into the answer as `put` writes it. */
static void answer_block(struct bulk *b, size_t n, void (*put)(struct bulk *b, size_t n))
{
	const float *scores;

	b->p.counts.rows += n;
	if (!n || b->faults->count) return;
	net_forward(b->p.model->net, b->work->net, b->work->x, n, &scores);
	answers_values(b->p.model->targets, scores, n, b->values);
	if (b->compared) {
		buffer_add(b->out, b->values, n * encoder_width(b->p.model->targets) * sizeof *b->values);
		return;
	}
	for (size_t i = 0; i < n * encoder_width(b->p.model->targets); i++)
		b->nonfinite += !isfinite(b->values[i]);
	put(b, n);
}

/* ---- CSV ---- */

static void put_csv(struct bulk *b, size_t n)
{
	for (size_t r = 0; r < n; r++)
		answers_csv_row(b->out, b->p.model->targets,
				b->values + r * encoder_width(b->p.model->targets), false);
}

__attribute__((format(printf, 4, 5))) static void fault_header(
		struct bulk *b, size_t column, enum err_code code, const char *format, ...)
{
	char text[FAULT_DETAIL_BYTES];
	struct fault *fault;
	va_list args;

	b->unfit = true;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (!(fault = faults_add(b->faults, code, "", "%s", text))) return;
	fault->line = 1;
	fault->column = column;
}

/* Where no value may be missing, said once rather than of every row. */
static void fault_absent(struct bulk *b)
{
	const struct encoder *inputs = b->p.model->inputs;

	for (size_t c = 0; c < encoder_columns(inputs) && encoder_missing(inputs) == MISSING_ERROR; c++)
		if (!rows_placed(b->rows, c))
			fault_header(b, 0, ERR_MISSING_FIELD,
					"there is no column \"%.64s\", and this model needs a value in every one",
					encoder_column(inputs, c)->name);
}

/* A column that the model does not know is a fault, but for its targets: a table that was trained on has them. */
static int on_header(void *user, const struct csv_cell *names, size_t count, struct err *e)
{
	struct bulk *b = user;

	if (!(b->columns = calloc(count, sizeof *b->columns))) return err_nomem(e);
	for (size_t i = 0; i < count; i++) {
		b->columns[i] = encoder_find(b->p.model->inputs, names[i].text, names[i].size);
		if (b->columns[i] != SKIP)
			rows_place(b->rows, b->columns[i], i + 1);
		else if (encoder_find(b->p.model->targets, names[i].text, names[i].size) == SIZE_MAX)
			fault_header(b, i + 1, ERR_UNKNOWN_FIELD, "the model has no input \"%.*s\"",
					names[i].size > 64 ? 64 : (int)names[i].size, names[i].text);
	}
	fault_absent(b);
	return 0;
}

static int on_record(void *user, const struct csv_cell *cells, size_t count, uint64_t line, struct err *e)
{
	struct bulk *b = user;
	bool full;

	if (b->unfit) return 0;
	rows_begin_line(b->rows, line);
	for (size_t i = 0; i < count; i++)
		if (b->columns[i] != SKIP)
			rows_put_text(b->rows, b->columns[i], cells[i].text, cells[i].size);
	full = rows_end_row(b->rows);
	if (full) answer_block(b, rows_take(b->rows, b->work->x), put_csv);
	return full ? request_in_time(b->rq, e) : 0;
}

/* What is wrong with the file itself. */
static void take_faults(const struct csv *csv, struct faults *faults)
{
	size_t count, more;
	const struct csv_fault *found = csv_faults(csv, &count, &more);

	for (size_t i = 0; i < count; i++) {
		struct fault *fault = faults_add(faults, ERR_CSV, "", "%s", found[i].text);

		if (!fault) continue; /* counted */
		fault->line = found[i].line;
		fault->column = found[i].column;
	}
}

static int read_csv(struct bulk *b, struct err *e)
{
	const struct csv_callbacks callbacks = { on_header, on_record, b };
	const struct buffer *body = &b->rq->body;
	struct csv *csv;
	int rc = csv_new(&csv, &(struct csv_options){ 0 }, &callbacks, e);

	if (rc) return rc;
	if (!b->compared) answers_csv_head(b->out, b->p.model->targets, false);
	if (!(rc = csv_feed(csv, body->data ? body->data : "", body->size, e))) rc = csv_end(csv, e);
	if (rc == ERR_CSV || rc == ERR_TOO_LARGE) take_faults(csv, b->faults);
	csv_free(csv);
	free(b->columns);
	if (!rc) answer_block(b, rows_take(b->rows, b->work->x), put_csv);
	return rc && rc != ERR_CSV ? rc : faults_result(b->faults, e);
}

static int predict_csv(struct bulk *b, struct err *e)
{
	int rc = rows_begin_cells(b->rows, b->p.model->inputs, b->work->rows, b->faults, e);

	if (rc) return rc;
	if (!b->compared) rows_tally(b->rows, version_drift(b->p.version), b->work->asked);
	return read_csv(b, e);
}

/* ---- NPY ---- */

static void put_npy(struct bulk *b, size_t n)
{
	size_t count = n * encoder_width(b->p.model->targets);
	char *to = buffer_reserve(b->out, count * sizeof(float));

	if (!to) return;
	for (size_t i = 0; i < count; i++) {
		uint32_t bits;

		memcpy(&bits, &b->values[i], sizeof bits);
		put32(to + i * sizeof bits, bits);
	}
	b->out->size += count * sizeof(float);
}

/* Format 1.0 of numpy.lib.format: magic word, version, length, a dictionary, padded to a multiple of 64 bytes. */
static void put_npy_head(struct bulk *b, uint64_t rows)
{
	struct buffer text = { 0 };
	size_t head, pad;

	buffer_printf(&text, "{'descr': '<f4', 'fortran_order': False, 'shape': (%llu, %zu), }",
			(unsigned long long)rows, encoder_width(b->p.model->targets));
	head = 10 + text.size + 1;
	pad = (NPY_ALIGNED - head % NPY_ALIGNED) % NPY_ALIGNED;
	while (pad--)
		buffer_text(&text, " ");
	buffer_text(&text, "\n");
	buffer_add(b->out, "\x93NUMPY\x01\x00", 8);
	buffer_add(b->out, (const char[2]){ (char)(text.size & 255), (char)(text.size >> 8) }, 2);
	if (text.data) buffer_add(b->out, text.data, text.size);
	b->out->failed |= text.failed;
	buffer_free(&text);
}

static enum tensor_type type_of(const struct npy_header *h)
{
	static const enum tensor_type types[][4] = {
		/* of 1, 2, 4, 8 bytes */
		[NPY_BOOLEAN] = { TENSOR_BOOL, TENSOR_BOOL, TENSOR_BOOL, TENSOR_BOOL },
		[NPY_FLOAT] = { TENSOR_FP16, TENSOR_FP16, TENSOR_FP32, TENSOR_FP64 },
		[NPY_SIGNED] = { TENSOR_INT8, TENSOR_INT16, TENSOR_INT32, TENSOR_INT64 },
		[NPY_UNSIGNED] = { TENSOR_UINT8, TENSOR_UINT16, TENSOR_UINT32, TENSOR_UINT64 },
	};

	return types[h->kind][h->width == 8 ? 3 : h->width / 2];
}

/* The array as a tensor of the body's bytes. */
static int read_npy(struct bulk *b, struct tensor *t, struct err *e)
{
	static const char name[] = "\"" ROWS_WHOLE "\"";
	const struct buffer *body = &b->rq->body;
	size_t inputs = encoder_columns(b->p.model->inputs);
	struct npy_header h;
	int rc = npy_header_read(&h, body->data ? body->data : "", body->size, e);

	if (rc) return rc;
	if (!rows_take_whole(b->p.model->inputs))
		return err_set(e, ERR_INVALID, "this model has inputs that are no numbers; send CSV or JSON");
	if (!h.bytes) return err_set(e, ERR_SYNTAX, "the body ends within the header of its NPY file");
	if (body->size - h.bytes != h.rows * h.columns * h.width)
		return err_set(e, ERR_SYNTAX, "the array has another number of bytes than its header says");
	if (h.big_endian && h.width > 1)
		return err_set(e, ERR_INVALID, "big-endian numbers are not read here: array.astype('<f4')");
	if (h.columns != inputs)
		return err_set(e, ERR_INVALID, "the array has %llu column%s; the model has %zu input%s",
				(unsigned long long)h.columns, h.columns == 1 ? "" : "s", inputs,
				inputs == 1 ? "" : "s");
	*t = (struct tensor){ .name = { name, name + sizeof name - 1 },
		.type = type_of(&h),
		.shape = { h.rows, h.columns },
		.dims = 2,
		.elements = h.rows * h.columns,
		.raw = (unsigned char *)body->data + h.bytes,
		.raw_bytes = body->size - h.bytes,
		.by_columns = h.fortran };
	return 0;
}

static int predict_npy(struct bulk *b, struct err *e)
{
	static const char nothing[] = "";
	struct tensor t;
	size_t n;
	int rc;

	if ((rc = read_npy(b, &t, e))) return rc;
	if ((rc = rows_begin_tensors(b->rows, b->p.model->inputs, &t, 1,
			     (struct scan_value){ nothing, nothing }, "", b->faults, e)))
		return rc;
	if (!b->compared) rows_tally(b->rows, version_drift(b->p.version), b->work->asked);
	if (!b->compared) put_npy_head(b, t.shape[0]);
	do {
		if ((rc = rows_next(b->rows, b->work->rows, b->work->x, &n, e)) ||
				(rc = request_in_time(b->rq, e)))
			return rc;
		answer_block(b, n, put_npy);
	} while (n);
	return faults_result(b->faults, e);
}

/* ---- which of them ---- */

static const struct format {
	const char *media;
	int (*predict)(struct bulk *b, struct err *e);
} formats[] = {
	{ "text/csv", predict_csv },
	{ "application/x-npy", predict_npy },
};

static const struct format *format_of(const struct request *rq)
{
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (request_is(rq, formats[i].media)) return &formats[i];
	return NULL;
}

bool bulk_wanted(const struct request *rq)
{
	return format_of(rq) != NULL;
}

static int run(struct bulk *b, const struct format *format, struct err *e)
{
	int rc;

	if ((rc = version_work(b->p.version, &b->work, e)) || (rc = rows_new(&b->rows, e))) return rc;
	b->values = reallocarray(NULL, b->work->rows * encoder_width(b->p.model->targets), sizeof *b->values);
	rc = b->values ? format->predict(b, e) : err_nomem(e);
	b->warnings = rows_warnings(b->rows);
	free(b->values);
	rows_free(b->rows);
	return rc || buffer_ok(b->out) ? rc : err_nomem(e);
}

/* A scorer; how is the format. */
static int score(struct request *rq, struct version *version, uintptr_t how, struct buffer *values,
		struct err *e)
{
	struct faults faults = { 0 };
	struct bulk b = { .rq = rq,
		.p = { .version = version, .model = version_model(version) },
		.faults = &faults,
		.out = values,
		.compared = true };

	return run(&b, (const struct format *)how, e);
}

int bulk_predict(struct request *rq, struct reply *rp, struct err *e)
{
	struct bulk b = { .rq = rq, .p = { .begun = predict_clock() }, .out = &rp->body };
	const struct format *format = format_of(rq);
	int rc;

	if (!rq->may_wait) return ERR_WOULD_BLOCK; /* a table is work for the pool */
	if (!(b.faults = request_faults(rq))) return err_nomem(e);
	if ((rc = prediction_begin(rq, &b.p, e))) return rc;
	if ((rc = run(&b, format, e))) {
		rp->body.size = 0;
	} else {
		rp->content_type = format->media;
		reply_header(rp, "Model-Version", "%llu", (unsigned long long)version_number(b.p.version));
		if (b.warnings) reply_header(rp, "Model-Warnings", "%zu", b.warnings);
		if (b.nonfinite) reply_header(rp, "Model-Nonfinite", "%llu", (unsigned long long)b.nonfinite);
		shadow_ask(rq, &b.p, score, (uintptr_t)format);
	}
	prediction_end(&b.p, rc);
	return rc;
}
