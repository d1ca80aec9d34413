/* gunzip.h - the gzip coding of a body (RFC 1952) taken off as it arrives: packed bytes go in, plain ones come out.
 *
 * Several members one after another are one body, as with gzip(1); zeros behind the last one are padding. What the
 * checksum of a member covers comes out before the checksum is seen: nothing that was taken may be kept unless
 * gunzip_end says 0.
 *
 * Against bodies that unpack to far more than was sent there are two limits: on the plain bytes, and on how many plain
 * bytes come of one packed byte (GUNZIP_RATIO_MAX), which is looked at beyond GUNZIP_FREE_BYTES. Text of real
 * measurements packs to a third or a tenth, a table that is nearly all zeros to a few hundredths; deflate ends at 1032.
 *
 * Memory: zlib's window and one piece of output, about 110 KiB.
 */
#ifndef SERVER_CODEC_GUNZIP_H
#define SERVER_CODEC_GUNZIP_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

#define GUNZIP_RATIO_MAX  500
#define GUNZIP_FREE_BYTES (16u << 20)

struct gunzip; /* one reading of one body, by one thread at a time */

/* Takes plain bytes, borrowed for the call; a code other than 0 ends the reading and is what gunzip_feed answers. */
typedef int gunzip_take(void *user, const char *bytes, size_t n, struct err *e);

/* *out is new (gunzip_free). bytes_max: of plain bytes. ERR_NOMEM. */
int gunzip_new(struct gunzip **out, uint64_t bytes_max, gunzip_take *take, void *user, struct err *e);
void gunzip_free(struct gunzip *gunzip); /* NULL is fine */

/* The next packed bytes. ERR_SYNTAX: not gzip, or damaged; ERR_TOO_LARGE: one of the limits; ERR_NOMEM; take's code.
 * Every later call gives the same answer again. */
int gunzip_feed(struct gunzip *gunzip, const char *bytes, size_t n, struct err *e);
/* The body is complete. ERR_SYNTAX: it ends within a member, or has none. */
int gunzip_end(struct gunzip *gunzip, struct err *e);

#endif
