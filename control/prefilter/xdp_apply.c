// SPDX-License-Identifier: Apache-2.0
// A change of rules: new sets into free slots, then each interface's value, then old slots away. Until the first value
// is written nothing has changed for the programs; a value that cannot be written brings the earlier ones back.
// Control's main thread.
#include "prefilter/xdp_maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

struct change {
    struct prefilter_xdp *xdp;
    const uint8_t *table; // struct sl_prefilter_table, NULL: no rules
    uint64_t size;
    int16_t slot_of[SL_PREFILTER_SETS]; // by index of the set in the table, -1: not installed
    bool fresh[XDP_SLOTS];              // filled by this change
    bool named[XDP_SLOTS];              // by a value of this change
    unsigned count;
    uint32_t ifindex[XDP_PORTS];
    struct sl_prefilter_port value[XDP_PORTS]; // rules name slots
};

// ---- sets ---------------------------------------------------------------------------------------------------
// The part of the table at an offset, NULL where it would not lie inside.
static const void *table_at(const struct change *c, uint64_t offset, uint64_t bytes)
{
    return offset > c->size || bytes > c->size - offset ? NULL : c->table + offset;
}

// Slot of the table's set, installed at its first mention. Slot or -errno.
static int set_slot(struct change *c, uint32_t index, struct sl_error *error)
{
    const struct sl_prefilter_table *table = (const struct sl_prefilter_table *)c->table;
    const struct sl_prefilter_set *set;
    const void *blob;
    bool fresh;

    if (index >= table->set_count || index >= SL_PREFILTER_SETS)
        return sl_error_set(error, -EINVAL, "a prefilter rule names set %u of %u", index, table->set_count);
    if (c->slot_of[index] >= 0)
        return c->slot_of[index];
    set = table_at(c, table->set_offset + index * sizeof(*set), sizeof(*set));
    blob = set ? table_at(c, set->blob_offset, set->blob_size) : NULL;
    if (!blob)
        return sl_error_set(error, -EINVAL, "prefilter set %u lies outside its file", index);
    int slot = xdp_set_install(c->xdp, blob, set->blob_size, &fresh, error);
    if (slot < 0)
        return slot;
    c->slot_of[index] = (int16_t)slot;
    c->fresh[slot] |= fresh;
    return slot;
}

// The value for one interface: the table's rules with slots in place of sets.
static int value_make(struct change *c, const struct prefilter_xdp_port *port,
                      struct sl_prefilter_port *value, struct sl_error *error)
{
    const struct sl_prefilter_table *table = (const struct sl_prefilter_table *)c->table;
    const struct sl_prefilter_port *rules = NULL;

    *value = (struct sl_prefilter_port){.fallback = SL_PREFILTER_ALLOW};
    if (table && port->slot < table->port_count)
        rules = table_at(c, table->port_offset + port->slot * sizeof(*rules), sizeof(*rules));
    if (!rules)
        return 0;
    *value = *rules;
    if (value->rule_count > SL_PREFILTER_RULES)
        return sl_error_set(error, -EINVAL, "a port with %u prefilter rules: at most %d", value->rule_count,
                            SL_PREFILTER_RULES);
    for (uint32_t i = 0; i < value->rule_count; i++) {
        int slot = set_slot(c, value->rule[i].set, error);
        if (slot < 0)
            return slot;
        value->rule[i].set = (uint16_t)slot;
        c->named[slot] = true;
    }
    return 0;
}

static void fresh_remove(struct change *c)
{
    for (uint32_t i = 0; i < XDP_SLOTS; i++)
        if (c->fresh[i])
            xdp_set_remove(c->xdp, i);
}

// ---- values -------------------------------------------------------------------------------------------------
// Writes one interface's value and waits until no program uses the one before: the kernel may hand its memory to the
// very next write. 0 or -errno; a value that is there already is left alone.
static int value_write(struct prefilter_xdp *xdp, uint32_t ifindex, const struct sl_prefilter_port *value)
{
    struct sl_prefilter_port before;

    if (bpf_map_lookup_elem(xdp->ports, &ifindex, &before) == 0 &&
        memcmp(&before, value, sizeof(before)) == 0)
        return 0;
    if (bpf_map_update_elem(xdp->ports, &ifindex, value, BPF_ANY) != 0)
        return -errno;
    return xdp_grace(xdp);
}

static void value_remove(struct prefilter_xdp *xdp, uint32_t ifindex)
{
    if (bpf_map_delete_elem(xdp->ports, &ifindex) == 0)
        xdp_grace(xdp);
    bpf_map_delete_elem(xdp->hits, &ifindex);
}

// Counters of an interface that is new start at zero.
static int hits_make(struct prefilter_xdp *xdp, uint32_t ifindex)
{
    struct sl_prefilter_hits *zero = calloc((size_t)xdp->cpus, sizeof(*zero));

    if (!zero)
        return -ENOMEM;
    int status =
        bpf_map_update_elem(xdp->hits, &ifindex, zero, BPF_NOEXIST) == 0 || errno == EEXIST ? 0 : -errno;
    free(zero);
    return status;
}

struct saved { // what an interface had, to bring it back
    bool there;
    struct sl_prefilter_port value;
};

static void values_restore(struct change *c, const struct saved *saved, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (saved[i].there)
            value_write(c->xdp, c->ifindex[i], &saved[i].value);
        else
            value_remove(c->xdp, c->ifindex[i]);
    }
}

static int values_write(struct change *c, struct sl_error *error)
{
    struct saved *saved = calloc(XDP_PORTS, sizeof(*saved));
    int status = saved ? 0 : -ENOMEM;
    unsigned i;

    for (i = 0; i < c->count && status == 0; i++) {
        saved[i].there = bpf_map_lookup_elem(c->xdp->ports, &c->ifindex[i], &saved[i].value) == 0;
        status = hits_make(c->xdp, c->ifindex[i]);
        if (status == 0)
            status = value_write(c->xdp, c->ifindex[i], &c->value[i]);
    }
    if (status != 0) {
        sl_error_set(error, status, "cannot write the prefilter rules of interface %u into the kernel: %s",
                     i > 0 ? c->ifindex[i - 1] : 0, strerror(-status));
        values_restore(c, saved, i);
    }
    free(saved);
    return status;
}

static bool change_names(const struct change *c, uint32_t ifindex)
{
    for (unsigned i = 0; i < c->count; i++)
        if (c->ifindex[i] == ifindex)
            return true;
    return false;
}

// Interfaces of before that are no ports any more.
static void others_remove(struct change *c)
{
    uint32_t key, other[XDP_PORTS], *last = NULL;
    unsigned count = 0, seen = 0;

    for (; seen < XDP_PORTS && bpf_map_get_next_key(c->xdp->ports, last, &key) == 0; seen++, last = &key)
        if (!change_names(c, key))
            other[count++] = key;
    while (count > 0)
        value_remove(c->xdp, other[--count]);
}

int prefilter_xdp_apply(struct prefilter_xdp *xdp, const struct sl_prefilter_table *table, uint64_t size,
                        const struct prefilter_xdp_port *port, unsigned ports, struct sl_error *error)
{
    if (ports > XDP_PORTS)
        return sl_error_set(error, -EINVAL, "%u ports with XDP: at most %d", ports, XDP_PORTS);
    struct change *c = calloc(1, sizeof(*c));
    if (!c)
        return sl_error_set(error, -ENOMEM, "no memory left");
    c->xdp = xdp;
    c->table = (const uint8_t *)table;
    c->size = size;
    memset(c->slot_of, 0xff, sizeof(c->slot_of));

    int status = 0;
    for (; c->count < ports && status == 0; c->count++) {
        c->ifindex[c->count] = port[c->count].ifindex;
        status = value_make(c, &port[c->count], &c->value[c->count], error);
    }
    if (status == 0)
        status = values_write(c, error);
    if (status == 0) {
        others_remove(c);
        for (uint32_t i = 0; i < XDP_SLOTS; i++)
            if (xdp->slot[i].used && !c->named[i])
                xdp_set_remove(xdp, i);
    } else {
        fresh_remove(c);
    }
    free(c);
    return status;
}
