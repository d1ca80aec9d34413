/* training_size.c - the memory that a training takes, before anything is read. See training_bytes in training.h.
 *
 * Rows are held in memory where they fit. Where they do not, they lie in a scratch file and the trainer has a window of
 * them; what then remains is a few bytes a row: which use it has, and while rows are split its class.
 */
#include "core/size.h"
#include "server/jobs/training_parts.h"

#define PER_ROW_SPLIT   (sizeof(uint32_t) + sizeof(uint8_t))     /* class, and which side it falls on */
#define PER_ROW_FOLDS   (2 * sizeof(uint32_t) + sizeof(uint8_t)) /* class, order, and fold */
#define PER_ROW_ORDER   (sizeof(double) + sizeof(uint8_t))       /* likewise, of the value that orders rows */
#define PER_ROW_ALWAYS  sizeof(uint8_t)                          /* enum use */
#define READING_BYTES   ((size_t)2 * STORE_CHUNK_BYTES)          /* a row group as doubles and slots */
#define VALIDATION_ROWS 256                                      /* a piece of the validation, at least */

/* Bytes of a row: inputs, targets and what each target counts. */
static size_t row_bytes(const struct definition *d)
{
	size_t width = size_add(definition_input_width(d), definition_output_width(d));

	return size_mul(size_add(width, d->outputs_count), sizeof(real));
}

/* Blocks as large as the network's parameters: its own, the optimizer's and those of what is asked for, all of them once
 * more for checkpoints, the gradient, and the file that is written at the end. */
static size_t parameter_blocks(const struct train_config *c)
{
	size_t state = 1 + optim_moments(c->optimizer, c->optimizer_params);

	state += c->patience && c->restore_best;
	state += c->ema_decay > 0;
	state += c->accumulate > 1;
	return 2 * state + 2;
}

/* Of the rows of a fold that leaves its predictions: their numbers, folds and scores, twice as they are written. */
static size_t predictions_bytes(
		const struct definition *d, const struct train_request *request, uint64_t rows)
{
	size_t row = size_add(sizeof(uint64_t) + 1, size_mul(definition_output_width(d), sizeof(float)));

	return request->validation.of ? size_mul(2 * (rows / request->validation.of + 1), row) : 0;
}

/* What does not depend on where the rows are. */
static size_t network_bytes(const struct definition *d, const struct train_request *request, size_t batch)
{
	size_t parameters, widest = 0;

	if (net_count_parameters(definition_input_width(d), d->layers, d->layers_count, &parameters, NULL))
		return SIZE_MAX;
	for (size_t i = 0; i < d->layers_count; i++)
		widest = size_add(widest, d->layers[i].units);
	return size_add(size_mul(parameters, parameter_blocks(&request->core) * sizeof(real)),
			size_mul(size_mul(batch, widest), 4 * sizeof(real)));
}

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

struct training_size training_bytes(
		const struct definition *d, const struct train_request *request, uint64_t rows, size_t budget)
{
	size_t row = row_bytes(d), batch = request->core.batch_size, network, window, matrix, streamed;
	const struct train_validation *v = &request->validation;
	size_t split = v->order_by ? PER_ROW_ORDER : v->of ? PER_ROW_FOLDS : PER_ROW_SPLIT;
	size_t block = train_block_rows(size_add(definition_input_width(d), definition_output_width(d)));

	if (rows > UINT32_MAX) return (struct training_size){ .bytes = SIZE_MAX };
	if (!batch || batch > rows) batch = rows;
	network = size_add(network_bytes(d, request, batch), size_mul(rows, PER_ROW_ALWAYS));
	network = size_add(network, predictions_bytes(d, request, rows));
	matrix = size_add(network, size_mul(rows, size_add(row, 2 * sizeof(uint32_t))));
	window = block * SHUFFLE_WINDOW_BLOCKS < rows ? block * SHUFFLE_WINDOW_BLOCKS : rows;
	/* Splitting is over before there is a window. */
	streamed = size_add(size_mul(window, size_add(row, sizeof(uint32_t))),
			size_mul(larger(batch, VALIDATION_ROWS), row));
	streamed = size_add(network, larger(streamed, size_mul(rows, split)));
	streamed = size_add(streamed, READING_BYTES);
	/* A batch of all rows has them all in memory, wherever they come from. */
	if (matrix <= budget || batch == rows || streamed >= matrix)
		return (struct training_size){ .bytes = matrix };
	return (struct training_size){ .bytes = streamed, .scratch_bytes = size_mul(rows, row) };
}

int training_fits(const struct training_size *size, size_t budget, struct err *e)
{
	if (size->bytes <= budget) return 0;
	return err_set(e, ERR_RANGE,
			"this training needs %.0f MiB and the daemon gives its jobs %.0f; a smaller network or batch, fewer rows "
			"or a larger --memory-budget would do",
			(double)size->bytes / 1048576, (double)budget / 1048576);
}
