/* gunzip.c - zlib's inflate, one member after another. See gunzip.h.
 *
 * Output goes on whenever a piece is full or a member ends, so the plain bytes are cut at the same places however the
 * packed ones were; there too the limits are looked at.
 */
#include "server/codec/gunzip.h"

#include <stdbool.h>
#include <stdlib.h>
#include <zlib.h>

#define PIECE_BYTES      (64u << 10)
#define GZIP_WINDOW_BITS (15 + 16) /* the largest window, and gzip's header and trailer around it (zlib.h) */

struct gunzip {
	z_stream zlib;
	gunzip_take *take;
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

int gunzip_new(struct gunzip **out, uint64_t bytes_max, gunzip_take *take, void *user, struct err *e)
{
	struct gunzip *gunzip = calloc(1, sizeof *gunzip);

	*out = NULL;
	if (!gunzip) return err_nomem(e);
	if (inflateInit2(&gunzip->zlib, GZIP_WINDOW_BITS) != Z_OK) {
		free(gunzip);
		return err_nomem(e);
	}
	gunzip->bytes_max = bytes_max;
	gunzip->take = take;
	gunzip->user = user;
	gunzip->zlib.next_out = gunzip->piece;
	gunzip->zlib.avail_out = PIECE_BYTES;
	*out = gunzip;
	return 0;
}

void gunzip_free(struct gunzip *gunzip)
{
	if (!gunzip) return;
	inflateEnd(&gunzip->zlib);
	free(gunzip);
}

/* ---- what comes out ---- */

/* packed counts up to the byte that filled the piece. */
static int check_limits(const struct gunzip *gunzip, uint64_t packed, struct err *e)
{
	if (gunzip->plain > gunzip->bytes_max)
		return err_set(e, ERR_TOO_LARGE,
				"the body unpacks to more than %llu bytes, the most that are read here (--max-upload)",
				(unsigned long long)gunzip->bytes_max);
	if (gunzip->plain > GUNZIP_FREE_BYTES && gunzip->plain / GUNZIP_RATIO_MAX > packed)
		return err_set(e, ERR_TOO_LARGE,
				"the body unpacks to more than %d times its size, as no real table does; send it without gzip",
				GUNZIP_RATIO_MAX);
	return 0;
}

static int hand_on(struct gunzip *gunzip, uint64_t packed, struct err *e)
{
	size_t n = PIECE_BYTES - gunzip->zlib.avail_out;
	int rc;

	gunzip->plain += n;
	gunzip->zlib.next_out = gunzip->piece;
	gunzip->zlib.avail_out = PIECE_BYTES;
	if ((rc = check_limits(gunzip, packed, e))) return rc;
	return n ? gunzip->take(gunzip->user, (const char *)gunzip->piece, n, e) : 0;
}

/* ---- what goes in ---- */

/* Between members: passes over padding, or starts the next one. */
static int begin_member(struct gunzip *gunzip, uint64_t at, struct err *e)
{
	if (gunzip->some && !*gunzip->zlib.next_in) {
		gunzip->padding = true;
		gunzip->zlib.next_in++;
		gunzip->zlib.avail_in--;
		return 0;
	}
	if (gunzip->padding)
		return err_set(e, ERR_SYNTAX,
				"byte %llu of the body follows the zeros behind gzip data; nothing may",
				(unsigned long long)at);
	if (gunzip->some && inflateReset(&gunzip->zlib) != Z_OK) return err_nomem(e);
	gunzip->within = true;
	return 0;
}

static int inflate_some(struct gunzip *gunzip, uint64_t before, size_t n, struct err *e)
{
	int rc = inflate(&gunzip->zlib, Z_NO_FLUSH);
	uint64_t at = before + n - gunzip->zlib.avail_in;

	if (rc == Z_MEM_ERROR) return err_nomem(e);
	if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
		return err_set(e, ERR_SYNTAX,
				"the body is not whole gzip data as Content-Encoding says (%s, near byte %llu); pack it again "
				"or send it without gzip",
				gunzip->zlib.msg ? gunzip->zlib.msg : "damaged", (unsigned long long)at);
	if (rc == Z_STREAM_END) {
		gunzip->within = false;
		gunzip->some = true;
	}
	gunzip->more = !gunzip->zlib.avail_out;
	return rc == Z_STREAM_END || gunzip->more ? hand_on(gunzip, at, e) : 0;
}

static int feed(struct gunzip *gunzip, const char *bytes, size_t n, struct err *e)
{
	uint64_t before = gunzip->packed;
	int rc = 0;

	gunzip->zlib.next_in = (z_const Bytef *)(uintptr_t)bytes;
	gunzip->zlib.avail_in = (uInt)n;
	while (!rc && (gunzip->zlib.avail_in || (gunzip->within && gunzip->more))) {
		if (!gunzip->within)
			rc = begin_member(gunzip, before + n - gunzip->zlib.avail_in, e);
		else
			rc = inflate_some(gunzip, before, n, e);
	}
	gunzip->packed += n;
	return rc;
}

/* Remembers what ended the reading, and says it to the caller. */
static int conclude(struct gunzip *gunzip, int rc, struct err *e)
{
	gunzip->ended = rc;
	if (rc && e) *e = gunzip->why;
	return rc;
}

int gunzip_feed(struct gunzip *gunzip, const char *bytes, size_t n, struct err *e)
{
	int rc = gunzip->ended;

	for (size_t piece; n && !rc; bytes += piece, n -= piece) { /* zlib counts in unsigned int */
		piece = n < PIECE_BYTES ? n : PIECE_BYTES;
		rc = feed(gunzip, bytes, piece, &gunzip->why);
	}
	return conclude(gunzip, rc, e);
}

int gunzip_end(struct gunzip *gunzip, struct err *e)
{
	int rc = gunzip->ended;

	if (!rc && (gunzip->within || !gunzip->some))
		rc = err_set(&gunzip->why, ERR_SYNTAX,
				"the gzip data end after %llu bytes, before they are complete; send the whole body",
				(unsigned long long)gunzip->packed);
	return conclude(gunzip, rc, e);
}
