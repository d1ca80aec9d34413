/* incoming.h - the body of an upload on its way: unpacked, hashed, read as what its media type says, stored where nobody
 * sees it before the last commit.
 */
#ifndef SERVER_API_INCOMING_H
#define SERVER_API_INCOMING_H

#include <stdbool.h>

#include "server/api/idempotency.h"
#include "server/api/upload.h"
#include "server/codec/body.h"
#include "server/http/request.h"
#include "server/http/unpack.h"

struct incoming { /* its address must not change */
	struct upload upload;
	struct body *body;     /* NULL: the bytes are only hashed */
	struct unpack *unpack; /* NULL: they come as they are */
	struct sha256_ctx hash;
	uint64_t bytes;      /* plain ones */
	const char *dataset; /* what they are for, as in incoming_room */
	bool replace;
	const struct store_revision *base;
	struct memory *memory;
	uint64_t taken, words; /* of it; in all, and for dictionaries */
};

/* Takes a zeroed struct. keep: rows will go into in->upload, which the caller begins before the first byte; else bytes
 * are only counted and hashed. Media type, coding, ?types and ?decimal are the request's. ERR_BUSY: there is no memory
 * for it now; ERR_TOO_LARGE: nor would there be for it alone; as the bytes come, too. On error incoming_clear is still due. */
int incoming_open(struct incoming *in, const struct request *rq, bool keep, struct faults *faults,
		struct err *e);
/* When in->upload was begun and has its token: is there room for what comes, by what the headers say of its length? It is
 * asked again as the bytes come. dataset, replace, base as in upload_room, all borrowed; errors too. */
int incoming_room(struct incoming *in, const struct request *rq, const char *dataset, bool replace,
		const struct store_revision *base, struct err *e);
int incoming_data(struct incoming *in, const char *bytes, size_t n, struct err *e);
/* The body is complete: of the plain bytes, sha256 is the digest in hex. */
int incoming_end(struct incoming *in, char sha256[2 * SHA256_DIGEST_SIZE + 1], struct err *e);
/* After the end: the commit notes the request's key. location: of the data set, if the commit makes it; borrowed. */
void incoming_note(struct incoming *in, const struct idempotency *key, const char *location);
void incoming_clear(struct incoming *in); /* what was not committed is swept */

#endif
