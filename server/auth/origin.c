/* origin.c - reads and compares origins. See origin.h. */
#include "server/auth/origin.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "server/auth/host.h"

#define ITEM_SPACES " \t"
#define ITEM_BYTES  300 /* a scheme, the longest name, a port */

static const struct scheme {
	const char *prefix;
	int port;
} schemes[] = { { "http://", 80 }, { "https://", 443 } };

/* NULL: neither of them, or no host behind it. host has a port in any case. */
static const struct scheme *split(const char *origin, struct host *host)
{
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		size_t n = strlen(schemes[i].prefix);

		if (strncasecmp(origin, schemes[i].prefix, n)) continue;
		if (!host_split(origin + n, host)) return NULL;
		if (host->port == HOST_NO_PORT) host->port = schemes[i].port;
		return &schemes[i];
	}
	return NULL;
}

bool origin_is_of(const char *origin, const char *host)
{
	struct host page, ours;
	const struct scheme *scheme = split(origin, &page);

	if (!scheme || !host || !host_split(host, &ours)) return false;
	if (ours.port == HOST_NO_PORT) ours.port = scheme->port;
	return page.port == ours.port && host_same_name(&page, &ours);
}

/* Copies the item at *list, without the spaces around it, and sets *list after its comma, NULL after the last. False: it
 * is too long to be an origin. */
static bool next_item(const char **list, char item[ITEM_BYTES])
{
	const char *from = *list + strspn(*list, ITEM_SPACES);
	size_t n = strcspn(from, ",");

	*list = from[n] ? from + n + 1 : NULL;
	while (n && strchr(ITEM_SPACES, from[n - 1]))
		n--;
	if (n >= ITEM_BYTES) return false;
	memcpy(item, from, n);
	item[n] = 0;
	return true;
}

bool origin_list_valid(const char *list)
{
	char item[ITEM_BYTES];
	struct host host;

	while (list)
		if (!next_item(&list, item) || (strcmp(item, "*") && !split(item, &host))) return false;
	return true;
}

bool origin_list_has(const char *list, const char *origin)
{
	char item[ITEM_BYTES];
	struct host page, listed;
	const struct scheme *scheme = split(origin, &page);

	while (list) {
		if (!next_item(&list, item)) continue;
		if (!strcmp(item, "*")) return true;
		if (scheme && split(item, &listed) == scheme && listed.port == page.port &&
				host_same_name(&page, &listed))
			return true;
	}
	return false;
}
