/* xor.c - the engine in a program of its own: a network of 2-4-1 learns XOR and answers the four cases.
 *
 * cc examples/xor.c -o xor $(pkg-config --cflags --libs descent) && ./xor       (after `make install`)
 */
#include <stdio.h>

#include <descent/net.h>
#include <descent/train.h>

static const real x[4][2] = { { 0, 0 }, { 0, 1 }, { 1, 0 }, { 1, 1 } }, y[4] = { 0, 1, 1, 0 };

static int learn(struct net *net, const struct gemm_engine *engine, struct err *e)
{
	struct train_data data = { .x = x[0], .y = y, .rows = 4 };
	struct objective objective = { .loss = loss_find("mse"), .weight = 1 };
	struct train_config config = { .epochs = 5000,
		.target_loss = 0.001, /* good enough */
		.optimizer = optim_find("adam"),
		.optimizer_params = { 0.02, 0.9, 0.999, 1e-8 }, /* as params of the row has them */
		.objectives = &objective };
	struct trainer *trainer = NULL;
	struct train_result result;
	int rc = trainer_new(&trainer, net, &config, &data, NULL, engine, NULL, e);

	if (!rc) rc = trainer_run(trainer, NULL, &result, e);
	if (!rc) printf("%s after %d epochs\n", train_stop_name(result.stop), (int)result.last.epoch);
	trainer_free(trainer);
	return rc;
}

int main(void)
{
	struct layer_spec layers[] = { { .units = 4, .activation = activation_find("tanh"), .bias = true },
		{ .units = 1, .activation = activation_find("linear"), .bias = true } };
	const struct gemm_engine *engine; /* of the matrix products: the fastest that this CPU can run */
	struct net *net = NULL;
	struct net_work *work = NULL;
	const real *answers;
	struct err e;
	int rc;

	if ((rc = gemm_choose(&engine, "auto", &e)) || (rc = net_new(&net, 2, layers, 2, &e))) goto out;
	net_init(net, 1);
	if ((rc = learn(net, engine, &e)) || (rc = net_work_new(&work, net, 4, false, engine, NULL, &e)))
		goto out;
	net_forward(net, work, x[0], 4, &answers);
	for (int i = 0; i < 4; i++)
		printf("%g xor %g = %.3f\n", x[i][0], x[i][1], answers[i]);
out:
	if (rc) fprintf(stderr, "xor: %s\n", e.text);
	net_work_free(work);
	net_free(net);
	return rc != 0;
}
