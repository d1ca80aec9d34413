/* definition_parts.h - what the files of a definition share; of server/codec/definition*.c alone. */
#ifndef SERVER_CODEC_DEFINITION_PARTS_H
#define SERVER_CODEC_DEFINITION_PARTS_H

#include "server/codec/definition.h"

#define DROPOUT_MAX         0.99
#define BUCKETS_MAX         65536
#define DEFINITION_ROWS_MAX 64 /* of a table that "did you mean" looks through */

/* A copy that a fault answers for when there is no memory for it. NULL of NULL. */
char *definition_text(const char *text, struct faults *faults);
/* The fault of a name that a table of rows has not; known ends at NULL. */
void definition_unknown(const char *kind, const char *name, const char *const *known, const char *pointer,
		struct faults *faults);
/* A loss and its parameters; NULL, with a fault, when there is none of that name. */
const struct loss *definition_loss_read(
		const json_t *said, double params[PARAMS_MAX], const char *pointer, struct faults *faults);
/* The values of a boolean, in the order of their slots. false: no memory, which is told. */
bool definition_truths(struct definition_column *column, struct faults *faults);
/* What an output or a target says of its own learning: activation, loss, weight. */
struct output_said {
	const char *name, *type, *activation;
	const json_t *values, *loss;
	uint64_t buckets;
	double weight;
};
void definition_output_read(const struct output_said *said, struct definition_column *column,
		const char *pointer, struct faults *faults);

/* ---- definition_layers.c ---- */

/* The hidden layers; room is left for as many heads as there may be. */
void definition_layers_read(
		const json_t *document, struct definition *d, const char *pointer, struct faults *faults);
/* ["inputs", 1]: what a layer reads. */
void definition_sources_read(const json_t *document, int from[NET_SOURCES_MAX], size_t *count,
		const char *pointer, struct faults *faults);
json_t *definition_sources_document(const int *from, size_t count); /* new; NULL: no memory */
/* The masks given by hand, now that it is known what each layer reads. */
void definition_masks_finish(struct definition *d, struct faults *faults);
json_t *definition_layers_document(const struct definition *d); /* new; NULL: no memory */

/* ---- definition_heads.c ---- */

/* Adds the output layers behind the hidden ones and chooses their losses. */
void definition_heads_finish(struct definition *d, struct faults *faults);
/* What an output said of itself, into its document; false: no memory. */
bool definition_output_document(const struct definition *d, size_t output, json_t *out);

#endif
