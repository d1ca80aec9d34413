/* team.h - the threads that a caller hands to the engine. core starts none of its own: it asks the team to
 * run a function once for each part, and waits. A NULL team means the calling thread alone.
 */
#ifndef DESCENT_TEAM_H
#define DESCENT_TEAM_H

struct team {
	int threads; /* at least 1, the caller included */
	/* Calls work(arg, part, threads) for part 0..threads-1, one of them on the calling thread, and
	 * returns when all are done. Borrowed arg; work must not fail. */
	void (*run)(struct team *team, void (*work)(void *arg, int part, int parts), void *arg);
};

static inline int team_threads(const struct team *team)
{
	return team ? team->threads : 1;
}

#endif
