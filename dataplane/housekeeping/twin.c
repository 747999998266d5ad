// SPDX-License-Identifier: Apache-2.0
// Kernel twins: a tap of a port's name and MAC over which the kernel of the gateway host speaks to the port's
// network. Persistent, so that its addresses, routes and open connections outlive a data plane that is
// killed: the next one takes the same interface up again. Housekeeping thread alone.
#include "housekeeping/twin.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <linux/if.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include "route/fragment.h"

#define TWIN_BURST    64           // frames read from one twin before the others have their turn
#define TWIN_SEGMENTS FRAGMENT_MAX // of a frame: a datagram that was put together is a chain of its fragments

static int interface_set(const char *name, unsigned long request, struct ifreq *ifr)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    memcpy(ifr->ifr_name, name, sizeof(ifr->ifr_name));
    int rc = ioctl(fd, request, ifr) < 0 ? -errno : 0;
    close(fd);
    return rc;
}

static int mac_set(const struct sl_port *port, const uint8_t mac[6])
{
    struct ifreq ifr = {.ifr_hwaddr.sa_family = ARPHRD_ETHER};
    memcpy(ifr.ifr_hwaddr.sa_data, mac, 6);
    return interface_set(port->name, SIOCSIFHWADDR, &ifr);
}

static int mtu_set(const struct sl_port *port)
{
    struct ifreq ifr = {.ifr_mtu = port->mtu};
    return interface_set(port->name, SIOCSIFMTU, &ifr);
}

static int bring_up(const struct sl_port *port)
{
    struct ifreq ifr = {0};
    int rc = interface_set(port->name, SIOCGIFFLAGS, &ifr);
    if (rc != 0)
        return rc;
    ifr.ifr_flags |= IFF_UP;
    return interface_set(port->name, SIOCSIFFLAGS, &ifr);
}

static int attach(int fd, const struct sl_port *port, struct sl_error *error)
{
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    memcpy(ifr.ifr_name, port->name, sizeof(ifr.ifr_name));
    if (ioctl(fd, TUNSETIFF, &ifr) == 0)
        return 0;
    if (errno == EINVAL)
        return sl_error_set(
            error, -EEXIST,
            "kernel twin of port %s: an interface of that name exists and is no tap; rename the "
            "port or the interface",
            port->name);
    if (errno == EBUSY)
        return sl_error_set(error, -EBUSY,
                            "kernel twin of port %s: another process holds the tap of that name", port->name);
    return sl_error_set(error, -errno, "kernel twin of port %s: %s; it needs CAP_NET_ADMIN", port->name,
                        strerror(errno));
}

int twin_open(const struct sl_port *port, const uint8_t mac[6], struct sl_error *error)
{
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return sl_error_set(
            error, -errno,
            "kernel twin of port %s: /dev/net/tun: %s; load it with 'modprobe tun', run as root", port->name,
            strerror(errno));
    int rc = attach(fd, port, error);
    if (rc == 0 && ioctl(fd, TUNSETPERSIST, 1) != 0)
        rc = sl_error_set(error, -errno, "kernel twin of port %s: cannot persist: %s", port->name,
                          strerror(errno));
    if (rc == 0)
        rc = twin_adjust(port, mac, error);
    if (rc == 0 && (rc = bring_up(port)) != 0)
        sl_error_set(error, rc, "kernel twin of port %s: cannot be brought up: %s", port->name,
                     strerror(-rc));
    if (rc != 0) {
        close(fd);
        return rc;
    }
    return fd;
}

int twin_adjust(const struct sl_port *port, const uint8_t mac[6], struct sl_error *error)
{
    int rc = mac_set(port, mac);
    if (rc == 0)
        rc = mtu_set(port);
    if (rc != 0)
        sl_error_set(error, rc, "kernel twin of port %s: MAC or MTU cannot be set: %s", port->name,
                     strerror(-rc));
    return rc;
}

void twin_remove(int fd)
{
    ioctl(fd, TUNSETPERSIST, 0);
    close(fd);
}

void twin_write(struct house *house, struct rte_mbuf *m)
{
    uint16_t port = handover_of(m)->port_in;
    int fd = port < SL_MAX_PORTS ? house->twin[port] : -1;
    struct iovec segment[TWIN_SEGMENTS];
    if (fd < 0) {
        house_drop(house, m, SL_DROP_no_twin);
        return;
    }
    if (m->nb_segs > TWIN_SEGMENTS) {
        house_drop(house, m, SL_DROP_no_memory);
        return;
    }
    int count = 0;
    for (const struct rte_mbuf *s = m; s; s = s->next)
        segment[count++] = (struct iovec){.iov_base = rte_pktmbuf_mtod(s, void *), .iov_len = s->data_len};
    ssize_t written = writev(fd, segment, count);
    if (written < 0)
        house_drop(house, m, SL_DROP_twin_queue_full);
    else
        rte_pktmbuf_free(m);
}

// One frame from the kernel, NULL where there is none.
static struct rte_mbuf *twin_read_one(struct house *house, int fd)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(house->pool);
    if (!m)
        return NULL;
    ssize_t length = read(fd, rte_pktmbuf_mtod(m, void *), rte_pktmbuf_tailroom(m));
    if (length < ETH_HLEN) {
        rte_pktmbuf_free(m);
        return NULL;
    }
    rte_pktmbuf_append(m, (uint16_t)length);
    return m;
}

uint32_t twin_read(struct house *house, uint16_t port)
{
    uint32_t count = 0;
    while (count < TWIN_BURST) {
        struct rte_mbuf *m = twin_read_one(house, house->twin[port]);
        if (!m)
            break;
        count++;
        house_tx(house, port, m);
    }
    house->counters->counter[SL_COUNTER_twin_tx] += count;
    return count;
}
