// SPDX-License-Identifier: Apache-2.0
// Opening a flow touches ten lines of memory that are hardly ever in a cache: two buckets of the session index, two
// of the mappings', the subscriber's and his record, his block, the mapping, the flow's two. One after another they
// would cost thousands of cycles. So what each packet of the burst will most likely touch is foreseen step by step,
// for all packets before the next step: each step reads only what the one before has asked for. A wrong guess costs
// a miss and nothing else. Called by nat_stage, on the worker's thread.
#include "nat/foresee.h"

#include "flow/table.h"
#include "nat/state.h"
#include "wire/headers.h"

struct foreseen { // one packet's
    const struct packet *packet;
    uint32_t index; // of the subscriber, then of his block
    uint16_t pool;
    uint8_t proto;
};

struct foresight {
    uint32_t count;
    struct foreseen one[BURST_MAX];
};

static void gather(const struct nat_binding *binding, const struct burst *burst, struct foresight *f)
{
    f->count = 0;
    for (uint16_t i = 0; i < burst->count; i++) {
        const struct packet *packet = &burst->packet[i];
        if (packet->stage != PACKET_NAT || packet->flow != FLOW_NONE ||
            !(packet->flags & (PACKET_TCP | PACKET_UDP | PACKET_ICMP_QUERY)))
            continue;
        const struct sl_nat_source *rule = nat_source_find(binding, packet->key.src.w[3], UINT16_MAX);
        if (rule != NULL)
            f->one[f->count++] = (struct foreseen){
                .packet = packet,
                .pool = binding->pool_id[rule->pool],
                .proto = (uint8_t)nat_proto_of(packet->proto),
            };
    }
}

static void bucket_prefetch(const struct flow_index *index, uint32_t hash)
{
    __builtin_prefetch(&index->bucket[flow_index_first(index, flow_index_hash(hash))], 1);
}

// The records that will be taken next from the stacks of free ones, and the buckets an inside address leads to.
static void foresee_records(const struct nat *nat, const struct foresight *f)
{
    const struct flow_table *flows = nat->flows;

    for (uint32_t i = 0; i < f->count; i++) {
        const struct sl_flow_key *key = &f->one[i].packet->key;
        if (i < flows->spare_count) {
            struct sl_flow *entry = &flows->entry[flows->spare[flows->spare_count - 1 - i]];
            __builtin_prefetch(&entry->key0, 1);
            __builtin_prefetch(&entry->key1, 1);
        }
        if (i < nat->mappings.count)
            __builtin_prefetch(&nat->mapping[nat->mappings.free[nat->mappings.count - 1 - i]], 1);
        bucket_prefetch(&nat->subscriber_index, nat_hash_subscriber(nat, key->src.w[3], f->one[i].pool));
        bucket_prefetch(&nat->mapping_index,
                        nat_hash_inside(nat, key->src.w[3], key->sport, f->one[i].proto, f->one[i].pool));
    }
}

static void foresee_subscribers(const struct nat *nat, struct foresight *f)
{
    for (uint32_t i = 0; i < f->count; i++) {
        sl_be32 inside = f->one[i].packet->key.src.w[3];
        uint32_t hash = flow_index_hash(nat_hash_subscriber(nat, inside, f->one[i].pool));
        struct flow_index_walk walk = flow_index_walk_start(&nat->subscriber_index, hash);
        f->one[i].index = NAT_NONE;
        if (flow_index_walk_next(&nat->subscriber_index, &walk, &f->one[i].index))
            __builtin_prefetch(&nat->subscriber[f->one[i].index], 1);
    }
}

static void foresee_blocks(const struct nat *nat, struct foresight *f)
{
    for (uint32_t i = 0; i < f->count; i++) {
        if (f->one[i].index == NAT_NONE)
            continue;
        f->one[i].index = nat->subscriber[f->one[i].index].open[f->one[i].proto];
        if (f->one[i].index != NAT_NONE)
            __builtin_prefetch(&nat->block[f->one[i].index], 1);
    }
}

// The port that the block will most likely give, and so the key that answers will have.
static void foresee_answers(const struct nat *nat, const struct foresight *f)
{
    for (uint32_t i = 0; i < f->count; i++) {
        const struct foreseen *one = &f->one[i];
        if (one->index == NAT_NONE)
            continue;
        const struct sl_flow_key *key = &one->packet->key;
        const struct nat_block *block = &nat->block[one->index];
        sl_be32 outside = block->outside->addr;
        sl_be16 port = sl_be16_of(nat_block_port(block, nat_port_choose(block->used, sl_host16(key->sport))));
        struct sl_flow_key answer = {
            .src = key->dst, .dst = sl_ip_v4(outside), .sport = key->dport, .dport = port};
        if (one->proto == SL_NAT_ICMP)
            answer.sport = port;
        bucket_prefetch(&nat->mapping_index, nat_hash_outside(nat, outside, port, one->proto));
        bucket_prefetch(&nat->flows->index, flow_hash(nat->flows, &answer, one->packet->key_proto));
    }
}

void nat_foresee(struct worker *worker, const struct burst *burst)
{
    struct foresight f;

    gather(worker->tables->nat_binding, burst, &f);
    foresee_records(worker->nat, &f);
    foresee_subscribers(worker->nat, &f);
    foresee_blocks(worker->nat, &f);
    foresee_answers(worker->nat, &f);
}
