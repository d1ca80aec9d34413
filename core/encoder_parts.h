/* encoder_parts.h - what the files of the encoder share; of core/encoder*.c alone. */
#ifndef DESCENT_ENCODER_PARTS_H
#define DESCENT_ENCODER_PARTS_H

#include "core/encoder.h"
#include "core/names.h"

/* While a numeric column is fitted. */
struct column_sums {
	double squares;                 /* squared distances from the mean so far */
	double year_mean, year_squares; /* of a date's years */
	double year_min, year_max;
	/* A sample of the column, each of its rows being as likely as any other (Li, ACM TOMS 20, 1994, algorithm L). */
	size_t sampled, sample_room;
	uint64_t next; /* the present row, from 1, that goes into the sample next */
	double w;      /* of the algorithm */
	uint64_t drawn;
};

struct column {
	struct encoder_column shown;
	struct names *index; /* of the values; NULL: there are none, or they are hashed */
	struct column_sums sums;
	double *sample; /* (sample_room), new, between encoder_fit_begin and _end; NULL: none is taken */
	bool raw;       /* never normalized */
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
