/* bare_http.c - the floor under a prediction: libmicrohttpd with a constant answer, as many loops as cores.
 *
 * Prints its port and serves until it is ended. bench/predict.py and bench/serve.py hold the daemon's CPU time a request against it.
 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static enum MHD_Result answer(void *self, struct MHD_Connection *connection, const char *url,
		const char *method, const char *version, const char *data, size_t *size, void **state)
{
	static char text[] =
			"{\"predictions\":[[0.98,0.02,0.0]],\"labels\":[\"setosa\"],\"model_version\":\"1\"}",
		    seen;
	struct MHD_Response *response;
	enum MHD_Result rc;

	(void)self, (void)url, (void)method, (void)version, (void)data;
	if (!*state || *size) {
		*state = &seen;
		*size = 0;
		return MHD_YES;
	}
	if (!(response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_PERSISTENT)))
		return MHD_NO;
	MHD_add_response_header(response, "Content-Type", "application/json");
	rc = MHD_queue_response(connection, 200, response);
	MHD_destroy_response(response);
	return rc;
}

int main(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct MHD_Daemon *daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer,
			NULL, MHD_OPTION_SOCK_ADDR, &any, MHD_OPTION_THREAD_POOL_SIZE,
			(unsigned)sysconf(_SC_NPROCESSORS_ONLN), MHD_OPTION_END);

	if (!daemon) return 1;
	printf("%u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
	fflush(stdout);
	pause();
	return 0;
}
