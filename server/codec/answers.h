/* answers.h - writes what a network answered as JSON: predictions, labels, classes, numbers.
 *
 * An answer is begun, given the scores of batch after batch, and ended; its text grows in the caller's buffer.
 * One output gives one array a row, [[1.7]] for a number too; several outputs give an object a row, by name.
 * "labels" is there when an output is a category: the class with the highest score, the first of equals, null when
 * every score is NaN. Several outputs make a label an object too, of the categories among them.
 * Numbers are in the users' units with as few digits as read back to the same float32; what is not finite is null
 * and is named in "nonfinite" as [{"row":0,"output":"y0","kind":"nan"}] (or "inf", "-inf"; one entry a row and
 * output, for the first such number), at most ANSWERS_NONFINITE_MAX of them.
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
	ANSWER_CLASSES, /* {"results":[[["setosa",0.98],…],…],"model_version":"3"}: every class, the likeliest first,
			     * equals in the classes' order. For one category output; the caller refuses others. */
	ANSWER_MEMBERS, /* as ANSWER_PREDICTIONS, in an object that the caller has begun with members of its own */
	ANSWER_NUMBERS, /* {"results":[1.7,…],"model_version":"3"}. For one number output; likewise. */
};

struct answers; /* one thread's; keeps its memory between uses */

int answers_new(struct answers **out, struct err *e); /* new: answers_free */
void answers_free(struct answers *answers);           /* NULL is fine */

/* targets and out are borrowed until answers_end. The text is appended to what out has. */
void answers_begin(struct answers *answers, enum answer_form form, const struct encoder *targets,
		struct buffer *out);
void answers_add(struct answers *answers, const float *scores,
		size_t rows); /* (rows, encoder_width(targets)) */
/* model_version 0: none is named. rows: whose warnings go into "warnings" when there are any; NULL: none. Check buffer_ok(out) afterwards: what could
 * not be had is told there. */
void answers_end(struct answers *answers, uint64_t model_version, const struct rows *rows);

/* "nan", "inf" or "-inf": what a number is that is not finite. */
const char *answers_kind(float value);

/* Scores (rows, width) in the users' units, into out, likewise. */
void answers_values(const struct encoder *targets, const float *scores, size_t rows, float *out);

/* ---- as CSV: of a number its value; of a category the likeliest class, then the score of each ("species=setosa") ---- */

/* The names of the columns, each with a comma before it but the first, and that too where more is said. */
void answers_csv_head(struct buffer *out, const struct encoder *targets, bool more);
/* A row of values, likewise. What is not finite is an empty cell; "" where it is the only one. */
void answers_csv_row(struct buffer *out, const struct encoder *targets, const float *values, bool more);

#endif
