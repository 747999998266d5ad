// SPDX-License-Identifier: Apache-2.0
// What the kernel says of an interface that a port is about to use. System calls: housekeeping thread alone.
#ifndef PORT_KERNEL_H
#define PORT_KERNEL_H

#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"

// The interface is there, the process may use it with this driver: 0, or -errno with a sentence that says
// what to do.
int kernel_interface_check(const char *interface, struct sl_error *error);
// Capabilities that AF_XDP, packet sockets and taps need: 0, or -EPERM with the command that gives them.
int kernel_privilege_check(bool xdp, struct sl_error *error);
// Combined channels of an interface, 1 where it has none (veth).
uint16_t kernel_interface_queues(const char *interface);
// Brings the interface up (its addresses are the twin's, its link is ours).
int kernel_interface_up(const char *interface, struct sl_error *error);
// Takes an XDP program off that an earlier data plane left there when it was killed. -EBUSY with a sentence
// where the program is somebody else's.
int kernel_xdp_detach_own(const char *interface, struct sl_error *error);
// bpffs is mounted, so that the XDP program can share its maps with control.
int kernel_bpffs_check(struct sl_error *error);

// This process's AF_XDP sockets, a bit per file descriptor below KERNEL_FDS.
#define KERNEL_FDS 4096
struct kernel_sockets {
    uint64_t bit[KERNEL_FDS / 64];
};
void kernel_xdp_sockets(struct kernel_sockets *sockets);
// Closes those of `sockets` that still are AF_XDP sockets, and forgets them.
void kernel_xdp_sockets_close(struct kernel_sockets *sockets);
// True where the interface is up and has a carrier.
bool kernel_interface_running(const char *interface);
// Mbit/s, 0: not known.
uint32_t kernel_interface_speed(const char *interface);

#endif
