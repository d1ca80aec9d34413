/* curve_block.c - points of a curve as bytes. See curve.h.
 *
 *	health                       where there is some
 *	u64 mark << 16 | columns     of points, or of spans
 *	u64 count                    of points, or of spans
 *	u64 kept                     points of each span; 1 in a block of points
 *	columns of the count * kept points, then of spans their own
 *
 * A column is its values as 64 bits, and either all of them, or the first one and the commonest difference between
 * neighbours, with the places that have another one. Everything is little-endian.
 */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/size.h"
#include "server/codec/curve.h"
#include "server/codec/little.h"

#define ROWS_MARK      0xDE5CE47C0001u /* of older releases: points row by row */
#define COLUMNS_MARK   0xDE5CE47C0003u /* 0002 is health */
#define SPANS_MARK     0xDE5CE47C0004u
#define MARK_SHIFT     16
#define OLD_HEAD_BYTES 8
#define OLD_POINT_BYTES \
	64 /* of a point without a head before it; begins with an epoch, which is less than a mark */
#define HEAD_BYTES 24
#define REALS_FROM 16 /* bytes of epoch and step in a row */

/* The numbers of a point, in order; a release only ever adds some at the end. */
static const size_t of_point[] = {
	offsetof(struct train_point, epoch),
	offsetof(struct train_point, step),
	offsetof(struct train_point, loss),
	offsetof(struct train_point, val_loss),
	offsetof(struct train_point, accuracy),
	offsetof(struct train_point, val_accuracy),
	offsetof(struct train_point, learning_rate),
	offsetof(struct train_point, seconds),
	offsetof(struct train_point, mae),
	offsetof(struct train_point, val_mae),
	offsetof(struct train_point, validated),
};
static const size_t of_span[] = {
	offsetof(struct curve_span, first),
	offsetof(struct curve_span, last),
	offsetof(struct curve_span, points),
};
#define POINT_COLUMNS (sizeof of_point / sizeof *of_point)
#define SPAN_COLUMNS  (sizeof of_span / sizeof *of_span)
#define ROW_REALS     8 /* of a row: without epoch, step and validated */
#define OLDEST_REALS  6

_Static_assert(CURVE_POINT_BYTES >= 8 * POINT_COLUMNS, "a point is no longer than curve.h says");

static int damaged(struct err *e)
{
	return err_set(e, ERR_CORRUPT, "a block of a stored curve is damaged");
}

/* ---- a column ---- */

#define COLUMN_HEAD_BYTES \
	24 /* u64 exceptions (ALL: every value follows), then, unless ALL, first and difference */
#define ALL             UINT64_MAX
#define EXCEPTION_BYTES 12 /* u32 place, u64 difference */
#define SAMPLE          64 /* differences that show whether there is a commonest one */

_Static_assert(CURVE_HEAD_BYTES >= HEAD_BYTES + 8 * (POINT_COLUMNS + SPAN_COLUMNS), "nor is a head");

/* Numbers that lie `stride` bytes apart, `group` of them each time, those `within` bytes apart. */
struct places {
	const char *at;
	size_t stride, group, within;
};

static uint64_t value_at(const struct places *p, size_t i)
{
	uint64_t value;

	memcpy(&value, p->at + i / p->group * p->stride + i % p->group * p->within, sizeof value);
	return value;
}

static void take_values(const struct places *p, size_t count, uint64_t *values)
{
	for (size_t i = 0; i < count; i++)
		values[i] = value_at(p, i);
}

/* The difference that more than half of them have, if any has (Boyer and Moore, 1981). */
static uint64_t commonest(const uint64_t *values, size_t count)
{
	uint64_t candidate = 0;
	size_t votes = 0;

	for (size_t i = 1; i < count; i++) {
		uint64_t difference = values[i] - values[i - 1];

		if (!votes) candidate = difference;
		votes += difference == candidate ? 1 : (size_t)-1;
	}
	return candidate;
}

static size_t exceptions(const uint64_t *values, size_t count, uint64_t difference)
{
	size_t others = 0;

	for (size_t i = 1; i < count; i++)
		others += values[i] - values[i - 1] != difference;
	return others;
}

/* True: it is shorter by its differences. */
static bool is_regular(const uint64_t *values, size_t count, uint64_t *difference, size_t *others)
{
	size_t sample = count < SAMPLE ? count : SAMPLE;

	*difference = commonest(values, sample);
	if (exceptions(values, sample, *difference) > sample / 2) return false;
	*difference = commonest(values, count);
	*others = exceptions(values, count, *difference);
	return COLUMN_HEAD_BYTES + *others * EXCEPTION_BYTES < 8 + count * sizeof *values;
}

static void write_regular(
		const uint64_t *values, size_t count, uint64_t difference, size_t others, struct buffer *out)
{
	size_t bytes = COLUMN_HEAD_BYTES + others * EXCEPTION_BYTES;
	char *to = buffer_reserve(out, bytes);

	if (!to) return;
	put64(to, others);
	put64(to + 8, values[0]);
	put64(to + 16, difference);
	to += COLUMN_HEAD_BYTES;
	for (size_t i = 1; i < count; i++) {
		if (values[i] - values[i - 1] == difference) continue;
		put32(to, (uint32_t)i);
		put64(to + 4, values[i] - values[i - 1]);
		to += EXCEPTION_BYTES;
	}
	out->size += bytes;
}

static void write_all(const uint64_t *values, size_t count, struct buffer *out)
{
	char *to = buffer_reserve(out, 8 + count * 8);

	if (!to) return;
	put64(to, ALL);
	for (size_t i = 0; i < count; i++)
		put64(to + 8 + 8 * i, values[i]);
	out->size += 8 + count * 8;
}

static void write_column(const struct places *p, size_t count, uint64_t *values, struct buffer *out)
{
	uint64_t difference;
	size_t others;

	take_values(p, count, values);
	if (count && is_regular(values, count, &difference, &others))
		write_regular(values, count, difference, others, out);
	else
		write_all(values, count, out);
}

struct bytes {
	const unsigned char *at;
	size_t left;
};

static const unsigned char *take(struct bytes *b, size_t n)
{
	const unsigned char *at = b->at;

	if (n > b->left) return NULL;
	b->at += n;
	b->left -= n;
	return at;
}

/* values (count); false: damaged. */
static bool read_column(struct bytes *b, size_t count, uint64_t *values)
{
	const unsigned char *head = take(b, 8), *more, *rest;
	uint64_t others, value, difference;
	size_t next = 0;

	if (!head) return false;
	if ((others = get64(head)) == ALL) {
		if (!(rest = take(b, size_mul(count, 8)))) return false;
		for (size_t i = 0; i < count; i++)
			values[i] = get64(rest + 8 * i);
		return true;
	}
	if (others > count || !(more = take(b, 16)) || !(rest = take(b, others * EXCEPTION_BYTES)))
		return false;
	value = get64(more);
	difference = get64(more + 8);
	for (size_t i = 0; i < count; i++) {
		if (next < others && get32(rest + next * EXCEPTION_BYTES) == i)
			value += get64(rest + next++ * EXCEPTION_BYTES + 4);
		else if (i)
			value += difference;
		values[i] = value;
	}
	return next == others;
}

/* ---- a block ---- */

static int write_block(const struct train_point *points, const struct curve_span *spans, size_t count,
		size_t kept, struct buffer *out, struct err *e)
{
	size_t stride = spans ? sizeof *spans : sizeof *points;
	const char *first = spans ? (const char *)spans->kept : (const char *)points;
	uint64_t *values = reallocarray(NULL, count * kept + 1, sizeof *values);
	char *to = buffer_reserve(out, HEAD_BYTES);

	if (!values || !to) {
		free(values);
		return err_nomem(e);
	}
	put64(to, (uint64_t)(spans ? SPANS_MARK : COLUMNS_MARK) << MARK_SHIFT | POINT_COLUMNS);
	put64(to + 8, count);
	put64(to + 16, kept);
	out->size += HEAD_BYTES;
	for (size_t j = 0; j < POINT_COLUMNS; j++)
		write_column(&(struct places){ first + of_point[j], stride, kept, sizeof *points },
				count * kept, values, out);
	for (size_t j = 0; spans && j < SPAN_COLUMNS; j++)
		write_column(&(struct places){ (const char *)spans + of_span[j], stride, 1, 0 }, count,
				values, out);
	free(values);
	return buffer_ok(out) ? 0 : err_nomem(e);
}

static int hand_over(struct buffer *out, int rc, unsigned char **data, size_t *size)
{
	*data = (unsigned char *)out->data;
	*size = out->size;
	if (!rc) return 0;
	buffer_free(out);
	*data = NULL;
	return rc;
}

int curve_encode(const struct train_point *points, size_t count, const struct curve_health *health,
		size_t from, size_t until, unsigned char **data, size_t *size, struct err *e)
{
	size_t section = health ? curve_health_bytes(health, from, until) : 0;
	struct buffer out = { 0 };
	char *to = buffer_reserve(&out, section + CURVE_HEAD_BYTES);

	if (!to) return hand_over(&out, err_nomem(e), data, size);
	if (section) curve_health_encode(health, from, until, (unsigned char *)to);
	out.size = section;
	return hand_over(&out, write_block(points, NULL, count, 1, &out, e), data, size);
}

int curve_encode_spans(const struct curve_span *spans, size_t count, unsigned char **data, size_t *size,
		struct err *e)
{
	struct buffer out = { 0 };
	size_t kept = CURVE_SPAN_KEEPS / 2;

	for (size_t i = 0; i < count; i++)
		if (spans[i].kept[2].validated || spans[i].kept[3].validated) kept = CURVE_SPAN_KEEPS;
	return hand_over(&out, write_block(NULL, spans, count, kept, &out, e), data, size);
}

/* The head of a block of columns; size is what follows it. */
struct head {
	size_t columns, count, kept;
};

static bool read_head(struct bytes *b, uint64_t mark, struct head *head)
{
	const unsigned char *at = take(b, HEAD_BYTES);

	if (!at || get64(at) >> MARK_SHIFT != mark) return false;
	head->columns = get64(at) & ((1u << MARK_SHIFT) - 1);
	head->count = get64(at + 8);
	head->kept = get64(at + 16);
	return head->columns >= POINT_COLUMNS && head->count <= UINT32_MAX / CURVE_SPAN_KEEPS &&
	       head->kept <= CURVE_SPAN_KEEPS;
}

/* Columns of points, kept of them in each span; values (count * kept). Those of later releases are skipped. */
static bool read_kept(struct bytes *b, const struct head *head, struct curve_span *spans, uint64_t *values)
{
	size_t count = head->count * head->kept;

	for (size_t j = 0; j < head->columns; j++) {
		if (!read_column(b, count, values)) return false;
		for (size_t i = 0; j < POINT_COLUMNS && i < count; i++)
			memcpy((char *)&spans[i / head->kept].kept[i % head->kept] + of_point[j], &values[i],
					sizeof *values);
	}
	return true;
}

/* ---- points ---- */

static bool room_for(struct curve *curve, size_t more)
{
	size_t wanted = size_add(curve->count, more);
	struct train_point *grown;

	if (wanted <= curve->capacity) return true;
	if (wanted < curve->capacity * 2) wanted = curve->capacity * 2;
	if (!(grown = reallocarray(curve->points, wanted, sizeof *grown))) return false;
	curve->points = grown;
	curve->capacity = wanted;
	return true;
}

/* What a damaged head says of its count is not believed before this: a constant column takes no room. */
#define UNBELIEVED ((size_t)1 << 22)

/* Of a block, those in a range of epochs. */
struct part {
	size_t begin, end;
};

static struct part part_of(const uint64_t *epochs, size_t count, uint64_t from, uint64_t to)
{
	struct part part = { 0, count };

	while (part.begin < count && epochs[part.begin] < from)
		part.begin++;
	while (part.end > part.begin && epochs[part.end - 1] > to)
		part.end--;
	return part;
}

/* The first column, epochs, says which places of the others are wanted. */
static int read_points(struct curve *curve, struct bytes *b, const struct head *head, uint64_t *values,
		uint64_t from, uint64_t to, struct err *e)
{
	struct part part = { 0, 0 };
	struct train_point *points = NULL;

	for (size_t j = 0; j < head->columns; j++) {
		if (!read_column(b, head->count, values)) return damaged(e);
		if (!j) {
			part = part_of(values, head->count, from, to);
			if (!room_for(curve, part.end - part.begin)) return err_nomem(e);
			points = curve->points + curve->count;
			if (part.end > part.begin)
				memset(points, 0, (part.end - part.begin) * sizeof *points);
		}
		for (size_t i = part.begin; j < POINT_COLUMNS && i < part.end; i++)
			memcpy((char *)&points[i - part.begin] + of_point[j], &values[i], sizeof *values);
	}
	if (b->left) return damaged(e);
	curve->count += part.end - part.begin;
	return 0;
}

static int decode_columns(struct curve *curve, struct bytes b, uint64_t from, uint64_t to, struct err *e)
{
	uint64_t *values;
	struct head head;
	int rc;

	if (!read_head(&b, COLUMNS_MARK, &head) || head.kept != 1 || head.count > UNBELIEVED)
		return damaged(e);
	values = reallocarray(NULL, head.count + 1, sizeof *values);
	if (!values) return err_nomem(e);
	rc = read_points(curve, &b, &head, values, from, to, e);
	free(values);
	return rc;
}

/* What is not there by the job's configuration is not shown, so of an older release all may count as validated. */
static struct train_point decode_row(const unsigned char *data, size_t reals)
{
	struct train_point point = { .epoch = get64(data), .step = get64(data + 8), .validated = 1 };

	for (size_t j = 0; j < reals; j++) {
		uint64_t bits = get64(data + REALS_FROM + 8 * j);

		memcpy((char *)&point + of_point[j + 2], &bits, sizeof bits);
	}
	if (reals == OLDEST_REALS) {
		point.mae = point.accuracy;
		point.val_mae = point.val_accuracy;
	}
	if (isnan(point.val_loss) && isfinite(point.loss)) point.validated = 0;
	return point;
}

static int decode_rows(struct curve *curve, struct bytes b, uint64_t from, uint64_t to, struct err *e)
{
	size_t bytes = OLD_POINT_BYTES, reals = OLDEST_REALS;
	const unsigned char *at;

	if (b.left >= OLD_HEAD_BYTES && get64(b.at) >> MARK_SHIFT == ROWS_MARK) {
		bytes = get64(take(&b, OLD_HEAD_BYTES)) & ((1u << MARK_SHIFT) - 1);
		reals = ROW_REALS;
	}
	if (bytes < REALS_FROM + 8 * reals || b.left % bytes) return damaged(e);
	if (!room_for(curve, b.left / bytes)) return err_nomem(e);
	while (b.left && (at = take(&b, bytes))) {
		struct train_point point = decode_row(at, reals);

		if (point.epoch >= from && point.epoch <= to) curve->points[curve->count++] = point;
	}
	return 0;
}

int curve_decode(struct curve *curve, const unsigned char *data, size_t size, uint64_t from, uint64_t to,
		struct err *e)
{
	size_t section = curve_health_section(data, size);
	struct bytes b = { data, size };
	int rc;

	if ((rc = curve_health_decode(&curve->health, data, size, from, to, e))) return rc;
	if (section) take(&b, section);
	if (b.left >= OLD_HEAD_BYTES && get64(b.at) >> MARK_SHIFT == COLUMNS_MARK)
		return decode_columns(curve, b, from, to, e);
	return decode_rows(curve, b, from, to, e);
}

void curve_clear(struct curve *curve)
{
	free(curve->points);
	curve_health_clear(&curve->health);
	*curve = (struct curve){ 0 };
}

/* ---- spans ---- */

bool curve_spans_add(struct curve_spans *s, const struct curve_span *span)
{
	size_t wanted = s->capacity ? s->capacity * 2 : CURVE_HEAD_BYTES;
	struct curve_span *grown;

	if (s->count == s->capacity) {
		if (!(grown = reallocarray(s->spans, wanted, sizeof *grown))) return false;
		s->spans = grown;
		s->capacity = wanted;
	}
	s->spans[s->count++] = *span;
	return true;
}

void curve_spans_clear(struct curve_spans *s)
{
	free(s->spans);
	*s = (struct curve_spans){ 0 };
}

static bool read_spans(struct bytes *b, const struct head *head, struct curve_span *spans, uint64_t *values)
{
	if (!read_kept(b, head, spans, values)) return false;
	for (size_t j = 0; j < SPAN_COLUMNS; j++) {
		if (!read_column(b, head->count, values)) return false;
		for (size_t i = 0; i < head->count; i++)
			memcpy((char *)&spans[i] + of_span[j], &values[i], sizeof *values);
	}
	return !b->left;
}

int curve_decode_spans(struct curve_spans *out, const unsigned char *data, size_t size, uint64_t from,
		uint64_t to, struct err *e)
{
	struct bytes b = { data, size };
	struct curve_span *spans;
	uint64_t *values;
	struct head head;
	int rc = 0;

	if (!read_head(&b, SPANS_MARK, &head) || head.kept < CURVE_SPAN_KEEPS / 2 ||
			head.count > UNBELIEVED / CURVE_SPAN_KEEPS)
		return damaged(e);
	spans = calloc(head.count + 1, sizeof *spans);
	values = reallocarray(NULL, head.count * head.kept + 1, sizeof *values);
	if (!spans || !values)
		rc = err_nomem(e);
	else if (!read_spans(&b, &head, spans, values))
		rc = damaged(e);
	for (size_t i = 0; i < head.count && !rc; i++)
		if (spans[i].points && spans[i].first >= from && spans[i].last <= to &&
				!curve_spans_add(out, &spans[i]))
			rc = err_nomem(e);
	free(values);
	free(spans);
	return rc;
}
