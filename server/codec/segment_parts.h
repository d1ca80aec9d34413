/* segment_parts.h - what the two files of segments share; nobody else includes it.
 *
 * segment.c has headers, codes and dictionaries, segment_numbers.c the numbers.
 */
#ifndef SERVER_CODEC_SEGMENT_PARTS_H
#define SERVER_CODEC_SEGMENT_PARTS_H

#include "server/codec/segment.h"

/* The first byte of what is stored: these numbers never change their meaning. */
enum segment_kind {
	KIND_FLOAT = 1,
	KIND_DOUBLE,
	KIND_CODE8,
	KIND_CODE16,
	KIND_CODE32,
	KIND_DICTIONARY,
	KIND_SCALED8,
	KIND_SCALED16,
	KIND_SCALED32,
	KINDS
};

#define SEGMENT_PLACES_AT  1 /* of a scaled segment's header */
#define SEGMENT_ROWS_AT    4
#define SEGMENT_PLACES_MAX 9
#define SEGMENT_BASE_BYTES 8 /* between the header and the elements of a scaled segment */

/* Makes *bytes with its header and room for body_bytes behind it. ERR_NOMEM. */
int segment_begin(enum segment_kind kind, size_t count, size_t body_bytes, unsigned char **bytes,
		size_t *size, struct err *e);
int segment_corrupt(struct err *e, const char *what); /* returns ERR_CORRUPT */

#endif
