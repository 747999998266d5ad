// SPDX-License-Identifier: Apache-2.0
// Builds and sends the messages of message.h.
#include "neighbor/message.h"
#include "neighbor/own.h"
#include "wire/emit.h"
#include "wire/l4.h"

#define ND_BODY_BYTES    24 // ICMPv6 header, flags, target (RFC 4861 sections 4.3, 4.4)
#define ND_OPTION_BYTES  8  // link-layer address: type, length in 8 bytes, MAC
#define ND_OPTION_SOURCE 1
#define ND_OPTION_TARGET 2
#define NA_ROUTER        0x80000000u
#define NA_SOLICITED     0x40000000u
#define NA_OVERRIDE      0x20000000u

static const uint8_t mac_broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t mac_nobody[6];
static const struct sl_ip all_nodes = {.b = {0xff, 2, [15] = 1}};

static uint8_t *frame_new(struct house *house, uint16_t bytes, struct rte_mbuf **frame)
{
    *frame = rte_pktmbuf_alloc(house->pool);
    return *frame ? (uint8_t *)rte_pktmbuf_append(*frame, bytes) : NULL;
}

static void frame_send(struct house *house, uint16_t port, struct rte_mbuf *frame, enum sl_counter counter)
{
    house->counters->counter[counter]++;
    house_tx(house, port, frame);
}

struct arp {
    uint16_t operation;
    const uint8_t *to; // Ethernet destination
    sl_be32 sender, target;
    const uint8_t *target_mac;
};

static void arp_send(struct house *house, uint16_t port, const struct arp *arp, enum sl_counter counter)
{
    const uint8_t *own_mac = house->tables->port_mac[port];
    struct rte_mbuf *frame;
    uint8_t *at = frame_new(house, sizeof(struct sl_eth) + sizeof(struct sl_arp), &frame);

    if (!at)
        return;
    at = sl_emit_eth(at, arp->to, own_mac, SL_ETHERTYPE_ARP);
    sl_emit_arp(at, arp->operation, own_mac, arp->sender, arp->target_mac, arp->target);
    frame_send(house, port, frame, counter);
}

static void mac_of_multicast(const struct sl_ip *group, uint8_t mac[6]) // RFC 2464 section 7
{
    mac[0] = mac[1] = 0x33;
    memcpy(mac + 2, group->b + 12, 4);
}

struct nd {
    struct sl_ip src, dst;
    const uint8_t *to; // Ethernet destination, NULL: that of the multicast group `dst`
    struct sl_ip target;
    uint32_t flags; // NA_*
    uint8_t type;   // ICMPv6
    uint8_t option; // ND_OPTION_*, naming our MAC
};

static void nd_send(struct house *house, uint16_t port, const struct nd *nd, enum sl_counter counter)
{
    const uint8_t *own_mac = house->tables->port_mac[port];
    const uint16_t body = ND_BODY_BYTES + ND_OPTION_BYTES;
    struct rte_mbuf *frame;
    uint8_t group_mac[6];
    uint8_t *at = frame_new(house, sizeof(struct sl_eth) + sizeof(struct sl_ipv6) + body, &frame);

    if (!at)
        return;
    mac_of_multicast(&nd->dst, group_mac);
    at = sl_emit_eth(at, nd->to ? nd->to : group_mac, own_mac, SL_ETHERTYPE_IPV6);
    struct sl_ipv6 *ip = (struct sl_ipv6 *)at;
    at = sl_emit_ipv6(
        at, &(struct sl_emit_ip){
                .src = nd->src, .dst = nd->dst, .payload_len = body, .proto = SL_PROTO_ICMPV6, .ttl = 255});
    at = sl_emit_icmp(at, nd->type, 0, sl_be32_of(nd->flags));
    memcpy(at, nd->target.b, 16);
    at[16] = nd->option;
    at[17] = ND_OPTION_BYTES / 8;
    memcpy(at + 18, own_mac, 6);
    sl_emit_l4_checksum(ip);
    frame_send(house, port, frame, counter);
}

static struct sl_ip solicited_node(const struct sl_ip *ip) // RFC 4291 section 2.7.1
{
    struct sl_ip group = {.b = {0xff, 2, [11] = 1, 0xff, ip->b[13], ip->b[14], ip->b[15]}};

    return group;
}

void message_ask(struct house *house, uint16_t port, const struct sl_ip *target, const uint8_t *mac)
{
    struct sl_ip source = own_source(house->tables, port, target);

    if (sl_ip_is_v4(target)) {
        struct arp arp = {.operation = 1,
                          .to = mac ? mac : mac_broadcast,
                          .sender = source.w[3],
                          .target = target->w[3],
                          .target_mac = mac_nobody};
        arp_send(house, port, &arp, SL_COUNTER_neighbor_request_sent);
        return;
    }
    struct nd nd = {.src = source,
                    .dst = mac ? *target : solicited_node(target),
                    .to = mac,
                    .target = *target,
                    .type = SL_ICMP6_NEIGHBOR_SOLICIT,
                    .option = ND_OPTION_SOURCE};
    nd_send(house, port, &nd, SL_COUNTER_neighbor_request_sent);
}

void message_arp_reply(struct house *house, uint16_t port, sl_be32 own, const uint8_t asker_mac[6],
                       sl_be32 asker)
{
    struct arp arp = {
        .operation = 2, .to = asker_mac, .sender = own, .target = asker, .target_mac = asker_mac};

    arp_send(house, port, &arp, SL_COUNTER_neighbor_reply_sent);
}

void message_advertise(struct house *house, uint16_t port, const struct sl_ip *own,
                       const uint8_t asker_mac[6], const struct sl_ip *asker)
{
    bool detection = sl_ip_is_zero(asker);
    struct nd nd = {.src = *own,
                    .dst = detection ? all_nodes : *asker,
                    .to = detection ? NULL : asker_mac,
                    .target = *own,
                    .flags = NA_ROUTER | NA_OVERRIDE | (detection ? 0 : NA_SOLICITED),
                    .type = SL_ICMP6_NEIGHBOR_ADVERT,
                    .option = ND_OPTION_TARGET};

    nd_send(house, port, &nd, SL_COUNTER_neighbor_reply_sent);
}

void message_announce(struct house *house, uint16_t port, const struct sl_ip *own)
{
    if (sl_ip_is_v4(own)) {
        struct arp arp = {.operation = 1,
                          .to = mac_broadcast,
                          .sender = own->w[3],
                          .target = own->w[3],
                          .target_mac = mac_nobody};
        arp_send(house, port, &arp, SL_COUNTER_neighbor_reply_sent);
        return;
    }
    struct nd nd = {.src = *own,
                    .dst = all_nodes,
                    .target = *own,
                    .flags = NA_ROUTER | NA_OVERRIDE,
                    .type = SL_ICMP6_NEIGHBOR_ADVERT,
                    .option = ND_OPTION_TARGET};
    nd_send(house, port, &nd, SL_COUNTER_neighbor_reply_sent);
}
