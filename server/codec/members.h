/* members.h - the members of an object by name, without a tree: what fields.h is for documents. */
#ifndef SERVER_CODEC_MEMBERS_H
#define SERVER_CODEC_MEMBERS_H

#include <stdbool.h>
#include <stdint.h>

#include "server/codec/faults.h"
#include "server/codec/scan.h"

/* out[i] becomes the member of names[i] (ended by NULL), its `at` NULL when there is none. Faults: no object, a name
 * twice, an unknown name. pointer is where the object lies in its document. */
void members_read(struct scan_value object, const char *const *names, struct scan_value *out,
		const char *pointer, struct faults *faults);

/* true or false, false where the member is not there. Else a fault. */
bool member_flag(struct scan_value said, const char *pointer, struct faults *faults);
/* A whole number in [min, max]; *out stays as it was where the member is not there. Else a fault. */
void member_whole(struct scan_value said, const char *pointer, double min, double max, uint64_t *out,
		struct faults *faults);

#endif
