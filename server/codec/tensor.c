/* tensor.c - see tensor.h. */
#include "server/codec/tensor.h"

#include <math.h>
#include <string.h>

#include "server/codec/little.h"
#include "server/codec/members.h"
#include "server/codec/number.h"

#define HALF_MAX     65504.0            /* the largest binary16 */
#define SIZE_LARGEST 9007199254740992.0 /* 2^53 */

static const struct type {
	const char *name;
	size_t bytes;
	bool whole;
	double min, max; /* of numbers in JSON; 0: not looked at */
} types[TENSOR_TYPES] = {
	[TENSOR_BOOL] = { "BOOL", 1, true, 0, 1 },
	[TENSOR_UINT8] = { "UINT8", 1, true, 0, UINT8_MAX },
	[TENSOR_UINT16] = { "UINT16", 2, true, 0, UINT16_MAX },
	[TENSOR_UINT32] = { "UINT32", 4, true, 0, UINT32_MAX },
	[TENSOR_UINT64] = { "UINT64", 8, true, 0, (double)UINT64_MAX },
	[TENSOR_INT8] = { "INT8", 1, true, INT8_MIN, INT8_MAX },
	[TENSOR_INT16] = { "INT16", 2, true, INT16_MIN, INT16_MAX },
	[TENSOR_INT32] = { "INT32", 4, true, INT32_MIN, INT32_MAX },
	[TENSOR_INT64] = { "INT64", 8, true, (double)INT64_MIN, (double)INT64_MAX },
	[TENSOR_FP16] = { "FP16", 2, false, -HALF_MAX, HALF_MAX },
	[TENSOR_FP32] = { "FP32", 4, false, 0, 0 },
	[TENSOR_FP64] = { "FP64", 8, false, 0, 0 },
	[TENSOR_BYTES] = { "BYTES", 0, false, 0, 0 },
};

const char *tensor_type_name(enum tensor_type type)
{
	return types[type].name;
}

size_t tensor_type_bytes(enum tensor_type type)
{
	return types[type].bytes;
}

/* ---- elements ---- */

/* IEEE 754 binary16. */
static double half(uint16_t bits)
{
	int exponent = bits >> 10 & 31, fraction = bits & 1023;
	double value;

	if (exponent == 31)
		value = fraction ? (double)NAN : (double)INFINITY;
	else if (exponent)
		value = ldexp(1024 + fraction, exponent - 25);
	else
		value = ldexp(fraction, -24);
	return bits & 0x8000 ? -value : value;
}

static double single(uint32_t bits)
{
	float value;

	memcpy(&value, &bits, sizeof value);
	return (double)value;
}

static double twice(uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof value);
	return value;
}

double tensor_number(const struct tensor *t, uint64_t i)
{
	const unsigned char *at = t->raw + i * types[t->type].bytes;

	switch (t->type) {
	case TENSOR_BOOL: return *at != 0;
	case TENSOR_UINT8: return *at;
	case TENSOR_UINT16: return get16(at);
	case TENSOR_UINT32: return get32(at);
	case TENSOR_UINT64: return (double)get64(at);
	case TENSOR_INT8: return (int8_t)*at;
	case TENSOR_INT16: return (int16_t)get16(at);
	case TENSOR_INT32: return (int32_t)get32(at);
	case TENSOR_INT64: return (double)(int64_t)get64(at);
	case TENSOR_FP16: return half(get16(at));
	case TENSOR_FP32: return single(get32(at));
	case TENSOR_FP64: return twice(get64(at));
	default: return NAN;
	}
}

const char *tensor_text(const unsigned char **at, size_t *size)
{
	const char *text = (const char *)*at + 4;

	*size = get32(*at);
	*at += 4 + *size;
	return text;
}

/* ---- reading ---- */

static void read_type(struct scan_value said, const char *at, struct tensor *t, struct faults *faults)
{
	char pointer[FAULT_POINTER_BYTES];

	pointer_join(pointer, at, "datatype");
	if (!said.at || scan_kind(said) != '"') {
		faults_add(faults, said.at ? ERR_INVALID : ERR_MISSING_FIELD, pointer,
				"must be a datatype, as \"FP32\"");
		return;
	}
	for (size_t i = 0; i < TENSOR_TYPES; i++)
		if (scan_equals(said, types[i].name)) {
			t->type = (enum tensor_type)i;
			return;
		}
	faults_add(faults, ERR_INVALID, pointer,
			"%.*s is no datatype that is read here: BOOL, UINT8 to UINT64, INT8 to INT64, FP16, FP32, FP64, BYTES",
			said.end - said.at > 40 ? 40 : (int)(said.end - said.at), said.at);
}

/* A size: a whole number that is not negative. ERR_RANGE: it is, and larger than SIZE_LARGEST. */
static int read_size(struct scan_value said, uint64_t *out)
{
	double number;

	if (scan_kind(said) != '0' || number_scan_double(said.at, said.end, &number) != said.end)
		return ERR_INVALID;
	if (number < 0 || number != floor(number)) return ERR_INVALID;
	if (number > SIZE_LARGEST) return ERR_RANGE;
	*out = (uint64_t)number;
	return 0;
}

static void read_shape(struct scan_value said, const char *at, struct tensor *t, struct faults *faults)
{
	char pointer[FAULT_POINTER_BYTES];
	struct scan_iter i;

	pointer_join(pointer, at, "shape");
	if (!said.at || scan_kind(said) != '[') {
		faults_add(faults, said.at ? ERR_INVALID : ERR_MISSING_FIELD, pointer,
				"must be an array of sizes, as [1, 4]");
		return;
	}
	t->elements = 1;
	for (i = scan_begin(said); scan_next(&i);) {
		int rc = t->dims == TENSOR_DIMS_MAX ? ERR_INVALID : read_size(i.value, &t->shape[t->dims]);

		if (rc == ERR_INVALID) {
			faults_add(faults, ERR_INVALID, pointer,
					"must be at most %d whole numbers, none below 0", TENSOR_DIMS_MAX);
			return;
		}
		if (rc || __builtin_mul_overflow(t->elements, t->shape[t->dims], &t->elements)) {
			faults_add(faults, ERR_RANGE, pointer, "is of more elements than can be counted");
			return;
		}
		t->dims++;
	}
	if (!t->dims) faults_add(faults, ERR_INVALID, pointer, "must have a size at least");
}

/* Is each text where its length says, and nothing behind the last? */
static bool texts_fit(const struct tensor *t)
{
	const unsigned char *at = t->raw;
	size_t left = t->raw_bytes;

	for (uint64_t i = 0; i < t->elements; i++) {
		uint32_t size;

		if (left < 4) return false;
		size = get32(at);
		if (size > left - 4) return false;
		at += 4 + size;
		left -= 4 + size;
	}
	return !left;
}

static void take_bytes(uint64_t size, struct tensor_bytes *bytes, const char *at, struct tensor *t,
		struct faults *faults)
{
	size_t each = types[t->type].bytes;
	uint64_t wanted;

	if (size > bytes->left) {
		faults_add(faults, ERR_INVALID, at,
				"%llu bytes of data are announced, and %zu are there behind the JSON",
				(unsigned long long)size, bytes->left);
		return;
	}
	t->raw = bytes->at;
	t->raw_bytes = (size_t)size;
	bytes->at += size;
	bytes->left -= size;
	if (each && __builtin_mul_overflow(t->elements, each, &wanted))
		faults_add(faults, ERR_RANGE, at, "the %s of its shape are more bytes than can be counted",
				types[t->type].name);
	else if (each && wanted != size)
		faults_add(faults, ERR_INVALID, at, "%llu bytes are not the %s of its shape, which have %llu",
				(unsigned long long)size, types[t->type].name, (unsigned long long)wanted);
	else if (!each && !texts_fit(t))
		faults_add(faults, ERR_INVALID, at,
				"the texts must each come behind their length of four bytes, as many as the shape says");
}

/* A number that the datatype does not have, among those of the JSON. null is a missing one, true and false are 1 and 0; what FP32
 * and FP64 do not hold, the reader of rows finds. */
static void check_numbers(const char *at, const struct tensor *t, struct faults *faults)
{
	const struct type *type = &types[t->type];
	const char *p = t->data.at, *end = t->data.end;
	double number;

	for (uint64_t i = 0; p < end;) {
		const char *next = number_scan_double(p, end, &number);

		if (!next) { /* a bracket, a comma, white space or a letter */
			i += *p == ',';
			p++;
			continue;
		}
		if (number < type->min || number > type->max || (type->whole && number != floor(number))) {
			faults_add(faults, ERR_RANGE, at,
					"element %llu is %.*s, and %s is of %s from %.10g to %.10g",
					(unsigned long long)i, next - p > 40 ? 40 : (int)(next - p), p,
					type->name, type->whole ? "whole numbers" : "numbers", type->min,
					type->max);
			return;
		}
		p = next;
	}
}

/* A number that is written as a text is a text. */
static void check_data(const char *at, const struct tensor *t, struct faults *faults)
{
	size_t size = (size_t)(t->data.end - t->data.at);
	char pointer[FAULT_POINTER_BYTES];

	pointer_join(pointer, at, "data");
	if (scan_kind(t->data) != '[')
		faults_add(faults, ERR_INVALID, pointer, "must be an array");
	else if (t->type != TENSOR_BYTES && (memchr(t->data.at, '"', size) || memchr(t->data.at, '{', size)))
		faults_add(faults, ERR_INVALID, pointer, "has what is no number, and its datatype is %s",
				types[t->type].name);
	else if (types[t->type].max > 0)
		check_numbers(pointer, t, faults);
}

static uint64_t binary_size(struct scan_value parameters, const char *at, bool *said, struct faults *faults)
{
	char pointer[FAULT_POINTER_BYTES];
	uint64_t size = 0;

	*said = false;
	if (!parameters.at) return 0;
	pointer_join(pointer, at, "parameters");
	if (scan_kind(parameters) != '{') {
		faults_add(faults, ERR_INVALID, pointer, "must be an object");
		return 0;
	}
	for (struct scan_iter i = scan_begin(parameters); scan_next(&i);) {
		if (!scan_equals(i.key, "binary_data_size")) continue;
		*said = true;
		if (read_size(i.value, &size))
			faults_add(faults, ERR_INVALID, pointer_join(pointer, pointer, "binary_data_size"),
					"must be a number of bytes");
	}
	return size;
}

void tensor_read(struct scan_value object, struct tensor_bytes *bytes, const char *at, struct tensor *t,
		struct faults *faults)
{
	static const char *const names[] = { "name", "datatype", "shape", "data", "parameters", NULL };
	enum { NAME, DATATYPE, SHAPE, DATA, PARAMETERS, MEMBERS };
	struct scan_value found[MEMBERS];
	size_t before = faults->count;
	uint64_t size;
	bool binary;

	*t = (struct tensor){ 0 };
	members_read(object, names, found, at, faults);
	if (faults->count > before) return;
	if (!found[NAME].at || scan_kind(found[NAME]) != '"')
		faults_add(faults, ERR_MISSING_FIELD, at, "needs a \"name\"");
	t->name = found[NAME];
	read_type(found[DATATYPE], at, t, faults);
	read_shape(found[SHAPE], at, t, faults);
	size = binary_size(found[PARAMETERS], at, &binary, faults);
	if (faults->count > before) return;
	t->data = found[DATA];
	if (binary == (t->data.at != NULL))
		faults_add(faults, ERR_INVALID, at,
				binary ? "has \"data\" and binary data; it takes one of them"
				       : "needs \"data\", or a binary_data_size");
	else if (binary)
		take_bytes(size, bytes, at, t, faults);
	else
		check_data(at, t, faults);
}
