// SPDX-License-Identifier: Apache-2.0
// Clients go where they were, for a time after their last flow has ended. On the worker's thread.
#ifndef BALANCE_AFFINITY_H
#define BALANCE_AFFINITY_H

#include "balance/state.h"

struct balance_clients *balance_clients_new(void); // freed with free()

// The client as far as affinity tells clients apart: his address, cut to the service's prefix length.
struct sl_ip balance_client_of(const struct sl_balance_service *service, const struct sl_ip *ip);

// The member the client had, where he may have it still; NULL: any.
const struct sl_balance_member *balance_clients_find(struct worker *worker,
                                                     const struct sl_balance_service *service,
                                                     const struct sl_ip *client);
// A flow of the client begins, or ends. Services without affinity are none of these functions' business.
void balance_clients_began(struct worker *worker, const struct sl_balance_service *service,
                           const struct sl_ip *client, uint32_t member_slot);
void balance_clients_ended(struct worker *worker, const struct sl_flow *flow);

#endif
