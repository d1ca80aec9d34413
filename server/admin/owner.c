/* owner.c - see owner.h. */
#include "server/admin/owner.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/client.h"
#include "server/codec/json.h"

#define SUFFIX "-control"

char *owner_socket(const char *database)
{
	char *copy = strdup(database), *folder = copy ? realpath(dirname(copy), NULL) : NULL, *out = NULL;
	const char *name = strrchr(database, '/');

	if (folder && asprintf(&out, "%s/%s" SUFFIX, folder, name ? name + 1 : database) < 0) out = NULL;
	free(folder);
	free(copy);
	if (!out || strlen(out) < sizeof((struct sockaddr_un *)0)->sun_path) return out;
	free(out);
	return NULL;
}

static int reach(const char *database, struct store **store, char **socket, struct err *e)
{
	int rc = store_open_sqlite(store, database, e);

	if (rc != ERR_CONFLICT) return rc;
	*socket = owner_socket(database);
	return *socket ? 0 : rc;
}

int owner_reach(const char *database, struct store **store, char **socket, struct err *e)
{
	*store = NULL;
	*socket = NULL;
	if (access(database, F_OK))
		return err_set(e, ERR_NOT_FOUND, "there is no database %s; name it with --db", database);
	return reach(database, store, socket, e);
}

int owner_make(const char *database, struct store **store, char **socket, struct err *e)
{
	bool there = !access(database, F_OK);
	int rc;

	*store = NULL;
	*socket = NULL;
	if (!(rc = reach(database, store, socket, e)) && !there)
		fprintf(stderr, "the database %s was not there, and is made\n", database);
	return rc;
}

static int read_answer(const struct client_answer *answer, json_t **out, struct err *e)
{
	int rc = answer->body_size ? json_read(answer->body, answer->body_size, out, e) : 0;

	if (rc || answer->status < 300) return rc;
	err_set(e, ERR_INVALID, "%s",
			*out && json_is_string(json_object_get(*out, "detail"))
					? json_string_value(json_object_get(*out, "detail"))
					: "the daemon refused, and did not say why");
	json_decref(*out);
	*out = NULL;
	return ERR_INVALID;
}

int owner_ask(const char *socket, const char *method, const char *path, const json_t *document, json_t **out,
		struct err *e)
{
	char *database = strndup(socket, strlen(socket) - strlen(SUFFIX));
	const struct client client = { .socket = socket, .file = database, .stop_fd = -1 };
	struct client_request request = { .method = method, .path = path };
	struct client_answer answer = { 0 };
	char *body = document ? json_text(document, false) : NULL;
	int rc;

	*out = NULL;
	if (!database || (document && !body)) {
		rc = err_nomem(e);
		goto out;
	}
	if (body) {
		request.type = "application/json";
		request.body = body;
		request.size = strlen(body);
	}
	if (!(rc = client_call(&client, &request, &answer, e))) rc = read_answer(&answer, out, e);
out:
	client_answer_clear(&answer);
	free(database);
	free(body);
	return rc;
}
