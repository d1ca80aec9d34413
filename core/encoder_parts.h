/* encoder_parts.h - what the files of the encoder share; of core/encoder*.c alone. */
#ifndef DESCENT_ENCODER_PARTS_H
#define DESCENT_ENCODER_PARTS_H

#include "core/encoder.h"
#include "core/names.h"
#include "core/sample.h"

/* While a numeric column is fitted. */
struct column_sums {
	double squares;                 /* squared distances from the mean so far */
	double year_mean, year_squares; /* of a date's years */
	double year_min, year_max;
};

struct column {
	struct encoder_column shown;
	struct names *index; /* of the values; NULL: there are none, or they are hashed */
	struct column_sums sums;
	struct sample sample; /* of an input, between encoder_fit_begin and _end */
	bool raw;             /* never normalized */
};

struct encoder {
	enum encoder_role role;
	enum normalize normalize;
	enum missing missing;
	size_t count, width;
	struct names *index; /* of the columns' names */
	const char **names;  /* what it looks at; the columns own the strings */
	struct column columns[];
};

#endif
