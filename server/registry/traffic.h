/* traffic.h - how the requests for a model that name no version are shared out among its versions: canaries get a part of
 * them, a shadow is asked what others answer.
 *
 * A key gets the same version for as long as the weights are the same, and when they change only as many keys move as must:
 * weighted rendezvous hashing (Schindelhauer and Schomaker, "Weighted distributed hash tables", SPAA 2005, the logarithmic
 * method). Each version draws an exponential variable of rate `weight` from the hash of key and version; the smallest wins.
 */
#ifndef SERVER_REGISTRY_TRAFFIC_H
#define SERVER_REGISTRY_TRAFFIC_H

#include <stddef.h>

#include "core/err.h"
#include "server/store/store.h"

#define TRAFFIC_VERSIONS_MAX 16

struct traffic; /* shared (traffic_put), never changes */

/* *out is new; NULL for count 0. At most TRAFFIC_VERSIONS_MAX are looked at. ERR_NOMEM. */
int traffic_new(struct traffic **out, const struct store_share *shares, size_t count, struct err *e);
struct traffic *traffic_share(struct traffic *traffic); /* NULL is fine */
void traffic_put(struct traffic *traffic);              /* NULL is fine */

/* The digits of the version that answers a request with this key, NULL or "": by chance. NULL: the one that answers without
 * traffic. traffic may be NULL. */
const char *traffic_pick(const struct traffic *traffic, const char *model, const char *key);
/* The digits of the version that is asked the same, NULL: none. */
const char *traffic_shadow(const struct traffic *traffic);

#endif
