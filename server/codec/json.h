/* json.h - JSON documents by jansson, with the bounds that it does not keep by itself. Documents only: matrices of
 * numbers are read by rows.h without a tree. Wherever json_t appears, "new" is a reference that the caller gives
 * back (json_decref), "borrowed" one that it does not.
 */
#ifndef SERVER_CODEC_JSON_H
#define SERVER_CODEC_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "server/buffer.h"

#define JSON_DEPTH_MAX 64

/* Once, before anything else of it: from then on a document that there was no memory for somewhere, on the thread that writes
 * it, is not written (json_write, json_text), so that nobody who builds one has to look after each call. */
void json_note_memory(void);
/* Whether that was so on this thread since it was asked last, and forgets it: for whoever tells of it. */
bool json_was_short(void);

/* *out is new. ERR_JSON: not JSON, cut short, nested deeper than JSON_DEPTH_MAX, not UTF-8 (the sentence gives
 * line and column); ERR_DUPLICATE_KEY; ERR_RANGE: a number that none of ours holds; ERR_NOMEM. */
int json_read(const char *text, size_t size, json_t **out, struct err *e);
/* As json_read, of a document that we stored: ERR_CORRUPT when it is not JSON. */
int json_read_stored(const char *text, json_t **out, struct err *e);

/* As many bytes as the tree of a text may take, or more, from its punctuation alone: without reading it. */
uint64_t json_tree_bytes(const char *text, size_t size);

/* Appends the compact text of a document, or out fails: keys as they were put in, numbers with as few digits as read back to the
 * same double. */
void json_write(const json_t *document, struct buffer *out);
/* The same as a string, new (free); sorted: keys in order, for comparing. NULL: no memory, or no document. */
char *json_text(const json_t *document, bool sorted);

/* Sets key to value (a new reference, taken over) and tells whether both were there. */
bool json_put(json_t *object, const char *key, json_t *value);

/* Appends value (taken over) and tells whether both were there. */
bool json_append(json_t *array, json_t *value);
/* The document, or NULL (and it is given back) when something of it could not be had: what is stored is whole. */
json_t *json_whole(json_t *document, bool whole);

/* A copy of an object with the same members, whole; new. NULL: no memory. */
json_t *json_twin(const json_t *object);

/* A finite number, or null for one that is not. New. */
json_t *json_number(double value);
/* "2026-11-24T15:04:05.123Z" of milliseconds since 1970, null for 0. New. */
json_t *json_time(int64_t ms);
/* A date or a time of it (core/date.h); null outside of the years that have one. */
json_t *json_date(double seconds);
/* A string of decimal digits, as ids and versions are. New. */
json_t *json_id(int64_t id);

/* Writes text as a JSON string, quotes included. */
void json_escape(struct buffer *out, const char *text, size_t size);

#endif
