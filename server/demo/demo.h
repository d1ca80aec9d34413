/* demo.h - `descentd demo`: the whole of it in half a minute, on real data. */
#ifndef SERVER_DEMO_DEMO_H
#define SERVER_DEMO_DEMO_H

#include "server/config.h"

/* Starts a daemon of its own by `serve` in a child, on a temporary database, and shows it at work. Returns the exit
 * code. */
int demo_run(const struct config *config, int (*serve)(const struct config *config));

#endif
