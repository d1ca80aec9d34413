/* refusing.h - the calls that our code makes to the system, and its allocations, in front of the true ones: the nth of them can
 * be refused, as where there is no memory, no descriptor or no room. What the libraries beneath us call by themselves is
 * handed on. refusing_sqlite.h and refusing_mhd.h do the same with our calls of those. Included once by a test program.
 *
 * Nothing waits for the disk: nobody kills these processes. A sanitizer has its own malloc (own_malloc.h): under one no
 * allocation is refused.
 */
#ifndef TESTS_UNIT_REFUSING_H
#define TESTS_UNIT_REFUSING_H

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
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

static size_t refusing_turn; /* counts refuse */

/* The nth call from now on is refused. */
static inline void refuse(long n)
{
	refusing_turn++;
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

#define MODULES 2 /* the program itself, and libc, which allocates for us */

static struct {
	uintptr_t from, to;
} refusing_code[MODULES];

static inline int find_code(struct dl_phdr_info *info, size_t size, void *arg)
{
	const size_t at = *info->dlpi_name ? 1 : 0;

	(void)size;
	(void)arg;
	if (at && !strstr(info->dlpi_name, "/libc.so")) return 0;
	for (int i = 0; i < info->dlpi_phnum && !refusing_code[at].from; i++)
		if (info->dlpi_phdr[i].p_type == PT_LOAD && info->dlpi_phdr[i].p_flags & PF_X) {
			refusing_code[at].from = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
			refusing_code[at].to = refusing_code[at].from + info->dlpi_phdr[i].p_memsz;
		}
	return 0;
}

static inline bool is_ours(uintptr_t caller)
{
	for (size_t i = 0; i < MODULES; i++)
		if (caller >= refusing_code[i].from && caller < refusing_code[i].to) return true;
	return false;
}

__attribute__((constructor)) static void find_callers(void)
{
	dl_iterate_phdr(find_code, NULL);
}

/* Is the call that returns there the one to be refused? */
static bool refuse_this(const void *caller)
{
	long n = atomic_load(&refusing_until);

	if (!n || !is_ours((uintptr_t)caller)) return false;
	while (n && !atomic_compare_exchange_weak(&refusing_until, &n, n - 1))
		;
	if (n != 1) return false;
	atomic_store(&refusing_fired, true);
	return true;
}

#define REFUSE_THIS() refuse_this(__builtin_return_address(0))

/* What comes behind ours under this name. */
#define TRUE_ONE(name)                                                          \
	({                                                                      \
		static _Atomic(__typeof__(&(name))) real;                       \
		__typeof__(&(name)) found = atomic_load(&real);                 \
                                                                                \
		if (!found) found = (__typeof__(found))dlsym(RTLD_NEXT, #name); \
		atomic_store(&real, found);                                     \
		found;                                                          \
	})

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
