// SPDX-License-Identifier: Apache-2.0
// From the config's `device:` to what DPDK calls it. Pure; any thread.
//
//     af_xdp:IFACE                     kernel interface through AF_XDP, with the XDP program
//     af_packet:IFACE                  kernel interface through a packet socket: any kernel, slower
//     tap:IFACE                        makes a tap interface
//     pci:ADDRESS                      PCI device bound to vfio
//     memif:SOCKET[,role=server|client]  shared memory to another process
//     pcap:IN,OUT                      reads one capture file, writes another
//     null:[size=BYTES]                receives frames of zeros, sends to nowhere
//     ring:NAME                        sends to itself, for tests
#ifndef PORT_SPEC_H
#define PORT_SPEC_H

#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"

enum port_driver {
    PORT_AF_XDP,
    PORT_AF_PACKET,
    PORT_TAP,
    PORT_PCI,
    PORT_MEMIF,
    PORT_PCAP,
    PORT_NULL,
    PORT_RING,
    PORT_DRIVERS
};

struct port_spec {
    enum port_driver driver;
    char bus[8];        // "vdev" or "pci"
    char name[32];      // DPDK device name: "net_af_xdp3", or the PCI address
    char interface[16]; // of the kernel; "" where the driver has none
    char socket[108];   // of a memif port, as long as a Unix socket's path may be; "" where there is none
    bool server;        // who makes the socket
    char args[512];     // driver arguments
};

struct port_wish { // what the port is to be
    const char *device;
    uint16_t slot;        // makes the DPDK name unique
    uint16_t queues;      // wanted
    const char *xdp_prog; // file of the XDP program; NULL: the driver's own
};

// Reads `device`; 0, or -EINVAL with a sentence that names what is wrong and shows the form.
int port_spec_parse(const struct port_wish *wish, struct port_spec *spec, struct sl_error *error);
const char *port_driver_name(enum port_driver driver);

#endif
