// SPDX-License-Identifier: Apache-2.0
// IPv6 fragments to services: put together in any order on any worker, cut again for the member (RFC 8200 section 4.5).
#include "harness_balance.h"
#include "route/fragment.h"
#include "wire/l4.h"

#define SERVER    "fd01::1"
#define ID        0xdead0017u
#define PIECE     1232 // bytes of data in a piece but the last
#define MOST      50
#define MARK_GONE 0

static struct harness_balance *gateway(uint32_t workers, const char *member, enum sl_balance_way way)
{
    struct harness_balance *b = harness_balance_new(workers, 256);
    uint32_t pool = harness_balance_pool(b, SL_BALANCE_MAGLEV);
    harness_balance_member(b, pool, member, way == SL_BALANCE_DIRECT ? 0 : 8080, 1);
    b->pool[pool].way = way;
    b->pool[pool].source_count = b->input.source_count = way == SL_BALANCE_FULL_NAT;
    b->source[0] = harness_ip_of("198.51.100.107");
    uint32_t service = harness_balance_service(b, pool);
    harness_balance_listen(b, service, BALANCE_VIP_V6, IPPROTO_UDP, 80, 80);
    harness_balance_ready(b);
    return b;
}

// A frame with the bytes [at, at + len) of the datagram's payload behind a fragment header.
static struct rte_mbuf *piece_of(struct rte_mbuf *whole, uint16_t in, uint32_t id, uint16_t at, uint16_t len)
{
    const struct sl_ipv6 *ip = harness_ipv6_of(whole);
    uint16_t total = sl_host16(ip->payload_len);
    uint8_t bytes[14 + 48 + PIECE];
    memcpy(bytes, rte_pktmbuf_mtod(whole, void *), 14 + 40);
    memcpy(bytes, harness_port_mac(in), 6);
    struct sl_ipv6 *head = (struct sl_ipv6 *)(bytes + 14);
    head->payload_len = sl_be16_of((uint16_t)(8 + len));
    head->next = SL_PROTO_FRAGMENT;
    uint8_t *data = sl_emit_ipv6_fragment(head + 1, ip->next, at, at + len < total, id);
    memcpy(data, (const uint8_t *)(ip + 1) + at, len);
    return harness_frame(bytes, 14 + 48u + len);
}

static uint32_t cut(struct rte_mbuf *whole, uint16_t in, uint32_t id, struct rte_mbuf *piece[MOST])
{
    uint16_t total = sl_host16(harness_ipv6_of(whole)->payload_len);
    uint32_t count = 0;
    for (uint16_t at = 0; at < total; at = (uint16_t)(at + PIECE))
        piece[count++] = piece_of(whole, in, id, at, RTE_MIN((uint16_t)PIECE, (uint16_t)(total - at)));
    rte_pktmbuf_free(whole);
    return count;
}

// Puts what was sent together again; checks each piece. Its UDP datagram, IPv6 header in front; bytes of it.
static uint32_t gather(struct harness_balance *b, uint16_t out, uint8_t *bytes, uint32_t *pieces)
{
    struct rte_mbuf *m;
    uint32_t total = 0;
    *pieces = 0;
    for (; (m = harness_sent(b->h, out)) != NULL; (*pieces)++) {
        const struct sl_ipv6 *ip = harness_ipv6_of(m);
        assert_true(m->pkt_len - 14 <= 1280);
        memcpy(bytes, ip, 40);
        uint32_t at = 0, front = 40;
        if (ip->next == SL_PROTO_FRAGMENT) {
            const struct sl_ipv6_fragment *fragment = (const struct sl_ipv6_fragment *)(ip + 1);
            assert_int_equal(sl_host32(fragment->id), ID);
            assert_int_equal(fragment->reserved, MARK_GONE);
            at = sl_host16(fragment->offset) & ~7u;
            front = 48;
            bytes[6] = fragment->next;
        }
        uint32_t len = m->pkt_len - 14 - front;
        memcpy(bytes + 40 + at, (const uint8_t *)ip + front, len);
        total += len;
        rte_pktmbuf_free(m);
    }
    ((struct sl_ipv6 *)bytes)->payload_len = sl_be16_of((uint16_t)total);
    return total;
}

// Sends the pieces to workers in turn, `step` apart in order.
static void scatter(struct harness_balance *b, uint16_t in, struct rte_mbuf **piece, uint32_t count, uint32_t step)
{
    for (uint32_t i = 0; i < count; i++) {
        harness_send_to(b->h, i % b->h->worker_count, in, &piece[i * step % count], 1);
        harness_settle(b->h);
    }
}

static void any_order_on_any_worker(void **state)
{
    static uint8_t bytes[65536];
    for (uint32_t workers = 1; workers <= 3; workers++) {
        struct harness_balance *b = gateway(workers, SERVER, SL_BALANCE_DNAT);
        const uint16_t size[] = {1300, 1500};
        for (uint32_t step = 1; step <= 5; step += 2) {
            for (size_t i = 0; i < RTE_DIM(size); i++) {
                struct rte_mbuf *piece[MOST];
                uint32_t pieces, count = cut(
                    harness_udp(NAT_WAN, BALANCE_CLIENT_V6, BALANCE_VIP_V6, 4000, 80, size[i]), NAT_WAN, ID, piece);
                assert_int_equal(count, 2);
                scatter(b, NAT_WAN, piece, count, step);
                assert_int_equal(gather(b, NAT_LAN, bytes, &pieces), size[i] + 8);
                assert_int_equal(pieces, 2);
                assert_true(sl_check_l4_checksum(bytes));
                const struct sl_udp *udp = (const struct sl_udp *)(bytes + 40);
                assert_int_equal(sl_host16(udp->dport), 8080);
                count = cut(harness_udp(NAT_LAN, SERVER, BALANCE_CLIENT_V6, 8080, 4000, size[i]), NAT_LAN, ID,
                            piece);
                scatter(b, NAT_LAN, piece, count, step);
                assert_int_equal(gather(b, NAT_WAN, bytes, &pieces), size[i] + 8);
                assert_true(sl_check_l4_checksum(bytes));
                assert_int_equal(sl_host16(udp->sport), 80);
            }
        }
        assert_int_equal(harness_nat_flows(b->n), 1);
        harness_expect_no_drop(b->h);
        harness_balance_free(b);
    }
}

// Small once together: the member gets it whole, without a fragment header.
static void what_fits_goes_whole(void **state)
{
    static uint8_t bytes[65536];
    struct harness_balance *b = gateway(2, SERVER, SL_BALANCE_DNAT);
    struct rte_mbuf *whole = harness_udp(NAT_WAN, BALANCE_CLIENT_V6, BALANCE_VIP_V6, 4000, 80, 800);
    struct rte_mbuf *piece[] = {piece_of(whole, NAT_WAN, ID, 400, 408), piece_of(whole, NAT_WAN, ID, 0, 400)};
    uint32_t pieces;
    rte_pktmbuf_free(whole);
    scatter(b, NAT_WAN, piece, 2, 1);
    assert_int_equal(gather(b, NAT_LAN, bytes, &pieces), 808);
    assert_int_equal(pieces, 1);
    assert_true(sl_check_l4_checksum(bytes));
    harness_expect_no_drop(b->h);
    harness_balance_free(b);
}

static void overlaps_lose_the_datagram(void **state)
{
    struct harness_balance *b = gateway(1, SERVER, SL_BALANCE_DNAT);
    struct rte_mbuf *whole = harness_udp(NAT_WAN, BALANCE_CLIENT_V6, BALANCE_VIP_V6, 4000, 80, 1000);
    struct rte_mbuf *piece[] = {piece_of(whole, NAT_WAN, ID, 0, 408), piece_of(whole, NAT_WAN, ID, 400, 608),
                                piece_of(whole, NAT_WAN, ID, 408, 600)};
    rte_pktmbuf_free(whole);
    scatter(b, NAT_WAN, piece, 3, 1);
    assert_null(harness_sent(b->h, NAT_LAN));
    harness_expect_drops(b->h, SL_DROP_fragment_overlap, 3);
    harness_balance_free(b);
}

// RFC 6946: an only fragment does not wait for others, nor meet them.
static void only_fragments_pass_beside_others(void **state)
{
    struct harness_balance *b = gateway(1, SERVER, SL_BALANCE_DNAT);
    struct rte_mbuf *whole = harness_udp(NAT_WAN, BALANCE_CLIENT_V6, BALANCE_VIP_V6, 4000, 80, 1000);
    struct rte_mbuf *piece[] = {piece_of(whole, NAT_WAN, ID, 0, 400), piece_of(whole, NAT_WAN, ID, 0, 1008)};
    rte_pktmbuf_free(whole);
    scatter(b, NAT_WAN, piece, 2, 1);
    struct rte_mbuf *m = harness_sent(b->h, NAT_LAN);
    assert_non_null(m);
    assert_int_equal(m->pkt_len, 14 + 48 + 1008);
    rte_pktmbuf_free(m);
    harness_expect_no_drop(b->h);
    harness_balance_free(b);
}

// Nobody's packets are put together but those of services: a router does not cut IPv6.
static void what_is_routed_stays_in_pieces(void **state)
{
    struct harness_balance *b = gateway(1, SERVER, SL_BALANCE_DNAT);
    struct rte_mbuf *whole = harness_udp(NAT_WAN, BALANCE_CLIENT_V6, "fd01::99", 4000, 80, 1000);
    struct rte_mbuf *m = piece_of(whole, NAT_WAN, ID, 0, 400);
    rte_pktmbuf_free(whole);
    scatter(b, NAT_WAN, &m, 1, 1);
    m = harness_sent(b->h, NAT_LAN);
    assert_non_null(m);
    rte_pktmbuf_free(m);
    harness_balance_free(b);
}

static void fragments_cross_to_ipv4(void **state)
{
    struct harness_balance *b = gateway(2, "10.1.0.1", SL_BALANCE_FULL_NAT);
    struct rte_mbuf *piece[MOST], *m;
    uint32_t count = cut(harness_udp(NAT_WAN, BALANCE_CLIENT_V6, BALANCE_VIP_V6, 4000, 80, 1500), NAT_WAN, ID,
                         piece),
             bytes = 0, pieces = 0;
    scatter(b, NAT_WAN, piece, count, 1);
    for (; (m = harness_sent(b->h, NAT_LAN)) != NULL; pieces++) {
        assert_int_equal(sl_csum_ipv4_header(harness_ipv4_of(m), 20), 0);
        assert_int_equal(harness_ipv4_of(m)->dst, ip4("10.1.0.1"));
        assert_false(harness_ipv4_of(m)->fragment & sl_be16_of(SL_IPV4_DF));
        bytes += m->pkt_len - 34;
        rte_pktmbuf_free(m);
    }
    assert_int_equal(pieces, 2);
    assert_int_equal(bytes, 1508);
    harness_expect_no_drop(b->h);
    harness_balance_free(b);
}

static void what_never_comes_is_given_up(void **state)
{
    struct harness_balance *b = gateway(1, SERVER, SL_BALANCE_DNAT);
    struct rte_mbuf *whole = harness_udp(NAT_WAN, BALANCE_CLIENT_V6, BALANCE_VIP_V6, 4000, 80, 1000);
    struct rte_mbuf *m = piece_of(whole, NAT_WAN, ID, 0, 400);
    rte_pktmbuf_free(whole);
    scatter(b, NAT_WAN, &m, 1, 1);
    harness_advance_ms(b->h, 120000);
    fragment_tick(b->h->worker[0]);
    harness_expect_drop(b->h, fragment_timeout);
    harness_balance_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order_on_any_worker),       cmocka_unit_test(what_fits_goes_whole),
        cmocka_unit_test(overlaps_lose_the_datagram),    cmocka_unit_test(only_fragments_pass_beside_others),
        cmocka_unit_test(what_is_routed_stays_in_pieces), cmocka_unit_test(fragments_cross_to_ipv4),
        cmocka_unit_test(what_never_comes_is_given_up),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
