/* faults.h - everything that is wrong with one request, found in one reading.
 *
 * A reader of a document adds a fault and reads on; the first fault gives the problem document its code and
 * sentence, all of them stand in its `errors`. At most FAULTS_MAX are kept, the others are counted.
 */
#ifndef SERVER_CODEC_FAULTS_H
#define SERVER_CODEC_FAULTS_H

#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

#define FAULTS_MAX          20
#define FAULT_POINTER_BYTES 256
#define FAULT_DETAIL_BYTES  320

struct fault {
	enum err_code code;
	char pointer[FAULT_POINTER_BYTES]; /* RFC 6901; "" is the whole document, "?name" a query parameter */
	char detail[FAULT_DETAIL_BYTES];
	uint64_t line, column; /* of CSV, from 1; 0: not said */
};

struct faults { /* zeroed is empty; owns nothing */
	struct fault items[FAULTS_MAX];
	size_t count; /* kept */
	size_t more;  /* found beyond those */
};

/* The pointer is given as a printf format of its own; a name inside must be escaped with fault_escape. */
struct fault *faults_add(struct faults *faults, enum err_code code, const char *pointer, const char *format,
		...) __attribute__((format(printf, 4, 5)));
/* 0 when there are none; else the first fault's code, its sentence (with the pointer in front) in *e. */
int faults_result(const struct faults *faults, struct err *e);

/* pointer + "/" + name, with ~ and / escaped. out may be pointer. Returns out. */
const char *pointer_join(char out[FAULT_POINTER_BYTES], const char *pointer, const char *name);
const char *pointer_index(char out[FAULT_POINTER_BYTES], const char *pointer, size_t index);

/* The name of list (ended by NULL) that was probably meant, or NULL: one edit away, or two where those are at most half
 * of the letters; case does not count. */
const char *did_you_mean(const char *name, const char *const *list);

#endif
