/* check.h - `descentd check` and `descentd repair`: is a database whole, and what is whole of it. */
#ifndef SERVER_ADMIN_CHECK_H
#define SERVER_ADMIN_CHECK_H

#include "server/config.h"

/* 0: nothing is wrong; 1: something is; 2: it could not be looked at, or (repair) nothing was written. */
int admin_check(const struct config *config);
int admin_repair(const struct config *config);

#endif
