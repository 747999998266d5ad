// SPDX-License-Identifier: Apache-2.0
// Token buckets for new flows. Sources have theirs in a table of fixed size, four to a set: where a set is full, the
// one whose bucket has been refilling longest gives way, so who floods stays known. Called when flows are opened, on
// the worker's thread.
#include "balance/limit.h"

#include <stdlib.h>
#include "icmp/limit.h"

#define SETS 16384u // a power of two
#define WAYS 4

struct source {
    uint32_t tag; // of service and address, 0: free
    struct token_bucket bucket;
};

struct balance_sources {
    struct source source[SETS][WAYS];
};

struct balance_sources *balance_sources_new(void)
{
    return calloc(1, sizeof(struct balance_sources));
}

bool balance_rate_take(struct balance *balance, const struct sl_balance_service *service, uint32_t now_ms)
{
    uint32_t share = (service->flow_rate + balance->workers - 1) / balance->workers;

    if (likely(service->flow_rate == 0))
        return true;
    return limit_take(&balance->rates[service->slot], share, share, now_ms);
}

// The source's place in its set: the one it has, else the one it gets.
static struct source *source_get(struct source *set, uint32_t tag, uint32_t now_ms)
{
    struct source *oldest = &set[0];

    for (int i = 0; i < WAYS; i++) {
        if (set[i].tag == tag)
            return &set[i];
        if (oldest->tag != 0 &&
            (set[i].tag == 0 || now_ms - set[i].bucket.refilled_ms > now_ms - oldest->bucket.refilled_ms))
            oldest = &set[i];
    }
    *oldest = (struct source){.tag = tag, .bucket = {.refilled_ms = now_ms}};
    return oldest;
}

bool balance_source_take(struct balance *balance, const struct sl_balance_service *service,
                         const struct sl_ip *source, uint32_t now_ms)
{
    if (likely(service->source_rate == 0))
        return true;
    uint64_t hash =
        sl_hash_fold(sl_hash_ip(&balance->flows->seed, source) ^ service->slot, 0x9e3779b97f4a7c15u);
    uint32_t tag = (uint32_t)(hash >> 32) | 1;
    struct source *found = source_get(balance->sources->source[hash % SETS], tag, now_ms);

    return limit_take(&found->bucket, service->source_rate, service->source_rate, now_ms);
}
