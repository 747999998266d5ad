// SPDX-License-Identifier: Apache-2.0
// Host routes of announced addresses in a kernel table of their own, for a routing daemon to export. They are
// `blackhole` routes: they name no device that could vanish, and nothing in the host looks into that table unless the
// operator says so with `ip rule`. They carry a protocol number of their own, so that those an earlier sluiced left
// behind are known as ours, in whichever table. One sluiced a network namespace. Main thread.
#ifndef NETLINK_ANNOUNCE_ROUTES_H
#define NETLINK_ANNOUNCE_ROUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"
#include "base/ip.h"

#define ANNOUNCE_ROUTE_PROTOCOL 184 // rtm_protocol; 183 is the twins'

struct announce_routes;

struct announce_route { // a host route; whole and without padding: it is compared as bytes
    struct sl_ip ip;
    uint32_t table, metric;
};

// 0; -errno with a sentence.
int announce_routes_new(struct announce_routes **routes, struct sl_error *error);
void announce_routes_free(struct announce_routes *routes);    // NULL is harmless; routes stay in the kernel
int announce_routes_fd(const struct announce_routes *routes); // becomes readable when routes change
// To be called then. True where a change may concern routes of ours, or one was missed.
bool announce_routes_read(struct announce_routes *routes);
// Ours, as the kernel has them, sorted; to be freed. 0 or -errno.
int announce_routes_found(struct announce_routes *routes, struct announce_route **list, size_t *count);
// Adds what is missing, then takes away what is not wanted; what stands is not touched. `wanted` is sorted in place.
// -errno with a sentence where the kernel refused something; the rest was done.
int announce_routes_sync(struct announce_routes *routes, struct announce_route *wanted, size_t count,
                         struct sl_error *error);
int announce_route_compare(const void *a, const void *b);

#endif
