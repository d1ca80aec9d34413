/* activation_rows.h - the rows of the table in activation.c, which lie beside their functions. Of core/activation*.c
 * alone; everybody else finds a row by its name.
 */
#ifndef DESCENT_ACTIVATION_ROWS_H
#define DESCENT_ACTIVATION_ROWS_H

#include "core/activation.h"

extern const struct activation activation_linear, activation_relu, activation_leaky_relu, activation_prelu,
		activation_elu, activation_selu, activation_gelu, activation_silu, activation_softplus,
		activation_sigmoid, activation_hard_sigmoid, activation_tanh, activation_softsign,
		activation_softmax, activation_maxout, activation_exponential, activation_step;

#endif
