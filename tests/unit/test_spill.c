/* test_spill.c - rows in a scratch file: what was written is read, nothing of it is seen in the folder, a disk without room
 * is said; and a job whose rows are there ends in the same bits as one that has them in memory.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "server/jobs/spill.h"
#include "tests/unit/trained.h"

#define ROWS 1000

static const struct spill_shape shape = { 7, 3, 2 };

static real number(size_t part, size_t i)
{
	return (real)(part * 1000000 + i) + (real)0.5;
}

static void fill(real *to, size_t part, size_t first, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = number(part, first + i);
}

static void check(const real *found, size_t part, size_t first, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ck_assert(found[i] == number(part, first + i));
}

static size_t files(const char *folder)
{
	DIR *dir = opendir(folder);
	size_t count = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2; /* . and .. */
}

static void make_folder(void)
{
	strcpy(workshop_folder, "/tmp/descentd-unit-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(workshop_folder));
	atexit(remove_folder);
}

START_TEST(what_was_written_is_read)
{
	static real x[ROWS * 7], y[ROWS * 3], w[ROWS * 2];
	struct spill *spill;

	make_folder();
	OK(spill_new(&spill, workshop_database(), &shape, ROWS, &e));
	for (size_t first = ROWS; first; first -= 50) { /* from the end */
		fill(x, 0, (first - 50) * 7, 50 * 7);
		fill(y, 1, (first - 50) * 3, 50 * 3);
		fill(w, 2, (first - 50) * 2, 50 * 2);
		OK(spill_write(spill, first - 50, 50, x, y, w, &e));
	}
	for (size_t first = 0; first < ROWS; first += 111) {
		size_t n = ROWS - first < 130 ? ROWS - first : 130;

		spill_ahead(spill, first, n);
		OK(spill_read(spill, first, n, x, y, w, &e));
		check(x, 0, first * 7, n * 7);
		check(y, 1, first * 3, n * 3);
		check(w, 2, first * 2, n * 2);
	}
	ck_assert_uint_eq(files(workshop_folder), 0); /* it has no name, and goes with the process */
	spill_free(spill);
}
END_TEST

START_TEST(no_weights_take_no_room)
{
	const struct spill_shape plain = { 2, 1, 0 };
	real x[2] = { 1, 2 }, y[1] = { 3 };
	struct spill *spill;

	make_folder();
	OK(spill_new(&spill, workshop_database(), &plain, 1, &e));
	OK(spill_write(spill, 0, 1, x, y, NULL, &e));
	x[0] = x[1] = y[0] = 0;
	OK(spill_read(spill, 0, 1, x, y, NULL, &e));
	ck_assert(x[0] == 1 && x[1] == 2 && y[0] == 3);
	spill_free(spill);
}
END_TEST

START_TEST(a_full_disk_is_said)
{
	const struct rlimit little = { 4096, 4096 };
	struct spill *spill;

	make_folder();
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &little), 0); /* files of this process end there */
	REFUSED(spill_new(&spill, workshop_database(), &shape, ROWS, &e), ERR_DISK_FULL);
	ck_assert_ptr_null(spill);
	ck_assert_ptr_nonnull(strstr(e.text, workshop_folder));
	ck_assert_uint_eq(files(workshop_folder), 0);
}
END_TEST

START_TEST(a_folder_that_is_not_there)
{
	struct spill *spill;

	REFUSED(spill_new(&spill, "/tmp/descentd-no-such-folder/db", &shape, ROWS, &e), ERR_IO);
	ck_assert_ptr_null(spill);
}
END_TEST

/* ---- a job ---- */

/* Two numbers and a word to a class and a number, in several row groups; some rows miss one of the targets, some both. */
static void put_data(void)
{
	const struct rng_key key = { .seed = 8, .stream = RNG_TEST };
	static const char *const words[] = { "red", "green", "blue", "" };
	char *text = NULL;

	add_text(&text, "a,b,color,kind,size,weight,fold\n");
	for (uint64_t i = 0; i < ROWS; i++) {
		double a = rng_normal(&key, 2 * i), b = rng_normal(&key, 2 * i + 1);
		char size[32] = "";

		if (i % 11) snprintf(size, sizeof size, "%.4f", 30 * a - b);
		add_text(&text, "%.5f,%.5f,%s,%s,%s,%u,%u\n", a, b, words[i % 4],
				i % 13 == 5 ? ""
				: a > b     ? "yes"
					    : "no",
				size, (unsigned)(1 + i % 3), (unsigned)(i % 5));
	}
	put_csv_in_groups(store, "d", text, 3000);
	put_csv_in_groups(store, "later", text, 5000);
	free(text);
	put_model(store, "class",
			"{\"dataset\":\"d\",\"target\":\"kind\",\"features\":[\"a\",\"b\",\"color\"],\"layers\":[6],\"seed\":1}");
	put_model(store, "number",
			"{\"dataset\":\"d\",\"target\":\"size\",\"features\":[\"a\",\"b\",\"color\"],\"layers\":[6],\"seed\":1}");
	put_model(store, "both",
			"{\"dataset\":\"d\",\"target\":[\"kind\",\"size\"],\"features\":[\"a\",\"b\",\"color\"],\"layers\":[6],\"seed\":1}");
}

START_TEST(the_same_bits_as_in_memory)
{
	static const char *const models[] = { "class", "number", "both" };
	static const char *const forms[] = { "null", "{\"split\":0.2}", "{\"split\":0.2,\"order_by\":\"b\"}",
		"{\"column\":\"fold\",\"value\":3}", "{\"dataset\":\"later\"}" };
	static const char *const others[] = { "", ",\"sample_weight_column\":\"weight\"",
		",\"sample_weight_column\":\"weight\",\"accumulate\":3,\"shuffle\":false",
		",\"batch_size\":\"full\"" };

	store = fresh_store();
	put_data();
	for (size_t m = 0; m < 3; m++)
		for (size_t f = 0; f < 5; f++)
			for (size_t o = 0; o < 4; o++) {
				char fields[300];
				struct trained t[2];

				snprintf(fields, sizeof fields,
						"\"epochs\":3,\"seed\":4,\"validation\":%s%s%s", forms[f],
						others[o],
						m == 1 || o == 3 ? "" : ",\"class_weights\":\"balanced\"");
				for (int i = 0; i < 2; i++) {
					streams = i;
					t[i] = train(models[m], "d", fields);
					ck_assert_int_eq(t[i].training->spill != NULL, i);
				}
				ck_assert_msg(same_model(&t[0], &t[1]), "%s %s", models[m], fields);
				ck_assert_msg(same_curve(&t[0], &t[1]), "%s %s", models[m], fields);
				ck_assert_int_eq(training_validates(t[0].training), f > 0);
				clear(&t[0]);
				clear(&t[1]);
			}
	store->close(store);
}
END_TEST

/* In memory where that fits, from a file where it does not, and refused where neither does. */
START_TEST(what_does_not_fit_is_streamed)
{
	struct faults faults = { 0 };
	struct train_request request = { .core = { .batch_size = 32, .optimizer = optim_find("adam") } };
	struct definition d;
	json_t *document = json_pack("{s:i,s:i,s:[i]}", "inputs", 20, "outputs", 1, "layers", 10);
	const uint64_t rows = 10000000;
	struct training_size all, part, least;

	definition_read(document, false, &d, &faults);
	definition_finish(&d, 0, &faults);
	OK(faults_result(&faults, &e));
	all = training_bytes(&d, &request, rows, SIZE_MAX);
	ck_assert_uint_ge(all.bytes, rows * 22 * sizeof(real));
	ck_assert_uint_eq(all.scratch_bytes, 0);
	ck_assert_uint_eq(training_bytes(&d, &request, rows, all.bytes).scratch_bytes, 0);
	part = training_bytes(&d, &request, rows, all.bytes - 1);
	ck_assert_uint_ge(part.scratch_bytes, rows * 22 * sizeof(real));
	ck_assert_uint_lt(part.bytes, all.bytes / 5);
	ck_assert_uint_ge(part.bytes, rows); /* what a row is for stays in memory */
	least = training_bytes(&d, &request, rows, part.bytes - 1);
	OK(training_fits(&part, part.bytes, &e));
	REFUSED(training_fits(&least, part.bytes - 1, &e), ERR_RANGE);
	request.core.batch_size = 0; /* all rows at once are in memory at once */
	ck_assert_uint_eq(training_bytes(&d, &request, rows, all.bytes - 1).scratch_bytes, 0);
	definition_clear(&d);
	json_decref(document);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { what_was_written_is_read, no_weights_take_no_room, a_full_disk_is_said,
		a_folder_that_is_not_there, the_same_bits_as_in_memory, what_does_not_fit_is_streamed, NULL };

	return suite_main("spill", tests, 60);
}
