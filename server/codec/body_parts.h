/* body_parts.h - what a format is to body.c; only the formats' files include it. */
#ifndef SERVER_CODEC_BODY_PARTS_H
#define SERVER_CODEC_BODY_PARTS_H

#include "server/codec/body.h"

/* Where a format's reader finds its table, and what it may use. Borrowed for the reader's life. */
struct body_reading {
	const struct body_options *options;
	struct table *table;
	struct faults *faults;
};

/* A reader makes faults, names the table's columns (table_header) and gives it rows (table_row). What it returns other
 * than 0 ends the reading: faults_result after a fault that cannot be read on after, else a code of its own. */
struct format {
	const char *media_type;
	/* *reader is new (close). */
	int (*open)(void **reader, const struct body_reading *reading, struct err *e);
	int (*feed)(void *reader, const char *bytes, size_t n, struct err *e);
	/* The last rows; table_end follows. */
	int (*end)(void *reader, struct err *e);
	void (*close)(void *reader);
};

extern const struct format json_format, ndjson_format; /* json_table.c */
extern const struct format npy_format;                 /* npy.c */

#endif
