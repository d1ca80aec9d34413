/* faults.c - collects what is wrong with a request. See faults.h. */
#include "server/codec/faults.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "server/utf8.h"

#define MEANT_LENGTH 64 /* longer names are not compared */

struct fault *faults_add(
		struct faults *faults, enum err_code code, const char *pointer, const char *format, ...)
{
	struct fault *fault;
	va_list args;

	if (faults->count == FAULTS_MAX) {
		faults->more++;
		return NULL;
	}
	fault = &faults->items[faults->count++];
	memset(fault, 0, sizeof *fault);
	fault->code = code;
	snprintf(fault->pointer, sizeof fault->pointer, "%s", pointer);
	utf8_mend(fault->pointer); /* may be cut within a character */
	va_start(args, format);
	vsnprintf(fault->detail, sizeof fault->detail, format, args);
	va_end(args);
	utf8_mend(fault->detail);
	return fault;
}

/* "/layers/1/units" reads as "layers[1].units" in a sentence. */
static void describe_pointer(const char *pointer, char *out, size_t size)
{
	size_t used = 0;

	out[0] = 0;
	while (*pointer == '/' && used < size) {
		size_t n = strcspn(++pointer, "/");
		int index = n && strspn(pointer, "0123456789") >= n;

		used += (size_t)snprintf(out + used, size - used,
				index  ? "[%.*s]"
				: used ? ".%.*s"
				       : "%.*s",
				(int)n, pointer);
		pointer += n;
	}
	if (*pointer && used < size) snprintf(out + used, size - used, "%s", pointer);
}

int faults_result(const struct faults *faults, struct err *e)
{
	const struct fault *first = &faults->items[0];
	char where[FAULT_POINTER_BYTES];
	size_t others;

	if (!faults->count) return 0;
	for (size_t i = 0; i < faults->count; i++)
		if (faults->items[i].code == ERR_NOMEM)
			return err_nomem(e); /* what else is wrong may come of it */
	others = faults->count - 1 + faults->more;
	describe_pointer(first->pointer, where, sizeof where);
	if (first->line && first->column)
		snprintf(where, sizeof where, "line %llu, column %llu", (unsigned long long)first->line,
				(unsigned long long)first->column);
	else if (first->line)
		snprintf(where, sizeof where, "line %llu", (unsigned long long)first->line);
	if (others)
		return err_set(e, first->code, "%s%s%s (and %zu more %s)", where, *where ? ": " : "",
				first->detail, others, others == 1 ? "fault" : "faults");
	return err_set(e, first->code, "%s%s%s", where, *where ? ": " : "", first->detail);
}

const char *pointer_join(char out[FAULT_POINTER_BYTES], const char *pointer, const char *name)
{
	size_t used = strlen(pointer);

	if (out != pointer) memcpy(out, pointer, used + 1);
	if (used + 1 < FAULT_POINTER_BYTES) out[used++] = '/';
	for (; *name && used + 3 < FAULT_POINTER_BYTES; name++) {
		if (*name == '~' || *name == '/') {
			out[used++] = '~';
			out[used++] = *name == '~' ? '0' : '1';
		} else {
			out[used++] = *name;
		}
	}
	out[used] = 0;
	return out;
}

const char *pointer_index(char out[FAULT_POINTER_BYTES], const char *pointer, size_t index)
{
	char number[24];

	snprintf(number, sizeof number, "%zu", index);
	return pointer_join(out, pointer, number);
}

/* Levenshtein's distance (1966), letters' case ignored. */
static size_t distance(const char *a, const char *b)
{
	size_t row[MEANT_LENGTH + 1], n = strlen(a), m = strlen(b);

	for (size_t j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t above = row[j];
			size_t best = diagonal + ((a[i - 1] | 0x20) != (b[j - 1] | 0x20));

			if (above + 1 < best) best = above + 1;
			if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
			diagonal = above;
			row[j] = best;
		}
	}
	return row[m];
}

const char *did_you_mean(const char *name, const char *const *list)
{
	const char *best = NULL;
	size_t best_distance = 3, n = strlen(name);

	if (!n || n > MEANT_LENGTH) return NULL;
	for (; *list; list++) {
		size_t d;

		if (strlen(*list) > MEANT_LENGTH) continue;
		d = distance(name, *list);
		if (d >= 2 && d * 2 > n) continue;
		if (d < best_distance) {
			best = *list;
			best_distance = d;
		}
	}
	return best;
}
