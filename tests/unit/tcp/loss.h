// SPDX-License-Identifier: Apache-2.0
// What the tests of loss recovery and congestion control share: a connection over a path with a known round trip, and
// the peer's acknowledgements in one line each.
#ifndef TCP_LOSS_H
#define TCP_LOSS_H

#include "rig.h"

#define MSS      1460u // without timestamps
#define RTT      (100 * RIG_MS)
#define SEQ(n)   (1 + MSS * (n)) // of the n-th full segment, from 0 on
#define PEER_WND 1000000u

static inline struct sl_tcp_options loss_options(void) // segments keep their size whatever happens
{
    struct sl_tcp_options options = rig_options();

    options.mtu_probing = false;
    return options;
}

static inline struct tcp_options loss_syn(bool sack, bool timestamps)
{
    return (struct tcp_options){.present = (uint8_t)(TCP_OPTION_MSS | TCP_OPTION_WSCALE |
                                                     (sack ? TCP_OPTION_SACK_PERMITTED : 0) |
                                                     (timestamps ? TCP_OPTION_TIMESTAMPS : 0)),
                                .mss = 1460,
                                .wscale = 7};
}

// The peer connects; his ACK takes RTT, so that the first sample of it is there.
static inline struct sl_tcp_conn *loss_open(struct rig *rig, const struct sl_tcp_options *options,
                                            struct tcp_options syn)
{
    struct sl_tcp_event event;

    rig_listen(rig, options);
    rig->shift = options->wscale ? syn.wscale : 0;
    rig->timestamps = syn.present & TCP_OPTION_TIMESTAMPS;
    rig->tsval = syn.tsval = 5000;
    RIG_PUT(rig, .flags = SL_TCP_SYN, .window = 65535, .options = syn);
    assert_non_null(rig_take(rig));
    rig_wait(rig, RTT);
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1, .ack = 1, .window = PEER_WND);
    assert_true(rig_event(rig, &event));
    assert_true(event.bits & SL_TCP_ACCEPTED);
    rig_drop_out(rig);
    return event.conn;
}

static inline void loss_ack(struct rig *rig, uint32_t ack)
{
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1, .ack = ack, .window = PEER_WND);
}

static inline void loss_sack2(struct rig *rig, uint32_t ack, uint32_t a, uint32_t a_end, uint32_t b,
                              uint32_t b_end)
{
    struct tcp_options options = {.present = TCP_OPTION_SACK, .n_sacks = b == b_end ? 1 : 2};

    options.sacks[0] = (struct tcp_sack){a, a_end};
    options.sacks[1] = (struct tcp_sack){b, b_end};
    RIG_PUT(rig, .flags = SL_TCP_ACK, .seq = 1, .ack = ack, .window = PEER_WND, .options = options);
}

static inline void loss_sack(struct rig *rig, uint32_t ack, uint32_t start, uint32_t end)
{
    loss_sack2(rig, ack, start, end, 0, 0);
}

static inline void loss_expect(struct rig *rig, uint32_t n) // the n-th full segment comes out
{
    const struct rig_segment *segment = rig_take(rig);

    if (!segment)
        fail_msg("nothing came out; expected segment %u", n);
    if (segment->seq != SEQ(n) || segment->out.len != MSS)
        fail_msg("seq %u len %u came out; expected segment %u", segment->seq, segment->out.len, n);
}

static inline uint32_t loss_count(struct rig *rig) // segments with payload that came out since
{
    const struct rig_segment *segment;
    uint32_t n = 0;

    while ((segment = rig_take(rig)) != NULL)
        n += segment->out.len != 0;
    return n;
}

static inline const struct tcp_conn *inside(const struct sl_tcp_conn *conn)
{
    return (const struct tcp_conn *)conn;
}

#endif
