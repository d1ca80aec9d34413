/* buffer.c - growth by doubling. See buffer.h. */
#include "server/buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define BUFFER_FIRST_BYTES 512

/* What a buffer of this capacity has taken. */
static size_t counted(size_t capacity)
{
	return capacity > BUFFER_FREE_BYTES ? capacity : 0;
}

size_t buffer_capacity(uint64_t bytes)
{
	size_t capacity = BUFFER_FIRST_BYTES;

	if (bytes > SIZE_MAX / 4) return SIZE_MAX;
	while (capacity < bytes)
		capacity *= 2;
	return capacity;
}

void buffer_free(struct buffer *b)
{
	memory_give(b->memory, counted(b->capacity));
	free(b->data);
	*b = (struct buffer){ .memory = b->memory };
}

void buffer_reset(struct buffer *b, size_t keep)
{
	b->size = 0;
	b->failed = false;
	if (b->capacity > keep) buffer_free(b);
}

char *buffer_reserve(struct buffer *b, size_t n)
{
	size_t capacity = b->capacity ? b->capacity : BUFFER_FIRST_BYTES;
	char *data;

	if (b->failed) return NULL;
	if (n <= b->capacity - b->size && b->data) return b->data + b->size;
	if (n > SIZE_MAX / 4 - b->size) goto fail;
	while (capacity < b->size + n)
		capacity *= 2;
	if (!memory_take(b->memory, counted(capacity) - counted(b->capacity))) goto fail;
	if (!(data = realloc(b->data, capacity))) {
		memory_give(b->memory, counted(capacity) - counted(b->capacity));
		goto fail;
	}
	b->data = data;
	b->capacity = capacity;
	return b->data + b->size;
fail:
	b->failed = true;
	return NULL;
}

void buffer_printf(struct buffer *b, const char *format, ...)
{
	va_list args;
	char *to;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n < 0 || !(to = buffer_reserve(b, (size_t)n + 1))) return;
	va_start(args, format);
	vsnprintf(to, (size_t)n + 1, format, args);
	va_end(args);
	b->size += (size_t)n;
}
