/* test_registry.c - versions in memory, on a real store: which one is picked, sharing, forgetting, the budget, threads.
 *
 * A version's network multiplies by the version's number: what it predicts tells which one it is.
 */
#include <pthread.h>

#include "server/registry/registry.h"
#include "tests/unit/workshop.h"

#define BUDGET (64u << 20)

static struct store *store;
static struct registry *registry;

/* The file of a network of `inputs` inputs whose prediction for ones is `says`. */
static unsigned char *model_file(size_t inputs, float says, size_t *size)
{
	struct definition d = { 0 };
	struct faults faults = { 0 };
	struct objective mse = { .loss = loss_find("mse"), .weight = 1 };
	struct model model = { .objectives = &mse };
	unsigned char *bytes;
	json_t *document = json_pack("{s:i,s:i,s:[],s:s}", "inputs", (int)inputs, "outputs", 1, "layers",
			"normalize", "none");

	definition_read(document, false, &d, &faults);
	definition_finish(&d, 0, &faults);
	OK(faults_result(&faults, &e));
	OK(definition_encoder(&d, ENCODER_INPUTS, &model.inputs, &e));
	OK(definition_encoder(&d, ENCODER_TARGETS, &model.targets, &e));
	OK(definition_net(&d, &model.net, &e));
	net_block(model.net)[0] = says;
	OK(model_write(&model, &bytes, size, &e));
	encoder_free(model.inputs);
	encoder_free(model.targets);
	net_free(model.net);
	definition_clear(&d);
	json_decref(document);
	return bytes;
}

/* The model's next version, which must be this one. */
static void publish(const char *model, uint64_t number, size_t inputs)
{
	size_t size;
	unsigned char *bytes = model_file(inputs, (float)number, &size);

	ck_assert_uint_eq(put_version(store, model, bytes, size), number);
	free(bytes);
}

static void begin(size_t budget)
{
	store = fresh_store();
	OK(registry_new(&registry, &(struct registry_config){ store, any_engine(), budget, false, 2, NULL },
			&e));
}

static void finish(void)
{
	registry_free(registry);
	store->close(store);
}

static void make_model(const char *name, uint64_t versions, size_t inputs)
{
	char *definition = NULL;

	add_text(&definition, "{\"inputs\":%zu,\"outputs\":1,\"layers\":[],\"normalize\":\"none\"}", inputs);
	put_model(store, name, definition);
	free(definition);
	for (uint64_t i = 1; i <= versions; i++)
		publish(name, i, inputs);
}

static double prediction(struct version *version)
{
	const struct version_work *work;
	const real *y;

	if (version_work(version, &work, NULL) || !work->rows) return -1;
	for (size_t i = 0; i < net_inputs(version_model(version)->net); i++)
		work->x[i] = 1;
	net_forward(version_model(version)->net, work->net, work->x, 1, &y);
	return y[0];
}

static struct version *get(const char *model, enum version_pick pick, const char *text)
{
	struct version *version;

	OK(registry_get(registry, model, pick, text, true, &version, &e));
	return version;
}

static void picks(const char *model, enum version_pick pick, const char *text, uint64_t number)
{
	struct version *version = get(model, pick, text);

	ck_assert_uint_eq(version_number(version), number);
	ck_assert_double_eq(prediction(version), (double)number);
	version_put(version);
}

static void refuses(const char *model, enum version_pick pick, const char *text, int code)
{
	struct version *version;

	REFUSED(registry_get(registry, model, pick, text, true, &version, &e), code);
	ck_assert_ptr_null(version);
}

START_TEST(which_version)
{
	char longest[200];

	begin(BUDGET);
	make_model("m", 3, 2);
	make_model("untrained", 0, 2);
	picks("m", PICK_DEFAULT, "", 3);
	picks("m", PICK_NUMBER, "2", 2);
	OK(store->label_set(store, "m", "old", 1, &e));
	OK(store->label_set(store, "m", "stable", 2, &e));
	registry_forget(registry, "m");
	picks("m", PICK_LABEL, "old", 1);
	picks("m", PICK_DEFAULT, "", 2); /* stable goes before the latest */
	picks("m", PICK_LABEL, "stable", 2);
	picks("m", PICK_NUMBER, "3", 3);
	OK(store->label_delete(store, "m", "stable", &e));
	registry_forget(registry, "m");
	picks("m", PICK_DEFAULT, "", 3);
	refuses("m", PICK_LABEL, "stable", ERR_NOT_FOUND);
	refuses("m", PICK_LABEL, "2", ERR_NOT_FOUND);
	refuses("m", PICK_NUMBER, "4", ERR_NOT_FOUND);
	refuses("m", PICK_NUMBER, "0", ERR_NOT_FOUND);
	refuses("m", PICK_NUMBER, "", ERR_NOT_FOUND);
	refuses("m", PICK_NUMBER, "2x", ERR_NOT_FOUND); /* was version 2 */
	refuses("m", PICK_NUMBER, "99999999999999999999999", ERR_NOT_FOUND);
	refuses("nobody", PICK_DEFAULT, "", ERR_NOT_FOUND);
	refuses("untrained", PICK_DEFAULT, "", ERR_NO_VERSION);
	ck_assert_ptr_nonnull(strstr(e.text, "/v1/models/untrained:train"));
	refuses("untrained", PICK_LABEL, "stable", ERR_NOT_FOUND);
	memset(longest, 'a', sizeof longest - 1);
	longest[sizeof longest - 1] = 0;
	refuses(longest, PICK_DEFAULT, "", ERR_NOT_FOUND);
	refuses("m", PICK_LABEL, longest, ERR_NOT_FOUND);
	finish();
}
END_TEST

START_TEST(who_must_not_wait)
{
	struct version *version;

	begin(BUDGET);
	make_model("m", 1, 2);
	ck_assert_int_eq(registry_get(registry, "m", PICK_DEFAULT, "", false, &version, &e), ERR_WOULD_BLOCK);
	ck_assert_ptr_null(version);
	version_put(get("m", PICK_DEFAULT, ""));
	OK(registry_get(registry, "m", PICK_DEFAULT, "", false, &version, &e));
	version_put(version);
	registry_forget(registry, "m");
	ck_assert_int_eq(registry_get(registry, "m", PICK_DEFAULT, "", false, &version, &e), ERR_WOULD_BLOCK);
	finish();
}
END_TEST

START_TEST(one_version_is_there_once)
{
	struct version *versions[3];

	begin(BUDGET);
	make_model("m", 2, 2);
	OK(store->label_set(store, "m", "best", 2, &e));
	versions[0] = get("m", PICK_DEFAULT, "");
	versions[1] = get("m", PICK_NUMBER, "2");
	versions[2] = get("m", PICK_LABEL, "best");
	ck_assert_ptr_eq(versions[0], versions[1]);
	ck_assert_ptr_eq(versions[0], versions[2]);
	for (int i = 0; i < 3; i++)
		version_put(versions[i]);
	version_put(NULL);
	finish();
}
END_TEST

START_TEST(changes_are_seen_once_forgotten)
{
	struct version *old;

	begin(BUDGET);
	make_model("m", 1, 2);
	make_model("other", 1, 2);
	old = get("m", PICK_DEFAULT, "");
	picks("other", PICK_DEFAULT, "", 1);
	publish("m", 2, 2);
	registry_forget(registry, "m");
	picks("m", PICK_DEFAULT, "", 2);
	ck_assert_double_eq(prediction(old), 1); /* whoever holds it keeps it */
	OK(store->model_delete(store, "m", &e));
	registry_forget(registry, "m");
	refuses("m", PICK_DEFAULT, "", ERR_NOT_FOUND);
	ck_assert_double_eq(prediction(old), 1);
	version_put(old);
	picks("other", PICK_DEFAULT, "", 1);
	finish();
}
END_TEST

/* A version comes while another is being loaded: what was loaded is served, and not kept. */
static int (*blob_read)(struct store *s, int64_t blob, struct store_bytes *out, struct err *e);

static int publish_meanwhile(struct store *s, int64_t blob, struct store_bytes *out, struct err *why)
{
	s->blob_read = blob_read;
	publish("m", 2, 2);
	registry_forget(registry, "m");
	return blob_read(s, blob, out, why);
}

START_TEST(a_change_while_loading)
{
	begin(BUDGET);
	make_model("m", 1, 2);
	blob_read = store->blob_read;
	store->blob_read = publish_meanwhile;
	picks("m", PICK_DEFAULT, "", 1);
	picks("m", PICK_DEFAULT, "", 2);
	finish();
}
END_TEST

START_TEST(a_damaged_version)
{
	size_t size;
	unsigned char *bytes;

	begin(BUDGET);
	make_model("m", 1, 2);
	bytes = model_file(2, 2, &size);
	bytes[size / 2] ^= 1;
	put_version(store, "m", bytes, size);
	free(bytes);
	refuses("m", PICK_DEFAULT, "", ERR_CORRUPT);
	picks("m", PICK_NUMBER, "1", 1); /* the others are not */
	finish();
}
END_TEST

/* Is it in memory? Asked by a thread that remembers nothing. */
struct question {
	const char *model;
	bool there;
};

static void *look(void *arg)
{
	struct question *question = arg;
	struct version *version;

	question->there = !registry_get(registry, question->model, PICK_NUMBER, "1", false, &version, NULL);
	version_put(version);
	return NULL;
}

static bool in_memory(const char *model)
{
	struct question question = { model, false };
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, look, &question), 0);
	pthread_join(thread, NULL);
	return question.there;
}

#define LARGE (1u << 17) /* inputs: 512 KiB of weights, some MiB with the names of the columns */

START_TEST(the_longest_unused_gives_way)
{
	static const char *const names[] = { "a", "b", "c" };
	size_t size, first;

	begin(0);
	for (int i = 0; i < 3; i++)
		make_model(names[i], 1, LARGE);
	free(model_file(LARGE, 1, &size));
	for (first = 0; first < 2; first++) /* nothing fits: each is served all the same */
		picks(names[first], PICK_NUMBER, "1", 1);
	ck_assert(!in_memory("a"));
	registry_free(registry);
	/* two of them, twice their file each */
	OK(registry_new(&registry, &(struct registry_config){ store, any_engine(), 5 * size, false, 0, NULL },
			&e));
	picks("a", PICK_NUMBER, "1", 1);
	picks("b", PICK_NUMBER, "1", 1);
	ck_assert(in_memory("b"));
	ck_assert(in_memory("a")); /* and now b is the one not used for longest */
	picks("c", PICK_NUMBER, "1", 1);
	ck_assert(in_memory("a"));
	ck_assert(!in_memory("b"));
	ck_assert(in_memory("c"));
	finish();
}
END_TEST

#define READERS   6
#define PUBLISHED 30

static _Atomic uint64_t visible; /* the version that every later request must see, or a newer one */

/* Returns what is wrong, or NULL. Check's own calls are not for many threads at once. */
static void *read_on(void *arg)
{
	uint64_t seen = 0;

	while (seen < PUBLISHED) {
		uint64_t least = atomic_load(&visible);
		struct version *latest = NULL, *first = NULL;

		if (registry_get(registry, "m", PICK_DEFAULT, "", true, &latest, NULL)) return "no latest";
		if (registry_get(registry, "m", PICK_NUMBER, "1", true, &first, NULL)) return "no first";
		seen = version_number(latest);
		if (seen < least) return "a version that had given way";
		if (prediction(latest) != (double)seen || prediction(first) != 1) return "a mixed version";
		version_put(first);
		version_put(latest);
	}
	return arg;
}

START_TEST(readers_while_versions_come)
{
	pthread_t readers[READERS];

	begin(BUDGET);
	make_model("m", 1, 4);
	atomic_store(&visible, 1);
	for (int i = 0; i < READERS; i++)
		ck_assert_int_eq(pthread_create(&readers[i], NULL, read_on, NULL), 0);
	for (uint64_t number = 2; number <= PUBLISHED; number++) {
		publish("m", number, 4);
		registry_forget(registry, "m");
		atomic_store(&visible, number);
	}
	for (int i = 0; i < READERS; i++) {
		void *wrong;

		pthread_join(readers[i], &wrong);
		ck_assert_msg(!wrong, "%s", (const char *)wrong);
	}
	finish();
}
END_TEST

START_TEST(a_thread_has_its_own_memory)
{
	const struct version_work *first, *again;
	struct version *version;

	begin(BUDGET);
	make_model("m", 1, 4);
	version = get("m", PICK_DEFAULT, "");
	OK(version_work(version, &first, &e));
	OK(version_work(version, &again, &e));
	ck_assert_ptr_eq(first->x, again->x);
	ck_assert_ptr_eq(first->net, again->net);
	version_put(version);
	finish();
}
END_TEST

#define MANY 40 /* threads: more than there are places in a version itself */

static struct version *shared_version;
static pthread_barrier_t together;

static void *own_memory(void *arg)
{
	const struct version_work *work = NULL;

	pthread_barrier_wait(&together); /* two of them want the same piece at once */
	if (version_work(shared_version, &work, NULL)) work = NULL;
	(void)arg;
	return work ? work->x : NULL;
}

START_TEST(many_threads_have_their_own_memory)
{
	pthread_t threads[MANY];
	void *found[MANY];

	begin(BUDGET);
	make_model("m", 1, 4);
	shared_version = get("m", PICK_DEFAULT, "");
	pthread_barrier_init(&together, NULL, MANY);
	for (int i = 0; i < MANY; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, own_memory, NULL), 0);
	for (int i = 0; i < MANY; i++)
		pthread_join(threads[i], &found[i]);
	for (int i = 0; i < MANY; i++) {
		ck_assert_ptr_nonnull(found[i]);
		for (int j = 0; j < i; j++)
			ck_assert_ptr_ne(found[i], found[j]);
	}
	pthread_barrier_destroy(&together);
	version_put(shared_version);
	finish();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { which_version, who_must_not_wait, one_version_is_there_once,
		changes_are_seen_once_forgotten, a_change_while_loading, a_damaged_version,
		the_longest_unused_gives_way, readers_while_versions_come, a_thread_has_its_own_memory,
		many_threads_have_their_own_memory, NULL };

	return suite_main("registry", tests, 60);
}
