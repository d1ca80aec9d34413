/* secure.h - the rule for addresses that other machines can reach, and the files of TLS as the options name them. */
#ifndef SERVER_SECURE_H
#define SERVER_SECURE_H

#include <stdbool.h>

#include "server/config.h"
#include "server/http/tls.h"
#include "server/log.h"

/* *out is new (tls_free), or NULL where the options want no TLS. What there is to say of it is logged. ERR_INVALID: the
 * options do not go together; or as tls_read. */
int secure_read(struct tls **out, const struct config *config, struct log *log, struct err *e);

/* May --listen be an address that others can reach? ERR_FORBIDDEN: not without a token and TLS; the sentence says the
 * ways out. */
int secure_public(const struct config *config, bool has_token, struct err *e);

#endif
