/* test_tls.c - the files of TLS: whose a certificate is said to be, and what is said where one of our calls of GnuTLS is
 * refused.
 */
#include <gnutls/crypto.h>
#include <gnutls/x509.h>
#include <time.h>

#include "server/http/tls.h"
#include "tests/unit/refusing_mhd.h"
#include "tests/unit/suite.h"

#define MOST_CALLS 200
#define DAY_S      86400

static struct err e, warning;

/* ---- refused calls ---- */

static int refused_with;

REFUSED_WITH(refused_with, int, gnutls_load_file, (const char *path, gnutls_datum_t *out), path, out)
REFUSED_WITH(refused_with, int, gnutls_hash_init, (gnutls_hash_hd_t * out, gnutls_digest_algorithm_t how),
		out, how)
REFUSED_WITH(refused_with, int, gnutls_certificate_allocate_credentials,
		(gnutls_certificate_credentials_t * out), out)
REFUSED_WITH(refused_with, int, gnutls_x509_privkey_init, (gnutls_x509_privkey_t * out), out)
REFUSED_WITH(refused_with, int, gnutls_x509_privkey_import2,
		(gnutls_x509_privkey_t key, const gnutls_datum_t *bytes, gnutls_x509_crt_fmt_t form,
				const char *password, unsigned flags),
		key, bytes, form, password, flags)
REFUSED_WITH(refused_with, int, gnutls_x509_crt_list_import2,
		(gnutls_x509_crt_t * *out, unsigned *count, const gnutls_datum_t *bytes,
				gnutls_x509_crt_fmt_t form, unsigned flags),
		out, count, bytes, form, flags)
REFUSED_WITH(refused_with, int, gnutls_certificate_set_x509_key,
		(gnutls_certificate_credentials_t to, gnutls_x509_crt_t *chain, int count,
				gnutls_x509_privkey_t key),
		to, chain, count, key)
REFUSED_WITH(refused_with, int, gnutls_certificate_set_x509_trust_mem,
		(gnutls_certificate_credentials_t to, const gnutls_datum_t *bytes,
				gnutls_x509_crt_fmt_t form),
		to, bytes, form)
REFUSED_WITH(refused_with, int, gnutls_x509_crt_get_subject_alt_name,
		(gnutls_x509_crt_t cert, unsigned at, void *out, size_t *size, unsigned *critical), cert, at,
		out, size, critical)
REFUSED_WITH(refused_with, int, gnutls_x509_crt_get_dn, (gnutls_x509_crt_t cert, char *out, size_t *size),
		cert, out, size)

/* ---- files ---- */

static char cert_path[64], key_path[64];
static const struct tls_files files = { cert_path, key_path, cert_path };

static void write_file(const char *path, const gnutls_datum_t *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text->data, text->size), (ssize_t)text->size);
	close(fd);
}

/* A key, and a certificate that it signed. name, common_name: NULL for none. */
static void make_pair(const char *name, const char *common_name, time_t end)
{
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t cert;
	gnutls_datum_t text;

	ck_assert_int_eq(gnutls_x509_privkey_init(&key), 0);
	ck_assert_int_eq(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
					 GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
			0);
	ck_assert_int_eq(gnutls_x509_crt_init(&cert), 0);
	gnutls_x509_crt_set_version(cert, 3);
	gnutls_x509_crt_set_serial(cert, "1", 1);
	gnutls_x509_crt_set_activation_time(cert, end - 2 * DAY_S);
	gnutls_x509_crt_set_expiration_time(cert, end);
	if (name) gnutls_x509_crt_set_subject_alternative_name(cert, GNUTLS_SAN_DNSNAME, name);
	if (common_name)
		ck_assert_int_eq(gnutls_x509_crt_set_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0,
						 common_name, (unsigned)strlen(common_name)),
				0);
	ck_assert_int_eq(gnutls_x509_crt_set_key(cert, key), 0);
	ck_assert_int_eq(gnutls_x509_crt_sign2(cert, cert, key, GNUTLS_DIG_SHA256, 0), 0);
	ck_assert_int_eq(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &text), 0);
	write_file(key_path, &text);
	gnutls_free(text.data);
	ck_assert_int_eq(gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &text), 0);
	write_file(cert_path, &text);
	gnutls_free(text.data);
	gnutls_x509_crt_deinit(cert);
	gnutls_x509_privkey_deinit(key);
}

static void set_up(void)
{
	snprintf(cert_path, sizeof cert_path, "/tmp/descentd-tls-%d.pem", (int)getpid());
	snprintf(key_path, sizeof key_path, "/tmp/descentd-tls-%d.key", (int)getpid());
}

static void tear_down(void)
{
	unlink(cert_path);
	unlink(key_path);
}

/* ---- tests ---- */

START_TEST(whose_it_is)
{
	char long_name[200];
	const struct {
		const char *name, *common_name, *says;
	} owners[] = { { "a.example", "b", "is of a.example and" }, { NULL, "b", "is of CN=b and" },
		{ NULL, NULL, "is of somebody without a name and" },
		{ NULL, long_name, "is of somebody without a name and" } };

	memset(long_name, 'a', sizeof long_name - 1);
	long_name[sizeof long_name - 1] = 0;
	set_up();
	for (size_t i = 0; i < sizeof owners / sizeof *owners; i++) {
		struct tls *tls;

		make_pair(owners[i].name, owners[i].common_name, time(NULL) + DAY_S);
		ck_assert_msg(!tls_read(&tls, &files, &warning, &e), "%s", e.text);
		ck_assert_msg(strstr(tls_summary(tls), owners[i].says), "%s", tls_summary(tls));
		ck_assert_str_eq(warning.text, "");
		tls_free(tls);
	}
	tear_down();
}
END_TEST

/* Of two warnings the one about the key counts. */
START_TEST(what_it_warns_of)
{
	struct tls *tls;

	set_up();
	make_pair("a.example", NULL, time(NULL) - DAY_S);
	ck_assert_int_eq(tls_read(&tls, &files, &warning, &e), 0);
	ck_assert_msg(strstr(warning.text, "clients refuse it"), "%s", warning.text);
	tls_free(tls);
	ck_assert_int_eq(chmod(key_path, 0644), 0);
	ck_assert_int_eq(tls_read(&tls, &files, &warning, &e), 0);
	ck_assert_msg(strstr(warning.text, "chmod 600"), "%s", warning.text);
	tls_free(tls);
	tear_down();
}
END_TEST

/* Where a call for the summary is refused the certificate is read nevertheless. */
START_TEST(it_is_read_or_says_why)
{
	static const int errors[] = { GNUTLS_E_MEMORY_ERROR, GNUTLS_E_INTERNAL_ERROR };

	set_up();
	make_pair("a.example", NULL, time(NULL) + DAY_S);
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
		int failures = 0;
		bool fired;
		long n = 0;

		refused_with = errors[i];
		do {
			struct tls *tls;
			int rc;

			e.text[0] = 0;
			refuse(++n);
			rc = tls_read(&tls, &files, &warning, &e);
			fired = was_refused();
			failures += rc != 0;
			ck_assert_msg(rc ? !tls && fired && e.text[0] : tls && *tls_summary(tls),
					"call %ld: %d %s", n, rc, e.text);
			/* that of the C library is used up where a file is opened */
			if (errors[i] == GNUTLS_E_MEMORY_ERROR && !strstr(e.text, "cannot be read"))
				ck_assert_msg(!rc || rc == ERR_NOMEM, "call %ld: %d %s", n, rc, e.text);
			tls_free(tls);
		} while (fired && n < MOST_CALLS);
		ck_assert(!fired);
		ck_assert_int_ge(failures, 8);
	}
	tear_down();
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { whose_it_is, what_it_warns_of, it_is_read_or_says_why, NULL };

	return suite_main("the files of TLS", tests, 60);
}
