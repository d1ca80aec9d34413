/* json.c - JSON documents, bounded. See json.h. */
#include "server/codec/json.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/date.h"
#include "server/codec/number.h"

/* ---- memory ---- */

/* Most of jansson's results go straight into its next call, which takes NULL for an answer: a member would be missing,
 * and nobody would know. So what could not be had is noted here, and asked for where a document is written. */
static _Thread_local bool short_of_memory;

static void *note_malloc(size_t size)
{
	void *memory = malloc(size);

	if (!memory) short_of_memory = true;
	return memory;
}

void json_note_memory(void)
{
	json_set_alloc_funcs(note_malloc, free);
}

bool json_was_short(void)
{
	bool was = short_of_memory;

	short_of_memory = false;
	return was;
}

/* ---- reading ---- */

/* jansson recurses: 2,048 levels overflow a small stack. Counts brackets outside of strings before it starts. */
static bool too_deep(const char *text, size_t size)
{
	size_t depth = 0;
	bool string = false;

	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				string = false;
		} else if (c == '"') {
			string = true;
		} else if (c == '[' || c == '{') {
			if (++depth > JSON_DEPTH_MAX) return true;
		} else if ((c == ']' || c == '}') && depth) {
			depth--;
		}
	}
	return false;
}

int json_read(const char *text, size_t size, json_t **out, struct err *e)
{
	bool before = short_of_memory, now;
	json_error_t why;

	*out = NULL;
	if (!size) return err_set(e, ERR_JSON, "the body is empty; a JSON object is needed");
	if (memchr(text, 0, size)) /* jansson skips one behind a number */
		return err_set(e, ERR_JSON, "the JSON has a NUL byte in it");
	if (too_deep(text, size))
		return err_set(e, ERR_JSON, "the JSON is nested deeper than %d levels", JSON_DEPTH_MAX);
	short_of_memory = false;
	*out = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
	now = short_of_memory;
	short_of_memory = before || now;
	if (*out && !now) return 0;
	if (now) { /* whatever it is to jansson, which goes on without a letter that found no room */
		json_decref(*out);
		*out = NULL;
		return err_nomem(e);
	}
	switch (json_error_code(&why)) {
	case json_error_out_of_memory: return err_nomem(e);
	case json_error_duplicate_key:
		return err_set(e, ERR_DUPLICATE_KEY, "line %d, column %d: %s", why.line, why.column,
				why.text);
	case json_error_numeric_overflow:
		return err_set(e, ERR_RANGE, "line %d, column %d: %s", why.line, why.column, why.text);
	default: return err_set(e, ERR_JSON, "line %d, column %d: %s", why.line, why.column, why.text);
	}
}

/* What jansson 2.14 allocates on 64 bits, measured: a node and its slot, a slot being two just after an array or a table
 * of keys has grown. Punctuation in strings counts as well, for the sake of one plain loop. */
uint64_t json_tree_bytes(const char *text, size_t size)
{
	static const unsigned char cost[UCHAR_MAX + 1] = {
		[','] = 56, ['"'] = 32, [':'] = 32, ['['] = 160, ['{'] = 240
	};
	uint64_t bytes = size;

	for (size_t i = 0; i < size; i++)
		bytes += cost[(unsigned char)text[i]];
	return bytes;
}

int json_read_stored(const char *text, json_t **out, struct err *e)
{
	struct err why;
	int rc = json_read(text, strlen(text), out, &why);

	if (!rc || rc == ERR_NOMEM) return rc ? err_nomem(e) : 0;
	return err_set(e, ERR_CORRUPT, "a stored document is damaged: %s", why.text);
}

static void write_object(const json_t *object, struct buffer *out, bool sorted);

static void write_value(const json_t *value, struct buffer *out, bool sorted)
{
	char number[NUMBER_PRINT_MAX];
	const json_t *item;
	size_t i;

	switch (json_typeof(value)) {
	case JSON_OBJECT: write_object(value, out, sorted); break;
	case JSON_ARRAY:
		buffer_text(out, "[");
		json_array_foreach(value, i, item)
		{
			if (i) buffer_text(out, ",");
			write_value(item, out, sorted);
		}
		buffer_text(out, "]");
		break;
	case JSON_STRING: json_escape(out, json_string_value(value), json_string_length(value)); break;
	case JSON_INTEGER: buffer_printf(out, "%lld", (long long)json_integer_value(value)); break;
	case JSON_REAL: buffer_add(out, number, number_print_double(json_real_value(value), number)); break;
	case JSON_TRUE: buffer_text(out, "true"); break;
	case JSON_FALSE: buffer_text(out, "false"); break;
	default: buffer_text(out, "null");
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void write_member(const char *key, const json_t *value, struct buffer *out, bool first, bool sorted)
{
	if (!first) buffer_text(out, ",");
	json_escape(out, key, strlen(key));
	buffer_text(out, ":");
	write_value(value, out, sorted);
}

static void write_object(const json_t *object, struct buffer *out, bool sorted)
{
	size_t count = json_object_size(object), n = 0;
	const char *key, **keys = NULL;
	json_t *value;

	if (sorted && count && !(keys = malloc(count * sizeof *keys))) {
		out->failed = true;
		return;
	}
	buffer_text(out, "{");
	json_object_foreach((json_t *)object, key, value)
	{
		if (keys)
			keys[n] = key;
		else
			write_member(key, value, out, !n, false);
		n++;
	}
	if (keys) {
		qsort(keys, n, sizeof *keys, by_name);
		for (size_t i = 0; i < n; i++)
			write_member(keys[i], json_object_get(object, keys[i]), out, !i, true);
	}
	buffer_text(out, "}");
	free(keys);
}

void json_write(const json_t *document, struct buffer *out)
{
	write_value(document, out, false);
	if (json_was_short()) out->failed = true;
}

char *json_text(const json_t *document, bool sorted)
{
	struct buffer out = { 0 };

	if (!document) return NULL;
	write_value(document, &out, sorted);
	buffer_add(&out, "", 1);
	if (!json_was_short() && buffer_ok(&out)) return out.data;
	buffer_free(&out);
	return NULL;
}

bool json_put(json_t *object, const char *key, json_t *value)
{
	return value && !json_object_set_new_nocheck(object, key, value);
}

bool json_append(json_t *array, json_t *value)
{
	return value && !json_array_append_new(array, value);
}

json_t *json_whole(json_t *document, bool whole)
{
	if (whole) return document;
	json_decref(document);
	return NULL;
}

json_t *json_twin(const json_t *object)
{
	json_t *out = json_copy((json_t *)object); /* which leaves out what it has no memory for */

	return json_whole(out, json_object_size(out) == json_object_size(object));
}

json_t *json_number(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

json_t *json_date(double seconds)
{
	char text[DATE_PRINT_MAX];
	size_t n = date_print(seconds, text);

	return n ? json_stringn(text, n) : json_null();
}

json_t *json_time(int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	char text[40];
	size_t n;

	if (!ms) return json_null();
	gmtime_r(&seconds, &tm);
	n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, sizeof text - n, ".%03dZ", (int)(ms % 1000));
	return json_string(text);
}

json_t *json_id(int64_t id)
{
	char text[24];

	snprintf(text, sizeof text, "%lld", (long long)id);
	return json_string(text);
}

void json_escape(struct buffer *out, const char *text, size_t size)
{
	size_t done = 0;

	buffer_add(out, "\"", 1);
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= 0x20 && c != '"' && c != '\\') continue;
		buffer_add(out, text + done, i - done);
		if (c == '"' || c == '\\')
			buffer_printf(out, "\\%c", c);
		else
			buffer_printf(out, "\\u%04x", c);
		done = i + 1;
	}
	buffer_add(out, text + done, size - done);
	buffer_add(out, "\"", 1);
}
