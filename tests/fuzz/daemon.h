/* daemon.h - the whole daemon but its main, in the fuzzer's own process, on a database that can be as new again at any time.
 *
 * The database is made once: a data set, a model with a version by hand, and one that a job trained. From then on jobs stay in
 * the queue (there are no workers), so that what an input does ends with its answers.
 */
#ifndef TESTS_FUZZ_DAEMON_H
#define TESTS_FUZZ_DAEMON_H

#include <fcntl.h>
#include <pthread.h>
#include <sanitizer/lsan_interface.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "server/api/api.h"
#include "server/api/events.h"
#include "server/api/idempotency.h"
#include "server/api/webhook.h"
#include "server/http/exchange.h"

#define DAEMON_MEMORY      (64u << 20)
#define DAEMON_BODY        (1u << 20)
#define DAEMON_HEAD        4096  /* of a connection: the limits of a head are in reach */
#define DAEMON_LOGGED      64    /* requests of one input that are kept */
#define DAEMON_URL         256   /* bytes of a URL that are */
#define DAEMON_LEAKS_EVERY 32    /* renewals */
#define DAEMON_PATIENCE_MS 60000 /* with a client */
#define DAEMON_PAUSE_NS    20000
#define DAEMON_NAP_NS      2000000
#define DAEMON_PAUSES      1500000 /* for what must end, 30 s and more: the fuzzer's own limit ends it before */

static struct daemon {
	char folder[64], database[80], socket[80];
	struct app app;
	struct http_server *http;
	struct route *routes;
	void *start; /* the database to begin with */
	size_t start_size;
	bool running;
	/* What the access log got since daemon_listen_again. */
	pthread_mutex_t lock;
	size_t logged;
	struct daemon_entry {
		char method[16], url[DAEMON_URL];
	} entries[DAEMON_LOGGED];
} daemon_ = { .lock = PTHREAD_MUTEX_INITIALIZER };

static inline void must(bool condition, const char *what)
{
	if (condition) return;
	fprintf(stderr, "ERROR: %s\n", what);
	abort();
}

/* In the place of the C library's: threads that look around now and then do it often, so that the daemon stops at once. */
int nanosleep(const struct timespec *wanted, struct timespec *left)
{
	const struct timespec most = { 0, DAEMON_NAP_NS };
	bool longer = wanted->tv_sec || wanted->tv_nsec > DAEMON_NAP_NS;

	return clock_nanosleep(CLOCK_MONOTONIC, 0, longer ? &most : wanted, left);
}

/* ---- callbacks ---- */

static inline void daemon_say(void *self, const char *sentence)
{
	(void)self;
	(void)sentence;
}

static inline void daemon_say_http(void *self, bool of_client, const char *sentence)
{
	if (!of_client) daemon_say(self, sentence);
}

static inline void daemon_access(void *self, const struct http_access *access)
{
	struct daemon_entry *entry;

	api_access(self, access);
	pthread_mutex_lock(&daemon_.lock);
	if (daemon_.logged < DAEMON_LOGGED) {
		entry = &daemon_.entries[daemon_.logged++];
		snprintf(entry->method, sizeof entry->method, "%s", access->method);
		snprintf(entry->url, sizeof entry->url, "%s", access->url);
	}
	pthread_mutex_unlock(&daemon_.lock);
}

/* ---- its life ---- */

static inline int daemon_start_work(struct app *app, unsigned workers, struct err *e)
{
	struct registry_config registry = {
		.budget_bytes = DAEMON_MEMORY / 4, .counts = true, .batch_leads = 1
	};
	struct jobs_config jobs = {
		.workers = workers, .memory_bytes = DAEMON_MEMORY / 2, .log = daemon_say
	};
	struct keeper_config keeper = {
		.jobs = KEEP_ALL, .versions = KEEP_ALL, .answers_ms = IDEMPOTENCY_MS, .log = daemon_say
	};
	struct watch_config watch = { .write = events_write, .self = app, .log = daemon_say };
	const struct webhook_options webhook = { 0 };
	int rc;

	if ((rc = gemm_choose(&app->engine, "portable", e))) return rc;
	if ((rc = store_open_sqlite(&app->store, daemon_.database, e))) return rc;
	registry.store = jobs.store = keeper.store = watch.store = app->store;
	registry.memory = jobs.memory = &app->memory;
	registry.engine = jobs.engine = app->engine;
	if ((rc = registry_new(&app->registry, &registry, e))) return rc;
	jobs.registry = keeper.registry = app->registry;
	jobs.database = app->database = daemon_.database;
	if ((rc = jobs_start(&app->jobs, &jobs, e)) || (rc = keeper_start(&app->keeper, &keeper, e)) ||
			(rc = webhook_start(&app->webhook, app, &webhook, e)))
		return rc;
	return watch_start(&app->watch, &watch, e);
}

static inline int daemon_start_http(struct app *app, struct err *e)
{
	struct http_config http = {
		.loops = 1,
		.pool_threads = 2,
		.control_fd = -1,
		.connections_max = 64,
		.address_connections_max = 64,
		.header_ms = DAEMON_PATIENCE_MS,
		.transfer_ms = DAEMON_PATIENCE_MS,
		.rate_min = 1,
		.requests_max = 64,
		.held_bytes_max = DAEMON_MEMORY / 4,
		.memory = &app->memory,
		.connection_bytes = DAEMON_HEAD,
		.idle_seconds = 60,
		.app = app,
		.admit = api_admit,
		.problem = api_problem,
		.access = daemon_access,
		.log = daemon_say_http,
	};
	int rc;

	if (!(http.routes = app->routes = daemon_.routes = api_routes(app))) return err_nomem(e);
	app->routes_count = api_routes_count();
	if ((rc = metrics_new(&app->metrics, app->routes_count, e)) ||
			(rc = http_listen_file(daemon_.socket, 0600, &http.listen_fd, e)))
		return rc;
	return http_start(&daemon_.http, &http, e);
}

static inline void daemon_start(unsigned workers)
{
	const struct auth_options auth = { .listen = "localhost:0" };
	struct app *app = &daemon_.app;
	int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct err e = { "" };

	memset(app, 0, sizeof *app);
	pthread_mutex_init(&app->keys_lock, NULL);
	app->loops = app->threads = 1;
	app->workers = 1;
	app->connections_max = 64;
	app->memory_bytes = app->memory.most = DAEMON_MEMORY;
	app->jobs_memory_bytes = DAEMON_MEMORY / 2;
	app->documents_bytes_max = DAEMON_MEMORY / 8;
	app->body_bytes = app->upload_bytes = DAEMON_BODY;
	app->metrics_models = 2;
	app->batching = true;
	if (log_start(&app->log, LOG_FORMAT_JSON, LOG_LEVEL_INFO, quiet, &e) ||
			auth_new(&app->auth, &auth, &(struct err){ "" }, &e) ||
			daemon_start_work(app, workers, &e) || daemon_start_http(app, &e))
		must(false, e.text);
	daemon_.running = true;
}

static inline void daemon_stop(void)
{
	struct app *app = &daemon_.app;

	if (!daemon_.running) return;
	atomic_store(&app->stopping, true);
	http_stop(daemon_.http, 5);
	watch_stop(app->watch);
	webhook_stop(app->webhook);
	jobs_stop(app->jobs);
	keeper_stop(app->keeper);
	registry_free(app->registry);
	app->store->close(app->store);
	auth_free(app->auth);
	free(daemon_.routes);
	metrics_free(app->metrics);
	log_stop(app->log);
	pthread_mutex_destroy(&app->keys_lock);
	unlink(daemon_.socket);
	daemon_.running = false;
}

/* ---- a client ---- */

static inline int daemon_connect(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", daemon_.socket);
	must(fd >= 0 && !connect(fd, (const struct sockaddr *)&address, sizeof address),
			"the daemon does not listen");
	return fd;
}

/* One request whose answer has this status, and is returned, new. */
static inline char *daemon_ask(const char *line, const char *type, const char *body, unsigned status)
{
	char head[512], *answer = calloc(1, DAEMON_BODY);
	size_t got = 0;
	ssize_t n;
	int fd = daemon_connect();

	n = snprintf(head, sizeof head,
			"%s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: %s\r\n"
			"Content-Length: %zu\r\n\r\n%s",
			line, type, strlen(body), body);
	must(answer && write(fd, head, (size_t)n) == n, "no request could be sent");
	while (got < DAEMON_BODY - 1 && (n = read(fd, answer + got, DAEMON_BODY - 1 - got)) > 0)
		got += (size_t)n;
	close(fd);
	must(strlen(answer) > 12 && strtoul(answer + 9, NULL, 10) == status, answer);
	return answer;
}

static inline void daemon_do(const char *line, const char *type, const char *body, unsigned status)
{
	free(daemon_ask(line, type, body, status));
}

/* ---- the database ---- */

static inline void daemon_remove(void)
{
	char command[128];

	daemon_stop();
	snprintf(command, sizeof command, "rm -rf '%s'", daemon_.folder);
	if (system(command)) fprintf(stderr, "%s is left\n", daemon_.folder);
}

static inline void daemon_fill(void)
{
	const struct timespec pause = { 0, 10000000 };
	bool ended = false;

	daemon_do("PUT /v1/datasets/d", "text/csv", "a,b,c\n1,2,x\n2,1,y\n3,5,x\n4,4,y\n", 201);
	daemon_do("PUT /v1/models/h", "application/json", "{\"inputs\":2,\"outputs\":1,\"layers\":[]}", 201);
	daemon_do("POST /v1/models/h/versions", "application/json",
			"{\"layers\":[{\"weights\":[[1,2]],\"biases\":[3]}]}", 201);
	daemon_do("PUT /v1/models/m", "application/json",
			"{\"dataset\":\"d\",\"target\":\"c\",\"layers\":[2]}", 201);
	daemon_do("POST /v1/models/m:train", "application/json",
			"{\"dataset\":\"d\",\"epochs\":2,\"seed\":1,\"validation\":null,\"early_stopping\":null}",
			202);
	for (int i = 0; i < 1000 && !ended; i++) {
		char *job = daemon_ask("GET /v1/jobs/1", "text/plain", "", 200);

		ended = strstr(job, "\"succeeded\"");
		free(job);
		nanosleep(&pause, NULL);
	}
	must(ended, "the first job did not succeed");
}

static inline void daemon_keep_start(void)
{
	FILE *file = fopen(daemon_.database, "rb");
	struct stat found;

	must(file && !fstat(fileno(file), &found), "the database is gone");
	daemon_.start_size = (size_t)found.st_size;
	daemon_.start = malloc(daemon_.start_size);
	must(daemon_.start && fread(daemon_.start, 1, daemon_.start_size, file) == daemon_.start_size,
			"the database cannot be read");
	fclose(file);
}

/* As new again; of a daemon that runs, too. Nothing may be left of the one before: that is looked at here, as the sanitizer
 * does not see all that threads keep for themselves while they live. */
static inline void daemon_renew(void)
{
	static const char *const others[] = { "-wal", "-shm" };
	static unsigned renewed;
	FILE *file;
	char path[96];

	daemon_stop();
	must(renewed++ % DAEMON_LEAKS_EVERY || !__lsan_do_recoverable_leak_check(), "memory was lost");
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		snprintf(path, sizeof path, "%s%s", daemon_.database, others[i]);
		unlink(path);
	}
	unlink(daemon_.database);
	file = fopen(daemon_.database, "wb");
	must(file && fwrite(daemon_.start, 1, daemon_.start_size, file) == daemon_.start_size &&
					!fclose(file),
			"the database cannot be written");
	daemon_start(0);
}

/* Once: makes the database, in memory where the machine has a file system there, and starts. */
static inline void daemon_begin(void)
{
	strcpy(daemon_.folder, "/dev/shm/descentd-fuzz-XXXXXX");
	if (!mkdtemp(daemon_.folder)) {
		strcpy(daemon_.folder, "/tmp/descentd-fuzz-XXXXXX");
		must(mkdtemp(daemon_.folder), "no folder for the database");
	}
	atexit(daemon_remove);
	snprintf(daemon_.database, sizeof daemon_.database, "%s/db", daemon_.folder);
	snprintf(daemon_.socket, sizeof daemon_.socket, "%s/socket", daemon_.folder);
	signal(SIGPIPE, SIG_IGN);
	daemon_start(1);
	daemon_fill();
	daemon_stop();
	daemon_keep_start();
	daemon_renew();
}

/* ---- between inputs ---- */

static inline void daemon_forget_log(void)
{
	pthread_mutex_lock(&daemon_.lock);
	daemon_.logged = 0;
	pthread_mutex_unlock(&daemon_.lock);
}

static inline void daemon_pause(void)
{
	const struct timespec pause = { 0, DAEMON_PAUSE_NS };

	nanosleep(&pause, NULL);
}

static inline bool daemon_is_busy(void)
{
	const union MHD_DaemonInfo *info =
			MHD_get_daemon_info(daemon_.http->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);

	return atomic_load(&daemon_.http->under_way) || info->num_connections;
}

/* Waits until there is no connection any more, no request is under way, and nothing that one of them left on the pool; false:
 * one does not end in so many pauses. libmicrohttpd, when it is stopped while it refuses a request by itself, reads an answer
 * that it has not made. */
static inline bool daemon_settled(int pauses)
{
	for (int i = 0; i < pauses && daemon_is_busy(); i++)
		daemon_pause();
	if (daemon_is_busy()) return false;
	must(pool_drain(daemon_.http->pool, 30) && pool_drain(daemon_.http->computing, 30),
			"the pool did not come to rest");
	return true;
}

#endif
