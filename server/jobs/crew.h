/* crew.h - the threads of one job: a team (core/team.h) whose members stay asleep between products.
 *
 * The thread that calls team.run is member 0. Members run at idle priority (SCHED_IDLE), so that whatever answers
 * requests goes first.
 */
#ifndef SERVER_JOBS_CREW_H
#define SERVER_JOBS_CREW_H

#include "core/err.h"
#include "core/team.h"

struct crew;

/* *out is new (crew_free): threads - 1 members beside the caller. Fewer when the system gives no more. ERR_NOMEM. */
int crew_new(struct crew **out, unsigned threads, struct err *e);
void crew_free(struct crew *crew);
struct team *crew_team(struct crew *crew); /* borrowed */

/* The calling thread goes to idle priority. */
void crew_idle_priority(void);
/* To a low one, which is served after requests and goes on all the same: it renews leases. */
void crew_low_priority(void);

#endif
