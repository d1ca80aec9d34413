/* fuzz_http.c - libFuzzer on raw HTTP: bytes that go through a connection of libmicrohttpd's into the gate, the router and the
 * handlers of a daemon in this process (daemon.h).
 *
 * The first byte says how the rest, which is what a client sends, is cut in two, and whether the client leaves without
 * waiting. The input is also read by messages.h, which says what requests there are in it. Every one of them gets one answer,
 * well-formed and no 5xx, until the connection is closed; it is, behind a request that is none or that can be read in two ways;
 * the access log has the same methods and targets. So nothing in a body is ever taken for a request. The seeds lie in
 * tests/fuzz/corpus/http.
 */
#include <jansson.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "tests/fuzz/daemon.h"
#include "tests/fuzz/messages.h"

#define REQUESTS_MAX   DAEMON_LOGGED
#define ANSWERS_BYTES  (8u << 20)
#define READING_PAUSES 1000
#define LEAVE_PAUSES   100
#define LEAVES         0x80  /* of the first byte */
#define PATIENCE_MS    20000 /* above what any answer takes under the sanitizers on a busy machine */
#define IMPATIENCE_MS  20    /* with answers that are held until something changes */
#define RENEW_EVERY    2000  /* inputs: what abandoned uploads leave is swept at a start */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char answers[ANSWERS_BYTES];

struct talk {
	const char *bytes; /* what is sent */
	size_t n;
	struct message asked[REQUESTS_MAX];
	size_t asked_count;
	size_t got; /* of answers */
	size_t at;  /* where the next answer begins */
	size_t answered;
	bool over;    /* no answer may follow */
	bool ended;   /* the daemon has closed the connection */
	bool endless; /* an answer is a stream of events */
	bool changed; /* the database is not as it was */
	bool refused; /* libmicrohttpd itself has */
};

static bool patient(const struct talk *talk)
{
	for (size_t i = 0; i < talk->asked_count; i++)
		if (talk->asked[i].waits) return false;
	return true;
}

/* ---- the client ---- */

static void read_requests(struct talk *talk)
{
	size_t at = 0;

	while (talk->asked_count < REQUESTS_MAX &&
			read_request(talk->bytes, talk->n, &at, &talk->asked[talk->asked_count]))
		if (talk->asked[talk->asked_count++].kind >= MESSAGE_CUT) break;
}

/* Until the daemon has read what was sent so far, or does not want it. */
static void await_reading(int fd)
{
	int left;

	for (int i = 0; i < READING_PAUSES && !ioctl(fd, SIOCOUTQ, &left) && left; i++)
		daemon_pause();
}

static void send_bytes(const struct talk *talk, int fd, size_t cut)
{
	size_t first = talk->n ? cut % talk->n : 0;

	if (first && send(fd, talk->bytes, first, MSG_NOSIGNAL) < 0) return;
	if (first) await_reading(fd);
	send(fd, talk->bytes + first, talk->n - first,
			MSG_NOSIGNAL); /* an input fits into the socket's buffer */
}

static bool is_events(struct piece type)
{
	return piece_is(type, "text/event-stream") || piece_is(type, "application/x-ndjson");
}

static const struct message *question(const struct talk *talk)
{
	static const struct message none = { .kind = MESSAGE_CUT };

	return talk->answered < talk->asked_count ? &talk->asked[talk->answered] : &none;
}

static void check_json(const struct message *answer)
{
	json_t *document;

	if (answer->coding.n || !answer->body_size) return;
	if (!piece_is(answer->type, "application/json") &&
			!piece_is(answer->type, "application/problem+json"))
		return;
	document = json_loadb(
			answer->body, answer->body_size, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
	must(document, "an answer says it is JSON and is not");
	json_decref(document);
}

static void check_answer(struct talk *talk, const struct message *answer)
{
	const struct message *asked = question(talk);
	bool good = answer->status < 300,
	     reads = piece_is(asked->method, "GET") || piece_is(asked->method, "HEAD");

	must(!talk->over, "an answer behind the last one");
	must(talk->answered < talk->asked_count, "more answers than requests");
	must(answer->status < 500 || (asked->kind != MESSAGE_CLEAN &&
						     (answer->status == 501 || answer->status == 505)),
			"a server's error");
	must(!good || asked->kind != MESSAGE_BROKEN, "a broken request was served");
	must(!good || asked->kind != MESSAGE_CUT || answer->status == 204, "half a request was served");
	check_json(answer);
	talk->changed |= good && !reads && (answer->status > 200 || !piece_is(asked->method, "POST"));
	talk->over = answer->close || request_ends(asked) || asked->kind >= MESSAGE_CUT;
	talk->answered++;
}

/* libmicrohttpd sends the head of its own refusals twice, and ends the connection. */
static bool is_own_refusal(const struct message *answer)
{
	return answer->body && (strstr(answer->body, "<html>") || !strncmp(answer->body, "HTTP/1.", 7));
}

/* What of the answers is whole. */
static void take_answers(struct talk *talk)
{
	struct message answer;

	while (talk->at < talk->got && !talk->endless && !talk->refused) {
		struct piece method = question(talk)->method;
		bool to_head = method.n == 4 && !memcmp(method.text, "HEAD", 4); /* of this case alone */

		read_answer(answers, talk->got, &talk->at, to_head, talk->ended, &answer);
		must(answer.kind != MESSAGE_BROKEN, "an answer is not well-formed");
		talk->endless = answer.headed && is_events(answer.type) && answer.kind == MESSAGE_CUT;
		if (answer.kind == MESSAGE_CUT) break;
		if (answer.status >= 200) {
			check_answer(talk, &answer);
			talk->refused = is_own_refusal(&answer);
		}
		free(answer.body);
	}
}

/* Have all requests their answers? */
static bool is_done(const struct talk *talk)
{
	const struct message *next = question(talk);

	return talk->endless || talk->refused || talk->over || next->kind == MESSAGE_CUT;
}

/* Nothing follows. libmicrohttpd may take this and the bytes before for one event, and not look again; so they go first. */
static bool tell_end(int fd)
{
	await_reading(fd);
	return !shutdown(fd, SHUT_WR);
}

/* Waits for more. False: there will be none. */
static bool await_more(struct talk *talk, int fd, bool *told)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	bool broken = question(talk)->kind == MESSAGE_BROKEN;

	if (is_done(talk) && !*told) *told = tell_end(fd);
	/* Of what is broken the daemon may want more, and what it makes of it needs a moment. */
	if (!*told && broken) {
		if (poll(&wait, 1, IMPATIENCE_MS)) return true;
		*told = tell_end(fd);
	}
	if (poll(&wait, 1, patient(talk) ? PATIENCE_MS : IMPATIENCE_MS)) return true;
	must(!patient(talk), "an answer did not come, or the connection did not end");
	return false;
}

static void read_answers(struct talk *talk, int fd)
{
	bool told = false; /* the daemon, that nothing follows */

	while (!talk->ended && !talk->endless && await_more(talk, fd, &told)) {
		ssize_t n;

		must(talk->got < sizeof answers, "more answers than there is room for");
		n = recv(fd, answers + talk->got, sizeof answers - talk->got, 0);
		talk->ended = n <= 0;
		if (n > 0) talk->got += (size_t)n;
		take_answers(talk);
	}
}

/* ---- what must have been ---- */

static void check_end(const struct talk *talk)
{
	const struct message *next = question(talk);

	if (!talk->ended || talk->endless || talk->refused || talk->over) return;
	must(talk->at == talk->got, "half an answer");
	must(next->kind != MESSAGE_CLEAN, "a request has no answer");
}

/* The log has the clean requests, up to the first that is not. */
static void check_log(const struct talk *talk)
{
	for (size_t i = 0; i < talk->answered && talk->asked[i].kind == MESSAGE_CLEAN; i++) {
		const struct message *asked = &talk->asked[i];
		const struct daemon_entry *entry = &daemon_.entries[i];
		size_t n = strlen(entry->url);

		if (talk->refused && i + 1 == talk->answered)
			break; /* it may have been refused before it had a method */
		must(i < daemon_.logged, "a request was not logged");
		if (asked->method.n < sizeof entry->method)
			must(piece_is(asked->method, entry->method), "another method was logged");
		if (asked->target.n < sizeof entry->url && strcmp(entry->url, "/"))
			must(n <= asked->target.n && !memcmp(asked->target.text + asked->target.n - n,
								     entry->url, n),
					"another target was logged");
	}
}

/* ---- one input ---- */

/* May one of the requests whose answers nobody read have changed something? */
static bool may_have_changed(const struct talk *talk)
{
	for (size_t i = 0; i < talk->asked_count; i++)
		if (!piece_is(talk->asked[i].method, "GET") && !piece_is(talk->asked[i].method, "HEAD"))
			return true;
	return false;
}

/* The client has gone; what waits, waits long. */
static void leave(struct talk *talk)
{
	bool settled = daemon_settled(LEAVE_PAUSES);

	talk->changed |= !settled || may_have_changed(talk);
}

static void talk_through(struct talk *talk, uint8_t how)
{
	int fd = daemon_connect();

	daemon_forget_log();
	read_requests(talk);
	send_bytes(talk, fd, how & ~LEAVES);
	if (!(how & LEAVES)) read_answers(talk, fd);
	close(fd);
	if (!talk->ended) {
		leave(talk);
		return;
	}
	must(daemon_settled(DAEMON_PAUSES), "a request did not end");
	check_end(talk);
	check_log(talk);
}

/* libFuzzer looks for leaks after an input, when the threads of the daemon live: daemon_renew does it instead. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static char no_leaks[] = "-detect_leaks=0";
	char **more = calloc((size_t)*argc + 2, sizeof *more);

	must(more, "no memory");
	memcpy(more, *argv, (size_t)*argc * sizeof *more);
	more[(*argc)++] = no_leaks;
	*argv = more;
	daemon_begin();
	return 0;
}

/* What libmicrohttpd hides from the gate (see there): a NUL that stands for the CR before it, or the LF behind it, and a colon for
 * an empty line's CR. */
static bool is_hidden(const uint8_t *data, size_t size)
{
	return memmem(data, size, "\0\r", 2) || memmem(data, size, "\0\n", 2) ||
	       memmem(data, size, "\n:\n", 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct talk talk;
	static size_t inputs;

	if (size < 2 || is_hidden(data + 1, size - 1)) return 0;
	memset(&talk, 0, sizeof talk);
	talk.bytes = (const char *)data + 1;
	talk.n = size - 1;
	talk_through(&talk, data[0]);
	if (talk.changed || !(++inputs % RENEW_EVERY)) daemon_renew();
	return 0;
}
