/* media.h - media types: Content-Type and Accept (RFC 9110, sections 8.3 and 12.5.1). */
#ifndef SERVER_HTTP_MEDIA_H
#define SERVER_HTTP_MEDIA_H

#include <stdbool.h>
#include <stddef.h>

/* Is the media type of a Content-Type header (its parameters left out) this one? */
bool media_is(const char *content_type, const char *media_type);
/* Is it one of a list separated by spaces? */
bool media_in(const char *content_type, const char *list);
/* The quality, 0 to 1, that an Accept header gives to a media type; the most specific range counts. A missing
 * header (NULL) accepts everything. */
double media_quality(const char *accept, const char *media_type);
/* The type of a list separated by spaces that Accept likes best, the earlier of equals; NULL when it likes none.
 * *length is its length. */
const char *media_choose(const char *accept, const char *list, size_t *length);

#endif
