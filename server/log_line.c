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
#define DIGITS_MAX         24
#define SECOND_BYTES       32 /* "2026-11-26T05:51:05." */

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

static void put_string(struct line *line, const char *text)
{
	put(line, text, strlen(text));
}

/* In decimal, with zeros before it up to so many digits. */
static void put_number(struct line *line, uint64_t number, unsigned digits)
{
	char text[DIGITS_MAX];
	size_t at = sizeof text;

	for (; number || digits || at == sizeof text; number /= 10) {
		text[--at] = (char)('0' + number % 10);
		digits -= digits > 0;
	}
	put(line, text + at, sizeof text - at);
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
			line->out[line->size++] = text[i];
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

/* Of one second there are many lines: its text is kept. */
static void put_time(struct line *line, const struct timespec *time)
{
	static _Thread_local char text[SECOND_BYTES];
	static _Thread_local time_t second;

	if (!*text || second != time->tv_sec) {
		struct tm utc;

		second = time->tv_sec;
		gmtime_r(&second, &utc);
		strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.", &utc);
	}
	put_string(line, text);
	put_number(line, (uint64_t)(time->tv_nsec / NANOSECONDS_OF_MS), 3);
	put(line, "Z", 1);
}

static void put_request_text(struct line *line, const struct log_record *record, unsigned long long us)
{
	line->escape_space = true;
	put_text(line, record->text, record->method_length);
	put(line, " ", 1);
	put_rest(line, record);
	put(line, " ", 1);
	if (record->status)
		put_number(line, record->status, 0);
	else
		put(line, "-", 1);
	put(line, " ", 1);
	put_number(line, us / 1000, 0);
	put(line, ".", 1);
	put_number(line, us % 1000 / 10, 2);
	put_string(line, " ms ");
	put_number(line, record->bytes, 0);
	put_string(line, " bytes");
	if (record->traced)
		put_format(line, " trace %.32s span %.16s of %.16s", record->trace_id, record->span_id,
				record->parent_id);
}

static void put_request_json(struct line *line, const struct log_record *record, unsigned long long us)
{
	put_string(line, "\"event\":\"request\",\"method\":\"");
	put_text(line, record->text, record->method_length);
	put_string(line, "\",\"path\":\"");
	put_rest(line, record);
	put_string(line, "\",\"status\":");
	if (record->status)
		put_number(line, record->status, 0);
	else
		put_string(line, "null");
	put_string(line, ",\"duration_seconds\":");
	put_number(line, us / 1000000, 0);
	put(line, ".", 1);
	put_number(line, us % 1000000, 6);
	put_string(line, ",\"bytes\":");
	put_number(line, record->bytes, 0);
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

	if (json) put_string(&line, "{\"time\":\"");
	put_time(&line, &record->time);
	put_string(&line, json ? "\",\"level\":\"" : " ");
	put_string(&line, levels[record->level]);
	put_string(&line, json ? "\"," : " ");
	if (record->method_length) {
		(json ? put_request_json : put_request_text)(&line, record, microseconds(record->seconds));
	} else {
		if (json) put_string(&line, "\"message\":\"");
		put_rest(&line, record);
		if (json) put(&line, "\"", 1);
	}
	if (json) put(&line, "}", 1);
	put(&line, "\n", 1);
	return line.size;
}
