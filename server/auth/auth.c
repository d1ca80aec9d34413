/* auth.c - the three gates: host, origin, token. See auth.h.
 *
 * The token that came is hashed and the hashes are compared in constant time, so that the time of an answer tells
 * nothing about the token. Headers are quoted in sentences only when they are well-formed hosts: sentences are
 * UTF-8, headers are any bytes. To look takes no lock and no memory.
 */
#include "server/auth/auth.h"

#include <errno.h>
#include <nettle/memops.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#include "server/auth/guess.h"
#include "server/auth/host.h"
#include "server/auth/origin.h"
#include "server/auth/session.h"
#include "server/auth/tokens.h"

#define OUR_HOSTS   "localhost,127.0.0.1,[::1]"
#define LINE_BYTES  (AUTH_TOKEN_MAX + 64) /* the token, some spaces around it, the line's end */
#define WHITE_SPACE " \t\r\n"
#define HOW_TO_SEND "send the header \"Authorization: Bearer TOKEN\""

/* What is asked of everybody. It never changes; another one takes its place (auth_reload), and as a thread may still
 * look at it, it goes with the auth. */
struct gates {
	bool has_token;
	uint8_t digest[STORE_DIGEST_BYTES];
	char *hosts;             /* list of host.h, owned */
	char *origins;           /* list of origin.h, owned; NULL: none */
	struct guess_known from; /* where the token came from */
	struct gates *before;
};

struct auth {
	_Atomic(struct gates *) gates;
	struct tokens *tokens; /* of the store */
	struct guess *guess;
	struct session_key sessions;
	struct session_book own_sessions; /* of the gates' token */
};

static size_t trimmed_length(const char *text)
{
	size_t n = strlen(text);

	while (n && strchr(WHITE_SPACE, text[n - 1]))
		n--;
	return n;
}

/* Takes the token without the white space around it; place is where it came from. */
static int set_token(struct gates *gates, const char *place, const char *token, struct err *e)
{
	size_t n;

	token += strspn(token, WHITE_SPACE);
	n = trimmed_length(token);
	if (!n) return err_set(e, ERR_INVALID, "%s holds no token", place);
	if (n < AUTH_TOKEN_MIN || n > AUTH_TOKEN_MAX)
		return err_set(e, ERR_INVALID,
				"the token of %s has %zu characters and needs %d to %d; `openssl rand -hex 24` makes a good one",
				place, n, AUTH_TOKEN_MIN, AUTH_TOKEN_MAX);
	for (size_t i = 0; i < n; i++)
		if (token[i] <= ' ' || token[i] > '~')
			return err_set(e, ERR_INVALID,
					"the token of %s holds a character that no header can carry: use letters, digits and signs "
					"of ASCII, without spaces",
					place);
	token_digest(token, n, gates->digest);
	gates->has_token = true;
	return 0;
}

/* Says so when others on this machine can read the file. A warning only: the secrets that containers mount are
 * readable to all, inside. */
static void warn_of_readers(FILE *file, const char *path, struct err *warning)
{
	struct stat status;

	if (!fstat(fileno(file), &status) && (status.st_mode & S_IROTH))
		err_set(warning, ERR_OK,
				"every user of this machine can read the token in %s: `chmod 600` it", path);
}

static int read_token_file(struct gates *gates, const char *path, struct err *warning, struct err *e)
{
	FILE *file = fopen(path, "re");
	char line[LINE_BYTES] = "";
	int rc;

	if (!file) return err_set(e, ERR_IO, "the token file %s cannot be read: %s", path, strerror(errno));
	setvbuf(file, NULL, _IONBF, 0); /* no second copy of the token */
	errno = 0;
	if (!fgets(line, sizeof line, file) && ferror(file))
		rc = err_set(e, ERR_IO, "the token file %s cannot be read: %s", path, strerror(errno));
	else if (strlen(line) == sizeof line - 1)
		rc = err_set(e, ERR_INVALID, "the first line of %s is too long for a token", path);
	else if (!(rc = set_token(gates, path, line, e)))
		warn_of_readers(file, path, warning);
	explicit_bzero(line, sizeof line);
	fclose(file);
	return rc;
}

static int set_hosts(struct gates *gates, const char *listen, const char *more, struct err *e)
{
	struct host host = { .name = "" };

	if (!host_socket_path(listen) && !host_split(listen, &host))
		return err_set(e, ERR_INVALID, "%s is not HOST:PORT, as in 127.0.0.1:8420", listen);
	if (asprintf(&gates->hosts, "%s%s%.*s%s%s", OUR_HOSTS, host.length ? "," : "", (int)host.length,
			    host.name, more ? "," : "", more ? more : "") >= 0)
		return 0;
	gates->hosts = NULL;
	return err_nomem(e);
}

static void gates_free(struct gates *gates)
{
	while (gates) {
		struct gates *before = gates->before;

		free(gates->hosts);
		free(gates->origins);
		free(gates);
		gates = before;
	}
}

static int gates_new(
		struct gates **out, const struct auth_options *options, struct err *warning, struct err *e)
{
	struct gates *gates = calloc(1, sizeof *gates);
	int rc;

	*out = NULL;
	warning->text[0] = 0;
	if (!gates) return err_nomem(e);
	if ((rc = set_hosts(gates, options->listen, options->allow_hosts, e))) goto out;
	if (options->cors_origins && !(gates->origins = strdup(options->cors_origins))) {
		rc = err_nomem(e);
		goto out;
	}
	if (options->token && options->token_file)
		rc = err_set(e, ERR_INVALID,
				"a token comes from DESCENTD_TOKEN and from the token file %s: keep one of them",
				options->token_file);
	else if (options->token)
		rc = set_token(gates, "DESCENTD_TOKEN", options->token, e);
	else if (options->token_file)
		rc = read_token_file(gates, options->token_file, warning, e);
	if (rc) goto out;
	*out = gates;
	gates = NULL;
out:
	gates_free(gates);
	return rc;
}

int auth_new(struct auth **out, const struct auth_options *options, struct err *warning, struct err *e)
{
	struct auth *auth = calloc(1, sizeof *auth);
	struct gates *gates = NULL;
	int rc;

	*out = NULL;
	if (!auth) return err_nomem(e);
	if ((rc = tokens_new(&auth->tokens, e)) || (rc = guess_new(&auth->guess, e)) ||
			(rc = session_key_draw(&auth->sessions, e)) ||
			(rc = gates_new(&gates, options, warning, e))) {
		auth_free(auth);
		return rc;
	}
	atomic_init(&auth->gates, gates);
	*out = auth;
	return 0;
}

int auth_reload(struct auth *auth, const struct auth_options *options, struct err *warning, struct err *e)
{
	struct gates *gates;
	int rc = gates_new(&gates, options, warning, e);

	if (rc) return rc;
	gates->before = atomic_load(&auth->gates);
	if (gates->has_token && gates->before->has_token &&
			memeql_sec(gates->digest, gates->before->digest, STORE_DIGEST_BYTES))
		guess_know_too(&gates->from, &gates->before->from);
	atomic_store(&auth->gates, gates);
	return 0;
}

void auth_free(struct auth *auth)
{
	if (!auth) return;
	gates_free(atomic_load(&auth->gates));
	tokens_free(auth->tokens);
	guess_free(auth->guess);
	explicit_bzero(&auth->sessions, sizeof auth->sessions);
	free(auth);
}

int auth_load(struct auth *auth, struct store *store, struct err *e)
{
	return tokens_load(auth->tokens, store, e);
}

int auth_add(struct auth *auth, const struct store_token *token, struct err *e)
{
	return tokens_add(auth->tokens, token, e);
}

void auth_revoke(struct auth *auth, int64_t id)
{
	tokens_revoke(auth->tokens, id);
}

bool auth_has_token(const struct auth *auth)
{
	return atomic_load(&auth->gates)->has_token || tokens_any(auth->tokens);
}

static int check_host(const struct gates *gates, const char *host, struct err *e)
{
	struct host split = { .name = "", .port = HOST_NO_PORT }; /* a Host that is absent is in "*" alone */

	if (host && !host_split(host, &split))
		return err_set(e, ERR_HOST, "the Host header is not HOST or HOST:PORT");
	if (host_list_has(gates->hosts, &split)) return 0;
	if (!host) return err_set(e, ERR_HOST, "the request names no host: send a Host header");
	return err_set(e, ERR_HOST,
			"this daemon does not answer for the host %.*s; start it with --allow-host %.*s if it should",
			(int)split.length, split.name, (int)split.length, split.name);
}

static int check_origin(const struct gates *gates, const char *origin, const char *host, struct err *e)
{
	if (!origin || origin_is_of(origin, host) || origin_list_has(gates->origins, origin)) return 0;
	return err_set(e, ERR_ORIGIN,
			"a page of another origin may not call this daemon: serve the page under the daemon's address, let "
			"your server make the call, or start the daemon with --cors-origin and the page's origin");
}

/* ---- the token ---- */

/* The digest of a Bearer token. ERR_UNAUTHORIZED. */
static int read_bearer(const char *authorization, unsigned char digest[STORE_DIGEST_BYTES], struct err *e)
{
	static const char scheme[] = "Bearer";
	size_t n = strlen(scheme);

	if (strncasecmp(authorization, scheme, n) || authorization[n] != ' ')
		return err_set(e, ERR_UNAUTHORIZED,
				"the Authorization header is not of the Bearer scheme: " HOW_TO_SEND);
	authorization += n + strspn(authorization + n, " ");
	token_digest(authorization, trimmed_length(authorization), digest);
	return 0;
}

/* Whose request it is: a token of the store, the daemon's own, or nobody that we know. */
struct caller {
	struct token *token; /* NULL: none of the store */
	/* Of the token, whichever it is; NULL: nobody's. */
	struct guess_known *from;
	struct session_book *sessions;
};

static struct caller the_own(struct auth *auth, struct gates *gates)
{
	return (struct caller){ NULL, &gates->from, &auth->own_sessions };
}

static struct caller of_store(struct token *token)
{
	if (!token) return (struct caller){ NULL, NULL, NULL };
	return (struct caller){ token, &token->from, &token->sessions };
}

static struct caller find_bearer(
		struct auth *auth, struct gates *gates, const unsigned char digest[STORE_DIGEST_BYTES])
{
	if (gates->has_token && memeql_sec(digest, gates->digest, STORE_DIGEST_BYTES))
		return the_own(auth, gates);
	return of_store(tokens_find(auth->tokens, digest));
}

/* *guessed: it was held against a token and is not that one's. A session that is over, or whose token is gone, is none: a page
 * may go on asking with it. */
static struct caller find_session(struct auth *auth, struct gates *gates, const char *text, bool *guessed)
{
	struct caller who = of_store(NULL);
	int64_t id;

	*guessed = false;
	if (!session_token(text, time(NULL), &id)) return who;
	if (id)
		who = of_store(tokens_find_id(auth->tokens, id));
	else if (gates->has_token)
		who = the_own(auth, gates);
	if (!who.from) return who;
	*guessed = !session_true(&auth->sessions, text, who.token ? who.token->is.digest : gates->digest);
	return *guessed || !session_holds(who.sessions, text) ? of_store(NULL) : who;
}

static int64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Whoever tries too many does not learn whether the next one is right. */
static int slow_down(const struct auth *auth, const struct auth_request *request, const struct caller *who,
		struct auth_grant *grant, struct err *e)
{
	static const unsigned char nowhere[GUESS_PEER_BYTES];
	const unsigned char *peer = request->peer ? request->peer : nowhere;
	int64_t now_ms = monotonic_ns() / 1000000;

	if (who->from && guess_knows(who->from, peer)) return 0;
	if (!who->from || guess_going_on(auth->guess, now_ms))
		grant->wait_seconds = guess_came(auth->guess, peer, who->from, now_ms);
	if (grant->wait_seconds)
		return err_set(e, ERR_RATE,
				"too many wrong tokens came from your address; for %u s none is looked at",
				grant->wait_seconds);
	if (who->from) guess_note(who->from, peer);
	return 0;
}

/* A page cannot read the cookie, but may make the browser send it: so a change by cookie must come from our own page. One of
 * --cors-origin is none: it sends a token of its own. */
static int check_session(const struct auth_request *request, struct err *e)
{
	if (!request->changes || (request->origin && origin_is_of(request->origin, request->host))) return 0;
	return err_set(e, ERR_ORIGIN,
			request->origin ? "a page of another origin may change nothing by cookie: " HOW_TO_SEND
					: "a change by cookie needs an Origin header, as browsers send it; else " HOW_TO_SEND);
}

static int find_caller(struct auth *auth, struct gates *gates, const struct auth_request *request,
		struct caller *who, struct auth_grant *grant, struct err *e)
{
	const char *session = request->authorization ? NULL : session_find(&auth->sessions, request->cookies);
	unsigned char digest[STORE_DIGEST_BYTES];
	bool guessed = true;
	int rc;

	*who = of_store(NULL);
	if (request->authorization) {
		if ((rc = read_bearer(request->authorization, digest, e))) return rc;
		*who = find_bearer(auth, gates, digest);
	} else if (session) {
		*who = find_session(auth, gates, session, &guessed);
		if (who->from && (rc = check_session(request, e))) return rc;
	} else
		return err_set(e, ERR_UNAUTHORIZED, "this daemon wants a token: " HOW_TO_SEND);
	if ((guessed || who->from) && (rc = slow_down(auth, request, who, grant, e))) return rc;
	if (who->from) return 0;
	return err_set(e, ERR_UNAUTHORIZED, "%s",
			session ? "the session is over: POST /v1/session again with the token"
				: "this token is none of this daemon's, or was revoked, or has expired");
}

static int check_role(const struct store_token *token, const struct auth_request *request, struct err *e)
{
	char has[TOKEN_ROLES_BYTES], needed[TOKEN_ROLES_BYTES];

	if (!request->role || token->roles & request->role) return 0;
	return err_set(e, ERR_FORBIDDEN, "the token \"%s\" may %s; this needs one that may %s", token->name,
			token_roles_text(token->roles, has), token_roles_text(request->role, needed));
}

static int check_models(const struct store_token *token, const struct auth_request *request, struct err *e)
{
	if (!token->models) return 0;
	if (request->all_models)
		return err_set(e, ERR_FORBIDDEN,
				"the token \"%s\" is for the models %s only, and this is about all of them",
				token->name, token->models);
	if (!request->model || token_models_fit(token->models, request->model)) return 0;
	return err_set(e, ERR_FORBIDDEN, "the token \"%s\" is for the models %s only", token->name,
			token->models);
}

static int check_rate(struct token *token, struct auth_grant *grant, struct err *e)
{
	int64_t wait_ns;

	if (!(token->is.rate > 0)) return 0;
	grant->rate_limit = token_burst(token);
	if (token_in_rate(token, monotonic_ns(), &wait_ns, &grant->rate_left)) {
		grant->rate_reset_seconds =
				(unsigned)((grant->rate_limit - grant->rate_left) / token->is.rate + 1);
		return 0;
	}
	grant->rate_reset_seconds = grant->wait_seconds = (unsigned)(wait_ns / 1000000000 + 1);
	return err_set(e, ERR_RATE, "the token \"%s\" may send %g requests a second; wait", token->is.name,
			token->is.rate);
}

static int check_token(struct auth *auth, struct gates *gates, const struct auth_request *request,
		struct auth_grant *grant, struct err *e)
{
	struct caller who;
	int rc = find_caller(auth, gates, request, &who, grant, e);

	if (rc || !who.token) return rc;
	grant->token = who.token->is.id;
	grant->roles = who.token->is.roles;
	grant->limited = who.token->is.models;
	if ((rc = check_rate(who.token, grant, e)) || (rc = check_role(&who.token->is, request, e)))
		return rc;
	return check_models(&who.token->is, request, e);
}

/* To everybody: there is no token, and never was one. */
static bool is_open(const struct auth *auth, const struct gates *gates)
{
	return !gates->has_token && !tokens_ever(auth->tokens);
}

int auth_check(struct auth *auth, const struct auth_request *request, struct auth_grant *grant, struct err *e)
{
	struct gates *gates = atomic_load_explicit(&auth->gates, memory_order_acquire);
	unsigned seat;
	int rc;

	*grant = (struct auth_grant){ .roles = AUTH_EVERYTHING };
	if (!request->any_host && (rc = check_host(gates, request->host, e))) return rc;
	if ((rc = check_origin(gates, request->origin, request->host, e))) return rc;
	if (request->open || request->local || is_open(auth, gates)) return 0;
	seat = tokens_enter(auth->tokens);
	rc = check_token(auth, gates, request, grant, e);
	tokens_leave(auth->tokens, seat);
	return rc;
}

bool auth_may_read(const struct auth *auth, const char *origin)
{
	return origin_list_has(atomic_load_explicit(&auth->gates, memory_order_acquire)->origins, origin);
}

int auth_may_see(const struct auth *auth, int64_t id, const char *model, struct err *e)
{
	unsigned seat = tokens_enter(auth->tokens);
	const struct token *token = tokens_find_id(auth->tokens, id);
	int rc;

	if (token)
		rc = check_models(&token->is, &(struct auth_request){ .model = model }, e);
	else
		rc = err_set(e, ERR_UNAUTHORIZED, "the token was revoked");
	tokens_leave(auth->tokens, seat);
	return rc;
}

/* Nobody, where the headers name none that is good now. */
static struct caller look_again(struct auth *auth, struct gates *gates, const struct auth_request *request)
{
	const char *session = request->authorization ? NULL : session_find(&auth->sessions, request->cookies);
	unsigned char digest[STORE_DIGEST_BYTES];
	bool guessed;
	struct err e;

	if (session) return find_session(auth, gates, session, &guessed);
	if (!request->authorization || read_bearer(request->authorization, digest, &e)) return of_store(NULL);
	return find_bearer(auth, gates, digest);
}

bool auth_holds(struct auth *auth, const struct auth_request *request, int64_t id)
{
	struct gates *gates = atomic_load_explicit(&auth->gates, memory_order_acquire);
	struct caller who;
	unsigned seat;
	bool holds;

	if (request->local || is_open(auth, gates)) return true;
	seat = tokens_enter(auth->tokens);
	who = look_again(auth, gates, request);
	holds = who.from && (who.token ? who.token->is.id : 0) == id;
	tokens_leave(auth->tokens, seat);
	return holds;
}

bool auth_token_name(const struct auth *auth, int64_t id, char name[TOKEN_NAME_MAX + 1])
{
	unsigned seat = tokens_enter(auth->tokens);
	const struct token *token = tokens_find_id(auth->tokens, id);

	if (token) snprintf(name, TOKEN_NAME_MAX + 1, "%s", token->is.name);
	tokens_leave(auth->tokens, seat);
	return token;
}

/* ---- sessions ---- */

const char *auth_session_name(const struct auth *auth)
{
	return auth->sessions.name;
}

static void write_session(const struct auth *auth, const struct caller *who,
		const unsigned char digest[STORE_DIGEST_BYTES], int64_t until_seconds,
		char cookie[AUTH_COOKIE_BYTES])
{
	int n = snprintf(cookie, AUTH_COOKIE_BYTES, "%s=", auth->sessions.name);

	session_write(&auth->sessions, who->sessions, who->token ? who->token->is.id : 0, digest,
			until_seconds, cookie + n);
}

int auth_session(struct auth *auth, const char *authorization, char cookie[AUTH_COOKIE_BYTES],
		int64_t *until_seconds, struct err *e)
{
	struct gates *gates = atomic_load_explicit(&auth->gates, memory_order_acquire);
	unsigned char digest[STORE_DIGEST_BYTES];
	struct caller who;
	unsigned seat;
	int rc;

	if (!authorization) return err_set(e, ERR_UNAUTHORIZED, "a session is made of a token: " HOW_TO_SEND);
	if ((rc = read_bearer(authorization, digest, e))) return rc;
	*until_seconds = time(NULL) + SESSION_SECONDS;
	seat = tokens_enter(auth->tokens);
	who = find_bearer(auth, gates, digest);
	if (who.token && who.token->is.expires_ms && who.token->is.expires_ms / 1000 < *until_seconds)
		*until_seconds = who.token->is.expires_ms / 1000;
	if (who.from)
		write_session(auth, &who, digest, *until_seconds, cookie);
	else
		rc = err_set(e, ERR_UNAUTHORIZED, "this token is none of this daemon's");
	tokens_leave(auth->tokens, seat);
	return rc;
}

void auth_session_end(struct auth *auth, const char *cookies)
{
	struct gates *gates = atomic_load_explicit(&auth->gates, memory_order_acquire);
	const char *text = session_find(&auth->sessions, cookies);
	unsigned seat = tokens_enter(auth->tokens);
	struct caller who;
	bool guessed;

	if (text && (who = find_session(auth, gates, text, &guessed)).sessions)
		session_end(who.sessions, text);
	tokens_leave(auth->tokens, seat);
}
