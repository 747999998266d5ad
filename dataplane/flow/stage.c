// SPDX-License-Identifier: Apache-2.0
// The flow stage: which flow each packet of a burst belongs to. Each line of memory is asked for long before it is
// read: the bucket when the packet was parsed, then the entry, then the keys are compared. On the worker's thread.
#include "flow/flow.h"

// Packets of the burst that wait at the stage, in order.
struct waiting {
    uint16_t count;
    struct packet *packet[BURST_MAX];
};

// The first entry whose hash agrees is nearly always the one: both its lines are asked for. FLOW_NONE: none agrees; the
// other bucket is asked for where it may hold the key.
static inline uint32_t candidate_foresee(const struct flow_table *table, uint32_t hash)
{
    const struct flow_bucket *bucket = &table->index.bucket[flow_index_first(&table->index, hash)];
    uint32_t match = flow_bucket_match(bucket, hash);

    if (unlikely(match == 0)) {
        if (bucket->overflow != 0)
            __builtin_prefetch(&table->index.bucket[flow_index_other(&table->index, hash,
                                                                     flow_index_first(&table->index, hash))]);
        return FLOW_NONE;
    }
    uint32_t ref = bucket->ref[__builtin_ctz(match)];
    __builtin_prefetch(&table->entry[ref >> 1].key0, 1);
    __builtin_prefetch(&table->entry[ref >> 1].key1, 1);
    return ref;
}

static void gather(const struct flow_table *table, struct burst *burst, struct waiting *waiting)
{
    uint16_t count = 0;

    for (struct packet *packet = burst->packet, *end = burst_end(burst); packet < end; packet++) {
        if (packet->stage != PACKET_FLOW)
            continue;
        packet->stage = PACKET_NAT;
        packet->hash = flow_index_hash(packet->hash);
        packet->flow = candidate_foresee(table, packet->hash);
        waiting->packet[count++] = packet;
    }
    waiting->count = count;
}

static bool candidate_is_right(const struct flow_table *table, const struct packet *packet)
{
    return packet->flow != FLOW_NONE &&
           flow_key_is(&table->entry[packet->flow >> 1], packet->flow & 1, &packet->key, packet->key_proto);
}

void flow_stage(struct worker *worker, struct burst *burst)
{
    struct flow_table *table = worker->flows;
    struct waiting waiting;
    uint32_t hits = 0;

    gather(table, burst, &waiting);
    for (uint16_t i = 0; i < waiting.count; i++) {
        struct packet *packet = waiting.packet[i];
        if (unlikely(!candidate_is_right(table, packet)))
            packet->flow = flow_find(table, &packet->key, packet->key_proto, packet->hash);
        hits += packet->flow != FLOW_NONE;
    }
    table->missed = waiting.count - hits;
    burst->stages |= 1u << PACKET_NAT;
    worker_count(worker, SL_COUNTER_flow_lookup_hit, hits);
    worker_count(worker, SL_COUNTER_flow_lookup_miss, waiting.count - hits);
}
