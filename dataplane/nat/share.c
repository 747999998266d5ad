// SPDX-License-Identifier: Apache-2.0
// Binding generations to the outside addresses that all workers share. Called by housekeeping; workers only follow
// the pointers it leaves behind. Outside addresses are never freed: a subscriber may point at one that the config
// has long forgotten, and what an operator ever configured is little.
#include "nat/share.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "nat/lifecycle.h"

#define POOL_IDS 4096 // as many as nat_hash_inside() has bits for

struct nat_share {
    struct nat_outside **outside; // sorted by address
    uint32_t outside_count;
    char (*pool_name)[SL_NAT_NAME]; // the place is the pool's id
    uint32_t pool_count;
    struct nat *nat[SL_MAX_WORKERS];
    bool adopted;
};

struct nat_share *nat_share_new(void)
{
    return calloc(1, sizeof(struct nat_share));
}

void nat_share_free(struct nat_share *share)
{
    if (share == NULL)
        return;
    for (uint32_t i = 0; i < share->outside_count; i++)
        free(share->outside[i]);
    free(share->outside);
    free(share->pool_name);
    free(share);
}

void nat_share_register(struct nat_share *share, uint32_t worker, struct nat *nat)
{
    share->nat[worker] = nat;
}

static int outside_compare(const void *a, const void *b)
{
    sl_be32 left = (*(struct nat_outside *const *)a)->addr, right = (*(struct nat_outside *const *)b)->addr;

    return (left > right) - (left < right);
}

static struct nat_outside *outside_find(const struct nat_share *share, uint32_t sorted, sl_be32 addr)
{
    struct nat_outside wanted = {.addr = addr}, *key = &wanted;
    struct nat_outside **found =
        sorted ? bsearch(&key, share->outside, sorted, sizeof(key), outside_compare) : NULL;

    return found ? *found : NULL;
}

// Makes those that no generation had before.
static int outsides_add(struct nat_share *share, const struct sl_nat_table *table)
{
    const sl_be32 *addr = (const sl_be32 *)((const uint8_t *)table + table->address_offset);
    uint32_t sorted = share->outside_count;
    size_t room = sorted + (size_t)table->address_count;
    struct nat_outside **grown = realloc(share->outside, (room + 1) * sizeof(*grown));

    if (grown == NULL)
        return -ENOMEM;
    share->outside = grown;
    for (uint32_t i = 0; i < table->address_count; i++) {
        if (outside_find(share, sorted, addr[i]) != NULL)
            continue;
        struct nat_outside *outside = nat_outside_new(addr[i]);
        if (outside == NULL)
            return -ENOMEM;
        share->outside[share->outside_count++] = outside;
    }
    qsort(share->outside, share->outside_count, sizeof(*share->outside), outside_compare);
    return 0;
}

// The pool's id, -ENOMEM, -ERANGE.
static int pool_id(struct nat_share *share, const char *name, struct sl_error *error)
{
    for (uint32_t i = 0; i < share->pool_count; i++)
        if (strncmp(share->pool_name[i], name, SL_NAT_NAME) == 0)
            return (int)i;
    if (share->pool_count == POOL_IDS)
        return sl_error_set(
            error, -ERANGE,
            "nat.pools: the data plane has seen %d pool names since it started and knows no more: "
            "restart sluice-dp (flows survive)",
            POOL_IDS);
    void *grown = realloc(share->pool_name, (share->pool_count + 1) * sizeof(*share->pool_name));
    if (grown == NULL)
        return -ENOMEM;
    share->pool_name = grown;
    memcpy(share->pool_name[share->pool_count], name, SL_NAT_NAME);
    return (int)share->pool_count++;
}

static int binding_connect(struct nat_share *share, struct nat_binding *binding, struct sl_error *error)
{
    const struct sl_nat_table *table = binding->table;

    if (table == NULL)
        return 0;
    if (outsides_add(share, table) != 0)
        return -ENOMEM;
    const sl_be32 *addr = (const sl_be32 *)((const uint8_t *)table + table->address_offset);
    for (uint32_t i = 0; i < table->address_count; i++)
        binding->outside[i] = outside_find(share, share->outside_count, addr[i]);
    for (uint32_t i = 0; i < table->pool_count; i++) {
        int id = pool_id(share, nat_pools(table)[i].name, error);
        if (id < 0)
            return id;
        binding->pool_id[i] = (uint16_t)id;
    }
    return 0;
}

static int flows_adopt(struct nat_share *share, const struct nat_binding *binding)
{
    for (uint32_t worker = 0; worker < SL_MAX_WORKERS; worker++) {
        int code = share->nat[worker] ? nat_adopt(share->nat[worker], binding) : 0;
        if (code != 0)
            return code;
    }
    share->adopted = true;
    return 0;
}

int nat_share_bind(struct nat_share *share, struct tables *tables, struct sl_error *error)
{
    struct nat_binding *binding = nat_binding_new(tables->nat);
    int code = binding ? binding_connect(share, binding, error) : -ENOMEM;

    if (code == 0 && !share->adopted)
        code = flows_adopt(share, binding);
    if (code != 0) {
        if (code == -ENOMEM)
            sl_error_set(error, code, "no memory for the NAT pools of this generation");
        nat_binding_free(binding);
        return code;
    }
    tables->nat_binding = binding;
    return 0;
}

void nat_share_unbind(struct nat_share *share, struct tables *tables)
{
    nat_binding_free((struct nat_binding *)tables->nat_binding); // const only for the workers
    tables->nat_binding = NULL;
}
