/* columns.h - what a data set's document says of its columns. */
#ifndef SERVER_API_COLUMNS_H
#define SERVER_API_COLUMNS_H

#include <jansson.h>

/* The stored description (table_describe) as people see it: dates as ISO 8601 texts, and without what is there for
 * those who resolve definitions alone. New; NULL: no memory, or the text is damaged. */
json_t *columns_document(const char *stored);

#endif
