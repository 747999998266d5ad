// SPDX-License-Identifier: Apache-2.0
// ARP messages that came in (RFC 826, RFC 5227): requests for our addresses are answered, what is said about known
// neighbors is taken up. Nothing is learned of a sender we have no entry for, so that a flood of forged messages
// fills no table. Housekeeping thread.
#include "neighbor/message.h"
#include "neighbor/own.h"
#include "neighbor/resolve.h"
#include "wire/headers.h"

enum { ARP_REQUEST = 1, ARP_REPLY = 2 };

static bool arp_believable(const struct rte_mbuf *m, const struct sl_eth *eth, const struct sl_arp *arp)
{
    if (m->data_len < sizeof(*eth) + sizeof(*arp))
        return false;
    if (arp->hardware != sl_be16_of(1) || arp->protocol != sl_be16_of(SL_ETHERTYPE_IPV4) ||
        arp->hardware_len != 6 || arp->protocol_len != 4)
        return false;
    if (arp->operation != sl_be16_of(ARP_REQUEST) && arp->operation != sl_be16_of(ARP_REPLY))
        return false;
    // A sender that is a group, or another than the frame's: nobody could answer it (RFC 1812 section 3.3.2).
    return mac_of_station(arp->sender_mac) && memcmp(arp->sender_mac, eth->src, 6) == 0 &&
           (arp->sender_ip[0] & 0xf0) != 0xe0 && arp->sender_ip[0] != 0x7f;
}

static struct sl_ip arp_ip(const uint8_t bytes[4])
{
    sl_be32 word;

    memcpy(&word, bytes, sizeof(word));
    return sl_ip_v4(word);
}

static void arp_request(struct house *house, uint16_t port, const struct sl_arp *arp)
{
    struct sl_ip sender = arp_ip(arp->sender_ip), target = arp_ip(arp->target_ip);

    if (sender.w[3] != 0) // 0.0.0.0: a probe, whose sender has no address yet (RFC 5227 section 2.1)
        neighbor_heard_claim(house, port, &sender, arp->sender_mac);
    if (own_address(house->tables, port, &target))
        message_arp_reply(house, port, target.w[3], arp->sender_mac, sender.w[3]);
}

// A reply to our MAC while we are asking is the answer; any other is an announcement (RFC 5227 section 3).
static void arp_reply(struct house *house, uint16_t port, const struct sl_eth *eth, const struct sl_arp *arp)
{
    struct sl_ip sender = arp_ip(arp->sender_ip);
    struct sl_neighbor *entry = neighbor_lookup(house->neighbors, port, &sender);
    enum sl_neighbor_state state = entry ? neighbor_state(entry->mac_state) : SL_NEIGHBOR_FREE;
    bool asking =
        state == SL_NEIGHBOR_INCOMPLETE || state == SL_NEIGHBOR_PROBE || state == SL_NEIGHBOR_FAILED;
    struct nud_answer answer = {
        .mac = arp->sender_mac,
        .solicited = asking && memcmp(eth->dst, house->tables->port_mac[port], 6) == 0,
        .override = true,
    };

    neighbor_heard_answer(house, port, &sender, &answer);
}

void arp_handle(struct house *house, uint16_t port, struct rte_mbuf *m)
{
    const struct sl_eth *eth = rte_pktmbuf_mtod(m, const struct sl_eth *);
    const struct sl_arp *arp = (const struct sl_arp *)(eth + 1);

    if (!arp_believable(m, eth, arp)) {
        house_drop(house, m, SL_DROP_neighbor_bad);
        return;
    }
    struct sl_ip sender = arp_ip(arp->sender_ip);
    if (sender.w[3] != 0 && own_address(house->tables, port, &sender)) { // somebody has our address
        house_drop(house, m, SL_DROP_neighbor_bad);
        return;
    }
    if (arp->operation == sl_be16_of(ARP_REQUEST)) {
        arp_request(house, port, arp);
        rte_pktmbuf_free(m);
        return;
    }
    arp_reply(house, port, eth, arp);
    resolver_pass_to_twin(house, port, m);
}
