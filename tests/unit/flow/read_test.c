// SPDX-License-Identifier: Apache-2.0
// Session files as control reads them: views from either side's opening, filters, pool use, headers that lie.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "table/flow_read.h"
#include "wire/headers.h"

#define ENTRIES 8

struct file {
    struct sl_flow_segment head;
    struct sl_flow entry[ENTRIES];
};

static struct sl_segment_map map_of(struct file *file)
{
    file->head.capacity = ENTRIES;
    file->head.entry_offset = offsetof(struct file, entry);
    file->head.worker = 3;
    return (struct sl_segment_map){file, sizeof(*file)};
}

static struct sl_ip ip(const char *text)
{
    struct sl_ip read;
    assert_int_equal(sl_ip_parse(text, &read), 0);
    return read;
}

// 10.0.0.`host`:`port`, outside `outside`:`outside_port`, to 192.0.2.1:53 over UDP.
static void put(struct sl_flow *flow, bool inbound, uint8_t host, uint16_t port, const char *outside,
                uint16_t outside_port)
{
    struct sl_ip inside = ip("10.0.0.0"), remote = ip("192.0.2.1");
    inside.b[15] = host;
    struct sl_flow_key near = {
        .src = inside, .dst = remote, .sport = sl_be16_of(port), .dport = sl_be16_of(53)};
    struct sl_flow_key far = {
        .src = remote, .dst = ip(outside), .sport = sl_be16_of(53), .dport = sl_be16_of(outside_port)};
    memset(flow, 0, sizeof(*flow));
    flow->key0 = inbound ? far : near;
    flow->key1 = inbound ? near : far;
    flow->kind = SL_FLOW_NAT_SOURCE;
    flow->proto = 17;
    flow->flags = inbound ? SL_FLOW_INBOUND : 0;
    flow->packets0 = 5;
    flow->packets1 = 7;
}

static void view_is_the_same_whoever_opened_the_flow(void **state)
{
    static struct file file;
    struct sl_flow_view view;
    for (int inbound = 0; inbound < 2; inbound++) {
        put(&file.entry[0], inbound, 11, 4000, "198.51.100.100", 1024);
        assert_true(sl_flow_view_of(&file.entry[0], &view));
        struct sl_ip inside = ip("10.0.0.11"), outside = ip("198.51.100.100"), remote = ip("192.0.2.1");
        assert_true(sl_ip_equal(&view.inside, &inside));
        assert_true(sl_ip_equal(&view.outside, &outside));
        assert_true(sl_ip_equal(&view.remote, &remote));
        assert_int_equal(view.inside_port, 4000);
        assert_int_equal(view.outside_port, 1024);
        assert_int_equal(view.remote_port, 53);
        assert_int_equal(view.packets_out, inbound ? 7 : 5);
        assert_int_equal(view.packets_in, inbound ? 5 : 7);
    }
}

static uint32_t count(struct file *file, const struct sl_flow_match *match)
{
    struct sl_segment_map map = map_of(file);
    struct sl_flow_view view;
    uint32_t cursor = 0, found = 0;
    while (sl_flow_next(&map, match, &cursor, &view)) {
        assert_int_equal(view.worker, 3);
        found++;
    }
    return found;
}

static void filters_narrow_what_is_listed(void **state)
{
    static struct file file;
    for (uint8_t i = 0; i < 6; i++)
        put(&file.entry[i], i & 1, 10 + i, 4000 + i, "198.51.100.100", 1024 + i);
    file.entry[6].kind = 99; // torn
    assert_int_equal(count(&file, NULL), 6);
    struct sl_flow_match match = {0};
    assert_int_equal(count(&file, &match), 6);
    match.inside = (struct sl_prefix){.ip = ip("10.0.0.12"), .len = 31};
    assert_int_equal(count(&file, &match), 2);
    match.inside_port = 4003;
    assert_int_equal(count(&file, &match), 1);
    match = (struct sl_flow_match){.outside_port = 1024};
    assert_int_equal(count(&file, &match), 1);
    match = (struct sl_flow_match){.remote_port = 80};
    assert_int_equal(count(&file, &match), 0);
    match = (struct sl_flow_match){.proto = 6};
    assert_int_equal(count(&file, &match), 0);
    match = (struct sl_flow_match){.kind = SL_FLOW_NAT_SOURCE};
    assert_int_equal(count(&file, &match), 6);
}

// A client's connection to [2001:db8::80]:443, balanced to 10.0.0.7:8443 from an address of ours (full NAT).
static void balanced_flow_shows_its_member_and_its_service(void **state)
{
    static struct file file;
    struct sl_flow *flow = &file.entry[2];
    struct sl_ip client = ip("2001:db8::1"), service = ip("2001:db8::80"), member = ip("10.0.0.7");
    flow->key0 = (struct sl_flow_key){
        .src = client, .dst = service, .sport = sl_be16_of(5000), .dport = sl_be16_of(443)};
    flow->key1 = (struct sl_flow_key){
        .src = member, .dst = ip("10.0.0.1"), .sport = sl_be16_of(8443), .dport = sl_be16_of(1024)};
    flow->kind = SL_FLOW_BALANCE;
    flow->proto = 6;
    flow->packets0 = 5;
    flow->packets1 = 7;
    flow->mapping = SL_FLOW_MAPPING(8190, 524286);
    for (int flags = 0; flags < 2; flags++) { // inbound, whatever a torn entry says
        struct sl_flow_view view;
        flow->flags = flags ? SL_FLOW_INBOUND | SL_FLOW_CUT : 0;
        assert_true(sl_flow_view_of(flow, &view));
        assert_int_equal(view.cut, flags);
        assert_true(view.inbound && sl_ip_equal(&view.inside, &member) && view.inside_port == 8443);
        assert_true(sl_ip_equal(&view.outside, &service) && view.outside_port == 443);
        assert_true(sl_ip_equal(&view.remote, &client) && view.remote_port == 5000);
        assert_int_equal(view.packets_in, 5);
        assert_int_equal(view.packets_out, 7);
        assert_int_equal(view.service, 8190);
        assert_int_equal(view.member, 524286);
    }
    put(&file.entry[0], false, 11, 1, "198.51.100.100", 1024);
    struct sl_flow_match match = {.kind = SL_FLOW_BALANCE, .inside = {.ip = member, .len = 32}};
    assert_int_equal(count(&file, &match), 1);
    struct sl_flow_view view;
    file.entry[0].flags |= SL_FLOW_CONTACT; // the same bit, of another kind
    assert_true(sl_flow_view_of(&file.entry[0], &view));
    assert_false(view.cut);
    assert_int_equal(view.service, SL_BALANCE_NONE);
    assert_int_equal(view.member, SL_BALANCE_NONE);
}

static void header_that_lies_lists_nothing(void **state)
{
    static struct file file;
    struct sl_flow_view view;
    put(&file.entry[0], false, 11, 1, "198.51.100.100", 1024);
    struct sl_segment_map map = map_of(&file);
    const uint64_t offsets[] = {0xffffffffffffff00, sizeof(file) + 128, 13};
    for (unsigned i = 0; i < 3; i++) {
        uint32_t cursor = 0;
        file.head.entry_offset = offsets[i];
        assert_false(sl_flow_next(&map, NULL, &cursor, &view));
    }
    uint32_t cursor = 0;
    map_of(&file);
    file.head.capacity = ENTRIES + 1;
    assert_false(sl_flow_next(&map, NULL, &cursor, &view));
}

static void pool_use_counts_ports_blocks_and_subscribers_once(void **state)
{
    static struct file file[2];
    static struct {
        struct sl_nat_table head;
        sl_be32 address[3];
    } nat;
    nat.head.address_count = 3;
    nat.head.address_offset = sizeof(nat.head);
    nat.address[0] = ip("198.51.100.102").w[3]; // in no order
    nat.address[1] = ip("198.51.100.100").w[3];
    nat.address[2] = ip("198.51.100.101").w[3];
    put(&file[0].entry[0], false, 11, 4000, "198.51.100.100", 1024);
    put(&file[0].entry[1], true, 11, 4000, "198.51.100.100", 1024); // another flow of the same mapping
    put(&file[0].entry[2], false, 11, 4001, "198.51.100.100", 1025);
    put(&file[1].entry[0], false, 12, 4000, "198.51.100.100", 1024 + 64);
    put(&file[1].entry[1], false, 12, 4000, "198.51.100.101", 2000);
    put(&file[1].entry[2], false, 12, 4000, "203.0.113.1", 2000); // not a pool's
    struct sl_segment_map map[2] = {map_of(&file[0]), map_of(&file[1])};
    struct sl_nat_usage usage[3];
    assert_int_equal(sl_nat_usage_count(&nat.head, map, 2, usage), 0);
    assert_int_equal(usage[0].flows, 0);
    assert_int_equal(usage[1].flows, 4);
    assert_int_equal(usage[1].ports[SL_NAT_UDP], 3);
    assert_int_equal(usage[1].blocks[SL_NAT_UDP], 2);
    assert_int_equal(usage[1].ports[SL_NAT_TCP], 0);
    assert_int_equal(usage[1].subscribers, 2);
    assert_int_equal(usage[2].ports[SL_NAT_UDP], 1);
    assert_int_equal(usage[2].subscribers, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(view_is_the_same_whoever_opened_the_flow),
        cmocka_unit_test(filters_narrow_what_is_listed),
        cmocka_unit_test(balanced_flow_shows_its_member_and_its_service),
        cmocka_unit_test(header_that_lies_lists_nothing),
        cmocka_unit_test(pool_use_counts_ports_blocks_and_subscribers_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
