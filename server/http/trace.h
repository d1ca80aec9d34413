/* trace.h - where a request stands in a trace of its caller's (W3C Trace Context, sections 3.2 and 3.3 of level 2). A request
 * with a `traceparent` is a span of that trace; what came without one is none.
 */
#ifndef SERVER_HTTP_TRACE_H
#define SERVER_HTTP_TRACE_H

#include <stdbool.h>

#define TRACE_ID_DIGITS 32
#define SPAN_ID_DIGITS  16

struct trace { /* in hexadecimal, small letters */
	char trace_id[TRACE_ID_DIGITS + 1];
	char parent_id[SPAN_ID_DIGITS + 1]; /* the caller's span */
	char span_id[SPAN_ID_DIGITS + 1];   /* ours, new; without one there is no trace */
	char flags[3];
};

/* Reads a traceparent, NULL too, and begins a span of its trace. False, with *out empty: there is none, or what is there is
 * to be left alone as the standard has it. */
bool trace_begin(const char *traceparent, struct trace *out);

#define TRACE_TEXT_BYTES 56
/* As the header traceresponse has it. */
void trace_text(const struct trace *trace, char out[TRACE_TEXT_BYTES]);

#endif
