/* failure.c - why a job failed, and what to try. See failure.h.
 *
 * Causes of what is not a divergence are one table by ERR_ code. Advice to a run that diverged is a table of questions to
 * its configuration: what it already does is not advised.
 */
#include "server/jobs/failure.h"

#include <stdio.h>
#include <string.h>

#include "server/codec/json.h"
#include "server/codec/problem.h"

#define RATE_SHARE   0.1 /* of the learning rate, to try */
#define ADVICES      4
#define ADVICE_BYTES 160
#define CLIP_TO_TRY  1

static const struct {
	int code;
	const char *cause, *advice[ADVICES];
} others[] = {
	{ ERR_CRASHED, "crash",
			{ "look in the daemon's log, and in the system's for a process that was killed for want of memory",
					"fewer threads, a smaller batch_size, fewer units, or a lower --memory-budget",
					"a shorter checkpoint_every_seconds" } },
	{ ERR_NOMEM, "memory",
			{ "fewer jobs at a time: a lower --workers", "a smaller batch_size or fewer units",
					"a higher --memory-budget, where the machine has more" } },
	{ ERR_DISK_FULL, "disk", { "make room on the disk of the database, then train again" } },
	{ ERR_IO, "disk", { "look at the disk of the database and at the log, then train again" } },
	{ ERR_NOT_FOUND, "data",
			{ "train again: the model, the version or the data were deleted meanwhile" } },
	{ ERR_CORRUPT, "data", { "put the data, or the version it goes on from, in their place anew" } },
	{ ERR_INVALID, "data", { "mend the data or the model as the sentence says, then train again" } },
	{ ERR_RANGE, "data",
			{ "change the data, the model or the request as the sentence says, then train again" } },
};

/* ---- a run that diverged ---- */

static const char *const faults[] = {
	[TRAIN_NO_FAULT] = "loss",
	[TRAIN_WEIGHTS] = "weights",
	[TRAIN_ACTIVATIONS] = "activations",
	[TRAIN_LOSS] = "loss",
	[TRAIN_GRADIENT] = "gradient",
};

/* Writes a sentence, or nothing where it does not fit. */
typedef void advise(const struct failure *f, char text[ADVICE_BYTES]);

static void advise_rate(const struct failure *f, char text[ADVICE_BYTES])
{
	const struct train_config *core = &f->request->core;
	const struct param *first = core->optimizer->params;

	if (first->name && !strcmp(first->name, "learning_rate"))
		snprintf(text, ADVICE_BYTES, "a lower learning_rate, as in %.3g in place of %.3g",
				core->optimizer_params[0] * RATE_SHARE, core->optimizer_params[0]);
}

static void advise_clip(const struct failure *f, char text[ADVICE_BYTES])
{
	const struct train_config *core = &f->request->core;

	if (core->optimizer->iterate || core->gradient_clip_norm > 0) return;
	snprintf(text, ADVICE_BYTES, "\"gradient_clip_norm\": %d, so that no step is a leap", CLIP_TO_TRY);
}

static void advise_normal(const struct failure *f, char text[ADVICE_BYTES])
{
	if (f->definition->normalize == NORMALIZE_NONE)
		snprintf(text, ADVICE_BYTES,
				"\"normalize\": \"standard\" in the model, so that its numbers have mean 0 and deviation 1");
}

static void advise_noise(const struct failure *f, char text[ADVICE_BYTES])
{
	if (f->request->core.input_noise > 1 || f->request->core.gradient_noise > 1)
		snprintf(text, ADVICE_BYTES, "less \"noise\"");
}

static bool put_advice(json_t *list, const char *text)
{
	return !*text || !json_array_append_new(list, json_string(text));
}

static json_t *advice_of_divergence(const struct failure *f)
{
	static advise *const rows[] = { advise_rate, advise_clip, advise_normal, advise_noise };
	json_t *list = json_array();
	bool whole = list != NULL;

	for (size_t i = 0; i < sizeof rows / sizeof *rows && f->request; i++) {
		char text[ADVICE_BYTES] = "";

		rows[i](f, text);
		whole &= put_advice(list, text);
	}
	return json_whole(list, whole);
}

static bool put_divergence(json_t *out, const struct failure *f)
{
	const struct train_result *result = f->result;
	bool of_layer = result->fault != TRAIN_LOSS && result->fault != TRAIN_NO_FAULT, whole;

	whole = json_put(out, "cause", json_string(faults[result->fault]));
	whole &= json_put(out, "epoch", json_integer((json_int_t)result->diverged_epoch));
	whole &= json_put(out, "step", json_integer((json_int_t)result->diverged_step));
	whole &= json_put(
			out, "layer", of_layer ? json_integer((json_int_t)result->fault_layer) : json_null());
	return whole & json_put(out, "try", advice_of_divergence(f));
}

/* ---- all others ---- */

static bool put_other(json_t *out, const struct failure *f)
{
	const size_t count = sizeof others / sizeof *others;
	json_t *list = json_array();
	bool whole = list != NULL;
	size_t at = 0;

	while (at < count && others[at].code != f->rc)
		at++;
	for (size_t i = 0; at < count && i < ADVICES && others[at].advice[i]; i++)
		whole &= put_advice(list, others[at].advice[i]);
	whole &= json_put(out, "cause", json_string(at < count ? others[at].cause : "other"));
	whole &= json_put(out, "try", list);
	if (f->rc == ERR_CRASHED) return whole; /* nobody is left who knows where */
	whole &= json_put(out, "epoch", json_integer((json_int_t)f->epoch));
	whole &= json_put(out, "step", json_integer((json_int_t)f->step));
	return whole & json_put(out, "layer", json_null());
}

const char failure_unsaid[] =
		"{\"type\":\"/problems/out-of-memory\",\"title\":\"Out of memory\",\"status\":503,\"code\":\"out-of-memory\","
		"\"detail\":\"it failed, and there was no memory to say why\","
		"\"error\":\"it failed, and there was no memory to say why\",\"cause\":\"memory\","
		"\"try\":[\"fewer jobs at a time: a lower --workers\"]}";

json_t *failure_document(const struct failure *f)
{
	struct problem problem = problem_of(f->rc, false);
	json_t *out = problem_document(&problem, f->e, NULL);

	if (!out) return NULL;
	return json_whole(out, f->rc == ERR_DIVERGED ? put_divergence(out, f) : put_other(out, f));
}
