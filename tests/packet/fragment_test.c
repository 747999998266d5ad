// SPDX-License-Identifier: Apache-2.0
// Fragments both ways: what is cut up is put together again, in any order, with duplicates, at any size; what
// overlaps, lies or comes too late is dropped.
#include "harness.h"
#include "route/fragment.h"
#include "wire/checksum.h"
#include "wire/l4.h"
#include "worker/parse.h"

enum { LAN };
#define DATAGRAM_MAX 65535

static struct harness *gateway(void)
{
    struct harness *h = harness_new(1);

    harness_port(h, LAN, 0);
    harness_address(h, LAN, "10.0.0.1/24");
    harness_ready(h);
    return h;
}

static uint32_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 32);
}

// A chain of mbufs that holds `bytes`, in segments of up to `segment` bytes.
static struct rte_mbuf *chain_of(const uint8_t *bytes, uint32_t len, uint16_t segment)
{
    struct rte_mbuf *head = NULL;

    while (len > 0) {
        uint16_t part = (uint16_t)RTE_MIN(len, segment);
        struct rte_mbuf *m = harness_frame(bytes, part);
        if (!head)
            head = m;
        else
            assert_int_equal(rte_pktmbuf_chain(head, m), 0);
        bytes += part;
        len -= part;
    }
    return head;
}

struct datagram { // as bytes: Ethernet header, IPv4 header, payload
    uint8_t frame[14 + DATAGRAM_MAX];
    uint32_t len;
};

// A UDP datagram of `total` bytes of IP with random content and `options` bytes of IP options.
static void datagram_fill(struct datagram *d, uint16_t total, uint8_t options, uint16_t id, uint64_t *random)
{
    struct sl_emit_ip ip = {.src = harness_ip_of("10.0.0.11"),
                            .dst = harness_ip_of("198.51.100.21"),
                            .proto = SL_PROTO_UDP,
                            .id = id,
                            .payload_len = (uint16_t)(total - 20)};
    uint8_t *l3 = sl_emit_eth(d->frame, harness_port_mac(LAN), harness_peer_mac(), SL_ETHERTYPE_IPV4);
    uint8_t header = (uint8_t)(20 + options);
    struct sl_ipv4 *head = (struct sl_ipv4 *)l3;

    sl_emit_ipv4(l3, &ip);
    memset(l3 + 20, 1, options); // no operation
    l3[0] = (uint8_t)(0x40 | header / 4);
    head->checksum = 0;
    head->checksum = sl_csum_ipv4_header(l3, header);
    uint8_t *payload = sl_emit_udp(l3 + header, 4000, 53, (uint16_t)(total - header - 8));
    ((struct sl_udp *)(l3 + header))->checksum = 0;
    for (uint8_t *at = payload; at < l3 + total; at++)
        *at = (uint8_t)next_random(random);
    d->len = 14u + total;
}

static struct packet packet_of(struct harness *h, struct rte_mbuf *m)
{
    struct packet packet = {.m = m, .port_in = LAN, .l3_off = 14, .flow = FLOW_NONE, .stage = PACKET_FLOW};

    assert_int_equal(parse_packet(h->worker[0], &packet), SL_DROP_none);
    return packet;
}

// Feeds a frame; the datagram it completed, or NULL.
static struct rte_mbuf *feed(struct harness *h, struct rte_mbuf *m)
{
    struct packet packet = packet_of(h, m);
    struct burst burst = {0};

    assert_true(packet.flags & PACKET_FRAGMENT);
    if (!fragment_reassemble(h->worker[0], &burst, &packet)) {
        assert_int_equal(packet.stage, PACKET_GONE);
        return NULL;
    }
    assert_false(packet.flags & (PACKET_FRAGMENT | PACKET_LATER_FRAGMENT));
    assert_true(packet.flags & PACKET_L4_KNOWN);
    assert_int_equal(packet.key.sport, sl_be16_of(4000));
    return packet.m;
}

static void assert_whole(const struct datagram *d, struct rte_mbuf *m)
{
    static uint8_t copy[14 + DATAGRAM_MAX];

    assert_non_null(m);
    assert_int_equal(m->pkt_len, d->len);
    const uint8_t *bytes = rte_pktmbuf_read(m, 0, m->pkt_len, copy);
    assert_memory_equal(bytes + 14, d->frame + 14, d->len - 14); // its header checksum included
    rte_pktmbuf_free(m);
}

static uint32_t cut(struct harness *h, const struct datagram *d, uint16_t mtu,
                    struct rte_mbuf *piece[FRAGMENT_MAX])
{
    struct packet packet = packet_of(h, chain_of(d->frame, d->len, 1500));
    int count = fragment_cut(h->worker[0], &packet, mtu, piece);

    assert_true(count > 0);
    for (int i = 0; i < count; i++) {
        assert_int_equal(piece[i]->nb_segs, 1);
        assert_in_range(piece[i]->pkt_len, 14 + 21, 14 + mtu);
        memcpy(rte_pktmbuf_mtod(piece[i], void *), d->frame, 14);
    }
    return (uint32_t)count;
}

static void shuffle(struct rte_mbuf **piece, uint32_t count, uint64_t *random)
{
    for (uint32_t i = count - 1; i > 0; i--) {
        uint32_t j = next_random(random) % (i + 1);
        struct rte_mbuf *m = piece[i];
        piece[i] = piece[j];
        piece[j] = m;
    }
}

static void what_is_cut_comes_together_in_any_order(void **state)
{
    struct harness *h = gateway();
    static struct datagram d;
    struct rte_mbuf *piece[FRAGMENT_MAX];
    uint64_t random = 4711;

    printf("seed %llu\n", (unsigned long long)random);
    for (uint32_t round = 0; round < 2000; round++) {
        uint16_t mtu = (uint16_t)(100 + next_random(&random) % 1401);
        uint32_t most = RTE_MIN((mtu - 80u) / 8 * 8 * (FRAGMENT_MAX - 1), DATAGRAM_MAX - 1u);
        uint16_t total = (uint16_t)(RTE_MIN(mtu + 1u + next_random(&random) % 3000, most));
        if (round % 100 == 0)
            total = (uint16_t)most;
        if (total <= mtu)
            continue;
        datagram_fill(&d, total, (uint8_t)(next_random(&random) % 3 * 4), (uint16_t)round, &random);
        uint32_t count = cut(h, &d, mtu, piece);
        shuffle(piece, count, &random);
        for (uint32_t i = 0; i + 1 < count; i++) {
            if (next_random(&random) % 4 == 0 && i > 0) { // one that is there already
                struct rte_mbuf *again = rte_pktmbuf_copy(piece[i], harness_pool(), 0, UINT32_MAX);
                assert_null(feed(h, again));
            } else {
                assert_null(feed(h, piece[i]));
                continue;
            }
            assert_null(feed(h, piece[i]));
        }
        assert_whole(&d, feed(h, piece[count - 1]));
    }
    assert_true(harness_dropped(h, SL_DROP_fragment_duplicate) > 100);
    assert_int_equal(harness_dropped(h, SL_DROP_fragment_overlap), 0);
    harness_free(h);
}

static void fragments_of_fragments_come_together(void **state)
{
    struct harness *h = gateway();
    static struct datagram d;
    struct rte_mbuf *piece[FRAGMENT_MAX], *crumb[FRAGMENT_MAX], *whole = NULL;
    uint64_t random = 7;

    datagram_fill(&d, 4000, 0, 9, &random);
    uint32_t count = cut(h, &d, 1500, piece);
    for (uint32_t i = 0; i < count; i++) {
        struct packet packet = packet_of(h, piece[i]);
        int crumbs = fragment_cut(h->worker[0], &packet, 600, crumb);
        assert_true(crumbs > 1);
        for (int j = 0; j < crumbs; j++) {
            memcpy(rte_pktmbuf_mtod(crumb[j], void *), d.frame, 14);
            assert_null(whole);
            whole = feed(h, crumb[j]);
        }
    }
    assert_whole(&d, whole);
    harness_free(h);
}

static void only_options_that_say_so_are_in_every_fragment(void **state)
{
    struct harness *h = gateway();
    static struct datagram d;
    struct rte_mbuf *piece[FRAGMENT_MAX];
    uint64_t random = 7;
    // timestamp (not copied), NOP, security (copied: its first bit is set)
    const uint8_t options[] = {68, 4, 5, 0, 1, 130, 3, 0x55};

    datagram_fill(&d, 2000, sizeof(options), 9, &random);
    struct sl_ipv4 *ip = (struct sl_ipv4 *)(d.frame + 14);
    memcpy(ip + 1, options, sizeof(options));
    ip->checksum = 0;
    ip->checksum = sl_csum_ipv4_header(ip, 28);
    uint32_t count = cut(h, &d, 800, piece);
    assert_int_equal(count, 3);
    assert_int_equal(*rte_pktmbuf_mtod_offset(piece[0], uint8_t *, 14), 0x47);
    for (uint32_t i = 1; i < count; i++) {
        const uint8_t *later = rte_pktmbuf_mtod_offset(piece[i], uint8_t *, 14);
        assert_int_equal(later[0], 0x46);
        assert_memory_equal(later + 20, ((uint8_t[4]){130, 3, 0x55, 0}), 4);
        assert_int_equal(sl_csum_ipv4_header(later, 24), 0);
    }
    rte_pktmbuf_free_bulk(piece, count);
    harness_free(h);
}

static void a_chain_that_fits_becomes_one_segment(void **state)
{
    struct harness *h = gateway();
    static struct datagram d;
    struct rte_mbuf *piece[FRAGMENT_MAX];
    uint64_t random = 7;

    datagram_fill(&d, 1400, 0, 9, &random);
    struct packet packet = packet_of(h, chain_of(d.frame, d.len, 100));
    assert_int_equal(fragment_cut(h->worker[0], &packet, 1500, piece), 1);
    assert_int_equal(piece[0]->nb_segs, 1);
    assert_whole(&d, piece[0]);
    harness_free(h);
}

// ---- what may not be
static struct rte_mbuf *fragment(uint16_t id, uint16_t offset, uint16_t len, bool more)
{
    struct sl_emit_ip ip = {.src = harness_ip_of("10.0.0.11"),
                            .dst = harness_ip_of("198.51.100.21"),
                            .proto = SL_PROTO_UDP,
                            .id = id,
                            .fragment = (uint16_t)(offset / 8 | (more ? SL_IPV4_MF : 0)),
                            .payload_len = len};
    struct rte_mbuf *m = harness_ip(LAN, &ip);

    if (offset == 0)
        sl_emit_udp(harness_l4_of(m), 4000, 53, 992);
    return m;
}

static void an_overlap_ends_its_datagram_for_good(void **state)
{
    struct harness *h = gateway();

    assert_null(feed(h, fragment(1, 0, 400, true)));
    assert_null(feed(h, fragment(1, 800, 200, false)));
    assert_null(feed(h, fragment(1, 392, 400, true))); // eight bytes into the first
    harness_expect_drops(h, SL_DROP_fragment_overlap, 3);
    assert_null(feed(h, fragment(1, 400, 400, true))); // the one that would have been right
    harness_expect_drop(h, fragment_overlap);
    harness_free(h);
}

static void two_ends_cannot_be(void **state)
{
    struct harness *h = gateway();

    assert_null(feed(h, fragment(1, 800, 200, false)));
    assert_null(feed(h, fragment(1, 1000, 200, false)));
    harness_expect_drops(h, SL_DROP_fragment_overlap, 2);
    assert_null(feed(h, fragment(2, 1000, 200, true)));
    assert_null(feed(h, fragment(2, 800, 200, false))); // ends before what came
    harness_expect_drops(h, SL_DROP_fragment_overlap, 2);
    harness_free(h);
}

static void a_duplicate_is_dropped_and_does_no_harm(void **state)
{
    struct harness *h = gateway();

    assert_null(feed(h, fragment(1, 0, 400, true)));
    assert_null(feed(h, fragment(1, 0, 400, true)));
    harness_expect_drop(h, fragment_duplicate);
    struct rte_mbuf *whole = feed(h, fragment(1, 400, 600, false));
    assert_non_null(whole);
    rte_pktmbuf_free(whole);
    harness_free(h);
}

static void a_datagram_longer_than_any_is_refused(void **state)
{
    struct harness *h = gateway();

    assert_null(feed(h, fragment(1, 65520, 8, false))); // 65,528 and a header
    harness_expect_drop(h, fragment_overlap);
    harness_free(h);
}

static void tiny_first_fragments_go_no_further(void **state)
{
    struct harness *h = gateway();
    struct rte_mbuf *m = harness_tcp(LAN, "10.0.0.11", "198.51.100.21", 4000, 80, SL_TCP_SYN, 0);
    struct sl_ipv4 *ip = harness_ipv4_of(m);

    ip->total_len = sl_be16_of(20 + 16);
    ip->fragment = sl_be16_of(SL_IPV4_MF);
    ip->checksum = 0;
    ip->checksum = sl_csum_ipv4_header(ip, 20);
    harness_send(h, LAN, m);
    harness_expect_drop(h, fragment_tiny);
    harness_free(h);
}

static void crumbs_are_refused(void **state)
{
    struct harness *h = gateway();

    for (uint16_t i = 0; i < FRAGMENT_MAX; i++)
        assert_null(feed(h, fragment(1, (uint16_t)(8 + i * 8), 8, true)));
    harness_expect_no_drop(h);
    assert_null(feed(h, fragment(1, 8 + FRAGMENT_MAX * 8, 8, true)));
    harness_expect_drop(h, fragment_tiny);
    harness_free(h);
}

static void what_is_not_whole_in_time_is_dropped(void **state)
{
    struct harness *h = gateway();

    assert_null(feed(h, fragment(1, 0, 400, true)));
    harness_advance_ms(h, 1000);
    assert_null(feed(h, fragment(2, 0, 400, true)));
    harness_advance_ms(h, 999);
    fragment_tick(h->worker[0]);
    harness_expect_no_drop(h);
    harness_advance_ms(h, 1);
    fragment_tick(h->worker[0]);
    harness_expect_drop(h, fragment_timeout);
    struct rte_mbuf *whole = feed(h, fragment(2, 400, 600, false)); // the younger one is still there
    assert_non_null(whole);
    rte_pktmbuf_free(whole);
    assert_null(feed(h, fragment(1, 400, 600, false))); // the older is not
    harness_free(h);
}

static void a_full_table_gives_up_the_oldest(void **state)
{
    struct harness *h = gateway();

    for (uint16_t id = 0; id < 64; id++) // the harness's table holds as many
        assert_null(feed(h, fragment(id, 0, 400, true)));
    harness_expect_no_drop(h);
    assert_null(feed(h, fragment(64, 0, 400, true)));
    harness_expect_drop(h, fragment_table_full);
    for (uint16_t id = 1; id < 65; id++) {
        struct rte_mbuf *whole = feed(h, fragment(id, 400, 600, false));
        assert_non_null(whole);
        rte_pktmbuf_free(whole);
    }
    harness_expect_no_drop(h);
    harness_free(h);
}

static void datagrams_of_different_hosts_are_not_mixed(void **state)
{
    struct harness *h = gateway();
    struct rte_mbuf *other = fragment(1, 400, 600, false);

    harness_ipv4_of(other)->src = harness_ip_of("10.0.0.12").w[3];
    harness_ipv4_of(other)->checksum = 0;
    harness_ipv4_of(other)->checksum = sl_csum_ipv4_header(harness_ipv4_of(other), 20);
    assert_null(feed(h, fragment(1, 0, 400, true)));
    assert_null(feed(h, other));
    assert_null(feed(h, fragment(2, 400, 600, false)));
    harness_expect_no_drop(h);
    harness_free(h);
}

static void df_does_not_survive_being_put_together(void **state)
{
    struct harness *h = gateway();
    struct rte_mbuf *first = fragment(1, 0, 400, true);

    harness_ipv4_of(first)->fragment |= sl_be16_of(SL_IPV4_DF);
    harness_ipv4_of(first)->checksum = 0;
    harness_ipv4_of(first)->checksum = sl_csum_ipv4_header(harness_ipv4_of(first), 20);
    assert_null(feed(h, first));
    struct rte_mbuf *whole = feed(h, fragment(1, 400, 600, false));
    assert_non_null(whole);
    assert_int_equal(harness_ipv4_of(whole)->fragment, 0);
    assert_int_equal(sl_csum_ipv4_header(harness_ipv4_of(whole), 20), 0);
    rte_pktmbuf_free(whole);
    harness_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_cut_comes_together_in_any_order),
        cmocka_unit_test(fragments_of_fragments_come_together),
        cmocka_unit_test(only_options_that_say_so_are_in_every_fragment),
        cmocka_unit_test(a_chain_that_fits_becomes_one_segment),
        cmocka_unit_test(an_overlap_ends_its_datagram_for_good),
        cmocka_unit_test(two_ends_cannot_be),
        cmocka_unit_test(a_duplicate_is_dropped_and_does_no_harm),
        cmocka_unit_test(a_datagram_longer_than_any_is_refused),
        cmocka_unit_test(tiny_first_fragments_go_no_further),
        cmocka_unit_test(crumbs_are_refused),
        cmocka_unit_test(what_is_not_whole_in_time_is_dropped),
        cmocka_unit_test(a_full_table_gives_up_the_oldest),
        cmocka_unit_test(datagrams_of_different_hosts_are_not_mixed),
        cmocka_unit_test(df_does_not_survive_being_put_together),
    };

    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
