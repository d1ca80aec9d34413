/* unpack.h - the coding of a body, gzip (RFC 1952) or deflate (zlib's form, RFC 1950), taken off as it arrives: packed
 * bytes go in, plain ones come out.
 *
 * Several members of gzip one after another are one body, as with gzip(1); zeros behind the last one are padding. What the
 * checksum of a member covers comes out before the checksum is seen: nothing that was taken may be kept unless
 * unpack_end says 0.
 *
 * Against bodies that unpack to far more than was sent there are two limits: on the plain bytes, and on how many plain
 * bytes come of one packed byte (UNPACK_RATIO_MAX), which is looked at beyond UNPACK_FREE_BYTES. Text of real
 * measurements packs to a third or a tenth, a table that is nearly all zeros to a few hundredths; deflate ends at 1032.
 *
 * Memory: zlib's window and one piece of output, about 110 KiB.
 */
#ifndef SERVER_HTTP_UNPACK_H
#define SERVER_HTTP_UNPACK_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

#define UNPACK_RATIO_MAX  500
#define UNPACK_FREE_BYTES (16u << 20)

enum coding { CODING_NONE, CODING_GZIP, CODING_DEFLATE, CODINGS }; /* RFC 9110, section 8.4.1 */
extern const struct coding_form {
	const char *name, *data; /* of the coding, and of what it packs in */
	int window_bits;         /* zlib's: the largest window, and which header and trailer are around it */
} coding_forms[CODINGS];         /* none has no name */

struct unpack; /* one reading of one body, by one thread at a time */

/* Takes plain bytes, borrowed for the call; a code other than 0 ends the reading and is what unpack_feed answers. */
typedef int unpack_take(void *user, const char *bytes, size_t n, struct err *e);

/* *out is new (unpack_free). coding is none but gzip or deflate; bytes_max: of plain bytes. ERR_NOMEM. */
int unpack_new(struct unpack **out, enum coding coding, uint64_t bytes_max, unpack_take *take, void *user,
		struct err *e);
void unpack_free(struct unpack *unpack); /* NULL is fine */

/* The next packed bytes. ERR_SYNTAX: not of that coding, or damaged; ERR_TOO_LARGE: one of the limits; ERR_NOMEM; take's code.
 * Every later call gives the same answer again. */
int unpack_feed(struct unpack *unpack, const char *bytes, size_t n, struct err *e);
/* The body is complete. ERR_SYNTAX: it ends within a member, or has none. */
int unpack_end(struct unpack *unpack, struct err *e);

#endif
