// SPDX-License-Identifier: Apache-2.0
// From a translated packet back to what its sender sent. Called by parse_stage for packets that waited in vain for
// their neighbor: the ICMP error about them must go to the sender and quote what he sent (RFC 5508 section 4.2). On
// the worker's thread.
#include "flow/flow.h"
#include "nat/nat.h"

// A packet that was turned around inside was translated twice.
#define TRANSLATIONS 2

// The packet between the same ends that goes the other way.
static struct sl_flow_key reversed(const struct sl_flow_key *key)
{
    return (struct sl_flow_key){.src = key->dst, .dst = key->src, .sport = key->dport, .dport = key->sport};
}

bool nat_restore_key(struct worker *worker, struct packet *packet)
{
    struct flow_table *flows = worker->flows;
    bool again = flows != NULL;

    for (int i = 0; i < TRANSLATIONS && again; i++) {
        struct sl_flow_key answer = reversed(&packet->key);
        uint32_t hash = flow_hash(flows, &answer, packet->key_proto);
        uint32_t ref = flow_find(flows, &answer, packet->key_proto, hash);
        if (ref == FLOW_NONE)
            break;
        struct sl_flow *flow = &flows->entry[ref >> 1];
        packet->key = *flow_key(flow, (ref & 1) ^ 1);
        packet->flags |= PACKET_TRANSLATED;
        again = flow->flags & SL_FLOW_HAIRPIN;
    }
    return packet->flags & PACKET_TRANSLATED;
}
