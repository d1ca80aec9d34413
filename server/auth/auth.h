/* auth.h - who may come in, and what for: the Host that a request names, the page that sent it, the token it carries.
 *
 * Host and Origin guard a daemon on loopback against pages of other sites in the browser of the same machine: DNS
 * rebinding shows as a foreign Host, everything else as a foreign Origin. The token guards against everybody else. There
 * are those of the store (token.h), each with its roles, and at most one that the daemon was started with (a file, a variable,
 * a systemd credential), which may do everything. A daemon that has neither lets everybody pass this last gate; once a token
 * was made, it never does so again.
 *
 * Any thread may ask, while another one reloads.
 */
#ifndef SERVER_AUTH_AUTH_H
#define SERVER_AUTH_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"
#include "server/auth/token.h"

#define AUTH_TOKEN_MIN 16   /* characters of the token that the daemon is started with */
#define AUTH_TOKEN_MAX 1024 /* characters */

struct auth;

struct auth_options {             /* all borrowed for the call */
	const char *listen;       /* HOST:PORT, whose host is one of ours; or unix:/PATH */
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

/* From now on those of the store count too. What token_create and token_delete of the store change, these two must be told. */
int auth_load(struct auth *auth, struct store *store, struct err *e);
int auth_add(struct auth *auth, const struct store_token *token, struct err *e);
void auth_revoke(struct auth *auth, int64_t id);

/* Is there a token that lets somebody in? */
bool auth_has_token(const struct auth *auth);

struct auth_request {
	const char *host, *origin, *authorization, *cookies; /* headers, NULL when absent */
	bool any_host;                                       /* a route for probes, which come by address */
	bool open;                                           /* a route that needs no token */
	bool local;        /* from the owner of the database, by the socket beside it: no token is needed */
	bool changes;      /* its method is none that only reads */
	bool all_models;   /* the route shows what is of all models */
	unsigned role;     /* that the route needs, a bit; 0: any */
	const char *model; /* that the path names; NULL: none */
	const unsigned char *peer; /* (GUESS_PEER_BYTES) of guess.h */
};

struct auth_grant {
	int64_t token;                                      /* of the store; 0: another, or none */
	unsigned roles;                                     /* all that it has */
	bool limited;                                       /* to some models */
	unsigned rate_limit, rate_left, rate_reset_seconds; /* requests; limit 0: as many as it likes */
	unsigned wait_seconds;                              /* of ERR_RATE: until it may try again */
};

/* The gates in the order of the contract, each sentence saying how to mend it:
 * ERR_HOST: not localhost, 127.0.0.1, [::1], the host of --listen, or one of --allow-host.
 * ERR_ORIGIN: the page that sent this is neither of the same host and port as the Host header nor one of --cors-origin.
 * No Origin is fine, but for a change by cookie, which needs the first of these.
 * ERR_RATE: too many wrong tokens came from there, or too many requests with this one.
 * ERR_UNAUTHORIZED: no token, or none that is good.
 * ERR_FORBIDDEN: a token without the role, or for other models. */
int auth_check(struct auth *auth, const struct auth_request *request, struct auth_grant *grant,
		struct err *e);
/* Is it one of --cors-origin? */
bool auth_may_read(const struct auth *auth, const char *origin);
/* Of a grant that is limited: is the model one of its own? ERR_FORBIDDEN. */
int auth_may_see(const struct auth *auth, int64_t token, const char *model, struct err *e);

/* May whoever was let in still be here: is the token that these headers name, or the session, still good, and still this grant's?
 * Where there was none, may everybody come in still? Looks at authorization, cookies and local alone. */
bool auth_holds(struct auth *auth, const struct auth_request *request, int64_t token);
/* Its name, copied; false: it was revoked. */
bool auth_token_name(const struct auth *auth, int64_t token, char name[TOKEN_NAME_MAX + 1]);

/* A cookie that stands for the token of this Authorization header: "NAME=VALUE", and until when. ERR_UNAUTHORIZED. */
#define AUTH_COOKIE_BYTES 192
int auth_session(struct auth *auth, const char *authorization, char cookie[AUTH_COOKIE_BYTES],
		int64_t *until_seconds, struct err *e);
/* The session in a Cookie header lets nobody in any more, if it is one. */
void auth_session_end(struct auth *auth, const char *cookies);
/* The name of that cookie; borrowed. */
const char *auth_session_name(const struct auth *auth);

#endif
