/* definition.h - what a model is: inputs, layers, outputs, loss; read from the JSON of a PUT, resolved against a
 * data set, and written back in the explicit form that says everything.
 *
 * The resolved document is what the store keeps and what training reads again, by the same reader.
 */
#ifndef SERVER_CODEC_DEFINITION_H
#define SERVER_CODEC_DEFINITION_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/encoder.h"
#include "core/loss.h"
#include "core/net.h"
#include "server/codec/faults.h"

#define DEFINITION_COLUMNS_MAX NET_UNITS_MAX

struct definition_column {
	char *name;
	enum column_kind kind;
	char **values; /* of a category */
	size_t values_count;
	size_t buckets; /* of a hashed category, which has no values; 0: it is none */
	/* of an output: what it says of its own learning */
	bool own;                /* does it say anything? */
	char *activation;        /* NULL: follows from the kind and the loss */
	const struct loss *loss; /* NULL: follows from the activation */
	double loss_params[PARAMS_MAX];
	double weight; /* of its loss among the others; 1 when not said */
};

/* A mask given by hand, [columns][inputs] as users see it; cells NULL: none. */
struct definition_mask {
	uint8_t *cells;
	uint8_t *turned; /* (inputs, columns), once what the layer reads is known */
	size_t columns, inputs;
};

/* What "task" said; TASK_OPEN: the target's column decides. */
enum definition_task { TASK_OPEN, TASK_CLASSIFICATION, TASK_REGRESSION };

struct definition {    /* zeroed is empty; owns everything: definition_clear */
	char *dataset; /* its name, NULL in the explicit form */
	struct definition_column
			*targets; /* names, and what they say of their learning; none in the explicit form */
	size_t targets_count;
	bool target_list; /* they came as an array */
	char **features;  /* chosen columns; NULL: all but the target */
	size_t features_count;
	enum definition_task task;
	uint64_t buckets; /* for the columns of a data set that are hashed */
	struct definition_column *inputs, *outputs;
	size_t inputs_count, outputs_count;
	bool layers_given;
	struct layer_spec *
			layers; /* (layers_count): the hidden ones, and behind them the heads once resolved */
	size_t layers_count, hidden_count;
	struct definition_mask *masks; /* (hidden_count), NULL when no layers are given */
	int output_from[NET_SOURCES_MAX]; /* what the heads read, (output_from_count); 0: the last hidden layer */
	size_t output_from_count;
	char *output_activation; /* of the only head, as said; NULL: follows from the outputs */
	double output_l2;        /* that of the default layers, 0 when layers are given */
	double input_dropout;    /* share of the inputs dropped while training */
	const struct loss *
			loss; /* of the only head; NULL: follows from the outputs, or there are several heads */
	double loss_params[PARAMS_MAX];
	struct objective *objectives; /* (definition_heads), once resolved */
	enum normalize normalize;
	enum missing missing;
	uint64_t seed;
	char *description; /* never NULL after reading */
	json_t *metadata;  /* object of strings, never NULL after reading */
};
void definition_clear(struct definition *d);

/* Reads the body of a PUT. Faults are added; what could be read is in *d. stored: a resolved document of ours. */
void definition_read(const json_t *document, bool stored, struct definition *d, struct faults *faults);

/* A run may have other layers than its model: the members of `network`, {"layers", "output_l2"}, take the place of those in a
 * resolved document. ERR_NOMEM. */
int definition_override(json_t *document, const json_t *network, struct err *e);
/* What definition_override needs for the layers of *d, which is resolved; new. NULL: no memory. */
json_t *definition_network(const struct definition *d);

/* What a PATCH may change; borrowed from its document, NULL: stays as it is. */
struct definition_patch {
	const char *description;
	const json_t *metadata;
};
void definition_read_patch(const json_t *document, struct definition_patch *patch, struct faults *faults);

/* A data set's column, for resolving; borrowed from its document. */
struct definition_source {
	const char *name;
	enum column_kind kind;
	bool boolean, ignored;
	uint64_t missing, distinct;
	double min, max;    /* of a number or date column that is not empty */
	bool empty;         /* every cell is missing */
	bool integers;      /* a number column of whole numbers only */
	bool values_listed; /* values has them all */
	char **values;      /* of a category, or of a number column with few values; NULL otherwise */
	size_t values_count;
};

/* Fills in what the dataset form leaves open: inputs and outputs from the columns, then what definition_finish does.
 * warnings (a JSON array) gets sentences. Faults: a target or feature that is not a column, fewer than two
 * classes, no features, a column without values. */
void definition_from_columns(struct definition *d, const struct definition_source *columns, size_t count,
		uint64_t rows, json_t *warnings, struct faults *faults);

/* Chooses hidden layers when none are given (rows: of the data set, 0 when unknown), adds the output layer, chooses the
 * loss, and checks that they fit each other and that the network can be had. */
void definition_finish(struct definition *d, uint64_t rows, struct faults *faults);

/* The resolved document, new; NULL: no memory. */
json_t *definition_document(const struct definition *d);

/* The pieces of a model as this definition says; each *out is new. */
int definition_encoder(
		const struct definition *d, enum encoder_role role, struct encoder **out, struct err *e);
int definition_net(const struct definition *d, struct net **out, struct err *e);
int definition_objectives(
		const struct definition *d, struct objective **out, struct err *e); /* (heads), free */
/* Output layers: one for all outputs, or one for each where there are several that differ: categories beside others,
 * or outputs with a loss, an activation or a weight of their own. definition is resolved. */
size_t definition_heads(const struct definition *d);
/* The loss that output i is learnt with. definition is resolved. */
const struct loss *definition_output_loss(const struct definition *d, size_t output);
/* Faults when a loss said at "/loss" does not go with the only head, or there are several. definition is resolved. */
void definition_check_loss(const struct definition *d, const struct loss *loss, struct faults *faults);
/* Faults at the layers whose activation is flat: such a model predicts, with weights by hand, and cannot learn. */
void definition_check_trainable(const struct definition *d, struct faults *faults);
/* Width of the encoded inputs; outputs likewise. */
size_t definition_input_width(const struct definition *d);
size_t definition_output_width(const struct definition *d);
/* One category output? */
bool definition_classifies(const struct definition *d);

/* Is it a name: [A-Za-z0-9][A-Za-z0-9._-]{0,63}? Else ERR_NAME with the sentence. what: "a model's name". */
int name_check(const char *name, const char *what, struct err *e);

#endif
