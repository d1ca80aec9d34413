/* utf8.h - is it text? What comes in from outside and goes out again, into the log, an answer or the store, must be. */
#ifndef SERVER_UTF8_H
#define SERVER_UTF8_H

#include <stddef.h>

/* How many bytes from the start are whole, valid UTF-8 characters (RFC 3629): n when all are. */
size_t utf8_valid(const char *s, size_t n);

/* Puts a '?' in the place of every byte of text that is of no such character: a quotation that was cut, or bytes from a
 * URL. */
void utf8_mend(char *text);

#endif
