// SPDX-License-Identifier: Apache-2.0
// The opened maps and what control knows of their slots; shared by the files of this folder. Control's main thread.
#ifndef CONTROL_PREFILTER_XDP_MAPS_H
#define CONTROL_PREFILTER_XDP_MAPS_H

#include "prefilter/xdp.h"

#define XDP_SLOTS      (SL_PREFILTER_SLOTS - 1) // for sets
#define XDP_SLOT_GRACE XDP_SLOTS                // written only to wait for a grace period
#define XDP_PORTS      64                       // entries of sluice_ports

struct xdp_slot {
    bool used;
    uint64_t hash; // XXH3 of the blob; of slots found in use at the start 0 and size 0: like no blob
    uint64_t size;
};

struct prefilter_xdp {
    int sets, ports, drops, hits; // map descriptors
    int cpus;                     // possible ones: values of per-CPU maps
    struct xdp_slot slot[XDP_SLOTS];
};

// xdp_sets.c: slot that holds this blob; copied into a fresh map where none does. `fresh` tells. Slot or -errno.
int xdp_set_install(struct prefilter_xdp *xdp, const void *blob, uint64_t size, bool *fresh,
                    struct sl_error *error);
// Empties a slot. Its map goes when no program looks into it any more.
void xdp_set_remove(struct prefilter_xdp *xdp, uint32_t slot);
// Waits until no program run that began before is still going on.
int xdp_grace(struct prefilter_xdp *xdp);
// Empties slots that no value of sluice_ports names, and marks the others used.
void xdp_sets_adopt(struct prefilter_xdp *xdp, const bool named[XDP_SLOTS]);

#endif
