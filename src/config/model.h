// SPDX-License-Identifier: Apache-2.0
// The config as the operator wrote it, field by field: what libcyaml fills from YAML by the table in
// schema.c. Text stays text here; the loader proves it (text.h reads it), and control/apply compiles it into
// tables. Whatever the file leaves out holds its default. Freed by sl_config_free(). Only sl_config_load()
// makes one: values are right.
#ifndef SL_CONFIG_MODEL_H
#define SL_CONFIG_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define SL_CONFIG_MSS_NONE 0
#define SL_CONFIG_MSS_AUTO 1 // to the port's MTU, less the headers

struct sl_config_port {
    char *name; // also the name of the kernel twin
    char *
        device; // af_xdp:IFACE pci:ADDRESS memif:SOCKET[,role=..] tap:IFACE af_packet:IFACE pcap:IN,OUT null:
    char **addresses; // "10.0.0.1/24", "fd00::1/64"
    unsigned addresses_count;
    char *mac;       // optional "02:00:00:00:00:01"
    uint16_t mtu;    // default 1500
    uint16_t queues; // default 0: as many as the workers, or as the device has
    bool twin;       // default true
    bool martians;   // default true: drop impossible sources
    bool enabled;    // default true
    uint16_t
        mss_clamp; // bytes; SL_CONFIG_MSS_NONE (keyword `none`, default), SL_CONFIG_MSS_AUTO (keyword `auto`)
};

struct sl_config_via { // one way of a route
    char *address;     // gateway; absent: the port's own link
    char *port;        // optional where the gateway's subnet tells it
    uint16_t weight;   // 1-256, default 1
};

enum sl_config_route_kind { SL_CONFIG_ROUTE_VIA, SL_CONFIG_ROUTE_BLACKHOLE, SL_CONFIG_ROUTE_REJECT };

struct sl_config_route {
    char *prefix;
    struct sl_config_via *via; // several: ECMP
    unsigned via_count;
    enum sl_config_route_kind kind; // default via
};

struct sl_config_neighbor {
    char *address;
    char *port;
    char *mac;
};

struct sl_config_pool {
    char *name;
    char **addresses; // "198.51.100.100-198.51.100.103", "198.51.100.128/28", "198.51.100.100"
    unsigned addresses_count;
    uint32_t blocks_per_subscriber; // default 64 (of 64 ports)
    int filtering;                  // enum sl_nat_filtering, default endpoint-independent
};

struct sl_config_source {
    char **inside; // prefixes
    unsigned inside_count;
    char *port; // way out
    char *pool;
};

struct sl_config_static {
    char *inside;
    char *outside;
};

struct sl_config_forward {
    char *name;
    int protocol;  // IPPROTO_TCP, IPPROTO_UDP
    char *outside; // "198.51.100.100:8080" or "198.51.100.100:8000-8099"
    char *inside;  // "10.0.0.11:80" (first port of the range)
};

struct sl_config_nat_timeouts { // seconds
    uint32_t udp, udp_dns, icmp, tcp_established, tcp_transitory, other;
};

struct sl_config_nat {
    struct sl_config_pool *pools;
    unsigned pools_count;
    struct sl_config_source *source;
    unsigned source_count;
    struct sl_config_static *statics; // key "static"
    unsigned statics_count;
    struct sl_config_forward *forwards;
    unsigned forwards_count;
    struct sl_config_nat_timeouts timeouts;
};

struct sl_config_set {
    char *name;
    char **prefixes;
    unsigned prefixes_count;
    char **files; // absolute after loading; a prefix a line, '#' starts a comment
    unsigned files_count;
};

struct sl_config_rule {
    char *deny; // name of a set; just one of the two is there
    char *allow;
};

struct sl_config_prefilter_port {
    char *port;
    struct sl_config_rule *rules; // first match wins
    unsigned rules_count;
    int fallback; // key "default": enum sl_prefilter_action, allow where absent
};

struct sl_config_prefilter {
    struct sl_config_set *sets;
    unsigned sets_count;
    struct sl_config_prefilter_port *ports;
    unsigned ports_count;
};

struct sl_config_flow {
    uint64_t capacity; // default 1048576
};

struct sl_config_icmp {
    uint32_t error_rate; // a second per worker, default 1000
    uint32_t error_burst;
};

struct sl_config {
    uint32_t version; // key "sluice", must be 1
    struct sl_config_port *ports;
    unsigned ports_count;
    struct sl_config_route *routes;
    unsigned routes_count;
    char **route_files; // absolute after loading; a line each: PREFIX via ADDRESS [port PORT] [weight N] |
                        // PREFIX blackhole | PREFIX reject
    unsigned route_files_count;
    struct sl_config_neighbor *neighbors;
    unsigned neighbors_count;
    uint32_t neighbor_capacity; // default 4096
    struct sl_config_nat nat;
    struct sl_config_prefilter prefilter;
    struct sl_config_flow flow;
    struct sl_config_icmp icmp;
};

#endif
