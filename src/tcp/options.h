// SPDX-License-Identifier: Apache-2.0
// TCP options, read and written: MSS, window scale, SACK permitted, SACK blocks, timestamps, Fast Open cookies
// (RFC 9293 section 3.2, RFC 7323, RFC 2018, RFC 7413). An unknown kind is stepped over; a length that lies
// ends the reading, and what stood before it counts (as Linux does; RFC 9293 MUST-6, MUST-7). Options that may
// only stand on a SYN are ignored elsewhere (`on_syn`). All numbers in host byte order. Pure; any thread.
#ifndef TCP_OPTIONS_H
#define TCP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TCP_OPTIONS_MAX 40u // bytes behind the 20 of the header
#define TCP_SACKS_MAX   4u
#define TCP_WSCALE_MAX  14u // RFC 7323 section 2.3
#define TCP_TFO_MAX     16u // bytes of a Fast Open cookie

enum tcp_option_flag {
    TCP_OPTION_MSS = 1 << 0,
    TCP_OPTION_WSCALE = 1 << 1,
    TCP_OPTION_SACK_PERMITTED = 1 << 2,
    TCP_OPTION_TIMESTAMPS = 1 << 3,
    TCP_OPTION_SACK = 1 << 4,
    TCP_OPTION_TFO = 1 << 5, // an option of 0 bytes asks for a cookie
};

struct tcp_sack {
    uint32_t start; // first byte
    uint32_t end;   // behind the last
};

struct tcp_options {
    uint8_t present; // enum tcp_option_flag
    uint8_t wscale;  // shift, at most TCP_WSCALE_MAX
    uint16_t mss;    // bytes
    uint32_t tsval, tsecr;
    uint8_t n_sacks;
    uint8_t tfo_len; // bytes
    uint8_t tfo[TCP_TFO_MAX];
    struct tcp_sack sacks[TCP_SACKS_MAX];
};

// Reads `len_bytes` of options. Never fails; out->present tells what was there. A window scale over 14 counts as 14
// (RFC 7323 section 2.3), an MSS of 0 as absent, a second option of a kind replaces the first.
// The commonest layout, NOP NOP timestamps alone, takes a short way.
void tcp_options_read(struct tcp_options *out, const uint8_t *at, size_t len_bytes, bool on_syn);
// Writes those that `present` names, in the order Linux does, so that nobody tells us by it: on a SYN MSS, SACK
// permitted, timestamps, NOP, window scale; elsewhere NOP NOP timestamps, NOP NOP SACK. Padded to words with NOP.
// Returns the bytes written, a multiple of 4 and at most TCP_OPTIONS_MAX; SACK blocks that find no room are left out.
unsigned tcp_options_write(uint8_t at[TCP_OPTIONS_MAX], const struct tcp_options *options);

#endif
