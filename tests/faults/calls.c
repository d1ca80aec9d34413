/* calls.c - the calls that fault.c lets fail, each in front of that of libc or of the sanitizer. */
#include "tests/faults/fault.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FDS    65536
#define FERROR 0x20 /* glibc's mark of a FILE that failed */

static bool eventfds[FDS]; /* by descriptor */

void *__interceptor_malloc(size_t size) __attribute__((weak));
void *__interceptor_calloc(size_t count, size_t size) __attribute__((weak));
void *__interceptor_realloc(void *old, size_t size) __attribute__((weak));
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

/* As fault, of a transfer of *size bytes; a short one gets a smaller size. */
static int fault_transfer(enum kind kind, size_t *size)
{
	int error = fault(kind);

	if (error != SHORT) return error;
	if (*size < 2) return EINTR;
	*size /= 2;
	return 0;
}

/* A call that returns `failed` with errno. kind: of whose sites it is. */
#define CALL(kind, type, failed, name, parameters, ...) \
	type name parameters                            \
	{                                               \
		static type(*real) parameters;          \
		int error = fault(KIND_##kind);         \
                                                        \
		if (error) {                            \
			errno = error;                  \
			return failed;                  \
		}                                       \
		if (!real) real = fault_next(#name);    \
		return real(__VA_ARGS__);               \
	}

/* One that moves size bytes. */
#define TRANSFER(kind, name, parameters, ...)                   \
	ssize_t name parameters                                 \
	{                                                       \
		static ssize_t(*real) parameters;               \
		int error = fault_transfer(KIND_##kind, &size); \
                                                                \
		if (error) {                                    \
			errno = error;                          \
			return -1;                              \
		}                                               \
		if (!real) real = fault_next(#name);            \
		return real(__VA_ARGS__);                       \
	}

/* One that does its work before it fails. */
#define CALL_AFTER(kind, name, parameters, ...)       \
	int name parameters                           \
	{                                             \
		static int(*real) parameters;         \
		int error = fault(KIND_##kind), done; \
                                                      \
		if (!real) real = fault_next(#name);  \
		done = real(__VA_ARGS__);             \
		if (!error) return done;              \
		errno = error;                        \
		return -1;                            \
	}

/* One that returns its error. */
#define CALL_ERROR(name, parameters, ...)            \
	int name parameters                          \
	{                                            \
		static int(*real) parameters;        \
		int error = fault(KIND_##name);      \
                                                     \
		if (error) return error;             \
		if (!real) real = fault_next(#name); \
		return real(__VA_ARGS__);            \
	}

void *malloc(size_t size)
{
	if (fault(KIND_malloc)) {
		errno = ENOMEM;
		return NULL;
	}
	return __interceptor_malloc ? __interceptor_malloc(size) : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	if (fault(KIND_calloc)) {
		errno = ENOMEM;
		return NULL;
	}
	return __interceptor_calloc ? __interceptor_calloc(count, size) : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	if (fault(KIND_realloc)) {
		errno = ENOMEM;
		return NULL;
	}
	return __interceptor_realloc ? __interceptor_realloc(old, size) : __libc_realloc(old, size);
}

/* libc's own call malloc or realloc above; the sanitizer's do not. */
#define COPYING(type, name, parameters, ...)                      \
	type name parameters                                      \
	{                                                         \
		static type(*real) parameters;                    \
                                                                  \
		if (__interceptor_malloc && fault(KIND_##name)) { \
			errno = ENOMEM;                           \
			return NULL;                              \
		}                                                 \
		if (!real) real = fault_next(#name);              \
		return real(__VA_ARGS__);                         \
	}

#undef strdup
#undef strndup
COPYING(char *, strdup, (const char *text), text)
COPYING(char *, strndup, (const char *text, size_t size), text, size)
COPYING(void *, reallocarray, (void *old, size_t count, size_t size), old, count, size)
CALL(aligned_alloc, void *, NULL, aligned_alloc, (size_t alignment, size_t size), alignment, size)

/* Only taking a lock can fail. */
static int fault_lock(int command, const struct flock *lock)
{
	return command == F_SETLK && lock->l_type != F_UNLCK ? fault(KIND_fcntl) : 0;
}

/* Open and fcntl take one argument more, if any. */
#define OPEN(name)                                          \
	int name(const char *path, int flags, ...)          \
	{                                                   \
		static int (*real)(const char *, int, ...); \
		int error = fault(KIND_open);               \
		va_list rest;                               \
		mode_t mode;                                \
                                                            \
		va_start(rest, flags);                      \
		mode = va_arg(rest, mode_t);                \
		va_end(rest);                               \
		if (error) {                                \
			errno = error;                      \
			return -1;                          \
		}                                           \
		if (!real) real = fault_next(#name);        \
		return real(path, flags, mode);             \
	}
OPEN(open)
OPEN(open64)

#define FCNTL(name)                                            \
	int name(int fd, int command, ...)                     \
	{                                                      \
		static int (*real)(int, int, ...);             \
		va_list rest;                                  \
		void *argument;                                \
		int error;                                     \
                                                               \
		va_start(rest, command);                       \
		argument = va_arg(rest, void *);               \
		va_end(rest);                                  \
		if ((error = fault_lock(command, argument))) { \
			errno = error;                         \
			return -1;                             \
		}                                              \
		if (!real) real = fault_next(#name);           \
		return real(fd, command, argument);            \
	}
FCNTL(fcntl)
FCNTL(fcntl64)

CALL(fopen, FILE *, NULL, fopen, (const char *path, const char *mode), path, mode)
CALL(fopen, FILE *, NULL, fopen64, (const char *path, const char *mode), path, mode)
CALL_AFTER(fclose, fclose, (FILE * file), file)
CALL_AFTER(fflush, fflush, (FILE * file), file)
CALL(mkostemp, int, -1, mkostemp, (char *path, int flags), path, flags)
CALL(mkostemp, int, -1, mkostemp64, (char *path, int flags), path, flags)
CALL(opendir, DIR *, NULL, opendir, (const char *path), path)
TRANSFER(read, read, (int fd, void *to, size_t size), fd, to, size)
TRANSFER(pread, pread, (int fd, void *to, size_t size, off_t at), fd, to, size, at)
TRANSFER(pread, pread64, (int fd, void *to, size_t size, off_t at), fd, to, size, at)
TRANSFER(pwrite, pwrite, (int fd, const void *from, size_t size, off_t at), fd, from, size, at)
TRANSFER(pwrite, pwrite64, (int fd, const void *from, size_t size, off_t at), fd, from, size, at)
CALL(ftruncate, int, -1, ftruncate, (int fd, off_t size), fd, size)
CALL(ftruncate, int, -1, ftruncate64, (int fd, off_t size), fd, size)
CALL(fallocate, int, -1, fallocate, (int fd, int mode, off_t at, off_t size), fd, mode, at, size)
CALL(mmap, void *, MAP_FAILED, mmap, (void *at, size_t size, int protection, int flags, int fd, off_t from),
		at, size, protection, flags, fd, from)
CALL(mmap, void *, MAP_FAILED, mmap64, (void *at, size_t size, int protection, int flags, int fd, off_t from),
		at, size, protection, flags, fd, from)
CALL(stat, int, -1, stat, (const char *path, struct stat *out), path, out)
CALL(stat, int, -1, stat64, (const char *path, struct stat64 *out), path, out)
CALL(fstat, int, -1, fstat, (int fd, struct stat *out), fd, out)
CALL(fstat, int, -1, fstat64, (int fd, struct stat64 *out), fd, out)
CALL(lstat, int, -1, lstat, (const char *path, struct stat *out), path, out)
CALL(lstat, int, -1, lstat64, (const char *path, struct stat64 *out), path, out)
CALL(access, int, -1, access, (const char *path, int mode), path, mode)
CALL(access, int, -1, faccessat, (int folder, const char *path, int mode, int flags), folder, path, mode,
		flags)
CALL(readlink, ssize_t, -1, readlink, (const char *path, char *out, size_t size), path, out, size)
CALL(realpath, char *, NULL, realpath, (const char *path, char *out), path, out)
CALL(flock, int, -1, flock, (int fd, int operation), fd, operation)
CALL(rename, int, -1, rename, (const char *from, const char *to), from, to)
CALL(rename, int, -1, renameat2, (int folder, const char *from, int other, const char *to, unsigned flags),
		folder, from, other, to, flags)
CALL(unlink, int, -1, unlink, (const char *path), path)
CALL(unlink, int, -1, unlinkat, (int folder, const char *path, int flags), folder, path, flags)
CALL(fchmod, int, -1, fchmod, (int fd, mode_t mode), fd, mode)
CALL(fchmod, int, -1, fchown, (int fd, uid_t owner, gid_t group), fd, owner, group)
CALL(getcwd, char *, NULL, getcwd, (char *out, size_t size), out, size)
CALL(ioctl, int, -1, ioctl, (int fd, unsigned long what, void *argument), fd, what, argument)
CALL(socket, int, -1, socket, (int domain, int type, int protocol), domain, type, protocol)
CALL(bind, int, -1, bind, (int fd, const struct sockaddr *address, socklen_t size), fd, address, size)
CALL(listen, int, -1, listen, (int fd, int backlog), fd, backlog)
CALL(accept4, int, -1, accept4, (int fd, struct sockaddr *address, socklen_t *size, int flags), fd, address,
		size, flags)
CALL(connect, int, -1, connect, (int fd, const struct sockaddr *address, socklen_t size), fd, address, size)
CALL(setsockopt, int, -1, setsockopt, (int fd, int level, int name, const void *value, socklen_t size), fd,
		level, name, value, size)
CALL(getsockopt, int, -1, getsockopt, (int fd, int level, int name, void *value, socklen_t *size), fd, level,
		name, value, size)
CALL(getsockname, int, -1, getsockname, (int fd, struct sockaddr *address, socklen_t *size), fd, address,
		size)
CALL(shutdown, int, -1, shutdown, (int fd, int how), fd, how)
CALL(dup3, int, -1, dup3, (int from, int to, int flags), from, to, flags)
CALL(epoll_create1, int, -1, epoll_create1, (int flags), flags)
CALL(epoll_wait, int, -1, epoll_wait, (int fd, struct epoll_event *events, int most, int ms), fd, events,
		most, ms)
CALL(poll, int, -1, poll, (struct pollfd * fds, unsigned long count, int ms), fds, count, ms)
TRANSFER(recv, recv, (int fd, void *to, size_t size, int flags), fd, to, size, flags)
TRANSFER(recv, __recv_chk, (int fd, void *to, size_t size, size_t room, int flags), fd, to, size, room, flags)
TRANSFER(send, send, (int fd, const void *from, size_t size, int flags), fd, from, size, flags)
TRANSFER(send, sendto,
		(int fd, const void *from, size_t size, int flags, const struct sockaddr *to,
				socklen_t to_size),
		fd, from, size, flags, to, to_size)
CALL(sendmsg, ssize_t, -1, sendmsg, (int fd, const struct msghdr *message, int flags), fd, message, flags)
TRANSFER(sendfile, sendfile64, (int to, int from, off_t *at, size_t size), to, from, at, size)
CALL_ERROR(pthread_create,
		(pthread_t * thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument),
		thread, attributes, run, argument)
CALL_ERROR(getaddrinfo,
		(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out),
		node, service, hints, out)
CALL(getrandom, ssize_t, -1, getrandom, (void *to, size_t size, unsigned flags), to, size, flags)
CALL(setrlimit, int, -1, setrlimit, (int resource, const void *limit), resource, limit)
CALL(setpriority, int, -1, setpriority, (int which, unsigned who, int priority), which, who, priority)
CALL(sigwaitinfo, int, -1, sigwaitinfo, (const sigset_t *set, siginfo_t *info), set, info)

/* Reading a FILE fails as ferror tells. */
static bool fault_file(FILE *file)
{
	int error = fault(KIND_fread);

	if (!error) return false;
	errno = error;
	file->_flags |= FERROR;
	return true;
}

char *fgets(char *line, int size, FILE *file)
{
	static char *(*real)(char *, int, FILE *);

	if (fault_file(file)) return NULL;
	if (!real) real = fault_next("fgets");
	return real(line, size, file);
}

size_t fread(void *to, size_t size, size_t count, FILE *file)
{
	static size_t (*real)(void *, size_t, size_t, FILE *);

	if (fault_file(file)) return 0;
	if (!real) real = fault_next("fread");
	return real(to, size, count, file);
}

void *mremap(void *old, size_t old_size, size_t new_size, int flags, ...)
{
	int error = fault(KIND_mremap);

	if (!error) return (void *)syscall(SYS_mremap, old, old_size, new_size, flags, NULL);
	errno = error;
	return MAP_FAILED;
}

int epoll_ctl(int set, int operation, int fd, struct epoll_event *event)
{
	int error = operation == EPOLL_CTL_DEL ? 0 : fault(KIND_epoll_ctl);

	if (!error) return (int)syscall(SYS_epoll_ctl, set, operation, fd, event);
	errno = error;
	return -1;
}

/* A folder is not what is in it. */
static int sync_call(long number, enum kind kind, int fd)
{
	struct stat found;
	int error = fault(
			!syscall(SYS_fstat, fd, &found) && S_ISDIR(found.st_mode) ? KIND_sync_folder : kind);

	if (!error) return (int)syscall(number, fd);
	errno = error;
	return -1;
}

int fdatasync(int fd)
{
	return sync_call(SYS_fdatasync, KIND_fdatasync, fd);
}

int fsync(int fd)
{
	return sync_call(SYS_fsync, KIND_fsync, fd);
}

int eventfd(unsigned value, int flags)
{
	int error = fault(KIND_eventfd), fd;

	if (error) {
		errno = error;
		return -1;
	}
	fd = (int)syscall(SYS_eventfd2, value, flags);
	if (fd >= 0 && fd < FDS) eventfds[fd] = true;
	return fd;
}

ssize_t write(int fd, const void *from, size_t size)
{
	static ssize_t (*real)(int, const void *, size_t);
	bool counts = fd >= 0 && fd < FDS && eventfds[fd];
	int error = counts ? 0 : fault_transfer(KIND_write, &size);

	if (error) {
		errno = error;
		return -1;
	}
	if (!real) real = fault_next("write");
	return real(fd, from, size);
}

int close(int fd)
{
	int error = fault(KIND_close), done;

	if (fd >= 0 && fd < FDS) eventfds[fd] = false;
	done = (int)syscall(SYS_close, fd);
	if (!error) return done;
	errno = error;
	return -1;
}
