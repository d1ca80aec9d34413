/* auth.c - the three gates: host, origin, token. See auth.h.
 *
 * The token that came is hashed and the hashes are compared in constant time, so that the time of an answer tells
 * nothing about the token. Headers are quoted in sentences only when they are well-formed hosts: sentences are
 * UTF-8, headers are any bytes.
 */
#include "server/auth/auth.h"

#include <errno.h>
#include <nettle/memops.h>
#include <nettle/sha2.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "server/auth/host.h"
#include "server/auth/origin.h"

#define OUR_HOSTS   "localhost,127.0.0.1,[::1]"
#define LINE_BYTES  (AUTH_TOKEN_MAX + 64) /* the token, some spaces around it, the line's end */
#define WHITE_SPACE " \t\r\n"
#define HOW_TO_SEND "send the header \"Authorization: Bearer TOKEN\""

/* What is asked of everybody. It never changes; another one takes its place (auth_reload), and as a thread may still
 * look at it, it goes with the auth. */
struct gates {
	bool has_token;
	uint8_t digest[SHA256_DIGEST_SIZE];
	char *hosts;   /* list of host.h, owned */
	char *origins; /* list of origin.h, owned; NULL: none */
	struct gates *before;
};

struct auth {
	_Atomic(struct gates *) gates;
};

static void token_digest(const char *token, size_t n, uint8_t digest[SHA256_DIGEST_SIZE])
{
	struct sha256_ctx hash;

	sha256_init(&hash);
	sha256_update(&hash, n, (const uint8_t *)token);
	sha256_digest(&hash, SHA256_DIGEST_SIZE, digest);
}

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
	struct host host;

	if (!host_split(listen, &host))
		return err_set(e, ERR_INVALID, "%s is not HOST:PORT, as in 127.0.0.1:8420", listen);
	if (asprintf(&gates->hosts, "%s,%.*s%s%s", OUR_HOSTS, (int)host.length, host.name, more ? "," : "",
			    more ? more : "") >= 0)
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
	struct gates *gates;
	int rc;

	*out = NULL;
	if (!auth) return err_nomem(e);
	if ((rc = gates_new(&gates, options, warning, e))) {
		free(auth);
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
	atomic_store(&auth->gates, gates);
	return 0;
}

void auth_free(struct auth *auth)
{
	if (!auth) return;
	gates_free(atomic_load(&auth->gates));
	free(auth);
}

bool auth_has_token(const struct auth *auth)
{
	return atomic_load(&auth->gates)->has_token;
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

static int check_token(const struct gates *gates, const char *authorization, struct err *e)
{
	static const char scheme[] = "Bearer";
	uint8_t digest[SHA256_DIGEST_SIZE];
	size_t n = strlen(scheme);

	if (!gates->has_token) return 0;
	if (!authorization) return err_set(e, ERR_UNAUTHORIZED, "this daemon wants a token: " HOW_TO_SEND);
	if (strncasecmp(authorization, scheme, n) || authorization[n] != ' ')
		return err_set(e, ERR_UNAUTHORIZED,
				"the Authorization header is not of the Bearer scheme: " HOW_TO_SEND);
	authorization += n + strspn(authorization + n, " ");
	n = trimmed_length(authorization);
	token_digest(authorization, n, digest);
	if (!memeql_sec(digest, gates->digest, sizeof digest))
		return err_set(e, ERR_UNAUTHORIZED, "this is not the token that the daemon was started with");
	return 0;
}

int auth_check(const struct auth *auth, const struct auth_request *request, struct err *e)
{
	const struct gates *gates = atomic_load_explicit(&auth->gates, memory_order_acquire);
	int rc;

	if (!request->any_host && (rc = check_host(gates, request->host, e))) return rc;
	if ((rc = check_origin(gates, request->origin, request->host, e))) return rc;
	return request->open ? 0 : check_token(gates, request->authorization, e);
}

bool auth_may_read(const struct auth *auth, const char *origin)
{
	return origin_list_has(atomic_load_explicit(&auth->gates, memory_order_acquire)->origins, origin);
}
