/* peer.c - the two sockets, and addresses of both families as one. See peer.h. */
#include "server/http/peer.h"

#include <netinet/in.h>
#include <string.h>

#include "server/http/exchange.h"

bool peer_is_owner(const struct http_server *server, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
			MHD_get_connection_info(connection, MHD_CONNECTION_INFO_DAEMON);
	const union MHD_DaemonInfo *listens =
			info ? MHD_get_daemon_info(info->daemon, MHD_DAEMON_INFO_LISTEN_FD) : NULL;

	/* Not by server->control, which may not be written yet when the first connection comes. */
	return listens && server->config.control_fd >= 0 && listens->listen_fd == server->config.control_fd;
}

const struct sockaddr *peer_address(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
			MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	return info ? info->client_addr : NULL;
}

bool peer_bytes(const struct sockaddr *from, unsigned char out[REQUEST_PEER_BYTES])
{
	static const unsigned char mapped[] = { [10] = 0xff, [11] = 0xff };
	const struct sockaddr_in *v4 = (const void *)from;
	const struct sockaddr_in6 *v6 = (const void *)from;

	memset(out, 0, REQUEST_PEER_BYTES);
	if (from->sa_family == AF_INET6) memcpy(out, &v6->sin6_addr, REQUEST_PEER_BYTES);
	if (from->sa_family != AF_INET) return from->sa_family == AF_INET6;
	memcpy(out, mapped, sizeof mapped);
	memcpy(out + sizeof mapped, &v4->sin_addr, sizeof v4->sin_addr);
	return true;
}

void request_peer(const struct request *rq, unsigned char peer[REQUEST_PEER_BYTES])
{
	const struct sockaddr *from = rq->connection ? peer_address(rq->connection) : NULL;

	memset(peer, 0, REQUEST_PEER_BYTES);
	if (from) peer_bytes(from, peer);
}
