/* csv_quote.h - a text as a cell of CSV (RFC 4180): in quotes where it would not read back otherwise. */
#ifndef SERVER_CODEC_CSV_QUOTE_H
#define SERVER_CODEC_CSV_QUOTE_H

#include "server/buffer.h"

void csv_quote(struct buffer *out, const char *text, size_t size);

#endif
