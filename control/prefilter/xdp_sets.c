// SPDX-License-Identifier: Apache-2.0
// Sets of the XDP programs: each an array map of 64-byte blocks that holds an LPM blob as it is, filled through a
// memory mapping (a million prefixes are one memcpy, not a million system calls). Control's main thread.
#include "prefilter/xdp_maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>
#include "table/lpm.h"

// A map that can stand in sluice_sets: the flags must be those of the program's declaration.
static int map_create(uint64_t blocks)
{
    LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE | BPF_F_INNER_MAP);
    int map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "sluice_set", sizeof(uint32_t), SL_LPM_BLOCK,
                             (uint32_t)blocks, &options);

    return map < 0 ? -errno : map;
}

static int map_fill(int map, const void *blob, uint64_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), length = (size + page - 1) / page * page;
    void *base = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);

    if (base == MAP_FAILED)
        return -errno;
    memcpy(base, blob, size);
    munmap(base, length);
    return 0;
}

static int slot_put(struct prefilter_xdp *xdp, uint32_t slot, int map)
{
    return bpf_map_update_elem(xdp->sets, &slot, &map, BPF_ANY) != 0 ? -errno : 0;
}

static int slot_fill(struct prefilter_xdp *xdp, uint32_t slot, const void *blob, uint64_t size)
{
    int map = map_create(size / SL_LPM_BLOCK);

    if (map < 0)
        return map;
    int status = map_fill(map, blob, size);
    if (status == 0)
        status = slot_put(xdp, slot, map);
    close(map); // the slot holds it
    return status;
}

// The slot with these bytes, else a free one, else XDP_SLOTS.
static uint32_t slot_choose(const struct prefilter_xdp *xdp, uint64_t hash, uint64_t size)
{
    uint32_t free_slot = XDP_SLOTS;

    for (uint32_t i = 0; i < XDP_SLOTS; i++) {
        const struct xdp_slot *slot = &xdp->slot[i];
        if (slot->used && slot->hash == hash && slot->size == size)
            return i;
        if (!slot->used && free_slot == XDP_SLOTS)
            free_slot = i;
    }
    return free_slot;
}

int xdp_set_install(struct prefilter_xdp *xdp, const void *blob, uint64_t size, bool *fresh,
                    struct sl_error *error)
{
    uint64_t hash = XXH3_64bits(blob, size);
    uint32_t i = slot_choose(xdp, hash, size);

    *fresh = false;
    if (i == XDP_SLOTS)
        return sl_error_set(error, -ENOSPC, "no slot left for another prefilter set: at most %d at once",
                            XDP_SLOTS);
    if (xdp->slot[i].used)
        return (int)i;
    int status = slot_fill(xdp, i, blob, size);
    if (status != 0)
        return sl_error_set(error, status, "cannot load a prefilter set of %llu MiB into the kernel: %s%s",
                            (unsigned long long)(size >> 20), strerror(-status),
                            status == -EPERM ? "; sluiced needs CAP_BPF" : "");
    xdp->slot[i] = (struct xdp_slot){.used = true, .hash = hash, .size = size};
    *fresh = true;
    return (int)i;
}

void xdp_set_remove(struct prefilter_xdp *xdp, uint32_t slot)
{
    bpf_map_delete_elem(xdp->sets, &slot);
    xdp->slot[slot] = (struct xdp_slot){0};
}

// The kernel lets an update of a map of maps return only after an RCU grace period, so that the caller may rely on the
// old inner map being out of use. That is the one way a process can wait for running XDP programs.
int xdp_grace(struct prefilter_xdp *xdp)
{
    int map = map_create(1);

    if (map < 0)
        return map;
    int status = slot_put(xdp, XDP_SLOT_GRACE, map);
    close(map);
    return status;
}

void xdp_sets_adopt(struct prefilter_xdp *xdp, const bool named[XDP_SLOTS])
{
    for (uint32_t i = 0; i < XDP_SLOTS; i++) {
        uint32_t map_id;
        xdp->slot[i] = (struct xdp_slot){.used = named[i]};
        if (!named[i] && bpf_map_lookup_elem(xdp->sets, &i, &map_id) == 0)
            xdp_set_remove(xdp, i);
    }
}
