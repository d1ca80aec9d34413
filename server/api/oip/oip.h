/* oip.h - the Open Inference Protocol (KServe V2) over HTTP, with the binary tensors, statistics and repository index of Triton's
 * extensions: another dialect of what api/predict.c answers. https://kserve.github.io/website/latest/modelserving/data_plane/v2_protocol
 *
 *	meta.c    what is here: the server, models, are they ready
 *	infer.c   a request's tensors to rows, through the network
 *	answer.c  scores to tensors
 *	stats.c   how often versions were asked, and how long it took
 */
#ifndef SERVER_API_OIP_OIP_H
#define SERVER_API_OIP_OIP_H

#include "core/encoder.h"
#include "server/api/api.h"
#include "server/codec/faults.h"
#include "server/codec/rows.h"
#include "server/codec/scan.h"
#include "server/http/route.h"

route_handler oip_server, oip_live, oip_ready, oip_model, oip_model_ready, oip_index; /* meta.c */
route_handler oip_infer;                                                              /* infer.c */
route_handler oip_stats;                                                              /* stats.c */

/* ---- answer.c: what a model answers, as tensors ---- */

/* One tensor of an answer. */
struct oip_output {
	char name[160];
	bool texts;          /* BYTES, the likeliest class; else FP32 */
	size_t column;       /* of the targets; SIZE_MAX: all of them */
	size_t first, width; /* its numbers in a row of scores */
};
/* The tensors of a model: with one output "outputs" and, of a category, "label"; with several one each under its name and, of
 * categories, "<name>.label". out has room for oip_outputs_most; returns how many there are. */
size_t oip_outputs(const struct encoder *targets, struct oip_output *out);
static inline size_t oip_outputs_most(const struct encoder *targets)
{
	return 2 * encoder_columns(targets);
}

/* What of them a request wants, and how. */
struct oip_wish {
	const struct oip_output *output;
	bool binary;
	uint64_t classes; /* of the classification extension: so many of the likeliest, as texts; 0: as it is */
};
/* Reads "outputs", and the "parameters" of the request (at NULL: absent). *out (room for count) gets *wished of them; without
 * outputs all. Faults. */
void oip_wishes_read(struct scan_value outputs, struct scan_value parameters, const struct oip_output *all,
		size_t count, struct oip_wish *out, size_t *wished, struct faults *faults);

struct oip_answer {
	const char *model;
	uint64_t version;
	struct scan_value id; /* at NULL: none */
	const struct encoder *targets;
	const struct oip_wish *wishes;
	size_t count;
	const float *values; /* (rows, encoder_width(targets)), numbers in the users' units */
	uint64_t rows;
	const struct rows *asked; /* whose warnings are told; NULL: there are none */
};
/* Writes the JSON, and behind it what is wished in binary; *json_bytes is the length of the first then, else 0. Check
 * buffer_ok(out). */
void oip_write(const struct oip_answer *answer, struct buffer *out, size_t *json_bytes);

#endif
