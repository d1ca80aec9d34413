/* train_fann.c - FANN on one of the tasks of bench/train.c: prints samples a second of CPU time.
 *
 * usage: train_fann SIZES BATCH ROWS EPOCHS
 *
 * FANN has neither mini-batches nor Adam; the faster of its incremental training and its RPROP is taken, each the
 * best of RUNS runs after a warm-up.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <fann.h>

#define RUNS       3
#define LAYERS_MAX 8

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static float uniform(void)
{
	return (float)rand() / (float)RAND_MAX;
}

/* Random inputs, one of the outputs 1. */
static struct fann_train_data *make_data(unsigned rows, unsigned inputs, unsigned outputs)
{
	struct fann_train_data *data = fann_create_train(rows, inputs, outputs);

	for (unsigned i = 0; i < rows; i++) {
		for (unsigned j = 0; j < inputs; j++)
			data->input[i][j] = uniform();
		memset(data->output[i], 0, outputs * sizeof data->output[i][0]);
		data->output[i][(unsigned)rand() % outputs] = 1;
	}
	return data;
}

static double best_seconds(struct fann *net, struct fann_train_data *data, enum fann_train_enum algorithm,
		unsigned epochs)
{
	double best = 0;

	fann_set_training_algorithm(net, algorithm);
	for (int run = 0; run <= RUNS; run++) {
		double start = now(), seconds;

		for (unsigned epoch = 0; epoch < epochs; epoch++)
			fann_train_epoch(net, data);
		seconds = now() - start;
		if (run == 1 || (run && seconds < best)) best = seconds;
	}
	return best;
}

int main(int argc, char **argv)
{
	unsigned sizes[LAYERS_MAX], layers = 0, rows, epochs;
	struct fann *net;
	struct fann_train_data *data;
	double incremental, rprop;

	if (argc != 5) return 2;
	for (char *at = strtok(argv[1], "-"); at && layers < LAYERS_MAX; at = strtok(NULL, "-"))
		sizes[layers++] = (unsigned)atoi(at);
	rows = (unsigned)atoi(argv[3]);
	epochs = (unsigned)atoi(argv[4]);
	net = fann_create_standard_array(layers, sizes);
	fann_set_activation_function_hidden(net, FANN_SIGMOID);
	fann_set_activation_function_output(net, FANN_SIGMOID);
	data = make_data(rows, sizes[0], sizes[layers - 1]);
	incremental = best_seconds(net, data, FANN_TRAIN_INCREMENTAL, epochs);
	rprop = best_seconds(net, data, FANN_TRAIN_RPROP, epochs);
	printf("%.0f\n", (double)rows * epochs / (incremental < rprop ? incremental : rprop));
	fann_destroy_train(data);
	fann_destroy(net);
	return 0;
}
