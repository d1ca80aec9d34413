/* crc32c.h - CRC-32C (Castagnoli, polynomial 0x1EDC6F41, reflected; RFC 3720, appendix B.4), against damage, not
 * against malice. */
#ifndef DESCENT_CRC32C_H
#define DESCENT_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(const void *bytes, size_t size);

#endif
