// SPDX-License-Identifier: Apache-2.0
// The rows of a profile's schema: each key with its place, its limits, its default and what it means. Constant data.
#include <netinet/in.h>
#include "profile.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FIELD(structure, member)                                                                             \
    .offset = offsetof(struct structure, member), .size = sizeof(((struct structure *)0)->member)
#define LIST(structure, member)                                                                              \
    .offset = offsetof(struct structure, member), .size = sizeof(*((struct structure *)0)->member),          \
    .count_offset = offsetof(struct structure, member##_count)
#define WORDS(list) .words = list, .word_count = COUNT(list)

static const struct sl_word protocol_words[] = {
    {"udp", IPPROTO_UDP}, {"tcp", IPPROTO_TCP}, {"icmp", IPPROTO_ICMP}};
static const struct sl_word bad_words[] = {
    {"none", BAD_NONE},
    {"ip-version", BAD_IP_VERSION},
    {"ip-header-length", BAD_IP_HEADER_LENGTH},
    {"ip-length", BAD_IP_LENGTH},
    {"ip-checksum", BAD_IP_CHECKSUM},
    {"ttl", BAD_TTL},
    {"source", BAD_SOURCE},
    {"l4-checksum", BAD_L4_CHECKSUM},
    {"l4-length", BAD_L4_LENGTH},
    {"tcp-flags", BAD_TCP_FLAGS},
};

const char *bad_kind_name(enum bad_kind kind)
{
    for (size_t i = 0; i < COUNT(bad_words); i++)
        if (bad_words[i].value == (int)kind)
            return bad_words[i].text;
    return "?";
}

static const struct sl_key port_keys[] = {
    {"name", SL_KEY_TEXT, SL_TEXT_PORT_NAME, FIELD(profile_port, name), .required = true, .identity = true,
     .example = "left", .help = "Name of the port."},
    {"device", SL_KEY_TEXT, SL_TEXT_FREE, FIELD(profile_port, device), .example = "memif:/run/left.sock",
     .help = "As in sluice.yaml. `--port NAME=DEVICE` goes before it."},
    {"addresses", SL_KEY_TEXTS, SL_TEXT_INTERFACE, LIST(profile_port, addresses), .max = 2,
     .example = "[10.0.0.2/24]", .help = "Own addresses, one of each family: who asks for them is answered."},
    {"gateways", SL_KEY_TEXTS, SL_TEXT_ADDRESS, LIST(profile_port, gateways), .max = 2,
     .example = "[10.0.0.1]",
     .help = "Stations to send to, one of each family; their Ethernet address is asked for (ARP, ND)."},
    {"mac", SL_KEY_TEXT, SL_TEXT_MAC, FIELD(profile_port, mac), .example = "\"02:00:00:00:00:02\"",
     .help = "Ethernet address to use instead of the device's own."},
    {"peer-mac", SL_KEY_TEXT, SL_TEXT_MAC, FIELD(profile_port, peer_mac), .example = "\"02:00:00:00:00:01\"",
     .help = "Ethernet address to send to, instead of asking."},
    {0},
};

const struct sl_key profile_stream_keys[] = {
    {"name", SL_KEY_TEXT, SL_TEXT_NAME, FIELD(profile_stream, name), .identity = true, .example = "dns",
     .help = "Name in reports."},
    {"port", SL_KEY_TEXT, SL_TEXT_PORT_NAME, FIELD(profile_stream, port), .example = "left",
     .help = "Port it leaves by; the first where none is named. Packets may come back by any."},
    {"protocol", SL_KEY_ENUM, FIELD(profile_stream, protocol), .fallback = IPPROTO_UDP, WORDS(protocol_words),
     .example = "udp", .help = "What the packets are."},
    {"src", SL_KEY_TEXT, SL_TEXT_FREE, FIELD(profile_stream, src), .example = "16.0.0.1-16.0.255.254",
     .help = "Source addresses: one, a range or a prefix, of either family."},
    {"dst", SL_KEY_TEXT, SL_TEXT_FREE, FIELD(profile_stream, dst), .example = "48.0.0.0/24",
     .help = "Destination addresses."},
    {"sport", SL_KEY_TEXT, SL_TEXT_FREE, FIELD(profile_stream, sport), .example = "1024-65535",
     .help = "Source ports: one or a range. Of ICMP: the identifiers."},
    {"dport", SL_KEY_TEXT, SL_TEXT_FREE, FIELD(profile_stream, dport), .example = "53",
     .help = "Destination ports."},
    {"sizes", SL_KEY_TEXT, SL_TEXT_FREE, FIELD(profile_stream, sizes), .example = "imix",
     .help = "Frame sizes in bytes, check sequence included: `64`, a list `64,128,1518` sent in turn, a "
             "range `64-1518` "
             "or `64-1518/64`, or `imix` (64, 594 and 1518 bytes as 7:4:1)."},
    {"random-sizes", SL_KEY_BOOL, FIELD(profile_stream, random_sizes), .example = "false",
     .help = "Sizes at random instead of in turn."},
    {"random-flows", SL_KEY_BOOL, FIELD(profile_stream, random_flows), .example = "false",
     .help = "Flows at random instead of in turn."},
    {"flows", SL_KEY_UINT, FIELD(profile_stream, flows), .max = FLOWS_MAX, .unit = "flows",
     .example = "65536",
     .help = "How many different choices of addresses and ports; 0: all that the ranges make."},
    {"weight", SL_KEY_UINT, FIELD(profile_stream, weight), .min = 1, .max = 1000, .fallback = 1, .unit = "",
     .example = "1", .help = "Share of the run's rate."},
    {"rate", SL_KEY_TEXT, SL_TEXT_FREE, FIELD(profile_stream, rate), .example = "100kpps",
     .help = "A rate of its own, beside the run's."},
    {"burst", SL_KEY_UINT, FIELD(profile_stream, burst), .min = 1, .max = 65536, .fallback = 1,
     .unit = "packets", .example = "32", .help = "Packets that go back to back."},
    {"fragments", SL_KEY_UINT, FIELD(profile_stream, fragments), .min = 1, .max = PLAN_FRAGMENTS,
     .fallback = 1, .unit = "pieces", .example = "2",
     .help = "Pieces of each datagram; sizes and rates are those of the pieces."},
    {"ttl", SL_KEY_UINT, FIELD(profile_stream, ttl), .min = 1, .max = 255, .fallback = 64, .unit = "",
     .example = "64", .help = "Time to live, or hop limit."},
    {"tos", SL_KEY_UINT, FIELD(profile_stream, tos), .max = 255, .unit = "", .example = "0",
     .help = "Type of service, or traffic class."},
    {"tcp-flags", SL_KEY_TEXT, SL_TEXT_FREE, FIELD(profile_stream, tcp_flags), .example = "S",
     .help = "Letters of F S R P A U; `PA` where nothing is written."},
    {"bad", SL_KEY_ENUM, FIELD(profile_stream, bad), .fallback = BAD_NONE, WORDS(bad_words),
     .example = "ip-checksum",
     .help = "What is wrong with the packets. They are to be dropped: those that come back have leaked."},
    {0},
};

const struct sl_key profile_keys[] = {
    {"pktgen", SL_KEY_UINT, FIELD(profile, version), .required = true, .min = 1, .max = 1, .unit = "",
     .example = "1", .help = "Version of the profile's language."},
    {"ports", SL_KEY_MAPS, LIST(profile, ports), .max = SESSION_PORTS, .keys = port_keys, .help = "Ports."},
    {"rate", SL_KEY_TEXT, SL_TEXT_FREE, FIELD(profile, rate), .example = "1Mpps",
     .help = "Of all streams together, on each port: `1.5Mpps`, `10Gbps` (frames with check sequence), `50%` "
             "of the "
             "line, `max`."},
    {"duration", SL_KEY_TEXT, SL_TEXT_FREE, FIELD(profile, duration), .example = "10s",
     .help = "How long to send."},
    {"streams", SL_KEY_MAPS, LIST(profile, streams), .max = PLAN_STREAMS, .keys = profile_stream_keys,
     .help = "What is sent."},
    {0},
};
