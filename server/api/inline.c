/* inline.c - the two halves of data that come with a request. See inline.h. */
#include "server/api/inline.h"

#include "server/codec/members.h"

const char *const inline_names[3] = { "inputs", "targets", NULL };
const char *const inline_pointers[2] = { "/data/inputs", "/data/targets" };

void inline_halves(struct scan_value data, struct scan_value half[2], struct faults *faults)
{
	members_read(data, inline_names, half, "/data", faults);
	for (int i = 0; i < 2; i++)
		if (!half[i].at && scan_kind(data) == '{')
			faults_add(faults, ERR_MISSING_FIELD, "/data", "needs \"%s\"", inline_names[i]);
}
