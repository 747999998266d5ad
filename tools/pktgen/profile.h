// SPDX-License-Identifier: Apache-2.0
// A profile as the operator wrote it, in YAML or as options: text stays text here. profile_compile() proves it and makes
// the plan. profile_schema.c says what each key means. Main thread.
#ifndef PKTGEN_PROFILE_H
#define PKTGEN_PROFILE_H

#include "config/diag.h"
#include "config/schema.h"
#include "config/where.h"
#include "neighbor.h"
#include "plan.h"

struct profile_port {
    char *name;
    char *device;     // NULL: the command line gives it
    char **addresses; // "10.0.0.2/24"
    unsigned addresses_count;
    char **gateways; // asked for their Ethernet address; streams of their family go there
    unsigned gateways_count;
    char *mac;      // own
    char *peer_mac; // where streams go, instead of asking a gateway
};

struct profile_stream {
    char *name, *port; // port: name of one, default the first
    int protocol;      // IPPROTO_TCP, _UDP, _ICMP
    char *src, *dst, *sport, *dport;
    char *sizes;
    bool random_sizes, random_flows;
    uint32_t flows; // 0: as many as the ranges make, at most FLOWS_MAX
    uint32_t weight, burst, fragments, ttl, tos;
    char *tcp_flags;
    char *rate; // its own
    int bad;    // enum bad_kind
};

struct profile {
    uint16_t version; // 1
    struct profile_port *ports;
    unsigned ports_count;
    char *rate;     // of the run
    char *duration; // "10s", "500ms"
    struct profile_stream *streams;
    unsigned streams_count;
};

extern const struct sl_key profile_keys[], profile_stream_keys[];

struct profile_source {         // where its text stands, for messages
    const char *name;           // of the file, or "command line"
    const struct sl_tree *tree; // NULL: no lines to point at
    struct sl_diagnostics *diag;
    bool other_sizes; // the mode sends sizes of its own: those of the profile need not hold a frame
};

// Reads a file. 0, *profile and *tree (for sl_tree_fini()); -errno, with what is wrong in `diag`.
int profile_load(const char *path, struct profile **profile, struct sl_tree *tree,
                 struct sl_diagnostics *diag);
// The same from memory; `name` stands for the file in messages.
int profile_load_text(const char *text, size_t length, const char *name, struct profile **profile,
                      struct sl_tree *tree, struct sl_diagnostics *diag);
void profile_free(struct profile *profile);
// The plan of a profile whose ports are those of `port_names`. 0, or -EINVAL with every fault in source->diag.
int profile_compile(const struct profile *profile, const struct profile_source *source,
                    const char *const *port_names, uint32_t ports, struct plan *plan);

// The little languages of values. 0 or -EINVAL; `why` is a sentence then.
int profile_read_rate(const char *text, struct rate *rate, const char **why); // 1.5Mpps 10Gbps 50% max
int profile_read_duration(const char *text, uint64_t *us, const char **why);  // 10 10s 500ms 2m
int profile_read_sizes(const char *text, struct size_plan *sizes,
                       const char **why); // 64 64,128 imix 64-1518/64
int profile_read_range(const char *text, struct neighbor_range *range,
                       const char **why); // address, A-B, A-B/STEP, prefix
int profile_read_ports(const char *text, struct flow_range *range, const char **why); // 53 1024-65535
const char *bad_kind_name(enum bad_kind kind);

#endif
