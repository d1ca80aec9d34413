/* refusing.h - the calls that the store makes to SQLite and to the system, and its allocations, in front of the true ones: the
 * nth of them can be refused, as on a disk that is full or fails, or where memory has run out. Included once by a test
 * program.
 *
 * What SQLite calls by itself is handed on, and nothing waits for the disk: nobody kills these processes. A disk that is
 * full takes the transaction back, as SQLite does then. A sanitizer has its own malloc (own_malloc.h): under one no
 * allocation is refused.
 */
#ifndef TESTS_UNIT_REFUSING_H
#define TESTS_UNIT_REFUSING_H

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define HAS_MAIN
#include "tests/unit/own_malloc.h"

static atomic_long refusing_until; /* counted down to the call that is refused; 0: none is */
static atomic_bool refusing_fired;

/* What a call of SQLite says that is refused, by turns. */
static const struct {
	int code;
	bool rolls_back;
} refusals[] = { { SQLITE_NOMEM, false }, { SQLITE_FULL, true }, { SQLITE_IOERR_READ, false } };
static size_t refusing_turn;

/* The nth call from now on is refused. */
static inline void refuse(long n)
{
	refusing_turn = (refusing_turn + 1) % (sizeof refusals / sizeof *refusals);
	atomic_store(&refusing_fired, false);
	atomic_store(&refusing_until, n);
}

/* From now on none is; was one? */
static inline bool was_refused(void)
{
	atomic_store(&refusing_until, 0);
	return atomic_load(&refusing_fired);
}

/* ---- who calls ---- */

static uintptr_t sqlite_from, sqlite_to; /* where its code lies */

static inline int find_sqlite(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	(void)arg;
	if (!strstr(info->dlpi_name, "libsqlite3")) return 0;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_LOAD && info->dlpi_phdr[i].p_flags & PF_X) {
			sqlite_from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
			sqlite_to = sqlite_from + info->dlpi_phdr[i].p_memsz;
		}
	return 1;
}

__attribute__((constructor)) static void find_callers(void)
{
	dl_iterate_phdr(find_sqlite, NULL);
}

/* Is the call that returns there the one to be refused? */
static bool refuse_this(const void *caller)
{
	long n = atomic_load(&refusing_until);

	if (!n || ((uintptr_t)caller >= sqlite_from && (uintptr_t)caller < sqlite_to)) return false;
	while (n && !atomic_compare_exchange_weak(&refusing_until, &n, n - 1))
		;
	if (n != 1) return false;
	atomic_store(&refusing_fired, true);
	return true;
}

#define REFUSE_THIS() refuse_this(__builtin_return_address(0))

/* What comes behind ours under this name. */
#define TRUE_ONE(name)                                                       \
	({                                                                   \
		static __typeof__(&(name)) real;                             \
                                                                             \
		if (!real) real = (__typeof__(real))dlsym(RTLD_NEXT, #name); \
		real;                                                        \
	})

/* ---- SQLite ---- */

static int refusal_of(sqlite3 *db)
{
	if (refusals[refusing_turn].rolls_back && db && !sqlite3_get_autocommit(db))
		TRUE_ONE(sqlite3_exec)(db, "ROLLBACK", NULL, NULL, NULL);
	return refusals[refusing_turn].code;
}

/* A call that is refused with a code. db: its connection. */
#define REFUSABLE(name, db, parameters, ...)              \
	int name parameters                               \
	{                                                 \
		if (REFUSE_THIS()) return refusal_of(db); \
		return TRUE_ONE(name)(__VA_ARGS__);       \
	}

REFUSABLE(sqlite3_step, sqlite3_db_handle(stmt), (sqlite3_stmt * stmt), stmt)
REFUSABLE(sqlite3_prepare_v2, db,
		(sqlite3 * db, const char *sql, int size, sqlite3_stmt **out, const char **tail), db, sql,
		size, out, tail)
REFUSABLE(sqlite3_prepare_v3, db,
		(sqlite3 * db, const char *sql, int size, unsigned flags, sqlite3_stmt **out,
				const char **tail),
		db, sql, size, flags, out, tail)
REFUSABLE(sqlite3_exec, db,
		(sqlite3 * db, const char *sql, int (*each)(void *, int, char **, char **), void *self,
				char **says),
		db, sql, each, self, says)
REFUSABLE(sqlite3_bind_text, NULL,
		(sqlite3_stmt * stmt, int at, const char *text, int size, void (*done)(void *)), stmt, at,
		text, size, done)
REFUSABLE(sqlite3_blob_open, db,
		(sqlite3 * db, const char *name, const char *table, const char *column, sqlite3_int64 row,
				int flags, sqlite3_blob **out),
		db, name, table, column, row, flags, out)
REFUSABLE(sqlite3_blob_read, NULL, (sqlite3_blob * blob, void *to, int size, int from), blob, to, size, from)
REFUSABLE(sqlite3_backup_step, NULL, (sqlite3_backup * backup, int pages), backup, pages)
REFUSABLE(sqlite3_wal_checkpoint_v2, NULL, (sqlite3 * db, const char *name, int mode, int *all, int *done),
		db, name, mode, all, done)

/* ---- the system ---- */

/* A call that is refused with -1 and an error. */
#define FALLIBLE(name, error, type, parameters, ...) \
	type name parameters                         \
	{                                            \
		if (REFUSE_THIS()) {                 \
			errno = error;               \
			return -1;                   \
		}                                    \
		return TRUE_ONE(name)(__VA_ARGS__);  \
	}

FALLIBLE(flock, ENOLCK, int, (int fd, int how), fd, how)
FALLIBLE(stat, EIO, int, (const char *path, struct stat *out), path, out)
FALLIBLE(fstat, EIO, int, (int fd, struct stat *out), fd, out)
FALLIBLE(faccessat, EACCES, int, (int folder, const char *path, int how, int flags), folder, path, how, flags)
FALLIBLE(pread, EIO, ssize_t, (int fd, void *to, size_t size, off_t at), fd, to, size, at)
FALLIBLE(pwrite, ENOSPC, ssize_t, (int fd, const void *from, size_t size, off_t at), fd, from, size, at)
FALLIBLE(mkostemp, ENOSPC, int, (char *path, int flags), path, flags)
FALLIBLE(fchmod, EPERM, int, (int fd, mode_t mode), fd, mode)
FALLIBLE(rename, EIO, int, (const char *from, const char *to), from, to)
FALLIBLE(renameat2, EIO, int, (int a, const char *from, int b, const char *to, unsigned flags), a, from, b,
		to, flags)

int open(const char *path, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
	va_end(args);
	if (!REFUSE_THIS()) return TRUE_ONE(open)(path, flags, mode);
	errno = EMFILE;
	return -1;
}

int fsync(int fd)
{
	(void)fd;
	errno = EIO;
	return REFUSE_THIS() ? -1 : 0;
}

int fdatasync(int fd)
{
	(void)fd;
	errno = ENOSPC;
	return REFUSE_THIS() ? -1 : 0;
}

/* ---- memory ---- */

#ifndef SANITIZED

void *malloc(size_t size)
{
	return REFUSE_THIS() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return REFUSE_THIS() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return REFUSE_THIS() ? NULL : __libc_realloc(old, size);
}

#endif

#endif
