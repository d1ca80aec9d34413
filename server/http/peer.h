/* peer.h - who is at the other end of a connection. */
#ifndef SERVER_HTTP_PEER_H
#define SERVER_HTTP_PEER_H

#include <microhttpd.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "server/http/request.h"

struct http_server;

/* Did it come by the control socket? */
bool peer_is_owner(const struct http_server *server, struct MHD_Connection *connection);
/* Where it comes from, borrowed from the connection; NULL: not known. */
const struct sockaddr *peer_address(struct MHD_Connection *connection);
/* As request_peer says an address (request.h). False, and zeros: it is not of IP. */
bool peer_bytes(const struct sockaddr *from, unsigned char out[REQUEST_PEER_BYTES]);

#endif
