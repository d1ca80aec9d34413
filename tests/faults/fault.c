/* fault.c - a library that is loaded before all others (LD_PRELOAD) and makes system calls and allocations of the daemon
 * fail, one call site after another. tests/faults/faults.py drives it through a file that both have mapped (FAULT_CONTROL);
 * without that file it does nothing.
 *
 * A call site is the chain of the FRAMES nearest callers inside the daemon or the libraries of modules[]; callers elsewhere
 * (libc, the sanitizer) are passed over, and a call that none of ours is behind is left alone. Every site that is reached is
 * written into the file. While kinds of calls are armed, the next call at a site that has not failed in all ways of its kind
 * fails, in the next of its ways, and disarms: so one step of the driver meets one fault, and repeating the step until
 * nothing fires makes every site of it fail in every way. Under AddressSanitizer allocations are handed on to its own.
 *
 * With FAULT_TRACE in the environment the whole chain of callers of a failing call goes to stderr.
 *
 * Left out is what cannot fail with right arguments (clocks, mutexes, giving back a lock, taking a descriptor out of an epoll set, an eventfd whose
 * counter is not full), and freeing.
 */
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
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
#include <unwind.h>

#define FRAMES      4
#define FRAMES_PAST 40 /* callers that are looked at, at most */
#define SITES       65536
#define KINDS_MAX   64
#define WAYS_MAX    4
#define NAME_BYTES  16
#define FDS         65536

enum { SHORT = 1000 /* less than was asked for is read or written */ };

/* Kinds of calls, and the ways in which each fails. */
#define KINDS(X)                                 \
	X(malloc, ENOMEM)                        \
	X(calloc, ENOMEM)                        \
	X(realloc, ENOMEM)                       \
	X(reallocarray, ENOMEM)                  \
	X(aligned_alloc, ENOMEM)                 \
	X(strdup, ENOMEM)                        \
	X(strndup, ENOMEM)                       \
	X(open, EMFILE, EIO, EINTR)              \
	X(fopen, EMFILE)                         \
	X(fclose, ENOSPC)                        \
	X(mkostemp, ENOSPC)                      \
	X(opendir, EMFILE)                       \
	X(close, EIO)                            \
	X(read, EIO, EINTR, SHORT)               \
	X(pread, EIO, EINTR, SHORT)              \
	X(write, ENOSPC, EIO, EINTR, SHORT)      \
	X(pwrite, ENOSPC, EIO, EINTR, SHORT)     \
	X(fdatasync, EIO)                        \
	X(fsync, EIO)                            \
	X(sync_folder, EIO)                      \
	X(ftruncate, EIO, EINTR)                 \
	X(fallocate, ENOSPC)                     \
	X(mmap, ENOMEM)                          \
	X(mremap, ENOMEM)                        \
	X(stat, EIO)                             \
	X(fstat, EIO)                            \
	X(lstat, EIO)                            \
	X(access, EIO)                           \
	X(readlink, EIO)                         \
	X(realpath, EIO)                         \
	X(fcntl, ENOLCK)                         \
	X(flock, ENOLCK)                         \
	X(rename, EIO)                           \
	X(unlink, EIO)                           \
	X(fchmod, EPERM)                         \
	X(socket, EMFILE, ENOBUFS)               \
	X(bind, EADDRINUSE)                      \
	X(listen, EADDRINUSE)                    \
	X(accept4, EMFILE, ECONNABORTED, EINTR)  \
	X(connect, ECONNREFUSED)                 \
	X(setsockopt, ENOBUFS)                   \
	X(getsockname, ENOBUFS)                  \
	X(getsockopt, ENOBUFS)                   \
	X(shutdown, ENOTCONN)                    \
	X(dup3, EMFILE)                          \
	X(epoll_create1, EMFILE)                 \
	X(epoll_ctl, ENOMEM, ENOSPC)             \
	X(epoll_wait, EINTR)                     \
	X(eventfd, EMFILE)                       \
	X(poll, EINTR, ENOMEM)                   \
	X(recv, ECONNRESET, EINTR, SHORT)        \
	X(send, EPIPE, ECONNRESET, EINTR, SHORT) \
	X(sendmsg, EPIPE, ECONNRESET, EINTR)     \
	X(sendfile, EIO, EINTR, SHORT)           \
	X(pthread_create, EAGAIN)                \
	X(getaddrinfo, EAI_AGAIN, EAI_MEMORY)    \
	X(getrandom, ENOSYS, EINTR)              \
	X(setrlimit, EPERM)                      \
	X(setpriority, EACCES)                   \
	X(sigwaitinfo, EINTR)

#define AS_KIND(name, ...) KIND_##name,
enum kind { KINDS(AS_KIND) KIND_COUNT };

#define AS_ROW(name, ...) { #name, { __VA_ARGS__ } },
static const struct {
	const char *name;
	int ways[WAYS_MAX + 1];
} kinds[] = { KINDS(AS_ROW) };

_Static_assert(KIND_COUNT <= KINDS_MAX, "kinds are bits of a word");

/* Frames in these count; the first is the program itself. */
static const char *const modules[] = { "", "libsqlite3", "libmicrohttpd", "libjansson", "libz", "libnettle" };

#define MODULES (sizeof modules / sizeof *modules)

/* ---- the file; faults.py knows this layout ---- */

struct site {
	_Atomic uint64_t id; /* 0: free */
	uint64_t kind;
	_Atomic uint64_t done; /* bits of the ways in which it has failed */
	_Atomic uint64_t calls;
	uint64_t frames[FRAMES]; /* module << 48 | offset in it */
};

struct control {
	_Atomic uint64_t armed; /* bits of kinds */
	_Atomic uint64_t fired; /* 1 + the index of the site that failed since it was armed */
	_Atomic uint64_t way;
	_Atomic uint64_t sites_lost;
	uint64_t kinds_count;
	uint64_t part, seed; /* one site in `part` is chosen, by its id and the seed; the others never fail */
	uint64_t spare;
	char names[KINDS_MAX][NAME_BYTES];
	uint64_t ways[KINDS_MAX];
	struct site sites[SITES];
};

static struct control *control;
static struct {
	uintptr_t from, to, base;
} ranges[MODULES];
static bool eventfds[FDS];                                             /* by descriptor */
static __thread int inside __attribute__((tls_model("initial-exec"))); /* not our callers' calls */

void *__interceptor_malloc(size_t size) __attribute__((weak));
void *__interceptor_calloc(size_t count, size_t size) __attribute__((weak));
void *__interceptor_realloc(void *old, size_t size) __attribute__((weak));
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

/* ---- start ---- */

static int note_module(struct dl_phdr_info *info, size_t size, void *program)
{
	const char *slash = strrchr(info->dlpi_name, '/'), *name = slash ? slash + 1 : info->dlpi_name;
	bool *found_program = program;
	size_t module = 0;

	(void)size;
	if (*found_program)
		for (module = 1; module < MODULES && strncmp(name, modules[module], strlen(modules[module]));)
			module++;
	*found_program = true; /* it comes first */
	if (module == MODULES) return 0;
	ranges[module].base = info->dlpi_addr;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];

		if (part->p_type != PT_LOAD || !(part->p_flags & PF_X)) continue;
		ranges[module].from = info->dlpi_addr + part->p_vaddr;
		ranges[module].to = ranges[module].from + part->p_memsz;
	}
	return 0;
}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("FAULT_CONTROL");
	bool found_program = false;
	struct control *c;
	int fd;

	if (!path) return;
	inside++;
	dl_iterate_phdr(note_module, &found_program);
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
	c = (void *)syscall(SYS_mmap, NULL, sizeof *c, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	syscall(SYS_close, fd);
	if (fd < 0 || (intptr_t)c == -1) {
		fprintf(stderr, "fault: %s cannot be mapped\n", path);
		_exit(99);
	}
	c->kinds_count = KIND_COUNT;
	for (int i = 0; i < KIND_COUNT; i++) {
		strncpy(c->names[i], kinds[i].name, NAME_BYTES - 1);
		c->ways[i] = 0;
		while (kinds[i].ways[c->ways[i]])
			c->ways[i]++;
	}
	control = c;
	inside--;
}

/* ---- sites ---- */

struct walk {
	uint64_t frames[FRAMES];
	int found, past;
};

static _Unwind_Reason_Code look(struct _Unwind_Context *context, void *arg)
{
	struct walk *walk = arg;
	uintptr_t at = _Unwind_GetIP(context);

	for (size_t i = 0; i < MODULES; i++)
		if (at >= ranges[i].from && at < ranges[i].to)
			walk->frames[walk->found++] = (uint64_t)i << 48 | (at - ranges[i].base);
	return walk->found == FRAMES || ++walk->past == FRAMES_PAST ? _URC_END_OF_STACK : _URC_NO_REASON;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
	return hash ^ hash >> 29;
}

/* The site of the call under way; NULL: nobody of ours is behind it. */
static struct site *find_site(enum kind kind)
{
	struct walk walk = { .found = 0 };
	uint64_t id = mix(1, kind);

	_Unwind_Backtrace(look, &walk);
	if (!walk.found) return NULL;
	for (int i = 0; i < FRAMES; i++)
		id = mix(id, walk.frames[i]);
	if (!id) id = 1;
	for (uint64_t at = id, tries = 0; tries < SITES; at++, tries++) {
		struct site *site = &control->sites[at % SITES];
		uint64_t there = 0;

		if (atomic_load(&site->id) == id) return site;
		if (!atomic_compare_exchange_strong(&site->id, &there, id)) {
			if (there == id) return site;
			continue;
		}
		site->kind = kind;
		memcpy(site->frames, walk.frames, sizeof walk.frames);
		return site;
	}
	atomic_fetch_add(&control->sites_lost, 1);
	return NULL;
}

/* Disarms, and how the site fails now; 0: it does not. */
static int take_turn(struct site *site, enum kind kind)
{
	uint64_t armed = atomic_load(&control->armed), done = atomic_load(&site->done);
	int way = 0;

	while (done >> way & 1)
		way++;
	if (!(armed >> kind & 1) || !kinds[kind].ways[way]) return 0;
	if (control->part > 1 && mix(site->id, control->seed) % control->part) return 0;
	if (!atomic_compare_exchange_strong(&control->armed, &armed, 0)) return 0;
	atomic_fetch_or(&site->done, 1u << way);
	atomic_store(&control->way, (uint64_t)kinds[kind].ways[way]);
	atomic_store(&control->fired, (uint64_t)(site - control->sites) + 1);
	if (getenv("FAULT_TRACE")) {
		void *calls[FRAMES_PAST];

		backtrace_symbols_fd(calls, backtrace(calls, FRAMES_PAST), STDERR_FILENO);
	}
	return kinds[kind].ways[way];
}

/* How the call under way is to fail: an error, SHORT, or 0. */
static int fault(enum kind kind)
{
	int before = errno, error = 0;
	struct site *site;

	if (!control || inside) return 0;
	inside++;
	if ((site = find_site(kind))) {
		atomic_fetch_add(&site->calls, 1);
		error = take_turn(site, kind);
	}
	inside--;
	errno = before;
	return error;
}

/* As fault, of a transfer of *size bytes; a short one gets a smaller size. */
static int fault_transfer(enum kind kind, size_t *size)
{
	int error = fault(kind);

	if (error != SHORT) return error;
	if (*size < 2) return EINTR;
	*size /= 2;
	return 0;
}

static void *next(const char *name)
{
	void *found;

	inside++;
	found = dlsym(RTLD_NEXT, name);
	inside--;
	return found;
}

/* ---- calls ---- */

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
		if (!real) real = next(#name);          \
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
		if (!real) real = next(#name);                  \
		return real(__VA_ARGS__);                       \
	}

/* One that does its work before it fails. */
#define CALL_AFTER(kind, name, parameters, ...)       \
	int name parameters                           \
	{                                             \
		static int(*real) parameters;         \
		int error = fault(KIND_##kind), done; \
                                                      \
		if (!real) real = next(#name);        \
		done = real(__VA_ARGS__);             \
		if (!error) return done;              \
		errno = error;                        \
		return -1;                            \
	}

/* One that returns its error. */
#define CALL_ERROR(name, parameters, ...)       \
	int name parameters                     \
	{                                       \
		static int(*real) parameters;   \
		int error = fault(KIND_##name); \
                                                \
		if (error) return error;        \
		if (!real) real = next(#name);  \
		return real(__VA_ARGS__);       \
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
		if (!real) real = next(#name);                    \
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
		if (!real) real = next(#name);              \
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
		if (!real) real = next(#name);                 \
		return real(fd, command, argument);            \
	}
FCNTL(fcntl)
FCNTL(fcntl64)

CALL(fopen, FILE *, NULL, fopen, (const char *path, const char *mode), path, mode)
CALL(fopen, FILE *, NULL, fopen64, (const char *path, const char *mode), path, mode)
CALL_AFTER(fclose, fclose, (FILE * file), file)
CALL(mkostemp, int, -1, mkostemp, (char *path, int flags), path, flags)
CALL(mkostemp, int, -1, mkostemp64, (char *path, int flags), path, flags)
CALL(opendir, void *, NULL, opendir, (const char *path), path)
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
CALL(unlink, int, -1, unlink, (const char *path), path)
CALL(unlink, int, -1, unlinkat, (int folder, const char *path, int flags), folder, path, flags)
CALL(fchmod, int, -1, fchmod, (int fd, mode_t mode), fd, mode)
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
TRANSFER(send, send, (int fd, const void *from, size_t size, int flags), fd, from, size, flags)
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
	if (!real) real = next("write");
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
