// SPDX-License-Identifier: Apache-2.0
// Questions to the kernel before a port is opened, so that what is wrong is told in the operator's words and
// not in a driver's. Called by port/device.c on the housekeeping thread.
#include "port/kernel.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/capability.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/vfs.h>

#define BPFFS_MAGIC 0xcafe4a11
#define BPFFS_PATH  "/sys/fs/bpf"

// XDP programs of ours are named so: prefilter/prefilter.bpf.c.
static const char own_program[] = "sluice_";

static int interface_ioctl(const char *interface, unsigned long request, struct ifreq *ifr)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", interface);
    int rc = ioctl(fd, request, ifr) < 0 ? -errno : 0;
    close(fd);
    return rc;
}

int kernel_interface_check(const char *interface, struct sl_error *error)
{
    if (if_nametoindex(interface) != 0)
        return 0;
    return sl_error_set(
        error, -ENODEV,
        "there is no interface '%s' in this network namespace; see 'ip link', mind the namespace", interface);
}

static uint64_t capabilities_effective(void)
{
    unsigned long long set = 0;
    char line[256];
    FILE *status = fopen("/proc/self/status", "re");
    if (!status)
        return 0;
    while (fgets(line, sizeof(line), status))
        if (sscanf(line, "CapEff: %llx", &set) == 1)
            break;
    fclose(status);
    return set;
}

int kernel_privilege_check(bool xdp, struct sl_error *error)
{
    static const struct {
        const char *name;
        int bit;
        bool xdp;
    } need[] = {
        {"CAP_NET_ADMIN", CAP_NET_ADMIN, false},
        {"CAP_NET_RAW", CAP_NET_RAW, false},
        {"CAP_BPF", CAP_BPF, true},
        {"CAP_IPC_LOCK", CAP_IPC_LOCK, true},
    };
    uint64_t have = capabilities_effective();
    for (unsigned i = 0; i < sizeof(need) / sizeof(need[0]); i++) {
        bool covered = have >> need[i].bit & 1 || (need[i].bit == CAP_BPF && have >> CAP_SYS_ADMIN & 1);
        if (need[i].xdp <= xdp && !covered)
            return sl_error_set(error, -EPERM,
                                "%s is missing; run it as root, or 'sudo setcap "
                                "cap_net_admin,cap_net_raw,cap_bpf,cap_perfmon,cap_ipc_lock+ep $(command -v "
                                "sluice-dp)', or use the systemd unit",
                                need[i].name);
    }
    return 0;
}

uint16_t kernel_interface_queues(const char *interface)
{
    struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
    struct ifreq ifr = {.ifr_data = (void *)&channels};
    if (interface_ioctl(interface, SIOCETHTOOL, &ifr) != 0 || channels.max_combined == 0)
        return 1;
    return (uint16_t)(channels.combined_count ? channels.combined_count : 1);
}

static bool is_xdp_socket(int fd)
{
    int domain = 0;
    socklen_t length = sizeof(domain);
    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_XDP;
}

void kernel_xdp_sockets(struct kernel_sockets *sockets)
{
    *sockets = (struct kernel_sockets){0};
    for (int fd = 0; fd < KERNEL_FDS; fd++)
        if (is_xdp_socket(fd))
            sockets->bit[fd / 64] |= 1ULL << (fd % 64);
}

void kernel_xdp_sockets_close(struct kernel_sockets *sockets)
{
    for (int fd = 0; fd < KERNEL_FDS; fd++)
        if (sockets->bit[fd / 64] >> (fd % 64) & 1 && is_xdp_socket(fd))
            close(fd);
    *sockets = (struct kernel_sockets){0};
}

uint32_t kernel_interface_speed(const char *interface)
{
    char path[64];
    int mbps = 0;
    snprintf(path, sizeof(path), "/sys/class/net/%s/speed", interface);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    if (fscanf(file, "%d", &mbps) != 1 || mbps < 0) // -1: it does not know
        mbps = 0;
    fclose(file);
    return (uint32_t)mbps;
}

bool kernel_interface_running(const char *interface)
{
    struct ifreq ifr = {0};
    return interface_ioctl(interface, SIOCGIFFLAGS, &ifr) == 0 && ifr.ifr_flags & IFF_RUNNING;
}

int kernel_interface_up(const char *interface, struct sl_error *error)
{
    struct ifreq ifr = {0};
    int rc = interface_ioctl(interface, SIOCGIFFLAGS, &ifr);
    if (rc == 0 && !(ifr.ifr_flags & IFF_UP)) {
        ifr.ifr_flags |= IFF_UP;
        rc = interface_ioctl(interface, SIOCSIFFLAGS, &ifr);
    }
    if (rc != 0)
        return sl_error_set(error, rc, "cannot bring up interface '%s': %s; try 'ip link set %s up'",
                            interface, strerror(-rc), interface);
    return 0;
}

static bool program_is_ours(uint32_t id)
{
    struct bpf_prog_info info = {0};
    uint32_t length = sizeof(info);
    int fd = bpf_prog_get_fd_by_id(id);
    if (fd < 0)
        return false;
    bool ours = bpf_obj_get_info_by_fd(fd, &info, &length) == 0 &&
                strncmp(info.name, own_program, sizeof(own_program) - 1) == 0;
    close(fd);
    return ours;
}

int kernel_xdp_detach_own(const char *interface, struct sl_error *error)
{
    int index = (int)if_nametoindex(interface);
    uint32_t id = 0;
    if (bpf_xdp_query_id(index, 0, &id) != 0 || id == 0)
        return 0;
    if (!program_is_ours(id))
        return sl_error_set(
            error, -EBUSY,
            "interface '%s' has another XDP program (id %u); take it off with 'ip link set %s "
            "xdp off'",
            interface, id, interface);
    if (bpf_xdp_detach(index, 0, NULL) != 0)
        return sl_error_set(
            error, -errno,
            "the XDP program of an earlier run stays on '%s': %s; try 'ip link set %s xdp off'", interface,
            strerror(errno), interface);
    return 0;
}

int kernel_bpffs_check(struct sl_error *error)
{
    struct statfs fs;
    if (statfs(BPFFS_PATH, &fs) == 0 && (uint32_t)fs.f_type == BPFFS_MAGIC)
        return 0;
    return sl_error_set(
        error, -ENOENT,
        "%s is no bpf file system, so control could not fill the prefilter; mend it with 'mount "
        "-t bpf bpf %s' (in this namespace: 'ip netns exec' brings its own /sys)",
        BPFFS_PATH, BPFFS_PATH);
}
