/* core_gemm.c - every engine of gemm.h held against the naive one, bit for bit where there is FMA.
 *
 * Operands end at a page that nobody may touch, so that a kernel which reads past a row's last element faults.
 * C lies between guard elements, and its rows are padded; all of that is compared too. f64_gemm.c runs the same
 * tests on the double build.
 */
#include "core/gemm.h"

#include <float.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/rng.h"
#include "tests/unit/suite.h"

#define LIMIT_SECONDS 120
#define LONGEST       67 /* every size up to this: past four vectors of 16, and past four tiles of 14 rows */
#define GUARD         9  /* elements before and after C */

/* An array that ends where a forbidden page begins. */
struct buffer {
	void *pages;
	size_t bytes;
	real *data;
	size_t count;
};

static struct buffer buffer_new(size_t count)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), used = count * sizeof(real);
	struct buffer b = { .count = count };

	b.bytes = (used + page - 1) / page * page + page;
	b.pages = mmap(NULL, b.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert(b.pages != MAP_FAILED);
	ck_assert_int_eq(mprotect((char *)b.pages + b.bytes - page, page, PROT_NONE), 0);
	b.data = (real *)((char *)b.pages + b.bytes - page) - count;
	return b;
}

static void buffer_free(struct buffer *b)
{
	ck_assert_int_eq(munmap(b->pages, b->bytes), 0);
}

/* Numbers in [-1, 1), the same for one salt in every run. */
static void buffer_fill(struct buffer *b, uint64_t salt)
{
	struct rng_key key = { .seed = salt, .stream = RNG_TEST };
	uint32_t words[4] = { 0 };

	for (size_t i = 0; i < b->count; i++) {
		if (i % 4 == 0) rng_block(&key, i / 4, words);
		b->data[i] = (real)(int32_t)words[i % 4] / (real)2147483648.0;
	}
}

/* One product to try, with how its operands lie. */
struct layout {
	size_t m, n, k;
	bool a_turned, b_turned; /* A lies as (K, M), B as (N, K) */
	size_t pad;              /* elements that each row is longer than it needs */
	bool accumulate;
};

struct operands {
	struct buffer a, b, c, expected;
	struct gemm_args args; /* C is args.c in c.data */
};

static size_t stretch(size_t rows, size_t row, size_t used)
{
	return rows == 0 ? 0 : (rows - 1) * row + used;
}

static struct operands operands_new(const struct layout *l)
{
	size_t a_rows = l->a_turned ? l->k : l->m, a_used = l->a_turned ? l->m : l->k;
	size_t b_rows = l->b_turned ? l->n : l->k, b_used = l->b_turned ? l->k : l->n;
	size_t a_row = a_used + l->pad, b_row = b_used + l->pad, c_row = l->n + l->pad;
	struct operands o = {
		.a = buffer_new(stretch(a_rows, a_row, a_used)),
		.b = buffer_new(stretch(b_rows, b_row, b_used)),
		.c = buffer_new(stretch(l->m, c_row, l->n) + 2 * GUARD),
		.expected = buffer_new(stretch(l->m, c_row, l->n) + 2 * GUARD),
	};

	buffer_fill(&o.a, 1);
	buffer_fill(&o.b, 2);
	buffer_fill(&o.c, 3);
	buffer_fill(&o.expected, 3);
	o.args = (struct gemm_args){
		.m = l->m,
		.n = l->n,
		.k = l->k,
		.a = o.a.data,
		.a_row = l->a_turned ? 1 : a_row,
		.a_col = l->a_turned ? a_row : 1,
		.b = o.b.data,
		.b_row = l->b_turned ? 1 : b_row,
		.b_col = l->b_turned ? b_row : 1,
		.c = o.c.data + GUARD,
		.c_row = c_row,
		.accumulate = l->accumulate,
	};
	return o;
}

static void operands_free(struct operands *o)
{
	buffer_free(&o->a);
	buffer_free(&o->b);
	buffer_free(&o->c);
	buffer_free(&o->expected);
}

static const struct gemm_engine *engine_called(const char *name)
{
	const struct gemm_engine *engine = NULL;
	struct err e = { .text = "" };

	ck_assert_msg(gemm_choose(&engine, name, &e) == ERR_OK, "%s", e.text);
	return engine;
}

/* Has every step of this engine one rounding? */
static bool fused(const struct gemm_engine *engine)
{
#if defined(__aarch64__)
	return engine != NULL;
#else
	return strcmp(engine->name, "portable") != 0;
#endif
}

/* |a| and |b| are at most 1, so that k + 1 roundings of sums of at most k + 1 bound the difference. */
static bool same(const struct gemm_engine *engine, const struct layout *l, real got, real expected)
{
	double bound = fused(engine) ? 0 : (double)(l->k + 1) * (double)(l->k + 1) * REAL_EPSILON;

	return fabs((double)got - (double)expected) <= bound;
}

/* c against expected, with the guards, where nothing may have changed at all. Check writes a file for every
 * assertion that holds, so there is none for each element. */
static void compare(const struct gemm_engine *engine, const struct layout *l, const struct operands *o)
{
	for (size_t i = 0; i < o->c.count; i++) {
		bool inside = i >= GUARD && i < o->c.count - GUARD && (i - GUARD) % o->args.c_row < l->n;
		real got = o->c.data[i], expected = o->expected.data[i];

		if (inside ? same(engine, l, got, expected) : got == expected) continue;
		ck_abort_msg("%s: m %zu n %zu k %zu%s%s pad %zu%s: element %td is %.9g, not %.9g",
				engine->name, l->m, l->n, l->k, l->a_turned ? " A turned" : "",
				l->b_turned ? " B turned" : "", l->pad, l->accumulate ? " accumulating" : "",
				(ptrdiff_t)i - GUARD, (double)got, (double)expected);
	}
}

static void try_layout(const struct layout *l)
{
	struct operands o = operands_new(l);
	struct gemm_args reference = o.args;

	reference.c = o.expected.data + GUARD;
	gemm(engine_called("naive"), NULL, &reference);
	for (size_t i = 0; gemm_engine_at(i); i++) {
		const struct gemm_engine *engine = gemm_engine_at(i);

		if (!engine->usable()) continue;
		buffer_fill(&o.c, 3);
		gemm(engine, NULL, &o.args);
		compare(engine, l, &o);
	}
	operands_free(&o);
}

/* The eight forms of one shape. */
static void try_shape(size_t m, size_t n, size_t k)
{
	for (unsigned form = 0; form < 8; form++) {
		struct layout l = { m, n, k, form & 1, form & 2, (m + n + k) % 2 * 5, form & 4 };

		try_layout(&l);
	}
}

/* Sizes that each dimension is combined with while another takes every value. */
static const size_t others[] = { 1, 3, 16, 37, 67 };

#define OTHERS (sizeof others / sizeof others[0])

START_TEST(every_row_count)
{
	for (size_t x = 1; x <= LONGEST; x++)
		for (size_t i = 0; i < OTHERS * OTHERS; i++)
			try_shape(x, others[i / OTHERS], others[i % OTHERS]);
}
END_TEST

START_TEST(every_column_count)
{
	for (size_t x = 1; x <= LONGEST; x++)
		for (size_t i = 0; i < OTHERS * OTHERS; i++)
			try_shape(others[i / OTHERS], x, others[i % OTHERS]);
}
END_TEST

START_TEST(every_depth)
{
	for (size_t x = 1; x <= LONGEST; x++)
		for (size_t i = 0; i < OTHERS * OTHERS; i++)
			try_shape(others[i / OTHERS], others[i % OTHERS], x);
}
END_TEST

START_TEST(shapes_larger_than_a_block)
{
	static const size_t shapes[][3] = {
		{ 64, 128, 784 },
		{ 45, 70, 1100 },
		{ 1, 300, 2000 },
		{ 300, 1, 700 },
		{ 130, 515, 33 },
		{ 3, 1100, 520 },
		{ 67, 33, 1537 },
		{ 200, 97, 260 },
		{ 50, 610, 520 }, /* B is packed however it lies, in more than one block of columns and of k */
		{ 49, 1030, 300 },
	};

	for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
		try_shape(shapes[i][0], shapes[i][1], shapes[i][2]);
}
END_TEST

START_TEST(depth_zero_clears_or_keeps)
{
	for (size_t n = 1; n <= LONGEST; n++) {
		try_shape(5, n, 0);
		try_shape(n, 5, 0);
	}
}
END_TEST

START_TEST(nothing_to_do)
{
	try_shape(0, 5, 7);
	try_shape(5, 0, 7);
	try_shape(0, 0, 0);
}
END_TEST

/* A and B whose columns are not neighbours either: every other element of every row. */
START_TEST(two_strides)
{
	struct layout l = { 30, 40, 100, false, false, 1, false };
	struct operands o = operands_new(&l);
	struct gemm_args g = o.args;

	g.a_col = 2;
	g.k /= 2;
	g.b_col = 2;
	g.n /= 2;
	l.n = g.n;
	for (size_t i = 0; gemm_engine_at(i); i++) {
		const struct gemm_engine *engine = gemm_engine_at(i);

		if (!engine->usable()) continue;
		g.c = o.expected.data + GUARD;
		gemm(engine_called("naive"), NULL, &g);
		buffer_fill(&o.c, 3);
		g.c = o.args.c;
		gemm(engine, NULL, &g);
		compare(engine, &l, &o);
	}
	operands_free(&o);
}
END_TEST

/* Row 3 of a batch must have the bits that it has alone: a prediction does not depend on its company. */
static void try_row_alone(const struct gemm_engine *engine, size_t batch, size_t n, size_t k, bool turned)
{
	struct layout l = { batch, n, k, false, turned, 0, false };
	struct operands o = operands_new(&l);
	struct gemm_args alone = o.args;
	const size_t row = 3;

	gemm(engine, NULL, &o.args);
	alone.m = 1;
	alone.a += row * alone.a_row;
	alone.c = o.expected.data;
	gemm(engine, NULL, &alone);
	ck_assert_msg(memcmp(o.args.c + row * o.args.c_row, alone.c, n * sizeof(real)) == 0,
			"%s: a row of n %zu k %zu differs in a batch of %zu", engine->name, n, k, batch);
	operands_free(&o);
}

START_TEST(row_alone_is_row_in_batch)
{
	for (size_t i = 0; gemm_engine_at(i); i++) {
		const struct gemm_engine *engine = gemm_engine_at(i);

		if (!engine->usable()) continue;
		for (int turned = 0; turned < 2; turned++) {
			for (size_t n = 1; n <= LONGEST; n += 3) {
				try_row_alone(engine, 7, n, 100, turned);
				try_row_alone(engine, 64, n, 100, turned);
			}
			try_row_alone(engine, 7, 512, 1100, turned);
			try_row_alone(engine, 64, 512, 1100, turned);
		}
	}
}
END_TEST

/* A team that starts its threads anew for each call, and counts its calls. */
struct test_team {
	struct team team;
	int calls;
};

struct share {
	void (*work)(void *arg, int part, int parts);
	void *arg;
	int part, parts;
};

static void *share_main(void *arg)
{
	const struct share *s = arg;

	s->work(s->arg, s->part, s->parts);
	return NULL;
}

static void test_team_run(struct team *team, void (*work)(void *arg, int part, int parts), void *arg)
{
	enum { MOST = 8 };
	struct test_team *t = (struct test_team *)team;
	pthread_t threads[MOST];
	struct share shares[MOST];

	ck_assert_int_le(team->threads, MOST);
	t->calls++;
	for (int i = 1; i < team->threads; i++) {
		shares[i] = (struct share){ work, arg, i, team->threads };
		ck_assert_int_eq(pthread_create(&threads[i], NULL, share_main, &shares[i]), 0);
	}
	work(arg, 0, team->threads);
	for (int i = 1; i < team->threads; i++)
		pthread_join(threads[i], NULL);
}

static void try_threads(const struct gemm_engine *engine, const struct layout *l)
{
	struct operands o = operands_new(l);
	struct gemm_args alone = o.args;

	alone.c = o.expected.data + GUARD;
	gemm(engine, NULL, &alone);
	for (int threads = 1; threads <= 3; threads++) {
		struct test_team t = { { threads, test_team_run }, 0 };

		buffer_fill(&o.c, 3);
		gemm(engine, &t.team, &o.args);
		ck_assert_int_eq(t.calls, threads > 1);
		ck_assert_msg(memcmp(o.c.data, o.expected.data, o.c.count * sizeof(real)) == 0,
				"%s: m %zu n %zu k %zu differs at %d threads", engine->name, l->m, l->n, l->k,
				threads);
	}
	operands_free(&o);
}

START_TEST(threads_do_not_change_a_bit)
{
	static const struct layout layouts[] = {
		{ 64, 128, 784, false, false, 0, false }, { 301, 67, 300, true, true, 3, true },
		{ 13, 1000, 500, false, true, 1, true }, { 1000, 10, 500, true, false, 0, false },
		{ 2, 3, 900000, false, false, 0, false }, /* fewer tiles than threads */
	};

	for (size_t i = 0; gemm_engine_at(i); i++) {
		if (!gemm_engine_at(i)->usable()) continue;
		for (size_t j = 0; j < sizeof layouts / sizeof layouts[0]; j++)
			try_threads(gemm_engine_at(i), &layouts[j]);
	}
}
END_TEST

START_TEST(small_products_do_not_wake_the_team)
{
	struct layout l = { 32, 16, 4, false, false, 0, false };
	struct operands o = operands_new(&l);
	struct test_team t = { { 3, test_team_run }, 0 };

	gemm(engine_called("auto"), &t.team, &o.args);
	ck_assert_int_eq(t.calls, 0);
	operands_free(&o);
}
END_TEST

START_TEST(choosing_an_engine)
{
	const struct gemm_engine *engine = NULL, *automatic = engine_called(NULL);
	struct err e = { .text = "" };

	ck_assert_ptr_eq(automatic, engine_called("auto"));
	ck_assert_str_ne(automatic->name, "naive");
	for (size_t i = 0; gemm_engine_at(i); i++) {
		int rc = gemm_choose(&engine, gemm_engine_at(i)->name, &e);

		ck_assert_int_eq(rc, gemm_engine_at(i)->usable() ? ERR_OK : ERR_INVALID);
		ck_assert_ptr_eq(engine, rc == ERR_OK ? gemm_engine_at(i) : NULL);
		if (gemm_engine_at(i)->usable()) ck_assert_str_ne(gemm_engine_at(i)->description, "");
	}
	ck_assert_int_eq(gemm_choose(&engine, "abacus", &e), ERR_INVALID);
	ck_assert_ptr_null(engine);
	for (size_t i = 0; gemm_engine_at(i); i++)
		ck_assert_ptr_nonnull(strstr(e.text, gemm_engine_at(i)->name));
	ck_assert_int_eq(gemm_choose(&engine, "", NULL), ERR_INVALID);
}
END_TEST

/* An engine that is left out by mistake would only show as slowness. */
START_TEST(every_engine_of_this_cpu_can_be_had)
{
#ifdef __x86_64__
	const struct gemm_engine *engine;
	bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
	bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
		      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");

	ck_assert_int_eq(gemm_choose(&engine, "avx2", NULL), avx2 ? ERR_OK : ERR_INVALID);
	ck_assert_int_eq(gemm_choose(&engine, "avx512", NULL), avx512 ? ERR_OK : ERR_INVALID);
	ck_assert_str_eq(engine_called("auto")->name, avx512 ? "avx512" : avx2 ? "avx2" : "portable");
#endif
	ck_assert_str_eq(engine_called("portable")->name, "portable");
}
END_TEST

/* The same product with each operand moved by every number of elements within a line: the same bits. */
START_TEST(alignment_does_not_change_a_bit)
{
	enum { LINE_NUMBERS = REAL_ALIGN / sizeof(real), M = 20, N = 70, K = 300 };
	struct buffer a = buffer_new(M * K + LINE_NUMBERS), b = buffer_new(K * N + LINE_NUMBERS);
	struct buffer c = buffer_new(M * N + LINE_NUMBERS), moved_a = buffer_new(a.count);
	struct buffer moved_b = buffer_new(b.count), expected = buffer_new(M * N);

	buffer_fill(&a, 1);
	buffer_fill(&b, 2);
	for (size_t i = 0; gemm_engine_at(i); i++) {
		for (size_t at = 0; at < 2 * LINE_NUMBERS; at++) {
			size_t from_a = at % LINE_NUMBERS, from_b = at * 7 % LINE_NUMBERS;
			size_t to = at * 3 % LINE_NUMBERS;
			bool turned = at >= LINE_NUMBERS;
			struct gemm_args g = { M, N, K, a.data, K, 1, b.data, turned ? 1 : N, turned ? K : 1,
				expected.data, N, false };

			if (!gemm_engine_at(i)->usable()) continue;
			gemm(gemm_engine_at(i), NULL, &g);
			memcpy(moved_a.data + from_a, a.data, M * K * sizeof(real));
			memcpy(moved_b.data + from_b, b.data, K * N * sizeof(real));
			g.a = moved_a.data + from_a;
			g.b = moved_b.data + from_b;
			g.c = c.data + to;
			gemm(gemm_engine_at(i), NULL, &g);
			ck_assert_msg(memcmp(g.c, expected.data, M * N * sizeof(real)) == 0,
					"%s, moved by %zu", gemm_engine_at(i)->name, at);
		}
	}
	buffer_free(&a);
	buffer_free(&b);
	buffer_free(&c);
	buffer_free(&moved_a);
	buffer_free(&moved_b);
	buffer_free(&expected);
}
END_TEST

START_TEST(transposing)
{
	static const size_t sizes[] = { 0, 1, 2, 3, 4, 5, 15, 16, 17, 31, 33, 48, 65, 129 };
	const size_t count = sizeof sizes / sizeof sizes[0];

	for (size_t i = 0; i < count * count; i++) {
		size_t rows = sizes[i / count], cols = sizes[i % count];
		struct buffer from = buffer_new(rows * cols), to = buffer_new(rows * cols + 1);

		buffer_fill(&from, 4);
		to.data[rows * cols] = 7;
		gemm_transpose(from.data, rows, cols, to.data);
		for (size_t j = 0; j < rows * cols; j++)
			if (to.data[j % cols * rows + j / cols] != from.data[j])
				ck_abort_msg("%zu x %zu: element %zu is lost", rows, cols, j);
		ck_assert(to.data[rows * cols] == 7);
		buffer_free(&from);
		buffer_free(&to);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		every_row_count,
		every_column_count,
		every_depth,
		shapes_larger_than_a_block,
		depth_zero_clears_or_keeps,
		nothing_to_do,
		two_strides,
		row_alone_is_row_in_batch,
		threads_do_not_change_a_bit,
		small_products_do_not_wake_the_team,
		choosing_an_engine,
		every_engine_of_this_cpu_can_be_had,
		alignment_does_not_change_a_bit,
		transposing,
		NULL,
	};

	return suite_main("gemm", tests, LIMIT_SECONDS);
}
