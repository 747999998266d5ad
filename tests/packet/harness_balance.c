// SPDX-License-Identifier: Apache-2.0
// Balancing for the harness. Test thread, which plays worker, housekeeping and control alike.
#include "harness_balance.h"
#include <stdlib.h>
#include <unistd.h>
#include "shm/check.h"
#include "wire/l4.h"

static void network(struct harness *h)
{
    harness_address(h, NAT_LAN, "fd00::1/64");
    harness_address(h, NAT_WAN, "2001:db8:100::1/64");
    harness_neighbor(h, NAT_LAN, "fd00::11");
    harness_neighbor(h, NAT_WAN, "2001:db8:100::23");
    uint32_t inside = harness_nexthop(h, SL_NEXTHOP_GATEWAY, NAT_LAN, "10.0.0.11");
    uint32_t inside_v6 = harness_nexthop(h, SL_NEXTHOP_GATEWAY, NAT_LAN, "fd00::11");
    uint32_t far_v6 = harness_nexthop(h, SL_NEXTHOP_GATEWAY, NAT_WAN, "2001:db8:100::23");
    harness_route(h, "10.1.0.0/16", inside);
    harness_route(h, "203.0.0.0/8", harness_nexthop(h, SL_NEXTHOP_GATEWAY, NAT_WAN, "198.51.100.23"));
    harness_route(h, "fd01::/64", inside_v6);
    harness_route(h, "2001:db8:9::/64", far_v6);
    harness_route(h, "2001:db8:100::80/128", harness_nexthop(h, SL_NEXTHOP_POOL, NAT_WAN, NULL));
}

struct harness_balance *harness_balance_new(uint32_t workers, uint32_t capacity)
{
    struct harness_balance *b = calloc(1, sizeof(*b));
    b->n = harness_nat_new_workers(workers, capacity);
    b->h = b->n->h;
    snprintf(b->run_dir, sizeof(b->run_dir), "/tmp/sluice-balance-XXXXXX");
    assert_non_null(mkdtemp(b->run_dir));
    b->share = balance_share_new(b->run_dir, workers);
    for (uint32_t i = 0; i < workers; i++) {
        b->balance[i] = balance_new(b->share, b->h->worker[i]->flows, i, NULL);
        assert_non_null(b->balance[i]);
        b->h->worker[i]->balance = b->balance[i];
    }
    network(b->h);
    b->input = (struct sl_balance_input){
        .service = b->service,
        .pool = b->pool,
        .member = b->member,
        .source = b->source,
        .listen = b->listen,
        .hash_seed = 20261125,
    };
    return b;
}

static void nothing_counted(const struct harness_balance *b)
{
    for (uint32_t i = 0; i < b->input.service_count; i++)
        assert_int_equal(harness_balance_service_sum(b, b->service[i].slot).flows_now, 0);
    for (uint32_t i = 0; i < b->input.member_count; i++)
        assert_int_equal(harness_balance_member_sum(b, b->member[i].slot).flows_now, 0);
}

void harness_balance_free(struct harness_balance *b)
{
    struct tables tables = b->h->tables;
    uint32_t workers = b->h->worker_count;
    harness_nat_free(b->n);
    nothing_counted(b);
    for (uint32_t i = 0; i < workers; i++)
        balance_free(b->balance[i]);
    balance_share_unbind(&tables);
    balance_share_free(b->share);
    for (uint32_t i = 0; i < SL_BALANCE_CHUNKS; i++) {
        char name[64];
        snprintf(name, sizeof(name), "balance-counter.%u", i);
        sl_segment_unlink(b->run_dir, name);
    }
    assert_int_equal(rmdir(b->run_dir), 0);
    free(b->table);
    free(b);
}

// ---- the table of the next generation -----------------------------------------------------------------------
uint32_t harness_balance_pool(struct harness_balance *b, enum sl_balance_method method)
{
    uint32_t index = b->input.pool_count++;
    b->pool[index] = (struct sl_balance_pool){.method = method, .first = b->input.member_count};
    snprintf(b->pool[index].name, sizeof(b->pool[index].name), "pool%u", index);
    return index;
}

uint32_t harness_balance_member(struct harness_balance *b, uint32_t pool, const char *ip, uint16_t port,
                                uint16_t weight)
{
    uint32_t index = b->input.member_count++;
    assert_int_equal(pool, b->input.pool_count - 1);
    assert_true(index < BALANCE_TEST_PARTS);
    b->member[index] = (struct sl_balance_member){
        .ip = harness_ip_of(ip),
        .port = port,
        .weight = weight,
        .word = SL_BALANCE_WORD(SL_BALANCE_UP, weight),
        .slot = index,
        .pool = pool,
    };
    b->pool[pool].count++;
    return index;
}

uint32_t harness_balance_service(struct harness_balance *b, uint32_t pool)
{
    uint32_t index = b->input.service_count++;
    b->service[index] = (struct sl_balance_service){
        .slot = index, .pool = pool, .affinity_len_v4 = 32, .affinity_len_v6 = 128};
    snprintf(b->service[index].name, sizeof(b->service[index].name), "service%u", index);
    return index;
}

void harness_balance_listen(struct harness_balance *b, uint32_t service, const char *ip, uint8_t proto,
                            uint16_t first, uint16_t last)
{
    b->listen[b->input.listen_count++] = (struct sl_balance_listen){
        .ip = harness_ip_of(ip), .proto = proto, .first_port = first, .last_port = last, .service = service};
}

void harness_balance_simple(struct harness_balance *b, enum sl_balance_method method, uint32_t members)
{
    uint32_t pool = harness_balance_pool(b, method);
    for (uint32_t i = 0; i < members; i++) {
        char ip[SL_IP_TEXT];
        snprintf(ip, sizeof(ip), "10.1.%u.%u", i / 250, 1 + i % 250);
        harness_balance_member(b, pool, ip, 8080, 1);
    }
    uint32_t service = harness_balance_service(b, pool);
    harness_balance_listen(b, service, BALANCE_VIP, IPPROTO_TCP, 80, 80);
    harness_balance_listen(b, service, BALANCE_VIP, IPPROTO_UDP, 80, 80);
}

static struct sl_balance_table *table_build(struct harness_balance *b)
{
    struct sl_error error = {""};
    uint64_t size = sl_balance_size(&b->input);
    assert_true(size > 0);
    struct sl_balance_table *table = aligned_alloc(64, (size + 63) & ~63ull);
    assert_non_null(table);
    memset(table, 0, size);
    sl_segment_fill(&table->segment, SL_SEG_BALANCE, size, ++b->serial);
    if (sl_balance_build(&b->input, table, size, &error) != 0)
        fail_msg("%s", error.text);
    if (sl_balance_table_check(table, size, &error) != 0)
        fail_msg("%s", error.text);
    return table;
}

void harness_balance_ready(struct harness_balance *b)
{
    struct harness *h = b->h;
    struct sl_error error = {""};
    bool first = b->table == NULL;
    struct sl_balance_table *old_table = b->table;
    struct tables before = h->tables;
    b->table = table_build(b);
    h->tables.balance = b->table;
    if (balance_share_bind(b->share, &h->tables, 1, &error) != 0)
        fail_msg("%s", error.text);
    harness_nat_ready(b->n);
    for (uint32_t i = 0; i < h->worker_count; i++)
        balance_tables_taken(h->worker[i], first ? NULL : &before);
    balance_share_unbind(&before);
    free(old_table);
    if (!b->lazy)
        harness_nat_tick(b->n);
}

void harness_balance_set(struct harness_balance *b, uint32_t pool, uint32_t member,
                         enum sl_balance_state state, uint16_t weight)
{
    const struct sl_balance_change change = {.member = member, .weight = weight, .state = state};
    b->member[b->pool[pool].first + member].word = SL_BALANCE_WORD(state, weight);
    assert_int_equal(sl_balance_update(b->table, pool, &change, 1), 0);
    if (!b->lazy)
        harness_nat_tick(b->n);
}

// ---- looking ------------------------------------------------------------------------------------------------
struct sl_balance_service_counters harness_balance_service_sum(const struct harness_balance *b, uint32_t slot)
{
    struct sl_balance_service_counters sum;
    sl_balance_service_sum(balance_share_counters(b->share), slot, &sum);
    return sum;
}

struct sl_balance_member_counters harness_balance_member_sum(const struct harness_balance *b, uint32_t slot)
{
    struct sl_balance_member_counters sum;
    sl_balance_member_sum(balance_share_counters(b->share), slot, &sum);
    return sum;
}

struct harness_balance *harness_balance_way(uint32_t workers, enum sl_balance_way way, uint32_t members)
{
    struct harness_balance *b = harness_balance_new(workers, 256);

    harness_balance_simple(b, SL_BALANCE_MAGLEV, members);
    b->pool[0].way = way;
    b->pool[0].source_count = b->input.source_count = 2;
    b->source[0] = harness_ip_of(BALANCE_SOURCE);
    b->source[1] = harness_ip_of(BALANCE_SOURCE_V6);
    b->pool[0].tunnel_port = way == SL_BALANCE_GUE ? 6080 : 0;
    return b;
}

struct rte_mbuf *harness_balance_at(struct harness_balance *b, uint32_t worker, uint16_t in, struct rte_mbuf *frame,
                                    uint16_t out)
{
    harness_send_to(b->h, worker, in, &frame, 1);
    harness_settle(b->h);
    return harness_sent(b->h, out);
}

struct rte_mbuf *harness_balance_through(struct harness_balance *b, uint16_t in, struct rte_mbuf *frame,
                                         uint16_t out)
{
    harness_send(b->h, in, frame);
    harness_settle(b->h);
    struct rte_mbuf *sent = harness_sent(b->h, out);
    if (sent == NULL)
        return NULL;
    if (harness_eth_of(sent)->type == sl_be16_of(SL_ETHERTYPE_IPV4))
        harness_nat_check(sent);
    else
        assert_true(sl_check_l4_checksum(harness_ipv6_of(sent)));
    return sent;
}

struct ends6 harness_balance_ends(struct rte_mbuf *frame)
{
    struct ends6 ends;
    assert_non_null(frame);
    const struct sl_udp *ports = harness_l4_of(frame);
    if (harness_eth_of(frame)->type == sl_be16_of(SL_ETHERTYPE_IPV4)) {
        ends.src = sl_ip_v4(harness_ipv4_of(frame)->src);
        ends.dst = sl_ip_v4(harness_ipv4_of(frame)->dst);
    } else {
        memcpy(ends.src.b, harness_ipv6_of(frame)->src, 16);
        memcpy(ends.dst.b, harness_ipv6_of(frame)->dst, 16);
    }
    ends.sport = sl_host16(ports->sport);
    ends.dport = sl_host16(ports->dport);
    rte_pktmbuf_free(frame);
    return ends;
}

static uint32_t member_reached(struct harness_balance *b, struct rte_mbuf *frame)
{
    struct rte_mbuf *out = harness_balance_through(b, NAT_WAN, frame, NAT_LAN);
    return out ? harness_balance_ends(out).dst.b[15] : 0;
}

uint32_t harness_balance_udp(struct harness_balance *b, const char *client, uint16_t sport)
{
    return member_reached(b, harness_udp(NAT_WAN, client, BALANCE_VIP, sport, 80, 10));
}

uint32_t harness_balance_tcp(struct harness_balance *b, const char *client, uint16_t sport, uint8_t flags)
{
    return member_reached(b, harness_tcp(NAT_WAN, client, BALANCE_VIP, sport, 80, flags, 0));
}
