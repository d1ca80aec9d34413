/* origin.h - where a page comes from, as the Origin header says it: SCHEME://HOST[:PORT] (RFC 6454, section 6.1).
 *
 * Pages of one origin may call each other; CORS (the Fetch standard, section 3.2) lets others do so by name.
 */
#ifndef SERVER_AUTH_ORIGIN_H
#define SERVER_AUTH_ORIGIN_H

#include <stdbool.h>

/* Is it the origin of what a Host header names? A browser leaves out the port that a scheme stands for in both. */
bool origin_is_of(const char *origin, const char *host);

/* Lists are origins of http and https, separated by commas, with spaces around them at will; "*" is every origin, "null"
 * too. */
bool origin_list_valid(const char *list);
bool origin_list_has(const char *list, const char *origin); /* NULL has none */

#endif
