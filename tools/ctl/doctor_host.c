// SPDX-License-Identifier: Apache-2.0
// The host: kernel features, huge pages, rights, CPUs. One thread.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "doctor.h"
#include "show.h"

static void check_kernel(struct doctor *doctor)
{
    struct utsname name;
    int major = 0, minor = 0;

    uname(&name);
    sscanf(name.release, "%d.%d", &major, &minor);
    if (major < 5 || (major == 5 && minor < 10))
        doctor_find(doctor, DOCTOR_BAD, "kernel", "apt-get install linux-image-amd64 && reboot",
                    "Linux %s is too old for AF_XDP as it is used here: 5.10 or newer is needed",
                    name.release);
    else
        doctor_find(doctor, DOCTOR_GOOD, "kernel", NULL, "Linux %s", name.release);
}

static void check_af_xdp(struct doctor *doctor)
{
    int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);

    if (fd >= 0 || errno == EPERM) {
        doctor_find(doctor, DOCTOR_GOOD, "af_xdp", NULL, "the kernel has AF_XDP sockets");
        if (fd >= 0)
            close(fd);
    } else {
        doctor_find(doctor, DOCTOR_BAD, "af_xdp", "use a kernel built with CONFIG_XDP_SOCKETS=y",
                    "the kernel has no AF_XDP sockets (%s)", strerror(errno));
    }
}

static void check_tun(struct doctor *doctor)
{
    if (access("/dev/net/tun", F_OK) == 0)
        doctor_find(doctor, DOCTOR_GOOD, "tun", NULL, "/dev/net/tun is there, for the kernel twins");
    else
        doctor_find(doctor, DOCTOR_BAD, "tun", "modprobe tun",
                    "/dev/net/tun is missing: no port can have its kernel twin");
}

static void check_bpffs(struct doctor *doctor)
{
    FILE *mounts = fopen("/proc/mounts", "r");
    char line[1024], device[256], folder[256], type[64];
    bool mounted = false;

    while (mounts && fgets(line, sizeof(line), mounts))
        if (sscanf(line, "%255s %255s %63s", device, folder, type) == 3 && strcmp(type, "bpf") == 0)
            mounted = true;
    if (mounts)
        fclose(mounts);
    if (mounted)
        doctor_find(doctor, DOCTOR_GOOD, "bpffs", NULL,
                    "a BPF file system is mounted, for the XDP program's maps");
    else
        doctor_find(
            doctor, DOCTOR_HINT, "bpffs", "mount -t bpf bpf /sys/fs/bpf",
            "no BPF file system is mounted here: the prefilter of AF_XDP ports then runs in the workers");
}

static void check_huge_pages(struct doctor *doctor)
{
    FILE *memory = fopen("/proc/meminfo", "r");
    unsigned long pages = 0, kib = 0;
    char line[128];

    while (memory && fgets(line, sizeof(line), memory)) {
        sscanf(line, "HugePages_Total: %lu", &pages);
        sscanf(line, "Hugepagesize: %lu", &kib);
    }
    if (memory)
        fclose(memory);
    if (pages)
        doctor_find(doctor, DOCTOR_GOOD, "huge pages", NULL, "%lu of %lu KiB", pages, kib);
    else
        doctor_find(doctor, DOCTOR_HINT, "huge pages", "sysctl -w vm.nr_hugepages=512",
                    "none: everything works, but large tables cost more cycles");
}

// Forwarding by the kernel would send on what reaches it over the twins, past the gateway's tables.
void doctor_forwarding(struct doctor *doctor)
{
    static const struct {
        const char *path, *family, *mend;
    } switches[] = {
        {"/proc/sys/net/ipv4/ip_forward", "IPv4", "sysctl -w net.ipv4.ip_forward=0"},
        {"/proc/sys/net/ipv6/conf/all/forwarding", "IPv6", "sysctl -w net.ipv6.conf.all.forwarding=0"},
    };
    bool forwards = false;
    char line[16];

    for (unsigned i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
        if (strcmp(doctor_line(switches[i].path, line, sizeof(line)), "1") != 0)
            continue;
        forwards = true;
        doctor_find(
            doctor, DOCTOR_HINT, "forwarding", switches[i].mend,
            "the kernel forwards %s too: what reaches it is routed past the gateway's NAT and filters",
            switches[i].family);
    }
    if (!forwards)
        doctor_find(doctor, DOCTOR_GOOD, "forwarding", NULL,
                    "the kernel does not forward: the gateway alone does");
}

// The kernel's own connections from the gateway's addresses and the data plane's must not be taken for each other.
void doctor_local_ports(struct doctor *doctor)
{
    const char *ports = get_text(json_object_get(doctor->status, "totals"), "tcp_ports");
    unsigned first, last, low, high;
    char line[64];

    if (sscanf(ports, "%u-%u", &first, &last) != 2 ||
        sscanf(doctor_line("/proc/sys/net/ipv4/ip_local_port_range", line, sizeof(line)), "%u %u", &low, &high) != 2)
        return;
    if (low <= last && high >= first)
        doctor_find(doctor, DOCTOR_HINT, "local ports", "sysctl -w net.ipv4.ip_local_port_range='32768 60999'",
                    "the kernel connects from ports %u-%u, the data plane from %u-%u (tcp.ports): where both have one to "
                    "the same place, the kernel's hangs",
                    low, high, first, last);
    else
        doctor_find(doctor, DOCTOR_GOOD, "local ports", NULL, "the kernel connects from %u-%u, the data plane from %u-%u",
                    low, high, first, last);
}

static void check_rights(struct doctor *doctor)
{
    if (doctor->root)
        doctor_find(doctor, DOCTOR_GOOD, "rights", NULL, "running as root: nothing need be skipped");
    else
        doctor_find(doctor, DOCTOR_SKIPPED, "rights", "sudo sluicectl doctor",
                    "not root: some checks cannot look");
}

// Effective capabilities of the data plane: bits from linux/capability.h.
static void check_capabilities(struct doctor *doctor)
{
    static const struct {
        unsigned bit;
        const char *name;
    } needed[] = {{12, "CAP_NET_ADMIN"}, {13, "CAP_NET_RAW"}, {14, "CAP_IPC_LOCK"}};
    char path[64], line[128];
    unsigned long long have = 0;
    bool read = false;

    if (!doctor->board || !doctor->board->dp_pid)
        return;
    snprintf(path, sizeof(path), "/proc/%u/status", doctor->board->dp_pid);
    FILE *status = fopen(path, "r");
    while (status && fgets(line, sizeof(line), status))
        read |= sscanf(line, "CapEff: %llx", &have) == 1;
    if (status)
        fclose(status);
    if (!read)
        return;
    for (unsigned i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        if (!(have >> needed[i].bit & 1)) {
            doctor_find(doctor, DOCTOR_BAD, "capabilities",
                        "systemctl revert sluice-dp && systemctl restart sluice-dp",
                        "sluice-dp (pid %u) lacks %s", doctor->board->dp_pid, needed[i].name);
            return;
        }
    doctor_find(doctor, DOCTOR_GOOD, "capabilities", NULL, "sluice-dp has what its ports need");
}

// Whether `cpu` is in a list like "2-5,8".
static bool in_list(const char *list, unsigned cpu)
{
    while (*list) {
        char *end;
        unsigned long first = strtoul(list, &end, 10), last = first;

        if (end == list)
            return false;
        if (*end == '-')
            last = strtoul(end + 1, &end, 10);
        if (cpu >= first && cpu <= last)
            return true;
        list = *end == ',' ? end + 1 : end;
    }
    return false;
}

static void check_isolation(struct doctor *doctor)
{
    char list[256];

    if (!doctor->board || !doctor->board->worker_count || doctor->board->worker_count > SL_MAX_WORKERS)
        return;
    doctor_line("/sys/devices/system/cpu/isolated", list, sizeof(list));
    for (unsigned i = 0; i < doctor->board->worker_count; i++) {
        if (in_list(list, doctor->board->worker[i].cpu))
            continue;
        doctor_find(
            doctor, DOCTOR_HINT, "isolation",
            "add 'isolcpus=' and 'nohz_full=' with the workers' CPUs to the kernel's command line",
            "worker %u shares CPU %u with the rest of the system: fine for a trial, costs latency under load",
            i, doctor->board->worker[i].cpu);
        return;
    }
    doctor_find(doctor, DOCTOR_GOOD, "isolation", NULL, "the workers' CPUs are theirs alone");
}

void doctor_host(struct doctor *doctor)
{
    check_rights(doctor);
    check_kernel(doctor);
    check_af_xdp(doctor);
    check_tun(doctor);
    check_bpffs(doctor);
    check_huge_pages(doctor);
    check_capabilities(doctor);
    check_isolation(doctor);
}
