/* tls.h - TLS: the certificate that clients see, the key behind it, and whose certificates clients must have.
 *
 * A struct tls is one reading of the files and never changes. Another one may take its place while the server runs
 * (http_set_tls); connections that are open keep what they began with.
 */
#ifndef SERVER_HTTP_TLS_H
#define SERVER_HTTP_TLS_H

#include <stdbool.h>

#include "core/err.h"

struct MHD_Connection;
struct MHD_OptionItem;
struct tls;

struct tls_files {             /* paths of PEM files, borrowed for the call */
	const char *cert;      /* the server's certificate and those between it and a root */
	const char *key;       /* of that certificate, without a password */
	const char *client_ca; /* clients need a certificate that one of these has signed; NULL: they need none */
};

/* *out is new (tls_free). *warning gets a sentence for the log, else "": others on this machine can read the key, or the
 * certificate has expired. ERR_IO: a file cannot be read; ERR_INVALID: it is not what it should be, or key and certificate
 * are no pair; ERR_NOMEM. */
int tls_read(struct tls **out, const struct tls_files *files, struct err *warning, struct err *e);
void tls_free(struct tls *tls); /* NULL is fine */
/* Whose the certificate is, and until when; borrowed from tls. */
const char *tls_summary(const struct tls *tls);

/* ---- inside server/http ---- */

/* What MHD_OPTION_ARRAY gets. NULL: plain HTTP. */
const struct MHD_OptionItem *tls_options(const struct tls *tls);
/* Before the connection's handshake: it is to go by this. */
void tls_begin(const struct tls *tls, struct MHD_Connection *connection);
/* tls takes the place of before, which it frees at its own end. False, and nothing happens: the files of both hold the same. */
bool tls_replace(struct tls *tls, struct tls *before);

#endif
