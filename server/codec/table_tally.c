/* table_tally.c - counts the distinct numbers of a column while they are few. See table_parts.h.
 *
 * Open addressing as in table_values.c; the numbers are their own keys.
 */
#include <stdlib.h>
#include <string.h>

#include "server/codec/table_parts.h"

#define FIRST_CELLS 16 /* a power of two */

/* The cell where a number is, or the empty one where it would be. The address salts the hash. */
static struct tally_cell *find_cell(const struct tally *tally, double number)
{
	size_t mask = tally->cells_count - 1, i;
	uint64_t bits;

	memcpy(&bits, &number, sizeof bits);
	i = table_mix(bits ^ 0xD6E8FEB86659FD93u, (uintptr_t)tally * 0x9E3779B97F4A7C15u | 1) & mask;
	while (tally->cells[i].count && tally->cells[i].number != number)
		i = (i + 1) & mask;
	return &tally->cells[i];
}

/* Doubles the cells; false: the budget or the memory has no room. */
static bool more_cells(struct tally *tally, struct budget *budget)
{
	struct tally_cell *old = tally->cells;
	size_t old_count = tally->cells_count, count = old_count ? 2 * old_count : FIRST_CELLS;
	size_t extra = (count - old_count) * sizeof *old;

	if (extra > budget->max - budget->used || !(tally->cells = calloc(count, sizeof *old))) {
		tally->cells = old;
		return false;
	}
	budget->used += extra;
	tally->cells_count = count;
	for (size_t i = 0; i < old_count; i++)
		if (old[i].count) *find_cell(tally, old[i].number) = old[i];
	free(old);
	return true;
}

size_t tally_count(struct tally *tally, struct budget *budget, const double *x, size_t n)
{
	struct tally_cell *cell = NULL;

	for (size_t i = 0; i < n; i++) {
		if (cell && cell->number == x[i]) { /* the same again, as in the margins of pictures */
			cell->count++;
			continue;
		}
		if (tally->cells_count < 2 * (tally->count + 1) && !more_cells(tally, budget)) {
			tally->given_up = true;
			return i;
		}
		cell = find_cell(tally, x[i] + 0.0); /* -0 + 0 is 0 */
		if (cell->count++) continue;
		cell->number = x[i] + 0.0;
		if (++tally->count > TABLE_LISTED_MAX) {
			tally->given_up = true;
			return i + 1;
		}
	}
	return n;
}

struct tally_cell *tally_list(const struct tally *tally, size_t *count)
{
	struct tally_cell *list = malloc((tally->count + 1) * sizeof *list);

	*count = 0;
	if (!list) return NULL;
	for (size_t i = 0; i < tally->cells_count; i++)
		if (tally->cells[i].count) list[(*count)++] = tally->cells[i];
	tally_sort(list, *count);
	return list;
}

void tally_free(struct tally *tally, struct budget *budget)
{
	budget->used -= tally->cells_count * sizeof *tally->cells;
	free(tally->cells);
	tally->cells = NULL;
	tally->cells_count = tally->count = 0;
}
