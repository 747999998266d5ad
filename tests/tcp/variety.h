// SPDX-License-Identifier: Apache-2.0
// What two ends may be set to, at random: options of ours, socket options and sysctls of the kernel's. Nothing here makes
// a connection fail; much of it makes one slow.
#ifndef TESTS_TCP_VARIETY_H
#define TESTS_TCP_VARIETY_H

#include <stdint.h>
#include "tcp/tcp.h"

// Draws every option anew; the MTU is left alone.
void variety_ours(uint64_t *chances, struct sl_tcp_options *options);
// Of a socket that is not connected, or was just accepted. True: its windows are of some bytes, and what goes there goes at
// the pace of timers.
bool variety_theirs(uint64_t *chances, int fd);
// Of this network namespace: timestamps, SACK, window scaling, ECN, cookies. Once, before there are connections: the kernel
// looks at them at each step of a handshake.
void variety_sysctls(uint64_t *chances, bool cookies); // cookies: perhaps always
// Sets one; the program ends where it cannot.
void variety_sysctl(const char *name, const char *value);

struct their_info { // of TCP_INFO, whose header does not go together with the endpoint's
    uint32_t state, unacked, rto_us, backoff, probes, mss, pmtu;
    bool synchronized, timestamps, sack, ecn;
    uint8_t snd_wscale, rcv_wscale;
};

void their_info_get(int fd, struct their_info *info); // zeros where there is no socket

#endif
