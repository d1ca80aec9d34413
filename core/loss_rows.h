/* loss_rows.h - the two halves of the table of losses, for loss.c alone. */
#ifndef DESCENT_LOSS_ROWS_H
#define DESCENT_LOSS_ROWS_H

#include "core/loss.h"

extern const struct loss loss_number_rows[], loss_category_rows[];
extern const size_t loss_number_count, loss_category_count;

#endif
