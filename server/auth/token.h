/* token.h - what a token is: 32 random bytes that are shown once, its roles, and the models it is for.
 *
 * A token is kept as its SHA-256: whoever reads the database learns no token from it. As tokens are random, no salt and no
 * slow hash is needed.
 */
#ifndef SERVER_AUTH_TOKEN_H
#define SERVER_AUTH_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "core/err.h"
#include "server/store/store.h"

#define TOKEN_TEXT_BYTES  72  /* "dtk_", 64 hexadecimal digits, a NUL */
#define TOKEN_NAME_MAX    64  /* [A-Za-z0-9][A-Za-z0-9._-]* */
#define TOKEN_MODELS_MAX  512 /* bytes of a list of patterns */
#define TOKEN_RATE_MAX    1e6
#define TOKEN_ROLES_BYTES 40 /* of the text of all roles */

/* A set of bits. */
enum auth_role { AUTH_READ = 1, AUTH_PREDICT = 2, AUTH_TRAIN = 4, AUTH_ADMIN = 8, AUTH_EVERYTHING = 15 };

extern const char *const auth_role_names[4]; /* of bit 0, 1, … */

/* "read,predict" in any order, with spaces at will. false: a word that is no role, or none at all. */
bool token_roles_read(const char *list, unsigned *roles);
bool token_roles_valid(const char *list);
/* The names, in order, separated by commas. Returns out. */
const char *token_roles_text(unsigned roles, char out[TOKEN_ROLES_BYTES]);

bool token_name_valid(const char *name);
/* A list of names of models, where * stands for any letters and ? for one: "iris*,wine". */
bool token_models_valid(const char *list);
/* NULL fits every model. */
bool token_models_fit(const char *list, const char *model);

/* "90s", "15m", "12h", "30d", or seconds as digits alone: 1 or more. */
bool token_duration(const char *text, uint64_t *seconds);

/* Hex digits of n bytes, and a NUL. */
void token_hex(const unsigned char *bytes, size_t n, char *out);
void token_digest(const char *text, size_t n, unsigned char digest[STORE_DIGEST_BYTES]);

/* Draws a token: its digest goes to *token, its text to text, which is all that there is of it. ERR_IO: the system has no
 * random bytes. */
int token_draw(struct store_token *token, char text[TOKEN_TEXT_BYTES], struct err *e);

#endif
