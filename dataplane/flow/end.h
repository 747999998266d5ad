// SPDX-License-Identifier: Apache-2.0
// The end of a flow: the one way flows leave the table while a worker runs. On the worker's thread.
#ifndef FLOW_END_H
#define FLOW_END_H

#include "flow/table.h"
#include "worker/worker.h"

// Gives the flow's mapping back, takes it out, counts `why` (flow_expired, flow_evicted, flow_killed, ...).
void flow_end(struct worker *worker, uint32_t index, enum sl_counter why);

#endif
