// SPDX-License-Identifier: Apache-2.0
// NAT for the harness. Test thread, which plays worker and housekeeping alike.
#include "harness_nat.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include "flow/memory.h"
#include "wire/checksum.h"
#include "wire/l4.h"

sl_be32 ip4(const char *text)
{
    return harness_ip_of(text).w[3];
}

static void network(struct harness *h)
{
    harness_port(h, NAT_LAN, SL_PORT_NAT);
    harness_port(h, NAT_WAN, SL_PORT_NAT);
    harness_address(h, NAT_LAN, "10.0.0.1/24");
    harness_address(h, NAT_WAN, "198.51.100.1/24");
    harness_neighbor(h, NAT_LAN, "10.0.0.11");
    harness_neighbor(h, NAT_LAN, "10.0.0.12");
    harness_neighbor(h, NAT_WAN, "198.51.100.21");
    harness_neighbor(h, NAT_WAN, "198.51.100.22");
    harness_neighbor(h, NAT_WAN, "198.51.100.23");
    uint32_t far = harness_nexthop(h, SL_NEXTHOP_GATEWAY, NAT_WAN, "198.51.100.23");
    harness_route(h, "192.0.2.0/24", far);
    harness_route(h, "203.0.113.0/24", far);
    harness_route(h, "198.51.100.96/28", harness_nexthop(h, SL_NEXTHOP_POOL, NAT_WAN, NULL));
}

static void table_empty(struct sl_nat_table *head)
{
    *head = (struct sl_nat_table){
        .timeouts = {.udp = 300,
                     .udp_dns = 30,
                     .icmp = 60,
                     .tcp_established = 7440,
                     .tcp_transitory = 240,
                     .other = 300},
        .pool_offset = offsetof(struct harness_nat_table, pool),
        .address_offset = offsetof(struct harness_nat_table, address),
        .source_offset = offsetof(struct harness_nat_table, source),
        .static_offset = offsetof(struct harness_nat_table, one),
        .forward_offset = offsetof(struct harness_nat_table, forward),
    };
}

struct harness_nat *harness_nat_new_workers(uint32_t workers, uint32_t capacity)
{
    struct harness_nat *n = calloc(1, sizeof(*n));
    n->h = harness_new(workers);
    n->share = nat_share_new();
    n->capacity = capacity;
    for (uint32_t i = 0; i < workers; i++) {
        struct worker *worker = n->h->worker[i];
        struct sl_flow *entries = flow_memory_new(capacity * sizeof(*entries));
        assert_non_null(entries);
        assert_int_equal(flow_table_init(&n->flows[i], entries, capacity, &worker->hash_seed, worker->now_ms),
                         0);
        n->flows[i].worker = i;
        n->flows[i].worker_count = workers;
        flow_table_adopt(&n->flows[i]);
        worker->flows = &n->flows[i];
        worker->nat = nat_new(n->share, worker->flows, i, workers, &worker->hash_seed, NULL);
        assert_non_null(worker->nat);
    }
    network(n->h);
    table_empty(&n->table[0].head);
    return n;
}

// With every flow gone, so must be all that flows hold.
static void nothing_held(struct worker *worker)
{
    struct nat *nat = worker->nat;
    for (uint32_t i = 0; i < worker->flows->capacity; i++)
        if (worker->flows->entry[i].kind != SL_FLOW_FREE)
            flow_end(worker, i, SL_COUNTER_flow_killed);
    assert_int_equal(worker->flows->spare_count, nat->capacity);
    assert_int_equal(worker->flows->index.keys, 0);
    assert_int_equal(nat->mappings.count, nat->capacity);
    assert_int_equal(nat->blocks.count, nat->capacity);
    assert_int_equal(nat->subscribers.count, nat->capacity);
    assert_int_equal(nat->contacts.count, nat->capacity);
    assert_int_equal(nat->mapping_index.keys + nat->subscriber_index.keys + nat->contact_index.keys, 0);
}

void harness_nat_free(struct harness_nat *n)
{
    for (uint32_t i = 0; i < n->h->worker_count; i++) {
        struct worker *worker = n->h->worker[i];
        nothing_held(worker);
        nat_free(worker->nat);
        flow_memory_free(worker->flows->entry, worker->flows->capacity * sizeof(struct sl_flow));
        flow_table_fini(worker->flows);
    }
    nat_share_unbind(n->share, &n->h->tables);
    nat_share_free(n->share);
    harness_free(n->h);
    free(n);
}

// ---- the table of the next generation ----------------------------------------------------------------------
struct harness_nat_table *harness_nat_table(struct harness_nat *n)
{
    return &n->table[n->generation % 2];
}

void harness_nat_clear(struct harness_nat *n)
{
    table_empty(&harness_nat_table(n)->head);
}

void harness_nat_pool(struct harness_nat *n, const char *name, const char *first, uint32_t count,
                      uint32_t blocks, enum sl_nat_filtering filtering)
{
    struct harness_nat_table *t = harness_nat_table(n);
    struct sl_nat_pool *pool = &t->pool[t->head.pool_count++];
    *pool = (struct sl_nat_pool){.first = t->head.address_count,
                                 .count = count,
                                 .blocks_per_subscriber = blocks,
                                 .filtering = filtering};
    snprintf(pool->name, sizeof(pool->name), "%s", name);
    for (uint32_t i = 0; i < count; i++)
        t->address[t->head.address_count++] = htonl(ntohl(ip4(first)) + i);
}

void harness_nat_source(struct harness_nat *n, const char *inside, uint16_t port, uint16_t pool)
{
    struct harness_nat_table *t = harness_nat_table(n);
    struct sl_nat_source *rule = &t->source[t->head.source_count++];
    *rule = (struct sl_nat_source){.port = port, .pool = pool};
    assert_int_equal(sl_prefix_parse(inside, &rule->inside), 0);
}

void harness_nat_static(struct harness_nat *n, const char *inside, const char *outside)
{
    struct harness_nat_table *t = harness_nat_table(n);
    t->one[t->head.static_count++] = (struct sl_nat_static){ip4(inside), ip4(outside)};
}

void harness_nat_forward(struct harness_nat *n, uint8_t proto, const char *outside, uint16_t first,
                         uint16_t last, const char *inside, uint16_t inside_first)
{
    struct harness_nat_table *t = harness_nat_table(n);
    t->forward[t->head.forward_count++] = (struct sl_nat_forward){
        .outside = ip4(outside),
        .inside = ip4(inside),
        .outside_first = first,
        .outside_last = last,
        .inside_first = inside_first,
        .proto = proto,
    };
}

void harness_nat_ready(struct harness_nat *n)
{
    struct harness_nat_table *t = harness_nat_table(n);
    struct harness *h = n->h;
    bool first = n->generation++ == 0;
    n->before = h->tables;
    t->head.segment.serial = n->generation;
    h->tables.nat = &t->head;
    assert_int_equal(nat_share_bind(n->share, &h->tables, NULL), 0);
    harness_ready(h);
    for (uint32_t i = 0; i < h->worker_count; i++)
        nat_tables_taken(h->worker[i], first ? NULL : &n->before);
    if (!first)
        nat_share_unbind(n->share, &n->before);
    *harness_nat_table(n) = *t;
}

void harness_nat_tick(struct harness_nat *n)
{
    for (uint32_t i = 0; i < n->h->worker_count; i++)
        for (int pass = 0; flow_tick(n->h->worker[i]) > 0; pass++)
            assert_true(pass < 100000);
}

// ---- looking -----------------------------------------------------------------------------------------------
uint32_t harness_nat_flows(const struct harness_nat *n)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < n->h->worker_count; i++)
        used += n->flows[i].capacity - n->flows[i].spare_count;
    return used;
}

static uint64_t l4_sum(const struct sl_ipv4 *ip, const uint8_t *l4, uint16_t l4_len)
{
    uint64_t pseudo = ip->proto == IPPROTO_ICMP ? 0 : sl_csum_pseudo_v4(ip->src, ip->dst, ip->proto, l4_len);
    return sl_csum_add(pseudo, l4, l4_len);
}

uint16_t harness_nat_residue(struct rte_mbuf *frame)
{
    uint8_t bytes[2048];
    assert_in_range(frame->pkt_len, 34, sizeof(bytes));
    const uint8_t *all = rte_pktmbuf_read(frame, 0, frame->pkt_len, bytes);
    const struct sl_ipv4 *ip = (const struct sl_ipv4 *)(all + 14);
    uint16_t header = (ip->version_ihl & 15) * 4u, l4_len = (uint16_t)(sl_host16(ip->total_len) - header);
    const uint8_t *l4 = all + 14 + header;
    assert_int_equal(sl_csum_ipv4_header(ip, header), 0);
    if (sl_host16(ip->fragment) & (SL_IPV4_MF | SL_IPV4_OFFSET))
        return 0;
    if (ip->proto == IPPROTO_UDP && ((const struct sl_udp *)l4)->checksum == 0)
        return 0;
    if (ip->proto != IPPROTO_UDP && ip->proto != IPPROTO_TCP && ip->proto != IPPROTO_ICMP)
        return 0;
    return sl_csum_finish(l4_sum(ip, l4, l4_len));
}

void harness_nat_check(struct rte_mbuf *frame)
{
    assert_int_equal(harness_nat_residue(frame), 0);
}

struct rte_mbuf *harness_nat_through(struct harness_nat *n, uint16_t in, struct rte_mbuf *frame, uint16_t out)
{
    harness_send(n->h, in, frame);
    harness_settle(n->h);
    struct rte_mbuf *sent = harness_sent(n->h, out);
    if (sent != NULL)
        harness_nat_check(sent);
    return sent;
}

struct ends harness_nat_ends(struct rte_mbuf *frame)
{
    assert_non_null(frame);
    const struct sl_ipv4 *ip = harness_ipv4_of(frame);
    const struct sl_udp *ports = harness_l4_of(frame);
    const struct sl_icmp *icmp = harness_l4_of(frame);
    struct ends ends = {ip->src, ip->dst, sl_host16(ports->sport), sl_host16(ports->dport)};
    if (ip->proto == IPPROTO_ICMP)
        ends.sport = ends.dport = sl_host16(icmp->id);
    rte_pktmbuf_free(frame);
    return ends;
}

struct ends harness_nat_udp(struct harness_nat *n, const char *src, uint16_t sport, const char *dst,
                            uint16_t dport)
{
    return harness_nat_ends(
        harness_nat_through(n, NAT_LAN, harness_udp(NAT_LAN, src, dst, sport, dport, 32), NAT_WAN));
}

struct ends harness_nat_tcp(struct harness_nat *n, const char *src, uint16_t sport, const char *dst,
                            uint16_t dport, uint8_t flags)
{
    return harness_nat_ends(
        harness_nat_through(n, NAT_LAN, harness_tcp(NAT_LAN, src, dst, sport, dport, flags, 32), NAT_WAN));
}
