/* session.c - see session.h. The text is TOKEN.UNTIL.HEX, where UNTIL is in seconds since 1970. */
#include "server/auth/session.h"

#include <errno.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "server/auth/token.h"

#define PREFIX     "descentd_session_"
#define NAME_BYTES 4 /* random ones, in the cookie's name */
#define HEX_BYTES  (2 * SHA256_DIGEST_SIZE + 1)

int session_key_draw(struct session_key *key, struct err *e)
{
	unsigned char name[NAME_BYTES];

	if (getrandom(key->key, sizeof key->key, 0) != sizeof key->key ||
			getrandom(name, sizeof name, 0) != sizeof name)
		return err_set(e, ERR_IO, "the system gives no random bytes: %s", strerror(errno));
	strcpy(key->name, PREFIX);
	token_hex(name, sizeof name, key->name + strlen(PREFIX));
	return 0;
}

static void sign(const struct session_key *key, const char *text, size_t n,
		const unsigned char digest[STORE_DIGEST_BYTES], char out[HEX_BYTES])
{
	struct hmac_sha256_ctx hmac;
	unsigned char mac[SHA256_DIGEST_SIZE];

	hmac_sha256_set_key(&hmac, sizeof key->key, key->key);
	hmac_sha256_update(&hmac, n, (const uint8_t *)text);
	hmac_sha256_update(&hmac, STORE_DIGEST_BYTES, digest);
	hmac_sha256_digest(&hmac, sizeof mac, mac);
	token_hex(mac, sizeof mac, out);
}

void session_write(const struct session_key *key, int64_t token,
		const unsigned char digest[STORE_DIGEST_BYTES], int64_t until_seconds,
		char out[SESSION_TEXT_BYTES])
{
	int n = snprintf(out, SESSION_TEXT_BYTES, "%lld.%lld.", (long long)token, (long long)until_seconds);

	sign(key, out, (size_t)n, digest, out + n);
}

const char *session_find(const struct session_key *key, const char *cookies)
{
	size_t n = strlen(key->name);

	for (const char *at = cookies; at && *at; at = strchr(at, ';')) {
		at += strspn(at, "; ");
		if (!strncmp(at, key->name, n) && at[n] == '=') return at + n + 1;
	}
	return NULL;
}

bool session_token(const char *text, int64_t now_seconds, int64_t *token)
{
	char *end;

	if (*text < '0' || *text > '9') return false;
	errno = 0;
	*token = strtoll(text, &end, 10);
	if (errno || *end != '.' || end[1] < '0' || end[1] > '9') return false;
	return strtoll(end + 1, &end, 10) > now_seconds && !errno && *end == '.';
}

bool session_true(const struct session_key *key, const char *text,
		const unsigned char digest[STORE_DIGEST_BYTES])
{
	char hex[HEX_BYTES];
	const char *mac = strchr(text, '.');

	mac = mac ? strchr(mac + 1, '.') : NULL;
	if (!mac || strcspn(++mac, "; ") != HEX_BYTES - 1) return false;
	sign(key, text, (size_t)(mac - text), digest, hex);
	return memeql_sec(mac, hex, HEX_BYTES - 1);
}
