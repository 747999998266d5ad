// SPDX-License-Identifier: Apache-2.0
// The interfaces of AF_XDP ports, in the network namespace where the data plane runs: there, up, offloads, queues, MTU.
// One thread, which comes back to its own namespace.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "config/text.h"
#include "doctor.h"
#include "show.h"

struct link {
    struct doctor *doctor;
    int fd;
    const char *port, *name;
};

static int link_ioctl(const struct link *link, unsigned long request, struct ifreq *ask)
{
    snprintf(ask->ifr_name, sizeof(ask->ifr_name), "%s", link->name);
    return ioctl(link->fd, request, ask) < 0 ? -errno : 0;
}

static int link_ethtool(const struct link *link, void *command)
{
    struct ifreq ask = {.ifr_data = command};

    return link_ioctl(link, SIOCETHTOOL, &ask);
}

static void check_up(const struct link *link)
{
    struct ifreq ask = {0};
    char mend[64];

    snprintf(mend, sizeof(mend), "ip link set %s up", link->name);
    if (link_ioctl(link, SIOCGIFFLAGS, &ask) == 0 && !(ask.ifr_flags & IFF_UP))
        doctor_find(link->doctor, DOCTOR_BAD, link->port, mend, "%s is down", link->name);
    else if (!(ask.ifr_flags & IFF_RUNNING))
        doctor_find(link->doctor, DOCTOR_BAD, link->port,
                    "look at the cable, or at the other end of the veth", "%s is up but has no carrier",
                    link->name);
}

static void check_mtu(const struct link *link, uint64_t mtu)
{
    struct ifreq ask = {0};
    char mend[64];

    snprintf(mend, sizeof(mend), "ip link set %s mtu %" PRIu64, link->name, mtu);
    if (link_ioctl(link, SIOCGIFMTU, &ask) == 0 && (uint64_t)ask.ifr_mtu < mtu)
        doctor_find(link->doctor, DOCTOR_BAD, link->port, mend,
                    "%s has an MTU of %d, the port one of %" PRIu64 ": large packets are lost", link->name,
                    ask.ifr_mtu, mtu);
}

// A veth hands packets over as its peer's kernel left them: unfinished checksums and giant segments, where those
// offloads are on. Both ends are told of, as the other may be in a namespace we do not see.
static void check_veth_offloads(const struct link *link)
{
    static const struct {
        uint32_t command;
        const char *name;
    } offloads[] = {{ETHTOOL_GTXCSUM, "tx"}, {ETHTOOL_GTSO, "tso"}, {ETHTOOL_GGSO, "gso"}};
    char on[32] = "", mend[160];

    for (unsigned i = 0; i < sizeof(offloads) / sizeof(offloads[0]); i++) {
        struct ethtool_value value = {.cmd = offloads[i].command};

        if (link_ethtool(link, &value) == 0 && value.data)
            snprintf(on + strlen(on), sizeof(on) - strlen(on), " %s", offloads[i].name);
    }
    snprintf(mend, sizeof(mend), "ethtool -K %s tx off tso off gso off; the same on its peer", link->name);
    if (on[0])
        doctor_find(link->doctor, DOCTOR_HINT, link->port, mend,
                    "veth %s has offloads on (%s): its packets have unfinished checksums", link->name,
                    on + 1);
}

static void check_veth_queues(const struct link *link)
{
    struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
    char mend[96];

    snprintf(mend, sizeof(mend), "ethtool -L %s rx 1 tx 1", link->name);
    if (link_ethtool(link, &channels) == 0 && channels.rx_count > 1)
        doctor_find(
            link->doctor, DOCTOR_BAD, link->port, mend,
            "veth %s has %u receive queues, of which one is read: packets on the others pass the gateway by",
            link->name, channels.rx_count);
}

static void check_link(struct doctor *doctor, int fd, const json_t *port, const char *interface)
{
    struct link link = {doctor, fd, get_text(port, "port"), interface};
    struct ethtool_drvinfo driver = {.cmd = ETHTOOL_GDRVINFO};
    size_t before = json_array_size(doctor->findings);

    if (if_nametoindex(interface) == 0) {
        doctor_find(doctor, DOCTOR_BAD, link.port, "ip link; correct 'device' in the config",
                    "there is no interface %s", interface);
        return;
    }
    check_up(&link);
    check_mtu(&link, get_number(port, "mtu"));
    if (link_ethtool(&link, &driver) == 0 && strcmp(driver.driver, "veth") == 0) {
        check_veth_offloads(&link);
        check_veth_queues(&link);
    }
    if (json_array_size(doctor->findings) == before)
        doctor_find(doctor, DOCTOR_GOOD, link.port, NULL, "%s (%s) is as it should be", interface,
                    driver.driver[0] ? driver.driver : "unknown driver");
}

// Enters the namespace of the data plane, or of sluiced. false: it is another, and we may not.
static bool enter_namespace(const struct doctor *doctor)
{
    uint32_t pid =
        doctor->board ? doctor->board->dp_pid ? doctor->board->dp_pid : doctor->board->control_pid : 0;
    struct stat ours, theirs;
    char path[64];

    snprintf(path, sizeof(path), "/proc/%u/ns/net", pid);
    if (!pid || stat("/proc/self/ns/net", &ours) != 0)
        return true;
    if (stat(path, &theirs) != 0)
        return errno == ENOENT; // that process is gone: look here
    if (ours.st_ino == theirs.st_ino && ours.st_dev == theirs.st_dev)
        return true;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool entered = setns(fd, CLONE_NEWNET) == 0;
    close(fd);
    return entered;
}

void doctor_links(struct doctor *doctor)
{
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    json_t *port;
    size_t i;

    if (!enter_namespace(doctor)) {
        doctor_find(doctor, DOCTOR_SKIPPED, "interfaces", "sudo sluicectl doctor",
                    "the data plane runs in another network namespace, which only root may look into");
    } else {
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        doctor_forwarding(doctor);
        doctor_local_ports(doctor);
        json_array_foreach(json_object_get(doctor->ports, "ports"), i, port)
        {
            enum sl_device_kind kind;
            const char *rest, *why;

            if (sl_device_parse(get_text(port, "device"), &kind, &rest, &why) == 0 &&
                (kind == SL_DEVICE_AF_XDP || kind == SL_DEVICE_AF_PACKET) && get_true(port, "enabled"))
                check_link(doctor, fd, port, rest);
        }
        if (fd >= 0)
            close(fd);
    }
    // Back, as 'doctor' may be a line of the shell. Who could leave can return.
    if (home >= 0) {
        if (setns(home, CLONE_NEWNET) != 0 && errno != EPERM)
            doctor_find(doctor, DOCTOR_HINT, "interfaces", NULL, "could not return to our own namespace: %s",
                        strerror(errno));
        close(home);
    }
}
