// SPDX-License-Identifier: Apache-2.0
// A DPDK device as a port uses it: opened, configured, started; stopped and given back. Housekeeping thread
// alone.
#ifndef PORT_DEVICE_H
#define PORT_DEVICE_H

#include <rte_mempool.h>
#include "port/kernel.h"
#include "port/spec.h"
#include "shm/layout.h"

struct device_context {       // what every device of the process shares
    struct rte_mempool *pool; // one for all ports: with AF_XDP it is the UMEM, so frames cross ports uncopied
    uint32_t worker_count;
    const char *xdp_prog; // NULL: AF_XDP ports use the driver's own program
};

struct device {
    struct port_spec spec;
    uint16_t id; // DPDK port id
    uint16_t rx_queues, tx_queues;
    uint8_t mac[6]; // in use
    bool xdp_prefilter;
    struct kernel_sockets sockets; // AF_XDP: its own
};

// Opens and starts the device of `port` (slot `slot`). 0, or -errno with a sentence that names port, device,
// what failed and how to mend it; nothing is left open then.
int device_open(const struct device_context *context, const struct sl_port *port, uint16_t slot,
                struct device *device, struct sl_error *error);
// Stops and removes it. No worker may poll it any more.
void device_close(struct device *device);
// 0, or -errno with a sentence. The device is running.
int device_mtu_set(struct device *device, uint16_t mtu, struct sl_error *error);

// The state of its link now: of a device over a kernel interface, the interface's.
struct device_link {
    bool up;
    uint32_t speed_mbps; // 0: not known
};
struct device_link device_link_look(const struct device *device);

#endif
