// SPDX-License-Identifier: Apache-2.0
// From open ports to traffic that finds its way: links up, own addresses known, gateways asked. Main thread.
#ifndef PKTGEN_STATION_H
#define PKTGEN_STATION_H

#include "options.h"

// Waits for the ports' links, fills `self` (an entry a port) and the Ethernet addresses of the plan's streams. 0, or
// -errno with a sentence.
int station_open(struct session *session, const struct options *options, struct plan *plan,
                 struct neighbor_self *self, struct sl_error *error);

#endif
