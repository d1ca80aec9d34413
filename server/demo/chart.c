/* chart.c - draws on stdout. See chart.h.
 *
 * The curve is drawn in dots: a Braille character holds 2 by 4 of them (the Unicode Standard, block U+2800: the low
 * eight bits of a character are its dots), an ASCII character is one. Each series has dots of its own, so that a cell
 * can take the colour of the one that is seen.
 */
#include "server/demo/chart.h"

#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WIDTH_DEFAULT 80
#define WIDTH_MIN     40
#define WIDTH_MAX     100 /* a wider curve is no clearer */
#define LINE_BYTES    128

/* ---- the terminal ---- */

static bool in_utf8(void)
{
	locale_t locale = newlocale(LC_CTYPE_MASK, "", NULL);
	bool is = locale && !strcmp(nl_langinfo_l(CODESET, locale), "UTF-8");

	if (locale) freelocale(locale);
	return is;
}

void terminal_look(struct terminal *terminal)
{
	const char *kind = getenv("TERM"), *no_colour = getenv("NO_COLOR");
	struct winsize size = { 0 };

	terminal->live = isatty(STDOUT_FILENO) && kind && strcmp(kind, "dumb");
	terminal->colour = terminal->live && !(no_colour && *no_colour);
	terminal->blocks = in_utf8() &&
			   !(kind && !strcmp(kind, "linux")); /* the console's font has no Braille */
	terminal->width = WIDTH_DEFAULT;
	if (terminal->live && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col)
		terminal->width = size.ws_col;
	if (terminal->width < WIDTH_MIN) terminal->width = WIDTH_MIN;
	if (terminal->width > WIDTH_MAX) terminal->width = WIDTH_MAX;
}

const char *style(const struct terminal *terminal, enum style which)
{
	static const char *const sequences[] = {
		[STYLE_PLAIN] = "\033[0m",
		[STYLE_TITLE] = "\033[0;1m",
		[STYLE_COMMAND] = "\033[0;36m",
		[STYLE_ANSWER] = "\033[0;2m",
		[STYLE_LOSS] = "\033[0;32m",
		[STYLE_VAL_LOSS] = "\033[0;33m",
		[STYLE_GOOD] = "\033[0;1;32m",
	};

	return terminal->colour ? sequences[which] : "";
}

/* ---- bars ---- */

#define EIGHTHS 8

void chart_bar(const struct terminal *terminal, double share, size_t columns)
{
	static const char *const parts[EIGHTHS] = { " ", "▏", "▎", "▍", "▌", "▋", "▊", "▉" };
	size_t eighths = (size_t)(fmin(fmax(share, 0), 1) * (double)(columns * EIGHTHS) + 0.5);

	for (size_t i = 0; i < columns; i++, eighths -= eighths < EIGHTHS ? eighths : EIGHTHS)
		if (terminal->blocks)
			fputs(eighths >= EIGHTHS ? "█" : parts[eighths], stdout);
		else
			putchar(eighths >= EIGHTHS / 2 ? '#' : '.');
}

static size_t add_figure(char *line, size_t used, const char *format, double value)
{
	if (isnan(value) || used >= LINE_BYTES) return used;
	return used + (size_t)snprintf(line + used, LINE_BYTES - used, format, value);
}

void chart_progress(const struct terminal *terminal, const struct chart_progress *p)
{
	char line[LINE_BYTES];
	int digits = snprintf(
			NULL, 0, "%" PRIu64, p->epochs); /* figures of one width: the line must not jump */
	size_t used = (size_t)snprintf(
			line, sizeof line, "epoch %*" PRIu64 "/%" PRIu64, digits, p->epoch, p->epochs);

	used = add_figure(line, used, "  loss %.4f", p->loss);
	used = add_figure(line, used, "  val_loss %.4f", p->val_loss);
	used = add_figure(line, used, "  %4.1f s left", p->seconds_left);
	if (used >= sizeof line) used = sizeof line - 1;
	if (!terminal->live) {
		puts(line);
		fflush(stdout);
		return;
	}
	fputs("\r", stdout);
	if (used + 2 < terminal->width) {
		fputs(style(terminal, STYLE_LOSS), stdout);
		chart_bar(terminal, p->share, terminal->width - used - 2);
		printf("%s ", style(terminal, STYLE_PLAIN));
	}
	printf("%.*s\033[K", (int)terminal->width - 1, line);
	fflush(stdout);
}

/* ---- the curve ---- */

#define ROWS         10
#define LABEL_WIDTH  8 /* of the scale at the left */
#define CELL_DOTS_X  2 /* of a Braille character */
#define CELL_DOTS_Y  4
#define DOTTED_EVERY 4 /* dots from one to the next where a line is dotted */
#define ASCII_EVERY  3

enum series { VAL_LOSS, LOSS, SERIES }; /* in the order of drawing: the last is on top */

static const enum style series_styles[SERIES] = { STYLE_VAL_LOSS, STYLE_LOSS };
static const char series_marks[SERIES] = { 'o', '*' };

struct canvas {
	size_t columns, dots_x, dots_y; /* dots of the whole */
	bool blocks;
	unsigned char cells[SERIES][ROWS][WIDTH_MAX]; /* dots of a Braille character; 0 or 1 in ASCII */
	double first, last;                           /* epochs at the edges */
	double low, high;                             /* logarithms of the losses at the edges */
};

static void dot(struct canvas *c, enum series series, size_t x, size_t y)
{
	static const unsigned char bits[CELL_DOTS_Y][CELL_DOTS_X] = { { 0x01, 0x08 }, { 0x02, 0x10 },
		{ 0x04, 0x20 }, { 0x40, 0x80 } };

	if (c->blocks)
		c->cells[series][y / CELL_DOTS_Y][x / CELL_DOTS_X] |= bits[y % CELL_DOTS_Y][x % CELL_DOTS_X];
	else
		c->cells[series][y][x] = 1;
}

static bool shown(double loss)
{
	return isfinite(loss) && loss > 0;
}

/* A line from one point to the next; val_loss leaves gaps, so that both can be told apart without colour. */
static void draw_line(struct canvas *c, enum series series, const double epoch[2], const double loss[2])
{
	size_t every = series == LOSS ? 1 : c->blocks ? DOTTED_EVERY : ASCII_EVERY;
	double x[2], y[2], steps;

	for (int i = 0; i < 2; i++) {
		x[i] = (epoch[i] - c->first) / (c->last - c->first) * (double)(c->dots_x - 1);
		y[i] = (c->high - log(loss[i])) / (c->high - c->low) * (double)(c->dots_y - 1);
	}
	steps = ceil(fmax(fabs(x[1] - x[0]), fabs(y[1] - y[0]))) + 1;
	/* NOLINTNEXTLINE(clang-analyzer-security.FloatLoopCounter): whole numbers, and few */
	for (double s = 0; s <= steps; s++) {
		size_t at_x = (size_t)lround(x[0] + (x[1] - x[0]) * s / steps);
		size_t at_y = (size_t)lround(y[0] + (y[1] - y[0]) * s / steps);

		if (at_x % every == 0) dot(c, series, at_x, at_y);
	}
}

static void draw_series(
		struct canvas *c, enum series series, const struct chart_curve *curve, const double *loss)
{
	for (size_t i = 1; i < curve->count; i++)
		if (shown(loss[i - 1]) && shown(loss[i]))
			draw_line(c, series, &curve->epoch[i - 1], &loss[i - 1]);
}

/* The edges of what is drawn; false where there is nothing. */
static bool find_edges(struct canvas *c, const struct chart_curve *curve)
{
	const double *const all[SERIES] = { curve->val_loss, curve->loss };

	if (curve->count < 2 || !(curve->epoch[curve->count - 1] > curve->epoch[0])) return false;
	c->first = curve->epoch[0];
	c->last = curve->epoch[curve->count - 1];
	c->low = INFINITY;
	c->high = -INFINITY;
	for (int s = 0; s < SERIES; s++)
		for (size_t i = 0; i < curve->count; i++) {
			if (!shown(all[s][i])) continue;
			c->low = fmin(c->low, log(all[s][i]));
			c->high = fmax(c->high, log(all[s][i]));
		}
	return c->high > c->low;
}

static void print_cell(const struct terminal *terminal, const struct canvas *c, size_t row, size_t column)
{
	unsigned bits = c->cells[VAL_LOSS][row][column] | c->cells[LOSS][row][column];
	enum series top = c->cells[LOSS][row][column] ? LOSS : VAL_LOSS;

	if (!bits) {
		putchar(' ');
		return;
	}
	fputs(style(terminal, series_styles[top]), stdout);
	if (c->blocks)
		printf("\xE2%c%c", (int)(0xA0 | bits >> 6),
				(int)(0x80 | (bits & 0x3F))); /* U+2800 and bits */
	else
		putchar(series_marks[top]);
}

/* A loss stands at the first, the middle and the last row. */
static void print_row(const struct terminal *terminal, const struct canvas *c, size_t row)
{
	double loss = exp(c->high + (c->low - c->high) * (double)row / (ROWS - 1));

	if (row % ((ROWS - 1) / 2 + 1) == 0 || row == ROWS - 1)
		printf("%*.3g ", LABEL_WIDTH - 2, loss);
	else
		printf("%*s", LABEL_WIDTH - 1, "");
	fputs(terminal->blocks ? "│" : "|", stdout);
	for (size_t column = 0; column < c->columns; column++)
		print_cell(terminal, c, row, column);
	printf("%s\n", style(terminal, STYLE_PLAIN));
}

static void print_axis(const struct terminal *terminal, const struct canvas *c)
{
	const char *loss = style(terminal, STYLE_LOSS), *val_loss = style(terminal, STYLE_VAL_LOSS);
	const char *plain = style(terminal, STYLE_PLAIN);
	int last;

	printf("%*s%s", LABEL_WIDTH - 1, "", terminal->blocks ? "└" : "+");
	for (size_t i = 0; i < c->columns; i++)
		fputs(terminal->blocks ? "─" : "-", stdout);
	last = (int)c->columns - printf("\n%*sepoch %.0f", LABEL_WIDTH, "", c->first) + LABEL_WIDTH + 1;
	printf("%*.0f\n%*s%s%s loss%s   %s%s val_loss%s, of the rows held out (logarithmic scale)\n", last,
			c->last, LABEL_WIDTH, "", loss, terminal->blocks ? "⠤⠤⠤" : "***", plain, val_loss,
			terminal->blocks ? "⠄⠄⠄" : "o  o", plain);
}

void chart_curve(const struct terminal *terminal, const struct chart_curve *curve)
{
	struct canvas c = { .columns = terminal->width - LABEL_WIDTH - 1, .blocks = terminal->blocks };

	if (!find_edges(&c, curve)) return;
	c.dots_x = c.columns * (c.blocks ? CELL_DOTS_X : 1);
	c.dots_y = ROWS * (c.blocks ? CELL_DOTS_Y : 1);
	draw_series(&c, VAL_LOSS, curve, curve->val_loss);
	draw_series(&c, LOSS, curve, curve->loss);
	for (size_t row = 0; row < ROWS; row++)
		print_row(terminal, &c, row);
	print_axis(terminal, &c);
}
