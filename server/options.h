/* options.h - the table of options, which the reader of flags, environment and file, --help and the man page's test
 * all go by.
 */
#ifndef SERVER_OPTIONS_H
#define SERVER_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "server/config.h"

#define OPTIONS_MAX 64 /* rows of the table, at most */

enum option_type {
	OPTION_TEXT,   /* char *, owned */
	OPTION_WORD,   /* unsigned, the word's place in words */
	OPTION_COUNT,  /* unsigned */
	OPTION_SIZE,   /* uint64_t, bytes */
	OPTION_SWITCH, /* bool; a flag without a value is true */
};

enum option_places { OPTION_FLAG = 1, OPTION_ENVIRONMENT = 2, OPTION_FILE = 4, OPTION_ANYWHERE = 7 };

struct option {
	const char *name;     /* "max-body"; the variable is DESCENTD_MAX_BODY */
	const char *argument; /* what stands for its value in --help; "" for a switch */
	const char *also;     /* another name that works wherever this one does; NULL: none */
	enum option_type type;
	unsigned places;            /* enum option_places */
	const char *fallback;       /* its default, as it would be given; NULL: none */
	uint64_t (*computed)(void); /* or its default is this; fallback then says so in words */
	uint64_t min, max;          /* of counts and sizes */
	const char *const *words;   /* of a word, and of a text that must be one of them; ended by NULL */
	bool (*holds)(const char *text); /* the form of a text; NULL: any */
	const char *form;                /* that form, in words */
	enum command of; /* the one command that has it; COMMAND_SERVE: it is the daemon's, and all know it */
	bool reloads;    /* SIGHUP makes a new value count; else a restart does */
	const char *meaning; /* one line */
	size_t offset;       /* in struct config */
};

extern const struct option options[]; /* ended by a row without a name */

const struct option *option_find(const char *name);

/* Checks the value and keeps it in config, in place of what is there. place says where the value stands and opens the
 * sentence of an error. ERR_INVALID, ERR_NOMEM. */
int option_set(const struct option *option, const char *value, const char *place, struct config *config,
		struct err *e);
/* The same with the option's default. */
int option_set_default(const struct option *option, struct config *config, struct err *e);
/* Do both keep the same value? */
bool option_same(const struct option *option, const struct config *a, const struct config *b);
/* Puts from's value in the place of to's. ERR_NOMEM: to is as it was. */
int option_copy(const struct option *option, const struct config *from, struct config *to, struct err *e);
/* Frees what it keeps. */
void option_clear(const struct option *option, struct config *config);

#endif
