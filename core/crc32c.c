/* crc32c.c - CRC-32C, eight bytes a step. See crc32c.h.
 *
 * table[0] is the classic table: the remainder of one byte. table[k] is that of a byte followed by k zero bytes, so
 * that eight bytes are eight look-ups that don't wait for each other (Kounavis, Berry: A systematic approach to
 * building high performance, software-based, CRC generators, ISCC 2005). The tables are made anew on the stack
 * each time, which takes a few microseconds; so there is nothing to share or to set up.
 */
#include "core/crc32c.h"

#define POLYNOMIAL 0x82F63B78u /* 0x1EDC6F41 with its bits in reverse */
#define STEP       8           /* bytes */

static void make_tables(uint32_t table[STEP][256])
{
	for (uint32_t byte = 0; byte < 256; byte++) {
		uint32_t crc = byte;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		table[0][byte] = crc;
	}
	for (int k = 1; k < STEP; k++)
		for (int byte = 0; byte < 256; byte++)
			table[k][byte] = table[k - 1][byte] >> 8 ^ table[0][table[k - 1][byte] & 0xFF];
}

uint32_t crc32c(const void *bytes, size_t size)
{
	const unsigned char *p = bytes;
	uint32_t table[STEP][256], crc = ~0u;

	make_tables(table);
	for (; size >= STEP; size -= STEP, p += STEP) {
		uint32_t next = 0;

		for (int i = 0; i < STEP; i++) {
			uint32_t byte = p[i] ^ (i < 4 ? crc >> (8 * i) & 0xFF : 0);

			next ^= table[STEP - 1 - i][byte];
		}
		crc = next;
	}
	for (; size; size--, p++)
		crc = crc >> 8 ^ table[0][(crc ^ *p) & 0xFF];
	return ~crc;
}
