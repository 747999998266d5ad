// SPDX-License-Identifier: Apache-2.0
// Lookups of pools, each method against its definition: shares by weight, order in the config without meaning, few
// entries that move when a member goes, backups, nobody eligible, the borders.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "balance_pool.h"

static const uint8_t weighted[] = {SL_BALANCE_MAGLEV, SL_BALANCE_SOURCE_HASH, SL_BALANCE_WEIGHTED_ROUND_ROBIN,
                                   SL_BALANCE_TWO_CHOICES};
static const uint8_t listed[] = {SL_BALANCE_ROUND_ROBIN, SL_BALANCE_LEAST, SL_BALANCE_WEIGHTED_LEAST};
static const uint32_t sizes[] = {2, 3, 5, 10, 16, 17, 33, 64, 65, 100, 128, 300};

// Weights of three kinds: all the same, 1 to 10, few heavy ones among light ones.
static void weights_draw(struct test_pool *p, unsigned kind, struct random *random)
{
    for (uint32_t i = 0; i < p->pool.count; i++)
        pool_weight(p, i,
                    kind == 0   ? 3
                    : kind == 1 ? 1 + random_below(random, 10)
                                : (random_below(random, 4) ? 1 + random_below(random, 3) : 50));
}

// ---- all methods --------------------------------------------------------------------------------------------
static void nobody_eligible_is_an_empty_lookup(void **state)
{
    for (uint8_t method = 0; method < SL_BALANCE_METHODS; method++) {
        struct test_pool p = pool_new(method, 4);
        pool_state(&p, 0, SL_BALANCE_DOWN);
        pool_state(&p, 1, SL_BALANCE_DRAIN);
        pool_state(&p, 2, SL_BALANCE_FLUSH);
        pool_weight(&p, 3, 0);
        assert_true(pool_build(&p));
        assert_int_equal(p.size, 0);
        pool_free(&p);
        p = pool_new(method, 0);
        assert_int_equal(sl_balance_lookup_capacity(&p.pool), 0);
        assert_true(pool_build(&p));
        assert_int_equal(p.size, 0);
        pool_free(&p);
    }
}

static void a_single_eligible_member_gets_everything(void **state)
{
    for (uint8_t method = 0; method < SL_BALANCE_METHODS; method++)
        for (uint32_t members = 1; members <= 3; members += 2) {
            struct test_pool p = pool_new(method, members);
            for (uint32_t i = 0; i + 1 < members; i++)
                pool_state(&p, i, SL_BALANCE_DOWN);
            pool_weight(&p, members - 1, SL_BALANCE_WEIGHT);
            assert_true(pool_build(&p));
            assert_true(p.size > 0);
            assert_int_equal(p.count[members - 1], p.size);
            pool_free(&p);
        }
}

static void who_may_not_get_new_flows_is_in_no_lookup(void **state)
{
    for (uint8_t method = 0; method < SL_BALANCE_METHODS; method++) {
        struct test_pool p = pool_new(method, 6);
        pool_state(&p, 0, SL_BALANCE_DRAIN);
        pool_state(&p, 2, SL_BALANCE_DOWN);
        pool_state(&p, 3, SL_BALANCE_FLUSH);
        pool_weight(&p, 4, 0);
        assert_true(pool_build(&p));
        for (uint32_t i = 0; i < 6; i++)
            assert_int_equal(p.count[i] > 0, i == 1 || i == 5);
        pool_free(&p);
    }
}

static void backups_serve_only_where_no_other_can(void **state)
{
    for (uint8_t method = 0; method < SL_BALANCE_METHODS; method++) {
        struct test_pool p = pool_new(method, 4);
        p.member[2].flags = p.member[3].flags = SL_BALANCE_BACKUP;
        assert_true(pool_build(&p));
        assert_true(p.count[0] > 0 && p.count[1] > 0 && p.count[2] == 0 && p.count[3] == 0);
        pool_state(&p, 0, SL_BALANCE_DRAIN);
        assert_true(pool_build(&p));
        assert_int_equal(p.count[1], p.size);
        pool_weight(&p, 1, 0);
        assert_true(pool_build(&p));
        assert_true(p.count[1] == 0 && p.count[2] > 0 && p.count[3] > 0);
        pool_state(&p, 2, SL_BALANCE_DOWN);
        assert_true(pool_build(&p));
        assert_int_equal(p.count[3], p.size);
        pool_free(&p);
    }
}

static void the_most_members_fit(void **state)
{
    for (uint8_t method = 0; method < SL_BALANCE_METHODS; method++) {
        struct test_pool p = pool_new(method, SL_BALANCE_POOL_MEMBERS);
        assert_true(sl_balance_lookup_capacity(&p.pool) >= SL_BALANCE_POOL_MEMBERS);
        for (uint32_t i = 0; i < p.pool.count; i++) // those in the middle are there to be looked at
            pool_state(&p, i,
                       i < 100 || i >= SL_BALANCE_POOL_MEMBERS - 100 ? SL_BALANCE_UP : SL_BALANCE_DOWN);
        assert_true(pool_build(&p));
        for (uint32_t i = 0; i < p.pool.count; i++)
            assert_int_equal(p.count[i] > 0, i < 100 || i >= SL_BALANCE_POOL_MEMBERS - 100);
        pool_free(&p);
    }
}

// ---- lists --------------------------------------------------------------------------------------------------
static void lists_name_each_eligible_member_once_in_order(void **state)
{
    for (unsigned m = 0; m < sizeof(listed); m++) {
        struct test_pool p = pool_new(listed[m], 50);
        for (uint32_t i = 0; i < 50; i += 3)
            pool_state(&p, i, SL_BALANCE_DOWN);
        pool_weight(&p, 1, 1000); // means nothing here
        assert_true(pool_build(&p));
        assert_int_equal(p.size, 33);
        for (uint32_t i = 0; i < p.size; i++)
            assert_int_equal(p.entry[i], 1 + i / 2 * 3 + i % 2);
        pool_free(&p);
    }
}

// ---- interleaving -------------------------------------------------------------------------------------------
static void small_weights_come_out_exactly(void **state)
{
    struct test_pool p = pool_new(SL_BALANCE_WEIGHTED_ROUND_ROBIN, 3);
    pool_weight(&p, 0, 500);
    pool_weight(&p, 1, 100);
    pool_weight(&p, 2, 200);
    assert_true(pool_build(&p));
    assert_int_equal(p.size, 8); // 5 : 1 : 2
    assert_true(p.count[0] == 5 && p.count[1] == 1 && p.count[2] == 2);
    pool_free(&p);
}

static void shares_of_a_sequence_are_within_one_entry(void **state)
{
    struct random random = random_seeded("shares");

    for (unsigned round = 0; round < 60; round++) {
        struct test_pool p = pool_new(round % 2 ? SL_BALANCE_WEIGHTED_ROUND_ROBIN : SL_BALANCE_TWO_CHOICES,
                                      1 + random_below(&random, 200));
        for (uint32_t i = 0; i < p.pool.count; i++)
            pool_weight(&p, i, 1 + random_below(&random, round < 30 ? 8 : SL_BALANCE_WEIGHT));
        assert_true(pool_build(&p));
        for (uint32_t i = 0; i < p.pool.count; i++)
            if (fabs(p.count[i] - pool_share(&p, i)) >= 1)
                fail_msg("%u entries, share %f", p.count[i], pool_share(&p, i));
        pool_free(&p);
    }
}

// Smooth: in no run of entries does a member have more than its share of the run and a few.
static void a_sequence_is_interleaved(void **state)
{
    struct test_pool p = pool_new(SL_BALANCE_WEIGHTED_ROUND_ROBIN, 10);
    for (uint32_t i = 0; i < 10; i++)
        pool_weight(&p, i, 1 + i * i);
    assert_true(pool_build(&p));
    for (uint32_t i = 0; i < 10; i++)
        for (uint32_t first = 0, seen = 0; first < p.size; first++) {
            double share = pool_share(&p, i) / p.size;
            seen += p.entry[first] == i;
            assert_true(fabs(seen - share * (first + 1)) <= 2);
        }
    pool_free(&p);
}

// ---- maglev -------------------------------------------------------------------------------------------------
static void sizes_stay_while_members_come_and_go(void **state)
{
    uint32_t last = 0;

    for (uint32_t count = 1; count <= 4097; count++) {
        struct sl_balance_pool pool = {.count = count};
        uint32_t size = sl_balance_lookup_capacity(&pool);
        assert_true(size >= SL_BALANCE_ENTRIES * count && size >= 10000);
        assert_true(size == last || count == 1 || ((count - 1) & (count - 2)) == 0);
        last = size;
    }
    struct sl_balance_pool pool = {.count = 3, .maglev_size = 65536};
    assert_int_equal(sl_balance_lookup_capacity(&pool), 65536);
    pool.maglev_size = UINT32_MAX;
    assert_int_equal(sl_balance_lookup_capacity(&pool), SL_BALANCE_SIZE_MOST);
    pool = (struct sl_balance_pool){.count = 500, .maglev_size = 2};
    assert_int_equal(sl_balance_lookup_capacity(&pool), 500);
}

static uint32_t tolerance(uint32_t count)
{
    return count <= 16 ? 1 : count <= 64 ? 5 : count <= 1024 ? 10 : 25;
}

static void maglev_shares_follow_weights(void **state)
{
    struct random random = random_seeded("maglev shares");

    for (unsigned s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
        for (unsigned kind = 0; kind < 3; kind++) {
            struct test_pool p = pool_new(SL_BALANCE_MAGLEV, sizes[s]);
            weights_draw(&p, kind, &random);
            assert_true(pool_build(&p));
            assert_int_equal(p.size, sl_balance_lookup_capacity(&p.pool));
            for (uint32_t i = 0; i < p.pool.count; i++) {
                double share = pool_share(&p, i);
                if (p.count[i] > ceil(share * (100 + tolerance(sizes[s])) / 100) ||
                    p.count[i] < share - 4 * sqrt(share))
                    fail_msg("%u members, weights %u: %u entries, share %.1f", sizes[s], kind, p.count[i],
                             share);
            }
            pool_free(&p);
        }
}

static void three_servers_get_their_weights_within_three_percent(void **state)
{
    for (uint32_t salt = 0; salt < 50; salt++) {
        struct test_pool p = pool_new(SL_BALANCE_MAGLEV, 3);
        for (uint32_t i = 0; i < 3; i++) {
            p.member[i] = member_numbered(salt * 1000 + i, 0);
            pool_weight(&p, i, salt % 2 ? 10 : 10 * (i + 1));
        }
        assert_true(pool_build(&p));
        for (uint32_t i = 0; i < 3; i++)
            if (fabs(p.count[i] / pool_share(&p, i) - 1) > 0.03)
                fail_msg("salt %u: member %u has %u, share %.1f", salt, i, p.count[i], pool_share(&p, i));
        pool_free(&p);
    }
}

// Turns the members round and shuffles them; the table must name the same ones.
static void order_in_the_config_means_nothing(void **state)
{
    struct random random = random_seeded("order");

    for (unsigned m = 0; m < 2; m++) // maglev and source hash
        for (unsigned s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
            struct test_pool p = pool_new(weighted[m], sizes[s]), q = pool_new(weighted[m], sizes[s]);
            weights_draw(&p, 1, &random);
            memcpy(q.member, p.member, sizes[s] * sizeof(*q.member));
            for (uint32_t i = sizes[s] - 1; i > 0; i--) {
                uint32_t j = random_below(&random, i + 1);
                struct sl_balance_member swap = q.member[i];
                q.member[i] = q.member[j];
                q.member[j] = swap;
            }
            assert_true(pool_build(&p) && pool_build(&q));
            for (uint32_t i = 0; i < p.size; i++)
                assert_true(sl_ip_equal(&p.member[p.entry[i]].ip, &q.member[q.entry[i]].ip));
            pool_free(&p);
            pool_free(&q);
        }
}

// One and the same table on every machine, compiler and release: gateways of two releases must choose alike.
static void the_table_of_a_known_pool_is_the_known_one(void **state)
{
    struct test_pool p = pool_new(SL_BALANCE_MAGLEV, 5);
    uint32_t sum = 0;

    for (uint32_t i = 0; i < 5; i++)
        pool_weight(&p, i, i + 1);
    assert_true(pool_build(&p));
    for (uint32_t i = 0; i < p.size; i++)
        sum = sum * 31 + p.entry[i];
    assert_int_equal(p.size, 10000);
    assert_int_equal(sum, 0x5e9da1bc);
    pool_free(&p);
}

struct moved { // entries, summed over members that went
    double of_all, ideal;
};

// Takes each member in turn (at most 40 of them) out and back; adds up what moved.
static void members_go(struct test_pool *p, struct moved *moved)
{
    struct test_pool q = pool_new(p->pool.method, p->pool.count);
    uint32_t step = p->pool.count > 40 ? p->pool.count / 40 : 1;

    assert_true(pool_build(p));
    for (uint32_t gone = 0; gone < p->pool.count; gone += step) {
        uint32_t changed = 0;
        memcpy(q.member, p->member, p->pool.count * sizeof(*q.member));
        pool_state(&q, gone, SL_BALANCE_DOWN);
        assert_true(pool_build(&q));
        for (uint32_t i = 0; i < p->size; i++)
            changed += p->entry[i] != q.entry[i];
        if (changed > 1.3 * p->count[gone] + 20)
            fail_msg("%u members: %u entries moved for one with %u", p->pool.count, changed, p->count[gone]);
        moved->of_all += changed;
        moved->ideal += p->count[gone];
    }
    pool_free(&q);
}

static void a_member_that_goes_moves_little_more_than_its_own(void **state)
{
    struct random random = random_seeded("disturbance");

    for (unsigned s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
        for (unsigned kind = 0; kind < 3; kind++) {
            struct moved moved = {0};
            struct test_pool p = pool_new(SL_BALANCE_MAGLEV, sizes[s]);
            weights_draw(&p, kind, &random);
            members_go(&p, &moved);
            if (moved.of_all > 1.2 * moved.ideal)
                fail_msg("%u members, weights %u: %.3f of the ideal moved", sizes[s], kind,
                         moved.of_all / moved.ideal);
            pool_free(&p);
        }
}

// The same where it is no longer in the config, so that the others stand elsewhere in the pool.
static void a_member_removed_moves_as_little_as_one_that_is_down(void **state)
{
    struct test_pool p = pool_new(SL_BALANCE_MAGLEV, 50), q = pool_new(SL_BALANCE_MAGLEV, 49);
    uint32_t different = 0;

    memcpy(q.member, p.member + 1, 49 * sizeof(*q.member));
    pool_state(&p, 0, SL_BALANCE_DOWN);
    assert_true(pool_build(&p) && pool_build(&q));
    assert_int_equal(p.size, q.size);
    for (uint32_t i = 0; i < p.size; i++)
        different += p.entry[i] != q.entry[i] + 1;
    assert_int_equal(different, 0);
    pool_free(&p);
    pool_free(&q);
}

static void a_weight_changed_moves_what_it_must(void **state)
{
    struct test_pool p = pool_new(SL_BALANCE_MAGLEV, 20), q = pool_new(SL_BALANCE_MAGLEV, 20);
    uint32_t changed = 0;

    for (uint32_t i = 0; i < 20; i++) {
        pool_weight(&p, i, 60);
        pool_weight(&q, i, i == 7 ? 30 : 60);
    }
    assert_true(pool_build(&p) && pool_build(&q));
    for (uint32_t i = 0; i < p.size; i++)
        changed += p.entry[i] != q.entry[i];
    uint32_t must = p.count[7] - q.count[7];
    assert_true(must > p.count[7] / 3);
    assert_true(changed <= 1.3 * must);
    pool_free(&p);
    pool_free(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_eligible_is_an_empty_lookup),
        cmocka_unit_test(a_single_eligible_member_gets_everything),
        cmocka_unit_test(who_may_not_get_new_flows_is_in_no_lookup),
        cmocka_unit_test(backups_serve_only_where_no_other_can),
        cmocka_unit_test(the_most_members_fit),
        cmocka_unit_test(lists_name_each_eligible_member_once_in_order),
        cmocka_unit_test(small_weights_come_out_exactly),
        cmocka_unit_test(shares_of_a_sequence_are_within_one_entry),
        cmocka_unit_test(a_sequence_is_interleaved),
        cmocka_unit_test(sizes_stay_while_members_come_and_go),
        cmocka_unit_test(maglev_shares_follow_weights),
        cmocka_unit_test(three_servers_get_their_weights_within_three_percent),
        cmocka_unit_test(order_in_the_config_means_nothing),
        cmocka_unit_test(the_table_of_a_known_pool_is_the_known_one),
        cmocka_unit_test(a_member_that_goes_moves_little_more_than_its_own),
        cmocka_unit_test(a_member_removed_moves_as_little_as_one_that_is_down),
        cmocka_unit_test(a_weight_changed_moves_what_it_must),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
