/* table_group.c - row groups on their way out, beside the reading of the next one. See table_parts.h.
 *
 * A complete group goes to a thread of the table, which takes its cells into the statistics, makes the segments and
 * hands them to the sink, while the reader fills the other one of two blocks of cells. At most one group is on its way:
 * the next one waits for it. So groups leave in order, and everything they change (statistics, tallies, profiles, counts
 * of values, bytes) is touched by one thread at a time. What the reader may change meanwhile, a column's type and the
 * number of its values, is noted when the group leaves; a column that gets another type waits for the group first, and
 * so does the end of the reading.
 *
 * The first group is written by the reader itself: most bodies have no other, and need no thread.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "server/codec/table_parts.h"

struct table_writer {
	struct table *table;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t change;
	bool busy, ending;
	uint64_t group;
	size_t rows;
	int rc; /* the first fault, which every later wait tells */
	struct err e;
};

static int write_group(struct table *table, uint64_t group, size_t rows, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; i < table->count && !rc; i++) {
		rc = column_write(table, &table->columns[i], rows, &table->data[i], &table->sizes[i], e);
		if (!rc) table->bytes += table->sizes[i];
	}
	if (!rc) rc = table->sink.group(table->sink.self, group, table->data, table->sizes, table->count, e);
	for (size_t i = 0; rc && i < table->count; i++) {
		free(table->data[i]);
		table->data[i] = NULL;
	}
	return rc;
}

static void *run(void *self)
{
	struct table_writer *writer = self;
	struct err e;

	pthread_mutex_lock(&writer->lock);
	for (;;) {
		int rc;

		while (!writer->busy && !writer->ending)
			pthread_cond_wait(&writer->change, &writer->lock);
		if (!writer->busy) break;
		pthread_mutex_unlock(&writer->lock);
		rc = write_group(writer->table, writer->group, writer->rows, &e);
		pthread_mutex_lock(&writer->lock);
		writer->busy = false;
		if (rc && !writer->rc) {
			writer->rc = rc;
			writer->e = e;
		}
		pthread_cond_broadcast(&writer->change);
	}
	pthread_mutex_unlock(&writer->lock);
	return NULL;
}

/* False: without a second block or a thread the reader goes on writing its groups itself. */
static bool start(struct table *table)
{
	struct table_writer *writer;

	if (table->writer) return true;
	table->spare = malloc(table->count * table->group_rows * sizeof *table->spare);
	writer = table->spare ? calloc(1, sizeof *writer) : NULL;
	if (writer) {
		writer->table = table;
		pthread_mutex_init(&writer->lock, NULL);
		pthread_cond_init(&writer->change, NULL);
		if (!pthread_create(&writer->thread, NULL, run, writer)) {
			table->writer = writer;
			return true;
		}
		pthread_mutex_destroy(&writer->lock);
		pthread_cond_destroy(&writer->change);
		free(writer);
	}
	free(table->spare);
	table->spare = NULL;
	return false;
}

int group_wait(struct table *table, struct err *e)
{
	struct table_writer *writer = table->writer;

	if (!writer) return 0;
	pthread_mutex_lock(&writer->lock);
	while (writer->busy)
		pthread_cond_wait(&writer->change, &writer->lock);
	pthread_mutex_unlock(&writer->lock);
	if (writer->rc && e) *e = writer->e;
	return writer->rc;
}

/* Notes what the group's cells are; the reader goes on in the other block. */
static void leave(struct table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		struct column *column = &table->columns[i];

		column->leaving = (struct leaving){ column->cells, column_type_has_codes(column->type),
			column->values.count };
	}
}

static void send(struct table *table, uint64_t group, size_t rows)
{
	struct table_writer *writer = table->writer;
	double *other = table->spare;

	table->spare = table->cells;
	table->cells = other;
	for (size_t i = 0; i < table->count; i++)
		table->columns[i].cells = table->cells + i * table->group_rows;
	pthread_mutex_lock(&writer->lock);
	writer->group = group;
	writer->rows = rows;
	writer->busy = true;
	pthread_cond_broadcast(&writer->change);
	pthread_mutex_unlock(&writer->lock);
}

int group_flush(struct table *table, struct err *e)
{
	size_t rows = table->row;
	int rc;

	if (!rows) return 0;
	if ((rc = group_wait(table, e))) return rc;
	leave(table);
	table->row = 0;
	if (table->flushed++ && start(table))
		send(table, table->groups, rows);
	else
		rc = write_group(table, table->groups, rows, e);
	table->groups++;
	return rc;
}

void group_stop(struct table *table)
{
	struct table_writer *writer = table->writer;

	if (!writer) return;
	pthread_mutex_lock(&writer->lock);
	writer->ending = true;
	pthread_cond_broadcast(&writer->change);
	pthread_mutex_unlock(&writer->lock);
	pthread_join(writer->thread, NULL);
	pthread_mutex_destroy(&writer->lock);
	pthread_cond_destroy(&writer->change);
	free(writer);
	table->writer = NULL;
}
