/* child.h - the demo's own daemon: a child process in a temporary folder, and the signals that end it all. */
#ifndef SERVER_DEMO_CHILD_H
#define SERVER_DEMO_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "server/config.h"

#define CHILD_PATH_BYTES 512

struct child {
	char folder[CHILD_PATH_BYTES]; /* "" where there is none */
	unsigned port;                 /* that it listens on, on 127.0.0.1 */
	int stop_fd; /* readable once Ctrl-C, SIGTERM or a hang-up came, or the daemon ended; else -1 */
	pid_t pid;   /* 0 where there is none */
};

/* Makes the folder, starts `serve` there on a free port, and waits until it listens. From config come workers, engine
 * and the like; database, address and token are the demo's own. child_stop also after an error: ERR_IO: no folder, no
 * process, or it does not start; ERR_STOPPED: stop_fd became readable. */
int child_start(struct child *child, const struct config *config, int (*serve)(const struct config *config),
		struct err *e);
/* Waits; milliseconds < 0: for ever. 0, or ERR_STOPPED as soon as stop_fd is readable. */
int child_pause(const struct child *child, int milliseconds, struct err *e);
/* Did the daemon end by itself? That is our fault, not the user's wish. */
bool child_ended(struct child *child);
/* Ends the daemon, gracefully if it can, and removes the folder. ERR_IO: something is left there. */
int child_stop(struct child *child, struct err *e);

#endif
