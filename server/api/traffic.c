/* traffic.c - /v1/models/{model}/traffic: which versions answer what part of the requests that name none, and which is asked
 * beside them: {"2":0.9,"3":0.1,"shadow":"4"}. See server/registry/traffic.h.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/api/document.h"
#include "server/api/models.h"
#include "server/codec/json.h"
#include "server/registry/traffic.h"

#define SHARES_MAX (TRAFFIC_VERSIONS_MAX + 1) /* with the shadow */

struct said {
	struct store_share shares[SHARES_MAX];
	size_t count;
	double weights; /* of all */
};

/* A version's digits as we write them; 0: no such text. */
static uint64_t read_version(const char *text)
{
	size_t n = text ? strlen(text) : 0;

	if (!n || n > 18 || *text == '0' || strspn(text, "0123456789") != n) return 0;
	return strtoull(text, NULL, 10);
}

static void read_shadow(const json_t *value, struct said *said, struct faults *faults)
{
	uint64_t version = read_version(json_string_value(value));

	if (json_is_null(value)) return;
	if (!version)
		faults_add(faults, ERR_INVALID, "/shadow", "must be a version's digits, as in \"4\"");
	else
		said->shares[said->count++] = (struct store_share){ version, 0, true };
}

static void read_weight(const char *name, const json_t *value, struct said *said, struct faults *faults)
{
	uint64_t version = read_version(name);
	double weight = json_number_value(value);
	char at[FAULT_POINTER_BYTES];

	pointer_join(at, "", name);
	if (!version)
		faults_add(faults, ERR_UNKNOWN_FIELD, at,
				"is neither a version's digits nor \"shadow\", as in {\"2\":0.9,\"3\":0.1,\"shadow\":\"4\"}");
	else if (!json_is_number(value) || !(weight >= 0) || !isfinite(weight))
		faults_add(faults, ERR_INVALID, at, "must be a number, 0 or more: the version's part of all");
	else if (said->count == TRAFFIC_VERSIONS_MAX)
		faults_add(faults, ERR_RANGE, "", "at most %d versions share the traffic",
				TRAFFIC_VERSIONS_MAX);
	else
		said->shares[said->count++] = (struct store_share){ version, weight, false };
	if (json_is_number(value)) said->weights += weight;
}

static void read_traffic(const json_t *document, struct said *said, struct faults *faults)
{
	const char *name;
	json_t *value;
	const json_t *shadow = json_object_get(document, "shadow");

	if (!json_is_object(document)) {
		faults_add(faults, ERR_INVALID, "", "must be an object, as in {\"2\":0.9,\"3\":0.1}");
		return;
	}
	json_object_foreach((json_t *)document, name, value) if (value != shadow)
			read_weight(name, value, said, faults);
	if (!faults->count && said->count && !(said->weights > 0 && isfinite(said->weights)))
		faults_add(faults, ERR_RANGE, "", "one of the weights must be above 0");
	for (size_t i = 0; i < said->count; i++)
		if (said->shares[i].version == read_version(json_string_value(shadow)))
			faults_add(faults, ERR_INVALID, "/shadow", "has a weight already");
	if (shadow && !faults->count) read_shadow(shadow, said, faults);
}

json_t *traffic_document(const struct store_model *model)
{
	json_t *out = json_object();

	for (size_t i = 0; i < model->shares_count; i++) {
		const struct store_share *share = &model->shares[i];
		char digits[24];

		snprintf(digits, sizeof digits, "%llu", (unsigned long long)share->version);
		if (share->shadow)
			json_put(out, "shadow", json_string(digits));
		else
			json_put(out, digits, json_real(share->weight));
	}
	return out;
}

int traffic_show(struct request *rq, struct reply *rp, struct err *e)
{
	struct app *app = rq->app;
	struct store_model model = { 0 };
	int rc = app->store->model_get(app->store, request_param(rq, "model"), &model, e);

	if (!rc) rc = reply_document(rp, traffic_document(&model), e);
	store_model_clear(&model);
	return rc;
}

static int change(struct request *rq, const struct said *said, struct err *e)
{
	struct app *app = rq->app;
	const char *model = request_param(rq, "model");
	int rc = app->store->traffic_set(app->store, model, said->shares, said->count, e);

	if (!rc) registry_forget(app->registry, model);
	return rc;
}

int traffic_change(struct request *rq, struct reply *rp, struct err *e)
{
	struct faults *faults = request_faults(rq);
	struct said said = { 0 };
	json_t *document = NULL;
	int rc;

	if (!faults) return err_nomem(e);
	if ((rc = request_document(rq, &document, e))) return rc;
	/* Is the model there at all? That goes before what is wrong with the body. */
	if (!(rc = traffic_show(rq, rp, e))) {
		rp->body.size = 0;
		read_traffic(document, &said, faults);
		rc = faults_result(faults, e);
	}
	if (!rc && !(rc = change(rq, &said, e))) rc = traffic_show(rq, rp, e);
	json_decref(document);
	return rc;
}

int traffic_end(struct request *rq, struct reply *rp, struct err *e)
{
	int rc = change(rq, &(struct said){ 0 }, e);

	if (!rc) rp->status = 204;
	return rc;
}
