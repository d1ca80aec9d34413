/* store_suite_log.h - the log of what was committed; families of jobs, answers, hooks, pruning. Part of store_suite.h. */

/* All events above `after`, of one job or of all, as "topic kind name" a line. *last is the id of the last one. */
static inline char *log_text(struct store *s, int64_t after, int64_t job, int64_t *last)
{
	struct store_event *list;
	size_t count, used = 0;
	char *text = calloc(1, 10000);

	*last = after;
	OK(s->events_after(s, after, job, 100, &list, &count, &e));
	for (size_t i = 0; i < count; i++) {
		ck_assert_int_gt(list[i].id, *last);
		*last = list[i].id;
		if (job) ck_assert_int_eq(list[i].job, job);
		used += (size_t)snprintf(text + used, 10000 - used, "%s %s %s\n", list[i].topic, list[i].kind,
				list[i].name);
		store_event_clear(&list[i]);
	}
	free(list);
	return text;
}

#define LOGGED(after, job, expected)                         \
	do {                                                 \
		char *text = log_text(s, after, job, &last); \
		ck_assert_str_eq(text, expected);            \
		free(text);                                  \
	} while (0)

START_TEST(changes_are_logged)
{
	struct store *s = fresh_store();
	enum store_outcome outcome;
	enum job_state state;
	int64_t revision, id, last, before;
	size_t count;

	ck_assert_int_eq(s->last_event(s), 0);
	put_model(s, "m");
	OK(s->model_create(
			s, "m", "{\"sent\":1}", "{}", "", "{}", 0, &outcome, &e)); /* the same: no change */
	REFUSED(s->model_create(s, "m", "{}", "{}", "", "{}", 0, &outcome, &e), ERR_CONFLICT);
	revision = put_dataset(s, "d", 'a');
	put_dataset(s, "d", 'b');
	put_dataset(s, NULL, 'c');
	LOGGED(0, 0, "models created m\ndatasets created d\ndatasets replaced d\n");
	ck_assert_int_eq(s->last_event(s), last);
	revision = put_dataset(s, "d", 'd');
	before = s->last_event(s);
	id = put_job(s, "m", revision, 0);
	claim(s, id);
	OK(append_block(s, id, 1, 1));
	OK(s->job_recover(s, "{}", &count, &e));
	claim(s, id);
	OK(s->curve_rewind(s, id, 2, 0, &e));
	OK(s->curve_rewind(s, id, 2, 0, &e)); /* nothing to take back */
	OK(s->job_pause(s, id, &state, &e));
	OK(s->job_park(s, id, 2, &e));
	OK(s->job_update(s, id, "x", NULL, &e));
	LOGGED(before, id,
			"jobs created m\njobs state m\njobs state m\njobs state m\njobs rewind m\njobs state m\n"
			"jobs updated m\n");
	ck_assert_int_eq(last, before + 7 + 10); /* ten points */
	OK(s->job_resume(s, id, &e));
	OK(s->job_cancel(s, id, &state, &e));
	LOGGED(last, id, "jobs state m\njobs state m\njobs end m\n");
	before = last;
	OK(s->job_delete(s, id, &e));
	LOGGED(0, id, "");
	put_version(s, "m");
	put_version(s, "m");
	OK(s->label_set(s, "m", "stable", 2, &e));
	OK(s->label_delete(s, "m", "stable", &e));
	OK(s->version_delete(s, "m", 1, &e));
	OK(s->model_update(s, "m", "y", NULL, &e));
	OK(s->model_delete(s, "m", &e));
	OK(s->dataset_delete(s, "d", &e));
	LOGGED(before, 0,
			"jobs deleted m\nmodels published m\nmodels published m\nmodels label m\nmodels label m\n"
			"models unpublished m\nmodels updated m\nmodels deleted m\ndatasets deleted d\n");
	before = s->last_event(s);
	s->close(s);
	s = open_again();
	ck_assert_int_eq(s->last_event(s), before);
	put_model(s, "n");
	ck_assert_int_eq(s->last_event(s), before + 1);
	s->close(s);
}
END_TEST

START_TEST(events_say_what_happened)
{
	int64_t revision, id, before;
	struct store *s = store_for_jobs(&revision);
	struct store_version_new v = version_of(s, 5, 10);
	struct store_job_end end;
	struct store_event *list;
	uint64_t version;
	size_t count;

	id = put_job(s, "m", revision, 0);
	claim(s, id);
	before = s->last_event(s);
	end = end_of(id, 1, JOB_SUCCEEDED);
	end.version = &v;
	OK(s->job_finish(s, &end, &version, &e));
	OK(s->events_after(s, before, 0, 10, &list, &count, &e));
	ck_assert_uint_eq(count, 3); /* of one commit */
	ck_assert_str_eq(list[2].kind, "end");
	ck_assert_str_eq(list[0].data, "{\"model\":\"m\",\"version\":\"1\",\"label\":null}");
	ck_assert_str_eq(list[1].data,
			"{\"job\":\"1\",\"model\":\"m\",\"kind\":\"train\",\"state\":\"succeeded\",\"attempt\":1,"
			"\"resumed\":0,\"epoch\":9,\"stop_reason\":\"epochs\",\"version\":\"1\",\"parent\":null}");
	ck_assert_int_gt(list[1].created_ms, 1700000000000);
	for (size_t i = 0; i < count; i++)
		store_event_clear(&list[i]);
	free(list);
	OK(s->events_after(s, before, 0, 1, &list, &count, &e));
	ck_assert_uint_eq(count, 1);
	store_event_clear(&list[0]);
	free(list);
	s->close(s);
}
END_TEST

struct points {
	int64_t next; /* the lowest event that may come */
	size_t blocks;
};

static inline int see_points(void *self, const struct store_curve_block *block, struct err *err)
{
	struct points *p = self;

	(void)err;
	ck_assert_int_ge(block->first_event + (int64_t)block->points, p->next);
	p->next = block->first_event + (int64_t)block->points;
	p->blocks++;
	return 0;
}

/* Points are found by the events they are, the block that an event lies in whole. */
START_TEST(points_are_events)
{
	int64_t revision, id, first;
	struct store *s = store_for_jobs(&revision);
	struct points points = { 0 };

	id = put_job(s, "m", revision, 0);
	claim(s, id);
	first = s->last_event(s) + 1;
	for (uint64_t epoch = 1; epoch <= 5991; epoch += 10) {
		OK(append_block(s, id, 1, epoch));
		if (epoch == 1) ck_assert_int_eq(s->last_event(s), first + 9);
		put_job(s, "m", revision, 0); /* events of others between them */
	}
	OK(s->curve_read_after(s, id, 0, see_points, &points, &e));
	ck_assert_uint_eq(points.blocks, 600);
	points = (struct points){ first + 9, 0 };
	OK(s->curve_read_after(s, id, first + 8, see_points, &points, &e));
	ck_assert_uint_eq(points.blocks, 600);
	points = (struct points){ first + 11, 0 };
	OK(s->curve_read_after(s, id, first + 9, see_points, &points, &e));
	ck_assert_uint_eq(points.blocks, 599);
	points = (struct points){ 0 };
	OK(s->curve_read_after(s, id, s->last_event(s), see_points, &points, &e));
	ck_assert_uint_eq(points.blocks, 0);
	REFUSED(s->curve_read_after(s, 9999, 0, see_points, &points, &e), ERR_NOT_FOUND);
	s->close(s);
}
END_TEST

struct listener {
	struct store *s;
	atomic_int called;
	_Atomic int64_t last;
};

static inline void listen(void *self)
{
	struct listener *l = self;

	atomic_store(&l->last, l->s->last_event(l->s));
	atomic_fetch_add(&l->called, 1);
}

START_TEST(commits_are_told)
{
	int64_t revision, id;
	struct store *s = store_for_jobs(&revision);
	struct listener listener = { .s = s };
	int before;

	s->on_commit(s, listen, &listener);
	id = put_job(s, "m", revision, 0);
	while (atomic_load(&listener.last) < s->last_event(s)) /* the call may come after the answer */
		usleep(1000);
	before = atomic_load(&listener.called);
	version_of(s, 3, 10); /* nothing that is logged */
	REFUSED(s->job_delete(s, id, &e), ERR_CONFLICT);
	OK(s->check(s, &e));
	ck_assert_int_eq(atomic_load(&listener.called), before);
	s->on_commit(s, NULL, NULL);
	put_job(s, "m", revision, 0);
	OK(s->check(s, &e));
	ck_assert_int_eq(atomic_load(&listener.called), before);
	s->close(s);
}
END_TEST

/* ---- families ---- */

static inline int64_t put_child(struct store *s, int64_t revision, int64_t parent)
{
	const struct store_job_new job = { .model = "m",
		.kind = "train",
		.config = "{}",
		.revision = revision,
		.epochs = 5,
		.parent = parent };
	int64_t id;

	OK(s->job_create(s, &job, &id, &e));
	return id;
}

START_TEST(children_go_with_their_parent)
{
	int64_t revision, parent, other, ids[3];
	struct store *s = store_for_jobs(&revision);
	struct store_job_new late = { .model = "m", .kind = "train", .config = "{}", .revision = revision };
	struct store_job *list, job;
	enum job_state state;
	size_t count;

	parent = put_job(s, "m", revision, 9);
	other = put_job(s, "m", revision, 0);
	claim(s, parent);
	for (int i = 0; i < 3; i++)
		ids[i] = put_child(s, revision, parent);
	OK(s->job_children(s, parent, 0, 2, &list, &count, &e));
	ck_assert_uint_eq(count, 2);
	for (size_t i = 0; i < 2; i++) {
		ck_assert_int_eq(list[i].id, ids[i]);
		ck_assert_int_eq(list[i].parent, parent);
		store_job_clear(&list[i]);
	}
	free(list);
	OK(s->job_children(s, parent, ids[1], 9, &list, &count, &e));
	ck_assert_uint_eq(count, 1);
	store_job_clear(&list[0]);
	free(list);
	claim(s, other);
	ck_assert_int_eq(claim(s, ids[0]), 1);
	OK(s->job_cancel(s, parent, &state, &e));
	ck_assert_int_eq(state, JOB_RUNNING);
	job = job_of(s, ids[0]);
	ck_assert(job.cancel_requested);
	store_job_clear(&job);
	ck_assert_int_eq(state_of(s, ids[1]), JOB_CANCELLED);
	ck_assert_int_eq(state_of(s, other), JOB_RUNNING);
	finish_job(s, parent, 1, JOB_CANCELLED);
	late.parent = parent;
	REFUSED(s->job_create(s, &late, &other, &e), ERR_CONFLICT);
	late.parent = 99;
	REFUSED(s->job_create(s, &late, &other, &e), ERR_NOT_FOUND);
	REFUSED(s->job_delete(s, parent, &e), ERR_CONFLICT); /* a child runs */
	ck_assert_int_eq(state_of(s, ids[2]), JOB_CANCELLED);
	finish_job(s, ids[0], 1, JOB_CANCELLED);
	OK(s->job_delete(s, parent, &e));
	REFUSED(s->job_get(s, ids[2], &job, &e), ERR_NOT_FOUND);
	s->close(s);
}
END_TEST

/* A job whose parts do the work: nobody claims it, and what is left by its parts goes when it has put it together. */
static inline int64_t put_family(struct store *s, int64_t revision, int64_t ids[3])
{
	struct store_job_new job = {
		.model = "m", .kind = "crossvalidate", .config = "{}", .revision = revision, .family = true
	};
	int64_t parent;

	OK(s->job_create(s, &job, &parent, &e));
	for (int i = 0; i < 3; i++)
		ids[i] = put_child(s, revision, parent);
	return parent;
}

START_TEST(family_has_no_worker)
{
	int64_t revision, parent, ids[3];
	struct store *s = store_for_jobs(&revision);
	struct store_job job;
	size_t count;

	parent = put_family(s, revision, ids);
	job = job_of(s, parent);
	ck_assert_int_eq(job.state, JOB_RUNNING);
	ck_assert_int_eq(job.attempt, 0);
	ck_assert(job.started_ms > 0);
	store_job_clear(&job);
	for (int i = 0; i < 3; i++)
		claim(s, ids[i]);
	REFUSED(s->job_claim(s, "me", 1, &job, &e), ERR_NOT_FOUND);
	OK(s->job_expire(s, "{}", &count, &e));
	OK(s->job_recover(s, "{}", &count, &e));
	ck_assert_uint_eq(count, 3); /* the parts alone */
	ck_assert_int_eq(state_of(s, parent), JOB_RUNNING);
	s->close(s);
}
END_TEST

START_TEST(family_leaves_what_its_parts_left)
{
	int64_t revision, parent, ids[3], blobs[3], all;
	struct store *s = store_for_jobs(&revision);
	struct store_job_end end;
	struct store_bytes bytes;
	struct store_job job;
	uint64_t version;

	parent = put_family(s, revision, ids);
	for (int i = 0; i < 3; i++) {
		claim(s, ids[i]);
		end = end_of(ids[i], 1, JOB_SUCCEEDED);
		end.output = blobs[i] = put_blob(s, (uint64_t)i, 100);
		OK(s->job_finish(s, &end, &version, &e));
		job = job_of(s, ids[i]);
		ck_assert_int_eq(job.output, blobs[i]);
		ck_assert_ptr_null(job.results);
		store_job_clear(&job);
	}
	REFUSED(s->job_delete(s, ids[0], &e), ERR_CONFLICT); /* its parent has not ended */
	end = end_of(parent, 0, JOB_SUCCEEDED);
	end.results = "{\"sum\":3}";
	end.output = 999;
	REFUSED(s->job_finish(s, &end, &version, &e), ERR_NOT_FOUND);
	end.output = all = put_blob(s, 9, 100);
	OK(s->job_finish(s, &end, &version, &e));
	REFUSED(s->job_finish(s, &end, &version, &e), ERR_CONFLICT);
	job = job_of(s, parent);
	ck_assert_str_eq(job.results, "{\"sum\":3}");
	ck_assert_int_eq(job.output, all);
	store_job_clear(&job);
	for (int i = 0; i < 3; i++) {
		job = job_of(s, ids[i]);
		ck_assert_int_eq(job.output, 0);
		store_job_clear(&job);
		REFUSED(s->blob_read(s, blobs[i], &bytes, &e), ERR_NOT_FOUND);
	}
	s->close(s);
	s = open_again(); /* the sweep of what nobody named leaves it */
	OK(s->blob_read(s, all, &bytes, &e));
	ck_assert_uint_eq(bytes.size, 100);
	store_bytes_clear(&bytes);
	OK(s->job_delete(s, parent, &e));
	REFUSED(s->blob_read(s, all, &bytes, &e), ERR_NOT_FOUND);
	s->close(s);
}
END_TEST

START_TEST(family_pauses_and_resumes_as_one)
{
	int64_t revision, parent, ids[3];
	struct store *s = store_for_jobs(&revision);
	enum job_state state;
	struct store_job job;

	parent = put_family(s, revision, ids);
	claim(s, ids[0]);
	OK(s->job_pause(s, parent, &state, &e));
	ck_assert_int_eq(state, JOB_PAUSED);
	job = job_of(s, ids[0]);
	ck_assert(job.pause_requested);
	store_job_clear(&job);
	OK(s->job_park(s, ids[0], 1, &e));
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(state_of(s, ids[i]), JOB_PAUSED);
	OK(s->job_resume(s, parent, &e));
	ck_assert_int_eq(state_of(s, parent), JOB_RUNNING);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(state_of(s, ids[i]), JOB_QUEUED);
	OK(s->job_cancel(s, parent, &state, &e));
	ck_assert_int_eq(state, JOB_RUNNING); /* until whoever ends families looks at it */
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(state_of(s, ids[i]), JOB_CANCELLED);
	s->close(s);
}
END_TEST

/* ---- pruning ---- */

START_TEST(old_jobs_are_pruned)
{
	int64_t revision, ids[6];
	struct store *s = store_for_jobs(&revision);
	struct store_job job;
	enum job_state state;
	size_t count, all = 0;

	for (int i = 0; i < 6; i++)
		ids[i] = put_job(s, "m", revision, 0);
	put_child(s, revision, ids[1]);
	for (int i = 1; i < 6; i++)
		OK(s->job_cancel(s, ids[i], &state, &e)); /* the first waits for ever */
	do {
		OK(s->jobs_prune(s, 2, &count, &e));
		all += count;
	} while (count);
	ck_assert_uint_eq(all, 3);
	ck_assert_int_eq(state_of(s, ids[0]), JOB_QUEUED);
	REFUSED(s->job_get(s, ids[3], &job, &e), ERR_NOT_FOUND);
	REFUSED(s->job_get(s, ids[5] + 1, &job, &e), ERR_NOT_FOUND); /* the child */
	ck_assert_int_eq(state_of(s, ids[4]), JOB_CANCELLED);
	OK(s->jobs_prune(s, 0, &count, &e));
	ck_assert_uint_eq(count, 2);
	ck_assert_int_eq(state_of(s, ids[0]), JOB_QUEUED);
	s->close(s);
}
END_TEST

START_TEST(old_versions_are_pruned)
{
	static const uint64_t left[] = { 5, 4, 1 };
	struct store *s = fresh_store();
	struct store_version *list;
	size_t count, all = 0;

	put_model(s, "m");
	put_model(s, "n");
	for (int i = 0; i < 5; i++)
		put_version(s, "m");
	put_version(s, "n");
	OK(s->label_set(s, "m", "stable", 1, &e));
	do {
		OK(s->versions_prune(s, 2, &count, &e));
		all += count;
	} while (count);
	ck_assert_uint_eq(all, 2);
	OK(s->version_list(s, "m", 0, 10, &list, &count, &e));
	ck_assert_uint_eq(count, 3);
	for (size_t i = 0; i < count; i++) {
		ck_assert_uint_eq(list[i].number, left[i]);
		store_version_clear(&list[i]);
	}
	free(list);
	OK(s->version_list(s, "n", 0, 10, &list, &count, &e));
	ck_assert_uint_eq(count, 1);
	store_version_clear(&list[0]);
	free(list);
	s->close(s);
}
END_TEST

START_TEST(free_bytes_are_given_back)
{
	struct store *s = fresh_store();
	struct store_info info;
	uint64_t freed, before;

	put_model(s, "m");
	s->blob_discard(s, put_blob(s, 1, 3 << 20));
	do {
		usleep(1000);
		OK(s->answers_prune(s, 0,
				&e)); /* a step of the sweep that failed is made again behind the next write */
		OK(s->info(s, &info, &e));
		before = info.file_bytes;
		freed = info.free_bytes;
		store_info_clear(&info);
	} while (freed < 3 << 20); /* until the sweep was there */
	do
		OK(s->shrink(s, &freed, &e));
	while (freed);
	OK(s->info(s, &info, &e));
	ck_assert_uint_eq(info.free_bytes, 0);
	ck_assert_uint_le(info.file_bytes, before - (3 << 20));
	store_info_clear(&info);
	s->close(s);
}
END_TEST

/* ---- answers and hooks ---- */

START_TEST(answers_are_kept)
{
	int64_t revision, id, again;
	struct store *s = store_for_jobs(&revision);
	struct store_job_new job = { .model = "m", .kind = "train", .config = "{}", .revision = revision };
	struct store_answer put = { .request = "abc", .status = 201, .location = "/x", .body = "{}" }, got;

	REFUSED(s->answer_get(s, "key", &got, &e), ERR_NOT_FOUND);
	OK(s->answer_put(s, "key", &put, &e));
	OK(s->answer_get(s, "key", &got, &e));
	ck_assert_str_eq(got.request, "abc");
	ck_assert_int_eq(got.status, 201);
	ck_assert_str_eq(got.location, "/x");
	ck_assert_str_eq(got.body, "{}");
	ck_assert_int_gt(got.created_ms, 1700000000000);
	store_answer_clear(&got);
	job.answer_key = "job";
	job.answer_request = "def";
	OK(s->job_create(s, &job, &id, &e));
	REFUSED(s->job_create(s, &job, &again, &e), ERR_CONFLICT); /* the same key: no second job */
	REFUSED(s->job_get(s, id + 1, &(struct store_job){ 0 }, &e), ERR_NOT_FOUND);
	OK(s->answer_get(s, "job", &got, &e));
	ck_assert_int_eq(got.job, id);
	ck_assert_int_eq(got.status, 0);
	ck_assert_str_eq(got.body, "");
	OK(s->answers_prune(s, got.created_ms, &e));
	store_answer_clear(&got);
	OK(s->answer_get(s, "job", &got, &e));
	OK(s->answers_prune(s, got.created_ms + 1, &e));
	store_answer_clear(&got);
	REFUSED(s->answer_get(s, "job", &got, &e), ERR_NOT_FOUND);
	REFUSED(s->answer_get(s, "key", &got, &e), ERR_NOT_FOUND);
	s->close(s);
}
END_TEST

/* The key of an upload stands in the commit that makes it visible, and in no other. */
START_TEST(answers_come_with_uploads)
{
	struct store *s = fresh_store();
	struct store_upload upload = { .dataset = "d",
		.rows = 20,
		.columns_count = 2,
		.groups = 2,
		.columns = "[]",
		.answer_key = "first",
		.answer_request = "abc",
		.answer_location = "d" };
	struct store_revision out;
	struct store_answer got;
	enum store_outcome outcome;

	upload.sha256 = sha_of('a');
	OK(s->upload_commit(s, begin_upload(s, 1, 2, 10), &upload, &outcome, &out, &e));
	upload.base = out.id;
	store_revision_clear(&out);
	OK(s->answer_get(s, "first", &got, &e));
	ck_assert_str_eq(got.request, "abc");
	ck_assert_str_eq(got.location, "d");
	ck_assert_int_eq(got.status, 0);
	store_answer_clear(&got);
	/* A change whose key is taken is none. */
	REFUSED(s->upload_commit(s, begin_upload(s, 2, 2, 10), &upload, &outcome, &out, &e), ERR_CONFLICT);
	OK(s->dataset_get(s, "d", &out, &e));
	ck_assert_int_eq(out.id, upload.base);
	store_revision_clear(&out);
	upload.answer_key = "second";
	OK(s->upload_commit(s, begin_upload(s, 2, 2, 10), &upload, &outcome, &out, &e));
	store_revision_clear(&out);
	OK(s->answer_get(s, "second", &got, &e));
	ck_assert_str_eq(got.location, ""); /* the data set was there */
	store_answer_clear(&got);
	/* Nor does one that was refused take its key. */
	upload.answer_key = "third";
	REFUSED(s->upload_commit(s, begin_upload(s, 3, 2, 10), &upload, &outcome, &out, &e), ERR_CONFLICT);
	REFUSED(s->answer_get(s, "third", &got, &e), ERR_NOT_FOUND);
	s->close(s);
}
END_TEST

static inline void assert_due(struct store *s, int64_t id, int64_t tries)
{
	struct store_notify *list;
	size_t count;

	OK(s->notify_due(s, 10, &list, &count, &e));
	ck_assert_uint_eq(count, id ? 1 : 0);
	if (id) {
		ck_assert_int_eq(list[0].job, id);
		ck_assert_str_eq(list[0].url, "http://there/");
		ck_assert_int_eq(list[0].tries, tries);
		store_notify_clear(&list[0]);
	}
	free(list);
}

START_TEST(ends_are_to_be_told)
{
	int64_t revision, id;
	struct store *s = store_for_jobs(&revision);
	struct store_job_new job = {
		.model = "m", .kind = "train", .config = "{}", .revision = revision, .notify = "http://there/"
	};
	size_t count;

	OK(s->job_create(s, &job, &id, &e));
	claim(s, id);
	assert_due(s, 0, 0);
	finish_job(s, id, 1, JOB_FAILED);
	assert_due(s, id, 0);
	OK(s->jobs_prune(s, 0, &count, &e));
	ck_assert_uint_eq(count, 0); /* not before it was told */
	OK(s->notify_later(s, id, 600000, &e));
	assert_due(s, 0, 0);
	s->close(s);
	s = open_again();
	OK(s->job_recover(s, "{}", &count, &e));
	assert_due(s, id, 1);
	OK(s->notify_done(s, id, &e));
	assert_due(s, 0, 0);
	OK(s->jobs_prune(s, 0, &count, &e));
	ck_assert_uint_eq(count, 1);
	s->close(s);
}
END_TEST

#define STORE_SUITE_LOG                                                                          \
	changes_are_logged, events_say_what_happened, points_are_events, commits_are_told,       \
			children_go_with_their_parent, family_has_no_worker,                     \
			family_leaves_what_its_parts_left, family_pauses_and_resumes_as_one,     \
			old_jobs_are_pruned, old_versions_are_pruned, free_bytes_are_given_back, \
			answers_are_kept, answers_come_with_uploads, ends_are_to_be_told
