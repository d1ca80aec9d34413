/* scan.c - checks JSON and walks it where it lies. See scan.h.
 *
 * The check is one loop without recursion: the brackets that are open are bits of one word. Runs of digits and of
 * plain characters in strings, which are most of a body, are passed eight bytes at a time.
 *
 * Invariants: the functions named check_ trust nothing and look for the end before each byte; they return where
 * they stopped, or NULL with the reason in the struct. All others stand in a text that was checked: a string has
 * its closing quote and a bracket its partner, and `end` only says how far eight bytes may be read at once.
 */
#include "server/codec/scan.h"

#include <stdint.h>
#include <string.h>

#include "server/codec/json.h"
#include "server/codec/little.h"
#include "server/utf8.h"

#define EACH(byte) (0x0101010101010101u * (byte)) /* the byte in all eight places */
#define TOP_BITS   EACH(0x80u)

_Static_assert(JSON_DEPTH_MAX == 64, "one bit a level, and a sentence that says so");

struct check {
	const char *text, *end;
	const char *at; /* where the text goes wrong */
	const char *why;
};

static const char *fail(struct check *check, const char *at, const char *why)
{
	check->at = at;
	check->why = at == check->end ? "the JSON ends here, before it is complete" : why;
	return NULL;
}

/* ---- eight bytes at a time ---- */

/* The masks below have the top bit of a byte set that is looked for; a borrow or carry may set others, but only
 * behind the first. */
static inline uint64_t mark_equal(uint64_t word, unsigned char byte)
{
	uint64_t other = word ^ EACH(byte);

	return (other - EACH(1u)) & ~other & TOP_BITS;
}

static inline uint64_t mark_nondigits(uint64_t word)
{
	return ((word + EACH(0x46u)) | (word - EACH(0x30u))) & TOP_BITS;
}

/* What is not a plain character of a string: quote, backslash, control characters. */
static inline uint64_t mark_special(uint64_t word)
{
	uint64_t control = (word - EACH(0x20u)) & ~word & TOP_BITS;

	return control | mark_equal(word, '"') | mark_equal(word, '\\');
}

/* Quotes and brackets. Under the mask the four brackets are one byte; the others that become it ('Y', '_', 'y')
 * stand in strings only. */
static inline uint64_t mark_structure(uint64_t word)
{
	return mark_equal(word, '"') | mark_equal(word | EACH(0x26u), 0x7F);
}

static inline unsigned first_mark(uint64_t marks)
{
	return (unsigned)__builtin_ctzll(marks) / 8;
}

/* ---- the check ---- */

static inline bool is_digit(char c)
{
	return (unsigned char)(c - '0') < 10;
}

static inline const char *check_space(const struct check *check, const char *p)
{
	while (p < check->end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
		p++;
	return p;
}

/* One digit and no more is common, and a branch that is foreseen costs less than waiting for a mask. */
static inline const char *check_digits(const struct check *check, const char *p)
{
	if (p == check->end || !is_digit(*p)) return p;
	p++;
	if (p == check->end || !is_digit(*p)) return p;
	while (check->end - p >= 8) {
		uint64_t marks = mark_nondigits(get64(p));

		if (marks) return p + first_mark(marks);
		p += 8;
	}
	while (p < check->end && is_digit(*p))
		p++;
	return p;
}

/* Neither a value nor a number is at p; NaN and Infinity, as Python and JavaScript print them, are called by their names. Not
 * inline: the check of numbers is as fast as its registers last. */
static __attribute__((noinline)) const char *fail_value(struct check *check, const char *p, const char *why)
{
	if (p < check->end && (*p == 'N' || *p == 'I'))
		why = "JSON has no NaN and no Infinity; write null for what is missing";
	return fail(check, p, why);
}

static inline const char *check_number(struct check *check, const char *p)
{
	const char *end = check->end, *first;

	if (*p == '-') p++;
	first = p;
	p = check_digits(check, p);
	if (p == first) return fail_value(check, p, "a minus sign needs digits behind it");
	if (*first == '0' && p - first > 1) return fail(check, first, "a number must not begin with a zero");
	if (p < end && *p == '.') {
		first = ++p;
		p = check_digits(check, p);
		if (p == first) return fail(check, p, "a decimal point needs digits behind it");
	}
	if (p < end && (*p | 0x20) == 'e') {
		p++;
		if (p < end && (*p == '+' || *p == '-')) p++;
		first = p;
		p = check_digits(check, p);
		if (p == first) return fail(check, p, "an exponent needs digits");
	}
	return p;
}

static inline int hex_digit(char c)
{
	if (is_digit(c)) return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits behind \u; -1 when one is none. */
static int hex4(const char *p, const char *end)
{
	int value = 0;

	if (end - p < 4) return -1;
	for (int i = 0; i < 4; i++) {
		int digit = hex_digit(p[i]);

		if (digit < 0) return -1;
		value = value * 16 + digit;
	}
	return value;
}

static inline bool is_high_half(int unit)
{
	return unit >= 0xD800 && unit < 0xDC00;
}

static inline bool is_low_half(int unit)
{
	return unit >= 0xDC00 && unit < 0xE000;
}

/* p stands on a backslash. */
static const char *check_escape(struct check *check, const char *p)
{
	const char *start = p++, *end = check->end;
	int unit;

	if (p == end) return fail(check, p, "");
	if (*p && strchr("\"\\/bfnrt", *p)) return p + 1;
	if (*p != 'u') return fail(check, start, "a backslash must be followed by one of \"\\/bfnrtu");
	unit = hex4(p + 1, end);
	if (unit < 0) return fail(check, start, "\\u must be followed by four hexadecimal digits");
	if (!unit) return fail(check, start, "\\u0000 is not allowed in a string");
	p += 5;
	if (is_low_half(unit))
		return fail(check, start, "this is the second half of a surrogate pair without a first");
	if (!is_high_half(unit)) return p;
	if (end - p < 6 || p[0] != '\\' || p[1] != 'u' || !is_low_half(hex4(p + 2, end)))
		return fail(check, start, "this is the first half of a surrogate pair without a second");
	return p + 6;
}

/* p stands on the opening quote. */
static const char *check_string(struct check *check, const char *p)
{
	for (p++; p;) {
		unsigned char c;

		if (check->end - p >= 8) {
			uint64_t marks = mark_special(get64(p));

			p += marks ? first_mark(marks) : 8;
			if (!marks) continue;
		}
		if (p == check->end) return fail(check, p, "");
		c = (unsigned char)*p;
		if (c == '"') return p + 1;
		if (c < 0x20)
			return fail(check, p, "a control character in a string must be written as an escape");
		p = c == '\\' ? check_escape(check, p) : p + 1;
	}
	return NULL;
}

static const char *check_word(struct check *check, const char *p)
{
	static const char *const words[] = { "true", "false", "null" };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		size_t n = strlen(words[i]);

		if ((size_t)(check->end - p) >= n && !memcmp(p, words[i], n)) return p + n;
	}
	return fail_value(check, p,
			"a value is needed here: a number, a string, an array, an object, true, false or null");
}

/* A key with its colon, and the white space around; p stands where the key should. */
static const char *check_key(struct check *check, const char *p)
{
	if (p == check->end || *p != '"') return fail(check, p, "a key in double quotes is needed here");
	if (!(p = check_string(check, p))) return NULL;
	p = check_space(check, p);
	if (p == check->end || *p != ':')
		return fail(check, p, "a colon is needed here, between key and value");
	return check_space(check, p + 1);
}

static inline const char *check_scalar(struct check *check, const char *p)
{
	if (p == check->end) return fail(check, p, "");
	if (is_digit(*p) || *p == '-') return check_number(check, p);
	return *p == '"' ? check_string(check, p) : check_word(check, p);
}

/* The value at p with all that is in it. */
static const char *check_value(struct check *check, const char *p)
{
	uint64_t objects = 0; /* a bit for each open bracket, the innermost lowest: is it an object? */
	int depth = 0;

	for (;;) {
		if (p < check->end && (*p == '[' || *p == '{')) {
			bool object = *p == '{';

			if (depth++ == JSON_DEPTH_MAX)
				return fail(check, p, "the JSON is nested deeper than 64 levels here");
			objects = objects << 1 | object;
			p = check_space(check, p + 1);
			if (p == check->end || *p != (object ? '}' : ']')) {
				if (object && !(p = check_key(check, p))) return NULL;
				continue;
			}
		} else if (!(p = check_scalar(check, p))) {
			return NULL;
		}
		for (;; p++, depth--, objects >>= 1) { /* what closes behind it */
			if (!depth) return p;
			p = check_space(check, p);
			if (p < check->end && *p == ',') break;
			if (p == check->end || *p != (objects & 1 ? '}' : ']'))
				return fail(check, p,
						objects & 1 ? "a comma or a } is needed here"
							    : "a comma or a ] is needed here");
		}
		p = check_space(check, p + 1);
		if (objects & 1 && !(p = check_key(check, p))) return NULL;
	}
}

/* Columns count characters, as a text editor does. */
static int say_where(const struct check *check, struct err *e)
{
	size_t line = 1, column = 1;

	for (const char *p = check->text; p < check->at; p++) {
		if (*p == '\n') {
			line++;
			column = 1;
		} else if (((unsigned char)*p & 0xC0) != 0x80) {
			column++;
		}
	}
	return err_set(e, ERR_JSON, "line %zu, column %zu: %s", line, column, check->why);
}

static void check_text(struct check *check, struct scan_value *value)
{
	const char *text = check->text, *at = check_space(check, text), *end;
	size_t size = (size_t)(check->end - text), valid = utf8_valid(text, size);

	end = valid < size ? fail(check, text + valid, "the text is not UTF-8 here") : check_value(check, at);
	if (end && check_space(check, end) != check->end)
		fail(check, check_space(check, end), "nothing may follow the JSON value");
	*value = (struct scan_value){ at, end };
}

int scan_check(const char *text, size_t size, struct scan_value *value, struct err *e)
{
	struct check check = { .text = size ? text : "" }; /* of an empty body there is no text */

	check.end = check.text + size;
	if (check_space(&check, check.text) == check.end)
		return err_set(e, ERR_JSON, "the body is empty; JSON is needed");
	check_text(&check, value);
	return check.why ? say_where(&check, e) : 0;
}

bool scan_look(const char *text, size_t size, struct scan_value *value, const char **at, const char **why)
{
	struct check check = { .text = text, .end = text + size };

	check_text(&check, value);
	*at = check.at;
	*why = check.why;
	return !check.why;
}

/* ---- where a value ends that still arrives ---- */

static inline const char *pass_plain(const char *at, const char *end)
{
	while (end - at >= 8) {
		uint64_t word = get64(at), marks = mark_equal(word, '"') | mark_equal(word, '\\');

		if (marks) return at + first_mark(marks);
		at += 8;
	}
	while (at < end && *at != '"' && *at != '\\')
		at++;
	return at;
}

static inline const char *pass_flat(const char *at, const char *end)
{
	while (end - at >= 8) {
		uint64_t marks = mark_structure(get64(at));

		if (marks) return at + first_mark(marks);
		at += 8;
	}
	return at;
}

static bool ends_word(char c)
{
	return c == ',' || c == ']' || c == '}' || c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* One step outside of strings; true: the value ends before the new *at. */
static inline bool step_outside(struct scan_frame *frame, const char **at, const char *text, const char *end)
{
	if (frame->depth && (*at = pass_flat(*at, end)) == end) return false;
	switch (**at) {
	case '"': frame->string = true; break;
	case '[':
	case '{': frame->depth++; break;
	case ']':
	case '}':
		if (frame->depth && !--frame->depth) {
			++*at;
			return true;
		}
		break;
	default: break;
	}
	if (!frame->depth && !frame->string && *at > text && ends_word(**at)) return true;
	++*at;
	return false;
}

bool scan_frame_next(struct scan_frame *frame, const char *text, size_t size)
{
	const char *at = text + frame->at, *end = text + size;
	bool whole = false;

	while (at < end && !whole) {
		if (!frame->string) {
			whole = step_outside(frame, &at, text, end);
			continue;
		}
		if ((at = pass_plain(at, end)) == end) break;
		if (*at == '\\') {
			if (end - at < 2) break;
			at += 2;
			continue;
		}
		at++;
		frame->string = false;
		whole = !frame->depth;
	}
	frame->at = (size_t)(at - text);
	return whole;
}

/* ---- walking a checked text ---- */

/* at stands on the opening quote. */
static const char *skip_string(const char *at, const char *end)
{
	for (at++;;) {
		if (end - at >= 8) {
			uint64_t word = get64(at), marks = mark_equal(word, '"') | mark_equal(word, '\\');

			at += marks ? first_mark(marks) : 8;
			if (!marks) continue;
		}
		if (*at == '"') return at + 1;
		at += *at == '\\' ? 2 : 1;
	}
}

static const char *skip_container(const char *at, const char *end)
{
	size_t depth = 0;

	for (;;) {
		if (end - at >= 8) {
			uint64_t marks = mark_structure(get64(at));

			at += marks ? first_mark(marks) : 8;
			if (!marks) continue;
		}
		switch (*at) {
		case '"': at = skip_string(at, end); break;
		case '[':
		case '{':
			depth++;
			at++;
			break;
		case ']':
		case '}':
			at++;
			if (!--depth) return at;
			break;
		default: at++;
		}
	}
}

const char *scan_skip(const char *at, const char *end)
{
	if (*at == '"') return skip_string(at, end);
	if (*at == '[' || *at == '{') return skip_container(at, end);
	while (at < end && *at != ',' && *at != ']' && *at != '}' && (unsigned char)*at > ' ')
		at++;
	return at;
}

struct scan_iter scan_begin(struct scan_value container)
{
	return (struct scan_iter){
		.at = scan_space(container.at + 1), .end = container.end, .object = *container.at == '{'
	};
}

bool scan_next(struct scan_iter *iter)
{
	const char *at = iter->at;

	if (at == iter->end - 1) return false;
	if (*at == ',') at = scan_space(at + 1);
	if (iter->object) {
		iter->key = (struct scan_value){ at, skip_string(at, iter->end) };
		at = scan_space(scan_space(iter->key.end) + 1);
	}
	iter->value = (struct scan_value){ at, scan_skip(at, iter->end) };
	iter->at = scan_space(iter->value.end);
	return true;
}

/* ---- strings ---- */

static size_t encode_utf8(unsigned code, char *out)
{
	size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
	static const unsigned char leads[] = { 0, 0, 0xC0, 0xE0, 0xF0 };

	for (size_t i = n; i-- > 1; code >>= 6)
		out[i] = (char)(0x80 | (code & 0x3F));
	out[0] = (char)(leads[n] | code);
	return n;
}

/* The character that the escape at *at stands for, in UTF-8; moves *at behind it. */
static size_t decode_escape(const char **at, char out[4])
{
	static const char names[] = "bfnrt", meanings[] = "\b\f\n\r\t";
	const char *p = *at + 1, *name = strchr(names, *p);
	int unit, low;

	*at = p + 1;
	if (*p != 'u') {
		out[0] = name ? meanings[name - names] : *p;
		return 1;
	}
	unit = hex4(p + 1, p + 5);
	*at = p + 5;
	if (!is_high_half(unit)) return encode_utf8((unsigned)unit, out);
	low = hex4(p + 7, p + 11);
	*at = p + 11;
	return encode_utf8(0x10000 + ((unsigned)(unit - 0xD800) << 10) + (unsigned)(low - 0xDC00), out);
}

bool scan_equals(struct scan_value string, const char *text)
{
	const char *at = string.at + 1, *end = string.end - 1;

	while (at < end) {
		char decoded[4] = { *at };
		size_t n = 1;

		if (*at == '\\')
			n = decode_escape(&at, decoded);
		else
			at++;
		for (size_t i = 0; i < n; i++)
			if (*text++ != decoded[i]) return false;
	}
	return !*text;
}

size_t scan_string(struct scan_value string, const char **text, char *room)
{
	const char *at = string.at + 1, *end = string.end - 1;
	char *to = room;

	*text = at;
	if (!memchr(at, '\\', (size_t)(end - at))) return (size_t)(end - at);
	while (at < end) {
		if (*at == '\\')
			to += decode_escape(&at, to);
		else
			*to++ = *at++;
	}
	*text = room;
	return (size_t)(to - room);
}
