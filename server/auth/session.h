/* session.h - what stands for a token in a browser's cookie, which its pages cannot read.
 *
 * A session is a text that only this process can make: the token's number, until when it holds, its own number, and an
 * HMAC-SHA-256 over these and the token's digest, under a key that is drawn at start. So no more than a bit is kept of it: was
 * it ended? It ends with its token, with its time, and with the process.
 */
#ifndef SERVER_AUTH_SESSION_H
#define SERVER_AUTH_SESSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"
#include "server/store/store.h"

#define SESSION_SECONDS    (8 * 3600)
#define SESSION_TEXT_BYTES 128
#define SESSION_NAME_BYTES 32
#define SESSIONS_MAX       1024 /* of a token: with one more, the oldest is over */

struct session_key {
	unsigned char key[32];
	char name[SESSION_NAME_BYTES]; /* of the cookie: browsers send those of all ports of a host, so each process has its own */
};

/* The sessions of one token. Zeroed: it has none. Any thread. */
struct session_book {
	_Atomic uint64_t made;                     /* they are numbered from 1 */
	_Atomic uint64_t ended[SESSIONS_MAX / 64]; /* bits, of the newest */
};

/* ERR_IO: the system has no random bytes. */
int session_key_draw(struct session_key *key, struct err *e);
void session_write(const struct session_key *key, struct session_book *book, int64_t token,
		const unsigned char digest[STORE_DIGEST_BYTES], int64_t until_seconds,
		char out[SESSION_TEXT_BYTES]);
/* Is there a session of ours in a Cookie header? Its text, borrowed, or NULL. */
const char *session_find(const struct session_key *key, const char *cookies);
/* Which token it says it is of, to look up its digest; false: it is none, or over. */
bool session_token(const char *text, int64_t now_seconds, int64_t *token);
/* Of one that is true: was it neither ended, nor are there too many newer ones? */
bool session_holds(struct session_book *book, const char *text);
void session_end(struct session_book *book, const char *text);
/* Did we make it, for this digest? */
bool session_true(const struct session_key *key, const char *text,
		const unsigned char digest[STORE_DIGEST_BYTES]);

#endif
