// SPDX-License-Identifier: Apache-2.0
// A run directory and a state directory of its own for each test, an applier on them, and a data plane that is told
// what to do. Time is the test's own.
#ifndef UNIT_CONTROL_FIXTURE_H
#define UNIT_CONTROL_FIXTURE_H

#include "apply/apply.h"
#include "shm/board.h"

#define SECOND_NS 1000000000ull

struct fixture {
    char dir[64], run_dir[80], state_dir[80];
    struct sl_board *board;
    struct applier applier;
    struct apply_hooks hooks;
    uint64_t now_ns;
    unsigned done;                // callbacks that came
    struct apply_outcome outcome; // of the last; its diagnostics are gone
    unsigned errors;              // in them
    int prepare_fails;            // what the prepare hook answers
    unsigned prepared;
};

void fixture_open(struct fixture *fixture);
void fixture_close(struct fixture *fixture); // removes the directories
// A new applier, as after the process was killed: what it knows is on disk.
enum take_up fixture_restart(struct fixture *fixture);

// The data plane starts with so many workers, which use nothing yet.
void fixture_dp_start(struct fixture *fixture, uint32_t workers);
void fixture_dp_beat(struct fixture *fixture);
// Takes the published generation as housekeeping and all workers would: maps and checks it first, and aborts the test
// where it is not good.
void fixture_dp_take(struct fixture *fixture);
void fixture_dp_refuse(struct fixture *fixture, const char *why);

// Starts applying a config text and ticks once.
int fixture_apply(struct fixture *fixture, const char *text, uint32_t confirm_s);
int fixture_apply_request(struct fixture *fixture, struct apply_request *request);
// Applies with a data plane that takes everything; true where it became live.
bool fixture_apply_live(struct fixture *fixture, const char *text);
void fixture_tick(struct fixture *fixture);
void fixture_done(void *context, const struct apply_outcome *outcome); // counts; context is the fixture

// What a worker would find for an address in the published generation: the next hop's kind and its gateway's last
// byte (0: none) as kind * 256 + byte.
unsigned fixture_lookup(struct fixture *fixture, const char *address);
// Files of the run directory whose names start so.
unsigned fixture_files(const struct fixture *fixture, const char *start);

// A small config of two ports; `more` is appended.
const char *fixture_config(const char *more, char out[4096]);

#endif
