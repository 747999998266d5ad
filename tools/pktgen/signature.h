// SPDX-License-Identifier: Apache-2.0
// What makes a frame ours: 18 bytes at its end, so that they fit a 64-byte Ethernet frame of UDP over IPv4 and are found
// without parsing, whatever a device under test has done to the headers.
//
//      0      2        4          8             14       18
//     +------+--------+----------+--------------+--------+     little-endian; at the frame's last even offset
//     | magic| stream |   time   |   sequence   |  crc   |     that leaves it room
//     +------+--------+----------+--------------+--------+
//
// magic     tells trials apart, so that late frames of the last one are not counted in this one
// stream    index of the stream and the core that sent it
// time      TSC in units of 16 cycles, 32 bits: differences up to half a minute
// sequence  48 of the 64 bits; the receiver extends it (track.h)
// crc       CRC-32C of the first 14 bytes
#ifndef PKTGEN_SIGNATURE_H
#define PKTGEN_SIGNATURE_H

#include <nmmintrin.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define SIGNATURE_BYTES      18
#define SIGNATURE_TIME_SHIFT 4
#define SIGNATURE_SEQ_BITS   48

struct signature {
    uint64_t head; // magic, stream, time
    uint64_t tail; // sequence, and 16 zero bits
    uint32_t crc;
};

static inline uint32_t signature_crc(uint64_t head, uint64_t tail)
{
    return (uint32_t)_mm_crc32_u64(_mm_crc32_u64(0xffffffff, head), tail);
}

static inline struct signature signature_make(uint16_t magic, uint16_t stream, uint64_t tsc,
                                              uint64_t sequence)
{
    struct signature s = {
        .head = magic | (uint64_t)stream << 16 | (tsc >> SIGNATURE_TIME_SHIFT) << 32,
        .tail = sequence & ((1ULL << SIGNATURE_SEQ_BITS) - 1),
    };
    s.crc = signature_crc(s.head, s.tail);
    return s;
}

// Its ones'-complement sum (RFC 1071), for the checksum of the packet it stands in; its offset there is even.
static inline uint64_t signature_sum(const struct signature *s)
{
    return (uint32_t)s->head + (s->head >> 32) + (uint32_t)s->tail + (s->tail >> 32) + (s->crc & 0xffff) +
           (s->crc >> 16);
}

static inline uint32_t signature_offset(uint32_t frame_bytes)
{
    return (frame_bytes - SIGNATURE_BYTES) & ~1u;
}

static inline void signature_write(uint8_t *at, const struct signature *s)
{
    memcpy(at, &s->head, 8);
    memcpy(at + 8, &s->tail, 6);
    memcpy(at + 14, &s->crc, 4);
}

static inline struct signature signature_read(const uint8_t *at)
{
    struct signature s = {0};
    memcpy(&s.head, at, 8);
    memcpy(&s.tail, at + 8, 6);
    memcpy(&s.crc, at + 14, 4);
    return s;
}

static inline uint16_t signature_magic(const struct signature *s)
{
    return (uint16_t)s->head;
}

static inline uint16_t signature_stream(const struct signature *s)
{
    return (uint16_t)(s->head >> 16);
}

static inline bool signature_whole(const struct signature *s)
{
    return s->crc == signature_crc(s->head, s->tail);
}

// Time since it was made, in units of 16 cycles.
static inline uint32_t signature_age(const struct signature *s, uint64_t tsc)
{
    return (uint32_t)(tsc >> SIGNATURE_TIME_SHIFT) - (uint32_t)(s->head >> 32);
}

#endif
