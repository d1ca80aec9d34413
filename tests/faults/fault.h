/* fault.h - the kinds of calls that fault.c lets fail, for the calls themselves (calls.c). */
#ifndef TESTS_FAULTS_FAULT_H
#define TESTS_FAULTS_FAULT_H

#include <errno.h>
#include <netdb.h>

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
	X(fread, EIO)                            \
	X(fflush, ENOSPC)                        \
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
	X(getcwd, ENOENT)                        \
	X(ioctl, EIO)                            \
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

/* How the call under way is to fail: an error, SHORT, or 0. */
int fault(enum kind kind);
/* The function of this name that stands behind ours. */
void *fault_next(const char *name);

#endif
