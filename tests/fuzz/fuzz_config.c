/* fuzz_config.c - libFuzzer on configuration files (server/config.h).
 *
 * The input is the file. It gives a configuration, or a sentence that names the line. A configuration that is written as a
 * file and read again is the same, and so is its copy; a file with a NUL byte is none. The seeds lie in
 * tests/fuzz/corpus/config.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "server/config.h"
#include "server/options.h"

#define PATH_BYTES 64
#define TEXT_MAX   4000 /* of a value that is written again: its line is no longer than one may be */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition) abort();
}

static int read_file(const void *text, size_t size, struct config *config, struct err *e)
{
	int fd = memfd_create("config", MFD_CLOEXEC), rc;
	char path[PATH_BYTES], *argv[] = { "descentd", "--config", path, NULL };
	static char *const nothing[] = { NULL };

	require(fd >= 0 && write(fd, text, size) == (ssize_t)size);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	rc = config_read(config, 3, argv, nothing, e);
	close(fd);
	return rc;
}

/* Its line, unless it is what holds without one; false: it would be too long. */
static bool write_option(const struct option *option, const struct config *config, const struct config *plain,
		FILE *to)
{
	const char *at = (const char *)config + option->offset;
	const char *text = option->type == OPTION_TEXT ? *(char *const *)at : NULL;

	if (!(option->places & OPTION_FILE) || option_same(option, config, plain)) return true;
	if (text && strlen(text) > TEXT_MAX) return false;
	fprintf(to, "%s=", option->name);
	switch (option->type) {
	case OPTION_TEXT: fputs(text, to); break;
	case OPTION_WORD: fputs(option->words[*(const unsigned *)at], to); break;
	case OPTION_COUNT: fprintf(to, "%u", *(const unsigned *)at); break;
	case OPTION_SIZE: fprintf(to, "%" PRIu64, *(const uint64_t *)at); break;
	case OPTION_SWITCH: fputs(*(const bool *)at ? "true" : "false", to); break;
	}
	fputc('\n', to);
	return true;
}

static void check_same(const struct config *a, const struct config *b)
{
	for (const struct option *option = options; option->name; option++)
		require((option->places & OPTION_FILE) == 0 || option_same(option, a, b));
}

static void check_config(const struct config *config)
{
	struct config copy, plain, again;
	bool whole = true;
	char *text;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	require(to && !config_copy(&copy, config, NULL));
	check_same(config, &copy);
	config_clear(&copy);
	require(!read_file("", 0, &plain, NULL));
	for (const struct option *option = options; option->name; option++)
		whole &= write_option(option, config, &plain, to);
	fclose(to);
	if (whole) {
		require(!read_file(text, size, &again, NULL));
		check_same(config, &again);
		config_clear(&again);
	}
	config_clear(&plain);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config config;
	struct err e = { "" };

	if (!read_file(data, size, &config, &e)) {
		require(!memchr(data, 0, size));
		check_config(&config);
	} else {
		require(strstr(e.text, " line ") && !config.db && !config.listen);
	}
	config_clear(&config);
	return 0;
}
