/* test_config.c - flags, variables and file; and that the man page says what the table of options says. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/gemm.h"
#include "server/config.h"
#include "server/log.h"
#include "server/options.h"
#include "tests/unit/suite.h"

#define MIB       (UINT64_C(1) << 20)
#define GIB       (UINT64_C(1) << 30)
#define MAN_PAGE  "docs/descentd.1"
#define WORDS_MAX 16
#define TEXT_MAX  65536

static struct config config;
static struct err e;
static char path[] = "/tmp/descentd-config-XXXXXX";

/* Reads a command line of words separated by spaces, and an environment (NULL: none) likewise. */
static int read_line(const char *line, const char *variables)
{
	char words[2][TEXT_MAX / 16], *list[2][WORDS_MAX] = { { NULL } };
	int counts[2] = { 0 };

	snprintf(words[0], sizeof words[0], "descentd %s", line);
	snprintf(words[1], sizeof words[1], "%s", variables ? variables : "");
	for (int i = 0; i < 2; i++)
		for (char *word = strtok(words[i], " "); word; word = strtok(NULL, " "))
			list[i][counts[i]++] = word;
	config_clear(&config);
	e.text[0] = 0;
	return config_read(&config, counts[0], list[0], list[1], &e);
}

static void write_bytes(const char *bytes, size_t size)
{
	int fd = mkstemp(strcpy(path, "/tmp/descentd-config-XXXXXX"));

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, size), (ssize_t)size);
	close(fd);
}

static void write_file(const char *text)
{
	write_bytes(text, strlen(text));
}

/* Reads a file of this text by --config, after the flags of line. */
static int read_text(const char *text, const char *line, const char *variables)
{
	char whole[TEXT_MAX / 32];
	int rc;

	write_file(text);
	snprintf(whole, sizeof whole, "--config %s %s", path, line);
	rc = read_line(whole, variables);
	unlink(path);
	return rc;
}

static void expect_fault(int rc, const char *part)
{
	ck_assert_int_ne(rc, 0);
	ck_assert_msg(strstr(e.text, part) != NULL, "\"%s\" is not in: %s", part, e.text);
	ck_assert_ptr_null(config.db);
}

START_TEST(defaults_hold)
{
	ck_assert(!read_line("", NULL));
	ck_assert_int_eq(config.command, COMMAND_SERVE);
	ck_assert_str_eq(config.db, "descentd.db");
	ck_assert_str_eq(config.listen, "127.0.0.1:8420");
	ck_assert_str_eq(config.engine, "auto");
	ck_assert_ptr_null(config.token);
	ck_assert_ptr_null(config.token_file);
	ck_assert_ptr_null(config.allow_host);
	ck_assert_ptr_null(config.port_file);
	ck_assert_ptr_null(config.file);
	ck_assert_uint_ge(config.workers, 1);
	ck_assert_uint_eq(config.threads, config.workers);
	ck_assert_uint_eq(config.loops, config.workers);
	ck_assert_uint_eq(config.max_connections, 12000);
	ck_assert_uint_eq(config.log_format, LOG_FORMAT_TEXT);
	ck_assert_uint_eq(config.log_level, LOG_LEVEL_INFO);
	ck_assert_uint_eq(config.max_body_bytes, 64 * MIB);
	ck_assert_uint_eq(config.max_upload_bytes, 16 * GIB);
	ck_assert_uint_ge(config.memory_budget_bytes, 64 * MIB);
}
END_TEST

START_TEST(commands_are_words)
{
	ck_assert(!read_line("serve --workers 3", NULL) && config.command == COMMAND_SERVE);
	ck_assert(!read_line("--workers 3 demo", NULL) && config.command == COMMAND_DEMO);
	expect_fault(read_line("sevre", NULL), "did you mean \"serve\"?");
	expect_fault(read_line("serve demo", NULL), "\"demo\" is one word too many");
}
END_TEST

START_TEST(help_and_version_work_however_wrong_the_rest)
{
	ck_assert(!read_line("--nonsense --help", "DESCENTD_NONSENSE=1") && config.command == COMMAND_HELP);
	ck_assert(!read_line("-h", NULL) && config.command == COMMAND_HELP);
	ck_assert(!read_line("demo --workers 0 --version", NULL) && config.command == COMMAND_VERSION);
}
END_TEST

START_TEST(a_flag_has_two_forms)
{
	ck_assert(!read_line("--db=a=b.db --workers 7 --log-format json", NULL));
	ck_assert_str_eq(config.db, "a=b.db");
	ck_assert_uint_eq(config.workers, 7);
	ck_assert_uint_eq(config.log_format, LOG_FORMAT_JSON);
	ck_assert(!read_line("--db a --db b --db=--c", NULL));
	ck_assert_str_eq(config.db, "--c");
}
END_TEST

START_TEST(wrong_flags_are_explained)
{
	expect_fault(read_line("--worker 3", NULL), "no option --worker; did you mean --workers?");
	expect_fault(read_line("--xyz 3", NULL), "no option --xyz; see descentd --help");
	expect_fault(read_line("--db", NULL), "--db needs a value: --db FILE");
	expect_fault(read_line("--db --workers 3", NULL), "--db needs a value");
	expect_fault(read_line("--db=", NULL), "--db has no value");
	expect_fault(read_line("-w 3", NULL), "\"-w\" is no option");
	expect_fault(read_line("--", NULL), "there is no option --");
	expect_fault(read_line("--token 0123456789abcdef", NULL), "set DESCENTD_TOKEN");
	ck_assert_ptr_null(strstr(e.text, "0123456789abcdef"));
}
END_TEST

START_TEST(flags_before_variables_before_file_before_defaults)
{
	const char *text = "workers = 2\nthreads = 2\nloops = 2\nlog-level = error\n";

	ck_assert_msg(!read_text(text, "--workers 4", "DESCENTD_WORKERS=3 DESCENTD_THREADS=3 OTHER=1"), "%s",
			e.text);
	ck_assert_uint_eq(config.workers, 4);
	ck_assert_uint_eq(config.threads, 3);
	ck_assert_uint_eq(config.loops, 2);
	ck_assert_uint_eq(config.log_level, LOG_LEVEL_ERROR);
	ck_assert_uint_eq(config.log_format, LOG_FORMAT_TEXT);
	ck_assert_str_eq(config.file, path);
}
END_TEST

START_TEST(a_value_is_checked_where_it_does_not_count_too)
{
	expect_fault(read_text("workers = many\n", "--workers 4", NULL), "line 1: workers: \"many\"");
	expect_fault(read_line("--workers 4", "DESCENTD_WORKERS=0"), "DESCENTD_WORKERS: \"0\"");
	expect_fault(read_line("--workers 0 --workers 4", NULL), "--workers: \"0\"");
}
END_TEST

START_TEST(variables_are_read)
{
	ck_assert(!read_line("", "DESCENTD_MAX_BODY=1M DESCENTD_TOKEN=a=b PATH=/bin DESCENT=1"));
	ck_assert_uint_eq(config.max_body_bytes, MIB);
	ck_assert_str_eq(config.token, "a=b");
	expect_fault(read_line("", "DESCENTD_WORKER=1"), "did you mean DESCENTD_WORKERS?");
	expect_fault(read_line("", "DESCENTD_MAX-BODY=1M"), "did you mean DESCENTD_MAX_BODY?");
	expect_fault(read_line("", "DESCENTD_max_body=1M"), "did you mean DESCENTD_MAX_BODY?");
	expect_fault(read_line("", "DESCENTD_XYZ=secret"), "DESCENTD_XYZ is of no option: unset it");
	ck_assert_ptr_null(strstr(e.text, "secret"));
	expect_fault(read_line("", "DESCENTD_TOKEN="), "DESCENTD_TOKEN has no value");
	expect_fault(read_line("", "DESCENTD_="), "of no option");
}
END_TEST

START_TEST(the_file_may_be_named_by_a_variable)
{
	char variable[128];

	write_file("workers = 5\n");
	snprintf(variable, sizeof variable, "DESCENTD_CONFIG=%s", path);
	ck_assert(!read_line("", variable));
	unlink(path);
	ck_assert_uint_eq(config.workers, 5);
}
END_TEST

START_TEST(the_file_has_comments_and_spaces)
{
	const char *text =
			"# first\n\n  db =  my data#1.db \t# why\r\nworkers=2 #\n\t#\n allow-host = a, b\nmax-body = 2GiB";

	expect_fault(read_text(text, "", NULL), "line 7: max-body: \"2GiB\" is not a size from 1K to 1G");
	text = "# first\n\n  db =  my data#1.db \t# why\r\nworkers=2 #\n\t#\n allow-host = a, b\nmax-body = 2MiB";
	ck_assert_msg(!read_text(text, "", NULL), "%s", e.text);
	ck_assert_str_eq(config.db, "my data#1.db");
	ck_assert_str_eq(config.allow_host, "a, b");
	ck_assert_uint_eq(config.workers, 2);
	ck_assert_uint_eq(config.max_body_bytes, 2 * MIB);
}
END_TEST

START_TEST(faults_of_the_file_name_their_line)
{
	char long_line[9000];

	expect_fault(read_text("\nworkers = 2\nworkers = 2\n", "", NULL),
			"line 3: workers was given in line 2 already");
	expect_fault(read_text("worker = 2\n", "", NULL),
			"line 1: \"worker\" is no option; did you mean \"workers\"?");
	expect_fault(read_text("workers 2\n", "", NULL),
			"line 1: \"workers 2\" is not of the form name = value");
	expect_fault(read_text("= 2\n", "", NULL), "line 1: \"\" is no option");
	expect_fault(read_text("workers =\n", "", NULL), "line 1: workers has no value");
	expect_fault(read_text("token = 0123456789abcdef\n", "", NULL),
			"\"token\" may not stand in the file");
	expect_fault(read_text("config = other\n", "", NULL), "\"config\" may not stand in the file");
	memset(long_line, 'x', sizeof long_line - 1);
	long_line[sizeof long_line - 1] = 0;
	expect_fault(read_text(long_line, "", NULL), "line 1 is longer than");
	expect_fault(read_line("--config /tmp/descentd-no-such-file", NULL),
			"/tmp/descentd-no-such-file, cannot be read");
	expect_fault(read_line("--config /tmp", NULL), "/tmp, cannot be read");
	expect_fault(read_line("--config /dev/zero", NULL), "or no text");
}
END_TEST

/* A fuzzer's find: on a last line without an end, what was behind a NUL byte was left out in silence. */
START_TEST(a_nul_byte_is_no_text)
{
	static const struct {
		const char *text;
		size_t size;
	} cases[] = { { "db=a\0b", 6 }, { "db=a\0b\n", 7 }, { "db=a\n\0", 6 }, { "#\0", 2 } };
	char line[64];

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		write_bytes(cases[i].text, cases[i].size);
		snprintf(line, sizeof line, "--config %s", path);
		expect_fault(read_line(line, NULL), "or no text");
		unlink(path);
	}
}
END_TEST

START_TEST(numbers_and_sizes_are_strict)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} sizes[] = { { "1024", 1024 }, { "64k", 65536 }, { "64K", 65536 }, { "3M", 3 * MIB },
		{ "3mib", 3 * MIB }, { "2GiB", 2 * GIB }, { "1T", 1024 * GIB } };
	static const char *const no_sizes[] = { "1", "-1", "+64M", "64MB", "64 M", "1.5M", "0x400", "M",
		"64Mi", "64MiBs", "64Q", "18446744073709551616", "99999999999999999999", "17179869185G",
		"16777216T", "NaN" };
	static const char *const no_counts[] = { "0", "-1", "+1", "1.5", "257", "4294967297",
		"18446744073709551617", "2x", "x", "0x2", "1K" };
	char line[128];

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		snprintf(line, sizeof line, "--max-upload %s", sizes[i].text);
		ck_assert_msg(!read_line(line, NULL), "%s", e.text);
		ck_assert_uint_eq(config.max_upload_bytes, sizes[i].bytes);
	}
	for (size_t i = 0; i < sizeof no_sizes / sizeof *no_sizes; i++) {
		struct config one = { 0 };

		ck_assert_msg(option_set(option_find("max-upload"), no_sizes[i], "here", &one, &e), "%s",
				no_sizes[i]);
	}
	for (size_t i = 0; i < sizeof no_counts / sizeof *no_counts; i++) {
		snprintf(line, sizeof line, "--workers %s", no_counts[i]);
		expect_fault(read_line(line, NULL), "is not a whole number from 1 to 256");
	}
}
END_TEST

START_TEST(words_and_forms_are_checked)
{
	expect_fault(read_line("--log-format xml", NULL), "--log-format: \"xml\" is not text or json");
	expect_fault(read_line("--log-level INFO", NULL), "\"INFO\" is not error, info or debug");
	expect_fault(read_line("--engine gpu", NULL), "\"gpu\" is not auto, naive, portable, avx2 or avx512");
	expect_fault(read_line("--listen 8420", NULL), "--listen: \"8420\" is not HOST:PORT");
	expect_fault(read_line("--listen localhost:99999", NULL), "is not HOST:PORT");
	expect_fault(read_line("--allow-host http://a", NULL), "list of hosts");
	ck_assert(!read_line("--listen [::]:0 --allow-host a,b --engine naive --log-level debug", NULL));
	ck_assert_str_eq(config.engine, "naive");
	ck_assert_uint_eq(config.log_level, LOG_LEVEL_DEBUG);
	ck_assert(!read_line("", "DESCENTD_GEMM=portable"));
	ck_assert_str_eq(config.engine, "portable");
	ck_assert(!read_line("--gemm naive", "DESCENTD_GEMM=portable"));
	ck_assert_str_eq(config.engine, "naive");
	expect_fault(read_line("", "DESCENTD_GEMM=gpu"), "\"gpu\" is not auto");
}
END_TEST

START_TEST(addresses_and_lists_of_hosts_have_a_form)
{
	static const char *const addresses[] = { "localhost:0", "0.0.0.0:65535", "[::1]:8420", "a-b_c.d:1" };
	static const char *const no_addresses[] = { "a", ":1", "a:", "a:65536", "a:99999999999999999999",
		"a:-1", "a:1x", "::1:1", "[::1]", "[::1:1", "[]:1", "[g]:1", "a b:1", "http://a:1", "*:1" };
	static const char *const lists[] = { "a", "a,b", " a , [::1]\t", "*", "a,*" };
	static const char *const no_lists[] = { " ", ",", "a,", ",a", "a,,b", "a:80", "http://a", "a b", "**",
		"::1", "*.a", "[::1" };
	const struct option *listen = option_find("listen"), *hosts = option_find("allow-host");

	for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
		ck_assert_msg(listen->holds(addresses[i]), "%s", addresses[i]);
	for (size_t i = 0; i < sizeof no_addresses / sizeof *no_addresses; i++)
		ck_assert_msg(!listen->holds(no_addresses[i]), "%s", no_addresses[i]);
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		ck_assert_msg(hosts->holds(lists[i]), "%s", lists[i]);
	for (size_t i = 0; i < sizeof no_lists / sizeof *no_lists; i++)
		ck_assert_msg(!hosts->holds(no_lists[i]), "%s", no_lists[i]);
}
END_TEST

START_TEST(engines_are_those_of_the_engine)
{
	const char *const *words = option_find("engine")->words;
	size_t i;

	ck_assert_str_eq(words[0], "auto");
	for (i = 0; gemm_engine_at(i); i++) {
		size_t at = 1;

		while (words[at] && strcmp(words[at], gemm_engine_at(i)->name))
			at++;
		ck_assert_msg(words[at] != NULL, "--engine does not know %s", gemm_engine_at(i)->name);
	}
	ck_assert_ptr_null(words[i + 1]);
}
END_TEST

static void slurp(FILE *file, char text[TEXT_MAX])
{
	size_t n;

	ck_assert_ptr_nonnull(file);
	n = fread(text, 1, TEXT_MAX - 1, file);
	text[n] = 0;
	fclose(file);
}

/* The paragraph of the man page that this .It line opens. */
static void man_item(const char *man, const char *item, char out[TEXT_MAX])
{
	const char *start = strstr(man, item), *end;

	ck_assert_msg(start != NULL, MAN_PAGE " has no line \"%s\"", item);
	start += strlen(item);
	end = strstr(start, "\n.It");
	snprintf(out, TEXT_MAX, "%.*s", end ? (int)(end - start) : (int)strlen(start), start);
}

START_TEST(the_man_page_has_every_option)
{
	static char man[TEXT_MAX], text[TEXT_MAX];
	size_t flags = 2; /* --help, --version */

	slurp(fopen(MAN_PAGE, "r"), man);
	for (const struct option *option = options; option->name; option++) {
		char item[128];

		if (option->places & OPTION_FLAG) {
			snprintf(item, sizeof item,
					*option->argument ? "\n.It Fl Fl %s Ar %s\n" : "\n.It Fl Fl %s%s\n",
					option->name, option->argument);
			flags++;
		} else {
			snprintf(item, sizeof item, "\n.It Ev DESCENTD_TOKEN\n");
		}
		man_item(man, item, text);
		ck_assert_msg(!option->fallback || strstr(text, option->fallback),
				"%s: its default is not there", option->name);
		for (const char *const *word = option->words; word && *word; word++)
			ck_assert_msg(strstr(text, *word) != NULL, "%s: %s is not there", option->name,
					*word);
	}
	for (const char *at = man; (at = strstr(at, "\n.It Fl")); at++)
		flags--;
	ck_assert_msg(!flags, MAN_PAGE " has options that are none");
}
END_TEST

START_TEST(help_has_every_option)
{
	static char help[TEXT_MAX];
	FILE *file = tmpfile();

	ck_assert_ptr_nonnull(file);
	config_help(file);
	rewind(file);
	slurp(file, help);
	for (const struct option *option = options; option->name; option++) {
		ck_assert_ptr_nonnull(strstr(help, option->meaning));
		ck_assert(!option->fallback || strstr(help, option->fallback));
	}
	for (const char *line = strtok(help, "\n"); line; line = strtok(NULL, "\n"))
		ck_assert_msg(strlen(line) <= 110, "too wide: %s", line);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		defaults_hold,
		commands_are_words,
		help_and_version_work_however_wrong_the_rest,
		a_flag_has_two_forms,
		wrong_flags_are_explained,
		flags_before_variables_before_file_before_defaults,
		a_value_is_checked_where_it_does_not_count_too,
		variables_are_read,
		the_file_may_be_named_by_a_variable,
		the_file_has_comments_and_spaces,
		faults_of_the_file_name_their_line,
		a_nul_byte_is_no_text,
		numbers_and_sizes_are_strict,
		words_and_forms_are_checked,
		addresses_and_lists_of_hosts_have_a_form,
		engines_are_those_of_the_engine,
		the_man_page_has_every_option,
		help_has_every_option,
		NULL,
	};

	return suite_main("config", tests, 30);
}
