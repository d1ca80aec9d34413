/* embedded.h - the files of schema/ as they were built into the binary. */
#ifndef SCHEMA_EMBEDDED_H
#define SCHEMA_EMBEDDED_H

#include <stddef.h>

struct embedded_file {
	const char *name; /* path below the repository: "schema/sqlite/0001_first.sql"; YAML is kept as JSON, ".json" */
	const char *data; /* size bytes, then a NUL */
	size_t size;
};

extern const struct embedded_file embedded_files[]; /* ended by a row whose name is NULL; sorted by name */

/* The file of that name, or NULL. */
const struct embedded_file *embedded_find(const char *name);

#endif
