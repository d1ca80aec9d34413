/* store_shapes.h - revisions that share row groups, with what each must read as beside them. */
#ifndef TESTS_UNIT_STORE_SHAPES_H
#define TESTS_UNIT_STORE_SHAPES_H

#include "tests/unit/store_things.h"

#define SHARE_GROUPS  8
#define SHARE_COLUMNS 2

/* What a revision must read as: the key of every segment. */
struct shape {
	int64_t id;
	uint64_t groups;
	uint64_t keys[SHARE_GROUPS][SHARE_COLUMNS];
};

static uint64_t share_key = 1000; /* of the next segment; no two have the same bytes */

static inline void assert_shape(struct store *s, const struct shape *shape)
{
	struct store_bytes bytes = { 0 };
	unsigned char head[8];
	size_t size;

	for (uint64_t g = 0; g < shape->groups; g++)
		for (uint64_t c = 0; c < SHARE_COLUMNS; c++) {
			OK(s->segment_read(s, shape->id, g, c, &bytes, &e));
			assert_bytes(&bytes, shape->keys[g][c], CELLS_BYTES);
			OK(s->segment_head(s, shape->id, g, c, head, sizeof head, &size, &e));
			ck_assert_mem_eq(head, bytes.data, sizeof head);
		}
	REFUSED(s->segment_head(s, shape->id, shape->groups, 0, head, 1, &size, &e), ERR_NOT_FOUND);
	REFUSED(s->segment_read(s, shape->id, shape->groups, 0, &bytes, &e), ERR_NOT_FOUND);
	REFUSED(s->segment_read(s, shape->id, 0, SHARE_COLUMNS, &bytes, &e), ERR_NOT_FOUND);
}

/* More groups behind the ones there are, up to `groups`. */
static inline void add_groups(struct store *s, struct shape *shape, uint64_t groups)
{
	for (; shape->groups < groups; shape->groups++) {
		struct store_bytes bytes[SHARE_COLUMNS];

		for (uint64_t c = 0; c < SHARE_COLUMNS; c++) {
			shape->keys[shape->groups][c] = share_key;
			bytes[c] = bytes_of(share_key++, CELLS_BYTES);
		}
		OK(s->upload_group(s, shape->id, shape->groups, bytes, SHARE_COLUMNS, &e));
	}
}

/* Begins a change of base that keeps its first groups. */
static inline struct shape begin_change(struct store *s, const struct shape *base, uint64_t groups)
{
	struct shape shape = *base;

	OK(s->upload_begin(s, &shape.id, &e));
	OK(s->upload_share(s, shape.id, base->id, groups, &e));
	shape.groups = groups;
	return shape;
}

static inline void change_column(struct store *s, struct shape *shape, uint64_t column)
{
	for (uint64_t g = 0; g < shape->groups; g++) {
		struct store_bytes bytes = bytes_of(share_key, CELLS_BYTES);

		shape->keys[g][column] = share_key++;
		OK(s->upload_segment(s, shape->id, g, column, bytes.data, bytes.size, &e));
		store_bytes_clear(&bytes);
	}
}

static inline int commit_change(struct store *s, const struct shape *shape, const char *name, int64_t base)
{
	char sha[65];
	const struct store_upload upload = { .dataset = name,
		.replace = !base,
		.base = base,
		.rows = shape->groups,
		.columns_count = SHARE_COLUMNS,
		.groups = shape->groups,
		.sha256 = sha,
		.columns = "[]" };
	struct store_revision out;
	enum store_outcome outcome;
	int rc;

	snprintf(sha, sizeof sha, "%lld", (long long)shape->id);
	rc = s->upload_commit(s, shape->id, &upload, &outcome, &out, &e);

	if (!rc) ck_assert_int_eq(out.id, shape->id);
	store_revision_clear(&out);
	return rc;
}

static inline struct shape put_shape(struct store *s, const char *name, uint64_t groups)
{
	struct shape shape = { 0 };

	OK(s->upload_begin(s, &shape.id, &e));
	add_groups(s, &shape, groups);
	OK(commit_change(s, &shape, name, 0));
	return shape;
}

/* ---- anything in any order ---- */

#define STORM_STEPS 300
#define STORM_JOBS  4

struct storm {
	struct store *s;
	unsigned random;
	struct shape now; /* id 0: the data set is not there */
	struct {
		int64_t job; /* 0: none */
		struct shape pinned;
	} jobs[STORM_JOBS];
};

static inline unsigned storm_below(struct storm *storm, unsigned n)
{
	storm->random = storm->random * 1103515245u + 12345u;
	return (storm->random >> 16) % n;
}

static inline void storm_change(struct storm *storm)
{
	unsigned what = storm_below(storm, 4);
	uint64_t keep = what ? storm->now.groups : storm_below(storm, (unsigned)storm->now.groups + 1);
	struct shape next = begin_change(storm->s, &storm->now, keep);

	if (what) change_column(storm->s, &next, what % SHARE_COLUMNS);
	if (what != 1)
		add_groups(storm->s, &next, next.groups < SHARE_GROUPS ? next.groups + 1 : next.groups);
	if (!storm_below(storm, 5)) {
		storm->s->upload_abort(storm->s, next.id);
		return;
	}
	OK(commit_change(storm->s, &next, "d", storm->now.id));
	storm->now = next;
}

static inline void storm_job(struct storm *storm)
{
	unsigned i = storm_below(storm, STORM_JOBS);
	enum job_state state;

	if (storm->jobs[i].job) {
		OK(storm->s->job_cancel(storm->s, storm->jobs[i].job, &state, &e));
		storm->jobs[i].job = 0;
	} else if (storm->now.id) {
		storm->jobs[i].job = put_job(storm->s, "m", storm->now.id, 0);
		storm->jobs[i].pinned = storm->now;
	}
}

static inline void storm_delete(struct storm *storm)
{
	if (storm->now.id && !storm->s->dataset_delete(storm->s, "d", &e)) storm->now.id = 0;
}

static inline void storm_step(struct storm *storm)
{
	unsigned what = storm_below(storm, 10);

	if (!storm->now.id || !what)
		storm->now = put_shape(storm->s, "d", 1 + storm_below(storm, 4));
	else if (what == 1)
		storm_delete(storm);
	else if (what < 5)
		storm_job(storm);
	else
		storm_change(storm);
	if (storm->now.id) assert_shape(storm->s, &storm->now);
	for (unsigned i = 0; i < STORM_JOBS; i++)
		if (storm->jobs[i].job) assert_shape(storm->s, &storm->jobs[i].pinned);
}

/* Ends with an empty store. */
static inline void storm_over(struct store *s, unsigned seed)
{
	struct storm storm = { .s = s, .random = seed };

	put_model(s, "m");
	for (int i = 0; i < STORM_STEPS; i++)
		storm_step(&storm);
	for (unsigned i = 0; i < STORM_JOBS; i++) {
		enum job_state state;

		if (storm.jobs[i].job) OK(s->job_cancel(s, storm.jobs[i].job, &state, &e));
	}
	storm_delete(&storm);
	ck_assert_int_eq(storm.now.id, 0);
	OK(s->model_delete(s, "m", &e));
}

#endif
