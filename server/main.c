/* main.c - the daemon's life: read what was told, open the store, start what serves and trains, wait for a signal,
 * stop in an order that loses nothing.
 *
 * Signals are blocked in every thread and taken by this one (sigwaitinfo), so that nothing runs in a handler. A
 * daemon that does not come to its end within STOP_SECONDS is ended by an alarm: what was committed is safe. A store that
 * has failed for good ends it too, with an error: the next start finds what was confirmed.
 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "server/admin/backup.h"
#include "server/admin/check.h"
#include "server/admin/owner.h"
#include "server/admin/token.h"
#include "server/api/api.h"
#include "server/api/audit.h"
#include "server/api/events.h"
#include "server/api/idempotency.h"
#include "server/api/system.h"
#include "server/api/webhook.h"
#include "server/auth/host.h"
#include "server/codec/json.h"
#include "server/config.h"
#include "server/demo/demo.h"
#include "server/notify.h"
#include "server/reload.h"
#include "server/secure.h"
#include "server/watchdog.h"

extern char **environ;

#define STOP_SECONDS 9 /* 10 are promised */
#define FAILED_SECONDS \
	1 /* in which a store that failed is shown by /readyz, before nobody is let in any more */
#define DRAIN_SECONDS   3  /* for requests at work; the rest is for jobs and the store */
#define IDLE_SECONDS    75 /* a connection without traffic; above the usual 60 of proxies */
#define POOL_THREADS    16 /* that may wait for the disk */
#define REGISTRY_SHARE  4  /* one part in so many of the memory budget */
#define REQUESTS_SHARE  4
#define DOCUMENTS_SHARE 8
#define JOBS_SHARE      2
#define LARGE_BLOCK     (1 << 20)
#define OTHER_ARENAS    2
#define TRIM_SECONDS    30
#define PUBLIC_SHARE    4 /* likewise of the connections, for one address */
#define OTHER_DESCRIPTORS \
	256 /* besides those of connections: the database, files of jobs, the reserve for health */
#define CONNECTIONS_MIN 16

/* ---- starting ---- */

static void jobs_say(void *self, const char *sentence)
{
	log_info((struct log *)self, "%s", sentence);
}

struct daemon {
	struct config *config; /* ours: SIGHUP changes it */
	struct app app;
	struct route *routes;
	struct http_server *http;
	struct notify *notify;
	struct watchdog *watchdog;
	struct tls *tls; /* until the server has it */
	int fd, control_fd;
	char *control; /* path of the socket beside the database */
	unsigned port;
	bool listens, public;
	atomic_bool failed; /* the store did, for good */
};

/* One descriptor a connection, and some for the rest. Where the system gives fewer, connections are fewer. */
static void raise_descriptors(struct app *app)
{
	rlim_t wanted = app->connections_max + OTHER_DESCRIPTORS;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= wanted) return;
	limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
	if (setrlimit(RLIMIT_NOFILE, &limit)) getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur >= wanted) return;
	app->connections_max = limit.rlim_cur > OTHER_DESCRIPTORS + CONNECTIONS_MIN
					       ? (unsigned)limit.rlim_cur - OTHER_DESCRIPTORS
					       : CONNECTIONS_MIN;
	log_error(app->log,
			"this process may open %llu files (ulimit -Hn, LimitNOFILE=), so --max-connections is %u and not %llu",
			(unsigned long long)limit.rlim_cur, app->connections_max,
			(unsigned long long)(wanted - OTHER_DESCRIPTORS));
}

/* --max-connections-per-address. On this machine all peers are one address: a proxy's, an application's. */
static unsigned address_connections(const struct daemon *d)
{
	unsigned all = d->app.connections_max;

	if (d->config->address_connections) return d->config->address_connections;
	return d->public && all >= PUBLIC_SHARE ? all / PUBLIC_SHARE : all;
}

/* Appears with its content whole: scripts wait for the file. */
static int write_port(const char *path, unsigned port, struct err *e)
{
	char name[4096];
	FILE *file;
	int n = snprintf(name, sizeof name, "%s.new", path);

	if (n < 0 || (size_t)n >= sizeof name) return err_set(e, ERR_INVALID, "--port-file is too long");
	if (!(file = fopen(name, "w")))
		return err_set(e, ERR_IO, "cannot write %s: %s", name, strerror(errno));
	fprintf(file, "%u\n", port);
	if (fclose(file) || rename(name, path))
		return err_set(e, ERR_IO, "cannot write %s: %s", path, strerror(errno));
	return 0;
}

static void say_where(const struct daemon *d)
{
	const char *listen = d->config->listen, *path = host_socket_path(listen);
	const char *scheme = d->config->tls_cert ? "https" : "http";

	if (path)
		log_info(d->app.log, "listening on %s%s", path, d->config->tls_cert ? ", with TLS" : "");
	else
		log_info(d->app.log, "listening on %s://%.*s:%u", scheme,
				(int)(strrchr(listen, ':') - listen), listen, d->port);
}

static int check_gate(struct daemon *d, struct err *e)
{
	return d->public ? secure_public(d->config, auth_has_token(d->app.auth), e) : 0;
}

static int open_gate(struct daemon *d, struct err *e)
{
	const struct config *config = d->config;
	const char *path = host_socket_path(config->listen);
	struct auth_options options = { config->listen, config->allow_host, config->cors_origin,
		config->token_file, config->token };
	struct err warning = { "" };
	int rc;

	if ((rc = secure_read(&d->tls, config, d->app.log, e)) ||
			(rc = auth_new(&d->app.auth, &options, &warning, e)))
		return rc;
	if (warning.text[0]) log_error(d->app.log, "%s", warning.text);
	if (path)
		rc = http_listen_file(path, (unsigned)strtoul(config->socket_mode, NULL, 8), &d->fd, e);
	else
		rc = http_listen(config->listen, &d->fd, &d->port, &d->public, e);
	if (rc) return rc;
	d->listens = true;
	/* A database that is not there has no token; to find that out it is not made. */
	return access(config->db, F_OK) ? check_gate(d, e) : 0;
}

/* Where the owner of the database talks to the daemon that has it (server/admin/owner.h). The daemon does without. */
static void open_control(struct daemon *d)
{
	struct err e;

	if (!(d->control = owner_socket(d->config->db)))
		err_set(&e, ERR_LENGTH, "the path of %s is too long for a socket beside it", d->config->db);
	else if (!http_listen_file(d->control, OWNER_SOCKET_MODE, &d->control_fd, &e))
		return;
	log_error(d->app.log, "`descentd token` and others will not reach this daemon: %s", e.text);
	free(d->control);
	d->control = NULL;
}

/* Called by the store's thread; the main thread does the rest. */
static void store_failed(void *self, const struct err *e)
{
	struct daemon *d = self;

	log_error(d->app.log, "%s", e->text);
	atomic_store(&d->failed, true);
	kill(getpid(), SIGTERM);
}

/* We make ours for their owner alone; a file that was there keeps its mode. */
static void warn_of_readers(const struct daemon *d, const char *what, const char *path)
{
	struct stat status;

	if (path && !stat(path, &status) && S_ISREG(status.st_mode) && (status.st_mode & S_IROTH))
		log_error(d->app.log, "every user of this machine can read the %s %s: `chmod o= %s*`", what,
				path, path);
}

static int open_store(struct daemon *d, struct err *e)
{
	struct app *app = &d->app;
	int rc;

	app->database = d->config->db;
	app->backup_rate = d->config->backup_rate;
	if ((rc = store_open_sqlite(&app->store, d->config->db, e))) return rc;
	app->store->on_failure(app->store, store_failed, d);
	if ((rc = auth_load(app->auth, app->store, e)) || (rc = check_gate(d, e))) return rc;
	if ((rc = audit_open(&app->audit, d->config->audit_log, app->log, e))) return rc;
	warn_of_readers(d, "database", d->config->db);
	warn_of_readers(d, "audit log", d->config->audit_log);
	if (d->config->command == COMMAND_SERVE) open_control(d); /* the demo is over before anybody comes */
	return 0;
}

static int start_keeper(struct daemon *d, struct err *e)
{
	struct app *app = &d->app;
	struct keeper_config keeper = { .store = app->store,
		.registry = app->registry,
		.jobs = d->config->keep_jobs,
		.versions = d->config->keep_versions,
		.answers_ms = IDEMPOTENCY_MS,
		.log = jobs_say,
		.log_self = app->log };

	return keeper_start(&app->keeper, &keeper, e);
}

static int start_watch(struct daemon *d, struct err *e)
{
	struct app *app = &d->app;
	const struct watch_config watch = { app->store, events_write, app, jobs_say, app->log };

	return watch_start(&app->watch, &watch, e);
}

static int start_webhook(struct daemon *d, struct err *e)
{
	const struct webhook_options options = { d->config->webhook_allow, d->config->webhook_key_file };

	return webhook_start(&d->app.webhook, &d->app, &options, e);
}

/* --preload. */
static int preload(struct app *app, struct err *e)
{
	struct registry_preloaded found;
	int rc = registry_preload(app->registry, app->store, &found, e);

	if (rc) return rc;
	if (found.failed)
		log_error(app->log, "%zu models could not be loaded; the first: %s", found.failed,
				found.why.text);
	log_info(app->log, "%zu models are in memory%s", found.loaded,
			found.full ? ", as many as --model-memory holds" : "");
	return 0;
}

static int start_work(struct daemon *d, struct err *e)
{
	const struct config *config = d->config;
	struct app *app = &d->app;
	struct jobs_config jobs = { .workers = config->workers, .log = jobs_say, .log_self = app->log };
	struct registry_config registry = {
		.budget_bytes = config->model_memory_bytes ? config->model_memory_bytes
							   : app->memory_bytes / REGISTRY_SHARE,
		.memory = &app->memory,
		.counts = !config->no_drift,
		.batch_leads = config->no_batching ? 0 : config->loops,
	};
	int rc;

	if ((rc = gemm_choose(&app->engine, config->engine, e))) return rc;
	registry.store = app->store;
	registry.engine = app->engine;
	if ((rc = registry_new(&app->registry, &registry, e)) || (config->preload && (rc = preload(app, e))))
		return rc;
	jobs.store = app->store;
	jobs.registry = app->registry;
	jobs.engine = app->engine;
	jobs.memory_bytes = app->jobs_memory_bytes;
	jobs.memory = &app->memory;
	jobs.database = config->db;
	if ((rc = jobs_start(&app->jobs, &jobs, e))) return rc;
	if ((rc = start_keeper(d, e))) return rc;
	if ((rc = start_webhook(d, e))) return rc;
	return start_watch(d, e);
}

static int start_http(struct daemon *d, struct err *e)
{
	struct app *app = &d->app;
	struct http_config http = {
		.listen_fd = d->fd,
		.control_fd = d->control_fd,
		.tls = d->tls,
		.loops = app->loops,
		.pool_threads = POOL_THREADS,
		.connections_max = app->connections_max,
		.address_connections_max = address_connections(d),
		.header_ms = d->config->header_seconds * 1000,
		.transfer_ms = d->config->body_seconds * 1000,
		.rate_min = d->config->rate_min,
		.requests_max = d->config->max_requests,
		.held_bytes_max = d->config->request_memory_bytes ? d->config->request_memory_bytes
								  : app->memory_bytes / REQUESTS_SHARE,
		.memory = &app->memory,
		.connection_bytes = d->config->connection_bytes,
		.idle_seconds = IDLE_SECONDS,
		.app = app,
		.admit = api_admit,
		.problem = api_problem,
		.answered = audit_note,
		.access = api_access,
		.log = api_log,
	};
	int rc;

	if (d->tls) log_info(app->log, "%s", tls_summary(d->tls));
	if (!(http.routes = app->routes = d->routes = api_routes(app))) return err_nomem(e);
	app->routes_count = api_routes_count();
	app->metrics_models = d->config->metrics_models;
	app->batching = !d->config->no_batching;
	if ((rc = metrics_new(&app->metrics, app->routes_count, e))) return rc;
	d->fd = d->control_fd = -1; /* the server's from here on */
	d->tls = NULL;
	if ((rc = http_start(&d->http, &http, e))) return rc;
	return d->config->port_file ? write_port(d->config->port_file, d->port, e) : 0;
}

/* A manager that we cannot tell is no reason not to serve. */
static void begin_telling(struct daemon *d)
{
	struct err e;

	if (d->config->command == COMMAND_SERVE && notify_open(&d->notify, &e))
		log_error(d->app.log, "the service manager is told nothing: %s", e.text);
}

static int be_ready(struct daemon *d, struct err *e)
{
	int rc = watchdog_start(&d->watchdog, d->notify, d->http, d->app.store, e);

	if (!rc) notify_ready(d->notify);
	return rc;
}

/* ---- stopping ---- */

/* A request that computes for longer than we have is cut: nothing of it was promised. */
static volatile sig_atomic_t end_status = EXIT_SUCCESS;

static void end_now(int number)
{
	(void)number;
	_exit(end_status);
}

static void stop(struct daemon *d, int status)
{
	end_status = status;
	signal(SIGALRM, end_now);
	alarm(STOP_SECONDS);
	atomic_store(&d->app.stopping, true);
	notify_stopping(d->notify);
	watchdog_stop(d->watchdog);
	http_stop(d->http, DRAIN_SECONDS); /* first: its requests use the rest */
	watch_stop(d->app.watch);
	webhook_stop(d->app.webhook); /* it shows jobs */
	jobs_stop(d->app.jobs);
	keeper_stop(d->app.keeper);
	registry_free(d->app.registry);
	if (d->app.store) d->app.store->close(d->app.store);
	audit_close(d->app.audit);
	auth_free(d->app.auth);
	tls_free(d->tls);
	if (d->fd >= 0) close(d->fd);
	if (d->control_fd >= 0) close(d->control_fd);
	if (d->control) unlink(d->control);
	free(d->control);
	free(d->routes);
	metrics_free(d->app.metrics);
	notify_close(d->notify);
	if (d->config->port_file) unlink(d->config->port_file);
	if (d->listens && host_socket_path(d->config->listen)) unlink(host_socket_path(d->config->listen));
}

/* SIGHUP reads the options again; the demo ends on it, as its terminal has gone. */
static void choose_signals(const struct config *config, sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	if (config->command == COMMAND_SERVE) sigaddset(set, SIGHUP);
}

/* Meanwhile whole pages that are free within the arenas go back to the system: glibc itself gives back their ends alone, and a
 * piece that stays holds all that is below it. */
static void wait_for_signal(struct daemon *d)
{
	const struct timespec pause = { TRIM_SECONDS, 0 };
	struct log *log = d->app.log;
	sigset_t set;
	int which;

	choose_signals(d->config, &set);
	while ((which = sigtimedwait(&set, NULL, &pause)) == SIGHUP || which < 0) {
		if (which < 0) {
			malloc_trim(0);
			continue;
		}
		notify_reloading(d->notify);
		reload(&d->app, d->http, d->config);
		notify_ready(d->notify);
	}
	if (atomic_load(&d->failed))
		sleep(FAILED_SECONDS);
	else
		log_info(log, "stopping on %s", which == SIGINT ? "SIGINT" : "SIGTERM");
}

/* Left to itself, malloc takes a large block from the arena of its thread once one of that size was freed, and keeps
 * it: the arena of every job's threads held the rows of a job that had long ended. And each thread that has an arena to itself
 * fills it with holes: with one for all sixteen of the pool the same work took three times the memory after an hour. */
static void give_memory_back(const struct config *config)
{
	mallopt(M_ARENA_MAX, (int)config->loops + OTHER_ARENAS);
	mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
	mallopt(M_TRIM_THRESHOLD, 2 * LARGE_BLOCK);
}

static void block_signals(const struct config *config)
{
	sigset_t set;

	choose_signals(config, &set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a full disk to us, not the end */
}

/* What all shares have together. One that was given a size of its own has it beside the others'. */
static uint64_t whole_memory(const struct config *config)
{
	uint64_t whole = config->memory_budget_bytes;
	uint64_t models = whole / REGISTRY_SHARE, requests = whole / REQUESTS_SHARE;

	if (config->model_memory_bytes > models) whole += config->model_memory_bytes - models;
	if (config->request_memory_bytes > requests) whole += config->request_memory_bytes - requests;
	return whole;
}

static int run(struct config *config)
{
	struct daemon d = { .config = config, .fd = -1, .control_fd = -1 };
	struct app *app = &d.app;
	struct timespec now;
	struct err e;
	int rc;

	give_memory_back(config);
	pthread_mutex_init(&app->keys_lock, NULL);
	block_signals(config);
	clock_gettime(CLOCK_REALTIME, &now);
	app->started_seconds = system_clock();
	app->started_ms = now.tv_sec * 1000 + now.tv_nsec / 1000000;
	app->loops = config->loops;
	app->workers = config->workers;
	app->threads = config->threads;
	app->connections_max = config->max_connections;
	app->memory_bytes = config->memory_budget_bytes;
	app->memory.most = whole_memory(config);
	app->jobs_memory_bytes = config->memory_budget_bytes / JOBS_SHARE;
	app->documents_bytes_max = config->memory_budget_bytes / DOCUMENTS_SHARE;
	app->body_bytes = config->max_body_bytes;
	app->upload_bytes = config->max_upload_bytes;
	if (log_start(&app->log, (enum log_format)config->log_format, (enum log_level)config->log_level,
			    STDERR_FILENO, &e)) {
		fprintf(stderr, "descentd: %s\n", e.text);
		return EXIT_FAILURE;
	}
	raise_descriptors(app);
	begin_telling(&d);
	if (!(rc = open_gate(&d, &e)) && !(rc = open_store(&d, &e)) && !(rc = start_work(&d, &e)) &&
			!(rc = start_http(&d, &e)) && !(rc = be_ready(&d, &e))) {
		log_info(app->log, "descentd %s, engine %s (%s), database %s", DESCENTD_VERSION,
				app->engine->name, app->engine->description, config->db);
		say_where(&d);
		wait_for_signal(&d);
	} else
		log_error(app->log, "%s", e.text);
	if (atomic_load(&d.failed)) rc = ERR_IO;
	stop(&d, rc ? EXIT_FAILURE : EXIT_SUCCESS);
	log_stop(app->log);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int serve(const struct config *told)
{
	struct config config;
	struct err e;
	int rc;

	if (config_copy(&config, told, &e)) {
		fprintf(stderr, "descentd: %s\n", e.text);
		return EXIT_FAILURE;
	}
	rc = run(&config);
	config_clear(&config);
	return rc;
}

int main(int argc, char **argv)
{
	struct config config;
	struct err e;
	int rc = EXIT_SUCCESS;

	json_note_memory();
	if (config_read(&config, argc, argv, environ, &e)) {
		fprintf(stderr, "descentd: %s\n", e.text);
		return 2;
	}
	switch (config.command) {
	case COMMAND_HELP: config_help(stdout); break;
	case COMMAND_VERSION: printf("descentd %s\n", DESCENTD_VERSION); break;
	case COMMAND_CHECK: rc = admin_check(&config); break;
	case COMMAND_REPAIR: rc = admin_repair(&config); break;
	case COMMAND_BACKUP: rc = admin_backup(&config); break;
	case COMMAND_RESTORE: rc = admin_restore(&config); break;
	case COMMAND_DEMO: rc = demo_run(&config, serve); break;
	case COMMAND_TOKEN_CREATE: rc = admin_token_create(&config); break;
	case COMMAND_TOKEN_LIST: rc = admin_token_list(&config); break;
	case COMMAND_TOKEN_REVOKE: rc = admin_token_revoke(&config); break;
	default: rc = serve(&config);
	}
	config_clear(&config);
	return rc;
}
