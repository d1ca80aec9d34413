/* little.h - whole numbers as little-endian bytes, at any address. */
#ifndef SERVER_CODEC_LITTLE_H
#define SERVER_CODEC_LITTLE_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline void put32(void *to, uint32_t value)
{
	value = htole32(value);
	memcpy(to, &value, sizeof value);
}

static inline void put64(void *to, uint64_t value)
{
	value = htole64(value);
	memcpy(to, &value, sizeof value);
}

static inline uint16_t get16(const void *from)
{
	uint16_t value;

	memcpy(&value, from, sizeof value);
	return le16toh(value);
}

static inline uint32_t get32(const void *from)
{
	uint32_t value;

	memcpy(&value, from, sizeof value);
	return le32toh(value);
}

static inline uint64_t get64(const void *from)
{
	uint64_t value;

	memcpy(&value, from, sizeof value);
	return le64toh(value);
}

/* The first n (1 to 8) bytes at from, the first one lowest; zeros above. Nothing outside of them is read. */
static inline uint64_t get_short(const void *from, size_t n)
{
	const unsigned char *s = from;

	if (n == 8) return get64(s);
	if (n >= 4) return get32(s) | (uint64_t)get32(s + n - 4) << 8 * (n - 4);
	return (uint64_t)s[0] | (uint64_t)s[n / 2] << 8 * (n / 2) | (uint64_t)s[n - 1] << 8 * (n - 1);
}

#endif
