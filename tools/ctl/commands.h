// SPDX-License-Identifier: Apache-2.0
// What the rows of the command table point to. One thread.
#ifndef CTL_COMMANDS_H
#define CTL_COMMANDS_H

#include "command.h"

// show_status.c
int show_status(struct ctl *ctl, const json_t *result, const json_t *before);
int show_worker(struct ctl *ctl, const json_t *result, const json_t *before);
int show_drops(struct ctl *ctl, const json_t *result, const json_t *before);
int show_counters(struct ctl *ctl, const json_t *result, const json_t *before);
// show_network.c
int show_port(struct ctl *ctl, const json_t *result, const json_t *before);
int show_neighbor(struct ctl *ctl, const json_t *result, const json_t *before);
int show_route(struct ctl *ctl, const json_t *result, const json_t *before);
int show_route_lookup(struct ctl *ctl, const json_t *result, const json_t *before);
int show_prefilter(struct ctl *ctl, const json_t *result, const json_t *before);
int show_prefilter_test(struct ctl *ctl, const json_t *result, const json_t *before);
// show_balance.c
int show_service(struct ctl *ctl, const json_t *result, const json_t *before);
int show_pool(struct ctl *ctl, const json_t *result, const json_t *before);
int show_member_done(struct ctl *ctl, const json_t *result, const json_t *before);
int show_explain(struct ctl *ctl, const json_t *result, const json_t *before);
// show_flow.c
int show_flow(struct ctl *ctl, const json_t *result, const json_t *before);
int show_flow_count(struct ctl *ctl, const json_t *result, const json_t *before);
int show_nat(struct ctl *ctl, const json_t *result, const json_t *before);
int show_done(struct ctl *ctl, const json_t *result, const json_t *before);
// show_trace.c
int show_trace_flow(struct ctl *ctl, const json_t *result, const json_t *before);
// probe.c
int run_probe(struct ctl *ctl, const struct ctl_command *command, json_t *request);
// config.c
int run_config_check(struct ctl *ctl, const struct ctl_command *command, json_t *request);
int run_config_file(struct ctl *ctl, const struct ctl_command *command, json_t *request);
int show_config_apply(struct ctl *ctl, const json_t *result, const json_t *before);
int show_config_text(struct ctl *ctl, const json_t *result, const json_t *before);
int show_config_history(struct ctl *ctl, const json_t *result, const json_t *before);
int show_config_confirm(struct ctl *ctl, const json_t *result, const json_t *before);
// doctor.c
int run_doctor(struct ctl *ctl, const struct ctl_command *command, json_t *request);
// misc.c
int run_version(struct ctl *ctl, const struct ctl_command *command, json_t *request);
int run_completion(struct ctl *ctl, const struct ctl_command *command, json_t *request);
int run_help(struct ctl *ctl, const struct ctl_command *command, json_t *request);

#endif
