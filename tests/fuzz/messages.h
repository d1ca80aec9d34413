/* messages.h - HTTP/1.1 messages as RFC 9112 has them, read by somebody who is not the daemon: where each request ends, and
 * whether there is a second way to read it; whether an answer is whole and well-formed.
 */
#ifndef TESTS_FUZZ_MESSAGES_H
#define TESTS_FUZZ_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct piece { /* not NUL-terminated */
	const char *text;
	size_t n;
};

enum message_kind {
	MESSAGE_CLEAN,  /* by the letter */
	MESSAGE_SLOPPY, /* one way to read it, but not by the letter: it may be served or refused */
	MESSAGE_CUT,    /* the bytes end within it */
	MESSAGE_BROKEN, /* none, or more than one: it must be refused, and nothing behind it is a request */
};

struct message {
	enum message_kind kind;
	struct piece method, target; /* of a request */
	unsigned status;             /* of an answer */
	bool old;                    /* HTTP/1.0 */
	bool close, keep;            /* as its Connection headers say */
	bool waits;                  /* Prefer or Expect: its answer may take its time */
	struct piece type, coding;   /* Content-Type, Content-Encoding */
	char *body; /* of an answer: new, without the chunks, NUL-terminated; NULL while it is cut */
	size_t body_size;
	bool headed; /* of an answer: its head is there */
};

/* ---- lines ---- */

static inline void worsen(struct message *m, enum message_kind kind)
{
	if (kind > m->kind) m->kind = kind;
}

/* The line at *at, without its end; false: the bytes end within it. */
static inline bool next_line(const char *bytes, size_t n, size_t *at, struct piece *line, struct message *m)
{
	const char *end = memchr(bytes + *at, '\n', n - *at);

	if (!end) {
		if (memchr(bytes + *at, '\r', n - *at ? n - *at - 1 : 0)) worsen(m, MESSAGE_BROKEN);
		return false;
	}
	*line = (struct piece){ bytes + *at, (size_t)(end - bytes) - *at };
	*at = (size_t)(end - bytes) + 1;
	if (line->n && line->text[line->n - 1] == '\r')
		line->n--;
	else
		worsen(m, MESSAGE_SLOPPY);
	if (memchr(line->text, '\r', line->n) || memchr(line->text, 0, line->n)) worsen(m, MESSAGE_BROKEN);
	return true;
}

static inline bool piece_is(struct piece piece, const char *text)
{
	return piece.n == strlen(text) && !strncasecmp(piece.text, text, piece.n);
}

static inline struct piece trimmed(const char *text, const char *end)
{
	while (text < end && (*text == ' ' || *text == '\t'))
		text++;
	while (end > text && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	return (struct piece){ text, (size_t)(end - text) };
}

/* RFC 9110, section 5.6.2. */
static inline bool piece_is_token(struct piece piece)
{
	for (size_t i = 0; i < piece.n; i++) {
		char ch = piece.text[i];

		if (!(ch >= '0' && ch <= '9') && !((ch | 32) >= 'a' && (ch | 32) <= 'z') &&
				(!ch || !strchr("!#$%&'*+-.^_`|~", ch)))
			return false;
	}
	return piece.n > 0;
}

/* Is a word in a list that is separated by commas? */
static inline bool piece_lists(struct piece list, const char *word)
{
	const char *at = list.text, *end = list.text + list.n;

	while (at < end) {
		const char *comma = memchr(at, ',', (size_t)(end - at));

		if (piece_is(trimmed(at, comma ? comma : end), word)) return true;
		at = comma ? comma + 1 : end;
	}
	return false;
}

/* ---- heads ---- */

struct framing {
	unsigned lengths, codings, hosts;
	uint64_t length;
};

static inline void read_length(struct message *m, struct framing *f, struct piece value)
{
	f->lengths++;
	if (!value.n || value.n > 18) worsen(m, MESSAGE_BROKEN);
	for (size_t i = 0; i < value.n; i++)
		if (value.text[i] < '0' || value.text[i] > '9') worsen(m, MESSAGE_BROKEN);
	if (m->kind < MESSAGE_BROKEN) f->length = strtoull(value.text, NULL, 10);
}

static inline void read_header(struct message *m, struct framing *f, struct piece line)
{
	const char *colon = memchr(line.text, ':', line.n), *end = line.text + line.n;
	struct piece name = { line.text, colon ? (size_t)(colon - line.text) : 0 };
	struct piece value = colon ? trimmed(colon + 1, end) : name;

	if (!piece_is_token(name)) worsen(m, MESSAGE_BROKEN); /* a fold too */
	if (piece_is(name, "Content-Length")) read_length(m, f, value);
	if (piece_is(name, "Transfer-Encoding")) {
		f->codings++;
		if (!piece_is(value, "chunked")) worsen(m, MESSAGE_BROKEN);
	}
	f->hosts += piece_is(name, "Host");
	m->waits |= piece_is(name, "Prefer") || piece_is(name, "Expect");
	if (piece_is(name, "Connection")) {
		m->close |= piece_lists(value, "close");
		m->keep |= piece_lists(value, "keep-alive");
	}
	if (piece_is(name, "Content-Type")) m->type = value;
	if (piece_is(name, "Content-Encoding")) m->coding = value;
}

/* The headers up to the empty line; false: cut. */
static inline bool read_headers(const char *bytes, size_t n, size_t *at, struct message *m, struct framing *f)
{
	struct piece line;

	do {
		if (!next_line(bytes, n, at, &line, m)) return false;
		if (line.n) read_header(m, f, line);
	} while (line.n);
	return true;
}

/* ---- chunks ---- */

static inline bool read_size(struct piece line, uint64_t *size)
{
	size_t digits = 0;

	*size = 0;
	for (; digits < line.n; digits++) {
		char ch = (char)(line.text[digits] | 32);

		if (ch >= '0' && ch <= '9')
			*size = *size * 16 + (uint64_t)(ch - '0');
		else if (ch >= 'a' && ch <= 'f')
			*size = *size * 16 + (uint64_t)(ch - 'a') + 10;
		else
			break;
		if (*size >> 48) return false;
	}
	return digits && (digits == line.n || line.text[digits] == ';');
}

/* What trailers say is of no matter, where they end is. */
static inline bool read_trailers(const char *bytes, size_t n, size_t *at, struct message *m)
{
	struct piece line;

	do {
		if (!next_line(bytes, n, at, &line, m)) return false;
		if (line.n && !memchr(line.text, ':', line.n)) worsen(m, MESSAGE_SLOPPY);
	} while (line.n);
	return true;
}

/* The chunks and the trailers at *at; false: cut, or broken. Bytes go to m->body if that is there. */
static inline bool read_chunks(const char *bytes, size_t n, size_t *at, struct message *m)
{
	struct piece line;
	uint64_t size;

	for (;;) {
		if (!next_line(bytes, n, at, &line, m)) return false;
		if (!read_size(line, &size)) worsen(m, MESSAGE_BROKEN);
		if (m->kind == MESSAGE_BROKEN) return false;
		if (!size) return read_trailers(bytes, n, at, m);
		if (size > n - *at) return false;
		if (m->body) {
			memcpy(m->body + m->body_size, bytes + *at, size);
			m->body_size += size;
		}
		*at += size;
		if (!next_line(bytes, n, at, &line, m)) return false;
		if (line.n) worsen(m, MESSAGE_BROKEN);
	}
}

/* ---- requests ---- */

static inline void read_request_line(struct message *m, struct piece line)
{
	const char *end = line.text + line.n, *first = memchr(line.text, ' ', line.n), *second;

	m->method = (struct piece){ line.text, first ? (size_t)(first - line.text) : line.n };
	second = first ? memchr(first + 1, ' ', (size_t)(end - first - 1)) : NULL;
	if (!second || !piece_is_token(m->method)) {
		worsen(m, MESSAGE_SLOPPY);
		return;
	}
	m->target = (struct piece){ first + 1, (size_t)(second - first - 1) };
	m->old = piece_is((struct piece){ second + 1, (size_t)(end - second - 1) }, "HTTP/1.0");
	if (!m->old && (end - second != 9 || memcmp(second + 1, "HTTP/1.1", 8))) worsen(m, MESSAGE_SLOPPY);
	if (!m->target.n) worsen(m, MESSAGE_SLOPPY);
	for (size_t i = 0; i < m->target.n; i++)
		if ((unsigned char)m->target.text[i] <= ' ' || m->target.text[i] == 0x7F)
			worsen(m, MESSAGE_SLOPPY);
}

/* The request at *at, and *at behind it. False: nothing but empty lines is there. */
static inline bool read_request(const char *bytes, size_t n, size_t *at, struct message *m)
{
	struct framing f = { 0 };
	struct piece line = { NULL, 0 };

	*m = (struct message){ 0 };
	while (!line.n) {
		if (*at == n) return false;
		if (!next_line(bytes, n, at, &line, m)) {
			worsen(m, MESSAGE_CUT);
			return true;
		}
		/* libmicrohttpd takes a line that begins with a NUL for an empty one, and goes on behind it. */
		if (line.n && !*line.text) line.n = m->kind = 0;
		if (!line.n) worsen(m, MESSAGE_SLOPPY);
	}
	read_request_line(m, line);
	if (!read_headers(bytes, n, at, m, &f)) {
		worsen(m, MESSAGE_CUT);
		return true;
	}
	if (f.hosts != 1 || f.lengths + f.codings > 1 || (f.codings && m->old)) worsen(m, MESSAGE_BROKEN);
	if (m->kind == MESSAGE_BROKEN) return true;
	if (f.codings) {
		if (!read_chunks(bytes, n, at, m) && m->kind != MESSAGE_BROKEN) worsen(m, MESSAGE_CUT);
	} else if (f.length > n - *at) {
		worsen(m, MESSAGE_CUT);
	} else
		*at += f.length;
	return true;
}

/* Is the connection over after it, whatever its answer says? */
static inline bool request_ends(const struct message *m)
{
	return m->close || (m->old && !m->keep);
}

/* ---- answers ---- */

static inline bool read_status(struct message *m, struct piece line)
{
	if (line.n < 13 || (memcmp(line.text, "HTTP/1.1 ", 9) && memcmp(line.text, "HTTP/1.0 ", 9)))
		return false;
	m->status = (unsigned)strtoul(line.text + 9, NULL, 10);
	return line.text[12] == ' ' && m->status >= 100 && m->status <= 599;
}

/* The answer at *at, to a HEAD or not, and *at behind it; m->body is new. ended: nothing comes any more. Its kind is
 * MESSAGE_CLEAN, MESSAGE_CUT (then *at stays) or MESSAGE_BROKEN. */
static inline void read_answer(
		const char *bytes, size_t n, size_t *at, bool to_head, bool ended, struct message *m)
{
	size_t begin = *at;
	struct framing f = { 0 };
	struct piece line;

	*m = (struct message){ 0 };
	if (!next_line(bytes, n, at, &line, m)) {
		worsen(m, MESSAGE_CUT);
		goto out;
	}
	if (!read_status(m, line)) worsen(m, MESSAGE_BROKEN);
	if (!read_headers(bytes, n, at, m, &f)) {
		worsen(m, MESSAGE_CUT);
		goto out;
	}
	if (f.lengths + f.codings > 1) worsen(m, MESSAGE_BROKEN);
	m->headed = true;
	if (m->kind != MESSAGE_CLEAN || !(m->body = calloc(1, n + 1))) {
		worsen(m, MESSAGE_BROKEN);
		goto out;
	}
	if (to_head || m->status < 200 || m->status == 204 || m->status == 304) goto out;
	if (f.codings) {
		if (!read_chunks(bytes, n, at, m) && m->kind != MESSAGE_BROKEN) worsen(m, MESSAGE_CUT);
		goto out;
	}
	m->body_size = f.lengths ? f.length : n - *at;
	if (m->body_size > n - *at || (!f.lengths && !ended)) {
		worsen(m, MESSAGE_CUT);
	} else {
		memcpy(m->body, bytes + *at, m->body_size);
		*at += m->body_size;
	}
out:
	if (m->kind == MESSAGE_SLOPPY) m->kind = MESSAGE_BROKEN; /* we say it by the letter */
	if (m->kind == MESSAGE_CLEAN) return;
	*at = begin;
	free(m->body);
	m->body = NULL;
}

#endif
