/* embed.c - a program of the build: writes the files of schema/ as one C file.
 *
 *     embed OUT.c FILE...
 *
 * .sql files go in as they are. A .yaml file becomes compact JSON, its keys in their order, so that the daemon
 * needs no YAML reader. A plain scalar gets the type that the core schema of YAML 1.2 (section 10.3.2) gives it,
 * a quoted one is a string, a key is always a string. Anchors, aliases and tags are refused: we do not write
 * them. OUT.c implements schema/embedded.h. Any fault ends the program with a sentence and status 1; memory is
 * left to that end.
 */
#include <errno.h>
#include <jansson.h>
#include <regex.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define REAL_DIGITS 15 /* so many decimal digits survive text -> double -> text */
#define LINE_BYTES  100

struct item {
	char *name, *data;
	size_t size;
};

static __attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("embed: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(EXIT_FAILURE);
}

static void *need(void *memory)
{
	if (!memory) die("out of memory");
	return memory;
}

static char *read_file(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	char *data;
	long end;

	if (!f || fseek(f, 0, SEEK_END) || (end = ftell(f)) < 0 || fseek(f, 0, SEEK_SET))
		die("cannot read %s: %s", path, strerror(errno));
	*size = (size_t)end;
	data = need(malloc(*size + 1));
	if (fread(data, 1, *size, f) != *size) die("cannot read %s: %s", path, strerror(errno));
	data[*size] = 0;
	fclose(f);
	return data;
}

/* ---- YAML to JSON ---- */

struct reader {
	const char *path;
	yaml_parser_t parser;
};

static void next_event(struct reader *r, yaml_event_t *event)
{
	if (!yaml_parser_parse(&r->parser, event))
		die("%s:%zu: %s", r->path, r->parser.problem_mark.line + 1, r->parser.problem);
}

static __attribute__((noreturn)) void refuse(
		const struct reader *r, const yaml_event_t *event, const char *why)
{
	die("%s:%zu: %s", r->path, event->start_mark.line + 1, why);
}

static bool matches(const char *pattern, const char *text)
{
	regex_t regex;
	bool found;

	if (regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB)) die("bad pattern %s", pattern);
	found = !regexec(&regex, text, 0, NULL, 0);
	regfree(&regex);
	return found;
}

static json_t *integer_of(const struct reader *r, const yaml_event_t *event, const char *digits, int base)
{
	long long number;

	errno = 0;
	number = strtoll(digits, NULL, base);
	if (errno) refuse(r, event, "an integer beyond 64 bits; write it with a decimal point");
	return json_integer(number);
}

/* The type of a plain scalar: the table of YAML 1.2, section 10.3.2. */
static json_t *plain_value(const struct reader *r, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;

	if (matches("^(null|Null|NULL|~|)$", text)) return json_null();
	if (matches("^(true|True|TRUE)$", text)) return json_true();
	if (matches("^(false|False|FALSE)$", text)) return json_false();
	if (matches("^[-+]?[0-9]+$", text)) return integer_of(r, event, text, 10);
	if (matches("^0o[0-7]+$", text)) return integer_of(r, event, text + 2, 8);
	if (matches("^0x[0-9a-fA-F]+$", text)) return integer_of(r, event, text + 2, 16);
	if (matches("^[-+]?(\\.[0-9]+|[0-9]+(\\.[0-9]*)?)([eE][-+]?[0-9]+)?$", text))
		return json_real(strtod(text, NULL));
	if (matches("^([-+]?\\.(inf|Inf|INF)|\\.(nan|NaN|NAN))$", text))
		refuse(r, event, "JSON has no number for this; quote it if it is a word");
	return json_stringn(text, event->data.scalar.length);
}

static json_t *scalar_value(const struct reader *r, const yaml_event_t *event)
{
	if (event->data.scalar.anchor || event->data.scalar.tag)
		refuse(r, event, "anchors and tags are not used here");
	if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) return need(plain_value(r, event));
	return need(json_stringn((const char *)event->data.scalar.value, event->data.scalar.length));
}

static json_t *value_of(struct reader *r, const yaml_event_t *event);

static json_t *sequence_value(struct reader *r, const yaml_event_t *start)
{
	json_t *array = need(json_array());
	yaml_event_t event;

	if (start->data.sequence_start.anchor || start->data.sequence_start.tag)
		refuse(r, start, "anchors and tags are not used here");
	for (next_event(r, &event); event.type != YAML_SEQUENCE_END_EVENT; next_event(r, &event)) {
		if (json_array_append_new(array, value_of(r, &event))) die("out of memory");
		yaml_event_delete(&event);
	}
	return array;
}

static json_t *mapping_value(struct reader *r, const yaml_event_t *start)
{
	json_t *object = need(json_object());
	yaml_event_t key, value;

	if (start->data.mapping_start.anchor || start->data.mapping_start.tag)
		refuse(r, start, "anchors and tags are not used here");
	for (next_event(r, &key); key.type != YAML_MAPPING_END_EVENT; next_event(r, &key)) {
		const char *name = (const char *)key.data.scalar.value;

		if (key.type != YAML_SCALAR_EVENT) refuse(r, &key, "a key must be a scalar");
		if (key.data.scalar.anchor || key.data.scalar.tag)
			refuse(r, &key, "anchors and tags are not used here");
		if (strlen(name) != key.data.scalar.length) refuse(r, &key, "a key with a NUL");
		if (json_object_get(object, name)) refuse(r, &key, "this key is here twice");
		next_event(r, &value);
		if (json_object_set_new(object, name, value_of(r, &value))) die("out of memory");
		yaml_event_delete(&value);
		yaml_event_delete(&key);
	}
	return object;
}

static json_t *value_of(struct reader *r, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SCALAR_EVENT: return scalar_value(r, event);
	case YAML_SEQUENCE_START_EVENT: return sequence_value(r, event);
	case YAML_MAPPING_START_EVENT: return mapping_value(r, event);
	default: refuse(r, event, "an alias, or a second document, is not used here");
	}
}

/* text is one YAML document; the result is new. */
static char *json_of_yaml(const char *path, const char *text, size_t size)
{
	static const yaml_event_type_t frame[] = { YAML_STREAM_START_EVENT, YAML_DOCUMENT_START_EVENT };
	struct reader r = { .path = path };
	yaml_event_t event;
	json_t *root;
	char *json;

	need(yaml_parser_initialize(&r.parser) ? &r : NULL);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, size);
	for (size_t i = 0; i < sizeof frame / sizeof *frame; i++) {
		next_event(&r, &event);
		if (event.type != frame[i]) refuse(&r, &event, "no document");
		yaml_event_delete(&event);
	}
	next_event(&r, &event);
	root = value_of(&r, &event);
	yaml_event_delete(&event);
	next_event(&r, &event); /* the document's end */
	next_event(&r, &event);
	if (event.type != YAML_STREAM_END_EVENT) refuse(&r, &event, "a second document is not used here");
	json = need(json_dumps(root, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(REAL_DIGITS)));
	json_decref(root);
	yaml_parser_delete(&r.parser);
	return json;
}

/* ---- the C file ---- */

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && !strcmp(text + n - m, end);
}

static struct item item_of(const char *path)
{
	struct item item = { .name = need(strdup(path)) };

	item.data = read_file(path, &item.size);
	if (ends_with(path, ".yaml")) {
		strcpy(item.name + strlen(path) - strlen(".yaml"), ".json");
		item.data = json_of_yaml(path, item.data, item.size);
		item.size = strlen(item.data);
	}
	return item;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct item *)a)->name, ((const struct item *)b)->name);
}

/* Octal escapes have at most three digits, so three always end one. */
static void write_literal(FILE *out, const char *data, size_t size)
{
	fputs("\t\"", out);
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char)data[i];

		if (i && i % LINE_BYTES == 0) fputs("\"\n\t\"", out);
		if (c == '"' || c == '\\' || c == '?' || c < ' ' || c > '~')
			fprintf(out, "\\%03o", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

static void write_items(FILE *out, const struct item *items, size_t count)
{
	fputs("/* Made by schema/embed.c. */\n#include \"schema/embedded.h\"\n\n#include <string.h>\n\n"
	      "const struct embedded_file embedded_files[] = {\n",
			out);
	for (size_t i = 0; i < count; i++) {
		fprintf(out, "\t{ \"%s\",\n", items[i].name);
		write_literal(out, items[i].data, items[i].size);
		fprintf(out, ", %zu },\n", items[i].size);
	}
	fputs("\t{ 0 },\n};\n\nconst struct embedded_file *embedded_find(const char *name)\n{\n"
	      "\tfor (const struct embedded_file *f = embedded_files; f->name; f++)\n"
	      "\t\tif (!strcmp(f->name, name)) return f;\n\treturn NULL;\n}\n",
			out);
}

int main(int argc, char **argv)
{
	struct item *items;
	FILE *out;

	if (argc < 3) die("usage: embed OUT.c FILE...");
	items = need(calloc((size_t)argc, sizeof *items));
	for (int i = 2; i < argc; i++)
		items[i - 2] = item_of(argv[i]);
	qsort(items, (size_t)argc - 2, sizeof *items, by_name);
	if (!(out = fopen(argv[1], "wb"))) die("cannot write %s: %s", argv[1], strerror(errno));
	write_items(out, items, (size_t)argc - 2);
	if (fclose(out)) die("cannot write %s: %s", argv[1], strerror(errno));
	return EXIT_SUCCESS;
}
