/* coding.h - content codings around a handler that knows nothing of them (RFC 9110, section 8.4): it reads plain bodies
 * and writes plain answers. For routes of ROUTE_CODED that are no streams.
 */
#ifndef SERVER_HTTP_CODING_H
#define SERVER_HTTP_CODING_H

#include "server/http/request.h"

#define CODING_BYTES_MIN 1024 /* a shorter answer goes as it is: it fits into one packet either way */

/* What Content-Encoding says; NULL, and "identity": none. False: one that is not known here. */
bool coding_read(const char *said, enum coding *out);

/* Does the client like an answer packed? CODING_NONE: no, or the route does not. */
enum coding coding_wanted(const struct request *rq);

/* Puts the plain bytes in the place of rq->body. It takes time. ERR_SYNTAX, ERR_TOO_LARGE, ERR_NOMEM. */
int coding_unpack(struct request *rq, struct err *e);

/* Packs rp->body if that is wanted and makes it smaller; without memory it stays as it is. It takes time. */
void coding_pack(const struct request *rq, struct reply *rp);

#endif
