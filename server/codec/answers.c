/* answers.c - scores to JSON text, without a tree. See answers.h.
 *
 * Predictions go straight into the caller's buffer; labels, which follow them in the text, wait in a buffer of our
 * own. Any allocation that fails makes the caller's buffer a failed one, so that there is one place to look at.
 */
#include "server/codec/answers.h"

#include <math.h>
#include <stdlib.h>

#include "server/codec/json.h"
#include "server/codec/number.h"

#define LABELS_KEEP_BYTES (1u << 20) /* more is given back before the next answer */
#define DIGITS_MAX        20         /* of 64 bits */

struct nonfinite {
	uint64_t row;
	const char *output;
	const char *kind;
};

struct answers {
	enum answer_form form;
	const struct encoder *targets;
	struct buffer *out;
	uint64_t rows; /* written so far */
	bool labelled;
	struct buffer labels;
	uint32_t *order; /* classes by score, for ANSWER_CLASSES */
	size_t order_capacity;
	size_t nonfinite_count;
	struct nonfinite nonfinite[ANSWERS_NONFINITE_MAX];
};

int answers_new(struct answers **out, struct err *e)
{
	*out = calloc(1, sizeof **out);
	return *out ? 0 : err_nomem(e);
}

void answers_free(struct answers *answers)
{
	if (!answers) return;
	buffer_free(&answers->labels);
	free(answers->order);
	free(answers);
}

/* ---- numbers ---- */

static void put_char(struct buffer *out, char c)
{
	buffer_add(out, &c, 1);
}

static void put_whole(struct buffer *out, uint64_t number)
{
	char digits[DIGITS_MAX];
	size_t at = sizeof digits;

	do {
		digits[--at] = (char)('0' + number % 10);
	} while (number /= 10);
	buffer_add(out, digits + at, sizeof digits - at);
}

const char *answers_kind(float value)
{
	if (isnan(value)) return "nan";
	return value > 0 ? "inf" : "-inf";
}

static void note_nonfinite(struct answers *answers, const char *output, float value)
{
	struct nonfinite *next = &answers->nonfinite[answers->nonfinite_count];

	if (answers->nonfinite_count == ANSWERS_NONFINITE_MAX) return;
	if (answers->nonfinite_count && next[-1].row == answers->rows && next[-1].output == output) return;
	*next = (struct nonfinite){ answers->rows, output, answers_kind(value) };
	answers->nonfinite_count++;
}

/* A score of a column, or of a number its value in the users' units. */
static void put_score(struct answers *answers, size_t column, float score)
{
	const struct encoder_column *shown = encoder_column(answers->targets, column);
	char *to = buffer_reserve(answers->out, NUMBER_PRINT_MAX);

	if (!to) return;
	if (shown->kind == COLUMN_NUMBER)
		score = (float)encoder_number(answers->targets, column, (double)score);
	if (!isfinite(score)) note_nonfinite(answers, shown->name, score);
	answers->out->size += number_print_float(score, to); /* not finite: null */
}

/* ---- predictions and labels ---- */

static void put_scores(struct answers *answers, size_t column, const float *row)
{
	const struct encoder_column *shown = encoder_column(answers->targets, column);

	put_char(answers->out, '[');
	for (size_t i = 0; i < shown->width; i++) {
		if (i) put_char(answers->out, ',');
		put_score(answers, column, row[shown->first + i]);
	}
	put_char(answers->out, ']');
}

static void put_label(struct buffer *out, const struct encoder_column *shown, const float *row)
{
	const float *scores = row + shown->first;
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < shown->width; i++)
		if (!isnan(scores[i]) && (best == SIZE_MAX || scores[i] > scores[best])) best = i;
	if (best == SIZE_MAX)
		buffer_text(out, "null");
	else
		json_escape(out, shown->values[best], strlen(shown->values[best]));
}

/* The name of a member of an object that has `count` so far. */
static void put_name(struct buffer *out, const char *name, size_t count)
{
	put_char(out, count ? ',' : '{');
	json_escape(out, name, strlen(name));
	put_char(out, ':');
}

static void put_prediction(struct answers *answers, const float *row)
{
	size_t columns = encoder_columns(answers->targets), labels = 0;

	if (answers->labelled && answers->rows) put_char(&answers->labels, ',');
	for (size_t i = 0; i < columns; i++) {
		const struct encoder_column *shown = encoder_column(answers->targets, i);

		if (columns > 1) put_name(answers->out, shown->name, i);
		put_scores(answers, i, row);
		if (shown->kind != COLUMN_CATEGORY) continue;
		if (columns > 1) put_name(&answers->labels, shown->name, labels++);
		put_label(&answers->labels, shown, row);
	}
	if (columns > 1) put_char(answers->out, '}');
	if (labels) put_char(&answers->labels, '}');
}

/* ---- classes and numbers ---- */

/* Does class a come before class b? NaN comes last. */
static bool before(const float *scores, uint32_t a, uint32_t b)
{
	if (isnan(scores[a]) || isnan(scores[b]))
		return isnan(scores[a]) == isnan(scores[b]) ? a < b : isnan(scores[b]);
	return scores[a] == scores[b] ? a < b : scores[a] > scores[b];
}

/* Lets the item at `root` sink in the heap of n, whose top comes last. */
static void sift(uint32_t *heap, size_t root, size_t n, const float *scores)
{
	uint32_t item = heap[root];
	size_t child;

	for (; (child = 2 * root + 1) < n; root = child) {
		if (child + 1 < n && before(scores, heap[child], heap[child + 1])) child++;
		if (!before(scores, item, heap[child])) break;
		heap[root] = heap[child];
	}
	heap[root] = item;
}

/* Heapsort (J. W. J. Williams, CACM 7, 1964): qsort may allocate. */
static void sort_classes(uint32_t *order, size_t n, const float *scores)
{
	for (size_t i = 0; i < n; i++)
		order[i] = (uint32_t)i;
	for (size_t i = n / 2; i-- > 0;)
		sift(order, i, n, scores);
	for (size_t last = n; last-- > 1;) {
		uint32_t top = order[0];

		order[0] = order[last];
		order[last] = top;
		sift(order, 0, last, scores);
	}
}

static void put_classes(struct answers *answers, const float *row)
{
	const struct encoder_column *shown = encoder_column(answers->targets, 0);

	if (!answers->order_capacity) return;
	sort_classes(answers->order, shown->width, row);
	put_char(answers->out, '[');
	for (size_t i = 0; i < shown->width; i++) {
		const char *value = shown->values[answers->order[i]];

		buffer_text(answers->out, i ? ",[" : "[");
		json_escape(answers->out, value, strlen(value));
		put_char(answers->out, ',');
		put_score(answers, 0, row[answers->order[i]]);
		put_char(answers->out, ']');
	}
	put_char(answers->out, ']');
}

static void put_number(struct answers *answers, const float *row)
{
	put_score(answers, 0, *row);
}

static const struct form {
	const char *head;
	void (*put_row)(struct answers *answers, const float *row);
	bool labelled;
} forms[] = {
	[ANSWER_PREDICTIONS] = { "{\"predictions\":[", put_prediction, true },
	[ANSWER_MEMBERS] = { ",\"predictions\":[", put_prediction, true },
	[ANSWER_OUTPUTS] = { "{\"outputs\":[", put_prediction, true },
	[ANSWER_CLASSES] = { "{\"results\":[", put_classes, false },
	[ANSWER_NUMBERS] = { "{\"results\":[", put_number, false },
};

/* ---- what answers.h promises ---- */

static void reserve_order(struct answers *answers, size_t classes)
{
	if (classes <= answers->order_capacity) return;
	free(answers->order);
	answers->order = malloc(classes * sizeof *answers->order); /* at most NET_UNITS_MAX */
	answers->order_capacity = answers->order ? classes : 0;
	if (!answers->order) answers->out->failed = true;
}

void answers_begin(struct answers *answers, enum answer_form form, const struct encoder *targets,
		struct buffer *out)
{
	answers->form = form;
	answers->targets = targets;
	answers->out = out;
	answers->rows = 0;
	answers->labelled = false;
	for (size_t i = 0; i < encoder_columns(targets) && forms[form].labelled; i++)
		answers->labelled |= encoder_column(targets, i)->kind == COLUMN_CATEGORY;
	buffer_reset(&answers->labels, LABELS_KEEP_BYTES);
	answers->nonfinite_count = 0;
	if (form == ANSWER_CLASSES) reserve_order(answers, encoder_width(targets));
	buffer_text(out, forms[form].head);
}

void answers_add(struct answers *answers, const float *scores, size_t rows)
{
	size_t width = encoder_width(answers->targets);

	for (size_t i = 0; i < rows; i++, answers->rows++) {
		if (answers->rows) put_char(answers->out, ',');
		forms[answers->form].put_row(answers, scores + i * width);
	}
}

static void put_warnings(struct buffer *out, const struct rows *rows)
{
	size_t count = rows ? rows_warnings(rows) : 0;

	for (size_t i = 0; i < count; i++) {
		buffer_text(out, i ? "," : ",\"warnings\":[");
		json_escape(out, rows_warning(rows, i), strlen(rows_warning(rows, i)));
	}
	if (count) put_char(out, ']');
}

static void put_nonfinite(struct buffer *out, const struct nonfinite *items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		buffer_text(out, i ? ",{\"row\":" : ",\"nonfinite\":[{\"row\":");
		put_whole(out, items[i].row);
		buffer_text(out, ",\"output\":");
		json_escape(out, items[i].output, strlen(items[i].output));
		buffer_text(out, ",\"kind\":\"");
		buffer_text(out, items[i].kind);
		buffer_text(out, "\"}");
	}
	if (count) put_char(out, ']');
}

void answers_end(struct answers *answers, uint64_t model_version, const struct rows *rows)
{
	struct buffer *out = answers->out;

	put_char(out, ']');
	if (answers->labelled) {
		buffer_text(out, ",\"labels\":[");
		buffer_add(out, answers->labels.data, answers->labels.size);
		put_char(out, ']');
		out->failed |= answers->labels.failed;
	}
	if (model_version) {
		buffer_text(out, ",\"model_version\":\"");
		put_whole(out, model_version);
		put_char(out, '"');
	}
	put_warnings(out, rows);
	put_nonfinite(out, answers->nonfinite, answers->nonfinite_count);
	put_char(out, '}');
}
