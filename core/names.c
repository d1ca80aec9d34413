/* names.c - an index of strings by open addressing. See names.h.
 *
 * Cells hold a hash and a place; a collision looks at the next cell. At most half of them are full. The hash is
 * mixed with the index's own address, which differs from one process to the next: whoever sends values that
 * collide here does not know that they do.
 */
#include "core/names.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"

#define COUNT_MAX (UINT32_MAX / 4)
#define EMPTY     UINT32_MAX

struct cell {
	uint32_t hash, place;
};

struct names {
	const char *const *strings;
	uint64_t salt;
	size_t mask; /* number of cells - 1, the number being a power of two */
	struct cell cells[];
};

/* Folds the two halves of a 128-bit product (the mixing step of Wang's wyhash). */
static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint32_t hash_bytes(uint64_t salt, const char *bytes, size_t length)
{
	uint64_t hash = salt ^ length;

	while (length) {
		size_t n = length < sizeof(uint64_t) ? length : sizeof(uint64_t);
		uint64_t word = 0;

		memcpy(&word, bytes, n);
		hash = mix(hash ^ word, salt | 1) + word;
		bytes += n;
		length -= n;
	}
	return (uint32_t)mix(hash, 0x9E3779B97F4A7C15u);
}

static bool equal(const char *kept, const char *string, size_t length)
{
	return strlen(kept) == length && !memcmp(kept, string, length);
}

/* The cell where the string is, or the empty one where it would be. */
static size_t find_cell(const struct names *names, uint32_t hash, const char *string, size_t length)
{
	size_t i = hash & names->mask;

	for (;; i = (i + 1) & names->mask) {
		const struct cell *cell = &names->cells[i];

		if (cell->place == EMPTY) return i;
		if (cell->hash == hash && equal(names->strings[cell->place], string, length)) return i;
	}
}

int names_new(struct names **out, const char *const *strings, size_t count, size_t *duplicate)
{
	struct names *names;
	size_t cells = 2;

	*out = NULL;
	if (count > COUNT_MAX) return ERR_RANGE;
	while (cells < 2 * count)
		cells *= 2;
	names = malloc(sizeof *names + cells * sizeof names->cells[0]);
	if (!names) return ERR_NOMEM;
	names->strings = strings;
	names->salt = mix((uintptr_t)names, 0xD6E8FEB86659FD93u);
	names->mask = cells - 1;
	memset(names->cells, 0xFF, cells * sizeof names->cells[0]); /* all EMPTY */
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(strings[i]);
		uint32_t hash = hash_bytes(names->salt, strings[i], length);
		struct cell *cell = &names->cells[find_cell(names, hash, strings[i], length)];

		if (cell->place != EMPTY) {
			*duplicate = i;
			names_free(names);
			return ERR_INVALID;
		}
		*cell = (struct cell){ hash, (uint32_t)i };
	}
	*out = names;
	return 0;
}

void names_free(struct names *names)
{
	free(names);
}

size_t names_find(const struct names *names, const char *string, size_t length)
{
	uint32_t hash = hash_bytes(names->salt, string, length);
	uint32_t place = names->cells[find_cell(names, hash, string, length)].place;

	return place == EMPTY ? NAMES_NONE : place;
}
