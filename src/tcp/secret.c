// SPDX-License-Identifier: Apache-2.0
#include "tcp/secret.h"
#include <string.h>

enum purpose { FOR_ISN, FOR_TIMESTAMP, FOR_COOKIE, FOR_TFO };

// Keys of different purposes must not meet: the same tuple hashed for one must say nothing about the other.
static struct tcp_secret secret_for(const struct tcp_secret *secret, enum purpose purpose)
{
    struct tcp_secret own = *secret;

    own.k[1] ^= (uint64_t)(purpose + 1) * 0x9e3779b97f4a7c15ull;
    return own;
}

uint32_t tcp_isn(const struct tcp_secret *secret, const struct tcp_tuple *tuple, uint64_t now_us)
{
    struct tcp_secret own = secret_for(secret, FOR_ISN);

    return (uint32_t)(now_us / 4) + (uint32_t)tcp_siphash(&own, tuple, 36);
}

uint32_t tcp_timestamp_offset(const struct tcp_secret *secret, const struct tcp_tuple *tuple)
{
    struct tcp_secret own = secret_for(secret, FOR_TIMESTAMP);

    return (uint32_t)tcp_siphash(&own, tuple, 32);
}

void tcp_tfo_cookie(const struct tcp_secret *secret, const struct sl_ip *client, uint64_t epoch,
                    uint8_t out[TCP_TFO_COOKIE])
{
    struct tcp_secret own = secret_for(secret, FOR_TFO);
    struct {
        struct sl_ip client;
        uint64_t epoch;
    } input = {*client, epoch};
    uint64_t cookie = tcp_siphash(&own, &input, sizeof(input));

    memcpy(out, &cookie, TCP_TFO_COOKIE);
}

// ---- SYN cookies --------------------------------------------------------------------------------------------
// 32 bits: 5 of the minute, 3 of the MSS, 24 of the MAC. The MAC covers minute and MSS, so neither can be chosen.
static const uint16_t mss_table[8] = {88, 216, 536, 1220, 1300, 1440, 1460, 8960};

static uint32_t mac(const struct tcp_secret *secret, const struct tcp_tuple *tuple, uint32_t peer_isn,
                    uint64_t minute, unsigned mss)
{
    struct tcp_secret own = secret_for(secret, FOR_COOKIE);
    struct {
        uint8_t tuple[36]; // without the padding behind its ports, which is whatever the stack held
        uint32_t peer_isn;
        uint64_t minute;
        uint64_t mss;
    } input;

    memset(&input, 0, sizeof(input));
    memcpy(input.tuple, tuple, sizeof(input.tuple));
    input.peer_isn = peer_isn;
    input.minute = minute;
    input.mss = mss;
    return (uint32_t)tcp_siphash(&own, &input, sizeof(input)) & 0xffffff;
}

static unsigned mss_index(const struct tcp_options *syn)
{
    uint16_t mss = syn->present & TCP_OPTION_MSS ? syn->mss : 536;
    unsigned i = 7;

    while (i > 0 && mss_table[i] > mss)
        i--;
    return i;
}

// Bits 0-3 wscale (15: none), 4 SACK, 5 ECN. A TSval must not run ahead of the clock, or the next one would go back.
static uint32_t mark(uint32_t tsval, const struct tcp_options *syn, bool ecn)
{
    uint32_t bits = syn->present & TCP_OPTION_WSCALE ? syn->wscale : 15u;
    uint32_t marked;

    bits |= syn->present & TCP_OPTION_SACK_PERMITTED ? 16u : 0;
    bits |= ecn ? 32u : 0;
    marked = (tsval & ~63u) | bits;
    return (int32_t)(marked - tsval) > 0 ? marked - 64 : marked;
}

uint32_t tcp_cookie_make(const struct tcp_secret *secret, const struct tcp_tuple *tuple, uint32_t peer_isn,
                         const struct tcp_options *syn, bool ecn, uint64_t now_us, uint32_t *tsval)
{
    uint64_t minute = now_us / TCP_COOKIE_MINUTE_US;
    unsigned mss = mss_index(syn);

    if (syn->present & TCP_OPTION_TIMESTAMPS)
        *tsval = mark(*tsval, syn, ecn);
    return (uint32_t)(minute & 31) << 27 | mss << 24 | mac(secret, tuple, peer_isn, minute, mss);
}

bool tcp_cookie_check(const struct tcp_secret *secret, const struct tcp_tuple *tuple, uint32_t peer_isn,
                      uint32_t cookie, const struct tcp_options *options, uint64_t now_us,
                      struct tcp_cookie *out)
{
    uint64_t minute = now_us / TCP_COOKIE_MINUTE_US;
    uint32_t age = ((uint32_t)minute - (cookie >> 27)) & 31;
    unsigned mss = cookie >> 24 & 7;

    if (age > 1 || (cookie & 0xffffff) != mac(secret, tuple, peer_isn, minute - age, mss))
        return false;
    *out = (struct tcp_cookie){.mss = mss_table[mss], .wscale = 0xff};
    if (!(options->present & TCP_OPTION_TIMESTAMPS))
        return true;
    out->timestamps = true;
    out->sack = options->tsecr & 16;
    out->ecn = options->tsecr & 32;
    if ((options->tsecr & 15) != 15)
        out->wscale = (uint8_t)(options->tsecr & 15);
    return true;
}
