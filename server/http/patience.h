/* patience.h - how long a connection's client may take for what is its part: to send headers, to send a body, to read an
 * answer. Shared inside server/http.
 *
 * Each part has a deadline. That of a body or an answer moves on with the bytes that do: a second for every --min-rate of
 * them, up to a limit, so that a slow transfer is not cut and one of a byte a second is. What is our part (work, news to
 * wait for, a body that is received faster than the disk takes it) has none.
 *
 * One thread at a time says what is going on, another may look whether the time is over. Who finds that it is ends the
 * connection; the first learns it with its next word, and says nothing more to the client.
 */
#ifndef SERVER_HTTP_PATIENCE_H
#define SERVER_HTTP_PATIENCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum part {
	PART_OURS, /* no deadline */
	PART_HEADERS,
	PART_BODY,
	PART_ANSWER,
	PART_OVER, /* somebody found that the time was over */
};

struct patience {             /* all zero: ours */
	_Atomic uint64_t now; /* part, and when it must be done: see patience.c */
	enum part paused;
	uint32_t left_ms; /* when it was paused */
};

/* False, here and below: the time is over, and was before. */
bool patience_begin(struct patience *p, enum part part, uint64_t due_ms);
/* The deadline becomes earlier, if this is. */
bool patience_hurry(struct patience *p, uint64_t due_ms);
/* If this part goes on, its deadline moves on, to at most limit_ms from now. On any thread. */
bool patience_earn(struct patience *p, enum part part, uint64_t ms, uint64_t now_ms, uint32_t limit_ms);
/* It is our part now, until it is resumed with what was left. On any thread, one after the other. */
void patience_pause(struct patience *p, uint64_t now_ms);
void patience_resume(struct patience *p, uint64_t now_ms);
/* On any thread: the part whose time is over, once; else PART_OURS. */
enum part patience_over(struct patience *p, uint64_t now_ms);
enum part patience_part(const struct patience *p); /* what goes on; on any thread */

#endif
