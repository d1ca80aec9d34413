/* webhook.c - deliveries. See webhook.h.
 *
 * One thread looks what is due, TELLERS threads tell: one that waits for a slow receiver holds up no other. Between them are
 * slots; the row of a delivery is taken away, or put off, before its slot is free, and who is due is asked under the lock of
 * the slots: so no delivery is made by two.
 */
#include "server/api/webhook.h"

#include <errno.h>
#include <inttypes.h>
#include <nettle/hmac.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/api/api.h"
#include "server/api/jobs.h"
#include "server/auth/host.h"
#include "server/codec/json.h"
#include "server/http/post.h"

#define TELLERS       4
#define SLOTS         8
#define LOOK_MS       100 /* how often it is asked, without SQL, whether anything was logged */
#define LOOK_ANYWAY   10  /* every so many times with SQL: what was put off is due some time */
#define TIMEOUT_MS    10000
#define FIRST_MS      1000
#define LONGEST_MS    3600000
#define TRIES_MAX     35 /* 12 that double from a second to an hour, then one an hour: a day in all */
#define STATUS_GONE   410
#define WHITE_SPACE   " \t\r\n"
#define HEADERS_BYTES 512

enum slot_state { SLOT_FREE, SLOT_WAITING, SLOT_BUSY };

struct slot {
	enum slot_state state;
	struct store_notify what; /* owned while the slot is not free */
};

struct settings {
	char *allow; /* owned; NULL: off */
	char key[WEBHOOK_KEY_MAX];
	size_t key_size;
};

struct webhook {
	struct app *app;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t change;
	atomic_bool stopping;
	struct settings settings;
	struct slot slots[SLOTS];
	pthread_t threads[TELLERS + 1];
	unsigned started;
};

/* ---- settings ---- */

static int read_key(struct settings *s, const char *path, struct err *e)
{
	char line[WEBHOOK_KEY_MAX + 64] = "";
	FILE *file = fopen(path, "re");
	size_t n;

	if (!file)
		return err_set(e, ERR_IO, "--webhook-key-file: %s cannot be read: %s", path, strerror(errno));
	setvbuf(file, NULL, _IONBF, 0);
	if (!fgets(line, sizeof line, file)) *line = 0;
	fclose(file);
	n = strlen(line);
	while (n && strchr(WHITE_SPACE, line[n - 1]))
		n--;
	s->key_size = n;
	if (n >= WEBHOOK_KEY_MIN && n <= WEBHOOK_KEY_MAX) memcpy(s->key, line, n);
	explicit_bzero(line, sizeof line);
	if (n >= WEBHOOK_KEY_MIN && n <= WEBHOOK_KEY_MAX) return 0;
	return err_set(e, ERR_INVALID,
			"--webhook-key-file: the first line of %s has %zu characters and needs %d to %d; `openssl rand -hex 32` "
			"makes a good one",
			path, n, WEBHOOK_KEY_MIN, WEBHOOK_KEY_MAX);
}

static int read_settings(struct settings *s, const struct webhook_options *options, struct err *e)
{
	int rc;

	*s = (struct settings){ 0 };
	if (options->key_file && (rc = read_key(s, options->key_file, e))) return rc;
	if (!options->allow) return 0;
	if (!options->key_file)
		return err_set(e, ERR_INVALID,
				"--webhook-allow needs --webhook-key-file: what is told is signed");
	s->allow = strdup(options->allow);
	return s->allow ? 0 : err_nomem(e);
}

static void settings_clear(struct settings *s)
{
	free(s->allow);
	explicit_bzero(s, sizeof *s);
}

int webhook_can_set(const struct webhook_options *options, struct err *e)
{
	struct settings s;
	int rc = read_settings(&s, options, e);

	settings_clear(&s);
	return rc;
}

int webhook_set(struct webhook *w, const struct webhook_options *options, struct err *e)
{
	struct settings now;
	int rc = read_settings(&now, options, e);

	if (rc) return rc;
	pthread_mutex_lock(&w->lock);
	settings_clear(&w->settings);
	w->settings = now;
	pthread_mutex_unlock(&w->lock);
	explicit_bzero(now.key, sizeof now.key);
	return 0;
}

/* Is the host of url on the list? The lock is held. */
static bool is_allowed(const struct webhook *w, const struct post_url *url)
{
	struct host host;

	return w->settings.allow && host_split(url->place, &host) && host_list_has(w->settings.allow, &host);
}

void webhook_check(struct webhook *w, const char *text, const char *pointer, struct faults *faults)
{
	struct post_url url;
	struct err e;
	bool on, allowed;

	if (post_url_read(text, &url, &e)) {
		faults_add(faults, ERR_INVALID, pointer, "%s", e.text);
		return;
	}
	pthread_mutex_lock(&w->lock);
	on = w->settings.allow;
	allowed = is_allowed(w, &url);
	pthread_mutex_unlock(&w->lock);
	if (allowed) return;
	faults_add(faults, ERR_INVALID, pointer,
			on ? "the host %.128s may not be told of jobs; start the daemon with --webhook-allow %.128s if it should"
			   : "nobody is told of jobs here, so not %.128s; start the daemon with --webhook-allow %.128s and "
			     "--webhook-key-file if it should",
			url.host, url.host);
}

/* ---- a delivery ---- */

static void sign(const struct settings *s, const struct buffer *body, char out[2 * SHA256_DIGEST_SIZE + 1])
{
	struct hmac_sha256_ctx hmac;
	uint8_t digest[SHA256_DIGEST_SIZE];

	hmac_sha256_set_key(&hmac, s->key_size, (const uint8_t *)s->key);
	hmac_sha256_update(&hmac, body->size, (const uint8_t *)body->data);
	hmac_sha256_digest(&hmac, sizeof digest, digest);
	for (size_t i = 0; i < sizeof digest; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

/* The document, and an id that is the same for every try and for no other job of any daemon. */
static int write_body(struct webhook *w, int64_t id, struct buffer *body, char delivery[64], struct err *e)
{
	struct store_job job = { 0 };
	json_t *document;
	int rc = w->app->store->job_get(w->app->store, id, &job, e);

	if (rc) return rc;
	snprintf(delivery, 64, "%" PRId64 "-%" PRId64, job.created_ms, job.id);
	document = job_document(w->app, &job);
	store_job_clear(&job);
	if (!document) return err_nomem(e);
	json_write(document, body);
	json_decref(document);
	return buffer_ok(body) ? 0 : err_nomem(e);
}

static int send_body(struct webhook *w, const struct store_notify *what, const struct buffer *body,
		const char *delivery, unsigned *status, struct err *e)
{
	char headers[HEADERS_BYTES], signature[2 * SHA256_DIGEST_SIZE + 1];
	struct post_url url;
	struct post post = { &url, headers, body->data, body->size, TIMEOUT_MS, &w->stopping };
	bool allowed;
	int rc;

	if ((rc = post_url_read(what->url, &url, e))) return rc;
	pthread_mutex_lock(&w->lock);
	allowed = is_allowed(w, &url);
	sign(&w->settings, body, signature);
	pthread_mutex_unlock(&w->lock);
	if (!allowed) return err_set(e, ERR_FORBIDDEN, "%s is not of --webhook-allow any more", url.host);
	snprintf(headers, sizeof headers,
			"User-Agent: descentd/%s\r\nContent-Type: application/json\r\nX-Descentd-Event: job.ended\r\n"
			"X-Descentd-Delivery: %s\r\nX-Descentd-Attempt: %" PRId64
			"\r\nX-Descentd-Signature: sha256=%s\r\n",
			DESCENTD_VERSION, delivery, what->tries + 1, signature);
	return post_send(&post, status, e);
}

static int64_t delay_ms(int64_t tries)
{
	int64_t delay = FIRST_MS;

	while (tries-- && delay < LONGEST_MS)
		delay *= 2;
	return delay < LONGEST_MS ? delay : LONGEST_MS;
}

/* What was tried came to this: the row goes, or waits. */
static void settle(struct webhook *w, const struct store_notify *what, int rc, unsigned status,
		const struct err *why)
{
	struct store *store = w->app->store;
	bool told = !rc && status >= 200 && status < 300,
	     over = told || rc == ERR_NOT_FOUND || status == STATUS_GONE;
	char answer[32];
	struct err e;

	if (rc == ERR_STOPPED) return; /* as if it had not been tried */
	snprintf(answer, sizeof answer, "it answered %u", status);
	if (!over && what->tries + 1 >= TRIES_MAX) {
		log_error(w->app->log, "nobody could be told of job %" PRId64 " in a day of trying: %s",
				what->job, rc ? why->text : answer);
		over = true;
	} else if (!told)
		log_info(w->app->log, "could not tell of job %" PRId64 " (try %" PRId64 "): %s", what->job,
				what->tries + 1, rc ? why->text : answer);
	rc = over ? store->notify_done(store, what->job, &e)
		  : store->notify_later(store, what->job, delay_ms(what->tries), &e);
	if (over) keeper_wake(w->app->keeper); /* the job was kept for this */
	if (rc)
		log_error(w->app->log, "that job %" PRId64 " was told of could not be noted: %s", what->job,
				e.text);
}

static void deliver(struct webhook *w, const struct store_notify *what)
{
	struct buffer body = { 0 };
	char delivery[64];
	unsigned status = 0;
	struct err e = { "" };
	int rc = write_body(w, what->job, &body, delivery, &e);

	if (!rc) rc = send_body(w, what, &body, delivery, &status, &e);
	settle(w, what, rc, status, &e);
	buffer_free(&body);
}

/* ---- threads ---- */

/* The lock is held. */
static struct slot *slot_in(struct webhook *w, enum slot_state state)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (w->slots[i].state == state) return &w->slots[i];
	return NULL;
}

static bool has_slot(const struct webhook *w, int64_t job)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (w->slots[i].state != SLOT_FREE && w->slots[i].what.job == job) return true;
	return false;
}

/* Puts what is due into free slots; the lock is held. False: not all of it. */
static bool fill_slots(struct webhook *w)
{
	struct store *store = w->app->store;
	struct store_notify *due = NULL;
	struct slot *slot;
	size_t count = 0;
	bool all = true;

	if (store->notify_due(store, 2 * SLOTS, &due, &count, NULL)) return false;
	for (size_t i = 0; i < count; i++) {
		if (!has_slot(w, due[i].job) && (slot = slot_in(w, SLOT_FREE))) {
			*slot = (struct slot){ SLOT_WAITING, due[i] };
			due[i] = (struct store_notify){ 0 };
			pthread_cond_broadcast(&w->change);
		} else
			all = false;
		store_notify_clear(&due[i]);
	}
	free(due);
	return all && count < 2 * SLOTS;
}

static void *look_main(void *self)
{
	struct webhook *w = self;
	struct timespec pause = { 0, LOOK_MS * 1000000L };
	int64_t seen = -1;
	unsigned anyway = 0;

	for (; !atomic_load(&w->stopping); nanosleep(&pause, NULL)) {
		int64_t last = w->app->store->last_event(w->app->store);

		if (last == seen && anyway--) continue;
		anyway = LOOK_ANYWAY;
		pthread_mutex_lock(&w->lock);
		seen = fill_slots(w) ? last : -1;
		pthread_mutex_unlock(&w->lock);
	}
	return NULL;
}

static void *tell_main(void *self)
{
	struct webhook *w = self;
	struct slot *slot;

	pthread_mutex_lock(&w->lock);
	while (!atomic_load(&w->stopping)) {
		if (!(slot = slot_in(w, SLOT_WAITING))) {
			pthread_cond_wait(&w->change, &w->lock);
			continue;
		}
		slot->state = SLOT_BUSY;
		pthread_mutex_unlock(&w->lock);
		deliver(w, &slot->what);
		pthread_mutex_lock(&w->lock);
		store_notify_clear(&slot->what);
		slot->state = SLOT_FREE;
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

int webhook_start(struct webhook **out, struct app *app, const struct webhook_options *options, struct err *e)
{
	struct webhook *w = calloc(1, sizeof *w);
	int rc;

	*out = NULL;
	if (!w) return err_nomem(e);
	w->app = app;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->change, NULL);
	rc = read_settings(&w->settings, options, e);
	for (; !rc && w->started <= TELLERS; w->started++)
		if (pthread_create(&w->threads[w->started], NULL, w->started ? tell_main : look_main, w)) {
			rc = err_set(e, ERR_NOMEM, "no thread could be had that tells of jobs");
			break;
		}
	if (rc)
		webhook_stop(w);
	else
		*out = w;
	return rc;
}

void webhook_stop(struct webhook *w)
{
	if (!w) return;
	pthread_mutex_lock(&w->lock);
	atomic_store(&w->stopping, true);
	pthread_cond_broadcast(&w->change);
	pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < w->started; i++)
		pthread_join(w->threads[i], NULL);
	for (size_t i = 0; i < SLOTS; i++)
		store_notify_clear(&w->slots[i].what);
	pthread_cond_destroy(&w->change);
	pthread_mutex_destroy(&w->lock);
	settings_clear(&w->settings);
	free(w);
}
