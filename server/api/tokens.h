/* tokens.h - tokens as documents, which the handlers and `descentd token` share. */
#ifndef SERVER_API_TOKENS_H
#define SERVER_API_TOKENS_H

#include <jansson.h>

#include "server/auth/token.h"
#include "server/codec/faults.h"
#include "server/store/store.h"

/* Makes the token that the document asks for ({"name":"ci","roles":["predict"], …}) and puts it into the store. *made is new
 * (store_token_clear), *out new, with the text of the token in it, this once. The faults' code; ERR_CONFLICT. */
int token_make(struct store *store, const json_t *document, struct faults *faults, struct store_token *made,
		json_t **out, struct err *e);
/* {"tokens":[…]}; new. */
int tokens_list(struct store *store, json_t **out, struct err *e);

#endif
