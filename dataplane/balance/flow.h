// SPDX-License-Identifier: Apache-2.0
// A balanced flow's life: made, counted, its end, whether the tables still have a place for it. Used by flow/ and nat/.
#ifndef BALANCE_FLOW_H
#define BALANCE_FLOW_H

#include "balance/state.h"

// The flow, of this kind, is about to be taken out. Worker.
void balance_flow_ended(struct worker *worker, const struct sl_flow *flow);

// Called for each flow after tables or members changed: false where it shall end. Cuts TCP flows that shall be reset.
bool balance_flow_fits(struct worker *worker, uint32_t index);

// Has the table a place for the flow: its service with an address that the client's packets go to, its member with the
// address that packets are sent to? Any thread.
bool balance_flow_matches(const struct sl_balance_table *table, const struct sl_flow *flow);

// A new flow, or one adopted, counts.
void balance_flow_counted(struct balance *balance, uint32_t mapping);

enum balance_admission {
    BALANCE_PASS,  // counted; translate it
    BALANCE_GONE,  // answered or dropped
    BALANCE_REOPEN // a new connection between the same ports: the flow has been ended, look again
};

// A packet of a cut flow (SL_FLOW_CUT): its member was flushed, or is down where the pool says reset. It is answered with
// resets to both ends until the flow times out, which counts as nobody's.
enum balance_admission balance_admit_cut(struct worker *worker, struct burst *burst, struct packet *packet,
                                         const struct sl_flow *flow, uint32_t direction);
// The flow's first answer comes; a SYN of the flow comes.
void balance_first_answer(const struct balance *balance, const struct packet *packet, uint32_t mapping);
void balance_syn_again(const struct balance *balance, const struct sl_flow *flow);

static inline void balance_count_in(const struct balance *balance, uint32_t mapping, uint16_t len_bytes)
{
    struct sl_balance_service_counters *service = balance_service_count(balance, SL_FLOW_SERVICE(mapping));
    struct sl_balance_member_counters *member = balance_member_count(balance, SL_FLOW_MEMBER(mapping));

    service->packets_in++;
    service->bytes_in += len_bytes;
    member->packets_in++;
    member->bytes_in += len_bytes;
}

static inline void balance_count_out(const struct balance *balance, uint32_t mapping, uint16_t len_bytes)
{
    struct sl_balance_service_counters *service = balance_service_count(balance, SL_FLOW_SERVICE(mapping));
    struct sl_balance_member_counters *member = balance_member_count(balance, SL_FLOW_MEMBER(mapping));

    service->packets_out++;
    service->bytes_out += len_bytes;
    member->packets_out++;
    member->bytes_out += len_bytes;
}

// The connection has ended: reset, or closed from both sides. What is left of the flow waits for stragglers.
static inline bool balance_is_over(const struct sl_flow *flow)
{
    const uint8_t fins = SL_FLOW_FIN_0 | SL_FLOW_FIN_1;

    return flow->state == SL_FLOW_CLOSING && (flow->flags & SL_FLOW_RST || (flow->flags & fins) == fins);
}

// A packet of a balanced flow, before anything in it or in the flow is changed. A SYN behind the end of a connection
// is another connection: clients use their ports again within minutes, and it is to be balanced as any new one.
static inline enum balance_admission balance_admit(struct worker *worker, struct burst *burst,
                                                   struct packet *packet, struct sl_flow *flow,
                                                   uint32_t direction)
{
    if (unlikely(flow->flags & SL_FLOW_CUT))
        return balance_admit_cut(worker, burst, packet, flow, direction);
    if (unlikely(packet->flags & PACKET_ICMP_ERROR))
        return BALANCE_PASS;
    if (unlikely(packet->flags & PACKET_SYN) && direction == 0 && balance_is_over(flow))
        return BALANCE_REOPEN;
    if (direction) {
        balance_count_out(worker->balance, flow->mapping, packet->l3_len);
        if (unlikely(flow->packets1 == 0))
            balance_first_answer(worker->balance, packet, flow->mapping);
    } else {
        balance_count_in(worker->balance, flow->mapping, packet->l3_len);
        if (unlikely(packet->flags & PACKET_SYN))
            balance_syn_again(worker->balance, flow);
    }
    return BALANCE_PASS;
}

#endif
