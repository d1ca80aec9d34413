/* host.h - HOST and HOST:PORT as Host headers, origins, --listen and --allow-host write them.
 *
 * Read strictly, for what is compared here decides who may come in: a name of letters, digits, dots, hyphens and
 * underscores, or an IPv6 address in brackets; then nothing, or a colon and a port.
 */
#ifndef SERVER_AUTH_HOST_H
#define SERVER_AUTH_HOST_H

#include <stdbool.h>
#include <stddef.h>

#define HOST_NO_PORT -1

struct host {
	const char *name; /* in the text that was split, with the brackets of an IPv6 address */
	size_t length;
	int port; /* 0 to 65535, or HOST_NO_PORT */
};

/* false when the text is neither HOST nor HOST:PORT. A colon without a port counts as no port (RFC 3986). */
bool host_split(const char *text, struct host *out);
/* The path of "unix:/PATH", which is no host; NULL: text is something else. */
const char *host_socket_path(const char *text);
/* The same name, letters' case ignored, whatever the ports. */
bool host_same_name(const struct host *a, const struct host *b);

/* Lists are hosts without ports, separated by commas, with spaces around them at will; "*" is every host. */
bool host_list_valid(const char *list);
bool host_list_has(const char *list, const struct host *host);

#endif
