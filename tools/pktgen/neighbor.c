// SPDX-License-Identifier: Apache-2.0
// ARP and neighbor discovery, as little of them as a generator needs. Replies are made in the frame that asked. Called
// by rx.c for frames that are not ours, and by setup on the main thread.
#include "neighbor.h"
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <rte_ethdev.h>
#include "wire/emit.h"
#include "wire/headers.h"

#define RESOLVE_TRIES   5
#define RESOLVE_WAIT_MS 1000
#define RESOLVE_STEP_MS 5
#define ND_OPTION_BYTES 8
#define ND_SOURCE_LINK  1 // RFC 4861 section 4.6.1
#define ND_TARGET_LINK  2
#define ND_SOLICITED    0x60000000u // solicited, override (RFC 4861 section 4.4)
#define BURST           32
#define FRAME_ASK       60 // the least that Ethernet carries, without FCS

struct nd_frame { // a solicitation or an advertisement with one link-layer address option
    struct sl_eth eth;
    struct sl_ipv6 ip;
    struct sl_icmp icmp; // its last four bytes are the flags
    uint8_t target[16];
    uint8_t option_type, option_len; // in units of 8 bytes
    uint8_t option_mac[6];
} SL_WIRE;

struct arp_frame {
    struct sl_eth eth;
    struct sl_arp arp;
} SL_WIRE;

void neighbor_self_add(struct neighbor_self *self, const struct sl_ip *first, uint32_t count)
{
    if (self->ranges < NEIGHBOR_RANGES)
        self->range[self->ranges++] = (struct neighbor_range){*first, count, 1};
}

static bool self_is(const struct neighbor_self *self, const struct sl_ip *ip)
{
    for (uint32_t i = 0; i < self->ranges; i++) {
        const struct neighbor_range *range = &self->range[i];
        if (range->first.q[0] == ip->q[0] && range->first.w[2] == ip->w[2] &&
            sl_host32(ip->w[3]) - sl_host32(range->first.w[3]) < range->count)
            return true;
    }
    return false;
}

static struct sl_ip arp_ip(const uint8_t bytes[4])
{
    sl_be32 address;
    memcpy(&address, bytes, 4);
    return sl_ip_v4(address);
}

static bool arp_reply(const struct neighbor_self *self, struct rte_mbuf *frame)
{
    struct arp_frame *ask = rte_pktmbuf_mtod(frame, struct arp_frame *);
    if (frame->data_len < sizeof(*ask) || ask->arp.operation != sl_be16_of(1))
        return false;
    struct sl_ip target = arp_ip(ask->arp.target_ip), sender = arp_ip(ask->arp.sender_ip);
    uint8_t sender_mac[6];
    if (!self_is(self, &target))
        return false;
    memcpy(sender_mac, ask->arp.sender_mac, 6);
    uint8_t *at = sl_emit_eth(ask, sender_mac, self->mac, SL_ETHERTYPE_ARP);
    sl_emit_arp(at, 2, self->mac, target.w[3], sender_mac, sender.w[3]);
    return true;
}

static void nd_finish(struct nd_frame *nd)
{
    nd->icmp.checksum = 0;
    sl_emit_l4_checksum(&nd->ip);
}

static bool solicitation_reply(const struct neighbor_self *self, struct rte_mbuf *frame)
{
    struct nd_frame *ask = rte_pktmbuf_mtod(frame, struct nd_frame *);
    struct sl_ip target, sender;
    if (frame->data_len < sizeof(*ask) - ND_OPTION_BYTES || ask->ip.next != IPPROTO_ICMPV6 ||
        ask->ip.hop_limit != 255 || ask->icmp.type != SL_ICMP6_NEIGHBOR_SOLICIT)
        return false;
    memcpy(&target, ask->target, 16);
    memcpy(&sender, ask->ip.src, 16);
    if (!self_is(self, &target) || sl_ip_is_zero(&sender))
        return false;
    if (frame->data_len < sizeof(*ask) &&
        !rte_pktmbuf_append(frame, (uint16_t)(sizeof(*ask) - frame->data_len)))
        return false;
    memcpy(ask->eth.dst, ask->eth.src, 6);
    memcpy(ask->eth.src, self->mac, 6);
    memcpy(ask->ip.dst, &sender, 16);
    memcpy(ask->ip.src, &target, 16);
    ask->ip.payload_len = sl_be16_of(sizeof(*ask) - sizeof(ask->eth) - sizeof(ask->ip));
    ask->icmp.type = SL_ICMP6_NEIGHBOR_ADVERT;
    ask->icmp.mtu32 = sl_be32_of(ND_SOLICITED);
    ask->option_type = ND_TARGET_LINK;
    ask->option_len = 1;
    memcpy(ask->option_mac, self->mac, 6);
    nd_finish(ask);
    return true;
}

bool neighbor_reply(const struct neighbor_self *self, struct rte_mbuf *frame)
{
    const struct sl_eth *eth = rte_pktmbuf_mtod(frame, const struct sl_eth *);
    if (frame->data_len < sizeof(*eth))
        return false;
    if (eth->type == sl_be16_of(SL_ETHERTYPE_ARP))
        return arp_reply(self, frame);
    return eth->type == sl_be16_of(SL_ETHERTYPE_IPV6) && solicitation_reply(self, frame);
}

static void arp_ask(const struct neighbor_self *self, const struct sl_ip *own, const struct sl_ip *gateway,
                    struct rte_mbuf *frame)
{
    static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, none[6];
    uint8_t *at = (uint8_t *)rte_pktmbuf_append(frame, FRAME_ASK);
    memset(at, 0, FRAME_ASK);
    at = sl_emit_eth(at, all, self->mac, SL_ETHERTYPE_ARP);
    sl_emit_arp(at, 1, self->mac, own->w[3], none, gateway->w[3]);
}

// To the solicited-node multicast group (RFC 4291 section 2.7.1) and its Ethernet address (RFC 2464 section 7).
static void solicitation_ask(const struct neighbor_self *self, const struct sl_ip *own,
                             const struct sl_ip *gateway, struct rte_mbuf *frame)
{
    struct nd_frame *nd = (struct nd_frame *)rte_pktmbuf_append(frame, sizeof(*nd));
    struct sl_ip group = {.b = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff}};
    uint8_t mac[6] = {0x33, 0x33, 0xff, gateway->b[13], gateway->b[14], gateway->b[15]};
    memcpy(group.b + 13, gateway->b + 13, 3);
    struct sl_emit_ip ip = {
        .src = *own, .dst = group, .payload_len = sizeof(*nd) - 54, .proto = IPPROTO_ICMPV6, .ttl = 255};
    uint8_t *at = sl_emit_eth(nd, mac, self->mac, SL_ETHERTYPE_IPV6);
    at = sl_emit_ipv6(at, &ip);
    sl_emit_icmp(at, SL_ICMP6_NEIGHBOR_SOLICIT, 0, 0);
    memcpy(nd->target, gateway, 16);
    nd->option_type = ND_SOURCE_LINK;
    nd->option_len = 1;
    memcpy(nd->option_mac, self->mac, 6);
    nd_finish(nd);
}

// True where the frame tells the gateway's Ethernet address.
static bool answer_read(const struct rte_mbuf *frame, const struct sl_ip *gateway, uint8_t mac[6])
{
    const struct arp_frame *arp = rte_pktmbuf_mtod(frame, const struct arp_frame *);
    const struct nd_frame *nd = rte_pktmbuf_mtod(frame, const struct nd_frame *);
    if (frame->data_len >= sizeof(*arp) && arp->eth.type == sl_be16_of(SL_ETHERTYPE_ARP) &&
        arp->arp.operation == sl_be16_of(2)) {
        struct sl_ip sender = arp_ip(arp->arp.sender_ip);
        memcpy(mac, arp->arp.sender_mac, 6);
        return sl_ip_equal(&sender, gateway);
    }
    if (frame->data_len < sizeof(*nd) || nd->eth.type != sl_be16_of(SL_ETHERTYPE_IPV6) ||
        nd->ip.next != IPPROTO_ICMPV6 || nd->icmp.type != SL_ICMP6_NEIGHBOR_ADVERT ||
        nd->option_type != ND_TARGET_LINK)
        return false;
    memcpy(mac, nd->option_mac, 6);
    return memcmp(nd->target, gateway, 16) == 0;
}

static bool answers_poll(const struct device *device, const struct neighbor_self *self,
                         const struct sl_ip *gateway, uint8_t mac[6])
{
    struct rte_mbuf *frame[BURST];
    bool found = false;
    for (uint16_t queue = 0; queue < device->rx_queues; queue++) {
        uint16_t count = rte_eth_rx_burst(device->id, queue, frame, BURST);
        for (uint16_t i = 0; i < count; i++) {
            found = found || answer_read(frame[i], gateway, mac);
            if (!neighbor_reply(self, frame[i]) || rte_eth_tx_burst(device->id, queue, &frame[i], 1) == 0)
                rte_pktmbuf_free(frame[i]);
        }
    }
    return found;
}

static void ask(struct session *session, const struct device *device, const struct neighbor_self *self,
                const struct sl_ip *own, const struct sl_ip *gateway)
{
    struct rte_mbuf *frame = rte_pktmbuf_alloc(session->pool);
    if (!frame)
        return;
    if (sl_ip_is_v4(gateway))
        arp_ask(self, own, gateway, frame);
    else
        solicitation_ask(self, own, gateway, frame);
    if (rte_eth_tx_burst(device->id, 0, &frame, 1) == 0)
        rte_pktmbuf_free(frame);
}

int neighbor_resolve(struct session *session, uint32_t port, const struct neighbor_self *self,
                     const struct sl_ip *own, const struct sl_ip *gateway, uint8_t mac[6],
                     struct sl_error *error)
{
    const struct device *device = &session->port[port].device;
    char text[SL_IP_TEXT];
    for (uint32_t i = 0; i < RESOLVE_TRIES; i++) {
        ask(session, device, self, own, gateway);
        for (uint32_t waited = 0; waited < RESOLVE_WAIT_MS; waited += RESOLVE_STEP_MS) {
            if (answers_poll(device, self, gateway, mac))
                return 0;
            if (session_wait_ms(session, RESOLVE_STEP_MS))
                return sl_error_set(error, -EINTR, "ended before the gateway answered");
        }
    }
    return sl_error_set(error, -EHOSTUNREACH,
                        "port %s: %s does not answer; see that the device under test runs and has this "
                        "address on the link, or "
                        "give its Ethernet address (with --peer-mac; of stateful: --next-hop)",
                        session->port[port].name, sl_ip_format(gateway, text));
}
