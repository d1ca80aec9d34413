/* infer.c - POST /v2/models/{model}[/versions/{version}]/infer: tensors to rows, through the network, and back. As predict.c it
 * is run on the loop that read the request, with one version held throughout. See oip.h.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "server/api/document.h"
#include "server/api/oip/oip.h"
#include "server/api/predict.h"
#include "server/codec/answers.h"
#include "server/codec/rows.h"
#include "server/codec/tensor.h"

#define HEADER_LENGTH "Inference-Header-Content-Length"
#define VALUES_KEEP   (1u << 20) /* bytes; more are given back before the next request */

/* ---- a thread's own ---- */

struct scratch {
	struct rows *rows;
	struct faults faults;
	struct tensor *tensors;
	size_t tensors_capacity;
	struct oip_output *outputs; /* (outputs_capacity), as wishes is */
	struct oip_wish *wishes;
	size_t outputs_capacity;
	float *values; /* (values_capacity) */
	size_t values_capacity;
};

static pthread_key_t scratch_key;

static void scratch_free(void *self)
{
	struct scratch *s = self;

	rows_free(s->rows);
	free(s->tensors);
	free(s->outputs);
	free(s->wishes);
	free(s->values);
	free(s);
}

static void make_key(void)
{
	pthread_key_create(&scratch_key, scratch_free);
}

static int own_scratch(struct scratch **out, struct err *e)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	struct scratch *s;
	int rc;

	pthread_once(&once, make_key);
	if ((*out = pthread_getspecific(scratch_key))) return 0;
	if (!(s = calloc(1, sizeof *s))) return err_nomem(e);
	if ((rc = rows_new(&s->rows, e)) || (rc = pthread_setspecific(scratch_key, s) ? err_nomem(e) : 0)) {
		scratch_free(s);
		return rc;
	}
	*out = s;
	return 0;
}

/* ---- the request ---- */

struct inference {
	struct scratch *scratch;
	struct prediction p;
	struct scan_value id, inputs, outputs, parameters;
	struct tensor_bytes bytes;
	size_t count; /* tensors */
	uint64_t rows;
	const struct rows *asked; /* what was read for this answer; NULL: it was for another request since */
	size_t wished;            /* of scratch's wishes */
};

/* How much of the body is JSON. */
static int json_bytes(const struct request *rq, size_t *out, struct err *e)
{
	const char *said = rq->headers[HEADER_INFERENCE_LENGTH];
	size_t digits = said ? strspn(said, "0123456789") : 0;
	unsigned long long length = said ? strtoull(said, NULL, 10) : rq->body.size;

	if (said && (!digits || digits > 18 || said[digits] || length > rq->body.size))
		return err_set(e, ERR_BAD_REQUEST,
				HEADER_LENGTH " must be how many bytes of the body are JSON, at most %zu",
				rq->body.size);
	if (said && !length && rq->body.size)
		return err_set(e, ERR_BAD_REQUEST,
				HEADER_LENGTH " says that none of the body is JSON, which names its tensors");
	*out = (size_t)length;
	return 0;
}

/* The body as JSON. Behind one that says its length nothing else is looked at; without the header that is forgotten easily,
 * what comes behind the JSON is a syntax error. */
static int read_json(const struct request *rq, size_t json, struct scan_value *out, struct err *e)
{
	struct scan_frame frame = { 0 };
	struct err why;
	int rc = scan_check(rq->body.data, json, out, e);

	if (rc != ERR_JSON || rq->headers[HEADER_INFERENCE_LENGTH]) return rc;
	if (!json || !scan_frame_next(&frame, rq->body.data, json) || frame.at == json) return rc;
	if (scan_check(rq->body.data, frame.at, out, &why)) return rc;
	return err_set(e, rc,
			"more follows behind the JSON; where that is binary tensors, the header must say it: " HEADER_LENGTH
			": %zu",
			frame.at);
}

/* What else stands at the top of a request, as model_name, is left alone: clients send it. */
static void find_members(struct inference *in, struct faults *faults)
{
	const struct {
		const char *name;
		struct scan_value *to;
	} known[] = { { "id", &in->id }, { "inputs", &in->inputs }, { "outputs", &in->outputs },
		{ "parameters", &in->parameters } };

	if (scan_kind(in->p.body) != '{') {
		faults_add(faults, ERR_INVALID, "", "must be an object with \"inputs\"");
		return;
	}
	for (struct scan_iter i = scan_begin(in->p.body); scan_next(&i);)
		for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
			if (!scan_equals(i.key, known[k].name)) continue;
			if (known[k].to->at)
				faults_add(faults, ERR_DUPLICATE_KEY, "", "has \"%s\" twice", known[k].name);
			*known[k].to = i.value;
		}
	if (in->id.at && scan_kind(in->id) != '"') faults_add(faults, ERR_INVALID, "/id", "must be a string");
	if (!in->inputs.at || scan_kind(in->inputs) != '[')
		faults_add(faults, in->inputs.at ? ERR_INVALID : ERR_MISSING_FIELD, "/inputs",
				"must be an array of tensors");
}

static bool reserve_tensors(struct scratch *s, size_t count)
{
	struct tensor *more;

	if (count <= s->tensors_capacity) return true;
	if (!(more = reallocarray(s->tensors, count, sizeof *more))) return false;
	s->tensors = more;
	s->tensors_capacity = count;
	return true;
}

static int read_tensors(struct inference *in, struct err *e)
{
	struct scratch *s = in->scratch;
	size_t most = encoder_columns(in->p.model->inputs), bytes = in->bytes.left;
	char at[FAULT_POINTER_BYTES];

	for (struct scan_iter i = scan_begin(in->inputs); scan_next(&i); in->count++) {
		if (in->count == most) {
			faults_add(&s->faults, ERR_INVALID, "/inputs",
					"has more tensors than this model takes, at most %zu", most);
			break;
		}
		if (!reserve_tensors(s, in->count + 1)) return err_nomem(e);
		tensor_read(i.value, &in->bytes, pointer_index(at, "/inputs", in->count),
				&s->tensors[in->count], &s->faults);
	}
	if (!in->count && !s->faults.count) faults_add(&s->faults, ERR_INVALID, "/inputs", "has no tensor");
	if (in->bytes.left && !s->faults.count)
		faults_add(&s->faults, ERR_INVALID, "", "%zu bytes behind the JSON belong to no tensor",
				in->bytes.left);
	if (s->faults.count) return faults_result(&s->faults, e);
	in->rows = s->tensors[0].dims == 1 && rows_take_whole(in->p.model->inputs) &&
						   scan_equals(s->tensors[0].name, ROWS_WHOLE)
				   ? 1
				   : s->tensors[0].shape[0];
	if (in->rows <= (uint64_t)(in->p.body.end - in->p.body.at) + bytes)
		return 0; /* what is reserved goes by the shape */
	return err_set(e, ERR_INVALID, "inputs: the shape says %llu rows, more than the body has bytes",
			(unsigned long long)in->rows);
}

/* Room for the tensors of an answer. */
static bool reserve_outputs(struct scratch *s, size_t count)
{
	if (count <= s->outputs_capacity) return true;
	free(s->outputs);
	free(s->wishes);
	s->outputs = calloc(count, sizeof *s->outputs);
	s->wishes = calloc(count, sizeof *s->wishes);
	s->outputs_capacity = s->outputs && s->wishes ? count : 0;
	return s->outputs_capacity;
}

static int read_wishes(struct inference *in, struct err *e)
{
	const struct encoder *targets = in->p.model->targets;
	struct scratch *s = in->scratch;

	if (!reserve_outputs(s, oip_outputs_most(targets))) return err_nomem(e);
	oip_wishes_read(in->outputs, in->parameters, s->outputs, oip_outputs(targets, s->outputs), s->wishes,
			&in->wished, &in->scratch->faults);
	return faults_result(&in->scratch->faults, e);
}

/* ---- through the network ---- */

static int reserve_values(struct inference *in, struct err *e)
{
	struct scratch *s = in->scratch;
	size_t count;

	if (__builtin_mul_overflow((size_t)in->rows, encoder_width(in->p.model->targets), &count) ||
			count > SIZE_MAX / sizeof *s->values)
		return err_set(e, ERR_RANGE, "%llu rows are more than can be answered at once",
				(unsigned long long)in->rows);
	if (count <= s->values_capacity && s->values_capacity * sizeof *s->values <= VALUES_KEEP) return 0;
	free(s->values);
	s->values = malloc(count ? count * sizeof *s->values : 1);
	s->values_capacity = s->values ? count : 0;
	return s->values ? 0 : err_nomem(e);
}

static int say_rows(struct inference *in, struct err *e)
{
	uint64_t count = rows_count(in->scratch->rows);

	return err_set(e, ERR_INVALID, "inputs: the data have %s%llu row%s, and the shape says %llu",
			count > in->rows ? "at least " : "", (unsigned long long)count, count == 1 ? "" : "s",
			(unsigned long long)in->rows);
}

/* tally: what is asked is counted. */
static int run(const struct request *rq, struct inference *in, bool tally, struct err *e)
{
	struct scratch *s = in->scratch;
	const struct version_work *work;
	uint64_t done = 0, begun = predict_clock(), read;
	const float *scores;
	size_t n;
	int rc;

	if ((rc = version_work(in->p.version, &work, e)) || (rc = reserve_values(in, e))) return rc;
	if ((rc = rows_begin_tensors(s->rows, in->p.model->inputs, s->tensors, in->count, in->p.body,
			     "/inputs", &s->faults, e)))
		return rc;
	if (tally) rows_tally(s->rows, version_drift(in->p.version), work->asked);
	for (;;) {
		if ((rc = rows_next(s->rows, work->rows, work->x, &n, e))) return rc;
		if (!n) break;
		if (done + n > in->rows) return say_rows(in, e);
		if ((rc = request_in_time(rq, e))) return rc;
		read = predict_clock();
		in->p.counts.read_ns += read - begun;
		if (!s->faults.count) {
			net_forward(in->p.model->net, work->net, work->x, n, &scores);
			answers_values(in->p.model->targets, scores, n,
					s->values + done * encoder_width(in->p.model->targets));
		}
		begun = predict_clock();
		in->p.counts.compute_ns += begun - read;
		done += n;
	}
	in->p.counts.rows = done;
	if ((rc = faults_result(&s->faults, e))) return rc;
	return done == in->rows ? 0 : say_rows(in, e);
}

/* Of rows that have joined others. */
static int take_scores(struct inference *in, const struct share *share, struct err *e)
{
	const float *scores;
	size_t n;
	int rc;

	if ((rc = batch_scores(share, &scores, &n, e)) || (rc = reserve_values(in, e))) return rc;
	answers_values(in->p.model->targets, scores, n, in->scratch->values);
	in->p.counts.rows = n;
	return 0;
}

/* ERR_LATER: they wait for others. */
static int join(struct request *rq, struct inference *in, struct err *e)
{
	struct scratch *s = in->scratch;
	const struct version_work *work;
	struct share *share;
	int rc;

	if ((rc = version_work(in->p.version, &work, e)) ||
			(rc = rows_begin_tensors(s->rows, in->p.model->inputs, s->tensors, in->count,
					 in->p.body, "/inputs", &s->faults, e)))
		return rc;
	rows_tally(s->rows, version_drift(in->p.version), work->asked);
	if ((rc = batch_read(rq, &in->p, s->rows, &s->faults, in->rows, &share, e))) return rc;
	rc = share ? take_scores(in, share, e) : say_rows(in, e);
	batch_end(share);
	return rc;
}

static int answer(struct inference *in, const char *model, struct reply *rp, struct err *e)
{
	struct oip_answer answer = { .model = model,
		.version = version_number(in->p.version),
		.id = in->id,
		.targets = in->p.model->targets,
		.wishes = in->scratch->wishes,
		.count = in->wished,
		.values = in->scratch->values,
		.rows = in->rows,
		.asked = in->asked };
	uint64_t begun = predict_clock();
	size_t json;

	oip_write(&answer, &rp->body, &json);
	in->p.counts.write_ns = predict_clock() - begun;
	if (!buffer_ok(&rp->body)) return err_nomem(e);
	if (!json) return 0;
	rp->content_type = "application/octet-stream";
	reply_header(rp, HEADER_LENGTH, "%zu", json);
	return 0;
}

/* The first `json` bytes of the body, and the tensors that it names. */
static int read_body(struct request *rq, struct inference *in, size_t json, struct err *e)
{
	struct faults *faults = &in->scratch->faults;
	int rc;

	in->bytes = (struct tensor_bytes){ (unsigned char *)rq->body.data + json, rq->body.size - json };
	find_members(in, faults);
	if ((rc = faults_result(faults, e))) return rc;
	return read_tensors(in, e);
}

/* A scorer; how is the length of the JSON. */
static int score(struct request *rq, struct version *version, uintptr_t how, struct buffer *values,
		struct err *e)
{
	struct inference in = { .p = { .version = version, .model = version_model(version) } };
	int rc;

	if ((rc = own_scratch(&in.scratch, e)) || (rc = scan_check(rq->body.data, how, &in.p.body, e)))
		return rc;
	in.scratch->faults.count = in.scratch->faults.more = 0;
	if ((rc = read_body(rq, &in, how, e)) || (rc = run(rq, &in, false, e))) return rc;
	buffer_add(values, in.scratch->values,
			in.rows * encoder_width(in.p.model->targets) * sizeof *in.scratch->values);
	return 0;
}

/* With the version found, tensors and wishes read: the values. */
static int score_rows(struct request *rq, struct inference *in, const struct share *joined, struct err *e)
{
	if (joined) return take_scores(in, joined, e);
	if (batch_wanted(rq, &in->p, in->rows)) return join(rq, in, e);
	if (!rq->may_wait &&
			(double)in->rows * (double)net_parameters(in->p.model->net) > PREDICT_INLINE_WORK)
		return ERR_WOULD_BLOCK;
	return run(rq, in, true, e);
}

static int infer(struct request *rq, struct reply *rp, struct inference *in, struct err *e)
{
	struct share *joined;
	size_t json = 0;
	int rc = json_bytes(rq, &json, e);

	if (rc) return rc;
	if (!batch_joined(rq, &in->p, &joined) && ((rc = read_json(rq, json, &in->p.body, e)) ||
								  (rc = prediction_begin(rq, &in->p, e))))
		return rc;
	if (!(rc = read_body(rq, in, json, e)) && !(rc = read_wishes(in, e)))
		rc = score_rows(rq, in, joined, e);
	in->asked = joined ? NULL : in->scratch->rows;
	batch_end(joined);
	if (rc || (rc = answer(in, request_param(rq, "model"), rp, e))) return rc;
	shadow_ask(rq, &in->p, score, json);
	return 0;
}

int oip_infer(struct request *rq, struct reply *rp, struct err *e)
{
	struct inference in = { .p = { .begun = predict_clock() } };
	int rc = own_scratch(&in.scratch, e);

	if (rc) return rc;
	in.scratch->faults.count = in.scratch->faults.more = 0;
	rc = infer(rq, rp, &in, e);
	prediction_end(&in.p, rc);
	return rc;
}
