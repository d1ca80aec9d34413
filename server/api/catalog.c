/* catalog.c - /v1/catalog, read from the engine's tables: what trains is what is described. */
#include "server/api/catalog.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/activation.h"
#include "core/init.h"
#include "core/loss.h"
#include "core/metrics.h"
#include "core/optim.h"
#include "core/schedule.h"
#include "server/api/document.h"
#include "server/codec/json.h"

/* What every kind of row can say; NULL is left out. */
struct row {
	const char *name, *formula, *derivative, *range, *source;
	bool shaped; /* nonlinear and differentiable are said */
	bool nonlinear, differentiable;
	const struct param *params;
};

static bool activation_row(size_t i, struct row *row)
{
	const struct activation *a = activation_at(i);

	if (a)
		*row = (struct row){ a->name, a->formula, a->derivative, a->range, a->source, true,
			a->nonlinear, a->differentiable, a->params };
	return a;
}

static bool loss_row(size_t i, struct row *row)
{
	const struct loss *l = loss_at(i);

	if (l)
		*row = (struct row){ l->name, l->formula, l->derivative, l->range, l->source, true, true,
			l->differentiable, l->params };
	return l;
}

static bool optimizer_row(size_t i, struct row *row)
{
	const struct optimizer *o = optim_at(i);

	if (o)
		*row = (struct row){
			.name = o->name, .formula = o->formula, .source = o->source, .params = o->params
		};
	return o;
}

static bool initializer_row(size_t i, struct row *row)
{
	const struct initializer *n = init_at(i);

	if (n)
		*row = (struct row){
			.name = n->name, .formula = n->formula, .source = n->source, .params = n->params
		};
	return n;
}

static bool schedule_row(size_t i, struct row *row)
{
	const struct schedule *s = schedule_at(i);

	if (s)
		*row = (struct row){ s->name, s->formula, s->derivative, s->range, s->source, true,
			s->nonlinear, s->differentiable, s->params };
	return s;
}

static bool metric_row(size_t i, struct row *row)
{
	const struct metric *m = metric_at(i);

	if (m)
		*row = (struct row){ .name = m->name,
			.formula = m->formula,
			.range = m->range,
			.source = m->source,
			.params = m->params };
	return m;
}

static const struct kind {
	const char *name;
	bool (*at)(size_t i, struct row *row); /* false past the end */
} kinds[] = {
	{ "activations", activation_row },
	{ "losses", loss_row },
	{ "optimizers", optimizer_row },
	{ "schedules", schedule_row },
	{ "initializers", initializer_row },
	{ "metrics", metric_row },
};
#define KINDS (sizeof kinds / sizeof *kinds)

static void bound_text(double value, char out[32])
{
	if (isinf(value))
		strcpy(out, value > 0 ? "inf" : "-inf");
	else
		snprintf(out, 32, "%.9g", value);
}

static json_t *params_document(const struct param *params)
{
	json_t *out = json_array();
	char low[32], high[32];

	for (size_t i = 0; params && i < params_count(params); i++) {
		json_t *param = json_object();

		bound_text(params[i].min, low);
		bound_text(params[i].max, high);
		json_put(param, "name", json_string(params[i].name));
		json_put(param, "type", json_string(params[i].list ? "numbers" : "number"));
		json_put(param, "default",
				!params[i].list             ? json_real(params[i].fallback)
				: isnan(params[i].fallback) ? json_array()
							    : json_pack("[f]", params[i].fallback));
		json_put(param, "range",
				json_sprintf("%s%s, %s%s", params[i].min_open ? "(" : "[", low, high,
						params[i].max_open || isinf(params[i].max) ? ")" : "]"));
		json_put(param, "meaning", json_string(params[i].meaning));
		json_array_append_new(out, param);
	}
	return out;
}

static json_t *row_document(const struct kind *kind, const struct row *row)
{
	json_t *out = json_object();

	json_put(out, "kind", json_string(kind->name));
	json_put(out, "name", json_string(row->name));
	json_put(out, "formula", json_string(row->formula));
	if (row->derivative) json_put(out, "derivative", json_string(row->derivative));
	if (row->range) json_put(out, "range", json_string(row->range));
	if (row->shaped) json_put(out, "nonlinear", json_boolean(row->nonlinear));
	if (row->shaped) json_put(out, "differentiable", json_boolean(row->differentiable));
	json_put(out, "parameters", params_document(row->params));
	json_put(out, "source", json_string(row->source));
	return out;
}

int catalog_get(struct request *rq, struct reply *rp, struct err *e)
{
	json_t *out = json_object();
	struct row row;

	(void)rq;
	for (size_t k = 0; k < KINDS; k++) {
		json_t *list = json_array();

		for (size_t i = 0; kinds[k].at(i, &row); i++)
			json_array_append_new(list, row_document(&kinds[k], &row));
		json_put(out, kinds[k].name, list);
	}
	return reply_document(rp, out, e);
}

int catalog_entry(struct request *rq, struct reply *rp, struct err *e)
{
	const char *kind = request_param(rq, "kind"), *name = request_param(rq, "name");
	struct row row;

	for (size_t k = 0; k < KINDS; k++) {
		if (strcmp(kinds[k].name, kind)) continue;
		for (size_t i = 0; kinds[k].at(i, &row); i++)
			if (!strcmp(row.name, name))
				return reply_document(rp, row_document(&kinds[k], &row), e);
		return err_set(e, ERR_NOT_FOUND, "the catalogue has nothing called \"%.64s\" among its %s",
				name, kind);
	}
	return err_set(e, ERR_NOT_FOUND, "the catalogue has no \"%.64s\"; /v1/catalog shows what there is",
			kind);
}
