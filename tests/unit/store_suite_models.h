/* store_suite_models.h - models, versions, labels, blobs. Part of store_suite.h. */

START_TEST(model_is_created_once)
{
	struct store *s = fresh_store();
	struct store_model m;
	enum store_outcome outcome;

	REFUSED(s->model_get(s, "m", &m, &e), ERR_NOT_FOUND);
	put_model(s, "m");
	OK(s->model_create(s, "m", "{\"sent\":1}", "{}", "", "{}", 0, &outcome, &e));
	ck_assert_int_eq(outcome, STORE_SAME);
	REFUSED(s->model_create(s, "m", "{\"sent\":2}", "{}", "", "{}", 0, &outcome, &e), ERR_CONFLICT);
	OK(s->model_get(s, "m", &m, &e));
	ck_assert_str_eq(m.name, "m");
	ck_assert_str_eq(m.sent, "{\"sent\":1}");
	ck_assert_str_eq(m.definition, "{\"definition\":1}");
	ck_assert_str_eq(m.description, "words");
	ck_assert_str_eq(m.metadata, "{}");
	ck_assert_uint_eq(m.latest_version, 0);
	ck_assert_uint_eq(m.labels_count, 0);
	ck_assert_int_gt(m.created_ms, 1700000000000);
	store_model_clear(&m);
	store_model_clear(&m); /* twice is fine */
	s->close(s);
}
END_TEST

START_TEST(model_is_updated_in_part)
{
	struct store *s = fresh_store();
	struct store_model m;

	put_model(s, "m");
	OK(s->model_update(s, "m", "other", NULL, &e));
	OK(s->model_update(s, "m", NULL, "{\"a\":\"b\"}", &e));
	REFUSED(s->model_update(s, "n", "x", NULL, &e), ERR_NOT_FOUND);
	OK(s->model_get(s, "m", &m, &e));
	ck_assert_str_eq(m.description, "other");
	ck_assert_str_eq(m.metadata, "{\"a\":\"b\"}");
	store_model_clear(&m);
	s->close(s);
}
END_TEST

START_TEST(models_are_listed_by_name)
{
	struct store *s = fresh_store();
	struct store_model *list;
	size_t count;
	char name[16];

	for (int i = 39; i >= 0; i--) {
		snprintf(name, sizeof name, "m%02d", i);
		put_model(s, name);
	}
	put_version(s, "m21");
	OK(s->label_set(s, "m21", "stable", 1, &e));
	OK(s->model_list(s, "m19", 100, &list, &count, &e));
	ck_assert_uint_eq(count, 20);
	ck_assert_str_eq(list[0].name, "m20");
	ck_assert_uint_eq(list[1].latest_version, 1);
	ck_assert_uint_eq(list[1].labels_count, 1);
	ck_assert_str_eq(list[1].labels[0].label, "stable");
	for (size_t i = 0; i < count; i++)
		store_model_clear(&list[i]);
	free(list);
	s->close(s);
}
END_TEST

START_TEST(version_numbers_are_never_used_twice)
{
	struct store *s = fresh_store();
	struct store_model m;

	put_model(s, "m");
	put_model(s, "other");
	ck_assert_uint_eq(put_version(s, "m"), 1);
	ck_assert_uint_eq(put_version(s, "m"), 2);
	ck_assert_uint_eq(put_version(s, "other"), 1);
	OK(s->version_delete(s, "m", 2, &e));
	ck_assert_uint_eq(put_version(s, "m"), 3);
	OK(s->model_delete(s, "m", &e));
	REFUSED(s->model_get(s, "m", &m, &e), ERR_NOT_FOUND);
	REFUSED(s->model_delete(s, "m", &e), ERR_NOT_FOUND);
	put_model(s, "m");
	OK(s->model_get(s, "m", &m, &e));
	ck_assert_uint_eq(m.latest_version, 0);
	store_model_clear(&m);
	s->close(s);
	s = open_again();
	ck_assert_uint_eq(put_version(s, "m"), 4);
	OK(s->model_get(s, "m", &m, &e));
	ck_assert_uint_eq(m.latest_version, 4);
	store_model_clear(&m);
	s->close(s);
}
END_TEST

START_TEST(versions_are_read_and_listed)
{
	struct store *s = fresh_store();
	struct store_version v, *list;
	size_t count;

	put_model(s, "m");
	REFUSED(s->version_get(s, "m", 1, &v, &e), ERR_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(e.text, "version 1"));
	REFUSED(s->version_get(s, "n", 1, &v, &e), ERR_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(e.text, "no model"));
	REFUSED(s->version_list(s, "n", 0, 10, &list, &count, &e), ERR_NOT_FOUND);
	for (int i = 0; i < 5; i++)
		put_version(s, "m");
	OK(s->version_get(s, "m", 2, &v, &e));
	ck_assert_str_eq(v.model, "m");
	ck_assert_uint_eq(v.number, 2);
	ck_assert_int_eq(v.job, 0);
	ck_assert_str_eq(v.metrics, "{\"loss\":0.5}");
	ck_assert_str_eq(v.training, "{\"epochs\":3}");
	ck_assert_str_eq(v.dataset, "{\"name\":\"d\"}");
	ck_assert_str_eq(v.engine, "naive");
	ck_assert_uint_eq(v.size_bytes, 100);
	store_version_clear(&v);
	OK(s->version_list(s, "m", 4, 2, &list, &count, &e));
	ck_assert_uint_eq(count, 2);
	ck_assert_uint_eq(list[0].number, 3);
	ck_assert_uint_eq(list[1].number, 2);
	store_version_clear(&list[0]);
	store_version_clear(&list[1]);
	free(list);
	s->close(s);
}
END_TEST

START_TEST(label_holds_its_version)
{
	struct store *s = fresh_store();
	struct store_model m;

	put_model(s, "m");
	put_version(s, "m");
	put_version(s, "m");
	REFUSED(s->label_set(s, "n", "stable", 1, &e), ERR_NOT_FOUND);
	REFUSED(s->label_set(s, "m", "stable", 3, &e), ERR_NOT_FOUND);
	OK(s->label_set(s, "m", "stable", 1, &e));
	OK(s->label_set(s, "m", "beta", 1, &e));
	REFUSED(s->version_delete(s, "m", 1, &e), ERR_CONFLICT);
	OK(s->label_set(s, "m", "stable", 2, &e));
	OK(s->model_get(s, "m", &m, &e));
	ck_assert_uint_eq(m.labels_count, 2);
	ck_assert_str_eq(m.labels[0].label, "beta");
	ck_assert_uint_eq(m.labels[0].version, 1);
	ck_assert_uint_eq(m.labels[1].version, 2);
	store_model_clear(&m);
	OK(s->label_delete(s, "m", "beta", &e));
	REFUSED(s->label_delete(s, "m", "beta", &e), ERR_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(e.text, "beta"));
	REFUSED(s->label_delete(s, "n", "beta", &e), ERR_NOT_FOUND);
	OK(s->version_delete(s, "m", 1, &e));
	REFUSED(s->version_delete(s, "m", 1, &e), ERR_NOT_FOUND);
	REFUSED(s->version_delete(s, "m", 2, &e), ERR_CONFLICT);
	ck_assert_ptr_nonnull(strstr(e.text, "stable"));
	OK(s->model_delete(s, "m", &e)); /* with its labels */
	s->close(s);
}
END_TEST

START_TEST(traffic_holds_its_versions)
{
	static const struct store_share shares[] = { { 1, 0.75, false }, { 2, 0, true } };
	struct store *s = fresh_store();
	struct store_model m, *list;
	size_t count;

	put_model(s, "m");
	for (int i = 0; i < 3; i++)
		put_version(s, "m");
	REFUSED(s->traffic_set(s, "n", shares, 2, &e), ERR_NOT_FOUND);
	REFUSED(s->traffic_set(s, "m", (struct store_share[]){ { 1, 1, false }, { 4, 1, false } }, 2, &e),
			ERR_NOT_FOUND);
	ck_assert_ptr_nonnull(strstr(e.text, "version 4"));
	OK(s->model_get(s, "m", &m, &e));
	ck_assert_uint_eq(m.shares_count, 0); /* nothing of what was refused */
	store_model_clear(&m);
	OK(s->traffic_set(s, "m", (struct store_share[]){ { 3, 1, false } }, 1, &e));
	OK(s->traffic_set(s, "m", shares, 2, &e));
	s->close(s);
	s = open_again();
	OK(s->model_get(s, "m", &m, &e));
	ck_assert_uint_eq(m.shares_count, 2);
	ck_assert_uint_eq(m.shares[0].version, 1);
	ck_assert_double_eq(m.shares[0].weight, 0.75);
	ck_assert(!m.shares[0].shadow && m.shares[1].shadow && m.shares[1].version == 2);
	store_model_clear(&m);
	OK(s->model_list(s, "", 9, &list, &count, &e));
	ck_assert_uint_eq(list[0].shares_count, 2);
	store_model_clear(&list[0]);
	free(list);
	REFUSED(s->version_delete(s, "m", 1, &e), ERR_CONFLICT);
	ck_assert_ptr_nonnull(strstr(e.text, "traffic"));
	REFUSED(s->version_delete(s, "m", 2, &e), ERR_CONFLICT);
	put_version(s, "m");
	OK(s->versions_prune(s, 1, &count, &e));
	ck_assert_uint_eq(count, 1);
	OK(s->model_get(s, "m", &m, &e));
	OK(s->traffic_set(s, "m", m.shares, 2, &e)); /* retention has left them */
	store_model_clear(&m);
	OK(s->traffic_set(s, "m", NULL, 0, &e));
	OK(s->version_delete(s, "m", 1, &e));
	OK(s->traffic_set(s, "m", shares + 1, 1, &e));
	OK(s->model_delete(s, "m", &e)); /* with its traffic */
	s->close(s);
}
END_TEST

START_TEST(model_with_an_unfinished_job_stays)
{
	struct store *s = fresh_store();
	enum job_state state;
	int64_t job;

	put_model(s, "m");
	job = put_job(s, "m", put_dataset(s, "d", 'a'), 0);
	REFUSED(s->model_delete(s, "m", &e), ERR_CONFLICT);
	ck_assert_ptr_nonnull(strstr(e.text, "job 1"));
	OK(s->job_cancel(s, job, &state, &e));
	OK(s->model_delete(s, "m", &e));
	ck_assert_int_eq(state_of(s, job), JOB_CANCELLED); /* ended jobs stay */
	s->close(s);
}
END_TEST

START_TEST(blob_has_any_size)
{
	static const size_t sizes[] = { 0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 20 << 20 };
	struct store *s = fresh_store();
	struct store_bytes out;
	int64_t blobs[6];

	for (size_t i = 0; i < 6; i++)
		blobs[i] = version_of(s, i, sizes[i]).blob;
	for (size_t i = 0; i < 6; i++) {
		OK(s->blob_read(s, blobs[i], &out, &e));
		assert_bytes(&out, i, sizes[i]);
		store_bytes_clear(&out);
	}
	REFUSED(s->blob_read(s, 4711, &out, &e), ERR_NOT_FOUND);
	s->close(s);
}
END_TEST

START_TEST(blob_belongs_to_one_version)
{
	struct store *s = fresh_store();
	struct store_version_new v = version_of(s, 1, 3 << 20);
	struct store_bytes out;
	uint64_t number;

	put_model(s, "m");
	REFUSED(s->version_create(s, "n", &v, &number, &e), ERR_NOT_FOUND);
	OK(s->version_create(s, "m", &v, &number, &e));
	REFUSED(s->version_create(s, "m", &v, &number, &e), ERR_NOT_FOUND);
	ck_assert_uint_eq(number, 0);
	s->blob_discard(s, v.blob); /* only what no version has named is taken */
	s->close(s);
	s = open_again();
	OK(s->blob_read(s, v.blob, &out, &e));
	assert_bytes(&out, 1, 3 << 20);
	store_bytes_clear(&out);
	OK(s->version_delete(s, "m", 1, &e));
	REFUSED(s->blob_read(s, v.blob, &out, &e), ERR_NOT_FOUND);
	s->close(s);
}
END_TEST

START_TEST(blob_of_no_version_goes)
{
	struct store *s = fresh_store();
	int64_t discarded = version_of(s, 1, 10).blob, left = version_of(s, 2, 10).blob;
	struct store_bytes out;

	s->blob_discard(s, discarded);
	REFUSED(s->blob_read(s, discarded, &out, &e), ERR_NOT_FOUND);
	s->close(s);
	s = open_again();
	REFUSED(s->blob_read(s, left, &out, &e), ERR_NOT_FOUND);
	ck_assert_int_gt(version_of(s, 1, 10).blob, left); /* no id twice */
	s->close(s);
}
END_TEST

START_TEST(drift_goes_with_its_version)
{
	struct store *s = fresh_store();
	struct store_bytes out = { 0 }, large = bytes_of(3, STORE_CHUNK_BYTES + 1);

	REFUSED(s->drift_put(s, "m", 1, "x", 1, &e), ERR_NOT_FOUND);
	put_model(s, "m");
	put_version(s, "m");
	REFUSED(s->drift_get(s, "m", 2, &out, &e), ERR_NOT_FOUND);
	OK(s->drift_get(s, "m", 1, &out, &e));
	ck_assert_uint_eq(out.size, 0);
	REFUSED(s->drift_put(s, "m", 1, large.data, large.size, &e), ERR_RANGE);
	OK(s->drift_put(s, "m", 1, large.data, STORE_CHUNK_BYTES, &e));
	OK(s->drift_put(s, "m", 1, large.data, 9, &e)); /* in the place of the first */
	s->close(s);
	s = open_again();
	OK(s->drift_get(s, "m", 1, &out, &e));
	assert_bytes(&out, 3, 9);
	store_bytes_clear(&out);
	OK(s->version_delete(s, "m", 1, &e));
	REFUSED(s->drift_get(s, "m", 1, &out, &e), ERR_NOT_FOUND);
	put_version(s, "m");
	OK(s->drift_put(s, "m", 2, "x", 1, &e));
	OK(s->model_delete(s, "m", &e));
	put_model(s, "m");
	REFUSED(s->drift_get(s, "m", 2, &out, &e), ERR_NOT_FOUND);
	store_bytes_clear(&large);
	s->close(s);
}
END_TEST

#define STORE_SUITE_MODELS                                                                                  \
	model_is_created_once, model_is_updated_in_part, models_are_listed_by_name,                         \
			version_numbers_are_never_used_twice, versions_are_read_and_listed,                 \
			label_holds_its_version, traffic_holds_its_versions,                                \
			model_with_an_unfinished_job_stays, blob_has_any_size, blob_belongs_to_one_version, \
			blob_of_no_version_goes, drift_goes_with_its_version
