/* token.h - `descentd token create|list|revoke`: who may do what, by the owner of the database. */
#ifndef SERVER_ADMIN_TOKEN_H
#define SERVER_ADMIN_TOKEN_H

#include "server/config.h"

/* All return the exit code. The token alone goes to stdout, so that a script can keep it; words go to stderr. */
int admin_token_create(const struct config *config);
int admin_token_list(const struct config *config);
int admin_token_revoke(const struct config *config);

#endif
