/* log_line.c - formats records. See log_line.h.
 *
 * Text that is fine goes through as it is. In text lines, a backslash, a control character, a byte that is not
 * UTF-8 and, in a request, a space become \xNN; in JSON they follow RFC 8259, and a byte that is not UTF-8
 * becomes U+FFFD. An escape takes at most ESCAPE_BYTES for each byte, so a line always has room.
 */
#include "server/log_line.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/utf8.h"

#define ESCAPE_BYTES       6   /* \u001b, \ufffd */
#define FRAME_BYTES        512 /* of a line: everything but the escaped text */
#define MICROSECONDS       1e6
#define LONGEST_SECONDS    1e9 /* a duration beyond that is a clock gone wrong */
#define NANOSECONDS_OF_MS  1000000
#define UTF8_CHARACTER_MAX 4

static_assert(LOG_TEXT_BYTES * ESCAPE_BYTES + FRAME_BYTES <= LOG_LINE_BYTES,
		"the longest record fits a line");

struct line {
	char *out;
	size_t size; /* written */
	enum log_format format;
	bool escape_space;
};

static void put(struct line *line, const char *text, size_t n)
{
	memcpy(line->out + line->size, text, n);
	line->size += n;
}

static void put_format(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put_format(struct line *line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	line->size += (size_t)vsnprintf(line->out + line->size, LOG_LINE_BYTES - line->size, format, args);
	va_end(args);
}

/* One byte that is not UTF-8. */
static void put_broken(struct line *line, unsigned char byte)
{
	if (line->format == LOG_FORMAT_JSON)
		put_format(line, "\\ufffd");
	else
		put_format(line, "\\x%02x", byte);
}

/* One character of ASCII or of Latin-1's upper half. */
static void put_escaped(struct line *line, unsigned character)
{
	if (line->format == LOG_FORMAT_TEXT)
		put_format(line, "\\x%02x", character);
	else if (character == '"' || character == '\\')
		put_format(line, "\\%c", (char)character);
	else
		put_format(line, "\\u%04x", character);
}

static bool needs_escape(const struct line *line, unsigned char c)
{
	if (c < ' ' || c == 0x7f || c == '\\') return true;
	return line->format == LOG_FORMAT_JSON ? c == '"' : c == ' ' && line->escape_space;
}

/* Text of any bytes, escaped. */
static void put_text(struct line *line, const char *text, size_t n)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t valid = utf8_valid(text, n);

	for (size_t i = 0; i < n; i++) {
		if (i == valid) {
			put_broken(line, s[i]);
			valid = i + 1 + utf8_valid(text + i + 1, n - i - 1);
		} else if (s[i] == 0xc2 && s[i + 1] < 0xa0) { /* U+0080 to U+009F, control characters too */
			put_escaped(line, s[++i]);
		} else if (needs_escape(line, s[i])) {
			put_escaped(line, s[i]);
		} else {
			put(line, text + i, 1);
		}
	}
}

/* What is left of a text that was cut, without half a character at its end. */
static size_t whole_characters(const char *text, size_t n)
{
	size_t back = 1;

	while (back < UTF8_CHARACTER_MAX && back < n && ((unsigned char)text[n - back] & 0xc0) == 0x80)
		back++;
	if (back > n || (unsigned char)text[n - back] < 0xc0) return n;
	return utf8_valid(text + n - back, back) == back ? n : n - back;
}

/* The path of a request, or the whole of a message. */
static void put_rest(struct line *line, const struct log_record *record)
{
	const char *text = record->text + record->method_length;
	size_t n = (size_t)record->text_length - record->method_length;

	put_text(line, text, record->cut ? whole_characters(text, n) : n);
	if (record->cut) put(line, "...", 3);
}

static void put_time(struct line *line, const struct timespec *time)
{
	struct tm utc;

	gmtime_r(&time->tv_sec, &utc);
	put_format(line, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", utc.tm_year + 1900, utc.tm_mon + 1,
			utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, time->tv_nsec / NANOSECONDS_OF_MS);
}

static void put_request_text(struct line *line, const struct log_record *record, unsigned long long us)
{
	line->escape_space = true;
	put_text(line, record->text, record->method_length);
	put(line, " ", 1);
	put_rest(line, record);
	if (record->status)
		put_format(line, " %u", record->status);
	else
		put(line, " -", 2);
	put_format(line, " %llu.%02llu ms %llu bytes", us / 1000, us % 1000 / 10,
			(unsigned long long)record->bytes);
	if (record->traced)
		put_format(line, " trace %.32s span %.16s of %.16s", record->trace_id, record->span_id,
				record->parent_id);
}

static void put_request_json(struct line *line, const struct log_record *record, unsigned long long us)
{
	put_format(line, "\"event\":\"request\",\"method\":\"");
	put_text(line, record->text, record->method_length);
	put_format(line, "\",\"path\":\"");
	put_rest(line, record);
	if (record->status)
		put_format(line, "\",\"status\":%u", record->status);
	else
		put_format(line, "\",\"status\":null");
	put_format(line, ",\"duration_seconds\":%llu.%06llu,\"bytes\":%llu", us / 1000000, us % 1000000,
			(unsigned long long)record->bytes);
	if (record->traced)
		put_format(line, ",\"trace_id\":\"%.32s\",\"span_id\":\"%.16s\",\"parent_id\":\"%.16s\"",
				record->trace_id, record->span_id, record->parent_id);
}

/* Whole microseconds, so that no printf of a double asks the locale for its point. */
static unsigned long long microseconds(double seconds)
{
	if (!(seconds > 0)) return 0;
	if (seconds > LONGEST_SECONDS) seconds = LONGEST_SECONDS;
	return (unsigned long long)(seconds * MICROSECONDS + 0.5);
}

size_t log_line(const struct log_record *record, enum log_format format, char *out)
{
	static const char *const levels[] = {
		[LOG_LEVEL_ERROR] = "error",
		[LOG_LEVEL_INFO] = "info",
		[LOG_LEVEL_DEBUG] = "debug",
	};
	struct line line = { .out = out, .format = format };
	bool json = format == LOG_FORMAT_JSON;

	if (json) put_format(&line, "{\"time\":\"");
	put_time(&line, &record->time);
	put_format(&line, json ? "\",\"level\":\"%s\"," : " %s ", levels[record->level]);
	if (record->method_length) {
		(json ? put_request_json : put_request_text)(&line, record, microseconds(record->seconds));
	} else {
		if (json) put_format(&line, "\"message\":\"");
		put_rest(&line, record);
		if (json) put(&line, "\"", 1);
	}
	if (json) put(&line, "}", 1);
	put(&line, "\n", 1);
	return line.size;
}
