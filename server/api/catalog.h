/* catalog.h - /v1/catalog: everything that a definition or a training can name. */
#ifndef SERVER_API_CATALOG_H
#define SERVER_API_CATALOG_H

#include "server/http/route.h"

route_handler catalog_get, catalog_entry; /* catalog.c */
route_handler catalog_curve;              /* catalog_curve.c */

#endif
