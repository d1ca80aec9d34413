/* preload.c - versions into memory before anybody asks. See registry.h. */
#include <stdlib.h>

#include "server/registry/registry.h"

#define PAGE 100 /* models that are looked at together */

/* What cannot be loaded stays in the store. */
static void load_one(struct registry *registry, const char *model, struct registry_preloaded *out)
{
	struct registry_state state;
	struct err e;
	int rc = registry_warm(registry, model, &e);

	if (rc == ERR_NO_VERSION || rc == ERR_NOT_FOUND) return; /* it was not trained, or went meanwhile */
	if (rc) {
		if (!out->failed++) out->why = e;
		return;
	}
	registry_state(registry, &state);
	out->full = state.evictions;
	out->loaded += !out->full;
}

int registry_preload(
		struct registry *registry, struct store *store, struct registry_preloaded *out, struct err *e)
{
	size_t count = PAGE;
	char *after = NULL;
	int rc = 0;

	*out = (struct registry_preloaded){ 0 };
	while (!rc && count == PAGE && !out->full) {
		struct store_model *models;

		if ((rc = store->model_list(store, after ? after : "", PAGE, &models, &count, e))) break;
		for (size_t i = 0; i < count && !out->full; i++)
			load_one(registry, models[i].name, out);
		free(after);
		after = NULL;
		if (count) {
			after = models[count - 1].name;
			models[count - 1].name = NULL;
		}
		for (size_t i = 0; i < count; i++)
			store_model_clear(&models[i]);
		free(models);
	}
	free(after);
	return rc;
}
