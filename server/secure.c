/* secure.c - what stands between the daemon and other machines. See secure.h. */
#include "server/secure.h"

/* Options that make sense only together, or never. */
static int check_options(const struct config *config, struct err *e)
{
	if (config->tls_cert && !config->tls_key)
		return err_set(e, ERR_INVALID, "--tls-cert %s needs its key: name it with --tls-key",
				config->tls_cert);
	if (config->tls_key && !config->tls_cert)
		return err_set(e, ERR_INVALID, "--tls-key %s needs its certificate: name it with --tls-cert",
				config->tls_key);
	if (config->client_ca && !config->tls_cert)
		return err_set(e, ERR_INVALID, "--client-ca %s needs TLS: name --tls-cert and --tls-key",
				config->client_ca);
	if (config->no_tls && config->tls_cert)
		return err_set(e, ERR_INVALID,
				"--no-tls and --tls-cert %s exclude each other: keep one of them",
				config->tls_cert);
	return 0;
}

int secure_read(struct tls **out, const struct config *config, struct log *log, struct err *e)
{
	const struct tls_files files = { config->tls_cert, config->tls_key, config->client_ca };
	struct err warning;
	int rc = check_options(config, e);

	*out = NULL;
	if (rc || !config->tls_cert) return rc;
	if ((rc = tls_read(out, &files, &warning, e))) return rc;
	if (warning.text[0]) log_error(log, "%s", warning.text);
	return 0;
}

int secure_public(const struct config *config, bool has_token, struct err *e)
{
	static const char token[] = "a token (`descentd token create NAME`, or --token-file)";
	static const char tls[] =
			"TLS (--tls-cert and --tls-key), or --no-tls where a proxy in front of it speaks TLS";
	bool has_tls = config->tls_cert || config->no_tls;

	if (has_token && has_tls) return 0;
	return err_set(e, ERR_FORBIDDEN,
			"--listen %s can be reached from other machines, and so needs %s%s%s; or listen on 127.0.0.1",
			config->listen, has_token ? "" : token, has_token || has_tls ? "" : ", and ",
			has_tls ? "" : tls);
}
