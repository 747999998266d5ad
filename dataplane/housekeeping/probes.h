// SPDX-License-Identifier: Apache-2.0
// Probes that control asks for: to the worker that is to make the connection, and its answer back. Several at once, and
// none holds up other commands. Housekeeping thread alone.
#ifndef HOUSEKEEPING_PROBES_H
#define HOUSEKEEPING_PROBES_H

#include "housekeeping/house.h"

struct probes {
    uint32_t running;
    uint32_t turn; // of the workers: who gets the next that may be anybody's
    uint64_t id[SL_MAX_WORKERS][SL_PROBES_AT_ONCE]; // of the command that the worker's probe answers; 0: none
};

// True: a worker has it and an answer will come of probes_step(); else *event is the answer.
bool probes_begin(struct probes *probes, const struct house *house, const struct sl_command *command,
                  struct sl_event *event);
// The next answer; false: none for now.
bool probes_step(struct probes *probes, const struct house *house, struct sl_event *event);

#endif
