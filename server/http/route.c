/* route.c - finds the row of the route table that a request is for. See route.h. */
#include "server/http/route.h"

#include <stdio.h>
#include <string.h>

struct segment {
	const char *text;
	size_t length;
};

static size_t split(const char *path, size_t n, struct segment out[ROUTE_SEGMENTS_MAX])
{
	size_t count = 0, start = 1;

	for (size_t i = 1; i <= n; i++) {
		if (i < n && path[i] != '/') continue;
		if (count == ROUTE_SEGMENTS_MAX) return 0;
		out[count++] = (struct segment){ path + start, i - start };
		start = i + 1;
	}
	return count;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9') return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int route_decode(const char *text, size_t n, bool plus_is_space, char *out, size_t size, struct err *e)
{
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		int c = (unsigned char)text[i];

		if (c == '%') {
			int high = i + 2 < n ? hex(text[i + 1]) : -1;
			int low = i + 2 < n ? hex(text[i + 2]) : -1;

			if (high < 0 || low < 0)
				return err_set(e, ERR_BAD_REQUEST, "the URL has a '%%' that is not followed by two hex digits");
			c = high * 16 + low;
			i += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		if (c < 0x20 || c == 0x7F)
			return err_set(e, ERR_BAD_REQUEST, "the URL contains a control character (0x%02X)", c);
		if (used + 1 >= size)
			return err_set(e, ERR_BAD_REQUEST, "a part of the URL is longer than %zu bytes", size - 1);
		out[used++] = (char)c;
	}
	out[used] = 0;
	return 0;
}

/* Does one path segment fit one of the pattern? A `{name}` takes everything up to the pattern's verb. */
static bool segment_fits(struct segment pattern, struct segment given, struct segment *value)
{
	const char *close;
	size_t verb;

	*value = (struct segment){ 0 };
	if (!pattern.length || pattern.text[0] != '{')
		return pattern.length == given.length && !memcmp(pattern.text, given.text, given.length);
	close = memchr(pattern.text, '}', pattern.length);
	verb = pattern.length - (size_t)(close + 1 - pattern.text);
	if (given.length <= verb || memcmp(given.text + given.length - verb, close + 1, verb)) return false;
	*value = (struct segment){ given.text, given.length - verb };
	/* names have no colon: "iris:predict" is a verb that this row does not have */
	return !memchr(value->text, ':', value->length);
}

static bool row_fits(const struct route *route, const struct segment *given, size_t count,
		struct segment values[ROUTE_PARAMS_MAX], struct route_match *match)
{
	struct segment pattern[ROUTE_SEGMENTS_MAX], value;

	if (split(route->path, strlen(route->path), pattern) != count) return false;
	match->count = 0;
	for (size_t i = 0; i < count; i++) {
		if (!segment_fits(pattern[i], given[i], &value)) return false;
		if (!value.text) continue;
		match->names[match->count] = pattern[i].text + 1;
		match->name_lengths[match->count] =
				(size_t)((const char *)memchr(pattern[i].text, '}', pattern[i].length) - pattern[i].text) -
				1;
		values[match->count++] = value;
	}
	return true;
}

static void allow_add(char *allow, size_t size, const char *method)
{
	size_t used = strlen(allow);

	snprintf(allow + used, size - used, "%s%s", used ? ", " : "", method);
	if (!strcmp(method, "GET")) allow_add(allow, size, "HEAD");
}

static int decode_params(struct route_match *match, const struct segment *values, struct err *e)
{
	int rc;

	for (size_t i = 0; i < match->count; i++) {
		rc = route_decode(values[i].text, values[i].length, false, match->values[i], ROUTE_PARAM_BYTES, e);
		if (rc) return rc;
		if (strchr(match->values[i], '/'))
			return err_set(e, ERR_BAD_REQUEST, "the URL has an encoded slash (%%2F) inside a name");
	}
	return 0;
}

int route_find(const struct route *routes, const char *method, const char *path, size_t path_length,
		struct route_match *match, char *allow, size_t allow_size, struct err *e)
{
	struct segment given[ROUTE_SEGMENTS_MAX], values[ROUTE_PARAMS_MAX];
	bool head = !strcmp(method, "HEAD");
	size_t count;

	allow[0] = 0;
	match->route = NULL;
	if (!path_length || path[0] != '/' || !(count = split(path, path_length, given))) goto none;
	for (const struct route *route = routes; route->method; route++) {
		if (!row_fits(route, given, count, values, match)) continue;
		if (!strcmp(route->method, head ? "GET" : method)) {
			match->route = route;
			return decode_params(match, values, e);
		}
		allow_add(allow, allow_size, route->method);
	}
	if (allow[0]) {
		allow_add(allow, allow_size, "OPTIONS");
		return err_set(e, ERR_METHOD, "%.*s does not take %.16s; it takes %s",
				(int)(path_length > 128 ? 128 : path_length), path, method, allow);
	}
none:
	return err_set(e, ERR_NO_ROUTE, "there is nothing at %.*s; /openapi.json lists what there is",
			(int)(path_length > 128 ? 128 : path_length), path);
}
