/* post.h - a small client: one POST to a server of the neighbourhood, over plain HTTP.
 *
 * What it does not do, on purpose: TLS, redirects, proxies, connections that are kept. Nothing of the answer is looked at but
 * its status.
 */
#ifndef SERVER_HTTP_POST_H
#define SERVER_HTTP_POST_H

#include <stdatomic.h>
#include <stddef.h>

#include "core/err.h"

#define POST_PATH_MAX 2048

struct post_url {
	char host[256];  /* without the brackets of an IPv6 address */
	char place[272]; /* HOST or HOST:PORT, as a Host header says it */
	char port[6];
	char target[POST_PATH_MAX]; /* path and query; "/" when there is none */
};
/* Reads http://HOST[:PORT][/PATH][?QUERY]. ERR_INVALID: it is not one, with the reason: another scheme, a user's name or
 * password, a fragment, a character that must be escaped, too long. */
int post_url_read(const char *text, struct post_url *out, struct err *e);

struct post { /* borrowed for the call */
	const struct post_url *url;
	const char *headers; /* lines ended by CRLF, besides Host, Content-Length and Connection */
	const char *body;
	size_t size;
	int timeout_ms;          /* for all of it together, but for the look-up of the name */
	const atomic_bool *stop; /* ends it within a moment */
};
/* *status is that of the answer. ERR_IO: there was none; ERR_STOPPED. */
int post_send(const struct post *post, unsigned *status, struct err *e);

#endif
