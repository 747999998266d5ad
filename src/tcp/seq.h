// SPDX-License-Identifier: Apache-2.0
// Sequence numbers are 32 bits that wrap: an order exists only between numbers less than 2^31 apart
// (RFC 9293 section 3.4). All in host byte order. Pure; any thread.
#ifndef TCP_SEQ_H
#define TCP_SEQ_H

#include <stdbool.h>
#include <stdint.h>

static inline bool tcp_seq_lt(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

static inline bool tcp_seq_le(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) <= 0;
}

static inline bool tcp_seq_gt(uint32_t a, uint32_t b)
{
    return tcp_seq_lt(b, a);
}

static inline bool tcp_seq_ge(uint32_t a, uint32_t b)
{
    return tcp_seq_le(b, a);
}

// lo <= x <= hi on the circle.
static inline bool tcp_seq_between(uint32_t x, uint32_t lo, uint32_t hi)
{
    return x - lo <= hi - lo;
}

static inline uint32_t tcp_seq_max(uint32_t a, uint32_t b)
{
    return tcp_seq_lt(a, b) ? b : a;
}

static inline uint32_t tcp_seq_min(uint32_t a, uint32_t b)
{
    return tcp_seq_lt(a, b) ? a : b;
}

#endif
