/* crossvalidate.c - POST /v1/models/{m}:crossvalidate: a :train once for each fold, which is held out and validated on in its
 * turn. The job that is answered with has no worker; its children do the work (server/jobs/folds.c). */
#include <string.h>

#include "server/api/document.h"
#include "server/api/jobs.h"
#include "server/api/order.h"
#include "server/codec/fields.h"
#include "server/codec/json.h"

#define FOLDS_DEFAULT 5
#define FOLDS_MIN     2

struct cross {
	uint64_t folds;
	bool stratify, stratify_said;
};

static const struct field fields[] = {
	{ "folds", FIELD_UINT, offsetof(struct cross, folds), FOLDS_MIN, VALIDATION_FOLDS_MAX, false, false },
	{ "stratify", FIELD_BOOL, offsetof(struct cross, stratify), 0, 0, false, false },
	{ 0 },
};

/* What a :train may be told and this may not. */
static void refuse_others(const json_t *document, struct faults *faults)
{
	const json_t *validation = json_object_get(document, "validation"),
		     *from = json_object_get(document, "from");

	if (validation && !json_is_null(validation))
		faults_add(faults, ERR_INVALID, "/validation",
				"each fold is validated on in its turn; leave it out");
	if (json_is_string(from) && strcmp(json_string_value(from), "scratch"))
		faults_add(faults, ERR_INVALID, "/from",
				"each fold starts from scratch, as a version may have seen the rows that are held out");
}

static void read_cross(struct order *o)
{
	struct cross *cross = o->own;
	json_t *mine = json_object();

	if (!mine) return; /* who called asks for that */
	for (const struct field *f = fields; f->name; f++) {
		json_t *value = json_object_get(o->document, f->name);

		if (value) json_object_set(mine, f->name, value);
	}
	cross->stratify_said = json_object_get(mine, "stratify") != NULL;
	fields_read(mine, fields, cross, "", o->faults);
	json_decref(mine);
	refuse_others(o->document, o->faults);
	for (const struct field *f = fields; f->name; f++)
		json_object_del(o->document, f->name);
	json_object_del(o->document, "validation");
	json_object_del(o->document, "from");
}

/* The children's validation, as far as all have the same. */
static void check_cross(struct order *o)
{
	struct cross *cross = o->own;
	bool classifies = definition_classifies(&o->definition);

	if (!cross->stratify_said) cross->stratify = classifies;
	if (cross->stratify && !classifies)
		faults_add(o->faults, ERR_INVALID, "/stratify",
				"needs a model with one target, a category, whose classes are dealt out evenly");
	if (cross->folds > o->revision.rows)
		faults_add(o->faults, ERR_RANGE, "/folds",
				"%llu folds need at least %llu rows, and there are %llu",
				(unsigned long long)cross->folds, (unsigned long long)cross->folds,
				(unsigned long long)o->revision.rows);
	if (o->faults->count) return;
	o->request.validation_said = true;
	o->request.validation = (struct train_validation){
		.fold = 1, .of = cross->folds, .stratify = cross->stratify, .stratify_said = true
	};
}

/* The values of the target, as far as the description of its column lists them. */
static const json_t *target_values(const json_t *columns, const char *target)
{
	const json_t *column;
	size_t i;

	json_array_foreach((json_t *)columns, i, column)
	{
		const char *name = json_string_value(json_object_get(column, "name"));

		if (name && !strcmp(name, target)) return json_object_get(column, "values");
	}
	return NULL;
}

/* A class with fewer rows than there are folds is missing where some are validated on. */
static bool warn_of_classes(const struct order *o, json_t *warnings)
{
	const struct cross *cross = o->own;
	json_t *columns = stored_document(o->revision.columns);
	const json_t *value;
	size_t i;
	bool whole = true;

	json_array_foreach((json_t *)target_values(columns, o->definition.outputs[0].name), i, value)
	{
		json_int_t count = json_integer_value(json_object_get(value, "count"));
		const char *name = json_string_value(json_object_get(value, "value"));

		if (!name || count >= (json_int_t)cross->folds) continue;
		whole &= json_append(warnings,
				json_sprintf("the class \"%s\" has %d rows, fewer than there are folds: "
					     "some are validated on without it",
						name, (int)count));
	}
	json_decref(columns);
	return whole;
}

static int submit_cross(struct order *o, struct reply *rp, struct err *e)
{
	const struct cross *cross = o->own;
	json_t *config, *warnings;
	bool whole;

	if (!order_config(o, &config, &warnings)) return err_nomem(e);
	whole = json_put(config, "validation", json_null());
	whole &= json_put(config, "folds", json_integer((json_int_t)cross->folds));
	whole &= json_put(config, "stratify", json_boolean(cross->stratify));
	if (definition_classifies(&o->definition)) whole &= warn_of_classes(o, warnings);
	if (!whole) {
		json_decref(config);
		config = NULL;
	}
	return order_submit(o, "crossvalidate", true, o->request.core.epochs * cross->folds, config, warnings,
			rp, e);
}

int model_crossvalidate(struct request *rq, struct reply *rp, struct err *e)
{
	static const struct order_verb verb = {
		.read = read_cross, .check = check_cross, .act = submit_cross, .keeps_data = true
	};

	struct cross cross = { .folds = FOLDS_DEFAULT };

	return order_take(rq, rp, &verb, &cross, e);
}
