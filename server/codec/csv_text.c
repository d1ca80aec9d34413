/* csv_text.c - special bytes and the delimiter of CSV. See csv_text.h. */
#include "server/codec/csv_text.h"

#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>

static inline uint64_t specials16(const char *p, __m128i delimiter, int *high)
{
	const __m128i quote = _mm_set1_epi8('"'), control = _mm_set1_epi8(0x1F);
	__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i found = _mm_or_si128(_mm_cmpeq_epi8(bytes, delimiter), _mm_cmpeq_epi8(bytes, quote));

	found = _mm_or_si128(found, _mm_cmpeq_epi8(_mm_min_epu8(bytes, control), bytes));
	*high |= _mm_movemask_epi8(bytes);
	return (uint32_t)_mm_movemask_epi8(found);
}

uint64_t csv_text_specials(const char *p, char delimiter, bool *high)
{
	const __m128i wanted = _mm_set1_epi8(delimiter);
	int tops = 0;
	uint64_t bits = specials16(p, wanted, &tops);

	bits |= specials16(p + 16, wanted, &tops) << 16;
	bits |= specials16(p + 32, wanted, &tops) << 32;
	bits |= specials16(p + 48, wanted, &tops) << 48;
	*high = tops;
	return bits;
}
#else
uint64_t csv_text_specials(const char *p, char delimiter, bool *high)
{
	unsigned char tops = 0;
	uint64_t bits = 0;

	for (int i = 0; i < CSV_BLOCK_BYTES; i++) {
		unsigned char c = (unsigned char)p[i];

		bits |= (uint64_t)((c < 0x20) | (c == '"') | (c == (unsigned char)delimiter)) << i;
		tops |= c;
	}
	*high = tops & 0x80;
	return bits;
}
#endif

/* ---- the delimiter ---- */

static const char delimiters[3] = { ',', ';', '\t' };

size_t csv_sniff(struct csv_sniffer *sniffer, const char *bytes, size_t n, bool *ended)
{
	*ended = false;
	for (size_t i = 0; i < n; i++) {
		char c = bytes[i];
		const char *found = c ? memchr(delimiters, c, sizeof delimiters) : NULL;

		if (c == '"') {
			/* Quotes open at the start of a cell, and again right after they closed: "a""b". */
			bool opens = !sniffer->some || sniffer->before == '"' ||
				     memchr(delimiters, sniffer->before, sizeof delimiters);

			sniffer->quoted = !sniffer->quoted && opens;
		} else if (!sniffer->quoted && found)
			sniffer->counts[found - delimiters]++;
		sniffer->some = true;
		sniffer->before = c;
		if (c == '\n' && !sniffer->quoted) {
			*ended = true;
			return i + 1;
		}
	}
	return n;
}

char csv_sniffed(const struct csv_sniffer *sniffer)
{
	size_t best = sniffer->no_comma ? 1 : 0;

	for (size_t i = best + 1; i < sizeof delimiters; i++)
		if (sniffer->counts[i] > sniffer->counts[best]) best = i;
	return delimiters[best];
}
