// SPDX-License-Identifier: Apache-2.0
// What routers do to whole IP packets, beyond what tools/impair does: mark congestion, and refuse what is too large.
#ifndef TESTS_TCP_HARM_H
#define TESTS_TCP_HARM_H

#include <stdbool.h>
#include <stdint.h>

#define HARM_ICMP_MAX 128u // bytes

// Marks the packet CE where it says it is ECN-capable (RFC 3168 section 5). False: it is not.
bool harm_mark(uint8_t *packet);
// The ICMP error (RFC 792, RFC 1191, RFC 4443 section 3.2) about a packet too large for `mtu`, as from its destination:
// written to `to`. Returns its bytes.
uint32_t harm_too_big(const uint8_t *packet, uint16_t mtu, uint8_t to[HARM_ICMP_MAX]);

#endif
