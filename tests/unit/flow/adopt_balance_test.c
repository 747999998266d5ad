// SPDX-License-Identifier: Apache-2.0
// Balanced flows outlive the process as NAT's do, with their member: a writer is killed in the midst of its work, the
// number of workers changes, members have gone meanwhile, entries are torn. What is adopted counts, and only that.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "balance/flow.h"
#include "balance/method.h"
#include "balance/way.h"
#include "flow/flow.h"
#include "table/balance_table.h"
#include "wire/headers.h"

#define CAPACITY 512
#define KILLS    25
#define MEMBERS  5

static uint64_t state_word;

static uint32_t draw(uint32_t below)
{
    state_word ^= state_word << 13;
    state_word ^= state_word >> 7;
    state_word ^= state_word << 17;
    return (uint32_t)((state_word >> 32) % below);
}

struct rig { // a data plane's session state, without packets
    char *run_dir;
    uint32_t workers;
    struct flow_table *flows[4];
    struct balance *balance[4];
    struct balance_share *share;
    struct sl_balance_table *table;
    struct tables tables;
};

static int setup(void **state)
{
    char path[] = "/tmp/sluice-adopt-balance-XXXXXX";
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
    sl_segment_unlink(*state, "balance-counter.0");
    int code = rmdir(*state); // fails where something else was left behind, such as flow.0.old
    free(*state);
    return code;
}

static struct sl_ip member_ip(uint32_t member)
{
    return sl_ip_v4(sl_be32_of(0x0a010001 + member));
}

static struct sl_balance_table *table_new(uint32_t members)
{
    struct sl_balance_service service = {.slot = 3, .affinity_len_v4 = 32, .affinity_len_v6 = 128};
    struct sl_balance_pool pool = {.count = members, .method = SL_BALANCE_MAGLEV};
    struct sl_balance_member member[MEMBERS];
    struct sl_balance_listen listen = {
        .ip = sl_ip_v4(sl_be32_of(0xc6336469)), .proto = IPPROTO_UDP, .first_port = 80, .last_port = 80};
    snprintf(service.name, sizeof(service.name), "s");
    snprintf(pool.name, sizeof(pool.name), "p");
    for (uint32_t i = 0; i < members; i++)
        member[i] = (struct sl_balance_member){.ip = member_ip(i),
                                               .port = 8080,
                                               .weight = 1,
                                               .word = SL_BALANCE_WORD(SL_BALANCE_UP, 1),
                                               .slot = 10 + i};
    const struct sl_balance_input input = {
        .service = &service,
        .pool = &pool,
        .member = member,
        .listen = &listen,
        .service_count = 1,
        .pool_count = 1,
        .member_count = members,
        .listen_count = 1,
    };
    struct sl_error error = {""};
    uint64_t size = sl_balance_size(&input);
    struct sl_balance_table *table = calloc(1, size);
    if (sl_balance_build(&input, table, size, &error) != 0)
        fail_msg("%s", error.text);
    return table;
}

static void start(struct rig *rig, char *run_dir, uint32_t workers, uint32_t members)
{
    struct sl_hash_seed seed;
    struct sl_error error = {""};
    sl_hash_seed_init(&seed, (uint64_t)getpid(), members); // another one at each start
    *rig = (struct rig){.run_dir = run_dir, .workers = workers, .share = balance_share_new(run_dir, workers)};
    for (uint32_t i = 0; i < workers; i++) {
        rig->flows[i] = flow_table_open(run_dir, i, workers, CAPACITY, &seed, &error);
        if (rig->flows[i] == NULL)
            fail_msg("%s", error.text);
    }
    assert_true(flow_rehome(run_dir, rig->flows, workers, &error) >= 0);
    for (uint32_t i = 0; i < workers; i++)
        rig->balance[i] = balance_new(rig->share, rig->flows[i], i, &error);
    rig->table = members ? table_new(members) : NULL;
    rig->tables.balance = rig->table;
    if (balance_share_bind(rig->share, &rig->tables, 1, &error) != 0)
        fail_msg("%s", error.text);
}

static void stop(struct rig *rig)
{
    balance_share_unbind(&rig->tables);
    for (uint32_t i = 0; i < rig->workers; i++) {
        balance_free(rig->balance[i]);
        flow_table_close(rig->flows[i]);
    }
    balance_share_free(rig->share);
    free(rig->table);
}

static void flow_open(struct rig *rig, uint32_t n)
{
    struct sl_flow_key key = {.src = sl_ip_v4(sl_be32_of(0xcb007100 + n % 97)),
                              .dst = sl_ip_v4(sl_be32_of(0xc6336469)),
                              .sport = (sl_be16)(n / 97 + 1),
                              .dport = sl_be16_of(80)};
    struct sl_ip client = key.src;
    uint32_t w = balance_owner(&client, rig->workers);
    const struct sl_balance_member *member = balance_choose(
        rig->balance[w], rig->tables.balance_binding, sl_balance_pools(rig->table), &key, IPPROTO_UDP, 0);
    struct flow_new new = {
        .key = {key, balance_answer_key(IPPROTO_UDP, &key, member)},
        .proto = IPPROTO_UDP,
        .kind = SL_FLOW_BALANCE,
        .flags = SL_FLOW_INBOUND,
        .mapping = SL_FLOW_MAPPING(3, member->slot),
    };
    for (int d = 0; d < 2; d++)
        new.hash[d] = flow_hash(rig->flows[w], &new.key[d], new.proto);
    if (flow_create(rig->flows[w], &new, rig->flows[w]->wheel.last_ms) >= 0)
        balance_flow_counted(rig->balance[w], new.mapping);
}

static void flow_close(struct rig *rig, uint32_t w, uint32_t index)
{
    struct sl_flow *flow = &rig->flows[w]->entry[index];
    struct tables tables = rig->tables;
    struct worker worker = {.tables = &tables, .flows = rig->flows[w], .balance = rig->balance[w]};
    if (flow->kind == SL_FLOW_FREE)
        return;
    balance_flow_ended(&worker, flow);
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

// Every live entry is its owner's, found by both keys, and to the member that its mapping names; counters say as many.
static uint32_t check(struct rig *rig)
{
    uint32_t live = 0, of[MEMBERS] = {0};
    for (uint32_t w = 0; w < rig->workers; w++)
        for (uint32_t i = 0; i < CAPACITY; i++) {
            struct sl_flow *flow = &rig->flows[w]->entry[i];
            if (flow->kind == SL_FLOW_FREE)
                continue;
            struct sl_flow_key key[2] = {flow->key0, flow->key1};
            struct sl_ip client = key[0].src, from = key[1].src;
            uint32_t member = SL_FLOW_MEMBER(flow->mapping) - 10;
            assert_int_equal(flow->kind, SL_FLOW_BALANCE);
            assert_int_equal(SL_FLOW_SERVICE(flow->mapping), 3);
            assert_true(member < rig->table->member_count);
            struct sl_ip wanted = member_ip(member);
            assert_true(sl_ip_equal(&from, &wanted));
            assert_int_equal(balance_owner(&client, rig->workers), w);
            for (uint32_t d = 0; d < 2; d++)
                assert_int_equal(flow_find(rig->flows[w], &key[d], flow->proto,
                                           flow_hash(rig->flows[w], &key[d], flow->proto)),
                                 i << 1 | d);
            of[member]++;
            live++;
        }
    for (uint32_t i = 0; rig->table && i < rig->table->member_count; i++) {
        struct sl_balance_member_counters sum;
        sl_balance_member_sum(balance_share_counters(rig->share), 10 + i, &sum);
        assert_int_equal(sum.flows_now, of[i]);
    }
    return live;
}

static void child_run(char *run_dir, int ready)
{
    struct rig rig;
    state_word = 0x9e3779b97f4a7c15u ^ (uint64_t)getpid();
    start(&rig, run_dir, 1, MEMBERS);
    churn(&rig, 1000);
    if (write(ready, "x", 1) != 1)
        _exit(1);
    for (;;)
        churn(&rig, 1000);
}

static void flows_of_a_killed_process_keep_their_members(void **state)
{
    for (int kills = 0; kills < KILLS; kills++) {
        int ready[2];
        char byte;
        assert_int_equal(pipe(ready), 0);
        pid_t child = fork();
        if (child == 0)
            child_run(*state, ready[1]);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        state_word = 12345u + (uint64_t)kills;
        usleep(draw(3000));
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        close(ready[0]);
        close(ready[1]);
        struct rig rig;
        start(&rig, *state, 1, MEMBERS);
        assert_true(check(&rig) > 10);
        churn(&rig, 500);
        check(&rig);
        stop(&rig);
    }
}

static void flows_go_to_their_client_s_owner_when_workers_change(void **state)
{
    const uint32_t counts[] = {1, 4, 3, 1, 2};
    struct rig rig;
    uint32_t before = 0;
    state_word = 777;
    for (uint32_t i = 0; i < 5; i++) {
        start(&rig, *state, counts[i], MEMBERS);
        uint32_t live = check(&rig);
        assert_true(i == 0 || live == before);
        if (i == 0)
            churn(&rig, 400);
        before = check(&rig);
        assert_true(before > 50);
        stop(&rig);
    }
}

static void flows_without_their_member_are_not_adopted(void **state)
{
    struct rig rig;
    uint32_t of_gone = 0;
    state_word = 778;
    start(&rig, *state, 1, MEMBERS);
    churn(&rig, 400);
    uint32_t before = check(&rig);
    for (uint32_t i = 0; i < CAPACITY; i++)
        of_gone += rig.flows[0]->entry[i].kind != SL_FLOW_FREE &&
                   SL_FLOW_MEMBER(rig.flows[0]->entry[i].mapping) == 10 + MEMBERS - 1;
    assert_true(of_gone > 0);
    stop(&rig);
    start(&rig, *state, 1, MEMBERS - 1);
    assert_int_equal(check(&rig), before - of_gone);
    stop(&rig);
    start(&rig, *state, 1, 0);
    assert_int_equal(check(&rig), 0);
    stop(&rig);
}

static void torn_entries_are_not_believed(void **state)
{
    struct rig rig;
    for (uint64_t seed = 1; seed < 60; seed++) {
        state_word = seed;
        start(&rig, *state, 1, MEMBERS);
        churn(&rig, 600);
        for (uint32_t i = 0; i < 300; i++) {
            uint8_t *entry = (uint8_t *)&rig.flows[0]->entry[draw(CAPACITY)];
            if (draw(4) == 0)
                memcpy(entry, &rig.flows[0]->entry[draw(CAPACITY)], 128); // a twin
            else
                entry[draw(128)] = (uint8_t)draw(256);
        }
        stop(&rig);
        start(&rig, *state, 1, MEMBERS);
        uint32_t live = 0;
        for (uint32_t i = 0; i < CAPACITY; i++) { // what was believed counts once, and can be ended
            const struct sl_flow *flow = &rig.flows[0]->entry[i];
            if (flow->kind != SL_FLOW_BALANCE)
                continue;
            assert_true(balance_flow_matches(rig.table, flow));
            live++;
            flow_close(&rig, 0, i);
        }
        assert_true(live > 0);
        for (uint32_t i = 0; i < MEMBERS; i++)
            assert_int_equal(balance_member_count(rig.balance[0], 10 + i)->flows_now, 0);
        for (uint32_t i = 0; i < CAPACITY; i++) // what looks like NAT's is NAT's to judge
            if (rig.flows[0]->entry[i].kind != SL_FLOW_FREE)
                flow_remove(rig.flows[0], i);
        stop(&rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(flows_of_a_killed_process_keep_their_members, setup, teardown),
        cmocka_unit_test_setup_teardown(flows_go_to_their_client_s_owner_when_workers_change, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(flows_without_their_member_are_not_adopted, setup, teardown),
        cmocka_unit_test_setup_teardown(torn_entries_are_not_believed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
