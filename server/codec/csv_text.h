/* csv_text.h - what csv.c asks of bytes: where the special ones are, which delimiter a header line has.
 * Nothing here keeps memory or knows of records.
 */
#ifndef SERVER_CODEC_CSV_TEXT_H
#define SERVER_CODEC_CSV_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CSV_BLOCK_BYTES 64

/* Looks at the CSV_BLOCK_BYTES bytes at p. Bit i of the result is set when p[i] may mean something: the
 * delimiter, a quote, any control character. *high becomes true when a byte is outside ASCII, false
 * otherwise. */
uint64_t csv_text_specials(const char *p, char delimiter, bool *high);

/* Finds the end of the header line and counts what may be its delimiter, byte by byte as they come. Zeroed at
 * the start. */
struct csv_sniffer {
	uint64_t counts[3]; /* of comma, semicolon, tab outside quotes */
	bool no_comma;      /* the comma is none of them */
	bool quoted, some;  /* inside quotes; a byte was seen */
	char before;        /* the byte before, when some */
};

/* Reads up to and with the LF that ends the line; returns how many bytes that took, and *ended tells whether
 * the LF was among them. */
size_t csv_sniff(struct csv_sniffer *sniffer, const char *bytes, size_t n, bool *ended);
/* The most frequent of those it may be, the first of them when none is there. */
char csv_sniffed(const struct csv_sniffer *sniffer);

#endif
