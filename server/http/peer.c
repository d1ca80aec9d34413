/* peer.c - who is at the other end of a connection. See exchange.h. */
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

void request_peer(const struct request *rq, unsigned char peer[REQUEST_PEER_BYTES])
{
	static const unsigned char mapped[] = { [10] = 0xff, [11] = 0xff };
	const union MHD_ConnectionInfo *info =
			rq->connection ? MHD_get_connection_info(
							 rq->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)
				       : NULL;
	const struct sockaddr *from = info ? info->client_addr : NULL;

	memset(peer, 0, REQUEST_PEER_BYTES);
	if (from && from->sa_family == AF_INET6)
		memcpy(peer, &((const struct sockaddr_in6 *)from)->sin6_addr, REQUEST_PEER_BYTES);
	if (!from || from->sa_family != AF_INET) return;
	memcpy(peer, mapped, sizeof mapped);
	memcpy(peer + sizeof mapped, &((const struct sockaddr_in *)from)->sin_addr, 4);
}
