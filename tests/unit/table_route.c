// SPDX-License-Identifier: Apache-2.0
// The route table: the image answers what the rib says, after compiling and after each change in place; next hops
// are shared and not reused under a reader; groups move only the slots of the way that went.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <time.h>

#include "table/route_read.h"
#include "table/route_table.h"
#include "table_random.h"

static struct sl_prefix prefix_of(const char *text)
{
    struct sl_prefix prefix;

    assert_int_equal(sl_prefix_parse(text, &prefix), 0);
    return prefix;
}

static struct sl_rib_way via(uint16_t port, const char *gateway, uint16_t weight)
{
    struct sl_rib_way way = {.kind = SL_NEXTHOP_GATEWAY, .port = port, .weight = weight};

    assert_int_equal(sl_ip_parse(gateway, &way.gateway), 0);
    return way;
}

static struct sl_route_table *image_make(struct sl_rib *rib, uint64_t *size)
{
    *size = sl_rib_prepare(rib);
    assert_int_not_equal(*size, 0);
    struct sl_route_table *table = aligned_alloc(64, *size);
    assert_non_null(table);
    memset(table, 0, *size);
    assert_int_equal(sl_rib_compile(rib, table, *size), 0);
    return table;
}

static const struct sl_lpm *image_lpm(const struct sl_route_table *table)
{
    return (const struct sl_lpm *)((const uint8_t *)table + table->lpm_offset);
}

static const struct sl_nexthop *image_lookup(const struct sl_route_table *table, const struct sl_ip *ip,
                                             uint32_t hash)
{
    return sl_route_nexthop(table, lookup(image_lpm(table), ip), hash);
}

// The image's answer must be one of the ways that the rib gives.
static void compare_address(struct sl_rib *rib, const struct sl_route_table *table, const struct sl_ip *ip,
                            uint32_t hash)
{
    struct sl_rib_way way[SL_RIB_WAYS];
    struct sl_prefix found;
    unsigned ways = sl_rib_lookup(rib, ip, &found, way);
    const struct sl_nexthop *hop = image_lookup(table, ip, hash);
    bool right = ways == 0 && hop->kind == SL_NEXTHOP_NONE;

    for (unsigned i = 0; i < ways; i++)
        right |= hop->kind == way[i].kind && hop->port == way[i].port &&
                 sl_ip_equal(&hop->gateway, &way[i].gateway);
    assert_true(right);
    if (ways > 0)
        assert_int_equal(sl_lpm_length(lookup(image_lpm(table), ip)), found.len);
}

static unsigned random_ways(struct random *r, struct sl_rib_way *way)
{
    unsigned ways = random_below(r, 3) ? 1 : 1 + random_below(r, 4);

    for (unsigned i = 0; i < ways; i++) {
        way[i] = (struct sl_rib_way){.kind = SL_NEXTHOP_GATEWAY,
                                     .port = (uint16_t)random_below(r, 3),
                                     .weight = (uint16_t)random_below(r, 4),
                                     .gateway = sl_ip_v4(1 + random_below(r, 6))};
        if (random_below(r, 8) == 0)
            way[i] = (struct sl_rib_way){.kind = SL_NEXTHOP_BLACKHOLE};
    }
    return ways;
}

static void route_image_answers_what_the_rib_says_after_every_change(void **state)
{
    struct random r = random_seeded(__func__);
    struct sl_rib *rib = sl_rib_new();
    struct sl_route_table *table = NULL;
    static struct naive naive; // which prefixes there are
    uint64_t size;
    unsigned made = 0;
    int status = 0;

    for (unsigned i = 0; i < 4000; i++) {
        struct sl_rib_way way[SL_RIB_WAYS];
        struct sl_prefix prefix = random_prefix(&r, random_below(&r, 2));
        if (i % 1000 == 0 || status == -ENOSPC) { // compile a new image
            free(table);
            table = image_make(rib, &size);
            assert_int_equal(sl_rib_attach(rib, table, size), 0);
            made++;
        }
        uint64_t epoch = table->epoch;
        sl_rib_tick(rib, i);
        if (naive.count > 0 && random_below(&r, 3) == 0) {
            prefix = naive.item[random_below(&r, (uint32_t)naive.count)].prefix;
            status = sl_rib_remove(rib, &prefix);
            naive_remove(&naive, &prefix);
        } else {
            unsigned ways = random_ways(&r, way);
            status = sl_rib_set(rib, &prefix, way, ways);
            naive_set(&naive, &prefix, 1);
        }
        if (status == -ENOSPC) // too many new groups
            continue;
        assert_int_equal(status, 0);
        sl_rib_reclaim(rib, i);
        assert_int_equal(table->epoch,
                         epoch ? epoch + 1
                               : 2); // the first change also says that the checksum is of the past
        assert_int_equal(table->route_count_v4 + table->route_count_v6, naive.count);
        assert_int_equal(sl_rib_count(rib), naive.count);
        for (unsigned k = 0; k < 20; k++) {
            struct sl_ip ip = random_ip(&r, k % 2);
            compare_address(rib, table, &ip, (uint32_t)random_next(&r));
        }
        compare_address(rib, table, &prefix.ip, (uint32_t)random_next(&r));
    }
    assert_int_equal(sl_lpm_check(image_lpm(table), table->lpm_size, table->nexthop_count - 1), 0);
    assert_in_range(made, 4, 40);
    sl_rib_free(rib);
    free(table);
}

#define LOAD_ROUTES 3000
#define LOAD_WAYS   60

struct load_source { // random routes of a few ways, sorted
    struct sl_lpm_item item[LOAD_ROUTES];
    struct sl_rib_span span[LOAD_WAYS];
    struct sl_rib_way way[LOAD_WAYS * 4];
    struct sl_rib_source source;
};

static void load_source_fill(struct load_source *load, struct random *r)
{
    size_t kept = 0;
    uint32_t ways = 0;

    for (unsigned i = 0; i < LOAD_WAYS; i++) {
        load->span[i] = (struct sl_rib_span){.first = ways, .count = random_ways(r, &load->way[ways])};
        ways += load->span[i].count;
    }
    for (unsigned i = 0; i < LOAD_ROUTES; i++)
        load->item[i] = (struct sl_lpm_item){.prefix = random_prefix(r, random_below(r, 2)),
                                             .value = random_below(r, LOAD_WAYS)};
    assert_int_equal(sl_lpm_sort(load->item, LOAD_ROUTES), 0);
    for (unsigned i = 0; i < LOAD_ROUTES; i++)
        if (i == 0 || sl_prefix_compare(&load->item[i].prefix, &load->item[kept - 1].prefix) != 0)
            load->item[kept++] = load->item[i];
    load->source = (struct sl_rib_source){load->item, kept, load->span, LOAD_WAYS, load->way};
}

static void compare_ribs(const struct sl_rib *a, const struct sl_rib *b)
{
    struct sl_rib_way x[SL_RIB_WAYS], y[SL_RIB_WAYS];
    struct sl_prefix prefix;
    size_t cursor = 0;

    assert_int_equal(sl_rib_count(a), sl_rib_count(b));
    for (unsigned n; (n = sl_rib_next(a, &cursor, &prefix, x)) != 0;) {
        assert_int_equal(sl_rib_find(b, &prefix, y), n);
        assert_memory_equal(x, y, n * sizeof(*x));
    }
}

static void routes_loaded_at_once_are_as_if_set_one_by_one(void **state)
{
    struct random r = random_seeded(__func__);
    static struct load_source load[3];
    struct sl_rib_source source[3];
    struct sl_rib *all = sl_rib_new(), *one = sl_rib_new();
    const struct sl_prefix *at;
    uint64_t size;

    for (unsigned i = 3; i-- > 0;) { // the first source counts, so it is set last
        load_source_fill(&load[i], &r);
        source[i] = load[i].source;
        for (size_t k = 0; k < source[i].count; k++) {
            const struct sl_rib_span *span = &source[i].span[source[i].item[k].value];
            assert_int_equal(
                sl_rib_set(one, &source[i].item[k].prefix, &source[i].way[span->first], span->count), 0);
        }
    }
    assert_int_equal(sl_rib_load(all, source, 3, &at), 0);
    compare_ribs(all, one);
    struct sl_route_table *table = image_make(all, &size);
    assert_int_equal(sl_lpm_check(image_lpm(table), table->lpm_size, table->nexthop_count - 1), 0);
    for (unsigned k = 0; k < 20000; k++) {
        struct sl_ip ip = random_ip(&r, k % 2);
        compare_address(one, table, &ip, (uint32_t)random_next(&r));
    }
    // What was loaded can be changed in place, and counts of next hops were kept: all of them can go.
    assert_int_equal(sl_rib_attach(all, table, size), 0);
    for (unsigned i = 0; i < 3; i++) {
        for (size_t k = 0; k < source[i].count; k++) {
            int status = sl_rib_remove(all, &source[i].item[k].prefix);
            assert_true(status == 0 || status == -ENOENT);
        }
    }
    assert_int_equal(sl_rib_count(all), 0);
    assert_int_equal(sl_lpm_check(image_lpm(table), table->lpm_size, 0), 0);
    sl_rib_free(all);
    sl_rib_free(one);
    free(table);
}

static void routes_that_cannot_be_loaded_are_named(void **state)
{
    static const struct sl_rib_way none = {.kind = SL_NEXTHOP_NONE};
    struct sl_lpm_item item = {.prefix = prefix_of("192.0.2.0/24")};
    struct sl_rib_span span = {0, 1};
    struct sl_rib_source source = {&item, 1, &span, 1, &none};
    struct sl_rib *rib = sl_rib_new();
    const struct sl_prefix *at;

    assert_int_equal(sl_rib_load(rib, &source, 1, &at), -EINVAL);
    assert_ptr_equal(at, &item.prefix);
    sl_rib_free(rib);
    rib = sl_rib_new();
    struct sl_rib_way way = via(1, "192.0.2.1", 1);
    source.way = &way;
    assert_int_equal(sl_rib_set(rib, &item.prefix, &way, 1), 0);
    assert_int_equal(sl_rib_load(rib, &source, 1, &at), -EINVAL); // not empty
    assert_null(at);
    sl_rib_free(rib);
}

static void route_can_be_found_listed_and_removed(void **state)
{
    struct sl_rib *rib = sl_rib_new();
    struct sl_prefix def = prefix_of("0.0.0.0/0"), net = prefix_of("2001:db8::/32"), found;
    struct sl_rib_way a = via(1, "10.0.0.1", 1), b = via(2, "fe80::1", 3), way[SL_RIB_WAYS];
    struct sl_rib_way both[] = {a, b, a}; // the same way twice counts its weights together
    struct sl_ip ip;
    size_t cursor = 0, seen = 0;

    assert_int_equal(sl_rib_remove(rib, &def), -ENOENT);
    assert_int_equal(sl_rib_set(rib, &def, &a, 0), -EINVAL);
    struct sl_rib_way group = {.kind = SL_NEXTHOP_GROUP}, heavy = via(1, "10.0.0.1", 257);
    assert_int_equal(sl_rib_set(rib, &def, &group, 1), -EINVAL);
    assert_int_equal(sl_rib_set(rib, &def, &heavy, 1), -EINVAL);
    assert_int_equal(sl_rib_set(rib, &def, &a, 1), 0);
    assert_int_equal(sl_rib_set(rib, &net, both, 3), 0);
    assert_int_equal(sl_rib_find(rib, &def, way), 1);
    assert_int_equal(way[0].port, 1);
    assert_int_equal(sl_rib_find(rib, &net, way), 2);
    assert_int_equal(way[0].weight + way[1].weight, 5);
    sl_ip_parse("2001:db8:ffff::1", &ip);
    assert_int_equal(sl_rib_lookup(rib, &ip, &found, way), 2);
    assert_int_equal(sl_prefix_compare(&found, &net), 0);
    sl_ip_parse("2001:db9::", &ip);
    assert_int_equal(sl_rib_lookup(rib, &ip, &found, way), 0);
    while (sl_rib_next(rib, &cursor, &found, way) > 0)
        seen++;
    assert_int_equal(seen, 2);
    assert_int_equal(sl_rib_remove(rib, &net), 0);
    assert_int_equal(sl_rib_find(rib, &net, way), 0);
    sl_rib_free(rib);
}

static void route_group_without_one_way_moves_only_its_slots(void **state)
{
    struct sl_rib_way way[] = {via(0, "10.0.0.1", 1), via(0, "10.0.0.2", 1), via(1, "10.0.0.3", 2),
                               via(1, "fe80::4", 4)};
    struct sl_prefix net = prefix_of("192.0.2.0/24");
    struct sl_rib *rib = sl_rib_new();
    struct sl_nexthop before[SL_RIB_GROUP_SLOTS];
    uint64_t size, held[3] = {0}, moved = 0;

    assert_int_equal(sl_rib_set(rib, &net, way, 4), 0);
    struct sl_route_table *table = image_make(rib, &size);
    assert_int_equal(sl_rib_attach(rib, table, size), 0);
    for (uint32_t i = 0; i < SL_RIB_GROUP_SLOTS; i++)
        before[i] = *image_lookup(table, &net.ip, i << 22 | 5);
    struct sl_rib_way less[] = {way[3], way[0], way[2]}; // without way[1], told in another order
    assert_int_equal(sl_rib_set(rib, &net, less, 3), 0);
    for (uint32_t i = 0; i < SL_RIB_GROUP_SLOTS; i++) {
        const struct sl_nexthop *after = image_lookup(table, &net.ip, i << 22 | 5);
        bool gone = sl_ip_equal(&before[i].gateway, &way[1].gateway);
        assert_int_equal(gone, !sl_ip_equal(&before[i].gateway, &after->gateway));
        moved += gone;
        for (unsigned k = 0; k < 3; k++)
            held[k] += sl_ip_equal(&after->gateway, &less[k].gateway);
    }
    assert_in_range(moved, 128 - 45, 128 + 45);   // an eighth, four standard deviations
    assert_in_range(held[0], 585 - 65, 585 + 65); // 4 of 7
    assert_in_range(held[1], 146 - 45, 146 + 45); // 1 of 7
    assert_in_range(held[2], 293 - 58, 293 + 58); // 2 of 7
    sl_rib_free(rib);
    free(table);
}

static void route_nexthops_are_shared_and_reused_only_after_reclaim(void **state)
{
    struct sl_rib *rib = sl_rib_new();
    struct sl_prefix a = prefix_of("10.0.0.0/8"), b = prefix_of("11.0.0.0/8");
    struct sl_rib_way one = via(1, "10.0.0.1", 1), two = via(1, "10.0.0.2", 1), three = via(1, "10.0.0.3", 1);
    uint64_t size;

    assert_int_equal(sl_rib_set(rib, &a, &one, 1), 0);
    assert_int_equal(sl_rib_set(rib, &b, &one, 1), 0);
    struct sl_route_table *table = image_make(rib, &size);
    assert_int_equal(sl_rib_attach(rib, table, size), 0);
    uint32_t shared = sl_lpm_value(lookup(image_lpm(table), &a.ip));
    assert_int_equal(sl_lpm_value(lookup(image_lpm(table), &b.ip)), shared);

    sl_rib_tick(rib, 5);
    assert_int_equal(sl_rib_set(rib, &a, &two, 1), 0);
    assert_int_equal(sl_rib_set(rib, &b, &two, 1), 0); // nobody names the first any more
    assert_int_equal(sl_rib_set(rib, &a, &three, 1), 0);
    assert_int_not_equal(sl_lpm_value(lookup(image_lpm(table), &a.ip)), shared);
    assert_int_equal(sl_rib_set(rib, &a, &two, 1), 0);
    sl_rib_reclaim(rib, 4); // too early
    assert_int_equal(sl_rib_set(rib, &a, &three, 1), 0);
    assert_int_not_equal(sl_lpm_value(lookup(image_lpm(table), &a.ip)), shared);
    assert_int_equal(sl_rib_remove(rib, &a), 0);
    sl_rib_reclaim(rib, 5);
    uint32_t count = table->nexthop_count;
    assert_int_equal(sl_rib_set(rib, &a, &one, 1), 0);
    assert_int_equal(table->nexthop_count, count);
    sl_rib_free(rib);
    free(table);
}

static void route_image_that_is_full_stays_as_it_was_until_another_is_attached(void **state)
{
    struct sl_rib *rib = sl_rib_new();
    struct sl_prefix net = prefix_of("10.0.0.0/8");
    struct sl_ip gateway = sl_ip_v4(0);
    uint64_t size;
    int status = 0;

    struct sl_route_table *table = image_make(rib, &size);
    assert_int_equal(sl_rib_attach(rib, table, size), 0);
    for (uint32_t i = 1; i < 5000 && status == 0; i++) { // a new next hop each time, no tick reclaimed
        gateway.w[3] = i;
        struct sl_rib_way way = {.kind = SL_NEXTHOP_GATEWAY, .gateway = gateway};
        status = sl_rib_set(rib, &net, &way, 1);
    }
    assert_int_equal(status, -ENOSPC);
    uint64_t epoch = table->epoch;
    const struct sl_nexthop *stuck = image_lookup(table, &net.ip, 0);
    assert_int_equal(stuck->gateway.w[3], gateway.w[3] - 1);
    struct sl_rib_way way = via(0, "10.0.0.1", 1);
    assert_int_equal(sl_rib_set(rib, &net, &way, 1), -ENOSPC);
    assert_int_equal(table->epoch, epoch);
    assert_int_equal(image_lookup(table, &net.ip, 0)->gateway.w[3], gateway.w[3] - 1);

    struct sl_route_table *fresh = image_make(rib, &size);
    assert_int_equal(sl_rib_attach(rib, fresh, size), 0);
    assert_int_equal(image_lookup(fresh, &net.ip, 0)->gateway.w[3], way.gateway.w[3]);
    assert_int_equal(sl_rib_remove(rib, &net), 0);
    assert_int_equal(image_lookup(fresh, &net.ip, 0)->kind, SL_NEXTHOP_NONE);
    sl_rib_free(rib);
    free(table);
    free(fresh);
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

// Times are printed, not asserted: the machine may be busy.
static void route_table_holds_a_million_routes(void **state)
{
    struct random r = random_seeded(__func__);
    struct sl_rib *rib = sl_rib_new();
    struct sl_rib_way way[4] = {via(0, "10.0.0.1", 1), via(1, "10.0.1.1", 1), via(2, "10.0.2.1", 1),
                                via(3, "10.0.3.1", 1)};
    uint64_t size;
    double start = now_ms();

    for (uint32_t i = 0; i < 1000000; i++) {
        struct sl_ip ip = sl_ip_v4(__builtin_bswap32((i * 2654435761u) & 0xffffff00));
        struct sl_prefix prefix = {.ip = ip, .len = 24};
        assert_int_equal(sl_rib_set(rib, &prefix, &way[i % 4], 1), 0);
    }
    double set = now_ms();
    struct sl_route_table *table = image_make(rib, &size);
    double compiled = now_ms();
    assert_int_equal(sl_lpm_check(image_lpm(table), table->lpm_size, table->nexthop_count - 1), 0);
    double checked = now_ms();
    assert_int_equal(sl_rib_attach(rib, table, size), 0);
    struct sl_prefix host = prefix_of("10.1.2.3/32");
    double attached = now_ms();
    assert_int_equal(sl_rib_set(rib, &host, way, 4), 0);
    printf("%zu routes: set %.0f ms, compile %.0f ms, check %.0f ms, one more in place %.3f ms\n",
           sl_rib_count(rib), set - start, compiled - set, checked - compiled, now_ms() - attached);
    for (unsigned i = 0; i < 10000; i++) {
        struct sl_ip ip = sl_ip_v4((uint32_t)random_next(&r));
        compare_address(rib, table, &ip, i);
    }
    sl_rib_free(rib);
    free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(route_image_answers_what_the_rib_says_after_every_change),
        cmocka_unit_test(routes_loaded_at_once_are_as_if_set_one_by_one),
        cmocka_unit_test(routes_that_cannot_be_loaded_are_named),
        cmocka_unit_test(route_can_be_found_listed_and_removed),
        cmocka_unit_test(route_group_without_one_way_moves_only_its_slots),
        cmocka_unit_test(route_nexthops_are_shared_and_reused_only_after_reclaim),
        cmocka_unit_test(route_image_that_is_full_stays_as_it_was_until_another_is_attached),
        cmocka_unit_test(route_table_holds_a_million_routes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
