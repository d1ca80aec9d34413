/* store_suite_family.h - families and their parts when several things are wanted of them at once. */
START_TEST(recovered_count_is_of_those_queued)
{
	int64_t revision, id;
	struct store *s = store_for_jobs(&revision);
	size_t count;

	id = put_part(s, revision, 0, 5);
	claim(s, id);
	OK(put_checkpoint(s, id, 1, 5, 10));
	OK(s->job_recover(s, "{}", &count, &e));
	ck_assert_int_eq(state_of(s, id), JOB_PAUSED);
	ck_assert_uint_eq(count, 0);
	s->close(s);
}
END_TEST

START_TEST(wrapped_up_then_paused_resumes)
{
	int64_t revision, id, parent, ids[3];
	struct store *s = store_for_jobs(&revision);
	enum job_state state;

	parent = put_family(s, revision, ids);
	for (int i = 0; i < 3; i++)
		OK(s->job_cancel(s, ids[i], &state, &e));
	id = put_part_at(s, revision, parent, 5, 5, false);
	OK(s->job_wrap_up(s, id, &e));
	OK(s->job_pause(s, parent, &state, &e));
	OK(s->job_resume(s, parent, &e));
	ck_assert_int_eq(state_of(s, id), JOB_QUEUED);
	s->close(s);
}
END_TEST

START_TEST(family_without_parts_resumes_running)
{
	int64_t revision, parent;
	struct store *s = store_for_jobs(&revision);
	struct store_job_new job = {
		.model = "m", .kind = "sweep", .config = "{}", .revision = revision, .family = true
	};
	enum job_state state;

	OK(s->job_create(s, &job, &parent, &e));
	OK(s->job_pause(s, parent, &state, &e));
	OK(s->job_resume(s, parent, &e));
	ck_assert_int_eq(state_of(s, parent), JOB_RUNNING);
	s->close(s);
}
END_TEST

#define STORE_SUITE_FAMILY                                                  \
	recovered_count_is_of_those_queued, wrapped_up_then_paused_resumes, \
			family_without_parts_resumes_running
