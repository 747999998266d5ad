// SPDX-License-Identifier: Apache-2.0
// Balancing by hash alone. Towards the member nothing is lacking: as long as the pool stays as it is, every packet of a
// connection finds the same one. An answer must be given its service's address again, which only the flow knew; it is
// found where the member's pool belongs to one service, that service has one address, and the hash of the connection
// that would be it names this very member. As a member may have connections of its own with the same port, answers are
// taken for such only while the service is balanced without flows. Called by nat_stage, on the worker's thread.
#include "balance/stateless.h"

#include "balance/flow.h"
#include "balance/method.h"
#include "balance/rewrite.h"
#include "balance/way.h"

#define ANSWERS_MS 30000 // after the last packet of the service that was balanced without a flow

static bool goes_by_hash(const struct sl_balance_pool *pool)
{
    return balance_method_of(pool)->hashes && pool->way != SL_BALANCE_FULL_NAT;
}

static void translate(struct worker *worker, struct burst *burst, struct packet *packet,
                      const struct sl_flow_key *to, bool from_inside)
{
    if (packet->flags & PACKET_ICMP_ERROR) {
        balance_rewrite_error(packet, to, from_inside);
        worker_count(worker, SL_COUNTER_nat_icmp_error, 1);
    } else {
        balance_rewrite(packet, to);
    }
    packet->flags |= PACKET_TRANSLATED;
    packet->flow = FLOW_NONE;
    packet_to(burst, packet, PACKET_ROUTE);
}

void balance_without_flow(struct worker *worker, struct burst *burst, struct packet *packet,
                          const struct sl_balance_service *service, const struct sl_flow_key *key,
                          enum sl_drop reason)
{
    struct balance *balance = worker->balance;
    const struct balance_binding *binding = worker->tables->balance_binding;
    const struct sl_balance_pool *pool = &sl_balance_pools(binding->table)[service->pool];

    if (!goes_by_hash(pool)) {
        packet_drop(worker, packet, reason);
        return;
    }
    const struct sl_balance_member *member =
        balance_choose(balance, binding, pool, key, packet->key_proto, 0);
    if (member == NULL) {
        packet_drop(worker, packet, SL_DROP_balance_no_member);
        return;
    }
    balance_service_count(balance, service->slot)->flows_stateless++;
    balance->stateless_ms[service->slot] = worker->now_ms | 1;
    if (pool->way != SL_BALANCE_DNAT) {
        balance_way_send(worker, burst, packet, pool, member);
        return;
    }
    struct sl_flow_key answer = balance_answer_key(packet->key_proto, key, member);
    translate(worker, burst, packet, &answer, false);
}

// ---- the way back -------------------------------------------------------------------------------------------
bool balance_is_stateless_now(const struct worker *worker, const struct sl_balance_service *service)
{
    uint32_t last_ms = worker->balance->stateless_ms[service->slot];

    return last_ms != 0 && (int32_t)(worker->now_ms - last_ms) < ANSWERS_MS; // noted with its last bit set
}

// What the client sent, if this is an answer of the service. False: its address cannot be told.
static bool question_of(const struct balance_binding *binding, uint32_t index,
                        const struct sl_balance_member *member, const struct sl_flow_key *key,
                        struct sl_flow_key *question)
{
    const struct balance_front *front = &binding->front[index];

    if (front->listens != 1 || (member->port != 0 && front->port == 0))
        return false;
    *question = (struct sl_flow_key){
        .src = key->dst,
        .dst = front->ip,
        .sport = key->dport,
        .dport = member->port ? sl_be16_of(front->port) : key->sport,
    };
    return true;
}

bool balance_answer_without_flow(struct worker *worker, struct burst *burst, struct packet *packet,
                                 const struct balance_endpoint *endpoint, const struct sl_flow_key *key)
{
    const struct balance_binding *binding = worker->tables->balance_binding;
    struct sl_flow_key question;

    if (endpoint->member == SL_BALANCE_NONE)
        return false;
    const struct sl_balance_member *member = &sl_balance_members(binding->table)[endpoint->member];
    const struct sl_balance_pool *pool = &sl_balance_pools(binding->table)[member->pool];
    uint32_t index = binding->service_of_pool[member->pool];
    if (index == SL_BALANCE_NONE || !goes_by_hash(pool))
        return false;
    const struct sl_balance_service *service = &sl_balance_services(binding->table)[index];
    if (!balance_is_stateless_now(worker, service) || !question_of(binding, index, member, key, &question) ||
        balance_service_of(binding, &question, packet->key_proto) != index ||
        balance_choose(worker->balance, binding, pool, &question, packet->key_proto, 0) != member)
        return false;
    translate(worker, burst, packet, &question, true);
    return true;
}
