/* asked.c - records of what was asked. See asked.h.
 *
 * A record has three parts: what the store had when it was first needed (`base`), what each thread counts, and what
 * threads counted that the store has by now, which is not kept apart: a writing puts the sum of everything in the place
 * of what was there. `lock` guards the list and the base; a thread's array is made by that thread and only ever grows in
 * its numbers, so that a sum may be taken while it counts.
 *
 * The store keeps "DSCQ", the number of counts as u64 and the counts, little-endian.
 */
#include "server/registry/asked.h"

#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAGIC       "DSCQ"
#define HEAD_BYTES  12
#define MODEL_BYTES 72

struct asked_record {
	char model[MODEL_BYTES];
	uint64_t number;
	size_t total;
	atomic_size_t users;                /* more come under the lock alone */
	bool read;                          /* base is what the store had */
	uint64_t *base;                     /* (total) */
	uint64_t written;                   /* sum of all counts when it was last written */
	uint64_t *threads[ASKED_SLOTS_MAX]; /* each (total), NULL: never counted */
	struct asked_record *next;
};

struct asked {
	struct store *store;
	pthread_mutex_t lock;
	pthread_cond_t stop_change;
	bool stopping;
	struct asked_record *records;
	pthread_t thread;
};

static void record_free(struct asked_record *record)
{
	for (size_t i = 0; i < ASKED_SLOTS_MAX; i++)
		free(record->threads[i]);
	free(record->base);
	free(record);
}

/* ---- records ---- */

static struct asked_record *find(struct asked *asked, const char *model, uint64_t number, size_t total)
{
	struct asked_record *record = asked->records;

	while (record && (record->number != number || record->total != total || strcmp(record->model, model)))
		record = record->next;
	return record;
}

static struct asked_record *record_new(const char *model, uint64_t number, size_t total)
{
	struct asked_record *record = calloc(1, sizeof *record);

	if (!record || strlen(model) >= sizeof record->model ||
			!(record->base = calloc(total, sizeof *record->base))) {
		free(record);
		return NULL;
	}
	strcpy(record->model, model);
	record->number = number;
	record->total = total;
	return record;
}

int asked_get(struct asked *asked, const char *model, uint64_t number, size_t total,
		struct asked_record **out, struct err *e)
{
	pthread_mutex_lock(&asked->lock);
	*out = find(asked, model, number, total);
	if (!*out && (*out = record_new(model, number, total))) {
		(*out)->next = asked->records;
		asked->records = *out;
	}
	if (*out) atomic_fetch_add(&(*out)->users, 1);
	pthread_mutex_unlock(&asked->lock);
	return *out ? 0 : err_nomem(e);
}

void asked_put(struct asked_record *record)
{
	if (record)
		atomic_fetch_sub(&record->users,
				1); /* the writer frees it, once its counts are in the store */
}

uint64_t *asked_counts(struct asked_record *record, size_t slot)
{
	uint64_t *counts;

	if (slot >= ASKED_SLOTS_MAX) return NULL;
	if (record->threads[slot]) return record->threads[slot];
	if (!(counts = calloc(record->total, sizeof *counts))) return NULL;
	__atomic_store_n(&record->threads[slot], counts, __ATOMIC_RELEASE);
	return counts;
}

/* ---- the store's bytes ---- */

static int read_base(struct asked *asked, struct asked_record *record, struct err *e)
{
	struct store_bytes bytes = { 0 };
	uint64_t total;
	int rc;

	if (record->read) return 0;
	if ((rc = asked->store->drift_get(asked->store, record->model, record->number, &bytes, e))) return rc;
	if (bytes.size >= HEAD_BYTES && !memcmp(bytes.data, MAGIC, strlen(MAGIC))) {
		memcpy(&total, bytes.data + strlen(MAGIC), sizeof total);
		if (le64toh(total) == record->total &&
				bytes.size == HEAD_BYTES + record->total * sizeof total)
			for (size_t i = 0; i < record->total; i++) {
				uint64_t value;

				memcpy(&value, bytes.data + HEAD_BYTES + i * sizeof value, sizeof value);
				record->base[i] = le64toh(value);
				record->written += record->base[i];
			}
	}
	record->read = true;
	store_bytes_clear(&bytes);
	return 0;
}

/* Under the lock. *sum is of all counts. */
static int add_up(
		struct asked *asked, struct asked_record *record, uint64_t *out, uint64_t *sum, struct err *e)
{
	int rc = read_base(asked, record, e);

	if (rc) return rc;
	memcpy(out, record->base, record->total * sizeof *out);
	for (size_t t = 0; t < ASKED_SLOTS_MAX; t++) {
		const uint64_t *counts = __atomic_load_n(&record->threads[t], __ATOMIC_ACQUIRE);

		for (size_t i = 0; counts && i < record->total; i++)
			/* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign): filled by memcpy */
			out[i] += __atomic_load_n(&counts[i], __ATOMIC_RELAXED);
	}
	*sum = 0;
	for (size_t i = 0; i < record->total; i++)
		*sum += out[i];
	return 0;
}

int asked_sum(struct asked *asked, struct asked_record *record, uint64_t *out, struct err *e)
{
	uint64_t sum;
	int rc;

	pthread_mutex_lock(&asked->lock);
	rc = add_up(asked, record, out, &sum, e);
	pthread_mutex_unlock(&asked->lock);
	return rc;
}

static int write_record(struct asked *asked, struct asked_record *record, struct err *e)
{
	size_t size = HEAD_BYTES + record->total * sizeof(uint64_t);
	uint64_t *counts = malloc(record->total * sizeof *counts), total = htole64(record->total), sum;
	unsigned char *bytes = malloc(size);
	int rc = counts && bytes ? add_up(asked, record, counts, &sum, e) : err_nomem(e);

	if (!rc && sum != record->written) {
		memcpy(bytes, MAGIC, strlen(MAGIC));
		memcpy(bytes + strlen(MAGIC), &total, sizeof total);
		for (size_t i = 0; i < record->total; i++) {
			uint64_t value = htole64(counts[i]);

			memcpy(bytes + HEAD_BYTES + i * sizeof value, &value, sizeof value);
		}
		rc = asked->store->drift_put(asked->store, record->model, record->number, bytes, size, e);
		if (!rc) record->written = sum;
	}
	free(counts);
	free(bytes);
	return rc;
}

/* Under the lock. What a version that is gone was asked goes with it; other faults are tried again next time. */
static void write_all(struct asked *asked)
{
	struct asked_record **at = &asked->records;
	struct err e;

	while (*at) {
		struct asked_record *record = *at;
		int rc = write_record(asked, record, &e);

		if (atomic_load(&record->users) || (rc && rc != ERR_NOT_FOUND)) {
			at = &record->next;
			continue;
		}
		*at = record->next;
		record_free(record);
	}
}

/* ---- life ---- */

static void *write_now_and_then(void *self)
{
	struct asked *asked = self;
	struct timespec until;

	pthread_mutex_lock(&asked->lock);
	while (!asked->stopping) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += ASKED_WRITE_SECONDS;
		while (!asked->stopping && pthread_cond_timedwait(&asked->stop_change, &asked->lock,
							   &until) != ETIMEDOUT)
			;
		write_all(asked);
	}
	pthread_mutex_unlock(&asked->lock);
	return NULL;
}

int asked_start(struct asked **out, struct store *store, struct err *e)
{
	struct asked *asked = calloc(1, sizeof *asked);
	pthread_condattr_t monotonic;

	*out = NULL;
	if (!asked) return err_nomem(e);
	asked->store = store;
	pthread_mutex_init(&asked->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&asked->stop_change, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (pthread_create(&asked->thread, NULL, write_now_and_then, asked)) {
		free(asked);
		return err_set(e, ERR_NOMEM, "no thread could be started");
	}
	*out = asked;
	return 0;
}

void asked_stop(struct asked *asked)
{
	if (!asked) return;
	pthread_mutex_lock(&asked->lock);
	asked->stopping = true;
	pthread_cond_broadcast(&asked->stop_change);
	pthread_mutex_unlock(&asked->lock);
	pthread_join(asked->thread, NULL);
	while (asked->records) {
		struct asked_record *record = asked->records;

		asked->records = record->next;
		record_free(record);
	}
	pthread_cond_destroy(&asked->stop_change);
	pthread_mutex_destroy(&asked->lock);
	free(asked);
}
