/* owner.h - how a command reaches a database whose owner runs it, whether or not a daemon has it.
 *
 * A daemon holds its database alone. So it listens on a socket beside it too, which only the owner of the database may
 * connect to; who comes there needs no token. Without a daemon the command opens the database itself.
 */
#ifndef SERVER_ADMIN_OWNER_H
#define SERVER_ADMIN_OWNER_H

#include <jansson.h>

#include "core/err.h"
#include "server/store/store.h"

#define OWNER_SOCKET_MODE 0600

/* The path of that socket; new. NULL: no memory, the folder is not there, or it is too long for a socket. */
char *owner_socket(const char *database);

/* Sets *store (close it), or *socket (free it) where a daemon has the database. ERR_NOT_FOUND: it is not there. */
int owner_reach(const char *database, struct store **store, char **socket, struct err *e);
/* The same of a database that is made where it is not there, which is said on stderr. */
int owner_make(const char *database, struct store **store, char **socket, struct err *e);
/* Asks the daemon behind the socket; document may be NULL, *out is new, NULL when there is no answer but that it is done. An
 * answer that is an error is one: its sentence. */
int owner_ask(const char *socket, const char *method, const char *path, const json_t *document, json_t **out,
		struct err *e);

#endif
