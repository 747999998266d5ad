// SPDX-License-Identifier: Apache-2.0
// The flow stage: which flow each packet of a burst belongs to. Each line of memory is asked for long before it is
// read: the bucket when the packet was parsed, the entry some packets later (parse does both), here the keys are compared.
// On the worker's thread.
#include "flow/flow.h"

// Packets of the burst that wait at the stage, in order.
struct waiting {
    uint16_t count;
    struct packet *packet[BURST_MAX];
};

static void gather(const struct flow_table *table, struct burst *burst, struct waiting *waiting)
{
    uint16_t count = 0;

    for (struct packet *packet = burst->packet, *end = burst_end(burst); packet < end; packet++) {
        if (packet->stage != PACKET_FLOW)
            continue;
        packet->stage = PACKET_NAT;
        if (packet->flow == FLOW_NONE)
            packet->flow = flow_candidate(table, packet->hash);
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
