/* answer.c - scores as the tensors of an answer. See oip.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/api/oip/oip.h"
#include "server/codec/answers.h"
#include "server/codec/json.h"
#include "server/codec/little.h"
#include "server/codec/members.h"
#include "server/codec/number.h"

/* ---- which tensors there are ---- */

static void name_output(struct oip_output *o, const char *name, const char *more)
{
	snprintf(o->name, sizeof o->name, "%s%s", name, more);
}

size_t oip_outputs(const struct encoder *targets, struct oip_output *out)
{
	size_t columns = encoder_columns(targets), count = 0;

	for (size_t i = 0; i < columns; i++) {
		const struct encoder_column *column = encoder_column(targets, i);
		bool alone = columns == 1;

		out[count] = (struct oip_output){
			.column = i, .first = column->first, .width = column->width
		};
		name_output(&out[count++], alone ? "outputs" : column->name, "");
		if (column->kind != COLUMN_CATEGORY) continue;
		out[count] = out[count - 1];
		out[count].texts = true;
		name_output(&out[count++], alone ? "label" : column->name, alone ? "" : ".label");
	}
	return count;
}

/* ---- what is wished ---- */

static bool read_flag(struct scan_value said, const char *at, struct faults *faults)
{
	if (scan_kind(said) == 't' || scan_kind(said) == 'f') return scan_kind(said) == 't';
	faults_add(faults, ERR_INVALID, at, "must be true or false");
	return false;
}

/* The members of "parameters" that are known here; others are left alone, as the protocol wants it. */
static void read_parameters(
		struct scan_value said, const char *at, struct oip_wish *wish, struct faults *faults)
{
	char pointer[FAULT_POINTER_BYTES];

	if (!said.at) return;
	if (scan_kind(said) != '{') {
		faults_add(faults, ERR_INVALID, at, "must be an object");
		return;
	}
	for (struct scan_iter i = scan_begin(said); scan_next(&i);) {
		if (scan_equals(i.key, "binary_data"))
			wish->binary = read_flag(i.value, pointer_join(pointer, at, "binary_data"), faults);
		if (scan_equals(i.key, "classification"))
			member_whole(i.value, pointer_join(pointer, at, "classification"), 0, 1e6,
					&wish->classes, faults);
	}
}

static const struct oip_output *find_output(
		struct scan_value name, const struct oip_output *all, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (scan_equals(name, all[i].name)) return &all[i];
	return NULL;
}

static void read_wish(struct scan_value object, const char *at, const struct oip_output *all, size_t count,
		struct oip_wish *wish, struct faults *faults)
{
	static const char *const names[] = { "name", "parameters", NULL };
	struct scan_value found[2];
	char pointer[FAULT_POINTER_BYTES];
	size_t before = faults->count;

	members_read(object, names, found, at, faults);
	if (faults->count > before) return;
	if (!found[0].at || scan_kind(found[0]) != '"') {
		faults_add(faults, ERR_MISSING_FIELD, at, "needs a \"name\"");
		return;
	}
	if (!(wish->output = find_output(found[0], all, count)))
		faults_add(faults, ERR_INVALID, pointer_join(pointer, at, "name"),
				"is no output of this model; its metadata lists them");
	read_parameters(found[1], pointer_join(pointer, at, "parameters"), wish, faults);
	if (wish->output && wish->classes && (wish->output->texts || wish->output->width < 2))
		faults_add(faults, ERR_INVALID, pointer, "\"classification\" is of the scores of a category");
}

/* "binary_data_output" says how what is not asked for by name comes. */
static bool binary_output(struct scan_value parameters, struct faults *faults)
{
	bool binary = false;

	if (!parameters.at || scan_kind(parameters) != '{') return false;
	for (struct scan_iter i = scan_begin(parameters); scan_next(&i);)
		if (scan_equals(i.key, "binary_data_output"))
			binary = read_flag(i.value, "/parameters/binary_data_output", faults);
	return binary;
}

void oip_wishes_read(struct scan_value outputs, struct scan_value parameters, const struct oip_output *all,
		size_t count, struct oip_wish *out, size_t *wished, struct faults *faults)
{
	bool binary = binary_output(parameters, faults);
	char at[FAULT_POINTER_BYTES];

	*wished = 0;
	if (outputs.at && scan_kind(outputs) != '[') {
		faults_add(faults, ERR_INVALID, "/outputs", "must be an array of objects with a \"name\"");
		return;
	}
	if (outputs.at)
		for (struct scan_iter i = scan_begin(outputs); scan_next(&i);) {
			if (*wished == count) {
				faults_add(faults, ERR_INVALID, "/outputs",
						"has more than this model's outputs (%zu)", count);
				return;
			}
			out[*wished] = (struct oip_wish){ .binary = binary };
			read_wish(i.value, pointer_index(at, "/outputs", *wished), all, count, &out[*wished],
					faults);
			++*wished;
		}
	if (*wished) return;
	for (; *wished < count; ++*wished)
		out[*wished] = (struct oip_wish){ .output = &all[*wished], .binary = binary };
}

/* ---- writing ---- */

static void put_whole(struct buffer *out, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof text, "%llu", (unsigned long long)n);
	buffer_text(out, text);
}

static const struct encoder_column *column_of(const struct oip_answer *a, const struct oip_wish *w)
{
	return encoder_column(a->targets, w->output->column);
}

static const float *row_of(const struct oip_answer *a, const struct oip_wish *w, uint64_t row)
{
	return a->values + row * encoder_width(a->targets) + w->output->first;
}

/* The class with the highest score, the first of equals; NULL: all are NaN. */
static const char *best_class(const struct encoder_column *column, const float *scores)
{
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < column->width; i++)
		if (!isnan(scores[i]) && (best == SIZE_MAX || scores[i] > scores[best])) best = i;
	return best == SIZE_MAX ? NULL : column->values[best];
}

/* Does class a come before class b: a higher score, of equals a lower index; NaN is last. */
static bool comes_before(const float *scores, size_t a, size_t b)
{
	if (isnan(scores[a]) != isnan(scores[b])) return isnan(scores[b]);
	return scores[a] > scores[b] || (!(scores[a] < scores[b]) && a < b);
}

/* The class that comes next behind `last`; behind SIZE_MAX the first. */
static size_t next_class(const struct encoder_column *column, const float *scores, size_t last)
{
	size_t next = SIZE_MAX;

	for (size_t i = 0; i < column->width; i++) {
		if (last != SIZE_MAX && !comes_before(scores, last, i)) continue;
		if (next == SIZE_MAX || comes_before(scores, i, next)) next = i;
	}
	return next;
}

static uint64_t width_of(const struct oip_wish *w)
{
	if (w->output->texts) return 1;
	return w->classes && w->classes < w->output->width ? w->classes : w->output->width;
}

static bool is_text(const struct oip_wish *w)
{
	return w->output->texts || w->classes;
}

/* Of the classification extension: "score:index:label", as Triton writes it. */
static void make_class(
		const struct encoder_column *column, const float *scores, size_t i, struct buffer *text)
{
	text->size = 0;
	buffer_printf(text, "%f:%zu:", (double)scores[i], i);
	buffer_text(text, column->values[i]);
}

static void put_text(const struct buffer *text, bool binary, struct buffer *out)
{
	unsigned char length[4];

	if (!binary) {
		json_escape(out, text->data ? text->data : "", text->size);
		return;
	}
	put32(length, (uint32_t)text->size);
	buffer_add(out, (char *)length, sizeof length);
	if (text->size) buffer_add(out, text->data, text->size);
}

static void put_number(float value, bool binary, struct buffer *out)
{
	uint32_t bits;
	char *to;

	if (!(to = buffer_reserve(out, NUMBER_PRINT_MAX))) return;
	if (!binary) {
		out->size += number_print_float(value, to); /* not finite: null */
		return;
	}
	memcpy(&bits, &value, sizeof bits);
	put32(to, bits);
	out->size += sizeof bits;
}

/* The texts of a row. */
static void put_texts(const struct oip_answer *a, const struct oip_wish *w, uint64_t row, bool binary,
		struct buffer *text, struct buffer *out)
{
	const struct encoder_column *column = column_of(a, w);
	const float *scores = row_of(a, w, row);
	size_t class = SIZE_MAX;

	for (uint64_t i = 0; i < width_of(w); i++) {
		const char *best = w->classes ? NULL : best_class(column, scores);

		if (!binary && i) buffer_add(out, ",", 1);
		text->size = 0;
		if (w->classes)
			make_class(column, scores, class = next_class(column, scores, class), text);
		else
			buffer_text(text, best ? best : "");
		put_text(text, binary, out);
	}
}

/* The elements of a tensor, row after row. */
static void put_data(const struct oip_answer *a, const struct oip_wish *w, bool binary, struct buffer *out)
{
	struct buffer text = { 0 };

	for (uint64_t row = 0; row < a->rows; row++) {
		if (!binary && row) buffer_add(out, ",", 1);
		if (is_text(w)) {
			put_texts(a, w, row, binary, &text, out);
			continue;
		}
		for (uint64_t i = 0; i < width_of(w); i++) {
			if (!binary && i) buffer_add(out, ",", 1);
			put_number(row_of(a, w, row)[i], binary, out);
		}
	}
	if (!buffer_ok(&text)) out->failed = true;
	buffer_free(&text);
}

static void put_shape(const struct oip_answer *a, const struct oip_wish *w, struct buffer *out)
{
	buffer_text(out, ",\"shape\":[");
	put_whole(out, a->rows);
	if (!w->output->texts) {
		buffer_text(out, ",");
		put_whole(out, width_of(w));
	}
	buffer_text(out, is_text(w) ? "],\"datatype\":\"BYTES\"" : "],\"datatype\":\"FP32\"");
}

/* What a row of the tensor does not say: its first number that is not finite, or that a class has no score. NULL: nothing. */
static const char *unsaid(const struct oip_answer *a, const struct oip_wish *w, uint64_t row)
{
	const float *scores = row_of(a, w, row);

	if (w->classes || (w->binary && !is_text(w))) return NULL; /* they have the number itself */
	for (size_t i = 0; i < w->output->width; i++)
		if (w->output->texts && !isnan(scores[i]))
			return NULL;
		else if (!w->output->texts && !isfinite(scores[i]))
			return answers_kind(scores[i]);
	return w->output->texts ? "nan" : NULL;
}

/* The parameters of a tensor. The protocol has texts, numbers and truths there, but no arrays. */
static void put_parameters(
		const struct oip_answer *a, const struct oip_wish *w, size_t raw_bytes, struct buffer *out)
{
	size_t count = 0;
	const char *kind;

	if (w->binary) {
		buffer_text(out, ",\"parameters\":{\"binary_data_size\":");
		put_whole(out, raw_bytes);
	}
	for (uint64_t row = 0; row < a->rows && count < ANSWERS_NONFINITE_MAX; row++) {
		if (!(kind = unsaid(a, w, row))) continue;
		if (!count) buffer_text(out, w->binary ? "," : ",\"parameters\":{");
		buffer_text(out, count++ ? ", row " : "\"nonfinite\":\"row ");
		put_whole(out, row);
		buffer_text(out, ": ");
		buffer_text(out, kind);
	}
	if (count) buffer_text(out, "\"");
	if (count || w->binary) buffer_text(out, "}");
}

/* One a line. */
static void put_warnings(const struct rows *rows, struct buffer *out)
{
	size_t count = rows ? rows_warnings(rows) : 0;
	struct buffer text = { 0 };

	if (!count) return;
	for (size_t i = 0; i < count; i++) {
		if (i) buffer_text(&text, "\n");
		buffer_text(&text, rows_warning(rows, i));
	}
	buffer_text(out, ",\"parameters\":{\"warnings\":");
	json_escape(out, text.data ? text.data : "", text.size);
	buffer_text(out, "}");
	if (!buffer_ok(&text)) out->failed = true;
	buffer_free(&text);
}

static void put_head(const struct oip_answer *a, struct buffer *out)
{
	buffer_text(out, "{\"model_name\":");
	json_escape(out, a->model, strlen(a->model));
	buffer_text(out, ",\"model_version\":\"");
	put_whole(out, a->version);
	buffer_text(out, "\"");
	if (a->id.at) {
		buffer_text(out, ",\"id\":");
		buffer_add(out, a->id.at, (size_t)(a->id.end - a->id.at));
	}
	buffer_text(out, ",\"outputs\":[");
}

void oip_write(const struct oip_answer *a, struct buffer *out, size_t *json_bytes)
{
	struct buffer raw = { 0 };

	put_head(a, out);
	for (size_t i = 0; i < a->count; i++) {
		const struct oip_wish *w = &a->wishes[i];
		size_t before = raw.size;

		buffer_text(out, i ? ",{\"name\":" : "{\"name\":");
		json_escape(out, w->output->name, strlen(w->output->name));
		put_shape(a, w, out);
		if (w->binary) {
			put_data(a, w, true, &raw);
		} else {
			buffer_text(out, ",\"data\":[");
			put_data(a, w, false, out);
			buffer_text(out, "]");
		}
		put_parameters(a, w, raw.size - before, out);
		buffer_text(out, "}");
	}
	buffer_text(out, "]");
	put_warnings(a->asked, out);
	buffer_text(out, "}");
	*json_bytes = 0;
	for (size_t i = 0; i < a->count; i++)
		if (a->wishes[i].binary) *json_bytes = out->size;
	if (raw.size) buffer_add(out, raw.data, raw.size);
	if (!buffer_ok(&raw)) out->failed = true;
	buffer_free(&raw);
}
