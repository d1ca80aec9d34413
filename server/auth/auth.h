/* auth.h - who may come in: the Host that a request names, the page that sent it, the token it carries.
 *
 * Host and Origin guard a daemon on loopback against pages of other sites in the browser of the same machine: DNS
 * rebinding shows as a foreign Host, everything else as a foreign Origin. The token guards against everybody
 * else. One token for all roles; without one, everything passes this last gate.
 *
 * Of the token only its SHA-256 is kept. Any thread may ask, while another one reloads.
 */
#ifndef SERVER_AUTH_AUTH_H
#define SERVER_AUTH_AUTH_H

#include <stdbool.h>

#include "core/err.h"

#define AUTH_TOKEN_MIN 16   /* characters */
#define AUTH_TOKEN_MAX 1024 /* characters */

struct auth;

struct auth_options {             /* all borrowed for the call */
	const char *listen;       /* HOST:PORT; its host is one of ours */
	const char *allow_hosts;  /* list as in host.h; NULL: none */
	const char *cors_origins; /* list as in origin.h; NULL: none */
	const char *token_file;   /* its first line is the token; NULL: none */
	const char *token;        /* the token itself; NULL: none */
};

/* *out is new (auth_free). *warning gets a sentence for the log when others on this machine can read the token
 * file, else "". ERR_INVALID: a token that is empty, too short, too long or cannot be sent in a header, or two
 * tokens; ERR_IO: the file cannot be read; ERR_NOMEM. On error *out is NULL. */
int auth_new(struct auth **out, const struct auth_options *options, struct err *warning, struct err *e);
/* The same options read again: the hosts, and the token, may be others from now on. On error nothing changes. One thread
 * at a time. */
int auth_reload(struct auth *auth, const struct auth_options *options, struct err *warning, struct err *e);
void auth_free(struct auth *auth);

bool auth_has_token(const struct auth *auth);

struct auth_request {
	const char *host, *origin, *authorization; /* headers, NULL when absent */
	bool any_host;                             /* a route for probes, which come by address */
	bool open;                                 /* a route that needs no token */
};

/* The gates in the order of the contract, each sentence saying how to mend it:
 * ERR_HOST: not localhost, 127.0.0.1, [::1], the host of --listen, or one of --allow-host.
 * ERR_ORIGIN: the page that sent this is neither of the same host and port as the Host header nor one of --cors-origin.
 * No Origin is fine.
 * ERR_UNAUTHORIZED: no token, or another one. */
int auth_check(const struct auth *auth, const struct auth_request *request, struct err *e);
/* Is it one of --cors-origin? */
bool auth_may_read(const struct auth *auth, const char *origin);

#endif
