// SPDX-License-Identifier: Apache-2.0
// Whom each client of a service with affinity had. A table of fixed size, four to a set, by hash of service and client:
// where a set is full, the client gives way who has been without a flow for longest. Lost with the process: clients
// with flows are entered again when their next flow begins. Called when flows begin and end, on the worker's thread.
#include "balance/affinity.h"

#include <stdlib.h>

#define SETS 16384u // a power of two
#define WAYS 4

struct client {
    uint32_t tag;     // of service and client, 0: free
    uint32_t member;  // slot
    uint32_t flows;   // open
    uint32_t seen_ms; // when his last flow began or ended
};

struct balance_clients {
    struct client client[SETS][WAYS];
};

struct balance_clients *balance_clients_new(void)
{
    return calloc(1, sizeof(struct balance_clients));
}

struct sl_ip balance_client_of(const struct sl_balance_service *service, const struct sl_ip *ip)
{
    bool v4 = sl_ip_is_v4(ip);
    uint32_t len = v4 ? 96u + service->affinity_len_v4 : service->affinity_len_v6;
    struct sl_ip cut = *ip;

    for (uint32_t byte = 0; byte < 16; byte++) {
        uint32_t keep = len > byte * 8 ? len - byte * 8 : 0;
        cut.b[byte] &= keep >= 8 ? 0xff : (uint8_t)(0xff00u >> keep);
    }
    return cut;
}

static uint64_t hash_of(const struct balance *balance, uint32_t service_slot, const struct sl_ip *client)
{
    return sl_hash_fold(sl_hash_ip(&balance->flows->seed, client) ^ service_slot, 0xa0761d6478bd642fu);
}

static struct client *client_find(struct balance *balance, uint64_t hash)
{
    struct client *set = balance->clients->client[hash % SETS];

    for (int i = 0; i < WAYS; i++)
        if (set[i].tag == ((uint32_t)(hash >> 32) | 1))
            return &set[i];
    return NULL;
}

static bool gives_way_before(const struct client *a, const struct client *b, uint32_t now_ms)
{
    if (a->tag == 0 || b->tag == 0)
        return a->tag == 0 && b->tag != 0;
    if ((a->flows == 0) != (b->flows == 0))
        return a->flows == 0;
    return now_ms - a->seen_ms > now_ms - b->seen_ms;
}

static struct client *client_get(struct balance *balance, uint64_t hash, uint32_t now_ms)
{
    struct client *set = balance->clients->client[hash % SETS], *found = client_find(balance, hash);

    if (found != NULL)
        return found;
    found = &set[0];
    for (int i = 1; i < WAYS; i++)
        if (gives_way_before(&set[i], found, now_ms))
            found = &set[i];
    *found = (struct client){.tag = (uint32_t)(hash >> 32) | 1};
    return found;
}

const struct sl_balance_member *balance_clients_find(struct worker *worker,
                                                     const struct sl_balance_service *service,
                                                     const struct sl_ip *client)
{
    const struct sl_balance_table *table = worker->tables->balance;
    struct sl_ip cut = balance_client_of(service, client);
    const struct client *found = client_find(worker->balance, hash_of(worker->balance, service->slot, &cut));

    if (found == NULL)
        return NULL;
    if (found->flows == 0 && worker->now_ms - found->seen_ms >= (uint64_t)service->affinity_s * 1000)
        return NULL;
    const struct sl_balance_member *member = sl_balance_member_by_slot(table, found->member);
    return member != NULL && member->pool == service->pool ? member : NULL;
}

void balance_clients_began(struct worker *worker, const struct sl_balance_service *service,
                           const struct sl_ip *client, uint32_t member_slot)
{
    struct sl_ip cut = balance_client_of(service, client);
    struct client *found =
        client_get(worker->balance, hash_of(worker->balance, service->slot, &cut), worker->now_ms);

    if (found->member != member_slot) {
        found->member = member_slot;
        found->flows = 0; // those with another member end unnoticed
    }
    found->flows++;
    found->seen_ms = worker->now_ms;
}

void balance_clients_ended(struct worker *worker, const struct sl_flow *flow)
{
    const struct sl_balance_table *table = worker->tables->balance;
    const struct sl_balance_service *service =
        table ? sl_balance_service_by_slot(table, SL_FLOW_SERVICE(flow->mapping)) : NULL;

    if (service == NULL || service->affinity_s == 0)
        return;
    struct sl_ip src = flow->key0.src, cut = balance_client_of(service, &src);
    struct client *found = client_find(worker->balance, hash_of(worker->balance, service->slot, &cut));
    if (found == NULL || found->member != SL_FLOW_MEMBER(flow->mapping) || found->flows == 0)
        return;
    found->flows--;
    found->seen_ms = worker->now_ms;
}
