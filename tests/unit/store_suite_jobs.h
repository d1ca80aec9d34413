/* store_suite_jobs.h - jobs and their curves. Part of store_suite.h. */

/* A store with a model "m" and data "d"; *revision is what jobs train on. */
static inline struct store *store_for_jobs(int64_t *revision)
{
	struct store *s = fresh_store();

	put_model(s, "m");
	*revision = put_dataset(s, "d", 'a');
	return s;
}

START_TEST(states_have_names)
{
	for (int i = 0; i < JOB_STATES; i++)
		ck_assert_int_eq(job_state_find(job_state_name((enum job_state)i)), i);
	ck_assert_int_eq(job_state_find("asleep"), JOB_STATES);
	ck_assert(!job_state_ended(JOB_PAUSED));
	ck_assert(job_state_ended(JOB_FAILED));
}
END_TEST

START_TEST(job_is_created_whole)
{
	int64_t revision, id;
	struct store *s = store_for_jobs(&revision);
	struct store_job_new lost = { .model = "n", .kind = "train", .config = "{}", .revision = revision };
	struct store_job job;

	REFUSED(s->job_create(s, &lost, &id, &e), ERR_NOT_FOUND);
	lost.model = "m";
	lost.revision = 99;
	REFUSED(s->job_create(s, &lost, &id, &e), ERR_NOT_FOUND);
	id = put_job(s, "m", revision, 3);
	OK(s->job_get(s, id, &job, &e));
	ck_assert_str_eq(job.model, "m");
	ck_assert_str_eq(job.kind, "train");
	ck_assert_int_eq(job.state, JOB_QUEUED);
	ck_assert(!job.cancel_requested);
	ck_assert_int_eq(job.attempt, 0);
	ck_assert_int_eq(job.resumed, 0);
	ck_assert_int_eq(job.priority, 3);
	ck_assert_int_eq(job.revision, revision);
	ck_assert_str_eq(job.dataset, "d");
	ck_assert_str_eq(job.config, "{\"seed\":1}");
	ck_assert_str_eq(job.note, "first");
	ck_assert_uint_eq(job.epochs, 200);
	ck_assert_str_eq(job.metrics, "{}");
	ck_assert_str_eq(job.best, "null");
	ck_assert_ptr_null(job.stop_reason);
	ck_assert_ptr_null(job.error);
	ck_assert_uint_eq(job.version, 0);
	ck_assert_int_gt(job.created_ms, 1700000000000);
	ck_assert_int_eq(job.started_ms, 0);
	ck_assert_int_eq(job.finished_ms, 0);
	store_job_clear(&job);
	REFUSED(s->job_get(s, id + 1, &job, &e), ERR_NOT_FOUND);
	s->close(s);
}
END_TEST

START_TEST(claims_go_by_priority_then_age)
{
	int64_t revision, ids[4];
	struct store *s = store_for_jobs(&revision);
	struct store_job job;

	REFUSED(s->job_claim(s, "me", 60000, &job, &e), ERR_NOT_FOUND);
	for (int i = 0; i < 4; i++)
		ids[i] = put_job(s, "m", revision, i == 2 ? 5 : 0);
	ck_assert_int_eq(claim(s, ids[2]), 1);
	ck_assert_int_eq(claim(s, ids[0]), 1);
	OK(s->job_update(s, ids[3], NULL, &(int){ 1 }, &e));
	ck_assert_int_eq(claim(s, ids[3]), 1);
	ck_assert_int_eq(claim(s, ids[1]), 1);
	REFUSED(s->job_claim(s, "me", 60000, &job, &e), ERR_NOT_FOUND);
	OK(s->job_get(s, ids[0], &job, &e));
	ck_assert_int_ge(job.started_ms, job.created_ms);
	store_job_clear(&job);
	s->close(s);
}
END_TEST

START_TEST(finish_publishes_once)
{
	int64_t revision, id, attempt;
	struct store *s = store_for_jobs(&revision);
	struct store_version_new v = version_of(s, 5, 1000);
	struct store_job_end end;
	struct store_version version;
	struct store_job job;
	uint64_t number;

	put_version(s, "m");
	id = put_job(s, "m", revision, 0);
	attempt = claim(s, id);
	end = end_of(id, attempt + 1, JOB_SUCCEEDED);
	end.version = &v;
	REFUSED(s->job_finish(s, &end, &number, &e), ERR_CONFLICT); /* fenced */
	REFUSED(s->version_get(s, "m", 2, &version, &e), ERR_NOT_FOUND);
	end.attempt = attempt;
	OK(s->job_finish(s, &end, &number, &e));
	ck_assert_uint_eq(number, 2);
	REFUSED(s->job_finish(s, &end, &number, &e), ERR_CONFLICT); /* once */
	ck_assert_uint_eq(number, 0);
	OK(s->version_get(s, "m", 2, &version, &e));
	ck_assert_int_eq(version.job, id);
	ck_assert_int_eq(version.blob, v.blob);
	store_version_clear(&version);
	OK(s->job_get(s, id, &job, &e));
	ck_assert_int_eq(job.state, JOB_SUCCEEDED);
	ck_assert_str_eq(job.stop_reason, "epochs");
	ck_assert_str_eq(job.metrics, "{\"loss\":0.1}");
	ck_assert_str_eq(job.best, "{\"epoch\":7}");
	ck_assert_uint_eq(job.epoch, 9);
	ck_assert_uint_eq(job.step, 90);
	ck_assert_uint_eq(job.version, 2);
	ck_assert_double_eq(job.samples_per_second, 1e6);
	ck_assert_int_ge(job.finished_ms, job.started_ms);
	store_job_clear(&job);
	s->close(s);
}
END_TEST

/* What cannot be published leaves the job as it was: running, its numbers untouched. */
START_TEST(finish_is_all_or_nothing)
{
	int64_t revision, id, attempt;
	struct store *s = store_for_jobs(&revision);
	struct store_version_new v = version_of(s, 5, 10);
	struct store_job_end end;
	uint64_t number;

	id = put_job(s, "m", revision, 0);
	attempt = claim(s, id);
	end = end_of(id, attempt, JOB_SUCCEEDED);
	end.version = &v;
	s->blob_discard(s, v.blob);
	REFUSED(s->job_finish(s, &end, &number, &e), ERR_NOT_FOUND);
	ck_assert_int_eq(state_of(s, id), JOB_RUNNING);
	end.state = JOB_RUNNING;
	REFUSED(s->job_finish(s, &end, &number, &e), ERR_INVALID);
	ck_assert_uint_eq(put_version(s, "m"), 1); /* the number was not lost */
	s->close(s);
}
END_TEST

START_TEST(cancel_by_state)
{
	int64_t revision, queued, running;
	struct store *s = store_for_jobs(&revision);
	struct store_job job;
	enum job_state state;

	running = put_job(s, "m", revision, 0);
	queued = put_job(s, "m", revision, 0);
	claim(s, running);
	OK(s->job_cancel(s, running, &state, &e));
	ck_assert_int_eq(state, JOB_RUNNING);
	OK(s->job_get(s, running, &job, &e));
	ck_assert(job.cancel_requested);
	ck_assert_int_eq(job.state, JOB_RUNNING);
	store_job_clear(&job);
	OK(s->job_cancel(s, queued, &state, &e));
	ck_assert_int_eq(state, JOB_CANCELLED);
	OK(s->job_get(s, queued, &job, &e));
	ck_assert_str_eq(job.stop_reason, "cancelled");
	ck_assert_int_gt(job.finished_ms, 0);
	store_job_clear(&job);
	REFUSED(s->job_cancel(s, queued, &state, &e), ERR_CONFLICT);
	REFUSED(s->job_cancel(s, 99, &state, &e), ERR_NOT_FOUND);
	s->close(s);
}
END_TEST

START_TEST(recover_queues_what_was_cut_off)
{
	int64_t revision, ids[3];
	struct store *s = store_for_jobs(&revision);
	struct store_job job;
	enum job_state state;
	size_t count;

	for (int i = 0; i < 3; i++)
		ids[i] = put_job(s, "m", revision, 0);
	claim(s, ids[0]);
	claim(s, ids[1]);
	OK(s->job_cancel(s, ids[1], &state, &e));
	s->close(s);
	s = open_again();
	OK(s->job_recover(s, "{}", &count, &e));
	ck_assert_uint_eq(count, 1);
	ck_assert_int_eq(state_of(s, ids[1]), JOB_CANCELLED);
	OK(s->job_get(s, ids[0], &job, &e));
	ck_assert_int_eq(job.state, JOB_QUEUED);
	ck_assert_int_eq(job.resumed, 1);
	ck_assert_int_gt(job.started_ms, 0); /* when it first did */
	store_job_clear(&job);
	ck_assert_int_eq(claim(s, ids[0]), 2);
	ck_assert_int_eq(claim(s, ids[2]), 1);
	s->close(s);
}
END_TEST

START_TEST(requeue_is_fenced)
{
	int64_t revision, id, attempt;
	struct store *s = store_for_jobs(&revision);
	enum job_state state;

	id = put_job(s, "m", revision, 0);
	attempt = claim(s, id);
	REFUSED(s->job_requeue(s, id, attempt - 1, &e), ERR_CONFLICT);
	OK(s->job_requeue(s, id, attempt, &e));
	ck_assert_int_eq(state_of(s, id), JOB_QUEUED);
	REFUSED(s->job_requeue(s, id, attempt, &e), ERR_CONFLICT);
	attempt = claim(s, id);
	ck_assert_int_eq(attempt, 2);
	OK(s->job_cancel(s, id, &state, &e));
	OK(s->job_requeue(s, id, attempt, &e));
	ck_assert_int_eq(state_of(s, id), JOB_CANCELLED); /* nobody wants it any more */
	s->close(s);
}
END_TEST

START_TEST(jobs_are_updated_and_deleted)
{
	int64_t revision, id;
	struct store *s = store_for_jobs(&revision);
	struct store_job job;
	enum job_state state;

	id = put_job(s, "m", revision, 2);
	OK(s->job_update(s, id, "second", NULL, &e));
	OK(s->job_get(s, id, &job, &e));
	ck_assert_str_eq(job.note, "second");
	ck_assert_int_eq(job.priority, 2);
	store_job_clear(&job);
	OK(s->job_update(s, id, NULL, &(int){ -4 }, &e));
	OK(s->job_get(s, id, &job, &e));
	ck_assert_str_eq(job.note, "second");
	ck_assert_int_eq(job.priority, -4);
	store_job_clear(&job);
	REFUSED(s->job_update(s, 99, "x", NULL, &e), ERR_NOT_FOUND);
	REFUSED(s->job_delete(s, id, &e), ERR_CONFLICT);
	OK(s->job_cancel(s, id, &state, &e));
	OK(s->job_delete(s, id, &e));
	REFUSED(s->job_delete(s, id, &e), ERR_NOT_FOUND);
	ck_assert_int_gt(put_job(s, "m", revision, 0), id); /* no id twice */
	s->close(s);
}
END_TEST

static inline void assert_jobs(
		struct store *s, const struct store_job_filter *filter, const int64_t *ids, size_t n)
{
	struct store_job *list;
	size_t count;

	OK(s->job_list(s, filter, &list, &count, &e));
	ck_assert_uint_eq(count, n);
	for (size_t i = 0; i < n; i++) {
		ck_assert_int_eq(list[i].id, ids[i]);
		store_job_clear(&list[i]);
	}
	free(list);
}

START_TEST(jobs_are_listed_newest_first)
{
	int64_t revision;
	struct store *s = store_for_jobs(&revision);
	enum job_state state;

	put_model(s, "n");
	for (int i = 1; i <= 6; i++)
		ck_assert_int_eq(put_job(s, i % 2 ? "m" : "n", revision, 0), i);
	OK(s->job_cancel(s, 3, &state, &e));
	OK(s->job_cancel(s, 4, &state, &e));
	assert_jobs(s, &(struct store_job_filter){ NULL, JOB_STATES, 0, 3 }, (int64_t[]){ 6, 5, 4 }, 3);
	assert_jobs(s, &(struct store_job_filter){ NULL, JOB_STATES, 4, 9 }, (int64_t[]){ 3, 2, 1 }, 3);
	assert_jobs(s, &(struct store_job_filter){ "m", JOB_STATES, 0, 9 }, (int64_t[]){ 5, 3, 1 }, 3);
	assert_jobs(s, &(struct store_job_filter){ NULL, JOB_CANCELLED, 0, 9 }, (int64_t[]){ 4, 3 }, 2);
	assert_jobs(s, &(struct store_job_filter){ "n", JOB_QUEUED, 6, 9 }, (int64_t[]){ 2 }, 1);
	assert_jobs(s, &(struct store_job_filter){ "x", JOB_STATES, 0, 9 }, NULL, 0);
	s->close(s);
}
END_TEST

/* ---- curves ---- */

struct seen {
	size_t blocks, stop_after;
	uint64_t firsts[1000];
};

static inline int see_block(void *self, const struct store_curve_block *block, struct err *err)
{
	struct seen *seen = self;
	const struct store_bytes bytes = { (unsigned char *)block->data, block->size };

	(void)err;
	ck_assert_uint_eq(block->last, block->first + 9);
	ck_assert_uint_eq(block->points, 10);
	assert_bytes(&bytes, block->first, 50);
	seen->firsts[seen->blocks++] = block->first;
	return seen->blocks == seen->stop_after ? 4711 : 0;
}

/* Epochs first to first + 9. */
static inline int append_block(struct store *s, int64_t job, int64_t attempt, uint64_t first)
{
	struct store_bytes bytes = bytes_of(first, 50);
	struct store_curve_block block = { first, first + 9, 10, 0, bytes.data, bytes.size };
	int rc = s->curve_append(s, job, attempt, &block, &e);

	store_bytes_clear(&bytes);
	return rc;
}

START_TEST(curve_is_read_by_range)
{
	int64_t revision, id, attempt;
	struct store *s = store_for_jobs(&revision);
	struct seen seen = { 0 };

	id = put_job(s, "m", revision, 0);
	OK(s->curve_read(s, id, 0, UINT64_MAX, see_block, &seen, &e));
	ck_assert_uint_eq(seen.blocks, 0);
	attempt = claim(s, id);
	for (uint64_t first = 1; first <= 5991; first += 10) /* more than one reading copies at once */
		OK(append_block(s, id, attempt, first));
	REFUSED(append_block(s, id, attempt, 5995), ERR_RANGE);
	REFUSED(append_block(s, id, attempt + 1, 6001), ERR_CONFLICT);
	OK(s->curve_read(s, id, 0, UINT64_MAX, see_block, &seen, &e));
	ck_assert_uint_eq(seen.blocks, 600);
	ck_assert_uint_eq(seen.firsts[599], 5991);
	seen = (struct seen){ 0 };
	OK(s->curve_read(s, id, 15, 31, see_block, &seen, &e));
	ck_assert_uint_eq(seen.blocks, 3);
	ck_assert_uint_eq(seen.firsts[0], 11);
	ck_assert_uint_eq(seen.firsts[2], 31);
	seen = (struct seen){ .stop_after = 2 };
	ck_assert_int_eq(s->curve_read(s, id, 0, 100, see_block, &seen, &e), 4711);
	ck_assert_uint_eq(seen.blocks, 2);
	REFUSED(s->curve_read(s, 99, 0, 100, see_block, &seen, &e), ERR_NOT_FOUND);
	s->close(s);
}
END_TEST

START_TEST(curve_is_fenced_and_goes_with_its_job)
{
	int64_t revision, id, attempt;
	struct store *s = store_for_jobs(&revision);
	struct seen seen = { 0 };
	size_t count;

	id = put_job(s, "m", revision, 0);
	attempt = claim(s, id);
	OK(append_block(s, id, attempt, 1));
	OK(append_block(s, id, attempt, 11));
	OK(s->job_recover(s, "{}", &count, &e));
	REFUSED(append_block(s, id, attempt, 21), ERR_CONFLICT);
	attempt = claim(s, id);
	OK(s->curve_rewind(s, id, attempt, 0, &e));
	OK(append_block(s, id, attempt, 1));
	finish_job(s, id, attempt, JOB_FAILED);
	REFUSED(append_block(s, id, attempt, 11), ERR_CONFLICT);
	OK(s->curve_read(s, id, 0, 100, see_block, &seen, &e));
	ck_assert_uint_eq(seen.blocks, 1);
	OK(s->job_delete(s, id, &e));
	REFUSED(s->curve_read(s, id, 0, 100, see_block, &seen, &e), ERR_NOT_FOUND);
	s->close(s);
}
END_TEST

/* Keys first to first + 9, ten spans. */
static inline int append_level(struct store *s, int64_t job, int64_t attempt, unsigned level, uint64_t first)
{
	struct store_bytes bytes = bytes_of(first, 50);
	struct store_curve_block block = { first, first + 9, 10, 0, bytes.data, bytes.size };
	int rc = s->level_append(s, job, attempt, level, &block, &e);

	store_bytes_clear(&bytes);
	return rc;
}

static inline uint64_t level_blocks(struct store *s, int64_t job, unsigned level, uint64_t from, uint64_t to)
{
	struct seen seen = { 0 };

	OK(s->level_read(s, job, level, from, to, see_block, &seen, &e));
	return seen.blocks;
}

START_TEST(summaries_lie_beside_a_curve)
{
	int64_t revision, id, other, attempt;
	struct store *s = store_for_jobs(&revision);
	struct seen seen = { 0 };

	id = put_job(s, "m", revision, 0);
	attempt = claim(s, id);
	ck_assert_uint_eq(level_blocks(s, id, 1, 0, UINT64_MAX), 0);
	for (uint64_t first = 1; first <= 291; first += 10) {
		OK(append_block(s, id, attempt, first));
		OK(append_level(s, id, attempt, 1, first));
	}
	OK(append_level(s, id, attempt, 2, 1));
	REFUSED(append_level(s, id, attempt, 0, 1), ERR_RANGE);
	REFUSED(append_level(s, id, attempt + 1, 1, 301), ERR_CONFLICT);
	ck_assert_uint_eq(level_blocks(s, id, 1, 0, UINT64_MAX), 30);
	ck_assert_uint_eq(level_blocks(s, id, 1, 15, 31), 3);
	ck_assert_uint_eq(level_blocks(s, id, 2, 0, UINT64_MAX), 1);
	ck_assert_uint_eq(level_blocks(s, id, 3, 0, UINT64_MAX), 0);
	OK(append_level(s, id, attempt, 1, 281)); /* written again: what it overlaps gives way */
	ck_assert_uint_eq(level_blocks(s, id, 1, 0, UINT64_MAX), 29);
	ck_assert_uint_eq(level_blocks(s, id, 2, 0, UINT64_MAX), 1);
	OK(s->curve_rewind(s, id, attempt, 105, &e)); /* with their points */
	ck_assert_uint_eq(level_blocks(s, id, 1, 0, UINT64_MAX), 10);
	OK(s->curve_read(s, id, 0, UINT64_MAX, see_block, &seen, &e));
	ck_assert_uint_eq(seen.blocks, 10);
	OK(s->curve_rewind(s, id, attempt, 0, &e));
	ck_assert_uint_eq(level_blocks(s, id, 1, 0, UINT64_MAX), 0);
	ck_assert_uint_eq(level_blocks(s, id, 2, 0, UINT64_MAX), 0);
	other = put_job(s, "m", revision, 0);
	ck_assert_uint_eq(level_blocks(s, other, 1, 0, UINT64_MAX), 0);
	REFUSED(s->level_read(s, 99, 1, 0, 100, see_block, &seen, &e), ERR_NOT_FOUND);
	s->close(s);
}
END_TEST

#define STORE_SUITE_JOBS                                                                                \
	states_have_names, job_is_created_whole, claims_go_by_priority_then_age, finish_publishes_once, \
			finish_is_all_or_nothing, cancel_by_state, recover_queues_what_was_cut_off,     \
			requeue_is_fenced, jobs_are_updated_and_deleted, jobs_are_listed_newest_first,  \
			curve_is_read_by_range, curve_is_fenced_and_goes_with_its_job,                  \
			summaries_lie_beside_a_curve
