/* order.h - the body of a :train on its way to a job: read, checked against model and data, completed. What is then done with
 * it is the verb's: :train and :estimate (train.c), :crossvalidate (crossvalidate.c), :sweep (sweep.c).
 */
#ifndef SERVER_API_ORDER_H
#define SERVER_API_ORDER_H

#include <jansson.h>

#include "server/api/api.h"
#include "server/codec/definition.h"
#include "server/codec/scan.h"
#include "server/codec/train_request.h"
#include "server/http/request.h"
#include "server/jobs/training.h"

struct idempotency;
struct order;

struct order_verb {
	/* Takes what is not of a :train out of o->document; NULL: nothing is. Faults; memory
	 * that jansson did not get is noted. */
	void (*read)(struct order *o);
	/* Before the request is completed, once model and data are known; NULL: nothing to say. Faults. */
	void (*check)(struct order *o);
	int (*act)(struct order *o, struct reply *rp, struct err *e);
	bool keeps_data; /* inline data are pinned by act, which makes a job: it takes an Idempotency-Key */
};

struct order {
	struct app *app;
	int64_t token; /* who asks */
	const struct order_verb *verb;
	struct faults *faults;
	const char *model;
	struct scan_value body, data; /* data.at NULL: none came with the request */
	json_t *document;             /* the body without its data */
	struct train_request request;
	struct store_model stored;
	struct definition definition;
	json_t *resolved;
	struct encoder *inputs, *targets; /* unfitted */
	struct store_revision revision;
	struct store_revision held; /* the data set of its own to validate on; id 0: there is none */
	bool inline_data;
	struct training_size size;
	json_t *network; /* of the version to go on from, where it is another than the model's; or NULL */
	struct idempotency *key; /* of a request that changes something */
	void *own;               /* the verb's */
};

/* Reads and checks all, and leaves what is done with it to the verb (own is its alone); then gives everything back. */
int order_take(struct request *rq, struct reply *rp, const struct order_verb *verb, void *own, struct err *e);

/* The config of a :train, new, and what there is to warn of, an array, new; false: no memory (both are NULL). */
bool order_config(const struct order *o, json_t **config, json_t **warnings);
/* Makes a job of this config (taken over, as warnings are; NULL: no memory) and answers with it. A family is settled before
 * it is answered with. */
int order_submit(struct order *o, const char *kind, bool family, uint64_t epochs, json_t *config,
		json_t *warnings, struct reply *rp, struct err *e);

#endif
