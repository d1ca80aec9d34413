/* fault.c - a library that is loaded before all others (LD_PRELOAD) and makes system calls and allocations of the daemon
 * fail, one call site after another. tests/faults/faults.py drives it through a file that both have mapped (FAULT_CONTROL);
 * without that file it does nothing.
 *
 * A call site is the chain of the FRAMES nearest callers inside the daemon or the libraries of modules[]; callers elsewhere
 * (libc, the sanitizer) are passed over, and a call that none of ours is behind is left alone. Every site that is reached is
 * written into the file. While kinds of calls are armed, the next call at a site that has not failed in all ways of its kind
 * fails, in the next of its ways, and disarms: so one step of the driver meets one fault, and repeating the step until
 * nothing fires makes every site of it fail in every way. Under AddressSanitizer allocations are handed on to its own.
 *
 * A fault is a site and the way in which it fails. What is reached only while the daemon gets over one fails in a step with
 * two: first the fault that leads to it. With FAULT_TRACE in the environment the whole chain of callers of a failing call
 * goes to stderr. Daemons and commands that run at the same time share the file: the fault meets one of them.
 *
 * Left out is what cannot fail with right arguments (clocks, mutexes, giving back a lock, taking a descriptor out of an
 * epoll set, an eventfd whose counter is not full), freeing, and what GMP asks for (under GnuTLS).
 */
#include "tests/faults/fault.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <unwind.h>

#define FRAMES      4
#define FRAMES_PAST 40 /* callers that are looked at, at most */
#define SITES       65536
#define KINDS_MAX   64
#define WAYS_MAX    4
#define NAME_BYTES  16

#define AS_ROW(name, ...) { #name, { __VA_ARGS__ } },
static const struct {
	const char *name;
	int ways[WAYS_MAX + 1];
} kinds[] = { KINDS(AS_ROW) };

_Static_assert(KIND_COUNT <= KINDS_MAX, "kinds are bits of a word");

/* Frames in these count; the first is the program itself. */
static const char *const modules[] = { "", "libsqlite3", "libmicrohttpd", "libjansson", "libz", "libnettle",
	"libgnutls", "libgmp" };

#define MODULES (sizeof modules / sizeof *modules)
/* What it calls is left alone: it ends the process when it finds no memory, as its manual says. */
#define GMP (MODULES - 1)

/* ---- the file; faults.py knows this layout ---- */

struct site {
	_Atomic uint64_t id; /* 0: free */
	uint64_t kind;
	_Atomic uint64_t done;   /* bits of the ways in which it has failed */
	_Atomic uint64_t after;  /* it was first reached after this fault; 0: without any */
	uint64_t frames[FRAMES]; /* module << 48 | offset in it */
};

/* A fault is a number: 1 + the index of its site, and above WAY_SHIFT which of the ways of its kind; 0: none. */
#define WAY_SHIFT 32

struct control {
	_Atomic uint64_t armed;  /* bits of kinds */
	_Atomic uint64_t fired;  /* the fault that was met since it was armed */
	_Atomic uint64_t first;  /* the fault that is to be met before any other */
	_Atomic uint64_t led;    /* that one, once it was */
	_Atomic uint64_t pid[2]; /* of the process that met fired, led */
	_Atomic uint64_t sites_lost;
	uint64_t kinds_count;
	uint64_t part, seed; /* one site in `part` is chosen, by its id and the seed; the others never fail */
	char names[KINDS_MAX][NAME_BYTES];
	uint64_t ways[KINDS_MAX];
	int32_t errors[KINDS_MAX][WAYS_MAX];
	struct site sites[SITES];
};

static struct control *control;
static struct {
	uintptr_t from, to, base;
} ranges[MODULES];
static __thread int inside __attribute__((tls_model("initial-exec"))); /* not our callers' calls */

/* ---- start ---- */

static int note_module(struct dl_phdr_info *info, size_t size, void *program)
{
	const char *slash = strrchr(info->dlpi_name, '/'), *name = slash ? slash + 1 : info->dlpi_name;
	bool *found_program = program;
	size_t module = 0;

	(void)size;
	if (*found_program)
		for (module = 1; module < MODULES && strncmp(name, modules[module], strlen(modules[module]));)
			module++;
	*found_program = true; /* it comes first */
	if (module == MODULES) return 0;
	ranges[module].base = info->dlpi_addr;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];

		if (part->p_type != PT_LOAD || !(part->p_flags & PF_X)) continue;
		ranges[module].from = info->dlpi_addr + part->p_vaddr;
		ranges[module].to = ranges[module].from + part->p_memsz;
	}
	return 0;
}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("FAULT_CONTROL");
	bool found_program = false;
	struct control *c;
	int fd;

	if (!path) return;
	inside++;
	dl_iterate_phdr(note_module, &found_program);
	fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
	c = (void *)syscall(SYS_mmap, NULL, sizeof *c, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	syscall(SYS_close, fd);
	if (fd < 0 || (intptr_t)c == -1) {
		fprintf(stderr, "fault: %s cannot be mapped\n", path);
		_exit(99);
	}
	c->kinds_count = KIND_COUNT;
	for (int i = 0; i < KIND_COUNT; i++) {
		strncpy(c->names[i], kinds[i].name, NAME_BYTES - 1);
		c->ways[i] = 0;
		for (; kinds[i].ways[c->ways[i]]; c->ways[i]++)
			c->errors[i][c->ways[i]] = kinds[i].ways[c->ways[i]];
	}
	control = c;
	inside--;
}

/* ---- sites ---- */

struct walk {
	uint64_t frames[FRAMES];
	int found, past;
	bool alone;
};

static _Unwind_Reason_Code look(struct _Unwind_Context *context, void *arg)
{
	struct walk *walk = arg;
	uintptr_t at = _Unwind_GetIP(context);

	for (size_t i = 0; i < MODULES; i++)
		if (at >= ranges[i].from && at < ranges[i].to) {
			if (i == GMP) walk->alone = true;
			walk->frames[walk->found++] = (uint64_t)i << 48 | (at - ranges[i].base);
		}
	return walk->found == FRAMES || ++walk->past == FRAMES_PAST ? _URC_END_OF_STACK : _URC_NO_REASON;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
	return hash ^ hash >> 29;
}

/* The fault that the processes are getting over. */
static uint64_t fault_before(void)
{
	uint64_t fired = atomic_load(&control->fired);

	return fired ? fired : atomic_load(&control->led);
}

/* The site of the call under way; NULL: nobody of ours is behind it. */
static struct site *find_site(enum kind kind)
{
	struct walk walk = { .found = 0 };
	uint64_t id = mix(1, kind);

	_Unwind_Backtrace(look, &walk);
	if (!walk.found || walk.alone) return NULL;
	for (int i = 0; i < FRAMES; i++)
		id = mix(id, walk.frames[i]);
	if (!id) id = 1;
	for (uint64_t at = id, tries = 0; tries < SITES; at++, tries++) {
		struct site *site = &control->sites[at % SITES];
		uint64_t there = 0;

		if (atomic_load(&site->id) == id) return site;
		if (!atomic_compare_exchange_strong(&site->id, &there, id)) {
			if (there == id) return site;
			continue;
		}
		site->kind = kind;
		atomic_store(&site->after, fault_before());
		memcpy(site->frames, walk.frames, sizeof walk.frames);
		return site;
	}
	atomic_fetch_add(&control->sites_lost, 1);
	return NULL;
}

static void trace(void)
{
	void *calls[FRAMES_PAST];

	if (getenv("FAULT_TRACE")) backtrace_symbols_fd(calls, backtrace(calls, FRAMES_PAST), STDERR_FILENO);
}

/* The first of two faults. */
static int take_lead(uint64_t first, uint64_t self, enum kind kind)
{
	if ((first & ((UINT64_C(1) << WAY_SHIFT) - 1)) != self) return 0;
	if (!atomic_compare_exchange_strong(&control->first, &first, 0)) return 0;
	atomic_store(&control->led, first);
	atomic_store(&control->pid[1], (uint64_t)getpid());
	trace();
	return kinds[kind].ways[first >> WAY_SHIFT];
}

/* Disarms, and how the site fails now; 0: it does not. */
static int take_turn(struct site *site, enum kind kind)
{
	uint64_t armed = atomic_load(&control->armed), done = atomic_load(&site->done);
	uint64_t first = atomic_load(&control->first), self = (uint64_t)(site - control->sites) + 1;
	uint64_t way = 0;

	if (first) return take_lead(first, self, kind);
	while (done >> way & 1)
		way++;
	if (!(armed >> kind & 1) || !kinds[kind].ways[way]) return 0;
	if (control->part > 1 && mix(site->id, control->seed) % control->part) return 0;
	if (!atomic_compare_exchange_strong(&control->armed, &armed, 0)) return 0;
	atomic_fetch_or(&site->done, UINT64_C(1) << way);
	atomic_store(&control->fired, self | way << WAY_SHIFT);
	atomic_store(&control->pid[0], (uint64_t)getpid());
	trace();
	return kinds[kind].ways[way];
}

int fault(enum kind kind)
{
	int before = errno, error = 0;
	struct site *site;

	if (!control || inside) return 0;
	inside++;
	if ((site = find_site(kind))) error = take_turn(site, kind);
	inside--;
	errno = before;
	return error;
}

void *fault_next(const char *name)
{
	void *found;

	inside++;
	found = dlsym(RTLD_NEXT, name);
	inside--;
	return found;
}
