/* idempotency.c - Idempotency-Key. See idempotency.h. */
#include "server/api/idempotency.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/api/api.h"
#include "server/api/datasets.h"
#include "server/api/document.h"
#include "server/api/jobs.h"
#include "server/api/upload.h"

#define BODY_KEPT_BYTES (1u << 20) /* a larger answer is made anew from what it was about */

/* ---- who is under way ---- */

static bool enter(struct idempotency *i, struct app *app)
{
	struct idempotency *other;

	pthread_mutex_lock(&app->keys_lock);
	other = app->keys;
	while (other && strcmp(other->key, i->key))
		other = other->next;
	if (!other) {
		i->app = app;
		i->next = app->keys;
		app->keys = i;
	}
	pthread_mutex_unlock(&app->keys_lock);
	return !other;
}

void idempotency_end(struct idempotency *i)
{
	if (i->app) {
		struct idempotency **at = &i->app->keys;

		pthread_mutex_lock(&i->app->keys_lock);
		while (*at != i)
			at = &(*at)->next;
		*at = i->next;
		pthread_mutex_unlock(&i->app->keys_lock);
	}
	store_answer_clear(&i->first);
	i->app = NULL;
	i->answered = false;
}

/* ---- before the change ---- */

static int take_key(struct idempotency *i, int64_t token, const char *key, struct err *e)
{
	char owner[24] = "";
	size_t n = strlen(key);

	if (!n || n > IDEMPOTENCY_KEY_MAX)
		return err_set(e, ERR_BAD_REQUEST,
				"the Idempotency-Key has %zu characters and needs 1 to %d; a UUID makes a good one",
				n, IDEMPOTENCY_KEY_MAX);
	for (size_t at = 0; at < n; at++)
		if (key[at] <= ' ' || key[at] > '~')
			return err_set(e, ERR_BAD_REQUEST,
					"the Idempotency-Key holds a character that is not visible ASCII; a UUID makes a "
					"good one");
	if (token) snprintf(owner, sizeof owner, "%" PRId64 " ", token);
	snprintf(i->key, sizeof i->key, "%s%s", owner, key);
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* What is older than it may be goes, so that its key can be noted again. */
static int look_up(struct idempotency *i, struct store *store, struct err *e)
{
	int64_t oldest_ms = now_ms() - IDEMPOTENCY_MS;
	int rc = store->answer_get(store, i->key, &i->first, e);

	if (rc) return rc == ERR_NOT_FOUND ? 0 : rc;
	i->answered = i->first.created_ms >= oldest_ms;
	return i->answered ? 0 : store->answers_prune(store, oldest_ms, e);
}

int idempotency_begin(struct idempotency *i, struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	const char *key = rq->headers[HEADER_IDEMPOTENCY_KEY];
	int rc;

	if (!key) return 0;
	if ((rc = take_key(i, rq->token, key, e))) return rc;
	if (!enter(i, app)) {
		reply_header(rp, "Retry-After", "1");
		return err_set(e, ERR_CONFLICT,
				"a request with this Idempotency-Key is under way; send it again to get its answer");
	}
	if ((rc = look_up(i, app->store, e))) idempotency_end(i);
	rq->settled = i->answered;
	return rc;
}

void idempotency_request(struct idempotency *i, const struct request *rq, const char *body_sha256)
{
	const char *type = rq->headers[HEADER_CONTENT_TYPE];
	const char *parts[] = { rq->method, rq->url, type ? type : "", body_sha256 };
	struct sha256_ctx hash;

	if (!i->app) return;
	sha256_init(&hash);
	for (size_t at = 0; at < sizeof parts / sizeof *parts; at++)
		sha256_update(&hash, strlen(parts[at]) + 1, (const uint8_t *)parts[at]);
	upload_digest(&hash, i->request);
}

void idempotency_request_body(struct idempotency *i, const struct request *rq)
{
	struct sha256_ctx hash;
	char sha256[2 * SHA256_DIGEST_SIZE + 1];

	if (!i->app) return;
	sha256_init(&hash);
	sha256_update(&hash, rq->body.size, (const uint8_t *)rq->body.data);
	upload_digest(&hash, sha256);
	idempotency_request(i, rq, sha256);
}

const char *idempotency_key(const struct idempotency *i)
{
	return i->app ? i->key : NULL;
}

/* ---- the answer ---- */

/* A kill came between the change and its answer, or that was too large: told is what the change made, as it is now. */
static int answer_job(struct idempotency *i, struct reply *rp, struct err *e)
{
	struct store *store = i->app->store;
	struct store_job job = { 0 };
	int rc = store->job_get(store, i->first.job, &job, e);

	if (!rc) rc = job_accepted(i->app, &job, rp, e);
	store_job_clear(&job);
	return rc;
}

static int answer_dataset(struct idempotency *i, const struct request *rq, struct reply *rp, struct err *e)
{
	struct store *store = i->app->store;
	struct store_revision now = { 0 };
	int rc = store->dataset_get(store, request_param(rq, "dataset"), &now, e);

	if (!rc) rc = dataset_answer(&now, *i->first.location, rp, e);
	store_revision_clear(&now);
	return rc;
}

int idempotency_repeat(struct idempotency *i, const struct request *rq, struct reply *rp, struct err *e)
{
	const struct store_answer *first = &i->first;
	int rc;

	if (strcmp(first->request, i->request))
		return err_set(e, ERR_INVALID,
				"this Idempotency-Key was used for another request; a new request needs a new key");
	if (!first->status) {
		rc = first->job ? answer_job(i, rp, e) : answer_dataset(i, rq, rp, e);
		if (!rc) idempotency_keep(i, rp, first->job);
		return rc;
	}
	rp->status = (unsigned)first->status;
	if (*first->location) reply_header(rp, "Location", "%s", first->location);
	if (first->status == 202) reply_header(rp, "Retry-After", "1");
	buffer_text(&rp->body, first->body);
	return buffer_ok(&rp->body) ? 0 : err_nomem(e);
}

static const char *location_of(const struct reply *rp)
{
	for (size_t at = 0; at < rp->headers_count; at++)
		if (!strcmp(rp->headers[at].name, "Location")) return rp->headers[at].value;
	return "";
}

void idempotency_keep(struct idempotency *i, const struct reply *rp, int64_t job)
{
	struct store_answer answer = {
		.request = i->request, .status = (int)(rp->status ? rp->status : 200), .job = job
	};
	struct err e;

	if (!i->app || rp->body.size > BODY_KEPT_BYTES) return;
	answer.location = (char *)location_of(rp);
	answer.body = strndup(rp->body.data, rp->body.size);
	if (answer.body && i->app->store->answer_put(i->app->store, i->key, &answer, &e))
		log_error(i->app->log, "an answer could not be kept under its Idempotency-Key: %s", e.text);
	free(answer.body);
}
