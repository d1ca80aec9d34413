/* models.h - /v1/models: definitions, their versions and labels, and what is inside a version. */
#ifndef SERVER_API_MODELS_H
#define SERVER_API_MODELS_H

#include "server/api/api.h"
#include "server/codec/definition.h"
#include "server/http/route.h"

route_handler model_put, model_list, model_get, model_patch, model_delete; /* models.c */
route_handler version_post, version_list, version_get, version_delete;     /* versions.c */
route_handler label_put, label_delete;                                     /* versions.c */
route_handler traffic_show, traffic_change, traffic_end;                   /* traffic.c */
route_handler drift_get;                                                   /* drift.c */
route_handler layer_list, layer_get, neuron_get;                           /* layers.c */

/* A stored definition as a struct; definition_clear it in every case. ERR_CORRUPT. *document is new and must live as
 * long; it may be NULL after an error. */
int model_definition(
		const struct store_model *stored, struct definition *out, json_t **document, struct err *e);
/* Reads it once more with other layers (definition_override), which are put into document. As above. */
int model_definition_with(json_t *document, const json_t *network, struct definition *out, struct err *e);

/* "index", "units", "activation", …, "parameters" of layer i of a network, new. */
json_t *layer_summary(const struct layer_spec *layer, size_t index, size_t inputs, size_t columns);

/* The columns of a stored data set for resolving definitions. Borrowed from columns; free the array with
 * sources_free. ERR_NOMEM. */
int sources_read(const json_t *columns, struct definition_source **out, size_t *count, struct err *e);
void sources_free(struct definition_source *sources, size_t count);

/* What a version learnt about its columns, new; encoders.c. NULL: no memory. */
json_t *encoders_document(const struct model *model);

/* As it is sent and shown, new; traffic.c. */
json_t *traffic_document(const struct store_model *model);

/* One row of model_version_status, new. */
json_t *version_status(uint64_t number);

#endif
