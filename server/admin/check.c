/* check.c - `descentd check`: looks at a whole database, which may be in use, and changes nothing.
 *
 * What SQLite finds comes first, then everything is read and decoded as the daemon would (verify.h). What was found goes to
 * stdout, a line each; that it could not be looked at to stderr.
 */
#include "server/admin/check.h"

#include <inttypes.h>
#include <stdio.h>

#include "server/admin/verify.h"
#include "server/store/file.h"

enum { CLEAN, FAULTS, CANNOT };

static void say_fault(void *self, const struct verify_fault *fault)
{
	(void)self;
	printf("%s\n", fault->sentence);
}

static void say_text(void *self, const char *sentence)
{
	struct verify *v = self;

	v->faults++;
	printf("the file: %s\n", sentence);
}

static void say_counts(const struct verify *v, uint64_t unchecked)
{
	printf("looked at %" PRIu64 " data sets (%" PRIu64 " row groups), %" PRIu64 " models (%" PRIu64
	       " versions), %" PRIu64 " jobs (%" PRIu64 " blocks of curves, %" PRIu64 " checkpoints, %" PRIu64
	       " predictions)\n",
			v->datasets, v->groups, v->models, v->versions, v->jobs, v->blocks, v->checkpoints,
			v->outputs);
	if (unchecked)
		printf("%" PRIu64
		       " pieces of an older release have no checksum: what descentd repair writes has\n",
				unchecked);
	if (v->faults)
		printf("%" PRIu64
		       " faults: restore it from a backup, or save what is whole with descentd repair\n",
				v->faults);
	else
		printf("no fault\n");
}

int admin_check(const struct config *config)
{
	struct verify v = { .fault = say_fault };
	uint64_t unchecked = 0;
	struct err e;
	int rc;

	if ((rc = store_look_sqlite(&v.store, config->db, &e))) goto out;
	if (!(rc = store_verify_sqlite(v.store, say_text, &v, &unchecked, &e)) &&
			!(rc = verify_all(&v, &e)) && !(rc = v.store->check(v.store, &e)))
		say_counts(&v, unchecked);
	v.store->close(v.store);
out:
	if (rc) fprintf(stderr, "descentd: %s\n", e.text);
	return rc ? CANNOT : v.faults ? FAULTS : CLEAN;
}
