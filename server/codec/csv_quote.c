/* csv_quote.c - see csv_quote.h. */
#include "server/codec/csv_quote.h"

void csv_quote(struct buffer *out, const char *text, size_t size)
{
	bool quote = false;

	for (size_t i = 0; i < size && !quote; i++)
		quote = strchr(",;\t\"\r\n", text[i]) != NULL;
	if (!quote) {
		buffer_add(out, text, size);
		return;
	}
	buffer_text(out, "\"");
	for (size_t i = 0; i < size; i++)
		buffer_add(out, text[i] == '"' ? "\"\"" : text + i, text[i] == '"' ? 2 : 1);
	buffer_text(out, "\"");
}
