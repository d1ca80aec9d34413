/* media.c - reads Content-Type and Accept. See media.h. */
#include "server/http/media.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static size_t type_length(const char *text)
{
	size_t n = strcspn(text, ";, \t");

	return n;
}

bool media_is(const char *content_type, const char *media_type)
{
	size_t n;

	if (!content_type) return false;
	content_type += strspn(content_type, " \t");
	n = type_length(content_type);
	return n == strlen(media_type) && !strncasecmp(content_type, media_type, n);
}

static bool same(const char *a, const char *b, size_t n)
{
	return !strncasecmp(a, b, n);
}

bool media_in(const char *content_type, const char *list)
{
	size_t have;

	if (!content_type) return false;
	content_type += strspn(content_type, " \t");
	have = type_length(content_type);
	while (*list) {
		size_t n = strcspn(list, " ");

		if (n == have && same(content_type, list, n)) return true;
		list += n + strspn(list + n, " ");
	}
	return false;
}

/* How closely a media range names a type: 3 exactly, 2 by "type/ *", 1 by "* / *", 0 not at all. */
static int range_fits(const char *range, size_t n, const char *type, size_t type_n)
{
	const char *slash = memchr(type, '/', type_n);
	size_t main_n = slash ? (size_t)(slash - type) + 1 : 0;

	if (n == type_n && same(range, type, n)) return 3;
	if (n == main_n + 1 && range[n - 1] == '*' && same(range, type, main_n)) return 2;
	return n == 3 && !memcmp(range, "*/*", 3);
}

static double quality_of(const char *parameters, size_t n)
{
	for (size_t i = 0; i + 2 < n; i++) {
		if (parameters[i] != ';') continue;
		while (i + 1 < n && (parameters[i + 1] == ' ' || parameters[i + 1] == '\t'))
			i++;
		if (i + 2 < n && (parameters[i + 1] | 0x20) == 'q' && parameters[i + 2] == '=') {
			double q = strtod(parameters + i + 3, NULL);

			return q >= 0 && q <= 1 ? q : 0;
		}
	}
	return 1;
}

static double quality(const char *accept, const char *type, size_t type_n)
{
	double best_quality = 0;
	int best_fit = 0;

	if (!accept || !*accept) return 1;
	while (*accept) {
		size_t n, item, fit;

		accept += strspn(accept, " \t,");
		item = strcspn(accept, ",");
		n = type_length(accept);
		fit = (size_t)range_fits(accept, n, type, type_n);
		if ((int)fit > best_fit) {
			best_fit = (int)fit;
			best_quality = quality_of(accept + n, item - n);
		}
		accept += item;
	}
	return best_quality;
}

double media_quality(const char *accept, const char *media_type)
{
	return quality(accept, media_type, strlen(media_type));
}

const char *media_choose(const char *accept, const char *list, size_t *length)
{
	const char *best = NULL;
	double best_quality = 0;

	while (*list) {
		size_t n = strcspn(list, " ");
		double q = quality(accept, list, n);

		if (q > best_quality) {
			best = list;
			best_quality = q;
			*length = n;
		}
		list += n + strspn(list + n, " ");
	}
	return best;
}
