// SPDX-License-Identifier: Apache-2.0
// Neighbor unreachability detection (RFC 4861 section 7.3) as a machine without I/O and without a clock: what
// happens goes in, the new state, what to do and when to look again come out. ARP entries use the same machine: it
// is what RFC 4861 appendix D recommends routers to have, and what RFC 1122 section 2.3.2.1 asks for.
//
//              answer                    time, unused
//   INCOMPLETE ───────► REACHABLE ───────────────────────► STALE ──► forgotten after a long time
//     │  ▲                 ▲  │ time, used                    │ used
//     │  │ asked 3 times   │  ▼                               ▼
//     │  └─────────────── PROBE ◄──────── time ─────────── DELAY
//     │ asked 3 times
//     ▼
//   FAILED ──► forgotten after 3 s
//
// Two things differ from the RFC's hosts, because a gateway has no upper layers that would confirm a neighbor: an
// entry in use is probed when its time is over instead of turning STALE first, so it is asked for by unicast
// before traffic would miss it; and a neighbor that no longer answers unicast is asked for by multicast before it
// counts as gone (RFC 7048). FAILED is our memory of that, so that packets to nobody are rejected at once.
#ifndef NEIGHBOR_NUD_H
#define NEIGHBOR_NUD_H

#include <stdbool.h>
#include <stdint.h>

enum nud_action {         // what the caller has to do, bits
    NUD_ASK_ALL = 1 << 0, // broadcast ARP request, multicast solicitation
    NUD_ASK_ONE = 1 << 1, // the same to the MAC that is known
    NUD_RELEASE = 1 << 2, // packets that wait may go: there is a MAC
    NUD_FAIL = 1 << 3,    // packets that wait are undeliverable
    NUD_FORGET = 1 << 4,  // remove the entry
};

struct nud_times {         // RFC 4861 section 10, milliseconds
    uint32_t reachable_ms; // mean of REACHABLE's time
    uint32_t retransmit_ms;
    uint32_t delay_ms;
    uint32_t stale_poll_ms;   // how often a STALE entry's use is looked at
    uint32_t stale_forget_ms; // unused for so long
    uint32_t failed_ms;
};

#define NUD_ASKS 3 // MAX_MULTICAST_SOLICIT and MAX_UNICAST_SOLICIT

struct nud { // an entry's life; `word` is MAC and state as in struct sl_neighbor, without the count of keys
    uint64_t word;
    uint32_t asked;   // requests sent in this state
    uint32_t wait_ms; // out: until nud_expire is to be called; 0: the timer stands as it is
    uint32_t actions; // out: enum nud_action
};

struct nud_answer {     // a neighbor advertisement (RFC 4861 section 7.2.5), or an ARP message seen as one
    const uint8_t *mac; // NULL: it named none
    bool solicited;
    bool override;
};

extern const struct nud_times nud_times_default;

// A packet asks for a neighbor nobody knows: from here on the entry is INCOMPLETE.
void nud_start(struct nud *nud, const struct nud_times *times);
// The time is over. `used`: packets were sent since the last call; `idle_ms`: since the state last changed.
// `random`: any 32 bits, spreads REACHABLE's time over 0.5 to 1.5 of its mean (RFC 4861 section 6.3.2).
void nud_expire(struct nud *nud, const struct nud_times *times, bool used, uint32_t idle_ms);
void nud_answer(struct nud *nud, const struct nud_times *times, const struct nud_answer *answer,
                uint32_t random);
// The neighbor named its MAC without having been asked: it solicits us (RFC 4861 section 7.2.3) or sends an ARP
// request. Says nothing about whether it hears us.
void nud_claim(struct nud *nud, const struct nud_times *times, const uint8_t mac[6]);

#endif
