/* log.h - the log on stderr: text or JSON lines, written by a thread of its own.
 *
 * Logging never waits: a record is copied into a ring of fixed size, from where the thread formats and writes
 * it. When the reader of the log is slower than what is logged, the ring fills, further lines are dropped, and
 * the log says how many.
 */
#ifndef SERVER_LOG_H
#define SERVER_LOG_H

#include <stdint.h>

#include "core/err.h"

enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG
}; /* a level shows itself and those before */

struct log; /* any thread may log */

/* *out is new (log_stop). fd is borrowed. ERR_NOMEM, ERR_IO: no thread could be started. */
int log_start(struct log **out, enum log_format format, enum log_level level, int fd, struct err *e);
/* Writes what is still there, counts what was dropped, and frees the log; nobody may log any more. A reader who
 * has stopped reading is given up after a second. log may be NULL. */
void log_stop(struct log *log);

/* From now on. */
void log_set_level(struct log *log, enum log_level level);

/* One sentence; what goes past about 500 bytes is cut. */
void log_write(struct log *log, enum log_level level, const char *format, ...)
		__attribute__((format(printf, 3, 4)));

#define log_error(log, ...) log_write(log, LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_info(log, ...)  log_write(log, LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(log, ...) log_write(log, LOG_LEVEL_DEBUG, __VA_ARGS__)

struct log_request {
	const char *method,
			*path; /* as it was sent; a query behind it is not logged, as it may be a secret */
	unsigned status;       /* 0: the client left before an answer */
	double seconds;
	uint64_t bytes; /* sent */
	/* Of a trace of the caller's, in hexadecimal of 32, 16 and 16 digits; span_id NULL or empty: none. */
	const char *trace_id, *parent_id, *span_id;
};

/* A finished request, at level info. */
void log_access(struct log *log, const struct log_request *request);

#endif
