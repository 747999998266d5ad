// SPDX-License-Identifier: Apache-2.0
// One direction of a bad network path: packets go in, and come out later, or twice, or altered, or not at all, as a
// config says and a seed decides. No clock and no I/O: the caller gives the time, so it runs on virtual time in tests
// and on the real one in sluice-impair. The same seed, config, packets and times give the same result; each kind of harm
// draws from a stream of its own, so that changing one does not move the others. Memory is taken when it is made.
//
//     put ─► larger than mtu? ─► queue at `rate` ─► lost? ─► altered? ─► delay, jitter, held back ─► doubled? ─► take
//
// Chances are parts per million. One thread.
#ifndef NETPATH_H
#define NETPATH_H

#include <stdbool.h>
#include <stdint.h>

#define NETPATH_SURE 1000000u // parts per million

struct netpath_config {
    uint64_t rate_bps;      // of the link, bits per second; 0: as fast as can be
    uint32_t queue_bytes;   // that may wait for the link, a packet at least; 0: without end
    uint32_t overhead;      // bytes of a packet that count for the rate besides its own
    uint32_t mtu;           // bytes; larger packets vanish; 0: none does
    uint32_t delay_us;
    uint32_t jitter_us;     // more delay, evenly from 0 to this; order is kept
    uint32_t loss;          // of each packet by itself
    uint32_t burst_begin;   // Gilbert (1960): of each packet, that a burst begins, in which all are lost
    uint32_t burst_end;     // of each lost packet, that the burst ends behind it: bursts are 1e6 / burst_end long
    uint32_t duplicate;
    uint32_t reorder;       // to be held back by reorder_us, so that later packets come first
    uint32_t reorder_us;
    uint32_t corrupt;       // one bit, at random
};

struct netpath_counters {
    uint64_t in, out, too_large, queue_full, lost, corrupted, duplicated, held_back, no_room;
};

struct netpath_packet {
    uint64_t due_us;
    uint32_t len, tag; // tag: the caller's, as given
    uint8_t *bytes;    // of the path; valid until the next call on it
};

struct netpath;

// At most `packets` of `packet_bytes` at once. NULL: no memory, or the config makes no sense (netpath_config_fault says).
struct netpath *netpath_new(const struct netpath_config *config, uint64_t seed, uint32_t packets, uint32_t packet_bytes);
void netpath_free(struct netpath *path);
// What is wrong with a config, for a message; NULL: nothing.
const char *netpath_config_fault(const struct netpath_config *config);

// False: the packet was dropped (the counters say why). The bytes are copied.
bool netpath_put(struct netpath *path, uint64_t now_us, const void *bytes, uint32_t len, uint32_t tag);
// The next packet that is due; false: none. Packets of one time come out as they went in.
bool netpath_take(struct netpath *path, uint64_t now_us, struct netpath_packet *packet);
uint64_t netpath_next_us(const struct netpath *path); // when netpath_take will have one; UINT64_MAX: the path is empty
uint32_t netpath_inside(const struct netpath *path);  // packets
const struct netpath_counters *netpath_counters(const struct netpath *path);

// Numbers for whoever wants some of the same kind (xorshift64*): 0 to below - 1.
uint32_t netpath_random(uint64_t *state, uint32_t below);
uint64_t netpath_seed(uint64_t seed, uint32_t stream); // a state to begin with, never 0 (SplitMix64)

#endif
