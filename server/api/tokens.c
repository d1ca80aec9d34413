/* tokens.c - /v1/tokens: who may do what. And /v1/session, which makes a cookie of a token for a browser's pages.
 *
 * A token is shown by the answer that makes it and never again. It cannot be changed: who needs another one makes it, and
 * ends the first. See server/auth/token.h.
 */
#include "server/api/tokens.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/api/document.h"
#include "server/api/system.h"
#include "server/codec/fields.h"
#include "server/codec/json.h"

#define EXPIRES_MAX (100.0 * 366 * 86400) /* seconds */
#define QUOTA_MAX   1e15

/* By enum store_quota. */
static const char *const quota_names[STORE_QUOTAS] = { "models", "datasets", "bytes", "jobs" };

/* ---- what is asked for ---- */

struct asked {
	const char *name;
	json_t *roles, *models, *limits;
	double rate;
	uint64_t expires_seconds;
};

static const struct field fields[] = {
	{ "name", FIELD_STRING, offsetof(struct asked, name), 0, 0, false, false },
	{ "roles", FIELD_ANY, offsetof(struct asked, roles), 0, 0, false, false },
	{ "models", FIELD_ANY, offsetof(struct asked, models), .may_be_null = true },
	{ "expires_seconds", FIELD_UINT, offsetof(struct asked, expires_seconds), 1, EXPIRES_MAX,
			.may_be_null = true },
	{ "rate", FIELD_REAL, offsetof(struct asked, rate), 0, TOKEN_RATE_MAX, .min_open = true,
			.may_be_null = true },
	{ "limits", FIELD_ANY, offsetof(struct asked, limits), .may_be_null = true },
	{ 0 },
};

/* An array of strings as a list with commas, of at most size - 1 bytes. */
static bool read_list(const json_t *array, const char *pointer, const char *what, char *out, size_t size,
		struct faults *faults)
{
	size_t used = 0, index;
	const json_t *item;

	*out = 0;
	if (!json_is_array(array) || !json_array_size(array)) {
		faults_add(faults, ERR_INVALID, pointer, "must be an array of %s, and not empty", what);
		return false;
	}
	json_array_foreach(array, index, item)
	{
		const char *text = json_string_value(item);
		int n = snprintf(out + used, size - used, "%s%s", index ? "," : "", text ? text : "");

		if (!text || strchr(text, ',') || (size_t)n >= size - used) {
			faults_add(faults, ERR_INVALID, pointer,
					"must be an array of %s of at most %zu bytes in all", what, size);
			return false;
		}
		used += (size_t)n;
	}
	return true;
}

static void read_roles(const json_t *roles, struct store_token *token, struct faults *faults)
{
	char list[256];

	if (!roles)
		faults_add(faults, ERR_MISSING_FIELD, "/roles",
				"is missing: some of read, predict, train, admin");
	else if (read_list(roles, "/roles", "roles", list, sizeof list, faults) &&
			!token_roles_read(list, &token->roles))
		faults_add(faults, ERR_INVALID, "/roles", "must be some of read, predict, train, admin");
}

/* models is where the list is put. */
static void read_models(const json_t *patterns, char models[TOKEN_MODELS_MAX + 1], struct faults *faults)
{
	if (!patterns || !read_list(patterns, "/models", "patterns", models, TOKEN_MODELS_MAX + 1, faults))
		return;
	if (!token_models_valid(models))
		faults_add(faults, ERR_INVALID, "/models",
				"must be names of models, where * stands for any letters and ? for one: [\"iris*\"]");
}

static void read_limits(const json_t *limits, struct store_token *token, struct faults *faults)
{
	static const struct field quotas[] = {
		{ "models", FIELD_UINT, sizeof(int64_t) * STORE_QUOTA_MODELS, 0, QUOTA_MAX,
				.may_be_null = true },
		{ "datasets", FIELD_UINT, sizeof(int64_t) * STORE_QUOTA_DATASETS, 0, QUOTA_MAX,
				.may_be_null = true },
		{ "bytes", FIELD_UINT, sizeof(int64_t) * STORE_QUOTA_BYTES, 0, QUOTA_MAX,
				.may_be_null = true },
		{ "jobs", FIELD_UINT, sizeof(int64_t) * STORE_QUOTA_JOBS, 0, QUOTA_MAX, .may_be_null = true },
		{ 0 },
	};

	for (int i = 0; i < STORE_QUOTAS; i++)
		token->quotas[i] = STORE_NO_QUOTA;
	if (limits) fields_read(limits, quotas, token->quotas, "/limits", faults);
}

static int read_token(const json_t *document, struct faults *faults, struct store_token *token, struct err *e)
{
	struct asked asked = { 0 };
	char models[TOKEN_MODELS_MAX + 1] = "";
	int rc;

	fields_read(document, fields, &asked, "", faults);
	if (json_is_object(document)) {
		if (!json_object_get(document, "name"))
			faults_add(faults, ERR_MISSING_FIELD, "/name",
					"is missing: what you will know it by");
		else if (asked.name && !token_name_valid(asked.name))
			faults_add(faults, ERR_NAME, "/name", "must match [A-Za-z0-9][A-Za-z0-9._-]{0,63}");
		read_roles(asked.roles, token, faults);
		read_models(asked.models, models, faults);
		read_limits(asked.limits, token, faults);
	}
	if ((rc = faults_result(faults, e))) return rc;
	token->rate = asked.rate;
	if (asked.expires_seconds)
		token->expires_ms = ((int64_t)time(NULL) + (int64_t)asked.expires_seconds) * 1000;
	/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): no name is a fault */
	token->name = strdup(asked.name);
	token->models = *models ? strdup(models) : NULL;
	return token->name && (!*models || token->models) ? 0 : err_nomem(e);
}

/* ---- what is shown ---- */

static json_t *list_document(const char *list)
{
	json_t *out = json_array();

	for (size_t n; *list; list += n + (list[n] == ',')) {
		n = strcspn(list, ",");
		json_append(out, json_stringn(list, n));
	}
	return out;
}

static json_t *token_document(const struct store_token *token)
{
	json_t *out = json_object(), *limits = json_object();
	char roles[TOKEN_ROLES_BYTES];

	for (int i = 0; i < STORE_QUOTAS; i++)
		json_put(limits, quota_names[i],
				token->quotas[i] == STORE_NO_QUOTA ? json_null()
								   : json_integer(token->quotas[i]));
	json_put(out, "id", json_id(token->id));
	json_put(out, "name", json_string(token->name));
	json_put(out, "roles", list_document(token_roles_text(token->roles, roles)));
	json_put(out, "models", token->models ? list_document(token->models) : json_null());
	json_put(out, "rate", token->rate > 0 ? json_real(token->rate) : json_null());
	json_put(out, "limits", limits);
	json_put(out, "created_at", json_time(token->created_ms));
	json_put(out, "expires_at", json_time(token->expires_ms));
	return out;
}

int token_make(struct store *store, const json_t *document, struct faults *faults, struct store_token *made,
		json_t **out, struct err *e)
{
	char text[TOKEN_TEXT_BYTES];
	int rc;

	*made = (struct store_token){ 0 };
	*out = NULL;
	if ((rc = read_token(document, faults, made, e)) || (rc = token_draw(made, text, e)) ||
			(rc = store->token_create(store, made, e)))
		goto out;
	*out = token_document(made);
	if (!json_put(*out, "token", json_string(text))) rc = err_nomem(e);
	if (rc) store->token_delete(store, made->id, NULL); /* nobody would know it */
out:
	explicit_bzero(text, sizeof text);
	if (!rc) return 0;
	json_decref(*out);
	*out = NULL;
	store_token_clear(made);
	return rc;
}

int tokens_list(struct store *store, json_t **out, struct err *e)
{
	struct store_token *list;
	json_t *items = json_array();
	bool whole = items;
	size_t count;
	int rc = store->token_list(store, &list, &count, e);

	for (size_t i = 0; i < count; i++) {
		whole = json_append(items, token_document(&list[i])) && whole;
		store_token_clear(&list[i]);
	}
	free(list);
	*out = rc ? NULL : json_object();
	if (!rc && (!json_put(*out, "tokens", items) || !whole)) {
		json_decref(*out);
		*out = NULL;
		return err_nomem(e);
	}
	if (rc) json_decref(items);
	return rc;
}

/* ---- /v1/tokens ---- */

int token_post(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	struct faults *faults = request_faults(rq);
	struct store_token made = { 0 };
	json_t *document = NULL, *out = NULL;
	int rc;

	if (!faults) return err_nomem(e);
	if ((rc = request_document(rq, &document, e))) return rc;
	rc = token_make(app->store, document, faults, &made, &out, e);
	json_decref(document);
	if (rc) return rc;
	if ((rc = auth_add(app->auth, &made, e))) {
		app->store->token_delete(app->store, made.id, NULL);
		json_decref(out);
	} else {
		rp->status = 201;
		reply_header(rp, "Location", "/v1/tokens/%lld", (long long)made.id);
		reply_header(rp, "Cache-Control", "no-store");
		rc = reply_document(rp, out, e);
	}
	store_token_clear(&made);
	return rc;
}

int token_list(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	json_t *out;
	int rc = tokens_list(app->store, &out, e);

	return rc ? rc : reply_document(rp, out, e);
}

int token_get(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	struct store_token *list;
	json_t *found = NULL;
	bool there = false;
	uint64_t id;
	size_t count;
	int rc;

	if ((rc = request_number(rq, "token", "token", &id, e))) return rc;
	rc = app->store->token_list(app->store, &list, &count, e);
	for (size_t i = 0; i < count; i++) {
		if ((uint64_t)list[i].id == id) {
			there = true;
			found = token_document(&list[i]);
		}
		store_token_clear(&list[i]);
	}
	free(list);
	if (rc) return rc;
	if (!there) return err_set(e, ERR_NOT_FOUND, "there is no token %llu", (unsigned long long)id);
	if (!found) return err_nomem(e);
	return reply_document(rp, found, e);
}

int token_delete(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	uint64_t id;
	int rc;

	if ((rc = request_number(rq, "token", "token", &id, e)) ||
			(rc = app->store->token_delete(app->store, (int64_t)id, e)))
		return rc;
	auth_revoke(app->auth, (int64_t)id);
	rp->status = 204;
	return 0;
}

/* ---- /v1/session ---- */

/* Lax would send it along when a link elsewhere leads here; nothing here is meant for that. */
#define COOKIE_ATTRIBUTES "; Path=/; HttpOnly; SameSite=Strict"

static json_t *session_document(const struct request *rq, int64_t until_ms)
{
	json_t *out = json_object();
	char roles[TOKEN_ROLES_BYTES];

	json_put(out, "token", rq->token ? json_id(rq->token) : json_null());
	json_put(out, "roles", list_document(token_roles_text(rq->roles, roles)));
	json_put(out, "expires_at", json_time(until_ms));
	return out;
}

int session_post(struct request *rq, struct reply *rp, struct err *e)
{
	const struct app *app = rq->app;
	char cookie[AUTH_COOKIE_BYTES];
	int64_t until_seconds;
	int rc = auth_session(app->auth, rq->headers[HEADER_AUTHORIZATION], cookie, &until_seconds, e);

	if (rc) return rc;
	reply_header(rp, "Set-Cookie", "%s; Max-Age=%lld%s%s", cookie,
			(long long)(until_seconds - time(NULL)), COOKIE_ATTRIBUTES,
			rq->secure ? "; Secure" : "");
	reply_header(rp, "Cache-Control", "no-store");
	return reply_document(rp, session_document(rq, until_seconds * 1000), e);
}

int session_get(struct request *rq, struct reply *rp, struct err *e)
{
	return reply_document(rp, session_document(rq, 0), e);
}

int session_delete(struct request *rq, struct reply *rp, struct err *e)
{
	const struct app *app = rq->app;

	(void)e;
	auth_session_end(app->auth, rq->headers[HEADER_COOKIE]);
	rp->status = 204;
	reply_header(rp, "Set-Cookie", "%s=; Max-Age=0%s", auth_session_name(app->auth), COOKIE_ATTRIBUTES);
	return 0;
}
