// SPDX-License-Identifier: Apache-2.0
// The command table. Constant data.
#include "commands.h"

#define END                                                                                                  \
    {                                                                                                        \
        .name = NULL                                                                                         \
    }

static const char *const kinds[] = {"source", "static", "forward", "balance", NULL};
static const char *const balanced[] = {"tcp", "udp", "sctp", "icmp", NULL};
static const char *const groups[] = {"inside", "outside", "remote", "protocol",
                                     "state",  "kind",    "worker", NULL};
static const char *const sources[] = {"own", "config", "file", NULL};
static const char *const shells[] = {"bash", NULL};

#define LIMIT                                                                                                \
    {                                                                                                        \
        "--limit", CTL_OPTION, CTL_NUMBER, false, "limit", NULL, "at most so many; 0: all"                   \
    }

// What flows are chosen by: the same words list, count and kill.
#define FLOW_FILTER                                                                                           \
    {"inside", CTL_KEYWORD, CTL_PREFIX, false, "filter.inside", NULL, "of this inside address or prefix"},    \
        {"inside-port", CTL_KEYWORD, CTL_NUMBER, false, "filter.inside_port", NULL, "of this inside port"},   \
        {"outside",                                                                                           \
         CTL_KEYWORD,                                                                                         \
         CTL_PREFIX,                                                                                          \
         false,                                                                                               \
         "filter.outside",                                                                                    \
         NULL,                                                                                                \
         "translated to this outside address"},                                                               \
        {"outside-port",                                                                                      \
         CTL_KEYWORD,                                                                                         \
         CTL_NUMBER,                                                                                          \
         false,                                                                                               \
         "filter.outside_port",                                                                               \
         NULL,                                                                                                \
         "translated to this outside port"},                                                                  \
        {"remote",                                                                                            \
         CTL_KEYWORD,                                                                                         \
         CTL_PREFIX,                                                                                          \
         false,                                                                                               \
         "filter.remote",                                                                                     \
         NULL,                                                                                                \
         "with this remote address or prefix"},                                                               \
        {"remote-port", CTL_KEYWORD, CTL_NUMBER, false, "filter.remote_port", NULL, "with this remote port"}, \
        {"proto", CTL_KEYWORD, CTL_PROTOCOL, false, "filter.protocol", NULL, "of this protocol"},             \
    {                                                                                                         \
        "kind", CTL_KEYWORD, CTL_WORD, false, "filter.kind", kinds, "made by this kind of translation"        \
    }

static const struct ctl_argument none[] = {END};
static const struct ctl_argument check_arguments[] = {
    {"FILE", CTL_POSITIONAL, CTL_FILE, true, "path", NULL, "config to check"}, END};
static const struct ctl_argument diff_arguments[] = {
    {"FILE", CTL_POSITIONAL, CTL_FILE, false, "path", NULL,
     "config to compare with; sluiced's own file where not given"},
    {"--id", CTL_OPTION, CTL_NUMBER, false, "id", NULL, "compare with this entry of the history"},
    END};
static const struct ctl_argument apply_arguments[] = {
    {"FILE", CTL_POSITIONAL, CTL_FILE, false, "path", NULL,
     "config to apply; sluiced's own file where not given"},
    {"--confirm", CTL_OPTION, CTL_DURATION, false, "confirm_s", NULL,
     "go back unless 'config confirm' comes within this time"},
    {"--dry-run", CTL_FLAG, CTL_WORD, false, "dry", NULL, "check and compile, change nothing"},
    {"--comment", CTL_OPTION, CTL_WORD, false, "comment", NULL, "a sentence for the history"},
    END};
static const struct ctl_argument rollback_arguments[] = {
    {"STEPS", CTL_POSITIONAL, CTL_NUMBER, false, "steps", NULL, "entries to go back, 1 where not given"},
    {"--id", CTL_OPTION, CTL_NUMBER, false, "id", NULL, "go to this entry of the history"},
    END};
static const struct ctl_argument history_arguments[] = {LIMIT, END};
static const struct ctl_argument show_arguments[] = {
    {"--id", CTL_OPTION, CTL_NUMBER, false, "id", NULL, "show this entry of the history"}, END};
static const struct ctl_argument port_arguments[] = {
    {"PORT", CTL_POSITIONAL, CTL_PORT, false, "port", NULL, "only this port"}, END};
static const struct ctl_argument neighbor_arguments[] = {
    {"port", CTL_KEYWORD, CTL_PORT, false, "port", NULL, "only of this port"},
    {"address", CTL_KEYWORD, CTL_ADDRESS, false, "address", NULL, "only this one"},
    LIMIT,
    END};
static const struct ctl_argument flush_arguments[] = {
    {"port", CTL_KEYWORD, CTL_PORT, false, "port", NULL, "only of this port"},
    {"address", CTL_KEYWORD, CTL_ADDRESS, false, "address", NULL, "only this one"},
    END};
static const struct ctl_argument route_arguments[] = {
    {"PREFIX", CTL_POSITIONAL, CTL_PREFIX, false, "filter", NULL, "only routes inside this prefix"},
    {"port", CTL_KEYWORD, CTL_PORT, false, "port", NULL, "only routes that leave by this port"},
    {"source", CTL_KEYWORD, CTL_WORD, false, "source", sources, "only routes that come from here"},
    LIMIT,
    END};
static const struct ctl_argument lookup_arguments[] = {
    {"ADDRESS", CTL_POSITIONAL, CTL_ADDRESS, true, "address", NULL, "destination"}, END};
static const struct ctl_argument flow_arguments[] = {
    FLOW_FILTER,
    {"address", CTL_KEYWORD, CTL_PREFIX, false, "filter.address", NULL,
     "with this address on any of the three sides"},
    {"worker", CTL_KEYWORD, CTL_NUMBER, false, "filter.worker", NULL, "owned by this worker"},
    LIMIT,
    END};
static const struct ctl_argument count_arguments[] = {
    FLOW_FILTER,
    {"address", CTL_KEYWORD, CTL_PREFIX, false, "filter.address", NULL,
     "with this address on any of the three sides"},
    {"worker", CTL_KEYWORD, CTL_NUMBER, false, "filter.worker", NULL, "owned by this worker"},
    {"by", CTL_KEYWORD, CTL_WORD, false, "by", groups, "count each of these by itself, the largest first"},
    LIMIT,
    END};
static const struct ctl_argument kill_arguments[] = {
    FLOW_FILTER, {"--all", CTL_FLAG, CTL_WORD, false, "all", NULL, "every flow"}, END};
static const struct ctl_argument trace_arguments[] = {
    {"remote", CTL_KEYWORD, CTL_PREFIX, false, "remote", NULL, "with this remote address or prefix"},
    {"remote-port", CTL_KEYWORD, CTL_NUMBER, false, "remote_port", NULL, "with this remote port"},
    {"port", CTL_KEYWORD, CTL_NUMBER, false, "port", NULL, "at this port of the gateway"},
    {"worker", CTL_KEYWORD, CTL_NUMBER, false, "worker", NULL, "owned by this worker"},
    {"slot", CTL_KEYWORD, CTL_NUMBER, false, "slot", NULL, "in this slot of its worker"},
    {"--limit", CTL_OPTION, CTL_NUMBER, false, "limit", NULL, "at most so many; 0: all, 10 where not given"},
    END};
static const struct ctl_argument probe_arguments[] = {
    {"ADDRESS", CTL_POSITIONAL, CTL_ADDRESS, true, "address", NULL, "whom to connect to"},
    {"PORT", CTL_POSITIONAL, CTL_NUMBER, true, "port", NULL, "at which TCP port"},
    {"--local", CTL_OPTION, CTL_ADDRESS, false, "local", NULL,
     "from this address of a port; that of the port it leaves by where not given"},
    {"--count", CTL_OPTION, CTL_NUMBER, false, "count", NULL, "so many connections, 4 where not given"},
    {"--interval", CTL_OPTION, CTL_SECONDS, false, "interval_ms", NULL, "between two, 1 s where not given"},
    {"--timeout", CTL_OPTION, CTL_SECONDS, false, "timeout_ms", NULL,
     "how long to wait for an answer, 5 s where not given, 10 s at most"},
    {"--worker", CTL_OPTION, CTL_NUMBER, false, "worker", NULL,
     "by this worker; each in its turn where not given"},
    END};
static const struct ctl_argument test_arguments[] = {
    {"PORT", CTL_POSITIONAL, CTL_PORT, true, "port", NULL, "port the packet would come in by"},
    {"ADDRESS", CTL_POSITIONAL, CTL_ADDRESS, true, "address", NULL, "source of the packet"},
    END};
#define MEMBER                                                                                               \
    {"POOL", CTL_POSITIONAL, CTL_POOL, true, "pool", NULL, "pool of the member"},                            \
    {                                                                                                        \
        "MEMBER", CTL_POSITIONAL, CTL_WORD, true, "member", NULL,                                            \
            "its address; with its port where several have the address: 10.0.0.11:80, [fd00::11]:80"         \
    }
static const struct ctl_argument service_arguments[] = {
    {"SERVICE", CTL_POSITIONAL, CTL_SERVICE, false, "service", NULL, "only this service"}, END};
static const struct ctl_argument pool_arguments[] = {
    {"POOL", CTL_POSITIONAL, CTL_POOL, false, "pool", NULL, "only this pool, with its members"}, END};
static const struct ctl_argument member_arguments[] = {MEMBER, END};
static const struct ctl_argument drain_arguments[] = {
    MEMBER,
    {"--deadline", CTL_OPTION, CTL_DURATION, false, "deadline_s", NULL,
     "cut what is left after this time; until it is empty where not given"},
    END};
static const struct ctl_argument weight_arguments[] = {
    MEMBER, {"WEIGHT", CTL_POSITIONAL, CTL_NUMBER, true, "weight", NULL, "0 to 1000; 0: no new flows"}, END};
static const struct ctl_argument explain_arguments[] = {
    {"PROTOCOL", CTL_POSITIONAL, CTL_WORD, true, "protocol", balanced, "of the packet"},
    {"CLIENT", CTL_POSITIONAL, CTL_ADDRESS, true, "source", NULL, "address it comes from"},
    {"CLIENT-PORT", CTL_POSITIONAL, CTL_NUMBER, true, "source_port", NULL, "port it comes from"},
    {"ADDRESS", CTL_POSITIONAL, CTL_ADDRESS, true, "address", NULL, "address it is sent to"},
    {"PORT", CTL_POSITIONAL, CTL_NUMBER, true, "port", NULL, "port it is sent to"},
    END};
static const struct ctl_argument all_arguments[] = {
    {"--all", CTL_FLAG, CTL_WORD, false, "all", NULL, "also those that have not happened"}, END};
static const struct ctl_argument completion_arguments[] = {
    {"SHELL", CTL_POSITIONAL, CTL_WORD, true, "shell", shells, "shell to print it for"}, END};

const struct ctl_command ctl_commands[] = {
    {"status", "status", none, show_status, NULL, .help = "what runs, which generation is live, totals",
     .detail = "Warnings name the command that mends them."},
    {"doctor", NULL, none, NULL, run_doctor, .help = "look for what is wrong, and print what mends it",
     .detail = "Works when sluiced is down. Some checks need root and are skipped without. Fails where a "
               "check does."},
    {"config check", NULL, check_arguments, NULL, run_config_check,
     .help = "check a config by the code that loads it; needs no sluiced"},
    {"config diff", "config.diff", diff_arguments, show_config_text, run_config_file,
     .help = "what would change", .detail = "Fails where they differ, like *diff*(1)."},
    {"config apply", "config.apply", apply_arguments, show_config_apply, run_config_file,
     .help = "apply a config in one transaction",
     .detail = "Returns when every worker uses it. Where the data plane "
               "refuses it, the running config stays."},
    {"config confirm", "config.confirm", none, show_config_confirm, NULL,
     .help = "keep what was applied with --confirm"},
    {"config rollback", "config.rollback", rollback_arguments, show_config_apply, NULL,
     .help = "go back in the history",
     .detail = "While a change waits to be confirmed: back to before it, now."},
    {"config history", "config.history", history_arguments, show_config_history, NULL,
     .help = "what was applied, newest first"},
    {"config show", "config.show", show_arguments, show_config_text, NULL,
     .help = "the running config, as valid input"},
    {"port", "port", port_arguments, show_port, NULL, .rates = true,
     .help = "ports: state, addresses, traffic"},
    {"neighbor", "neighbor", neighbor_arguments, show_neighbor, NULL,
     .help = "stations on the links and their Ethernet addresses"},
    {"neighbor flush", "neighbor.flush", flush_arguments, show_done, NULL,
     .help = "forget learned neighbors"},
    {"route", "route", route_arguments, show_route, NULL, .help = "routes"},
    {"route lookup", "route.lookup", lookup_arguments, show_route_lookup, NULL,
     .help = "which way a packet to this address goes", .detail = "Fails where there is no route."},
    {"worker", "worker", none, show_worker, NULL, .rates = true,
     .help = "workers: load, cycles per packet by stage, generation"},
    {"flow", "flow", flow_arguments, show_flow, NULL, .help = "translated flows"},
    {"flow count", "flow.count", count_arguments, show_flow_count, NULL, .help = "how many flows"},
    {"flow kill", "flow.kill", kill_arguments, show_done, NULL, .help = "end flows"},
    {"trace flow", "trace.flow", trace_arguments, show_trace_flow, NULL,
     .help = "lives of TCP connections of the gateway's own",
     .detail = "Of open connections to endpoints and of ended ones, the latest first, until their slot is used again: "
               "states, losses, timers, windows that closed, why it ended. Only the first two and the last 14 events "
               "of each are kept."},
    {"probe tcp", "probe.tcp", probe_arguments, NULL, run_probe,
     .help = "open TCP connections from the data plane and tell what came of them",
     .detail = "Each is closed when it stands. Tells how long the handshake took, from where, and what both ends agreed on. "
               "Needs the rights of a change. Fails unless all were answered by a connection."},
    {"nat", "nat", none, show_nat, NULL, .help = "NAT pools and their use, rules, forwards"},
    {"service", "service", service_arguments, show_service, NULL, .rates = true,
     .help = "services: addresses, pools, flows, rates"},
    {"pool", "pool", pool_arguments, show_pool, NULL, .rates = true,
     .help = "pools; of one its members: state, why, since, last check, flows, rates"},
    {"pool show", "pool", pool_arguments, show_pool, NULL, .rates = true,
     .help = "as *pool*, also for one whose name is a word of this list, such as drain"},
    {"pool drain", "pool.drain", drain_arguments, show_member_done, NULL,
     .help = "a member gets no new flows; those it has go on",
     .detail =
         "Kept over restarts, and over applies that do not change the member's own *enabled*; *config diff* "
         "marks it. *pool enable* ends it."},
    {"pool enable", "pool.enable", member_arguments, show_member_done, NULL,
     .help = "a member gets flows again, as far as its checks let it"},
    {"pool disable", "pool.disable", member_arguments, show_member_done, NULL,
     .help = "a member counts as down",
     .detail = "What becomes of its flows the pool's *on-down* says. Kept as *pool drain* is."},
    {"pool flush", "pool.flush", member_arguments, show_member_done, NULL,
     .help = "a member's flows are cut at once, and it gets no new ones",
     .detail = "Kept as *pool drain* is."},
    {"pool weight", "pool.weight", weight_arguments, show_member_done, NULL,
     .help = "another weight for a member, until the config says another",
     .detail = "Open flows stay where they are. The config's own weight ends it."},
    {"explain", "explain", explain_arguments, show_explain, NULL,
     .help = "which member a packet would get, and why", .detail = "Fails where no service takes it."},
    {"prefilter", "prefilter", none, show_prefilter, NULL, .help = "prefix sets, rules and their hits"},
    {"prefilter test", "prefilter.test", test_arguments, show_prefilter_test, NULL,
     .help = "what a packet from this address would meet"},
    {"drops", "drops", all_arguments, show_drops, NULL, .rates = true,
     .help = "dropped packets by reason, since start and per second"},
    {"counters", "counters", all_arguments, show_counters, NULL, .rates = true,
     .help = "everything else the data plane counts"},
    {"version", NULL, none, NULL, run_version, .help = "versions of sluicectl and sluiced"},
    {"completion", NULL, completion_arguments, NULL, run_completion,
     .help = "a script for the shell's completion",
     .detail = "For instance: *sluicectl completion bash > /etc/bash_completion.d/sluicectl*"},
    {"help", NULL, none, NULL, run_help, .help = "this list"},
    {.words = NULL},
};
