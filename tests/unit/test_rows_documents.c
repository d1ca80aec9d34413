/* test_rows_documents.c - the reader of rows against jansson and strtof, on documents made up at random.
 *
 * jansson says whether a text is JSON, and its tree which cells and rows there are: the scanner must agree on the first
 * and the reader on the second. What a number is worth strtof says, of the digits in the text, bit for bit.
 *
 * Where jansson and the reader promise different things, this file knows it: more than JSON_DEPTH_MAX levels are
 * refused (json.h), a NUL byte is (jansson passes one behind a number), and a number that is too large for a double
 * is JSON, although jansson stops there: it is shown a zero in its place.
 *
 * DOCUMENTS=1000000 reads so many.
 */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "server/codec/json.h"
#include "server/codec/rows.h"
#include "server/codec/scan.h"
#include "tests/unit/rows_documents.h"

#define DOCUMENTS 60000
#define ROWS_ROOM 64      /* damage may make more of them */
#define FILL      (-7.0f) /* what stands for a missing number */
#define CELLS     ((size_t)ROWS_ROOM * DOCUMENT_COLUMNS)

enum verdict {
	BROKEN,  /* is not JSON */
	NO_ROWS, /* is, without "instances" */
	FAULTY,  /* has rows, and something wrong with them */
	CLEAN,
	VERDICTS
};

/* What ought to come of a document. */
struct judgement {
	enum verdict verdict;
	const struct document *document;
	const char *at; /* in its text: behind the number that was looked at last */
	size_t columns, rows;
	float x[CELLS];   /* (rows, columns) */
	bool open[CELLS]; /* a string, which may be a number: others test that */
	bool strings;     /* there is one */
};

/* Ends the test with the document, whose bytes may be anything. */
#define expect(condition, d, ...)                                                                        \
	do {                                                                                             \
		if (!(condition)) {                                                                      \
			fprintf(stderr, "document of %zu columns: %.*s\n", (d)->columns, (int)(d)->size, \
					(d)->text);                                                      \
			ck_abort_msg(__VA_ARGS__);                                                       \
		}                                                                                        \
	} while (0)

/* ---- what jansson says ---- */

/* Writes "0e000", behind which no more of a number can stand, over the digits of the one that ends before text + end.
 * false: there is none. */
static bool write_zero(char *text, size_t end)
{
	size_t at = end;

	while (at && text[at - 1] && strchr("+-.0123456789eE", text[at - 1])) {
		if (text[at - 1] == '-' && (at == 1 || (text[at - 2] | 0x20) != 'e')) break;
		text[--at] = '0';
	}
	if (end - at < 3) return false;
	text[at + 1] = 'e';
	return true;
}

/* New, or NULL when the text is not JSON. *twice: a key is in an object two times. */
static json_t *load(const struct document *d, bool *twice)
{
	static char text[DOCUMENT_BYTES];
	size_t flags = JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_REJECT_DUPLICATES;
	json_error_t why;
	json_t *tree;

	*twice = false;
	memcpy(text, d->text, d->size);
	if (memchr(text, 0, d->size)) return NULL;
	while (!(tree = json_loadb(text, d->size, flags, &why))) {
		if (json_error_code(&why) == json_error_duplicate_key) {
			*twice = true;
			flags &= ~(size_t)JSON_REJECT_DUPLICATES;
		} else if (json_error_code(&why) != json_error_numeric_overflow ||
				!write_zero(text, (size_t)why.position)) {
			return NULL;
		}
	}
	return tree;
}

/* Behind the string at `at` of a text that is JSON. */
static const char *behind_string(const char *at)
{
	for (at++; *at != '"'; at++)
		if (*at == '\\') at++;
	return at + 1;
}

/* How deep are the brackets of a text that is JSON? */
static size_t levels(const struct document *d)
{
	size_t depth = 0, most = 0;

	for (const char *at = d->text; at < d->text + d->size;) {
		if (*at == '"') {
			at = behind_string(at);
			continue;
		}
		if (*at == '[' || *at == '{') depth++;
		if (*at == ']' || *at == '}') depth--;
		if (depth > most) most = depth;
		at++;
	}
	return most;
}

/* ---- what ought to come of the rows ---- */

/* The value of the text's next number, which is this one of the tree: that has its members in the order of the text. */
static float judge_number(struct judgement *j, const json_t *number)
{
	const char *at = j->at;
	double wide;
	char *end;
	float x;

	while (*at != '-' && (*at < '0' || *at > '9'))
		at = *at == '"' ? behind_string(at) : at + 1;
	wide = strtod(at, &end);
	expect(isinf(wide) || wide == json_real_value(number), j->document, "the tree has %g for %.40s",
			json_real_value(number), at);
	x = strtof(at, NULL);
	if (isinf(x)) j->verdict = FAULTY;
	j->at = end;
	return x;
}

/* What is no cell: passes the numbers in it. */
static void judge_wrong(struct judgement *j, json_t *value)
{
	const char *key;
	json_t *item;
	size_t i;

	j->verdict = FAULTY;
	if (json_is_real(value)) judge_number(j, value);
	json_array_foreach(value, i, item) judge_wrong(j, item);
	json_object_foreach(value, key, item) judge_wrong(j, item);
}

static void judge_cell(struct judgement *j, size_t row, size_t column, json_t *value)
{
	json_t *inner = json_array_size(value) == 1 ? json_array_get(value, 0) : value;
	size_t at = row * j->columns + column;

	switch (json_typeof(inner)) {
	case JSON_REAL: j->x[at] = judge_number(j, inner); break;
	case JSON_TRUE: j->x[at] = 1; break;
	case JSON_FALSE: j->x[at] = 0; break;
	case JSON_NULL: break; /* missing */
	case JSON_STRING: j->strings = j->open[at] = true; break;
	default: judge_wrong(j, inner);
	}
}

static size_t find_name(const struct judgement *j, const char *name)
{
	size_t column = 0;

	while (column < j->columns && strcmp(name, document_names[column]))
		column++;
	return column;
}

static void judge_row(struct judgement *j, size_t row, json_t *value)
{
	const char *key;
	json_t *cell;
	size_t i;

	if (json_is_object(value)) {
		json_object_foreach(value, key, cell)
		{
			i = find_name(j, key);
			if (i < j->columns)
				judge_cell(j, row, i, cell);
			else
				judge_wrong(j, cell);
		}
	} else if (json_is_array(value)) {
		if (json_array_size(value) != j->columns) j->verdict = FAULTY;
		json_array_foreach(value, i, cell)
		{
			if (i < j->columns)
				judge_cell(j, row, i, cell);
			else
				judge_wrong(j, cell);
		}
	} else if (j->columns == 1) {
		judge_cell(j, row, 0, value);
	} else {
		judge_wrong(j, value);
	}
}

static void judge_columns(struct judgement *j, json_t *object)
{
	const char *name;
	json_t *values, *cell;
	size_t column, row, found = 0;

	json_object_foreach(object, name, values)
	{
		column = find_name(j, name);
		if (column == j->columns || !json_is_array(values)) {
			judge_wrong(j, values);
			continue;
		}
		if (found++ && json_array_size(values) != j->rows) j->verdict = FAULTY;
		j->rows = json_array_size(values);
		json_array_foreach(values, row, cell) judge_cell(j, row, column, cell);
	}
	if (!found) j->verdict = FAULTY;
}

static void judge_rows(struct judgement *j, json_t *instances)
{
	json_t *row;
	size_t i;

	if (json_is_array(instances)) {
		j->rows = json_array_size(instances);
		json_array_foreach(instances, i, row) judge_row(j, i, row);
	} else if (json_is_object(instances)) {
		judge_columns(j, instances);
	} else {
		j->verdict = FAULTY;
	}
}

/* Of a key that is there twice the tree has one, which is not the order of the text: all that is known is that it is a
 * fault. */
static void judge_tree(struct judgement *j, json_t *tree, bool twice)
{
	const char *key;
	json_t *value;

	j->verdict = NO_ROWS;
	json_object_foreach(tree, key, value)
	{
		if (strcmp(key, "instances")) continue;
		j->verdict = twice ? FAULTY : CLEAN;
		if (!twice) judge_rows(j, value);
	}
}

static void judge(struct judgement *j, const struct document *d)
{
	json_t *tree;
	bool twice;

	*j = (struct judgement){ .verdict = BROKEN, .document = d, .at = d->text, .columns = d->columns };
	for (size_t i = 0; i < CELLS; i++)
		j->x[i] = FILL;
	if (!(tree = load(d, &twice))) return;
	if (levels(d) <= JSON_DEPTH_MAX) judge_tree(j, tree, twice);
	json_decref(tree);
}

/* ---- what comes of them ---- */

struct reader {
	struct encoder *encoders[DOCUMENT_COLUMNS]; /* of 1, 2, … columns */
	struct rows *rows;
	struct faults faults;
	float x[CELLS];
};

static void open_reader(struct reader *r)
{
	struct column_spec specs[DOCUMENT_COLUMNS];

	for (size_t i = 0; i < DOCUMENT_COLUMNS; i++) {
		struct encoder_column learnt;

		specs[i] = (struct column_spec){ .name = document_names[i], .kind = COLUMN_NUMBER };
		ck_assert(!encoder_new(&r->encoders[i], specs, i + 1, ENCODER_INPUTS, NORMALIZE_NONE,
				MISSING_MEAN, NULL));
		for (size_t c = 0; c <= i; c++) {
			learnt = *encoder_column(r->encoders[i], c);
			learnt.fill = (double)FILL;
			encoder_restore(r->encoders[i], c, &learnt);
		}
	}
	ck_assert(!rows_new(&r->rows, NULL));
}

static void close_reader(struct reader *r)
{
	for (size_t i = 0; i < DOCUMENT_COLUMNS; i++)
		encoder_free(r->encoders[i]);
	rows_free(r->rows);
}

static const char *const verdicts[VERDICTS] = { "is no JSON", "has no rows", "has faults", "is clean" };

static void compare_rows(
		const struct reader *r, const struct judgement *j, const struct document *d, size_t n)
{
	expect(n == j->rows, d, "%zu rows, not %zu", n, j->rows);
	for (size_t i = 0; i < n * j->columns; i++)
		expect(j->open[i] || !memcmp(&r->x[i], &j->x[i], sizeof *r->x), d,
				"row %zu, cell %zu: %a, not %a", i / j->columns, i % j->columns, r->x[i],
				j->x[i]);
}

static void read_rows(struct reader *r, const struct judgement *j, const struct document *d,
		struct scan_value instances)
{
	size_t n = 0, got = 1, step = one_in(3) ? ROWS_ROOM : 1 + any_below(3);
	struct err e;

	r->faults.count = r->faults.more = 0;
	rows_begin(r->rows, r->encoders[j->columns - 1], instances, "/instances", &r->faults, &e);
	while (got) {
		if (step > ROWS_ROOM - n) step = ROWS_ROOM - n;
		expect(step, d, "more than %d rows", ROWS_ROOM);
		expect(!rows_next(r->rows, step, r->x + n * j->columns, &got, &e), d, "%s", e.text);
		n += got;
	}
	if (j->verdict == FAULTY)
		expect(r->faults.count, d, "no fault was found");
	else if (!r->faults.count)
		compare_rows(r, j, d, n);
	else
		expect(j->strings, d, "%s: %s", r->faults.items[0].pointer, r->faults.items[0].detail);
}

/* In a block of exactly its size, so that a look outside of it is seen. */
static void read_document(struct reader *r, const struct judgement *j, const struct document *d)
{
	char *block = malloc(d->size ? d->size : 1);
	struct scan_value value;
	struct scan_iter i;
	bool found = false;
	struct err e;
	int rc;

	memcpy(block, d->text, d->size);
	rc = scan_check(block, d->size, &value, &e);
	expect(!rc || rc == ERR_JSON, d, "error %d", rc);
	expect((rc != 0) == (j->verdict == BROKEN), d, "it %s, but the scanner says: %s",
			verdicts[j->verdict], rc ? e.text : "well-formed");
	if (!rc && scan_kind(value) == '{') {
		for (i = scan_begin(value); !found && scan_next(&i);)
			found = scan_equals(i.key, "instances");
		if (found) read_rows(r, j, d, i.value);
	}
	expect(rc || found == (j->verdict != NO_ROWS), d, "\"instances\" is there: %d", found);
	free(block);
}

START_TEST(documents)
{
	static struct document d;
	static struct judgement j;
	static struct reader r;
	long count = suite_count("DOCUMENTS", DOCUMENTS), seen[VERDICTS] = { 0 };

	open_reader(&r);
	for (long i = 0; i < count; i++) {
		make_document(&d);
		judge(&j, &d);
		expect(d.damage != WHOLE || j.verdict >= FAULTY, &d, "a whole document %s",
				verdicts[j.verdict]);
		read_document(&r, &j, &d);
		seen[j.verdict]++;
	}
	close_reader(&r);
	for (int v = 0; v < VERDICTS; v++)
		printf("%ld documents: %s\n", seen[v], verdicts[v]);
	ck_assert(seen[BROKEN] > count / 20 && seen[FAULTY] > count / 20 && seen[CLEAN] > count / 20);
}
END_TEST

int main(void)
{
	const TTest *tests[] = { documents, NULL };

	return suite_main("rows_documents", tests, 600);
}
