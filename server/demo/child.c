/* child.c - starts and ends the demo's daemon. See child.h.
 *
 * The signals that end the demo are blocked and seen through one descriptor, which is never read and so stays
 * readable: every wait of the demo watches it. The daemon is in a process group of its own, so that Ctrl-C reaches
 * the demo alone, which ends it in order; should the demo be killed, the kernel ends the daemon.
 */
#include "server/demo/child.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/log.h"

#define START_SECONDS 20
#define STOP_SECONDS  12 /* the daemon gives itself 10 */
#define LOOK_MS       10 /* between two looks at what the daemon does */
#define FILE_BYTES    (CHILD_PATH_BYTES + 16)

static int failed(const char *what, struct err *e)
{
	return err_set(e, ERR_IO, "the demo cannot %s: %s", what, strerror(errno));
}

/* ---- signals ---- */

/* *before is the mask that the daemon gets. */
static int watch_signals(struct child *child, sigset_t *before, struct err *e)
{
	/* Not ignored, or the kernel would not tell that the daemon ended; that it was halted is not of interest. */
	const struct sigaction told = { .sa_handler = SIG_DFL, .sa_flags = SA_NOCLDSTOP };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	signal(SIGPIPE, SIG_IGN); /* a reader of stdout that leaves must not keep us from cleaning up */
	if (sigaction(SIGCHLD, &told, NULL) || sigprocmask(SIG_BLOCK, &set, before))
		return failed("block signals", e);
	child->stop_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return child->stop_fd < 0 ? failed("watch signals", e) : 0;
}

int child_pause(const struct child *child, int milliseconds, struct err *e)
{
	struct pollfd fd = { child->stop_fd, POLLIN, 0 };

	while (poll(&fd, 1, milliseconds) < 0 && errno == EINTR)
		;
	return fd.revents ? err_set(e, ERR_STOPPED, "stopped") : 0;
}

/* ---- the daemon ---- */

static _Noreturn void run_daemon(const struct child *child, const struct config *config,
		int (*serve)(const struct config *config), pid_t parent, const sigset_t *mask)
{
	char db[FILE_BYTES], port_file[FILE_BYTES], listen[] = "127.0.0.1:0";
	struct config own = *config;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent) _exit(EXIT_FAILURE); /* it went before we asked to hear of it */
	close(child->stop_fd);
	sigprocmask(SIG_SETMASK, mask, NULL);
	snprintf(db, sizeof db, "%s/demo.db", child->folder);
	snprintf(port_file, sizeof port_file, "%s/port", child->folder);
	own.db = db;
	own.listen = listen;
	own.port_file = port_file;
	own.token_file = own.token = NULL;
	own.tls_cert = own.tls_key = own.client_ca = NULL;
	own.log_level = LOG_LEVEL_ERROR;
	exit(serve(&own));
}

static int make_folder(struct child *child, struct err *e)
{
	const char *base = getenv("TMPDIR");
	int n = snprintf(child->folder, sizeof child->folder, "%s/descentd-demo-XXXXXX",
			base && *base ? base : "/tmp");

	if (n >= (int)sizeof child->folder)
		errno = ENAMETOOLONG;
	else if (mkdtemp(child->folder))
		return 0;
	child->folder[0] = 0;
	return failed("make a temporary folder (TMPDIR can name a place for it)", e);
}

static bool read_port(struct child *child)
{
	char path[FILE_BYTES];
	FILE *file;

	snprintf(path, sizeof path, "%s/port", child->folder);
	file = fopen(path, "re");
	if (!file) return false;
	if (fscanf(file, "%u", &child->port) != 1) child->port = 0;
	fclose(file);
	return child->port;
}

int child_start(struct child *child, const struct config *config, int (*serve)(const struct config *config),
		struct err *e)
{
	pid_t parent = getpid();
	sigset_t mask;
	int rc;

	*child = (struct child){ .stop_fd = -1 };
	if ((rc = watch_signals(child, &mask, e)) || (rc = make_folder(child, e))) return rc;
	fflush(NULL); /* or the daemon would write it once more at its end */
	child->pid = fork();
	if (!child->pid) run_daemon(child, config, serve, parent, &mask);
	if (child->pid < 0) {
		child->pid = 0;
		return failed("start the daemon", e);
	}
	for (int waited = 0; !read_port(child); waited += LOOK_MS) {
		if (waited >= START_SECONDS * 1000)
			return err_set(e, ERR_IO, "the demo's daemon did not start within %d s",
					START_SECONDS);
		if ((rc = child_pause(child, LOOK_MS, e))) return rc;
	}
	return 0;
}

bool child_ended(struct child *child)
{
	if (child->pid && waitpid(child->pid, NULL, WNOHANG) == child->pid) {
		child->pid = 0;
		return true;
	}
	return false;
}

static void end_daemon(struct child *child)
{
	kill(child->pid, SIGTERM);
	for (int waited = 0; waited < STOP_SECONDS * 1000; waited += LOOK_MS) {
		if (child_ended(child)) return;
		poll(NULL, 0, LOOK_MS);
	}
	kill(child->pid, SIGKILL);
	waitpid(child->pid, NULL, 0);
	child->pid = 0;
}

/* Nothing in it is a folder: the daemon makes none. */
static int remove_folder(const char *path, struct err *e)
{
	DIR *folder = opendir(path);
	struct dirent *entry;

	while (folder && (entry = readdir(folder)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			unlinkat(dirfd(folder), entry->d_name, 0);
	if (folder) closedir(folder);
	if (!rmdir(path)) return 0;
	return err_set(e, ERR_IO, "the demo's folder %s could not be removed (%s): remove it by hand", path,
			strerror(errno));
}

int child_stop(struct child *child, struct err *e)
{
	int rc = 0;

	if (child->pid) end_daemon(child);
	if (child->folder[0]) rc = remove_folder(child->folder, e);
	if (child->stop_fd >= 0) close(child->stop_fd);
	*child = (struct child){ .stop_fd = -1 };
	return rc;
}
