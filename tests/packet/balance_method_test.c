// SPDX-License-Identifier: Apache-2.0
// Every method against its definition, and the shares that flows through the pipeline come to.
#include "balance/least.h"
#include "harness_balance.h"

#define FLOWS 100000u
#define BURST 32u

static const uint16_t weights[] = {1, 2, 4, 3};
#define MEMBERS RTE_DIM(weights)

static void weighted(struct harness_balance *b, enum sl_balance_method method)
{
    uint32_t pool = harness_balance_pool(b, method);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        char ip[SL_IP_TEXT];
        snprintf(ip, sizeof(ip), "10.1.0.%u", i + 1);
        harness_balance_member(b, pool, ip, 8080, weights[i]);
    }
    harness_balance_listen(b, harness_balance_service(b, pool), BALANCE_VIP, IPPROTO_UDP, 80, 80);
}

static struct harness_balance *gateway(enum sl_balance_method method, uint32_t capacity)
{
    struct harness_balance *b = harness_balance_new(1, capacity);
    weighted(b, method);
    harness_balance_ready(b);
    return b;
}

// Distinct clients, as many ports as it takes.
static struct rte_mbuf *request(uint32_t n)
{
    char client[SL_IP_TEXT];
    snprintf(client, sizeof(client), "203.%u.%u.%u", n >> 16 & 0xff, n >> 8 & 0xff, n & 0xff);
    return harness_udp(NAT_WAN, client, BALANCE_VIP, (uint16_t)(1024 + n % 60000), 80, 4);
}

static void open_flows(struct harness_balance *b, uint32_t first, uint32_t count)
{
    for (uint32_t done = 0; done < count; done += BURST) {
        struct rte_mbuf *frame[BURST], *out;
        uint16_t n = (uint16_t)RTE_MIN(BURST, count - done);
        for (uint16_t i = 0; i < n; i++)
            frame[i] = request(first + done + i);
        harness_send_to(b->h, 0, NAT_WAN, frame, n);
        while ((out = harness_sent(b->h, NAT_LAN)) != NULL)
            rte_pktmbuf_free(out);
    }
}

static void shares_are(enum sl_balance_method method, bool by_weight)
{
    struct harness_balance *b = gateway(method, FLOWS + 64);
    open_flows(b, 0, FLOWS);
    for (uint32_t i = 0; i < MEMBERS; i++) {
        double wanted = by_weight ? FLOWS * weights[i] / 10.0 : FLOWS / (double)MEMBERS;
        double got = (double)harness_balance_member_sum(b, i).flows_new;
        if (got < wanted * 0.97 || got > wanted * 1.03)
            fail_msg("method %d: member %u has %.0f flows, should have %.0f", method, i, got, wanted);
    }
    assert_int_equal(harness_balance_service_sum(b, 0).flows_now, FLOWS);
    harness_expect_no_drop(b->h);
    harness_balance_free(b);
}

static void shares_follow_the_weights(void **state)
{
    shares_are(SL_BALANCE_MAGLEV, true);
    shares_are(SL_BALANCE_SOURCE_HASH, true);
    shares_are(SL_BALANCE_WEIGHTED_ROUND_ROBIN, true);
    shares_are(SL_BALANCE_WEIGHTED_LEAST, true);
    shares_are(SL_BALANCE_TWO_CHOICES, true);
}

static void shares_are_equal_without_weights(void **state)
{
    shares_are(SL_BALANCE_ROUND_ROBIN, false);
    shares_are(SL_BALANCE_LEAST, false);
}

// The member, index in its pool, that a flow from this client's port gets.
static uint32_t choose(struct harness_balance *b, uint32_t pool, const char *client, uint16_t sport)
{
    struct sl_flow_key key = {.src = harness_ip_of(client),
                              .dst = harness_ip_of(BALANCE_VIP),
                              .sport = sl_be16_of(sport),
                              .dport = sl_be16_of(80)};
    const struct sl_balance_pool *of = &sl_balance_pools(b->table)[pool];
    const struct sl_balance_member *member =
        balance_choose(b->balance[0], b->h->tables.balance_binding, of, &key, IPPROTO_UDP, 0);
    return member ? (uint32_t)(member - &sl_balance_members(b->table)[of->first]) : SL_BALANCE_NONE;
}

static void maglev_takes_the_entry_of_the_flow_s_hash(void **state)
{
    struct harness_balance *b = gateway(SL_BALANCE_MAGLEV, 64);
    struct sl_balance_lookup lookup = sl_balance_lookup(b->table, sl_balance_pools(b->table));
    for (uint16_t port = 1; port < 2000; port++) {
        struct sl_flow_key key = {.src = harness_ip_of(BALANCE_CLIENT),
                                  .dst = harness_ip_of(BALANCE_VIP),
                                  .sport = sl_be16_of(port),
                                  .dport = sl_be16_of(80)};
        assert_int_equal(choose(b, 0, BALANCE_CLIENT, port),
                         sl_balance_pick(&lookup, sl_balance_flow_hash(b->table, &key, IPPROTO_UDP)));
    }
    harness_balance_free(b);
}

static void source_hash_knows_the_client_alone(void **state)
{
    struct harness_balance *b = gateway(SL_BALANCE_SOURCE_HASH, 64);
    uint32_t seen = 0;
    for (uint32_t i = 1; i < 200; i++) {
        char client[SL_IP_TEXT];
        snprintf(client, sizeof(client), "203.0.113.%u", i);
        uint32_t member = choose(b, 0, client, 1);
        for (uint16_t port = 2; port < 20; port++)
            assert_int_equal(choose(b, 0, client, port), member);
        seen |= 1u << member;
    }
    assert_int_equal(seen, 15);
    harness_balance_free(b);
}

static void round_robin_takes_one_after_the_other(void **state)
{
    struct harness_balance *b = gateway(SL_BALANCE_ROUND_ROBIN, 64);
    uint32_t first = choose(b, 0, BALANCE_CLIENT, 1);
    for (uint32_t i = 1; i < 100; i++)
        assert_int_equal(choose(b, 0, BALANCE_CLIENT, 1), (first + i) % MEMBERS);
    harness_balance_free(b);
}

// In every ten flows in a row each member has as many as it weighs.
static void weighted_round_robin_is_right_in_every_round(void **state)
{
    struct harness_balance *b = gateway(SL_BALANCE_WEIGHTED_ROUND_ROBIN, 64);
    uint32_t turn[200];
    for (uint32_t i = 0; i < 200; i++)
        turn[i] = choose(b, 0, BALANCE_CLIENT, 1);
    for (uint32_t from = 0; from + 10 <= 200; from++) {
        uint32_t count[MEMBERS] = {0};
        for (uint32_t i = from; i < from + 10; i++)
            count[turn[i]]++;
        for (uint32_t m = 0; m < MEMBERS; m++)
            assert_int_equal(count[m], weights[m]);
    }
    harness_balance_free(b);
}

static void flows_are(struct harness_balance *b, uint32_t member, uint32_t flows)
{
    balance_member_count(b->balance[0], member)->flows_now = flows;
    balance_load_changed(b->balance[0], b->h->tables.balance_binding, member);
}

static void least_takes_who_has_fewest(bool by_weight)
{
    struct harness_balance *b = gateway(by_weight ? SL_BALANCE_WEIGHTED_LEAST : SL_BALANCE_LEAST, 64);
    uint32_t flows[MEMBERS] = {0}, turn = 1;
    for (uint32_t i = 0; i < 3000; i++) {
        uint32_t member = choose(b, 0, BALANCE_CLIENT, 1);
        for (uint32_t other = 0; other < MEMBERS; other++)
            assert_true((uint64_t)flows[member] * (by_weight ? weights[other] : 1) <=
                        (uint64_t)flows[other] * (by_weight ? weights[member] : 1));
        flows[member]++;
        flows_are(b, member, flows[member]);
        turn = turn * 1664525 + 1013904223;
        uint32_t leaves = turn >> 16 & 3; // flows end here and there
        if (turn >> 18 & 1 && flows[leaves] > 0) {
            flows[leaves]--;
            flows_are(b, leaves, flows[leaves]);
        }
    }
    for (uint32_t m = 0; m < MEMBERS; m++)
        balance_member_count(b->balance[0], m)->flows_now = 0;
    harness_balance_free(b);
}

static void least_is_least(void **state)
{
    least_takes_who_has_fewest(false);
}

static void weighted_least_is_least_by_weight(void **state)
{
    least_takes_who_has_fewest(true);
}

// A pool whose members number as no power of two, get other weights, go and come back, and are over their limits.
static void nobody_has_less(struct harness_balance *b, uint32_t chosen, uint32_t members, bool by_weight)
{
    const struct sl_balance_member *m = sl_balance_members(b->table);
    uint64_t flows = balance_member_count(b->balance[0], chosen)->flows_now;
    assert_true(sl_balance_word_eligible(sl_balance_word(&m[chosen])));
    assert_true(m[chosen].flow_limit == 0 || flows < m[chosen].flow_limit);
    for (uint32_t i = 0; i < members; i++) {
        uint64_t other = balance_member_count(b->balance[0], i)->flows_now;
        uint32_t word = sl_balance_word(&m[i]);
        if (!sl_balance_word_eligible(word) || (m[i].flow_limit && other >= m[i].flow_limit))
            continue;
        uint64_t mine = by_weight ? sl_balance_word_weight(word) : 1,
                 its = by_weight ? sl_balance_word_weight(sl_balance_word(&m[chosen])) : 1;
        assert_true(flows * mine <= other * its);
    }
}

static void least_of_many(enum sl_balance_method method)
{
    enum { MANY = 500, LIMIT = 3 };
    struct harness_balance *b = harness_balance_new(1, 64);
    harness_balance_simple(b, method, MANY);
    for (uint32_t i = 0; i < MANY; i += 7)
        b->member[i].flow_limit = LIMIT;
    harness_balance_ready(b);
    uint32_t turn = 1;
    for (uint32_t i = 0; i < 6000; i++) {
        uint32_t member = choose(b, 0, BALANCE_CLIENT, 1);
        assert_in_range(member, 0, MANY - 1);
        nobody_has_less(b, member, MANY, method == SL_BALANCE_WEIGHTED_LEAST);
        flows_are(b, member, balance_member_count(b->balance[0], member)->flows_now + 1);
        turn = turn * 1664525 + 1013904223;
        uint32_t other = (turn >> 8) % MANY;
        if (i % 3 == 0) // all of its flows end
            flows_are(b, other, 0);
        if (i % 40 == 0)
            harness_balance_set(b, 0, other, i % 80 ? SL_BALANCE_UP : SL_BALANCE_DOWN,
                                (uint16_t)(1 + (turn >> 20) % 9));
    }
    for (uint32_t m = 0; m < MANY; m++)
        balance_member_count(b->balance[0], m)->flows_now = 0;
    harness_balance_free(b);
}

static void least_is_least_of_many_while_members_change(void **state)
{
    least_of_many(SL_BALANCE_LEAST);
    least_of_many(SL_BALANCE_WEIGHTED_LEAST);
}

// What flows that begin and end by themselves leave: as many everywhere.
static void least_follows_flows_to_their_end(void **state)
{
    struct harness_balance *b = harness_balance_new(1, 4096);
    harness_balance_simple(b, SL_BALANCE_LEAST, 100);
    harness_balance_ready(b);
    open_flows(b, 0, 1000);
    uint32_t ended = 0;
    for (uint32_t i = 0; i < b->h->worker[0]->flows->capacity; i++)
        if (b->h->worker[0]->flows->entry[i].kind != SL_FLOW_FREE &&
            SL_FLOW_MEMBER(b->h->worker[0]->flows->entry[i].mapping) < 30) {
            flow_end(b->h->worker[0], i, SL_COUNTER_flow_killed);
            ended++;
        }
    assert_int_equal(ended, 300);
    open_flows(b, 1000, 300);
    for (uint32_t m = 0; m < 100; m++)
        assert_int_equal(balance_member_count(b->balance[0], m)->flows_now, 10);
    harness_expect_no_drop(b->h);
    harness_balance_free(b);
}

// Who is full beside an empty one is taken only when he is drawn twice.
static void two_choices_takes_the_emptier_of_two(void **state)
{
    struct harness_balance *b = harness_balance_new(1, 64);
    harness_balance_simple(b, SL_BALANCE_TWO_CHOICES, 2);
    harness_balance_ready(b);
    uint32_t full = 0;
    balance_member_count(b->balance[0], 0)->flows_now = 1000;
    for (uint32_t i = 0; i < 20000; i++)
        full += choose(b, 0, BALANCE_CLIENT, 1) == 0;
    assert_in_range(full, 4700, 5300);
    balance_member_count(b->balance[0], 0)->flows_now = 0;
    harness_balance_free(b);
}

// ---- who may not --------------------------------------------------------------------------------------------
static const enum sl_balance_method every[] = {
    SL_BALANCE_MAGLEV,         SL_BALANCE_ROUND_ROBIN, SL_BALANCE_WEIGHTED_ROUND_ROBIN, SL_BALANCE_LEAST,
    SL_BALANCE_WEIGHTED_LEAST, SL_BALANCE_SOURCE_HASH, SL_BALANCE_TWO_CHOICES};

static void members_at_their_limit_are_passed_over(void **state)
{
    for (uint32_t m = 0; m < RTE_DIM(every); m++) {
        struct harness_balance *b = harness_balance_new(1, 256);
        weighted(b, every[m]);
        b->member[1].flow_limit = 7;
        harness_balance_ready(b);
        open_flows(b, 0, 200);
        assert_int_equal(harness_balance_member_sum(b, 1).flows_now, 7);
        assert_int_equal(harness_balance_service_sum(b, 0).flows_now, 200);
        assert_true(harness_balance_member_sum(b, 1).limited > 0);
        harness_balance_free(b);
    }
}

static void all_at_their_limit_is_nobody(void **state)
{
    for (uint32_t m = 0; m < RTE_DIM(every); m++) {
        struct harness_balance *b = harness_balance_new(1, 256);
        weighted(b, every[m]);
        for (uint32_t i = 0; i < MEMBERS; i++)
            b->member[i].flow_limit = 5;
        harness_balance_ready(b);
        open_flows(b, 0, 30);
        assert_int_equal(harness_balance_service_sum(b, 0).flows_now, 20);
        harness_expect_drops(b->h, SL_DROP_balance_no_member, 10);
        harness_balance_free(b);
    }
}

// Between the change of a member's word and that of its pool's lookup.
static void words_count_before_lookups_do(void **state)
{
    for (uint32_t m = 0; m < RTE_DIM(every); m++) {
        struct harness_balance *b = gateway(every[m], 256);
        struct sl_balance_member *member = (struct sl_balance_member *)sl_balance_members(b->table);
        member[2].word = SL_BALANCE_WORD(SL_BALANCE_DOWN, 4);
        open_flows(b, 0, 200);
        assert_int_equal(harness_balance_member_sum(b, 2).flows_new, 0);
        assert_int_equal(harness_balance_service_sum(b, 0).flows_now, 200);
        harness_balance_free(b);
    }
}

// A member that calls its own service must not be sent to itself: a host drops what comes from its own address.
static void member_as_client_goes_to_another(void **state)
{
    for (uint32_t m = 0; m < RTE_DIM(every); m++) {
        struct harness_balance *b = harness_balance_new(1, 256);
        harness_balance_simple(b, every[m], 2);
        harness_balance_ready(b);
        for (uint16_t port = 1; port < 50; port++) {
            struct rte_mbuf *f = harness_udp(NAT_LAN, "10.1.0.1", BALANCE_VIP, port, 80, 4);
            struct ends6 ends = harness_balance_ends(harness_balance_through(b, NAT_LAN, f, NAT_LAN));
            assert_int_equal(ends.dst.w[3], ip4("10.1.0.2"));
        }
        harness_balance_free(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_follow_the_weights),
        cmocka_unit_test(shares_are_equal_without_weights),
        cmocka_unit_test(maglev_takes_the_entry_of_the_flow_s_hash),
        cmocka_unit_test(source_hash_knows_the_client_alone),
        cmocka_unit_test(round_robin_takes_one_after_the_other),
        cmocka_unit_test(weighted_round_robin_is_right_in_every_round),
        cmocka_unit_test(least_is_least),
        cmocka_unit_test(weighted_least_is_least_by_weight),
        cmocka_unit_test(least_is_least_of_many_while_members_change),
        cmocka_unit_test(least_follows_flows_to_their_end),
        cmocka_unit_test(two_choices_takes_the_emptier_of_two),
        cmocka_unit_test(members_at_their_limit_are_passed_over),
        cmocka_unit_test(all_at_their_limit_is_nobody),
        cmocka_unit_test(words_count_before_lookups_do),
        cmocka_unit_test(member_as_client_goes_to_another),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
