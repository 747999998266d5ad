// SPDX-License-Identifier: Apache-2.0
// What strangers must not guess: initial sequence numbers (RFC 6528), offsets of timestamps (RFC 7323 section 5.4),
// SYN cookies (RFC 4987 section 3.6; options in the timestamp) and Fast Open cookies (RFC 7413 section 4.1.2), all of
// SipHash-2-4 (Aumasson and Bernstein, 2012) under a key that the process draws once. Pure; any thread.
#ifndef TCP_SECRET_H
#define TCP_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/ip.h"
#include "tcp/options.h"

struct tcp_secret {
    uint64_t k[2];
};

struct tcp_tuple { // seen from us; hash input as it stands
    struct sl_ip local, remote;
    sl_be16 local_port, remote_port;
};

uint64_t tcp_siphash(const struct tcp_secret *secret, const void *bytes, size_t len_bytes);
// RFC 6528: M + F(tuple, key), M one step per 4 us (RFC 9293 section 3.4.1).
uint32_t tcp_isn(const struct tcp_secret *secret, const struct tcp_tuple *tuple, uint64_t now_us);
// Added to the clock of milliseconds for TSval; the same for a tuple as long as the key is, so that a port used again
// goes on counting (RFC 7323 section 5.4, RFC 6191). Depends on the two addresses alone.
uint32_t tcp_timestamp_offset(const struct tcp_secret *secret, const struct tcp_tuple *tuple);

// ---- SYN cookies ------------------------------------------------------------------------------------------
// The sequence number of a SYN-ACK that no state stands behind: counter of minutes, index into a table of MSS values,
// MAC over tuple, the SYN's sequence number, counter. Good for 2 minutes at most.
#define TCP_COOKIE_MINUTE_US 60000000ull

struct tcp_cookie {
    uint16_t mss;   // bytes: the largest of the table that is not over the peer's
    uint8_t wscale; // shift of the peer; 0xff: he does not scale
    bool sack, timestamps, ecn;
};

// tsval: IN the plain TSval that would be sent, OUT the same with its lowest 6 bits carrying sack, ecn and wscale (never
// later than the plain one: lowered by 64 where need be). Untouched where the SYN had no timestamps; then wscale, sack and
// ecn are lost (RFC 7323: no scaling without, as the cookie has no room), and the SYN-ACK must not offer them.
uint32_t tcp_cookie_make(const struct tcp_secret *secret, const struct tcp_tuple *tuple, uint32_t peer_isn,
                         const struct tcp_options *syn, bool ecn, uint64_t now_us, uint32_t *tsval);
// The ACK that came back: ack - 1 is the cookie, seq - 1 the peer's ISN, options->tsecr what tsval was. False: not one of
// ours or too old.
bool tcp_cookie_check(const struct tcp_secret *secret, const struct tcp_tuple *tuple, uint32_t peer_isn,
                      uint32_t cookie, const struct tcp_options *options, uint64_t now_us,
                      struct tcp_cookie *out);

#define TCP_TFO_COOKIE 8u // bytes

// RFC 7413 section 4.1.2: for a client's address alone, whichever of ours it asks; good as long as the epoch counts.
void tcp_tfo_cookie(const struct tcp_secret *secret, const struct sl_ip *client, uint64_t epoch,
                    uint8_t out[TCP_TFO_COOKIE]);

#endif
