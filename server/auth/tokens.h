/* tokens.h - the tokens of the store in memory, where each request looks without a lock.
 *
 * The set is an array that never changes: another one takes its place, and the old one goes when nobody looks at it any
 * more. Looking is counted, in a counter that few threads share; a token that is revoked is marked in its place, so that
 * this works at once and without memory.
 */
#ifndef SERVER_AUTH_TOKENS_H
#define SERVER_AUTH_TOKENS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"
#include "server/auth/guess.h"
#include "server/auth/session.h"
#include "server/store/store.h"

struct tokens;

struct token { /* borrowed, between tokens_enter and tokens_leave */
	struct store_token is;
	atomic_bool revoked;
	struct guess_known from;
	struct session_book sessions;
	_Atomic int64_t next_ns; /* when a request would be in time at its rate, on the monotonic clock */
};

/* *out is new (tokens_free), and has none. ERR_NOMEM. */
int tokens_new(struct tokens **out, struct err *e);
void tokens_free(struct tokens *tokens);
/* Those of the store, and whether it ever had one. */
int tokens_load(struct tokens *tokens, struct store *store, struct err *e);

/* On any thread. ERR_NOMEM. */
int tokens_add(struct tokens *tokens, const struct store_token *token, struct err *e);
void tokens_revoke(struct tokens *tokens, int64_t id);
/* Was there ever one? Then nobody comes in without. */
bool tokens_ever(const struct tokens *tokens);
/* Is there one that is good now? */
bool tokens_any(struct tokens *tokens);

/* Every look lies between these two, and is short. */
unsigned tokens_enter(struct tokens *tokens);
void tokens_leave(struct tokens *tokens, unsigned seat);
/* One that is neither revoked nor expired; NULL: there is none. */
struct token *tokens_find(struct tokens *tokens, const unsigned char digest[STORE_DIGEST_BYTES]);
struct token *tokens_find_id(struct tokens *tokens, int64_t id);

/* May one more request come at the token's rate? False: after *wait_ns. *left: how many more might come right now. */
bool token_in_rate(struct token *token, int64_t now_ns, int64_t *wait_ns, unsigned *left);
/* How many requests may come at once: those of a second. */
unsigned token_burst(const struct token *token);

#endif
