/* table_values.c - the dictionary of a category column while cells come in. See table_parts.h.
 *
 * Texts lie one after another in one block, so that a value costs its text, 12 bytes and two to four slots of eight
 * bytes. A slot has its value's hash, so that only the text that is meant is looked at. Each block grows on its own; the
 * budget counts what the blocks hold, used or not.
 */
#include <stdlib.h>
#include <string.h>

#include "core/size.h"
#include "server/codec/little.h"
#include "server/codec/segment.h"
#include "server/codec/table_parts.h"

#define FIRST_TEXT   64
#define FIRST_VALUES 8
#define FIRST_SLOTS  16 /* a power of two */
#define SHORT        16
#define EMPTY        UINT32_MAX

_Static_assert(TABLE_VALUES_BYTES_MAX < UINT32_MAX, "places in the text are 32 bits");

/* A text of up to SHORT bytes as two words, which are equal when the texts and their lengths are. */
struct words {
	uint64_t low, high;
};

static inline struct words words_of(const char *text, size_t n)
{
	if (n <= 8) return (struct words){ n ? get_short(text, n) : 0, 0 };
	return (struct words){ get64(text), get_short(text + 8, n - 8) };
}

/* The address salts it, which differs from one process to the next. */
static inline uint32_t hash_text(const struct values *values, const char *text, size_t n)
{
	uint64_t key = table_mix((uintptr_t)values, 0xD6E8FEB86659FD93u) | 1, hash = key ^ n;

	for (; n > SHORT; text += 8, n -= 8)
		hash = table_mix(hash ^ get64(text), key) + get64(text);
	hash = table_mix(hash ^ words_of(text, n).low, key + words_of(text, n).high);
	return (uint32_t)table_mix(hash, 0x9E3779B97F4A7C15u);
}

const char *values_text(const struct values *values, size_t code, size_t *n)
{
	size_t start = code ? values->ends[code - 1] : 0;

	*n = values->ends[code] - start;
	return values->text + start;
}

static inline bool same_text(const char *a, const char *b, size_t n)
{
	struct words x, y;

	if (n > SHORT) return !memcmp(a, b, n);
	x = words_of(a, n);
	y = words_of(b, n);
	return x.low == y.low && x.high == y.high;
}

/* The slot where a value is, or the empty one where it would be. */
static inline struct value_slot *find_slot(
		const struct values *values, uint32_t hash, const char *text, size_t n)
{
	size_t mask = values->slots_count - 1, length;

	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		struct value_slot *slot = &values->slots[i];
		const char *kept;

		if (slot->code == EMPTY) return slot;
		if (slot->hash != hash) continue;
		kept = values_text(values, slot->code, &length);
		if (length == n && same_text(kept, text, n)) return slot;
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
	struct value_slot *slots;

	if ((count - old) * sizeof *slots > budget->max - budget->used) return ERR_TOO_LARGE;
	if (!(slots = malloc(count * sizeof *slots))) return ERR_NOMEM;
	memset(slots, 0xFF, count * sizeof *slots); /* all EMPTY */
	for (size_t k = 0; k < old; k++) {
		size_t i = values->slots[k].hash & (count - 1);

		if (values->slots[k].code == EMPTY) continue;
		while (slots[i].code != EMPTY)
			i = (i + 1) & (count - 1);
		slots[i] = values->slots[k];
	}
	budget->used += (count - old) * sizeof *slots;
	free(values->slots);
	values->slots = slots;
	values->slots_count = count;
	return 0;
}

static int add(struct values *values, struct budget *budget, const char *text, size_t n)
{
	size_t used = values->count ? values->ends[values->count - 1] : 0;
	size_t need = size_add(
			used, size_add(n, 1)); /* never nothing, so that an empty text has an address too */
	int rc;

	if ((rc = grow((void **)&values->text, &values->text_room, need, FIRST_TEXT, 1, budget))) return rc;
	if ((rc = grow((void **)&values->ends, &values->room, values->count + 1, FIRST_VALUES,
			     sizeof *values->ends, budget)))
		return rc;
	if (sizeof *values->counts > budget->max - budget->used) return ERR_TOO_LARGE;
	budget->used += sizeof *values->counts; /* which is made later */
	if (n) memcpy(values->text + used, text, n);
	values->ends[values->count++] = (uint32_t)(used + n);
	return 0;
}

int values_code(struct values *values, struct budget *budget, const char *text, size_t n, uint32_t *code)
{
	uint32_t hash = hash_text(values, text, n);
	struct value_slot *slot;
	int rc;

	if (values->slots_count < 2 * (values->count + 1) && (rc = more_slots(values, budget))) return rc;
	slot = find_slot(values, hash, text, n);
	if (slot->code == EMPTY) {
		if ((rc = add(values, budget, text, n))) return rc;
		*slot = (struct value_slot){ hash, (uint32_t)(values->count - 1) };
	}
	*code = slot->code;
	return 0;
}

int values_count(struct values *values, size_t known, const uint32_t *codes, size_t n)
{
	size_t room = known > values->counts_room ? known + known / 2 : values->counts_room;

	if (room > values->counts_room) {
		uint64_t *counts = realloc(values->counts, room * sizeof *counts);

		if (!counts) return ERR_NOMEM;
		memset(counts + values->counts_room, 0, (room - values->counts_room) * sizeof *counts);
		values->counts = counts;
		values->counts_room = room;
	}
	for (size_t i = 0; i < n; i++)
		if (codes[i] != SEGMENT_CODE_MISSING) values->counts[codes[i]]++;
	return 0;
}

uint64_t values_counted(const struct values *values, size_t code)
{
	return code < values->counts_room ? values->counts[code] : 0;
}

size_t values_present(const struct values *values)
{
	size_t present = 0;

	for (size_t i = 0; i < values->count; i++)
		present += values_counted(values, i) != 0;
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
	budget->used -= values->text_room + values->room * sizeof *values->ends +
			values->count * sizeof *values->counts + values->slots_count * sizeof *values->slots;
	free(values->text);
	free(values->ends);
	free(values->counts);
	free(values->slots);
	memset(values, 0, sizeof *values);
}
