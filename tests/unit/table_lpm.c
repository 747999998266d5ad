// SPDX-License-Identifier: Apache-2.0
// Longest-prefix match: building, looking up one and many, checking. Compared with a naive table at random.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include "table/lpm_bulk.h"
#include "table/prefix_map.h"
#include "table_random.h"

static struct sl_lpm_item item_of(const char *text, uint32_t value)
{
    struct sl_lpm_item item = {.value = value};

    assert_int_equal(sl_prefix_parse(text, &item.prefix), 0);
    return item;
}

static struct sl_ip ip_of(const char *text)
{
    struct sl_ip ip;

    assert_int_equal(sl_ip_parse(text, &ip), 0);
    return ip;
}

static void expect_leaf(const struct sl_lpm *lpm, const char *address, uint32_t length, uint32_t value)
{
    struct sl_ip ip = ip_of(address);
    uint32_t leaf = lookup(lpm, &ip);

    assert_int_equal(sl_lpm_value(leaf), value);
    assert_int_equal(sl_lpm_length(leaf), length);
}

static void lpm_prefers_the_longest_of_nested_and_adjacent_prefixes(void **state)
{
    struct sl_lpm_item item[] = {
        item_of("0.0.0.0/0", 1),       item_of("10.0.0.0/8", 2),
        item_of("10.1.0.0/16", 3),     item_of("10.1.2.0/24", 4),
        item_of("10.1.2.3/32", 5),     item_of("10.1.3.0/24", 4),
        item_of("10.1.2.128/25", 6),   item_of("255.255.255.255/32", SL_LPM_VALUE_MASK),
        item_of("2001:db8::/32", 7),   item_of("2001:db8::/64", 8),
        item_of("2001:db8::1/128", 9), item_of("2001:db8:0:1::/64", 8),
        item_of("fe80::/10", 10),
    };
    uint64_t size;
    struct sl_lpm *lpm = blob_build(item, sizeof(item) / sizeof(item[0]), false, 0, &size);

    assert_non_null(lpm);
    assert_int_equal(sl_lpm_check(lpm, size, SL_LPM_VALUE_MASK), 0);
    expect_leaf(lpm, "9.255.255.255", 0, 1);
    expect_leaf(lpm, "10.0.0.0", 8, 2);
    expect_leaf(lpm, "10.1.0.0", 16, 3);
    expect_leaf(lpm, "10.1.2.2", 24, 4);
    expect_leaf(lpm, "10.1.2.3", 32, 5);
    expect_leaf(lpm, "10.1.2.127", 24, 4);
    expect_leaf(lpm, "10.1.2.128", 25, 6);
    expect_leaf(lpm, "10.1.3.0", 24, 4);
    expect_leaf(lpm, "10.1.4.0", 16, 3);
    expect_leaf(lpm, "255.255.255.255", 32, SL_LPM_VALUE_MASK);
    expect_leaf(lpm, "255.255.255.254", 0, 1);
    expect_leaf(lpm, "2001:db8::1", 128, 9);
    expect_leaf(lpm, "2001:db8::2", 64, 8);
    expect_leaf(lpm, "2001:db8:0:1::2", 64, 8);
    expect_leaf(lpm, "2001:db8:0:2::", 32, 7);
    expect_leaf(lpm, "febf:ffff::", 10, 10);
    expect_leaf(lpm, "fec0::", 0, 0); // the v4 default does not cover v6
    free(lpm);
}

static void lpm_of_nothing_finds_nothing(void **state)
{
    uint64_t size;
    struct sl_lpm *lpm = blob_build(NULL, 0, false, 0, &size);

    assert_non_null(lpm);
    assert_int_equal(sl_lpm_check(lpm, size, 0), 0);
    assert_true(size <= 4096);
    expect_leaf(lpm, "10.0.0.1", 0, 0);
    expect_leaf(lpm, "ffff::1", 0, 0);
    free(lpm);
}

static void lpm_build_refuses_bad_items(void **state)
{
    struct sl_lpm_plan plan;
    _Alignas(64) static uint8_t blob[1 << 20];
    struct sl_lpm_item twice[] = {item_of("10.0.0.0/8", 1), item_of("10.0.0.0/8", 2)};
    struct sl_lpm_item disorder[] = {item_of("10.0.0.0/8", 1), item_of("9.0.0.0/8", 2)};
    struct sl_lpm_item none[] = {item_of("10.0.0.0/8", 0)};
    struct sl_lpm_item large[] = {item_of("10.0.0.0/8", SL_LPM_VALUE_MASK + 1)};
    struct sl_lpm_item host[] = {item_of("10.0.0.1/32", 1)};
    struct sl_lpm_item length[] = {item_of("10.0.0.0/8", 1)};

    host[0].prefix.len = 24;
    length[0].prefix.len = 33;
    struct {
        struct sl_lpm_item *item;
        size_t count;
    } bad[] = {{twice, 2}, {disorder, 2}, {none, 1}, {large, 1}, {host, 1}, {length, 1}};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        memset(blob, 0, sizeof(blob));
        sl_lpm_plan(bad[i].item, bad[i].count, false, &plan);
        assert_int_equal(sl_lpm_build(bad[i].item, bad[i].count, &plan, blob, sizeof(blob)), -EINVAL);
        assert_int_not_equal(sl_lpm_check(blob, sizeof(blob), SL_LPM_VALUE_MASK), 0);
    }
    sl_lpm_plan(twice, 1, false, &plan);
    assert_int_equal(sl_lpm_build(twice, 1, &plan, blob, (plan.blocks - 1) * SL_LPM_BLOCK), -ENOSPC);
}

// Addresses at and around the edges of a prefix, where mistakes are.
static struct sl_ip near(struct random *r, const struct sl_prefix *prefix)
{
    struct sl_ip ip = random_ip(r, sl_ip_is_v4(&prefix->ip));
    unsigned skip = sl_ip_is_v4(&prefix->ip) ? 96 : 0;

    for (unsigned bit = skip; bit < skip + prefix->len; bit++) {
        uint8_t mask = (uint8_t)(0x80 >> bit % 8);
        ip.b[bit / 8] = (uint8_t)((ip.b[bit / 8] & ~mask) | (prefix->ip.b[bit / 8] & mask));
    }
    if (random_below(r, 4) == 0) // just outside
        ip.b[skip / 8 + random_below(r, 16 - skip / 8)] ^= (uint8_t)(1 << random_below(r, 8));
    return ip;
}

static void compare_bulk(struct random *r, const struct sl_lpm *lpm, const struct naive *naive)
{
    struct sl_ip ip[SL_LPM_BULK_MAX];
    const struct sl_ip *v6[SL_LPM_BULK_MAX];
    sl_be32 v4[SL_LPM_BULK_MAX];
    uint32_t leaf[SL_LPM_BULK_MAX];
    unsigned count = 1 + random_below(r, SL_LPM_BULK_MAX);
    bool family = random_below(r, 2);

    for (unsigned i = 0; i < count; i++) {
        ip[i] = random_ip(r, family);
        if (random_below(r, 3) > 0) {
            const struct sl_prefix *prefix = &naive->item[random_below(r, (uint32_t)naive->count)].prefix;
            if (sl_ip_is_v4(&prefix->ip) == family)
                ip[i] = near(r, prefix);
        }
        if (sl_ip_is_v4(&ip[i]) != family) // a mapped address by chance
            ip[i] = ip_of(family ? "10.0.0.1" : "2001:db8::1");
        v4[i] = ip[i].w[3];
        v6[i] = &ip[i];
    }
    if (family)
        sl_lpm_lookup_bulk_v4(lpm, v4, leaf, count);
    else
        sl_lpm_lookup_bulk_v6(lpm, v6, leaf, count);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(leaf[i], naive_lookup(naive, &ip[i], 255));
        assert_int_equal(lookup(lpm, &ip[i]), leaf[i]);
    }
}

static void lpm_finds_what_a_naive_table_finds(void **state)
{
    struct random r = random_seeded(__func__);
    static struct naive naive;

    for (unsigned round = 0; round < 60; round++) {
        naive.count = 0;
        unsigned count = 1 + random_below(&r, 400);
        for (unsigned i = 0; i < count; i++) {
            struct sl_prefix prefix = random_prefix(&r, random_below(&r, 2));
            naive_set(&naive, &prefix, 1 + random_below(&r, 5));
        }
        uint64_t size;
        struct sl_lpm *lpm = blob_build(naive.item, naive.count, false, 0, &size);
        assert_non_null(lpm);
        assert_int_equal(sl_lpm_check(lpm, size, 5), 0);
        assert_int_equal(lpm->block_used, lpm->block_count); // the plan was exact
        struct sl_lpm *copy = aligned_alloc(SL_LPM_BLOCK, size);
        memcpy(copy, lpm, size);
        memset(lpm, 0xff, size); // nothing may point back
        free(lpm);
        for (unsigned i = 0; i < 40; i++)
            compare_bulk(&r, copy, &naive);
        free(copy);
    }
}

static void lpm_of_a_large_table_has_a_wide_root_and_finds_the_same(void **state)
{
    struct random r = random_seeded(__func__);
    size_t count = 0, most = 120000;
    struct sl_lpm_item *item = calloc(most, sizeof(*item));
    struct sl_prefix_map map = {0};
    uint64_t size;

    while (count < most) {
        struct sl_ip ip = sl_ip_v4((uint32_t)random_next(&r));
        struct sl_lpm_item new = {.prefix = random_masked(ip, 8 + random_below(&r, 25)),
                                  .value = 1 + random_below(&r, 100)};
        uint32_t old;
        assert_int_equal(sl_prefix_map_set(&map, &new.prefix, sl_lpm_leaf(new.prefix.len, new.value), &old),
                         0);
        if (old == 0)
            item[count++] = new;
        else
            sl_prefix_map_set(&map, &new.prefix, old, NULL);
    }
    struct sl_lpm *lpm = blob_build(item, count, false, 0, &size);
    assert_non_null(lpm);
    assert_int_equal(lpm->v4.root_bits, 24);
    assert_int_equal(sl_lpm_check(lpm, size, 100), 0);
    for (unsigned i = 0; i < 300000; i += SL_LPM_BULK_MAX) {
        sl_be32 addr[SL_LPM_BULK_MAX];
        uint32_t leaf[SL_LPM_BULK_MAX];
        for (unsigned j = 0; j < SL_LPM_BULK_MAX; j++)
            addr[j] = (uint32_t)random_next(&r) ^ item[random_below(&r, (uint32_t)count)].prefix.ip.w[3];
        sl_lpm_lookup_bulk_v4(lpm, addr, leaf, SL_LPM_BULK_MAX);
        for (unsigned j = 0; j < SL_LPM_BULK_MAX; j++) {
            struct sl_ip ip = sl_ip_v4(addr[j]);
            assert_int_equal(leaf[j], sl_prefix_map_cover(&map, &ip, 33, NULL));
        }
    }
    sl_prefix_map_fini(&map);
    free(lpm);
    free(item);
}

static int compare_items(const void *a, const void *b)
{
    return sl_prefix_compare(&((const struct sl_lpm_item *)a)->prefix,
                             &((const struct sl_lpm_item *)b)->prefix);
}

static void lpm_sort_orders_as_prefix_compare_does(void **state)
{
    struct random r = random_seeded(__func__);
    static struct sl_lpm_item item[3000], reference[3000];

    for (unsigned i = 0; i < 3000; i++)
        item[i] = (struct sl_lpm_item){.prefix = random_prefix(&r, random_below(&r, 2)), .value = i};
    memcpy(reference, item, sizeof(item));
    qsort(reference, 3000, sizeof(reference[0]), compare_items);
    assert_int_equal(sl_lpm_sort(item, 3000), 0);
    for (unsigned i = 0; i < 3000; i++) {
        assert_int_equal(sl_prefix_compare(&item[i].prefix, &reference[i].prefix), 0);
        if (i > 0 && sl_prefix_compare(&item[i - 1].prefix, &item[i].prefix) == 0)
            assert_true(item[i - 1].value < item[i].value); // stable
    }
}

static void lookup_everywhere(struct random *r, const struct sl_lpm *lpm)
{
    for (unsigned i = 0; i < 200; i++) {
        struct sl_ip ip = random_ip(r, i % 2);
        lookup(lpm, &ip);
    }
}

// The blob is exactly as large as its allocation, so a sanitizer sees any step outside; without one, most are seen.
static void lpm_that_passed_its_check_is_safe_whatever_bytes_were_flipped(void **state)
{
    struct random r = random_seeded(__func__);
    static struct naive naive;
    uint64_t size;
    unsigned refused = 0, rounds = 3000;

    for (unsigned i = 0; i < 300; i++) {
        struct sl_prefix prefix = random_prefix(&r, i % 2);
        naive_set(&naive, &prefix, 1 + i % 7);
    }
    struct sl_lpm *lpm = blob_build(naive.item, naive.count, false, 0, &size);
    uint64_t nodes = ((uint64_t)lpm->v6.root_block + (1 << lpm->v6.root_bits) / 16) * SL_LPM_BLOCK;
    for (unsigned round = 0; round < rounds; round++) {
        uint64_t place[4];
        uint8_t old[4];
        for (unsigned i = 0; i < 4; i++) { // header and nodes more often than the roots' empty slots
            uint64_t at =
                i == 0 ? random_below(&r, sizeof(*lpm)) : nodes + random_below(&r, (uint32_t)(size - nodes));
            place[i] = random_below(&r, 4) == 0 ? random_below(&r, (uint32_t)size) : at;
            old[i] = ((uint8_t *)lpm)[place[i]];
            ((uint8_t *)lpm)[place[i]] ^= (uint8_t)(1 << random_below(&r, 8));
        }
        if (sl_lpm_check(lpm, size, 7) == 0)
            lookup_everywhere(&r, lpm);
        else
            refused++;
        for (unsigned i = 4; i-- > 0;)
            ((uint8_t *)lpm)[place[i]] = old[i];
    }
    assert_true(refused > rounds / 4 && refused < rounds);
    assert_int_equal(sl_lpm_check(lpm, size, 7), 0);
    free(lpm);
}

static void lpm_check_refuses_loops_sharing_and_truncation(void **state)
{
    struct sl_lpm_item item[] = {item_of("2001:db8::1/128", 1), item_of("2001:db9::1/128", 2)};
    uint64_t size;
    struct sl_lpm *lpm = blob_build(item, 2, false, 0, &size);
    uint32_t *root = (uint32_t *)((uint8_t *)lpm + (uint64_t)lpm->v6.root_block * SL_LPM_BLOCK);

    assert_int_equal(sl_lpm_check(lpm, size, 2), 0);
    assert_int_equal(sl_lpm_check(lpm, size, 1), -EINVAL);
    assert_int_equal(sl_lpm_check(lpm, size - SL_LPM_BLOCK, 2), -EINVAL);
    assert_int_equal(sl_lpm_check(lpm, 64, 2), -EINVAL);
    root[0x2002] = root[0x2001]; // two ways to one node
    assert_int_equal(sl_lpm_check(lpm, size, 2), -EINVAL);
    root[0x2002] = 0;
    struct sl_lpm_node *node =
        (struct sl_lpm_node *)((uint8_t *)lpm + (uint64_t)(root[0x2001] & ~SL_LPM_CHILD) * 64);
    node->entry[1] = root[0x2001]; // a node that names itself
    assert_int_equal(sl_lpm_check(lpm, size, 2), -EINVAL);
    free(lpm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lpm_prefers_the_longest_of_nested_and_adjacent_prefixes),
        cmocka_unit_test(lpm_of_nothing_finds_nothing),
        cmocka_unit_test(lpm_build_refuses_bad_items),
        cmocka_unit_test(lpm_finds_what_a_naive_table_finds),
        cmocka_unit_test(lpm_of_a_large_table_has_a_wide_root_and_finds_the_same),
        cmocka_unit_test(lpm_sort_orders_as_prefix_compare_does),
        cmocka_unit_test(lpm_that_passed_its_check_is_safe_whatever_bytes_were_flipped),
        cmocka_unit_test(lpm_check_refuses_loops_sharing_and_truncation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
