/* reload.h - SIGHUP: the options are read again, and those that can be are changed while the daemon runs. */
#ifndef SERVER_RELOAD_H
#define SERVER_RELOAD_H

#include "server/api/api.h"
#include "server/config.h"

/* Reads flags, environment and file as at the start. When all of it is right, options that reload and have other values
 * are put into *config and take effect, and the others are named in the log as needing a restart; token,
 * certificate and keys are read from their files again. When anything is wrong nothing changes, and the log says what. */
void reload(struct app *app, struct http_server *http, struct config *config);

#endif
