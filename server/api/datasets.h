/* datasets.h - /v1/datasets: CSV in, descriptions out. */
#ifndef SERVER_API_DATASETS_H
#define SERVER_API_DATASETS_H

#include "server/http/route.h"

extern const struct route_stream dataset_stream;
route_handler dataset_put, dataset_list, dataset_get, dataset_delete;

#endif
