/* number.h - decimal text to floats and back: exact, quick, without a locale and without allocation.
 *
 * Reading gives the float nearest to the decimal as it is written, ties to even, however many digits it has,
 * and goes straight to the width asked for: a float32 that came by way of a double would be rounded twice.
 * What is too large reads as an infinity and what is too small as a zero, both with their sign; whether that
 * is a fault, the caller knows. Printing gives the shortest decimal that reads back to the same float.
 *
 * Two grammars: JSON's (RFC 8259), and that of a CSV cell, which also has "+5", ".5" and "5.". Neither takes
 * a leading zero ("007"), hexadecimal, the words inf and nan, or white space.
 *
 * Text is a pointer and a length, or a pointer and an end; no NUL is looked for or written, and nothing
 * outside of it is read.
 */
#ifndef SERVER_CODEC_NUMBER_H
#define SERVER_CODEC_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

#define NUMBER_PRINT_MAX 40 /* bytes of room for a printed number; 24 at most are text */

/* Reads one JSON number at s into *out, the nearest float or double. Returns the position after it, or NULL
 * when there is no JSON number at s: *out is then untouched. What follows the number is the caller's to
 * judge; only the digits after a leading zero, a point without digits and an exponent without digits make it
 * no number. */
const char *number_scan_float(const char *s, const char *end, float *out);
const char *number_scan_double(const char *s, const char *end, double *out);

/* true when the whole of s[0..n) is one JSON number; *out is the nearest double, untouched otherwise. */
bool number_parse_double(const char *s, size_t n, double *out);

enum cell_kind {
	CELL_WORD,   /* anything else, the empty text too: which words mean "missing" is not known here */
	CELL_NUMBER, /* a number in the CSV grammar */
};

/* What the whole of s[0..n) is. Of a number, *value is the nearest double; it is untouched for a word. */
enum cell_kind number_read_cell(const char *s, size_t n, double *value);
enum cell_kind number_read_cell_float(const char *s, size_t n, float *value); /* likewise the nearest float */

/* The fewest digits that read back to the same x, the nearest to x among those. Plain ("0.00012", "150000")
 * while the first digit stands for 1e-5 to 1e15, else as in "1.5e-7"; always a JSON number: whole numbers
 * have no ".0", -0 is "-0", and what is not finite, which JSON cannot say, is "null". out has
 * NUMBER_PRINT_MAX bytes, of which those past the end may be scribbled on. Returns the length; there is no
 * NUL. */
size_t number_print_float(float x, char *out);
size_t number_print_double(double x, char *out);

#endif
