// SPDX-License-Identifier: Apache-2.0
// The commands of src/rpc/COMMANDS.md: one table of names, rights and arguments; each is a function that answers its
// call. Arguments have been checked for name, type and range when it runs. Main thread.
#ifndef SERVE_COMMAND_H
#define SERVE_COMMAND_H

#include <jansson.h>
#include "daemon.h"

// ---- arguments of a call, already checked ----
const char *arg_text(const struct call *call, const char *name);                // NULL: not given
uint64_t arg_number(const struct call *call, const char *name, uint64_t other); // `other`: not given
bool arg_true(const struct call *call, const char *name);
// False: given, but not an address; the call was answered. *given says whether it was there.
bool arg_ip(struct call *call, const char *name, struct sl_ip *ip, bool *given);
bool arg_prefix(struct call *call, const char *name, struct sl_prefix *prefix, bool *given);
// The slot of the port named by argument "port"; -1: not given; -2: no such port, the call was answered.
int arg_port(struct daemon *daemon, struct call *call);

// ---- shared by the show_*.c ----
uint64_t show_clock_ns(void); // CLOCK_MONOTONIC, as the board has it
uint32_t clock_ms(void);      // the same in wrapping ms, as flows and neighbors have it
const char *slot_name(const struct daemon *daemon, unsigned slot); // "?" where there is none
json_t *json_mac(const uint8_t mac[6]);
json_t *json_ip(const struct sl_ip *ip);
json_t *json_hash(uint64_t hash);
json_t *json_count(uint64_t number);
// "running", "silent" (there, but does not beat), "stopped".
const char *data_plane_state(const struct sl_board *board, uint64_t now_ns);
// Where a port's prefilter rules run: "none", "xdp", "worker".
const char *prefilter_where(const struct daemon *daemon, const struct sl_config_port *port);

typedef void command_fn(struct daemon *daemon, struct call *call);
command_fn show_status, show_port, show_neighbor, neighbor_flush, show_route, show_route_lookup, show_worker,
    show_flow, show_flow_count, flow_kill, show_nat, show_prefilter, prefilter_test, show_drops,
    show_counters, show_service, show_pool, pool_drain, pool_disable, pool_enable, pool_flush, pool_weight,
    explain, trace_flow, probe_tcp, config_apply, config_confirm, config_rollback, config_history, config_show, config_diff;

// What the operator changed at runtime, a line each for people; as JSON. *count of them.
json_t *runtime_changes(const struct daemon *daemon, char **text, unsigned *count);

// Drops with those of the XDP programs: total[] and xdp[] by enum sl_drop.
void drops_collect(struct daemon *daemon, uint64_t total[SL_DROP_KINDS], uint64_t xdp[SL_DROP_KINDS]);

#endif
