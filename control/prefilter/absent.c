// SPDX-License-Identifier: Apache-2.0
// Where the maps of XDP programs cannot be filled: every port's rules run in the workers.
#include <errno.h>
#include <stdio.h>
#include "prefilter/xdp.h"

int prefilter_xdp_open(struct prefilter_xdp **xdp, const char *directory, struct prefilter_xdp_error *error)
{
    snprintf(error->text, sizeof(error->text), "%s: this build fills no XDP maps", directory);
    return -ENOENT;
}

void prefilter_xdp_close(struct prefilter_xdp *xdp)
{
}

int prefilter_xdp_apply(struct prefilter_xdp *xdp, const struct sl_prefilter_table *table, uint64_t size,
                        const struct prefilter_xdp_port *port, unsigned ports, struct prefilter_xdp_error *error)
{
    return -ENOENT;
}

int prefilter_xdp_drops(struct prefilter_xdp *xdp, uint64_t *drop)
{
    return -ENOENT;
}

int prefilter_xdp_hits(struct prefilter_xdp *xdp, uint32_t ifindex, struct sl_prefilter_hits *hits)
{
    return -ENOENT;
}
