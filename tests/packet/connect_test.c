// SPDX-License-Identifier: Apache-2.0
// Connections that the data plane opens, through the whole pipeline: a peer's segments and routers' errors in, the
// gateway's segments out. Probes stand for whoever will open connections.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include "endpoint/endpoint.h"
#include "harness_nat.h"
#include "housekeeping/probes.h"
#include "tcp/tcp.h"
#include "wire/headers.h"
#include "worker/loop.h"

#define FIRST  61000
#define LAST   65535
#define PASSES 4 // rings between workers are gone round in these

static const char server[] = "198.51.100.21", server6[] = "2001:db8:100::21", far[] = "203.0.113.7";
static const char own[] = "198.51.100.1", own6[] = "2001:db8:100::1";

struct rig {
    struct harness_nat *n;
    struct harness *h;
    struct probes probes;
    uint64_t next_id;
};

struct peer { // the other end of a connection, by its SYN
    struct rte_mbuf *syn;
    uint16_t port; // of the gateway it came by
    struct sl_ip local, remote;
    uint16_t local_port, remote_port;
    uint32_t isn;
};

// ---- the rig ------------------------------------------------------------------------------------------------
static void tables_take(struct rig *r)
{
    for (uint32_t i = 0; i < r->h->worker_count; i++)
        endpoint_tables_taken(r->h->worker[i]);
}

static void range_set(struct rig *r, uint16_t first, uint16_t last)
{
    r->h->port_table.settings.tcp_port_first = first;
    r->h->port_table.settings.tcp_port_last = last;
    tables_take(r);
}

static void network(struct harness *h)
{
    for (uint16_t port = 0; port < 2; port++)
        h->port[port].flags |= SL_PORT_TWIN;
    harness_address(h, NAT_WAN, "2001:db8:100::1/64");
    harness_neighbor(h, NAT_WAN, server6);
}

static struct rig *begin(uint32_t workers)
{
    struct rig *r = calloc(1, sizeof(*r));
    struct sl_error error;

    r->n = harness_nat_new_workers(workers, 64);
    r->h = r->n->h;
    r->next_id = 1;
    network(r->h);
    r->h->port_table.settings.tcp_connections = 4096;
    harness_nat_ready(r->n);
    for (uint32_t i = 0; i < workers; i++) {
        r->h->worker[i]->now_us = 1000000;
        r->h->worker[i]->endpoint = endpoint_new(r->h->worker[i], &r->h->port_table.settings, NULL, &error);
        assert_non_null(r->h->worker[i]->endpoint);
    }
    endpoint_meet(r->h->worker, workers);
    range_set(r, FIRST, LAST);
    return r;
}

static void end(struct rig *r)
{
    for (uint32_t i = 0; i < r->h->worker_count; i++)
        endpoint_free(r->h->worker[i]->endpoint);
    harness_nat_free(r->n);
    free(r);
}

static void pass(struct rig *r, uint64_t us)
{
    for (unsigned round = 0; round < PASSES; round++)
        for (uint32_t i = 0; i < r->h->worker_count; i++) {
            r->h->worker[i]->now_us += round == 0 ? us : 0;
            worker_rings(r->h->worker[i]);
            endpoint_pass(r->h->worker[i]);
            worker_flush(r->h->worker[i]);
        }
}

// ---- probes -------------------------------------------------------------------------------------------------
static struct sl_command command_to(struct rig *r, const char *remote, uint16_t port, uint16_t worker)
{
    return (struct sl_command){.kind = SL_COMMAND_PROBE_TCP,
                               .id = r->next_id++,
                               .probe = {.remote = harness_ip_of(remote),
                                         .remote_port = port,
                                         .worker = worker,
                                         .timeout_ms = 5000}};
}

static void ask_as(struct rig *r, const struct sl_command *command)
{
    struct sl_event event;

    assert_true(probes_begin(&r->probes, &r->h->house, command, &event));
    pass(r, 1);
}

static uint64_t ask(struct rig *r, const char *remote, uint16_t port, uint16_t worker)
{
    struct sl_command command = command_to(r, remote, port, worker);

    ask_as(r, &command);
    return command.id;
}

static struct sl_event answered(struct rig *r)
{
    struct sl_event event;

    assert_true(probes_step(&r->probes, &r->h->house, &event));
    return event;
}

static void not_answered(struct rig *r)
{
    struct sl_event event;

    assert_false(probes_step(&r->probes, &r->h->house, &event));
}

static struct sl_probe_answer result(struct rig *r, enum sl_probe_result wanted)
{
    struct sl_event event = answered(r);

    assert_int_equal(event.status, 0);
    assert_int_equal(event.probe.result, wanted);
    return event.probe;
}

static void fails(struct rig *r, int status)
{
    struct sl_event event = answered(r);

    assert_int_equal(event.status, status);
    assert_true(strlen(event.text) > 10);
}

// ---- the peer -----------------------------------------------------------------------------------------------
static struct sl_ip address_in(struct rte_mbuf *m, bool source)
{
    struct sl_ip ip;

    if (harness_ipv4_of(m)->version_ihl >> 4 == 4)
        return sl_ip_v4(source ? harness_ipv4_of(m)->src : harness_ipv4_of(m)->dst);
    memcpy(ip.b, source ? harness_ipv6_of(m)->src : harness_ipv6_of(m)->dst, sizeof(ip.b));
    return ip;
}

static struct peer syn_from(struct rig *r, uint16_t port)
{
    struct rte_mbuf *m = harness_sent(r->h, port);

    assert_non_null(m);
    const struct sl_tcp *tcp = harness_l4_of(m);
    assert_int_equal(tcp->flags & (SL_TCP_SYN | SL_TCP_ACK | SL_TCP_RST | SL_TCP_FIN), SL_TCP_SYN);
    return (struct peer){m,
                         port,
                         address_in(m, true),
                         address_in(m, false),
                         sl_host16(tcp->sport),
                         sl_host16(tcp->dport),
                         sl_host32(tcp->seq)};
}

static struct peer syn(struct rig *r)
{
    return syn_from(r, NAT_WAN);
}

static void done(struct peer *peer)
{
    rte_pktmbuf_free(peer->syn);
}

// MSS 1400, SACK, window scale 9, no timestamps (RFC 9293 section 3.2, RFC 2018, RFC 7323).
static const uint8_t syn_ack_options[] = {2, 4, 1400 >> 8, 1400 & 0xff, 1, 1, 4, 2, 1, 3, 3, 9};

static struct rte_mbuf *segment(const struct peer *peer, uint8_t flags, uint32_t seq, const uint8_t *options,
                                uint16_t options_len)
{
    char remote[SL_IP_TEXT], local[SL_IP_TEXT];
    struct rte_mbuf *m = harness_tcp(peer->port, sl_ip_format(&peer->remote, remote), sl_ip_format(&peer->local, local),
                                     peer->remote_port, peer->local_port, flags, options_len);
    struct sl_tcp *tcp = harness_l4_of(m);

    tcp->seq = sl_be32_of(seq);
    tcp->ack = sl_be32_of(flags & SL_TCP_ACK ? peer->isn + 1 : 0);
    tcp->window = 0xffff;
    tcp->data_offset = (uint8_t)((20 + options_len) / 4 << 4);
    memcpy(tcp + 1, options, options_len);
    harness_fix_checksums(m);
    return m;
}

static void answer_to(struct rig *r, uint32_t worker, const struct peer *peer, uint8_t flags)
{
    bool synack = flags & SL_TCP_SYN;
    struct rte_mbuf *m =
        segment(peer, flags, 7000 + !synack, syn_ack_options, synack ? sizeof(syn_ack_options) : 0);

    harness_send_to(r->h, worker, peer->port, &m, 1);
    pass(r, 1000);
}

static void accepts(struct rig *r, uint32_t worker, const struct peer *peer)
{
    answer_to(r, worker, peer, SL_TCP_SYN | SL_TCP_ACK);
}

static void expect_segment(struct rig *r, const struct peer *peer, uint8_t flags)
{
    struct rte_mbuf *m = harness_sent(r->h, peer->port);

    assert_non_null(m);
    const struct sl_tcp *tcp = harness_l4_of(m);
    assert_int_equal(tcp->flags, flags);
    assert_int_equal(sl_host16(tcp->sport), peer->local_port);
    rte_pktmbuf_free(m);
}

// An ICMP error about the SYN; `seq` is what it quotes.
static void icmp_about(struct rig *r, uint16_t port, const char *router, const struct peer *peer, uint8_t code,
                       uint32_t seq)
{
    struct sl_emit_ip ip = {
        .src = harness_ip_of(router), .dst = peer->local, .proto = IPPROTO_ICMP, .ttl = 64, .payload_len = 8 + 28};
    struct rte_mbuf *m = harness_ip(port, &ip);
    uint8_t *icmp = harness_l4_of(m);
    sl_be32 quoted = sl_be32_of(seq);

    icmp[0] = 3;
    icmp[1] = code;
    memcpy(icmp + 8, harness_ipv4_of(peer->syn), 28);
    memcpy(icmp + 8 + 24, &quoted, sizeof(quoted));
    harness_fix_checksums(m);
    harness_send(r->h, port, m);
    pass(r, 1000);
}

static unsigned to_twin(struct rig *r)
{
    unsigned count = 0;

    for (uint32_t i = 0; i < r->h->worker_count; i++)
        for (struct rte_mbuf *m; (m = harness_handed(r->h, i)) != NULL; rte_pktmbuf_free(m)) {
            assert_int_equal(handover_of(m)->kind, HANDOVER_TWIN);
            count++;
        }
    return count;
}

// ---- opening ------------------------------------------------------------------------------------------------
static void connect_over(const char *remote, const char *local)
{
    struct rig *r = begin(1);
    uint64_t id = ask(r, remote, 80, SL_PROBE_ANY_WORKER);
    struct peer peer = syn(r);
    struct sl_ip wanted = harness_ip_of(local);

    assert_true(sl_ip_equal(&peer.local, &wanted));
    assert_in_range(peer.local_port, FIRST, LAST);
    assert_int_equal(peer.remote_port, 80);
    not_answered(r);
    accepts(r, 0, &peer);
    struct sl_event event = answered(r);
    assert_int_equal(event.id, id);
    assert_int_equal(event.probe.result, SL_PROBE_CONNECTED);
    assert_int_equal(event.probe.flags, SL_PROBE_SACK | SL_PROBE_WSCALE);
    assert_int_equal(event.probe.peer_mss, 1400);
    assert_int_equal(event.probe.peer_wscale, 9);
    assert_int_equal(event.probe.local_port, peer.local_port);
    assert_int_equal(event.probe.port_out, NAT_WAN);
    assert_int_equal(event.probe.syns, 1);
    assert_int_equal(event.probe.rtt_us, 1000);
    expect_segment(r, &peer, SL_TCP_FIN | SL_TCP_ACK);
    assert_null(harness_sent(r->h, NAT_WAN));
    harness_expect_no_drop(r->h);
    done(&peer);
    end(r);
}

static void a_connection_is_opened_told_of_and_closed(void **state)
{
    connect_over(server, own);
}

static void ipv6_is_spoken_too(void **state)
{
    connect_over(server6, own6);
}

// RFC 6691: what the SYN offers is the MTU of the port it leaves by, whatever others have.
static void the_syn_offers_the_mtu_of_its_port(void **state)
{
    struct rig *r = begin(1);

    r->h->port[NAT_LAN].mtu = 576;
    r->h->port[NAT_WAN].mtu = 1400;
    tables_take(r);
    ask(r, server, 80, 0);
    struct peer peer = syn(r);
    const uint8_t *option = (const uint8_t *)harness_l4_of(peer.syn) + 20;
    assert_int_equal(option[0], 2);
    assert_int_equal(option[2] << 8 | option[3], 1400 - 40);
    done(&peer);
    end(r);
}

// Behind a router the address is that of the router's subnet, though the port has another before it.
static void the_local_address_is_of_the_next_hops_subnet(void **state)
{
    struct rig *r = begin(1);
    struct sl_port *port = &r->h->port[NAT_WAN];
    struct sl_port_addr first = port->addr[0];

    port->addr[port->addr_count++] = first;
    port->addr[0] = (struct sl_port_addr){.ip = harness_ip_of("192.0.2.1"), .len = 30};
    ask(r, far, 80, 0);
    struct peer peer = syn(r);
    assert_true(sl_ip_equal(&peer.local, &first.ip));
    done(&peer);
    struct sl_command command = command_to(r, far, 80, 0);
    command.probe.local = harness_ip_of("192.0.2.1");
    ask_as(r, &command);
    peer = syn(r);
    assert_true(sl_ip_equal(&peer.local, &command.probe.local));
    done(&peer);
    end(r);
}

static void answers_land_at_the_worker_that_asked_whoever_receives_them(void **state)
{
    struct rig *r = begin(4);

    for (uint32_t i = 0; i < 80; i++) {
        ask(r, i % 2 ? server : server6, (uint16_t)(1000 + i), (uint16_t)(i % 4));
        struct peer peer = syn(r);
        accepts(r, (i + i / 4) % 4, &peer);
        assert_int_equal(result(r, SL_PROBE_CONNECTED).worker, i % 4);
        expect_segment(r, &peer, SL_TCP_FIN | SL_TCP_ACK);
        done(&peer);
    }
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(r->h->counters->block[i].counter[SL_COUNTER_tcp_established], 20);
    assert_int_equal(to_twin(r), 0);
    harness_expect_no_drop(r->h);
    end(r);
}

static void what_may_be_anybodys_goes_round(void **state)
{
    struct rig *r = begin(4);

    for (uint32_t i = 0; i < 8; i++) {
        ask(r, server, 80, SL_PROBE_ANY_WORKER);
        struct peer peer = syn(r);
        answer_to(r, 0, &peer, SL_TCP_RST | SL_TCP_ACK);
        assert_int_equal(result(r, SL_PROBE_REFUSED).worker, i % 4);
        done(&peer);
    }
    end(r);
}

// Two ways of equal cost: a port is taken whose flow leaves by where its address is.
static void a_connection_leaves_by_the_port_whose_address_it_has(void **state)
{
    struct rig *r = begin(2);
    uint32_t way[2] = {harness_nexthop(r->h, SL_NEXTHOP_GATEWAY, NAT_WAN, "198.51.100.23"),
                       harness_nexthop(r->h, SL_NEXTHOP_GATEWAY, NAT_LAN, "10.0.0.11")};
    unsigned by[2] = {0};

    harness_route(r->h, "203.0.113.128/25", harness_group(r->h, way, 2));
    harness_nat_ready(r->n);
    for (uint16_t i = 0; i < 32; i++) {
        ask(r, "203.0.113.200", (uint16_t)(80 + i % 8), i % 2);
        struct rte_mbuf *m = harness_sent(r->h, NAT_WAN), *other = harness_sent(r->h, NAT_LAN);
        assert_true((m == NULL) != (other == NULL));
        struct sl_ip local = address_in(m ? m : other, true), wanted = harness_ip_of(m ? own : "10.0.0.1");
        assert_true(sl_ip_equal(&local, &wanted));
        by[m == NULL]++;
        rte_pktmbuf_free(m ? m : other);
        pass(r, 6000000);
        result(r, SL_PROBE_TIMED_OUT);
        while ((m = harness_sent(r->h, NAT_WAN)) || (m = harness_sent(r->h, NAT_LAN)))
            rte_pktmbuf_free(m);
    }
    assert_true(by[0] > 0 && by[1] > 0);
    end(r);
}

// ---- ends ---------------------------------------------------------------------------------------------------
static void a_reset_is_a_refusal(void **state)
{
    struct rig *r = begin(2);

    ask(r, server, 81, 1);
    struct peer peer = syn(r);
    answer_to(r, 0, &peer, SL_TCP_RST | SL_TCP_ACK);
    assert_int_equal(result(r, SL_PROBE_REFUSED).icmp_type, 0);
    assert_null(harness_sent(r->h, NAT_WAN));
    done(&peer);
    end(r);
}

// RFC 6298 section 5.7: SYNs at 0, 1 and 3 s; the probe's time is over at 5 s, and nothing is left that sends.
static void silence_ends_a_probe_at_its_time(void **state)
{
    struct rig *r = begin(1);
    unsigned syns = 0;

    ask(r, server, 80, 0);
    for (unsigned ms = 0; ms < 4990; ms += 10) {
        pass(r, 10000);
        not_answered(r);
    }
    assert_true(endpoint_deadline_us(r->h->worker[0]) <= 1000000 + 5001000);
    pass(r, 20000);
    assert_int_equal(result(r, SL_PROBE_TIMED_OUT).syns, 3);
    pass(r, 60000000);
    for (struct rte_mbuf *m; (m = harness_sent(r->h, NAT_WAN)) != NULL; rte_pktmbuf_free(m))
        syns++;
    assert_int_equal(syns, 3);
    assert_int_equal(endpoint_deadline_us(r->h->worker[0]), UINT64_MAX);
    end(r);
}

static void a_routers_error_ends_a_probe_and_a_forged_one_does_not(void **state)
{
    struct rig *r = begin(2);

    ask(r, far, 80, 1);
    struct peer peer = syn(r);
    icmp_about(r, NAT_WAN, "198.51.100.23", &peer, 1, peer.isn + 1000);
    not_answered(r);
    icmp_about(r, NAT_WAN, "198.51.100.23", &peer, 1, peer.isn);
    struct sl_probe_answer answer = result(r, SL_PROBE_UNREACHABLE);
    struct sl_ip router = harness_ip_of("198.51.100.23");
    assert_int_equal(answer.icmp_type, 3);
    assert_int_equal(answer.icmp_code, 1);
    assert_true(sl_ip_equal(&answer.router, &router));
    assert_int_equal(to_twin(r), 0);
    pass(r, 10000000);
    assert_null(harness_sent(r->h, NAT_WAN));
    done(&peer);
    end(r);
}

// NAT lets no error of the inside out that is about nothing of its own; one about the gateway's own segment stays here.
static void an_inside_hosts_error_reaches_its_connection(void **state)
{
    struct rig *r = begin(2);

    harness_nat_pool(r->n, "wan", "198.51.100.100", 1, 16, SL_NAT_FILTER_ENDPOINT_INDEPENDENT);
    harness_nat_source(r->n, "10.0.0.0/24", NAT_WAN, 0);
    harness_nat_ready(r->n);
    ask(r, "10.0.0.11", 80, 0);
    struct peer peer = syn_from(r, NAT_LAN);
    icmp_about(r, NAT_LAN, "10.0.0.11", &peer, 10, peer.isn);
    assert_int_equal(result(r, SL_PROBE_UNREACHABLE).icmp_code, 10);
    harness_expect_no_drop(r->h);
    done(&peer);
    end(r);
}

// What the stages would tell a sender they tell the gateway's own TCP (RFC 1122 section 3.2.2.1).
static void nobody_at_the_next_hop_is_heard_of_at_once(void **state)
{
    struct rig *r = begin(2);
    struct rte_mbuf *m;

    ask(r, "198.51.100.50", 80, 1);
    m = harness_handed(r->h, 1);
    assert_non_null(m);
    assert_int_equal(handover_of(m)->kind, HANDOVER_NEIGHBOR);
    not_answered(r);
    house_unresolved(&r->h->house, m);
    pass(r, 3000000);
    struct sl_probe_answer answer = result(r, SL_PROBE_UNREACHABLE);
    assert_int_equal(answer.icmp_type, 3);
    assert_int_equal(answer.icmp_code, 1);
    assert_true(sl_ip_is_zero(&answer.router));
    harness_expect_drop(r->h, neighbor_unresolved);
    end(r);
}

static void without_a_way_nothing_is_sent(void **state)
{
    struct rig *r = begin(1);
    struct sl_command command = command_to(r, server, 80, 0);

    ask(r, "100.64.0.1", 80, 0);
    assert_int_equal(result(r, SL_PROBE_NO_ROUTE).local_port, 0);
    ask(r, own, 80, 0);
    fails(r, -EINVAL);
    ask(r, "198.51.100.100", 80, 0); // NAT's
    fails(r, -EINVAL);
    ask(r, "fe80::1", 80, 0);
    fails(r, -EINVAL);
    ask(r, "224.0.0.1", 80, 0);
    fails(r, -EINVAL);
    command.probe.local = harness_ip_of("198.51.100.2");
    ask_as(r, &command);
    fails(r, -EADDRNOTAVAIL);
    range_set(r, 0, 0);
    ask(r, server, 80, 0);
    fails(r, -EADDRINUSE);
    assert_null(harness_sent(r->h, NAT_WAN));
    assert_int_equal(r->probes.running, 0);
    end(r);
}

// ---- whose a packet is --------------------------------------------------------------------------------------
static void stranger_sends(struct rig *r, uint32_t worker, const char *src, uint16_t sport, uint16_t dport,
                           uint8_t flags)
{
    struct rte_mbuf *m = harness_tcp(NAT_WAN, src, own, sport, dport, flags, 0);

    harness_send_to(r->h, worker, NAT_WAN, &m, 1);
    pass(r, 10);
}

static void what_belongs_to_no_connection_goes_to_the_kernel_as_before(void **state)
{
    struct rig *r = begin(3);

    for (uint16_t i = 0; i < 12; i++) // to ports out of the range: NAT steers them
        stranger_sends(r, i % 3, server, 80, (uint16_t)(2000 + i), i % 2 ? SL_TCP_SYN : SL_TCP_ACK);
    uint64_t steered = harness_counted(r->h, SL_COUNTER_steer_out);
    for (uint16_t i = 0; i < 12; i++) // to ports of it that nobody has: the same way
        stranger_sends(r, i % 3, server, 80, (uint16_t)(FIRST + i * 300), i % 2 ? SL_TCP_SYN : SL_TCP_ACK);
    assert_int_equal(to_twin(r), 24);
    assert_int_equal(harness_counted(r->h, SL_COUNTER_steer_out), 2 * steered);
    ask(r, server, 80, 1);
    struct peer peer = syn(r);
    for (uint16_t i = 0; i < 12; i++) // to a port that a connection has, from others than its peer
        stranger_sends(r, i % 3, i % 2 ? "198.51.100.22" : server, (uint16_t)(81 + i), peer.local_port, SL_TCP_SYN);
    assert_int_equal(to_twin(r), 12);
    assert_null(harness_sent(r->h, NAT_WAN));
    accepts(r, 0, &peer);
    result(r, SL_PROBE_CONNECTED);
    harness_expect_no_drop(r->h);
    done(&peer);
    end(r);
}

// RFC 9293 section 3.6.1: a connection keeps its port through TIME-WAIT, and then gives it back to the kernel.
static void a_port_is_held_until_time_wait_is_over(void **state)
{
    struct rig *r = begin(2);

    ask(r, server, 80, 1);
    struct peer peer = syn(r);
    accepts(r, 0, &peer);
    result(r, SL_PROBE_CONNECTED);
    peer.isn++; // its FIN is acknowledged too
    answer_to(r, 0, &peer, SL_TCP_FIN | SL_TCP_ACK);
    answer_to(r, 0, &peer, SL_TCP_FIN | SL_TCP_ACK);
    assert_int_equal(to_twin(r), 0);
    pass(r, 61000000);
    answer_to(r, 0, &peer, SL_TCP_FIN | SL_TCP_ACK);
    assert_int_equal(to_twin(r), 1);
    done(&peer);
    end(r);
}

static void a_new_range_leaves_open_connections_alone(void **state)
{
    struct rig *r = begin(2);

    ask(r, server, 80, 0);
    struct peer peer = syn(r);
    range_set(r, 2000, 2999);
    accepts(r, 1, &peer);
    result(r, SL_PROBE_CONNECTED);
    expect_segment(r, &peer, SL_TCP_FIN | SL_TCP_ACK);
    ask(r, server, 80, 0);
    struct peer next = syn(r);
    assert_in_range(next.local_port, 2000, 2999);
    done(&peer);
    done(&next);
    end(r);
}

// ---- local ports --------------------------------------------------------------------------------------------
static void ports_of_forwards_and_listeners_are_left_to_them(void **state)
{
    struct rig *r = begin(1);
    static const struct sl_own_endpoint listener[] = {
        {.name = "e", .address = {.w = {0, 0, 0xffff0000, 0}}, .port = FIRST + 62, .kind = SL_ENDPOINT_ECHO}};

    harness_nat_forward(r->n, IPPROTO_TCP, own, FIRST, FIRST + 61, "10.0.0.11", 80);
    harness_nat_ready(r->n);
    r->h->tables.endpoint = listener;
    r->h->tables.endpoint_count = 1;
    range_set(r, FIRST, FIRST + 63);
    ask(r, server, 80, 0);
    struct peer peer = syn(r);
    assert_int_equal(peer.local_port, FIRST + 63);
    ask(r, server, 80, 0);
    fails(r, -EADDRINUSE);
    ask(r, server, 81, 0);
    struct peer other = syn(r);
    assert_int_equal(other.local_port, FIRST + 63);
    done(&peer);
    done(&other);
    end(r);
}

// RFC 6056 section 3.3.4: one after the other from a secret beginning, each once before any comes again.
static void ports_to_one_destination_follow_each_other_from_a_secret_start(void **state)
{
    uint16_t start[2];

    for (unsigned turn = 0; turn < 2; turn++) {
        struct rig *r = begin(1);
        uint16_t last = 0;

        for (unsigned i = 0; i < 15; i++) {
            ask(r, server, 80, 0);
            struct peer peer = syn(r);
            if (i == 0)
                start[turn] = peer.local_port;
            else
                assert_int_equal(peer.local_port, last == LAST ? FIRST : last + 1);
            last = peer.local_port;
            done(&peer);
        }
        end(r);
    }
    assert_int_not_equal(start[0], start[1]); // wrong once in 4,536 runs
}

static void no_more_probes_than_there_is_room_for_are_under_way(void **state)
{
    struct rig *r = begin(2);
    struct sl_event event;

    for (unsigned i = 0; i < SL_PROBES_AT_ONCE; i++)
        ask(r, server, 80, 1);
    struct sl_command command = command_to(r, server, 80, 1);
    assert_false(probes_begin(&r->probes, &r->h->house, &command, &event));
    assert_int_equal(event.status, -EBUSY);
    assert_int_equal(event.id, command.id);
    for (unsigned i = 0; i < SL_PROBES_AT_ONCE; i++) // the other worker's turn
        ask(r, server, 80, SL_PROBE_ANY_WORKER);
    command.probe.worker = SL_PROBE_ANY_WORKER;
    assert_false(probes_begin(&r->probes, &r->h->house, &command, &event));
    command.probe.worker = 2;
    assert_false(probes_begin(&r->probes, &r->h->house, &command, &event));
    assert_int_equal(event.status, -ERANGE);
    pass(r, 6000000);
    for (unsigned i = 0; i < 2 * SL_PROBES_AT_ONCE; i++)
        result(r, SL_PROBE_TIMED_OUT);
    not_answered(r);
    ask(r, server, 80, 1);
    end(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_is_opened_told_of_and_closed),
        cmocka_unit_test(ipv6_is_spoken_too),
        cmocka_unit_test(the_syn_offers_the_mtu_of_its_port),
        cmocka_unit_test(the_local_address_is_of_the_next_hops_subnet),
        cmocka_unit_test(answers_land_at_the_worker_that_asked_whoever_receives_them),
        cmocka_unit_test(what_may_be_anybodys_goes_round),
        cmocka_unit_test(a_connection_leaves_by_the_port_whose_address_it_has),
        cmocka_unit_test(a_reset_is_a_refusal),
        cmocka_unit_test(silence_ends_a_probe_at_its_time),
        cmocka_unit_test(a_routers_error_ends_a_probe_and_a_forged_one_does_not),
        cmocka_unit_test(an_inside_hosts_error_reaches_its_connection),
        cmocka_unit_test(nobody_at_the_next_hop_is_heard_of_at_once),
        cmocka_unit_test(without_a_way_nothing_is_sent),
        cmocka_unit_test(what_belongs_to_no_connection_goes_to_the_kernel_as_before),
        cmocka_unit_test(a_port_is_held_until_time_wait_is_over),
        cmocka_unit_test(a_new_range_leaves_open_connections_alone),
        cmocka_unit_test(ports_of_forwards_and_listeners_are_left_to_them),
        cmocka_unit_test(ports_to_one_destination_follow_each_other_from_a_secret_start),
        cmocka_unit_test(no_more_probes_than_there_is_room_for_are_under_way),
    };
    return cmocka_run_group_tests(tests, harness_start, harness_stop);
}
