// SPDX-License-Identifier: Apache-2.0
// The parse stage: headers in, struct packet out. What is for the neighbor protocols goes to housekeeping,
// what cannot be is dropped with its reason, the rest moves on: to steering where the port takes part in NAT,
// else to routing. Called by pipeline_run for each burst, on the worker's thread; parse_packet also by who
// makes packets.
#include "worker/parse.h"
#include "balance/binding.h"
#include "flow/flow.h"
#include "nat/nat.h"
#include "prefilter/verdict.h"
#include "steer/steer.h"
#include "table/lpm_bulk.h"
#include "wire/headers.h"
#include "wire/ipv4.h"
#include "wire/ipv6.h"
#include "wire/l4.h"

#define LOOKUP_BEHIND 16 // packets: memory answers in the time that they take to be parsed

// The bytes of one IP packet while it is read.
struct span {
    const uint8_t *l3;
    size_t have;  // bytes that may be touched: to the end of the first segment
    size_t whole; // bytes of the frame, link-layer padding included
};

static const uint16_t drop_of_ipv4[] = {
    [SL_WIRE_OK] = SL_DROP_none,
    [SL_WIRE_TOO_SHORT] = SL_DROP_too_short,
    [SL_WIRE_BAD_HEADER] = SL_DROP_ipv4_bad_header,
    [SL_WIRE_BAD_CHECKSUM] = SL_DROP_ipv4_bad_checksum,
    [SL_WIRE_SOURCE_ROUTE] = SL_DROP_source_route,
    [SL_WIRE_BAD_OPTION] = SL_DROP_ipv4_bad_header,
    [SL_WIRE_BAD_L4] = SL_DROP_l4_bad_header,
    [SL_WIRE_BAD_FRAGMENT] = SL_DROP_fragment_overlap,
    [SL_WIRE_FIRST_TOO_SMALL] = SL_DROP_fragment_tiny,
};

static const uint16_t drop_of_ipv6[] = {
    [SL_WIRE_OK] = SL_DROP_none,
    [SL_WIRE_TOO_SHORT] = SL_DROP_too_short,
    [SL_WIRE_BAD_HEADER] = SL_DROP_ipv6_bad_header,
    [SL_WIRE_BAD_CHECKSUM] = SL_DROP_ipv6_bad_header,
    [SL_WIRE_SOURCE_ROUTE] = SL_DROP_source_route,
    [SL_WIRE_BAD_OPTION] = SL_DROP_ipv6_bad_extension,
    [SL_WIRE_BAD_L4] = SL_DROP_l4_bad_header,
    [SL_WIRE_BAD_FRAGMENT] = SL_DROP_fragment_overlap,
    [SL_WIRE_FIRST_TOO_SMALL] = SL_DROP_fragment_tiny,
};

// ---- transport ------------------------------------------------------------------------------------------
// Both ports in one store, as the hash will read them in one load: for two stores it would have to wait. They stand
// first in the headers of TCP and UDP.
static inline void key_set_ports(struct packet *packet, const void *l4)
{
    uint32_t ports;

    memcpy(&ports, l4, sizeof(ports));
    memcpy((uint8_t *)&packet->key + offsetof(struct sl_flow_key, sport), &ports, sizeof(ports));
}

static inline enum sl_wire_verdict parse_tcp(struct packet *packet, const struct sl_tcp *tcp, size_t have,
                                             size_t len)
{
    if (unlikely(len < sizeof(*tcp)))
        return SL_WIRE_BAD_L4;
    if (unlikely(have < sizeof(*tcp)))
        return SL_WIRE_TOO_SHORT;
    size_t header = (size_t)(tcp->data_offset >> 4) * 4;
    if (unlikely(header < sizeof(*tcp) || header > len)) // shorter than the least, or ends behind the packet
        return SL_WIRE_BAD_L4;
    if (unlikely(header > have))
        return SL_WIRE_TOO_SHORT;
    key_set_ports(packet, tcp);
    packet->tcp_flags = tcp->flags;
    bool opens = (tcp->flags & (SL_TCP_SYN | SL_TCP_ACK)) == SL_TCP_SYN;
    packet->flags |= (uint16_t)(PACKET_TCP | PACKET_L4_KNOWN | (opens ? PACKET_SYN : 0));
    return SL_WIRE_OK;
}

static inline enum sl_wire_verdict parse_udp(struct packet *packet, const struct sl_udp *udp, size_t have,
                                             size_t len)
{
    if (unlikely(len < sizeof(*udp)))
        return SL_WIRE_BAD_L4;
    if (unlikely(have < sizeof(*udp)))
        return SL_WIRE_TOO_SHORT;
    size_t told = sl_host16(udp->len);
    // Shorter than its own header, or longer than the packet (of a fragment it is the whole datagram's
    // length).
    if (unlikely(told < sizeof(*udp) || (told > len && !(packet->flags & PACKET_FRAGMENT))))
        return SL_WIRE_BAD_L4;
    key_set_ports(packet, udp);
    packet->flags |= PACKET_UDP | PACKET_L4_KNOWN;
    return SL_WIRE_OK;
}

// Of a later fragment no port is quoted: its flow cannot be told, and what stands there must not be taken for ports.
static uint8_t quote_proto(const struct sl_quote *quote)
{
    bool ports = quote->proto == SL_PROTO_TCP || quote->proto == SL_PROTO_UDP;

    return ports && !quote->ports ? SL_PROTO_FRAGMENT : quote->proto;
}

// An error is keyed by the packet it quotes, seen from the other side: as the flow's packets are that travel
// the way the error does.
static enum sl_wire_verdict parse_icmp_error(struct packet *packet, const struct sl_icmp *icmp, size_t have,
                                             bool v6)
{
    struct sl_quote quote;
    enum sl_wire_verdict verdict = sl_icmp_quote(v6, icmp, have, &quote);

    if (verdict != SL_WIRE_OK)
        return SL_WIRE_BAD_L4;
    // Errors go to whom the quoted packet came from; another destination is forged. So key.dst is the
    // packet's own destination here too.
    if (memcmp(&quote.src, &packet->key.dst, sizeof(quote.src)) != 0)
        return SL_WIRE_BAD_L4;
    memcpy(&packet->key.src, &quote.dst, sizeof(quote.dst));
    packet->key.sport = quote.dport;
    packet->key.dport = quote.sport;
    packet->key_proto = quote_proto(&quote);
    packet->quote_l3_off = (uint16_t)(packet->l4_off + quote.ip_off);
    packet->quote_l4_off = (uint16_t)(packet->l4_off + quote.l4_off);
    packet->flags |= PACKET_ICMP_ERROR;
    return SL_WIRE_OK;
}

static __rte_noinline enum sl_wire_verdict parse_icmp(struct packet *packet, const struct sl_icmp *icmp,
                                                      size_t have, size_t len)
{
    bool v6 = (packet->flags & PACKET_V6) != 0;

    if (len < sizeof(*icmp))
        return SL_WIRE_BAD_L4;
    if (have < sizeof(*icmp))
        return SL_WIRE_TOO_SHORT;
    packet->flags |= PACKET_L4_KNOWN;
    switch (sl_icmp_classify(v6, icmp->type)) {
    case SL_ICMP_QUERY:
        packet->key.sport = packet->key.dport = icmp->id;
        packet->flags |= PACKET_ICMP_QUERY;
        return SL_WIRE_OK;
    case SL_ICMP_ERROR:
        return parse_icmp_error(packet, icmp, have, v6);
    case SL_ICMP_OTHER:
        break;
    }
    return SL_WIRE_OK;
}

static inline enum sl_wire_verdict parse_l4(struct packet *packet, const void *l4, size_t have, size_t len)
{
    if (packet->proto == SL_PROTO_TCP)
        return parse_tcp(packet, l4, have, len);
    if (packet->proto == SL_PROTO_UDP)
        return parse_udp(packet, l4, have, len);
    if (packet->proto == (packet->flags & PACKET_V6 ? SL_PROTO_ICMPV6 : SL_PROTO_ICMP))
        return parse_icmp(packet, l4, have, len);
    if (packet->proto == IPPROTO_SCTP && have >= 4) // of which no more need be known
        key_set_ports(packet, l4);
    return SL_WIRE_OK;
}

// ---- fragments ------------------------------------------------------------------------------------------
// A first fragment must bring its whole transport header (RFC 1858 section 3, RFC 7112): what filters and NAT decide
// by must not come later, or twice. `offset` in bytes.
static __rte_noinline enum sl_wire_verdict parse_fragment(struct packet *packet, uint16_t offset,
                                                          const void *l4, size_t have, size_t len)
{
    packet->flags |= PACKET_FRAGMENT;
    if (offset == 0) {
        enum sl_wire_verdict verdict = parse_l4(packet, l4, have, len);
        return verdict == SL_WIRE_BAD_L4 ? SL_WIRE_FIRST_TOO_SMALL : verdict;
    }
    packet->flags |= PACKET_LATER_FRAGMENT;
    // Overwrites the TCP flags that the first fragment showed (RFC 1858 section 4.2).
    if (packet->proto == SL_PROTO_TCP && offset == 8)
        return SL_WIRE_FIRST_TOO_SMALL;
    return SL_WIRE_OK;
}

// ---- network --------------------------------------------------------------------------------------------
// What stands behind the IP header, of which the view has been taken.
static enum sl_wire_verdict parse_behind_ip(struct packet *packet, const struct span *span,
                                            const struct sl_ip_view *view, uint16_t family)
{
    size_t len = (size_t)(view->total_len - view->l4_off);
    size_t have = RTE_MIN(span->have, (size_t)view->total_len) - view->l4_off;
    const uint8_t *l4 = span->l3 + view->l4_off;

    packet->l3_len = view->total_len;
    packet->l4_off = (uint16_t)(packet->l3_off + view->l4_off);
    packet->proto = packet->key_proto = view->proto;
    packet->tos = view->tos;
    packet->tcp_flags = 0;
    packet->flags |=
        (uint16_t)(family | (view->options ? PACKET_OPTIONS : 0) | (view->dont_fragment ? PACKET_DF : 0));
    packet->key.sport = packet->key.dport = 0;
    if (unlikely(sl_ip_view_fragment(view)))
        return parse_fragment(packet, view->fragment_off, l4, have, len);
    return parse_l4(packet, l4, have, len);
}

static enum sl_drop parse_ipv4(struct packet *packet, const struct span *span)
{
    const struct sl_ipv4 *ip = (const struct sl_ipv4 *)span->l3;
    struct sl_ip_view view;
    enum sl_wire_verdict verdict = sl_ipv4_view(ip, span->have, span->whole, &view);

    if (unlikely(verdict != SL_WIRE_OK))
        return drop_of_ipv4[verdict];
    packet->key.src = sl_ip_v4(ip->src);
    packet->key.dst = sl_ip_v4(ip->dst);
    return drop_of_ipv4[parse_behind_ip(packet, span, &view, PACKET_V4)];
}

// Mapped addresses are how we hold IPv4; on the wire they would pass for it (RFC 4942 section 2.2).
static enum sl_drop check_mapped(const struct packet *packet)
{
    struct sl_ip src = packet->key.src, dst = packet->key.dst;

    if (unlikely(sl_ip_is_v4(&src)))
        return SL_DROP_martian_source;
    return unlikely(sl_ip_is_v4(&dst)) ? SL_DROP_martian_destination : SL_DROP_none;
}

// Put together by this gateway, which may cut it again: see PACKET_WHOLE_MARK.
static bool is_whole_of_ours(const struct span *span, const struct sl_ip_view *view)
{
    return unlikely(view->fragment_header != 0) && !sl_ip_view_fragment(view) &&
           span->l3[view->fragment_header + offsetof(struct sl_ipv6_fragment, reserved)] == PACKET_WHOLE_MARK;
}

static enum sl_drop parse_ipv6(struct packet *packet, const struct span *span)
{
    const struct sl_ipv6 *ip = (const struct sl_ipv6 *)span->l3;
    struct sl_ip_view view;
    enum sl_wire_verdict verdict = sl_ipv6_view(ip, span->have, span->whole, &view);

    if (unlikely(verdict != SL_WIRE_OK))
        return drop_of_ipv6[verdict];
    memcpy(&packet->key.src, ip->src, sizeof(ip->src));
    memcpy(&packet->key.dst, ip->dst, sizeof(ip->dst));
    view.dont_fragment = !is_whole_of_ours(span, &view);
    enum sl_drop mapped = check_mapped(packet);
    if (unlikely(mapped != SL_DROP_none))
        return mapped;
    return drop_of_ipv6[parse_behind_ip(packet, span, &view, PACKET_V6)];
}

// Frames are filled up to 60 bytes on Ethernet; what is sent on is the packet alone.
static bool trim_padding(struct packet *packet, const struct span *span)
{
    size_t padding = span->whole - packet->l3_len;

    return likely(padding == 0) || rte_pktmbuf_trim(packet->m, (uint16_t)padding) == 0;
}

static enum sl_drop parse_ip(struct packet *packet, bool v4)
{
    const struct rte_mbuf *m = packet->m;
    const uint8_t *l3 = rte_pktmbuf_mtod_offset(m, const uint8_t *, packet->l3_off);
    struct span span = {l3, m->data_len - packet->l3_off, m->pkt_len - packet->l3_off};

    enum sl_drop drop = v4 ? parse_ipv4(packet, &span) : parse_ipv6(packet, &span);
    if (unlikely(drop != SL_DROP_none))
        return drop;
    return likely(trim_padding(packet, &span)) ? SL_DROP_none : SL_DROP_too_short;
}

static inline void hash_key(const struct worker *worker, struct packet *packet)
{
    packet->hash = (uint32_t)sl_hash_key(&worker->hash_seed, &packet->key, packet->key_proto);
}

enum sl_drop parse_packet(const struct worker *worker, struct packet *packet)
{
    if (packet->m->data_len <= packet->l3_off)
        return SL_DROP_too_short;
    // Version 4 by its first four bits; the IPv6 parser refuses what is neither.
    bool v4 = *rte_pktmbuf_mtod_offset(packet->m, const uint8_t *, packet->l3_off) >> 4 == 4;
    enum sl_drop drop = parse_ip(packet, v4);
    if (drop == SL_DROP_none)
        hash_key(worker, packet);
    return drop;
}

// ---- plain packets --------------------------------------------------------------------------------------
// Nearly all there are, so they have a reader of their own that asks little: is everything as it mostly is? False: no,
// or not sure, and nothing is said about it; the parser above then reads the packet from its beginning.
// The flags of a right header, 0: not.
static inline uint16_t plain_udp(const struct sl_udp *udp, uint32_t len)
{
    uint32_t behind =
        sl_host16(udp->len) - (uint32_t)sizeof(*udp); // wraps where it is shorter than its header

    return behind <= len - sizeof(*udp) ? PACKET_V4 | PACKET_UDP | PACKET_L4_KNOWN | PACKET_PLAIN : 0;
}

static inline uint16_t plain_tcp(const struct sl_tcp *tcp, uint32_t len)
{
    if (len < sizeof(*tcp)) // its fields may lie behind the packet's end
        return 0;
    uint32_t header = (uint32_t)(tcp->data_offset >> 4) * 4;
    bool right = header >= sizeof(*tcp) && header <= len && !(tcp->flags & SL_TCP_SYN);

    return right ? PACKET_V4 | PACKET_TCP | PACKET_L4_KNOWN | PACKET_PLAIN : 0;
}

static inline uint16_t plain_l4(const struct sl_ipv4 *ip, uint32_t len)
{
    if (ip->proto == SL_PROTO_UDP)
        return plain_udp((const struct sl_udp *)(ip + 1), len);
    return ip->proto == SL_PROTO_TCP ? plain_tcp((const struct sl_tcp *)(ip + 1), len) : 0;
}

// `whole`: bytes of the frame behind its Ethernet header, all in one segment: those of an IPv4 and a UDP header at least.
static inline bool plain_ipv4(const struct sl_ipv4 *ip, uint32_t total, uint32_t whole)
{
    const uint32_t least = sizeof(struct sl_ipv4) + sizeof(struct sl_udp);

    return sl_ipv4_plain(ip) && total - least <= whole - least && // wraps where it is shorter
           sl_csum_ipv4_header(ip, sizeof(*ip)) == 0;
}

static inline void plain_fill(struct packet *packet, const struct sl_ipv4 *ip, uint32_t total)
{
    packet->proto = packet->key_proto = ip->proto;
    packet->tcp_flags = packet->flags & PACKET_TCP ? ((const struct sl_tcp *)(ip + 1))->flags : 0;
    packet->tos = ip->tos;
    packet->l3_len = (uint16_t)total;
    packet->l4_off = sizeof(struct sl_eth) + sizeof(*ip);
    packet->key.src = sl_ip_v4(ip->src);
    packet->key.dst = sl_ip_v4(ip->dst);
    key_set_ports(packet, ip + 1);
}

static __rte_always_inline bool parse_plain(struct packet *packet, bool martians)
{
    struct rte_mbuf *m = packet->m;
    const struct sl_ipv4 *ip = rte_pktmbuf_mtod_offset(m, const struct sl_ipv4 *, sizeof(struct sl_eth));
    uint32_t total = sl_host16(ip->total_len), whole = m->data_len - (uint32_t)sizeof(struct sl_eth);

    if (unlikely(!plain_ipv4(ip, total, whole)))
        return false;
    if (unlikely(martians && prefilter_martian_ipv4(ip->src, ip->dst) != SL_DROP_none))
        return false;
    uint16_t flags = plain_l4(ip, total - (uint32_t)sizeof(*ip));
    if (unlikely(flags == 0))
        return false;
    packet->flags |= flags | (ip->fragment & sl_be16_of(SL_IPV4_DF) ? PACKET_DF : 0);
    plain_fill(packet, ip, total);
    if (unlikely(whole != total)) // padding
        rte_pktmbuf_trim(m, (uint16_t)(whole - total));
    return true;
}

// ---- link -----------------------------------------------------------------------------------------------
#define MAC_MASK  0x0000ffffffffffffULL
#define MAC_GROUP 1u // lowest bit of the first byte: multicast and broadcast

static uint64_t mac_word(const uint8_t mac[6])
{
    uint64_t word = 0;

    memcpy(&word, mac, 6);
    return word;
}

// A subnet's broadcast address on this port (RFC 919), or the limited one.
static bool is_broadcast_v4(const struct sl_port *port, sl_be32 dst)
{
    if (dst == UINT32_MAX)
        return true;
    for (uint32_t i = 0; i < port->addr_count && i < SL_MAX_PORT_ADDRS; i++) {
        const struct sl_port_addr *addr = &port->addr[i];
        if (!sl_ip_is_v4(&addr->ip) || addr->len >= 31) // point-to-point links have none (RFC 3021)
            continue;
        if (dst == (addr->ip.w[3] | sl_be32_of(UINT32_MAX >> addr->len)))
            return true;
    }
    return false;
}

// A frame to everyone may carry only a packet to everyone (RFC 1812 section 5.3.4, RFC 1122 section 3.3.6).
static bool group_frame_allowed(const struct worker *worker, const struct packet *packet)
{
    if (packet->flags & PACKET_V6)
        return packet->key.dst.b[0] == 0xff;
    sl_be32 dst = packet->key.dst.w[3];
    return packet->key.dst.b[12] >> 4 == 0xe || is_broadcast_v4(&worker->tables->port[packet->port_in], dst);
}

static bool is_neighbor_discovery(const struct packet *packet)
{
    if (packet->proto != SL_PROTO_ICMPV6 ||
        (packet->flags & (PACKET_V6 | PACKET_L4_KNOWN | PACKET_LATER_FRAGMENT)) !=
            (PACKET_V6 | PACKET_L4_KNOWN))
        return false;
    uint8_t type = *rte_pktmbuf_mtod_offset(packet->m, const uint8_t *, packet->l4_off);
    return type >= SL_ICMP6_ROUTER_SOLICIT && type <= SL_ICMP6_REDIRECT;
}

// An ARP message, of which housekeeping may then read all 28 bytes.
static void to_arp(struct worker *worker, struct packet *packet)
{
    if (packet->m->data_len < sizeof(struct sl_eth) + sizeof(struct sl_arp))
        packet_drop(worker, packet, SL_DROP_too_short);
    else
        worker_to_house(worker, packet, HANDOVER_ARP);
}

// Neighbor discovery goes to housekeeping. True where the packet is none and goes on.
static bool parse_discovery(struct worker *worker, struct packet *packet)
{
    if (likely(!is_neighbor_discovery(packet)))
        return true;
    if (packet->flags & PACKET_FRAGMENT) // RFC 6980 section 5
        packet_drop(worker, packet, SL_DROP_neighbor_bad);
    else
        worker_to_house(worker, packet, HANDOVER_ARP);
    return false;
}

// What is not IP, or too short to be anything.
static void parse_other(struct worker *worker, struct packet *packet, uint16_t ethertype)
{
    if (ethertype == SL_ETHERTYPE_ARP)
        to_arp(worker, packet);
    else
        packet_drop(worker, packet, SL_DROP_bad_ethertype);
}

// Of what the plain reader did not want to judge: addresses that cannot be (RFC 1812 section 5.3.7).
static enum sl_drop parse_martian(const struct packet *packet)
{
    const void *l3 = rte_pktmbuf_mtod_offset(packet->m, const void *, packet->l3_off);

    if (packet->flags & PACKET_V6)
        return prefilter_martian_ipv6((const struct prefilter_ipv6 *)l3);
    return prefilter_martian_ipv4(((const struct sl_ipv4 *)l3)->src, ((const struct sl_ipv4 *)l3)->dst);
}

// Where the next stage will look a packet up, its line of memory is asked for as soon as that is known: the bucket
// of the session table, or the entry of the route table. Only the former needs the key's hash.
static inline void parsed_to(struct worker *worker, struct burst *burst, struct packet *packet,
                             enum packet_stage next)
{
    if (next != PACKET_ROUTE) {
        hash_key(worker, packet);
        flow_foresee(worker, packet->hash);
    } else if (packet->flags & PACKET_V4) {
        sl_lpm_prefetch_v4(worker->tables->lpm, packet->key.dst.w[3]);
    }
    packet_to(burst, packet, next);
}

// What all packets of a burst have in common.
struct rules {
    uint64_t port_mac;
    enum packet_stage next_v4;             // IPv4 goes there
    enum packet_stage next_plain;          // plain packets to one host, of which no more need be known
    bool martians;                         // to be dropped
    const struct balance_binding *balance; // NULL: no services
};

static inline uint64_t frame_dst(const struct sl_eth *eth)
{
    uint64_t dst;

    memcpy(&dst, eth, sizeof(dst)); // two bytes of the source come along
    return dst & MAC_MASK;
}

// Where there are services, what may be theirs is looked up on every port.
static inline enum packet_stage next_stage(const struct rules *rules, const struct packet *packet,
                                           enum packet_stage next)
{
    if (likely(rules->balance == NULL || next != PACKET_ROUTE))
        return next;
    return balance_concerns(rules->balance, &packet->key) ? PACKET_STEER : next;
}

static __rte_noinline void parse_frame(struct worker *worker, struct burst *burst, struct packet *packet,
                                       const struct rules *rules)
{
    const struct sl_eth *eth = rte_pktmbuf_mtod(packet->m, const struct sl_eth *);

    if (unlikely(packet->m->data_len < sizeof(*eth))) {
        packet_drop(worker, packet, SL_DROP_too_short);
        return;
    }
    uint64_t dst = frame_dst(eth);
    bool group = dst & MAC_GROUP;
    if (unlikely(!group && dst != rules->port_mac)) {
        packet_drop(worker, packet, SL_DROP_not_for_us);
        return;
    }
    bool v4 = eth->type == sl_be16_of(SL_ETHERTYPE_IPV4);
    if (unlikely(!v4 && eth->type != sl_be16_of(SL_ETHERTYPE_IPV6))) {
        parse_other(worker, packet, sl_host16(eth->type));
        return;
    }
    enum sl_drop drop = parse_ip(packet, v4);
    if (unlikely(drop == SL_DROP_none && rules->martians))
        drop = parse_martian(packet);
    if (unlikely(drop == SL_DROP_none && group && !group_frame_allowed(worker, packet)))
        drop = SL_DROP_link_broadcast;
    if (unlikely(drop != SL_DROP_none))
        packet_drop(worker, packet, drop);
    else if (v4 || likely(parse_discovery(worker, packet)))
        parsed_to(worker, burst, packet, next_stage(rules, packet, v4 ? rules->next_v4 : PACKET_ROUTE));
}

static __rte_always_inline void parse_one(struct worker *worker, struct burst *burst, struct packet *packet,
                                          const struct rules *rules)
{
    const struct rte_mbuf *m = packet->m;
    const struct sl_eth *eth = rte_pktmbuf_mtod(m, const struct sl_eth *);
    const uint16_t least = sizeof(*eth) + sizeof(struct sl_ipv4) + sizeof(struct sl_udp);

    packet->l3_off = sizeof(*eth);
    bool plain = m->data_len >= least && m->nb_segs == 1 && frame_dst(eth) == rules->port_mac &&
                 eth->type == sl_be16_of(SL_ETHERTYPE_IPV4) && parse_plain(packet, rules->martians);
    if (unlikely(!plain))
        parse_frame(worker, burst, packet, rules);
    else
        parsed_to(worker, burst, packet,
                  next_stage(rules, packet,
                             likely(packet->key.dst.b[12] < 0xe0) ? rules->next_plain : rules->next_v4));
}

// A packet of the gateway's own making, or one that came back unsent: its Ethernet header is yet to be written, so
// nothing there is held against it. What came back may have been translated: its sender is to be told about the packet
// that he sent.
// A member itself did not answer: the service's address, which the packet is for, has no route to look up.
static void unresolved_member(struct burst *burst, struct packet *packet)
{
    bool v4 = packet->flags & PACKET_V4;

    packet_reject(burst, packet, SL_DROP_neighbor_unresolved,
                  v4 ? SL_ICMP_UNREACHABLE : SL_ICMP6_UNREACHABLE, v4 ? 1 : 3, 0);
}

static void parse_own(struct worker *worker, struct burst *burst, struct packet *packet)
{
    packet->l3_off = sizeof(struct sl_eth);
    if (packet->flags & PACKET_UNRESOLVED) // a segment of an endpoint's is
        packet->flags |= handover_of(packet->m)->flags & PACKET_FROM_HOST;
    enum sl_drop drop = parse_packet(worker, packet);
    bool translated = packet->flags & PACKET_UNRESOLVED && handover_of(packet->m)->flags & PACKET_TRANSLATED;
    if (drop == SL_DROP_none && translated && !nat_restore_key(worker, packet))
        drop = SL_DROP_neighbor_unresolved; // its flow has ended meanwhile
    if (drop != SL_DROP_none)
        packet_drop(worker, packet, drop);
    else if (packet->flags & PACKET_UNRESOLVED && handover_of(packet->m)->nexthop & NEXTHOP_MEMBER)
        unresolved_member(burst, packet);
    else
        packet_to(burst, packet, PACKET_ROUTE);
}

static struct rules rules_of(const struct worker *worker, uint16_t port_in)
{
    const struct tables *tables = worker->tables;
    bool nat = (tables->port[port_in].flags & SL_PORT_NAT) && worker->flows != NULL;

    return (struct rules){
        .port_mac = mac_word(tables->port_mac[port_in]),
        .next_v4 = nat ? PACKET_STEER : PACKET_ROUTE,
        .next_plain = !nat                     ? PACKET_ROUTE
                      : steer_needless(worker) ? PACKET_FLOW
                                               : PACKET_STEER,
        .martians = tables_martians(tables, port_in),
        .balance = worker->flows ? tables->balance_binding : NULL,
    };
}

// By now the bucket of a packet that was parsed LOOKUP_BEHIND packets ago has come from memory: its flow's entry is asked
// for, while other packets are parsed. The flow stage would ask for a whole burst's at once, more than can be under way.
static inline void foresee_behind(const struct worker *worker, const struct burst *burst,
                                  struct packet *packet)
{
    if (packet - burst->packet < LOOKUP_BEHIND)
        return;
    packet -= LOOKUP_BEHIND;
    if (packet->stage == PACKET_FLOW || packet->stage == PACKET_STEER)
        packet->flow = flow_candidate(worker->flows, packet->hash);
}

void parse_stage(struct worker *worker, struct burst *burst)
{
    const struct rules rules = rules_of(worker, burst->port_in);

    for (struct packet *packet = burst->packet, *end = burst_end(burst); packet < end; packet++) {
        if (packet->stage != PACKET_PARSE)
            continue;
        if (likely(!(packet->flags & (PACKET_FROM_HOST | PACKET_UNRESOLVED))))
            parse_one(worker, burst, packet, &rules);
        else
            parse_own(worker, burst, packet);
        foresee_behind(worker, burst, packet);
    }
}
