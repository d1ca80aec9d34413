/* token.c - see token.h. */
#include "server/auth/token.h"

#include <errno.h>
#include <fnmatch.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define PREFIX             "dtk_" /* so that whoever finds one knows what it is */
#define SECRET_BYTES       32
#define ROLES              (sizeof auth_role_names / sizeof *auth_role_names)
#define SPACES             " \t"
#define LETTERS_AND_DIGITS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
#define NAME_BYTES         LETTERS_AND_DIGITS "._-"

const char *const auth_role_names[] = { "read", "predict", "train", "admin" };

/* The next item of a list, without the spaces around it; *list is NULL after the last. */
static const char *next_item(const char **list, size_t *length)
{
	const char *item = *list + strspn(*list, SPACES);
	size_t n = strcspn(item, ",");

	*list = item[n] ? item + n + 1 : NULL;
	while (n && strchr(SPACES, item[n - 1]))
		n--;
	*length = n;
	return item;
}

bool token_roles_read(const char *list, unsigned *roles)
{
	*roles = 0;
	while (list) {
		size_t n, i = 0;
		const char *item = next_item(&list, &n);

		while (i < ROLES && (strlen(auth_role_names[i]) != n || memcmp(auth_role_names[i], item, n)))
			i++;
		if (i == ROLES) return false;
		*roles |= 1u << i;
	}
	return true;
}

bool token_roles_valid(const char *list)
{
	unsigned roles;

	return token_roles_read(list, &roles);
}

const char *token_roles_text(unsigned roles, char out[TOKEN_ROLES_BYTES])
{
	*out = 0;
	for (size_t i = 0; i < ROLES; i++) {
		size_t used = strlen(out);

		if (roles & 1u << i)
			snprintf(out + used, TOKEN_ROLES_BYTES - used, "%s%s", used ? "," : "",
					auth_role_names[i]);
	}
	return out;
}

bool token_name_valid(const char *name)
{
	size_t n = strlen(name);

	return n && n <= TOKEN_NAME_MAX && strchr(LETTERS_AND_DIGITS, *name) && strspn(name, NAME_BYTES) == n;
}

bool token_models_valid(const char *list)
{
	if (strlen(list) > TOKEN_MODELS_MAX) return false;
	while (list) {
		size_t n;
		const char *item = next_item(&list, &n);

		if (!n || n > TOKEN_NAME_MAX || strspn(item, NAME_BYTES "*?") < n) return false;
	}
	return true;
}

bool token_models_fit(const char *list, const char *model)
{
	char pattern[TOKEN_NAME_MAX + 1];

	if (!list) return true;
	while (list) {
		size_t n;
		const char *item = next_item(&list, &n);

		snprintf(pattern, sizeof pattern, "%.*s", (int)n, item);
		if (!fnmatch(pattern, model, FNM_NOESCAPE)) return true;
	}
	return false;
}

bool token_duration(const char *text, uint64_t *seconds)
{
	static const struct {
		char letter;
		uint64_t seconds;
	} units[] = { { 0, 1 }, { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	size_t digits = strspn(text, "0123456789");

	if (!digits || digits > 9 || (text[digits] && text[digits + 1])) return false;
	for (size_t i = 0; i < sizeof units / sizeof *units; i++)
		if (units[i].letter == text[digits]) {
			*seconds = strtoull(text, NULL, 10) * units[i].seconds;
			return *seconds > 0;
		}
	return false;
}

void token_hex(const unsigned char *bytes, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = 0;
}

void token_digest(const char *text, size_t n, unsigned char digest[STORE_DIGEST_BYTES])
{
	struct sha256_ctx hash;

	sha256_init(&hash);
	sha256_update(&hash, n, (const uint8_t *)text);
	sha256_digest(&hash, STORE_DIGEST_BYTES, digest);
}

int token_draw(struct store_token *token, char text[TOKEN_TEXT_BYTES], struct err *e)
{
	unsigned char secret[SECRET_BYTES];

	if (getrandom(secret, sizeof secret, 0) != sizeof secret)
		return err_set(e, ERR_IO, "the system gives no random bytes: %s", strerror(errno));
	strcpy(text, PREFIX);
	token_hex(secret, sizeof secret, text + strlen(PREFIX));
	explicit_bzero(secret, sizeof secret);
	token_digest(text, strlen(text), token->digest);
	return 0;
}
