/* store_suite_crash.h - processes that die, stores opened twice, threads side by side. Part of store_suite.h. */

static inline void upload_half(struct store *s, int tell)
{
	int64_t revision;

	if (s->upload_begin(s, &revision, NULL)) _exit(4);
	for (uint64_t g = 0; g < 6; g++) {
		struct store_bytes bytes[1] = { { calloc(1, 1 << 20), 1 << 20 } };

		if (s->upload_group(s, revision, g, bytes, 1, NULL)) _exit(5);
	}
	tell_and_wait(tell);
}

START_TEST(crash_in_an_upload_leaves_nothing_visible)
{
	struct store_revision *list;
	struct store_info info;
	struct store *s;
	size_t count;

	fresh_path();
	crash_in(upload_half);
	s = open_again();
	OK(s->dataset_list(s, "", 10, &list, &count, &e));
	ck_assert_uint_eq(count, 0);
	ck_assert(!revision_there(s, 1));
	OK(s->info(s, &info, &e));
	ck_assert_uint_eq(info.datasets, 0);
	store_info_clear(&info);
	ck_assert_int_gt(put_dataset(s, "iris", 'a'), 1);
	s->close(s);
}
END_TEST

/* Everything that was acknowledged, and a blob that no version names. */
static inline void acknowledge(struct store *s, int tell)
{
	struct store_job_new job = { .model = "m", .kind = "train", .config = "{}", .epochs = 5 };
	struct store_upload upload = { .dataset = "d", .sha256 = "s", .columns = "[]", .groups = 1 };
	struct store_bytes bytes[1] = { { calloc(1, 10), 10 } };
	struct store_revision out;
	struct store_job claimed;
	enum store_outcome outcome;
	int64_t id, blob;

	if (s->upload_begin(s, &id, NULL) || s->upload_group(s, id, 0, bytes, 1, NULL)) _exit(4);
	if (s->upload_commit(s, id, &upload, &outcome, &out, NULL)) _exit(5);
	if (s->model_create(s, "m", "{}", "{}", "", "{}", 0, &outcome, NULL)) _exit(6);
	job.revision = out.id;
	if (s->job_create(s, &job, &id, NULL) || s->job_claim(s, "me", 60000, &claimed, NULL)) _exit(7);
	if (s->blob_write(s, "weights", 7, &blob, NULL)) _exit(8);
	tell_and_wait(tell);
}

START_TEST(crash_loses_nothing_that_was_acknowledged)
{
	struct store_bytes bytes = { 0 };
	struct store_revision out;
	struct store_model m;
	struct store *s;
	size_t count;

	fresh_path();
	crash_in(acknowledge);
	s = open_again();
	OK(s->dataset_get(s, "d", &out, &e));
	OK(s->segment_read(s, out.id, 0, 0, &bytes, &e));
	ck_assert_uint_eq(bytes.size, 10);
	store_bytes_clear(&bytes);
	store_revision_clear(&out);
	OK(s->model_get(s, "m", &m, &e));
	store_model_clear(&m);
	ck_assert_int_eq(state_of(s, 1), JOB_RUNNING);
	OK(s->job_recover(s, "{}", &count, &e));
	ck_assert_uint_eq(count, 1);
	REFUSED(s->blob_read(s, 1, &bytes, &e), ERR_NOT_FOUND);
	s->close(s);
}
END_TEST

static inline void hold(struct store *s, int tell)
{
	(void)s;
	tell_and_wait(tell);
}

static inline void refuse_second(struct store *s, int tell)
{
	struct store *second;

	(void)s;
	if (suite_open(&second, suite_path, NULL) != ERR_CONFLICT || second) _exit(4);
	tell_and_wait(tell);
}

START_TEST(one_store_at_a_time)
{
	struct store *s = fresh_store(), *second;
	pid_t child;
	int status;

	REFUSED(suite_open(&second, suite_path, &e), ERR_CONFLICT);
	ck_assert_ptr_null(second);
	child = fork();
	if (!child) _exit(suite_open(&second, suite_path, NULL) == ERR_CONFLICT ? 0 : 1);
	waitpid(child, &status, 0);
	ck_assert_int_eq(status, 0);
	OK(s->check(s, &e));
	put_model(s, "m"); /* the first is none the worse */
	s->close(s);
	crash_in(hold);
	crash_in(refuse_second);
	s = open_again(); /* the dead hold nothing */
	s->close(s);
}
END_TEST

/* ---- threads ---- */

#define READING_THREADS 4
#define UPLOADS         12

struct side {
	struct store *s;
	pthread_t thread;
	size_t rounds;
	bool failed;
	const atomic_bool *stop;
};

/* A current revision is read whole, or is not there any more; never in part. */
static inline void *read_along(void *arg)
{
	struct side *side = arg;
	struct store *s = side->s;
	struct store_bytes bytes = { 0 };

	while (!*side->stop && !side->failed) {
		struct store_revision out;
		int rc = s->dataset_get(s, "d", &out, NULL);

		if (rc) side->failed = true;
		for (uint64_t g = 0; g < 2 && !rc; g++) {
			rc = s->segment_read(s, out.id, g, 1, &bytes, NULL);
			if (!rc && bytes.data[0] != byte_of((uint64_t)out.sha256[0] + g * 2 + 1, 0))
				side->failed = true;
			if (rc && rc != ERR_NOT_FOUND) side->failed = true;
		}
		store_revision_clear(&out);
		side->rounds++;
	}
	store_bytes_clear(&bytes);
	return NULL;
}

START_TEST(readers_and_an_uploader_side_by_side)
{
	struct store *s = fresh_store();
	struct side sides[READING_THREADS];
	atomic_bool stop = false;

	put_dataset(s, "d", 'A');
	for (size_t i = 0; i < READING_THREADS; i++) {
		sides[i] = (struct side){ .s = s, .stop = &stop };
		ck_assert_int_eq(pthread_create(&sides[i].thread, NULL, read_along, &sides[i]), 0);
	}
	for (int n = 1; n <= UPLOADS; n++) {
		struct store_revision out;
		enum store_outcome outcome;
		int64_t revision = begin_upload(s, (uint64_t)('A' + n), 2, 1 << 20);

		OK(end_upload(s, revision, "d", (char)('A' + n), true, &outcome, &out));
		ck_assert_uint_eq(out.number, (uint64_t)n + 1);
		store_revision_clear(&out);
	}
	stop = true;
	for (size_t i = 0; i < READING_THREADS; i++) {
		pthread_join(sides[i].thread, NULL);
		ck_assert(!sides[i].failed);
	}
	s->close(s);
}
END_TEST

#define WRITING_THREADS 16
#define WRITES          50

/* Every second call is refused, and takes nothing of its neighbours' with it. */
static inline void *write_along(void *arg)
{
	struct side *side = arg;
	struct store *s = side->s;

	for (int i = 0; i < WRITES && !side->failed; i++) {
		enum store_outcome outcome;
		char name[32];

		snprintf(name, sizeof name, "m%p-%d", arg, i);
		if (s->model_create(s, name, "{}", "{}", "", "{}", 0, &outcome, NULL)) side->failed = true;
		if (s->model_create(s, name, "other", "{}", "", "{}", 0, &outcome, NULL) != ERR_CONFLICT)
			side->failed = true;
	}
	return NULL;
}

START_TEST(writers_side_by_side)
{
	struct side sides[WRITING_THREADS];
	struct store *s = fresh_store();
	struct store_info info;

	for (size_t i = 0; i < WRITING_THREADS; i++) {
		sides[i] = (struct side){ .s = s };
		ck_assert_int_eq(pthread_create(&sides[i].thread, NULL, write_along, &sides[i]), 0);
	}
	for (size_t i = 0; i < WRITING_THREADS; i++) {
		pthread_join(sides[i].thread, NULL);
		ck_assert(!sides[i].failed);
	}
	OK(s->info(s, &info, &e));
	ck_assert_uint_eq(info.models, WRITING_THREADS * WRITES);
	store_info_clear(&info);
	s->close(s);
}
END_TEST

#define STORE_SUITE_CRASH                                                                     \
	crash_in_an_upload_leaves_nothing_visible, crash_loses_nothing_that_was_acknowledged, \
			one_store_at_a_time, readers_and_an_uploader_side_by_side, writers_side_by_side
