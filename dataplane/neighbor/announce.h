// SPDX-License-Identifier: Apache-2.0
// Announcements of our own addresses: twice each, when an address is new, when its port comes up, or when its link
// does. That is how a network that knew another gateway learns of this one. Paced, because a pool may have
// thousands. Housekeeping alone.
#ifndef NEIGHBOR_ANNOUNCE_H
#define NEIGHBOR_ANNOUNCE_H

#include "housekeeping/house.h"

#define ANNOUNCE_TIMES       2 // RFC 5227 section 1.1, ANNOUNCE_NUM
#define ANNOUNCE_INTERVAL_MS 2000
#define ANNOUNCE_BATCH       32 // in one pass of the thread

struct announcement {
    struct sl_ip ip;
    uint16_t port;
    uint8_t left; // times to go
    uint8_t pad[5];
};

struct announce {
    struct announcement *list; // sorted by port and address, without doubles
    uint32_t count;
    uint32_t at;      // next to look at in this round
    uint32_t pending; // sum of `left`
    uint32_t next_ms; // when the next round may begin
    uint64_t ports_up;
};

void announce_fini(struct announce *announce);
// After a generation: addresses that were not there before are announced. Where memory runs out, none are.
void announce_tables(struct house *house, struct announce *announce);
void announce_port(struct house *house, struct announce *announce, uint16_t port);
void announce_tick(struct house *house, struct announce *announce);

#endif
