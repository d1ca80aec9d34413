/* session.c - see session.h. The text is TOKEN.UNTIL.NUMBER.HEX, where UNTIL is in seconds since 1970. */
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

/* ---- which hold ---- */

static _Atomic uint64_t *word_of(struct session_book *book, uint64_t number)
{
	return &book->ended[number % SESSIONS_MAX / 64];
}

static uint64_t bit_of(uint64_t number)
{
	return UINT64_C(1) << number % 64;
}

static uint64_t begin(struct session_book *book)
{
	uint64_t number = atomic_fetch_add(&book->made, 1) + 1;

	atomic_fetch_and(word_of(book, number), ~bit_of(number)); /* of the one that is over now */
	return number;
}

/* The nth part of a text, from 0; NULL: it has less. */
static const char *part(const char *text, int n)
{
	while (n-- && text)
		if ((text = strchr(text, '.'))) text++;
	return text;
}

/* 0: it has none. */
static uint64_t number_of(const char *text)
{
	const char *at = part(text, 2);

	return at ? strtoull(at, NULL, 10) : 0;
}

bool session_holds(struct session_book *book, const char *text)
{
	uint64_t number = number_of(text), made = atomic_load(&book->made);

	return number && number <= made && made - number < SESSIONS_MAX &&
	       !(atomic_load(word_of(book, number)) & bit_of(number));
}

void session_end(struct session_book *book, const char *text)
{
	uint64_t number = number_of(text);

	if (!session_holds(book, text)) return;
	atomic_fetch_or(word_of(book, number), bit_of(number));
}

/* ---- the text ---- */

void session_write(const struct session_key *key, struct session_book *book, int64_t token,
		const unsigned char digest[STORE_DIGEST_BYTES], int64_t until_seconds,
		char out[SESSION_TEXT_BYTES])
{
	int n = snprintf(out, SESSION_TEXT_BYTES, "%lld.%lld.%llu.", (long long)token,
			(long long)until_seconds, (unsigned long long)begin(book));

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
	const char *mac = part(text, 3);

	if (!mac || strcspn(mac, "; ") != HEX_BYTES - 1) return false;
	sign(key, text, (size_t)(mac - text), digest, hex);
	return memeql_sec(mac, hex, HEX_BYTES - 1);
}
