/* npy_header.c - the magic word and the dictionary behind it. See npy_header.h. */
#include "server/codec/npy_header.h"

#include <endian.h>
#include <string.h>

#include "server/codec/csv.h"
#include "server/codec/little.h"

#define MAGIC       "\x93NUMPY"
#define MAGIC_BYTES 6
#define DIMENSIONS  32 /* numpy's limit */
#define SHOWN       40 /* bytes of a type in a sentence */

struct text { /* what is left of the dictionary */
	const char *at, *end;
};

static int broken(struct err *e, const char *why)
{
	return err_set(e, ERR_SYNTAX,
			"the header of the NPY file is broken: %s; write the file with numpy.save", why);
}

/* ---- the dictionary's words ---- */

static void pass_space(struct text *t)
{
	while (t->at < t->end && (*t->at == ' ' || *t->at == '\n' || *t->at == '\t' || *t->at == '\r'))
		t->at++;
}

static bool take(struct text *t, char c)
{
	pass_space(t);
	if (t->at == t->end || *t->at != c) return false;
	t->at++;
	return true;
}

static bool take_word(struct text *t, const char *word)
{
	size_t n = strlen(word);

	pass_space(t);
	if ((size_t)(t->end - t->at) < n || memcmp(t->at, word, n)) return false;
	t->at += n;
	return true;
}

/* A string in either quotes; none that matters has an escape. */
static bool take_string(struct text *t, struct text *out)
{
	const char *close;

	pass_space(t);
	if (t->at == t->end || (*t->at != '\'' && *t->at != '"')) return false;
	close = memchr(t->at + 1, *t->at, (size_t)(t->end - t->at - 1));
	if (!close) return false;
	*out = (struct text){ t->at + 1, close };
	t->at = close + 1;
	return true;
}

static bool take_size(struct text *t, uint64_t *out)
{
	const char *from;

	pass_space(t);
	*out = 0;
	for (from = t->at; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++)
		if (__builtin_mul_overflow(*out, 10, out) ||
				__builtin_add_overflow(*out, (uint64_t)(*t->at - '0'), out))
			return false;
	if (t->at == from) return false;
	if (t->at < t->end && *t->at == 'L') t->at++; /* as Python 2 wrote them */
	return true;
}

static bool is(const struct text *t, const char *word)
{
	return (size_t)(t->end - t->at) == strlen(word) && !memcmp(t->at, word, strlen(word));
}

/* ---- its three members ---- */

static int refuse_type(const struct text *type, struct err *e)
{
	int n = type->end - type->at < SHOWN ? (int)(type->end - type->at) : SHOWN;
	bool object = memchr(type->at, 'O', (size_t)(type->end - type->at));

	return err_set(e, ERR_INVALID,
			"the array is of type %.*s%s; save a table of f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 or bool",
			n, type->at, object ? ", Python objects, which are never unpickled here" : "");
}

static int read_descr(struct text *t, struct npy_header *out, struct err *e)
{
	static const char letters[] = "bfiu";
	static const char *const widths[] = { "1", "248", "1248", "1248" };
	struct text type;
	const char *p, *kind;

	pass_space(t);
	if (t->at < t->end && *t->at == '[')
		return err_set(e, ERR_INVALID,
				"the array is a structured one; save a table of one numeric type, or send its columns as CSV");
	if (!take_string(t, &type)) return broken(e, "descr is not a string");
	p = type.at;
	out->big_endian = BYTE_ORDER == BIG_ENDIAN;
	if (p < type.end && strchr("<>|=", *p)) {
		if (*p == '<' || *p == '>') out->big_endian = *p == '>';
		p++;
	}
	if (type.end - p != 2 || !p[0] || !(kind = strchr(letters, p[0])) ||
			!memchr(widths[kind - letters], p[1], strlen(widths[kind - letters])))
		return refuse_type(&type, e);
	out->kind = (enum npy_kind)(kind - letters);
	out->width = (size_t)(p[1] - '0');
	return 0;
}

static int read_order(struct text *t, struct npy_header *out, struct err *e)
{
	out->fortran = take_word(t, "True");
	if (out->fortran || take_word(t, "False")) return 0;
	return broken(e, "fortran_order is neither True nor False");
}

static int read_shape(struct text *t, struct npy_header *out, struct err *e)
{
	uint64_t sizes[DIMENSIONS];
	size_t count = 0;
	bool comma = true;

	if (!take(t, '(')) return broken(e, "shape is not a tuple");
	while (!take(t, ')')) {
		if (!comma || count == DIMENSIONS || !take_size(t, &sizes[count]))
			return broken(e, "shape is not a tuple of sizes");
		count++;
		comma = take(t, ',');
	}
	if (count != 2)
		return err_set(e, ERR_INVALID, "the array has %zu %s; a table has 2: rows and columns%s",
				count, count == 1 ? "dimension" : "dimensions",
				count == 1 ? " (save a.reshape(-1, 1) for one column)" : "");
	out->rows = sizes[0];
	out->columns = sizes[1];
	return 0;
}

static const struct member {
	const char *name;
	int (*read)(struct text *t, struct npy_header *out, struct err *e);
} members[] = {
	{ "descr", read_descr },
	{ "fortran_order", read_order },
	{ "shape", read_shape },
};
#define MEMBERS (sizeof members / sizeof *members)

static int read_member(struct text *t, struct npy_header *out, bool seen[MEMBERS], struct err *e)
{
	struct text name;

	if (!take_string(t, &name) || !take(t, ':')) return broken(e, "it is not a dictionary");
	for (size_t i = 0; i < MEMBERS; i++) {
		if (!is(&name, members[i].name)) continue;
		if (seen[i]) return broken(e, "a key is there twice");
		seen[i] = true;
		return members[i].read(t, out, e);
	}
	return broken(e, "its keys are descr, fortran_order and shape, and no others");
}

static int read_dictionary(struct text t, struct npy_header *out, struct err *e)
{
	bool seen[MEMBERS] = { false }, comma = true;
	int rc;

	if (!take(&t, '{')) return broken(e, "it is not a dictionary");
	while (!take(&t, '}')) {
		if (!comma) return broken(e, "it is not a dictionary");
		if ((rc = read_member(&t, out, seen, e))) return rc;
		comma = take(&t, ',');
	}
	pass_space(&t);
	if (t.at != t.end) return broken(e, "something follows the dictionary");
	for (size_t i = 0; i < MEMBERS; i++)
		if (!seen[i]) return broken(e, "descr, fortran_order or shape is missing");
	return 0;
}

/* ---- the whole ---- */

static int check_shape(const struct npy_header *header, struct err *e)
{
	uint64_t cells, bytes;

	if (!header->rows) return err_set(e, ERR_INVALID, "there are no rows; a data set needs at least one");
	if (!header->columns) return err_set(e, ERR_INVALID, "the array has no columns");
	if (header->columns > CSV_COLUMNS_MAX)
		return err_set(e, ERR_TOO_LARGE, "there are more than %d columns", CSV_COLUMNS_MAX);
	if (__builtin_mul_overflow(header->rows, header->columns, &cells) ||
			__builtin_mul_overflow(cells, header->width, &bytes) || bytes > INT64_MAX)
		return err_set(e, ERR_SYNTAX, "the shape (%llu, %llu) is more than any file can have",
				(unsigned long long)header->rows, (unsigned long long)header->columns);
	return 0;
}

int npy_header_read(struct npy_header *out, const char *bytes, size_t n, struct err *e)
{
	size_t seen = n < MAGIC_BYTES ? n : MAGIC_BYTES, length_at = MAGIC_BYTES + 2, length_bytes, length;
	int rc;

	*out = (struct npy_header){ 0 };
	if (memcmp(bytes, MAGIC, seen))
		return err_set(e, ERR_SYNTAX, "this is not an NPY file; numpy.save writes one");
	if (n < length_at) return 0;
	if (bytes[MAGIC_BYTES] < 1 || bytes[MAGIC_BYTES] > 3)
		return err_set(e, ERR_SYNTAX, "this is an NPY file of version %u.%u; 1.0 to 3.0 are read",
				(unsigned char)bytes[MAGIC_BYTES], (unsigned char)bytes[MAGIC_BYTES + 1]);
	length_bytes = bytes[MAGIC_BYTES] == 1 ? 2 : 4;
	if (n < length_at + length_bytes) return 0;
	length = length_bytes == 2 ? get16(bytes + length_at) : get32(bytes + length_at);
	if (length > NPY_HEADER_MAX) return broken(e, "it is longer than 64 KiB");
	if (n < length_at + length_bytes + length) return 0;
	bytes += length_at + length_bytes;
	if ((rc = read_dictionary((struct text){ bytes, bytes + length }, out, e))) return rc;
	if ((rc = check_shape(out, e))) return rc;
	out->bytes = length_at + length_bytes + length;
	return 0;
}
