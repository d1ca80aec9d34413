/* route.c - finds the row of the route table that a request is for. See route.h. */
#include "server/http/route.h"

#include <stdio.h>
#include <string.h>

struct segment {
	const char *text;
	size_t length;
};

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
				return err_set(e, ERR_BAD_REQUEST,
						"the URL has a '%%' that is not followed by two hex digits");
			c = high * 16 + low;
			i += 2;
		} else if (c == '+' && plus_is_space) {
			c = ' ';
		}
		if (c < 0x20 || c == 0x7F)
			return err_set(e, ERR_BAD_REQUEST, "the URL contains a control character (0x%02X)",
					c);
		if (used + 1 >= size)
			return err_set(e, ERR_BAD_REQUEST, "a part of the URL is longer than %zu bytes",
					size - 1);
		out[used++] = (char)c;
	}
	out[used] = 0;
	return 0;
}

static const char *segment_end(const char *text, const char *end)
{
	while (text < end && *text != '/')
		text++;
	return text;
}

/* `{name}` takes a segment of the path up to the pattern's verb. Names have no colon: "iris:predict" is a verb that a
 * row without it does not have. */
static bool value_fits(const char *verb, size_t verb_length, struct segment given, struct segment *value)
{
	if (given.length <= verb_length) return false;
	value->text = given.text;
	value->length = given.length - verb_length;
	return !memcmp(given.text + value->length, verb, verb_length) &&
	       !memchr(value->text, ':', value->length);
}

/* Walks pattern and path together, and most rows end at the first characters that differ. */
static bool row_fits(const struct route *route, const char *path, size_t path_length,
		struct segment values[ROUTE_PARAMS_MAX], struct route_match *match)
{
	const char *at = route->path, *end = path + path_length;

	match->count = 0;
	while (*at) {
		const char *close, *verb_end;
		struct segment given;

		if (*at != '{') {
			if (path == end || *path++ != *at++) return false;
			continue;
		}
		close = strchr(at, '}');
		verb_end = close + 1 + strcspn(close + 1, "/");
		given = (struct segment){ path, (size_t)(segment_end(path, end) - path) };
		if (!value_fits(close + 1, (size_t)(verb_end - close - 1), given, &values[match->count]))
			return false;
		match->names[match->count] = at + 1;
		match->name_lengths[match->count++] = (size_t)(close - at - 1);
		path += given.length;
		at = verb_end;
	}
	return path == end;
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
		rc = route_decode(values[i].text, values[i].length, false, match->values[i],
				ROUTE_PARAM_BYTES, e);
		if (rc) return rc;
		if (strchr(match->values[i], '/'))
			return err_set(e, ERR_BAD_REQUEST,
					"the URL has an encoded slash (%%2F) inside a name");
	}
	return 0;
}

/* The methods of the rows that the path has. */
static void list_methods(const struct route *routes, const char *path, size_t path_length,
		struct route_match *match, char *allow, size_t allow_size)
{
	struct segment values[ROUTE_PARAMS_MAX];

	for (const struct route *route = routes; route->method; route++)
		if (row_fits(route, path, path_length, values, match))
			allow_add(allow, allow_size, route->method);
	if (allow[0]) allow_add(allow, allow_size, "OPTIONS");
}

int route_find(const struct route *routes, const char *method, const char *path, size_t path_length,
		struct route_match *match, char *allow, size_t allow_size, struct err *e)
{
	const char *wanted = strcmp(method, "HEAD") ? method : "GET";
	struct segment values[ROUTE_PARAMS_MAX];

	allow[0] = 0;
	match->route = NULL;
	for (const struct route *route = routes; route->method; route++) {
		if (strcmp(route->method, wanted) || !row_fits(route, path, path_length, values, match))
			continue;
		match->route = route;
		return decode_params(match, values, e);
	}
	list_methods(routes, path, path_length, match, allow, allow_size);
	if (allow[0])
		return err_set(e, ERR_METHOD, "%.*s does not take %.16s; it takes %s",
				(int)(path_length > 128 ? 128 : path_length), path, method, allow);
	return err_set(e, ERR_NO_ROUTE, "there is nothing at %.*s; /openapi.json lists what there is",
			(int)(path_length > 128 ? 128 : path_length), path);
}
