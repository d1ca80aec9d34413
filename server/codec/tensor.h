/* tensor.h - tensors as the Open Inference Protocol has them (KServe V2, "Predict Protocol - Version 2", and its binary tensor
 * extension): a name, a datatype, a shape, and the numbers or texts, as JSON or as raw little-endian bytes.
 *
 * Nothing is copied: a tensor points into the body of its request. Sizes are checked against the shape before anything of the
 * data is looked at.
 */
#ifndef SERVER_CODEC_TENSOR_H
#define SERVER_CODEC_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/codec/faults.h"
#include "server/codec/scan.h"

#define TENSOR_DIMS_MAX 8

enum tensor_type {
	TENSOR_BOOL,
	TENSOR_UINT8,
	TENSOR_UINT16,
	TENSOR_UINT32,
	TENSOR_UINT64,
	TENSOR_INT8,
	TENSOR_INT16,
	TENSOR_INT32,
	TENSOR_INT64,
	TENSOR_FP16,
	TENSOR_FP32,
	TENSOR_FP64,
	TENSOR_BYTES,
	TENSOR_TYPES
};
const char *tensor_type_name(enum tensor_type type);
size_t tensor_type_bytes(enum tensor_type type); /* of an element; 0: they differ (BYTES) */

struct tensor {
	struct scan_value name; /* with its quotes */
	enum tensor_type type;
	uint64_t shape[TENSOR_DIMS_MAX];
	size_t dims;
	uint64_t elements;        /* the product of the shape */
	struct scan_value data;   /* an array; at NULL: bytes has it */
	const unsigned char *raw; /* (raw_bytes) */
	size_t raw_bytes;
	bool by_columns; /* raw has one column after the other; never so in a request of the protocol */
};

/* What is binary of a body: the bytes behind its JSON, of which each tensor that says binary_data_size takes the next. */
struct tensor_bytes {
	const unsigned char *at;
	size_t left;
};

/* Reads an object of "inputs". at is where it lies in its document. Faults: a member that is missing or of another kind, an
 * unknown datatype, a shape that is none or overflows, data and binary data together or neither, bytes that do not fit. */
void tensor_read(struct scan_value object, struct tensor_bytes *bytes, const char *at, struct tensor *out,
		struct faults *faults);

/* Element i of a tensor of numbers that has raw bytes. */
double tensor_number(const struct tensor *tensor, uint64_t i);
/* The next text of a tensor of BYTES: *at is moved behind it. Their sizes were checked by tensor_read. */
const char *tensor_text(const unsigned char **at, size_t *size);

#endif
