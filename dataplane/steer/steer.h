// SPDX-License-Identifier: Apache-2.0
// Which worker owns a packet, and handing it there. The stage itself is declared in worker/worker.h. On the worker's
// thread.
#ifndef STEER_STEER_H
#define STEER_STEER_H

#include "worker/worker.h"

#define STEER_HOPS                                                                                           \
    3 // to the worker that puts fragments together, to the owner, and after hairpinning once more

// The worker whose flow a packet to one of our outside addresses belongs to, by 1:1, forward or port block; this
// worker where nobody owns it.
uint32_t steer_owner_outside(const struct worker *worker, const struct sl_flow_key *key, uint8_t proto);

// With one worker, plain packets to one host need no steering where there is NAT.
bool steer_needless(const struct worker *worker);

// Puts the packet into another worker's ring; dropped where that is full or the packet has been round too often.
void steer_to(struct worker *worker, const struct burst *burst, struct packet *packet, uint32_t owner);

#endif
