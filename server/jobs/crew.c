/* crew.c - a team of threads on futexes. See crew.h.
 *
 * `round` counts the calls of run; members wait for it to change, do their part, and count `left` down to 0, for
 * which member 0 waits. Both waits spin first: a wake-up takes longer than most of what lies between two calls.
 */
#include "server/jobs/crew.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOW_PRIORITY 10 /* nice */
#define SPINS \
	4000 /* with a pause each: some 50 to 100 microseconds, as long as what lies between two products */

static inline void spin_pause(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

struct member {
	struct crew *crew;
	pthread_t thread;
	int part;
};

struct crew {
	struct team team; /* first */
	atomic_int round, left;
	atomic_bool ending;
	void (*work)(void *arg, int part, int parts);
	void *arg;
	int count; /* members beside the caller */
	struct member members[];
};

static void futex_wait(atomic_int *word, int while_equal)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, while_equal, NULL, NULL, 0);
}

static void futex_wake(atomic_int *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* Returns the value once it is no longer `was`. */
static int await_change(atomic_int *word, int was)
{
	int now;

	for (int i = 0; i < SPINS; i++, spin_pause())
		if ((now = atomic_load_explicit(word, memory_order_acquire)) != was) return now;
	while ((now = atomic_load_explicit(word, memory_order_acquire)) == was)
		futex_wait(word, was);
	return now;
}

void crew_idle_priority(void)
{
	struct sched_param param = { 0 };

	pthread_setschedparam(pthread_self(), SCHED_IDLE, &param);
}

void crew_low_priority(void)
{
	setpriority(PRIO_PROCESS, 0, LOW_PRIORITY); /* of a thread alone, on Linux; it may fail */
}

static void *member_main(void *arg)
{
	struct member *member = arg;
	struct crew *crew = member->crew;
	int round = 0;

	crew_idle_priority();
	for (;;) {
		round = await_change(&crew->round, round);
		if (atomic_load(&crew->ending)) return NULL;
		crew->work(crew->arg, member->part, crew->team.threads);
		if (atomic_fetch_sub_explicit(&crew->left, 1, memory_order_acq_rel) == 1)
			futex_wake(&crew->left);
	}
}

static void crew_run(struct team *team, void (*work)(void *arg, int part, int parts), void *arg)
{
	struct crew *crew = (struct crew *)team;

	crew->work = work;
	crew->arg = arg;
	atomic_store(&crew->left, crew->count);
	atomic_fetch_add_explicit(&crew->round, 1, memory_order_release);
	futex_wake(&crew->round);
	work(arg, 0, team->threads);
	for (int left; (left = atomic_load_explicit(&crew->left, memory_order_acquire)) > 0;)
		await_change(&crew->left, left);
}

int crew_new(struct crew **out, unsigned threads, struct err *e)
{
	int count = threads > 1 ? (int)threads - 1 : 0;
	struct crew *crew = calloc(1, sizeof *crew + (size_t)count * sizeof *crew->members);

	*out = crew;
	if (!crew) return err_nomem(e);
	crew->team.run = crew_run;
	for (; crew->count < count; crew->count++) {
		struct member *member = &crew->members[crew->count];

		member->crew = crew;
		member->part = crew->count + 1;
		if (pthread_create(&member->thread, NULL, member_main, member)) break;
	}
	crew->team.threads = crew->count + 1;
	return 0;
}

void crew_free(struct crew *crew)
{
	if (!crew) return;
	atomic_store(&crew->ending, true);
	atomic_fetch_add_explicit(&crew->round, 1, memory_order_release);
	futex_wake(&crew->round);
	for (int i = 0; i < crew->count; i++)
		pthread_join(crew->members[i].thread, NULL);
	free(crew);
}

struct team *crew_team(struct crew *crew)
{
	return &crew->team;
}
