// SPDX-License-Identifier: Apache-2.0
// Which worker owns a packet, and handing it there. The stage itself is declared in worker/worker.h. On the worker's
// thread.
#ifndef STEER_STEER_H
#define STEER_STEER_H

#include "worker/worker.h"

// Set in a packet's hops: it comes from a member, but is none of its answers to clients; steered as NAT's it is.
#define STEER_PAST_MEMBER 0x80

// Set in a packet's hops: routed already, and found to be for an address of ours; it is not steered again.
#define STEER_TO_ENDPOINT 0x40

#define STEER_HOPS                                                                                           \
    3 // to the worker that puts fragments together, to the owner, and after hairpinning once more

// The worker whose flow a packet to one of our outside addresses belongs to, by 1:1, forward or port block; this
// worker where nobody owns it.
uint32_t steer_owner_outside(const struct worker *worker, const struct sl_flow_key *key, uint8_t proto);

// The worker that puts a fragment's datagram together.
uint32_t steer_owner_fragment(const struct worker *worker, const struct packet *packet);

// With one worker, plain packets to one host need no steering where there are flows.
bool steer_needless(const struct worker *worker);

// The worker that NAT has a packet's flow with, from either side; this worker where NAT has nothing to do with it.
uint32_t steer_owner_nat(const struct worker *worker, const struct sl_flow_key *key, uint8_t proto);

// To the worker that NAT has it with, once and for all: the owner of the client's balanced flows knows nothing of it.
void steer_past_member(struct worker *worker, const struct burst *burst, struct packet *packet, uint32_t owner);

// Puts the packet into another worker's ring; dropped where that is full or the packet has been round too often.
void steer_to(struct worker *worker, const struct burst *burst, struct packet *packet, uint32_t owner);

// To the worker whose endpoint has the connection (endpoint/endpoint.h).
void steer_to_endpoint(struct worker *worker, const struct burst *burst, struct packet *packet, uint32_t owner);

#endif
