/* host.c - reads and compares HOST:PORT. See host.h. */
#include "server/auth/host.h"

#include <string.h>
#include <strings.h>

#define LETTERS_AND_DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define NAME_BYTES         LETTERS_AND_DIGITS ".-_"
#define IPV6_BYTES         "0123456789abcdefABCDEF:."
#define NAME_LENGTH_MAX    255 /* of a DNS name */
#define PORT_DIGITS_MAX    5
#define PORT_MAX           65535
#define ITEM_SPACES        " \t"

/* Bytes of the name at the start of text, 0 when there is none. */
static size_t name_length(const char *text)
{
	size_t n;

	if (*text != '[') return strspn(text, NAME_BYTES);
	n = strspn(text + 1, IPV6_BYTES);
	return n && text[n + 1] == ']' ? n + 2 : 0;
}

bool host_split(const char *text, struct host *out)
{
	const char *rest;
	size_t digits;

	*out = (struct host){ .name = text, .length = name_length(text), .port = HOST_NO_PORT };
	if (!out->length || out->length > NAME_LENGTH_MAX) return false;
	rest = text + out->length;
	if (!*rest) return true;
	if (*rest++ != ':') return false;
	digits = strspn(rest, "0123456789");
	if (rest[digits] || digits > PORT_DIGITS_MAX) return false;
	if (!digits) return true;
	out->port = 0;
	while (*rest)
		out->port = out->port * 10 + (*rest++ - '0');
	return out->port <= PORT_MAX;
}

const char *host_socket_path(const char *text)
{
	static const char prefix[] = "unix:";
	size_t n = sizeof prefix - 1;

	return !strncmp(text, prefix, n) && text[n] == '/' ? text + n : NULL;
}

bool host_same_name(const struct host *a, const struct host *b)
{
	return a->length == b->length && !strncasecmp(a->name, b->name, a->length);
}

/* The item at *list, without the spaces around it, and *list after its comma; *list is NULL after the last. */
static struct host next_item(const char **list)
{
	const char *item = *list + strspn(*list, ITEM_SPACES);
	size_t n = strcspn(item, ",");

	*list = item[n] ? item + n + 1 : NULL;
	while (n && strchr(ITEM_SPACES, item[n - 1]))
		n--;
	return (struct host){ .name = item, .length = n, .port = HOST_NO_PORT };
}

static bool is_every(const struct host *item)
{
	return item->length == 1 && *item->name == '*';
}

bool host_list_valid(const char *list)
{
	while (list) {
		struct host item = next_item(&list);

		if (is_every(&item)) continue;
		if (!item.length || item.length > NAME_LENGTH_MAX || name_length(item.name) != item.length)
			return false;
	}
	return true;
}

bool host_list_has(const char *list, const struct host *host)
{
	while (list) {
		struct host item = next_item(&list);

		if (is_every(&item) || host_same_name(&item, host)) return true;
	}
	return false;
}
