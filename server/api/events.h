/* events.h - streams of what is committed: /v1/jobs/{id}/events, /v1/events, and replies that wait for a change. */
#ifndef SERVER_API_EVENTS_H
#define SERVER_API_EVENTS_H

#include "server/api/api.h"
#include "server/http/route.h"

#define EVENTS_SINGLE_MAX 1000 /* points that a watcher gets one by one; more come as columns */

enum event_form { EVENTS_SSE, EVENTS_LINES };

/* The topics of the log by bit, ended by NULL. */
extern const char *const event_topics[];

route_handler job_events, all_events;

/* For watch_config; self is the app (events_write.c). */
int events_write(void *self, const struct watch_key *key, int64_t after, size_t bytes, struct watch_text *out,
		struct err *e);

/* Where the request says If-None-Match and Prefer: wait=…, and only there: a reply of 304 is held until the job (0: any)
 * changes. Before what is replied is read; on a thread that may wait. ERR_NOMEM. */
int hold_reply(struct request *rq, struct reply *rp, int64_t job, struct err *e);

#endif
