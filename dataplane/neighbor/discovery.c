// SPDX-License-Identifier: Apache-2.0
// Neighbor discovery messages that came in (RFC 4861): solicitations for our addresses are answered, duplicate
// address detection included; advertisements update known neighbors. Router solicitations, router advertisements
// and redirects concern the kernel twin alone: the data plane routes by its own table. Housekeeping thread.
#include "neighbor/message.h"
#include "neighbor/own.h"
#include "neighbor/resolve.h"
#include "wire/emit.h"
#include "wire/l4.h"

#define OPTION_SOURCE_MAC 1
#define OPTION_TARGET_MAC 2
#define NA_SOLICITED      0x40
#define NA_OVERRIDE       0x20

struct nd_message { // flags, target and options: what stands behind the first 4 bytes of ICMPv6
    struct sl_ipv6 ip;
    uint8_t type, code;
    sl_be16 checksum;
    uint8_t flags, reserved[3];
    uint8_t target[16];
} __attribute__((packed, aligned(2)));

struct nd {
    const struct sl_eth *eth;
    const struct nd_message *message;
    struct sl_ip src, dst, target;
    const uint8_t *source_mac, *target_mac; // options, NULL where they are not there
};

static bool is_multicast(const struct sl_ip *ip)
{
    return ip->b[0] == 0xff;
}

static struct sl_ip ip_of(const uint8_t bytes[16])
{
    struct sl_ip ip;

    memcpy(ip.b, bytes, sizeof(ip.b));
    return ip;
}

// Every option has a length, and all of them lie inside the message (RFC 4861 section 4.6); the first of each kind
// counts. Lengths are in 8 bytes.
static bool options_read(const uint8_t *at, const uint8_t *end, struct nd *nd)
{
    while (at < end) {
        if (end - at < 8 || at[1] == 0 || end - at < at[1] * 8)
            return false;
        if (at[0] == OPTION_SOURCE_MAC && !nd->source_mac)
            nd->source_mac = at + 2;
        if (at[0] == OPTION_TARGET_MAC && !nd->target_mac)
            nd->target_mac = at + 2;
        at += at[1] * 8;
    }
    return (!nd->source_mac || mac_of_station(nd->source_mac)) &&
           (!nd->target_mac || mac_of_station(nd->target_mac));
}

// The checks all five types share: sections 6.1.1, 6.1.2, 7.1.1, 7.1.2, 8.1. A hop limit of 255 proves that no
// router is between.
static bool message_believable(const struct rte_mbuf *m, const struct nd_message *message)
{
    uint16_t room = (uint16_t)(m->data_len - sizeof(struct sl_eth));

    if (room < sizeof(message->ip) + 8 || *(const uint8_t *)&message->ip >> 4 != 6)
        return false;
    if (message->ip.next != SL_PROTO_ICMPV6 || message->ip.hop_limit != 255)
        return false;
    uint16_t payload = sl_host16(message->ip.payload_len);
    return payload >= 8 && payload <= room - sizeof(message->ip) && message->code == 0 &&
           sl_check_l4_checksum(&message->ip);
}

static bool target_read(struct nd *nd)
{
    const uint8_t *body = (const uint8_t *)&nd->message->type;
    uint16_t payload = sl_host16(nd->message->ip.payload_len);
    size_t fixed = sizeof(*nd->message) - sizeof(nd->message->ip);

    if (payload < fixed)
        return false;
    nd->src = ip_of(nd->message->ip.src);
    nd->dst = ip_of(nd->message->ip.dst);
    nd->target = ip_of(nd->message->target);
    return !is_multicast(&nd->target) && !is_multicast(&nd->src) &&
           options_read(body + fixed, body + payload, nd);
}

// Section 7.2.3 and 7.2.4. From :: it is duplicate address detection: nobody to learn of (7.1.1).
static bool solicitation_handle(struct house *house, uint16_t port, struct nd *nd)
{
    if (!target_read(nd))
        return false;
    if (sl_ip_is_zero(&nd->src)) {
        bool solicited_node =
            nd->dst.b[0] == 0xff && nd->dst.b[1] == 2 && nd->dst.b[11] == 1 && nd->dst.b[12] == 0xff;
        if (!solicited_node || nd->source_mac)
            return false;
    } else if (own_address(house->tables, port, &nd->src)) { // somebody has our address
        return false;
    } else if (nd->source_mac) {
        neighbor_heard_claim(house, port, &nd->src, nd->source_mac);
    }
    if (own_address(house->tables, port, &nd->target))
        message_advertise(house, port, &nd->target, nd->source_mac ? nd->source_mac : nd->eth->src, &nd->src);
    return true;
}

// Section 7.2.5. Only what answers a multicast solicitation must name its MAC (4.4); without one, the entry's own
// is meant.
static bool advertisement_handle(struct house *house, uint16_t port, struct nd *nd)
{
    if (!target_read(nd))
        return false;
    uint8_t flags = nd->message->flags;
    if (is_multicast(&nd->dst) && flags & NA_SOLICITED)
        return false;
    if (own_address(house->tables, port, &nd->target)) // somebody has our address
        return false;
    struct nud_answer answer = {
        .mac = nd->target_mac,
        .solicited = flags & NA_SOLICITED,
        .override = flags & NA_OVERRIDE,
    };
    neighbor_heard_answer(house, port, &nd->target, &answer);
    return true;
}

void discovery_handle(struct house *house, uint16_t port, struct rte_mbuf *m)
{
    struct nd nd = {.eth = rte_pktmbuf_mtod(m, const struct sl_eth *)};
    bool good, answered = false;

    nd.message = (const struct nd_message *)(nd.eth + 1);
    if (nd.eth->type != sl_be16_of(SL_ETHERTYPE_IPV6) || !message_believable(m, nd.message)) {
        house_drop(house, m, SL_DROP_neighbor_bad);
        return;
    }
    switch (nd.message->type) {
    case SL_ICMP6_NEIGHBOR_SOLICIT:
        good = answered = solicitation_handle(house, port, &nd);
        break;
    case SL_ICMP6_NEIGHBOR_ADVERT:
        good = advertisement_handle(house, port, &nd);
        break;
    case SL_ICMP6_ROUTER_SOLICIT:
    case SL_ICMP6_ROUTER_ADVERT:
    case SL_ICMP6_REDIRECT:
        good = true;
        break;
    default:
        good = false;
    }
    if (!good)
        house_drop(house, m, SL_DROP_neighbor_bad);
    else if (answered)
        rte_pktmbuf_free(m);
    else
        resolver_pass_to_twin(house, port, m);
}
