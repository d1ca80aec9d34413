/* guess.h - slows down whoever tries tokens: after some wrong ones an address waits, longer with each.
 *
 * Addresses of IPv6 are taken by their first 64 bits, as whoever has one has all of those. The table is of fixed size; when
 * it is full, who was quiet for longest is forgotten. A right token that came from the same address before, through the same
 * proxy say, does not wait with the wrong ones. As long as nothing wrong came lately, to ask takes no lock.
 */
#ifndef SERVER_AUTH_GUESS_H
#define SERVER_AUTH_GUESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"

#define GUESS_FREE       10  /* wrong tokens for which nobody waits */
#define GUESS_WAIT_MAX   60  /* seconds */
#define GUESS_REMEMBERED 600 /* seconds, after the last one */
#define GUESS_PEER_BYTES 16  /* of an IPv6 address; one of IPv4 as ::ffff:a.b.c.d */

struct guess;

/* *out is new (guess_free). ERR_NOMEM. */
int guess_new(struct guess **out, struct err *e);
void guess_free(struct guess *guess);

/* Was there a wrong token lately, from anywhere? */
bool guess_going_on(const struct guess *guess, int64_t now_ms);
/* A token came from this address, right or wrong: the seconds for which it is not even looked at; 0: it counts. now_ms: on
 * the monotonic clock. */
unsigned guess_came(
		struct guess *guess, const unsigned char peer[GUESS_PEER_BYTES], bool right, int64_t now_ms);

/* Where a right token came from lately, kept with it. Any thread; it may forget one too early. */
#define GUESS_KNOWN 6
struct guess_known { /* zeroed: from nowhere */
	_Atomic uint64_t peers[GUESS_KNOWN];
	atomic_uint next;
};
bool guess_knows(const struct guess_known *known, const unsigned char peer[GUESS_PEER_BYTES]);
void guess_note(struct guess_known *known, const unsigned char peer[GUESS_PEER_BYTES]);
/* What is known in one place is known in another, which is new. */
void guess_know_too(struct guess_known *known, const struct guess_known *other);

#endif
