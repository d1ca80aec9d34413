/* test_log.c - the log: what a line looks like, that nothing from outside breaks one, and that logging neither waits
 * nor loses a line uncounted.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/log.h"
#include "server/log_line.h"
#include "server/utf8.h"
#include "tests/unit/suite.h"

#define WRITERS       4
#define WRITER_LINES  20000
#define STALLED_LINES 20000 /* more than a ring and a pipe hold */
#define PATH_LONG     2000

static struct err e;

static struct log_record record_of(const char *method, const char *rest)
{
	struct log_record record = { .time = { 1795532645, 123456789 },
		.level = LOG_LEVEL_INFO,
		.status = 200,
		.seconds = 0.00012,
		.bytes = 87 };

	record.method_length = (uint16_t)strlen(method);
	record.text_length = (uint16_t)(strlen(method) + strlen(rest));
	memcpy(record.text, method, strlen(method));
	memcpy(record.text + strlen(method), rest, strlen(rest));
	return record;
}

static void expect_line(const struct log_record *record, enum log_format format, const char *expected)
{
	char line[LOG_LINE_BYTES + 1];
	size_t n = log_line(record, format, line);

	line[n] = 0;
	ck_assert_str_eq(line, expected);
}

START_TEST(messages_are_lines)
{
	struct log_record record = record_of("", "listening on http://127.0.0.1:8420");

	expect_line(&record, LOG_FORMAT_TEXT,
			"2026-11-24T15:04:05.123Z info listening on http://127.0.0.1:8420\n");
	record.level = LOG_LEVEL_ERROR;
	expect_line(&record, LOG_FORMAT_JSON,
			"{\"time\":\"2026-11-24T15:04:05.123Z\",\"level\":\"error\","
			"\"message\":\"listening on http://127.0.0.1:8420\"}\n");
}
END_TEST

START_TEST(requests_are_lines)
{
	struct log_record record = record_of("POST", "/v1/models/iris:predict");

	expect_line(&record, LOG_FORMAT_TEXT,
			"2026-11-24T15:04:05.123Z info POST /v1/models/iris:predict 200 0.12 ms 87 bytes\n");
	expect_line(&record, LOG_FORMAT_JSON,
			"{\"time\":\"2026-11-24T15:04:05.123Z\",\"level\":\"info\",\"event\":\"request\",\"method\":\"POST\","
			"\"path\":\"/v1/models/iris:predict\",\"status\":200,\"duration_seconds\":0.000120,\"bytes\":87}\n");
	record.status = 0;
	record.seconds = 12.3456789;
	record.bytes = UINT64_MAX;
	expect_line(&record, LOG_FORMAT_TEXT,
			"2026-11-24T15:04:05.123Z info POST /v1/models/iris:predict - 12345.67 ms "
			"18446744073709551615 bytes\n");
	record.seconds = -1;
	expect_line(&record, LOG_FORMAT_JSON,
			"{\"time\":\"2026-11-24T15:04:05.123Z\",\"level\":\"info\",\"event\":\"request\",\"method\":\"POST\","
			"\"path\":\"/v1/models/iris:predict\",\"status\":null,\"duration_seconds\":0.000000,"
			"\"bytes\":18446744073709551615}\n");
	record.traced = true;
	memcpy(record.trace_id, "4bf92f3577b34da6a3ce929d0e0e4736", sizeof record.trace_id);
	memcpy(record.parent_id, "00f067aa0ba902b7", sizeof record.parent_id);
	memcpy(record.span_id, "1111222233334444", sizeof record.span_id);
	record.seconds = 0;
	record.bytes = 5;
	expect_line(&record, LOG_FORMAT_TEXT,
			"2026-11-24T15:04:05.123Z info POST /v1/models/iris:predict - 0.00 ms 5 bytes "
			"trace 4bf92f3577b34da6a3ce929d0e0e4736 span 1111222233334444 of 00f067aa0ba902b7\n");
	expect_line(&record, LOG_FORMAT_JSON,
			"{\"time\":\"2026-11-24T15:04:05.123Z\",\"level\":\"info\",\"event\":\"request\",\"method\":\"POST\","
			"\"path\":\"/v1/models/iris:predict\",\"status\":null,\"duration_seconds\":0.000000,\"bytes\":5,"
			"\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"span_id\":\"1111222233334444\","
			"\"parent_id\":\"00f067aa0ba902b7\"}\n");
}
END_TEST

START_TEST(nothing_from_outside_breaks_a_line)
{
	struct log_record message =
			record_of("", "a\nb\r\x1b[2J\x7f \"q\" \\ \xff \xc3\xa9 \xc2\x9b \xe2\x82");
	struct log_record request = record_of("G T", "/a b\"\n\xff");

	expect_line(&message, LOG_FORMAT_TEXT,
			"2026-11-24T15:04:05.123Z info a\\x0ab\\x0d\\x1b[2J\\x7f \"q\" \\x5c \\xff \xc3\xa9 \\x9b \\xe2\\x82\n");
	expect_line(&message, LOG_FORMAT_JSON,
			"{\"time\":\"2026-11-24T15:04:05.123Z\",\"level\":\"info\",\"message\":\"a\\u000ab\\u000d\\u001b[2J\\u007f "
			"\\\"q\\\" \\\\ \\ufffd \xc3\xa9 \\u009b \\ufffd\\ufffd\"}\n");
	expect_line(&request, LOG_FORMAT_TEXT,
			"2026-11-24T15:04:05.123Z info G\\x20T /a\\x20b\"\\x0a\\xff 200 0.12 ms 87 bytes\n");
	expect_line(&request, LOG_FORMAT_JSON,
			"{\"time\":\"2026-11-24T15:04:05.123Z\",\"level\":\"info\",\"event\":\"request\",\"method\":\"G T\","
			"\"path\":\"/a b\\\"\\u000a\\ufffd\",\"status\":200,\"duration_seconds\":0.000120,\"bytes\":87}\n");
}
END_TEST

START_TEST(every_byte_fits_and_stays_one_line_of_utf8)
{
	for (int byte = 0; byte < 256; byte++)
		for (int format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JSON; format++) {
			struct log_record record = { .text_length = LOG_TEXT_BYTES,
				.cut = true,
				.method_length = byte % 2 ? 32 : 0,
				.bytes = UINT64_MAX,
				.seconds = 1e300 };
			char line[LOG_LINE_BYTES];
			size_t n;

			memset(record.text, byte, LOG_TEXT_BYTES);
			n = log_line(&record, format, line);
			if (n > LOG_LINE_BYTES || utf8_valid(line, n) != n ||
					memchr(line, '\n', n) != line + n - 1)
				ck_abort_msg("byte %d in format %d", byte, format);
		}
}
END_TEST

START_TEST(what_is_cut_says_so_and_ends_at_a_character)
{
	struct log_record whole = record_of("", "x\xe2\x82\xac"), half = record_of("", "x\xe2\x82");

	whole.cut = half.cut = true;
	expect_line(&whole, LOG_FORMAT_TEXT, "2026-11-24T15:04:05.123Z info x\xe2\x82\xac...\n");
	expect_line(&half, LOG_FORMAT_TEXT, "2026-11-24T15:04:05.123Z info x...\n");
}
END_TEST

/* ---- the ring and the thread ---- */

static struct log *start(enum log_format format, enum log_level level, int fd)
{
	struct log *log;

	ck_assert_msg(!log_start(&log, format, level, fd, &e), "%s", e.text);
	return log;
}

START_TEST(the_level_decides)
{
	FILE *file = tmpfile();
	struct log *log = start(LOG_FORMAT_TEXT, LOG_LEVEL_INFO, fileno(file));
	char line[LOG_LINE_BYTES];

	log_debug(log, "hidden");
	log_info(log, "shown %d", 1);
	log_error(log, "shown %s", "too");
	log_stop(log);
	log = start(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR, fileno(file));
	log_info(log, "hidden");
	log_access(log, &(struct log_request){ .method = "GET",
					.path = "/hidden",
					.status = 200,
					.seconds = 0,
					.bytes = 0 });
	log_stop(log);
	rewind(file);
	ck_assert(fgets(line, sizeof line, file) && strstr(line, "Z info shown 1\n"));
	ck_assert(fgets(line, sizeof line, file) && strstr(line, "Z error shown too\n"));
	ck_assert(!fgets(line, sizeof line, file));
	fclose(file);
}
END_TEST

START_TEST(long_texts_are_cut)
{
	FILE *file = tmpfile();
	struct log *log = start(LOG_FORMAT_TEXT, LOG_LEVEL_INFO, fileno(file));
	char line[LOG_LINE_BYTES], text[PATH_LONG + 1];

	memset(text, 'p', PATH_LONG);
	text[PATH_LONG] = 0;
	log_access(log, &(struct log_request){ .method = "GET",
					.path = text,
					.status = 414,
					.seconds = 0,
					.bytes = 0 });
	log_access(log, &(struct log_request){ .method = text,
					.path = "/x",
					.status = 405,
					.seconds = 0,
					.bytes = 0 });
	log_write(log, LOG_LEVEL_INFO, "m%s", text);
	log_stop(log);
	rewind(file);
	ck_assert(fgets(line, sizeof line, file) && strstr(line, "ppp... 414 0.00 ms 0 bytes\n"));
	ck_assert(fgets(line, sizeof line, file) && strstr(line, "ppp /x 405 "));
	ck_assert(fgets(line, sizeof line, file) && strstr(line, " info mppp") && strstr(line, "ppp...\n"));
	fclose(file);
}
END_TEST

/* Reads lines, to the end or until so many are accounted for, and counts: those of writers, which must be whole and in
 * each writer's order, and those reported as dropped. */
static void count_lines(FILE *file, uint64_t expected, uint64_t *written, uint64_t *dropped)
{
	int last[WRITERS];
	char line[LOG_LINE_BYTES], rest[LOG_LINE_BYTES];

	*written = *dropped = 0;
	memset(last, -1, sizeof last);
	while (*written + *dropped < expected && fgets(line, sizeof line, file)) {
		uint64_t count;
		int writer, number;

		if (sscanf(line, "%*s info GET /writer/%d/%d %s", &writer, &number, rest) == 3) {
			if (writer < 0 || writer >= WRITERS || number <= last[writer])
				ck_abort_msg("out of order: %s", line);
			last[writer] = number;
			++*written;
		} else if (sscanf(line, "%*s error %" SCNu64 " %s", &count, rest) == 2 &&
				!strncmp(rest, "line", 4)) {
			*dropped += count;
		} else {
			ck_abort_msg("broken line: %s", line);
		}
	}
}

struct writer {
	pthread_t thread;
	struct log *log;
	int id, lines;
};

static void *write_lines(void *argument)
{
	struct writer *writer = argument;
	char path[64];

	for (int i = 0; i < writer->lines; i++) {
		snprintf(path, sizeof path, "/writer/%d/%d", writer->id, i);
		log_access(writer->log, &(struct log_request){ .method = "GET",
							.path = path,
							.status = 200,
							.seconds = 1e-4,
							.bytes = 10 });
	}
	return NULL;
}

START_TEST(many_threads_write_whole_lines)
{
	FILE *file = tmpfile();
	struct log *log = start(LOG_FORMAT_TEXT, LOG_LEVEL_INFO, fileno(file));
	struct writer writers[WRITERS];
	uint64_t written, dropped;

	for (int i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){ .log = log, .id = i, .lines = WRITER_LINES };
		ck_assert(!pthread_create(&writers[i].thread, NULL, write_lines, &writers[i]));
	}
	for (int i = 0; i < WRITERS; i++)
		pthread_join(writers[i].thread, NULL);
	log_stop(log);
	rewind(file);
	count_lines(file, UINT64_MAX, &written, &dropped);
	ck_assert_uint_eq(written + dropped, WRITERS * WRITER_LINES);
	ck_assert_uint_gt(written, 0);
	fclose(file);
}
END_TEST

/* One line at a time wakes a thread that sleeps: a lost wake-up would hang here, until the test's limit. */
START_TEST(a_sleeping_thread_is_woken)
{
	int ends[2];
	char buffer[LOG_LINE_BYTES];
	struct log *log;

	ck_assert(!pipe(ends));
	log = start(LOG_FORMAT_TEXT, LOG_LEVEL_INFO, ends[1]);
	for (int i = 0; i < 50; i++) {
		log_info(log, "line %d", i);
		ck_assert_int_gt(read(ends[0], buffer, sizeof buffer), 0);
		if (i % 2) usleep(25000); /* odd ones find it asleep, even ones resting */
	}
	log_stop(log);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* Nobody reads the pipe while the lines are logged: a log that waited would hang here, as would one that lost a line
 * uncounted. */
START_TEST(a_stalled_reader_makes_nobody_wait)
{
	struct writer writer = { .lines = STALLED_LINES };
	uint64_t written, dropped;
	int ends[2];
	FILE *file;

	ck_assert(!pipe(ends));
	file = fdopen(ends[0], "r");
	writer.log = start(LOG_FORMAT_TEXT, LOG_LEVEL_INFO, ends[1]);
	write_lines(&writer);
	count_lines(file, STALLED_LINES, &written, &dropped);
	log_stop(writer.log);
	fclose(file);
	close(ends[1]);
	ck_assert_uint_gt(dropped, 0);
}
END_TEST

/* Ends by itself, though a whole ring is left and its reader will never read. */
START_TEST(a_reader_who_never_reads_is_given_up)
{
	struct writer writer = { .lines = STALLED_LINES };
	int ends[2];

	ck_assert(!pipe(ends));
	writer.log = start(LOG_FORMAT_TEXT, LOG_LEVEL_INFO, ends[1]);
	write_lines(&writer);
	log_stop(writer.log);
	close(ends[0]);
	close(ends[1]);
}
END_TEST

/* The write fails with EPIPE and must not end the process by SIGPIPE. */
START_TEST(a_reader_who_left_does_no_harm)
{
	struct log *log;
	int ends[2];

	ck_assert(!pipe(ends));
	close(ends[0]);
	log = start(LOG_FORMAT_JSON, LOG_LEVEL_INFO, ends[1]);
	log_info(log, "to nobody");
	log_stop(log);
	close(ends[1]);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		messages_are_lines,
		requests_are_lines,
		nothing_from_outside_breaks_a_line,
		every_byte_fits_and_stays_one_line_of_utf8,
		what_is_cut_says_so_and_ends_at_a_character,
		the_level_decides,
		long_texts_are_cut,
		many_threads_write_whole_lines,
		a_sleeping_thread_is_woken,
		a_stalled_reader_makes_nobody_wait,
		a_reader_who_never_reads_is_given_up,
		a_reader_who_left_does_no_harm,
		NULL,
	};

	return suite_main("log", tests, 60);
}
