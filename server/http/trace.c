/* trace.c - reads traceparent: VERSION-TRACE-PARENT-FLAGS. See trace.h. */
#include "server/http/trace.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define HEX           "0123456789abcdef"
#define TRACE_AT      3
#define PARENT_AT     (TRACE_AT + TRACE_ID_DIGITS + 1)
#define FLAGS_AT      (PARENT_AT + SPAN_ID_DIGITS + 1)
#define PARENT_LENGTH (FLAGS_AT + 2)

/* n digits that are not all 0, and the hyphen behind them. */
static bool is_field(const char *text, size_t n)
{
	return strspn(text, HEX) == n && strspn(text, "0") < n && text[n] == '-';
}

/* Whole lines of version 00; of a later one, what begins like it (section 3.2.4). */
static bool is_valid(const char *text)
{
	bool later = strncmp(text, "00", 2) != 0;

	if (strspn(text, HEX) != 2 || !strncmp(text, "ff", 2) || text[2] != '-') return false;
	if (!is_field(text + TRACE_AT, TRACE_ID_DIGITS) || !is_field(text + PARENT_AT, SPAN_ID_DIGITS))
		return false;
	if (strspn(text + FLAGS_AT, HEX) != 2) return false;
	return !text[PARENT_LENGTH] || (later && text[PARENT_LENGTH] == '-');
}

/* splitmix64 (Steele, Lea and Flood 2014) of each thread's own: ids are to differ, not to be secret. */
static uint64_t next_id(void)
{
	static _Thread_local uint64_t state;
	struct timespec now;
	uint64_t z;

	if (!state && getrandom(&state, sizeof state, GRND_NONBLOCK) != sizeof state) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		state = (uint64_t)now.tv_nsec ^ (uint64_t)(uintptr_t)&state;
	}
	z = state += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	return z ? z : 1;
}

bool trace_begin(const char *traceparent, struct trace *out)
{
	*out->span_id = 0;
	if (!traceparent || !is_valid(traceparent)) return false;
	*out = (struct trace){ 0 };
	memcpy(out->trace_id, traceparent + TRACE_AT, TRACE_ID_DIGITS);
	memcpy(out->parent_id, traceparent + PARENT_AT, SPAN_ID_DIGITS);
	memcpy(out->flags, traceparent + FLAGS_AT, 2);
	snprintf(out->span_id, sizeof out->span_id, "%016llx", (unsigned long long)next_id());
	return true;
}

void trace_text(const struct trace *trace, char out[TRACE_TEXT_BYTES])
{
	snprintf(out, TRACE_TEXT_BYTES, "00-%s-%s-%s", trace->trace_id, trace->span_id, trace->flags);
}
