// SPDX-License-Identifier: Apache-2.0
// Fills the maps of the XDP programs on AF_XDP ports: sets, rules, counters. The maps are pinned by the data
// plane when it loads the program; control finds them in the bpf file system. Control's main thread.
//
// A change is atomic for each interface: new sets go into fresh slots of the outer map, then the interface's
// one value, which names slots, is replaced, and only after a grace period of the kernel the old slots are
// emptied.
#ifndef CONTROL_PREFILTER_XDP_H
#define CONTROL_PREFILTER_XDP_H

#include "base/error.h"
#include "shm/layout.h"

struct prefilter_xdp;

struct prefilter_xdp_port {
    uint32_t ifindex;
    uint32_t slot; // in the port table: index of its rules in the prefilter table
};

// Opens the pinned maps in `directory` of a bpf file system ("/sys/fs/bpf/sluice") and takes over what an
// earlier control process installed. 0; -errno with *error: -ENOENT where no data plane has loaded its
// program yet, -EPERM, -EPROTO where the maps are another version's.
int prefilter_xdp_open(struct prefilter_xdp **xdp, const char *directory, struct sl_error *error);
void prefilter_xdp_close(struct prefilter_xdp *xdp); // the maps stay as they are

// Makes the programs do what the prefilter table says for these interfaces; interfaces not named are emptied
// (all passes). Sets whose blob has not changed are not copied again. `table` may be NULL: no rules at all;
// `size` is its mapping's. On error every interface does as before. 0 or -errno with *error.
int prefilter_xdp_apply(struct prefilter_xdp *xdp, const struct sl_prefilter_table *table, uint64_t size,
                        const struct prefilter_xdp_port *port, unsigned ports, struct sl_error *error);

// Sums over CPUs since the data plane loaded its program. drop[SL_DROP_KINDS] by enum sl_drop.
int prefilter_xdp_drops(struct prefilter_xdp *xdp, uint64_t *drop);
// Of one interface; zeroes where it has seen nothing. 0 or -errno.
int prefilter_xdp_hits(struct prefilter_xdp *xdp, uint32_t ifindex, struct sl_prefilter_hits *hits);

#endif
