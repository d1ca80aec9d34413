/* token.c - see token.h. What is asked is the document of POST /v1/tokens, with a daemon or without. */
#include "server/admin/token.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/admin/owner.h"
#include "server/api/tokens.h"
#include "server/codec/json.h"

static int failed(const struct err *e)
{
	fprintf(stderr, "descentd: %s\n", e->text);
	return EXIT_FAILURE;
}

/* A list with commas as an array. */
static json_t *list_array(const char *list)
{
	json_t *out = json_array();

	for (size_t n; *list; list += n + (list[n] == ',')) {
		size_t length;

		list += strspn(list, " ");
		length = n = strcspn(list, ",");
		while (length && list[length - 1] == ' ')
			length--;
		json_append(out, json_stringn(list, length));
	}
	return out;
}

static json_t *asked_limits(const struct config *config)
{
	const struct {
		const char *name;
		uint64_t value, none;
	} limits[] = {
		{ "models", config->token_max_models, UINT32_MAX },
		{ "datasets", config->token_max_datasets, UINT32_MAX },
		{ "bytes", config->token_max_bytes, 0 },
		{ "jobs", config->token_max_jobs, UINT32_MAX },
	};
	json_t *out = json_object();

	for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
		if (limits[i].value != limits[i].none)
			json_put(out, limits[i].name, json_integer((json_int_t)limits[i].value));
	return out;
}

static json_t *asked_document(const struct config *config)
{
	json_t *out = json_object();
	uint64_t seconds;

	json_put(out, "name", json_string(config->arguments[0]));
	json_put(out, "roles", list_array(config->token_roles));
	if (config->token_models) json_put(out, "models", list_array(config->token_models));
	if (config->token_expires && token_duration(config->token_expires, &seconds))
		json_put(out, "expires_seconds", json_integer((json_int_t)seconds));
	if (config->token_rate) json_put(out, "rate", json_real(strtod(config->token_rate, NULL)));
	json_put(out, "limits", asked_limits(config));
	return out;
}

/* By the daemon behind the socket, or by the store. */
static int make(const struct config *config, const json_t *document, json_t **out, struct err *e)
{
	struct faults *faults = calloc(1, sizeof *faults);
	struct store_token made;
	struct store *store;
	char *socket;
	int rc = faults ? owner_make(config->db, &store, &socket, e) : err_nomem(e);

	if (!rc && socket) {
		rc = owner_ask(socket, "POST", "/v1/tokens", document, out, e);
		free(socket);
	} else if (!rc) {
		rc = token_make(store, document, faults, &made, out, e);
		if (!rc) store_token_clear(&made);
		store->close(store);
	}
	free(faults);
	return rc;
}

/* What was printed has arrived. */
static int shown(const char *what)
{
	if (!fflush(stdout) && !ferror(stdout)) return EXIT_SUCCESS;
	fprintf(stderr, "descentd: %s could not be written: %s\n", what, strerror(errno));
	return EXIT_FAILURE;
}

int admin_token_create(const struct config *config)
{
	json_t *document = asked_document(config), *made = NULL;
	char what[80];
	struct err e;
	int rc = document ? make(config, document, &made, &e) : err_nomem(&e);

	json_decref(document);
	if (rc) return failed(&e);
	fprintf(stderr, "token %s \"%s\" was made; this is it, and it is not shown again:\n",
			json_string_value(json_object_get(made, "id")),
			json_string_value(json_object_get(made, "name")));
	printf("%s\n", json_string_value(json_object_get(made, "token")));
	snprintf(what, sizeof what, "token %s was made, and is to be revoked: it",
			json_string_value(json_object_get(made, "id")));
	json_decref(made);
	return shown(what);
}

/* An array of strings with commas between; "-" for null. */
static void print_list(const json_t *array, int width)
{
	char text[256] = "";
	const json_t *item;
	size_t i;

	json_array_foreach(array, i, item) snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s",
			i ? "," : "", json_string_value(item));
	printf("  %-*s", width, *text ? text : "-");
}

static void print_token(const json_t *token)
{
	const json_t *expires = json_object_get(token, "expires_at");

	printf("%-4s  %-20s", json_string_value(json_object_get(token, "id")),
			json_string_value(json_object_get(token, "name")));
	print_list(json_object_get(token, "roles"), 24);
	print_list(json_object_get(token, "models"), 16);
	printf("  %s\n", json_is_string(expires) ? json_string_value(expires) : "never");
}

int admin_token_list(const struct config *config)
{
	struct store *store;
	json_t *out = NULL;
	char *socket;
	struct err e;
	int rc = owner_reach(config->db, &store, &socket, &e);
	size_t i;
	const json_t *token;

	if (!rc && socket)
		rc = owner_ask(socket, "GET", "/v1/tokens", NULL, &out, &e);
	else if (!rc) {
		rc = tokens_list(store, &out, &e);
		store->close(store);
	}
	free(socket);
	if (rc) return failed(&e);
	printf("%-4s  %-20s  %-24s  %-16s  %s\n", "ID", "NAME", "ROLES", "MODELS", "EXPIRES");
	json_array_foreach(json_object_get(out, "tokens"), i, token) print_token(token);
	json_decref(out);
	return shown("the list of tokens");
}

int admin_token_revoke(const struct config *config)
{
	const char *id = config->arguments[0];
	struct store *store = NULL;
	char *socket = NULL, path[64];
	json_t *out = NULL;
	struct err e;
	int rc;

	if (!*id || strlen(id) > 18 || id[strspn(id, "0123456789")])
		rc = err_set(&e, ERR_INVALID,
				"\"%.60s\" is no token's number; `descentd token list` shows them", id);
	else if (!(rc = owner_reach(config->db, &store, &socket, &e)) && socket) {
		snprintf(path, sizeof path, "/v1/tokens/%s", id);
		rc = owner_ask(socket, "DELETE", path, NULL, &out, &e);
	} else if (!rc)
		rc = store->token_delete(store, strtoll(id, NULL, 10), &e);
	if (store) store->close(store);
	json_decref(out);
	free(socket);
	if (rc) return failed(&e);
	fprintf(stderr, "token %s is revoked\n", id);
	return EXIT_SUCCESS;
}
