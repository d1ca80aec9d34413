/* store_suite_durable.h - leases, fairness, pauses, checkpoints and curves that outlive a claim. Part of store_suite.h. */

/* A blob whose bytes are bytes_of(key). */
static inline int64_t put_blob(struct store *s, uint64_t key, size_t size)
{
	struct store_bytes bytes = bytes_of(key, size);
	int64_t blob;

	OK(s->blob_write(s, bytes.data, bytes.size, &blob, &e));
	store_bytes_clear(&bytes);
	return blob;
}

static inline int put_checkpoint(struct store *s, int64_t job, int64_t attempt, uint64_t epoch, size_t size)
{
	const struct store_checkpoint c = { .epoch = epoch,
		.step = epoch * 10,
		.blob = put_blob(s, epoch, size),
		.size_bytes = size,
		.metrics = "{\"loss\":0.5}" };

	return s->checkpoint_put(s, job, attempt, &c, &e);
}

static inline struct store_job job_of(struct store *s, int64_t id)
{
	struct store_job job;

	OK(s->job_get(s, id, &job, &e));
	return job;
}

/* ---- claims ---- */

START_TEST(claims_are_fair_among_models)
{
	int64_t revision, m[4], n[2], o;
	struct store *s = store_for_jobs(&revision);

	put_model(s, "n");
	put_model(s, "o");
	for (int i = 0; i < 4; i++)
		m[i] = put_job(s, "m", revision, 0);
	for (int i = 0; i < 2; i++)
		n[i] = put_job(s, "n", revision, 0);
	claim(s, m[0]);
	claim(s, n[0]); /* m has one running */
	o = put_job(s, "o", revision, 0);
	claim(s, o);    /* has none, and was never served */
	claim(s, m[1]); /* each has one; m was served longest ago */
	finish_job(s, m[0], 1, JOB_FAILED);
	finish_job(s, m[1], 1, JOB_FAILED);
	claim(s, m[2]); /* none running, though n was served longer ago */
	claim(s, n[1]);
	claim(s, m[3]);
	s->close(s);
}
END_TEST

START_TEST(lease_holds_while_renewed)
{
	int64_t revision, kept, lost;
	struct store *s = store_for_jobs(&revision);
	struct store_job job;
	size_t count;

	kept = put_job(s, "m", revision, 1);
	lost = put_job(s, "m", revision, 0);
	OK(s->job_claim(s, "a", 0, &job, &e));
	ck_assert_str_eq(job.owner, "a");
	store_job_clear(&job);
	OK(s->job_renew(s, kept, 1, 600000, &e));
	OK(s->job_claim(s, "a", 0, &job, &e));
	ck_assert_int_eq(job.id, lost);
	store_job_clear(&job);
	OK(s->job_expire(s, "{}", &count, &e));
	ck_assert_uint_eq(count, 1);
	ck_assert_int_eq(state_of(s, kept), JOB_RUNNING);
	job = job_of(s, lost);
	ck_assert_int_eq(job.state, JOB_QUEUED);
	ck_assert_int_eq(job.resumed, 1);
	ck_assert_ptr_null(job.owner);
	store_job_clear(&job);
	REFUSED(s->job_renew(s, lost, 1, 600000, &e), ERR_CONFLICT);
	ck_assert_int_eq(claim(s, lost), 2);
	REFUSED(s->job_renew(s, lost, 1, 600000, &e), ERR_CONFLICT); /* of another worker now */
	OK(s->job_renew(s, lost, 2, 600000, &e));
	s->close(s);
}
END_TEST

/* A worker whose claim was taken by another writes nothing more, whatever it tries. */
START_TEST(lost_claim_writes_nothing)
{
	int64_t revision, id;
	struct store *s = store_for_jobs(&revision);
	struct store_version_new v = version_of(s, 5, 10);
	struct store_checkpoint list[STORE_CHECKPOINTS];
	struct store_job_end end;
	struct seen seen = { 0 };
	struct store_job job;
	uint64_t version;
	size_t count;

	id = put_job(s, "m", revision, 0);
	OK(s->job_claim(s, "slow", 0, &job, &e));
	store_job_clear(&job);
	OK(s->job_expire(s, "{}", &count, &e));
	OK(s->job_claim(s, "other", 60000, &job, &e));
	store_job_clear(&job);
	REFUSED(append_block(s, id, 1, 1), ERR_CONFLICT);
	REFUSED(s->curve_rewind(s, id, 1, 0, &e), ERR_CONFLICT);
	REFUSED(put_checkpoint(s, id, 1, 5, 10), ERR_CONFLICT);
	REFUSED(s->checkpoint_drop(s, id, 1, 1, &e), ERR_CONFLICT);
	REFUSED(s->job_requeue(s, id, 1, &e), ERR_CONFLICT);
	REFUSED(s->job_park(s, id, 1, &e), ERR_CONFLICT);
	end = end_of(id, 1, JOB_SUCCEEDED);
	end.version = &v;
	REFUSED(s->job_finish(s, &end, &version, &e), ERR_CONFLICT);
	OK(s->checkpoint_list(s, id, list, &count, &e));
	ck_assert_uint_eq(count, 0);
	OK(s->curve_read(s, id, 0, UINT64_MAX, see_block, &seen, &e));
	ck_assert_uint_eq(seen.blocks, 0);
	job = job_of(s, id);
	ck_assert_int_eq(job.state, JOB_RUNNING);
	ck_assert_str_eq(job.owner, "other");
	ck_assert_uint_eq(job.epoch, 0);
	store_job_clear(&job);
	end.attempt = 2;
	OK(s->job_finish(s, &end, &version, &e));
	ck_assert_uint_eq(version, 1);
	s->close(s);
}
END_TEST

/* ---- pauses ---- */

START_TEST(pause_by_state)
{
	int64_t revision, id;
	struct store *s = store_for_jobs(&revision);
	enum job_state state;
	struct store_job job;

	id = put_job(s, "m", revision, 0);
	REFUSED(s->job_resume(s, id, &e), ERR_CONFLICT);
	OK(s->job_pause(s, id, &state, &e));
	ck_assert_int_eq(state, JOB_PAUSED);
	REFUSED(s->job_pause(s, id, &state, &e), ERR_CONFLICT);
	REFUSED(s->job_claim(s, "me", 60000, &job, &e), ERR_NOT_FOUND);
	OK(s->job_resume(s, id, &e));
	ck_assert_int_eq(claim(s, id), 1);
	OK(s->job_pause(s, id, &state, &e));
	ck_assert_int_eq(state, JOB_RUNNING);
	job = job_of(s, id);
	ck_assert(job.pause_requested);
	store_job_clear(&job);
	OK(s->job_park(s, id, 1, &e));
	job = job_of(s, id);
	ck_assert_int_eq(job.state, JOB_PAUSED);
	ck_assert(!job.pause_requested);
	ck_assert_int_eq(job.resumed, 0);
	ck_assert_int_gt(job.started_ms, 0);
	store_job_clear(&job);
	OK(s->job_resume(s, id, &e));
	ck_assert_int_eq(claim(s, id), 2);
	OK(s->job_pause(s, id, &state, &e));
	OK(s->job_resume(s, id, &e));  /* on second thoughts */
	OK(s->job_park(s, id, 2, &e)); /* the worker had stopped already */
	ck_assert_int_eq(state_of(s, id), JOB_QUEUED);
	ck_assert_int_eq(claim(s, id), 3);
	finish_job(s, id, 3, JOB_FAILED);
	REFUSED(s->job_pause(s, id, &state, &e), ERR_CONFLICT);
	REFUSED(s->job_resume(s, id, &e), ERR_CONFLICT);
	REFUSED(s->job_pause(s, 99, &state, &e), ERR_NOT_FOUND);
	REFUSED(s->job_resume(s, 99, &e), ERR_NOT_FOUND);
	s->close(s);
}
END_TEST

START_TEST(paused_jobs_are_cancelled_and_pin_their_data)
{
	int64_t revision, id, both;
	struct store *s = store_for_jobs(&revision);
	enum job_state state;

	id = put_job(s, "m", revision, 0);
	OK(s->job_pause(s, id, &state, &e));
	REFUSED(s->dataset_delete(s, "d", &e), ERR_CONFLICT);
	OK(s->job_cancel(s, id, &state, &e));
	ck_assert_int_eq(state, JOB_CANCELLED);
	both = put_job(s, "m", revision, 0);
	claim(s, both);
	OK(s->job_pause(s, both, &state, &e));
	OK(s->job_cancel(s, both, &state, &e));
	REFUSED(s->job_pause(s, both, &state, &e), ERR_CONFLICT);
	OK(s->job_park(s, both, 1, &e));
	ck_assert_int_eq(state_of(s, both), JOB_CANCELLED);
	OK(s->dataset_delete(s, "d", &e));
	s->close(s);
}
END_TEST

START_TEST(pause_survives_a_restart)
{
	int64_t revision, running, waiting;
	struct store *s = store_for_jobs(&revision);
	enum job_state state;
	size_t count;

	running = put_job(s, "m", revision, 0);
	waiting = put_job(s, "m", revision, 0);
	claim(s, running);
	OK(s->job_pause(s, running, &state, &e));
	OK(s->job_pause(s, waiting, &state, &e));
	s->close(s);
	s = open_again();
	OK(s->job_recover(s, "{}", &count, &e));
	ck_assert_uint_eq(count, 0);
	ck_assert_int_eq(state_of(s, running), JOB_PAUSED);
	ck_assert_int_eq(state_of(s, waiting), JOB_PAUSED);
	s->close(s);
}
END_TEST

/* ---- checkpoints ---- */

START_TEST(two_checkpoints_are_kept)
{
	int64_t revision, id, blobs[4] = { 0 };
	struct store *s = store_for_jobs(&revision);
	struct store_checkpoint list[STORE_CHECKPOINTS];
	struct store_bytes bytes;
	struct store_job job;
	size_t count;

	id = put_job(s, "m", revision, 0);
	REFUSED(put_checkpoint(s, id, 1, 5, 10), ERR_CONFLICT); /* not running */
	claim(s, id);
	OK(s->checkpoint_list(s, id, list, &count, &e));
	ck_assert_uint_eq(count, 0);
	for (uint64_t i = 1; i <= 3; i++) {
		OK(put_checkpoint(s, id, 1, i, 3000000));
		OK(s->checkpoint_list(s, id, list, &count, &e));
		ck_assert_uint_eq(count, i < 2 ? i : 2);
		ck_assert_uint_eq(list[0].sequence, i);
		ck_assert_uint_eq(list[0].epoch, i);
		ck_assert_uint_eq(list[0].step, i * 10);
		ck_assert_uint_eq(list[0].size_bytes, 3000000);
		ck_assert_int_eq(list[0].job, id);
		blobs[i] = list[0].blob;
	}
	REFUSED(s->blob_read(s, blobs[1], &bytes, &e), ERR_NOT_FOUND);
	job = job_of(s, id);
	ck_assert_uint_eq(job.epoch, 3);
	ck_assert_str_eq(job.metrics, "{\"loss\":0.5}");
	ck_assert_str_eq(job.best, "null");
	store_job_clear(&job);
	s->close(s);
	s = open_again(); /* which sweeps what nobody names */
	OK(s->blob_read(s, blobs[3], &bytes, &e));
	assert_bytes(&bytes, 3, 3000000);
	store_bytes_clear(&bytes);
	s->blob_discard(s, blobs[3]); /* is not anybody's to discard */
	OK(s->checkpoint_drop(s, id, 1, 3, &e));
	OK(s->checkpoint_drop(s, id, 1, 3, &e));
	OK(put_checkpoint(s, id, 1, 9, 10));
	OK(s->checkpoint_list(s, id, list, &count, &e));
	ck_assert_uint_eq(count, 2);
	ck_assert_uint_eq(list[0].sequence, 4); /* 3 is not given again */
	ck_assert_uint_eq(list[1].sequence, 2);
	finish_job(s, id, 1, JOB_FAILED);
	OK(s->checkpoint_list(s, id, list, &count, &e));
	ck_assert_uint_eq(count, 0);
	REFUSED(s->blob_read(s, blobs[2], &bytes, &e), ERR_NOT_FOUND);
	s->close(s);
}
END_TEST

START_TEST(checkpoint_needs_its_blob)
{
	int64_t revision, id;
	struct store *s = store_for_jobs(&revision);
	struct store_checkpoint c = { .epoch = 1, .blob = put_blob(s, 1, 10), .size_bytes = 10 };
	struct store_job job;

	id = put_job(s, "m", revision, 0);
	claim(s, id);
	s->blob_discard(s, c.blob);
	REFUSED(s->checkpoint_put(s, id, 1, &c, &e), ERR_NOT_FOUND);
	job = job_of(s, id);
	ck_assert_uint_eq(job.epoch, 0);
	store_job_clear(&job);
	s->close(s);
}
END_TEST

START_TEST(job_that_kills_its_daemon_is_given_up)
{
	static const int64_t crashes[] = { 0, 1, 1, 2, 3 };
	int64_t revision, id;
	struct store *s = store_for_jobs(&revision);
	struct store_job job;
	size_t count;

	id = put_job(s, "m", revision, 0);
	for (int64_t i = 1; i <= 4; i++) {
		ck_assert_int_eq(claim(s, id), i);
		if (i == 2) OK(put_checkpoint(s, id, i, 1, 10)); /* it got somewhere */
		OK(s->job_recover(s, "{\"code\":\"crashed\"}", &count, &e));
		ck_assert_uint_eq(count, i < 4);
		job = job_of(s, id);
		ck_assert_int_eq(job.crashes, crashes[i]);
		store_job_clear(&job);
	}
	job = job_of(s, id);
	ck_assert_int_eq(job.state, JOB_FAILED);
	ck_assert_str_eq(job.stop_reason, "crashed");
	ck_assert_str_eq(job.error, "{\"code\":\"crashed\"}");
	ck_assert_int_eq(job.resumed, 3);
	ck_assert_uint_eq(job.epoch, 1);
	ck_assert_int_gt(job.finished_ms, 0);
	store_job_clear(&job);
	OK(s->dataset_delete(s, "d", &e));
	s->close(s);
}
END_TEST

/* A daemon that stops in good order is no crash. */
START_TEST(stops_are_no_crashes)
{
	int64_t revision, id;
	struct store *s = store_for_jobs(&revision);
	size_t count;

	id = put_job(s, "m", revision, 0);
	for (int64_t i = 1; i <= 10; i++) {
		ck_assert_int_eq(claim(s, id), i);
		OK(s->job_requeue(s, id, i, &e));
	}
	claim(s, id);
	OK(s->job_recover(s, "{}", &count, &e));
	ck_assert_int_eq(state_of(s, id), JOB_QUEUED);
	s->close(s);
}
END_TEST

/* ---- curves ---- */

static inline void assert_curve(struct store *s, int64_t id, size_t blocks)
{
	struct seen seen = { 0 };

	OK(s->curve_read(s, id, 0, UINT64_MAX, see_block, &seen, &e));
	ck_assert_uint_eq(seen.blocks, blocks);
	for (size_t i = 0; i < blocks; i++)
		ck_assert_uint_eq(seen.firsts[i], i * 10 + 1);
}

START_TEST(curve_is_kept_and_taken_back_to_an_epoch)
{
	int64_t revision, id;
	struct store *s = store_for_jobs(&revision);
	size_t count;

	id = put_job(s, "m", revision, 0);
	claim(s, id);
	for (uint64_t first = 1; first <= 91; first += 10)
		OK(append_block(s, id, 1, first));
	OK(s->job_recover(s, "{}", &count, &e));
	assert_curve(s, id, 10);
	claim(s, id);
	OK(s->curve_rewind(s, id, 2, 200, &e));
	assert_curve(s, id, 10);
	OK(s->curve_rewind(s, id, 2, 50, &e));
	assert_curve(s, id, 5);
	OK(append_block(s, id, 2, 51));
	assert_curve(s, id, 6);
	OK(s->curve_rewind(s, id, 2, 45, &e)); /* a block that is past it in part goes */
	assert_curve(s, id, 4);
	OK(s->curve_rewind(s, id, 2, 0, &e));
	assert_curve(s, id, 0);
	OK(append_block(s, id, 2, 1));
	assert_curve(s, id, 1);
	s->close(s);
}
END_TEST

/* ---- crashes ---- */

static inline void checkpoint_half(struct store *s, int tell)
{
	const struct store_checkpoint c = { .epoch = 3, .size_bytes = 10 };
	struct store_checkpoint whole = c;
	struct store_job job;
	int64_t lost;

	if (s->job_claim(s, "me", 60000, &job, NULL)) _exit(4);
	if (s->blob_write(s, "0123456789", 10, &whole.blob, NULL)) _exit(5);
	if (s->checkpoint_put(s, job.id, job.attempt, &whole, NULL)) _exit(6);
	if (s->blob_write(s, "9876543210", 10, &lost, NULL)) _exit(7); /* and is killed before it is put */
	tell_and_wait(tell);
}

START_TEST(crash_in_a_checkpoint_leaves_the_one_before)
{
	int64_t revision, id;
	struct store *s = store_for_jobs(&revision);
	struct store_checkpoint list[STORE_CHECKPOINTS];
	struct store_bytes bytes;
	size_t count;

	id = put_job(s, "m", revision, 0);
	s->close(s);
	crash_in(checkpoint_half);
	s = open_again();
	OK(s->job_recover(s, "{}", &count, &e));
	ck_assert_uint_eq(count, 1);
	OK(s->checkpoint_list(s, id, list, &count, &e));
	ck_assert_uint_eq(count, 1);
	ck_assert_uint_eq(list[0].epoch, 3);
	OK(s->blob_read(s, list[0].blob, &bytes, &e));
	ck_assert_mem_eq(bytes.data, "0123456789", 10);
	store_bytes_clear(&bytes);
	REFUSED(s->blob_read(s, list[0].blob + 1, &bytes, &e), ERR_NOT_FOUND);
	s->close(s);
}
END_TEST

#define STORE_SUITE_DURABLE                                                                                 \
	claims_are_fair_among_models, lease_holds_while_renewed, lost_claim_writes_nothing, pause_by_state, \
			paused_jobs_are_cancelled_and_pin_their_data, pause_survives_a_restart,             \
			two_checkpoints_are_kept, checkpoint_needs_its_blob,                                \
			job_that_kills_its_daemon_is_given_up, stops_are_no_crashes,                        \
			curve_is_kept_and_taken_back_to_an_epoch,                                           \
			crash_in_a_checkpoint_leaves_the_one_before
