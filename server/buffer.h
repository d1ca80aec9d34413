/* buffer.h - bytes that grow: request bodies as they arrive, replies as they are written.
 *
 * A buffer that failed to grow stays failed and swallows what follows, so that a writer of many small pieces
 * checks once, at its end (buffer_ok).
 */
#ifndef SERVER_BUFFER_H
#define SERVER_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "server/memory.h"

#define BUFFER_FREE_BYTES (64u << 10) /* up to here a buffer is not worth to be counted */

struct buffer { /* zeroed is empty; new: buffer_free */
	char *data;
	size_t size, capacity;
	bool failed;
	struct memory *memory; /* where it is counted, set while it is empty; NULL: nowhere */
};

void buffer_free(struct buffer *b);
/* What so many bytes take that come piece by piece; SIZE_MAX: more than there can be. */
size_t buffer_capacity(uint64_t bytes);
/* Empty again; memory above keep bytes is given back. */
void buffer_reset(struct buffer *b, size_t keep);
/* Room for n more bytes behind size, or NULL. The caller adds what it used to b->size. */
char *buffer_reserve(struct buffer *b, size_t n);
void buffer_printf(struct buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

static inline bool buffer_ok(const struct buffer *b)
{
	return !b->failed;
}

static inline void buffer_add(struct buffer *b, const void *data, size_t n)
{
	char *to = buffer_reserve(b, n);

	if (!to || !n) return;
	memcpy(to, data, n);
	b->size += n;
}

static inline void buffer_text(struct buffer *b, const char *text)
{
	buffer_add(b, text, strlen(text));
}

#endif
