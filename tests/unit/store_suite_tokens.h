/* store_suite_tokens.h - tokens, and what each may keep: beyond it nothing is changed. Part of store_suite.h. */

static struct store_token token_of(const char *name, unsigned char digest)
{
	struct store_token token = { .name = (char *)name,
		.roles = 5,
		.models = "iris*,wine",
		.rate = 2.5,
		.expires_ms = 1800000000000 };

	memset(token.digest, digest, sizeof token.digest);
	for (int i = 0; i < STORE_QUOTAS; i++)
		token.quotas[i] = STORE_NO_QUOTA;
	return token;
}

/* One that may keep `most` of one kind; its id. */
static int64_t put_token(struct store *s, const char *name, enum store_quota quota, int64_t most)
{
	struct store_token token = token_of(name, (unsigned char)*name);

	token.quotas[quota] = most;
	OK(s->token_create(s, &token, &e));
	return token.id;
}

static size_t tokens_count(struct store *s)
{
	struct store_token *list;
	size_t count;

	OK(s->token_list(s, &list, &count, &e));
	for (size_t i = 0; i < count; i++)
		store_token_clear(&list[i]);
	free(list);
	return count;
}

START_TEST(tokens_are_kept_as_they_are)
{
	struct store *s = fresh_store();
	struct store_token first = token_of("b", 1), second = token_of("a", 2), *list;
	size_t count;

	second.models = NULL;
	second.rate = 0;
	second.expires_ms = 0;
	second.quotas[STORE_QUOTA_BYTES] = INT64_C(1) << 40;
	second.quotas[STORE_QUOTA_JOBS] = 0;
	OK(s->token_create(s, &first, &e));
	OK(s->token_create(s, &second, &e));
	ck_assert_int_gt(second.id, first.id);
	ck_assert_int_gt(first.created_ms, 1700000000000);
	s->close(s);
	s = open_again();
	OK(s->token_list(s, &list, &count, &e));
	ck_assert_uint_eq(count, 2);
	ck_assert_int_eq(list[0].id, first.id);
	ck_assert_str_eq(list[0].name, "b");
	ck_assert_str_eq(list[0].models, "iris*,wine");
	ck_assert_uint_eq(list[0].roles, 5);
	ck_assert_double_eq(list[0].rate, 2.5);
	ck_assert_int_eq(list[0].created_ms, first.created_ms);
	ck_assert_int_eq(list[0].expires_ms, 1800000000000);
	ck_assert_mem_eq(list[0].digest, first.digest, STORE_DIGEST_BYTES);
	for (int i = 0; i < STORE_QUOTAS; i++)
		ck_assert_int_eq(list[0].quotas[i], STORE_NO_QUOTA);
	ck_assert_ptr_null(list[1].models);
	ck_assert_int_eq(list[1].expires_ms, 0);
	for (int i = 0; i < STORE_QUOTAS; i++)
		ck_assert_int_eq(list[1].quotas[i], second.quotas[i]);
	for (size_t i = 0; i < count; i++) {
		store_token_clear(&list[i]);
		store_token_clear(&list[i]); /* twice is fine */
	}
	free(list);
	s->close(s);
}
END_TEST

START_TEST(token_has_a_name_of_its_own)
{
	struct store *s = fresh_store();
	struct store_token first = token_of("a", 1), same = token_of("a", 2), other = token_of("b", 3);

	OK(s->token_create(s, &first, &e));
	REFUSED(s->token_create(s, &same, &e), ERR_CONFLICT);
	ck_assert_uint_eq(tokens_count(s), 1);
	OK(s->token_create(s, &other, &e));
	OK(s->token_delete(s, other.id, &e));
	REFUSED(s->token_delete(s, other.id, &e), ERR_NOT_FOUND);
	REFUSED(s->token_delete(s, 0, &e), ERR_NOT_FOUND);
	ck_assert_uint_eq(tokens_count(s), 1);
	first.id = other.id;
	OK(s->token_create(s, &other, &e));
	ck_assert_int_gt(other.id, first.id); /* never used twice */
	s->close(s);
}
END_TEST

START_TEST(there_was_a_token_for_ever)
{
	struct store *s = fresh_store();
	struct store_token token = token_of("a", 1);
	bool ever = true;

	OK(s->token_ever(s, &ever, &e));
	ck_assert(!ever);
	put_model(s, "m"); /* other things that count have no say */
	put_job(s, "m", put_dataset(s, "d", 'a'), 0);
	OK(s->token_ever(s, &ever, &e));
	ck_assert(!ever);
	OK(s->token_create(s, &token, &e));
	OK(s->token_delete(s, token.id, &e));
	for (int again = 0; again < 2; again++) {
		OK(s->token_ever(s, &ever, &e));
		ck_assert(ever);
		s->close(s);
		s = open_again();
	}
	s->close(s);
}
END_TEST

static int try_model(struct store *s, const char *name, int64_t token)
{
	enum store_outcome outcome;

	return s->model_create(s, name, "{}", "{}", "", "{}", token, &outcome, &e);
}

START_TEST(quota_of_models_holds)
{
	struct store *s = fresh_store();
	int64_t two = put_token(s, "two", STORE_QUOTA_MODELS, 2),
		none = put_token(s, "none", STORE_QUOTA_MODELS, 0);
	struct store_model m;
	int64_t event;

	OK(try_model(s, "a", two));
	OK(try_model(s, "b", two));
	event = s->last_event(s);
	REFUSED(try_model(s, "c", two), ERR_QUOTA);
	REFUSED(try_model(s, "c", none), ERR_QUOTA);
	REFUSED(s->model_get(s, "c", &m, &e), ERR_NOT_FOUND);
	ck_assert_int_eq(s->last_event(s), event);
	OK(try_model(s, "a", two)); /* the same again */
	OK(try_model(s, "a", none));
	OK(try_model(s, "c", 0));
	OK(try_model(s, "d", 12345)); /* a token that was revoked meanwhile */
	OK(s->model_delete(s, "a", &e));
	OK(try_model(s, "e", two));
	REFUSED(try_model(s, "f", two), ERR_QUOTA);
	OK(s->token_delete(s, two, &e));
	OK(s->model_get(s, "b", &m, &e)); /* what it made stays */
	store_model_clear(&m);
	s->close(s);
}
END_TEST

/* A data set of size_bytes bytes, or one more revision of it. */
static int try_dataset(struct store *s, const char *name, uint64_t size_bytes, char sha, int64_t token)
{
	int64_t revision = begin_upload(s, (uint64_t)sha, 2, CELLS_BYTES);
	const struct store_upload upload = { .dataset = name,
		.replace = true,
		.rows = 20,
		.columns_count = 2,
		.groups = 2,
		.size_bytes = size_bytes,
		.sha256 = sha_of(sha),
		.columns = "[{\"name\":\"a\"},{\"name\":\"b\"}]",
		.token = token,
		.answer_key = sha == 'k' ? "key" : NULL,
		.answer_request = "request",
		.answer_location = "" };
	struct store_revision out = { 0 };
	enum store_outcome outcome;
	int rc = s->upload_commit(s, revision, &upload, &outcome, &out, &e);

	store_revision_clear(&out);
	if (rc) s->upload_abort(s, revision);
	return rc;
}

START_TEST(quota_of_data_sets_holds)
{
	struct store *s = fresh_store();
	int64_t one = put_token(s, "one", STORE_QUOTA_DATASETS, 1),
		other = put_token(s, "second", STORE_QUOTA_DATASETS, 1);
	struct store_revision r;
	struct store_answer answer;
	int64_t event;

	OK(try_dataset(s, "a", 10, 'a', one));
	event = s->last_event(s);
	REFUSED(try_dataset(s, "b", 10, 'k', one), ERR_QUOTA);
	REFUSED(s->dataset_get(s, "b", &r, &e), ERR_NOT_FOUND);
	REFUSED(s->answer_get(s, "key", &answer, &e), ERR_NOT_FOUND);
	ck_assert_int_eq(s->last_event(s), event);
	OK(try_dataset(s, "a", 10, 'b', one));  /* its own, replaced */
	OK(try_dataset(s, NULL, 10, 'c', one)); /* inline: no data set */
	OK(try_dataset(s, "c", 10, 'd', other));
	REFUSED(try_dataset(s, "c", 10, 'e', one), ERR_QUOTA); /* would be its own from then on */
	OK(s->dataset_get(s, "c", &r, &e));
	ck_assert_str_eq(r.sha256, sha_of('d'));
	store_revision_clear(&r);
	OK(try_dataset(s, "c", 10, 'f', 0));
	OK(try_dataset(s, "d", 10, 'g', other));
	OK(s->dataset_delete(s, "a", &e));
	OK(try_dataset(s, "b", 10, 'k', one));
	OK(s->answer_get(s, "key", &answer, &e));
	store_answer_clear(&answer);
	s->close(s);
}
END_TEST

START_TEST(quota_of_bytes_holds)
{
	struct store *s = fresh_store();
	int64_t token = put_token(s, "t", STORE_QUOTA_BYTES, 1000);
	struct store_revision r;

	OK(try_dataset(s, "a", 400, 'a', token));
	OK(try_dataset(s, "b", 600, 'b', token)); /* to the last */
	REFUSED(try_dataset(s, "c", 1, 'c', token), ERR_QUOTA);
	REFUSED(try_dataset(s, "b", 601, 'd', token), ERR_QUOTA);
	OK(s->dataset_get(s, "b", &r, &e));
	ck_assert_uint_eq(r.size_bytes, 600);
	store_revision_clear(&r);
	OK(try_dataset(s, "b", 300, 'e', token)); /* the revision of before counts no more */
	OK(try_dataset(s, "c", 300, 'f', token));
	s->close(s);
	s = open_again();
	REFUSED(try_dataset(s, "d", 1, 'g', token), ERR_QUOTA);
	s->close(s);
}
END_TEST

/* What an upload of so many bytes to that data set is told; *most: as there. */
static int ask_room(struct store *s, int64_t revision, const char *name, int64_t base, uint64_t size_bytes,
		int64_t token, uint64_t *most)
{
	const struct store_upload upload = {
		.dataset = name, .replace = !base, .base = base, .size_bytes = size_bytes, .token = token
	};

	return s->upload_room(s, revision, &upload, most, &e);
}

static int64_t current_revision(struct store *s, const char *name)
{
	struct store_revision r;
	int64_t id;

	OK(s->dataset_get(s, name, &r, &e));
	id = r.id;
	store_revision_clear(&r);
	return id;
}

START_TEST(room_is_what_a_commit_would_have)
{
	struct store *s = fresh_store();
	int64_t token = put_token(s, "t", STORE_QUOTA_BYTES, 1000), up, base;
	int64_t one = put_token(s, "one", STORE_QUOTA_DATASETS, 1);
	const struct store_upload unlike = { .dataset = "a", .size_bytes = 401, .token = token },
				  alike = { .dataset = "a", .size_bytes = 1 };
	uint64_t most;

	OK(try_dataset(s, "a", 400, 'a', token));
	OK(try_dataset(s, "o", 500, 'b', one));
	base = current_revision(s, "a");
	OK(s->upload_begin(s, &up, &e));
	OK(ask_room(s, up, "b", 0, 600, token, &most));
	ck_assert_uint_eq(most, 600);
	REFUSED(ask_room(s, up, "b", 0, 601, token, &most), ERR_QUOTA);
	OK(ask_room(s, up, "a", 0, 1000, token, &most)); /* in its place */
	REFUSED(ask_room(s, up, "a", 0, 1001, token, &most), ERR_QUOTA);
	OK(ask_room(s, up, "a", base, 1000, token, &most));
	REFUSED(ask_room(s, up, "a", base, 1001, token, &most), ERR_QUOTA);
	OK(ask_room(s, up, "o", 0, 600, token, &most)); /* would be its own from then on */
	REFUSED(ask_room(s, up, "o", 0, 601, token, &most), ERR_QUOTA);
	REFUSED(ask_room(s, up, "b", 0, 1, one, &most), ERR_QUOTA);
	OK(ask_room(s, up, "o", 0, 1u << 30, one, &most));
	ck_assert_uint_eq(most, UINT64_MAX);
	OK(ask_room(s, up, "b", 0, 1u << 30, 0, &most));
	OK(ask_room(s, up, "b", 0, 1u << 30, 12345, &most)); /* revoked: others look at that */
	ck_assert_uint_eq(most, UINT64_MAX);
	OK(s->upload_room(s, up, &alike, &most, &e)); /* may be the same bytes */
	ck_assert_uint_eq(most, 400);
	REFUSED(s->upload_room(s, up, &unlike, &most, &e), ERR_CONFLICT);
	OK(try_dataset(s, "a", 300, 'c', token));
	REFUSED(ask_room(s, up, "a", base, 400, token, &most), ERR_CONFLICT);
	REFUSED(ask_room(s, up, "nothing", base, 400, token, &most), ERR_NOT_FOUND);
	s->upload_abort(s, up);
	s->close(s);
}
END_TEST

START_TEST(uploads_under_way_share_their_room)
{
	struct store *s = fresh_store();
	int64_t token = put_token(s, "t", STORE_QUOTA_BYTES, 1000),
		other = put_token(s, "other", STORE_QUOTA_BYTES, 1000), up[2];
	uint64_t most;

	OK(try_dataset(s, "a", 400, 'a', token));
	for (int i = 0; i < 2; i++)
		OK(s->upload_begin(s, &up[i], &e));
	OK(ask_room(s, up[0], "b", 0, 600, token, &most));
	REFUSED(ask_room(s, up[1], "c", 0, 401, token, &most), ERR_QUOTA);
	OK(ask_room(s, up[1], "c", 0, 400, token, &most));
	OK(ask_room(s, up[1], "a", current_revision(s, "a"), 800, token,
			&most)); /* what it is added to is there */
	REFUSED(ask_room(s, up[1], "a", current_revision(s, "a"), 801, token, &most), ERR_QUOTA);
	OK(ask_room(s, up[1], "c", 0, 1000, other, &most));
	OK(ask_room(s, up[0], "b", 0, 600, token, &most)); /* its own count once */
	s->upload_abort(s, up[0]);
	OK(ask_room(s, up[1], "c", 0, 600, token, &most));
	s->upload_abort(s, up[1]);
	s->close(s);
}
END_TEST

START_TEST(quota_of_jobs_holds)
{
	struct store *s = fresh_store();
	int64_t token = put_token(s, "t", STORE_QUOTA_JOBS, 2), ids[3], event;
	struct store_job_new job = {
		.model = "m", .kind = "train", .dataset = "d", .config = "{}", .epochs = 2, .token = token
	};
	struct store_answer answer;
	struct store_job_filter filter = { NULL, JOB_STATES, 0, 10 };
	struct store_job *list;
	size_t count;

	put_model(s, "m");
	job.revision = put_dataset(s, "d", 'a');
	for (int i = 0; i < 2; i++)
		OK(s->job_create(s, &job, &ids[i], &e));
	event = s->last_event(s);
	job.answer_key = "key";
	job.answer_request = "request";
	REFUSED(s->job_create(s, &job, &ids[2], &e), ERR_QUOTA);
	REFUSED(s->answer_get(s, "key", &answer, &e), ERR_NOT_FOUND);
	ck_assert_int_eq(s->last_event(s), event);
	OK(s->job_list(s, &filter, &list, &count, &e));
	ck_assert_uint_eq(count, 2);
	while (count)
		store_job_clear(&list[--count]);
	free(list);
	finish_job(s, ids[0], claim(s, ids[0]), JOB_SUCCEEDED);
	OK(s->job_create(s, &job, &ids[2], &e));
	job.answer_key = NULL;
	claim(s, ids[1]); /* running is unfinished too */
	REFUSED(s->job_create(s, &job, &ids[0], &e), ERR_QUOTA);
	put_job(s, "m", job.revision, 0); /* of nobody */
	s->close(s);
}
END_TEST

#define STORE_SUITE_TOKENS                                                                     \
	tokens_are_kept_as_they_are, token_has_a_name_of_its_own, there_was_a_token_for_ever,  \
			quota_of_models_holds, quota_of_data_sets_holds, quota_of_bytes_holds, \
			room_is_what_a_commit_would_have, uploads_under_way_share_their_room,  \
			quota_of_jobs_holds
