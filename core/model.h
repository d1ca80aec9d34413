/* model.h - a trained network with what it learnt about its columns: encoder of the inputs, network, encoder of
 * the targets, losses. This is what a version is; its file form is what the store keeps.
 *
 * The file: "DSCM", format number, sizes, columns, layers, the parameter block as little-endian float32, and a
 * CRC-32C (Castagnoli, polynomial 0x1EDC6F41) over all before it. A reader of outside bytes: model_read checks
 * every size before it is used and never trusts a length.
 */
#ifndef DESCENT_MODEL_H
#define DESCENT_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "core/encoder.h"
#include "core/err.h"
#include "core/net.h"

struct model {
	struct encoder *inputs;
	struct encoder *targets;
	struct net *net; /* net_inputs == encoder_width(inputs), net_outputs == encoder_width(targets) */
	struct objective *objectives; /* (net_heads), new */
};

/* Frees what the model holds and the model; NULL is fine. */
void model_free(struct model *model);

/* *bytes is new (free). ERR_NOMEM, ERR_RANGE. */
int model_write(const struct model *model, unsigned char **bytes, size_t *size, struct err *e);
/* *out is new (model_free). ERR_CORRUPT: not a model file, cut short, damaged, or from a newer format (the
 * sentence says which); ERR_NOMEM. */
int model_read(struct model **out, const unsigned char *bytes, size_t size, struct err *e);

#endif
