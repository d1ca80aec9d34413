/* store.c - what every store has in common: names of states, and clearing of results. See store.h. */
#include "server/store/store.h"

#include <stdlib.h>
#include <string.h>

void store_bytes_clear(struct store_bytes *bytes)
{
	free(bytes->data);
	*bytes = (struct store_bytes){ 0 };
}

void store_revision_clear(struct store_revision *revision)
{
	free(revision->dataset);
	free(revision->columns);
	*revision = (struct store_revision){ 0 };
}

void store_model_clear(struct store_model *model)
{
	free(model->name);
	free(model->sent);
	free(model->definition);
	free(model->description);
	free(model->metadata);
	for (size_t i = 0; i < model->labels_count; i++)
		free(model->labels[i].label);
	free(model->labels);
	free(model->shares);
	*model = (struct store_model){ 0 };
}

void store_version_clear(struct store_version *version)
{
	free(version->model);
	free(version->metrics);
	free(version->training);
	free(version->dataset);
	free(version->engine);
	*version = (struct store_version){ 0 };
}

void store_job_clear(struct store_job *job)
{
	free(job->model);
	free(job->kind);
	free(job->dataset);
	free(job->config);
	free(job->note);
	free(job->metrics);
	free(job->best);
	free(job->stop_reason);
	free(job->error);
	free(job->results);
	free(job->owner);
	*job = (struct store_job){ 0 };
}

void store_token_clear(struct store_token *token)
{
	free(token->name);
	free(token->models);
	*token = (struct store_token){ 0 };
}

bool store_job_rests(const struct store_job *job)
{
	return job->state == JOB_PAUSED && job->rest && job->epoch >= job->rest && !job->end_requested;
}

void store_event_clear(struct store_event *event)
{
	free(event->topic);
	free(event->kind);
	free(event->name);
	free(event->data);
	*event = (struct store_event){ 0 };
}

void store_answer_clear(struct store_answer *answer)
{
	free(answer->request);
	free(answer->location);
	free(answer->body);
	*answer = (struct store_answer){ 0 };
}

void store_notify_clear(struct store_notify *notify)
{
	free(notify->url);
	*notify = (struct store_notify){ 0 };
}

void store_info_clear(struct store_info *info)
{
	free(info->path);
	*info = (struct store_info){ 0 };
}

/* ---- states of a job ---- */

static const struct {
	const char *name;
	bool ended;
} states[JOB_STATES] = {
	[JOB_QUEUED] = { "queued", false },
	[JOB_RUNNING] = { "running", false },
	[JOB_PAUSED] = { "paused", false },
	[JOB_SUCCEEDED] = { "succeeded", true },
	[JOB_FAILED] = { "failed", true },
	[JOB_CANCELLED] = { "cancelled", true },
};

const char *job_state_name(enum job_state state)
{
	return states[state].name;
}

enum job_state job_state_find(const char *name)
{
	for (int i = 0; i < JOB_STATES; i++)
		if (!strcmp(states[i].name, name)) return (enum job_state)i;
	return JOB_STATES;
}

bool job_state_ended(enum job_state state)
{
	return states[state].ended;
}
