// SPDX-License-Identifier: Apache-2.0
// Endpoints through the whole pipeline: a client's segments in, the gateway's out, by one and by several workers.
#include "stage.h"
#include <netinet/in.h>
#include "endpoint/inside.h"
#include "wire/checksum.h"
#include "wire/headers.h"
#include "worker/loop.h"

#define ECHO    7
#define DISCARD 9
#define CHARGEN 19

static const char client[] = "10.0.0.11", client6[] = "fd00::11";
static const char own[] = "10.0.0.1", own6[] = "fd00::1";

struct peer { // a client's end of a connection, by hand
    const char *src, *dst;
    uint16_t sport, dport;
    uint32_t snd_nxt, rcv_nxt;
};

static const uint64_t fast_open_key[2] = {5, 6};
static struct sl_own_endpoint endpoints[8];

static void listen_on(struct harness *h, enum sl_endpoint_kind kind, uint16_t port)
{
    struct sl_own_endpoint *at = &endpoints[h->tables.endpoint_count];

    at[0] = (struct sl_own_endpoint){.name = "e", .address = sl_ip_v4(0), .port = port, .kind = kind};
    at[1] = (struct sl_own_endpoint){.name = "e", .port = port, .kind = kind};
    h->tables.endpoint = endpoints;
    h->tables.endpoint_count += 2;
}

static void tables_take(struct harness *h)
{
    for (uint32_t i = 0; i < h->worker_count; i++)
        endpoint_tables_taken(h->worker[i]);
}

static struct harness *begin(uint32_t workers)
{
    struct harness *h = harness_new(workers);
    struct sl_error error;

    harness_port(h, STAGE_LAN, SL_PORT_TWIN);
    harness_address(h, STAGE_LAN, "10.0.0.1/24");
    harness_address(h, STAGE_LAN, "fd00::1/64");
    harness_neighbor(h, STAGE_LAN, client);
    harness_neighbor(h, STAGE_LAN, client6);
    harness_ready(h);
    h->port_table.settings.tcp_connections = 1024;
    listen_on(h, SL_ENDPOINT_ECHO, ECHO);
    listen_on(h, SL_ENDPOINT_DISCARD, DISCARD);
    listen_on(h, SL_ENDPOINT_CHARGEN, CHARGEN);
    for (uint32_t i = 0; i < workers; i++) {
        h->worker[i]->now_us = 1000000;
        h->worker[i]->fast_open_key = fast_open_key;
        h->worker[i]->endpoint = endpoint_new(h->worker[i], &h->port_table.settings, NULL, &error);
        assert_non_null(h->worker[i]->endpoint);
    }
    tables_take(h);
    return h;
}

static void end(struct harness *h)
{
    for (uint32_t i = 0; i < h->worker_count; i++)
        endpoint_free(h->worker[i]->endpoint);
    harness_free(h);
}

static void pass(struct harness *h, uint64_t us)
{
    for (uint32_t i = 0; i < h->worker_count; i++) {
        h->worker[i]->now_us += us;
        worker_rings(h->worker[i]);
        endpoint_pass(h->worker[i]);
        worker_flush(h->worker[i]);
    }
}

static struct rte_mbuf *segment(const struct peer *peer, uint8_t flags, uint16_t payload_len)
{
    struct rte_mbuf *m =
        harness_tcp(STAGE_LAN, peer->src, peer->dst, peer->sport, peer->dport, flags, payload_len);
    struct sl_tcp *tcp = harness_l4_of(m);

    tcp->seq = sl_be32_of(peer->snd_nxt);
    tcp->ack = sl_be32_of(flags & SL_TCP_ACK ? peer->rcv_nxt : 0);
    tcp->window = 0xffff;
    harness_fix_checksums(m);
    return m;
}

// Received by a worker of choice.
static void send_to(struct harness *h, uint32_t worker, struct peer *peer, uint8_t flags,
                    uint16_t payload_len)
{
    struct rte_mbuf *m = segment(peer, flags, payload_len);

    harness_send_to(h, worker, STAGE_LAN, &m, 1);
    peer->snd_nxt += payload_len + (flags & (SL_TCP_SYN | SL_TCP_FIN) ? 1 : 0);
    pass(h, 10);
}

static uint16_t payload_of(struct rte_mbuf *m, const uint8_t **payload)
{
    const struct sl_tcp *tcp = harness_l4_of(m);
    const uint8_t *at = (const uint8_t *)tcp + (tcp->data_offset >> 4) * 4;

    *payload = at;
    return (uint16_t)(rte_pktmbuf_mtod(m, const uint8_t *) + m->data_len - at);
}

// The next segment for this peer, its checksums looked at; the peer has taken it in then.
static struct rte_mbuf *expect(struct harness *h, struct peer *peer, uint8_t flags)
{
    struct rte_mbuf *m = harness_sent(h, STAGE_LAN);
    const uint8_t *payload;

    assert_non_null(m);
    struct sl_tcp *tcp = harness_l4_of(m);
    sl_be16 checksum = tcp->checksum;
    harness_fix_checksums(m);
    assert_int_equal(tcp->checksum, checksum);
    assert_int_equal(sl_host16(tcp->sport), peer->dport);
    assert_int_equal(sl_host16(tcp->dport), peer->sport);
    assert_int_equal(tcp->flags & ~SL_TCP_PSH, flags);
    assert_int_equal(handover_of(m)->port_out, STAGE_LAN);
    peer->rcv_nxt =
        sl_host32(tcp->seq) + payload_of(m, &payload) + (flags & (SL_TCP_SYN | SL_TCP_FIN) ? 1 : 0);
    return m;
}

static void expect_plain(struct harness *h, struct peer *peer, uint8_t flags)
{
    rte_pktmbuf_free(expect(h, peer, flags));
}

static void shake_hands(struct harness *h, uint32_t worker, struct peer *peer)
{
    send_to(h, worker, peer, SL_TCP_SYN, 0);
    expect_plain(h, peer, SL_TCP_SYN | SL_TCP_ACK);
    send_to(h, worker, peer, SL_TCP_ACK, 0);
}

static uint64_t counted(const struct harness *h, enum sl_counter counter)
{
    return harness_counted(h, counter);
}

static struct peer peer_of(uint16_t sport, uint16_t dport)
{
    return (struct peer){client, own, sport, dport, 1000, 0};
}

// ---- tests --------------------------------------------------------------------------------------------------
static void echo_over(const char *src, const char *dst)
{
    struct harness *h = begin(1);
    struct peer peer = {src, dst, 4000, ECHO, 1000, 0};
    const uint8_t *payload;

    shake_hands(h, 0, &peer);
    send_to(h, 0, &peer, SL_TCP_ACK | SL_TCP_PSH, 100);
    struct rte_mbuf *m = expect(h, &peer, SL_TCP_ACK);
    assert_int_equal(payload_of(m, &payload), 100);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(payload[i], i);
    rte_pktmbuf_free(m);
    send_to(h, 0, &peer, SL_TCP_ACK | SL_TCP_FIN, 0);
    expect_plain(h, &peer, SL_TCP_ACK | SL_TCP_FIN);
    send_to(h, 0, &peer, SL_TCP_ACK, 0);
    assert_null(harness_sent(h, STAGE_LAN));
    assert_int_equal(counted(h, SL_COUNTER_tcp_established), 1);
    assert_int_equal(counted(h, SL_COUNTER_twin_rx), 0);
    harness_expect_no_drop(h);
    end(h);
}

static void echo_sends_back_what_it_gets_and_closes_after_its_client(void **state)
{
    echo_over(client, own);
}

static void echo_speaks_ipv6(void **state)
{
    echo_over(client6, own6);
}

static void whichever_worker_receives_a_segment_its_connections_owner_answers(void **state)
{
    struct harness *h = begin(3);

    for (uint16_t i = 0; i < 60; i++) {
        struct peer peer = peer_of((uint16_t)(5000 + i), ECHO);
        send_to(h, i % 3, &peer, SL_TCP_SYN, 0);
        pass(h, 10);
        expect_plain(h, &peer, SL_TCP_SYN | SL_TCP_ACK);
        send_to(h, (i + 1) % 3, &peer, SL_TCP_ACK, 0);
        send_to(h, (i + 2) % 3, &peer, SL_TCP_ACK | SL_TCP_PSH, 10);
        pass(h, 10);
        expect_plain(h, &peer, SL_TCP_ACK);
        assert_null(harness_sent(h, STAGE_LAN));
    }
    assert_int_equal(counted(h, SL_COUNTER_tcp_established), 60);
    for (unsigned i = 0; i < 3; i++)
        assert_in_range(h->counters->block[i].counter[SL_COUNTER_tcp_established], 8, 36);
    assert_true(counted(h, SL_COUNTER_steer_out) > 60);
    harness_expect_no_drop(h);
    end(h);
}

static void other_ports_and_link_local_addresses_stay_the_kernels(void **state)
{
    struct harness *h = begin(1);
    struct peer other = peer_of(4000, 22);
    struct peer local = {"fe80::11", "fe80::1", 4000, ECHO, 1, 0};

    send_to(h, 0, &other, SL_TCP_SYN, 0);
    send_to(h, 0, &local, SL_TCP_SYN, 0);
    assert_int_equal(counted(h, SL_COUNTER_twin_rx), 2);
    assert_int_equal(counted(h, SL_COUNTER_tcp_segments_in), 0);
    for (unsigned i = 0; i < 2; i++) {
        struct rte_mbuf *m = harness_handed(h, 0);
        assert_non_null(m);
        assert_int_equal(handover_of(m)->kind, HANDOVER_TWIN);
        rte_pktmbuf_free(m);
    }
    end(h);
}

static void a_segment_with_a_wrong_checksum_is_dropped(void **state)
{
    struct harness *h = begin(1);
    struct peer peer = peer_of(4000, ECHO);
    struct rte_mbuf *m = segment(&peer, SL_TCP_SYN, 0);

    ((struct sl_tcp *)harness_l4_of(m))->checksum ^= 0x0100;
    harness_send(h, STAGE_LAN, m);
    harness_expect_drop(h, endpoint_malformed);
    pass(h, 10);
    assert_null(harness_sent(h, STAGE_LAN));
    end(h);
}

// ---- Fast Open --------------------------------------------------------------------------------------------------
// A SYN with the option and `cookie_len` bytes of cookie, then as many of data as asked.
static void send_early(struct harness *h, uint32_t worker, struct peer *peer, const uint8_t *cookie, uint8_t cookie_len,
                       uint16_t len)
{
    struct rte_mbuf *m;
    uint8_t *options;
    unsigned room = (2u + cookie_len + 3) / 4 * 4;

    m = segment(peer, SL_TCP_SYN, (uint16_t)(room + len));
    options = (uint8_t *)((struct sl_tcp *)harness_l4_of(m) + 1);
    memset(options, 1, room);
    options[0] = 34;
    options[1] = (uint8_t)(2 + cookie_len);
    if (cookie_len)
        memcpy(options + 2, cookie, cookie_len);
    ((struct sl_tcp *)harness_l4_of(m))->data_offset = (uint8_t)((20 + room) / 4 << 4);
    harness_fix_checksums(m);
    harness_send_to(h, worker, STAGE_LAN, &m, 1);
    peer->snd_nxt += 1u + len;
    pass(h, 10);
}

static bool cookie_in(struct rte_mbuf *m, uint8_t cookie[8])
{
    const struct sl_tcp *tcp = harness_l4_of(m);
    const uint8_t *at = (const uint8_t *)(tcp + 1), *end = (const uint8_t *)tcp + (tcp->data_offset >> 4) * 4;

    for (; at < end; at += at[0] < 2 ? 1 : at[1])
        if (at[0] == 34 && at[1] == 10) {
            memcpy(cookie, at + 2, 8);
            return true;
        }
    return false;
}

static void fast_open_of_echo(struct harness *h, bool on)
{
    endpoints[0].flags = endpoints[1].flags = on ? SL_ENDPOINT_FAST_OPEN : 0;
    tables_take(h);
}

static void a_cookie_is_good_at_every_worker_and_echo_answers_the_syn(void **state)
{
    struct harness *h = begin(3);
    struct peer asks = peer_of(4000, ECHO);
    const uint8_t *payload;
    uint8_t cookie[8] = {0};

    fast_open_of_echo(h, true);
    send_early(h, 0, &asks, NULL, 0, 0);
    pass(h, 10);
    struct rte_mbuf *m = expect(h, &asks, SL_TCP_SYN | SL_TCP_ACK);
    assert_true(cookie_in(m, cookie));
    rte_pktmbuf_free(m);
    for (uint16_t i = 0; i < 30; i++) {
        struct peer peer = peer_of((uint16_t)(5000 + i), ECHO);
        send_early(h, i % 3, &peer, cookie, 8, 100);
        pass(h, 10);
        m = expect(h, &peer, SL_TCP_SYN | SL_TCP_ACK);
        assert_int_equal(sl_host32(((struct sl_tcp *)harness_l4_of(m))->ack), peer.snd_nxt);
        rte_pktmbuf_free(m);
        m = expect(h, &peer, SL_TCP_ACK);
        assert_int_equal(payload_of(m, &payload), 100);
        rte_pktmbuf_free(m);
        send_to(h, i % 3, &peer, SL_TCP_ACK, 0);
        pass(h, 10);
    }
    assert_int_equal(counted(h, SL_COUNTER_tcp_fast_open_cookies), 1);
    assert_int_equal(counted(h, SL_COUNTER_tcp_fast_open_accepted), 30);
    for (unsigned i = 0; i < 3; i++)
        assert_true(h->counters->block[i].counter[SL_COUNTER_tcp_fast_open_accepted] > 0);
    assert_int_equal(counted(h, SL_COUNTER_tcp_established), 30);
    end(h);
}

static void fast_open_goes_off_and_on_with_the_config(void **state)
{
    struct harness *h = begin(1);
    uint8_t cookie[8];

    for (uint16_t i = 0; i < 4; i++) {
        struct peer peer = peer_of((uint16_t)(4000 + i), ECHO);
        fast_open_of_echo(h, i & 1);
        send_early(h, 0, &peer, NULL, 0, 0);
        struct rte_mbuf *m = expect(h, &peer, SL_TCP_SYN | SL_TCP_ACK);
        assert_int_equal(cookie_in(m, cookie), i & 1);
        rte_pktmbuf_free(m);
        send_to(h, 0, &peer, SL_TCP_ACK, 0);
    }
    fast_open_of_echo(h, false);
    end(h);
}

// ---- fragments ----------------------------------------------------------------------------------------------
// Bytes `from` to `to` of what stands behind the IP header, as a fragment.
static struct rte_mbuf *piece_of(struct rte_mbuf *whole, uint16_t from, uint16_t to)
{
    const uint8_t *frame = rte_pktmbuf_mtod(whole, const uint8_t *);
    bool v4 = frame[14] >> 4 == 4;
    uint16_t front = v4 ? 34 : 54, room = v4 ? 0 : sizeof(struct sl_ipv6_fragment), len = (uint16_t)(to - from);
    bool more = front + to < whole->pkt_len;
    uint8_t bytes[2048];

    memcpy(bytes, frame, front);
    memcpy(bytes + front + room, frame + front + from, len);
    if (v4) {
        struct sl_ipv4 *ip = (struct sl_ipv4 *)(bytes + 14);
        ip->total_len = sl_be16_of((uint16_t)(20 + len));
        ip->fragment = sl_be16_of((uint16_t)(from / 8 | (more ? SL_IPV4_MF : 0)));
        ip->id = 77;
        ip->checksum = 0;
        ip->checksum = sl_csum_ipv4_header(ip, 20);
    } else {
        struct sl_ipv6 *ip = (struct sl_ipv6 *)(bytes + 14);
        *(struct sl_ipv6_fragment *)(bytes + 54) = (struct sl_ipv6_fragment){
            .next = ip->next, .offset = sl_be16_of((uint16_t)(from | more)), .id = sl_be32_of(99)};
        ip->next = IPPROTO_FRAGMENT;
        ip->payload_len = sl_be16_of((uint16_t)(room + len));
    }
    return harness_frame(bytes, (uint32_t)(front + room + len));
}

// The segment in three fragments, each received by another worker.
static void send_cut(struct harness *h, struct peer *peer, uint16_t len)
{
    struct rte_mbuf *whole = segment(peer, SL_TCP_ACK | SL_TCP_PSH, len);
    const uint16_t cuts[] = {0, 40, 400, (uint16_t)(20 + len)};

    for (uint32_t i = 0; i < 3; i++) {
        struct rte_mbuf *m = piece_of(whole, cuts[i], cuts[i + 1]);
        harness_send_to(h, i % h->worker_count, STAGE_LAN, &m, 1);
        pass(h, 10);
        pass(h, 10);
    }
    pass(h, 10);
    rte_pktmbuf_free(whole);
    peer->snd_nxt += len;
}

static void fragments_reach_echo(uint32_t workers, const char *src, const char *dst)
{
    struct harness *h = begin(workers);

    for (uint16_t i = 0; i < 20; i++) {
        struct peer peer = {src, dst, (uint16_t)(4000 + i), ECHO, 1000, 0};
        const uint8_t *payload;

        send_to(h, 0, &peer, SL_TCP_SYN, 0);
        pass(h, 10);
        expect_plain(h, &peer, SL_TCP_SYN | SL_TCP_ACK);
        send_to(h, 0, &peer, SL_TCP_ACK, 0);
        send_cut(h, &peer, 500);
        struct rte_mbuf *m = expect(h, &peer, SL_TCP_ACK);
        assert_int_equal(payload_of(m, &payload), 500);
        for (unsigned k = 0; k < 500; k++)
            assert_int_equal(payload[k], (uint8_t)k);
        rte_pktmbuf_free(m);
    }
    assert_int_equal(counted(h, SL_COUNTER_fragment_reassembled), 20);
    assert_int_equal(counted(h, SL_COUNTER_twin_rx), 0);
    harness_expect_no_drop(h);
    end(h);
}

static void a_segment_in_fragments_is_put_together(void **state)
{
    fragments_reach_echo(1, client, own);
    fragments_reach_echo(3, client, own);
    fragments_reach_echo(1, client6, own6);
    fragments_reach_echo(3, client6, own6);
}

static void fragments_for_the_hosts_ports_stay_fragments(void **state)
{
    struct harness *h = begin(2);
    struct peer ssh = peer_of(4000, 22);
    unsigned handed = 0;

    send_cut(h, &ssh, 500);
    for (uint32_t i = 0; i < 2; i++)
        for (struct rte_mbuf *m; (m = harness_handed(h, i)) != NULL; handed++) {
            assert_int_equal(handover_of(m)->kind, HANDOVER_TWIN);
            assert_true(sl_host16(harness_ipv4_of(m)->fragment) & (SL_IPV4_MF | SL_IPV4_OFFSET));
            rte_pktmbuf_free(m);
        }
    assert_int_equal(handed, 3);
    assert_int_equal(counted(h, SL_COUNTER_fragment_reassembled), 0);
    end(h);
}

// No MSS of ours allows it, and no buffer holds it in one piece.
static void more_than_a_buffer_in_fragments_is_dropped(void **state)
{
    struct harness *h = begin(1);
    struct peer peer = peer_of(4000, ECHO);
    struct rte_mbuf *head = segment(&peer, SL_TCP_ACK, 1420), *m;

    head->pkt_len += 1000; // so that it is not the last
    m = piece_of(head, 0, 1440);
    harness_send_to(h, 0, STAGE_LAN, &m, 1);
    head->pkt_len -= 1000;
    for (uint16_t i = 1; i < 4; i++) {
        m = piece_of(head, 0, 1440);
        harness_ipv4_of(m)->fragment = sl_be16_of((uint16_t)(i * 180 | (i < 3 ? SL_IPV4_MF : 0)));
        harness_ipv4_of(m)->checksum = 0;
        harness_ipv4_of(m)->checksum = sl_csum_ipv4_header(harness_ipv4_of(m), 20);
        harness_send_to(h, 0, STAGE_LAN, &m, 1);
    }
    rte_pktmbuf_free(head);
    harness_expect_drop(h, endpoint_malformed);
    end(h);
}

static void discard_acknowledges_and_says_nothing(void **state)
{
    struct harness *h = begin(1);
    struct peer peer = peer_of(4000, DISCARD);

    shake_hands(h, 0, &peer);
    uint32_t before = peer.rcv_nxt;
    send_to(h, 0, &peer, SL_TCP_ACK | SL_TCP_PSH, 1000);
    pass(h, 100000);
    struct rte_mbuf *m = expect(h, &peer, SL_TCP_ACK);
    assert_int_equal(sl_host32(((struct sl_tcp *)harness_l4_of(m))->ack), peer.snd_nxt);
    assert_int_equal(peer.rcv_nxt, before);
    rte_pktmbuf_free(m);
    assert_int_equal(counted(h, SL_COUNTER_tcp_bytes_in), 1000);
    end(h);
}

static void chargen_sends_lines_of_printable_text(void **state)
{
    struct harness *h = begin(1);
    struct peer peer = peer_of(4000, CHARGEN);
    const uint8_t *payload;
    unsigned at = 0;

    shake_hands(h, 0, &peer);
    for (struct rte_mbuf *m; (m = harness_sent(h, STAGE_LAN)) != NULL; rte_pktmbuf_free(m)) {
        uint16_t len = payload_of(m, &payload);
        assert_true(m->pkt_len <= 14 + 1500);
        for (uint16_t i = 0; i < len; i++, at++) {
            unsigned line = at / 74 % 95, column = at % 74;
            uint8_t wanted = column == 72   ? '\r'
                             : column == 73 ? '\n'
                                            : (uint8_t)(' ' + (line + column) % 95);
            assert_int_equal(payload[i], wanted);
        }
    }
    assert_true(at >= 5000); // an initial window at least (RFC 6928: 10 segments of 536)
    end(h);
}

static void connections_of_a_service_that_is_gone_are_reset(void **state)
{
    struct harness *h = begin(1);
    struct peer peer = peer_of(4000, ECHO), again = peer_of(4001, ECHO);

    shake_hands(h, 0, &peer);
    h->tables.endpoint_count = 0;
    tables_take(h);
    pass(h, 10);
    expect_plain(h, &peer, SL_TCP_RST | SL_TCP_ACK);
    send_to(h, 0, &again, SL_TCP_SYN, 0); // the host's again
    assert_int_equal(counted(h, SL_COUNTER_twin_rx), 1);
    end(h);
}

static void a_service_that_stays_keeps_its_connections(void **state)
{
    struct harness *h = begin(1);
    struct peer peer = peer_of(4000, ECHO);

    shake_hands(h, 0, &peer);
    h->tables.endpoint_count = 2; // echo alone
    tables_take(h);
    pass(h, 10);
    assert_null(harness_sent(h, STAGE_LAN));
    send_to(h, 0, &peer, SL_TCP_ACK | SL_TCP_PSH, 10);
    expect_plain(h, &peer, SL_TCP_ACK);
    end(h);
}

// RFC 6691: what a SYN-ACK offers is the smallest MTU of the ports, as it is now.
static void a_ports_new_mtu_holds_for_new_connections_and_cuts_none(void **state)
{
    struct harness *h = begin(1);
    struct peer before = peer_of(4000, ECHO), after = peer_of(4001, ECHO);
    struct rte_mbuf *m;

    shake_hands(h, 0, &before);
    h->port[STAGE_LAN].mtu = 1000;
    tables_take(h);
    send_to(h, 0, &after, SL_TCP_SYN, 0);
    m = expect(h, &after, SL_TCP_SYN | SL_TCP_ACK);
    const uint8_t *option = (const uint8_t *)harness_l4_of(m) + 20;
    assert_int_equal(option[0], 2);
    assert_int_equal(option[2] << 8 | option[3], 1000 - 40);
    rte_pktmbuf_free(m);
    send_to(h, 0, &before, SL_TCP_ACK | SL_TCP_PSH, 10);
    expect_plain(h, &before, SL_TCP_ACK);
    end(h);
}

static const char *congestion_of(struct harness *h, const struct peer *peer)
{
    const struct endpoint *endpoint = h->worker[0]->endpoint;
    struct sl_tcp_info info;

    for (uint32_t i = 0; i < endpoint->connections; i++) {
        if (!endpoint->conn[i].conn)
            continue;
        sl_tcp_info(endpoint->conn[i].conn, &info);
        if (info.remote_port == htons(peer->sport))
            return info.congestion;
    }
    return NULL;
}

static void a_new_congestion_control_holds_for_new_connections(void **state)
{
    struct harness *h = begin(1);
    struct peer before = peer_of(4000, ECHO), after = peer_of(4001, ECHO), later = peer_of(4002, ECHO);

    shake_hands(h, 0, &before);
    h->port_table.settings.tcp_congestion = SL_TCP_CONGESTION_BBR;
    tables_take(h);
    shake_hands(h, 0, &after);
    assert_string_equal(congestion_of(h, &before), "cubic");
    assert_string_equal(congestion_of(h, &after), "bbr");
    send_to(h, 0, &after, SL_TCP_ACK | SL_TCP_PSH, 10);
    expect_plain(h, &after, SL_TCP_ACK);
    h->port_table.settings.tcp_congestion = SL_TCP_CONGESTIONS; // of a newer control plane
    tables_take(h);
    shake_hands(h, 0, &later);
    assert_string_equal(congestion_of(h, &later), "cubic");
    end(h);
}

static void a_connection_past_the_limit_is_reset(void **state)
{
    struct harness *h = begin(1);
    struct peer first = peer_of(4000, ECHO), second = peer_of(4001, ECHO);

    endpoints[0].connections = 1;
    tables_take(h);
    shake_hands(h, 0, &first);
    assert_null(harness_sent(h, STAGE_LAN));
    shake_hands(h, 0, &second);
    expect_plain(h, &second, SL_TCP_RST | SL_TCP_ACK);
    end(h);
}

// RFC 4987 section 3.6: half-open connections fill their quarter of the engine, and honest clients come in without one.
static void a_client_gets_in_by_a_cookie_while_others_never_answer(void **state)
{
    struct harness *h = begin(1);
    struct peer peer = peer_of(4000, ECHO);

    for (uint16_t i = 0; i < 1024 / 4; i++) {
        struct peer silent = peer_of((uint16_t)(5000 + i), ECHO);
        send_to(h, 0, &silent, SL_TCP_SYN, 0);
        expect_plain(h, &silent, SL_TCP_SYN | SL_TCP_ACK);
    }
    assert_int_equal(counted(h, SL_COUNTER_tcp_cookies_sent), 0);
    shake_hands(h, 0, &peer);
    assert_int_equal(counted(h, SL_COUNTER_tcp_cookies_sent), 1);
    assert_int_equal(counted(h, SL_COUNTER_tcp_cookies_good), 1);
    send_to(h, 0, &peer, SL_TCP_ACK | SL_TCP_PSH, 10);
    expect_plain(h, &peer, SL_TCP_ACK);
    end(h);
}

// RFC 1191: the router's MTU is believed where it quotes what is in flight, and the segment goes out again in pieces.
static void a_routers_mtu_is_followed(void **state)
{
    struct harness *h = begin(1);
    struct peer peer = peer_of(4000, CHARGEN);
    uint8_t quote[28];

    send_to(h, 0, &peer, SL_TCP_SYN, 0);
    expect_plain(h, &peer, SL_TCP_SYN | SL_TCP_ACK);
    send_to(h, 0, &peer, SL_TCP_ACK, 0);
    struct rte_mbuf *m = expect(h, &peer, SL_TCP_ACK);
    memcpy(quote, harness_ipv4_of(m), sizeof(quote));
    rte_pktmbuf_free(m);
    struct sl_emit_ip ip = {.src = harness_ip_of("10.0.0.99"),
                            .dst = harness_ip_of(own),
                            .proto = IPPROTO_ICMP,
                            .ttl = 64,
                            .payload_len = 8 + sizeof(quote)};
    m = harness_ip(STAGE_LAN, &ip);
    uint8_t *icmp = harness_l4_of(m);
    icmp[0] = 3;
    icmp[1] = 4;
    icmp[6] = 552 >> 8;
    icmp[7] = 552 & 0xff;
    memcpy(icmp + 8, quote, sizeof(quote));
    harness_fix_checksums(m);
    harness_send(h, STAGE_LAN, m);
    pass(h, 10);
    assert_int_equal(counted(h, SL_COUNTER_tcp_mtu_reductions), 1);
    assert_int_equal(counted(h, SL_COUNTER_twin_rx), 0);
    end(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echo_sends_back_what_it_gets_and_closes_after_its_client),
        cmocka_unit_test(echo_speaks_ipv6),
        cmocka_unit_test(whichever_worker_receives_a_segment_its_connections_owner_answers),
        cmocka_unit_test(other_ports_and_link_local_addresses_stay_the_kernels),
        cmocka_unit_test(a_segment_with_a_wrong_checksum_is_dropped),
        cmocka_unit_test(a_cookie_is_good_at_every_worker_and_echo_answers_the_syn),
        cmocka_unit_test(fast_open_goes_off_and_on_with_the_config),
        cmocka_unit_test(a_segment_in_fragments_is_put_together),
        cmocka_unit_test(fragments_for_the_hosts_ports_stay_fragments),
        cmocka_unit_test(more_than_a_buffer_in_fragments_is_dropped),
        cmocka_unit_test(discard_acknowledges_and_says_nothing),
        cmocka_unit_test(chargen_sends_lines_of_printable_text),
        cmocka_unit_test(connections_of_a_service_that_is_gone_are_reset),
        cmocka_unit_test(a_service_that_stays_keeps_its_connections),
        cmocka_unit_test(a_ports_new_mtu_holds_for_new_connections_and_cuts_none),
        cmocka_unit_test(a_new_congestion_control_holds_for_new_connections),
        cmocka_unit_test(a_connection_past_the_limit_is_reset),
        cmocka_unit_test(a_client_gets_in_by_a_cookie_while_others_never_answer),
        cmocka_unit_test(a_routers_mtu_is_followed),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
