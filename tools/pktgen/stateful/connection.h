// SPDX-License-Identifier: Apache-2.0
// One TCP connection as either side keeps it: two cache lines. The bytes are not kept: what was sent can be made again
// (http.h, pattern.h), what arrives is checked and forgotten.
//
//     sequence space     snd_una        snd_nxt        snd_max          tx_end
//     ─────acknowledged────┼───in flight───┼──to be sent──┼───never sent────┼ FIN
//                                           again                           (where it is queued)
#ifndef STATEFUL_CONNECTION_H
#define STATEFUL_CONNECTION_H

#include <assert.h>
#include <stdbool.h>
#include "base/ip.h"
#include "http.h"

#define CONNECTION_NONE UINT32_MAX

enum connection_state { CONNECTION_FREE, CONNECTION_SYN_SENT, CONNECTION_SYN_RECEIVED, CONNECTION_OPEN };

enum {                              // connection.flags
    CONNECTION_ARMED = 1 << 0,      // on the wheel
    CONNECTION_FIN_QUEUED = 1 << 1, // ours goes behind tx_end
    CONNECTION_FIN_GOT = 1 << 2,    // theirs
    CONNECTION_AWAITS = 1 << 3,     // client: a response. server: has answered at least once
    CONNECTION_THINKS = 1 << 4,     // client: between two requests
    CONNECTION_BAD_SEQUENCE = 1 << 5,
};

struct connection_key {
    struct sl_ip peer;
    uint32_t own;                 // last 32 bits of our address, host byte order
    uint16_t peer_port, own_port; // host byte order
};
static_assert(sizeof(struct connection_key) == 24, "compared as three words");

struct connection {
    struct connection_key key;
    uint32_t link;     // client: number of its tuple. server: next in its chain
    uint32_t deadline; // wheel tick
    uint32_t wheel_at; // tick at which the wheel looks, not after the deadline
    uint32_t snd_una, snd_nxt, snd_max, tx_end;
    uint32_t rcv_nxt;
    uint8_t state, flags;
    uint8_t retries, repeats; // timeouts in a row; acknowledgments that said nothing new
    uint16_t snd_wnd;
    uint16_t mss; // of the peer, or ours where smaller
    // second line
    uint32_t wheel_next, wheel_prev;
    uint32_t tx_start; // sequence number of the message's first byte
    uint32_t tx_body;  // bytes of its body
    uint32_t tx_key;
    uint32_t rx_key;    // of the body that is expected
    uint32_t rx_offset; // bytes of it that came
    uint32_t stamp;     // of the SYN, then of the request; units of 64 ns
    uint32_t requests;  // client: left to send. server: answered
    struct http_parse parse;
    uint8_t mac[6];  // next hop
    uint8_t tx_head; // bytes
} __attribute__((aligned(64)));
static_assert(sizeof(struct connection) == 128, "two lines");

static inline bool sequence_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

static inline bool connection_key_equal(const struct connection_key *a, const struct connection_key *b)
{
    uint64_t x[3], y[3];
    memcpy(x, a, sizeof(x));
    memcpy(y, b, sizeof(y));
    return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2])) == 0;
}

// One behind the last sequence number there is to send, our FIN included.
static inline uint32_t connection_tx_limit(const struct connection *c)
{
    return c->tx_end + (c->flags & CONNECTION_FIN_QUEUED ? 1 : 0);
}

#endif
