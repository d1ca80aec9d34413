/* reload.c - SIGHUP. See reload.h.
 *
 * Which options reload, their table says (options.h). Everything that one of them reaches is set anew, changed or not:
 * setting the same value again does nothing.
 */
#include "server/reload.h"

#include <stdio.h>
#include <string.h>

#include "server/api/audit.h"
#include "server/api/webhook.h"
#include "server/options.h"
#include "server/secure.h"

#define NAMES_BYTES 400

/* Adds --name to a list of them. */
static void add_name(char list[NAMES_BYTES], const char *name)
{
	size_t used = strlen(list);

	snprintf(list + used, NAMES_BYTES - used, "%s--%s", used ? ", " : "", name);
}

/* Takes over what reloads; names gets the two lists: what is new, what needs a restart. */
static int take_over(
		struct config *config, const struct config *now, char names[2][NAMES_BYTES], struct err *e)
{
	int rc = 0;

	for (const struct option *option = options; option->name && !rc; option++) {
		if (option_same(option, config, now)) continue;
		add_name(names[!option->reloads], option->name);
		if (option->reloads) rc = option_copy(option, now, config, e);
	}
	return rc;
}

/* *out is new, or NULL: there is no TLS. */
static int read_tls(struct app *app, const struct config *config, const struct config *now, struct tls **out,
		struct err *e)
{
	*out = NULL;
	if (!config->tls_cert == !now->tls_cert) return secure_read(out, now, app->log, e);
	return err_set(e, ERR_INVALID, "--tls-cert is %s, and TLS begins and ends with a restart only",
			now->tls_cert ? "new" : "gone");
}

/* What may be wrong goes first: the files of the token, of the keys and of the certificate. */
static int open_gate(struct app *app, struct http_server *http, const struct config *config,
		const struct config *now, struct err *e)
{
	struct auth_options gate = { config->listen, now->allow_host, now->cors_origin, config->token_file,
		config->token };
	struct webhook_options hooks = { now->webhook_allow, now->webhook_key_file };
	struct tls *tls = NULL;
	struct err warning;
	int rc;

	if ((rc = webhook_can_set(&hooks, e)) || (rc = audit_reopen(app->audit, e)) ||
			(rc = read_tls(app, config, now, &tls, e)) ||
			(rc = auth_reload(app->auth, &gate, &warning, e)))
		goto out;
	if (warning.text[0]) log_error(app->log, "%s", warning.text);
	if (!tls || !http_set_tls(http, tls)) goto out;
	log_info(app->log, "new connections find other files of TLS: %s", tls_summary(tls));
	tls = NULL;
out:
	tls_free(tls);
	return rc;
}

static int take_effect(struct app *app, const struct config *config, struct err *e)
{
	struct webhook_options hooks = { config->webhook_allow, config->webhook_key_file };
	int rc = webhook_set(app->webhook, &hooks, e);

	if (rc) return rc;
	log_set_level(app->log, (enum log_level)config->log_level);
	keeper_set(app->keeper, config->keep_jobs, config->keep_versions);
	atomic_store(&app->workers, config->workers);
	return jobs_set_workers(app->jobs, config->workers, e);
}

void reload(struct app *app, struct http_server *http, struct config *config)
{
	char names[2][NAMES_BYTES] = { "", "" };
	struct config now;
	struct err e;
	int rc = config_read(&now, config->argc, config->argv, config->envp, &e);

	if (rc || open_gate(app, http, config, &now, &e)) {
		log_error(app->log, "SIGHUP changed nothing: %s", e.text);
		config_clear(&now);
		return;
	}
	if (!(rc = take_over(config, &now, names, &e))) rc = take_effect(app, config, &e);
	config_clear(&now);
	log_info(app->log, "options were read again; %s%s", *names[0] ? "changed: " : "nothing is new",
			names[0]);
	if (*names[1]) log_error(app->log, "%s changed too, and counts after a restart only", names[1]);
	if (rc) log_error(app->log, "not everything could be changed: %s", e.text);
}
