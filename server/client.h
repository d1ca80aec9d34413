/* client.h - one HTTP/1.1 request at a time to a daemon on this machine, and its answer whole. */
#ifndef SERVER_CLIENT_H
#define SERVER_CLIENT_H

#include <stddef.h>

#include "core/err.h"
#include "server/buffer.h"

struct client {
	const char *socket; /* a path; NULL: the port */
	const char *file;   /* whose owner listens there, if neither root nor we do; of a socket */
	unsigned port;      /* on 127.0.0.1 */
	int stop_fd;        /* readable once nobody wants an answer any more; borrowed; -1: none */
};

struct client_request {     /* all borrowed */
	const char *method; /* "PUT" */
	const char *path;   /* "/v1/models", with its query */
	const char *type;   /* of the body; NULL: no Content-Type is sent */
	const char *body;   /* size bytes; NULL: no body */
	size_t size;
};

struct client_answer { /* zeroed is empty; new: client_answer_clear */
	unsigned status;
	const char *body; /* body_size bytes, then a NUL; borrowed from raw */
	size_t body_size;
	struct buffer raw;
};

/* Sends the request on a connection of its own and reads the answer, whatever its status; *out is set only on
 * success. ERR_IO: the daemon cannot be reached, is somebody else's, takes longer than CLIENT_SECONDS, or sends no whole answer;
 * ERR_STOPPED: stop_fd became readable; ERR_NOMEM. */
int client_call(const struct client *client, const struct client_request *request, struct client_answer *out,
		struct err *e);
void client_answer_clear(struct client_answer *answer);

#define CLIENT_SECONDS 20

#endif
