/* table_cell.c - what a cell is in a column of its type, and the sentence where it is nothing of the kind. See
 * table_parts.h.
 *
 * A CSV cell is a text that a type reads. Cells of rows that come one by one have kinds already; a text among them is
 * read in the same way where the type has more to say about texts than a number has.
 */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "core/date.h"
#include "server/codec/number.h"
#include "server/codec/table_parts.h"
#include "server/utf8.h"

#define SHOWN            64               /* bytes of a name or a cell in a sentence */
#define COMMA_NUMBER_MAX 1024             /* bytes; what is longer is a word (no double takes 800 digits) */
#define DATE_FIRST       (-62135596800.0) /* 0001-01-01 */
#define DATE_END         253402300800.0   /* 10000-01-01 */

int table_excerpt(const char *text, size_t n, size_t max)
{
	return (int)utf8_valid(text, n < max ? n : max);
}

bool table_says_missing(const char *text, size_t n)
{
	static const char *const words[] = { "", "?", "NA", "N/A", "NaN", "nan", "-nan", "null" };

	if (n > 4) return false;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strlen(words[i]) == n && !memcmp(words[i], text, n)) return true;
	return false;
}

bool cell_is_infinite(const char *text, size_t n)
{
	static const char *const words[] = { "inf", "infinity" };

	if (n && (*text == '-' || *text == '+')) text++, n--;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strlen(words[i]) == n && !strncasecmp(words[i], text, n)) return true;
	return false;
}

/* ---- texts ---- */

/* Each reads a text into *cell, whose text it is already; false: it is nothing that the type takes. */

static bool read_missing(struct table_cell *cell)
{
	cell->kind = TABLE_MISSING;
	return table_says_missing(cell->text, cell->size);
}

static bool read_number(struct table_cell *cell)
{
	if (number_read_cell(cell->text, cell->size, &cell->number) != CELL_NUMBER) return read_missing(cell);
	cell->kind = TABLE_NUMBER;
	return true;
}

/* As read_number where a comma is the decimal mark; else the cell is a text. */
static bool read_comma(struct table_cell *cell)
{
	char text[COMMA_NUMBER_MAX], *comma;
	enum cell_kind kind = CELL_WORD;

	if (cell->size <= sizeof text && !memchr(cell->text, '.', cell->size)) {
		memcpy(text, cell->text, cell->size);
		if ((comma = memchr(text, ',', cell->size))) *comma = '.';
		kind = number_read_cell(text, cell->size, &cell->number);
	}
	if (kind != CELL_NUMBER && read_missing(cell)) return true;
	cell->kind = kind == CELL_NUMBER ? TABLE_NUMBER : TABLE_TEXT;
	return kind == CELL_NUMBER;
}

static bool read_category(struct table_cell *cell)
{
	if (!read_missing(cell)) cell->kind = TABLE_TEXT;
	return true;
}

static bool read_boolean(struct table_cell *cell)
{
	bool value;

	if (!encoder_boolean(cell->text, cell->size, &value)) return read_missing(cell);
	cell->kind = TABLE_BOOLEAN;
	cell->number = value;
	return true;
}

static bool read_date(struct table_cell *cell)
{
	if (!date_read(cell->text, cell->size, &cell->number)) return read_missing(cell);
	cell->kind = TABLE_NUMBER;
	return cell->number >= DATE_FIRST && cell->number < DATE_END; /* an offset may lead outside */
}

static bool read_ignored(struct table_cell *cell)
{
	cell->kind = TABLE_MISSING;
	return true;
}

static bool read_undeclared(struct table_cell *cell)
{
	if (!read_number(cell)) cell->kind = TABLE_TEXT;
	return true;
}

static const struct rule {
	bool (*read)(struct table_cell *cell);
	const char *name, *mend;
} rules[COLUMN_TYPES] = {
	[TYPE_NUMBER] = { read_number, "a number", "correct the cell or the type" },
	[TYPE_CATEGORY] = { read_category, "a category", "" },
	[TYPE_BOOLEAN] = { read_boolean, "a boolean",
			"write true or false (yes/no, on/off, t/f, y/n, 1/0 will do)" },
	[TYPE_DATE] = { read_date, "a date", "write dates like 2024-02-29 or 2024-02-29T13:05:00Z" },
	[TYPE_IGNORE] = { read_ignored, "ignored", "" },
};

static void add_fault(struct table *table, const struct column *column, const struct table_cell *cell,
		uint64_t line)
{
	bool number = cell->kind == TABLE_NUMBER && column->type != TYPE_DATE; /* then it is infinite */
	int shown = table_excerpt(cell->text, cell->size, SHOWN);
	int name = table_excerpt(column->name, strlen(column->name), SHOWN);
	struct fault *fault =
			number ? faults_add(table->faults, ERR_RANGE, "",
						 "\"%.*s\" in the column \"%.*s\" cannot be stored; numbers end at "
						 "1.7e308",
						 shown, cell->text, name, column->name)
			       : faults_add(table->faults, ERR_INVALID, "",
						 "\"%.*s\" is in the column \"%.*s\", which %s %s; %s", shown,
						 cell->text, name, column->name,
						 table->types_count ? "?types makes" : "is",
						 rules[column->type].name, rules[column->type].mend);

	if (!fault) return;
	fault->line = line;
	fault->column = (uint64_t)(column - table->columns) + 1;
}

bool column_judge(struct table *table, struct column *column, const char *text, size_t n, uint64_t line,
		struct table_cell *cell)
{
	bool taken;

	cell->text = text;
	cell->size = n;
	if (table->decimal_comma && (!column->declared || column->type == TYPE_NUMBER))
		taken = read_comma(cell) || !column->declared;
	else
		taken = (column->declared ? rules[column->type].read : read_undeclared)(cell);
	if (!column->infinite_line && cell->kind == TABLE_TEXT && cell_is_infinite(text, n))
		column->infinite_line = line;
	if (taken && (cell->kind != TABLE_NUMBER || isfinite(cell->number))) return true;
	add_fault(table, column, cell, line);
	return false;
}

/* ---- cells that have a kind ---- */

/* A number of an array, which nobody wrote out. */
static bool receive_bare(struct table *table, struct column *column, struct table_cell *cell, uint64_t line)
{
	struct table_cell judged;
	char text[NUMBER_PRINT_MAX];

	if (!column->declared || column->type == TYPE_NUMBER || column->type == TYPE_CATEGORY) return true;
	if (!column_judge(table, column, text, number_print_double(cell->number, text), line, &judged))
		return false;
	cell->kind = judged.kind;
	cell->number = judged.number;
	return true;
}

bool column_receive(struct table *table, struct column *column, struct table_cell *cell, uint64_t line)
{
	if (cell->kind == TABLE_MISSING) return true;
	if (cell->kind == TABLE_BOOLEAN && column->declared && column->type == TYPE_NUMBER) {
		cell->kind = TABLE_NUMBER;
		return true;
	}
	if (!cell->text) return receive_bare(table, column, cell, line);
	if (column->declared || (cell->kind == TABLE_NUMBER && !isfinite(cell->number)))
		return column_judge(table, column, cell->text, cell->size, line, cell);
	if (cell->kind == TABLE_TEXT && table_says_missing(cell->text, cell->size))
		cell->kind = TABLE_MISSING;
	return true;
}

int cell_refuse(const struct column *column, const struct table_cell *cell, struct err *e)
{
	static const char *const kinds[] = { "nothing", "a number", "", "a boolean" };
	int name = table_excerpt(column->name, strlen(column->name), SHOWN);

	if (cell->kind == TABLE_TEXT)
		return err_set(e, ERR_INVALID, "the column \"%.*s\" is %s, but here is \"%.*s\"; %s", name,
				column->name, rules[column->type].name,
				table_excerpt(cell->text, cell->size, SHOWN), cell->text,
				rules[column->type].mend);
	return err_set(e, ERR_INVALID, "the column \"%.*s\" is %s, but here is %s; %s", name, column->name,
			rules[column->type].name, kinds[cell->kind], rules[column->type].mend);
}

bool cell_as_boolean(const struct table_cell *cell, bool *value)
{
	if (cell->kind == TABLE_TEXT) return encoder_boolean(cell->text, cell->size, value);
	*value = cell->number != 0;
	return cell->number == 0 || cell->number == 1;
}

bool cell_as_date(const struct table_cell *cell, double *seconds)
{
	*seconds = cell->number;
	if (cell->kind == TABLE_BOOLEAN) return false;
	if (cell->kind == TABLE_TEXT && !date_read(cell->text, cell->size, seconds)) return false;
	return *seconds >= DATE_FIRST && *seconds < DATE_END;
}
