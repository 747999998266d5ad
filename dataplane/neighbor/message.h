// SPDX-License-Identifier: Apache-2.0
// ARP (RFC 826) and neighbor discovery (RFC 4861) messages of ours, as whole frames sent out of a port; each counts
// as request or reply. Nothing is sent where no buffer is left: whoever needs an answer asks again. Housekeeping.
#ifndef NEIGHBOR_MESSAGE_H
#define NEIGHBOR_MESSAGE_H

#include "housekeeping/house.h"

// Asks for `target`: an ARP request or a neighbor solicitation, by its family; to `mac` where one is known, else to
// everybody (broadcast, solicited-node multicast).
void message_ask(struct house *house, uint16_t port, const struct sl_ip *target, const uint8_t *mac);
// Answers an ARP request: `own` is at this port's MAC.
void message_arp_reply(struct house *house, uint16_t port, sl_be32 own, const uint8_t asker_mac[6],
                       sl_be32 asker);
// Answers a neighbor solicitation; `asker` is :: for duplicate address detection, answered to all nodes
// (RFC 4861 section 7.2.4).
void message_advertise(struct house *house, uint16_t port, const struct sl_ip *own,
                       const uint8_t asker_mac[6], const struct sl_ip *asker);
// Unasked: gratuitous ARP request (RFC 5227 section 3) or unsolicited advertisement (RFC 4861 section 7.2.6).
void message_announce(struct house *house, uint16_t port, const struct sl_ip *own);

#endif
