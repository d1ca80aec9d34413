/* utf8.c - the table of well-formed sequences, with words of ASCII skipped whole. See utf8.h. */
#include "server/utf8.h"

#include <stdint.h>
#include <string.h>

/* The well-formed sequences (Unicode, table 3-7): how the first byte bounds the second; a third and a fourth
 * are 80 to BF. Bytes in no row begin nothing: overlong forms, surrogates and what lies beyond U+10FFFF. */
static const struct sequence {
	unsigned char first, last, length, second_min, second_max;
} sequences[] = {
	{ 0xC2, 0xDF, 2, 0x80, 0xBF },
	{ 0xE0, 0xE0, 3, 0xA0, 0xBF },
	{ 0xE1, 0xEC, 3, 0x80, 0xBF },
	{ 0xED, 0xED, 3, 0x80, 0x9F },
	{ 0xEE, 0xEF, 3, 0x80, 0xBF },
	{ 0xF0, 0xF0, 4, 0x90, 0xBF },
	{ 0xF1, 0xF3, 4, 0x80, 0xBF },
	{ 0xF4, 0xF4, 4, 0x80, 0x8F },
};

/* The length of the character at s, which is not ASCII; 0 when it is none or is cut off. */
static size_t character_length(const unsigned char *s, size_t n)
{
	const struct sequence *row = sequences, *end = sequences + sizeof sequences / sizeof *sequences;

	while (row < end && s[0] > row->last)
		row++;
	if (row == end || s[0] < row->first || n < row->length) return 0;
	if (s[1] < row->second_min || s[1] > row->second_max) return 0;
	for (size_t i = 2; i < row->length; i++)
		if ((s[i] & 0xC0) != 0x80) return 0;
	return row->length;
}

size_t utf8_valid(const char *s, size_t n)
{
	const uint64_t tops = 0x8080808080808080;
	size_t i = 0, length;
	uint64_t word;

	while (i < n) {
		if (n - i >= sizeof word) {
			memcpy(&word, s + i, sizeof word);
			if (!(word & tops)) {
				i += sizeof word;
				continue;
			}
		}
		if ((unsigned char)s[i] < 0x80) {
			i++;
			continue;
		}
		length = character_length((const unsigned char *)s + i, n - i);
		if (!length) return i;
		i += length;
	}
	return n;
}

void utf8_mend(char *text)
{
	while (*(text += utf8_valid(text, strlen(text))))
		*text++ = '?';
}
