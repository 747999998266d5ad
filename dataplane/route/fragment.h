// SPDX-License-Identifier: Apache-2.0
// Fragments, both ways: datagrams put together again before translation, because only the first fragment
// has ports (RFC 4787 REQ-14), and datagrams cut up on the way out of a port with a smaller MTU (RFC 791
// section 3.2). Every function runs on the worker that owns the table.
#ifndef ROUTE_FRAGMENT_H
#define ROUTE_FRAGMENT_H

#include <stdbool.h>
#include "worker/worker.h"

// ---- putting together --------------------------------------------------------------------------------------
#define PIECES_PER_DATAGRAM 4 // on average: 8 KB datagrams over an MTU of 1500 have 6, most have 2

// A table with room for `datagrams` at once, PIECES_PER_DATAGRAM buffers each at most on average. Each has to be whole
// settings.fragment_timeout_ms after its first fragment. NULL: no memory. Freed with every fragment it holds.
struct fragment_table *fragment_table_new(uint32_t datagrams, const struct sl_hash_seed *seed);
void fragment_table_free(struct fragment_table *table);

// Takes a fragment of either family (PACKET_FRAGMENT). True: the datagram is whole and `packet` is now it: one chain of
// mbufs, parsed again, without PACKET_FRAGMENT and without DF; the caller moves it on. False: the packet is
// gone from the burst (PACKET_GONE), held or dropped (fragment_tiny, fragment_overlap, fragment_duplicate,
// fragment_table_full).
bool fragment_reassemble(struct worker *worker, struct burst *burst, struct packet *packet);
// Is a datagram being put together that this fragment belongs to?
bool fragment_awaited(const struct worker *worker, const struct packet *packet);
// Drops what has not become whole in time. Called once a burst, costs a comparison when nothing is due.
void fragment_tick(struct worker *worker);

// ---- cutting up --------------------------------------------------------------------------------------------
#define FRAGMENT_MAX 128 // pieces: a datagram of 65,535 bytes over an MTU of 576 makes 119

// Cuts the IPv4 packet of `packet` (one mbuf or a chain, l3_off bytes in front of the IP header) into fresh
// single-segment mbufs of at most `mtu` bytes of IP, with 14 bytes in front for the Ethernet header, and
// frees the original. A packet that fits becomes one piece: a plain copy, which is how a chain is made one
// segment. Number of pieces, or -ENOMEM (nothing is freed, the packet is as it was), -EINVAL (a header longer
// than the MTU allows, or more than FRAGMENT_MAX pieces).
int fragment_cut(struct worker *worker, struct packet *packet, uint16_t mtu,
                 struct rte_mbuf *out[FRAGMENT_MAX]);

// The same for an IPv6 packet with a fragment header marked PACKET_WHOLE_MARK (RFC 8200 section 4.5). Cut anew it goes
// in pieces of 1,280 bytes at most, which every link carries: its sender's path MTU discovery does not see ours. One
// that fits in those loses the header instead (RFC 8021).
int fragment_cut_v6(struct worker *worker, struct packet *packet, uint16_t mtu,
                    struct rte_mbuf *out[FRAGMENT_MAX]);

#endif
