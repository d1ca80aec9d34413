/* config.c - reads flags, environment and file by the table of options. See config.h.
 *
 * The places are read in the order of their weight, flags first: so --config is known before the file is read, and
 * a value is kept only when no weightier place gave one. It is checked either way, for a wrong line in a file
 * should not wait for the day when a flag is left out.
 */
#include "server/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/codec/faults.h"
#include "server/options.h"

#define NAME_BYTES     64 /* of a name as given; no option's is as long */
#define PLACE_BYTES    320
#define LINE_BYTES     4096 /* of the file */
#define PREFIX         "DESCENTD_"
#define WHITE_SPACE    " \t\r\n\v\f"
#define HELP_NAME_SIZE 27 /* the column of names in --help */

enum weight { WEIGHT_NONE, WEIGHT_FILE, WEIGHT_ENVIRONMENT, WEIGHT_FLAG };

struct reading {
	struct config *config;
	enum weight weights[OPTIONS_MAX]; /* of the place that gave the value, by row */
};

static const struct command_row {
	const char *name; /* one word or two */
	enum command command;
	const char *arguments; /* what stands behind it, separated by spaces; "": nothing */
	const char *meaning;
} commands[] = {
	{ "serve", COMMAND_SERVE, "", "run the daemon (the default)" },
	{ "token create", COMMAND_TOKEN_CREATE, "NAME", "make a token and print it, this once" },
	{ "token list", COMMAND_TOKEN_LIST, "", "show the tokens that there are" },
	{ "token revoke", COMMAND_TOKEN_REVOKE, "ID", "end a token at once" },
	{ "check", COMMAND_CHECK, "", "look whether the database is whole, and change nothing" },
	{ "repair", COMMAND_REPAIR, "TO", "write what is whole of the database into a new one" },
	{ "demo", COMMAND_DEMO, "", "show it at work on a database of its own: upload, train, predict" },
	{ "backup", COMMAND_BACKUP, "TO", "copy the database to a new file; a daemon may be running on it" },
	{ "restore", COMMAND_RESTORE, "FROM",
			"put a backup in the place of the database, which no daemon holds" },
};

#define COMMANDS  (sizeof commands / sizeof *commands)
#define WORDS_MAX (2 + COMMAND_ARGUMENTS_MAX)

/* The words of the command line that belong to no option. */
struct words {
	const char *word[WORDS_MAX];
	size_t count;
};

static int take(struct reading *reading, const struct option *option, enum weight weight, const char *value,
		const char *place, struct err *e)
{
	enum weight *given = &reading->weights[option - options];
	struct config unused = { 0 };
	int rc;

	if (weight < *given) {
		rc = option_set(option, value, place, &unused, e);
		option_clear(option, &unused);
		return rc;
	}
	*given = weight;
	return option_set(option, value, place, reading->config, e);
}

/* The option that may stand in this place and whose name was probably meant, or NULL. */
static const char *meant(const char *name, enum option_places place)
{
	const char *names[OPTIONS_MAX + 1];
	size_t n = 0;

	for (const struct option *option = options; option->name; option++)
		if (option->places & place) names[n++] = option->name;
	names[n] = NULL;
	return did_you_mean(name, names);
}

static void variable_name(const char *name, char out[PLACE_BYTES])
{
	size_t n = (size_t)snprintf(out, PLACE_BYTES, PREFIX "%s", name);

	for (size_t i = strlen(PREFIX); i < n && i < PLACE_BYTES - 1; i++)
		out[i] = name[i - strlen(PREFIX)] == '-' ? '_' : (char)toupper((unsigned char)out[i]);
}

/* ---- flags ---- */

static size_t words_in(const char *text)
{
	size_t n = *text != 0;

	while ((text = strchr(text, ' ')))
		n++, text++;
	return n;
}

/* How many of the words are the command's name; 0: they are another one's. */
static size_t names_it(const struct command_row *row, const struct words *words)
{
	const char *name = row->name;
	size_t n = words_in(name);

	if (n > words->count) return 0;
	for (size_t i = 0; i < n; i++) {
		size_t length = strlen(words->word[i]);

		if (strncmp(name, words->word[i], length) || (name[length] && name[length] != ' ')) return 0;
		name += length + 1;
	}
	return n;
}

static int take_arguments(struct config *config, const struct command_row *row, const struct words *words,
		size_t from, struct err *e)
{
	size_t wanted = words_in(row->arguments), given = words->count - from;

	config->command = row->command;
	if (given > wanted)
		return err_set(e, ERR_INVALID, "\"%.60s\" is one word too many: options begin with --",
				words->word[from + wanted]);
	if (given < wanted)
		return err_set(e, ERR_INVALID, "%s needs more: descentd %s %s", row->name, row->name,
				row->arguments);
	memcpy(config->arguments, words->word + from, given * sizeof *words->word);
	return 0;
}

/* Of "token" without its second word, say. */
static int half_a_command(const char *word, struct err *e)
{
	size_t length = strlen(word);
	char list[256] = "";

	for (size_t i = 0; i < COMMANDS; i++) {
		const char *name = commands[i].name;

		if (strncmp(name, word, length) || name[length] != ' ') continue;
		snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", *list ? ", " : "",
				name + length + 1);
	}
	return *list ? err_set(e, ERR_INVALID, "descentd %s goes on with one of: %s", word, list) : 0;
}

static int take_words(struct config *config, const struct words *words, struct err *e)
{
	const char *names[COMMANDS + 1] = { 0 }, *guess;
	size_t n;
	int rc;

	for (size_t i = 0; i < COMMANDS; i++) {
		names[i] = commands[i].name;
		if (words->count && (n = names_it(&commands[i], words)))
			return take_arguments(config, &commands[i], words, n, e);
	}
	if (!words->count) return 0;
	if ((rc = half_a_command(words->word[0], e))) return rc;
	guess = did_you_mean(words->word[0], names);
	return err_set(e, ERR_INVALID, "there is no command \"%.60s\"; %s%s%s", words->word[0],
			guess ? "did you mean \"" : "see descentd --help", guess ? guess : "",
			guess ? "\"?" : "");
}

static int unknown_flag(const char *name, struct err *e)
{
	const struct option *option = option_find(name);
	char variable[PLACE_BYTES];
	const char *guess;

	if (option) {
		variable_name(name, variable);
		return err_set(e, ERR_INVALID, "--%s is no flag, for others could read it there: set %s",
				name, variable);
	}
	guess = meant(name, OPTION_FLAG);
	return err_set(e, ERR_INVALID, "there is no option --%.60s; %s%s%s", name,
			guess ? "did you mean --" : "see descentd --help", guess ? guess : "",
			guess ? "?" : "");
}

/* "--name value" or "--name=value" at argv[*i]; *i moves to the last word it took. */
static int take_flag(struct reading *reading, char **argv, int *i, struct err *e)
{
	const char *word = argv[*i] + 2, *value = strchr(word, '=');
	size_t n = strcspn(word, "=");
	char name[NAME_BYTES], place[PLACE_BYTES];
	const struct option *option;

	snprintf(name, sizeof name, "%.*s", (int)n, word);
	option = option_find(name);
	if (!option || !(option->places & OPTION_FLAG)) return unknown_flag(name, e);
	snprintf(place, sizeof place, "--%s", name);
	if (value) return take(reading, option, WEIGHT_FLAG, value + 1, place, e);
	if (option->type == OPTION_SWITCH) return take(reading, option, WEIGHT_FLAG, "true", place, e);
	value = argv[*i + 1];
	if (!value || !strncmp(value, "--", 2))
		return err_set(e, ERR_INVALID, "--%s needs a value: --%s %s", name, name, option->argument);
	++*i;
	return take(reading, option, WEIGHT_FLAG, value, place, e);
}

static int take_word(struct words *words, const char *word, struct err *e)
{
	if (words->count == WORDS_MAX)
		return err_set(e, ERR_INVALID, "\"%.60s\" is one word too many: options begin with --", word);
	words->word[words->count++] = word;
	return 0;
}

/* Options that another command has, and this one would pass over. */
static int check_options(const struct reading *reading, struct err *e)
{
	for (const struct option *option = options; option->name; option++) {
		const struct command_row *row = commands;

		if (!option->of || option->of == reading->config->command ||
				reading->weights[option - options] != WEIGHT_FLAG)
			continue;
		while (row->command != option->of)
			row++;
		return err_set(e, ERR_INVALID, "--%s is an option of descentd %s", option->name, row->name);
	}
	return 0;
}

static int read_flags(struct reading *reading, int argc, char **argv, struct err *e)
{
	struct words words = { .count = 0 };
	int rc = 0;

	for (int i = 1; i < argc && !rc; i++) {
		if (!strncmp(argv[i], "--", 2))
			rc = take_flag(reading, argv, &i, e);
		else if (argv[i][0] == '-')
			rc = err_set(e, ERR_INVALID,
					"\"%.60s\" is no option: options begin with --; see descentd --help",
					argv[i]);
		else
			rc = take_word(&words, argv[i], e);
	}
	if (!rc) rc = take_words(reading->config, &words, e);
	return rc ? rc : check_options(reading, e);
}

/* --help and --version go before everything, however wrong the rest is. */
static bool asks_for_text(int argc, char **argv, enum command *command)
{
	for (int i = 1; i < argc; i++) {
		bool help = !strcmp(argv[i], "--help") || !strcmp(argv[i], "-h");

		if (!help && strcmp(argv[i], "--version")) continue;
		*command = help ? COMMAND_HELP : COMMAND_VERSION;
		return true;
	}
	return false;
}

/* ---- environment ---- */

/* "MAX_BODY" in variable (n bytes) into "max-body". */
static void option_name(const char *variable, size_t n, char out[NAME_BYTES])
{
	size_t i;

	for (i = 0; i < n && i < NAME_BYTES - 1; i++)
		out[i] = variable[i] == '_' ? '-' : (char)tolower((unsigned char)variable[i]);
	out[i] = 0;
}

static int take_variable(struct reading *reading, const char *variable, struct err *e)
{
	size_t n = strcspn(variable, "=");
	char name[NAME_BYTES], right[PLACE_BYTES], guessed[PLACE_BYTES];
	const struct option *option;
	const char *guess;

	option_name(variable + strlen(PREFIX), n - strlen(PREFIX), name);
	variable_name(name, right);
	option = option_find(name);
	if (option && strlen(right) == n && !memcmp(right, variable, n))
		return take(reading, option, WEIGHT_ENVIRONMENT, variable + n + (variable[n] == '='), right,
				e);
	guess = option ? name : meant(name, OPTION_ENVIRONMENT);
	if (guess) variable_name(guess, guessed);
	return err_set(e, ERR_INVALID, "the variable %.*s is of no option%s%s%s", n > 80 ? 80 : (int)n,
			variable, guess ? "; did you mean " : ": unset it", guess ? guessed : "",
			guess ? "?" : "");
}

static int read_environment(struct reading *reading, char *const *envp, struct err *e)
{
	int rc = 0;

	for (; envp && *envp && !rc; envp++)
		if (!strncmp(*envp, PREFIX, strlen(PREFIX))) rc = take_variable(reading, *envp, e);
	return rc;
}

/* ---- file ---- */

/* Where text begins, and it ends there after the last thing that is not white space. */
static char *trim(char *text)
{
	size_t n;

	text += strspn(text, WHITE_SPACE);
	n = strlen(text);
	while (n && strchr(WHITE_SPACE, text[n - 1]))
		text[--n] = 0;
	return text;
}

/* A # at the start or after white space begins a comment; elsewhere it is part of a value. */
static void cut_comment(char *line)
{
	for (char *c = line; (c = strchr(c, '#')); c++)
		if (c == line || strchr(WHITE_SPACE, c[-1])) {
			*c = 0;
			return;
		}
}

/* lines[row] is the line that gave the row's value before, 0 for none; where is "FILE line N". */
static int take_line(struct reading *reading, char *line, unsigned number, unsigned *lines, const char *where,
		struct err *e)
{
	const struct option *option;
	char place[PLACE_BYTES], *value;
	const char *name, *guess;

	cut_comment(line);
	line = trim(line);
	if (!*line) return 0;
	value = strchr(line, '=');
	if (!value)
		return err_set(e, ERR_INVALID, "%s: \"%.60s\" is not of the form name = value", where, line);
	*value++ = 0;
	name = trim(line);
	option = option_find(name);
	if (!option || !(option->places & OPTION_FILE)) {
		guess = option ? NULL : meant(name, OPTION_FILE);
		return err_set(e, ERR_INVALID, "%s: \"%.60s\" %s%s%s%s", where, name,
				option ? "may not stand in the file" : "is no option",
				guess ? "; did you mean \"" : "", guess ? guess : "", guess ? "\"?" : "");
	}
	if (lines[option - options])
		return err_set(e, ERR_INVALID, "%s: %s was given in line %u already", where, name,
				lines[option - options]);
	lines[option - options] = number;
	snprintf(place, sizeof place, "%s: %s", where, name);
	return take(reading, option, WEIGHT_FILE, trim(value), place, e);
}

/* The next line as a text, into line; false: there is no more. *whole: it fits and has no NUL byte in it, behind which
 * nobody would look. */
static bool next_line(FILE *file, char line[LINE_BYTES], bool *whole)
{
	memset(line, 1, LINE_BYTES); /* so that the last NUL is the one that fgets sets */
	if (!fgets(line, LINE_BYTES, file)) return false;
	*whole = memrchr(line, 0, LINE_BYTES) == line + strlen(line) && (strchr(line, '\n') || feof(file));
	return true;
}

static int read_file(struct reading *reading, const char *path, struct err *e)
{
	char line[LINE_BYTES], where[PLACE_BYTES - NAME_BYTES];
	unsigned lines[OPTIONS_MAX] = { 0 };
	FILE *file = fopen(path, "re");
	bool whole;
	int rc = 0;

	if (!file)
		return err_set(e, ERR_IO, "the file of --config, %s, cannot be read: %s", path,
				strerror(errno));
	for (unsigned number = 1; !rc && next_line(file, line, &whole); number++) {
		snprintf(where, sizeof where, "%s line %u", path, number);
		if (!whole)
			rc = err_set(e, ERR_INVALID, "%s is longer than %d bytes, or no text", where,
					LINE_BYTES - 2);
		else
			rc = take_line(reading, line, number, lines, where, e);
	}
	if (!rc && ferror(file))
		rc = err_set(e, ERR_IO, "the file of --config, %s, cannot be read: %s", path,
				strerror(errno));
	fclose(file);
	return rc;
}

/* ---- all of it ---- */

static int set_defaults(struct reading *reading, struct err *e)
{
	int rc = 0;

	for (const struct option *option = options; option->name && !rc; option++)
		if (reading->weights[option - options] == WEIGHT_NONE)
			rc = option_set_default(option, reading->config, e);
	return rc;
}

/* A token that systemd hands over (LoadCredential=token:FILE), where no other is given. */
static int take_credential(struct reading *reading, char *const *envp, struct err *e)
{
	static const char name[] = "CREDENTIALS_DIRECTORY=";
	size_t n = sizeof name - 1;
	char path[LINE_BYTES];

	if (reading->config->token || reading->config->token_file) return 0;
	while (envp && *envp && strncmp(*envp, name, n))
		envp++;
	if (!envp || !*envp || (size_t)snprintf(path, sizeof path, "%s/token", *envp + n) >= sizeof path ||
			(access(path, F_OK) && errno == ENOENT))
		return 0;
	return option_set(option_find("token-file"), path, "the credential", reading->config, e);
}

int config_read(struct config *out, int argc, char **argv, char *const *envp, struct err *e)
{
	struct reading reading = { .config = out };
	int rc;

	*out = (struct config){ .command = COMMAND_SERVE, .argc = argc, .argv = argv, .envp = envp };
	if (asks_for_text(argc, argv, &out->command)) return 0;
	if ((rc = read_flags(&reading, argc, argv, e))) goto out;
	if ((rc = read_environment(&reading, envp, e))) goto out;
	if (out->file && (rc = read_file(&reading, out->file, e))) goto out;
	if ((rc = set_defaults(&reading, e))) goto out;
	rc = take_credential(&reading, envp, e);
out:
	if (rc) config_clear(out);
	return rc;
}

int config_copy(struct config *out, const struct config *config, struct err *e)
{
	int rc = 0;

	*out = (struct config){
		.command = config->command, .argc = config->argc, .argv = config->argv, .envp = config->envp
	};
	memcpy(out->arguments, config->arguments, sizeof out->arguments);
	for (const struct option *option = options; option->name && !rc; option++)
		rc = option_copy(option, config, out, e);
	if (rc) config_clear(out);
	return rc;
}

void config_clear(struct config *config)
{
	for (const struct option *option = options; option->name; option++)
		option_clear(option, config);
	*config = (struct config){ .command = COMMAND_SERVE };
}

static void help_option(FILE *to, const struct option *option)
{
	char name[PLACE_BYTES];

	if (option->places & OPTION_FLAG)
		snprintf(name, sizeof name, "--%s%s%s", option->name, *option->argument ? " " : "",
				option->argument);
	else
		variable_name(option->name, name);
	fprintf(to, "  %s%-*s %s", option->of ? "  " : "", HELP_NAME_SIZE - (option->of ? 2 : 0), name,
			option->meaning);
	if (option->fallback) fprintf(to, " (%s)", option->fallback);
	fputc('\n', to);
}

static void help_command(FILE *to, const struct command_row *row)
{
	char name[PLACE_BYTES];

	snprintf(name, sizeof name, "%s%s%s", row->name, *row->arguments ? " " : "", row->arguments);
	fprintf(to, "  %-*s %s\n", HELP_NAME_SIZE, name, row->meaning);
	for (const struct option *option = options; option->name; option++)
		if (option->of && option->of == row->command) help_option(to, option);
}

void config_help(FILE *to)
{
	fputs("descentd keeps neural networks in a database, trains them and answers predictions over HTTP.\n"
	      "\nUsage: descentd [COMMAND] [--OPTION VALUE ...]\n\nCommands\n",
			to);
	for (size_t i = 0; i < COMMANDS; i++)
		help_command(to, &commands[i]);
	fputs("\nOptions (and what holds without them)\n", to);
	for (const struct option *option = options; option->name; option++)
		if (!option->of) help_option(to, option);
	fprintf(to, "  %-*s %s\n", HELP_NAME_SIZE, "--help, -h", "print this");
	fprintf(to, "  %-*s %s\n", HELP_NAME_SIZE, "--version", "print the version");
	fputs("\nEvery option can also be a variable (DESCENTD_MAX_BODY=64M for --max-body 64M) or a line of the file\n"
	      "that --config names (max-body = 64M; # begins a comment). Flags go before variables, variables before\n"
	      "the file. Sizes are bytes, or end in K, M, G or T (64M, 2GiB).\n",
			to);
}
