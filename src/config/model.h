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

// ---- balancing: schema_balance.c --------------------------------------------------------------------------------
struct sl_config_service {
    char *name;
    char **addresses; // "198.51.100.80", "2001:db8:100::80"
    unsigned addresses_count;
    int protocol; // IPPROTO_TCP, _UDP, _SCTP; 0, keyword `any`: all of IP
    char *ports;  // "80", "8000-8099", "any"; absent: any
    char *pool;
    uint32_t flow_rate;   // new flows a second; 0: no limit
    uint32_t source_rate; // the same of a source address
    uint32_t affinity;    // seconds; 0: none
    uint8_t affinity_len_v4, affinity_len_v6;
    int when_full, when_flooded;                                // bool: without a flow, instead of dropped
    uint32_t timeout_new, timeout_established, timeout_closing; // seconds; 0: as nat.timeouts
    bool announce;           // as a host route in the table of struct sl_config_announce
    uint32_t announce_least; // members that must get new flows; default 1
};

struct sl_config_member {
    char *address;
    uint16_t port;   // 0, keyword `same`: the one the client sent to
    uint16_t weight; // default 100
    bool backup;
    bool enabled;   // default true
    uint32_t limit; // flows at a time; 0: no limit
};

enum sl_config_health_type { // each is one of control/health's kinds; by their order, after none
    SL_CONFIG_HEALTH_NONE,
    SL_CONFIG_HEALTH_TCP,
    SL_CONFIG_HEALTH_HTTP,
    SL_CONFIG_HEALTH_HTTPS,
    SL_CONFIG_HEALTH_ICMP,
    SL_CONFIG_HEALTH_UDP,
    SL_CONFIG_HEALTH_SCRIPT,
    SL_CONFIG_HEALTH_TYPES
};

struct sl_config_passive {
    uint32_t failures;                // 0: never held back
    uint32_t share;                   // percent
    uint32_t window, hold, hold_most; // milliseconds
};

struct sl_config_damping {
    uint32_t half_life; // milliseconds; 0: none
    uint32_t suppress, reuse;
    uint32_t most; // milliseconds
};

struct sl_config_health {
    int type;                   // enum sl_config_health_type
    uint16_t port;              // 0, keyword `member`: the member's, or the service's
    uint32_t interval, timeout; // milliseconds; timeout 0, keyword `auto`
    uint32_t rise, fall;
    uint32_t jitter; // percent
    bool optimistic, orderly_close;
    char *method, *path, *host; // of http and https
    char **status;              // "200", "300-399"
    unsigned status_count;
    char *header, *header_text, *body;
    char *sni, *ca_file; // of https
    bool verify;
    char *send, *expect; // of udp; "\x00" is a byte
    bool silence_is_good;
    char *script;
    char **arguments;
    unsigned arguments_count;
    struct sl_config_passive passive;
    struct sl_config_damping damping;
};

struct sl_config_server_pool {
    char *name;
    int balance;          // enum sl_balance_method
    int way;              // enum sl_balance_way
    int on_down;          // enum sl_balance_on_down
    int client_address;   // 0: not told to members, 1: TCP option 254
    uint32_t maglev_size; // 0, keyword `auto`
    uint32_t slow_start;  // seconds
    char **sources;       // addresses that packets are sent from, of full NAT and tunnels
    unsigned sources_count;
    uint16_t tunnel_port; // of GUE
    uint16_t tunnel_mtu;  // 0, keyword `auto`
    struct sl_config_member *members;
    unsigned members_count;
    struct sl_config_health health;
};

struct sl_config_announce {
    bool enabled;               // default true
    uint32_t table, metric;     // of the kernel
    uint32_t delay, dead_after; // milliseconds
};

struct sl_config_endpoint {
    char *name;
    int kind; // enum sl_endpoint_kind
    uint16_t port;
    char **addresses; // none: all of the ports'
    unsigned addresses_count;
    uint32_t connections; // 0: no limit of its own
    uint32_t idle;        // seconds, 0: no keepalive
};

struct sl_config_tcp {
    uint32_t connections; // default 65536
    int congestion;       // enum sl_tcp_congestion, default cubic
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
    struct sl_config_service *services;
    unsigned services_count;
    struct sl_config_server_pool *pools;
    unsigned pools_count;
    uint64_t balance_seed; // gateways with the same choose alike
    struct sl_config_announce announce;
    struct sl_config_prefilter prefilter;
    struct sl_config_flow flow;
    struct sl_config_icmp icmp;
    struct sl_config_endpoint *endpoints;
    unsigned endpoints_count;
    struct sl_config_tcp tcp;
};

#endif
