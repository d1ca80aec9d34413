/* scan.h - JSON without a tree: where the members of an object lie in a text that was checked once.
 *
 * scan_check reads the whole text by RFC 8259 with a bound on depth, so that everything after it may walk the
 * text without looking for syntax errors again. Positions point into the text; nothing is copied or allocated.
 * What is left to the walker: keys that are there twice, and numbers that no double can hold.
 */
#ifndef SERVER_CODEC_SCAN_H
#define SERVER_CODEC_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "core/err.h"

struct scan_value { /* a piece of a checked text: from its first character to behind its last */
	const char *at, *end;
};

/* Is the text one JSON value (UTF-8, nesting at most JSON_DEPTH_MAX, no more than white space around it)? ERR_JSON,
 * with line and column. *value is the value without the white space. As in json_read, no string has a \u0000 or
 * half of a surrogate pair: every one can be decoded. */
int scan_check(const char *text, size_t size, struct scan_value *value, struct err *e);

/* The same, but a text that is none of that is answered with false, *at, where it goes wrong, and *why, static. */
bool scan_look(const char *text, size_t size, struct scan_value *value, const char **at, const char **why);

/* Where a value ends of which the text still arrives. Zeroed at its first byte; the same bytes, and more, are shown
 * again in each call, and may lie elsewhere then. */
struct scan_frame {
	size_t at;    /* so many bytes were looked at */
	size_t depth; /* open brackets */
	bool string;  /* within one */
};
/* Does text[0..size), which begins with a value, have all of it? frame->at is its length then. A number or a word ends
 * with the byte behind it. Nothing is checked: what is not JSON gets some end, and scan_look the last word. */
bool scan_frame_next(struct scan_frame *frame, const char *text, size_t size);

/* Of a checked text: the members of an object and the items of an array, one after another.
 *	for (struct scan_iter i = scan_begin(v); scan_next(&i);) … i.key … i.value */
struct scan_iter {
	const char *at, *end;
	bool object;
	struct scan_value key; /* of an object's member: the string with its quotes */
	struct scan_value value;
};
struct scan_iter scan_begin(struct scan_value container);
bool scan_next(struct scan_iter *iter);

/* The steps under scan_next, for a walker that reads values as it goes. scan_space: past the white space within a
 * container. scan_skip: behind the value that starts at `at`; end is where the text, or a container around, ends. */
static inline const char *scan_space(const char *at)
{
	while (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')
		at++;
	return at;
}
const char *scan_skip(const char *at, const char *end);

/* '{' '[' '"' 't' 'f' 'n', or '0' for a number */
static inline char scan_kind(struct scan_value v)
{
	char c = *v.at; /* NOLINT(clang-analyzer-core.NullDereference): what was not found is not asked */

	return c == '-' || (c >= '0' && c <= '9') ? '0' : c;
}

/* Is the string (with its quotes and escapes) this text? */
bool scan_equals(struct scan_value string, const char *text);
/* The text of a string: borrowed from the JSON text when it has no escapes, else decoded into room (at least
 * string.end - string.at bytes). Returns the length; no NUL is written. */
size_t scan_string(struct scan_value string, const char **text, char *room);

#endif
