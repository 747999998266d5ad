// SPDX-License-Identifier: Apache-2.0
// IPv4 header parser (RFC 791, RFC 1812 section 5.2.2). Called by parse for every packet and for quoted
// headers. Pure; any thread.
#ifndef SL_WIRE_IPV4_H
#define SL_WIRE_IPV4_H

#include "wire/checksum.h"
#include "wire/headers.h"
#include "wire/ip_view.h"

// Reads the header at `bytes`. `have_bytes`: how many may be touched there (the first segment).
// `whole_bytes`: how many the frame holds from there on; more than the total length is link-layer padding.
// Checks everything including the header checksum and the options.
enum sl_wire_verdict sl_ipv4_view(const void *bytes, size_t have_bytes, size_t whole_bytes,
                                  struct sl_ip_view *view);
// The same for a header quoted in an ICMP error: the packet behind it was cut off, its checksum and TTL may
// have been changed on the way, so neither total length against `have_bytes` nor checksum is held against it.
enum sl_wire_verdict sl_ipv4_view_quoted(const void *bytes, size_t have_bytes, struct sl_ip_view *view);
// Checks the options of a header of `header_bytes` (24-60): each inside the header, none a source route.
enum sl_wire_verdict sl_ipv4_check_options(const void *bytes, size_t header_bytes);

#endif
