// SPDX-License-Identifier: Apache-2.0
// Port allocation against a naive list, at random: no port twice, limits kept, everything given back.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "flow/table.h"
#include "nat/state.h"
#include "wire/headers.h"

#define CAPACITY  4096
#define ADDRESSES 3
#define STEPS     200000
#define LIMIT     3 // blocks a subscriber may hold

static uint64_t state_word;

static uint32_t draw(uint32_t below)
{
    state_word ^= state_word << 13;
    state_word ^= state_word >> 7;
    state_word ^= state_word << 17;
    return (uint32_t)((state_word >> 32) % below);
}

struct rig {
    struct {
        struct sl_nat_table head;
        struct sl_nat_pool pool;
        sl_be32 address[ADDRESSES];
        struct sl_nat_forward forward;
    } table;
    struct flow_table flows;
    struct sl_flow *entry;
    struct nat_share *share;
    struct nat *nat;
    struct tables tables;
};

static void rig_init(struct rig *rig)
{
    struct sl_hash_seed seed;
    sl_hash_seed_init(&seed, 5, 6);
    memset(rig, 0, sizeof(*rig));
    rig->entry = aligned_alloc(128, CAPACITY * sizeof(*rig->entry));
    memset(rig->entry, 0, CAPACITY * sizeof(*rig->entry));
    assert_int_equal(flow_table_init(&rig->flows, rig->entry, CAPACITY, &seed, 0), 0);
    flow_table_adopt(&rig->flows);
    rig->share = nat_share_new();
    rig->nat = nat_new(rig->share, &rig->flows, 0, 1, &seed, NULL);
    rig->table.pool = (struct sl_nat_pool){.name = "p", .count = ADDRESSES, .blocks_per_subscriber = LIMIT};
    rig->table.head = (struct sl_nat_table){.pool_count = 1, .address_count = ADDRESSES, .forward_count = 1};
    rig->table.head.pool_offset = (uint64_t)((uint8_t *)&rig->table.pool - (uint8_t *)&rig->table);
    rig->table.head.address_offset = (uint64_t)((uint8_t *)rig->table.address - (uint8_t *)&rig->table);
    rig->table.head.forward_offset = (uint64_t)((uint8_t *)&rig->table.forward - (uint8_t *)&rig->table);
    for (uint32_t i = 0; i < ADDRESSES; i++)
        rig->table.address[i] = sl_be32_of(0xc6336464 + i);
    // All of the first address's UDP ports but those of 20 blocks, so that the pool can run out.
    rig->table.forward = (struct sl_nat_forward){.outside = rig->table.address[0],
                                                 .outside_first = 1024 + 20 * 64 + 5,
                                                 .outside_last = 65535,
                                                 .proto = 17};
    rig->tables.nat = &rig->table.head;
    assert_int_equal(nat_share_bind(rig->share, &rig->tables, NULL), 0);
}

static void rig_fini(struct rig *rig)
{
    nat_share_unbind(rig->share, &rig->tables);
    nat_free(rig->nat);
    nat_share_free(rig->share);
    flow_table_fini(&rig->flows);
    free(rig->entry);
}

struct naive {
    bool there;
    uint32_t mapping;
};
#define SUBSCRIBERS 40
#define PORTS       256
static struct naive naive[SUBSCRIBERS][PORTS][SL_NAT_PROTOS];
static uint8_t taken[ADDRESSES][SL_NAT_PROTOS][65536];

static struct nat_want want_of(const struct rig *rig, uint32_t subscriber, uint32_t port, uint8_t proto)
{
    return (struct nat_want){
        .binding = rig->tables.nat_binding,
        .pool = &rig->table.pool,
        .pool_id = 0,
        .proto = proto,
        .inside = sl_be32_of(0x0a000000 + subscriber),
        .inside_port = sl_be16_of((uint16_t)(3000 + port)),
    };
}

static uint8_t *cell(const struct rig *rig, const struct nat_mapping *m)
{
    uint32_t address = sl_host32(m->outside) - sl_host32(rig->table.address[0]);
    assert_true(address < ADDRESSES);
    return &taken[address][m->proto][sl_host16(m->outside_port)];
}

static uint32_t blocks_of(const struct rig *rig, uint32_t subscriber, uint8_t proto)
{
    bool seen[ADDRESSES][SL_NAT_BLOCKS] = {0};
    uint32_t count = 0;
    for (uint32_t p = 0; p < PORTS; p++) {
        if (!naive[subscriber][p][proto].there)
            continue;
        const struct nat_mapping *m = &rig->nat->mapping[naive[subscriber][p][proto].mapping];
        uint32_t a = sl_host32(m->outside) - sl_host32(rig->table.address[0]);
        uint32_t b = nat_block_of(sl_host16(m->outside_port));
        count += !seen[a][b];
        seen[a][b] = true;
    }
    return count;
}

static void step_new(struct rig *rig, uint32_t s, uint32_t p, uint8_t proto)
{
    struct nat_want want = want_of(rig, s, p, proto);
    uint32_t known = nat_mapping_by_inside(rig->nat, want.inside, want.inside_port, proto, 0);
    struct naive *cellp = &naive[s][p][proto];
    assert_int_equal(known, cellp->there ? cellp->mapping : NAT_NONE);
    if (cellp->there)
        return;
    int64_t made = nat_mapping_new(rig->nat, &want);
    if (made == -EDQUOT) {
        assert_int_equal(blocks_of(rig, s, proto), LIMIT);
        return;
    }
    assert_true(made >= 0);
    const struct nat_mapping *m = &rig->nat->mapping[made];
    uint16_t port = sl_host16(m->outside_port);
    assert_true(port >= SL_NAT_FIRST_PORT);
    if (proto == SL_NAT_UDP && m->outside == rig->table.address[0])
        assert_true(port < 1024 + 20 * 64 + 5); // a forward's ports are not given out
    assert_int_equal((*cell(rig, m))++, 0);     // no port twice
    assert_int_equal(nat_mapping_by_outside(rig->nat, m->outside, m->outside_port, proto), made);
    rig->nat->mapping[made].flows = 1;
    *cellp = (struct naive){true, (uint32_t)made};
    assert_in_range(blocks_of(rig, s, proto), 1, LIMIT);
}

static void step_put(struct rig *rig, uint32_t s, uint32_t p, uint8_t proto)
{
    if (!naive[s][p][proto].there)
        return;
    (*cell(rig, &rig->nat->mapping[naive[s][p][proto].mapping]))--;
    nat_mapping_put(rig->nat, naive[s][p][proto].mapping);
    naive[s][p][proto].there = false;
}

static void nothing_held(struct rig *rig)
{
    assert_int_equal(rig->nat->mappings.count, CAPACITY);
    assert_int_equal(rig->nat->blocks.count, CAPACITY);
    assert_int_equal(rig->nat->subscribers.count, CAPACITY);
    for (uint32_t i = 0; i < ADDRESSES; i++)
        for (int proto = 0; proto < SL_NAT_PROTOS; proto++)
            assert_int_equal(rig->tables.nat_binding->outside[i]->spare[proto], SL_NAT_BLOCKS);
}

static void ports_agree_with_a_naive_list(void **state)
{
    const uint64_t seed = 815;
    struct rig rig;
    print_message("seed %llu\n", (unsigned long long)seed);
    state_word = seed;
    rig_init(&rig);
    for (uint32_t i = 0; i < STEPS; i++) {
        uint32_t s = draw(SUBSCRIBERS), p = draw(PORTS);
        uint8_t proto = (uint8_t)draw(SL_NAT_PROTOS);
        // Waves: the population grows, then shrinks.
        if (draw(100) < (i / 20000 % 2 ? 20u : 80u) && rig.nat->mappings.count > 8)
            step_new(&rig, s, p, proto);
        else
            step_put(&rig, s, p, proto);
    }
    for (uint32_t s = 0; s < SUBSCRIBERS; s++)
        for (uint32_t p = 0; p < PORTS; p++)
            for (uint8_t proto = 0; proto < SL_NAT_PROTOS; proto++)
                step_put(&rig, s, p, proto);
    nothing_held(&rig);
    rig_fini(&rig);
}

// Two workers claim from one address until it is empty: every block is somebody's, none is both's.
static void workers_share_an_address_without_sharing_a_block(void **state)
{
    struct nat_outside *outside = nat_outside_new(1);
    uint32_t claimed[2] = {0};
    state_word = 3;
    for (int number; (number = nat_block_claim(outside, SL_NAT_UDP, (uint8_t)(claimed[0] + claimed[1]) % 2,
                                               draw(SL_NAT_BLOCKS))) >= 0;) {
        assert_true(number < SL_NAT_BLOCKS);
        claimed[outside->owner[SL_NAT_UDP][number]]++;
    }
    assert_int_equal(claimed[0] + claimed[1], SL_NAT_BLOCKS);
    assert_int_equal(outside->spare[SL_NAT_UDP], 0);
    assert_int_equal(outside->spare[SL_NAT_TCP], SL_NAT_BLOCKS);
    assert_false(nat_block_claim_exact(outside, SL_NAT_UDP, 1, 7));
    nat_block_unclaim(outside, SL_NAT_UDP, 7);
    assert_int_equal(nat_port_owner(outside, SL_NAT_UDP, 1024 + 7 * 64), NAT_NOBODY);
    assert_true(nat_block_claim_exact(outside, SL_NAT_UDP, 1, 7));
    assert_int_equal(nat_port_owner(outside, SL_NAT_UDP, 1024 + 7 * 64 + 63), 1);
    free(outside);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ports_agree_with_a_naive_list),
        cmocka_unit_test(workers_share_an_address_without_sharing_a_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
