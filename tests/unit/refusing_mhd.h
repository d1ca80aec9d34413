/* refusing_mhd.h - our calls of libmicrohttpd, of sockets and of threads that can be refused (refusing.h). Not
 * accepting: without descriptors only health is answered, for a second.
 */
#ifndef TESTS_UNIT_REFUSING_MHD_H
#define TESTS_UNIT_REFUSING_MHD_H

#include <microhttpd.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "tests/unit/refusing.h"

/* A call that is refused with this. */
#define REFUSED_WITH(refusal, type, name, parameters, ...) \
	type name parameters                               \
	{                                                  \
		if (REFUSE_THIS()) return refusal;         \
		return TRUE_ONE(name)(__VA_ARGS__);        \
	}

REFUSED_WITH(NULL, struct MHD_Response *, MHD_create_response_from_buffer,
		(size_t size, void *data, enum MHD_ResponseMemoryMode mode), size, data, mode)
REFUSED_WITH(NULL, struct MHD_Response *, MHD_create_response_from_callback,
		(uint64_t size, size_t block, MHD_ContentReaderCallback read, void *self,
				MHD_ContentReaderFreeCallback over),
		size, block, read, self, over)
REFUSED_WITH(MHD_NO, enum MHD_Result, MHD_add_response_header,
		(struct MHD_Response * response, const char *name, const char *value), response, name, value)
REFUSED_WITH(MHD_NO, enum MHD_Result, MHD_queue_response,
		(struct MHD_Connection * connection, unsigned status, struct MHD_Response *response),
		connection, status, response)
REFUSED_WITH(EAGAIN, int, pthread_create,
		(pthread_t * thread, const pthread_attr_t *attributes, void *(*run)(void *), void *self),
		thread, attributes, run, self)

/* It closes what it does not take. */
enum MHD_Result MHD_add_connection(
		struct MHD_Daemon *daemon, MHD_socket fd, const struct sockaddr *from, socklen_t size)
{
	if (!REFUSE_THIS()) return TRUE_ONE(MHD_add_connection)(daemon, fd, from, size);
	close(fd);
	return MHD_NO;
}

FALLIBLE(socket, EMFILE, int, (int domain, int type, int protocol), domain, type, protocol)
FALLIBLE(eventfd, EMFILE, int, (unsigned count, int flags), count, flags)
FALLIBLE(setsockopt, ENOBUFS, int, (int fd, int level, int name, const void *value, socklen_t size), fd,
		level, name, value, size)
FALLIBLE(getsockname, ENOBUFS, int, (int fd, struct sockaddr *out, socklen_t *size), fd, out, size)
FALLIBLE(bind, EADDRINUSE, int, (int fd, const struct sockaddr *to, socklen_t size), fd, to, size)
FALLIBLE(listen, EADDRINUSE, int, (int fd, int backlog), fd, backlog)

#endif
