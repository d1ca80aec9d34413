/* test_training.c - a training job from stored rows to a model: which rows, what the encoders learn from, what may not
 * say anything, going on, the same bits again, and linear regression.
 */
#include <math.h>

#include "tests/unit/trained.h"

/* x, z and y of a row: normal numbers, and a plane with a little noise. */
#define PLANE_ROWS 60

static void plane_row(size_t i, double *x, double *z, double *y)
{
	const struct rng_key key = { .seed = 5, .stream = RNG_TEST };

	*x = 10 + 4 * rng_normal(&key, 3 * i);
	*z = -2 + rng_normal(&key, 3 * i + 1) / 8;
	*y = 3 * *x - 20 * *z + 7 + rng_normal(&key, 3 * i + 2);
}

/* The data set "plane"; rows that step divides have no y but the values of `odd` in x; 0: all have one. */
static void put_plane(size_t step, const char *odd)
{
	char *text = NULL;
	double x, z, y;

	add_text(&text, "x,z,y\n");
	for (size_t i = 0; i < PLANE_ROWS; i++) {
		plane_row(i, &x, &z, &y);
		if (step && i % step == 0)
			add_text(&text, "%s,%.17g,\n", odd, z);
		else
			add_text(&text, "%.17g,%.17g,%.17g\n", x, z, y);
	}
	put_csv(store, "plane", text);
	free(text);
	put_model(store, "m", "{\"dataset\":\"plane\",\"target\":\"y\",\"layers\":[],\"seed\":1}");
}

/* Least squares by the normal equations, about the means: y = a x + b z + c. */
static void closed_form(double *a, double *b, double *c)
{
	double mx = 0, mz = 0, my = 0, xx = 0, xz = 0, zz = 0, xy = 0, zy = 0, x, z, y;

	for (size_t i = 0; i < PLANE_ROWS; i++) {
		plane_row(i, &x, &z, &y);
		mx += x / PLANE_ROWS;
		mz += z / PLANE_ROWS;
		my += y / PLANE_ROWS;
	}
	for (size_t i = 0; i < PLANE_ROWS; i++) {
		plane_row(i, &x, &z, &y);
		xx += (x - mx) * (x - mx);
		xz += (x - mx) * (z - mz);
		zz += (z - mz) * (z - mz);
		xy += (x - mx) * (y - my);
		zy += (z - mz) * (y - my);
	}
	*a = (xy * zz - zy * xz) / (xx * zz - xz * xz);
	*b = (zy * xx - xy * xz) / (xx * zz - xz * xz);
	*c = my - *a * mx - *b * mz;
}

static double predict(const struct model *model, double x, double z)
{
	struct net_work *work;
	const real *y;
	real row[2];
	double out;
	size_t bad;

	OK(net_work_new(&work, model->net, 1, false, any_engine(), NULL, &e));
	OK(encoder_put_numbers(model->inputs, 0, &x, 1, row, 2, &bad, &e));
	OK(encoder_put_numbers(model->inputs, 1, &z, 1, row, 2, &bad, &e));
	net_forward(model->net, work, row, 1, &y);
	out = encoder_number(model->targets, 0, y[0]);
	net_work_free(work);
	return out;
}

START_TEST(one_linear_neuron_is_linear_regression)
{
	struct trained t;
	double a, b, c;

	store = fresh_store();
	put_plane(0, NULL);
	closed_form(&a, &b, &c);
	t = train("m", "plane",
			"\"epochs\":3000,\"batch_size\":\"full\",\"optimizer\":{\"name\":\"sgd\",\"learning_rate\":0.1}");
	ck_assert_uint_eq(t.epochs, 3000);
	ck_assert_int_eq(t.result.stop, TRAIN_EPOCHS);
	for (double x = -5; x < 30; x += 7)
		for (double z = -4; z < 1; z += 1.5)
			ck_assert_double_eq_tol(predict(t.model, x, z), a * x + b * z + c, 2e-3);
	clear(&t);
	store->close(store);
}
END_TEST

START_TEST(encoders_learn_from_training_rows)
{
	uint8_t use[PLANE_ROWS];
	double mean = 0, x, z, y;
	struct trained t;
	size_t count = 0;

	store = fresh_store();
	put_plane(0, NULL);
	t = train("m", "plane", "\"epochs\":1,\"validation\":{\"split\":0.4},\"seed\":9");
	OK(train_split(use, PLANE_ROWS, 0.4, NULL, 0, 9, &e));
	for (size_t i = 0; i < PLANE_ROWS; i++) {
		plane_row(i, &x, &z, &y);
		mean += use[i] * x;
		count += use[i];
	}
	ck_assert_uint_eq(training_rows(t.training), count);
	ck_assert_uint_eq(count, 36);
	ck_assert(training_validates(t.training));
	ck_assert_double_eq_tol(encoder_column(t.model->inputs, 0)->mean, mean / (double)count, 1e-9);
	ck_assert_uint_eq(encoder_column(t.model->inputs, 0)->rows, count);
	clear(&t);
	store->close(store);
}
END_TEST

START_TEST(the_seed_decides_the_split)
{
	static const char format[] =
			"\"epochs\":2,\"shuffle\":false,\"validation\":{\"split\":0.3},\"seed\":%d";
	struct trained t[3];
	char fields[120];

	store = fresh_store();
	put_plane(0, NULL);
	for (int i = 0; i < 3; i++) {
		snprintf(fields, sizeof fields, format, i == 1 ? 4 : 3);
		t[i] = train("m", "plane", fields);
	}
	ck_assert(same_model(&t[0], &t[2]));
	ck_assert(!same_model(&t[0], &t[1]));
	ck_assert_double_ne(encoder_column(t[0].model->inputs, 0)->mean,
			encoder_column(t[1].model->inputs, 0)->mean);
	for (int i = 0; i < 3; i++)
		clear(&t[i]);
	store->close(store);
}
END_TEST

START_TEST(rows_without_a_target)
{
	struct trained t;
	double mean = 0, x, z, y;

	store = fresh_store();
	put_plane(3, "1e30");
	t = train("m", "plane", "\"epochs\":1,\"batch_size\":50"); /* more than there are left, too */
	for (size_t i = 0; i < PLANE_ROWS; i++) {
		plane_row(i, &x, &z, &y);
		if (i % 3) mean += x / 40;
	}
	ck_assert_uint_eq(training_rows(t.training), 40);
	ck_assert(!training_validates(t.training));
	ck_assert_double_eq_tol(encoder_column(t.model->inputs, 0)->mean, mean, 1e-9);
	clear(&t);
	t = train("m", "plane", "\"epochs\":1,\"validation\":{\"split\":0.25}");
	ck_assert_uint_eq(training_rows(t.training), 30); /* a quarter of those that count */
	clear(&t);
	store->close(store);
}
END_TEST

static const char flowers[] = "length,color,kind\n1,red,a\n2,red,a\n3,blue,a\n7,blue,b\n8,red,b\n9,blue,b\n";

START_TEST(what_was_not_seen_is_silent)
{
	struct trained t;
	const struct layer *layer;
	const struct encoder_column *color;

	store = fresh_store();
	put_csv(store, "flowers", flowers);
	put_model(store, "m",
			"{\"inputs\":[{\"name\":\"length\",\"type\":\"number\"},{\"name\":\"color\",\"type\":\"category\",\"values\":[\"green\",\"red\",\"blue\"]}],"
			"\"outputs\":[{\"name\":\"kind\",\"type\":\"category\",\"values\":[\"a\",\"b\"]}],\"layers\":[{\"units\":4,\"l2\":0.01}],"
			"\"seed\":3}");
	t = train("m", "flowers", "\"epochs\":20");
	ck_assert(!isnan(training_point(t.training)->accuracy));
	layer = net_layer(t.model->net, 0);
	color = encoder_column(t.model->inputs, 1);
	ck_assert_uint_eq(color->width, 5);
	for (size_t slot = 0; slot < color->width; slot++)
		for (size_t unit = 0; unit < 4; unit++) { /* green, other, missing */
			bool seen = slot == 1 || slot == 2;

			ck_assert_msg((layer->weights[(color->first + slot) * 4 + unit] != 0) == seen,
					"slot %zu", slot);
		}
	clear(&t);
	store->close(store);
}
END_TEST

START_TEST(the_same_bits_at_any_number_of_threads)
{
	static const char format[] = "\"epochs\":3,\"batch_size\":256,\"seed\":2,\"threads\":%d";
	struct trained t[2];
	char *text = NULL, fields[100];
	const struct rng_key key = { .seed = 6, .stream = RNG_TEST };

	store = fresh_store();
	for (int i = 0; i < 20; i++)
		add_text(&text, "c%d,", i);
	add_text(&text, "y\n");
	for (uint64_t row = 0; row < 512; row++) {
		char *line = NULL;

		for (uint64_t i = 0; i < 21; i++)
			add_text(&line, "%s%.6f", i ? "," : "", rng_normal(&key, row * 21 + i));
		add_text(&text, "%s\n", line);
		free(line);
	}
	put_csv(store, "d", text);
	free(text);
	put_model(store, "m",
			"{\"dataset\":\"d\",\"target\":\"y\",\"layers\":[{\"units\":128,\"dropout\":0.1},128],\"seed\":1}");
	for (int i = 0; i < 2; i++) {
		snprintf(fields, sizeof fields, format, i + 1);
		t[i] = train("m", "d", fields);
		ck_assert_uint_eq(training_request(t[i].training)->threads, (uint64_t)i + 1);
	}
	ck_assert(same_model(&t[0], &t[1]));
	clear(&t[0]);
	clear(&t[1]);
	store->close(store);
}
END_TEST

START_TEST(going_on_from_a_version)
{
	struct trained first, on, scratch;
	char *other = NULL;

	store = fresh_store();
	put_plane(0, NULL);
	first = train("m", "plane", "\"epochs\":30");
	ck_assert_uint_eq(put_version(store, "m", first.bytes, first.size), 1);
	add_text(&other, "x,z,y\n");
	for (int i = 0; i < 40; i++)
		add_text(&other, "%d,%d,%d\n", 1000 + i, i % 7, i * i);
	put_csv(store, "other", other);
	free(other);
	/* steps too small for float32: the weights and the encoders are those of the version */
	on = train("m", "other",
			"\"epochs\":1,\"from\":\"1\",\"optimizer\":{\"name\":\"sgd\",\"learning_rate\":1e-30}");
	ck_assert_uint_eq(training_rows(on.training), 40);
	ck_assert(same_model(&first, &on));
	scratch = train("m", "other",
			"\"epochs\":1,\"from\":\"scratch\",\"optimizer\":{\"name\":\"sgd\",\"learning_rate\":1e-30}");
	ck_assert(!same_model(&first, &scratch));
	clear(&on);
	clear(&scratch);
	on = train("m", "plane", "\"epochs\":30,\"from\":\"1\""); /* and it goes on learning */
	ck_assert_double_lt(training_point(on.training)->loss, training_point(first.training)->loss);
	clear(&on);
	REFUSED(make(&on, "m", "plane", "\"from\":\"2\""), ERR_NOT_FOUND);
	ck_assert_ptr_null(on.training);
	clear(&first);
	store->close(store);
}
END_TEST

START_TEST(early_stopping_restores_the_best)
{
	struct trained t;
	const struct train_point *point;
	json_t *metrics, *best;

	store = fresh_store();
	put_plane(0, NULL);
	t = train("m", "plane",
			"\"epochs\":2000,\"validation\":{\"split\":0.3},\"early_stopping\":{\"patience\":2},"
			"\"optimizer\":{\"name\":\"adam\",\"learning_rate\":0.5}");
	ck_assert_int_eq(t.result.stop, TRAIN_EARLY_STOPPING);
	point = training_point(t.training);
	ck_assert_uint_eq(point->epoch, point->best_epoch); /* the weights are those of this point */
	ck_assert_uint_eq(t.result.last.epoch, point->epoch + 2);
	metrics = training_metrics(point, true);
	ck_assert_uint_eq(json_object_size(metrics), 4);
	ck_assert_double_eq(json_number_value(json_object_get(metrics, "val_loss")), point->val_loss);
	ck_assert_double_eq(json_number_value(json_object_get(metrics, "mae")), point->mae);
	ck_assert_ptr_nonnull(json_object_get(metrics, "val_mae"));
	best = training_best(point, training_request(t.training));
	ck_assert_int_eq(json_integer_value(json_object_get(best, "epoch")), (json_int_t)point->epoch);
	ck_assert_double_eq(json_number_value(json_object_get(best, "val_loss")), point->best_loss);
	json_decref(metrics);
	json_decref(best);
	metrics = training_metrics(point, false);
	ck_assert_uint_eq(json_object_size(metrics), 2);
	ck_assert_ptr_nonnull(json_object_get(metrics, "mae"));
	json_decref(metrics);
	clear(&t);
	store->close(store);
}
END_TEST

START_TEST(what_cannot_be_trained)
{
	struct trained t;

	store = fresh_store();
	put_csv(store, "flowers", flowers);
	put_csv(store, "no_target", "length,kind\n1,\n2,\n");
	put_csv(store, "no_length", "kind,color\na,red\nb,red\n");
	put_csv(store, "third_kind", "length,kind\n1,a\n2,b\n3,\n4,c\n");
	put_csv(store, "gap", "length,kind\n1,a\n,b\n");
	put_model(store, "m",
			"{\"inputs\":[{\"name\":\"length\",\"type\":\"number\"}],\"outputs\":[{\"name\":\"kind\",\"type\":\"category\",\"values\":[\"a\",\"b\"]}],"
			"\"missing\":\"error\"}");
	OK(make(&t, "m", "no_target", ""));
	REFUSED(training_load(t.training, &e), ERR_INVALID);
	clear(&t);
	OK(make(&t, "m", "no_length", ""));
	REFUSED(training_load(t.training, &e), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(e.text, "length"));
	clear(&t);
	OK(make(&t, "m", "third_kind", ""));
	REFUSED(training_load(t.training, &e), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(e.text, "row 4"));
	clear(&t);
	OK(make(&t, "m", "flowers", "\"validation\":{\"dataset\":\"third_kind\"}"));
	REFUSED(training_load(t.training, &e), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(e.text, "third_kind, row 4"));
	clear(&t);
	OK(make(&t, "m", "flowers", "\"validation\":{\"dataset\":\"no_target\"}"));
	REFUSED(training_load(t.training, &e), ERR_INVALID);
	ck_assert_ptr_nonnull(strstr(e.text, "no_target"));
	clear(&t);
	OK(make(&t, "m", "gap", ""));
	REFUSED(training_load(t.training, &e), ERR_RANGE);
	ck_assert_ptr_nonnull(strstr(e.text, "row 2"));
	clear(&t);
	OK(make(&t, "m", "flowers", ""));
	atomic_store(&stop, 1);
	REFUSED(training_load(t.training, &e), ERR_STOPPED);
	clear(&t);
	store->close(store);
}
END_TEST

START_TEST(sizes_before_anything_is_read)
{
	struct faults faults = { 0 };
	struct train_request request = { .core = { .batch_size = 32, .optimizer = optim_find("adam") } };
	struct definition d;
	json_t *document = json_pack("{s:i,s:i,s:[i]}", "inputs", 100, "outputs", 1, "layers", 10);
	size_t small, large;

	definition_read(document, false, &d, &faults);
	definition_finish(&d, 0, &faults);
	OK(faults_result(&faults, &e));
	small = training_bytes(&d, &request, 1000, SIZE_MAX).bytes;
	large = training_bytes(&d, &request, 100000, SIZE_MAX).bytes;
	ck_assert_uint_gt(small, 1000 * 101 * sizeof(real));
	ck_assert_uint_gt(large, 100000 * 101 * sizeof(real));
	ck_assert_uint_lt(large, 2 * 100000 * 101 * sizeof(real));
	ck_assert_uint_eq(training_bytes(&d, &request, UINT64_MAX, SIZE_MAX).bytes, SIZE_MAX);
	ck_assert_uint_eq(training_bytes(&d, &request, 1ull << 33, SIZE_MAX).bytes, SIZE_MAX);
	definition_clear(&d);
	json_decref(document);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { one_linear_neuron_is_linear_regression,
		encoders_learn_from_training_rows, the_seed_decides_the_split, rows_without_a_target,
		what_was_not_seen_is_silent, the_same_bits_at_any_number_of_threads, going_on_from_a_version,
		early_stopping_restores_the_best, what_cannot_be_trained, sizes_before_anything_is_read,
		NULL };

	return suite_main("training", tests, 60);
}
