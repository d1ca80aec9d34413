/* train_validation.h - the "validation" of a :train: which rows are not trained on, so that they tell how the model does on
 * what it never saw. A share of the rows, one fold of several, a data set of their own, or the rows with one value in a column.
 */
#ifndef SERVER_CODEC_TRAIN_VALIDATION_H
#define SERVER_CODEC_TRAIN_VALIDATION_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/codec/column_type.h"
#include "server/codec/faults.h"
#include "server/codec/number.h"

#define VALIDATION_SPLIT_MAX 0.9
#define VALIDATION_FOLDS_MAX 20

/* Zeroed: no validation. Borrows from its document. At most one of split, fold, dataset and column is said. */
struct train_validation {
	double split;         /* share of the rows held out, 0: not that way */
	uint64_t fold, of;    /* the rows of fold `fold`, from 1, of so many; 0: not that way */
	bool stratify;        /* in proportion to the classes of the target */
	bool stratify_said;   /* else it follows from the model */
	const char *order_by; /* a column: those with its largest values are held out. NULL: at random */
	const char *dataset;  /* a data set of its own */
	const char *column;   /* rows with `value` in this column */
	const json_t *value;
	uint64_t rows; /* of the column form: how many rows these are, where it is known; 0: it is not */
};

/* value: an object, of a request or a config of ours. */
void train_validation_read(const json_t *value, struct train_validation *out, struct faults *faults);
bool train_validation_wanted(const struct train_validation *v);
/* Chooses what is left open. classifies: the model has one target, a category. Faults: stratify without it. */
void train_validation_resolve(struct train_validation *v, bool classifies, struct faults *faults);
/* How many of so many rows are trained on. */
uint64_t train_validation_rest(const struct train_validation *v, uint64_t rows);
/* As train_validation_read reads it, or null; new. NULL: no memory. */
json_t *train_validation_document(const struct train_validation *v);

/* What the cells of a column are compared with: a number where it is stored as numbers, else a text. */
struct train_value {
	bool numeric;
	double number;
	const char *text; /* (length), borrowed from the document or from printed */
	size_t length;
	char printed[NUMBER_PRINT_MAX];
};
/* false: no cell of a column of this type is like this value. A date's is the text of one; a category's may be a number or
 * a JSON boolean too, which stands for the text that it is written as. */
bool train_value_read(const json_t *value, enum column_type type, struct train_value *out);

#endif
