// SPDX-License-Identifier: Apache-2.0
// Kernel twins: see twin.c. Housekeeping thread alone.
#ifndef HOUSEKEEPING_TWIN_H
#define HOUSEKEEPING_TWIN_H

#include "base/error.h"
#include "housekeeping/house.h"

// Makes the twin of a port, or takes up the one an earlier data plane left, and brings it up. The tap's file
// descriptor, non-blocking; or -errno with a sentence.
int twin_open(const struct sl_port *port, const uint8_t mac[6], struct sl_error *error);
// Gives the twin the port's MAC and MTU. 0, or -errno with a sentence.
int twin_adjust(const struct sl_port *port, const uint8_t mac[6], struct sl_error *error);
// Removes the interface: the port is gone from the config.
void twin_remove(int fd);
// Frames of the host, at most 64, sent out of the port as they are. How many.
uint32_t twin_read(struct house *house, uint16_t port);

#endif
