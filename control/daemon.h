// SPDX-License-Identifier: Apache-2.0
// sluiced as a whole: what main() sets up, the event loop's timers, what commands look at. One per process, main
// thread only.
#ifndef CONTROL_DAEMON_H
#define CONTROL_DAEMON_H

#include <event2/event.h>
#include "apply/apply.h"
#include "balance/balance.h"
#include "options.h"
#include "prefilter/xdp.h"
#include "serve/server.h"
#include "shm/board.h"
#include "shm/counters.h"
#include "shm/ring.h"

struct announce;
struct metrics;
struct twins;
struct pending_command;

struct daemon {
    struct options options;
    struct event_base *base;
    struct event *beat;    // heartbeat, data plane watched, confirm deadline
    struct event *poll;    // quick, while something is under way
    struct event *netlink; // links changed
    struct event *signals[3];
    int claim; // lock of the run directory
    struct sl_board *board;
    struct applier applier;
    struct balance *balance;
    struct announce *announce; // NULL: no rights
    struct server *server;
    struct metrics *metrics;
    struct twins *twins;       // kernel twins over netlink; NULL: no rights
    bool twins_due;            // they are to follow the running config, soon
    struct prefilter_xdp *xdp; // maps of the XDP programs; NULL: no data plane has loaded any
    uint64_t xdp_serial;       // prefilter table that is installed there, for these interfaces
    unsigned xdp_ports;
    struct prefilter_xdp_port xdp_port[SL_MAX_PORTS];
    struct sl_ring_end command, event; // to the data plane, and its answers
    struct pending_command *commands;  // sent, not answered
    uint64_t next_command;
    uint64_t incarnation; // of the data plane we have set up twins and maps for
    uint64_t healed;      // incarnation that refused what runs, for which it was built anew
    const struct sl_counter_segment *counters; // NULL: not there yet
    uint64_t start_ns;                         // CLOCK_BOOTTIME
    uint64_t watchdog_ns;                      // when systemd was told last
    uint32_t watchdog_every_ms;
    char xdp_why[256];   // why the XDP maps are not set up, "" where they are
    char twins_why[256]; // the same of the twins
    char take_up_note[SL_ERROR_TEXT];
    const char *disk_state; // the config file compared with the running config, as of:
    uint64_t disk_identity, disk_running;
    bool first_failed; // the first config could not be applied: end with 1
};

// Sets everything up and applies the first config where nothing runs. 0 or -errno with a sentence. *exit_code is what
// main() returns where it is not 0.
int daemon_init(struct daemon *daemon, const struct options *options, struct sl_error *error);
int daemon_run(struct daemon *daemon); // until SIGTERM; the process's exit code
void daemon_fini(struct daemon *daemon);

uint64_t daemon_now_ns(void); // CLOCK_BOOTTIME: goes on while the machine sleeps, as confirm deadlines must
// The counters, opened when they first appear; NULL where no data plane has run.
const struct sl_counter_segment *daemon_counters(struct daemon *daemon);
// Quick ticks while an apply or a command is under way.
void daemon_hurry(struct daemon *daemon);

// ---- serve/ ----
void command_request(void *context, struct call *call); // serve/command.c: context is the daemon
// serve/forward.c: commands to the data plane, answered by events.
void forward_send(struct daemon *daemon, struct sl_command *command, const char *result_key,
                  struct call *call);
// The same with another answer than a count: `answered` is given an event with status 0, and is to answer the call.
// The data plane has `within_ms` for it.
typedef void forward_answer_fn(struct daemon *daemon, struct call *call, const struct sl_event *event);
void forward_ask(struct daemon *daemon, struct sl_command *command, unsigned within_ms, forward_answer_fn *answered,
                 struct call *call);
void forward_poll(struct daemon *daemon, uint64_t now_ns);
bool forward_waiting(const struct daemon *daemon);
void forward_fini(struct daemon *daemon);

// ---- prepare.c: what an apply does beside shared memory ----
int prepare_xdp(void *context, const struct snapshot *snapshot, struct sl_error *error);
void prepare_live(void *context, const struct snapshot *snapshot);
void prepare_due(struct daemon *daemon); // on a tick: twins that were put off
// Sets twins and XDP maps up again: the data plane was started anew, or links came.
void prepare_again(struct daemon *daemon);

#endif
