// SPDX-License-Identifier: Apache-2.0
// ICMP errors and echo replies that the data plane sends: their bytes, when it keeps silent, and the rate limit.
#include "stage.h"
#include "icmp/icmp.h"
#include "wire/checksum.h"
#include "wire/l4.h"

#define A4 "10.0.0.11"
#define B4 "198.51.100.21"
#define A6 "fd00::11"
#define B6 "2001:db8:100::21"

struct error { // of enum packet_reject's parameters
    enum sl_drop reason;
    uint8_t type, code;
    uint16_t mtu;
};

static const struct error expired4 = {SL_DROP_ttl_expired, SL_ICMP_TIME_EXCEEDED, 0, 0};
static const struct error expired6 = {SL_DROP_ttl_expired, SL_ICMP6_TIME_EXCEEDED, 0, 0};

// Parses the frame and rejects it.
static struct packet *reject(struct harness *h, struct burst *burst, struct rte_mbuf *frame,
                             const struct error *error)
{
    struct packet *packet = stage_parse(h, burst, STAGE_LAN, frame);

    assert_true(packet->stage == PACKET_STEER || packet->stage == PACKET_ROUTE);
    packet_reject(burst, packet, error->reason, error->type, error->code, error->mtu);
    icmp_stage(h->worker[0], burst);
    return packet;
}

static void assert_silent(struct harness *h, struct rte_mbuf *frame, const struct error *error)
{
    struct burst burst;
    uint64_t sent = harness_counted(h, SL_COUNTER_icmp_error_sent);
    struct packet *packet = reject(h, &burst, frame, error);

    assert_int_equal(packet->stage, PACKET_GONE);
    assert_int_equal(harness_counted(h, SL_COUNTER_icmp_error_sent), sent);
    harness_expect_drops(h, error->reason, 1);
}

// What must hold for every error; returns its ICMP header.
static const struct sl_icmp *assert_error(struct harness *h, const struct packet *packet,
                                          const struct error *error, const char *from, const char *to)
{
    bool v4 = (packet->flags & PACKET_V4) != 0;
    const struct sl_ipv4 *ip4 = harness_ipv4_of(packet->m);
    const struct sl_ipv6 *ip6 = harness_ipv6_of(packet->m);
    struct sl_ip src = harness_ip_of(from), dst = harness_ip_of(to);
    const struct sl_icmp *icmp = rte_pktmbuf_mtod_offset(packet->m, const struct sl_icmp *, packet->l4_off);

    assert_int_equal(packet->stage, PACKET_ROUTE);
    assert_int_equal(packet->flags, PACKET_FROM_HOST | PACKET_L4_KNOWN | (v4 ? PACKET_V4 : PACKET_V6));
    assert_int_equal(packet->l3_len, packet->m->pkt_len - 14);
    if (v4) {
        assert_int_equal(ip4->src, src.w[3]);
        assert_int_equal(ip4->dst, dst.w[3]);
        assert_int_equal(sl_csum_ipv4_header(ip4, 20), 0);
        assert_int_equal(sl_host16(ip4->total_len), packet->l3_len);
    } else {
        assert_memory_equal(ip6->src, &src, 16);
        assert_memory_equal(ip6->dst, &dst, 16);
        assert_int_equal(sl_host16(ip6->payload_len) + 40, packet->l3_len);
    }
    assert_true(sl_check_l4_checksum(ip4));
    assert_int_equal(icmp->type, error->type);
    assert_int_equal(icmp->code, error->code);
    harness_expect_drops(h, error->reason, 1);
    return icmp;
}

// ---- errors ---------------------------------------------------------------------------------------------
static void error_quotes_the_packet_and_goes_to_its_sender(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;

    for (unsigned v6 = 0; v6 < 2; v6++) {
        const struct error *error = v6 ? &expired6 : &expired4;
        struct rte_mbuf *frame = harness_udp(STAGE_LAN, v6 ? A6 : A4, v6 ? B6 : B4, 4000, 53, 64);
        uint8_t before[200];
        uint16_t len = (uint16_t)(frame->pkt_len - 14);
        memcpy(before, harness_ipv4_of(frame), len);
        struct packet *p = reject(h, &burst, frame, error);
        const struct sl_icmp *icmp = assert_error(h, p, error, v6 ? "fd00::1" : "10.0.0.1", v6 ? A6 : A4);
        assert_int_equal(icmp->mtu32, 0);
        assert_int_equal(p->l3_len, (v6 ? 48 : 28) + len);
        assert_memory_equal(icmp + 1, before, len);
        stage_done(&burst);
    }
    assert_int_equal(harness_counted(h, SL_COUNTER_icmp_error_sent), 2);
    harness_free(h);
}

static void every_error_the_gateway_needs_is_built(void **state)
{
    static const struct error v4[] = {
        {SL_DROP_no_route, 3, 0, 0},        {SL_DROP_neighbor_unresolved, 3, 1, 0},
        {SL_DROP_mtu_exceeded, 3, 4, 1400}, {SL_DROP_route_reject, 3, 13, 0},
        {SL_DROP_ttl_expired, 11, 0, 0},    {SL_DROP_fragment_timeout, 11, 1, 0},
    };
    static const struct error v6[] = {
        {SL_DROP_no_route, 1, 0, 0},
        {SL_DROP_route_reject, 1, 1, 0},
        {SL_DROP_neighbor_unresolved, 1, 3, 0},
        {SL_DROP_mtu_exceeded, 2, 0, 1400},
        {SL_DROP_ttl_expired, 3, 0, 0},
    };
    struct harness *h = stage_harness();
    struct burst burst;

    for (size_t i = 0; i < RTE_DIM(v4); i++) {
        struct packet *p = reject(h, &burst, harness_tcp(STAGE_LAN, A4, B4, 1, 2, SL_TCP_ACK, 8), &v4[i]);
        const struct sl_icmp *icmp = assert_error(h, p, &v4[i], "10.0.0.1", A4);
        assert_int_equal(sl_host16(icmp->mtu), v4[i].mtu);
        assert_int_equal(icmp->unused, 0);
        stage_done(&burst);
    }
    for (size_t i = 0; i < RTE_DIM(v6); i++) {
        struct packet *p = reject(h, &burst, harness_tcp(STAGE_LAN, A6, B6, 1, 2, SL_TCP_ACK, 8), &v6[i]);
        const struct sl_icmp *icmp = assert_error(h, p, &v6[i], "fd00::1", A6);
        assert_int_equal(sl_host32(icmp->mtu32), v6[i].mtu);
        stage_done(&burst);
    }
    harness_free(h);
}

static void error_is_no_longer_than_the_rfcs_allow(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;

    struct packet *p = reject(h, &burst, harness_udp(STAGE_LAN, A4, B4, 1, 2, 1400), &expired4);
    assert_error(h, p, &expired4, "10.0.0.1", A4);
    assert_int_equal(p->l3_len, 576);
    stage_done(&burst);
    p = reject(h, &burst, harness_udp(STAGE_LAN, A6, B6, 1, 2, 1400), &expired6);
    assert_error(h, p, &expired6, "fd00::1", A6);
    assert_int_equal(p->l3_len, 1280);
    stage_done(&burst);
    harness_free(h);
}

static void error_about_a_chained_frame_quotes_all_segments(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;
    struct rte_mbuf *frame = harness_udp(STAGE_LAN, A6, B6, 4000, 53, 64),
                    *more = harness_frame("abcdefgh", 8);

    harness_ipv6_of(frame)->payload_len = sl_be16_of(80);
    assert_int_equal(rte_pktmbuf_chain(frame, more), 0);
    struct packet *p = reject(h, &burst, frame, &expired6);
    const uint8_t *quote = (const uint8_t *)(assert_error(h, p, &expired6, "fd00::1", A6) + 1);
    assert_int_equal(p->l3_len, 48 + 120);
    assert_memory_equal(quote + 112, "abcdefgh", 8);
    assert_int_equal(p->m->nb_segs, 1);
    stage_done(&burst);
    harness_free(h);
}

// NAT has rewritten the packet: addresses and ports in the frame are the outside's, the key is the sender's.
static struct packet *translated(struct harness *h, struct burst *burst, struct rte_mbuf *frame)
{
    struct packet *packet = stage_parse(h, burst, STAGE_LAN, frame);
    struct sl_ipv4 *ip = harness_ipv4_of(frame);
    uint16_t *ports = harness_l4_of(frame);

    ip->src = sl_be32_of(0xc6336464);
    ip->dst = sl_be32_of(0xc6336417);
    if (packet->flags & PACKET_ICMP_QUERY)
        ((struct sl_icmp *)ports)->id = sl_be16_of(60000);
    else
        ports[0] = sl_be16_of(60000), ports[1] = sl_be16_of(8080);
    harness_fix_checksums(frame);
    packet->flags |= PACKET_TRANSLATED;
    return packet;
}

static void error_about_a_translated_packet_shows_what_its_sender_sent(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;

    for (unsigned kind = 0; kind < 3; kind++) {
        struct rte_mbuf *frame = kind == 0   ? harness_tcp(STAGE_LAN, A4, B4, 4000, 80, SL_TCP_SYN, 20)
                                 : kind == 1 ? harness_udp(STAGE_LAN, A4, B4, 4000, 80, 20)
                                             : harness_echo(STAGE_LAN, A4, B4, 777, 1);
        uint8_t before[200];
        uint16_t len = (uint16_t)(frame->pkt_len - 14);
        memcpy(before, harness_ipv4_of(frame), len);
        struct packet *p = translated(h, &burst, frame);
        packet_reject(&burst, p, expired4.reason, expired4.type, expired4.code, 0);
        icmp_stage(h->worker[0], &burst);
        const struct sl_icmp *icmp = assert_error(h, p, &expired4, "10.0.0.1", A4);
        assert_memory_equal(icmp + 1, before, len);
        stage_done(&burst);
    }
    harness_free(h);
}

static void error_about_a_translated_udp_packet_leaves_its_absent_checksum(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;
    struct packet *p = translated(h, &burst, harness_udp(STAGE_LAN, A4, B4, 4000, 80, 20));

    ((struct sl_udp *)harness_l4_of(p->m))->checksum = 0;
    packet_reject(&burst, p, expired4.reason, expired4.type, expired4.code, 0);
    icmp_stage(h->worker[0], &burst);
    const uint8_t *quote = (const uint8_t *)(assert_error(h, p, &expired4, "10.0.0.1", A4) + 1);
    const struct sl_udp *udp = (const struct sl_udp *)(quote + 20);
    assert_int_equal(udp->checksum, 0);
    assert_int_equal(udp->sport, sl_be16_of(4000));
    stage_done(&burst);
    harness_free(h);
}

static void error_speaks_from_another_port_where_its_own_has_no_address(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;

    h->port[STAGE_LAN].addr_count = 0;
    struct packet *p = reject(h, &burst, harness_udp(STAGE_LAN, A4, B4, 1, 2, 8), &expired4);
    assert_error(h, p, &expired4, "198.51.100.1", A4);
    stage_done(&burst);
    h->port[STAGE_WAN].addr_count = 0;
    assert_silent(h, harness_udp(STAGE_LAN, A4, B4, 1, 2, 8), &expired4);
    harness_free(h);
}

static void error_over_ipv6_prefers_a_global_source(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;
    struct sl_port *lan = &h->port[STAGE_LAN];

    lan->addr[0].ip = harness_ip_of("fe80::1");
    struct packet *p = reject(h, &burst, harness_udp(STAGE_LAN, A6, B6, 1, 2, 8), &expired6);
    assert_error(h, p, &expired6, "fd00::1", A6);
    stage_done(&burst);
    harness_free(h);
}

// ---- silence --------------------------------------------------------------------------------------------
static void no_error_is_sent_about_an_error(void **state)
{
    struct harness *h = stage_harness();

    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct rte_mbuf *inner = harness_udp(STAGE_LAN, v6 ? A6 : A4, v6 ? B6 : B4, 4000, 53, 8);
        struct sl_emit_ip ip = {.src = harness_ip_of(v6 ? B6 : B4), .dst = harness_ip_of(v6 ? A6 : A4)};
        ip.payload_len = (uint16_t)(8 + inner->pkt_len - 14);
        ip.proto = v6 ? SL_PROTO_ICMPV6 : SL_PROTO_ICMP;
        struct rte_mbuf *frame = harness_ip(STAGE_LAN, &ip);
        uint8_t *quote =
            sl_emit_icmp(harness_l4_of(frame), v6 ? SL_ICMP6_TOO_BIG : SL_ICMP_UNREACHABLE, 0, 0);
        memcpy(quote, harness_ipv4_of(inner), inner->pkt_len - 14);
        rte_pktmbuf_free(inner);
        assert_silent(h, frame, v6 ? &expired6 : &expired4);
    }
    harness_free(h);
}

static void no_error_is_sent_about_icmp_that_nobody_knows(void **state)
{
    struct harness *h = stage_harness();
    struct sl_emit_ip ip = {
        .src = harness_ip_of(A4), .dst = harness_ip_of(B4), .proto = SL_PROTO_ICMP, .payload_len = 8};
    struct sl_emit_ip ip6 = {.src = harness_ip_of(A6), .dst = harness_ip_of(B6), .payload_len = 8};
    struct rte_mbuf *frame = harness_ip(STAGE_LAN, &ip);

    sl_emit_icmp(harness_l4_of(frame), 40, 0, 0);
    assert_silent(h, frame, &expired4);
    ip6.proto = SL_PROTO_ICMPV6;
    frame = harness_ip(STAGE_LAN, &ip6);
    sl_emit_icmp(harness_l4_of(frame), 100, 0, 0); // an error type for private use
    assert_silent(h, frame, &expired6);
    harness_free(h);
}

static void pings_may_be_answered_with_errors(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;

    struct packet *p = reject(h, &burst, harness_echo(STAGE_LAN, A4, B4, 1, 1), &expired4);
    assert_error(h, p, &expired4, "10.0.0.1", A4);
    stage_done(&burst);
    p = reject(h, &burst, harness_echo(STAGE_LAN, A6, B6, 1, 1), &expired6);
    assert_error(h, p, &expired6, "fd00::1", A6);
    stage_done(&burst);
    harness_free(h);
}

static void no_error_is_sent_about_later_fragments_of_ipv4(void **state)
{
    struct harness *h = stage_harness();
    struct sl_emit_ip ip = {
        .src = harness_ip_of(A4), .dst = harness_ip_of(B4), .proto = SL_PROTO_UDP, .payload_len = 64};

    ip.fragment = 10;
    assert_silent(h, harness_ip(STAGE_LAN, &ip), &expired4);
    harness_free(h);
}

static void no_error_is_sent_to_whom_no_answer_can_reach(void **state)
{
    static const char *const from4[] = {"0.0.0.0",   "0.1.2.3",   "127.0.0.1",
                                        "224.0.0.1", "240.0.0.1", "255.255.255.255"};
    static const char *const from6[] = {"::", "::1", "ff02::1", "fe80::11"};
    struct harness *h = stage_harness();

    for (size_t i = 0; i < RTE_DIM(from4); i++)
        assert_silent(h, harness_udp(STAGE_LAN, from4[i], B4, 1, 2, 8), &expired4);
    for (size_t i = 0; i < RTE_DIM(from6); i++)
        assert_silent(h, harness_udp(STAGE_LAN, from6[i], B6, 1, 2, 8), &expired6);
    harness_free(h);
}

static void no_error_is_sent_about_what_went_to_everyone(void **state)
{
    struct harness *h = stage_harness();
    struct rte_mbuf *frame;

    assert_silent(h, harness_udp(STAGE_LAN, A4, "224.0.0.5", 1, 2, 8), &expired4);
    assert_silent(h, harness_udp(STAGE_LAN, A4, "255.255.255.255", 1, 2, 8), &expired4);
    assert_silent(h, harness_udp(STAGE_LAN, A6, "ff0e::5", 1, 2, 8), &expired6);
    frame = harness_udp(STAGE_LAN, A4, "10.0.0.255", 1, 2, 8);
    memset(harness_eth_of(frame)->dst, 0xff, 6);
    assert_silent(h, frame, &expired4);
    harness_free(h);
}

static void packet_too_big_is_sent_about_ipv6_multicast_too(void **state)
{
    static const struct error too_big = {SL_DROP_mtu_exceeded, SL_ICMP6_TOO_BIG, 0, 1280};
    struct harness *h = stage_harness();
    struct burst burst;

    struct packet *p = reject(h, &burst, harness_udp(STAGE_LAN, A6, "ff0e::5", 1, 2, 8), &too_big);
    assert_error(h, p, &too_big, "fd00::1", A6);
    stage_done(&burst);
    harness_free(h);
}

static void no_error_is_sent_about_our_own_packets(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;
    struct packet *p = stage_parse(h, &burst, STAGE_LAN, harness_udp(STAGE_LAN, A4, B4, 1, 2, 8));

    p->flags |= PACKET_FROM_HOST;
    packet_reject(&burst, p, SL_DROP_no_route, SL_ICMP_UNREACHABLE, 0, 0);
    icmp_stage(h->worker[0], &burst);
    assert_int_equal(p->stage, PACKET_GONE);
    harness_expect_drop(h, no_route);
    assert_int_equal(harness_counted(h, SL_COUNTER_icmp_error_sent), 0);
    harness_free(h);
}

// ---- the rate limit -------------------------------------------------------------------------------------
static uint64_t errors_of(struct harness *h, unsigned packets)
{
    uint64_t before = harness_counted(h, SL_COUNTER_icmp_error_sent);
    struct burst burst;

    for (unsigned i = 0; i < packets; i++) {
        reject(h, &burst, harness_udp(STAGE_LAN, A4, B4, 1, 2, 8), &expired4);
        stage_done(&burst);
    }
    harness_expect_drops(h, expired4.reason, packets);
    return harness_counted(h, SL_COUNTER_icmp_error_sent) - before;
}

static void errors_are_limited_to_the_burst_and_then_to_the_rate(void **state)
{
    struct harness *h = stage_harness();

    h->port_table.settings.icmp_error_rate = 100;
    h->port_table.settings.icmp_error_burst = 20;
    assert_int_equal(errors_of(h, 50), 20);
    assert_int_equal(harness_counted(h, SL_COUNTER_icmp_error_limited), 30);
    harness_advance_ms(h, 9); // nine tenths of a token
    assert_int_equal(errors_of(h, 5), 0);
    harness_advance_ms(h, 1);
    assert_int_equal(errors_of(h, 5), 1);
    harness_advance_ms(h, 100);
    assert_int_equal(errors_of(h, 50), 10);
    harness_advance_ms(h, 10000); // over the wrap of the clock; no more than a burst is held
    assert_int_equal(errors_of(h, 50), 20);
    harness_free(h);
}

static void rate_of_zero_sends_no_errors(void **state)
{
    struct harness *h = stage_harness();

    h->port_table.settings.icmp_error_burst = 0;
    assert_int_equal(errors_of(h, 5), 0);
    harness_free(h);
}

// ---- echo -----------------------------------------------------------------------------------------------
static struct packet *answer(struct harness *h, struct burst *burst, struct rte_mbuf *frame)
{
    struct packet *packet = stage_parse(h, burst, STAGE_LAN, frame);

    icmp_answer_echo(h->worker[0], burst, packet);
    return packet;
}

static void echo_request_becomes_its_reply(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;

    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct packet *p = answer(h, &burst, harness_echo(STAGE_LAN, v6 ? A6 : A4, v6 ? B6 : B4, 777, 5));
        const struct sl_icmp *icmp = harness_l4_of(p->m);
        struct sl_ip src = harness_ip_of(v6 ? B6 : B4), dst = harness_ip_of(v6 ? A6 : A4);
        struct sl_flow_key key = p->key;
        assert_int_equal(p->stage, PACKET_ROUTE);
        assert_true(p->flags & PACKET_FROM_HOST);
        assert_int_equal(icmp->type, v6 ? SL_ICMP6_ECHO_REPLY : SL_ICMP_ECHO_REPLY);
        assert_int_equal(icmp->id, sl_be16_of(777));
        assert_int_equal(icmp->seq, sl_be16_of(5));
        assert_true(sl_check_l4_checksum(harness_ipv4_of(p->m)));
        if (v6) {
            assert_memory_equal(harness_ipv6_of(p->m)->src, &src, 16);
            assert_memory_equal(harness_ipv6_of(p->m)->dst, &dst, 16);
        } else {
            assert_int_equal(harness_ipv4_of(p->m)->src, src.w[3]);
            assert_int_equal(harness_ipv4_of(p->m)->dst, dst.w[3]);
            assert_int_equal(sl_csum_ipv4_header(harness_ipv4_of(p->m), 20), 0);
        }
        assert_memory_equal(&key.dst, &dst, 16);
        stage_done(&burst);
    }
    assert_int_equal(harness_counted(h, SL_COUNTER_icmp_echo_answered), 2);
    harness_expect_no_drop(h);
    harness_free(h);
}

static void corrupted_echo_request_gets_a_reply_that_is_corrupted(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;
    struct rte_mbuf *frame = harness_echo(STAGE_LAN, A4, B4, 777, 5);

    rte_pktmbuf_mtod(frame, uint8_t *)[60] ^= 1;
    struct packet *p = answer(h, &burst, frame);
    assert_false(sl_check_l4_checksum(harness_ipv4_of(p->m)));
    stage_done(&burst);
    harness_free(h);
}

static void only_whole_echo_requests_are_answered(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;
    struct rte_mbuf *frame = harness_echo(STAGE_LAN, A4, B4, 777, 5);

    ((struct sl_icmp *)harness_l4_of(frame))->type = SL_ICMP_ECHO_REPLY;
    answer(h, &burst, frame);
    harness_expect_drop(h, local_protocol);
    frame = harness_echo(STAGE_LAN, A4, B4, 777, 5);
    harness_ipv4_of(frame)->fragment = sl_be16_of(SL_IPV4_MF);
    harness_fix_checksums(frame);
    answer(h, &burst, frame);
    harness_expect_drop(h, local_protocol);
    answer(h, &burst, harness_udp(STAGE_LAN, A4, B4, 4000, 53, 8));
    harness_expect_drop(h, local_protocol);
    answer(h, &burst, harness_echo(STAGE_LAN, A6, "ff02::1", 777, 5));
    harness_expect_drop(h, local_protocol);
    assert_int_equal(harness_counted(h, SL_COUNTER_icmp_echo_answered), 0);
    harness_free(h);
}

static void echo_replies_are_limited_apart_from_errors(void **state)
{
    struct harness *h = stage_harness();
    struct burst burst;

    h->port_table.settings.icmp_error_burst = 3;
    for (unsigned i = 0; i < 10; i++) {
        answer(h, &burst, harness_echo(STAGE_LAN, A4, B4, 777, 5));
        stage_done(&burst);
    }
    assert_int_equal(harness_counted(h, SL_COUNTER_icmp_echo_answered), 3);
    harness_expect_drops(h, SL_DROP_local_protocol, 7);
    assert_int_equal(errors_of(h, 10), 3);
    harness_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_quotes_the_packet_and_goes_to_its_sender),
        cmocka_unit_test(every_error_the_gateway_needs_is_built),
        cmocka_unit_test(error_is_no_longer_than_the_rfcs_allow),
        cmocka_unit_test(error_about_a_chained_frame_quotes_all_segments),
        cmocka_unit_test(error_about_a_translated_packet_shows_what_its_sender_sent),
        cmocka_unit_test(error_about_a_translated_udp_packet_leaves_its_absent_checksum),
        cmocka_unit_test(error_speaks_from_another_port_where_its_own_has_no_address),
        cmocka_unit_test(error_over_ipv6_prefers_a_global_source),
        cmocka_unit_test(no_error_is_sent_about_an_error),
        cmocka_unit_test(no_error_is_sent_about_icmp_that_nobody_knows),
        cmocka_unit_test(pings_may_be_answered_with_errors),
        cmocka_unit_test(no_error_is_sent_about_later_fragments_of_ipv4),
        cmocka_unit_test(no_error_is_sent_to_whom_no_answer_can_reach),
        cmocka_unit_test(no_error_is_sent_about_what_went_to_everyone),
        cmocka_unit_test(packet_too_big_is_sent_about_ipv6_multicast_too),
        cmocka_unit_test(no_error_is_sent_about_our_own_packets),
        cmocka_unit_test(errors_are_limited_to_the_burst_and_then_to_the_rate),
        cmocka_unit_test(rate_of_zero_sends_no_errors),
        cmocka_unit_test(echo_request_becomes_its_reply),
        cmocka_unit_test(corrupted_echo_request_gets_a_reply_that_is_corrupted),
        cmocka_unit_test(only_whole_echo_requests_are_answered),
        cmocka_unit_test(echo_replies_are_limited_apart_from_errors),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
