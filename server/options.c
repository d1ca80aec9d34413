/* options.c - the table of options, and how a value is read. See options.h. */
#include "server/options.h"

#include <assert.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "server/auth/host.h"
#include "server/auth/origin.h"
#include "server/auth/token.h"
#include "server/log.h"

#define KIB             (UINT64_C(1) << 10)
#define MIB             (UINT64_C(1) << 20)
#define GIB             (UINT64_C(1) << 30)
#define TIB             (UINT64_C(1) << 40)
#define THREADS_MAX     256
#define BUDGET_MIN      (64 * MIB)
#define BUDGET_MAX      (1024 * TIB)
#define CGROUP_MEMORY   "/sys/fs/cgroup/memory.max"
#define SIZE_TEXT       32
#define KEEP_MAX        1000000000
#define CONNECTIONS_MAX 1000000

static bool is_address(const char *text)
{
	struct host host;

	return host_socket_path(text) || (host_split(text, &host) && host.port != HOST_NO_PORT);
}

static bool is_mode(const char *text)
{
	size_t n = strlen(text);

	return n >= 3 && n <= 4 && strspn(text, "01234567") == n && strtoul(text, NULL, 8) <= 0777;
}

static bool is_duration(const char *text)
{
	uint64_t seconds;

	return token_duration(text, &seconds);
}

static bool is_rate(const char *text)
{
	size_t n = strspn(text, "0123456789.");

	return n && !text[n] && strchr(text, '.') == strrchr(text, '.') && strtod(text, NULL) > 0 &&
	       strtod(text, NULL) <= TOKEN_RATE_MAX;
}

static uint64_t cpus(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t allowed;

	if (!sched_getaffinity(0, sizeof allowed, &allowed)) n = CPU_COUNT(&allowed);
	return n < 1 ? 1 : n > THREADS_MAX ? THREADS_MAX : (uint64_t)n;
}

/* Half of the machine's memory, or of the container's where that has less. */
static uint64_t half_of_memory(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
	uint64_t bytes = pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : 0, limit;
	FILE *file = fopen(CGROUP_MEMORY, "re");

	if (file && fscanf(file, "%" SCNu64, &limit) == 1 && limit < bytes) bytes = limit;
	if (file) fclose(file);
	return bytes / 2 < BUDGET_MIN ? BUDGET_MIN : bytes / 2;
}

/* What --keep-jobs and --keep-versions are when nobody says: no number is above it. */
static uint64_t all(void)
{
	return UINT32_MAX;
}

/* What --model-memory is when nobody says: a share of another option. */
static uint64_t shared(void)
{
	return 0;
}

/* What --max-connections-per-address is when nobody says: it depends on --listen. */
static uint64_t by_place(void)
{
	return 0;
}

static const char *const engines[] = { "auto", "naive", "portable", "avx2", "avx512", NULL };
static const char *const log_formats[] = { [LOG_FORMAT_TEXT] = "text", [LOG_FORMAT_JSON] = "json", NULL };
static const char *const log_levels[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
	NULL,
};

#define TEXT(field)   .type = OPTION_TEXT, .offset = offsetof(struct config, field)
#define WORD(field)   .type = OPTION_WORD, .offset = offsetof(struct config, field)
#define COUNT(field)  .type = OPTION_COUNT, .offset = offsetof(struct config, field)
#define SIZE(field)   .type = OPTION_SIZE, .offset = offsetof(struct config, field)
#define SWITCH(field) .type = OPTION_SWITCH, .offset = offsetof(struct config, field)
#define KEEP          .fallback = "all", .computed = all, .min = 1, .max = KEEP_MAX, .reloads = true
#define QUOTA         .fallback = "any", .computed = all, .min = 0, .max = KEEP_MAX
#define CPUS          .fallback = "the CPUs it may use", .computed = cpus, .min = 1, .max = THREADS_MAX

/* clang-format off */
const struct option options[] = {
	{ "db", "FILE", TEXT(db), .places = OPTION_ANYWHERE, .fallback = "descentd.db",
	  .meaning = "the database; made when it is not there" },
	{ "listen", "ADDRESS", TEXT(listen), .places = OPTION_ANYWHERE, .fallback = "127.0.0.1:8420",
	  .holds = is_address, .form = "HOST:PORT, as in 127.0.0.1:8420 or [::1]:8420, or unix:/PATH of a socket",
	  .meaning = "where to serve HTTP; a public address needs a token and TLS" },
	{ "socket-mode", "MODE", TEXT(socket_mode), .places = OPTION_ANYWHERE, .fallback = "600",
	  .holds = is_mode, .form = "a file mode in octal, as in 600 or 660",
	  .meaning = "who may connect to --listen unix:/PATH" },
	{ "tls-cert", "FILE", TEXT(tls_cert), .places = OPTION_ANYWHERE, .reloads = true,
	  .meaning = "serve HTTPS with this certificate and its chain, in PEM" },
	{ "tls-key", "FILE", TEXT(tls_key), .places = OPTION_ANYWHERE, .reloads = true,
	  .meaning = "the key of --tls-cert, in PEM" },
	{ "client-ca", "FILE", TEXT(client_ca), .places = OPTION_ANYWHERE, .reloads = true,
	  .meaning = "let in who has a certificate of this CA only" },
	{ "no-tls", "", SWITCH(no_tls), .places = OPTION_ANYWHERE,
	  .meaning = "a public --listen without TLS: a proxy speaks it" },
	{ "port-file", "FILE", TEXT(port_file), .places = OPTION_ANYWHERE,
	  .meaning = "written once ready: the port, for when --listen says 0" },
	{ "token-file", "FILE", TEXT(token_file), .places = OPTION_ANYWHERE,
	  .meaning = "its first line is the token that requests must send" },
	{ "token", "TOKEN", TEXT(token), .places = OPTION_ENVIRONMENT,
	  .meaning = "the token itself" },
	{ "audit-log", "FILE", TEXT(audit_log), .places = OPTION_ANYWHERE,
	  .meaning = "a line of JSON for each change: who, what, when, from where" },
	{ "allow-host", "HOSTS", TEXT(allow_host), .places = OPTION_ANYWHERE,
	  .holds = host_list_valid, .form = "a list of hosts without ports, as in example.com,10.0.0.7, or *", .reloads = true,
	  .meaning = "more names it answers to, separated by commas; * for all" },
	{ "cors-origin", "ORIGINS", TEXT(cors_origin), .places = OPTION_ANYWHERE, .reloads = true,
	  .holds = origin_list_valid, .form = "a list of origins, as in https://app.example.com,http://localhost:3000, or *",
	  .meaning = "pages elsewhere that may call it, by commas; * for all" },
	{ "workers", "N", COUNT(workers), .places = OPTION_ANYWHERE, CPUS, .reloads = true,
	  .meaning = "jobs that train at the same time" },
	{ "threads", "N", COUNT(threads), .places = OPTION_ANYWHERE, CPUS,
	  .meaning = "the most threads that one job may use" },
	{ "loops", "N", COUNT(loops), .places = OPTION_ANYWHERE, CPUS,
	  .meaning = "event loops that answer HTTP" },
	{ "max-connections", "N", COUNT(max_connections), .places = OPTION_ANYWHERE, .fallback = "12000",
	  .min = 1, .max = CONNECTIONS_MAX,
	  .meaning = "connections open at the same time" },
	{ "max-connections-per-address", "N", COUNT(address_connections), .places = OPTION_ANYWHERE,
	  .fallback = "all, or a quarter of them if public", .computed = by_place, .min = 1, .max = CONNECTIONS_MAX,
	  .meaning = "of these, from one address" },
	{ "header-seconds", "N", COUNT(header_seconds), .places = OPTION_ANYWHERE, .fallback = "10", .min = 1, .max = 3600,
	  .meaning = "a request's headers must be there within so long" },
	{ "body-seconds", "N", COUNT(body_seconds), .places = OPTION_ANYWHERE, .fallback = "30", .min = 1, .max = 3600,
	  .meaning = "a body, or the reading of an answer, may take so long" },
	{ "min-rate", "SIZE", SIZE(rate_min), .places = OPTION_ANYWHERE, .fallback = "4K", .min = 1, .max = GIB,
	  .meaning = "and a second more for so many bytes that moved" },
	{ "connection-memory", "SIZE", SIZE(connection_bytes), .places = OPTION_ANYWHERE, .fallback = "8K", .min = 4 * KIB, .max = MIB,
	  .meaning = "of each connection; URL and headers must fit in it" },
	{ "max-requests", "N", COUNT(max_requests), .places = OPTION_ANYWHERE, .fallback = "4096", .min = 1, .max = 1000000,
	  .meaning = "requests at work at the same time; one more gets 503" },
	{ "request-memory", "SIZE", SIZE(request_memory_bytes), .places = OPTION_ANYWHERE,
	  .fallback = "a quarter of --memory-budget", .computed = shared, .min = MIB, .max = BUDGET_MAX,
	  .meaning = "what bodies and answers may hold; else 503" },
	{ "max-body", "SIZE", SIZE(max_body_bytes), .places = OPTION_ANYWHERE, .fallback = "64M",
	  .min = KIB, .max = GIB,
	  .meaning = "the largest body of a request, but for data sets" },
	{ "max-upload", "SIZE", SIZE(max_upload_bytes), .places = OPTION_ANYWHERE, .fallback = "16G",
	  .min = KIB, .max = 1024 * TIB,
	  .meaning = "the largest data set" },
	{ "memory-budget", "SIZE", SIZE(memory_budget_bytes), .places = OPTION_ANYWHERE,
	  .fallback = "half of the memory", .computed = half_of_memory, .min = BUDGET_MIN, .max = BUDGET_MAX,
	  .meaning = "what models, data and bodies may take together" },
	{ "model-memory", "SIZE", SIZE(model_memory_bytes), .places = OPTION_ANYWHERE,
	  .fallback = "a quarter of --memory-budget", .computed = shared, .min = MIB, .max = BUDGET_MAX,
	  .meaning = "what versions in memory may take" },
	{ "preload", "", SWITCH(preload), .places = OPTION_ANYWHERE,
	  .meaning = "load what each model answers with before serving" },
	{ "no-batching", "", SWITCH(no_batching), .places = OPTION_ANYWHERE,
	  .meaning = "requests never share a product of a large network" },
	{ "keep-jobs", "N", COUNT(keep_jobs), .places = OPTION_ANYWHERE, KEEP,
	  .meaning = "ended jobs that are kept, the newest" },
	{ "keep-versions", "N", COUNT(keep_versions), .places = OPTION_ANYWHERE, KEEP,
	  .meaning = "versions of a model that are kept, the newest; labelled ones always are" },
	{ "webhook-allow", "HOSTS", TEXT(webhook_allow), .places = OPTION_ANYWHERE, .reloads = true,
	  .holds = host_list_valid, .form = "a list of hosts without ports, as in hooks.example.com,10.0.0.7, or *",
	  .meaning = "hosts that jobs may have told of their end, by commas; * for all" },
	{ "webhook-key-file", "FILE", TEXT(webhook_key_file), .places = OPTION_ANYWHERE, .reloads = true,
	  .meaning = "its first line signs what they are told" },
	{ "no-drift", "", SWITCH(no_drift), .places = OPTION_ANYWHERE,
	  .meaning = "do not count what models are asked" },
	{ "metrics-models", "N", COUNT(metrics_models), .places = OPTION_ANYWHERE, .fallback = "100", .min = 0, .max = 10000,
	  .meaning = "models that /metrics shows by name, the busiest" },
	{ "backup-rate", "SIZE", SIZE(backup_rate), .places = OPTION_ANYWHERE, .fallback = "64M", .min = MIB, .max = TIB,
	  .meaning = "what a backup may copy in a second" },
	{ "force", "", SWITCH(force), .places = OPTION_FLAG, .of = COMMAND_RESTORE,
	  .meaning = "keep a database that is there beside, and take its place" },
	{ "engine", "ENGINE", .also = "gemm", TEXT(engine), .places = OPTION_ANYWHERE, .fallback = "auto", .words = engines,
	  .meaning = "or gemm; matrix products: auto, naive, portable, avx2, avx512" },
	{ "log-format", "FORMAT", WORD(log_format), .places = OPTION_ANYWHERE, .fallback = "text",
	  .words = log_formats, .meaning = "lines of the log: text or json" },
	{ "log-level", "LEVEL", WORD(log_level), .places = OPTION_ANYWHERE, .fallback = "info",
	  .words = log_levels, .reloads = true, .meaning = "what to log: error, info or debug" },
	{ "roles", "ROLES", TEXT(token_roles), .of = COMMAND_TOKEN_CREATE, .places = OPTION_FLAG, .fallback = "read,predict",
	  .holds = token_roles_valid, .form = "some of read, predict, train, admin, separated by commas",
	  .meaning = "some of read, predict, train, admin" },
	{ "models", "NAMES", TEXT(token_models), .of = COMMAND_TOKEN_CREATE, .places = OPTION_FLAG,
	  .holds = token_models_valid, .form = "a list of names of models, as in iris*,wine",
	  .meaning = "only these; * stands for any letters" },
	{ "expires", "TIME", TEXT(token_expires), .of = COMMAND_TOKEN_CREATE, .places = OPTION_FLAG,
	  .holds = is_duration, .form = "a time from now, as in 90s, 12h or 30d",
	  .meaning = "from now, as in 12h or 30d" },
	{ "rate", "N", TEXT(token_rate), .of = COMMAND_TOKEN_CREATE, .places = OPTION_FLAG,
	  .holds = is_rate, .form = "a number of requests a second, as in 100 or 0.5",
	  .meaning = "requests a second" },
	{ "max-models", "N", COUNT(token_max_models), .of = COMMAND_TOKEN_CREATE, .places = OPTION_FLAG, QUOTA,
	  .meaning = "models of its own" },
	{ "max-datasets", "N", COUNT(token_max_datasets), .of = COMMAND_TOKEN_CREATE, .places = OPTION_FLAG, QUOTA,
	  .meaning = "data sets of its own" },
	{ "max-bytes", "SIZE", SIZE(token_max_bytes), .of = COMMAND_TOKEN_CREATE, .places = OPTION_FLAG,
	  .fallback = "any", .computed = shared, .min = 1, .max = 1024 * TIB, .meaning = "of those data sets" },
	{ "max-jobs", "N", COUNT(token_max_jobs), .of = COMMAND_TOKEN_CREATE, .places = OPTION_FLAG, QUOTA,
	  .meaning = "unfinished jobs of its own" },
	{ "config", "FILE", TEXT(file), .places = OPTION_FLAG | OPTION_ENVIRONMENT,
	  .meaning = "lines `name = value` with these same options" },
	{ 0 },
};
/* clang-format on */

static_assert(sizeof options / sizeof *options - 1 <= OPTIONS_MAX, "readers keep notes by row");

const struct option *option_find(const char *name)
{
	const struct option *option = options;

	while (option->name && strcmp(option->name, name) && (!option->also || strcmp(option->also, name)))
		option++;
	return option->name ? option : NULL;
}

static void *field(const struct option *option, struct config *config)
{
	return (char *)config + option->offset;
}

/* Digits and nothing else; what does not fit reads as UINT64_MAX, which no range holds. */
static bool read_digits(const char *text, size_t n, uint64_t *out)
{
	if (!n || strspn(text, "0123456789") < n) return false;
	*out = strtoull(text, NULL, 10);
	return true;
}

static int set_count(
		const struct option *option, const char *value, const char *place, void *to, struct err *e)
{
	uint64_t n;

	if (!read_digits(value, strlen(value), &n) || n < option->min || n > option->max)
		return err_set(e, ERR_INVALID,
				"%s: \"%.60s\" is not a whole number from %" PRIu64 " to %" PRIu64, place,
				value, option->min, option->max);
	*(unsigned *)to = (unsigned)n;
	return 0;
}

static const struct unit {
	char letter;
	uint64_t bytes;
} units[] = { { 'T', TIB }, { 'G', GIB }, { 'M', MIB }, { 'K', KIB } };

#define UNITS (sizeof units / sizeof *units)

/* "64M", "64MiB", "64m"; "65536". Not "64MB": some read it as 64,000,000. */
static bool read_size(const char *text, uint64_t *out)
{
	size_t digits = strspn(text, "0123456789");
	const char *unit = text + digits;

	if (!read_digits(text, digits, out)) return false;
	if (!*unit) return true;
	if (unit[1] && strcasecmp(unit + 1, "iB")) return false;
	for (size_t i = 0; i < UNITS; i++)
		if ((*unit & ~0x20) == units[i].letter) {
			if (__builtin_mul_overflow(*out, units[i].bytes, out)) *out = UINT64_MAX;
			return true;
		}
	return false;
}

static const char *size_text(uint64_t bytes, char out[SIZE_TEXT])
{
	size_t i = 0;

	while (i < UNITS && (bytes < units[i].bytes || bytes % units[i].bytes))
		i++;
	if (i < UNITS)
		snprintf(out, SIZE_TEXT, "%" PRIu64 "%c", bytes / units[i].bytes, units[i].letter);
	else
		snprintf(out, SIZE_TEXT, "%" PRIu64, bytes);
	return out;
}

static int set_size(
		const struct option *option, const char *value, const char *place, void *to, struct err *e)
{
	char min[SIZE_TEXT], max[SIZE_TEXT];
	uint64_t bytes;

	if (!read_size(value, &bytes) || bytes < option->min || bytes > option->max)
		return err_set(e, ERR_INVALID, "%s: \"%.60s\" is not a size from %s to %s, as in 64M or 2GiB",
				place, value, size_text(option->min, min), size_text(option->max, max));
	*(uint64_t *)to = bytes;
	return 0;
}

/* The value's place among the words; the sentence lists them. */
static int find_word(const struct option *option, const char *value, const char *place, unsigned *out,
		struct err *e)
{
	char list[128] = "";

	for (unsigned i = 0; option->words[i]; i++) {
		size_t used = strlen(list);

		if (!strcmp(option->words[i], value)) {
			*out = i;
			return 0;
		}
		snprintf(list + used, sizeof list - used, "%s%s",
				!i                     ? ""
				: option->words[i + 1] ? ", "
						       : " or ",
				option->words[i]);
	}
	return err_set(e, ERR_INVALID, "%s: \"%.60s\" is not %s", place, value, list);
}

static int set_word(
		const struct option *option, const char *value, const char *place, void *to, struct err *e)
{
	return find_word(option, value, place, to, e);
}

static int set_switch(
		const struct option *option, const char *value, const char *place, void *to, struct err *e)
{
	bool on = !strcmp(value, "true");

	(void)option;
	*(bool *)to = on;
	if (on || !strcmp(value, "false")) return 0;
	return err_set(e, ERR_INVALID, "%s: \"%.60s\" is not true or false", place, value);
}

static int set_text(
		const struct option *option, const char *value, const char *place, void *to, struct err *e)
{
	unsigned index;
	char *copy;
	int rc;

	if (option->words && (rc = find_word(option, value, place, &index, e))) return rc;
	if (option->holds && !option->holds(value))
		return err_set(e, ERR_INVALID, "%s: \"%.60s\" is not %s", place, value, option->form);
	copy = strdup(value);
	if (!copy) return err_nomem(e);
	free(*(char **)to);
	*(char **)to = copy;
	return 0;
}

int option_set(const struct option *option, const char *value, const char *place, struct config *config,
		struct err *e)
{
	static int (*const set[])(const struct option *, const char *, const char *, void *, struct err *) = {
		[OPTION_TEXT] = set_text,
		[OPTION_WORD] = set_word,
		[OPTION_COUNT] = set_count,
		[OPTION_SIZE] = set_size,
		[OPTION_SWITCH] = set_switch,
	};

	if (!*value) return err_set(e, ERR_INVALID, "%s has no value: give it one or leave it out", place);
	return set[option->type](option, value, place, field(option, config), e);
}

int option_set_default(const struct option *option, struct config *config, struct err *e)
{
	if (option->computed && option->type == OPTION_SIZE)
		*(uint64_t *)field(option, config) = option->computed();
	else if (option->computed)
		*(unsigned *)field(option, config) = (unsigned)option->computed();
	else if (option->fallback)
		return option_set(option, option->fallback, option->name, config, e);
	return 0;
}

/* Of what a field is, but for a text. */
static size_t field_size(const struct option *option)
{
	static const size_t sizes[] = {
		[OPTION_WORD] = sizeof(unsigned),
		[OPTION_COUNT] = sizeof(unsigned),
		[OPTION_SIZE] = sizeof(uint64_t),
		[OPTION_SWITCH] = sizeof(bool),
	};

	return sizes[option->type];
}

bool option_same(const struct option *option, const struct config *a, const struct config *b)
{
	const void *x = (const char *)a + option->offset, *y = (const char *)b + option->offset;
	const char *s, *t;

	if (option->type != OPTION_TEXT) return !memcmp(x, y, field_size(option));
	s = *(char *const *)x;
	t = *(char *const *)y;
	return s && t ? !strcmp(s, t) : s == t;
}

int option_copy(const struct option *option, const struct config *from, struct config *to, struct err *e)
{
	const void *value = (const char *)from + option->offset;
	const char *text;
	char *copy = NULL;

	if (option->type != OPTION_TEXT) {
		memcpy(field(option, to), value, field_size(option));
		return 0;
	}
	text = *(char *const *)value;
	if (text && !(copy = strdup(text))) return err_nomem(e);
	option_clear(option, to);
	*(char **)field(option, to) = copy;
	return 0;
}

void option_clear(const struct option *option, struct config *config)
{
	if (option->type != OPTION_TEXT) return;
	free(*(char **)field(option, config));
	*(char **)field(option, config) = NULL;
}
