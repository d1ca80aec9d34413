/* members.h - the members of an object by name, without a tree: what fields.h is for documents. */
#ifndef SERVER_CODEC_MEMBERS_H
#define SERVER_CODEC_MEMBERS_H

#include "server/codec/faults.h"
#include "server/codec/scan.h"

/* out[i] becomes the member of names[i] (ended by NULL), its `at` NULL when there is none. Faults: no object, a name
 * twice, an unknown name. pointer is where the object lies in its document. */
void members_read(struct scan_value object, const char *const *names, struct scan_value *out,
		const char *pointer, struct faults *faults);

#endif
