/* crc32c.h - CRC-32C (Castagnoli, polynomial 0x1EDC6F41, reflected; RFC 3720, appendix B.4), against damage, not
 * against malice. */
#ifndef DESCENT_CRC32C_H
#define DESCENT_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(const void *bytes, size_t size);
/* Of what gave crc, with these bytes behind it; crc is 0 where nothing did. */
uint32_t crc32c_more(uint32_t crc, const void *bytes, size_t size);
/* The same without the CPU's own instruction; for the test that compares them. */
uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t size);

#endif
