/* backup.c - `descentd backup TO` and `descentd restore FROM`: a database as a file to keep, and back. They use the file
 * itself, so they need no daemon, and a backup minds none. SIGINT and SIGTERM end them, with nothing left behind. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/admin/backup.h"
#include "server/store/file.h"
#include "server/store/store.h"

static volatile sig_atomic_t ended;

static void end(int number)
{
	(void)number;
	ended = 1;
}

static int go_on(void *self, struct err *e)
{
	(void)self;
	return ended ? err_set(e, ERR_STOPPED, "stopped before the end; nothing was changed") : 0;
}

static void listen_to_signals(void)
{
	struct sigaction act = { .sa_handler = end };

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	signal(SIGXFSZ, SIG_IGN); /* a full disk to us */
}

static int say(int rc, const struct err *e)
{
	if (rc) fprintf(stderr, "descentd: %s\n", e->text);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

int admin_backup(const struct config *config)
{
	const struct store_backup how = { .rate = config->backup_rate, .go_on = go_on };
	const char *to = config->arguments[0];
	struct err e;
	int rc;

	listen_to_signals();
	if (!(rc = store_backup_sqlite(config->db, to, &how, &e)))
		printf("%s is a backup of %s\n", to, config->db);
	return say(rc, &e);
}

int admin_restore(const struct config *config)
{
	const struct store_backup how = { .go_on = go_on };
	const char *from = config->arguments[0];
	char *kept = NULL;
	struct err e;
	int rc;

	listen_to_signals();
	if (!(rc = store_restore_sqlite(from, config->db, config->force, &how, &kept, &e))) {
		printf("%s is what %s was\n", config->db, from);
		if (kept) printf("what was there before is kept as %s\n", kept);
	}
	free(kept);
	return say(rc, &e);
}
