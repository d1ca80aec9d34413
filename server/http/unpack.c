/* unpack.c - zlib's inflate, one member after another. See unpack.h.
 *
 * Output goes on whenever a piece is full or a member ends, so the plain bytes are cut at the same places however the
 * packed ones were; there too the limits are looked at.
 */
#include "server/http/unpack.h"

#include <stdbool.h>
#include <stdlib.h>
#include <zlib.h>

#define PIECE_BYTES (64u << 10)

const struct coding_form coding_forms[CODINGS] = {
	[CODING_GZIP] = { "gzip", "gzip", 15 + 16 },
	[CODING_DEFLATE] = { "deflate", "zlib", 15 },
};

struct unpack {
	z_stream zlib;
	enum coding coding;
	unpack_take *take;
	void *user;
	uint64_t bytes_max, packed, plain; /* packed: taken in before the present call */
	bool within;                       /* a member has begun and not ended */
	bool some;                         /* a member has ended */
	bool padding;                      /* zeros after it */
	bool more; /* the last piece was full: zlib may have more to give without input */
	int ended; /* the code that ended the reading */
	struct err why;
	unsigned char piece[PIECE_BYTES];
};

int unpack_new(struct unpack **out, enum coding coding, uint64_t bytes_max, unpack_take *take, void *user,
		struct err *e)
{
	struct unpack *unpack = calloc(1, sizeof *unpack);

	*out = NULL;
	if (!unpack) return err_nomem(e);
	if (inflateInit2(&unpack->zlib, coding_forms[coding].window_bits) != Z_OK) {
		free(unpack);
		return err_nomem(e);
	}
	unpack->coding = coding;
	unpack->bytes_max = bytes_max;
	unpack->take = take;
	unpack->user = user;
	unpack->zlib.next_out = unpack->piece;
	unpack->zlib.avail_out = PIECE_BYTES;
	*out = unpack;
	return 0;
}

void unpack_free(struct unpack *unpack)
{
	if (!unpack) return;
	inflateEnd(&unpack->zlib);
	free(unpack);
}

/* ---- what comes out ---- */

/* packed counts up to the byte that filled the piece. */
static int check_limits(const struct unpack *unpack, uint64_t packed, struct err *e)
{
	if (unpack->plain > unpack->bytes_max)
		return err_set(e, ERR_TOO_LARGE,
				"the body unpacks to more than %llu bytes, the most that are read here",
				(unsigned long long)unpack->bytes_max);
	if (unpack->plain > UNPACK_FREE_BYTES && unpack->plain / UNPACK_RATIO_MAX > packed)
		return err_set(e, ERR_TOO_LARGE,
				"the body unpacks to more than %d times its size, as no real table does; send it unpacked",
				UNPACK_RATIO_MAX);
	return 0;
}

static int hand_on(struct unpack *unpack, uint64_t packed, struct err *e)
{
	size_t n = PIECE_BYTES - unpack->zlib.avail_out;
	int rc;

	unpack->plain += n;
	unpack->zlib.next_out = unpack->piece;
	unpack->zlib.avail_out = PIECE_BYTES;
	if ((rc = check_limits(unpack, packed, e))) return rc;
	return n ? unpack->take(unpack->user, (const char *)unpack->piece, n, e) : 0;
}

/* ---- what goes in ---- */

/* Between members: passes over padding, or starts the next one. */
static int begin_member(struct unpack *unpack, uint64_t at, struct err *e)
{
	if (unpack->some && unpack->coding == CODING_DEFLATE)
		return err_set(e, ERR_SYNTAX,
				"byte %llu of the body follows the end of its zlib data; nothing may",
				(unsigned long long)at);
	if (unpack->some && !*unpack->zlib.next_in) {
		unpack->padding = true;
		unpack->zlib.next_in++;
		unpack->zlib.avail_in--;
		return 0;
	}
	if (unpack->padding)
		return err_set(e, ERR_SYNTAX,
				"byte %llu of the body follows the zeros behind gzip data; nothing may",
				(unsigned long long)at);
	if (unpack->some && inflateReset(&unpack->zlib) != Z_OK) return err_nomem(e);
	unpack->within = true;
	return 0;
}

static int inflate_some(struct unpack *unpack, uint64_t before, size_t n, struct err *e)
{
	int rc = inflate(&unpack->zlib, Z_NO_FLUSH);
	uint64_t at = before + n - unpack->zlib.avail_in;

	if (rc == Z_MEM_ERROR) return err_nomem(e);
	if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
		return err_set(e, ERR_SYNTAX,
				"the body is not whole %s data as Content-Encoding says (%s, near byte %llu); pack it again "
				"or send it unpacked",
				coding_forms[unpack->coding].data,
				unpack->zlib.msg ? unpack->zlib.msg : "damaged", (unsigned long long)at);
	if (rc == Z_STREAM_END) {
		unpack->within = false;
		unpack->some = true;
	}
	unpack->more = !unpack->zlib.avail_out;
	return rc == Z_STREAM_END || unpack->more ? hand_on(unpack, at, e) : 0;
}

static int feed(struct unpack *unpack, const char *bytes, size_t n, struct err *e)
{
	uint64_t before = unpack->packed;
	int rc = 0;

	unpack->zlib.next_in = (z_const Bytef *)(uintptr_t)bytes;
	unpack->zlib.avail_in = (uInt)n;
	while (!rc && (unpack->zlib.avail_in || (unpack->within && unpack->more))) {
		if (!unpack->within)
			rc = begin_member(unpack, before + n - unpack->zlib.avail_in, e);
		else
			rc = inflate_some(unpack, before, n, e);
	}
	unpack->packed += n;
	return rc;
}

/* Remembers what ended the reading, and says it to the caller. */
static int conclude(struct unpack *unpack, int rc, struct err *e)
{
	unpack->ended = rc;
	if (rc && e) *e = unpack->why;
	return rc;
}

int unpack_feed(struct unpack *unpack, const char *bytes, size_t n, struct err *e)
{
	int rc = unpack->ended;

	for (size_t piece; n && !rc; bytes += piece, n -= piece) { /* zlib counts in unsigned int */
		piece = n < PIECE_BYTES ? n : PIECE_BYTES;
		rc = feed(unpack, bytes, piece, &unpack->why);
	}
	return conclude(unpack, rc, e);
}

int unpack_end(struct unpack *unpack, struct err *e)
{
	int rc = unpack->ended;

	if (!rc && (unpack->within || !unpack->some))
		rc = err_set(&unpack->why, ERR_SYNTAX,
				"the %s data end after %llu bytes, before they are complete; send the whole body",
				coding_forms[unpack->coding].data, (unsigned long long)unpack->packed);
	return conclude(unpack, rc, e);
}
