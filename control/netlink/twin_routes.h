// SPDX-License-Identifier: Apache-2.0
// Routes of the config in the kernel, over the twins. Called by twins.c alone.
#ifndef NETLINK_TWIN_ROUTES_H
#define NETLINK_TWIN_ROUTES_H

#include <netlink/netlink.h>
#include "apply/snapshot.h"

// Makes the kernel's routes of our protocol those of the config and its files, as far as they leave by twins that
// exist (`ifindex` by slot, 0: none). More than TWIN_ROUTES_MOST: none at all. 0 or -errno with a sentence.
int twin_routes_sync(struct nl_sock *socket, const struct snapshot *snapshot,
                     const uint32_t ifindex[SL_MAX_PORTS], struct sl_error *error);

#endif
