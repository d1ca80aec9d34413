/* test_source.c - stored rows as a network sees them: joined by name, group by group, what is missing or unknown. */
#include <math.h>

#include "server/jobs/source.h"
#include "tests/unit/workshop.h"

static struct store *store;
static struct store_revision revision;
static struct encoder *inputs, *targets;
static struct definition definition;

/* Six rows; "2" and "3.0" are numbers, and values of a category for whoever asks for one. */
static const char csv[] = "species,color,size,code\n"
			  "a,red,1,3.0\n"
			  "b,,2.5,2\n"
			  ",blue,?,3\n"
			  "a,green,-4,NA\n"
			  "b,red,100,7\n"
			  "a,red,0,2\n";
#define ROWS 6

static void encoders(const char *text)
{
	struct faults faults = { 0 };
	json_t *document;

	OK(json_read(text, strlen(text), &document, &e));
	definition_clear(&definition);
	encoder_free(inputs);
	encoder_free(targets);
	definition_read(document, false, &definition, &faults);
	definition_finish(&definition, 0, &faults);
	OK(faults_result(&faults, &e));
	OK(definition_encoder(&definition, ENCODER_INPUTS, &inputs, &e));
	OK(definition_encoder(&definition, ENCODER_TARGETS, &targets, &e));
	json_decref(document);
}

static void begin(size_t group_bytes)
{
	store = fresh_store();
	OK(store->revision_get(store, put_csv_in_groups(store, "d", csv, group_bytes), &revision, &e));
}

static void finish(void)
{
	definition_clear(&definition);
	encoder_free(inputs);
	encoder_free(targets);
	inputs = targets = NULL;
	store_revision_clear(&revision);
	store->close(store);
}

/* The columns in another order than they are stored in; red and blue are known, green is not. */
#define SIZE_COLOR \
	"\"inputs\":[{\"name\":\"size\",\"type\":\"number\"},{\"name\":\"color\",\"type\":\"category\",\"values\":[\"blue\",\"red\"]}]"
#define SPECIES "\"outputs\":[{\"name\":\"species\",\"type\":\"category\",\"values\":[\"a\",\"b\"]}]"

static struct source *source_of(void)
{
	struct source *source;

	OK(source_new(&source, store, &revision, inputs, targets, &e));
	return source;
}

static void rows_are(const real *x, size_t n, size_t width, const real *wanted)
{
	for (size_t i = 0; i < n * width; i++)
		ck_assert_msg(x[i] == wanted[i], "row %zu, input %zu: %g, not %g", i / width, i % width,
				(double)x[i], (double)wanted[i]);
}

START_TEST(cells_to_inputs)
{
	/* size, then blue, red, other, missing */
	static const real wanted_x[] = { 1, 0, 1, 0, 0, 2.5f, 0, 0, 0, 1 }, wanted_y[] = { 1, 0, 0, 1 },
			  late_x[] = { -4, 0, 0, 1, 0, 100, 0, 1, 0, 0 };
	real x[2 * 5], y[2 * 2];
	struct source *source;
	uint64_t first;
	size_t rows;

	begin(0);
	encoders("{" SIZE_COLOR "," SPECIES ",\"normalize\":\"none\"}");
	source = source_of();
	ck_assert_uint_eq(source_groups(source), 1);
	OK(source_read(source, 0, &first, &rows, &e));
	ck_assert_uint_eq(first, 0);
	ck_assert_uint_eq(rows, ROWS);
	OK(source_encode(source, 0, 2, x, y, &e));
	rows_are(x, 2, 5, wanted_x);
	rows_are(y, 2, 2, wanted_y);
	OK(source_encode(source, 3, 2, x, y, &e));
	rows_are(x, 2, 5, late_x);
	REFUSED(source_encode(source, 1, 2, x, y, &e), ERR_RANGE); /* the third row has no target */
	ck_assert_ptr_nonnull(strstr(e.text, "row 3:"));
	source_free(source);
	finish();
}
END_TEST

START_TEST(rows_with_a_target)
{
	static const uint8_t of_species[ROWS] = { 1, 1, 0, 1, 1, 1 }, of_code[ROWS] = { 1, 1, 1, 0, 1, 1 };
	static const uint32_t classes[ROWS] = { 0, 1, SLOT_MISSING, 0, 1, 0 };
	uint8_t use[ROWS];
	struct source *source;
	uint64_t first;
	size_t rows;

	begin(0);
	encoders("{" SIZE_COLOR "," SPECIES "}");
	source = source_of();
	OK(source_read(source, 0, &first, &rows, &e));
	source_usable(source, use);
	ck_assert_mem_eq(use, of_species, sizeof use);
	ck_assert_mem_eq(source_target_slots(source, 0), classes, sizeof classes);
	source_free(source);
	encoders("{" SIZE_COLOR ",\"outputs\":[{\"name\":\"code\",\"type\":\"number\"}]}");
	source = source_of();
	OK(source_read(source, 0, &first, &rows, &e));
	source_usable(source, use);
	ck_assert_mem_eq(use, of_code, sizeof use);
	source_free(source);
	finish();
}
END_TEST

/* The targets alone, and then everything: of the same group, and of groups of any size. */
START_TEST(targets_alone)
{
	static const uint8_t wanted[ROWS] = { 1, 1, 0, 1, 1, 1 };
	static const uint32_t classes[ROWS] = { 0, 1, SLOT_MISSING, 0, 1, 0 };
	static const real wanted_x[] = { 1, 0, 1, 0, 0 };
	real x[5], y[2];
	uint8_t use[ROWS];
	struct source *source;
	uint64_t first;
	size_t rows;

	for (size_t group_bytes = 0; group_bytes < 200; group_bytes += 90) {
		begin(group_bytes);
		encoders("{" SIZE_COLOR "," SPECIES ",\"normalize\":\"none\"}");
		source = source_of();
		for (int again = 0; again < 2; again++) {
			source_targets_only(source, true);
			for (uint64_t group = 0; group < source_groups(source); group++) {
				OK(source_read(source, group, &first, &rows, &e));
				source_usable(source, use + first);
				ck_assert_mem_eq(source_target_slots(source, 0), classes + first,
						rows * sizeof *classes);
			}
			ck_assert_uint_eq(first + rows, ROWS);
			ck_assert_mem_eq(use, wanted, sizeof use);
			source_targets_only(source, false);
			OK(source_read(source, 0, &first, &rows, &e));
			OK(source_encode(source, 0, 1, x, y, &e));
			rows_are(x, 1, 5, wanted_x);
		}
		source_free(source);
		finish();
	}
}
END_TEST

START_TEST(numbers_as_classes)
{
	static const uint32_t classes[ROWS] = { 1, 0, 1, SLOT_MISSING, SLOT_OTHER, 0 };
	struct source *source;
	real x[ROWS * 5], y[ROWS * 2];
	uint64_t first;
	size_t rows;

	begin(0);
	encoders("{" SIZE_COLOR
		 ",\"outputs\":[{\"name\":\"code\",\"type\":\"category\",\"values\":[\"2\",\"3\"]}]}");
	source = source_of();
	OK(source_read(source, 0, &first, &rows, &e));
	ck_assert_mem_eq(source_target_slots(source, 0), classes, sizeof classes);
	OK(source_encode(source, 0, 3, x, y, &e));
	ck_assert(y[0] == 0 && y[1] == 1 && y[2] == 1 && y[3] == 0);
	REFUSED(source_encode(source, 4, 1, x, y, &e), ERR_RANGE); /* 7 is none of the classes */
	ck_assert_ptr_nonnull(strstr(e.text, "row 5:"));
	source_free(source);
	finish();
}
END_TEST

START_TEST(fitting_on_some_rows)
{
	static const uint8_t use[ROWS] = { 1, 1, 1, 0, 0, 1 };
	const struct encoder_column *size, *color;
	struct source *source;
	uint64_t first;
	size_t rows;

	begin(0);
	encoders("{" SIZE_COLOR "," SPECIES "}");
	source = source_of();
	OK(source_read(source, 0, &first, &rows, &e));
	encoder_fit_begin(inputs);
	encoder_fit_begin(targets);
	source_fit(source, inputs, targets, use);
	encoder_fit_end(inputs);
	encoder_fit_end(targets);
	size = encoder_column(inputs, 0);
	color = encoder_column(inputs, 1);
	ck_assert_double_eq_tol(size->mean, 3.5 / 3, 1e-12); /* 1, 2.5, 0: 100 and -4 are not among them */
	ck_assert_double_eq(size->min, 0);
	ck_assert_double_eq(size->max, 2.5);
	ck_assert_uint_eq(size->missing_rows, 1);
	ck_assert_uint_eq(color->slot_counts[0], 1);
	ck_assert_uint_eq(color->slot_counts[1], 2);
	ck_assert_uint_eq(color->slot_counts[2], 0); /* green is in a row that is left out */
	ck_assert_uint_eq(encoder_column(targets, 0)->slot_counts[0], 2);
	source_free(source);
	finish();
}
END_TEST

START_TEST(columns_that_do_not_fit)
{
	struct source *source;

	begin(0);
	encoders("{\"inputs\":[{\"name\":\"size\",\"type\":\"number\"},{\"name\":\"height\",\"type\":\"number\"}]," SPECIES
		 "}");
	REFUSED(source_new(&source, store, &revision, inputs, targets, &e), ERR_INVALID);
	ck_assert_ptr_null(source);
	ck_assert_ptr_nonnull(strstr(e.text, "height"));
	encoders("{\"inputs\":[{\"name\":\"color\",\"type\":\"number\"}]," SPECIES "}");
	REFUSED(source_new(&source, store, &revision, inputs, targets, &e), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(e.text, "color"));
	ck_assert_ptr_nonnull(strstr(e.text, "words"));
	source_free(NULL);
	finish();
}
END_TEST

/* Two rows a group, the last one of one row: what many groups give is what one gives. */
START_TEST(group_by_group)
{
	char *text = NULL;
	struct source *source;
	uint64_t expected = 0;
	real x[64], y[64];

	store = fresh_store();
	add_text(&text, "n,c\n");
	for (int i = 0; i < 101; i++)
		add_text(&text, "%d,%s%d\n", i, "v", i % 3);
	OK(store->revision_get(store, put_csv_in_groups(store, "d", text, 2 * (8 + 8 * 2)), &revision, &e));
	free(text);
	encoders("{\"inputs\":[{\"name\":\"n\",\"type\":\"number\"}],\"outputs\":[{\"name\":\"c\",\"type\":\"category\",\"values\":[\"v0\",\"v1\",\"v2\"]}],"
		 "\"normalize\":\"none\"}");
	source = source_of();
	ck_assert_uint_gt(source_groups(source), 20);
	for (int round = 0; round < 2; round++, expected = 0) /* every step of a training reads them again */
		for (uint64_t group = 0; group < source_groups(source); group++) {
			uint64_t first;
			size_t rows;

			OK(source_read(source, group, &first, &rows, &e));
			ck_assert_uint_eq(first, expected);
			ck_assert_uint_le(rows, 64 / 3);
			OK(source_encode(source, 0, rows, x, y, &e));
			for (size_t i = 0; i < rows; i++, expected++) {
				ck_assert(x[i] == (real)expected);
				ck_assert(y[i * 3 + expected % 3] == 1);
			}
		}
	source_free(source);
	finish();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { cells_to_inputs, rows_with_a_target, targets_alone, numbers_as_classes,
		fitting_on_some_rows, columns_that_do_not_fit, group_by_group, NULL };

	return suite_main("source", tests, 30);
}
