/* test_crew.c - a crew: each part runs once a round, and what it wrote is seen when the round is over. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "server/jobs/crew.h"
#include "tests/unit/suite.h"

#define MOST   6
#define ROUNDS 3000

static struct err e;

struct round {
	int parts[MOST], calls[MOST]; /* not atomic: the rounds keep the threads apart */
	pthread_t threads[MOST];
};

static void work(void *arg, int part, int parts)
{
	struct round *round = arg;

	round->parts[part] = parts;
	round->calls[part]++;
	round->threads[part] = pthread_self();
}

static struct crew *crew_of(unsigned threads)
{
	struct crew *crew;

	ck_assert_int_eq(crew_new(&crew, threads, &e), 0);
	ck_assert_int_eq(team_threads(crew_team(crew)), threads > 1 ? (int)threads : 1);
	return crew;
}

START_TEST(each_part_once_a_round)
{
	for (unsigned threads = 0; threads <= MOST; threads++) {
		struct crew *crew = crew_of(threads);
		struct team *team = crew_team(crew);
		struct round round = { 0 };

		for (int i = 1; i <= ROUNDS / MOST; i++) {
			team->run(team, work, &round);
			for (int part = 0; part < team->threads; part++)
				ck_assert(round.calls[part] == i && round.parts[part] == team->threads);
		}
		ck_assert(pthread_equal(round.threads[0], pthread_self())); /* the caller is part 0 */
		for (int part = 1; part < team->threads; part++)
			ck_assert(!pthread_equal(round.threads[part], pthread_self()));
		crew_free(crew);
	}
}
END_TEST

/* A round reads what all the others wrote in the round before. */
struct exchange {
	uint64_t now[MOST], next[MOST];
};

static void mix(void *arg, int part, int parts)
{
	struct exchange *x = arg;
	uint64_t sum = 0;

	for (int i = 0; i < parts; i++)
		sum += x->now[i] * (uint64_t)(i + part + 1);
	x->next[part] = sum;
}

START_TEST(rounds_see_each_other)
{
	struct crew *crew = crew_of(4);
	struct exchange crewed = { { 1, 2, 3, 4 }, { 0 } }, alone = crewed;

	for (int i = 0; i < ROUNDS; i++) {
		crew_team(crew)->run(crew_team(crew), mix, &crewed);
		for (int part = 0; part < 4; part++)
			mix(&alone, part, 4);
		memcpy(crewed.now, crewed.next, sizeof crewed.now);
		memcpy(alone.now, alone.next, sizeof alone.now);
	}
	ck_assert_mem_eq(&crewed, &alone, sizeof alone);
	crew_free(crew);
}
END_TEST

/* Members that went to sleep, as between jobs' products, are woken. */
static atomic_int late;

static void slow(void *arg, int part, int parts)
{
	(void)arg;
	(void)parts;
	for (volatile int i = 0; part && i < 3000000; i++)
		;
	atomic_fetch_add(&late, 1);
}

START_TEST(the_caller_waits_for_all)
{
	struct crew *crew = crew_of(3);

	for (int i = 1; i <= 3; i++) {
		crew_team(crew)->run(crew_team(crew), slow, NULL);
		ck_assert_int_eq(atomic_load(&late), 3 * i);
		slow(NULL, 1, 1); /* the members sleep meanwhile */
		atomic_fetch_sub(&late, 1);
	}
	crew_free(crew);
}
END_TEST

static void *own_crew(void *arg)
{
	struct crew *crew = crew_of(2);
	struct round *round = arg;

	for (int i = 0; i < ROUNDS; i++)
		crew_team(crew)->run(crew_team(crew), work, round);
	crew_free(crew);
	return NULL;
}

START_TEST(crews_side_by_side)
{
	struct round rounds[3] = { 0 };
	pthread_t threads[3];

	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, own_crew, &rounds[i]), 0);
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		ck_assert_int_eq(rounds[i].calls[0], ROUNDS);
		ck_assert_int_eq(rounds[i].calls[1], ROUNDS);
	}
}
END_TEST

START_TEST(crews_without_work)
{
	for (int i = 0; i < 100; i++)
		crew_free(crew_of(3));
	crew_free(NULL);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { each_part_once_a_round, rounds_see_each_other,
		the_caller_waits_for_all, crews_side_by_side, crews_without_work, NULL };

	return suite_main("crew", tests, 60);
}
