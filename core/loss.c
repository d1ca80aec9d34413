/* loss.c - finding a loss in the table, whose rows stand with their functions in loss_numbers.c and
 * loss_categories.c. See loss.h.
 *
 * Values are summed in double: a sum of many float32 losses would lose the last rows of a large data set.
 */
#include "core/loss.h"

#include <string.h>

#include "core/loss_rows.h"

const struct loss *loss_at(size_t i)
{
	if (i < loss_number_count) return &loss_number_rows[i];
	i -= loss_number_count;
	return i < loss_category_count ? &loss_category_rows[i] : NULL;
}

const struct loss *loss_find(const char *name)
{
	const struct loss *loss = NULL;

	for (size_t i = 0; (loss = loss_at(i)); i++)
		if (!strcmp(loss->name, name)) break;
	return loss;
}

bool loss_takes(const struct loss *loss, const char *output)
{
	for (size_t i = 0; i < LOSS_OUTPUTS_MAX && loss->outputs[i]; i++)
		if (!strcmp(loss->outputs[i], output)) return true;
	return !loss->outputs[0];
}

bool loss_is_joint(const struct loss *loss, const struct activation *output)
{
	return loss->joint_activation && !strcmp(loss->joint_activation, output->name);
}
