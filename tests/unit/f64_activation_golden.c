/* f64_activation_golden.c - the goldens of the activations, in the double build. */
#include "tests/unit/core_activation_golden.c"
