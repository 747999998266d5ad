// SPDX-License-Identifier: Apache-2.0
// The part of the contract that the XDP program shares: drop reasons, the prefilter's rules, its maps' names.
// Included by layout.h, and alone by the XDP program: nothing here may need more than a freestanding
// compiler.
#ifndef SL_SHM_PREFILTER_H
#define SL_SHM_PREFILTER_H

#include <stdint.h>

enum sl_drop { // why a packet went no further; the table is drop.def
#define SL_DROP(name, text) SL_DROP_##name,
#include "shm/drop.def"
#undef SL_DROP
    SL_DROP_KINDS
};

#define SL_PREFILTER_RULES 16 // rules a port may have
#define SL_PREFILTER_SETS  256

enum sl_prefilter_action { SL_PREFILTER_ALLOW, SL_PREFILTER_DENY };

struct sl_prefilter_rule {
    uint16_t set;    // index into set[]; in the XDP program's map: slot of sluice_sets
    uint8_t action;  // enum sl_prefilter_action
    uint8_t counter; // index of its hit counter within the port: its place in the list
};

struct sl_prefilter_port { // indexed by port slot; also the value of the XDP program's map, keyed by ifindex
    uint32_t rule_count;
    uint32_t flags;   // SL_PORT_MARTIANS
    uint8_t fallback; // action where no rule matched
    uint8_t pad[7];
    struct sl_prefilter_rule rule[SL_PREFILTER_RULES];
};

// The XDP program's maps, pinned under these names in the bpf file system's directory of the gateway.
// w: control, except the counters (w: the program)
#define SL_PREFILTER_MAP_SETS  "sluice_sets"  // array of maps: slot -> array of 64-byte blocks, an LPM blob
#define SL_PREFILTER_MAP_PORTS "sluice_ports" // hash: ifindex -> struct sl_prefilter_port
#define SL_PREFILTER_MAP_DROPS "sluice_drops" // per-CPU array: enum sl_drop -> uint64_t packets
#define SL_PREFILTER_MAP_HITS  "sluice_hits"  // per-CPU hash: ifindex -> struct sl_prefilter_hits
#define SL_PREFILTER_SLOTS     (2 * SL_PREFILTER_SETS + 1) // old and new sets side by side, and one to wait by
#define SL_PREFILTER_DROPS     96                          // as in a worker's counter block

struct sl_prefilter_hits {
    uint64_t rule[SL_PREFILTER_RULES]; // packets by the rule that decided
    uint64_t drop_packets;             // packets of this interface dropped, for whatever reason
};

#endif
