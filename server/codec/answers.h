/* answers.h - writes what a network answered as JSON: predictions, labels, classes, numbers.
 *
 * An answer is begun, given the scores of batch after batch, and ended; its text grows in the caller's buffer.
 * One output gives one array a row, [[1.7]] for a number too; several outputs give an object a row, by name.
 * Numbers are in the users' units with as few digits as read back to the same float32; what is not finite is null
 * and is named in "nonfinite" as [{"row":0,"output":"y0"}], at most ANSWERS_NONFINITE_MAX of them.
 */
#ifndef SERVER_CODEC_ANSWERS_H
#define SERVER_CODEC_ANSWERS_H

#include <stddef.h>
#include <stdint.h>

#include "core/encoder.h"
#include "server/buffer.h"
#include "server/codec/rows.h"

#define ANSWERS_NONFINITE_MAX 20

enum answer_form {
	ANSWER_PREDICTIONS, /* {"predictions":[…],"labels":[…] of category outputs,"model_version":"3"} */
	ANSWER_OUTPUTS,     /* the same with "outputs" in place of "predictions" */
	ANSWER_CLASSES,     /* {"results":[[["setosa",0.98],…],…]}: every class, the likeliest first */
	ANSWER_NUMBERS,     /* {"results":[1.7,…]} */
};

struct answers; /* one thread's; keeps its memory between uses */

int answers_new(struct answers **out, struct err *e); /* new: answers_free */
void answers_free(struct answers *answers);

/* targets and out are borrowed until answers_end. */
void answers_begin(struct answers *answers, enum answer_form form, const struct encoder *targets, struct buffer *out);
void answers_add(struct answers *answers, const float *scores, size_t rows); /* (rows, encoder_width(targets)) */
/* rows: whose warnings go into "warnings" when there are any. Check buffer_ok(out) afterwards. */
void answers_end(struct answers *answers, uint64_t model_version, const struct rows *rows);

#endif
