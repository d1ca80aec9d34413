/* tls.c - reads the files of TLS, and has new connections go by them. See tls.h.
 *
 * libmicrohttpd speaks TLS through GnuTLS and would keep one certificate for its whole life. So every connection gets the
 * credentials of the last reading before its handshake. A connection may hold those of an earlier one, which therefore stay
 * until the server ends. They are no more than there were certificates: a reading that finds the same bytes is dropped.
 */
#include "server/http/tls.h"

#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <microhttpd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define DIGEST_BYTES 32 /* of SHA-256 */
#define NAME_BYTES   160

struct tls {
	gnutls_certificate_credentials_t credentials;
	bool asks_clients;
	uint8_t digest[DIGEST_BYTES]; /* of what the files hold */
	char summary[300];
	struct tls *before;
};

/* ---- reading ---- */

struct contents {
	gnutls_datum_t cert, key, client_ca;
};

static int load(gnutls_datum_t *out, const char *path, struct err *e)
{
	int rc;

	errno = 0;
	rc = gnutls_load_file(path, out);
	if (!rc) return 0;
	if (rc == GNUTLS_E_MEMORY_ERROR) return err_nomem(e);
	return err_set(e, ERR_IO, "%s cannot be read: %s", path,
			errno ? strerror(errno) : gnutls_strerror(rc));
}

static int load_all(struct contents *out, const struct tls_files *files, struct err *e)
{
	int rc;

	*out = (struct contents){ 0 };
	if ((rc = load(&out->cert, files->cert, e)) || (rc = load(&out->key, files->key, e))) return rc;
	return files->client_ca ? load(&out->client_ca, files->client_ca, e) : 0;
}

static void unload(struct contents *contents)
{
	if (contents->key.data) gnutls_memset(contents->key.data, 0, contents->key.size);
	gnutls_free(contents->cert.data);
	gnutls_free(contents->key.data);
	gnutls_free(contents->client_ca.data);
}

/* A size goes before each, so that no byte can pass from one file to the next. */
static int take_digest(struct tls *tls, const struct contents *contents, struct err *e)
{
	const gnutls_datum_t *all[] = { &contents->cert, &contents->key, &contents->client_ca };
	gnutls_hash_hd_t hash;

	if (gnutls_hash_init(&hash, GNUTLS_DIG_SHA256)) return err_nomem(e);
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		gnutls_hash(hash, &all[i]->size, sizeof all[i]->size);
		gnutls_hash(hash, all[i]->data, all[i]->size);
	}
	gnutls_hash_deinit(hash, tls->digest);
	return 0;
}

/* ---- certificate and key ---- */

static int is_not(const char *path, const char *what, int rc, struct err *e)
{
	if (rc == GNUTLS_E_MEMORY_ERROR) return err_nomem(e);
	return err_set(e, ERR_INVALID, "%s holds no %s in PEM that can be used: %s", path, what,
			gnutls_strerror(rc));
}

static int read_key(gnutls_x509_privkey_t *out, const gnutls_datum_t *bytes, const char *path, struct err *e)
{
	int rc = gnutls_x509_privkey_init(out);

	if (!rc) rc = gnutls_x509_privkey_import2(*out, bytes, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (!rc) return 0;
	if (rc == GNUTLS_E_DECRYPTION_FAILED)
		return err_set(e, ERR_INVALID,
				"the key in %s is locked by a password; `openssl pkey -in %s` writes it without one",
				path, path);
	return is_not(path, "key", rc, e);
}

/* Its first name for clients, or else what it was issued to; and its end. */
static void summarize(struct tls *tls, gnutls_x509_crt_t cert, const char *path, struct err *warning)
{
	time_t end = gnutls_x509_crt_get_expiration_time(cert);
	char name[NAME_BYTES] = "", date[32] = "";
	size_t n = sizeof name - 1;
	struct tm tm = { 0 };

	if (gnutls_x509_crt_get_subject_alt_name(cert, 0, name, &n, NULL) != GNUTLS_SAN_DNSNAME) {
		n = sizeof name;
		if (gnutls_x509_crt_get_dn(cert, name, &n)) *name = 0;
	}
	gmtime_r(&end, &tm);
	strftime(date, sizeof date, "%Y-%m-%d %H:%M", &tm);
	snprintf(tls->summary, sizeof tls->summary, "the certificate is of %s and ends on %s UTC",
			*name ? name : "somebody without a name", date);
	if (end < time(NULL))
		err_set(warning, ERR_OK, "the certificate in %s ended on %s UTC: clients refuse it", path,
				date);
}

static int set_pair(struct tls *tls, const struct contents *contents, const struct tls_files *files,
		struct err *warning, struct err *e)
{
	gnutls_x509_crt_t *chain = NULL;
	gnutls_x509_privkey_t key = NULL;
	unsigned n = 0;
	int rc = gnutls_x509_crt_list_import2(
			&chain, &n, &contents->cert, GNUTLS_X509_FMT_PEM, GNUTLS_X509_CRT_LIST_SORT);

	if (rc < 0) {
		chain = NULL; /* it freed them */
		n = 0;
		rc = is_not(files->cert, "certificate", rc, e);
		goto out;
	}
	if ((rc = read_key(&key, &contents->key, files->key, e))) goto out;
	rc = gnutls_certificate_set_x509_key(tls->credentials, chain, (int)n, key);
	if (rc == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
		rc = err_set(e, ERR_INVALID, "the key in %s is not that of the certificate in %s", files->key,
				files->cert);
	else if (rc < 0)
		rc = is_not(files->cert, "certificate", rc, e);
	else
		rc = 0;
	if (!rc) summarize(tls, *chain, files->cert, warning);
out:
	for (unsigned i = 0; i < n; i++)
		gnutls_x509_crt_deinit(chain[i]);
	gnutls_free(chain);
	gnutls_x509_privkey_deinit(key);
	return rc;
}

/* A warning only, as for the token: what containers mount is readable to all, inside. */
static void warn_of_readers(const char *path, struct err *warning)
{
	struct stat status;

	if (!stat(path, &status) && (status.st_mode & S_IROTH))
		err_set(warning, ERR_OK, "every user of this machine can read the key in %s: `chmod 600` it",
				path);
}

static int set_client_ca(struct tls *tls, const gnutls_datum_t *bytes, const char *path, struct err *e)
{
	int n = gnutls_certificate_set_x509_trust_mem(tls->credentials, bytes, GNUTLS_X509_FMT_PEM);

	if (n <= 0) return is_not(path, "certificate", n ? n : GNUTLS_E_NO_CERTIFICATE_FOUND, e);
	tls->asks_clients = true;
	return 0;
}

int tls_read(struct tls **out, const struct tls_files *files, struct err *warning, struct err *e)
{
	struct tls *tls = calloc(1, sizeof *tls);
	struct contents contents = { 0 };
	int rc;

	*out = NULL;
	warning->text[0] = 0;
	if (!tls || gnutls_certificate_allocate_credentials(&tls->credentials)) {
		rc = err_nomem(e);
		goto out;
	}
	if ((rc = load_all(&contents, files, e)) || (rc = take_digest(tls, &contents, e)) ||
			(rc = set_pair(tls, &contents, files, warning, e)))
		goto out;
	if (files->client_ca && (rc = set_client_ca(tls, &contents.client_ca, files->client_ca, e))) goto out;
	warn_of_readers(files->key, warning);
	*out = tls;
	tls = NULL;
out:
	unload(&contents);
	tls_free(tls);
	return rc;
}

void tls_free(struct tls *tls)
{
	while (tls) {
		struct tls *before = tls->before;

		if (tls->credentials) gnutls_certificate_free_credentials(tls->credentials);
		free(tls);
		tls = before;
	}
}

const char *tls_summary(const struct tls *tls)
{
	return tls->summary;
}

/* ---- in the server ---- */

/* libmicrohttpd must be told of some certificate. Each connection has its own (tls_begin); should one have not, there is none
 * to give. */
static int no_certificate(gnutls_session_t session, const gnutls_datum_t *authorities, int authorities_count,
		const gnutls_pk_algorithm_t *algorithms, int algorithms_count, gnutls_pcert_st **chain,
		unsigned int *chain_count, gnutls_privkey_t *key)
{
	(void)session;
	(void)authorities;
	(void)authorities_count;
	(void)algorithms;
	(void)algorithms_count;
	*chain = NULL;
	*chain_count = 0;
	*key = NULL;
	return -1;
}

const struct MHD_OptionItem *tls_options(const struct tls *tls)
{
	/* Two versions, keys that are gone with the connection, ciphers that authenticate. */
	static char priorities[] =
			"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:"
			"-CIPHER-ALL:+AES-256-GCM:+CHACHA20-POLY1305:+AES-128-GCM:-MAC-ALL:+AEAD";
	static const struct MHD_OptionItem options[] = {
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, priorities },
		{ MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)no_certificate },
		{ MHD_OPTION_END, 0, NULL },
	};

	return tls ? options : &options[sizeof options / sizeof *options - 1];
}

bool tls_replace(struct tls *tls, struct tls *before)
{
	if (!memcmp(tls->digest, before->digest, DIGEST_BYTES)) return false;
	tls->before = before;
	return true;
}

void tls_begin(const struct tls *tls, struct MHD_Connection *connection)
{
	static unsigned char for_clients[] = GNUTLS_KP_TLS_WWW_CLIENT;
	static gnutls_typed_vdata_st purpose = { GNUTLS_DT_KEY_PURPOSE_OID, for_clients, 0 };
	const union MHD_ConnectionInfo *info =
			MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	gnutls_session_t session = info->tls_session;

	/* Should there be no memory for it, the session has no certificate, and its handshake fails. */
	gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, tls->credentials);
	if (!tls->asks_clients) return;
	gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
	gnutls_session_set_verify_cert2(session, &purpose, 1, 0);
}
