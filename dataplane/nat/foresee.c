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
    const struct sl_nat_pool *of;
    const struct nat_outside *outside; // where a new block will be, NULL: an old one will do
    uint32_t index;                    // of the subscriber, then of his block
    uint32_t start;                    // where the search for a new block begins
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
            !(packet->flags & PACKET_V4) || !(packet->flags & (PACKET_TCP | PACKET_UDP | PACKET_ICMP_QUERY)))
            continue;
        const struct sl_nat_source *rule = nat_source_find(binding, packet->key.src.w[3], UINT16_MAX);
        if (rule != NULL)
            f->one[f->count++] = (struct foreseen){
                .packet = packet,
                .of = &nat_pools(binding->table)[rule->pool],
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

// The subscriber's block with room; where there is none, the records of a new one, and where it will be claimed.
static void foresee_blocks(const struct nat *nat, const struct nat_binding *binding, struct foresight *f)
{
    uint32_t fresh = 0;

    for (uint32_t i = 0; i < f->count; i++) {
        struct foreseen *one = &f->one[i];
        sl_be32 inside = one->packet->key.src.w[3];
        bool known = one->index != NAT_NONE;
        one->index = known ? nat->subscriber[one->index].open[one->proto] : NAT_NONE;
        if (one->index != NAT_NONE) {
            __builtin_prefetch(&nat->block[one->index], 1);
            continue;
        }
        if (fresh < nat->blocks.count && fresh < nat->subscribers.count) {
            __builtin_prefetch(&nat->block[nat->blocks.free[nat->blocks.count - 1 - fresh]], 1);
            __builtin_prefetch(&nat->subscriber[nat->subscribers.free[nat->subscribers.count - 1 - fresh]],
                               1);
            fresh++;
        }
        one->outside = binding->outside[one->of->first + nat_home(nat, inside, one->of->count)];
        one->start = nat_block_start(nat, inside, one->proto);
        __builtin_prefetch(one->outside, 1);
        __builtin_prefetch(&one->outside->owner[one->proto][one->start], 1);
    }
}

// The outside endpoint that the packet will most likely get.
static bool endpoint_of(const struct nat *nat, const struct foreseen *one, sl_be32 *addr, sl_be16 *port)
{
    uint16_t inside_port = sl_host16(one->packet->key.sport);

    if (one->outside == NULL) {
        const struct nat_block *block = &nat->block[one->index];
        *addr = block->outside->addr;
        *port = sl_be16_of(nat_block_port(block, nat_port_choose(block->used, inside_port)));
        return true;
    }
    int number = nat_block_free_from(one->outside, one->proto, one->start);
    const struct nat_block block = {.number = (uint16_t)number};
    *addr = one->outside->addr;
    *port = sl_be16_of(nat_block_port(&block, nat_port_choose(0, inside_port)));
    return number >= 0;
}

// What is known of the endpoint: its bucket among the mappings, and that of the key that answers will have.
static void foresee_answers(const struct nat *nat, const struct foresight *f)
{
    for (uint32_t i = 0; i < f->count; i++) {
        const struct foreseen *one = &f->one[i];
        const struct sl_flow_key *key = &one->packet->key;
        sl_be32 outside;
        sl_be16 port;
        if (!endpoint_of(nat, one, &outside, &port))
            continue;
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
    foresee_blocks(worker->nat, worker->tables->nat_binding, &f);
    foresee_answers(worker->nat, &f);
}
