/* patience.c - see patience.h.
 *
 * Part and deadline are one number, so that whoever looks sees both as they belong together, and can claim what it saw
 * with one comparison: a client that made it in the last moment is not cut, one that is cut gets no second answer.
 */
#include "server/http/patience.h"

#define PART_BITS 3
#define GRACE_MS \
	1000 /* that a client has at least after a pause: what it did meanwhile is still to be seen */
#define PART_MASK ((1u << PART_BITS) - 1)

static enum part part_of(uint64_t now)
{
	return (enum part)(now & PART_MASK);
}

static uint64_t due_of(uint64_t now)
{
	return now >> PART_BITS;
}

static uint64_t packed(enum part part, uint64_t due_ms)
{
	return due_ms << PART_BITS | part;
}

static uint64_t look(const struct patience *p)
{
	return atomic_load_explicit(&p->now, memory_order_relaxed);
}

/* False: it is over. */
static bool put(struct patience *p, uint64_t next)
{
	uint64_t seen = look(p);

	while (part_of(seen) != PART_OVER)
		if (atomic_compare_exchange_weak(&p->now, &seen, next)) return true;
	return false;
}

bool patience_begin(struct patience *p, enum part part, uint64_t due_ms)
{
	p->paused = PART_OURS;
	return put(p, packed(part, part == PART_OURS ? 0 : due_ms));
}

bool patience_hurry(struct patience *p, uint64_t due_ms)
{
	uint64_t seen = look(p);

	if (part_of(seen) == PART_OVER || due_of(seen) > due_ms) return put(p, packed(part_of(seen), due_ms));
	return true;
}

bool patience_earn(struct patience *p, enum part part, uint64_t ms, uint64_t now_ms, uint32_t limit_ms)
{
	uint64_t seen = look(p), due_ms;

	do {
		if (part_of(seen) != part) return part_of(seen) != PART_OVER;
		due_ms = due_of(seen) + ms;
		if (due_ms > now_ms + limit_ms) due_ms = now_ms + limit_ms;
	} while (!atomic_compare_exchange_weak(&p->now, &seen, packed(part, due_ms)));
	return true;
}

void patience_pause(struct patience *p, uint64_t now_ms)
{
	uint64_t seen = look(p);

	p->paused = PART_OURS;
	if (part_of(seen) == PART_OURS || !put(p, packed(PART_OURS, 0))) return;
	p->paused = part_of(seen);
	p->left_ms = due_of(seen) > now_ms ? (uint32_t)(due_of(seen) - now_ms) : 0;
}

void patience_resume(struct patience *p, uint64_t now_ms)
{
	uint32_t left_ms = p->left_ms > GRACE_MS ? p->left_ms : GRACE_MS;

	if (p->paused != PART_OURS) put(p, packed(p->paused, now_ms + left_ms));
	p->paused = PART_OURS;
}

enum part patience_over(struct patience *p, uint64_t now_ms)
{
	uint64_t seen = look(p);

	if (part_of(seen) == PART_OURS || part_of(seen) == PART_OVER || due_of(seen) > now_ms)
		return PART_OURS;
	return atomic_compare_exchange_strong(&p->now, &seen, packed(PART_OVER, 0)) ? part_of(seen)
										    : PART_OURS;
}

enum part patience_part(const struct patience *p)
{
	return part_of(look(p));
}
