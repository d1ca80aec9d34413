/* store_suite_parts.h - what a family wants of its parts: where they rest, that they go on, end soon or are passed over;
 * what they leave, and what is counted of the family. Part of store_suite.h. */

static inline int64_t put_part(struct store *s, int64_t revision, int64_t parent, uint64_t rest)
{
	const struct store_job_new job = { .model = "m",
		.kind = "train",
		.config = "{}",
		.revision = revision,
		.epochs = 20,
		.parent = parent,
		.rest = rest };
	int64_t id;

	OK(s->job_create(s, &job, &id, &e));
	return id;
}

/* A part that was claimed, came to this epoch, and was given back by its worker, whom a request may have asked to pause it. */
static inline int64_t put_part_at(
		struct store *s, int64_t revision, int64_t parent, uint64_t rest, uint64_t epoch, bool asked)
{
	int64_t id = put_part(s, revision, parent, rest), attempt = claim(s, id);
	enum job_state state;

	OK(put_checkpoint(s, id, attempt, epoch, 10));
	if (asked) OK(s->job_pause(s, id, &state, &e));
	OK(s->job_park(s, id, attempt, &e));
	return id;
}

#define PUT_RESTING(s, revision, parent) put_part_at(s, revision, parent, 5, 5, false)
#define PUT_PAUSED(s, revision, parent)  put_part_at(s, revision, parent, 5, 3, true)

/* Parts that do not rest: paused on the way, running, not begun. */
static const enum job_state states_of_restless[] = { JOB_PAUSED, JOB_RUNNING, JOB_QUEUED };

static inline void put_restless(struct store *s, int64_t revision, int64_t ids[3])
{
	ids[0] = PUT_PAUSED(s, revision, 0);
	ids[1] = put_part(s, revision, 0, 5);
	claim(s, ids[1]);
	ids[2] = put_part(s, revision, 0, 5);
}

/* Is this so of what is told of it? */
#define ASSERT_JOB(s, id, is)                          \
	do {                                           \
		struct store_job told = job_of(s, id); \
		ck_assert(is);                         \
		store_job_clear(&told);                \
	} while (0)
#define ASSERT_RESTS(s, id) ASSERT_JOB(s, id, store_job_rests(&told))
/* In this state, and not because it has come to its rest. */
#define ASSERT_STATE(s, id, wanted)                         \
	do {                                                \
		ck_assert_int_eq(state_of(s, id), wanted);  \
		ASSERT_JOB(s, id, !store_job_rests(&told)); \
	} while (0)

/* ---- resting ---- */

START_TEST(only_a_paused_job_at_its_rest_or_past_it_rests)
{
	static const struct {
		enum job_state state;
		uint64_t rest, epoch;
		bool rests;
	} cases[] = {
		{ JOB_PAUSED, 5, 5, true },
		{ JOB_PAUSED, 5, 6, true },
		{ JOB_PAUSED, 5, 4, false },
		{ JOB_PAUSED, 1, 0, false },
		{ JOB_PAUSED, 0, 0, false },
		{ JOB_PAUSED, 0, 5, false },
		{ JOB_QUEUED, 5, 5, false },
		{ JOB_RUNNING, 5, 5, false },
		{ JOB_SUCCEEDED, 5, 5, false },
		{ JOB_CANCELLED, 5, 5, false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct store_job job = {
			.state = cases[i].state, .rest = cases[i].rest, .epoch = cases[i].epoch
		};

		ck_assert_msg(store_job_rests(&job) == cases[i].rests, "case %zu", i);
	}
}
END_TEST

enum way_back { BY_PARK, BY_REQUEUE, BY_RECOVERY, WAYS_BACK };

static inline void give_back_by(struct store *s, int64_t id, int64_t attempt, enum way_back way)
{
	size_t count;

	if (way == BY_PARK)
		OK(s->job_park(s, id, attempt, &e));
	else if (way == BY_REQUEUE)
		OK(s->job_requeue(s, id, attempt, &e));
	else
		OK(s->job_recover(s, "{}", &count, &e));
}

START_TEST(what_is_given_back_rests_once_it_is_there)
{
	static const struct {
		uint64_t rest, epoch;
		bool pause, cancel, wrap_up;
		enum job_state state;
		bool rests;
	} cases[] = {
		{ 5, 3, false, false, false, JOB_QUEUED, false },
		{ 5, 5, false, false, false, JOB_PAUSED, true },
		{ 5, 7, false, false, false, JOB_PAUSED, true },
		{ 0, 7, false, false, false, JOB_QUEUED, false },
		{ 5, 3, true, false, false, JOB_PAUSED, false },
		{ 0, 7, true, false, false, JOB_PAUSED, false },
		{ 5, 5, false, true, false, JOB_CANCELLED, false },
		{ 5, 5, false, false, true, JOB_QUEUED, false }, /* it is to end, not to rest */
	};
	int64_t revision;
	struct store *s = store_for_jobs(&revision);

	for (size_t i = 0; i < WAYS_BACK * (sizeof cases / sizeof *cases); i++) {
		size_t c = i / WAYS_BACK;
		int64_t id = put_part(s, revision, 0, cases[c].rest);
		struct store_job job;
		enum job_state state;

		claim(s, id);
		OK(put_checkpoint(s, id, 1, cases[c].epoch, 10));
		if (cases[c].pause) OK(s->job_pause(s, id, &state, &e));
		if (cases[c].cancel) OK(s->job_cancel(s, id, &state, &e));
		if (cases[c].wrap_up) OK(s->job_wrap_up(s, id, &e));
		give_back_by(s, id, 1, (enum way_back)(i % WAYS_BACK));
		job = job_of(s, id);
		ck_assert_msg(job.state == cases[c].state, "case %zu: %s", c, job_state_name(job.state));
		ck_assert_msg(store_job_rests(&job) == cases[c].rests, "case %zu", c);
		ck_assert_ptr_null(job.owner);
		ck_assert(cases[c].cancel || job.resumed == (i % WAYS_BACK != BY_PARK));
		store_job_clear(&job);
		if (!cases[c].cancel) OK(s->job_cancel(s, id, &state, &e)); /* out of the next one's way */
	}
	s->close(s);
}
END_TEST

START_TEST(what_rests_is_left_alone_by_requests)
{
	int64_t revision, id;
	struct store *s = store_for_jobs(&revision);
	struct store_checkpoint list[STORE_CHECKPOINTS];
	enum job_state state;
	struct store_job job;
	size_t count;

	id = PUT_RESTING(s, revision, 0);
	REFUSED(s->job_resume(s, id, &e), ERR_CONFLICT);
	REFUSED(s->job_pause(s, id, &state, &e), ERR_CONFLICT);
	REFUSED(s->job_claim(s, "me", 60000, &job, &e), ERR_NOT_FOUND);
	REFUSED(s->job_delete(s, id, &e), ERR_CONFLICT);
	REFUSED(s->dataset_delete(s, "d", &e), ERR_CONFLICT); /* it will want them again */
	s->close(s);
	s = open_again();
	OK(s->job_recover(s, "{}", &count, &e));
	ASSERT_RESTS(s, id);
	OK(s->checkpoint_list(s, id, list, &count, &e));
	ck_assert_uint_eq(count, 1);
	ck_assert_uint_eq(list[0].epoch, 5);
	OK(s->job_cancel(s, id, &state, &e));
	ASSERT_JOB(s, id, told.state == JOB_CANCELLED && !strcmp(told.stop_reason, "cancelled"));
	OK(s->dataset_delete(s, "d", &e));
	s->close(s);
}
END_TEST

/* ---- going on ---- */

START_TEST(rest_is_moved_until_there_is_none)
{
	static const uint64_t to[] = { 9, 10, 0 };
	int64_t revision, id, last;
	uint64_t rest = 5;
	struct store *s = store_for_jobs(&revision);

	id = PUT_RESTING(s, revision, 0);
	for (int64_t i = 0; i < 3; i++) {
		struct store_job job;

		last = s->last_event(s);
		for (uint64_t no_later = rest; no_later; no_later--) {
			OK(s->job_rest(s, id, no_later, &e));
			ASSERT_RESTS(s, id);
		}
		OK(s->job_rest(s, id, to[i], &e));
		ASSERT_STATE(s, id, JOB_QUEUED);
		LOGGED(last, id, "jobs state m\n");
		OK(s->job_claim(s, "me", 60000, &job, &e));
		ck_assert_int_eq(job.attempt, i + 2);
		ck_assert_uint_eq(job.rest, to[i]);
		ck_assert_uint_eq(job.epoch, rest); /* where it stopped */
		ck_assert_int_eq(job.resumed, 0);
		store_job_clear(&job);
		rest = to[i] ? to[i] : 20;
		OK(put_checkpoint(s, id, i + 2, rest, 10));
		OK(s->job_park(s, id, i + 2, &e));
	}
	ASSERT_STATE(s, id, JOB_QUEUED); /* no rest any more */
	s->close(s);
}
END_TEST

START_TEST(rest_of_who_does_not_rest_is_noted)
{
	int64_t revision, ids[3];
	struct store *s = store_for_jobs(&revision);

	put_restless(s, revision, ids);
	for (int i = 0; i < 3; i++) {
		OK(s->job_rest(s, ids[i], 9, &e));
		ASSERT_STATE(s, ids[i], states_of_restless[i]);
		ASSERT_JOB(s, ids[i], told.rest == 9);
	}
	OK(put_checkpoint(s, ids[1], 1, 5, 10)); /* its claim is as good as before */
	OK(s->job_park(s, ids[1], 1, &e));       /* and where it was to rest, it rests no more */
	ASSERT_STATE(s, ids[1], JOB_QUEUED);
	OK(s->job_resume(s, ids[0], &e));
	ASSERT_STATE(s, ids[0], JOB_QUEUED);
	s->close(s);
}
END_TEST

/* ---- ending soon ---- */

START_TEST(who_waits_is_queued_to_wrap_up)
{
	int64_t revision, last, ids[4];
	struct store *s = store_for_jobs(&revision);
	enum job_state state;
	struct store_job job;

	ids[0] = PUT_RESTING(s, revision, 0);
	ids[1] = PUT_PAUSED(s, revision, 0);
	ids[2] = put_part(s, revision, 0, 0);
	OK(s->job_pause(s, ids[2], &state, &e)); /* before it ever ran */
	ids[3] = put_part(s, revision, 0, 5);
	for (int i = 0; i < 4; i++) {
		last = s->last_event(s);
		for (int round = 0; round < 2; round++) { /* the second time it is as wanted already */
			OK(s->job_wrap_up(s, ids[i], &e));
			ASSERT_STATE(s, ids[i], JOB_QUEUED);
		}
		LOGGED(last, ids[i], i < 3 ? "jobs state m\n" : "");
	}
	s->close(s);
	s = open_again();
	for (int i = 0; i < 4; i++) {
		OK(s->job_claim(s, "me", 60000, &job, &e));
		ck_assert_int_eq(job.id, ids[i]);
		ck_assert(job.end_requested);
		store_job_clear(&job);
	}
	s->close(s);
}
END_TEST

START_TEST(who_runs_is_told_to_wrap_up)
{
	int64_t revision, id;
	struct store *s = store_for_jobs(&revision);

	id = put_part(s, revision, 0, 5);
	claim(s, id);
	ASSERT_JOB(s, id, !told.end_requested);
	OK(s->job_wrap_up(s, id, &e));
	ASSERT_JOB(s, id, told.end_requested && !told.cancel_requested && !told.pause_requested);
	ASSERT_STATE(s, id, JOB_RUNNING);
	finish_job(s, id, 1, JOB_SUCCEEDED);
	s->close(s);
}
END_TEST

/* ---- being passed over ---- */

START_TEST(passed_over_is_cancelled_for_a_reason)
{
	int64_t revision, id, blob, last;
	struct store *s = store_for_jobs(&revision);
	struct store_checkpoint list[STORE_CHECKPOINTS];
	struct store_bytes bytes;
	struct store_job job;
	size_t count;

	id = PUT_RESTING(s, revision, 0);
	OK(s->checkpoint_list(s, id, list, &count, &e));
	blob = list[0].blob;
	last = s->last_event(s);
	OK(s->job_pass_over(s, id, "outperformed", &e));
	LOGGED(last, id, "jobs state m\njobs end m\n");
	job = job_of(s, id);
	ck_assert_int_eq(job.state, JOB_CANCELLED);
	ck_assert_str_eq(job.stop_reason, "outperformed");
	ck_assert_uint_eq(job.epoch, 5);
	ck_assert_uint_eq(job.step, 50);
	ck_assert_str_eq(job.metrics, "{\"loss\":0.5}"); /* why it was */
	ck_assert_int_ge(job.finished_ms, job.started_ms);
	store_job_clear(&job);
	OK(s->checkpoint_list(s, id, list, &count, &e));
	ck_assert_uint_eq(count, 0);
	REFUSED(s->blob_read(s, blob, &bytes, &e), ERR_NOT_FOUND);
	OK(s->dataset_delete(s, "d", &e));
	OK(s->job_delete(s, id, &e));
	s->close(s);
}
END_TEST

START_TEST(who_does_not_rest_is_not_passed_over)
{
	int64_t revision, ids[3];
	struct store *s = store_for_jobs(&revision);

	put_restless(s, revision, ids);
	OK(put_checkpoint(s, ids[1], 1, 5, 10)); /* is there, and has not stopped yet */
	for (int i = 0; i < 3; i++) {
		REFUSED(s->job_pass_over(s, ids[i], "outperformed", &e), ERR_CONFLICT);
		ASSERT_JOB(s, ids[i], told.state == states_of_restless[i] && !told.stop_reason);
	}
	s->close(s);
}
END_TEST

START_TEST(who_has_ended_has_no_wishes)
{
	int64_t revision, ids[2];
	struct store *s = store_for_jobs(&revision);

	ids[0] = PUT_RESTING(s, revision, 0);
	OK(s->job_pass_over(s, ids[0], "outperformed", &e));
	ids[1] = put_part(s, revision, 0, 5);
	claim(s, ids[1]);
	finish_job(s, ids[1], 1, JOB_SUCCEEDED);
	for (int i = 0; i < 2; i++) {
		REFUSED(s->job_rest(s, ids[i], 9, &e), ERR_CONFLICT);
		REFUSED(s->job_wrap_up(s, ids[i], &e), ERR_CONFLICT);
		REFUSED(s->job_pass_over(s, ids[i], "late", &e), ERR_CONFLICT);
		ASSERT_JOB(s, ids[i], told.state == (i ? JOB_SUCCEEDED : JOB_CANCELLED));
		ASSERT_JOB(s, ids[i],
				told.rest == 5 && !told.end_requested && strcmp(told.stop_reason, "late"));
	}
	REFUSED(s->job_rest(s, 99, 9, &e), ERR_NOT_FOUND);
	REFUSED(s->job_wrap_up(s, 99, &e), ERR_NOT_FOUND);
	REFUSED(s->job_pass_over(s, 99, "late", &e), ERR_NOT_FOUND);
	s->close(s);
}
END_TEST

/* ---- families ---- */

START_TEST(family_resumes_without_those_that_rest)
{
	int64_t revision, parent, others[3], resting, paused, running;
	struct store *s = store_for_jobs(&revision);
	enum job_state state;

	parent = put_family(s, revision, others);
	for (int i = 0; i < 3; i++)
		finish_job(s, others[i], claim(s, others[i]), JOB_SUCCEEDED);
	resting = PUT_RESTING(s, revision, parent);
	paused = PUT_PAUSED(s, revision, parent);
	running = put_part(s, revision, parent, 5);
	claim(s, running);
	OK(s->job_pause(s, parent, &state, &e));
	REFUSED(s->job_resume(s, running, &e), ERR_CONFLICT);
	OK(s->job_park(s, running, 1, &e));
	ASSERT_RESTS(s, resting);
	ASSERT_STATE(s, running, JOB_PAUSED);
	REFUSED(s->job_resume(s, paused, &e), ERR_CONFLICT); /* they go on together */
	ASSERT_STATE(s, paused, JOB_PAUSED);
	OK(s->job_resume(s, parent, &e));
	ck_assert_int_eq(state_of(s, parent), JOB_RUNNING);
	ASSERT_RESTS(s, resting);
	ASSERT_STATE(s, paused, JOB_QUEUED);
	ASSERT_STATE(s, running, JOB_QUEUED);
	ck_assert_int_eq(state_of(s, others[0]), JOB_SUCCEEDED);
	OK(s->job_cancel(s, parent, &state, &e));
	ck_assert_int_eq(state_of(s, resting), JOB_CANCELLED);
	s->close(s);
}
END_TEST

/* Every part of a family leaves a blob. */
static inline int64_t put_family_that_left(
		struct store *s, int64_t revision, int64_t ids[3], int64_t blobs[3])
{
	int64_t parent = put_family(s, revision, ids);

	for (int i = 0; i < 3; i++) {
		struct store_job_end end;
		uint64_t version;

		claim(s, ids[i]);
		end = end_of(ids[i], 1, JOB_SUCCEEDED);
		end.output = blobs[i] = put_blob(s, (uint64_t)i, 100);
		OK(s->job_finish(s, &end, &version, &e));
	}
	return parent;
}

static inline void assert_output(struct store *s, int64_t id, int64_t blob, bool there)
{
	struct store_job job = job_of(s, id);
	struct store_bytes bytes;

	ck_assert_int_eq(job.state, JOB_SUCCEEDED);
	ck_assert_str_eq(job.metrics, "{\"loss\":0.1}");
	ck_assert_int_eq(job.output, there ? blob : 0);
	store_job_clear(&job);
	if (there) {
		OK(s->blob_read(s, blob, &bytes, &e));
		store_bytes_clear(&bytes);
	} else
		REFUSED(s->blob_read(s, blob, &bytes, &e), ERR_NOT_FOUND);
}

START_TEST(dropped_output_goes_alone)
{
	int64_t revision, ids[3], blobs[3];
	struct store *s = store_for_jobs(&revision);

	put_family_that_left(s, revision, ids, blobs);
	OK(s->job_output_drop(s, ids[1], &e));
	OK(s->job_output_drop(s, ids[1], &e)); /* there is none any more */
	REFUSED(s->job_output_drop(s, 99, &e), ERR_NOT_FOUND);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 3; i++)
			assert_output(s, ids[i], blobs[i], i != 1);
		s->close(s);
		s = open_again();
	}
	s->close(s);
}
END_TEST

/* Whether the family leaves anything itself or not, but in the commit of its end alone. */
START_TEST(outputs_go_with_the_end_of_the_family)
{
	static const enum job_state states[] = { JOB_SUCCEEDED, JOB_FAILED, JOB_CANCELLED };
	int64_t revision, ids[3], blobs[3];
	struct store *s = store_for_jobs(&revision);
	struct store_version_new lost = version_of(s, 5, 10);

	s->blob_discard(s, lost.blob);
	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		int64_t parent = put_family_that_left(s, revision, ids, blobs);
		struct store_job_end end = end_of(parent, 0, states[i]);
		uint64_t version;

		end.version = &lost;
		REFUSED(s->job_finish(s, &end, &version, &e), ERR_NOT_FOUND);
		for (int j = 0; j < 3; j++)
			assert_output(s, ids[j], blobs[j], true);
		finish_job(s, parent, 0, states[i]);
		for (int j = 0; j < 3; j++)
			assert_output(s, ids[j], blobs[j], false);
	}
	s->close(s);
}
END_TEST

START_TEST(seconds_under_way_add_up)
{
	int64_t revision, parent, ids[3];
	struct store *s = store_for_jobs(&revision);

	parent = put_family(s, revision, ids);
	OK(s->job_spend(s, parent, 1.5, &e));
	OK(s->job_spend(s, parent, 0.25, &e));
	s->close(s);
	s = open_again();
	OK(s->job_spend(s, parent, 2, &e));
	ASSERT_JOB(s, parent, told.seconds == 3.75);
	ASSERT_JOB(s, ids[0], told.seconds == 0);
	s->close(s);
}
END_TEST

#define STORE_SUITE_PARTS                                                                          \
	only_a_paused_job_at_its_rest_or_past_it_rests, what_is_given_back_rests_once_it_is_there, \
			what_rests_is_left_alone_by_requests, rest_is_moved_until_there_is_none,   \
			rest_of_who_does_not_rest_is_noted, who_waits_is_queued_to_wrap_up,        \
			who_runs_is_told_to_wrap_up, passed_over_is_cancelled_for_a_reason,        \
			who_does_not_rest_is_not_passed_over, who_has_ended_has_no_wishes,         \
			family_resumes_without_those_that_rest, dropped_output_goes_alone,         \
			outputs_go_with_the_end_of_the_family, seconds_under_way_add_up
