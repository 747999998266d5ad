// SPDX-License-Identifier: Apache-2.0
// Neighbors as the data plane has them, copied for the time of one command. Main thread.
#ifndef SERVE_NEIGHBORS_H
#define SERVE_NEIGHBORS_H

#include <jansson.h>
#include "daemon.h"

struct neighbors {
    struct sl_neighbor *list; // sorted by port and address; to be freed
    size_t count;
    uint64_t capacity;
};

void neighbors_copy(const struct daemon *daemon, struct neighbors *out);
const char *neighbor_state(const struct sl_neighbor *neighbor);
json_t *neighbor_mac(const struct sl_neighbor *neighbor); // null where it is not known

#endif
