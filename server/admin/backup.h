/* backup.h - `descentd backup` and `descentd restore`. They say what they did on stdout, or in one sentence on stderr what is
 * wrong, and return the exit status. */
#ifndef SERVER_ADMIN_BACKUP_H
#define SERVER_ADMIN_BACKUP_H

#include "server/config.h"

int admin_backup(const struct config *config);
int admin_restore(const struct config *config);

#endif
