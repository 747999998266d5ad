// SPDX-License-Identifier: Apache-2.0
// Flows outlive the process: a writer is killed in the midst of its work and its file adopted; the file is given to
// another number of workers; it is torn, stale, or foreign. Whatever is adopted must be whole and its ports its own.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "balance/balance.h"
#include "flow/flow.h"
#include "nat/lifecycle.h"
#include "wire/headers.h"

#define CAPACITY 512
#define KILLS    40

static uint64_t state_word;

static uint32_t draw(uint32_t below)
{
    state_word ^= state_word << 13;
    state_word ^= state_word >> 7;
    state_word ^= state_word << 17;
    return (uint32_t)((state_word >> 32) % below);
}

struct nat_tables {
    struct sl_nat_table head;
    struct sl_nat_pool pool;
    sl_be32 address[2];
};

struct rig { // a data plane's session state, without packets
    char *run_dir;
    uint32_t workers;
    struct flow_table *flows[4];
    struct nat *nat[4];
    struct nat_share *share;
    struct balance *balance[4];
    struct balance_share *balance_share;
    struct nat_tables nat_table;
    struct tables tables;
};

static int setup(void **state)
{
    char path[] = "/tmp/sluice-adopt-XXXXXX";
    *state = strdup(mkdtemp(path));
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    char name[64];
    for (uint32_t i = 0; i < 8; i++) {
        snprintf(name, sizeof(name), "flow.%u", i);
        sl_segment_unlink(*state, name);
    }
    int code = rmdir(*state); // fails where something else was left behind, such as flow.0.old
    free(*state);
    return code;
}

static void start(struct rig *rig, char *run_dir, uint32_t workers, uint32_t first_address)
{
    struct sl_hash_seed seed;
    struct sl_error error = {""};
    sl_hash_seed_init(&seed, (uint64_t)getpid(), first_address); // another one at each start
    *rig = (struct rig){.run_dir = run_dir, .workers = workers, .share = nat_share_new()};
    for (uint32_t i = 0; i < workers; i++) {
        rig->flows[i] = flow_table_open(run_dir, i, workers, CAPACITY, &seed, &error);
        if (rig->flows[i] == NULL)
            fail_msg("%s", error.text);
    }
    assert_true(flow_rehome(run_dir, rig->flows, workers, &error) >= 0);
    for (uint32_t i = 0; i < workers; i++)
        rig->nat[i] = nat_new(rig->share, rig->flows[i], i, workers, &seed, &error);
    rig->balance_share = balance_share_new(run_dir, workers);
    for (uint32_t i = 0; i < workers; i++)
        rig->balance[i] = balance_new(rig->balance_share, rig->flows[i], i, &error);
    struct nat_tables *t = &rig->nat_table;
    t->head = (struct sl_nat_table){.pool_count = 1, .address_count = 2};
    t->head.pool_offset = offsetof(struct nat_tables, pool);
    t->head.address_offset = offsetof(struct nat_tables, address);
    t->pool = (struct sl_nat_pool){.name = "p", .count = 2, .blocks_per_subscriber = 8};
    t->address[0] = sl_be32_of(0xc6336400 + first_address);
    t->address[1] = sl_be32_of(0xc6336401 + first_address);
    rig->tables.nat = &t->head;
    assert_int_equal(balance_share_bind(rig->balance_share, &rig->tables, 1, &error), 0); // without services
    assert_int_equal(nat_share_bind(rig->share, &rig->tables, &error), 0);
}

static void stop(struct rig *rig)
{
    nat_share_unbind(rig->share, &rig->tables);
    for (uint32_t i = 0; i < rig->workers; i++) {
        nat_free(rig->nat[i]);
        balance_free(rig->balance[i]);
        flow_table_close(rig->flows[i]);
    }
    nat_share_free(rig->share);
    balance_share_free(rig->balance_share);
}

static sl_be32 inside_address(uint32_t n)
{
    return sl_be32_of(0x0a000000 + n % 23);
}

// A flow of the n-th endpoint to some server; false: it is there, or there is no room.
static bool flow_open(struct rig *rig, uint32_t n)
{
    uint32_t w = nat_owner(inside_address(n), rig->workers);
    struct flow_table *flows = rig->flows[w];
    struct nat_want want = {
        .binding = rig->tables.nat_binding,
        .pool = &rig->nat_table.pool,
        .proto = SL_NAT_UDP,
        .inside = inside_address(n),
        .inside_port = (sl_be16)(n / 23 + 1),
    };
    int64_t m = nat_mapping_by_inside(rig->nat[w], want.inside, want.inside_port, want.proto, 0);
    if (m == NAT_NONE)
        m = nat_mapping_new(rig->nat[w], &want);
    if (m < 0)
        return false;
    struct nat_mapping *mapping = &rig->nat[w]->mapping[m];
    struct sl_ip server = sl_ip_v4(1 + draw(3));
    struct flow_new new = {
        .proto = IPPROTO_UDP,
        .kind = SL_FLOW_NAT_SOURCE,
        .mapping = (uint32_t)m,
        .key =
            {{.src = sl_ip_v4(want.inside), .dst = server, .sport = want.inside_port, .dport = 53},
             {.src = server, .dst = sl_ip_v4(mapping->outside), .sport = 53, .dport = mapping->outside_port}},
    };
    for (int d = 0; d < 2; d++)
        new.hash[d] = flow_hash(flows, &new.key[d], new.proto);
    mapping->flows++;
    if (flow_create(flows, &new, flows->wheel.last_ms) >= 0)
        return true;
    nat_mapping_put(rig->nat[w], (uint32_t)m);
    return false;
}

static void flow_close(struct rig *rig, uint32_t w, uint32_t index)
{
    struct sl_flow *flow = &rig->flows[w]->entry[index];
    if (flow->kind == SL_FLOW_FREE)
        return;
    nat_mapping_put(rig->nat[w], flow->mapping);
    flow_remove(rig->flows[w], index);
}

static void churn(struct rig *rig, uint32_t steps)
{
    for (uint32_t i = 0; i < steps; i++) {
        if (draw(2))
            flow_open(rig, draw(2000));
        else
            flow_close(rig, draw(rig->workers), draw(CAPACITY));
    }
}

// Every live entry is found by both keys, has a mapping that says the same, and no endpoint is two subscribers'.
static uint32_t check(struct rig *rig)
{
    static uint64_t owner[2][65536];
    uint32_t live = 0;
    memset(owner, 0, sizeof(owner));
    for (uint32_t w = 0; w < rig->workers; w++) {
        for (uint32_t i = 0; i < CAPACITY; i++) {
            struct sl_flow *flow = &rig->flows[w]->entry[i];
            if (flow->kind == SL_FLOW_FREE)
                continue;
            live++;
            struct sl_flow_key key[2] = {flow->key0, flow->key1};
            for (uint32_t d = 0; d < 2; d++)
                assert_int_equal(flow_find(rig->flows[w], &key[d], flow->proto,
                                           flow_hash(rig->flows[w], &key[d], flow->proto)),
                                 i << 1 | d);
            const struct nat_mapping *m = &rig->nat[w]->mapping[flow->mapping];
            assert_int_equal(m->inside, key[0].src.w[3]);
            assert_int_equal(m->inside_port, key[0].sport);
            assert_int_equal(m->outside, key[1].dst.w[3]);
            assert_int_equal(m->outside_port, key[1].dport);
            assert_int_equal(nat_owner(m->inside, rig->workers), w);
            uint64_t *who = &owner[m->outside == rig->nat_table.address[1]][sl_host16(m->outside_port)];
            uint64_t me = (uint64_t)m->inside << 16 | m->inside_port;
            assert_true(*who == 0 || *who == me);
            *who = me;
            const struct nat_outside *outside =
                rig->tables.nat_binding->outside[m->outside == rig->nat_table.address[1]];
            assert_int_equal(nat_port_owner(outside, SL_NAT_UDP, sl_host16(m->outside_port)), w);
        }
    }
    return live;
}

// What has been adopted works on: it can grow, shrink and be emptied, and then nothing is held any more.
static void live_on(struct rig *rig)
{
    churn(rig, 2000);
    check(rig);
    for (uint32_t w = 0; w < rig->workers; w++) {
        for (uint32_t i = 0; i < CAPACITY; i++)
            flow_close(rig, w, i);
        assert_int_equal(rig->nat[w]->mappings.count, CAPACITY);
        assert_int_equal(rig->nat[w]->blocks.count, CAPACITY);
        assert_int_equal(rig->nat[w]->subscribers.count, CAPACITY);
        assert_int_equal(rig->flows[w]->index.keys, 0);
    }
}

static void child_run(char *run_dir, int ready)
{
    struct rig rig;
    state_word = 0x9e3779b97f4a7c15u ^ (uint64_t)getpid();
    start(&rig, run_dir, 1, 100);
    churn(&rig, 1000);
    if (write(ready, "x", 1) != 1)
        _exit(1);
    for (;;)
        churn(&rig, 1000);
}

static void flows_of_a_killed_process_are_adopted_whole(void **state)
{
    state_word = 12345;
    for (int kills = 0; kills < KILLS; kills++) {
        int ready[2];
        char byte;
        assert_int_equal(pipe(ready), 0);
        pid_t child = fork();
        if (child == 0)
            child_run(*state, ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        usleep(draw(3000));
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        close(ready[0]);
        close(ready[1]);
        struct rig rig;
        start(&rig, *state, 1, 100);
        assert_true(check(&rig) > 10);
        if (kills % 4 == 3)
            live_on(&rig);
        stop(&rig);
    }
}

static void flows_go_to_their_new_owner_when_workers_change(void **state)
{
    const uint32_t counts[] = {1, 4, 3, 1, 2};
    struct rig rig;
    uint32_t before = 0;
    state_word = 777;
    for (uint32_t i = 0; i < 5; i++) {
        start(&rig, *state, counts[i], 100);
        uint32_t live = check(&rig);
        assert_true(i == 0 || live == before);
        if (i == 0)
            churn(&rig, 400);
        before = check(&rig);
        assert_true(before > 50);
        stop(&rig);
    }
    start(&rig, *state, 1, 100);
    live_on(&rig);
    stop(&rig);
}

static void flows_on_addresses_that_are_no_longer_ours_are_not_adopted(void **state)
{
    struct rig rig;
    state_word = 778;
    start(&rig, *state, 1, 100);
    churn(&rig, 400);
    assert_true(check(&rig) > 50);
    stop(&rig);
    start(&rig, *state, 1, 110);
    assert_int_equal(check(&rig), 0);
    live_on(&rig);
    stop(&rig);
}

static void torn_entries_are_not_believed(void **state)
{
    struct rig rig;
    for (uint64_t seed = 1; seed < 60; seed++) {
        state_word = seed;
        start(&rig, *state, 1, 100);
        churn(&rig, 600);
        for (uint32_t i = 0; i < 300; i++) {
            uint8_t *entry = (uint8_t *)&rig.flows[0]->entry[draw(CAPACITY)];
            if (draw(4) == 0)
                memcpy(entry, &rig.flows[0]->entry[draw(CAPACITY)], 128); // a twin
            else
                entry[draw(128)] = (uint8_t)draw(256);
        }
        stop(&rig);
        start(&rig, *state, 1, 100);
        for (uint32_t i = 0; i < CAPACITY; i++) { // what was believed can be ended
            struct sl_flow *flow = &rig.flows[0]->entry[i];
            if (flow->kind == SL_FLOW_FREE)
                continue;
            if (flow->mapping != NAT_NONE)
                nat_mapping_put(rig.nat[0], flow->mapping);
            flow_remove(rig.flows[0], i);
        }
        live_on(&rig);
        stop(&rig);
    }
}

static void file_of_another_boot_is_replaced(void **state)
{
    struct rig rig;
    state_word = 779;
    start(&rig, *state, 1, 100);
    churn(&rig, 400);
    rig.flows[0]->segment->boot_id_hash ^= 1;
    stop(&rig);
    start(&rig, *state, 1, 100);
    assert_int_equal(check(&rig), 0);
    live_on(&rig);
    stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(flows_of_a_killed_process_are_adopted_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(flows_go_to_their_new_owner_when_workers_change, setup, teardown),
        cmocka_unit_test_setup_teardown(flows_on_addresses_that_are_no_longer_ours_are_not_adopted, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(torn_entries_are_not_believed, setup, teardown),
        cmocka_unit_test_setup_teardown(file_of_another_boot_is_replaced, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
