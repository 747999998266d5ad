// SPDX-License-Identifier: Apache-2.0
// Words to systemd (sd_notify(3)'s protocol: a datagram to $NOTIFY_SOCKET). Main thread.
#ifndef CONTROL_NOTIFY_H
#define CONTROL_NOTIFY_H

#include <stdint.h>

// Sends "READY=1", "WATCHDOG=1", "STATUS=..." and the like. Harmless where nobody listens.
void notify_send(const char *state);
// How often the watchdog wants to hear from us, in ms: half of $WATCHDOG_USEC; 0: not at all.
uint32_t notify_watchdog_every_ms(void);

#endif
