/* demo.c - `descentd demo`: what a newcomer would do with curl, done before his eyes. See demo.h.
 *
 * The story is a table of steps. A step shows the curl line of its request, then sends that same request: line and
 * request are made from one struct, so what is printed is what was done and can be pasted while the demo is up.
 */
#include "server/demo/demo.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "schema/embedded.h"
#include "server/client.h"
#include "server/codec/json.h"
#include "server/demo/chart.h"
#include "server/demo/child.h"

#define DATA_FILE    "examples/data/iris.csv"
#define JSON_TYPE    "application/json"
#define POLL_MS      60
#define END_MS       500
#define CURVE_POINTS 400
#define LINES        10 /* of progress, where it cannot be drawn anew */
#define BAR_COLUMNS  20
#define FOLDER_FILE  (CHILD_PATH_BYTES + 16)

struct demo {
	struct terminal terminal;
	struct child child;
	char data_file[FOLDER_FILE]; /* that the first curl line names */
	char job[64];                /* its path */
};

/* ---- one request ---- */

struct question {
	struct client_request request;
	const char *file; /* that holds the body, for curl -T; NULL: the body is given in the line */
};

/* As one word of a shell. */
static void print_quoted(const char *text)
{
	static const char plain[] =
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=+,@%";

	if (*text && !text[strspn(text, plain)]) {
		fputs(text, stdout);
		return;
	}
	putchar('\'');
	for (; *text; text++)
		if (*text == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*text);
	putchar('\'');
}

static void print_curl(const struct demo *d, const struct question *q)
{
	const struct client_request *rq = &q->request;
	char url[256];

	snprintf(url, sizeof url, "http://127.0.0.1:%u%s", d->child.port, rq->path);
	printf("%scurl ", style(&d->terminal, STYLE_COMMAND));
	if (q->file) {
		fputs("-T ", stdout);
		print_quoted(q->file);
		putchar(' ');
	} else if (!strcmp(rq->method, "PUT"))
		fputs("-X PUT ", stdout);
	print_quoted(url);
	if (rq->body && !q->file) {
		printf(" \\\n     -H 'Content-Type: %s' \\\n     -d ", rq->type);
		print_quoted(rq->body);
	}
	printf("%s\n", style(&d->terminal, STYLE_PLAIN));
}

/* Sends it without a word. *answer is new (json_decref). ERR_INVALID: the daemon refuses, in its own words. */
static int ask(struct demo *d, const struct client_request *rq, unsigned *status, json_t **answer,
		struct err *e)
{
	const struct client client = { .port = d->child.port, .stop_fd = d->child.stop_fd };
	struct client_answer raw = { 0 };
	const char *detail;
	int rc = client_call(&client, rq, &raw, e);

	if (rc) return rc;
	rc = json_read(raw.body, raw.body_size, answer, e);
	*status = raw.status;
	client_answer_clear(&raw);
	if (rc || *status < 300) return rc;
	detail = json_string_value(json_object_get(*answer, "detail"));
	rc = err_set(e, ERR_INVALID, "%s %s was answered with %u: %s", rq->method, rq->path, *status,
			detail ? detail : "no reason was given");
	json_decref(*answer);
	*answer = NULL;
	return rc;
}

/* Shows the curl line, sends it, and shows the members of the answer that matter. *answer as in ask. */
static int ask_aloud(struct demo *d, const struct question *q, const char *const *members, json_t **answer,
		struct err *e)
{
	json_t *shown = json_object();
	unsigned status;
	char *text = NULL;
	int rc;

	print_curl(d, q);
	fflush(stdout);
	if ((rc = ask(d, &q->request, &status, answer, e))) goto out;
	for (; *members; members++)
		if (json_object_get(*answer, *members))
			json_put(shown, *members, json_incref(json_object_get(*answer, *members)));
	if (!(text = json_text(shown, false)))
		rc = err_nomem(e);
	else
		printf("%s%u %.*s, ...}%s\n", style(&d->terminal, STYLE_ANSWER), status,
				(int)strlen(text) - 1, text, style(&d->terminal, STYLE_PLAIN));
out:
	if (rc) {
		json_decref(*answer);
		*answer = NULL;
	}
	free(text);
	json_decref(shown);
	return rc;
}

static struct client_request put_or_post(const char *method, const char *path, const char *json)
{
	return (struct client_request){ method, path, JSON_TYPE, json, strlen(json) };
}

/* A number of an answer; NaN where it is null or absent. */
static double number_of(const json_t *value)
{
	return json_is_number(value) ? json_number_value(value) : NAN;
}

static void title(const struct demo *d, const char *text)
{
	printf("\n%s%s%s\n", style(&d->terminal, STYLE_TITLE), text, style(&d->terminal, STYLE_PLAIN));
}

/* ---- the data ---- */

static bool has_content(const char *path, const struct embedded_file *file)
{
	FILE *f = fopen(path, "re");
	bool same = f;

	for (size_t i = 0; same && i < file->size; i++)
		same = getc(f) == (unsigned char)file->data[i];
	same = same && getc(f) == EOF;
	if (f) fclose(f);
	return same;
}

/* The file of the checkout where the demo runs in one, else a copy in the demo's folder. */
static int place_data(struct demo *d, const struct embedded_file *file, struct err *e)
{
	bool written;
	FILE *f;

	snprintf(d->data_file, sizeof d->data_file, "%s", DATA_FILE);
	if (has_content(d->data_file, file)) return 0;
	snprintf(d->data_file, sizeof d->data_file, "%s/iris.csv", d->child.folder);
	f = fopen(d->data_file, "we");
	written = f && fwrite(file->data, 1, file->size, f) == file->size;
	if (f && fclose(f)) written = false;
	return written ? 0 : err_set(e, ERR_IO, "cannot write %s: is the disk full?", d->data_file);
}

static int upload(struct demo *d, struct err *e)
{
	static const char *const members[] = { "name", "revision", "rows", "size_bytes", NULL };
	const struct embedded_file *file = embedded_find(DATA_FILE);
	struct question q = { { "PUT", "/v1/datasets/iris", NULL, file->data, file->size }, d->data_file };
	json_t *answer = NULL;
	int rc = place_data(d, file, e);

	if (rc) return rc;
	title(d, "1. Upload a table: 150 flowers, their measures and their species");
	rc = ask_aloud(d, &q, members, &answer, e);
	json_decref(answer);
	return rc;
}

/* ---- the network ---- */

static int create(struct demo *d, struct err *e)
{
	static const char *const members[] = { "name", "loss", "parameters", "size_bytes", NULL };
	struct question q = {
		put_or_post("PUT", "/v1/models/iris",
				"{\"dataset\":\"iris\",\"target\":\"species\",\"layers\":[16]}"),
		NULL
	};
	json_t *answer = NULL;
	int rc;

	title(d, "2. Create a network that tells the species: 4 measures, 16 hidden neurons, 3 species");
	rc = ask_aloud(d, &q, members, &answer, e);
	json_decref(answer);
	return rc;
}

/* ---- the training ---- */

static void show_progress(const struct demo *d, const json_t *job)
{
	const json_t *metrics = json_object_get(job, "metrics");
	const struct chart_progress progress = {
		.share = number_of(json_object_get(job, "progress")),
		.epoch = (uint64_t)json_integer_value(json_object_get(job, "epoch")),
		.epochs = (uint64_t)json_integer_value(json_object_get(job, "epochs")),
		.loss = number_of(json_object_get(metrics, "loss")),
		.val_loss = number_of(json_object_get(metrics, "val_loss")),
		.seconds_left = number_of(json_object_get(job, "eta_seconds")),
	};

	chart_progress(&d->terminal, &progress);
}

static bool is_state(const json_t *job, const char *state)
{
	const char *is = json_string_value(json_object_get(job, "state"));

	return is && !strcmp(is, state);
}

/* A job that ended: what came of it. */
static int tell_end(const json_t *job, struct err *e)
{
	const json_t *metrics = json_object_get(job, "metrics");
	const char *reason = json_string_value(json_object_get(job, "stop_reason"));

	if (!is_state(job, "succeeded"))
		return err_set(e, ERR_INVALID, "the training did not end well: %s",
				reason ? reason : "no reason was given");
	printf("Version %s knows %.1f %% of the flowers it learned from, and %.1f %% of those held out.\n",
			json_string_value(json_object_get(job, "version")),
			100 * number_of(json_object_get(metrics, "accuracy")),
			100 * number_of(json_object_get(metrics, "val_accuracy")));
	return 0;
}

/* One look at the job. *next is the progress, in LINES parts, that is worth a line where lines cannot be drawn anew. */
static int look(struct demo *d, double *next, bool *over, struct err *e)
{
	const struct client_request rq = { .method = "GET", .path = d->job };
	json_t *job = NULL;
	unsigned status;
	double parts;
	int rc = ask(d, &rq, &status, &job, e);

	if (rc) return rc;
	*over = !is_state(job, "queued") && !is_state(job, "running");
	parts = number_of(json_object_get(job, "progress")) * LINES;
	if (d->terminal.live || *over || (parts >= *next && parts < LINES)) {
		show_progress(d, job);
		*next = floor(parts) + 1;
	}
	if (*over && d->terminal.live) putchar('\n');
	if (*over) rc = tell_end(job, e);
	json_decref(job);
	return rc;
}

static int train(struct demo *d, struct err *e)
{
	static const char *const members[] = { "id", "model", "state", NULL };
	struct question order = {
		put_or_post("POST", "/v1/models/iris:train",
				"{\"dataset\":\"iris\",\"epochs\":50000,\"batch_size\":1,\"validation\":{\"split\":0.2},\n"
				"         \"optimizer\":{\"name\":\"sgd\",\"learning_rate\":0.00001},\"early_stopping\":null}"),
		NULL
	};
	struct question watch = { { .method = "GET", .path = d->job }, NULL };
	json_t *job = NULL;
	bool over = false;
	double next = 1;
	int rc;

	title(d, "3. Train it, in the background: 120 flowers to learn from, 30 held out");
	if ((rc = ask_aloud(d, &order, members, &job, e))) return rc;
	snprintf(d->job, sizeof d->job, "/v1/jobs/%s", json_string_value(json_object_get(job, "id")));
	json_decref(job);
	print_curl(d, &watch);
	while (!rc && !over)
		if (!(rc = look(d, &next, &over, e)) && !over) rc = child_pause(&d->child, POLL_MS, e);
	return rc;
}

/* ---- the curve ---- */

static size_t read_column(const json_t *document, const char *name, double out[CURVE_POINTS])
{
	const json_t *column = json_object_get(document, name);
	size_t n = json_array_size(column);

	if (n > CURVE_POINTS) n = CURVE_POINTS;
	for (size_t i = 0; i < CURVE_POINTS; i++)
		out[i] = number_of(json_array_get(column, i));
	return n;
}

static int draw(struct demo *d, struct err *e)
{
	static const char *const members[] = { "job", "total", "returned", NULL };
	double epoch[CURVE_POINTS], loss[CURVE_POINTS], val_loss[CURVE_POINTS];
	struct chart_curve curve = { epoch, loss, val_loss, 0 };
	json_t *answer = NULL;
	char path[96];
	struct question q = { { .method = "GET", .path = path }, NULL };
	int rc;

	snprintf(path, sizeof path, "%s/curve?points=%d", d->job, CURVE_POINTS);
	title(d, "4. How the loss fell");
	if ((rc = ask_aloud(d, &q, members, &answer, e))) return rc;
	curve.count = read_column(answer, "epoch", epoch);
	read_column(answer, "loss", loss);
	read_column(answer, "val_loss", val_loss);
	json_decref(answer);
	putchar('\n');
	chart_curve(&d->terminal, &curve);
	return 0;
}

/* ---- the answers ---- */

#define FLOWERS 3

/* Rows of the file, so that the species is known. */
static const char *const species[FLOWERS] = { "setosa", "versicolor", "virginica" };
static const char flowers[] =
		"{\"examples\":[\n"
		"       {\"sepal_length\":5.1,\"sepal_width\":3.5,\"petal_length\":1.4,\"petal_width\":0.2},\n"
		"       {\"sepal_length\":5.9,\"sepal_width\":3.0,\"petal_length\":4.2,\"petal_width\":1.5},\n"
		"       {\"sepal_length\":6.5,\"sepal_width\":3.0,\"petal_length\":5.8,\"petal_width\":2.2}]}";

/* scores: [["setosa",0.98],["versicolor",0.02],...], in any order. */
static void show_flower(const struct demo *d, const char *known, const json_t *scores)
{
	const char *best = "nothing";
	double share = 0;

	for (size_t i = 0; i < json_array_size(scores); i++) {
		const json_t *pair = json_array_get(scores, i);
		double score = number_of(json_array_get(pair, 1));

		if (!(score > share)) continue;
		share = score;
		best = json_string_value(json_array_get(pair, 0));
	}
	printf("  %-11s %5.1f %%  %s", best, 100 * share, style(&d->terminal, STYLE_LOSS));
	chart_bar(&d->terminal, share, BAR_COLUMNS);
	printf("%s  in truth %s\n", style(&d->terminal, STYLE_PLAIN), known);
}

static int classify(struct demo *d, struct err *e)
{
	static const char *const members[] = { "model_version", NULL };
	struct question q = { put_or_post("POST", "/v1/models/iris:classify", flowers), NULL };
	json_t *answer = NULL;
	int rc;

	title(d, "5. Ask it for the species of three flowers");
	if ((rc = ask_aloud(d, &q, members, &answer, e))) return rc;
	for (size_t i = 0; i < FLOWERS; i++)
		show_flower(d, species[i], json_array_get(json_object_get(answer, "results"), i));
	json_decref(answer);
	return 0;
}

/* ---- the story ---- */

static int stay_up(struct demo *d, struct err *e)
{
	if (!d->terminal.live) return 0;
	printf("\nThe daemon answers at %shttp://127.0.0.1:%u%s until you press Ctrl-C.\n"
	       "Paste any line from above into another terminal, or begin with\n%scurl http://127.0.0.1:%u/v1/models/iris%s\n",
			style(&d->terminal, STYLE_GOOD), d->child.port, style(&d->terminal, STYLE_PLAIN),
			style(&d->terminal, STYLE_COMMAND), d->child.port, style(&d->terminal, STYLE_PLAIN));
	fflush(stdout);
	return child_pause(&d->child, -1, e);
}

static int tell(struct demo *d, const struct config *config, int (*serve)(const struct config *config),
		struct err *e)
{
	static int (*const steps[])(
			struct demo *, struct err *) = { upload, create, train, draw, classify, stay_up };
	int rc = child_start(&d->child, config, serve, e);

	if (rc) return rc;
	printf("descentd %s listens on http://127.0.0.1:%u\nIts database is %s/demo.db, until the demo ends.\n",
			DESCENTD_VERSION, d->child.port, d->child.folder);
	for (size_t i = 0; i < sizeof steps / sizeof *steps && !rc; i++) {
		rc = steps[i](d, e);
		if (!rc && (fflush(stdout) || ferror(stdout)))
			rc = err_set(e, ERR_IO,
					"the demo has nobody to show it to: stdout cannot be written");
	}
	return rc;
}

int demo_run(const struct config *config, int (*serve)(const struct config *config))
{
	struct demo d = { 0 };
	struct err e, left;
	int rc;

	terminal_look(&d.terminal);
	rc = tell(&d, config, serve, &e);
	if (rc == ERR_IO)
		child_pause(&d.child, END_MS, NULL); /* a daemon that crashes closes its connections first */
	if (rc && child_ended(&d.child))
		rc = err_set(&e, ERR_IO,
				"the demo's daemon ended by itself; if it could say why, that stands above");
	if (rc == ERR_STOPPED) {
		puts("\nStopping.");
		rc = 0;
	}
	fflush(stdout);
	if (rc) fprintf(stderr, "descentd: %s\n", e.text);
	if (child_stop(&d.child, &left)) {
		fprintf(stderr, "descentd: %s\n", left.text);
		rc = ERR_IO;
	}
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}
