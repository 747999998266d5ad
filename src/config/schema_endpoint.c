// SPDX-License-Identifier: Apache-2.0
// The rows of `endpoints` and `tcp`. See schema.c. Constant data.
#include "config/schema.h"

#include "shm/layout.h"

static const struct sl_word kind_words[] = {
    {"echo", SL_ENDPOINT_ECHO}, {"discard", SL_ENDPOINT_DISCARD}, {"chargen", SL_ENDPOINT_CHARGEN}};

const struct sl_key sl_endpoint_keys[] = {
    {"name", SL_KEY_TEXT, SL_TEXT_NAME, SL_FIELD(sl_config_endpoint, name), .required = true,
     .identity = true, .example = "probe", .help = "Name of the endpoint."},
    {"kind", SL_KEY_ENUM, SL_FIELD(sl_config_endpoint, kind), .required = true, SL_WORDS(kind_words),
     .example = "echo",
     .help = "What it speaks: `echo` sends back what it gets (RFC 862), `discard` takes it and says nothing "
             "(RFC 863), `chargen` sends lines of text without end (RFC 864)."},
    {"port", SL_KEY_UINT, SL_FIELD(sl_config_endpoint, port), .required = true, .min = 1, .max = 65535,
     .unit = "", .example = "7", .help = "TCP port it listens on."},
    {"addresses", SL_KEY_TEXTS, SL_TEXT_STATION, SL_LIST(sl_config_endpoint, addresses), .max = 64,
     .example = "[192.0.2.1]",
     .help = "Addresses of ports that it listens on. Left out: all of them, but for link-local ones."},
    {"connections", SL_KEY_UINT, SL_FIELD(sl_config_endpoint, connections), .max = 16777216,
     .unit = "connections", .example = "1000",
     .help =
         "Connections at once, shared out among the workers; one more is reset. 0: as many as there is room "
         "for."},
    {"idle", SL_KEY_UINT, SL_FIELD(sl_config_endpoint, idle), .max = 86400, .fallback = 300,
     .unit = "seconds", .example = "300",
     .help = "Silence after which the peer is asked whether it is still there (keepalive). 0: never."},
    {0},
};

static const struct sl_word congestion_words[] = {{"cubic", SL_TCP_CONGESTION_CUBIC},
                                                  {"newreno", SL_TCP_CONGESTION_NEWRENO},
                                                  {"bbr", SL_TCP_CONGESTION_BBR}};

const struct sl_key sl_tcp_keys[] = {
    {"connections", SL_KEY_UINT, SL_FIELD(sl_config_tcp, connections), .min = 64, .max = 16777216,
     .fallback = 65536, .unit = "connections", .example = "65536",
     .help = "TCP connections of the gateway's own that can be open at once, over all workers. Read when the "
             "data "
             "plane starts."},
    {"congestion", SL_KEY_ENUM, SL_FIELD(sl_config_tcp, congestion), .fallback = SL_TCP_CONGESTION_CUBIC,
     SL_WORDS(congestion_words), .example = "bbr",
     .help = "How fast connections that begin from now on send. `cubic`: as most hosts do (RFC 9438); `newreno`: as "
             "hosts once did (RFC 5681); `bbr`: by a model of the path instead of by losses "
             "(draft-ietf-ccwg-bbr), for paths that lose what no queue dropped."},
    {0},
};
