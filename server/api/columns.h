/* columns.h - what a data set's document says of its columns. */
#ifndef SERVER_API_COLUMNS_H
#define SERVER_API_COLUMNS_H

#include <jansson.h>
#include <stdbool.h>

/* The stored description (table_describe) as people see it: dates as ISO 8601 texts, and without what is there for
 * those who resolve definitions alone. New; NULL: no memory, or the text is damaged. */
json_t *columns_document(const char *stored);

/* Of two descriptions: the same names, in one order, of the same types. */
bool columns_alike(const json_t *a, const json_t *b);

/* A column that is ignored but kept its cells says in "was" what it would be otherwise: its description before.
 *
 * The stored description with each such column as it was, which is how its cells are stored; new, NULL: no memory. */
json_t *columns_kept(const json_t *columns);
/* A description that a table gave (taken over), where those columns of `before` are ignored again; new, NULL: no
 * memory. */
json_t *columns_ignore_again(json_t *described, const json_t *before);
/* {"name","type":"ignore","was"} of a column; new, NULL: no memory. */
json_t *column_ignored(const json_t *column);

#endif
