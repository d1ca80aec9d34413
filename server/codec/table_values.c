/* table_values.c - the dictionary of a category column while cells come in. See table_parts.h.
 *
 * Texts lie one after another in one block, so that a value costs its text, 16 bytes and two to four slots of four
 * bytes. Each block grows on its own; the budget counts what the blocks hold, used or not.
 */
#include <stdlib.h>
#include <string.h>

#include "core/size.h"
#include "server/codec/segment.h"
#include "server/codec/table_parts.h"

#define FIRST_TEXT  64
#define FIRST_ITEMS 8
#define FIRST_SLOTS 16 /* a power of two */
#define EMPTY       UINT32_MAX

_Static_assert(TABLE_VALUES_BYTES_MAX < UINT32_MAX, "places in the text are 32 bits");

/* The address salts it, which differs from one process to the next. */
static uint32_t hash_text(const struct values *values, const char *text, size_t n)
{
	uint64_t key = table_mix((uintptr_t)values, 0xD6E8FEB86659FD93u) | 1, hash = key ^ n;

	for (size_t word_bytes; n; text += word_bytes, n -= word_bytes) {
		uint64_t word = 0;

		word_bytes = n < sizeof word ? n : sizeof word;
		memcpy(&word, text, word_bytes);
		hash = table_mix(hash ^ word, key) + word;
	}
	return (uint32_t)table_mix(hash, 0x9E3779B97F4A7C15u);
}

const char *values_text(const struct values *values, size_t code, size_t *n)
{
	size_t start = code ? values->items[code - 1].end : 0;

	*n = values->items[code].end - start;
	return values->text + start;
}

/* The slot where a value is, or the empty one where it would be. */
static uint32_t *find_slot(const struct values *values, uint32_t hash, const char *text, size_t n)
{
	size_t mask = values->slots_count - 1, length;

	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		uint32_t code = values->slots[i];
		const char *kept;

		if (code == EMPTY) return &values->slots[i];
		if (values->items[code].hash != hash) continue;
		kept = values_text(values, code, &length);
		if (length == n && !memcmp(kept, text, n)) return &values->slots[i];
	}
}

/* Makes room in *block for `need` elements, by half as much again as there is; *room follows. */
static int grow(void **block, size_t *room, size_t need, size_t first, size_t each, struct budget *budget)
{
	size_t more = *room ? *room + *room / 2 : first, extra;
	void *larger;

	if (need <= *room) return 0;
	if (more < need) more = need;
	extra = size_mul(more - *room, each);
	if (extra > budget->max - budget->used) return ERR_TOO_LARGE;
	if (!(larger = realloc(*block, more * each))) return ERR_NOMEM;
	budget->used += extra;
	*block = larger;
	*room = more;
	return 0;
}

/* Doubles the slots. */
static int more_slots(struct values *values, struct budget *budget)
{
	size_t old = values->slots_count, count = old ? 2 * old : FIRST_SLOTS;
	uint32_t *slots;

	if ((count - old) * sizeof *slots > budget->max - budget->used) return ERR_TOO_LARGE;
	if (!(slots = malloc(count * sizeof *slots))) return ERR_NOMEM;
	memset(slots, 0xFF, count * sizeof *slots); /* all EMPTY */
	for (size_t code = 0; code < values->count; code++) {
		size_t i = values->items[code].hash & (count - 1);

		while (slots[i] != EMPTY)
			i = (i + 1) & (count - 1);
		slots[i] = (uint32_t)code;
	}
	budget->used += (count - old) * sizeof *slots;
	free(values->slots);
	values->slots = slots;
	values->slots_count = count;
	return 0;
}

static int add(struct values *values, struct budget *budget, uint32_t hash, const char *text, size_t n)
{
	size_t used = values->count ? values->items[values->count - 1].end : 0;
	size_t need = size_add(
			used, size_add(n, 1)); /* never nothing, so that an empty text has an address too */
	int rc;

	if ((rc = grow((void **)&values->text, &values->text_room, need, FIRST_TEXT, 1, budget))) return rc;
	if ((rc = grow((void **)&values->items, &values->room, values->count + 1, FIRST_ITEMS,
			     sizeof *values->items, budget)))
		return rc;
	if (n) memcpy(values->text + used, text, n);
	values->items[values->count++] = (struct value){ 0, hash, (uint32_t)(used + n) };
	return 0;
}

int values_count(struct values *values, struct budget *budget, const char *text, size_t n, uint32_t *code)
{
	uint32_t hash = hash_text(values, text, n), *slot;
	int rc;

	if (values->slots_count < 2 * (values->count + 1) && (rc = more_slots(values, budget))) return rc;
	slot = find_slot(values, hash, text, n);
	if (*slot == EMPTY) {
		if ((rc = add(values, budget, hash, text, n))) return rc;
		*slot = (uint32_t)(values->count - 1);
	}
	values->items[*slot].count++;
	*code = *slot;
	return 0;
}

size_t values_present(const struct values *values)
{
	size_t present = 0;

	for (size_t i = 0; i < values->count; i++)
		present += values->items[i].count != 0;
	return present;
}

int values_write(const struct values *values, unsigned char **bytes, size_t *size, struct err *e)
{
	const char **texts = malloc((values->count + 1) * sizeof *texts);
	size_t *lengths = malloc((values->count + 1) * sizeof *lengths);
	int rc = ERR_NOMEM;

	*bytes = NULL;
	*size = 0;
	if (!texts || !lengths) {
		err_nomem(e);
		goto out;
	}
	for (size_t i = 0; i < values->count; i++)
		texts[i] = values_text(values, i, &lengths[i]);
	rc = dictionary_write(texts, lengths, values->count, bytes, size, e);
out:
	free(texts);
	free(lengths);
	return rc;
}

void values_free(struct values *values, struct budget *budget)
{
	budget->used -= values->text_room + values->room * sizeof *values->items +
			values->slots_count * sizeof *values->slots;
	free(values->text);
	free(values->items);
	free(values->slots);
	memset(values, 0, sizeof *values);
}
