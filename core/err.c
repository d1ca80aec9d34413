/* err.c - formats the sentence of an error. See err.h. */
#include "core/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A sentence that quotes a user's text may be cut inside a UTF-8 sequence: drop the broken tail. */
static void trim_partial_utf8(char *text)
{
	size_t n = strlen(text), back = 0;

	if (n + 1 < ERR_TEXT_BYTES) return;
	while (back < 4 && back < n && ((unsigned char)text[n - 1 - back] & 0xC0) == 0x80)
		back++;
	if (back < n && (unsigned char)text[n - 1 - back] >= 0xC0) text[n - 1 - back] = 0;
}

int err_set(struct err *e, enum err_code code, const char *format, ...)
{
	va_list args;

	if (!e) return code;
	va_start(args, format);
	vsnprintf(e->text, sizeof e->text, format, args);
	va_end(args);
	trim_partial_utf8(e->text);
	return code;
}

int err_nomem(struct err *e)
{
	return err_set(e, ERR_NOMEM, "out of memory");
}
