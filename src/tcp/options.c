// SPDX-License-Identifier: Apache-2.0
#include "tcp/options.h"
#include <string.h>

enum {
    KIND_END = 0,
    KIND_NOP = 1,
    KIND_MSS = 2,
    KIND_WSCALE = 3,
    KIND_SACK_PERMITTED = 4,
    KIND_SACK = 5,
    KIND_TIMESTAMPS = 8,
    KIND_TFO = 34
};

#define TIMESTAMPS_ALONE 0x0101080au // NOP NOP kind 8 length 10

static uint16_t be16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

// ---- reading ------------------------------------------------------------------------------------------------
static void read_sacks(struct tcp_options *out, const uint8_t *at, unsigned len)
{
    if (len < 10 || (len - 2) % 8)
        return;
    out->n_sacks = 0;
    for (unsigned i = 2; i + 8 <= len && out->n_sacks < TCP_SACKS_MAX; i += 8)
        out->sacks[out->n_sacks++] = (struct tcp_sack){be32(at + i), be32(at + i + 4)};
    out->present |= TCP_OPTION_SACK;
}

static void read_tfo(struct tcp_options *out, const uint8_t *at, unsigned len)
{
    if (len - 2 > TCP_TFO_MAX ||
        (len > 2 && (len - 2 < 4 || len & 1))) // RFC 7413 section 4.1.1: 4 to 16 bytes, even
        return;
    out->tfo_len = (uint8_t)(len - 2);
    memcpy(out->tfo, at + 2, len - 2);
    out->present |= TCP_OPTION_TFO;
}

static void read_on_syn(struct tcp_options *out, const uint8_t *at, unsigned len)
{
    if (at[0] == KIND_MSS && len == 4 && be16(at + 2) != 0) {
        out->mss = be16(at + 2);
        out->present |= TCP_OPTION_MSS;
    } else if (at[0] == KIND_WSCALE && len == 3) {
        out->wscale = at[2] > TCP_WSCALE_MAX ? TCP_WSCALE_MAX : at[2];
        out->present |= TCP_OPTION_WSCALE;
    } else if (at[0] == KIND_SACK_PERMITTED && len == 2) {
        out->present |= TCP_OPTION_SACK_PERMITTED;
    } else if (at[0] == KIND_TFO) {
        read_tfo(out, at, len);
    }
}

static void read_one(struct tcp_options *out, const uint8_t *at, unsigned len, bool on_syn)
{
    if (at[0] == KIND_TIMESTAMPS && len == 10) {
        out->tsval = be32(at + 2);
        out->tsecr = be32(at + 6);
        out->present |= TCP_OPTION_TIMESTAMPS;
    } else if (on_syn) {
        read_on_syn(out, at, len);
    } else if (at[0] == KIND_SACK) {
        read_sacks(out, at, len);
    }
}

void tcp_options_read(struct tcp_options *out, const uint8_t *at, size_t len_bytes, bool on_syn)
{
    const uint8_t *end = at + len_bytes;

    out->present = 0;
    out->n_sacks = 0;
    out->tfo_len = 0;
    if (len_bytes == 12 && be32(at) == TIMESTAMPS_ALONE) {
        out->tsval = be32(at + 4);
        out->tsecr = be32(at + 8);
        out->present = TCP_OPTION_TIMESTAMPS;
        return;
    }
    while (at < end && *at != KIND_END) {
        if (*at == KIND_NOP) {
            at++;
            continue;
        }
        if (end - at < 2 || at[1] < 2 || at[1] > end - at)
            return; // a length that lies
        read_one(out, at, at[1], on_syn);
        at += at[1];
    }
}

// ---- writing ------------------------------------------------------------------------------------------------
static uint8_t *put_timestamps(uint8_t *at, const struct tcp_options *options)
{
    put32(at, options->tsval);
    put32(at + 4, options->tsecr);
    return at + 8;
}

// SACK permitted shares its word with the timestamps' kind and length, as in Linux.
static uint8_t *put_on_syn(uint8_t *at, const struct tcp_options *options)
{
    bool timestamps = options->present & TCP_OPTION_TIMESTAMPS,
         sack = options->present & TCP_OPTION_SACK_PERMITTED;

    if (options->present & TCP_OPTION_MSS) {
        put32(at, (uint32_t)KIND_MSS << 24 | 4u << 16 | options->mss);
        at += 4;
    }
    if (timestamps) {
        put32(at, sack ? 0x0402080au : TIMESTAMPS_ALONE);
        at = put_timestamps(at + 4, options);
    } else if (sack) {
        put32(at, 0x01010402u);
        at += 4;
    }
    if (options->present & TCP_OPTION_WSCALE) {
        put32(at, 0x01030300u | options->wscale);
        at += 4;
    }
    return at;
}

static uint8_t *put_tfo(uint8_t *at, const uint8_t *start, const struct tcp_options *options)
{
    unsigned len = 2u + options->tfo_len;

    if ((size_t)(at - start) + (len + 3) / 4 * 4 > TCP_OPTIONS_MAX)
        return at;
    at[0] = KIND_TFO;
    at[1] = (uint8_t)len;
    memcpy(at + 2, options->tfo, options->tfo_len);
    at += len;
    while ((at - start) % 4)
        *at++ = KIND_NOP;
    return at;
}

static uint8_t *put_sacks(uint8_t *at, const uint8_t *start, const struct tcp_options *options)
{
    unsigned left = (unsigned)(TCP_OPTIONS_MAX - (size_t)(at - start)), room = left < 4 ? 0 : (left - 4) / 8;
    unsigned n = options->n_sacks < room ? options->n_sacks : room;

    if (n == 0)
        return at;
    put32(at, 0x01010500u | (2 + 8 * n));
    at += 4;
    for (unsigned i = 0; i < n; i++, at += 8) {
        put32(at, options->sacks[i].start);
        put32(at + 4, options->sacks[i].end);
    }
    return at;
}

unsigned tcp_options_write(uint8_t at[TCP_OPTIONS_MAX], const struct tcp_options *options)
{
    uint8_t *to = at;

    if (options->present & (TCP_OPTION_MSS | TCP_OPTION_SACK_PERMITTED | TCP_OPTION_WSCALE)) {
        to = put_on_syn(to, options);
    } else if (options->present & TCP_OPTION_TIMESTAMPS) {
        put32(to, TIMESTAMPS_ALONE);
        to = put_timestamps(to + 4, options);
    }
    if (options->present & TCP_OPTION_TFO)
        to = put_tfo(to, at, options);
    if (options->present & TCP_OPTION_SACK)
        to = put_sacks(to, at, options);
    return (unsigned)(to - at);
}
