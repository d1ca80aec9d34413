/* source.h - the rows of a stored data set as a network sees them, a row group at a time.
 *
 * A source joins a revision's columns with the encoders of a model, by name: a number column feeds a number, a
 * category column a category, and a number column a category too (3 is the value "3"). One row group is in memory.
 */
#ifndef SERVER_JOBS_SOURCE_H
#define SERVER_JOBS_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#include "core/encoder.h"
#include "core/err.h"
#include "server/store/store.h"

struct source;

/* *out is new (source_free). Everything is borrowed for its life.
 * ERR_INVALID: a column of an encoder is not there or of the other kind; ERR_NOMEM, ERR_IO, ERR_CORRUPT. */
int source_new(struct source **out, struct store *store, const struct store_revision *revision,
		const struct encoder *inputs, const struct encoder *targets, struct err *e);
void source_free(struct source *source);
/* Before the first group: also reads a number column that says what each row counts. ERR_INVALID: there is none of
 * that name, or it holds words. */
int source_read_weights(struct source *source, const char *column, struct err *e);
/* Before the first group: rows that miss some of several targets are usable; what is missing is encoded as 0. */
void source_allow_gaps(struct source *source);
/* Of the groups that are read from now on only the targets are, or everything again: enough for source_usable and
 * source_target_slots. */
void source_targets_only(struct source *source, bool only);

uint64_t source_groups(const struct source *source);
/* Reads a group; *first is its first row's number in the data set, *rows how many it has. */
int source_read(struct source *source, uint64_t group, uint64_t *first, size_t *rows, struct err *e);

/* Of the group: use[i] becomes 0 where a target is missing, 1 elsewhere. */
void source_usable(const struct source *source, uint8_t *use);
uint64_t source_first(const struct source *source); /* the number of the group's first row, from 0 */
/* Of the group: what each row counts, NULL when that is not read; NaN where it is missing. */
const double *source_weights(const struct source *source);
/* Of the group: does row `row` have target column i? */
bool source_present(const struct source *source, size_t target, size_t row);
/* Of the group: the slots of target column i, NULL when it is a number. */
const uint32_t *source_target_slots(const struct source *source, size_t target);
/* Shows the group to the encoders that the source was made with, between encoder_fit_begin and _end; use marks the
 * rows to learn from. */
void source_fit(const struct source *source, struct encoder *inputs, struct encoder *targets,
		const uint8_t *use);
/* Counts those of the group's rows whose use is 1 into the profiles of fitted inputs. */
void source_profile(const struct source *source, struct encoder *inputs, const uint8_t *use);
/* Encodes rows [from, from + n) of the group: x (n, inputs), y (n, targets). ERR_RANGE names the row. */
int source_encode(const struct source *source, size_t from, size_t n, real *x, real *y, struct err *e);

#endif
