/* source.c - rows of a stored data set for a network. See source.h. */
#include "server/jobs/source.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/names.h"
#include "server/codec/column_type.h"
#include "server/codec/json.h"
#include "server/codec/number.h"
#include "server/codec/segment.h"

/* A column of an encoder and where its cells come from. */
struct feed {
	const struct encoder *encoder;
	size_t encoder_column;
	const struct encoder_column *column;
	uint64_t stored_column;
	enum column_kind stored;
	uint32_t *slot_of_code; /* (codes_count), of a stored category */
	uint32_t codes_count;
	double *numbers; /* (room), the group's cells: one of the two, or both while numbers become values */
	uint32_t *slots;
};

struct source {
	struct store *store;
	const struct store_revision *revision;
	struct feed *feeds; /* inputs, then targets */
	size_t count, inputs;
	struct feed weights;               /* column NULL: not read */
	bool gaps;                         /* a row may miss some of its targets */
	bool targets_only;                 /* inputs and weights are not read */
	size_t room;                       /* rows that the feeds' memory holds */
	uint64_t first, next_first, group; /* first row of the group that is read, of the one after it */
	size_t rows;
	struct store_bytes bytes;
};

/* ---- joining ---- */

static json_t *find_stored(const json_t *columns, const char *name, size_t *at)
{
	for (*at = 0; *at < json_array_size(columns); ++*at) {
		json_t *column = json_array_get(columns, *at);

		if (!strcmp(json_string_value(json_object_get(column, "name")), name)) return column;
	}
	return NULL;
}

static int map_codes(struct source *s, struct feed *feed, struct err *e)
{
	struct dictionary dictionary = { 0 };
	int rc;

	if ((rc = s->store->dictionary_read(s->store, s->revision->id, feed->stored_column, &s->bytes, e)))
		return rc;
	if ((rc = dictionary_read(s->bytes.data, s->bytes.size, &dictionary, e))) return rc;
	feed->codes_count = (uint32_t)dictionary.count;
	if (!(feed->slot_of_code = calloc(dictionary.count + 1, sizeof *feed->slot_of_code)))
		rc = err_nomem(e);
	for (size_t i = 0; !rc && i < dictionary.count; i++)
		feed->slot_of_code[i] = encoder_slot(feed->encoder, feed->encoder_column,
				dictionary.values[i], dictionary.lengths[i]);
	dictionary_clear(&dictionary);
	return rc;
}

/* The stored columns by their names: a table may have 100,000, and a model a feed for each. *names is new (free), and
 * what *index looks into; both are NULL on error. */
static int index_stored(const json_t *columns, const char ***names, struct names **index, struct err *e)
{
	size_t count = json_array_size(columns), duplicate;
	int rc;

	*index = NULL;
	if (!(*names = calloc(count + 1, sizeof **names))) return err_nomem(e);
	for (size_t i = 0; i < count; i++)
		(*names)[i] = json_string_value(json_object_get(json_array_get(columns, i), "name"));
	if (!(rc = names_new(index, *names, count, &duplicate))) return 0;
	free(*names);
	*names = NULL;
	return err_set(e, rc, "the columns of the data set cannot be looked up");
}

static int join(struct source *s, const json_t *columns, const struct names *index, struct feed *feed,
		struct err *e)
{
	const char *dataset = s->revision->dataset ? s->revision->dataset : "the data";
	const json_t *stored;
	size_t at;

	feed->column = encoder_column(feed->encoder, feed->encoder_column);
	if ((at = names_find(index, feed->column->name, strlen(feed->column->name))) == NAMES_NONE)
		return err_set(e, ERR_INVALID, "%s has no column \"%.64s\", which the model needs", dataset,
				feed->column->name);
	stored = json_array_get(columns, at);
	feed->stored_column = at;
	feed->stored = column_type_kind(column_type_stored(stored));
	if (kind_feeds(feed->stored, feed->column->kind))
		return encoder_is_numeric(feed->stored) ? 0 : map_codes(s, feed, e);
	return err_set(e, ERR_INVALID, "the column \"%.64s\" of %s holds %s, and the model needs %s",
			feed->column->name, dataset, kind_holds[feed->stored],
			kind_holds[feed->column->kind]);
}

int source_new(struct source **out, struct store *store, const struct store_revision *revision,
		const struct encoder *inputs, const struct encoder *targets, struct err *e)
{
	struct source *s = calloc(1, sizeof *s);
	json_t *columns = NULL;
	struct names *index = NULL;
	const char **names = NULL;
	int rc;

	*out = NULL;
	if (!s) return err_nomem(e);
	s->store = store;
	s->revision = revision;
	s->inputs = encoder_columns(inputs);
	s->count = s->inputs + encoder_columns(targets);
	s->group = UINT64_MAX;
	if ((rc = json_read_stored(revision->columns, &columns, e)) ||
			(rc = index_stored(columns, &names, &index, e)))
		goto out;
	if (!(s->feeds = calloc(s->count, sizeof *s->feeds))) {
		rc = err_nomem(e);
		goto out;
	}
	for (size_t i = 0; i < s->count && !rc; i++) {
		s->feeds[i].encoder = i < s->inputs ? inputs : targets;
		s->feeds[i].encoder_column = i < s->inputs ? i : i - s->inputs;
		rc = join(s, columns, index, &s->feeds[i], e);
	}
out:
	names_free(index);
	free(names);
	json_decref(columns);
	if (rc)
		source_free(s);
	else
		*out = s;
	return rc;
}

int source_read_weights(struct source *s, const char *name, struct err *e)
{
	static const struct encoder_column number = { .kind = COLUMN_NUMBER };
	json_t *columns = NULL, *stored;
	size_t at;
	int rc = json_read_stored(s->revision->columns, &columns, e);

	if (rc) return rc;
	stored = find_stored(columns, name, &at);
	if (!stored)
		rc = err_set(e, ERR_INVALID, "there is no column \"%.64s\" of weights", name);
	else if (strcmp(json_string_value(json_object_get(stored, "type")), "number"))
		rc = err_set(e, ERR_INVALID, "the column \"%.64s\" holds words, and weights are numbers",
				name);
	else
		s->weights = (struct feed){ .column = &number, .stored_column = at, .stored = COLUMN_NUMBER };
	json_decref(columns);
	return rc;
}

void source_allow_gaps(struct source *s)
{
	s->gaps = true;
}

void source_targets_only(struct source *s, bool only)
{
	s->targets_only = only;
	s->group = UINT64_MAX;
}

void source_free(struct source *s)
{
	if (!s) return;
	for (size_t i = 0; s->feeds && i < s->count; i++) {
		free(s->feeds[i].slot_of_code);
		free(s->feeds[i].numbers);
		free(s->feeds[i].slots);
	}
	free(s->feeds);
	free(s->weights.numbers);
	store_bytes_clear(&s->bytes);
	free(s);
}

/* ---- reading ---- */

uint64_t source_groups(const struct source *s)
{
	return s->revision->groups;
}

/* False: no memory. */
static bool make_feed_room(struct feed *feed, size_t rows)
{
	bool numbers = encoder_is_numeric(feed->stored), slots = feed->column->kind == COLUMN_CATEGORY;

	free(feed->numbers);
	free(feed->slots);
	feed->numbers = numbers ? calloc(rows, sizeof *feed->numbers) : NULL;
	feed->slots = slots ? calloc(rows, sizeof *feed->slots) : NULL;
	return (!numbers || feed->numbers) && (!slots || feed->slots);
}

static int make_room(struct source *s, size_t rows, struct err *e)
{
	bool complete = true;

	if (rows <= s->room) return 0;
	for (size_t i = 0; i < s->count; i++)
		complete &= make_feed_room(&s->feeds[i], rows);
	if (s->weights.column) complete &= make_feed_room(&s->weights, rows);
	s->room = complete ? rows : 0;
	return complete ? 0 : err_nomem(e);
}

/* Numbers in a category: each is the value that its shortest decimal form spells. */
static void numbers_to_slots(const struct feed *feed, size_t rows)
{
	char text[NUMBER_PRINT_MAX];

	for (size_t i = 0; i < rows; i++)
		feed->slots[i] = isnan(feed->numbers[i])
						 ? SLOT_MISSING
						 : encoder_slot(feed->encoder, feed->encoder_column, text,
								   number_print_double(
										   feed->numbers[i], text));
}

static void codes_to_slots(const struct feed *feed, size_t rows)
{
	for (size_t i = 0; i < rows; i++)
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): a feed of codes has slots */
		feed->slots[i] = feed->slots[i] == SEGMENT_CODE_MISSING ? SLOT_MISSING
									: feed->slot_of_code[feed->slots[i]];
}

static int read_feed(struct source *s, struct feed *feed, uint64_t group, size_t *rows, struct err *e)
{
	size_t found;
	int rc = s->store->segment_read(s->store, s->revision->id, group, feed->stored_column, &s->bytes, e);

	if (rc || (rc = segment_rows(s->bytes.data, s->bytes.size, &found, e))) return rc;
	if (feed == s->feeds + (s->targets_only ? s->inputs : 0)) { /* the first */
		*rows = found;
		if ((rc = make_room(s, found, e))) return rc;
	}
	if (found != *rows)
		return err_set(e, ERR_CORRUPT, "the columns of a stored row group differ in length");
	if (encoder_is_numeric(feed->stored))
		rc = segment_read_numbers(s->bytes.data, s->bytes.size, feed->numbers, e);
	else
		rc = segment_read_codes(s->bytes.data, s->bytes.size, feed->codes_count, feed->slots, e);
	if (rc) return rc;
	if (feed->stored == COLUMN_CATEGORY)
		codes_to_slots(feed, found);
	else if (feed->column->kind == COLUMN_CATEGORY)
		numbers_to_slots(feed, found);
	return 0;
}

int source_read(struct source *s, uint64_t group, uint64_t *first, size_t *rows, struct err *e)
{
	int rc;

	if (group == 0) s->next_first = 0;
	if (group != s->group || group == 0) {
		s->group = UINT64_MAX;
		for (size_t i = s->targets_only ? s->inputs : 0; i < s->count; i++)
			if ((rc = read_feed(s, &s->feeds[i], group, &s->rows, e))) return rc;
		if (s->weights.column && !s->targets_only &&
				(rc = read_feed(s, &s->weights, group, &s->rows, e)))
			return rc;
		s->first = s->next_first;
		s->next_first += s->rows;
		s->group = group;
	}
	*first = s->first;
	*rows = s->rows;
	return 0;
}

/* ---- using ---- */

static bool has_cell(const struct feed *feed, size_t row)
{
	return feed->column->kind == COLUMN_CATEGORY ? feed->slots[row] != SLOT_MISSING
						     : !isnan(feed->numbers[row]);
}

bool source_present(const struct source *s, size_t target, size_t row)
{
	return has_cell(&s->feeds[s->inputs + target], row);
}

void source_usable(const struct source *s, uint8_t *use)
{
	for (size_t j = 0; j < s->rows; j++) {
		size_t present = 0;

		for (size_t i = s->inputs; i < s->count; i++)
			present += has_cell(&s->feeds[i], j);
		use[j] = s->gaps ? present > 0 : present == s->count - s->inputs;
	}
}

uint64_t source_first(const struct source *s)
{
	return s->first;
}

const double *source_weights(const struct source *s)
{
	return s->weights.numbers;
}

const uint32_t *source_target_slots(const struct source *s, size_t target)
{
	return s->feeds[s->inputs + target].slots;
}

void source_fit(const struct source *s, struct encoder *inputs, struct encoder *targets, const uint8_t *use)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct feed *feed = &s->feeds[i];
		struct encoder *to = i < s->inputs ? inputs : targets;

		if (encoder_is_numeric(feed->column->kind))
			encoder_fit_numbers(to, feed->encoder_column, feed->numbers, use, s->rows);
		else
			encoder_fit_slots(to, feed->encoder_column, feed->slots, use, s->rows);
	}
}

void source_profile(const struct source *s, struct encoder *inputs, const uint8_t *use)
{
	for (size_t i = 0; i < s->inputs; i++)
		if (encoder_is_numeric(s->feeds[i].column->kind))
			encoder_profile(inputs, s->feeds[i].encoder_column, s->feeds[i].numbers, use,
					s->rows);
}

/* Rows [from, from + n) of a feed into its place in `to`; *row is the one at fault. */
static int encode_feed(const struct feed *feed, size_t from, size_t n, real *to, size_t *row, struct err *e)
{
	size_t width = encoder_width(feed->encoder);

	return encoder_is_numeric(feed->column->kind)
			       ? encoder_put_numbers(feed->encoder, feed->encoder_column,
						 feed->numbers + from, n, to, width, row, e)
			       : encoder_put_slots(feed->encoder, feed->encoder_column, feed->slots + from, n,
						 to, width, row, e);
}

/* A target that rows may miss: those are 0. */
static int encode_gaps(const struct feed *feed, size_t from, size_t n, real *to, size_t *row, struct err *e)
{
	const struct encoder_column *column = feed->column;
	size_t width = encoder_width(feed->encoder);

	for (*row = 0; *row < n; ++*row) {
		size_t at;
		int rc;

		if (!has_cell(feed, from + *row))
			memset(to + *row * width + column->first, 0, column->width * sizeof *to);
		else if ((rc = encode_feed(feed, from + *row, 1, to + *row * width, &at, e)))
			return rc;
	}
	return 0;
}

int source_encode(const struct source *s, size_t from, size_t n, real *x, real *y, struct err *e)
{
	struct err why;
	size_t row;

	for (size_t i = 0; i < s->count; i++) {
		const struct feed *feed = &s->feeds[i];
		bool target = i >= s->inputs;
		int rc = target && s->gaps ? encode_gaps(feed, from, n, y, &row, &why)
					   : encode_feed(feed, from, n, target ? y : x, &row, &why);

		if (rc)
			return err_set(e, rc, "row %llu: %s", (unsigned long long)(s->first + from + row + 1),
					why.text);
	}
	return 0;
}
