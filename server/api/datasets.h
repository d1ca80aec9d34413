/* datasets.h - /v1/datasets: tables in, descriptions out. */
#ifndef SERVER_API_DATASETS_H
#define SERVER_API_DATASETS_H

#include <jansson.h>

#include "server/http/route.h"

struct store_revision;

extern const struct route_stream dataset_stream, append_stream;
route_handler dataset_put, dataset_patch, dataset_list, dataset_get, dataset_delete, dataset_rows,
		dataset_column_put;

/* The document of a revision, new; NULL: no memory. */
json_t *dataset_document(const struct store_revision *revision);
/* The answer to an upload that made this revision; created: and its data set. */
int dataset_answer(const struct store_revision *revision, bool created, struct reply *rp, struct err *e);

#endif
