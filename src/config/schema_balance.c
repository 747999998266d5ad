// SPDX-License-Identifier: Apache-2.0
// The schema's rows of balancing: services, pools, members, health checks. See schema.c. Constant data.
#include <netinet/in.h>
#include "config/schema.h"
#include "shm/layout.h"

#define FIELD SL_FIELD
#define LIST  SL_LIST
#define WORDS SL_WORDS

#define MEMBER_SAME_PORT   0
#define HEALTH_MEMBER_PORT 0
#define AUTO               0
#define DAY_MS             86400000

static const struct sl_word protocol_words[] = {
    {"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}, {"sctp", IPPROTO_SCTP}, {"any", 0}};
static const struct sl_word relief_words[] = {{"drop", 0}, {"stateless", 1}};
static const struct sl_word method_words[] = {{"maglev", SL_BALANCE_MAGLEV},
                                              {"round-robin", SL_BALANCE_ROUND_ROBIN},
                                              {"weighted-round-robin", SL_BALANCE_WEIGHTED_ROUND_ROBIN},
                                              {"least-connections", SL_BALANCE_LEAST},
                                              {"weighted-least-connections", SL_BALANCE_WEIGHTED_LEAST},
                                              {"source-hash", SL_BALANCE_SOURCE_HASH},
                                              {"two-choices", SL_BALANCE_TWO_CHOICES}};
static const struct sl_word way_words[] = {{"dnat", SL_BALANCE_DNAT},
                                           {"full-nat", SL_BALANCE_FULL_NAT},
                                           {"direct", SL_BALANCE_DIRECT},
                                           {"ipip", SL_BALANCE_IPIP},
                                           {"gue", SL_BALANCE_GUE}};
static const struct sl_word client_words[] = {{"none", 0}, {"toa", 1}};
static const struct sl_word down_words[] = {
    {"keep", SL_BALANCE_KEEP}, {"reset", SL_BALANCE_RESET}, {"move", SL_BALANCE_MOVE}};
static const struct sl_word same_words[] = {{"same", MEMBER_SAME_PORT}};
static const struct sl_word member_words[] = {{"member", HEALTH_MEMBER_PORT}};
static const struct sl_word auto_words[] = {{"auto", AUTO}};
static const struct sl_word type_words[] = {
    {"none", SL_CONFIG_HEALTH_NONE},    {"tcp", SL_CONFIG_HEALTH_TCP},   {"http", SL_CONFIG_HEALTH_HTTP},
    {"https", SL_CONFIG_HEALTH_HTTPS},  {"icmp", SL_CONFIG_HEALTH_ICMP}, {"udp", SL_CONFIG_HEALTH_UDP},
    {"script", SL_CONFIG_HEALTH_SCRIPT}};

const struct sl_key sl_service_keys[] = {
    {"name", SL_KEY_TEXT, SL_TEXT_NAME, FIELD(sl_config_service, name), .required = true, .identity = true,
     .example = "web", .help = "Name of the service."},
    {"addresses", SL_KEY_TEXTS, SL_TEXT_STATION, LIST(sl_config_service, addresses), .required = true,
     .min = 1, .max = 4096, .example = "[198.51.100.80, \"2001:db8:100::80\"]",
     .help =
         "Addresses that clients send to. They are the services' alone; the gateway answers ARP and ND for "
         "those on its links."},
    {"protocol", SL_KEY_ENUM, FIELD(sl_config_service, protocol), .required = true, WORDS(protocol_words),
     .example = "tcp",
     .help =
         "What is balanced. `any`: all of IP that no other service of the address takes; SCTP passes with "
         "its checksum untouched, so its members listen on the port that clients send to."},
    {"ports", SL_KEY_TEXT, SL_TEXT_PORTS, FIELD(sl_config_service, ports), .example = "\"80\"",
     .help = "Port that clients send to, a range, or `any`, which is also meant where it is left out. Of "
             "services that "
             "overlap the one with fewer ports gets the packet."},
    {"pool", SL_KEY_TEXT, SL_TEXT_NAME, FIELD(sl_config_service, pool), .required = true, .example = "web",
     .help = "Pool of the servers, under `pools`."},
    {"flow-rate", SL_KEY_UINT, FIELD(sl_config_service, flow_rate), .max = 1000000000, .unit = "per second",
     .example = "50000", .help = "New flows that the service takes. 0: any number."},
    {"source-rate", SL_KEY_UINT, FIELD(sl_config_service, source_rate), .max = 1000000000,
     .unit = "per second", .example = "100",
     .help = "New flows that it takes of one source address. 0: any number."},
    {"affinity", SL_KEY_UINT, FIELD(sl_config_service, affinity), .max = 604800, .unit = "seconds",
     .example = "600",
     .help = "How long a client goes to the member it had, after its last flow ended. 0: each flow is by "
             "itself."},
    {"affinity-length-v4", SL_KEY_UINT, FIELD(sl_config_service, affinity_len_v4), .min = 1, .max = 32,
     .fallback = 32, .unit = "bits", .example = "24",
     .help = "IPv4 clients under one prefix of this length are one client to `affinity`."},
    {"affinity-length-v6", SL_KEY_UINT, FIELD(sl_config_service, affinity_len_v6), .min = 1, .max = 128,
     .fallback = 128, .unit = "bits", .example = "64", .help = "The same of IPv6 clients."},
    {"when-full", SL_KEY_ENUM, FIELD(sl_config_service, when_full), WORDS(relief_words),
     .example = "stateless",
     .help =
         "New flows for which the session table has no room: `drop`, or `stateless`: to a member by hash, "
         "packet by packet."},
    {"when-flooded", SL_KEY_ENUM, FIELD(sl_config_service, when_flooded), WORDS(relief_words),
     .example = "stateless",
     .help = "New flows over `flow-rate` or `source-rate`: likewise. Flows that are open go on either way."},
    {"timeout-new", SL_KEY_UINT, FIELD(sl_config_service, timeout_new), .max = 604800, .unit = "seconds",
     .example = "30", .help = "How long flows live without an answer. 0: as `nat.timeouts` says."},
    {"timeout-established", SL_KEY_UINT, FIELD(sl_config_service, timeout_established), .max = 604800,
     .unit = "seconds", .example = "900",
     .help = "How long answered flows live without a packet. 0: likewise."},
    {"timeout-closing", SL_KEY_UINT, FIELD(sl_config_service, timeout_closing), .max = 604800,
     .unit = "seconds", .example = "15", .help = "How long closing connections are remembered. 0: likewise."},
    {"announce", SL_KEY_BOOL, FIELD(sl_config_service, announce), .example = "true",
     .help =
         "Whether its addresses are host routes in the kernel table of `announce`, for BGP, while its pool "
         "serves. An address of several such services is there while one of them serves."},
    {"announce-least", SL_KEY_UINT, FIELD(sl_config_service, announce_least), .min = 1, .max = 65535,
     .fallback = 1, .unit = "members", .example = "2",
     .help = "Members that must get new flows for that: where fewer cannot carry the load, other gateways "
             "should."},
    {0},
};

static const struct sl_key member_keys[] = {
    {"address", SL_KEY_TEXT, SL_TEXT_STATION, FIELD(sl_config_member, address), .required = true,
     .identity = true, .example = "10.0.0.11", .help = "Address of the server."},
    {"port", SL_KEY_UINT, FIELD(sl_config_member, port), .min = 1, .max = 65535, .fallback = MEMBER_SAME_PORT,
     .identity = true, .unit = "", WORDS(same_words), .example = "8080",
     .help = "Port it listens on; `same`: the one that the client sent to."},
    {"weight", SL_KEY_UINT, FIELD(sl_config_member, weight), .min = 1, .max = 1000, .fallback = 100,
     .unit = "", .example = "100", .help = "Its share of the new flows, relative to the other members."},
    {"backup", SL_KEY_BOOL, FIELD(sl_config_member, backup), .example = "true",
     .help = "It gets flows only while no member without `backup` can."},
    {"limit", SL_KEY_UINT, FIELD(sl_config_member, limit), .max = 4000000000, .unit = "flows",
     .example = "1000", .help = "Flows it may have at a time; what is over goes to others. 0: any number."},
    {"enabled", SL_KEY_BOOL, FIELD(sl_config_member, enabled), .fallback = true, .example = "false",
     .help = "false: it stays in the config but is treated as down."},
    {0},
};

static const struct sl_key passive_keys[] = {
    {"failures", SL_KEY_UINT, FIELD(sl_config_passive, failures), .max = 1000000, .unit = "", .example = "5",
     .help = "Flows within `window` that the member left unanswered or reset which hold it back. 0: never."},
    {"share", SL_KEY_UINT, FIELD(sl_config_passive, share), .min = 1, .max = 100, .fallback = 50,
     .unit = "percent", .example = "50", .help = "And they must be at least so much of all its new flows."},
    {"window", SL_KEY_UINT, FIELD(sl_config_passive, window), .min = 1000, .max = DAY_MS, .fallback = 5000,
     .unit = "milliseconds", .example = "5000", .help = "Time in which they are counted."},
    {"hold", SL_KEY_UINT, FIELD(sl_config_passive, hold), .min = 100, .max = DAY_MS, .fallback = 5000,
     .unit = "milliseconds", .example = "5000",
     .help = "How long it gets no new flows the first time; twice as long each time after."},
    {"hold-most", SL_KEY_UINT, FIELD(sl_config_passive, hold_most), .min = 100, .max = DAY_MS,
     .fallback = 300000, .unit = "milliseconds", .example = "300000",
     .help = "At most so long; after as long without trouble `hold` counts again."},
    {0},
};

static const struct sl_key damping_keys[] = {
    {"half-life", SL_KEY_UINT, FIELD(sl_config_damping, half_life), .max = DAY_MS, .unit = "milliseconds",
     .example = "30000",
     .help = "A member that goes down gets a penalty of 1000, which halves in this time (as RFC 2439 does to "
             "flapping routes). 0: no damping."},
    {"suppress", SL_KEY_UINT, FIELD(sl_config_damping, suppress), .min = 1, .max = 1000000, .fallback = 3000,
     .unit = "", .example = "3000",
     .help = "Above this penalty it gets no new flows though its checks are good."},
    {"reuse", SL_KEY_UINT, FIELD(sl_config_damping, reuse), .min = 1, .max = 1000000, .fallback = 1000,
     .unit = "", .example = "1000", .help = "Below this penalty it gets them again."},
    {"most", SL_KEY_UINT, FIELD(sl_config_damping, most), .max = DAY_MS, .unit = "milliseconds",
     WORDS(auto_words), .example = "120000",
     .help = "Held back no longer than this after it was last lost; `auto`: four half-lives."},
    {0},
};

static const struct sl_key health_keys[] = {
    {"type", SL_KEY_ENUM, FIELD(sl_config_health, type), .fallback = SL_CONFIG_HEALTH_NONE, WORDS(type_words),
     .example = "http",
     .help =
         "`tcp`: a connection comes about; `http`, `https`: a response says what it must; `icmp`: echo is "
         "answered; `udp`: a datagram is; `script`: a program ends with 0; `none`: members count as up."},
    {"port", SL_KEY_UINT, FIELD(sl_config_health, port), .min = 1, .max = 65535,
     .fallback = HEALTH_MEMBER_PORT, .unit = "", WORDS(member_words), .example = "8081",
     .help = "Port that is asked; `member`: the member's own, or the service's where it has none."},
    {"interval", SL_KEY_UINT, FIELD(sl_config_health, interval), .min = 10, .max = DAY_MS, .fallback = 1000,
     .unit = "milliseconds", .example = "1000", .help = "Time from check to check."},
    {"timeout", SL_KEY_UINT, FIELD(sl_config_health, timeout), .min = 1, .max = DAY_MS, .fallback = AUTO,
     .unit = "milliseconds", WORDS(auto_words), .example = "500",
     .help =
         "How long an answer may take, at most the interval; `auto`: as long as a dead member is still out "
         "within `fall` intervals."},
    {"rise", SL_KEY_UINT, FIELD(sl_config_health, rise), .min = 1, .max = 100, .fallback = 2,
     .unit = "checks", .example = "2", .help = "Good checks in a row that bring a member up."},
    {"fall", SL_KEY_UINT, FIELD(sl_config_health, fall), .min = 1, .max = 100, .fallback = 3,
     .unit = "checks", .example = "3", .help = "Bad checks in a row that take it down."},
    {"jitter", SL_KEY_UINT, FIELD(sl_config_health, jitter), .max = 50, .fallback = 10, .unit = "percent",
     .example = "10", .help = "Checks come up to so much earlier, so that not all are due at once."},
    {"optimistic", SL_KEY_BOOL, FIELD(sl_config_health, optimistic), .fallback = true, .example = "false",
     .help =
         "Whether a new member gets flows before its first check; its first failure takes it down then. What "
         "was known before a restart counts in any case."},
    {"orderly-close", SL_KEY_BOOL, FIELD(sl_config_health, orderly_close), .example = "true",
     .help = "Whether the connections of checks end with FIN, as a client's do, instead of a reset."},
    {"method", SL_KEY_TEXT, SL_TEXT_FREE, FIELD(sl_config_health, method), .example = "HEAD",
     .help = "Method of the request; GET where left out."},
    {"path", SL_KEY_TEXT, SL_TEXT_FREE, FIELD(sl_config_health, path), .example = "/health",
     .help = "Its path; / where left out."},
    {"host", SL_KEY_TEXT, SL_TEXT_FREE, FIELD(sl_config_health, host), .example = "www.example.org",
     .help = "Its Host; the member's address where left out."},
    {"status", SL_KEY_TEXTS, SL_TEXT_STATUS, LIST(sl_config_health, status), .max = 8,
     .example = "[200, 300-399]", .help = "Good statuses; 200-399 where left out."},
    {"header", SL_KEY_TEXT, SL_TEXT_FREE, FIELD(sl_config_health, header), .example = "X-Ready",
     .help = "Header that the response must have."},
    {"header-text", SL_KEY_TEXT, SL_TEXT_FREE, FIELD(sl_config_health, header_text), .example = "\"yes\"",
     .help = "And what must be in it."},
    {"body", SL_KEY_TEXT, SL_TEXT_FREE, FIELD(sl_config_health, body), .example = "all well",
     .help = "Text that must be in the first 64 KiB of the body."},
    {"sni", SL_KEY_TEXT, SL_TEXT_FREE, FIELD(sl_config_health, sni), .example = "www.example.org",
     .help = "Name asked for in TLS; `host` where left out."},
    {"verify", SL_KEY_BOOL, FIELD(sl_config_health, verify), .example = "true",
     .help = "Whether the certificate must be good for that name. Checks resume TLS sessions while the "
             "member is well: it is seen at least once a minute, and after any check that was not good."},
    {"ca-file", SL_KEY_TEXT, SL_TEXT_FILE, FIELD(sl_config_health, ca_file), .example = "/etc/ssl/own.pem",
     .help = "Who may have signed it; the system's list where left out."},
    {"send", SL_KEY_TEXT, SL_TEXT_BYTES, FIELD(sl_config_health, send), .example = "ping",
     .help = "Datagram that is sent."},
    {"expect", SL_KEY_TEXT, SL_TEXT_BYTES, FIELD(sl_config_health, expect), .example = "pong",
     .help = "How its answer must begin; left out: any answer is good."},
    {"silence-is-good", SL_KEY_BOOL, FIELD(sl_config_health, silence_is_good), .example = "true",
     .help = "Whether a member is well that neither answers nor refuses the datagram."},
    {"script", SL_KEY_TEXT, SL_TEXT_FILE, FIELD(sl_config_health, script),
     .example = "/usr/local/lib/check-web",
     .help = "Program that is run, without a shell, as sluiced's user and with its rights (mostly root's): "
             "neither it "
             "nor its directory may be writable by others."},
    {"arguments", SL_KEY_TEXTS, SL_TEXT_FREE, LIST(sl_config_health, arguments), .max = 32, .ordered = true,
     .example = "[\"{address}\", \"{port}\"]",
     .help = "Its arguments; `{address}` and `{port}` stand for the member's."},
    {"passive", SL_KEY_MAP, FIELD(sl_config_health, passive), .keys = passive_keys,
     .help = "Signs of trouble that the data plane sees in the flows themselves."},
    {"damping", SL_KEY_MAP, FIELD(sl_config_health, damping), .keys = damping_keys,
     .help = "Members that come and go are held back."},
    {0},
};

const struct sl_key sl_announce_keys[] = {
    {"enabled", SL_KEY_BOOL, FIELD(sl_config_announce, enabled), .fallback = true, .example = "false",
     .help = "false: all is withdrawn, and packets that come all the same are still balanced: before "
             "maintenance."},
    {"table", SL_KEY_UINT, FIELD(sl_config_announce, table), .min = 1, .max = UINT32_MAX, .fallback = 184,
     .unit = "", .example = "184",
     .help = "Kernel routing table for the routes (`blackhole`, protocol 184). Nothing else should use it."},
    {"metric", SL_KEY_UINT, FIELD(sl_config_announce, metric), .min = 1, .max = UINT32_MAX, .fallback = 1024,
     .unit = "", .example = "1024", .help = "Their metric, which a routing daemon's filters can read."},
    {"delay", SL_KEY_UINT, FIELD(sl_config_announce, delay), .max = DAY_MS, .fallback = 3000,
     .unit = "milliseconds", .example = "10000",
     .help =
         "How long a pool must serve without a break before its service is announced, so that one that comes "
         "and goes does not make BGP flap. Withdrawing does not wait."},
    {"dead-after", SL_KEY_UINT, FIELD(sl_config_announce, dead_after), .max = DAY_MS, .fallback = 2000,
     .unit = "milliseconds", .example = "5000",
     .help =
         "How long the data plane may be missing before all is withdrawn: longer than its restart takes."},
    {0},
};

const struct sl_key sl_server_pool_keys[] = {
    {"name", SL_KEY_TEXT, SL_TEXT_NAME, FIELD(sl_config_server_pool, name), .required = true,
     .identity = true, .example = "web", .help = "Name of the pool."},
    {"balance", SL_KEY_ENUM, FIELD(sl_config_server_pool, balance), .fallback = SL_BALANCE_MAGLEV,
     WORDS(method_words), .example = "maglev",
     .help =
         "How a new flow's member is chosen. `maglev`: by a hash of the flow, moving few when members come "
         "or "
         "go, alike on all gateways; `source-hash`: the same by the client's address; `round-robin`, "
         "`weighted-round-robin`: in turn; `least-connections`, `weighted-least-connections`: who has the "
         "fewest flows (by weight); `two-choices`: the better of two at random."},
    {"way", SL_KEY_ENUM, FIELD(sl_config_server_pool, way), .fallback = SL_BALANCE_DNAT, WORDS(way_words),
     .example = "dnat",
     .help =
         "How packets get to members. `dnat`: the destination is translated, so members must send their "
         "answers "
         "through the gateway. `full-nat`: the source too, to one of `sources`, so members need no route to "
         "clients, and do not see who they are; TCP and UDP; between IPv6 services and IPv4 members too, "
         "and the reverse. `direct`: unchanged, to members on a link of "
         "ours that have the service's address too and answer clients themselves. `ipip`, `gue`: unchanged "
         "in a tunnel from one of `sources`, to members anywhere that unpack it and do likewise. Members of the "
         "last three have no `port`. How to set such servers up: docs/operations.md."},
    {"sources", SL_KEY_TEXTS, SL_TEXT_STATION, LIST(sl_config_server_pool, sources), .max = 256,
     .ordered = true, .example = "[10.0.0.200]",
     .help = "Addresses that packets to members are sent from with `full-nat`, `ipip` and `gue`, at least "
             "one of each "
             "family that members have. With `full-nat` they are the pool's alone: each is good for 64512 "
             "flows to a member at a time."},
    {"client-address", SL_KEY_ENUM, FIELD(sl_config_server_pool, client_address), WORDS(client_words),
     .example = "toa",
     .help = "How members of `full-nat` hear of a TCP client's address and port. `none`: not at all; `toa`: by "
             "TCP option 254 in the connection's first segments after the SYN, as the `toa` modules of Linux "
             "servers read it. The MSS told to clients leaves room for it."},
    {"tunnel-port", SL_KEY_UINT, FIELD(sl_config_server_pool, tunnel_port), .min = 1, .max = 65535,
     .fallback = 6080, .unit = "", .example = "6080", .help = "UDP port that members take `gue` on."},
    {"tunnel-mtu", SL_KEY_UINT, FIELD(sl_config_server_pool, tunnel_mtu), .min = 576, .max = 9216,
     .fallback = AUTO, .unit = "bytes", WORDS(auto_words), .example = "1500",
     .help = "Largest packet, tunnel included, that the way to the members takes; `auto`: the port's MTU, "
             "or less where a router on the way says so. Clients are told what is left of it."},
    {"on-down", SL_KEY_ENUM, FIELD(sl_config_server_pool, on_down), .fallback = SL_BALANCE_KEEP,
     WORDS(down_words), .example = "reset",
     .help =
         "What becomes of the flows of a member that goes down. `keep`: they wait for it; `reset`: they end, "
         "TCP with a reset to the client; `move`: their next packet goes to another member."},
    {"maglev-size", SL_KEY_UINT, FIELD(sl_config_server_pool, maglev_size), .min = 2, .max = 8388593,
     .fallback = AUTO, .unit = "entries", WORDS(auto_words), .example = "65537",
     .help = "Entries of the table of `maglev` or `source-hash`, a prime. `auto`: over 100 for each member."},
    {"slow-start", SL_KEY_UINT, FIELD(sl_config_server_pool, slow_start), .max = 86400, .unit = "seconds",
     .example = "30", .help = "How long a member that came back takes to get to its weight. 0: at once."},
    {"members", SL_KEY_MAPS, LIST(sl_config_server_pool, members), .required = true, .min = 1,
     .max = SL_BALANCE_POOL_MEMBERS, .keys = member_keys, .compact = true,
     .example = "[{address: 10.0.0.11, port: 80}]", .help = "The servers."},
    {"health", SL_KEY_MAP, FIELD(sl_config_server_pool, health), .keys = health_keys,
     .help = "How it is found out which of them work. Checks leave by the kernel's own route, over the "
             "ports' twins, "
             "so they go through the data plane as the flows do."},
    {0},
};
