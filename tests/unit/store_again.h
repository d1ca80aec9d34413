/* store_again.h - a store whose every call fails in each of its ways before it succeeds, so that the contract's own tests say
 * whether a call that failed has changed anything, and whether it can be made again.
 *
 * A call is made with its first call of SQLite or allocation refused, then with its second, and so on until there is no such
 * (refusing.h). Not made again are those of an upload whose fault ends it, and calls that cannot fail.
 */
#ifndef TESTS_UNIT_STORE_AGAIN_H
#define TESTS_UNIT_STORE_AGAIN_H

#include "server/store/sqlite/sqlite.h"
#include "tests/unit/refusing_sqlite.h"
#include "tests/unit/store_things.h"

struct again {
	struct store ops; /* first: a struct store * is a struct again * */
	struct store *inner;
};

static struct store *inner_of(struct store *s)
{
	return ((struct again *)s)->inner;
}

/* Did it fail for what was refused? Then there is a sentence, and it is made again; else what it says is what it says. */
static bool failed_so(int rc, const struct err *why, struct err *out)
{
	bool refused = was_refused();

	if (refused && (rc == ERR_NOMEM || rc == ERR_DISK_FULL || rc == ERR_IO)) {
		ck_assert_uint_gt(strlen(why->text), 0);
		return true;
	}
	if (rc && out) *out = *why;
	return false;
}

/* What a call comes to, in the end. */
#define AGAIN(call)                                         \
	struct store *const inner = inner_of(s);            \
	struct err why;                                     \
	int rc;                                             \
                                                            \
	for (long n = 1;; n++) {                            \
		why.text[0] = 0;                            \
		refuse(n);                                  \
		rc = call;                                  \
		if (!failed_so(rc, &why, out_e)) return rc; \
	}

/* The types of what is between the store and the error. */
#define CALLS(X)                                                                                       \
	X(check)                                                                                       \
	X(info, struct store_info *)                                                                   \
	X(upload_begin, int64_t *)                                                                     \
	X(upload_room, int64_t, const struct store_upload *, uint64_t *)                               \
	X(upload_share, int64_t, int64_t, uint64_t)                                                    \
	X(upload_segment, int64_t, uint64_t, uint64_t, const void *, size_t)                           \
	X(dataset_get, const char *, struct store_revision *)                                          \
	X(dataset_list, const char *, size_t, struct store_revision **, size_t *)                      \
	X(dataset_delete, const char *)                                                                \
	X(revision_get, int64_t, struct store_revision *)                                              \
	X(segment_read, int64_t, uint64_t, uint64_t, struct store_bytes *)                             \
	X(segment_head, int64_t, uint64_t, uint64_t, void *, size_t, size_t *)                         \
	X(dictionary_read, int64_t, uint64_t, struct store_bytes *)                                    \
	X(blob_write, const void *, size_t, int64_t *)                                                 \
	X(blob_read, int64_t, struct store_bytes *)                                                    \
	X(model_create, const char *, const char *, const char *, const char *, const char *, int64_t, \
			enum store_outcome *)                                                          \
	X(model_get, const char *, struct store_model *)                                               \
	X(model_list, const char *, size_t, struct store_model **, size_t *)                           \
	X(model_update, const char *, const char *, const char *)                                      \
	X(model_delete, const char *)                                                                  \
	X(label_set, const char *, const char *, uint64_t)                                             \
	X(label_delete, const char *, const char *)                                                    \
	X(version_create, const char *, const struct store_version_new *, uint64_t *)                  \
	X(version_get, const char *, uint64_t, struct store_version *)                                 \
	X(version_list, const char *, uint64_t, size_t, struct store_version **, size_t *)             \
	X(traffic_set, const char *, const struct store_share *, size_t)                               \
	X(version_delete, const char *, uint64_t)                                                      \
	X(drift_put, const char *, uint64_t, const void *, size_t)                                     \
	X(drift_get, const char *, uint64_t, struct store_bytes *)                                     \
	X(job_create, const struct store_job_new *, int64_t *)                                         \
	X(job_get, int64_t, struct store_job *)                                                        \
	X(job_list, const struct store_job_filter *, struct store_job **, size_t *)                    \
	X(job_children, int64_t, int64_t, size_t, struct store_job **, size_t *)                       \
	X(job_claim, const char *, int64_t, struct store_job *)                                        \
	X(job_renew, int64_t, int64_t, int64_t)                                                        \
	X(job_requeue, int64_t, int64_t)                                                               \
	X(job_park, int64_t, int64_t)                                                                  \
	X(job_expire, const char *, size_t *)                                                          \
	X(job_recover, const char *, size_t *)                                                         \
	X(job_finish, const struct store_job_end *, uint64_t *)                                        \
	X(job_cancel, int64_t, enum job_state *)                                                       \
	X(job_pause, int64_t, enum job_state *)                                                        \
	X(job_resume, int64_t)                                                                         \
	X(job_rest, int64_t, uint64_t)                                                                 \
	X(job_wrap_up, int64_t)                                                                        \
	X(job_pass_over, int64_t, const char *)                                                        \
	X(job_output_drop, int64_t)                                                                    \
	X(job_spend, int64_t, double)                                                                  \
	X(job_update, int64_t, const char *, const int *)                                              \
	X(job_delete, int64_t)                                                                         \
	X(checkpoint_put, int64_t, int64_t, const struct store_checkpoint *)                           \
	X(checkpoint_list, int64_t, struct store_checkpoint *, size_t *)                               \
	X(checkpoint_drop, int64_t, int64_t, uint64_t)                                                 \
	X(curve_append, int64_t, int64_t, const struct store_curve_block *)                            \
	X(curve_rewind, int64_t, int64_t, uint64_t)                                                    \
	X(level_append, int64_t, int64_t, unsigned, const struct store_curve_block *)                  \
	X(events_after, int64_t, int64_t, size_t, struct store_event **, size_t *)                     \
	X(jobs_prune, uint64_t, size_t *)                                                              \
	X(versions_prune, uint64_t, size_t *)                                                          \
	X(shrink, uint64_t *)                                                                          \
	X(token_create, struct store_token *)                                                          \
	X(token_list, struct store_token **, size_t *)                                                 \
	X(token_delete, int64_t)                                                                       \
	X(token_ever, bool *)                                                                          \
	X(answer_get, const char *, struct store_answer *)                                             \
	X(answer_put, const char *, const struct store_answer *)                                       \
	X(answers_prune, int64_t)                                                                      \
	X(notify_due, size_t, struct store_notify **, size_t *)                                        \
	X(notify_done, int64_t)                                                                        \
	X(notify_later, int64_t, int64_t)

/* PARAMETERS(A, B) is ", A p1, B p2", VALUES(A, B) is ", p1, p2". */
#define ARITY(...)                                         ARITY_OF(0 __VA_OPT__(, ) __VA_ARGS__, 7, 6, 5, 4, 3, 2, 1, 0)
#define ARITY_OF(none, p1, p2, p3, p4, p5, p6, p7, n, ...) n
#define JOIN(a, b)                                         JOIN_OF(a, b)
#define JOIN_OF(a, b)                                      a##b
#define PARAMETERS(...)                                    JOIN(PARAMETERS, ARITY(__VA_ARGS__))(__VA_ARGS__)
#define PARAMETERS0()
#define PARAMETERS1(A)                   , A p1
#define PARAMETERS2(A, B)                , A p1, B p2
#define PARAMETERS3(A, B, C)             , A p1, B p2, C p3
#define PARAMETERS4(A, B, C, D)          , A p1, B p2, C p3, D p4
#define PARAMETERS5(A, B, C, D, E)       , A p1, B p2, C p3, D p4, E p5
#define PARAMETERS6(A, B, C, D, E, F)    , A p1, B p2, C p3, D p4, E p5, F p6
#define PARAMETERS7(A, B, C, D, E, F, G) , A p1, B p2, C p3, D p4, E p5, F p6, G p7
#define VALUES(...)                      JOIN(VALUES, ARITY(__VA_ARGS__))
#define VALUES0
#define VALUES1 , p1
#define VALUES2 , p1, p2
#define VALUES3 , p1, p2, p3
#define VALUES4 , p1, p2, p3, p4
#define VALUES5 , p1, p2, p3, p4, p5
#define VALUES6 , p1, p2, p3, p4, p5, p6
#define VALUES7 , p1, p2, p3, p4, p5, p6, p7

#define DEFINE(name, ...)                                                                   \
	static int again_##name(struct store *s PARAMETERS(__VA_ARGS__), struct err *out_e) \
	{                                                                                   \
		AGAIN(inner->name(inner VALUES(__VA_ARGS__), &why))                         \
	}
CALLS(DEFINE)

/* ---- those that are other ---- */

typedef int each_block(void *self, const struct store_curve_block *block, struct err *e);

static int see_nothing(void *self, const struct store_curve_block *block, struct err *err)
{
	(void)self, (void)block, (void)err;
	return 0;
}

/* Who reads blocks is called by the last one only, which succeeds. */
#define EACH_BLOCK(name, parameters, ...)                                                        \
	static int walk_##name parameters                                                        \
	{                                                                                        \
		(void)each, (void)self;                                                          \
		AGAIN(inner->name(inner, __VA_ARGS__, see_nothing, NULL, &why))                  \
	}                                                                                        \
	static int again_##name parameters                                                       \
	{                                                                                        \
		int rc = walk_##name(s, __VA_ARGS__, each, self, out_e);                         \
                                                                                                 \
		return rc ? rc : inner_of(s)->name(inner_of(s), __VA_ARGS__, each, self, out_e); \
	}
EACH_BLOCK(curve_read,
		(struct store * s, int64_t job, uint64_t from, uint64_t to, each_block *each, void *self,
				struct err *out_e),
		job, from, to)
EACH_BLOCK(curve_read_after,
		(struct store * s, int64_t job, int64_t event, each_block *each, void *self,
				struct err *out_e),
		job, event)
EACH_BLOCK(level_read,
		(struct store * s, int64_t job, unsigned level, uint64_t from, uint64_t to, each_block *each,
				void *self, struct err *out_e),
		job, level, from, to)

/* A group is written behind our back, and what is refused meanwhile shall not be its. */
static int once_upload_group(struct store *s, int64_t revision, uint64_t group, struct store_bytes *bytes,
		size_t count, struct err *out_e)
{
	int rc = inner_of(s)->upload_group(inner_of(s), revision, group, bytes, count, out_e);

	upload_settle(inner_of(s), revision);
	return rc;
}

static int once_upload_dictionary(struct store *s, int64_t revision, uint64_t column, const void *data,
		size_t size, struct err *out_e)
{
	return inner_of(s)->upload_dictionary(inner_of(s), revision, column, data, size, out_e);
}

static int once_upload_commit(struct store *s, int64_t revision, const struct store_upload *upload,
		enum store_outcome *outcome, struct store_revision *out, struct err *out_e)
{
	return inner_of(s)->upload_commit(inner_of(s), revision, upload, outcome, out, out_e);
}

static int once_backup(
		struct store *s, const struct store_backup *how, int *fd, uint64_t *size, struct err *out_e)
{
	return inner_of(s)->backup(inner_of(s), how, fd, size, out_e);
}

static void once_upload_abort(struct store *s, int64_t revision)
{
	inner_of(s)->upload_abort(inner_of(s), revision);
}

static void once_blob_discard(struct store *s, int64_t blob)
{
	inner_of(s)->blob_discard(inner_of(s), blob);
}

static int64_t once_last_event(struct store *s)
{
	return inner_of(s)->last_event(inner_of(s));
}

static void once_on_commit(struct store *s, void (*told)(void *self), void *self)
{
	inner_of(s)->on_commit(inner_of(s), told, self);
}

static void once_on_failure(struct store *s, void (*told)(void *self, const struct err *err), void *self)
{
	inner_of(s)->on_failure(inner_of(s), told, self);
}

static void once_close(struct store *s)
{
	inner_of(s)->close(inner_of(s));
	free(s);
}

static int open_refusing(struct store **out, const char *path, struct err *out_e)
{
	struct again *again = calloc(1, sizeof *again);
	int rc = store_open_sqlite(&again->inner, path, out_e);

	*out = rc ? NULL : &again->ops;
	if (rc) free(again);
	if (rc) return rc;
#define FILL(name, ...) again->ops.name = again_##name;
	CALLS(FILL)
	FILL(curve_read)
	FILL(curve_read_after)
	FILL(level_read)
#define FILL_ONCE(name) again->ops.name = once_##name;
	FILL_ONCE(close)
	FILL_ONCE(backup)
	FILL_ONCE(upload_group)
	FILL_ONCE(upload_dictionary)
	FILL_ONCE(upload_commit)
	FILL_ONCE(upload_abort)
	FILL_ONCE(blob_discard)
	FILL_ONCE(last_event)
	FILL_ONCE(on_commit)
	FILL_ONCE(on_failure)
	return 0;
}

#endif
