// SPDX-License-Identifier: Apache-2.0
// The whole pipeline under hostile traffic: bursts of good, spoiled, cut and chained packets through two workers with
// NAT and services, while generations and members change, routes change their epoch, and time jumps. After every burst: no buffer is lost,
// every flow is found by both its keys, every packet that left has right checksums (unless it came spoiled), and what
// did not leave was dropped for a reason with a name. A cmocka program, because it drives the harness.
//
//     fuzz-pipeline [SECONDS [SEED]]    rounds of a new gateway each, the seed of each printed (default 5 s)
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "endpoint/endpoint.h"
#include "harness_balance.h"
#include "route/fragment.h"
#include "wire/l4.h"

#define WORKERS      2
#define BURSTS       400 // of a round
#define BURST_FRAMES 32

static struct harness_balance *balanced; // this round's
static uint64_t balanced_flows;          // of all rounds
static uint64_t crossed_errors;          // ICMP errors that left in the other family, of all rounds
static uint64_t state_word = 1;
static unsigned seconds = 5;
static uint64_t first_seed = 20261123;

static uint32_t draw(uint32_t below)
{
    state_word ^= state_word << 13;
    state_word ^= state_word >> 7;
    state_word ^= state_word << 17;
    return (uint32_t)((state_word >> 32) % below);
}

static const char *any_v4(void)
{
    static const char *const address[] = {
        BALANCE_VIP,      "198.51.100.106", "10.1.0.1",        "10.1.0.2",  BALANCE_VIP,
        "10.0.0.11",      "10.0.0.12",      "10.0.0.99",       "10.0.0.1",  "198.51.100.21",
        "198.51.100.22",  "198.51.100.1",   "198.51.100.100",  "192.0.2.7", "203.0.113.9",
        "198.51.100.101", "198.51.100.103", "255.255.255.255", "224.0.0.5", "127.0.0.1",
        "0.0.0.0"};
    return address[draw(draw(8) ? 17 : RTE_DIM(address))];
}

static const char *any_v6(void)
{
    static const char *const address[] = {"2001:db8:100::81", BALANCE_VIP_V6, "fd01::1",  BALANCE_VIP_V6,     "fd01::2",
                                          "fd00::11",     "fd00::1",  "2001:db8:100::21", "2001:db8:100::1",
                                          "ff02::1",      "fe80::11", "2001:db8:9::9",    "::"};
    return address[draw(RTE_DIM(address))];
}

static uint16_t any_port(void)
{
    static const uint16_t port[] = {53, 80, 1024, 1025, 4000, 4001, 8080, 65535};
    return draw(2) ? port[draw(RTE_DIM(port))] : (uint16_t)(1 + draw(65535));
}

// ---- packets that left ----------------------------------------------------------------------------------------
// From the IP header on: errors about them reach live flows, which random ports hardly ever do.
#define SEEN_BYTES 1400
static struct seen {
    uint16_t port, len;
    uint8_t l3[SEEN_BYTES];
} seen[64];
static uint32_t seen_count;

static void remember(const struct rte_mbuf *m, uint16_t port)
{
    struct seen *at = &seen[seen_count < RTE_DIM(seen) ? seen_count : draw(RTE_DIM(seen))];

    if (m->data_len < 14 + 48)
        return;
    at->port = port;
    at->len = RTE_MIN((uint16_t)(m->data_len - 14), (uint16_t)SEEN_BYTES);
    memcpy(at->l3, rte_pktmbuf_mtod_offset(m, const uint8_t *, 14), at->len);
    seen_count = RTE_MIN(seen_count + 1, (uint32_t)RTE_DIM(seen));
}

// One that left by the port, of the IP version; NULL: a few draws found none.
static const struct seen *any_seen(uint16_t port, uint8_t version)
{
    for (uint32_t i = 0; seen_count && i < 8; i++) {
        const struct seen *one = &seen[draw(seen_count)];
        if (one->port == port && one->l3[0] >> 4 == version)
            return one;
    }
    return NULL;
}

// A router's error about it, back by where it left: any type and code, MTUs and pointers far out, quotes cut anywhere.
static struct rte_mbuf *error_about(uint16_t in, const struct seen *about)
{
    bool v4 = about->l3[0] >> 4 == 4;
    uint16_t least = v4 ? 28 : 48;
    uint16_t len = (uint16_t)(least + draw(draw(2) ? 20 : about->len - least + 1u));
    struct sl_emit_ip ip = {.src = harness_ip_of(in ? (v4 ? "198.51.100.23" : "2001:db8:100::21")
                                                    : (v4 ? "10.0.0.11" : "fd00::11")),
                            .proto = v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6};
    static const uint8_t type_v4[] = {SL_ICMP_UNREACHABLE, SL_ICMP_TIME_EXCEEDED, SL_ICMP_PARAMETER};
    uint8_t type = v4 ? type_v4[draw(3)] : (uint8_t)(1 + draw(4));
    uint32_t rest = draw(2) ? draw(2000) : draw(UINT32_MAX) & draw(UINT32_MAX);

    len = RTE_MIN(len, about->len);
    ip.payload_len = (uint16_t)(8 + len);
    if (v4) {
        sl_be32 src;
        memcpy(&src, about->l3 + offsetof(struct sl_ipv4, src), sizeof(src));
        ip.dst = sl_ip_v4(src);
    } else {
        memcpy(ip.dst.b, about->l3 + offsetof(struct sl_ipv6, src), 16);
    }
    struct rte_mbuf *m = harness_ip(in, &ip);
    memcpy(sl_emit_icmp(harness_l4_of(m), type, (uint8_t)draw(16), draw(2) ? 0 : sl_be32_of(rest)), about->l3, len);
    sl_emit_l4_checksum(v4 ? (void *)harness_ipv4_of(m) : (void *)harness_ipv6_of(m));
    return m;
}

// From the service's address of both families: members of the other family, or routers before them, said so.
static bool is_crossed_error(struct rte_mbuf *m)
{
    const struct sl_ipv6 *ip = harness_ipv6_of(m);
    struct sl_ip vip = harness_ip_of("2001:db8:100::81");

    return harness_eth_of(m)->type == sl_be16_of(SL_ETHERTYPE_IPV6) && ip->next == IPPROTO_ICMPV6 &&
           memcmp(ip->src, vip.b, 16) == 0 && *(const uint8_t *)(ip + 1) < 128;
}

// ---- packets --------------------------------------------------------------------------------------------------
static struct rte_mbuf *icmp_error_v6(uint16_t in)
{
    const struct seen *one = draw(4) ? any_seen(in, 6) : NULL;
    if (one)
        return error_about(in, one);
    struct rte_mbuf *about = harness_udp(in, any_v6(), any_v6(), any_port(), any_port(), 20);
    const struct sl_ipv6 *quote = harness_ipv6_of(about);
    uint16_t len = (uint16_t)(48 + draw(20));
    struct sl_emit_ip ip = {.src = harness_ip_of(any_v6()), .proto = IPPROTO_ICMPV6, .payload_len = 8 + len};

    memcpy(ip.dst.b, quote->src, 16);
    struct rte_mbuf *m = harness_ip(in, &ip);
    memcpy(sl_emit_icmp(harness_l4_of(m), (uint8_t)(1 + draw(4)), 0, 0), quote, len);
    sl_emit_l4_checksum(harness_ipv6_of(m));
    rte_pktmbuf_free(about);
    return m;
}

static struct rte_mbuf *icmp_error(uint16_t in)
{
    const struct seen *one = draw(4) ? any_seen(in, 4) : NULL;
    if (one)
        return error_about(in, one);
    struct rte_mbuf *about = draw(2) ? harness_udp(in, any_v4(), any_v4(), any_port(), any_port(), 20)
                                     : harness_tcp(in, any_v4(), any_v4(), any_port(), any_port(), 2, 20);
    const struct sl_ipv4 *quote = harness_ipv4_of(about);
    uint16_t len = (uint16_t)(28 + draw(20));
    struct sl_emit_ip ip = {.src = harness_ip_of(any_v4()),
                            .dst = sl_ip_v4(quote->src),
                            .proto = IPPROTO_ICMP,
                            .payload_len = 8 + len};
    struct rte_mbuf *m = harness_ip(in, &ip);

    memcpy(sl_emit_icmp(harness_l4_of(m), draw(2) ? SL_ICMP_UNREACHABLE : SL_ICMP_TIME_EXCEEDED, 1, 0), quote,
           len);
    sl_emit_l4_checksum(harness_ipv4_of(m));
    rte_pktmbuf_free(about);
    return m;
}

static struct rte_mbuf *any_packet(uint16_t in)
{
    switch (draw(12)) {
    case 10:
        return icmp_error_v6(in);
    case 11:
        return harness_tcp(in, any_v6(), any_v6(), any_port(), any_port(), (uint8_t)draw(64),
                           (uint16_t)draw(40));
    case 0:
        return harness_echo(in, any_v4(), any_v4(), any_port(), 1);
    case 1:
        return icmp_error(in);
    case 2:
        return harness_arp((uint16_t)(1 + draw(2)), any_v4(), any_v4());
    case 3:
        return harness_echo(in, any_v6(), any_v6(), any_port(), 1);
    case 4:
        return harness_udp(in, any_v6(), any_v6(), any_port(), any_port(), (uint16_t)draw(1400));
    case 5:
    case 6:
        return harness_udp(in, any_v4(), any_v4(), any_port(), any_port(), (uint16_t)draw(1400));
    default:
        return harness_tcp(in, any_v4(), any_v4(), any_port(), any_port(), (uint8_t)draw(64),
                           (uint16_t)draw(40));
    }
}

// Bytes behind the Ethernet header; half the time with a right header checksum, or nearly all would end there.
static void spoil(struct rte_mbuf *m)
{
    uint8_t *byte = rte_pktmbuf_mtod(m, uint8_t *);

    for (uint32_t i = 0, n = 1 + draw(4); i < n; i++)
        byte[12 + draw(m->data_len - 12)] = (uint8_t)draw(256);
    if (draw(2) && byte[14] >> 4 == 4) {
        harness_ipv4_of(m)->checksum = 0;
        harness_ipv4_of(m)->checksum = sl_csum_ipv4_header(harness_ipv4_of(m), 20);
    }
    if (draw(4) == 0)
        rte_pktmbuf_trim(m, (uint16_t)draw(m->data_len));
}

// The frame in two segments, cut anywhere: short first segments too.
static void split(struct rte_mbuf *m)
{
    uint16_t keep = (uint16_t)draw(m->data_len), part = (uint16_t)(m->data_len - keep);
    struct rte_mbuf *tail = rte_pktmbuf_alloc(harness_pool());

    if (tail == NULL)
        return;
    memcpy(rte_pktmbuf_append(tail, part), rte_pktmbuf_mtod_offset(m, uint8_t *, keep), part);
    rte_pktmbuf_trim(m, part);
    assert_int_equal(rte_pktmbuf_chain(m, tail), 0);
}

// A UDP datagram in fragments, some missing, some twice, in any order.
static uint16_t fragments(struct harness_nat *n, uint16_t in, struct rte_mbuf **out, uint16_t room)
{
    struct packet packet = {
        .m = harness_udp(in, any_v4(), any_v4(), any_port(), any_port(), 1200), .port_in = in, .l3_off = 14};
    struct rte_mbuf *piece[FRAGMENT_MAX];
    uint16_t count = 0;

    harness_ipv4_of(packet.m)->id = (sl_be16)draw(16);
    harness_fix_checksums(packet.m);
    packet.l3_len = (uint16_t)(packet.m->pkt_len - 14);
    uint8_t eth[14];
    memcpy(eth, rte_pktmbuf_mtod(packet.m, void *), sizeof(eth));
    int pieces = fragment_cut(n->h->worker[0], &packet, (uint16_t)(68 + draw(700)), piece);
    assert_true(pieces > 0);
    for (int i = 0; i < pieces; i++) {
        int other = (int)draw((uint32_t)pieces);
        struct rte_mbuf *swap = piece[i];
        piece[i] = piece[other];
        piece[other] = swap;
    }
    for (int i = 0; i < pieces; i++) {
        memcpy(rte_pktmbuf_mtod(piece[i], void *), eth, sizeof(eth));
        if (count == room || draw(12) == 0)
            rte_pktmbuf_free(piece[i]);
        else
            out[count++] = piece[i];
    }
    return count;
}

// The same over IPv6: fragments of 8 to 400 bytes of data.
static uint16_t fragments_v6(uint16_t in, struct rte_mbuf **out, uint16_t room)
{
    struct rte_mbuf *whole = harness_udp(in, any_v6(), any_v6(), any_port(), any_port(), 1200);
    uint8_t bytes[14 + 48 + 408];
    uint16_t count = 0, total = 1208, len;
    uint32_t id = draw(16);

    for (uint16_t at = 0; at < total; at = (uint16_t)(at + len)) {
        len = RTE_MIN((uint16_t)(8 + 8 * draw(50)), (uint16_t)(total - at));
        memcpy(bytes, rte_pktmbuf_mtod(whole, void *), 14 + 40);
        struct sl_ipv6 *ip = (struct sl_ipv6 *)(bytes + 14);
        ip->payload_len = sl_be16_of((uint16_t)(8 + len));
        ip->next = SL_PROTO_FRAGMENT;
        uint8_t *data = sl_emit_ipv6_fragment(ip + 1, SL_PROTO_UDP, at, at + len < total, id);
        memcpy(data, (const uint8_t *)(harness_ipv6_of(whole) + 1) + at, len);
        if (count < room && draw(12) != 0)
            out[count++] = harness_frame(bytes, 14 + 48u + len);
    }
    for (uint16_t i = 0; i < count; i++) {
        uint32_t other = draw(count);
        struct rte_mbuf *swap = out[i];
        out[i] = out[other];
        out[other] = swap;
    }
    rte_pktmbuf_free(whole);
    return count;
}

// ---- invariants -----------------------------------------------------------------------------------------------
static void flows_are_found(struct harness_nat *n)
{
    for (uint32_t w = 0; w < WORKERS; w++) {
        const struct flow_table *table = &n->flows[w];
        uint32_t used = 0;
        for (uint32_t i = 0; i < table->capacity; i++) {
            const struct sl_flow *flow = &table->entry[i];
            if (flow->kind == SL_FLOW_FREE)
                continue;
            struct sl_flow_key key[2] = {flow->key0, flow->key1};
            for (uint32_t d = 0; d < 2; d++)
                assert_int_equal(
                    flow_find(table, &key[d], flow->proto, flow_hash(table, &key[d], flow->proto)),
                    i << 1 | d);
            used++;
        }
        assert_int_equal(used + table->spare_count, table->capacity);
        assert_int_equal(table->index.keys, 2 * used);
    }
}

static uint64_t drops_of_all(const struct harness *h)
{
    uint64_t sum = 0;

    for (uint32_t reason = 0; reason < SL_DROP_KINDS; reason++)
        sum += harness_dropped(h, (enum sl_drop)reason);
    assert_int_equal(harness_dropped(h, SL_DROP_none), 0);
    return sum;
}

static void sum_is_right(struct rte_mbuf *m)
{
    if (harness_eth_of(m)->type == sl_be16_of(SL_ETHERTYPE_IPV4))
        harness_nat_check(m);
    else if (harness_eth_of(m)->type == sl_be16_of(SL_ETHERTYPE_IPV6) && m->nb_segs == 1 &&
             harness_ipv6_of(m)->next != SL_PROTO_FRAGMENT)
        assert_true(sl_check_l4_checksum(harness_ipv6_of(m)));
}

static uint32_t look(struct harness_nat *n, bool checked)
{
    uint32_t left = 0;

    for (uint16_t port = 0; port < 2; port++)
        for (struct rte_mbuf *m; (m = harness_sent(n->h, port)) != NULL; rte_pktmbuf_free(m), left++) {
            remember(m, port);
            crossed_errors += is_crossed_error(m);
            if (checked)
                sum_is_right(m);
        }
    return left;
}

// ---- services -------------------------------------------------------------------------------------------------
static uint32_t pool_with(const char *const *member, uint32_t count, uint16_t port,
                          enum sl_balance_way most_way)
{
    uint32_t pool = harness_balance_pool(balanced, (enum sl_balance_method)draw(SL_BALANCE_METHODS));

    balanced->pool[pool].on_down = (uint8_t)draw(SL_BALANCE_ON_DOWNS);
    balanced->pool[pool].way = (uint8_t)(draw(2) ? 0 : draw(most_way + 1u));
    balanced->pool[pool].source_count = 2;
    balanced->pool[pool].tunnel_port = 6080;
    balanced->pool[pool].tunnel_mtu = draw(2) ? 0 : 1300;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = harness_balance_member(balanced, pool, member[i], port, (uint16_t)draw(3));
        balanced->member[at].flow_limit = draw(3) ? 0 : draw(20);
        balanced->member[at].word =
            SL_BALANCE_WORD(draw(3) ? 0 : draw(SL_BALANCE_STATES), balanced->member[at].weight);
    }
    return pool;
}

static uint32_t service_of(uint32_t pool)
{
    uint32_t service = harness_balance_service(balanced, pool);
    struct sl_balance_service *s = &balanced->service[service];

    s->flags = draw(4);
    s->flow_rate = draw(3) ? 0 : draw(100);
    s->source_rate = draw(3) ? 0 : draw(100);
    s->affinity_s = draw(3) ? 0 : draw(10);
    s->timeout_new_s = draw(3) ? 0 : 1 + draw(10);
    return service;
}

static void services_change(void)
{
    static const char *const v4[] = {"10.1.0.1", "10.1.0.2", "10.0.0.12"}, *const v6[] = {"fd01::1",
                                                                                          "fd01::2"};
    static const char *const both[] = {"10.1.0.1", "fd01::1", "fd01::2", "10.1.0.2"};

    balanced->source[0] = harness_ip_of("198.51.100.107");
    balanced->source[1] = harness_ip_of("2001:db8:100::1");
    balanced->input.source_count = 2;
    balanced->input.service_count = balanced->input.pool_count = 0;
    balanced->input.member_count = balanced->input.listen_count = 0;
    uint32_t service = service_of(pool_with(v4, 1 + draw(3), 8080, SL_BALANCE_GUE));
    harness_balance_listen(balanced, service, BALANCE_VIP, IPPROTO_TCP, 80, 80);
    harness_balance_listen(balanced, service, BALANCE_VIP, IPPROTO_UDP, 53, 4000);
    service = service_of(pool_with(v4, 1 + draw(2), 0, SL_BALANCE_GUE));
    harness_balance_listen(balanced, service, draw(2) ? "198.51.100.106" : "198.51.100.100", 0, 0, 65535);
    // Members of both families behind addresses of both.
    uint32_t mixed = pool_with(both, 1 + draw(4), 8080, SL_BALANCE_DNAT);
    balanced->pool[mixed].way = SL_BALANCE_FULL_NAT;
    balanced->pool[mixed].flags = draw(2) ? SL_BALANCE_TOA : 0;
    service = service_of(mixed);
    for (uint32_t i = 0; i < 2; i++) {
        harness_balance_listen(balanced, service, BALANCE_VIP, i ? IPPROTO_TCP : IPPROTO_UDP, 8080, 8080);
        harness_balance_listen(balanced, service, "2001:db8:100::81", i ? IPPROTO_TCP : IPPROTO_UDP, 1, 65535);
    }
    service = service_of(pool_with(v6, 1 + draw(2), draw(2) ? 0 : 80, SL_BALANCE_IPIP));
    harness_balance_listen(balanced, service, BALANCE_VIP_V6, (uint8_t)(draw(2) ? IPPROTO_TCP : 0), 0, 65535);
}

static void member_changes(void)
{
    uint32_t pool = draw(balanced->input.pool_count);

    harness_balance_set(balanced, pool, draw(balanced->pool[pool].count),
                        (enum sl_balance_state)draw(SL_BALANCE_STATES), (uint16_t)draw(3));
}

// What is counted as open is what is.
static void flows_are_counted(const struct harness_nat *n)
{
    uint64_t counted = 0, open = 0;

    for (uint32_t i = 0; i < balanced->input.service_count; i++)
        counted += harness_balance_service_sum(balanced, i).flows_now;
    for (uint32_t w = 0; w < WORKERS; w++)
        for (uint32_t i = 0; i < n->flows[w].capacity; i++)
            open +=
                n->flows[w].entry[i].kind == SL_FLOW_BALANCE && !(n->flows[w].entry[i].flags & SL_FLOW_CUT);
    assert_int_equal(counted, open);
}

// ---- endpoints ------------------------------------------------------------------------------------------------
static struct sl_own_endpoint endpoint[6];
static uint64_t segments; // that they sent, of all rounds
static uint64_t probed[SL_PROBE_NO_ROUTE + 1]; // how probes ended; 0: they could not be begun

static struct rte_mbuf *to_endpoint(uint16_t in)
{
    static const uint16_t port[] = {80, 4000, 4001};
    bool v4 = draw(2);

    return harness_tcp(in, v4 ? any_v4() : any_v6(), v4 ? "10.0.0.1" : "fd00::1", any_port(),
                       port[draw(RTE_DIM(port))], (uint8_t)(draw(2) ? SL_TCP_SYN : draw(64)), (uint16_t)draw(40));
}

// What a connection that was opened here waits for, or nearly: an answer to the last SYN that left.
static struct rte_mbuf *answer_to_syn(uint16_t in)
{
    const struct seen *one = any_seen(in, 4);
    const struct sl_ipv4 *ip = one ? (const struct sl_ipv4 *)one->l3 : NULL;
    const struct sl_tcp *syn = ip ? (const struct sl_tcp *)(one->l3 + 20) : NULL;
    char src[SL_IP_TEXT], dst[SL_IP_TEXT];

    if (ip == NULL || ip->proto != IPPROTO_TCP || syn->flags & SL_TCP_ACK)
        return to_endpoint(in);
    struct sl_ip from = sl_ip_v4(ip->dst), to = sl_ip_v4(ip->src);
    static const uint8_t flags[] = {SL_TCP_SYN | SL_TCP_ACK, SL_TCP_RST | SL_TCP_ACK, SL_TCP_ACK, SL_TCP_SYN};
    struct rte_mbuf *m = harness_tcp(in, sl_ip_format(&from, src), sl_ip_format(&to, dst), sl_host16(syn->dport),
                                     sl_host16(syn->sport), flags[draw(RTE_DIM(flags))], (uint16_t)draw(20));
    struct sl_tcp *tcp = harness_l4_of(m);

    tcp->ack = sl_be32_of(sl_host32(syn->seq) + 1 + (draw(8) == 0));
    harness_fix_checksums(m);
    return m;
}

static void probes_ask(struct harness_nat *n)
{
    struct sl_probe_request request = {.remote = harness_ip_of(draw(4) ? any_v4() : any_v6()),
                                       .remote_port = any_port(),
                                       .timeout_ms = 1 + draw(5000)};
    struct sl_probe_answer answer;
    int status;

    if (draw(8) == 0)
        request.local = harness_ip_of(any_v4());
    for (uint32_t w = 0; w < WORKERS; w++) {
        if (draw(2))
            endpoint_probe_ask(n->h->worker[w]->endpoint, &request);
        for (int number = 0; number < SL_PROBES_AT_ONCE; number++)
            if (endpoint_probe_answered(n->h->worker[w]->endpoint, number, &status, &answer))
                probed[status ? 0 : answer.result]++;
    }
}

// Which of them there are changes with each generation. Their connections are few, so that they fill up.
static void endpoints_change(struct harness_nat *n)
{
    static const uint16_t port[] = {80, 4000, 4001};

    n->h->tables.endpoint = endpoint;
    n->h->tables.endpoint_count = 0;
    n->h->port_table.settings.tcp_port_first = 4000; // listeners among them
    n->h->port_table.settings.tcp_port_last = (uint16_t)(4000 + draw(200));
    for (uint8_t i = 0; i < 6; i++) {
        struct sl_own_endpoint *one = &endpoint[n->h->tables.endpoint_count];
        *one = (struct sl_own_endpoint){.name = "e", .port = port[i / 2], .kind = (uint8_t)(1 + i / 2)};
        if (i % 2)
            one->address = sl_ip_v4(0);
        one->idle_s = 1;
        one->flags = (uint8_t)draw(2);
        n->h->tables.endpoint_count += draw(4) != 0;
    }
    for (uint32_t w = 0; w < WORKERS; w++)
        endpoint_tables_taken(n->h->worker[w]);
}

static void endpoints_pass(struct harness_nat *n)
{
    for (uint32_t w = 0; w < WORKERS; w++) {
        endpoint_pass(n->h->worker[w]);
        worker_flush(n->h->worker[w]);
    }
    harness_settle(n->h);
}

static void endpoints_begin(struct harness_nat *n)
{
    struct sl_settings settings = {.tcp_connections = 0};
    struct sl_error error;

    for (uint32_t w = 0; w < WORKERS; w++) {
        n->h->worker[w]->now_us = 1000000;
        n->h->worker[w]->endpoint = endpoint_new(n->h->worker[w], &settings, NULL, &error);
        assert_non_null(n->h->worker[w]->endpoint);
    }
    endpoint_meet(n->h->worker, WORKERS);
}

// ---- a round --------------------------------------------------------------------------------------------------
static void generation_change(struct harness_nat *n)
{
    harness_nat_clear(n);
    harness_nat_pool(n, "wan", "198.51.100.100", 1 + draw(2), 1 + draw(4), draw(3));
    harness_nat_source(n, "10.0.0.0/24", NAT_WAN, 0);
    if (draw(2))
        harness_nat_static(n, "10.0.0.99", "198.51.100.103");
    if (draw(2))
        harness_nat_forward(n, draw(2) ? IPPROTO_UDP : IPPROTO_TCP,
                            draw(2) ? "198.51.100.100" : "198.51.100.1", 8080, 8080, "10.0.0.12", 80);
    services_change();
    harness_balance_ready(balanced);
    endpoints_change(n);
}

static void time_passes(struct harness_nat *n)
{
    static const uint32_t jump_ms[] = {1, 1, 20, 999, 5000, 100000, 8000000, 0x7ffffff0};

    uint32_t ms = jump_ms[draw(draw(50) ? 5 : RTE_DIM(jump_ms))];
    harness_advance_ms(n->h, ms);
    neighbor_tick(&n->h->house);
    for (uint32_t w = 0; w < WORKERS; w++) {
        flow_tick(n->h->worker[w]);
        fragment_tick(n->h->worker[w]);
        n->h->worker[w]->now_us += 1000 * (uint64_t)ms;
    }
    endpoints_pass(n);
}

static uint16_t burst_make(struct harness_nat *n, uint16_t in, bool spoiled, struct rte_mbuf **frame)
{
    uint16_t count = 0, wanted = (uint16_t)(1 + draw(BURST_FRAMES));

    while (count < wanted) {
        if (draw(8) == 0) {
            uint16_t room = (uint16_t)(BURST_FRAMES - count);
            count = (uint16_t)(count + (draw(2) ? fragments(n, in, frame + count, room)
                                                : fragments_v6(in, frame + count, room)));
            wanted--;
            continue;
        }
        frame[count] = draw(13) ? any_packet(in) : draw(2) ? to_endpoint(in) : answer_to_syn(in);
        if (spoiled && draw(2))
            spoil(frame[count]);
        if (draw(16) == 0)
            split(frame[count]);
        count++;
    }
    return count;
}

static void burst_run(struct harness_nat *n, bool spoiled)
{
    struct rte_mbuf *frame[BURST_FRAMES];
    uint16_t in = (uint16_t)draw(2), count = burst_make(n, in, spoiled, frame);

    pipeline_run(n->h->worker[draw(WORKERS)], in, frame, count);
    if (draw(8) == 0) // what was handed over waits in the rings while tables change
        generation_change(n);
    if (draw(8) == 0)
        n->h->route_table.epoch++;
    if (draw(8) == 0)
        member_changes();
    for (uint32_t w = 0; w < WORKERS; w++)
        worker_flush(n->h->worker[w]);
    harness_settle(n->h);
}

// One gateway's life; the flows it opened. harness_nat_free() fails where a buffer, a mapping or a block was lost.
static uint64_t round_run(uint64_t seed)
{
    state_word = seed;
    seen_count = 0;
    bool spoiled = draw(2);
    balanced = harness_balance_new(WORKERS, (uint32_t[]){4, 16, 64, 1024}[draw(4)]);
    balanced->lazy = true;
    struct harness_nat *n = balanced->n;
    uint64_t drops = 0;

    endpoints_begin(n);
    generation_change(n);
    for (uint32_t burst = 0; burst < BURSTS; burst++) {
        probes_ask(n);
        burst_run(n, spoiled);
        endpoints_pass(n);
        look(n, !spoiled);
        uint64_t now = drops_of_all(n->h);
        assert_true(now >= drops);
        drops = now;
        time_passes(n);
        look(n, !spoiled);
        flows_are_found(n);
        flows_are_counted(n);
    }
    uint64_t created = harness_counted(n->h, SL_COUNTER_flow_created);
    segments += harness_counted(n->h, SL_COUNTER_tcp_segments_out);
    for (uint32_t w = 0; w < WORKERS; w++)
        endpoint_free(n->h->worker[w]->endpoint);
    for (uint32_t i = 0; i < balanced->input.service_count; i++)
        balanced_flows += harness_balance_service_sum(balanced, i).flows_new;
    harness_balance_free(balanced);
    return created;
}

static void the_pipeline_stands_hostile_traffic(void **state)
{
    time_t end = time(NULL) + (time_t)seconds;
    uint64_t rounds = 0, created = 0;

    do {
        uint64_t seed = (first_seed + rounds) * 0x9e3779b97f4a7c15u | 1;
        if (rounds % 100 == 0)
            print_message("round %llu, seed %llu\n", (unsigned long long)rounds,
                          (unsigned long long)(first_seed + rounds));
        created += round_run(seed);
        rounds++;
    } while (time(NULL) < end);
    assert_true(segments > 20 * rounds);
    for (unsigned i = 0; i <= SL_PROBE_NO_ROUTE; i++) {
        print_message("%llu probes ended with %u\n", (unsigned long long)probed[i], i);
        assert_true(probed[i] > 0 || rounds < 20); // each end was met
    }
    assert_true(created > 100 * rounds); // or it was not NAT that stood it
    assert_true(balanced_flows > 20 * rounds);
    assert_true(crossed_errors > rounds);
    print_message("%llu rounds from seed %llu, %llu errors crossed families\n", (unsigned long long)rounds,
                  (unsigned long long)first_seed, (unsigned long long)crossed_errors);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_pipeline_stands_hostile_traffic)};

    if (argc > 1)
        seconds = (unsigned)strtoul(argv[1], NULL, 10);
    if (argc > 2)
        first_seed = strtoull(argv[2], NULL, 10);
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
