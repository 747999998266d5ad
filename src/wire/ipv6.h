// SPDX-License-Identifier: Apache-2.0
// IPv6 header parser with its extension headers (RFC 8200 section 4). Called by parse for every packet and
// for quoted headers. Pure; any thread.
#ifndef SL_WIRE_IPV6_H
#define SL_WIRE_IPV6_H

#include "wire/headers.h"
#include "wire/ip_view.h"

#define SL_IPV6_EXTENSIONS_MAX 8 // more than any sane sender uses; bounds the walk

// Reads the header at `bytes` and walks hop-by-hop options, routing, fragment and destination options
// headers. What stands behind them (also AH, ESP, "no next header", and whatever follows a later fragment's
// header) is the view's proto. `have_bytes`, `whole_bytes` as in sl_ipv4_view.
enum sl_wire_verdict sl_ipv6_view(const void *bytes, size_t have_bytes, size_t whole_bytes,
                                  struct sl_ip_view *view);
// The same for a header quoted in an ICMPv6 error: the packet behind it may have been cut off.
enum sl_wire_verdict sl_ipv6_view_quoted(const void *bytes, size_t have_bytes, struct sl_ip_view *view);

#endif
