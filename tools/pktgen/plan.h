// SPDX-License-Identifier: Apache-2.0
// What is to be sent, checked and in numbers: made from a profile (profile.h) and the open ports, read by template.c
// when it builds the frames. Main thread.
#ifndef PKTGEN_PLAN_H
#define PKTGEN_PLAN_H

#include <stdbool.h>
#include "base/ip.h"
#include "flow.h"

#define PLAN_STREAMS   64
#define PLAN_SIZES     2048
#define PLAN_FRAGMENTS 4
// A frame's size is that of Ethernet with its check sequence (FCS), as RFC 2544 counts; drivers do not see the latter.
#define FRAME_FCS   4
#define FRAME_MIN   64
#define FRAME_MAX   1918
#define FRAME_EXTRA 20 // preamble, start of frame and gap: what a frame takes on the line beyond its size

enum bad_kind {
    BAD_NONE,
    BAD_IP_VERSION,
    BAD_IP_HEADER_LENGTH,
    BAD_IP_LENGTH,
    BAD_IP_CHECKSUM,
    BAD_TTL,
    BAD_SOURCE,
    BAD_L4_CHECKSUM,
    BAD_L4_LENGTH,
    BAD_TCP_FLAGS,
    BAD_KINDS
};

enum rate_unit { RATE_MAX, RATE_PPS, RATE_BPS, RATE_PERCENT };

struct rate {
    enum rate_unit unit;
    double value; // packets a second; bits a second of frames with FCS; percent of the line, gaps included
};

struct size_plan { // sizes of frames with FCS, in the order they are sent
    uint16_t size[PLAN_SIZES];
    uint16_t count;
    bool random; // picked at random instead
};

struct stream_plan {
    char name[32];
    uint32_t port; // it leaves by
    bool v6;
    uint8_t proto;     // IPPROTO_*
    uint8_t tcp_flags; // SL_TCP_*
    uint8_t ttl, tos;
    uint8_t fragments; // pieces of a datagram, 1: whole
    enum bad_kind bad; // such packets are to be dropped by the device under test
    struct size_plan sizes;
    struct sl_ip src, dst; // the first of each range; flow numbers change the last 32 bits
    struct flow_space flows;
    bool random_flows;
    uint32_t burst;
    uint32_t weight;  // share of the run's rate
    struct rate rate; // its own, where `own_rate`
    bool own_rate;
    uint8_t src_mac[6], dst_mac[6];
};

struct plan {
    struct stream_plan stream[PLAN_STREAMS];
    uint32_t streams;
    struct rate rate;
};

// Average size of a frame, FCS included.
double plan_mean_size(const struct size_plan *sizes);
// Packets a second of `rate` for frames of that mean size on a line of `line_bps`; 0: as many as will go.
double rate_pps(const struct rate *rate, double mean_size, uint64_t line_bps);
// Packets a second that stream `i` is to send; 0: as many as will go.
double plan_stream_pps(const struct plan *plan, uint32_t i, uint64_t line_bps);

#endif
