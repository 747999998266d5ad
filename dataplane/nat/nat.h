// SPDX-License-Identifier: Apache-2.0
// NAT44 of one worker: mappings and port blocks behind the flows (RFC 4787, 5382, 5508, 7857). The stage
// itself (nat_stage) is declared in worker/worker.h. What workers share is in nat/share.h. Everything but
// _new and _free runs on the worker.
#ifndef NAT_NAT_H
#define NAT_NAT_H

#include "base/error.h"
#include "nat/share.h"
#include "worker/worker.h"

// Mappings of one worker, with room for as many as its session table has flows; main thread. It registers
// itself with the share, which rebuilds it from adopted flows when the first generation comes. NULL with a
// sentence.
struct nat *nat_new(struct nat_share *share, struct flow_table *flows, uint32_t worker, uint32_t worker_count,
                    const struct sl_hash_seed *seed, struct sl_error *error);
void nat_free(struct nat *nat);

// The worker now uses worker->tables instead of old_tables (NULL: the first). Cheap: what the change orphans,
// such as flows on addresses that left their pool, is swept up by flow_tick() in small steps and counted
// (flow_withdrawn).
void nat_tables_taken(struct worker *worker, const struct tables *old_tables);

// For a packet that was translated, sent nowhere and parsed again: makes packet->key what its sender sent, as it was
// when the packet came in, and sets PACKET_TRANSLATED. False: no flow of this worker translates to it (any more).
bool nat_restore_key(struct worker *worker, struct packet *packet);

#endif
