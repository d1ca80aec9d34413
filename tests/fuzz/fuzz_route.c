/* fuzz_route.c - libFuzzer on what a client says outside of its body: path, query and headers.
 *
 * The first byte chooses who reads the rest, which is a text. A path is looked for in the daemon's own table: what is found,
 * with its names written as %XX, finds the same row and the same names. A decoded text is encoded and decoded to the same.
 * What media_choose chooses is in its list and no worse than the others. A span that is begun is a traceparent that begins
 * another one. The seeds lie in tests/fuzz/corpus/route.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/api/api.h"
#include "server/http/coding.h"
#include "server/http/media.h"
#include "server/http/trace.h"

#define ALLOW_BYTES 128
#define PATH_BYTES  8192

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition) abort();
}

static bool is_clean(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7F) return false;
	return true;
}

/* text as %XX, each byte of it; returns the end. */
static char *encode(const char *text, char *out)
{
	for (; *text; text++)
		out += sprintf(out, "%%%02X", (unsigned char)*text);
	return out;
}

/* ---- paths ---- */

/* The path that a match says. */
static size_t path_of(const struct route_match *match, char out[PATH_BYTES])
{
	const char *at = match->route->path;
	char *to = out;

	for (size_t i = 0; *at;)
		if (*at != '{') {
			*to++ = *at++;
		} else {
			to = encode(match->values[i++], to);
			at = strchr(at, '}') + 1;
		}
	return (size_t)(to - out);
}

static void check_match(const struct route *table, const char *method, const struct route_match *match)
{
	static struct route_match again;
	char path[PATH_BYTES], allow[ALLOW_BYTES];
	size_t n = path_of(match, path);

	require(match->count <= ROUTE_PARAMS_MAX && !strcmp(match->route->method, method));
	require(!route_find(table, method, path, n, &again, allow, sizeof allow, NULL));
	require(again.route == match->route && again.count == match->count);
	for (size_t i = 0; i < match->count; i++) {
		require(is_clean(match->values[i]) && *match->values[i] && !strchr(match->values[i], '/'));
		require(!strcmp(match->values[i], again.values[i]));
	}
}

static void check_path(const char *path, size_t n)
{
	static const char *const methods[] = { "GET", "PUT", "POST", "PATCH", "DELETE" };
	static struct route *table;
	static struct route_match match;
	char allow[ALLOW_BYTES], seen[ALLOW_BYTES];
	struct err e;

	if (!table) require((table = api_routes(&(struct app){ 0 })) != NULL);
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		int rc = route_find(table, methods[i], path, n, &match, allow, sizeof allow, &e);

		require(!rc || *e.text);
		require((rc == ERR_METHOD) == (*allow != 0) && strlen(allow) < sizeof allow - 1);
		require(!*allow || !strstr(allow, methods[i]));
		if (!rc) check_match(table, methods[i], &match);
		if (i && *allow && *seen && rc == ERR_METHOD) require(!strcmp(allow, seen));
		memcpy(seen, allow, sizeof seen);
	}
}

static void check_decode(const char *text, size_t n, bool plus_is_space)
{
	char *out = malloc(n + 1), *encoded = malloc(3 * n + 1), *again = malloc(n + 1);
	size_t length;
	struct err e = { "" };

	if (!out || !encoded || !again) abort();
	if (route_decode(text, n, plus_is_space, out, n + 1, &e)) {
		require(*e.text);
	} else {
		length = (size_t)(encode(out, encoded) - encoded);
		require(strlen(out) <= n && is_clean(out));
		require(!route_decode(encoded, length, plus_is_space, again, n + 1, NULL) &&
				!strcmp(out, again));
		require(!*out || route_decode(encoded, length, false, again, strlen(out), NULL));
	}
	free(out);
	free(encoded);
	free(again);
}

/* ---- headers ---- */

static void check_media(const char *header)
{
	static const char *const types[] = { "application/json", "text/csv", "text/plain", NULL };
	static const char list[] = "application/json text/csv text/plain";
	const char *chosen;
	double best = 0;
	size_t length = 0;

	for (size_t i = 0; types[i]; i++) {
		double quality = media_quality(header, types[i]);

		require(quality >= 0 && quality <= 1);
		require(media_is(header, types[i]) <= media_in(header, list));
		if (quality > best) best = quality;
	}
	chosen = media_choose(header, list, &length);
	require(!chosen == !(best > 0));
	for (size_t i = 0; chosen && types[i]; i++)
		if (length == strlen(types[i]) && !memcmp(chosen, types[i], length)) {
			require(media_quality(header, types[i]) == best);
			return;
		}
	require(!chosen);
}

static void check_trace(const char *header)
{
	struct trace trace, next;
	char text[TRACE_TEXT_BYTES];

	if (!trace_begin(header, &trace)) {
		require(!*trace.span_id);
		return;
	}
	trace_text(&trace, text);
	require(strlen(text) == TRACE_TEXT_BYTES - 1 && trace_begin(text, &next));
	require(!strcmp(next.trace_id, trace.trace_id) && !strcmp(next.parent_id, trace.span_id) &&
			!strcmp(next.flags, trace.flags));
}

static void check_coding(const char *header)
{
	enum coding coding, again;

	if (!coding_read(header, &coding))
		require(coding == CODING_NONE);
	else if (coding != CODING_NONE)
		require(coding_read(coding_forms[coding].name, &again) && again == coding);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text; /* a header ends with a NUL, a path where it ends */
	size_t n;

	if (!size || !(text = malloc(size))) return 0;
	n = size - 1;
	memcpy(text, data + 1, n);
	switch (data[0] % 4) {
	case 0: check_decode(text, n, data[0] & 4); break;
	case 1: check_path(text, n); break;
	default:
		text[n] = 0;
		check_media(text);
		check_trace(text);
		check_coding(text);
	}
	free(text);
	return 0;
}
