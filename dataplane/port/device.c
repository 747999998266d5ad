// SPDX-License-Identifier: Apache-2.0
// Opening a port's device: questions to the kernel first, then DPDK's hot-plug, queues, start. Called by
// port/ports.c on the housekeeping thread.
#include "port/device.h"
#include <errno.h>
#include <string.h>
#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include "port/kernel.h"
#include "port/memif.h"

#define RX_DESCRIPTORS 2048
#define TX_DESCRIPTORS 2048

static bool driver_wants_interface(enum port_driver driver)
{
    return driver == PORT_AF_XDP || driver == PORT_AF_PACKET;
}

static int kernel_prepare(const struct device_context *context, const struct port_spec *spec,
                          struct sl_error *error)
{
    bool xdp = spec->driver == PORT_AF_XDP;
    int rc = 0;
    if (xdp || spec->driver == PORT_AF_PACKET || spec->driver == PORT_TAP)
        rc = kernel_privilege_check(xdp, error);
    if (rc == 0 && driver_wants_interface(spec->driver))
        rc = kernel_interface_check(spec->interface, error);
    if (rc == 0 && driver_wants_interface(spec->driver))
        rc = kernel_interface_up(spec->interface, error);
    if (rc == 0 && xdp && context->xdp_prog)
        rc = kernel_bpffs_check(error);
    if (rc == 0 && xdp)
        rc = kernel_xdp_detach_own(spec->interface, error);
    if (rc == 0 && spec->driver == PORT_MEMIF)
        rc = memif_socket_prepare(spec->socket, spec->server, error);
    return rc;
}

static uint16_t queues_wanted(const struct device_context *context, const struct sl_port *port)
{
    return port->queues ? port->queues : (uint16_t)context->worker_count;
}

// AF_XDP must be told how many of the interface's queues are its own: all of them, or what arrives on the
// others passes it by.
static int spec_read(const struct device_context *context, const struct sl_port *port, uint16_t slot,
                     struct port_spec *spec, struct sl_error *error)
{
    struct port_wish wish = {
        .device = port->device,
        .slot = slot,
        .queues = queues_wanted(context, port),
        .xdp_prog = context->xdp_prog,
    };
    int rc = port_spec_parse(&wish, spec, error);
    if (rc != 0 || spec->driver != PORT_AF_XDP)
        return rc;
    wish.queues = kernel_interface_queues(spec->interface);
    return port_spec_parse(&wish, spec, error);
}

// Of DPDK's driver interface, whose headers Debian does not install; weak, so that a DPDK without them still links.
extern __attribute__((weak)) struct rte_eth_dev *rte_eth_dev_allocated(const char *name);
extern __attribute__((weak)) int rte_eth_dev_release_port(struct rte_eth_dev *device);

// A driver that fails after it took a port of DPDK's leaves it taken (net_memif does), half made and so out of reach
// of rte_eth_dev_close(): the name could never be used again. What the driver hung on it is lost.
static void device_forget(const struct port_spec *spec)
{
    struct rte_eth_dev *left = rte_eth_dev_allocated ? rte_eth_dev_allocated(spec->name) : NULL;
    if (left && rte_eth_dev_release_port)
        rte_eth_dev_release_port(left);
}

static int device_probe(struct device *device, struct sl_error *error)
{
    const struct port_spec *spec = &device->spec;
    int rc = rte_eal_hotplug_add(spec->bus, spec->name, spec->args);
    if (rc != 0) {
        device_forget(spec);
        return sl_error_set(
            error, rc, "the %s driver refused it (%s)%s", port_driver_name(spec->driver), strerror(-rc),
            spec->driver == PORT_PCI ? "; bind the device with 'dpdk-devbind.py -b vfio-pci'" : "");
    }
    rc = rte_eth_dev_get_port_by_name(spec->name, &device->id);
    if (rc != 0) {
        rte_eal_hotplug_remove(spec->bus, spec->name);
        sl_error_set(error, rc, "the %s driver made no device of it", port_driver_name(spec->driver));
    }
    return rc;
}

static void rss_choose(const struct rte_eth_dev_info *info, uint16_t queues, struct rte_eth_conf *conf)
{
    uint64_t hash = info->flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP);
    if (queues < 2 || hash == 0)
        return;
    conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf->rx_adv_conf.rss_conf.rss_hf = hash;
}

static int queues_set_up(const struct device_context *context, struct device *device,
                         const struct rte_eth_dev_info *info)
{
    uint16_t rx_descriptors = RX_DESCRIPTORS, tx_descriptors = TX_DESCRIPTORS;
    int socket = rte_eth_dev_socket_id(device->id);
    int rc = rte_eth_dev_adjust_nb_rx_tx_desc(device->id, &rx_descriptors, &tx_descriptors);
    for (uint16_t q = 0; rc == 0 && q < device->rx_queues; q++)
        rc = rte_eth_rx_queue_setup(device->id, q, rx_descriptors, (unsigned)socket, NULL, context->pool);
    for (uint16_t q = 0; rc == 0 && q < device->tx_queues; q++)
        rc = rte_eth_tx_queue_setup(device->id, q, tx_descriptors, (unsigned)socket, NULL);
    return rc;
}

// Rx and tx queues are as many as each other: some drivers pair them, and the map wants one owner for both.
static int device_configure(const struct device_context *context, const struct sl_port *port,
                            struct device *device, struct sl_error *error)
{
    struct rte_eth_dev_info info;
    struct rte_eth_conf conf = {0};
    int rc = rte_eth_dev_info_get(device->id, &info);
    if (rc != 0)
        return sl_error_set(error, rc, "the device tells nothing of itself (%s)", strerror(-rc));
    uint16_t queues = queues_wanted(context, port);
    if (device->spec.driver == PORT_AF_XDP)
        queues = info.max_rx_queues;
    queues = RTE_MIN(queues, info.max_rx_queues);
    queues = RTE_MIN(queues, info.max_tx_queues);
    device->rx_queues = device->tx_queues = RTE_MAX(queues, 1);
    conf.txmode.offloads = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
    rss_choose(&info, queues, &conf);
    rc = rte_eth_dev_configure(device->id, device->rx_queues, device->tx_queues, &conf);
    if (rc == 0)
        rc = queues_set_up(context, device, &info);
    if (rc != 0)
        sl_error_set(error, rc, "its %u queues could not be set up (%s)", device->rx_queues, strerror(-rc));
    return rc;
}

// The configured address where there is one; a device that cannot take it listens to all and filters in
// parse.
static int mac_set(struct device *device, const uint8_t wanted[6], struct sl_error *error)
{
    static const uint8_t none[6];
    struct rte_ether_addr address;
    int rc = rte_eth_macaddr_get(device->id, &address);
    if (rc == 0 && memcmp(wanted, none, 6) != 0 && memcmp(wanted, &address, 6) != 0) {
        memcpy(&address, wanted, 6);
        if (rte_eth_dev_default_mac_addr_set(device->id, &address) != 0)
            rc = rte_eth_promiscuous_enable(device->id);
    }
    if (rc != 0)
        return sl_error_set(error, rc, "its MAC could not be set (%s)", strerror(-rc));
    memcpy(device->mac, &address, 6);
    return 0;
}

int device_mtu_set(struct device *device, uint16_t mtu, struct sl_error *error)
{
    uint16_t now;
    int rc = rte_eth_dev_get_mtu(device->id, &now);
    if (rc == 0 && now == mtu)
        return 0;
    rc = rte_eth_dev_set_mtu(device->id, mtu);
    if (rc == -ENOTSUP) // a device without a notion of it carries what it is given
        return 0;
    if (rc != 0)
        return sl_error_set(error, rc, "it does not take an MTU of %u (%s)", mtu, strerror(-rc));
    return 0;
}

static int device_start(const struct sl_port *port, struct device *device, struct sl_error *error)
{
    int rc = device_mtu_set(device, port->mtu, error);
    if (rc == 0)
        rc = mac_set(device, port->mac, error);
    if (rc != 0)
        return rc;
    rc = rte_eth_dev_start(device->id);
    if (rc != 0)
        return sl_error_set(error, rc, "it does not start (%s)", strerror(-rc));
    rte_eth_allmulticast_enable(
        device->id); // neighbor discovery is multicast; who cannot choose gets it anyway
    return 0;
}

static int device_bring_up(const struct device_context *context, const struct sl_port *port,
                           struct device *device, struct sl_error *error)
{
    int rc = device_probe(device, error);
    if (rc != 0)
        return rc;
    rc = device_configure(context, port, device, error);
    if (rc == 0)
        rc = device_start(port, device, error);
    if (rc != 0)
        device_close(device);
    return rc;
}

// The af_xdp driver of DPDK 22.11 forgets sockets when a device is closed or fails to open, and the queue stays taken
// in the kernel (bind: EBUSY) until the process ends. So we know which sockets came with a device and close what is
// left of them. Housekeeping alone opens files while the process runs.
static void sockets_since(const struct kernel_sockets *before, struct device *device)
{
    kernel_xdp_sockets(&device->sockets);
    for (size_t i = 0; i < RTE_DIM(before->bit); i++)
        device->sockets.bit[i] &= ~before->bit[i];
}

static int device_bring_up_af_xdp(const struct device_context *context, const struct sl_port *port,
                                  struct device *device, struct sl_error *error)
{
    struct kernel_sockets before;
    kernel_xdp_sockets(&before);
    int rc = device_bring_up(context, port, device, error);
    sockets_since(&before, device);
    if (rc != 0)
        kernel_xdp_sockets_close(&device->sockets);
    return rc;
}

int device_open(const struct device_context *context, const struct sl_port *port, uint16_t slot,
                struct device *device, struct sl_error *error)
{
    struct sl_error why = {0};
    *device = (struct device){0};
    int rc = spec_read(context, port, slot, &device->spec, &why);
    if (rc == 0)
        rc = kernel_prepare(context, &device->spec, &why);
    if (rc == 0 && device->spec.driver == PORT_AF_XDP)
        rc = device_bring_up_af_xdp(context, port, device, &why);
    else if (rc == 0)
        rc = device_bring_up(context, port, device, &why);
    if (rc != 0)
        return sl_error_set(error, rc, "port %s, %s: %s", port->name, port->device, why.text);
    device->xdp_prefilter = device->spec.driver == PORT_AF_XDP && context->xdp_prog;
    return 0;
}

// The drivers over kernel interfaces say once that the link is up and never look again.
struct device_link device_link_look(const struct device *device)
{
    struct rte_eth_link link = {0};
    if (driver_wants_interface(device->spec.driver))
        return (struct device_link){
            .up = kernel_interface_running(device->spec.interface),
            .speed_mbps = kernel_interface_speed(device->spec.interface),
        };
    if (rte_eth_link_get_nowait(device->id, &link) != 0)
        return (struct device_link){0};
    return (struct device_link){
        .up = link.link_status,
        .speed_mbps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed,
    };
}

void device_close(struct device *device)
{
    rte_eth_dev_stop(device->id);
    rte_eth_dev_close(device->id);
    rte_eal_hotplug_remove(device->spec.bus, device->spec.name);
    kernel_xdp_sockets_close(&device->sockets);
}
