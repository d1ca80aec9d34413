/* store.h - what descentd keeps for ever, and the contract of whoever keeps it.
 *
 * A store is a struct of functions; sqlite/ fills it (store_open_sqlite), and another engine will. One suite,
 * tests/unit/store_suite.h, runs on every implementation. Documents (definitions, configurations, metrics) are
 * text that the store does not look into; blobs are bytes it does not look into.
 *
 * Every function may be called from any thread and may wait for the disk, so never from a thread that answers
 * predictions. A write that returned 0 is committed and synced. Results are 0 or an ERR_ code with the sentence
 * in *e: ERR_NOT_FOUND, ERR_CONFLICT as said below, and from every function ERR_NOMEM, ERR_IO, ERR_DISK_FULL,
 * ERR_CORRUPT, ERR_BUSY (another program locks the file). On an error nothing was changed and *out is empty.
 *
 * Strings handed in are borrowed for the call. Results own their strings: clear them with the function beside
 * the struct (which leaves a zeroed struct; clearing twice is fine). Times are milliseconds since 1970 UTC.
 */
#ifndef SERVER_STORE_STORE_H
#define SERVER_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

#define STORE_CHUNK_BYTES (4u << 20)  /* no blob chunk, row group or write transaction is larger */
#define STORE_SMALL_BYTES (64u << 10) /* what is written along with something else is not */

struct store_bytes { /* new: free(data) through store_bytes_clear */
	unsigned char *data;
	size_t size;
};
void store_bytes_clear(struct store_bytes *bytes);

/* What a change to a name did. */
enum store_outcome {
	STORE_CREATED,  /* it was not there */
	STORE_SAME,     /* the same thing was there already; nothing changed */
	STORE_REPLACED, /* another thing was there and gave way */
};

/* ---- data sets: immutable revisions of row groups ---- */

/* A revision of a data set. Its cells lie in row groups of at most STORE_CHUNK_BYTES over all columns; a group
 * holds one segment a column, in the coding of server/codec/segment.h. Groups may be shared with other revisions
 * (upload_share), which nobody who reads them can tell; dictionaries never are. dataset is NULL for data that came inline
 * with a job. columns is the JSON array of api.md section 2, as text. */
struct store_revision {
	int64_t id; /* unique in the store, never used twice */
	char *dataset;
	uint64_t number; /* of this data set, from 1 */
	uint64_t rows, columns_count, groups, size_bytes;
	char sha256[65]; /* of the bytes that were sent, lower-case hex */
	char *columns;
	int64_t created_ms;
};
void store_revision_clear(struct store_revision *revision);

/* What the last commit of an upload says of it. */
struct store_upload {
	const char *dataset; /* NULL: inline data, pinned by the job that will name it */
	bool replace;        /* a revision with other bytes, or other columns, gives way; else ERR_CONFLICT */
	uint64_t rows, columns_count, groups, size_bytes;
	const char *sha256;
	const char *columns;
	/* Not 0: this is a change of that revision (more rows, another type of a column), which must still be the
	 * current one of the data set; replace is not looked at, and the same bytes are a change too. */
	int64_t base;
	int64_t token; /* whose the data set is from now on, and whose quotas hold; 0: nobody's */
	/* Not NULL: an answer under this key, to this request, is put in the same commit when it changes anything; its
	 * location is answer_location when the data set was made by it, else "". */
	const char *answer_key, *answer_request, *answer_location;
};

/* ---- models and versions ---- */

struct store_label {
	char *label;
	uint64_t version;
};

/* A version's part of the requests that name none (server/registry/traffic.h). */
struct store_share {
	uint64_t version;
	double weight; /* beside the weights of the others; not below 0 */
	bool shadow;   /* it is asked what others answer, and has no weight */
};

struct store_model {
	char *name;
	char *sent;                 /* the definition as it was sent, canonical JSON */
	char *definition;           /* the definition as resolved, JSON */
	char *description;          /* never NULL */
	char *metadata;             /* JSON object */
	uint64_t latest_version;    /* the highest that is there; 0: none */
	struct store_label *labels; /* (labels_count), by name */
	size_t labels_count;
	struct store_share *shares; /* (shares_count), by version */
	size_t shares_count;
	int64_t created_ms;
};
void store_model_clear(struct store_model *model);

struct store_version {
	char *model;
	uint64_t number; /* from 1; never used twice for a model's name, not even after the model was deleted */
	int64_t job;     /* 0: made by hand */
	char *metrics;   /* JSON object */
	char *training; /* JSON: the resolved configuration, "null" when made by hand */
	char *dataset;  /* JSON: name, revision, sha256, rows; "null" when made by hand */
	char *engine;
	uint64_t size_bytes; /* of the blob */
	int64_t blob;
	int64_t created_ms;
};
void store_version_clear(struct store_version *version);

/* A version about to be published; blob was written with blob_write and belongs to the version afterwards. */
struct store_version_new {
	const char *metrics, *training, *dataset, *engine;
	uint64_t size_bytes;
	int64_t blob;
};

/* ---- jobs ---- */

enum job_state { JOB_QUEUED, JOB_RUNNING, JOB_PAUSED, JOB_SUCCEEDED, JOB_FAILED, JOB_CANCELLED, JOB_STATES };
/* As api.md spells it. */
const char *job_state_name(enum job_state state);
/* JOB_STATES when there is none of that name. */
enum job_state job_state_find(const char *name);
bool job_state_ended(enum job_state state);

struct store_job {
	int64_t id; /* ascending, never used twice */
	char *model, *kind;
	enum job_state state;
	bool cancel_requested, pause_requested; /* of a running job; survive a restart */
	bool end_requested; /* it is to end soon, as if its time were over (job_wrap_up) */
	uint64_t rest;      /* it pauses by itself after this epoch, as job_rest said; 0: after none */
	int64_t attempt;    /* which claim this is; fences every later write of the worker */
	int64_t resumed;    /* how often it was found unfinished and queued again */
	int64_t crashes;    /* claims that were cut off since its last checkpoint */
	int64_t parent;     /* the job whose part it is; 0: none */
	char *owner;        /* who claimed it, while it runs; else NULL */
	int priority;
	int64_t revision;             /* the data it trains on; pinned until the job has ended */
	int64_t validation_revision;  /* the data it validates on, pinned likewise; 0: none of their own */
	char *dataset;                /* name when it was submitted, NULL for inline data */
	char *config;                 /* JSON, resolved */
	char *note;                   /* never NULL */
	uint64_t epoch, step, epochs; /* as of its end, or its last checkpoint; epochs asked for */
	char *metrics, *best;         /* JSON, likewise; "{}" and "null" before */
	char *stop_reason;            /* NULL until it has ended */
	char *error;                  /* JSON problem document, or NULL */
	char *results;                /* JSON, what its parts came to, or NULL */
	int64_t output;               /* a blob that it left; 0: none */
	uint64_t version;             /* that it published; 0: none */
	double samples_per_second;
	double seconds; /* that a parent has been under way, where job_spend counts them */
	int64_t created_ms, started_ms, finished_ms; /* 0: not yet; started: when it was claimed first */
};
void store_job_clear(struct store_job *job);
/* Is it paused because it has come to its rest? */
bool store_job_rests(const struct store_job *job);

struct store_job_new {
	const char *model, *kind, *dataset, *config, *note;
	int priority;
	int64_t revision;
	int64_t validation_revision; /* 0: none */
	uint64_t epochs;
	int64_t parent; /* 0: none */
	uint64_t rest;  /* as in store_job */
	int64_t token;  /* whose it is, and whose quota holds; 0: nobody's */
	bool family; /* its parts do the work: it is running at once, under attempt 0, and no worker claims it */
	const char *notify; /* a URL to be told of its end (notify_due); NULL: none */
	/* Not NULL: an answer under this key, to this request, that names the job is put in the same commit. */
	const char *answer_key, *answer_request;
	struct store_job *made; /* not NULL: becomes what job_get would give */
};

/* How a claimed job ended. A succeeded one publishes `version` in the same commit. */
struct store_job_end {
	int64_t id, attempt;
	enum job_state state; /* succeeded, failed or cancelled */
	const char *stop_reason, *metrics, *best, *error;
	uint64_t epoch, step;
	double samples_per_second;
	const struct store_version_new *version; /* NULL: none */
	const char *results;                     /* NULL: none */
	int64_t output; /* a blob written with blob_write that belongs to the job afterwards; 0: none */
	/* Not NULL: what the version's blob, or without a version the output, is to hold, at most STORE_SMALL_BYTES. It is
	 * written in the same commit, and version->blob and output are not looked at. */
	const void *bytes;
	size_t size;
	/* Called as soon as everybody sees the end, and before job_finish returns, by another thread; quick. NULL: not. */
	void (*committed)(void *self);
	void *self;
};

struct store_job_filter {
	const char *model;    /* NULL: any */
	enum job_state state; /* JOB_STATES: any */
	int64_t before;       /* ids below this one; 0: from the newest */
	size_t limit;
};

/* ---- checkpoints: of what a running job is, to go on from ---- */

/* A job that was cut off so often without a new checkpoint is not tried again. */
#define STORE_CRASHES_MAX 3
#define STORE_CHECKPOINTS 2 /* that are kept of a job */

struct store_checkpoint {
	int64_t job;
	uint64_t sequence; /* from 1, given by the store, never used twice of a job */
	uint64_t epoch, step;
	int64_t blob;
	uint64_t size_bytes;
	int64_t created_ms;
	/* Of checkpoint_put only: what the job shows of itself from now on, JSON; NULL: as before. */
	const char *metrics, *best;
};

/* ---- the curve: points in blocks, written as the job runs ---- */

/* Where each mini-batch is a point, a key is its epoch above so many bits of its step; else it is the epoch alone. */
#define STORE_KEY_STEP_BITS 39
/* Bytes of a block are coded by server/codec/curve.h. first and last are the keys of its points, numbers from 1 that
 * ascend with them (curve_key in server/codec/curve_span.h). Point i of it is event
 * first_event + i of the log; the store gives them (what curve_append is handed is not looked at). */
struct store_curve_block {
	uint64_t first, last, points;
	int64_t first_event;
	const unsigned char *data;
	size_t size;
};

/* ---- the log: what was committed, in that order ---- */

/* Every change that is logged has an id that is never given twice; ids ascend with the commits. Logged are, by topic:
 *	jobs      created, state (every change of it), end (right after the last state), updated, rewind (of the curve, to
 *	          "epoch"), deleted
 *	models    created, updated, deleted, published, unpublished (a version), label (version null: taken off)
 *	datasets  created, replaced, deleted
 * and the points of curves, which lie in their blocks. What a job logged goes when it is deleted. */
struct store_event {
	int64_t id;
	int64_t job;               /* 0: of no job */
	char *topic, *kind, *name; /* name: of the model (of jobs too) or the data set */
	char *data; /* a JSON object; of a state: state, attempt, resumed, epoch, stop_reason, version, … */
	int64_t created_ms;
};
void store_event_clear(struct store_event *event);

/* ---- answers to requests with an Idempotency-Key ---- */

struct store_answer {
	char *request;         /* what was asked, as a hash */
	int status;            /* 0: none was kept, job says what was made */
	int64_t job;           /* 0: none */
	char *location, *body; /* never NULL in what is read; NULL is "" in what is put */
	int64_t created_ms;    /* given by the store */
};
void store_answer_clear(struct store_answer *answer);

/* ---- who wants to be told that a job has ended ---- */

struct store_notify {
	int64_t job;
	char *url;
	int64_t tries; /* that failed */
};
void store_notify_clear(struct store_notify *notify);

/* ---- tokens ---- */

/* What a token may keep of what it made: models, data sets and their bytes as they were sent, unfinished jobs. */
enum store_quota {
	STORE_QUOTA_MODELS,
	STORE_QUOTA_DATASETS,
	STORE_QUOTA_BYTES,
	STORE_QUOTA_JOBS,
	STORE_QUOTAS
};
#define STORE_NO_QUOTA INT64_MAX

#define STORE_DIGEST_BYTES 32

struct store_token { /* who reads and compares it, and what the bits of roles are: server/auth */
	int64_t id;  /* ascending, never used twice */
	char *name;
	unsigned char digest[STORE_DIGEST_BYTES];
	unsigned roles;
	char *models; /* NULL: all */
	double rate;  /* 0: any */
	int64_t quotas[STORE_QUOTAS];
	int64_t created_ms, expires_ms; /* 0: never */
};
void store_token_clear(struct store_token *token);

struct store_info {
	const char *engine;              /* "sqlite 3.40.1"; borrowed from the store */
	char *path;                      /* new */
	uint64_t schema;                 /* user_version */
	uint64_t file_bytes, free_bytes; /* of which a vacuum could give back */
	uint64_t datasets, models, versions, jobs;
	uint64_t jobs_by_state[JOB_STATES];
	uint64_t dataset_bytes;    /* of the current revisions, as they were sent */
	uint64_t version_bytes;    /* weights and what belongs to them */
	uint64_t checkpoint_bytes; /* of unfinished jobs */
	uint64_t commits;          /* since it was opened */
	double commit_seconds;     /* that they took together */
};
void store_info_clear(struct store_info *info);

/* ---- a copy of all of it ---- */

struct store_backup {  /* how it is made */
	uint64_t rate; /* bytes a second, at most; 0: as many as there can be */
	int (*go_on)(void *self, struct
			err *e); /* asked every 100 ms or more often; not 0 ends it with that. NULL: to the end */
	void *self;
};

struct store {
	/* Writes what was queued and frees the store. No other call may be under way, or come after it. */
	void (*close)(struct store *s);
	/* 0 when a write transaction can be made just now. */
	int (*check)(struct store *s, struct err *e);
	int (*info)(struct store *s, struct store_info *out, struct err *e);

	/* *fd is new (close): a file without a name, in the folder of the database, that holds all that is committed, as one
	 * state, synced and checked; reading begins at its start. The file that store_restore_sqlite takes. Others read and
	 * write meanwhile. ERR_CONFLICT: another one is under way. */
	int (*backup)(struct store *s, const struct store_backup *how, int *fd, uint64_t *size,
			struct err *e);

	/* -- uploads: begin, any number of groups, segments and dictionaries, then commit or abort. Nothing is
	 * visible before the commit; what a crash left is swept at the next start. -- */
	int (*upload_begin)(struct store *s, int64_t *revision, struct err *e);
	/* Before its bytes come, and as they do: would a commit be refused, were it made now? Of upload, dataset (not
	 * NULL), replace, base, token and size_bytes are looked at; the latter is what it will have at the least. *most:
	 * with so many it need not be asked again. ERR_QUOTA, ERR_CONFLICT, ERR_NOT_FOUND as the commit, which asks again
	 * itself; ERR_QUOTA also when all uploads under way of the token send more than it may keep. */
	int (*upload_room)(struct store *s, int64_t revision, const struct store_upload *upload,
			uint64_t *most, struct err *e);
	/* Before any group: the first `groups` row groups are those of `source`, which a job need not pin for it: they
	 * stay for this revision when source goes. Groups given later come after them. At most once an upload.
	 * ERR_NOT_FOUND: source is not there; ERR_RANGE: it has fewer groups, or this upload has some already. */
	int (*upload_share)(
			struct store *s, int64_t revision, int64_t source, uint64_t groups, struct err *e);
	/* Segments of row group `group` (from 0), one a column, in column order. Takes over the memory of
	 * bytes[i].data in every case (they become NULL). Returns once the write is queued: it waits only while two
	 * groups of this upload are under way. A fault in writing comes from a later call of this upload. The sum of
	 * the sizes is at most STORE_CHUNK_BYTES (ERR_RANGE). Every call of an upload that is over: ERR_NOT_FOUND. */
	int (*upload_group)(struct store *s, int64_t revision, uint64_t group, struct store_bytes *bytes,
			size_t count, struct err *e);
	/* Puts another segment in the place of one (a column that met its first word late; segment_read works
	 * before the commit too). In a shared group it is put for this revision only; a column that is changed in one of
	 * them must be in all of them. ERR_NOT_FOUND: there is none in that place. ERR_RANGE as above. */
	int (*upload_segment)(struct store *s, int64_t revision, uint64_t group, uint64_t column,
			const void *data, size_t size, struct err *e);
	/* A column's values, any size; kept in chunks. Once a column. */
	int (*upload_dictionary)(struct store *s, int64_t revision, uint64_t column, const void *data,
			size_t size, struct err *e);
	/* Makes the revision visible in one commit, waiting for what is under way. *outcome STORE_SAME: the data set's
	 * current revision has this sha256 (with replace: and these columns), and this upload was dropped; *out is then
	 * the current one. ERR_CONFLICT: other bytes are there and replace is false; the upload was dropped. With base:
	 * ERR_NOT_FOUND: there is no such data set any more, ERR_CONFLICT: base is not its current revision;
	 * ERR_INVALID: a column was changed in some shared groups only. A revision that gave way is reclaimed in the background once no unfinished job needs it (versions keep what they say of
	 * their data as text). Whatever the result, the upload is over. */
	int (*upload_commit)(struct store *s, int64_t revision, const struct store_upload *upload,
			enum store_outcome *outcome, struct store_revision *out, struct err *e);
	/* Also gives back inline data that were committed and that no job has named. */
	void (*upload_abort)(struct store *s, int64_t revision);

	int (*dataset_get)(struct store *s, const char *name, struct store_revision *out, struct err *e);
	/* Up to limit current revisions with a name after `after` ("": from the first), by name. *out is new: clear
	 * each, then free. */
	int (*dataset_list)(struct store *s, const char *after, size_t limit, struct store_revision **out,
			size_t *count, struct err *e);
	/* The cells are reclaimed in steps afterwards. ERR_NOT_FOUND; ERR_CONFLICT naming the unfinished job that
	 * needs any revision of it. */
	int (*dataset_delete)(struct store *s, const char *name, struct err *e);
	/* Of a data set, current or kept by an unfinished job, or inline. ERR_NOT_FOUND: not committed, or reclaimed. */
	int (*revision_get)(struct store *s, int64_t revision, struct store_revision *out, struct err *e);
	/* bytes is reused when its memory is large enough (start with a zeroed one). ERR_NOT_FOUND. */
	int (*segment_read)(struct store *s, int64_t revision, uint64_t group, uint64_t column,
			struct store_bytes *bytes, struct err *e);
	/* The first `size` bytes of a segment of *whole bytes, without the work of reading the others, and so unchecked.
	 * ERR_NOT_FOUND; ERR_CORRUPT: it is shorter. */
	int (*segment_head)(struct store *s, int64_t revision, uint64_t group, uint64_t column, void *head,
			size_t size, size_t *whole, struct err *e);
	int (*dictionary_read)(struct store *s, int64_t revision, uint64_t column, struct store_bytes *bytes,
			struct err *e);

	/* -- blobs: written in chunks of their own commits, invisible and swept until a version names them -- */
	int (*blob_write)(struct store *s, const void *data, size_t size, int64_t *blob, struct err *e);
	int (*blob_read)(struct store *s, int64_t blob, struct store_bytes *out, struct err *e);
	void (*blob_discard)(struct store *s, int64_t blob);

	/* -- models -- */
	/* STORE_CREATED, STORE_SAME when `sent` is equal; ERR_CONFLICT when another definition has the name. token: whose it
	 * is (0: nobody's); ERR_QUOTA: that has as many as it may, as of upload_commit and job_create. */
	int (*model_create)(struct store *s, const char *name, const char *sent, const char *definition,
			const char *description, const char *metadata, int64_t token,
			enum store_outcome *outcome, struct err *e);
	int (*model_get)(struct store *s, const char *name, struct store_model *out, struct err *e);
	int (*model_list)(struct store *s, const char *after, size_t limit, struct store_model **out,
			size_t *count, struct err *e);
	/* NULL leaves as it is. */
	int (*model_update)(struct store *s, const char *name, const char *description, const char *metadata,
			struct err *e);
	/* With its versions and labels; its ended jobs stay. ERR_CONFLICT naming an unfinished job on it. */
	int (*model_delete)(struct store *s, const char *name, struct err *e);
	/* ERR_NOT_FOUND: no such model, version or label (the sentence says which). */
	int (*label_set)(struct store *s, const char *model, const char *label, uint64_t version,
			struct err *e);
	int (*label_delete)(struct store *s, const char *model, const char *label, struct err *e);
	/* A version made by hand. ERR_NOT_FOUND: no such model, or the blob is gone or of another version. */
	int (*version_create)(struct store *s, const char *model, const struct store_version_new *version,
			uint64_t *number, struct err *e);
	int (*version_get)(struct store *s, const char *model, uint64_t number, struct store_version *out,
			struct err *e);
	/* Newest first; below `before` (0: from the newest). */
	int (*version_list)(struct store *s, const char *model, uint64_t before, size_t limit,
			struct store_version **out, size_t *count, struct err *e);
	/* In place of what there was; count 0: none. ERR_NOT_FOUND: no such model or version. */
	int (*traffic_set)(struct store *s, const char *model, const struct store_share *shares, size_t count,
			struct err *e);
	/* ERR_CONFLICT naming a label that points to it, or the traffic that it has a part of. */
	int (*version_delete)(struct store *s, const char *model, uint64_t number, struct err *e);

	/* -- drift: what has been asked of a version, in one piece that the store does not look into -- */
	/* Puts data in the place of what was there. ERR_NOT_FOUND: no such model or version. ERR_RANGE: more than
	 * STORE_CHUNK_BYTES. They go with their version. */
	int (*drift_put)(struct store *s, const char *model, uint64_t version, const void *data, size_t size,
			struct err *e);
	/* out is reused as bytes of segment_read are; size 0 when nothing was put. ERR_NOT_FOUND as above. */
	int (*drift_get)(struct store *s, const char *model, uint64_t version, struct store_bytes *out,
			struct err *e);

	/* -- jobs -- */
	/* ERR_NOT_FOUND: the model, a revision or the parent is gone; ERR_CONFLICT: the parent has ended, or is being
	 * cancelled. */
	int (*job_create)(struct store *s, const struct store_job_new *job, int64_t *id, struct err *e);
	int (*job_get)(struct store *s, int64_t id, struct store_job *out, struct err *e);
	/* Newest first. */
	int (*job_list)(struct store *s, const struct store_job_filter *filter, struct store_job **out,
			size_t *count, struct err *e);
	/* Those whose parent it is, oldest first; ids above `after`. */
	int (*job_children)(struct store *s, int64_t parent, int64_t after, size_t limit,
			struct store_job **out, size_t *count, struct err *e);

	/* A claim holds for lease_ms of the store's monotonic clock: no change of the day's time makes it longer or
	 * shorter. Whoever has it renews it in time, and names its attempt in every write (fenced: ERR_CONFLICT when the
	 * job is not running under this attempt any more). */
	/* A queued job becomes running, with a new attempt number: one of the highest priority; of those, of the model
	 * with the fewest running jobs; then of the model served longest ago; then the oldest. ERR_NOT_FOUND: none. */
	int (*job_claim)(struct store *s, const char *owner, int64_t lease_ms, struct store_job *out,
			struct err *e);
	/* Fenced. */
	int (*job_renew)(struct store *s, int64_t id, int64_t attempt, int64_t lease_ms, struct err *e);
	/* The daemon stops: back to queued with resumed + 1; cancelled or paused when that was requested. Fenced. */
	int (*job_requeue)(struct store *s, int64_t id, int64_t attempt, struct err *e);
	/* A running job that was asked to pause, or has come to its rest, stops: paused; cancelled when that was requested,
	 * queued when the wish to pause was taken back (resumed stays as it is). Fenced. */
	int (*job_park)(struct store *s, int64_t id, int64_t attempt, struct err *e);
	/* Running jobs whose lease has passed were cut off, and are dealt with as by job_recover. */
	int (*job_expire)(struct store *s, const char *crashed, size_t *count, struct err *e);
	/* At start: every running job was cut off. Those with cancel_requested become cancelled, those that were cut off
	 * STORE_CRASHES_MAX times since their last checkpoint failed (stop_reason crashed, error `crashed`, a JSON
	 * problem document), those with pause_requested paused, the others queued, both with resumed + 1. *count is how
	 * many were queued. */
	int (*job_recover)(struct store *s, const char *crashed, size_t *count, struct err *e);
	/* The end of a claimed job, once. Fenced, then nothing is written. Its checkpoints go, and the blobs that its parts left. *version is the number
	 * published, 0 for none. ERR_NOT_FOUND: the version's blob is gone, or the output's. What end leaves NULL of metrics and best
	 * stays as it was. */
	int (*job_finish)(struct store *s, const struct store_job_end *end, uint64_t *version, struct err *e);

	/* queued or paused: cancelled at once. running: noted, the worker acts on it. *state is what it is now. Its
	 * unfinished children likewise; whoever ends a family looks at it then. ERR_CONFLICT: it has ended. */
	int (*job_cancel)(struct store *s, int64_t id, enum job_state *state, struct err *e);
	/* queued: paused at once. running: noted, the worker acts on it. A family is paused at once, its parts as they may.
	 * ERR_CONFLICT: it is paused or has ended. */
	int (*job_pause)(struct store *s, int64_t id, enum job_state *state, struct err *e);
	/* paused: queued, a family running, with its parts but those that rest. running and asked to pause: the wish is taken
	 * back. ERR_CONFLICT otherwise, for one that rests, and for a part of a family that is paused. */
	int (*job_resume)(struct store *s, int64_t id, struct err *e);

	/* What a family wants of an unfinished part; ERR_CONFLICT: it has ended. */
	/* It pauses after this epoch (0: after none) from its next claim on; one that rests before that is queued. */
	int (*job_rest)(struct store *s, int64_t id, uint64_t epoch, struct err *e);
	/* It is to end as soon as may be, as if its time were over; one that is paused is queued for it. Running: noted, the
	 * worker acts on it. */
	int (*job_wrap_up)(struct store *s, int64_t id, struct err *e);
	/* One that rests ends as cancelled, for this reason. ERR_CONFLICT too when it does not rest. */
	int (*job_pass_over)(struct store *s, int64_t id, const char *stop_reason, struct err *e);
	/* The blob that it left goes, if there is one. */
	int (*job_output_drop)(struct store *s, int64_t id, struct err *e);
	/* A parent has been under way for so many seconds more. */
	int (*job_spend)(struct store *s, int64_t id, double seconds, struct err *e);
	/* NULL: stays as it is. The priority is that of its unfinished parts too. */
	int (*job_update)(struct store *s, int64_t id, const char *note, const int *priority, struct err *e);
	/* With its curve and its children. ERR_CONFLICT: it, a child or its parent has not ended. */
	int (*job_delete)(struct store *s, int64_t id, struct err *e);

	/* -- checkpoints: the newest STORE_CHECKPOINTS of a job that has not ended -- */
	/* c->blob was written with blob_write and belongs to the checkpoint afterwards; epoch, step, size_bytes and what
	 * the job shows are taken from c. The job has not crashed since. Fenced; ERR_NOT_FOUND: the blob is gone. */
	int (*checkpoint_put)(struct store *s, int64_t job, int64_t attempt, const struct store_checkpoint *c,
			struct err *e);
	/* Newest first; none for a job that is not there. */
	int (*checkpoint_list)(struct store *s, int64_t job, struct store_checkpoint out[STORE_CHECKPOINTS],
			size_t *count, struct err *e);
	/* Of no use. Fenced. Nothing when it is not there. */
	int (*checkpoint_drop)(
			struct store *s, int64_t job, int64_t attempt, uint64_t sequence, struct err *e);

	/* -- curves: a job keeps its curve over all claims -- */
	/* Fenced. Blocks come in order and do not overlap (ERR_RANGE). */
	int (*curve_append)(struct store *s, int64_t job, int64_t attempt,
			const struct store_curve_block *block, struct err *e);
	/* Blocks and summaries with points past the key `last` go; when there are any, it is logged, by its epoch. Fenced. */
	int (*curve_rewind)(struct store *s, int64_t job, int64_t attempt, uint64_t last, struct err *e);
	/* Calls each for every block that overlaps keys [from, to], in order, until it returns not 0 (which is
	 * returned). The block is borrowed for the call. */
	int (*curve_read)(struct store *s, int64_t job, uint64_t from, uint64_t to,
			int (*each)(void *self, const struct store_curve_block *block, struct err *e),
			void *self, struct err *e);
	/* Summaries of the points, of level 1 and above, as blocks: those that `block` overlaps give way to it, so that
	 * what is written again after a rewind is there once. They may end before the points do. Fenced. */
	int (*level_append)(struct store *s, int64_t job, int64_t attempt, unsigned level,
			const struct store_curve_block *block, struct err *e);
	int (*level_read)(struct store *s, int64_t job, unsigned level, uint64_t from, uint64_t to,
			int (*each)(void *self, const struct store_curve_block *block, struct err *e),
			void *self, struct err *e);
	/* As curve_read, of every block with a point whose event is above `event`. */
	int (*curve_read_after)(struct store *s, int64_t job, int64_t event,
			int (*each)(void *self, const struct store_curve_block *block, struct err *e),
			void *self, struct err *e);

	/* -- the log -- */
	/* Up to limit events above `id`, ascending; of one job, or of everything (0). *out is new: clear each, then free. */
	int (*events_after)(struct store *s, int64_t id, int64_t job, size_t limit, struct store_event **out,
			size_t *count, struct err *e);
	/* The newest committed id, points of curves included; 0: none. Waits for nothing. */
	int64_t (*last_event)(struct store *s);
	/* told is called on the writer's thread after each commit that logged something, and must be quick; NULL: nobody.
	 * When on_commit returns, who was told before is told no more. */
	void (*on_commit)(struct store *s, void (*told)(void *self), void *self);
	/* told is called once, as soon as the disk did not confirm what was written (at once, if that was before): from then
	 * on every write is ERR_IO, for good, as a later sync might confirm what is not there. It must be quick. */
	void (*on_failure)(struct store *s, void (*told)(void *self, const struct err *e), void *self);

	/* -- keeping no more than is wanted: some steps a call, *count is how many went, 0 when there is no more to do -- */
	/* All but the `keep` jobs that ended last; children count and go with their parents. */
	int (*jobs_prune)(struct store *s, uint64_t keep, size_t *count, struct err *e);
	/* All but the newest keep_per_model (at least 1) versions of each model, and those with a label or a part of the traffic. */
	int (*versions_prune)(struct store *s, uint64_t keep_per_model, size_t *count, struct err *e);
	/* Gives free bytes of the file back to the file system; *freed is how many, 0 when there are none. */
	int (*shrink)(struct store *s, uint64_t *freed, struct err *e);

	/* -- tokens: what they made is nobody's once they are deleted -- */
	/* id and created_ms are set in it. ERR_CONFLICT: there is one of this name. */
	int (*token_create)(struct store *s, struct store_token *token, struct err *e);
	/* All, by id; *out is new: clear each, then free. */
	int (*token_list)(struct store *s, struct store_token **out, size_t *count, struct err *e);
	/* ERR_NOT_FOUND. */
	int (*token_delete)(struct store *s, int64_t id, struct err *e);
	/* Was one made, since the file is there? */
	int (*token_ever)(struct store *s, bool *ever, struct err *e);

	/* -- answers -- */
	/* *out is new. ERR_NOT_FOUND. */
	int (*answer_get)(struct store *s, const char *key, struct store_answer *out, struct err *e);
	/* Puts it in the place of what was there. */
	int (*answer_put)(struct store *s, const char *key, const struct store_answer *answer, struct err *e);
	/* Those that are older go. */
	int (*answers_prune)(struct store *s, int64_t before_ms, struct err *e);

	/* -- who wants to be told: from a job's end until notify_done -- */
	/* Up to limit that are due, longest due first. A restart makes all due. */
	int (*notify_due)(struct store *s, size_t limit, struct store_notify **out, size_t *count,
			struct err *e);
	int (*notify_done)(struct store *s, int64_t job, struct err *e);
	/* It failed once more, and is due again in delay_ms. */
	int (*notify_later)(struct store *s, int64_t job, int64_t delay_ms, struct err *e);
};

/* Opens or creates the SQLite file. *out is new (out->close). Refuses, with one sentence and no change to the
 * file: ERR_CORRUPT not a database or not ours (application_id), or newer than this program (user_version);
 * ERR_FORBIDDEN read-only; ERR_CONFLICT another daemon holds it; ERR_IO. */
int store_open_sqlite(struct store **out, const char *path, struct err *e);

#endif
