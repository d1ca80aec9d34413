/* little.h - whole numbers as little-endian bytes, at any address. */
#ifndef SERVER_CODEC_LITTLE_H
#define SERVER_CODEC_LITTLE_H

#include <endian.h>
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

#endif
