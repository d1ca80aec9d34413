/* log.c - the ring and the thread that writes it. See log.h.
 *
 * The ring is a bounded queue of many producers and one consumer (D. Vyukov, "Bounded MPMC queue", 2010). A slot's
 * turn says whose it is: equal to a position, it is free for the producer that claims this position; one more, it
 * holds a finished record; the consumer then sets it to the position one round later. A producer claims with one
 * compare-and-swap, never waits, and finds a full ring by a turn that lags.
 *
 * Waking the thread costs a system call, so it is rare: after a batch the thread rests for LINGER_MS and looks
 * again by itself; only when it then finds nothing does it say that it is asleep, and the next producer wakes it.
 *
 * Lines go out in batches of at most PIPE_BUF bytes, whole lines each, after poll has said that there is room: so
 * a write to a pipe never blocks, and lines of several writers of one pipe do not mix.
 */
#include "server/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "server/log_line.h"

#define RING_RECORDS  4096 /* a power of two */
#define CACHE_LINE    64
#define LINGER_MS     10
#define METHOD_BYTES  32  /* a longer method is cut */
#define ROOM_POLL_MS  100 /* how often a full pipe is asked whether it is time to give up */
#define STOP_PATIENCE 10  /* of these, while stopping */

static_assert(LOG_LINE_BYTES <= PIPE_BUF, "a line is written in one piece");

struct slot {
	alignas(CACHE_LINE) _Atomic uint64_t turn;
	struct log_record record;
};

struct log {
	struct slot slots[RING_RECORDS];
	alignas(CACHE_LINE) _Atomic uint64_t tail; /* the next position to claim */
	_Atomic uint64_t dropped;
	alignas(CACHE_LINE) atomic_bool asleep;
	atomic_bool stopping;
	enum log_format format;
	_Atomic enum log_level level;
	int fd, wake_fd;
	pthread_t thread;
	/* the thread's own */
	uint64_t head; /* the next position to read */
	char batch[LOG_LINE_BYTES];
	size_t batch_size;
	uint64_t batch_lines; /* that are lost when the batch cannot be written */
	int patience;         /* polls left, while stopping, with a reader who does not read */
};

static void wake(struct log *log)
{
	uint64_t one = 1;

	while (write(log->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
		;
}

/* ---- producers ---- */

/* A slot of one's own, or NULL when the ring is full; then the line is counted as dropped. */
static struct slot *claim(struct log *log)
{
	uint64_t at = atomic_load_explicit(&log->tail, memory_order_relaxed);

	for (;;) {
		struct slot *slot = &log->slots[at % RING_RECORDS];
		int64_t lead = (int64_t)(atomic_load_explicit(&slot->turn, memory_order_acquire) - at);

		if (lead < 0) {
			atomic_fetch_add_explicit(&log->dropped, 1, memory_order_relaxed);
			return NULL;
		}
		if (lead > 0)
			at = atomic_load_explicit(&log->tail, memory_order_relaxed);
		else if (atomic_compare_exchange_weak_explicit(
					 &log->tail, &at, at + 1, memory_order_relaxed, memory_order_relaxed))
			return slot;
	}
}

/* Hands the slot to the thread. Of this store and load, and those in rest(), one side always sees the other's:
 * all four are sequentially consistent. */
static void publish(struct log *log, struct slot *slot)
{
	atomic_store(&slot->turn, atomic_load_explicit(&slot->turn, memory_order_relaxed) + 1);
	if (atomic_load(&log->asleep) && atomic_exchange(&log->asleep, false)) wake(log);
}

static void record_begin(struct log_record *record, enum log_level level)
{
	clock_gettime(CLOCK_REALTIME_COARSE, &record->time);
	record->level = level;
	record->method_length = 0;
	record->text_length = 0;
	record->cut = record->traced = false;
}

/* As much of the text as fits behind what is there. */
static void record_add(struct log_record *record, const char *text, size_t n, size_t room)
{
	record->cut = n > room;
	if (record->cut) n = room;
	memcpy(record->text + record->text_length, text, n);
	record->text_length += (uint16_t)n;
}

static void write_message(struct log_record *record, const char *format, va_list args)
{
	int n = vsnprintf(record->text, LOG_TEXT_BYTES, format, args);

	if (n < 0) n = 0;
	record->cut = n >= LOG_TEXT_BYTES;
	record->text_length = (uint16_t)(record->cut ? LOG_TEXT_BYTES - 1 : n);
}

void log_set_level(struct log *log, enum log_level level)
{
	atomic_store_explicit(&log->level, level, memory_order_relaxed);
}

void log_write(struct log *log, enum log_level level, const char *format, ...)
{
	struct slot *slot;
	va_list args;

	if (level > atomic_load_explicit(&log->level, memory_order_relaxed) || !(slot = claim(log))) return;
	record_begin(&slot->record, level);
	va_start(args, format);
	write_message(&slot->record, format, args);
	va_end(args);
	publish(log, slot);
}

void log_access(struct log *log, const struct log_request *request)
{
	const char *method = *request->method ? request->method : "?";
	struct log_record *record;
	struct slot *slot;

	if (LOG_LEVEL_INFO > atomic_load_explicit(&log->level, memory_order_relaxed) || !(slot = claim(log)))
		return;
	record = &slot->record;
	record_begin(record, LOG_LEVEL_INFO);
	record->seconds = request->seconds;
	record->bytes = request->bytes;
	record->status = (uint16_t)request->status;
	if ((record->traced = request->span_id && *request->span_id)) {
		memcpy(record->trace_id, request->trace_id, sizeof record->trace_id);
		memcpy(record->parent_id, request->parent_id, sizeof record->parent_id);
		memcpy(record->span_id, request->span_id, sizeof record->span_id);
	}
	record_add(record, method, strlen(method), METHOD_BYTES);
	record->method_length = record->text_length;
	record_add(record, request->path, strcspn(request->path, "?"), LOG_TEXT_BYTES - record->text_length);
	publish(log, slot);
}

/* ---- the thread ---- */

/* Waits until the descriptor takes a batch whole; false: its reader has stopped reading, and we are stopping. */
static bool wait_for_room(struct log *log)
{
	struct pollfd poll_fd = { .fd = log->fd, .events = POLLOUT };

	for (; log->patience; log->patience -= atomic_load(&log->stopping))
		if (poll(&poll_fd, 1, ROOM_POLL_MS) > 0) return true;
	return false;
}

/* Writes the batch; what cannot be written (a full disk, a reader who left) counts as dropped. */
static void flush(struct log *log)
{
	const char *from = log->batch;
	size_t left = log->batch_size;

	while (left && wait_for_room(log)) {
		ssize_t n = write(log->fd, from, left);

		if (n < 0 && errno != EINTR && errno != EAGAIN) break;
		if (n < 0) continue;
		from += n;
		left -= (size_t)n;
	}
	if (left) atomic_fetch_add_explicit(&log->dropped, log->batch_lines, memory_order_relaxed);
	log->batch_size = 0;
	log->batch_lines = 0;
}

/* The line joins the batch; it stands for that many lines should it be lost. */
static void add_line(struct log *log, const struct log_record *record, uint64_t stands_for)
{
	char line[LOG_LINE_BYTES];
	size_t n = log_line(record, log->format, line);

	if (n > sizeof log->batch - log->batch_size) flush(log);
	memcpy(log->batch + log->batch_size, line, n);
	log->batch_size += n;
	log->batch_lines += stands_for;
}

static bool is_ready(struct log *log)
{
	return atomic_load(&log->slots[log->head % RING_RECORDS].turn) == log->head + 1;
}

static void report_dropped(struct log *log)
{
	uint64_t dropped = atomic_exchange_explicit(&log->dropped, 0, memory_order_relaxed);
	struct log_record record;

	if (!dropped) return;
	record_begin(&record, LOG_LEVEL_ERROR);
	record.text_length = (uint16_t)snprintf(record.text, sizeof record.text,
			"%" PRIu64 " %s dropped: the log could not be written as fast as it came", dropped,
			dropped == 1 ? "line" : "lines");
	add_line(log, &record, dropped);
}

/* Writes what is in the ring; returns how many records that were. */
static size_t drain(struct log *log)
{
	size_t count = 0;

	for (; count < RING_RECORDS && is_ready(log); count++) {
		struct slot *slot = &log->slots[log->head % RING_RECORDS];

		add_line(log, &slot->record, 1);
		atomic_store_explicit(&slot->turn, log->head + RING_RECORDS, memory_order_release);
		log->head++;
	}
	report_dropped(log);
	flush(log);
	return count;
}

/* A short rest after a batch; a long one, from which a producer wakes us, when there was none. */
static void rest(struct log *log, bool briefly)
{
	struct pollfd poll_fd = { .fd = log->wake_fd, .events = POLLIN };
	uint64_t count;

	if (!briefly) atomic_store(&log->asleep, true);
	if (briefly || !is_ready(log)) poll(&poll_fd, 1, briefly ? LINGER_MS : -1);
	atomic_store(&log->asleep, false);
	while (read(log->wake_fd, &count, sizeof count) < 0 && errno == EINTR)
		;
}

static void *run(void *argument)
{
	struct log *log = argument;

	for (;;) {
		/* Asked before the ring is emptied, so that all that was logged before log_stop is in it. */
		bool stopping = atomic_load(&log->stopping);
		size_t count = drain(log);

		if (stopping) return NULL;
		rest(log, count);
	}
}

/* ---- start and stop ---- */

/* The thread takes no signals: they are main's, and a reader who left is an error of write, not a SIGPIPE. */
static int start_thread(struct log *log, struct err *e)
{
	sigset_t all, before;
	int failed;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	failed = pthread_create(&log->thread, NULL, run, log);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed) return err_set(e, ERR_IO, "the log's thread could not be started: %s", strerror(failed));
	pthread_setname_np(log->thread, "log");
	return 0;
}

int log_start(struct log **out, enum log_format format, enum log_level level, int fd, struct err *e)
{
	struct log *log = aligned_alloc(CACHE_LINE, sizeof *log);
	int rc;

	*out = NULL;
	if (!log) return err_nomem(e);
	memset(log, 0, sizeof *log);
	for (size_t i = 0; i < RING_RECORDS; i++)
		atomic_init(&log->slots[i].turn, i);
	log->format = format;
	atomic_init(&log->level, level);
	log->fd = fd;
	log->patience = STOP_PATIENCE;
	log->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (log->wake_fd < 0)
		rc = err_set(e, ERR_IO, "the log could not be started: %s", strerror(errno));
	else if (!(rc = start_thread(log, e)))
		*out = log;
	if (!rc) return 0;
	if (log->wake_fd >= 0) close(log->wake_fd);
	free(log);
	return rc;
}

void log_stop(struct log *log)
{
	if (!log) return;
	atomic_store(&log->stopping, true);
	wake(log);
	pthread_join(log->thread, NULL);
	close(log->wake_fd);
	free(log);
}
