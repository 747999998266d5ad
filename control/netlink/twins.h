// SPDX-License-Identifier: Apache-2.0
// Kernel twins over netlink: taps that sluice-dp makes, one a port, named as it. Control gives them the port's
// addresses, MTU and state, and the kernel the routes it needs to answer beyond its links. What was put there carries
// our protocol number, so it can be told from the operator's own and taken away again. Main thread of sluiced.
#ifndef NETLINK_TWINS_H
#define NETLINK_TWINS_H

#include <stdbool.h>
#include "apply/snapshot.h"

#define TWIN_ROUTE_PROTOCOL                                                                                  \
    183 // of routes and addresses we put into the kernel (rtm_protocol; 128-255 are free)
#define TWIN_ROUTE_METRIC 4242 // behind any route of the operator's
#define TWIN_ROUTES_MOST  1000 // config routes beyond this stay out of the kernel

struct twins;

typedef void (*twins_changed_fn)(void *context); // a link came, went or changed: twins_sync() again

// 0; -errno with a sentence (-EPERM: not allowed to configure links).
int twins_new(twins_changed_fn changed, void *context, struct twins **twins, struct sl_error *error);
void twins_free(struct twins *twins);    // NULL is harmless; the kernel keeps what it was given
int twins_fd(const struct twins *twins); // becomes readable when links change
void twins_read(struct twins *twins);    // to be called then

// Makes the kernel's side of every twin that exists what the snapshot says; idempotent. Twins that do not exist yet are
// left out until they come. -errno with a sentence where the kernel refused something (the rest was done).
int twins_sync(struct twins *twins, const struct snapshot *snapshot, struct sl_error *error);

struct twin_state {
    bool exists, up;
    uint32_t ifindex;
};
struct twin_state twins_look(const char *name); // works without rights

#endif
