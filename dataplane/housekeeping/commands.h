// SPDX-License-Identifier: Apache-2.0
// Commands of control, from the ring "command", answered on the ring "event". Housekeeping thread alone.
#ifndef HOUSEKEEPING_COMMANDS_H
#define HOUSEKEEPING_COMMANDS_H

#include "housekeeping/house.h"
#include "housekeeping/probes.h"
#include "shm/ring.h"

struct commands {
    struct sl_ring_end in, out;
    uint64_t job;        // flow_kill_job.asked of the job the workers are at; counts up
    uint64_t running_id; // command the job belongs to
    bool running;
    struct probes probes; // beside it
};

int commands_open(struct commands *commands, const char *run_dir, struct sl_error *error);
void commands_close(struct commands *commands);
// One step: tells what a probe has found, sees whether the workers are done with the last command, or begins the next.
// True: did something.
bool commands_step(struct commands *commands, struct house *house);

#endif
