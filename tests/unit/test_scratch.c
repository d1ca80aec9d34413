/* test_scratch.c - files without a name: they are in the folder that was asked for, and nobody sees them there. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/scratch.h"
#include "tests/unit/suite.h"

#define PIECE_BYTES 100003

static char folder[] = "/tmp/test_scratch-XXXXXX";

static size_t names_in(const char *path)
{
	DIR *dir = opendir(path);
	size_t count = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2; /* . and .. */
}

static dev_t device_of(const char *path)
{
	struct stat found;

	ck_assert_int_eq(stat(path, &found), 0);
	return found.st_dev;
}

START_TEST(what_was_written_is_read)
{
	unsigned char piece[PIECE_BYTES], found[PIECE_BYTES];
	struct scratch *scratch;
	char beside[64];
	struct err e;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(beside, sizeof beside, "%s/x.db", folder);
	ck_assert_int_eq(scratch_new(&scratch, beside, &e), 0);
	for (unsigned k = 0; k < 5; k++) {
		memset(piece, (int)k + 1, sizeof piece);
		ck_assert_int_eq(scratch_write(scratch, piece, sizeof piece, &e), 0);
	}
	ck_assert_uint_eq(names_in(folder), 0);
	ck_assert_int_eq(scratch_read(scratch, 2 * PIECE_BYTES - 1, found, sizeof found, &e), 0);
	ck_assert_uint_eq(found[0], 2);
	ck_assert_uint_eq(found[1], 3);
	ck_assert_uint_eq(found[PIECE_BYTES - 1], 3);
	ck_assert_int_eq(scratch_read(scratch, 4 * PIECE_BYTES + 1, found, sizeof found, &e), ERR_IO);
	scratch_free(scratch);
	scratch_free(NULL);
	ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(where_it_lies)
{
	struct stat found;
	struct scratch *scratch;
	struct err e;
	int fd = scratch_open("x.db");

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &found), 0);
	ck_assert(found.st_dev == device_of("."));
	ck_assert_uint_eq(found.st_mode & 0777, 0600);
	ck_assert_uint_eq(found.st_nlink, 0);
	close(fd);
	fd = scratch_open("/x.db"); /* the root; only some may write there */
	if (fd >= 0) close(fd);
	ck_assert_int_eq(scratch_open("/nonexistent/x.db"), -1);
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_int_eq(scratch_new(&scratch, "/nonexistent/x.db", &e), ERR_IO);
	ck_assert_ptr_null(scratch);
	ck_assert_ptr_nonnull(strstr(e.text, "No such file"));
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { what_was_written_is_read, where_it_lies, NULL };

	return suite_main("scratch", tests, 30);
}
