// SPDX-License-Identifier: Apache-2.0
// The parse stage: what it makes of good packets, where it sends them, and its reason for every bad one.
#include "flow/table.h"
#include "stage.h"
#include "wire/checksum.h"
#include "wire/l4.h"

#define A4 "10.0.0.11"
#define B4 "198.51.100.21"
#define A6 "fd00::11"
#define B6 "2001:db8:100::21"

// ---- good packets ---------------------------------------------------------------------------------------
static void assert_key(const struct packet *packet, const char *src, const char *dst, uint16_t sport,
                       uint16_t dport)
{
    struct sl_ip from = harness_ip_of(src), to = harness_ip_of(dst);
    struct sl_flow_key key = packet->key;

    assert_memory_equal(&key.src, &from, sizeof(from));
    assert_memory_equal(&key.dst, &to, sizeof(to));
    assert_int_equal(sl_host16(key.sport), sport);
    assert_int_equal(sl_host16(key.dport), dport);
}

static void parse_reads_udp_over_both_families(void **state)
{
    static const char *const src[] = {A4, A6}, *const dst[] = {B4, B6};
    struct harness *h = stage_harness();
    struct burst burst;

    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct packet *p =
            stage_parse(h, &burst, STAGE_WAN, harness_udp(STAGE_WAN, src[v6], dst[v6], 4000, 53, 64));
        assert_int_equal(p->stage, PACKET_ROUTE);
        assert_key(p, src[v6], dst[v6], 4000, 53);
        assert_int_equal(p->flags, (v6 ? PACKET_V6 | PACKET_DF : PACKET_V4 | PACKET_PLAIN) | PACKET_UDP |
                                       PACKET_L4_KNOWN);
        assert_int_equal(p->proto, SL_PROTO_UDP);
        assert_int_equal(p->key_proto, SL_PROTO_UDP);
        assert_int_equal(p->l3_off, 14);
        assert_int_equal(p->l4_off, v6 ? 54 : 34);
        assert_int_equal(p->l3_len, (v6 ? 40 : 20) + 8 + 64);
        stage_done(&burst);
    }
    harness_expect_no_drop(h);
    harness_free(h);
}

static void parse_reads_tcp_and_tells_a_syn(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;
    const uint8_t flags[] = {SL_TCP_SYN, SL_TCP_SYN | SL_TCP_ACK, SL_TCP_ACK | SL_TCP_PSH};

    for (size_t i = 0; i < sizeof(flags); i++) {
        struct packet *p =
            stage_parse(h, &burst, STAGE_WAN, harness_tcp(STAGE_WAN, A4, B4, 4000, 80, flags[i], 10));
        assert_key(p, A4, B4, 4000, 80);
        assert_int_equal(p->tcp_flags, flags[i]);
        assert_int_equal(p->flags, PACKET_V4 | PACKET_DF | PACKET_TCP | PACKET_L4_KNOWN |
                                       (i == 0 ? PACKET_SYN : 0) |
                                       (flags[i] & SL_TCP_SYN ? 0 : PACKET_PLAIN));
        stage_done(&burst);
    }
    harness_free(h);
}

static void parse_puts_a_pings_identifier_in_both_ports(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;

    struct packet *p = stage_parse(h, &burst, STAGE_WAN, harness_echo(STAGE_WAN, A4, B4, 777, 1));
    assert_key(p, A4, B4, 777, 777);
    assert_true(p->flags & PACKET_ICMP_QUERY);
    stage_done(&burst);
    p = stage_parse(h, &burst, STAGE_WAN, harness_echo(STAGE_WAN, A6, B6, 777, 1));
    assert_key(p, A6, B6, 777, 777);
    assert_true(p->flags & PACKET_ICMP_QUERY);
    stage_done(&burst);
    harness_free(h);
}

// A worker without sessions steers nothing.
static struct harness *translating_harness(void)
{
    static struct flow_table flows; // empty: parse only asks for a bucket's line
    struct harness *h = stage_harness();

    h->worker[0]->flows = &flows;
    return h;
}

static void parse_sends_ipv4_of_translating_ports_to_steering(void **state)
{
    struct harness *h = translating_harness();
    struct burst burst;

    struct packet *p = stage_parse(h, &burst, STAGE_LAN, harness_udp(STAGE_LAN, A4, B4, 4000, 53, 0));
    assert_int_equal(p->stage, PACKET_STEER);
    assert_true(burst.stages & 1u << PACKET_STEER);
    stage_done(&burst);
    p = stage_parse(h, &burst, STAGE_LAN, harness_udp(STAGE_LAN, A6, B6, 4000, 53, 0));
    assert_int_equal(p->stage, PACKET_ROUTE);
    stage_done(&burst);
    harness_free(h);
}

static void parse_hashes_the_key_of_what_is_steered_with_the_workers_seed(void **state)
{
    struct harness *h = translating_harness();
    struct burst burst;

    struct packet *p = stage_parse(h, &burst, STAGE_LAN, harness_udp(STAGE_LAN, A4, B4, 4000, 53, 0));
    assert_int_equal(p->hash, (uint32_t)sl_hash_key(&h->worker[0]->hash_seed, &p->key, SL_PROTO_UDP));
    stage_done(&burst);
    harness_free(h);
}

static void parse_trims_ethernet_padding(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;
    struct rte_mbuf *frame = harness_udp(STAGE_WAN, A4, B4, 4000, 53, 4);

    assert_non_null(rte_pktmbuf_append(frame, 14)); // 46 bytes and 14 of padding: the least frame
    struct packet *p = stage_parse(h, &burst, STAGE_WAN, frame);
    assert_int_equal(p->stage, PACKET_ROUTE);
    assert_int_equal(p->m->pkt_len, 46);
    stage_done(&burst);
    harness_free(h);
}

static bool is_plain(struct harness *h, struct rte_mbuf *frame)
{
    struct burst burst;
    struct packet *p = stage_parse(h, &burst, STAGE_WAN, frame);

    assert_int_equal(p->stage, PACKET_ROUTE);
    bool plain = p->flags & PACKET_PLAIN;
    stage_done(&burst);
    return plain;
}

// What the last stage believes of a plain packet without looking.
static void parse_calls_plain_only_what_is(void **state)
{
    struct harness *h = stage_harness();
    struct sl_emit_ip ip = {
        .src = harness_ip_of(A4), .dst = harness_ip_of(B4), .proto = SL_PROTO_UDP, .payload_len = 64};

    assert_true(is_plain(h, harness_udp(STAGE_WAN, A4, B4, 1, 2, 0)));
    assert_true(is_plain(h, harness_tcp(STAGE_WAN, A4, B4, 1, 2, SL_TCP_ACK, 0)));
    assert_false(is_plain(h, harness_tcp(STAGE_WAN, A4, B4, 1, 2, SL_TCP_SYN, 0)));
    assert_false(is_plain(h, harness_tcp(STAGE_WAN, A4, B4, 1, 2, SL_TCP_SYN | SL_TCP_ACK, 0)));
    assert_false(is_plain(h, harness_udp(STAGE_WAN, A6, B6, 1, 2, 0)));
    ip.proto = SL_PROTO_ICMP;
    assert_false(is_plain(h, harness_ip(STAGE_WAN, &ip)));
    ip.proto = SL_PROTO_UDP;
    ip.fragment = 100;
    assert_false(is_plain(h, harness_ip(STAGE_WAN, &ip)));

    struct rte_mbuf *frame = harness_udp(STAGE_WAN, A4, B4, 1, 2, 8),
                    *more = rte_pktmbuf_alloc(harness_pool());
    assert_true(more &&
                rte_pktmbuf_append(more, 4)); // the last bytes of the packet in a segment of their own
    frame->data_len -= 4;
    frame->pkt_len -= 4;
    assert_int_equal(rte_pktmbuf_chain(frame, more), 0);
    assert_false(is_plain(h, frame));
    harness_expect_no_drop(h);
    harness_free(h);
}

static void parse_reads_fragments_without_ports_behind_the_first(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;
    struct sl_emit_ip ip = {
        .src = harness_ip_of(A4), .dst = harness_ip_of(B4), .proto = SL_PROTO_UDP, .payload_len = 64};

    ip.fragment = 100;
    struct packet *p = stage_parse(h, &burst, STAGE_WAN, harness_ip(STAGE_WAN, &ip));
    assert_key(p, A4, B4, 0, 0);
    assert_int_equal(p->flags, PACKET_V4 | PACKET_FRAGMENT | PACKET_LATER_FRAGMENT);
    stage_done(&burst);

    struct rte_mbuf *first = harness_udp(STAGE_WAN, A4, B4, 4000, 53, 64);
    harness_ipv4_of(first)->fragment = sl_be16_of(SL_IPV4_MF);
    ((struct sl_udp *)harness_l4_of(first))->len = sl_be16_of(3000); // the whole datagram's
    harness_ipv4_of(first)->checksum = 0;
    harness_ipv4_of(first)->checksum = sl_csum_ipv4_header(harness_ipv4_of(first), 20);
    p = stage_parse(h, &burst, STAGE_WAN, first);
    assert_key(p, A4, B4, 4000, 53);
    assert_int_equal(p->flags, PACKET_V4 | PACKET_FRAGMENT | PACKET_UDP | PACKET_L4_KNOWN);
    stage_done(&burst);
    harness_expect_no_drop(h);
    harness_free(h);
}

static void parse_walks_ipv6_extension_headers(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;
    struct sl_emit_ip ip = {.src = harness_ip_of(A6), .dst = harness_ip_of(B6), .payload_len = 8 + 8 + 8};
    struct rte_mbuf *frame;

    ip.proto = SL_PROTO_DSTOPTS;
    frame = harness_ip(STAGE_WAN, &ip);
    uint8_t *options = harness_l4_of(frame);
    options[0] = SL_PROTO_UDP;
    sl_emit_udp(options + 8, 4000, 53, 8);
    struct packet *p = stage_parse(h, &burst, STAGE_WAN, frame);
    assert_key(p, A6, B6, 4000, 53);
    assert_true(p->flags & PACKET_OPTIONS);
    assert_int_equal(p->l4_off, 62);
    stage_done(&burst);
    harness_free(h);
}

static void parse_reads_headers_of_the_first_segment_alone(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;
    struct rte_mbuf *frame = harness_udp(STAGE_WAN, A4, B4, 4000, 53, 0),
                    *more = harness_frame("12345678", 8);

    harness_ipv4_of(frame)->total_len = sl_be16_of(36);
    ((struct sl_udp *)harness_l4_of(frame))->len = sl_be16_of(16);
    harness_ipv4_of(frame)->checksum = 0;
    harness_ipv4_of(frame)->checksum = sl_csum_ipv4_header(harness_ipv4_of(frame), 20);
    assert_int_equal(rte_pktmbuf_chain(frame, more), 0);
    struct packet *p = stage_parse(h, &burst, STAGE_WAN, frame);
    assert_int_equal(p->stage, PACKET_ROUTE);
    assert_int_equal(p->l3_len, 36);
    stage_done(&burst);

    // The same, but cut inside the UDP header.
    frame = harness_udp(STAGE_WAN, A4, B4, 4000, 53, 0);
    more = harness_frame("1234", 4);
    assert_int_equal(rte_pktmbuf_trim(frame, 4), 0);
    assert_int_equal(rte_pktmbuf_chain(frame, more), 0);
    stage_parse(h, &burst, STAGE_WAN, frame);
    harness_expect_drop(h, too_short);
    harness_free(h);
}

// ---- ICMP errors ----------------------------------------------------------------------------------------
// An error from `router` to `to` that quotes the first bytes of a packet.
static struct rte_mbuf *error_frame(const char *router, const char *to, struct rte_mbuf *quoted,
                                    uint16_t bytes)
{
    struct sl_emit_ip ip = {
        .src = harness_ip_of(router), .dst = harness_ip_of(to), .payload_len = (uint16_t)(8 + bytes)};
    bool v4 = sl_ip_is_v4(&ip.src);

    ip.proto = v4 ? SL_PROTO_ICMP : SL_PROTO_ICMPV6;
    struct rte_mbuf *frame = harness_ip(STAGE_WAN, &ip);
    uint8_t type = v4 ? SL_ICMP_TIME_EXCEEDED : SL_ICMP6_TIME_EXCEEDED;
    uint8_t *quote = sl_emit_icmp(harness_l4_of(frame), type, 0, 0);
    memcpy(quote, harness_ipv4_of(quoted), bytes);
    sl_emit_l4_checksum(harness_ipv4_of(frame));
    rte_pktmbuf_free(quoted);
    return frame;
}

static void parse_keys_an_icmp_error_by_its_quote_reversed(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;

    struct rte_mbuf *frame = error_frame("192.0.2.9", A4, harness_udp(STAGE_WAN, A4, B4, 4000, 53, 8), 28);
    struct packet *p = stage_parse(h, &burst, STAGE_WAN, frame);
    assert_key(p, B4, A4, 53, 4000); // as the answers to the quoted packet are keyed
    assert_int_equal(p->flags, PACKET_V4 | PACKET_ICMP_ERROR | PACKET_L4_KNOWN);
    assert_int_equal(p->proto, SL_PROTO_ICMP);
    assert_int_equal(p->key_proto, SL_PROTO_UDP);
    assert_int_equal(p->quote_l3_off, 42);
    assert_int_equal(p->quote_l4_off, 62);
    stage_done(&burst);

    frame = error_frame("2001:db8::9", A6, harness_tcp(STAGE_WAN, A6, B6, 4000, 80, SL_TCP_ACK, 8), 60);
    p = stage_parse(h, &burst, STAGE_WAN, frame);
    assert_key(p, B6, A6, 80, 4000);
    assert_int_equal(p->key_proto, SL_PROTO_TCP);
    assert_int_equal(p->quote_l3_off, 62);
    assert_int_equal(p->quote_l4_off, 102);
    stage_done(&burst);
    harness_expect_no_drop(h);
    harness_free(h);
}

static void parse_drops_an_error_that_goes_to_another_than_it_quotes(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;

    stage_parse(h, &burst, STAGE_WAN,
                error_frame("192.0.2.9", "10.0.0.12", harness_udp(STAGE_WAN, A4, B4, 4000, 53, 8), 28));
    harness_expect_drop(h, l4_bad_header);
    harness_free(h);
}

static void parse_drops_errors_that_quote_too_little_or_errors(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;
    struct rte_mbuf *inner = error_frame("192.0.2.9", A4, harness_udp(STAGE_WAN, A4, B4, 4000, 53, 8), 28);

    stage_parse(h, &burst, STAGE_WAN,
                error_frame("192.0.2.9", A4, harness_udp(STAGE_WAN, A4, B4, 4000, 53, 8), 27));
    harness_expect_drop(h, l4_bad_header);
    stage_parse(h, &burst, STAGE_WAN, error_frame("198.51.100.21", "192.0.2.9", inner, 56));
    harness_expect_drop(h, l4_bad_header);
    harness_free(h);
}

// ---- to housekeeping ------------------------------------------------------------------------------------
static void expect_handed(struct harness *h, enum handover_kind kind)
{
    struct rte_mbuf *m = harness_handed(h, 0);

    assert_non_null(m);
    assert_int_equal(handover_of(m)->kind, kind);
    rte_pktmbuf_free(m);
}

static void parse_hands_arp_to_housekeeping(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;

    struct packet *p = stage_parse(h, &burst, STAGE_LAN, harness_arp(1, A4, "10.0.0.1"));
    assert_int_equal(p->stage, PACKET_GONE);
    expect_handed(h, HANDOVER_ARP);
    harness_expect_no_drop(h);
    harness_free(h);
}

static struct rte_mbuf *icmp6_frame(uint8_t type)
{
    struct sl_emit_ip ip = {.src = harness_ip_of("fe80::11"),
                            .dst = harness_ip_of("ff02::1"),
                            .proto = SL_PROTO_ICMPV6,
                            .payload_len = 24};
    struct rte_mbuf *frame;

    ip.ttl = 255;
    frame = harness_ip(STAGE_LAN, &ip);
    sl_emit_icmp(harness_l4_of(frame), type, 0, 0);
    sl_emit_l4_checksum(harness_ipv4_of(frame));
    memcpy(harness_eth_of(frame)->dst, (const uint8_t[]){0x33, 0x33, 0, 0, 0, 1}, 6);
    return frame;
}

static void parse_hands_neighbor_discovery_to_housekeeping_and_no_other_icmp6(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;

    for (unsigned type = 5; type < 256; type++) {
        bool discovery = type >= 133 && type <= 137;
        struct packet *p = stage_parse(h, &burst, STAGE_LAN, icmp6_frame((uint8_t)type));
        assert_int_equal(p->stage, discovery ? PACKET_GONE : PACKET_ROUTE);
        if (discovery)
            expect_handed(h, HANDOVER_ARP);
        else
            stage_done(&burst);
    }
    harness_expect_no_drop(h);
    harness_free(h);
}

static void parse_drops_fragmented_neighbor_discovery(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;
    struct sl_emit_ip ip = {
        .src = harness_ip_of("fe80::11"), .dst = harness_ip_of("fd00::1"), .payload_len = 8 + 24};
    struct rte_mbuf *frame;

    ip.proto = SL_PROTO_FRAGMENT;
    frame = harness_ip(STAGE_LAN, &ip);
    uint8_t *nd = sl_emit_ipv6_fragment(harness_l4_of(frame), SL_PROTO_ICMPV6, 0, true, 1);
    sl_emit_icmp(nd, SL_ICMP6_NEIGHBOR_SOLICIT, 0, 0);
    stage_parse(h, &burst, STAGE_LAN, frame);
    harness_expect_drop(h, neighbor_bad);
    harness_free(h);
}

// ---- the link -------------------------------------------------------------------------------------------
static void parse_drops_unicast_frames_for_other_stations(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;

    for (unsigned bit = 1; bit < 48; bit++) { // bit 0 is the group bit
        struct rte_mbuf *frame = harness_udp(STAGE_WAN, A4, B4, 4000, 53, 8);
        harness_eth_of(frame)->dst[bit / 8] ^= (uint8_t)(1u << bit % 8);
        stage_parse(h, &burst, STAGE_WAN, frame);
        harness_expect_drop(h, not_for_us);
    }
    harness_free(h);
}

static struct rte_mbuf *broadcast_frame(const char *src, const char *dst)
{
    struct rte_mbuf *frame = harness_udp(STAGE_LAN, src, dst, 4000, 53, 8);

    memset(harness_eth_of(frame)->dst, 0xff, 6);
    return frame;
}

static void parse_takes_from_broadcast_frames_only_packets_to_everyone(void **state)
{
    static const char *const everyone[] = {"255.255.255.255", "10.0.0.255", "224.0.0.5", "239.1.2.3"};
    static const char *const one[] = {B4, "10.0.0.1", "10.0.0.254", "198.51.100.255", "240.0.0.1"};
    struct harness *h = translating_harness();
    struct burst burst;

    for (size_t i = 0; i < RTE_DIM(everyone); i++) {
        assert_int_equal(stage_parse(h, &burst, STAGE_LAN, broadcast_frame(A4, everyone[i]))->stage,
                         PACKET_STEER);
        stage_done(&burst);
    }
    assert_int_equal(stage_parse(h, &burst, STAGE_LAN, broadcast_frame(A6, "ff02::fb"))->stage, PACKET_ROUTE);
    stage_done(&burst);
    harness_expect_no_drop(h);
    for (size_t i = 0; i < RTE_DIM(one); i++) {
        stage_parse(h, &burst, STAGE_LAN, broadcast_frame(A4, one[i]));
        harness_expect_drop(h, link_broadcast);
    }
    stage_parse(h, &burst, STAGE_LAN, broadcast_frame(A6, B6));
    harness_expect_drop(h, link_broadcast);
    harness_free(h);
}

static void parse_drops_other_protocols_and_vlan_tags(void **state)
{
    static const uint16_t types[] = {SL_ETHERTYPE_VLAN, 0x88a8, 0x88cc, 0x0026, 0x8847};
    struct harness *h = stage_harness();
    struct burst burst;

    for (size_t i = 0; i < RTE_DIM(types); i++) {
        struct rte_mbuf *frame = harness_udp(STAGE_WAN, A4, B4, 4000, 53, 8);
        harness_eth_of(frame)->type = sl_be16_of(types[i]);
        stage_parse(h, &burst, STAGE_WAN, frame);
        harness_expect_drop(h, bad_ethertype);
    }
    harness_free(h);
}

// ---- bad packets ----------------------------------------------------------------------------------------
static struct rte_mbuf *good(unsigned kind)
{
    switch (kind) {
    case 0:
        return harness_udp(STAGE_WAN, A4, B4, 4000, 53, 8);
    case 1:
        return harness_tcp(STAGE_WAN, A6, B6, 4000, 80, SL_TCP_ACK, 8);
    case 2:
        return harness_arp(1, A4, "198.51.100.1");
    default:
        return harness_echo(STAGE_WAN, A6, B6, 7, 1);
    }
}

static void parse_drops_frames_cut_off_anywhere(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;

    for (unsigned kind = 0; kind < 4; kind++) {
        struct rte_mbuf *whole = good(kind);
        for (uint16_t len = 0; len < whole->pkt_len; len++) {
            struct rte_mbuf *frame = good(kind);
            assert_int_equal(rte_pktmbuf_trim(frame, (uint16_t)(frame->pkt_len - len)), 0);
            stage_parse(h, &burst, STAGE_WAN, frame);
            harness_expect_drop(h, too_short);
        }
        rte_pktmbuf_free(whole);
    }
    harness_free(h);
}

static void parse_drops_bad_ipv4_headers(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;
    struct rte_mbuf *frame = good(0);

    harness_ipv4_of(frame)->version_ihl = 0x44;
    stage_parse(h, &burst, STAGE_WAN, frame);
    harness_expect_drop(h, ipv4_bad_header);
    frame = good(0);
    harness_ipv4_of(frame)->total_len = sl_be16_of(19);
    stage_parse(h, &burst, STAGE_WAN, frame);
    harness_expect_drop(h, ipv4_bad_header);
    frame = good(1); // IPv6 under IPv4's EtherType
    harness_eth_of(frame)->type = sl_be16_of(SL_ETHERTYPE_IPV4);
    stage_parse(h, &burst, STAGE_WAN, frame);
    harness_expect_drop(h, ipv4_bad_header);
    frame = good(0);
    harness_ipv4_of(frame)->ttl--;
    stage_parse(h, &burst, STAGE_WAN, frame);
    harness_expect_drop(h, ipv4_bad_checksum);
    harness_free(h);
}

static void parse_drops_source_routes(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;
    struct sl_emit_ip ip = {
        .src = harness_ip_of(A4), .dst = harness_ip_of(B4), .proto = 47, .payload_len = 20};
    struct rte_mbuf *frame = harness_ip(STAGE_WAN, &ip);
    struct sl_ipv4 *header = harness_ipv4_of(frame);

    header->version_ihl = 0x47;
    memcpy(header + 1, (const uint8_t[]){131, 7, 4, 10, 0, 0, 9, 0}, 8);
    header->checksum = 0;
    header->checksum = sl_csum_ipv4_header(header, 28);
    stage_parse(h, &burst, STAGE_WAN, frame);
    harness_expect_drop(h, source_route);

    struct sl_emit_ip ip6 = {.src = harness_ip_of(A6), .dst = harness_ip_of(B6), .payload_len = 24};
    ip6.proto = SL_PROTO_ROUTING;
    frame = harness_ip(STAGE_WAN, &ip6); // zeros: routing type 0
    stage_parse(h, &burst, STAGE_WAN, frame);
    harness_expect_drop(h, source_route);
    harness_free(h);
}

static void parse_drops_bad_ipv6_headers(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;
    struct rte_mbuf *frame = good(1);

    rte_pktmbuf_mtod(frame, uint8_t *)[14] = 0x50;
    stage_parse(h, &burst, STAGE_WAN, frame);
    harness_expect_drop(h, ipv6_bad_header);
    struct sl_emit_ip ip = {.src = harness_ip_of(A6), .dst = harness_ip_of(B6), .payload_len = 16};
    ip.proto = SL_PROTO_DSTOPTS;
    frame = harness_ip(STAGE_WAN, &ip);
    ((uint8_t *)harness_l4_of(frame))[1] = 2; // 24 bytes of options in 16
    stage_parse(h, &burst, STAGE_WAN, frame);
    harness_expect_drop(h, ipv6_bad_extension);
    harness_free(h);
}

// Mapped addresses stand for IPv4 inside; in an IPv6 header they are forged.
static void parse_drops_mapped_addresses_in_ipv6_headers(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;
    struct sl_ip mapped = harness_ip_of("10.0.0.11");
    struct rte_mbuf *frame = good(1);

    memcpy(harness_ipv6_of(frame)->src, &mapped, 16);
    stage_parse(h, &burst, STAGE_WAN, frame);
    harness_expect_drop(h, martian_source);
    frame = good(1);
    memcpy(harness_ipv6_of(frame)->dst, &mapped, 16);
    stage_parse(h, &burst, STAGE_WAN, frame);
    harness_expect_drop(h, martian_destination);
    harness_free(h);
}

static void parse_drops_bad_transport_headers(void **state)
{
    static const uint8_t protos[] = {SL_PROTO_TCP, SL_PROTO_UDP, SL_PROTO_ICMP};
    struct harness *h = stage_harness();
    struct burst burst;
    struct rte_mbuf *frame;

    for (size_t i = 0; i < sizeof(protos); i++) { // shorter than the least header
        struct sl_emit_ip ip = {
            .src = harness_ip_of(A4), .dst = harness_ip_of(B4), .proto = protos[i], .payload_len = 7};
        stage_parse(h, &burst, STAGE_WAN, harness_ip(STAGE_WAN, &ip));
        harness_expect_drop(h, l4_bad_header);
    }
    for (uint16_t len = 8; len < 20; len++) { // enough for UDP, not for TCP
        struct sl_emit_ip ip = {
            .src = harness_ip_of(A4), .dst = harness_ip_of(B4), .proto = SL_PROTO_TCP, .payload_len = len};
        stage_parse(h, &burst, STAGE_WAN, harness_ip(STAGE_WAN, &ip));
        harness_expect_drop(h, l4_bad_header);
    }
    for (unsigned words = 0; words < 16; words++) { // 28 bytes are there: header lengths 20, 24 and 28 can be
        frame = harness_tcp(STAGE_WAN, A4, B4, 1, 2, SL_TCP_ACK, 8);
        ((struct sl_tcp *)harness_l4_of(frame))->data_offset = (uint8_t)(words << 4);
        stage_parse(h, &burst, STAGE_WAN, frame);
        stage_done(&burst);
        harness_expect_drops(h, SL_DROP_l4_bad_header, words < 5 || words > 7);
    }
    for (unsigned len = 0; len < 20; len++) { // UDP of 16 bytes
        frame = harness_udp(STAGE_WAN, A4, B4, 1, 2, 8);
        ((struct sl_udp *)harness_l4_of(frame))->len = sl_be16_of((uint16_t)len);
        stage_parse(h, &burst, STAGE_WAN, frame);
        stage_done(&burst);
        harness_expect_drops(h, SL_DROP_l4_bad_header, len < 8 || len > 16);
    }
    harness_free(h);
}

static void parse_drops_fragments_made_to_deceive(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;
    struct sl_emit_ip ip = {.src = harness_ip_of(A4), .dst = harness_ip_of(B4), .proto = SL_PROTO_TCP};

    ip.payload_len = 16; // a first fragment without the TCP flags
    ip.fragment = SL_IPV4_MF;
    stage_parse(h, &burst, STAGE_WAN, harness_ip(STAGE_WAN, &ip));
    harness_expect_drop(h, fragment_tiny);
    ip.fragment = 1; // a second that brings its own flags
    stage_parse(h, &burst, STAGE_WAN, harness_ip(STAGE_WAN, &ip));
    harness_expect_drop(h, fragment_tiny);
    ip.fragment = 8190; // ends behind the largest datagram
    ip.payload_len = 64;
    stage_parse(h, &burst, STAGE_WAN, harness_ip(STAGE_WAN, &ip));
    harness_expect_drop(h, fragment_overlap);
    harness_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse_reads_udp_over_both_families),
        cmocka_unit_test(parse_reads_tcp_and_tells_a_syn),
        cmocka_unit_test(parse_puts_a_pings_identifier_in_both_ports),
        cmocka_unit_test(parse_sends_ipv4_of_translating_ports_to_steering),
        cmocka_unit_test(parse_hashes_the_key_of_what_is_steered_with_the_workers_seed),
        cmocka_unit_test(parse_trims_ethernet_padding),
        cmocka_unit_test(parse_calls_plain_only_what_is),
        cmocka_unit_test(parse_reads_fragments_without_ports_behind_the_first),
        cmocka_unit_test(parse_walks_ipv6_extension_headers),
        cmocka_unit_test(parse_reads_headers_of_the_first_segment_alone),
        cmocka_unit_test(parse_keys_an_icmp_error_by_its_quote_reversed),
        cmocka_unit_test(parse_drops_an_error_that_goes_to_another_than_it_quotes),
        cmocka_unit_test(parse_drops_errors_that_quote_too_little_or_errors),
        cmocka_unit_test(parse_hands_arp_to_housekeeping),
        cmocka_unit_test(parse_hands_neighbor_discovery_to_housekeeping_and_no_other_icmp6),
        cmocka_unit_test(parse_drops_fragmented_neighbor_discovery),
        cmocka_unit_test(parse_drops_unicast_frames_for_other_stations),
        cmocka_unit_test(parse_takes_from_broadcast_frames_only_packets_to_everyone),
        cmocka_unit_test(parse_drops_other_protocols_and_vlan_tags),
        cmocka_unit_test(parse_drops_frames_cut_off_anywhere),
        cmocka_unit_test(parse_drops_bad_ipv4_headers),
        cmocka_unit_test(parse_drops_source_routes),
        cmocka_unit_test(parse_drops_bad_ipv6_headers),
        cmocka_unit_test(parse_drops_mapped_addresses_in_ipv6_headers),
        cmocka_unit_test(parse_drops_bad_transport_headers),
        cmocka_unit_test(parse_drops_fragments_made_to_deceive),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
