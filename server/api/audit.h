/* audit.h - who changed what, when, and from where: a line of JSON for each change that was asked for, in a file of its own.
 *
 *	{"time":"2026-11-26T09:19:25.120Z","token":"2","name":"ci","address":"10.0.0.7","method":"PUT",
 *	 "path":"/v1/models/iris","status":201}
 *
 * A line is written before the change is answered. It has neither data nor secrets: no body, no header, no query. token is
 * null for the token that the daemon was started with, and where it wants none; "owner" is true for commands of whoever
 * owns the database.
 */
#ifndef SERVER_API_AUDIT_H
#define SERVER_API_AUDIT_H

#include "core/err.h"
#include "server/http/request.h"
#include "server/log.h"

struct audit;

/* *out is new (audit_close). path is borrowed; NULL: no lines are kept, *out is NULL. The file is made readable to its owner
 * alone, and appended to. ERR_IO, ERR_NOMEM. */
int audit_open(struct audit **out, const char *path, struct log *log, struct err *e);
void audit_close(struct audit *audit);
/* Lets go of the file and opens the name again: it was moved away. On error it goes on with the old one. */
int audit_reopen(struct audit *audit, struct err *e);

/* For http_config.answered: notes it where it is a change. On a thread that may wait. */
void audit_note(struct request *rq, const struct reply *rp);

#endif
