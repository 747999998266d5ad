// SPDX-License-Identifier: Apache-2.0
// The rows of the schema: each key of the config with its place in the model, its limits, its default and what it
// means. docs/config.md, sluice.yaml(5) and the JSON schema are printed from here. Constant data.
#include "config/schema.h"

#include <netinet/in.h>
#include "shm/layout.h"

#define FIELD SL_FIELD
#define LIST  SL_LIST
#define WORDS SL_WORDS

static const struct sl_word mss_words[] = {{"none", SL_CONFIG_MSS_NONE}, {"auto", SL_CONFIG_MSS_AUTO}};
static const struct sl_word kind_words[] = {{"via", SL_CONFIG_ROUTE_VIA},
                                            {"blackhole", SL_CONFIG_ROUTE_BLACKHOLE},
                                            {"reject", SL_CONFIG_ROUTE_REJECT}};
static const struct sl_word protocol_words[] = {{"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}};
static const struct sl_word action_words[] = {{"allow", SL_PREFILTER_ALLOW}, {"deny", SL_PREFILTER_DENY}};
static const struct sl_word filtering_words[] = {{"endpoint-independent", SL_NAT_FILTER_ENDPOINT_INDEPENDENT},
                                                 {"address", SL_NAT_FILTER_ADDRESS},
                                                 {"address-port", SL_NAT_FILTER_ADDRESS_PORT}};

static const struct sl_key port_keys[] = {
    {"name", SL_KEY_TEXT, SL_TEXT_PORT_NAME, FIELD(sl_config_port, name), .required = true, .identity = true,
     .example = "wan", .help = "Name of the port, and of its kernel twin."},
    {"device", SL_KEY_TEXT, SL_TEXT_DEVICE, FIELD(sl_config_port, device), .required = true,
     .example = "af_xdp:eth1",
     .help = "What the packets come from: `af_xdp:INTERFACE` (the kernel keeps the NIC), `pci:ADDRESS` (a "
             "NIC of its "
             "own, bound to vfio-pci), `memif:SOCKET[,role=server|client]` (another process), `tap:NAME`, "
             "`af_packet:INTERFACE`, `pcap:IN,OUT` (files), `null:` (nothing, for measurements)."},
    {"addresses", SL_KEY_TEXTS, SL_TEXT_INTERFACE, LIST(sl_config_port, addresses), .max = SL_MAX_PORT_ADDRS,
     .ordered = true, .example = "[192.0.2.1/24, 2001:db8::1/64]",
     .help = "Addresses of the gateway on this link, with the length of the link's prefix. The first of a "
             "family is "
             "the source of what the gateway itself sends."},
    {"mac", SL_KEY_TEXT, SL_TEXT_MAC, FIELD(sl_config_port, mac), .example = "\"02:00:00:00:00:01\"",
     .help = "Ethernet address to use instead of the device's own."},
    {"mtu", SL_KEY_UINT, FIELD(sl_config_port, mtu), .min = 576, .max = 9216, .fallback = 1500,
     .unit = "bytes", .example = "1500",
     .help = "Largest IP packet that leaves here. IPv6 needs at least 1280."},
    {"queues", SL_KEY_UINT, FIELD(sl_config_port, queues), .max = SL_MAX_WORKERS, .unit = "queues",
     .example = "1", .help = "Receive queues. 0: as many as there are workers, or as the device has."},
    {"twin", SL_KEY_BOOL, FIELD(sl_config_port, twin), .fallback = true, .example = "true",
     .help = "Whether the port has a kernel twin: a tap of its name, over which the host speaks (ssh, BGP, "
             "ping)."},
    {"martians", SL_KEY_BOOL, FIELD(sl_config_port, martians), .fallback = true, .example = "true",
     .help = "Whether packets with sources that cannot be (loopback, multicast, 0.0.0.0/8) are dropped."},
    {"enabled", SL_KEY_BOOL, FIELD(sl_config_port, enabled), .fallback = true, .example = "true",
     .help = "false: the port stays in the config but is not used."},
    {"mss-clamp", SL_KEY_UINT, FIELD(sl_config_port, mss_clamp), .min = 64, .max = 9176,
     .fallback = SL_CONFIG_MSS_NONE, .unit = "bytes", WORDS(mss_words), .example = "auto",
     .help = "Largest TCP segment that connections over this port may agree on. `auto`: the MTU less the "
             "headers; "
             "`none`: untouched. A number is for IPv4; IPv6 gets 20 less."},
    {0},
};

static const struct sl_key via_keys[] = {
    {"address", SL_KEY_TEXT, SL_TEXT_ADDRESS, FIELD(sl_config_via, address), .identity = true,
     .example = "192.0.2.254", .help = "The gateway. Left out: the destination is on the port's own link."},
    {"port", SL_KEY_TEXT, SL_TEXT_PORT_NAME, FIELD(sl_config_via, port), .identity = true, .example = "wan",
     .help = "Port to leave by. Needed where no address is given, or a link-local one; else the gateway's "
             "subnet tells."},
    {"weight", SL_KEY_UINT, FIELD(sl_config_via, weight), .min = 1, .max = 256, .fallback = 1, .unit = "",
     .example = "1", .help = "Share of the flows that take this way, relative to the other ways."},
    {0},
};

static const struct sl_key route_keys[] = {
    {"prefix", SL_KEY_TEXT, SL_TEXT_PREFIX, FIELD(sl_config_route, prefix), .required = true,
     .identity = true, .example = "0.0.0.0/0",
     .help = "Destinations of the route; the longest prefix that matches wins."},
    {"via", SL_KEY_MAPS, LIST(sl_config_route, via), .max = 64, .keys = via_keys, .compact = true,
     .example = "[{address: 192.0.2.254}]",
     .help = "Ways. Several share the flows (ECMP): a flow keeps its way."},
    {"kind", SL_KEY_ENUM, FIELD(sl_config_route, kind), .fallback = SL_CONFIG_ROUTE_VIA, WORDS(kind_words),
     .example = "blackhole",
     .help = "`via`: forward; `blackhole`: drop silently; `reject`: drop and answer \"administratively "
             "prohibited\"."},
    {0},
};

static const struct sl_key neighbor_keys[] = {
    {"address", SL_KEY_TEXT, SL_TEXT_ADDRESS, FIELD(sl_config_neighbor, address), .required = true,
     .identity = true, .example = "192.0.2.99", .help = "Address of the station."},
    {"port", SL_KEY_TEXT, SL_TEXT_PORT_NAME, FIELD(sl_config_neighbor, port), .required = true,
     .identity = true, .example = "lan", .help = "Port on whose link it is."},
    {"mac", SL_KEY_TEXT, SL_TEXT_MAC, FIELD(sl_config_neighbor, mac), .required = true,
     .example = "\"02:00:00:00:00:99\"", .help = "Its Ethernet address, never asked for."},
    {0},
};

static const struct sl_key pool_keys[] = {
    {"name", SL_KEY_TEXT, SL_TEXT_NAME, FIELD(sl_config_pool, name), .required = true, .identity = true,
     .example = "public", .help = "Name of the pool."},
    {"addresses", SL_KEY_TEXTS, SL_TEXT_RANGE, LIST(sl_config_pool, addresses), .required = true, .min = 1,
     .max = 4096, .ordered = true, .example = "[198.51.100.100-198.51.100.103]",
     .help =
         "Outside IPv4 addresses: single ones, ranges, prefixes (every address of them is used). The gateway "
         "answers ARP for those on its links."},
    {"blocks-per-subscriber", SL_KEY_UINT, FIELD(sl_config_pool, blocks_per_subscriber), .min = 1,
     .max = SL_NAT_BLOCKS, .fallback = 64, .unit = "blocks", .example = "64",
     .help = "Most blocks of 64 ports that an inside address may hold, per protocol."},
    {"filtering", SL_KEY_ENUM, FIELD(sl_config_pool, filtering),
     .fallback = SL_NAT_FILTER_ENDPOINT_INDEPENDENT, WORDS(filtering_words), .example = "address",
     .help =
         "Who may send in through a mapping (RFC 4787 section 5): anyone, addresses that were sent to, or "
         "addresses and ports that were."},
    {0},
};

static const struct sl_key source_keys[] = {
    {"inside", SL_KEY_TEXTS, SL_TEXT_PREFIX4, LIST(sl_config_source, inside), .required = true,
     .identity = true, .min = 1, .max = 4096, .example = "[10.0.0.0/24]",
     .help = "Sources that are translated."},
    {"port", SL_KEY_TEXT, SL_TEXT_PORT_NAME, FIELD(sl_config_source, port), .required = true,
     .identity = true, .example = "wan",
     .help = "Port by which the packets leave; what leaves by others is not translated."},
    {"pool", SL_KEY_TEXT, SL_TEXT_NAME, FIELD(sl_config_source, pool), .required = true, .example = "public",
     .help = "Pool of the outside addresses."},
    {0},
};

static const struct sl_key static_keys[] = {
    {"inside", SL_KEY_TEXT, SL_TEXT_ADDRESS4, FIELD(sl_config_static, inside), .required = true,
     .identity = true, .example = "10.0.0.50", .help = "Inside address."},
    {"outside", SL_KEY_TEXT, SL_TEXT_ADDRESS4, FIELD(sl_config_static, outside), .required = true,
     .example = "198.51.100.110",
     .help = "Outside address that is the inside one's alone, both ways, every port."},
    {0},
};

static const struct sl_key forward_keys[] = {
    {"name", SL_KEY_TEXT, SL_TEXT_NAME, FIELD(sl_config_forward, name), .required = true, .identity = true,
     .example = "web", .help = "Name of the forward."},
    {"protocol", SL_KEY_ENUM, FIELD(sl_config_forward, protocol), .required = true, WORDS(protocol_words),
     .example = "tcp", .help = "Protocol of the ports."},
    {"outside", SL_KEY_TEXT, SL_TEXT_OUTSIDE, FIELD(sl_config_forward, outside), .required = true,
     .example = "\"198.51.100.100:8080\"",
     .help = "Outside address and port, or a range of ports: `198.51.100.100:8000-8099`."},
    {"inside", SL_KEY_TEXT, SL_TEXT_INSIDE, FIELD(sl_config_forward, inside), .required = true,
     .example = "\"10.0.0.11:80\"", .help = "Inside address and port; of a range its first port."},
    {0},
};

#define TIMEOUT(key, member, seconds, text)                                                                  \
    {                                                                                                        \
        key, SL_KEY_UINT, FIELD(sl_config_nat_timeouts, member),                                             \
            .min = 1, .max = 604800, .fallback = seconds, .unit = "seconds", .example = #seconds,            \
            .help = text                                                                                     \
    }

static const struct sl_key timeout_keys[] = {
    TIMEOUT("udp", udp, 300, "UDP without packets (RFC 4787 REQ-5: not under 120)."),
    TIMEOUT("udp-dns", udp_dns, 10, "UDP to port 53: a question and its answer."),
    TIMEOUT("icmp", icmp, 60, "ICMP queries (RFC 5508 REQ-2: not under 60)."),
    TIMEOUT("tcp-established", tcp_established, 7440,
            "Open TCP connections (RFC 5382 REQ-5: not under 7440)."),
    TIMEOUT("tcp-transitory", tcp_transitory, 240,
            "TCP while opening or closing (RFC 5382 REQ-5: not under 240)."),
    TIMEOUT("other", other, 120, "Other protocols behind a 1:1 translation."),
    {0},
};

static const struct sl_key nat_keys[] = {
    {"pools", SL_KEY_MAPS, LIST(sl_config_nat, pools), .max = 256, .keys = pool_keys, .compact = true,
     .help = "Outside addresses that source translation shares among subscribers."},
    {"source", SL_KEY_MAPS, LIST(sl_config_nat, source), .max = 4096, .keys = source_keys, .compact = true,
     .ordered = true, .help = "Which sources are translated to which pool. The first that matches counts."},
    {"static", SL_KEY_MAPS, LIST(sl_config_nat, statics), .max = 65536, .keys = static_keys, .compact = true,
     .help = "1:1 translations. They come before `source`."},
    {"forwards", SL_KEY_MAPS, LIST(sl_config_nat, forwards), .max = 65536, .keys = forward_keys,
     .compact = true, .help = "Outside ports that lead to an inside host."},
    {"timeouts", SL_KEY_MAP, FIELD(sl_config_nat, timeouts), .keys = timeout_keys,
     .help = "How long translations live without a packet."},
    {0},
};

static const struct sl_key set_keys[] = {
    {"name", SL_KEY_TEXT, SL_TEXT_NAME, FIELD(sl_config_set, name), .required = true, .identity = true,
     .example = "bad", .help = "Name of the set."},
    {"prefixes", SL_KEY_TEXTS, SL_TEXT_PREFIX, LIST(sl_config_set, prefixes), .max = 100000,
     .example = "[203.0.113.0/24]",
     .help = "Its prefixes, IPv4 and IPv6. More than some thousands belong into `files`."},
    {"files", SL_KEY_TEXTS, SL_TEXT_FILE, LIST(sl_config_set, files), .max = 1024, .example = "[bad.txt]",
     .help = "Files with more of them, a prefix a line, `#` starts a comment. Relative names count from the "
             "config's "
             "folder."},
    {0},
};

static const struct sl_key rule_keys[] = {
    {"deny", SL_KEY_TEXT, SL_TEXT_NAME, FIELD(sl_config_rule, deny), .example = "bad",
     .help = "Drop what comes from this set."},
    {"allow", SL_KEY_TEXT, SL_TEXT_NAME, FIELD(sl_config_rule, allow), .example = "good",
     .help = "Let through what comes from this set. Just one of `deny` and `allow` stands in a rule."},
    {0},
};

static const struct sl_key prefilter_port_keys[] = {
    {"port", SL_KEY_TEXT, SL_TEXT_PORT_NAME, FIELD(sl_config_prefilter_port, port), .required = true,
     .identity = true, .example = "wan", .help = "Port whose arriving packets are filtered."},
    {"rules", SL_KEY_MAPS, LIST(sl_config_prefilter_port, rules), .max = SL_PREFILTER_RULES,
     .keys = rule_keys, .ordered = true, .compact = true, .example = "[{deny: bad}]",
     .help = "Rules by source address. The first that matches counts."},
    {"default", SL_KEY_ENUM, FIELD(sl_config_prefilter_port, fallback), .fallback = SL_PREFILTER_ALLOW,
     WORDS(action_words), .example = "allow", .help = "What happens where no rule matches."},
    {0},
};

static const struct sl_key prefilter_keys[] = {
    {"sets", SL_KEY_MAPS, LIST(sl_config_prefilter, sets), .max = SL_PREFILTER_SETS, .keys = set_keys,
     .compact = true, .help = "Named sets of prefixes."},
    {"ports", SL_KEY_MAPS, LIST(sl_config_prefilter, ports), .max = SL_MAX_PORTS, .keys = prefilter_port_keys,
     .compact = true, .help = "Rules of each port."},
    {0},
};

static const struct sl_key flow_keys[] = {
    {"capacity", SL_KEY_UINT, FIELD(sl_config_flow, capacity), .min = 1024, .max = 268435456,
     .fallback = 1048576, .unit = "flows", .example = "1048576",
     .help =
         "Flows the session tables hold, over all workers; 128 bytes each. Read when the data plane starts."},
    {0},
};

static const struct sl_key icmp_keys[] = {
    {"error-rate", SL_KEY_UINT, FIELD(sl_config_icmp, error_rate), .min = 0, .max = 1000000, .fallback = 1000,
     .unit = "per second", .example = "1000", .help = "ICMP errors a worker sends. 0: none at all."},
    {"error-burst", SL_KEY_UINT, FIELD(sl_config_icmp, error_burst), .min = 1, .max = 1000000,
     .fallback = 100, .unit = "messages", .example = "100",
     .help = "ICMP errors a worker may send at once after a pause."},
    {0},
};

const struct sl_key sl_config_keys[] = {
    {"sluice", SL_KEY_UINT, FIELD(sl_config, version), .required = true, .min = 1, .max = 1, .unit = "",
     .example = "1", .help = "Version of the config's language."},
    {"ports", SL_KEY_MAPS, LIST(sl_config, ports), .max = SL_MAX_PORTS, .keys = port_keys,
     .help = "What packets come in and go out by."},
    {"routes", SL_KEY_MAPS, LIST(sl_config, routes), .max = 100000, .keys = route_keys, .compact = true,
     .help =
         "Routes besides those to the ports' own links. More than some thousands belong into `route-files`."},
    {"route-files", SL_KEY_TEXTS, SL_TEXT_FILE, LIST(sl_config, route_files), .max = 1024,
     .example = "[routes.txt]",
     .help = "Files with more routes, one a line, made for millions: `PREFIX via ADDRESS [port PORT] [weight "
             "N]`, "
             "`PREFIX port PORT`, `PREFIX blackhole`, `PREFIX reject`. Relative names count from the "
             "config's folder."},
    {"neighbors", SL_KEY_MAPS, LIST(sl_config, neighbors), .max = 4096, .keys = neighbor_keys,
     .compact = true, .help = "Stations whose Ethernet address is fixed here instead of asked for."},
    {"neighbor-capacity", SL_KEY_UINT, FIELD(sl_config, neighbor_capacity), .min = 64, .max = 1048576,
     .fallback = 4096, .unit = "neighbors", .example = "4096",
     .help = "Stations on the links that can be known at once. Read when the data plane starts."},
    {"nat", SL_KEY_MAP, FIELD(sl_config, nat), .keys = nat_keys, .help = "IPv4 address translation."},
    {"services", SL_KEY_MAPS, LIST(sl_config, services), .max = SL_BALANCE_SERVICES, .keys = sl_service_keys,
     .compact = true, .help = "Addresses behind which a pool of servers stands: layer-4 balancing."},
    {"pools", SL_KEY_MAPS, LIST(sl_config, pools), .max = SL_BALANCE_MEMBERS, .keys = sl_server_pool_keys,
     .help = "Servers that share the flows of services."},
    {"balance-seed", SL_KEY_UINT, FIELD(sl_config, balance_seed), .max = UINT32_MAX, .unit = "",
     .example = "0",
     .help = "Gateways with the same pools and the same seed send a flow to the same member. Another number "
             "on gateways that serve alone keeps strangers from choosing a member by their own port."},
    {"announce", SL_KEY_MAP, FIELD(sl_config, announce), .keys = sl_announce_keys,
     .help = "How services with `announce: true` are told to a routing daemon on this host."},
    {"prefilter", SL_KEY_MAP, FIELD(sl_config, prefilter), .keys = prefilter_keys,
     .help = "What is dropped before anything else looks at it; in the kernel's XDP hook on AF_XDP ports."},
    {"flow", SL_KEY_MAP, FIELD(sl_config, flow), .keys = flow_keys, .help = "The session tables."},
    {"icmp", SL_KEY_MAP, FIELD(sl_config, icmp), .keys = icmp_keys, .help = "ICMP errors the gateway sends."},
    {"endpoints", SL_KEY_MAPS, LIST(sl_config, endpoints), .max = SL_MAX_ENDPOINTS, .keys = sl_endpoint_keys,
     .compact = true,
     .help = "Small TCP services that the data plane itself speaks, at addresses of ports: probes of the way to "
             "the gateway and of its TCP. Where they listen, the host's own services are not reached."},
    {"tcp", SL_KEY_MAP, FIELD(sl_config, tcp), .keys = sl_tcp_keys, .help = "TCP of the gateway's own."},
    {0},
};
