/* members.c - the members of an object by name. See members.h. */
#include "server/codec/members.h"

#include <math.h>
#include <stdio.h>

#include "server/codec/number.h"

static void unknown_member(
		struct scan_value key, const char *const *names, const char *pointer, struct faults *faults)
{
	char name[FAULT_POINTER_BYTES], at[FAULT_POINTER_BYTES];
	char list[FAULT_DETAIL_BYTES] = "";
	const char *meant;

	snprintf(name, sizeof name, "%.*s", (int)(key.end - key.at - 2), key.at + 1);
	pointer_join(at, pointer, name);
	if ((meant = did_you_mean(name, names))) {
		faults_add(faults, ERR_UNKNOWN_FIELD, at, "there is no such field; did you mean \"%s\"?",
				meant);
		return;
	}
	for (size_t i = 0, used = 0; names[i] && used < sizeof list; i++)
		used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", names[i]);
	faults_add(faults, ERR_UNKNOWN_FIELD, at, "there is no such field; there are: %s", list);
}

void members_read(struct scan_value object, const char *const *names, struct scan_value *out,
		const char *pointer, struct faults *faults)
{
	char at[FAULT_POINTER_BYTES];

	for (size_t i = 0; names[i]; i++)
		out[i] = (struct scan_value){ NULL, NULL };
	if (scan_kind(object) != '{') {
		faults_add(faults, ERR_INVALID, pointer, "must be an object");
		return;
	}
	for (struct scan_iter i = scan_begin(object); scan_next(&i);) {
		size_t which = 0;

		while (names[which] && !scan_equals(i.key, names[which]))
			which++;
		if (!names[which])
			unknown_member(i.key, names, pointer, faults);
		else if (out[which].at)
			faults_add(faults, ERR_DUPLICATE_KEY, pointer_join(at, pointer, names[which]),
					"is there twice");
		else
			out[which] = i.value;
	}
}

bool member_flag(struct scan_value said, const char *pointer, struct faults *faults)
{
	char kind = said.at ? scan_kind(said) : 'f';

	if (kind != 't' && kind != 'f') faults_add(faults, ERR_INVALID, pointer, "must be true or false");
	return kind == 't';
}

void member_whole(struct scan_value said, const char *pointer, double min, double max, uint64_t *out,
		struct faults *faults)
{
	double value;

	if (!said.at) return;
	if (scan_kind(said) != '0' || !number_parse_double(said.at, (size_t)(said.end - said.at), &value) ||
			value != floor(value))
		faults_add(faults, ERR_INVALID, pointer, "must be a whole number");
	else if (value < min || value > max)
		faults_add(faults, ERR_RANGE, pointer, "must be at least %.0f and at most %.0f", min, max);
	else
		*out = (uint64_t)value;
}
