// SPDX-License-Identifier: Apache-2.0
// Whole TCP connections through a gateway that balances, many at a time. Each has eight packets: SYN, SYN and ACK, ACK,
// a packet each way, a FIN each way, the last ACK. Between two packets of a connection stand those of some thousand
// others, so that each finds its flow where memory has left it. Time goes on as if CONNECTIONS_RATE began a second, and
// closed flows time out after so many whole seconds that as many linger as asked for: what ends them is counted too. One thread.
#ifndef BENCH_CONNECTIONS_H
#define BENCH_CONNECTIONS_H

#include "bench_gateway.h"

#define CONNECTIONS_RATE 300000u
#define CONNECTIONS_ROOM                                                                                     \
    393216u // flows beyond those that linger: those that are open, and what is late to end

struct connections;

// `frame`: at least BURST_MAX of them, used anew by each burst. Ends the program where there is no memory.
struct connections *connections_new(struct gateway *g, uint32_t lingering, struct rte_mbuf **frame);
void connections_free(struct connections *c);
// So many begin, and as many are at each of the later packets. Cycles that the worker took for all of it, between
// bursts too, less what reading the clock costs each time.
uint64_t connections_run(struct connections *c, uint32_t burst, uint64_t clock_cycles);

#endif
