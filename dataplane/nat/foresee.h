// SPDX-License-Identifier: Apache-2.0
// Asking for memory that opening flows will need. On the worker's thread.
#ifndef NAT_FORESEE_H
#define NAT_FORESEE_H

#include "worker/worker.h"

// Looks ahead over the packets of the burst that wait for the NAT stage without a flow. Changes nothing.
void nat_foresee(struct worker *worker, const struct burst *burst);

#endif
