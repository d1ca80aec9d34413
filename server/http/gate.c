/* gate.c - refuses, before anything else looks at it, a request that two readers could read in two ways.
 *
 * libmicrohttpd accepts Content-Length beside Transfer-Encoding, doubled lengths, unknown codings, two Hosts and
 * names followed by a space, and cuts URLs at %00. A proxy in front of us may have read such a request otherwise:
 * what it took for a body would be our next request. So each is answered 400 and the connection is closed. A lone CR or LF
 * ends a line too, for libmicrohttpd; how the lines lie in its memory tells of it. (Not so between chunks: see headers.c.) Three
 * things do not show there, as a NUL takes the place of each byte: a NUL of the client's in the place of a CR or an LF, and a
 * line of nothing but a colon and an LF, which ends the head. In the same pass the headers that others look at are found, and
 * what white space stands behind their values is cut off.
 */
#include <string.h>
#include <strings.h>

#include "server/http/exchange.h"

#define REQUEST_LINE_MAX (64u << 10) /* above the memory of a connection */
#define LINE_END_BYTES   2           /* CR LF, each of which libmicrohttpd makes a NUL */
#define ANSWER_BYTES     1024        /* of a connection's memory, for the headers of an answer */
#define ENTRY_BYTES      64          /* that libmicrohttpd takes for each header, argument and cookie */

struct header_count {
	struct request *rq;
	unsigned content_length, transfer_encoding, host;
	const char *next;  /* where the line behind this one begins, if CR LF is between them */
	const char *fault; /* the first thing wrong */
};

/* RFC 9110, section 5.6.2: tchar. */
static bool is_token(const char *text, size_t n)
{
	static const bool allowed[256] = { ['0' ... '9'] = true,
		['A' ... 'Z'] = true,
		['a' ... 'z'] = true,
		['!'] = true,
		['#'] = true,
		['$'] = true,
		['%'] = true,
		['&'] = true,
		['\''] = true,
		['*'] = true,
		['+'] = true,
		['-'] = true,
		['.'] = true,
		['^'] = true,
		['_'] = true,
		['`'] = true,
		['|'] = true,
		['~'] = true };

	for (size_t i = 0; i < n; i++)
		if (!allowed[(unsigned char)text[i]]) return false;
	return n > 0;
}

static bool is_digits(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text[i] < '0' || text[i] > '9') return false;
	return n > 0 && n < 19;
}

static void say(struct header_count *count, const char *fault)
{
	if (!count->fault) count->fault = fault;
}

/* White space around a value is none of it (RFC 9110, section 5.5); libmicrohttpd passes over that before it. The value lies in
 * the memory of its connection, which is ours to write to until the request ends. */
static void cut_space(const char *value, size_t n)
{
	char *text = (char *)(uintptr_t)value;

	while (n && (text[n - 1] == ' ' || text[n - 1] == '\t'))
		text[--n] = 0;
}

/* The value of a line stands behind its name, the colon's NUL and white space. One that was folded is put together
 * elsewhere, with nothing between its parts. */
static bool is_folded(const char *name, size_t n, const char *value)
{
	const char *at = name + n + 1;

	return at + strspn(at, " \t") != value;
}

static enum MHD_Result count_header(void *self, enum MHD_ValueKind kind, const char *name, size_t name_n,
		const char *value, size_t value_n)
{
	struct header_count *count = self;

	(void)kind;
	if (!value)
		value = ""; /* only arguments have none: this one lies elsewhere, and is refused as if it were folded */
	if (!is_token(name, name_n))
		say(count, "a header's name contains a space or another character that is not allowed");
	if (memchr(value, '\r', value_n) || memchr(value, '\n', value_n) || memchr(value, 0, value_n))
		say(count, "a header's value contains a control character");
	else if (is_folded(name, name_n, value))
		say(count, "a header's value is folded over lines");
	else if (name != count->next)
		say(count, "a line does not end with CR and LF, or contains a NUL");
	count->next = value + value_n + LINE_END_BYTES;
	switch (request_header(count->rq, name, name_n, value)) {
	case HEADERS: break;
	case HEADER_CONTENT_LENGTH: /* these two as libmicrohttpd has read them: where the body ends goes by them */
		count->content_length++;
		if (!is_digits(value, value_n)) say(count, "Content-Length is not a number");
		break;
	case HEADER_TRANSFER_ENCODING:
		count->transfer_encoding++;
		if (strcasecmp(value, "chunked"))
			say(count, "the only Transfer-Encoding that is read is chunked");
		break;
	case HEADER_HOST: count->host++; /* fall through */
	default: cut_space(value, value_n);
	}
	return MHD_YES;
}

/* Between the method, the URL and the version there is one space, in the place of which a NUL stands now? A NUL of the client's
 * would have ended the string that we were given. (Should they ever be kept in different places, they are far apart.) */
static bool is_cut(const struct exchange *x)
{
	uintptr_t url = (uintptr_t)x->raw_end - strlen(x->url.data);
	uintptr_t before = url - (uintptr_t)x->rq.method,
		  behind = (uintptr_t)x->version - (uintptr_t)x->raw_end;

	return (before != strlen(x->rq.method) + 1 && before < REQUEST_LINE_MAX) ||
	       (behind > 1 && behind < REQUEST_LINE_MAX);
}

/* %00 would cut the URL where libmicrohttpd decodes it, and raw control characters have no place in one. */
static const char *url_fault(const struct exchange *x)
{
	for (const char *at = x->rq.url; *at; at++) {
		if ((unsigned char)*at <= 0x20 || *at == 0x7F)
			return "the URL contains a space or a control character";
		if (at[0] == '%' && at[1] == '0' && at[2] == '0') return "the URL contains %00";
	}
	return is_cut(x) ? "the request line contains a NUL, or more than one space in a row" : NULL;
}

/* A target in absolute form ("http://host/path") names a host as well, and that one counts (RFC 9112, section 3.2.2). Here the header's
 * does, so it must be the same. */
static bool names_another_host(const struct exchange *x)
{
	const char *target = x->url.data, *host = x->rq.headers[HEADER_HOST];
	size_t n;

	if (*target == '/' || !(target = strstr(target, "://"))) return false;
	target += strlen("://");
	n = strcspn(target, "/?");
	return strlen(host) != n || strncasecmp(host, target, n) != 0;
}

/* Of the head, as libmicrohttpd has read it. */
static size_t head_bytes(const struct exchange *x)
{
	const union MHD_ConnectionInfo *info =
			MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

	return info ? info->header_size : 0;
}

/* Where the head ends for libmicrohttpd, it ends for all: behind the empty line, which is next. */
static bool ends_well(const struct exchange *x, const char *next)
{
	return next + LINE_END_BYTES == x->rq.method + head_bytes(x);
}

/* RFC 9110, section 10.1.1. */
static int check_expect(const struct request *rq, struct err *e)
{
	const char *expect = rq->headers[HEADER_EXPECT];

	if (!expect || !strcasecmp(expect, "100-continue")) return 0;
	return err_set(e, ERR_EXPECT,
			"Expect: %.64s is not met here; 100-continue is the only expectation that is",
			expect);
}

/* Cookies are copied. */
static size_t cookie_bytes(const struct exchange *x)
{
	const char *cookie = MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, "Cookie");

	return cookie ? strlen(cookie) : 0;
}

bool gate_room(const struct exchange *x)
{
	size_t room = x->server->config.connection_bytes - ANSWER_BYTES, taken = head_bytes(x);
	int entries;

	if (taken * (1 + ENTRY_BYTES / 2) <= room) return true; /* whatever is in it: "a&" is an argument */
	entries = MHD_get_connection_values(
			x->connection, MHD_HEADER_KIND | MHD_COOKIE_KIND | MHD_GET_ARGUMENT_KIND, NULL, NULL);
	return taken + (size_t)entries * ENTRY_BYTES + cookie_bytes(x) <= room;
}

int gate_check(struct exchange *x, struct err *e)
{
	struct header_count count = { .rq = &x->rq,
		.next = x->version + strlen(x->version) + LINE_END_BYTES };

	MHD_get_connection_values_n(x->connection, MHD_HEADER_KIND, count_header, &count);
	if (!count.fault) count.fault = url_fault(x);
	if (!count.fault && !is_token(x->rq.method, strlen(x->rq.method)))
		count.fault = "the method is not a token";
	if (!count.fault && count.content_length > 1) count.fault = "there are two Content-Length headers";
	if (!count.fault && count.transfer_encoding > 1)
		count.fault = "there are two Transfer-Encoding headers";
	if (!count.fault && count.content_length && count.transfer_encoding)
		count.fault = "there are both a Content-Length and a Transfer-Encoding header";
	if (!count.fault && count.transfer_encoding && !strcmp(x->version, "HTTP/1.0"))
		count.fault = "HTTP/1.0 has no Transfer-Encoding";
	if (!count.fault && count.host > 1) count.fault = "there are two Host headers";
	if (!count.fault && !count.host) count.fault = "there is no Host header";
	if (!count.fault && names_another_host(x))
		count.fault = "the request line and the Host header name different hosts";
	if (!count.fault && !ends_well(x, count.next))
		count.fault = "the last header does not end with CR and LF, or contains a NUL";
	if (!count.fault) return check_expect(&x->rq, e);
	return err_set(e, ERR_BAD_REQUEST, "%s", count.fault);
}
