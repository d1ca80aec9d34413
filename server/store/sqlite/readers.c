/* readers.c - see readers.h. Connections are opened as they are needed, READERS_MAX at most; then calls wait. */
#include "server/store/sqlite/readers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define READERS_MAX 8 /* each may keep half a MiB of pages */

struct readers {
	char *path;
	enum db_role role;
	pthread_mutex_t lock;  /* of all below */
	pthread_cond_t change; /* a connection came back */
	struct db *idle[READERS_MAX];
	int idle_count, open_count;
};

/* NULL: open one, its place is reserved. */
static struct db *take(struct readers *r)
{
	struct db *db = NULL;

	pthread_mutex_lock(&r->lock);
	while (!r->idle_count && r->open_count == READERS_MAX)
		pthread_cond_wait(&r->change, &r->lock);
	if (r->idle_count)
		db = r->idle[--r->idle_count];
	else
		r->open_count++;
	pthread_mutex_unlock(&r->lock);
	return db;
}

/* db NULL: it could not be opened. */
static void give_back(struct readers *r, struct db *db)
{
	pthread_mutex_lock(&r->lock);
	if (db)
		r->idle[r->idle_count++] = db;
	else
		r->open_count--;
	pthread_cond_signal(&r->change);
	pthread_mutex_unlock(&r->lock);
}

int readers_run(struct readers *r, read_fn *run, void *arg, struct err *e)
{
	struct db *db = take(r);
	int rc;

	if (!db && (rc = db_open(&db, r->path, r->role, e))) goto out;
	if ((rc = db_begin(db, e))) goto out;
	rc = run(db, arg, e);
	db_rollback(db);
out:
	give_back(r, db);
	return rc;
}

static int nothing(struct db *db, void *arg, struct err *e)
{
	int64_t pages;

	(void)arg;
	return db_pragma(db, "PRAGMA page_count", &pages, e);
}

int readers_start(struct readers **out, const char *path, enum db_role role, struct err *e)
{
	struct readers *r = calloc(1, sizeof *r);
	int rc;

	*out = NULL;
	if (!r || !(r->path = strdup(path))) {
		free(r);
		return err_nomem(e);
	}
	r->role = role;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->change, NULL);
	if ((rc = readers_run(r, nothing, NULL, e)))
		readers_stop(r);
	else
		*out = r;
	return rc;
}

void readers_stop(struct readers *r)
{
	if (!r) return;
	for (int i = 0; i < r->idle_count; i++)
		db_close(r->idle[i]);
	pthread_cond_destroy(&r->change);
	pthread_mutex_destroy(&r->lock);
	free(r->path);
	free(r);
}
