/* config.h - what the daemon was told: flags before environment before file before defaults.
 *
 * Every option is one row of the table in options.h, read in all these places alike: `--max-body 64M` or
 * `--max-body=64M`, DESCENTD_MAX_BODY=64M, and the line `max-body = 64M` of the file that --config names. A name
 * that no row has, and a value that its row does not allow, is refused with a sentence that says where it stands.
 */
#ifndef SERVER_CONFIG_H
#define SERVER_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/err.h"

enum command {
	COMMAND_SERVE,
	COMMAND_DEMO,
	COMMAND_BACKUP,
	COMMAND_RESTORE,
	COMMAND_TOKEN_CREATE,
	COMMAND_TOKEN_LIST,
	COMMAND_TOKEN_REVOKE,
	COMMAND_CHECK,
	COMMAND_REPAIR,
	COMMAND_HELP,
	COMMAND_VERSION
};

#define COMMAND_ARGUMENTS_MAX 2

struct config { /* texts are owned (config_clear), NULL where nothing is set */
	enum command command;
	const char *arguments
			[COMMAND_ARGUMENTS_MAX]; /* the words behind the command, borrowed from argv; all that it takes are there */
	char *file;                              /* of --config */
	char *db;
	char *listen; /* HOST:PORT, checked by its form */
	char *port_file;
	char *token_file;
	char *tls_cert, *tls_key, *client_ca;
	bool no_tls;
	char *token;
	char *audit_log;
	char *allow_host;    /* a list of auth/host.h */
	char *cors_origin;   /* a list of auth/origin.h */
	char *webhook_allow; /* a list likewise */
	char *webhook_key_file;
	char *engine; /* a name for gemm_choose */
	bool preload;
	char *socket_mode; /* octal */
	uint64_t connection_bytes;
	uint64_t request_memory_bytes; /* 0: a share of memory_budget_bytes */
	unsigned max_requests;
	uint64_t model_memory_bytes; /* 0: a share of memory_budget_bytes */
	unsigned workers, threads, loops, max_connections;
	unsigned address_connections; /* 0: by where it listens */
	unsigned header_seconds, body_seconds;
	uint64_t rate_min;
	unsigned keep_jobs, keep_versions; /* UINT32_MAX: all */
	bool no_batching;
	unsigned metrics_models;
	unsigned log_format; /* enum log_format */
	unsigned log_level;  /* enum log_level */
	bool no_drift;
	uint64_t backup_rate; /* bytes a second */
	bool force;           /* of restore */
	uint64_t memory_budget_bytes, max_body_bytes, max_upload_bytes;
	/* Of `token create`. */
	char *token_roles, *token_models;                              /* lists of auth/token.h */
	char *token_expires;                                           /* a duration of it */
	char *token_rate;                                              /* a number */
	unsigned token_max_models, token_max_datasets, token_max_jobs; /* UINT32_MAX: any */
	uint64_t token_max_bytes;                                      /* 0: any */
	int argc; /* what it was read from, borrowed, to be read again */
	char **argv;
	char *const *envp;
};

/* Reads everything. For COMMAND_HELP and COMMAND_VERSION nothing else is read, so that they work however wrong the
 * rest may be. A flag given twice counts as its last. ERR_INVALID, ERR_IO (the file), ERR_NOMEM; then *out is
 * empty. */
int config_read(struct config *out, int argc, char **argv, char *const *envp, struct err *e);
void config_clear(struct config *config);
/* *out is new (config_clear). ERR_NOMEM. */
int config_copy(struct config *out, const struct config *config, struct err *e);

/* The text of --help. */
void config_help(FILE *to);

#endif
