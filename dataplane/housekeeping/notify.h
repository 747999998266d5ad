// SPDX-License-Identifier: Apache-2.0
// The service manager's ear (sd_notify(3)): a datagram to the socket it named. Housekeeping thread alone.
#ifndef HOUSEKEEPING_NOTIFY_H
#define HOUSEKEEPING_NOTIFY_H

#include <stdint.h>

// Sends "READY=1", "WATCHDOG=1", "STATUS=..." or several with newlines between. Nothing where nobody listens.
void notify_send(const char *message);
// Microseconds between the watchdog messages the manager waits for; 0: it does not.
uint64_t notify_watchdog_us(void);

#endif
