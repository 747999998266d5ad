// SPDX-License-Identifier: Apache-2.0
// The session files of all workers, mapped for the time of one command. Main thread.
#ifndef SERVE_FLOWS_H
#define SERVE_FLOWS_H

#include "daemon.h"
#include "table/flow_read.h"

struct flows {
    struct sl_segment_map segment[SL_MAX_WORKERS];
    uint32_t count;
    uint64_t used, capacity;
};

// Maps what is there; files of a data plane that is not running any more count too: its flows will be adopted.
void flows_open(const struct daemon *daemon, struct flows *flows);
void flows_close(struct flows *flows);
// TCP connections of the gateway's own, of all workers: open ones, and how many there may be.
void endpoints_room(const struct daemon *daemon, uint64_t *used, uint64_t *capacity);
void flows_room(const struct daemon *daemon, uint64_t *used, uint64_t *capacity);

// A filter as COMMANDS.md has it. `any`: an address that may be any of the three. False with the call answered.
struct flow_filter {
    struct sl_flow_match match;
    bool has_any, given;
    struct sl_prefix any;
    int worker; // -1: all
};
bool flow_filter_read(struct call *call, struct flow_filter *filter);
bool flow_filter_fits(const struct flow_filter *filter, const struct sl_flow_view *view);

#endif
