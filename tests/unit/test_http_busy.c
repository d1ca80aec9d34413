/* test_http_busy.c - the HTTP server while its threads have enough to do, and the queue before them is full: what cannot be
 * taken on is refused, what was begun is ended, and nothing is lost.
 *
 * The one thread of the pool is held by a task of ours, or by a request, and the queue filled with tasks that do nothing.
 */
#include <pthread.h>
#include <semaphore.h>

#include "server/http/exchange.h"
#include "tests/unit/http_serving.h"

#define FILLERS_MAX  10000
#define PAUSE_US     500
#define STREAM_BYTES 4096 /* that a stream's body may have */

static struct http_server *server;

static void wait_until(bool (*is_so)(void))
{
	for (int i = 0; !is_so(); i++) {
		ck_assert_int_lt(i, PATIENCE_S * 1000000 / PAUSE_US);
		usleep(PAUSE_US);
	}
}

/* ---- a pool that is full ---- */

static sem_t holding, let_go, skipped;
static struct pool_task holder, fillers[FILLERS_MAX];

static void run_hold(struct pool_task *task)
{
	(void)task;
	sem_post(&holding);
	sem_wait(&let_go);
}

static void run_nothing(struct pool_task *task)
{
	(void)task;
}

/* The thread is at work already. */
static void fill(struct pool *pool)
{
	int n = 0;

	do {
		ck_assert_int_lt(n, FILLERS_MAX);
		fillers[n].run = run_nothing;
	} while (pool_add(pool, &fillers[n++]));
}

static void hold(struct pool *pool)
{
	holder.run = run_hold;
	ck_assert(pool_add(pool, &holder));
	sem_wait(&holding);
	fill(pool);
}

static void release(struct pool *pool)
{
	sem_post(&let_go);
	ck_assert(pool_drain(pool, PATIENCE_S));
}

/* ---- what is served ---- */

/* A stream whose data wait: `holding` says that some are there, `let_go` lets them pass. */
static struct exchange *streamed; /* the last one */
static atomic_int pieces_taken, abandoned;
static atomic_bool data_fail;

static int stream_begin(struct request *rq, struct reply *rp, struct err *err)
{
	(void)rp, (void)err;
	streamed = (struct exchange *)rq;
	rq->state_free = free;
	return (rq->state = calloc(1, sizeof(size_t))) ? 0 : err_nomem(err);
}

static int stream_data(struct request *rq, const char *bytes, size_t n, struct err *err)
{
	(void)bytes;
	sem_post(&holding);
	sem_wait(&let_go);
	atomic_fetch_add(&pieces_taken, 1);
	*(size_t *)rq->state += n;
	return atomic_load(&data_fail) ? err_set(err, ERR_IO, "no room for the data") : 0;
}

static void stream_abandon(struct request *rq)
{
	(void)rq;
	atomic_fetch_add(&abandoned, 1);
}

static int stream_end(struct request *rq, struct reply *rp, struct err *err)
{
	(void)err;
	buffer_printf(&rp->body, "%zu bytes", *(size_t *)rq->state);
	return 0;
}

static const struct route_stream streaming = { stream_begin, stream_data, stream_abandon };

/* An answer that changes when it is told to, and is held back until then. */
static atomic_int edition;
static struct request *_Atomic held;
static atomic_bool wakes_itself;

static int give_edition(struct request *rq, struct reply *rp, struct err *err)
{
	(void)err;
	buffer_printf(&rp->body, "edition %d", atomic_load(&edition));
	rp->hold_seconds = PATIENCE_S;
	if (atomic_exchange(&wakes_itself, false)) { /* there is news before it sleeps */
		atomic_fetch_add(&edition, 1);
		http_wake(rq);
	}
	atomic_store(&held, rq);
	return 0;
}

static void note_skipped(struct request *rq, bool skips)
{
	(void)rq;
	sem_post(skips ? &skipped : &holding);
}

static int has_more_to_do(struct request *rq, struct reply *rp, struct err *err)
{
	rq->after = note_skipped;
	return hello(rq, rp, err);
}

static ssize_t break_off(void *self, char *to, size_t size)
{
	struct pieces *p = self;

	p->made++;
	return p->made > SOURCE_PIECES ? REPLY_BROKEN : next_piece(p, to, size);
}

static int give_half(struct request *rq, struct reply *rp, struct err *err)
{
	int rc = give_pieces(rq, rp, err);

	rp->source.next = break_off;
	return rc;
}

static const struct route routes[] = {
	{ "GET", "/inline", ROLE_NONE, 0, ROUTE_INLINE, NULL, NULL, NULL, hello, NULL },
	{ "GET", "/pool", ROLE_NONE, 0, 0, NULL, NULL, NULL, hello, NULL },
	{ "GET", "/vital", ROLE_NONE, 0, ROUTE_VITAL, NULL, NULL, NULL, hello, NULL },
	{ "GET", "/later", ROLE_NONE, 0, ROUTE_INLINE, NULL, NULL, NULL, later, NULL },
	{ "GET", "/after", ROLE_NONE, 0, ROUTE_INLINE, NULL, NULL, NULL, has_more_to_do, NULL },
	{ "GET", "/pieces", ROLE_NONE, 0, ROUTE_INLINE, NULL, "text/plain", NULL, give_pieces, NULL },
	{ "GET", "/half", ROLE_NONE, 0, ROUTE_INLINE, NULL, "text/plain", NULL, give_half, NULL },
	{ "GET", "/edition", ROLE_NONE, 0, 0, NULL, NULL, NULL, give_edition, NULL },
	{ "POST", "/stream", ROLE_NONE, STREAM_BYTES, 0, NULL, NULL, NULL, stream_end, &streaming },
	{ 0 },
};

/* ---- its client ---- */

static char answer[65536];

static void say_all(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static int asking(const char *head)
{
	int fd = connected();

	say_all(fd, head);
	say_all(fd, "\r\n");
	return fd;
}

/* What comes until the connection ends. */
static unsigned answer_of(int fd)
{
	size_t had = 0;
	ssize_t got;

	while ((got = recv(fd, answer + had, sizeof answer - 1 - had, 0)) > 0)
		had += (size_t)got;
	ck_assert_msg(got == 0 || errno == ECONNRESET, "the answer did not end");
	answer[had] = 0;
	close(fd);
	return status_of(answer);
}

static unsigned get(const char *path)
{
	char head[256];

	snprintf(head, sizeof head, "GET %s HTTP/1.1\r\n" END, path);
	return answer_of(asking(head));
}

static void set_up(void)
{
	int fd;

	sem_init(&holding, 0, 0);
	sem_init(&let_go, 0, 0);
	sem_init(&skipped, 0, 0);
	ck_assert_msg(!start(&server, routes, -1, &fd), "%s", e.text);
}

static bool nothing_is_left(void)
{
	return !atomic_load(&server->under_way) && !atomic_load(&server->at_work) &&
	       !atomic_load(&server->held_bytes);
}

/* The next one is served, and leaves nothing behind. */
static void tear_down(void)
{
	ck_assert_uint_eq(get("/pool"), 200);
	wait_until(nothing_is_left);
	http_stop(server, PATIENCE_S);
}

/* ---- requests ---- */

START_TEST(what_is_not_taken_on_is_refused)
{
	static const char *const heads[] = { "GET /pool HTTP/1.1\r\n" END,
		"POST /stream HTTP/1.1\r\nContent-Length: 0\r\n" END };

	set_up();
	hold(server->pool);
	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
		ck_assert_uint_eq(answer_of(asking(heads[i])), 503);
		ck_assert_str_eq(told, "too many requests are waiting");
	}
	ck_assert_uint_eq(get("/inline"), 200);
	ck_assert_uint_eq(get("/vital"), 200);
	release(server->pool);
	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++)
		ck_assert_uint_eq(answer_of(asking(heads[i])), 200);
	ck_assert_int_eq(atomic_load(&abandoned), 0);
	tear_down();
}
END_TEST

/* What is not urgent is done at once, by the loop, or left out. */
START_TEST(what_can_be_done_otherwise_is)
{
	set_up();
	hold(server->computing);
	ck_assert_uint_eq(get("/later"), 200);
	release(server->computing);
	ck_assert_uint_eq(get("/later"), 200);
	hold(server->pool);
	ck_assert_uint_eq(get("/after"), 200);
	sem_wait(&skipped);
	release(server->pool);
	ck_assert_uint_eq(get("/after"), 200);
	sem_wait(&holding);
	ck_assert_int_eq(sem_trywait(&skipped), -1);
	tear_down();
}
END_TEST

/* ---- answers ---- */

static bool one_is_asleep(void)
{
	bool is;

	pthread_mutex_lock(&server->resume_lock);
	is = server->asleep;
	pthread_mutex_unlock(&server->resume_lock);
	return is;
}

/* A reply that comes in pieces waits until the pool can make one. */
START_TEST(pieces_wait_for_the_pool)
{
	int fd;

	set_up();
	hold(server->pool);
	fd = asking("GET /pieces HTTP/1.1\r\n" END);
	wait_until(one_is_asleep);
	release(server->pool);
	ck_assert_uint_eq(answer_of(fd), 200);
	ck_assert_ptr_nonnull(strstr(answer, "\r\n0\r\n\r\n"));
	tear_down();
}
END_TEST

/* A reply that breaks off has no last chunk: nobody takes it for the whole. */
START_TEST(half_an_answer_is_none)
{
	set_up();
	ck_assert_uint_eq(get("/half"), 200);
	ck_assert_ptr_nonnull(strstr(answer, "piece"));
	ck_assert_ptr_null(strstr(answer, "\r\n0\r\n"));
	tear_down();
}
END_TEST

/* Asks for what it knows already; the answer is held back. */
static int ask_for_news(void)
{
	char head[512], etag[64];
	const char *tag;

	ck_assert_uint_eq(get("/edition"), 200);
	ck_assert_ptr_nonnull(tag = strstr(answer, "ETag: "));
	ck_assert_int_eq(sscanf(tag, "ETag: %60s", etag), 1);
	snprintf(head, sizeof head, "GET /edition HTTP/1.1\r\nIf-None-Match: %s\r\n" END, etag);
	return asking(head);
}

static void check_news(int fd)
{
	ck_assert_uint_eq(answer_of(fd), 200);
	ck_assert_ptr_nonnull(strstr(answer, "edition 1"));
}

START_TEST(news_wait_for_the_pool)
{
	int fd;

	set_up();
	fd = ask_for_news();
	wait_until(one_is_asleep);
	hold(server->pool);
	atomic_fetch_add(&edition, 1);
	http_wake(atomic_load(&held));
	ck_assert(one_is_asleep()); /* it is asked for anew a little later */
	release(server->pool);
	check_news(fd);
	tear_down();
}
END_TEST

START_TEST(news_that_come_before_the_sleep)
{
	int fd;

	set_up();
	fd = ask_for_news();
	wait_until(one_is_asleep);
	atomic_store(&wakes_itself, true);
	http_wake(atomic_load(&held)); /* the handler still says what it said, and is woken while it does */
	check_news(fd);
	tear_down();
}
END_TEST

/* Who waits for news when the daemon stops is told that there are none. */
START_TEST(a_drain_ends_the_waiting)
{
	int fd;

	set_up();
	fd = ask_for_news();
	wait_until(one_is_asleep);
	http_drain(server);
	http_drain(server); /* again, which is nothing */
	ck_assert_uint_eq(answer_of(fd), 304);
	http_stop(server, PATIENCE_S);
}
END_TEST

/* ---- streams ---- */

#define CHUNK "4\r\nabcd\r\n"
#define LAST  "0\r\n\r\n"

/* A stream's first piece is at work, and the thread of the pool with it. */
static int start_stream(void)
{
	int fd = asking("POST /stream HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" END);

	say_all(fd, CHUNK);
	sem_wait(&holding);
	return fd;
}

static bool some_is_ahead(void)
{
	bool is;

	pthread_mutex_lock(&server->resume_lock);
	is = streamed->ahead.size;
	pthread_mutex_unlock(&server->resume_lock);
	return is;
}

static bool is_refused(void)
{
	return streamed->phase == PHASE_REFUSED;
}

static bool is_gone(void)
{
	bool is;

	pthread_mutex_lock(&server->resume_lock);
	is = streamed->gone;
	pthread_mutex_unlock(&server->resume_lock);
	return is;
}

/* The queue is full when a piece is done and the next one there: it is taken at once. */
START_TEST(a_stream_keeps_its_thread)
{
	int fd;

	set_up();
	fd = start_stream();
	say_all(fd, CHUNK);
	wait_until(some_is_ahead);
	fill(server->pool);
	sem_post(&let_go);
	sem_wait(&holding); /* the second piece, before any of the queue */
	ck_assert_uint_ge(pool_queued(server->pool), 1);
	sem_post(&let_go);
	ck_assert(pool_drain(server->pool, PATIENCE_S));
	say_all(fd, LAST);
	ck_assert_uint_eq(answer_of(fd), 200);
	ck_assert_ptr_nonnull(strstr(answer, "8 bytes"));
	ck_assert_int_eq(atomic_load(&abandoned), 0);
	tear_down();
}
END_TEST

static bool is_abandoned(void)
{
	return atomic_load(&abandoned) == 1;
}

static bool first_piece_is_taken(void)
{
	bool is;

	pthread_mutex_lock(&server->resume_lock);
	is = !streamed->at_work;
	pthread_mutex_unlock(&server->resume_lock);
	return is && atomic_load(&pieces_taken) == 1;
}

/* The queue is full when the next piece comes: the rest is refused, and the stream abandoned, there being no other thread, by
 * the loop. */
START_TEST(a_stream_that_cannot_go_on_is_refused)
{
	int fd;

	set_up();
	fd = start_stream();
	sem_post(&let_go);
	wait_until(first_piece_is_taken);
	hold(server->pool);
	say_all(fd, CHUNK LAST);
	ck_assert_uint_eq(answer_of(fd), 503);
	ck_assert_str_eq(told, "too many requests are waiting");
	wait_until(is_abandoned);
	ck_assert_int_eq(atomic_load(&pieces_taken), 1);
	release(server->pool);
	tear_down();
	ck_assert_int_eq(atomic_load(&abandoned), 1);
}
END_TEST

/* The client leaves while a piece is at work, which goes well, or not: the stream is abandoned once. */
START_TEST(a_client_that_leaves_its_stream)
{
	set_up();
	for (int fails = 0; fails < 2; fails++) {
		int fd = start_stream();

		atomic_store(&data_fail, fails);
		say_all(fd, CHUNK);
		wait_until(some_is_ahead);
		close(fd);
		wait_until(is_gone);
		ck_assert_int_eq(atomic_load(&abandoned), fails);
		sem_post(&let_go);
		ck_assert(pool_drain(server->pool, PATIENCE_S));
		ck_assert_int_eq(atomic_load(&abandoned), fails + 1);
		ck_assert_int_eq(atomic_load(&pieces_taken), fails + 1); /* what was ahead is dropped */
	}
	tear_down();
}
END_TEST

/* The loop has refused the rest, being too large, when the piece at work fails: the first refusal counts. */
START_TEST(a_stream_is_refused_once)
{
	char chunk[STREAM_BYTES + 64];
	int fd;

	set_up();
	fd = start_stream();
	snprintf(chunk, sizeof chunk, "%x\r\n%0*d\r\n", STREAM_BYTES, STREAM_BYTES, 0);
	say_all(fd, chunk);
	wait_until(is_refused);
	ck_assert_ptr_nonnull(strstr(told, "has more than"));
	atomic_store(&data_fail, true);
	sem_post(&let_go);
	say_all(fd, LAST);
	ck_assert_uint_eq(answer_of(fd), 500); /* what our problem() makes of ERR_TOO_LARGE */
	ck_assert_ptr_nonnull(strstr(told, "has more than"));
	wait_until(is_abandoned);
	tear_down();
	ck_assert_int_eq(atomic_load(&abandoned), 1);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { what_is_not_taken_on_is_refused, what_can_be_done_otherwise_is,
		pieces_wait_for_the_pool, half_an_answer_is_none, news_wait_for_the_pool,
		news_that_come_before_the_sleep, a_drain_ends_the_waiting, a_stream_keeps_its_thread,
		a_stream_that_cannot_go_on_is_refused, a_client_that_leaves_its_stream,
		a_stream_is_refused_once, NULL };

	return suite_main("HTTP while there is enough to do", tests, 120);
}
