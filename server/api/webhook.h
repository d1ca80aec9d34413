/* webhook.h - who wants to be told that a job has ended, and is: "notify" of :train.
 *
 * The wish is committed with the job and due from the commit of its end (the store's notify rows), so that no kill loses one. A
 * receiver gets the job's document as a POST, signed, until it answers 2xx: again after 1, 2, 4 … seconds, later every hour, for
 * about a day. It may get a document twice, under the same delivery id. Only hosts of --webhook-allow are told: else whoever
 * may train could make the daemon knock at any door of its network.
 *
 * Plain HTTP by a client of our own (http/post.h): receivers are neighbours, the signature says who speaks, and no second TLS
 * library comes into the daemon for it. A receiver beyond the neighbourhood is reached through a relay on it.
 */
#ifndef SERVER_API_WEBHOOK_H
#define SERVER_API_WEBHOOK_H

#include "core/err.h"
#include "server/codec/faults.h"

#define WEBHOOK_KEY_MIN 16 /* bytes of the key */
#define WEBHOOK_KEY_MAX 1024

struct app;
struct webhook;

struct webhook_options {      /* borrowed for the call */
	const char *allow;    /* hosts as in auth/host.h; NULL: webhooks are off */
	const char *key_file; /* its first line signs; NULL: none, and then webhooks must be off */
};

/* *out is new (webhook_stop). app is borrowed. ERR_INVALID, ERR_IO: the options (the sentence names them); ERR_NOMEM. */
int webhook_start(
		struct webhook **out, struct app *app, const struct webhook_options *options, struct err *e);
/* Could they be set? ERR_INVALID, ERR_IO, ERR_NOMEM. */
int webhook_can_set(const struct webhook_options *options, struct err *e);
/* Other options from now on; on error nothing changes. */
int webhook_set(struct webhook *webhook, const struct webhook_options *options, struct err *e);
/* May a job ask for this? Else a fault at pointer. */
void webhook_check(struct webhook *webhook, const char *url, const char *pointer, struct faults *faults);
/* Deliveries under way are cut off, and are made again after the next start. NULL is fine. */
void webhook_stop(struct webhook *webhook);

#endif
