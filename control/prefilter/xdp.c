// SPDX-License-Identifier: Apache-2.0
// See xdp.h: opening the pinned maps, and what the programs have counted. Control's main thread.
#include "prefilter/xdp_maps.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <unistd.h>

struct pin { // what a map must be to be ours
    const char *name;
    uint32_t type, key_bytes, value_bytes, entries;
};

static const struct pin pin_sets = {SL_PREFILTER_MAP_SETS, BPF_MAP_TYPE_ARRAY_OF_MAPS, 4, 4,
                                    SL_PREFILTER_SLOTS};
static const struct pin pin_ports = {SL_PREFILTER_MAP_PORTS, BPF_MAP_TYPE_HASH, 4,
                                     sizeof(struct sl_prefilter_port), XDP_PORTS};
static const struct pin pin_drops = {SL_PREFILTER_MAP_DROPS, BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8,
                                     SL_PREFILTER_DROPS};
static const struct pin pin_hits = {SL_PREFILTER_MAP_HITS, BPF_MAP_TYPE_PERCPU_HASH, 4,
                                    sizeof(struct sl_prefilter_hits), XDP_PORTS};

// ---- opening ------------------------------------------------------------------------------------------------
static int pin_missing(const char *directory, const struct pin *pin, int code, struct sl_error *error)
{
    struct statfs info;

    if (statfs(directory, &info) != 0 || info.f_type != BPF_FS_MAGIC)
        return sl_error_set(error, code, "%s is no bpf file system; mend it with 'mount -t bpf bpf %s'",
                            directory, directory);
    if (code == -EPERM || code == -EACCES)
        return sl_error_set(
            error, code,
            "may not open %s/%s; give sluiced CAP_BPF and CAP_NET_ADMIN (in its systemd unit: "
            "AmbientCapabilities=)",
            directory, pin->name);
    return sl_error_set(
        error, code,
        "%s/%s: %s; sluice-dp pins it when it brings up a port with XDP: start it first, with the same "
        "bpf file system",
        directory, pin->name, strerror(-code));
}

static int pin_open(const char *directory, const struct pin *pin, int *map, struct sl_error *error)
{
    char path[256];
    struct bpf_map_info info = {0};
    uint32_t length = sizeof(info);

    snprintf(path, sizeof(path), "%s/%s", directory, pin->name);
    *map = bpf_obj_get(path);
    if (*map < 0)
        return pin_missing(directory, pin, -errno, error);
    if (bpf_obj_get_info_by_fd(*map, &info, &length) != 0)
        return sl_error_set(error, -errno, "cannot ask the kernel what %s is: %s", path, strerror(errno));
    if (info.type != pin->type || info.key_size != pin->key_bytes || info.value_size != pin->value_bytes ||
        info.max_entries != pin->entries)
        return sl_error_set(
            error, -EPROTO,
            "%s is of another version of sluice; mend it with: stop sluice-dp, 'rm %s/sluice_*', start it",
            path, directory);
    return 0;
}

// Which slots the values in sluice_ports name: an earlier control process put them there.
static void ports_adopt(struct prefilter_xdp *xdp)
{
    struct sl_prefilter_port value;
    bool named[XDP_SLOTS] = {false};
    uint32_t key, *last = NULL;

    for (unsigned i = 0; i < XDP_PORTS && bpf_map_get_next_key(xdp->ports, last, &key) == 0;
         i++, last = &key) {
        if (bpf_map_lookup_elem(xdp->ports, &key, &value) != 0)
            continue;
        for (uint32_t k = 0; k < value.rule_count && k < SL_PREFILTER_RULES; k++)
            if (value.rule[k].set < XDP_SLOTS)
                named[value.rule[k].set] = true;
    }
    xdp_sets_adopt(xdp, named);
}

int prefilter_xdp_open(struct prefilter_xdp **opened, const char *directory, struct sl_error *error)
{
    struct prefilter_xdp *xdp = calloc(1, sizeof(*xdp));

    if (!xdp)
        return sl_error_set(error, -ENOMEM, "no memory left");
    xdp->sets = xdp->ports = xdp->drops = xdp->hits = -1;
    xdp->cpus = libbpf_num_possible_cpus();
    int status = pin_open(directory, &pin_sets, &xdp->sets, error);
    if (status == 0)
        status = pin_open(directory, &pin_ports, &xdp->ports, error);
    if (status == 0)
        status = pin_open(directory, &pin_drops, &xdp->drops, error);
    if (status == 0)
        status = pin_open(directory, &pin_hits, &xdp->hits, error);
    if (status == 0 && xdp->cpus < 0)
        status = sl_error_set(error, xdp->cpus, "cannot read the number of CPUs in /sys: %s",
                              strerror(-xdp->cpus));
    if (status != 0) {
        prefilter_xdp_close(xdp);
        return status;
    }
    ports_adopt(xdp);
    *opened = xdp;
    return 0;
}

static void map_close(int map)
{
    if (map >= 0)
        close(map);
}

void prefilter_xdp_close(struct prefilter_xdp *xdp)
{
    if (!xdp)
        return;
    map_close(xdp->sets);
    map_close(xdp->ports);
    map_close(xdp->drops);
    map_close(xdp->hits);
    free(xdp);
}

// ---- counters -----------------------------------------------------------------------------------------------
int prefilter_xdp_drops(struct prefilter_xdp *xdp, uint64_t *drop)
{
    uint64_t *value = calloc((size_t)xdp->cpus, sizeof(*value));
    int status = value ? 0 : -ENOMEM;

    for (uint32_t i = 0; i < SL_DROP_KINDS && status == 0; i++) {
        drop[i] = 0;
        if (bpf_map_lookup_elem(xdp->drops, &i, value) != 0)
            status = -errno;
        for (int cpu = 0; cpu < xdp->cpus && status == 0; cpu++)
            drop[i] += value[cpu];
    }
    free(value);
    return status;
}

int prefilter_xdp_hits(struct prefilter_xdp *xdp, uint32_t ifindex, struct sl_prefilter_hits *hits)
{
    struct sl_prefilter_hits *value = calloc((size_t)xdp->cpus, sizeof(*value));

    *hits = (struct sl_prefilter_hits){0};
    if (!value)
        return -ENOMEM;
    int status = bpf_map_lookup_elem(xdp->hits, &ifindex, value) == 0 ? 0 : -errno;
    for (int cpu = 0; cpu < xdp->cpus && status == 0; cpu++) {
        for (unsigned i = 0; i < SL_PREFILTER_RULES; i++)
            hits->rule[i] += value[cpu].rule[i];
        hits->drop_packets += value[cpu].drop_packets;
    }
    free(value);
    return status == -ENOENT ? 0 : status;
}
