/* inline.h - data that come with a request: {"inputs":[…],"targets":[…]}, rows in step. */
#ifndef SERVER_API_INLINE_H
#define SERVER_API_INLINE_H

#include "server/codec/faults.h"
#include "server/codec/scan.h"

extern const char *const inline_names[3];    /* "inputs", "targets", NULL */
extern const char *const inline_pointers[2]; /* "/data/inputs", "/data/targets" */

/* Where the two halves lie. Faults: no object, a half that is not there or there twice, another member. */
void inline_halves(struct scan_value data, struct scan_value half[2], struct faults *faults);

#endif
