/* idempotency.h - Idempotency-Key: who asks for a change again under the same key gets the first answer again, and the
 * change is made once.
 *
 * The store notes the key in the commit of the change itself, so that no kill can come between the two; the answer is put
 * beside it right after. A key is held for IDEMPOTENCY_MS. Only changes take one: a request that was refused changed
 * nothing, and its key stays free. While a request is under way its key stands in a list of the app.
 */
#ifndef SERVER_API_IDEMPOTENCY_H
#define SERVER_API_IDEMPOTENCY_H

#include <nettle/sha2.h>
#include <stdbool.h>

#include "core/err.h"
#include "server/http/request.h"
#include "server/store/store.h"

#define IDEMPOTENCY_MS      (INT64_C(24) * 3600 * 1000)
#define IDEMPOTENCY_KEY_MAX 255 /* characters */

struct app;

/* A request's hold on its key. Zeroed: it has none, and every function below does nothing. */
struct idempotency { /* its address must not change while it is under way */
	struct app *app;
	struct idempotency *next; /* under way; under app->keys_lock */
	/* The token's number and a space, where it has one, and the key: each token has its own. */
	char key[IDEMPOTENCY_KEY_MAX + 32];
	char request[2 * SHA256_DIGEST_SIZE +
			1]; /* what is asked: method, target, media type and body, hashed */
	bool answered;      /* a request under this key made its change: make none */
	struct store_answer first;
};

/* Before anything is done. Takes hold of the request's key, if it has one, and looks whether it was answered. With
 * answered, the request is settled: it changes nothing. ERR_BAD_REQUEST: no such key can be; ERR_CONFLICT (with
 * Retry-After): a request under this key is under way. */
int idempotency_begin(struct idempotency *i, struct request *rq, struct reply *rp, struct err *e);
/* What is asked, with the body's SHA-256 in hex; before key and request go to the store with the change. */
void idempotency_request(struct idempotency *i, const struct request *rq, const char *body_sha256);
/* The same, hashing rq->body. */
void idempotency_request_body(struct idempotency *i, const struct request *rq);
/* The key for the store, NULL when there is none. */
const char *idempotency_key(const struct idempotency *i);
/* Answers as the first time; where a kill took that answer, with what was made, as it is now. ERR_INVALID: something else
 * is asked; ERR_NOT_FOUND: what was made is gone. */
int idempotency_repeat(struct idempotency *i, const struct request *rq, struct reply *rp, struct err *e);
/* Keeps the answer to the change that was made. job: that it made, or 0. A failure is of no matter: the key is noted. */
void idempotency_keep(struct idempotency *i, const struct reply *rp, int64_t job);
/* Lets go of the key; before the answer is sent. Twice is fine. */
void idempotency_end(struct idempotency *i);

#endif
