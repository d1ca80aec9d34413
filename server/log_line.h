/* log_line.h - one record of the log as one line of text or JSON. Pure: no clock, no file, no memory of its own.
 *
 * What comes from outside (paths, methods, names in sentences) may hold any byte. It is escaped so that a record
 * is always one line of valid UTF-8, sends no control sequence to a terminal, and reads back unambiguously.
 */
#ifndef SERVER_LOG_LINE_H
#define SERVER_LOG_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "server/log.h"

#define LOG_TEXT_BYTES 520
#define LOG_LINE_BYTES 4096 /* no line is longer */

struct log_record {
	struct timespec time; /* CLOCK_REALTIME */
	double seconds;       /* of a request, as status and bytes */
	uint64_t bytes;
	uint16_t status;        /* 0: the client left before an answer */
	uint16_t text_length;   /* of text */
	uint16_t method_length; /* 0: a message; else the text is a request's method, then its path */
	uint8_t level;          /* enum log_level */
	bool cut;               /* the text was longer: it gets "..." */
	bool traced;            /* of a request: the ids count, digits without a NUL */
	char trace_id[32], parent_id[16], span_id[16];
	char text[LOG_TEXT_BYTES];
};

/* Writes the line with its LF into out (LOG_LINE_BYTES) and returns its length. There is no NUL. */
size_t log_line(const struct log_record *record, enum log_format format, char *out);

#endif
