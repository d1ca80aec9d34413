/* test_curve.c - loss curves: small however long, with every spike in them; blocks; thinning; JSON and CSV. */
#include <math.h>
#include <string.h>

#include "server/codec/curve.h"
#include "server/codec/curve_record.h"
#include "tests/unit/suite.h"

static struct err e;

/* A falling loss with noise; seconds and step follow from the epoch. */
static struct train_point point_at(uint64_t epoch)
{
	double noise = (double)(epoch * 2654435761u % 1000) / 1e6;

	return (struct train_point){ .epoch = epoch,
		.step = epoch * 5,
		.loss = 1.0 / (double)epoch + noise,
		.val_loss = 1.5 / (double)epoch + noise / 2,
		.accuracy = 0.5,
		.val_accuracy = 0.25,
		.mae = 7,
		.val_mae = 8,
		.learning_rate = 0.003,
		.seconds = (double)epoch / 1000,
		.validated = 1 };
}

static const struct train_point *find(const struct train_point *points, size_t count, uint64_t epoch)
{
	for (size_t i = 0; i < count; i++)
		if (points[i].epoch == epoch) return &points[i];
	return NULL;
}

/* In place, each point a span of its own. */
static void thin(struct curve *curve, size_t max)
{
	struct curve_spans spans = { 0 };
	struct curve out = { 0 };

	for (size_t i = 0; i < curve->count; i++) {
		struct curve_span span = curve_span_of(CURVE_AUTO, &curve->points[i]);

		ck_assert(curve_spans_add(&spans, &span));
	}
	ck_assert_int_eq(curve_thin(&spans, curve->points, curve->points + curve->count - 1, max, &out, &e),
			0);
	curve_spans_clear(&spans);
	curve_clear(curve);
	*curve = out;
}

static void ascending(const struct train_point *points, size_t count)
{
	for (size_t i = 1; i < count; i++)
		ck_assert_uint_gt(points[i].epoch, points[i - 1].epoch);
}

START_TEST(early_epochs_are_all_kept)
{
	struct curve_recorder r = { 0 };

	for (uint64_t epoch = 1; epoch <= CURVE_EVERY_MAX; epoch++) {
		struct train_point point = point_at(epoch);

		ck_assert(curve_record(&r, &point));
		ck_assert_uint_eq(r.count, epoch); /* ready at once */
	}
	ck_assert(curve_record_end(&r));
	ck_assert_uint_eq(r.count, CURVE_EVERY_MAX);
	for (uint64_t epoch = 1; epoch <= CURVE_EVERY_MAX; epoch++) {
		struct train_point point = point_at(epoch);

		ck_assert_mem_eq(&r.points[epoch - 1], &point, sizeof point);
	}
	curve_recorder_free(&r);
	curve_recorder_free(&r);
}
END_TEST

#define LONGEST 10000000u

/* Spikes of one epoch: the loss and the validation loss, up and down. */
static void add_spikes(struct train_point *point)
{
	if (point->epoch % 999983 == 0) point->loss = 1e6;
	if (point->epoch % 999983 == 1) point->loss = 0;
	if (point->epoch % 999983 == 50000) point->val_loss = 1e6;
	if (point->epoch % 999983 == 50001) point->val_loss = 0;
}

START_TEST(ten_million_epochs)
{
	struct curve_recorder r = { 0 };
	size_t at_double[40] = { 0 }, doublings = 0, spikes = 0;

	for (uint64_t epoch = 1; epoch <= LONGEST; epoch++) {
		struct train_point point = point_at(epoch);

		add_spikes(&point);
		ck_assert(curve_record(&r, &point));
		if (epoch == (uint64_t)CURVE_EVERY_MAX << doublings) at_double[doublings++] = r.count;
	}
	ck_assert(curve_record_end(&r));
	for (size_t i = 1; i < doublings; i++)
		ck_assert_uint_le(at_double[i] - at_double[i - 1], 2 * CURVE_EVERY_MAX);
	ck_assert_uint_lt(r.count, 200000);
	ck_assert_uint_gt(r.count, 20000); /* and it is a curve still */
	ascending(r.points, r.count);
	for (uint64_t spike = 999983; spike + 50001 <= LONGEST; spike += 999983) {
		ck_assert_ptr_nonnull(find(r.points, r.count, spike));
		ck_assert_ptr_nonnull(find(r.points, r.count, spike + 1));
		ck_assert_ptr_nonnull(find(r.points, r.count, spike + 50000));
		ck_assert_ptr_nonnull(find(r.points, r.count, spike + 50001));
		spikes++;
	}
	ck_assert_uint_eq(spikes, 9);
	for (size_t i = 0; i < r.count; i += 1000) { /* what is kept is as it was */
		struct train_point point = point_at(r.points[i].epoch);

		add_spikes(&point);
		ck_assert_mem_eq(&r.points[i], &point, sizeof point);
	}
	curve_recorder_free(&r);
}
END_TEST

START_TEST(an_end_within_a_bucket)
{
	struct curve_recorder r = { .given = 999999 };
	struct train_point point = point_at(1000000);
	size_t before;

	ck_assert(curve_record(&r, &point));
	ck_assert_uint_eq(r.count, 0); /* a bucket is open */
	point.epoch++;
	point.loss = NAN; /* a loss that is not finite is not merged away */
	ck_assert(curve_record(&r, &point));
	ck_assert(curve_record_end(&r));
	ck_assert_uint_eq(r.count, 2);
	ck_assert_uint_eq(r.points[0].epoch, 1000000);
	ck_assert(isnan(r.points[1].loss));
	before = r.count;
	ck_assert(curve_record_end(&r)); /* nothing is open */
	ck_assert_uint_eq(r.count, before);
	curve_recorder_free(&r);
}
END_TEST

/* A NaN that came first was below and above nothing, so that the lowest point after it was dropped. */
START_TEST(a_nan_hides_no_minimum)
{
	static const double losses[] = { NAN, 0.3, 0.1, 0.2 };
	struct curve_recorder r = { .given = 999999 };
	struct curve curve = { 0 };

	for (size_t i = 0; i < 4; i++) {
		struct train_point point = point_at(1000000 + i);

		point.loss = losses[i];
		point.validated = 0;
		ck_assert(curve_record(&r, &point));
	}
	ck_assert(curve_record_end(&r));
	ck_assert_uint_eq(r.count, 3); /* and the last */
	ck_assert(isnan(r.points[0].loss));
	ck_assert_double_eq(r.points[1].loss, 0.1);
	curve_recorder_free(&r);

	curve.points = calloc(40, sizeof *curve.points);
	for (curve.count = 0; curve.count < 40; curve.count++) {
		curve.points[curve.count] = point_at(curve.count + 1);
		curve.points[curve.count].validated = 0;
		curve.points[curve.count].loss = curve.count == 1 ? NAN : curve.count == 20 ? 0.001 : 1;
	}
	thin(&curve, 6);
	ck_assert_uint_le(curve.count, 6);
	ck_assert(isnan(curve.points[1].loss));
	ck_assert_double_eq(curve.points[3].loss, 0.001);
	curve_clear(&curve);
}
END_TEST

/* Merged away where it was neither lowest nor highest, so that a curve ended before its job. */
START_TEST(the_last_epoch_stays)
{
	for (uint64_t epochs = 1000000; epochs < 1000300; epochs++) {
		struct curve_recorder r = { .given = 998999 };

		for (uint64_t epoch = 999000; epoch <= epochs; epoch++) {
			struct train_point point = point_at(epoch);

			point.loss = point.val_loss = epoch % 2 ? 0.4 : 0.6;
			if (epoch == epochs) point.loss = point.val_loss = 0.5;
			ck_assert(curve_record(&r, &point));
		}
		ck_assert(curve_record_end(&r));
		ck_assert_uint_eq(r.points[r.count - 1].epoch, epochs);
		ck_assert_uint_lt(r.points[r.count - 2].epoch, epochs);
		curve_recorder_free(&r);
	}
}
END_TEST

/* ---- blocks ---- */

#define POINTS 100

static unsigned char *encoded(size_t *size)
{
	struct train_point points[POINTS];
	unsigned char *data;

	for (size_t i = 0; i < POINTS; i++)
		points[i] = point_at(i + 1);
	points[7].val_loss = NAN;
	points[8].loss = INFINITY;
	points[9].accuracy = -0.0;
	ck_assert_int_eq(curve_encode(points, POINTS, NULL, 0, 0, &data, size, &e), 0);
	return data;
}

START_TEST(blocks)
{
	struct curve curve = { 0 };
	size_t size;
	unsigned char *data = encoded(&size);

	ck_assert_uint_lt(size,
			CURVE_HEAD_BYTES +
					POINTS * 4 * 8); /* loss, val_loss and seconds, and some exceptions */
	ck_assert_int_eq(data[0], 11);                   /* columns, little-endian */
	ck_assert_int_eq(data[8], POINTS);
	ck_assert_int_eq(curve_decode(&curve, data, size, 0, UINT64_MAX, &e), 0);
	ck_assert_uint_eq(curve.count, POINTS);
	for (size_t i = 10; i < POINTS; i++) {
		struct train_point point = point_at(i + 1);

		ck_assert_mem_eq(&curve.points[i], &point, sizeof point);
	}
	ck_assert(isnan(curve.points[7].val_loss));
	ck_assert(isinf(curve.points[8].loss));
	ck_assert(signbit(curve.points[9].accuracy));
	ck_assert_int_eq(curve_decode(&curve, data, size, 10, 12, &e), 0); /* appends */
	ck_assert_uint_eq(curve.count, POINTS + 3);
	ck_assert_uint_eq(curve.points[POINTS].epoch, 10);
	ck_assert_uint_eq(curve.points[POINTS + 2].epoch, 12);
	ck_assert_int_eq(curve_decode(&curve, data, size - 1, 0, UINT64_MAX, &e), ERR_CORRUPT);
	curve_clear(&curve);
	curve_clear(&curve);
	free(data);
	ck_assert_int_eq(curve_encode(NULL, 0, NULL, 0, 0, &data, &size, &e), 0);
	ck_assert_uint_le(size, CURVE_HEAD_BYTES);
	curve = (struct curve){ 0 };
	ck_assert_int_eq(curve_decode(&curve, data, size, 0, UINT64_MAX, &e), 0);
	ck_assert_uint_eq(curve.count, 0);
	free(data);
}
END_TEST

/* Epoch 1, step 5, then 0.5, 0.25, 0.75, 1, 2, 4 as float64: what the first releases wrote. */
START_TEST(blocks_of_the_first_releases)
{
	static const unsigned char block[64] = { [0] = 1,
		[8] = 5,
		[22] = 0xE0,
		[23] = 0x3F,
		[30] = 0xD0,
		[31] = 0x3F,
		[38] = 0xE8,
		[39] = 0x3F,
		[46] = 0xF0,
		[47] = 0x3F,
		[55] = 0x40,
		[62] = 0x10,
		[63] = 0x40 };
	const struct train_point *point;
	struct curve curve = { 0 };

	ck_assert_int_eq(curve_decode(&curve, block, sizeof block, 0, UINT64_MAX, &e), 0);
	ck_assert_uint_eq(curve.count, 1);
	point = &curve.points[0];
	ck_assert(point->epoch == 1 && point->step == 5 && point->loss == 0.5 && point->val_loss == 0.25);
	ck_assert(point->accuracy == 0.75 && point->val_accuracy == 1);
	ck_assert(point->mae == 0.75 && point->val_mae == 1); /* it had one metric */
	ck_assert(point->learning_rate == 2 && point->seconds == 4);
	curve_clear(&curve);
}
END_TEST

/* ---- thinning ---- */

static struct curve curve_of(size_t count)
{
	struct curve curve = {
		.points = calloc(count ? count : 1, sizeof *curve.points), .count = count, .capacity = count
	};

	for (size_t i = 0; i < count; i++)
		curve.points[i] = point_at(i + 1);
	return curve;
}

START_TEST(thinning)
{
	static const size_t counts[] = { 0, 1, 2, 3, 10, 1000, 12345 },
			    maxima[] = { 2, 3, 6, 7, 10, 100, 1000, 20000 };

	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		for (size_t j = 0; j < sizeof maxima / sizeof *maxima; j++) {
			struct curve curve = curve_of(counts[i]);

			thin(&curve, maxima[j]);
			if (counts[i] <= maxima[j]) ck_assert_uint_eq(curve.count, counts[i]);
			ck_assert_uint_le(curve.count, counts[i] < maxima[j] ? counts[i] : maxima[j]);
			ascending(curve.points, curve.count);
			if (counts[i]) ck_assert_uint_eq(curve.points[0].epoch, 1);
			if (counts[i]) ck_assert_uint_eq(curve.points[curve.count - 1].epoch, counts[i]);
			curve_clear(&curve);
		}
}
END_TEST

START_TEST(thinning_keeps_extremes)
{
	for (uint64_t at = 2; at < 1000; at += 7) {
		struct curve curve = curve_of(1000);

		curve.points[at - 1].loss = 100;
		curve.points[at].loss = -100;
		curve.points[(at + 400) % 998 + 1].val_loss = 100;
		curve.points[(at + 600) % 998 + 1].val_loss = -100;
		thin(&curve, 50);
		ck_assert_uint_le(curve.count, 50);
		ck_assert_uint_gt(curve.count, 25);
		ck_assert_ptr_nonnull(find(curve.points, curve.count, at));
		ck_assert_ptr_nonnull(find(curve.points, curve.count, at + 1));
		ck_assert_ptr_nonnull(find(curve.points, curve.count, (at + 400) % 998 + 2));
		ck_assert_ptr_nonnull(find(curve.points, curve.count, (at + 600) % 998 + 2));
		curve_clear(&curve);
	}
}
END_TEST

/* ---- showing ---- */

static const char *written(
		void (*write)(const struct curve *curve, const struct curve_view *view, struct buffer *out),
		const struct curve *curve, const struct curve_view *view)
{
	static struct buffer out;

	buffer_reset(&out, 0);
	write(curve, view, &out);
	buffer_add(&out, "", 1);
	ck_assert(buffer_ok(&out));
	return out.data;
}

static void write_csv(const struct curve *curve, const struct curve_view *view, struct buffer *out)
{
	curve_write_csv_head(view, out);
	curve_write_csv(curve, view, out);
}

START_TEST(texts)
{
	struct train_point points[] = {
		{ .epoch = 1,
				.step = 5,
				.loss = 0.5,
				.val_loss = 0.75,
				.accuracy = 1,
				.val_accuracy = 0.1,
				.mae = 2,
				.val_mae = 3,
				.learning_rate = 0.003,
				.seconds = 0.25,
				.validated = 1 },
		{ .epoch = 2,
				.step = 10,
				.loss = NAN,
				.val_loss = INFINITY,
				.accuracy = -INFINITY,
				.val_accuracy = 0,
				.mae = -INFINITY,
				.val_mae = 4,
				.learning_rate = 1e-10,
				.seconds = 0.5,
				.validated = 1 },
	};
	const struct curve curve = { .points = points, .count = 2, .capacity = 2 }, nothing = { 0 };
	const struct curve_view all = { .job = 42, .total = 1000, .accuracy = true, .validated = true },
				training = { .job = 7, .total = 2, .mae = true };
	const struct curve_view both = {
		.job = 7, .total = 2, .accuracy = true, .mae = true, .validated = true
	};

	ck_assert_str_eq(written(curve_write_json, &curve, &all),
			"{\"job\":\"42\",\"total\":1000,\"returned\":2,\"epoch\":[1,2],\"step\":[5,10],\"loss\":[0.5,null],"
			"\"val_loss\":[0.75,null],\"accuracy\":[1,null],\"val_accuracy\":[0.1,0],\"learning_rate\":[0.003,1e-10],"
			"\"seconds\":[0.25,0.5],\"nonfinite\":[{\"epoch\":2,\"metric\":\"loss\",\"kind\":\"nan\"},"
			"{\"epoch\":2,\"metric\":\"val_loss\",\"kind\":\"inf\"},{\"epoch\":2,\"metric\":\"accuracy\","
			"\"kind\":\"-inf\"}]}");
	ck_assert_str_eq(written(curve_write_json, &curve, &training),
			"{\"job\":\"7\",\"total\":2,\"returned\":2,\"epoch\":[1,2],\"step\":[5,10],\"loss\":[0.5,null],"
			"\"mae\":[2,null],\"learning_rate\":[0.003,1e-10],\"seconds\":[0.25,0.5],\"nonfinite\":["
			"{\"epoch\":2,\"metric\":\"loss\",\"kind\":\"nan\"},{\"epoch\":2,\"metric\":\"mae\",\"kind\":\"-inf\"}]}");
	ck_assert_str_eq(written(curve_write_json, &nothing, &training),
			"{\"job\":\"7\",\"total\":2,\"returned\":0,\"epoch\":[],\"step\":[],\"loss\":[],\"mae\":[],"
			"\"learning_rate\":[],\"seconds\":[],\"nonfinite\":[]}");
	ck_assert_str_eq(written(write_csv, &curve, &all),
			"epoch,step,loss,val_loss,accuracy,val_accuracy,learning_rate,seconds\r\n"
			"1,5,0.5,0.75,1,0.1,0.003,0.25\r\n2,10,,,,0,1e-10,0.5\r\n");
	ck_assert_str_eq(written(write_csv, &curve, &training),
			"epoch,step,loss,mae,learning_rate,seconds\r\n1,5,0.5,2,0.003,0.25\r\n2,10,,,1e-10,0.5\r\n");
	ck_assert_str_eq(written(write_csv, &curve, &both),
			"epoch,step,loss,val_loss,accuracy,val_accuracy,mae,val_mae,learning_rate,seconds\r\n"
			"1,5,0.5,0.75,1,0.1,2,3,0.003,0.25\r\n2,10,,,,0,,4,1e-10,0.5\r\n");
	ck_assert_str_eq(written(write_csv, &nothing, &training),
			"epoch,step,loss,mae,learning_rate,seconds\r\n");
	points[1].validated = 0; /* is no number that left the finite ones */
	ck_assert_str_eq(written(write_csv, &curve, &all),
			"epoch,step,loss,val_loss,accuracy,val_accuracy,learning_rate,seconds\r\n"
			"1,5,0.5,0.75,1,0.1,0.003,0.25\r\n2,10,,,,,1e-10,0.5\r\n");
	ck_assert_ptr_null(strstr(written(curve_write_json, &curve, &all), "\"metric\":\"val_loss\""));
}
END_TEST

/* Health lies before the points of a block, is read back by epoch, and thins to its own last row. */
START_TEST(health_lies_beside_the_points)
{
	struct train_health rows[2] = { { 1, 2, 0.5f, 0, NAN }, { 3, 4, 0.25f, NAN, 1 } };
	struct train_point points[3] = { { .epoch = 1 }, { .epoch = 2 }, { .epoch = 3 } };
	struct curve_health health = { 0 };
	struct curve curve = { 0 };
	unsigned char *data;
	size_t size;

	for (uint64_t epoch = 1; epoch <= 3; epoch++) {
		rows[0].gradient_norm = (float)epoch;
		ck_assert(curve_health_add(&health, epoch, rows, 2));
	}
	ck_assert_int_eq(curve_encode(points, 3, &health, 0, 3, &data, &size, &e), 0);
	ck_assert_int_eq(curve_decode(&curve, data, size, 2, 3, &e), 0);
	ck_assert_uint_eq(curve.count, 2);
	ck_assert_uint_eq(curve.health.count, 2);
	ck_assert_uint_eq(curve.health.layers, 2);
	ck_assert_uint_eq(curve.health.epochs[0], 2);
	ck_assert(curve.health.rows[0].gradient_norm == 2 && isnan(curve.health.rows[0].saturated));
	ck_assert(curve.health.rows[1].weight_norm == 4 && curve.health.rows[1].saturated == 1);
	curve_health_thin(&curve.health, 1);
	ck_assert_uint_eq(curve.health.epochs[0], 3);
	curve_clear(&curve);
	for (size_t cut = 1; cut < size; cut++) /* a cut is found, or leaves whole points */
		if (!curve_decode(&curve, data, cut, 0, UINT64_MAX, &e))
			ck_assert_uint_lt(curve.count, 3);
		else
			curve_clear(&curve);
	curve_clear(&curve);
	data[8] = 0xFF; /* more rows than bytes */
	ck_assert_int_eq(curve_decode(&curve, data, size, 0, UINT64_MAX, &e), ERR_CORRUPT);
	curve_clear(&curve);
	free(data);
	curve_health_clear(&health);
}
END_TEST

START_TEST(health_is_kept_by_buckets)
{
	size_t kept = 0;

	for (uint64_t epoch = 1; epoch <= CURVE_EVERY_MAX; epoch++)
		ck_assert(curve_health_wanted(CURVE_AUTO, epoch));
	for (uint64_t epoch = CURVE_EVERY_MAX + 1; epoch <= 1000000; epoch++) {
		kept += curve_health_wanted(CURVE_AUTO, epoch);
		ck_assert(curve_health_wanted(CURVE_EPOCH, epoch));
	}
	ck_assert_uint_gt(kept, 1000);
	ck_assert_uint_lt(kept, 4 * CURVE_EVERY_MAX);
}
END_TEST

/* ---- what each mini-batch leaves ---- */

/* Five mini-batches an epoch, the last of each third epoch validated. */
static struct train_point step_at(uint64_t number)
{
	struct train_point point = point_at((number - 1) / 5 + 1);

	point.step = number;
	point.loss = 1.0 / (double)number + (double)(number * 2654435761u % 1000) / 1e6;
	point.seconds = (double)number / 3e4;
	point.accuracy = (double)(number * 2654435761u % 33) / 32;
	point.mae = point.val_mae = NAN;
	point.validated = number % 15 == 0;
	point.val_loss = (double)(number * 40503u % 977);
	return point;
}

START_TEST(steps_are_all_kept)
{
	struct curve_recorder r = { .keep = CURVE_STEP };
	struct curve curve = { 0 };
	unsigned char *data;
	size_t size;

	for (uint64_t number = 1; number <= 50000; number++) {
		struct train_point point = step_at(number);

		ck_assert(curve_record(&r, &point));
	}
	ck_assert(curve_record_end(&r));
	ck_assert_uint_eq(r.count, 50000);
	ck_assert_int_eq(curve_encode(r.points, r.count, NULL, 0, 0, &data, &size, &e), 0);
	ck_assert_uint_lt(size,
			50000 * 33); /* loss, accuracy, seconds, and little for the rest: docs/jobs.md says 33 */
	ck_assert_int_eq(curve_decode(&curve, data, size, 0, UINT64_MAX, &e), 0);
	ck_assert_uint_eq(curve.count, 50000);
	for (uint64_t number = 1; number <= 50000; number++) {
		struct train_point point = step_at(number), *got = &curve.points[number - 1];

		ck_assert_uint_eq(got->step, number);
		ck_assert_uint_eq(got->epoch, point.epoch);
		ck_assert_double_eq(got->loss, point.loss);
		ck_assert_double_eq(got->accuracy, point.accuracy);
		ck_assert_uint_eq(got->validated, point.validated);
		ck_assert(point.validated ? got->val_loss == point.val_loss : isnan(got->val_loss));
		ck_assert_uint_eq(curve_key_epoch(curve_key(CURVE_STEP, got)), got->epoch);
		ck_assert_uint_ge(curve_key(CURVE_STEP, got), curve_key_first(CURVE_STEP, got->epoch));
		ck_assert_uint_le(curve_key(CURVE_STEP, got), curve_key_last(CURVE_STEP, got->epoch));
	}
	curve_clear(&curve);
	curve_recorder_free(&r);
	free(data);
}
END_TEST

START_TEST(keys_have_room_for_what_a_job_may_ask)
{
	struct train_point longest = { .epoch = 10000000, .step = 1000000000 };

	ck_assert_uint_lt(curve_key(CURVE_STEP, &longest), INT64_MAX);
	ck_assert_uint_eq(curve_key_last(CURVE_STEP, UINT64_MAX), INT64_MAX);
	ck_assert_uint_eq(curve_key_last(CURVE_AUTO, UINT64_MAX), INT64_MAX);
	ck_assert_uint_eq(curve_key_last(CURVE_AUTO, 7), 7);
	ck_assert_uint_eq(curve_key_first(CURVE_AUTO, 7), 7);
	ck_assert_uint_eq(curve_key_epoch(7), 7);
}
END_TEST

/* ---- summaries ---- */

/* What is in a level, against the points that it is of. */
static void check_level(const struct curve_recorder *r, size_t level, uint64_t span_points)
{
	const struct curve_level *l = &r->levels[level];

	ck_assert_uint_eq(l->count, r->count / span_points);
	for (size_t i = 0; i < l->count; i++) {
		const struct curve_span *span = &l->spans[i];
		const struct train_point *points = r->points + i * span_points;
		double low = INFINITY, high = -INFINITY, val_low = INFINITY, val_high = -INFINITY;

		for (size_t j = 0; j < span_points; j++) {
			low = fmin(low, points[j].loss);
			high = fmax(high, points[j].loss);
			if (points[j].validated) val_low = fmin(val_low, points[j].val_loss);
			if (points[j].validated) val_high = fmax(val_high, points[j].val_loss);
		}
		ck_assert_uint_eq(span->points, span_points);
		ck_assert_uint_eq(span->first, curve_key(r->keep, points));
		ck_assert_uint_eq(span->last, curve_key(r->keep, points + span_points - 1));
		ck_assert_double_eq(span->kept[0].loss, low);
		ck_assert_double_eq(span->kept[1].loss, high);
		ck_assert_double_eq(span->kept[2].val_loss, val_low);
		ck_assert_double_eq(span->kept[3].val_loss, val_high);
	}
}

START_TEST(levels_have_the_extremes)
{
	struct curve_recorder r = { .keep = CURVE_STEP };
	uint64_t span = 1;

	for (uint64_t number = 1; number <= 40000; number++) {
		struct train_point point = step_at(number);

		ck_assert(curve_record(&r, &point));
	}
	for (size_t i = 0; i < CURVE_LEVELS; i++)
		check_level(&r, i, span *= CURVE_FAN);
	ck_assert_uint_eq(r.levels[2].count, 1);
	curve_recorder_free(&r);
}
END_TEST

START_TEST(spans_as_bytes)
{
	struct curve_recorder r = { .keep = CURVE_STEP };
	struct curve_spans spans = { 0 };
	const struct curve_level *level = &r.levels[0];
	unsigned char *data;
	size_t size;

	for (uint64_t number = 1; number <= 3200; number++) {
		struct train_point point = step_at(number);

		if (number == 77) point.loss = NAN;
		ck_assert(curve_record(&r, &point));
	}
	ck_assert_int_eq(curve_encode_spans(level->spans, level->count, &data, &size, &e), 0);
	ck_assert_uint_le(size, CURVE_HEAD_BYTES + level->count * CURVE_SPAN_BYTES);
	ck_assert_int_eq(curve_decode_spans(&spans, data, size, 0, UINT64_MAX, &e), 0);
	ck_assert_uint_eq(spans.count, 100);
	for (size_t i = 0; i < 100; i++) {
		ck_assert_uint_eq(spans.spans[i].first, level->spans[i].first);
		ck_assert_uint_eq(spans.spans[i].last, level->spans[i].last);
		ck_assert_uint_eq(spans.spans[i].points, 32);
		for (size_t j = 0; j < CURVE_SPAN_KEEPS; j++) {
			ck_assert_uint_eq(spans.spans[i].kept[j].step, level->spans[i].kept[j].step);
			ck_assert(!memcmp(&spans.spans[i].kept[j].loss, &level->spans[i].kept[j].loss, 8));
		}
	}
	ck_assert(isnan(spans.spans[2].kept[1].loss));
	spans.count = 0; /* those that lie wholly inside */
	ck_assert_int_eq(curve_decode_spans(&spans, data, size, level->spans[3].first + 1,
					 level->spans[9].last, &e),
			0);
	ck_assert_uint_eq(spans.count, 6);
	for (size_t cut = 0; cut < size; cut++)
		ck_assert_int_eq(curve_decode_spans(&spans, data, cut, 0, UINT64_MAX, &e), ERR_CORRUPT);
	data[8] = 0xFF;
	ck_assert_int_eq(curve_decode_spans(&spans, data, size, 0, UINT64_MAX, &e), ERR_CORRUPT);
	curve_spans_clear(&spans);
	curve_recorder_free(&r);
	free(data);
}
END_TEST

/* Thinned through summaries of any level, each extreme of the whole is there, and so is each spike of a bucket. */
START_TEST(thinning_by_summaries)
{
	struct curve_recorder r = { .keep = CURVE_STEP };

	for (uint64_t number = 1; number <= 32768; number++) {
		struct train_point point = step_at(number);

		if (number % 5000 == 0) point.loss = (double)number;
		if (number % 6000 == 0) point.val_loss = (double)number; /* is validated: 6000 is of 15 */
		ck_assert(curve_record(&r, &point));
	}
	for (size_t level = 0; level < 2; level++) {
		struct curve_spans spans = { r.levels[level].spans, r.levels[level].count, 0 };
		struct curve out = { 0 };
		size_t spikes = 0, val_spikes = 0;

		ck_assert_int_eq(curve_thin(&spans, r.points, r.points + r.count - 1, 130, &out, &e), 0);
		ck_assert_uint_le(out.count, 130);
		ck_assert_uint_gt(out.count, 60);
		ck_assert_uint_eq(out.points[0].step, 1);
		ck_assert_uint_eq(out.points[out.count - 1].step, 32768);
		for (size_t i = 0; i < out.count; i++) {
			if (i) ck_assert_uint_gt(out.points[i].step, out.points[i - 1].step);
			spikes += out.points[i].loss >= 5000;
			val_spikes += out.points[i].validated && out.points[i].val_loss >= 6000;
		}
		ck_assert_uint_eq(spikes, 6);
		ck_assert_uint_eq(val_spikes, 5);
		curve_clear(&out);
	}
	curve_recorder_free(&r);
}
END_TEST

/* ---- a recorder that goes on from a checkpoint ---- */

static void go_on_from(enum curve_keep keep, uint64_t first, uint64_t at, uint64_t last)
{
	struct curve_recorder one = { .keep = keep, .given = first - 1 }, two = { 0 };
	unsigned char *bytes = NULL;
	size_t size = 0, flushed = 0;

	for (uint64_t number = first; number <= last; number++) {
		struct train_point point = step_at(number);

		if (keep != CURVE_STEP) point.epoch = number;
		ck_assert(curve_record(&one, &point));
		if (number > at) ck_assert(curve_record(&two, &point));
		if (number != at) continue;
		size = curve_recorder_bytes(&one);
		bytes = malloc(size);
		curve_recorder_save(&one, bytes);
		ck_assert_int_eq(curve_recorder_load(&two, bytes, size, &e), 0);
		ck_assert_uint_eq(two.ready, one.ready);
		flushed = one.count;
	}
	ck_assert(curve_record_end(&one) && curve_record_end(&two));
	ck_assert_uint_eq(one.count - flushed, two.count);
	ck_assert_mem_eq(one.points + flushed, two.points, two.count * sizeof *two.points);
	for (size_t i = 0; i < CURVE_LEVELS; i++) {
		ck_assert_uint_eq(one.levels[i].count, two.levels[i].count);
		for (size_t j = 0; j < one.levels[i].count; j++)
			ck_assert_mem_eq(&one.levels[i].spans[j], &two.levels[i].spans[j],
					sizeof *one.levels[i].spans);
	}
	curve_recorder_free(&two);
	for (size_t cut = 0; cut < size; cut += 97)
		ck_assert_int_eq(curve_recorder_load(&two, bytes, cut, &e), ERR_CORRUPT);
	curve_recorder_free(&one);
	free(bytes);
}

START_TEST(it_goes_on_where_it_was)
{
	for (uint64_t at = 900; at < 1100; at += 13)
		go_on_from(CURVE_STEP, 1, at, 2500);
	for (uint64_t at = 40000; at < 40100; at += 7) /* within a bucket of 16 */
		go_on_from(CURVE_AUTO, 39000, at, 42000);
}
END_TEST

/* Each is kept to CURVE_KEPT_MAX, then they are merged. */
START_TEST(even_these_end)
{
	struct curve_recorder r = { .keep = CURVE_EPOCH, .given = CURVE_KEPT_MAX - 100 };

	for (uint64_t epoch = CURVE_KEPT_MAX - 99; epoch <= CURVE_KEPT_MAX + 400; epoch++) {
		struct train_point point = point_at(epoch);

		point.validated = 0;
		ck_assert(curve_record(&r, &point));
	}
	ck_assert_uint_gt(r.count, 200);
	ck_assert_uint_le(r.count, 300); /* 100, and of each four two at most */
	curve_recorder_free(&r);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { health_lies_beside_the_points, health_is_kept_by_buckets,
		early_epochs_are_all_kept, ten_million_epochs, an_end_within_a_bucket, a_nan_hides_no_minimum,
		the_last_epoch_stays, blocks, blocks_of_the_first_releases, thinning, thinning_keeps_extremes,
		texts, steps_are_all_kept, keys_have_room_for_what_a_job_may_ask, levels_have_the_extremes,
		spans_as_bytes, thinning_by_summaries, it_goes_on_where_it_was, even_these_end, NULL };

	return suite_main("curve", tests, 60);
}
