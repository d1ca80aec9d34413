/* connection.c - places, and their end. See connection.h.
 *
 * The callbacks come on the loops' threads, once for each connection; requests on a connection take no lock here. Whoever
 * looks for the overdue walks the list with the lock held: as libmicrohttpd's word that a connection ends waits for the
 * lock, no descriptor of the list is closed, or somebody else's, meanwhile.
 */
#include "server/http/connection.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "server/buffer.h"
#include "server/http/peer.h"

#define RESERVE         64 /* connections beyond --max-connections */
#define RESERVE_SHARE   16 /* of them for one address */
#define RESERVE_MS      3000
#define ADDRESS_BYTES   8 /* an IPv6 client has at least a /64 */
#define ADDRESS_BUCKETS 1024

struct address {
	unsigned char bytes[ADDRESS_BYTES];
	unsigned places, reserve;
	struct address *next;
};

/* An answer that is made before it is needed, to be written past libmicrohttpd. */
struct refusal {
	unsigned status;
	struct buffer text;
};

struct connections {
	const struct http_config *config;
	struct refusal too_slow, too_large; /* of a body, of headers */
	atomic_uint open, reserve;
	atomic_bool scarce;
	pthread_mutex_t lock;
	struct connection *first;
	struct address *addresses[ADDRESS_BUCKETS];
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- addresses; the lock is held ---- */

/* Of IPv6 the network, of IPv4 all of it. False: it has none that would tell clients apart. */
static bool address_bytes(const struct sockaddr *from, unsigned char out[ADDRESS_BYTES])
{
	struct in6_addr peer;

	if (!peer_bytes(from, peer.s6_addr)) return false;
	memcpy(out, peer.s6_addr + (IN6_IS_ADDR_V4MAPPED(&peer) ? sizeof peer - ADDRESS_BYTES : 0),
			ADDRESS_BYTES);
	return true;
}

static struct address **address_place(struct connections *all, const unsigned char bytes[ADDRESS_BYTES])
{
	struct address **at;
	uint64_t key;

	memcpy(&key, bytes, sizeof key);
	at = &all->addresses[(key * UINT64_C(0x9E3779B97F4A7C15)) >> 32 & (ADDRESS_BUCKETS - 1)];
	while (*at && memcmp((*at)->bytes, bytes, ADDRESS_BYTES))
		at = &(*at)->next;
	return at;
}

/* One connection more; NULL where there is no memory to count it. */
static struct address *address_enter(
		struct address **at, const unsigned char bytes[ADDRESS_BYTES], bool reserve)
{
	if (!*at && (*at = calloc(1, sizeof **at))) memcpy((*at)->bytes, bytes, ADDRESS_BYTES);
	if (*at && reserve) (*at)->reserve++;
	if (*at && !reserve) (*at)->places++;
	return *at;
}

static void address_leave(struct connections *all, struct address *address, bool reserve)
{
	struct address **at;

	if (!address) return;
	if (reserve)
		address->reserve--;
	else
		address->places--;
	if (address->places || address->reserve) return;
	at = address_place(all, address->bytes);
	*at = address->next;
	free(address);
}

/* ---- places; the lock is held ---- */

static bool all_taken(const struct connections *all)
{
	return atomic_load(&all->scarce) ||
	       atomic_load(&all->open) - atomic_load(&all->reserve) >= all->config->connections_max;
}

static bool has_place(const struct connections *all, const struct address *address)
{
	return !all_taken(all) && (!address || address->places < all->config->address_connections_max);
}

static bool has_reserve(const struct connections *all, const struct address *address)
{
	return atomic_load(&all->reserve) < RESERVE && (!address || address->reserve < RESERVE_SHARE);
}

/* False: there is no room for it. */
static bool take_place(struct connections *all, struct connection *c, const struct sockaddr *from)
{
	unsigned char bytes[ADDRESS_BYTES];
	struct address **at = from && address_bytes(from, bytes) ? address_place(all, bytes) : NULL;

	c->reserve = !has_place(all, at ? *at : NULL);
	if (c->reserve && !has_reserve(all, at ? *at : NULL)) return false;
	if (at) c->address = address_enter(at, bytes, c->reserve);
	atomic_fetch_add(&all->open, 1);
	if (c->reserve) atomic_fetch_add(&all->reserve, 1);
	if ((c->next = all->first)) c->next->previous = c;
	all->first = c;
	return true;
}

static void leave_place(struct connections *all, struct connection *c)
{
	if (c->next) c->next->previous = c->previous;
	if (c->previous)
		c->previous->next = c->next;
	else
		all->first = c->next;
	if (c->reserve) atomic_fetch_sub(&all->reserve, 1);
	atomic_fetch_sub(&all->open, 1);
	address_leave(all, c->address, c->reserve);
}

/* ---- begin and end ---- */

static struct connection *connection_new(struct connections *all, struct MHD_Connection *connection, int fd)
{
	const struct sockaddr *from = peer_address(connection);
	struct connection *c = calloc(1, sizeof *c);
	bool taken;

	if (!c) return NULL;
	c->all = all;
	c->fd = fd;
	c->local = from && from->sa_family == AF_UNIX;
	c->plain = !MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	pthread_mutex_lock(&all->lock);
	taken = take_place(all, c, from);
	if (taken)
		patience_begin(&c->patience, PART_HEADERS,
				now_ms() + (c->reserve ? RESERVE_MS : all->config->header_ms));
	pthread_mutex_unlock(&all->lock);
	if (taken) return c;
	free(c);
	return NULL;
}

void connections_notice(void *self, struct MHD_Connection *connection, void **context,
		enum MHD_ConnectionNotificationCode what)
{
	struct connections *all = self;
	struct connection *c = *context;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		int fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;

		*context = connection_new(all, connection, fd);
		if (!*context) shutdown(fd, SHUT_RDWR);
		return;
	}
	*context = NULL;
	if (!c) return;
	pthread_mutex_lock(&all->lock);
	leave_place(all, c);
	pthread_mutex_unlock(&all->lock);
	free(c);
}

struct connection *connection_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
			MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static int write_refusal(struct connections *all, struct refusal *out, int code, const char *phrase,
		const char *sentence, struct err *e)
{
	static char url[] = "/";
	struct request rq = { .app = all->config->app, .method = "GET", .url = url, .path_length = 1 };
	struct reply rp = { 0 };
	struct err why;

	err_set(&why, code, "%s", sentence);
	all->config->problem(&rq, &rp, code, &why);
	out->status = rp.status;
	buffer_printf(&out->text,
			"HTTP/1.1 %u %s\r\nConnection: close\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
			rp.status, phrase, rp.content_type, rp.body.size);
	buffer_add(&out->text, rp.body.data, rp.body.size);
	if (rq.notes) rq.notes_free(rq.notes);
	buffer_free(&rp.body);
	return buffer_ok(&out->text) ? 0 : err_nomem(e);
}

static int write_refusals(struct connections *all, struct err *e)
{
	int rc = write_refusal(all, &all->too_slow, ERR_SLOW, "Request Timeout",
			"the body came too slowly: no more of it is read, and the connection ends", e);

	return rc ? rc
		  : write_refusal(all, &all->too_large, ERR_HEADERS, "Request Header Fields Too Large",
				    "URL and headers are too large; --connection-memory is what a connection has for them",
				    e);
}

int connections_new(struct connections **out, const struct http_config *config, struct err *e)
{
	struct connections *all = calloc(1, sizeof *all);
	int rc;

	*out = NULL;
	if (!all) return err_nomem(e);
	all->config = config;
	pthread_mutex_init(&all->lock, NULL);
	if ((rc = write_refusals(all, e))) {
		connections_free(all);
		return rc;
	}
	*out = all;
	return 0;
}

void connections_free(struct connections *all)
{
	if (!all) return;
	buffer_free(&all->too_slow.text);
	buffer_free(&all->too_large.text);
	pthread_mutex_destroy(&all->lock);
	free(all);
}

/* ---- all of them ---- */

static uint32_t transfer_ms(const struct connection *c)
{
	return c->reserve ? RESERVE_MS : c->all->config->transfer_ms;
}

bool connections_full(const struct connections *all)
{
	return all_taken(all) && atomic_load(&all->reserve) >= RESERVE;
}

void connections_set_scarce(struct connections *all, bool scarce)
{
	atomic_store(&all->scarce, scarce);
}

/* What was not read of an answer goes with the socket, at once: the kernel would keep it and try on. */
static void drop_answer(const struct connection *c)
{
	const struct linger at_once = { .l_onoff = 1 };

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

/* Nothing of libmicrohttpd's is under way. The lock is held. */
static void tell(struct connection *c, const struct refusal *refusal)
{
	const struct buffer *text = &refusal->text;

	if (c->plain && send(c->fd, text->data, text->size, MSG_DONTWAIT | MSG_NOSIGNAL) ==
					(ssize_t)text->size)
		c->told = refusal->status;
}

/* The loop sees the end of the socket, and ends the connection. */
static void end(struct connections *all, struct connection *c, enum part part)
{
	if (part == PART_BODY) tell(c, &all->too_slow);
	if (part == PART_ANSWER) drop_answer(c);
	shutdown(c->fd, SHUT_RDWR);
}

/* How far its client is. What it has acknowledged says so; what a loop could write does not, as the kernel takes megabytes.
 * Of a socket's file there is only what the other side has not fetched, of no more than the kernel keeps for it: that this
 * changes, or that there was room for more, shows that somebody reads. */
static void look_at_reader(struct connection *c, uint64_t now)
{
	uint64_t before = c->read, ms = 0;
	struct tcp_info info = { 0 };
	socklen_t size = sizeof info;
	int waiting = 0;

	if (!getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &size)) {
		c->read = info.tcpi_bytes_acked;
		ms = (c->read - before) * 1000 / c->all->config->rate_min;
	} else if (!ioctl(c->fd, SIOCOUTQ, &waiting)) {
		c->read = atomic_load_explicit(&c->written, memory_order_relaxed) - (uint64_t)waiting;
		if (c->read != before) ms = transfer_ms(c);
	}
	/* No rest for who was quick: what waits for it is held in memory. */
	if (ms) patience_earn(&c->patience, PART_ANSWER, ms, now, transfer_ms(c));
}

void connections_end_overdue(struct connections *all)
{
	uint64_t now = now_ms();

	pthread_mutex_lock(&all->lock);
	for (struct connection *c = all->first; c; c = c->next) {
		enum part part;

		if (patience_part(&c->patience) == PART_ANSWER) look_at_reader(c, now);
		part = patience_over(&c->patience, now);
		if (part != PART_OURS)
			end(all, c, part);
		else if (patience_part(&c->patience) ==
				PART_OVER) /* its loop took the end for part of an earlier event */
			shutdown(c->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&all->lock);
}

/* ---- one of them ---- */

bool connection_heads(struct connection *c)
{
	return patience_hurry(&c->patience, now_ms() + (c->reserve ? RESERVE_MS : c->all->config->header_ms));
}

bool connection_body(struct connection *c)
{
	c->received = 0;
	return patience_begin(&c->patience, PART_BODY, now_ms() + transfer_ms(c));
}

/* Who was quick may rest for as long as the idle limit: an upload through a tunnel. */
bool connection_received(struct connection *c, size_t bytes)
{
	const struct http_config *config = c->all->config;
	uint32_t limit_ms = config->idle_seconds * 1000;

	uint64_t earned_ms;

	c->received += bytes;
	earned_ms = c->received * 1000 / config->rate_min;
	if (!earned_ms) return patience_part(&c->patience) != PART_OVER;
	c->received -= earned_ms * config->rate_min / 1000;
	return patience_earn(&c->patience, PART_BODY, earned_ms, now_ms(),
			limit_ms > transfer_ms(c) ? limit_ms : transfer_ms(c));
}

bool connection_works(struct connection *c)
{
	return patience_begin(&c->patience, PART_OURS, 0);
}

bool connection_answers(struct connection *c)
{
	return patience_begin(&c->patience, PART_ANSWER, now_ms() + transfer_ms(c));
}

bool connection_idle(struct connection *c)
{
	const struct http_config *config = c->all->config;

	return patience_begin(&c->patience, PART_HEADERS,
			now_ms() + config->idle_seconds * 1000 + config->header_ms);
}

void connection_pause(struct connection *c)
{
	patience_pause(&c->patience, now_ms());
}

void connection_resume(struct connection *c)
{
	patience_resume(&c->patience, now_ms());
}

void connection_refuse_headers(struct connection *c)
{
	pthread_mutex_lock(&c->all->lock);
	if (patience_begin(&c->patience, PART_OURS, 0)) tell(c, &c->all->too_large);
	pthread_mutex_unlock(&c->all->lock);
}

unsigned connection_told(struct connection *c)
{
	unsigned told;

	pthread_mutex_lock(&c->all->lock);
	told = c->told;
	pthread_mutex_unlock(&c->all->lock);
	return told;
}
