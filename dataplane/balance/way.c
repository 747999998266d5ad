// SPDX-License-Identifier: Apache-2.0
// Ways to a member other than DNAT. Called by nat_stage, on the worker's thread.
#include "balance/way.h"

int balance_way_prepare(struct worker *worker, const struct sl_balance_pool *pool, struct flow_new *new)
{
    (void)worker;
    (void)pool;
    (void)new;
    return 0;
}

void balance_way_send(struct worker *worker, struct burst *burst, struct packet *packet,
                      const struct sl_balance_pool *pool, const struct sl_balance_member *member)
{
    (void)burst;
    (void)pool;
    (void)member;
    packet_drop(worker, packet, SL_DROP_balance_no_member);
}
