/* f64_gemm.c - the tests of core_gemm.c on the double build of the engines, whose vectors have half the lanes. */
#include "tests/unit/core_gemm.c"
