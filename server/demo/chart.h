/* chart.h - what the demo draws: a progress bar, bars of probability, a curve, in what the terminal can show. */
#ifndef SERVER_DEMO_CHART_H
#define SERVER_DEMO_CHART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct terminal {
	bool live;    /* stdout is a terminal that can draw a line anew */
	bool colour;  /* live, and NO_COLOR is not set */
	bool blocks;  /* block and Braille characters can be shown; else ASCII */
	size_t width; /* columns */
};

void terminal_look(struct terminal *terminal);

enum style { STYLE_PLAIN, STYLE_TITLE, STYLE_COMMAND, STYLE_ANSWER, STYLE_LOSS, STYLE_VAL_LOSS, STYLE_GOOD };
/* The escape sequence that begins a style and ends the one before; "" without colour. */
const char *style(const struct terminal *terminal, enum style style);

/* `columns` wide, full to `share` in [0, 1]. */
void chart_bar(const struct terminal *terminal, double share, size_t columns);

struct chart_progress {
	double share; /* done, in [0, 1] */
	uint64_t epoch, epochs;
	double loss, val_loss, seconds_left; /* NaN: not known */
};

/* The bar and its figures: over the line before on a live terminal, else as a line of figures alone. */
void chart_progress(const struct terminal *terminal, const struct chart_progress *progress);

struct chart_curve {
	const double *epoch;           /* (count), rising */
	const double *loss, *val_loss; /* (count), NaN: no point */
	size_t count;
};

/* Both losses over epochs, on a logarithmic scale; loss is drawn over val_loss, which is dotted. Nothing where there
 * are no two points above zero. */
void chart_curve(const struct terminal *terminal, const struct chart_curve *curve);

#endif
