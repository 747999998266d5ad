// SPDX-License-Identifier: Apache-2.0
// Pools, source rules, 1:1 and forwards to a NAT table. Arrays that workers search are sorted here, by host-order
// address, once.
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "apply/compile.h"
#include "config/text.h"

#define MOST_ADDRESSES 65536u // of all pools

struct sorted_address { // as sl_nat_table.address_sorted_offset says
    sl_be32 addr;
    uint32_t index;
};

struct addresses {
    sl_be32 *list;
    uint32_t count;
};

static int compare_be32(sl_be32 a, sl_be32 b)
{
    uint32_t x = ntohl(a), y = ntohl(b);

    return x < y ? -1 : x > y;
}

static int by_address(const void *a, const void *b)
{
    return compare_be32(((const struct sorted_address *)a)->addr, ((const struct sorted_address *)b)->addr);
}

static int by_inside(const void *a, const void *b)
{
    return compare_be32(((const struct sl_nat_static *)a)->inside, ((const struct sl_nat_static *)b)->inside);
}

static int by_outside(const void *a, const void *b)
{
    return compare_be32(((const struct sl_nat_static *)a)->outside,
                        ((const struct sl_nat_static *)b)->outside);
}

static int by_outside_port(const void *a, const void *b)
{
    const struct sl_nat_forward *x = a, *y = b;
    int order = compare_be32(x->outside, y->outside);

    if (order == 0)
        order = (int)x->proto - (int)y->proto;
    return order ? order : (int)x->outside_first - (int)y->outside_first;
}

static int add_range(struct addresses *addresses, const char *text, struct sl_error *error)
{
    struct sl_range range;

    if (sl_range_parse(text, &range))
        return sl_error_set(error, -EINVAL, "nat: '%s' is not a range of IPv4 addresses", text);
    uint32_t more = range.last - range.first + 1;
    if (more == 0 || more > MOST_ADDRESSES - addresses->count)
        return sl_error_set(error, -ENOSPC, "nat: pools hold more than %u addresses", MOST_ADDRESSES);
    sl_be32 *list = realloc(addresses->list, (addresses->count + more) * sizeof(*list));
    if (!list)
        return sl_error_set(error, -ENOMEM, "out of memory");
    addresses->list = list;
    for (uint32_t i = 0; i < more; i++)
        list[addresses->count++] = htonl(range.first + i);
    return 0;
}

static int fill_pools(const struct sl_config_nat *nat, struct sl_nat_pool *pool, struct addresses *addresses,
                      struct sl_error *error)
{
    for (unsigned i = 0; i < nat->pools_count; i++) {
        const struct sl_config_pool *from = &nat->pools[i];
        if (strlen(from->name) >= sizeof(pool[i].name))
            return sl_error_set(error, -ENOSPC, "nat: the pool name '%s' is longer than %d bytes", from->name,
                                SL_NAT_NAME - 1);
        strcpy(pool[i].name, from->name);
        pool[i].first = addresses->count;
        for (unsigned k = 0; k < from->addresses_count; k++) {
            int rc = add_range(addresses, from->addresses[k], error);
            if (rc)
                return rc;
        }
        pool[i].count = addresses->count - pool[i].first;
        pool[i].blocks_per_subscriber = from->blocks_per_subscriber;
        pool[i].filtering = (uint8_t)from->filtering;
    }
    return 0;
}

static int pool_find(const struct sl_config_nat *nat, const char *name)
{
    for (unsigned i = 0; i < nat->pools_count; i++)
        if (strcmp(nat->pools[i].name, name) == 0)
            return (int)i;
    return -1;
}

static uint32_t source_count(const struct sl_config_nat *nat)
{
    uint32_t count = 0;

    for (unsigned i = 0; i < nat->source_count; i++)
        count += nat->source[i].inside_count;
    return count;
}

static int fill_sources(const struct sl_config_nat *nat, const struct slots *slots,
                        struct sl_nat_source *source, struct sl_error *error)
{
    for (unsigned i = 0; i < nat->source_count; i++) {
        const struct sl_config_source *from = &nat->source[i];
        int pool = pool_find(nat, from->pool), port = slots_find(slots, from->port);
        if (pool < 0 || port < 0)
            return sl_error_set(error, -EINVAL, "nat.source[%u]: no pool '%s' or no port '%s'", i, from->pool,
                                from->port);
        for (unsigned k = 0; k < from->inside_count; k++, source++) {
            if (sl_prefix_parse(from->inside[k], &source->inside))
                return sl_error_set(error, -EINVAL, "nat.source[%u]: '%s' is not a prefix", i,
                                    from->inside[k]);
            source->pool = (uint16_t)pool;
            source->port = (uint16_t)port;
        }
    }
    return 0;
}

static int fill_statics(const struct sl_config_nat *nat, struct sl_nat_static *statics,
                        struct sl_error *error)
{
    for (unsigned i = 0; i < nat->statics_count; i++) {
        struct sl_ip inside, outside;
        if (sl_ip_parse(nat->statics[i].inside, &inside) || sl_ip_parse(nat->statics[i].outside, &outside) ||
            !sl_ip_is_v4(&inside) || !sl_ip_is_v4(&outside))
            return sl_error_set(error, -EINVAL, "nat.static[%u]: two IPv4 addresses are wanted", i);
        statics[i] = (struct sl_nat_static){.inside = inside.w[3], .outside = outside.w[3]};
    }
    return 0;
}

static int fill_forwards(const struct sl_config_nat *nat, struct sl_nat_forward *forward,
                         struct sl_error *error)
{
    for (unsigned i = 0; i < nat->forwards_count; i++) {
        struct sl_endpoint outside, inside;
        if (sl_endpoint_parse(nat->forwards[i].outside, &outside) ||
            sl_endpoint_parse(nat->forwards[i].inside, &inside))
            return sl_error_set(error, -EINVAL, "nat.forwards[%u]: two endpoints ADDRESS:PORT are wanted", i);
        forward[i] = (struct sl_nat_forward){
            .outside = outside.address,
            .inside = inside.address,
            .outside_first = outside.first,
            .outside_last = outside.last,
            .inside_first = inside.first,
            .proto = (uint8_t)nat->forwards[i].protocol,
        };
    }
    qsort(forward, nat->forwards_count, sizeof(*forward), by_outside_port);
    return 0;
}

static void append_addresses(struct image *image, const struct addresses *addresses)
{
    uint64_t list = image_append(image, addresses->list, addresses->count, sizeof(sl_be32));
    uint64_t sorted = image_append(image, NULL, addresses->count, sizeof(struct sorted_address));

    if (!image->bytes)
        return;
    struct sorted_address *entry = (void *)(image->bytes + sorted);
    for (uint32_t i = 0; i < addresses->count; i++)
        entry[i] = (struct sorted_address){.addr = addresses->list[i], .index = i};
    qsort(entry, addresses->count, sizeof(*entry), by_address);
    struct sl_nat_table *table = (void *)image->bytes;
    table->address_count = addresses->count;
    table->address_offset = list;
    table->address_sorted_offset = sorted;
}

// The arrays whose sizes are known before they are filled.
static void append_rules(struct image *image, const struct sl_config_nat *nat)
{
    uint64_t pools = image_append(image, NULL, nat->pools_count, sizeof(struct sl_nat_pool));
    uint64_t sources = image_append(image, NULL, source_count(nat), sizeof(struct sl_nat_source));
    uint64_t inside = image_append(image, NULL, nat->statics_count, sizeof(struct sl_nat_static));
    uint64_t outside = image_append(image, NULL, nat->statics_count, sizeof(struct sl_nat_static));
    uint64_t forwards = image_append(image, NULL, nat->forwards_count, sizeof(struct sl_nat_forward));

    if (!image->bytes)
        return;
    struct sl_nat_table *table = (void *)image->bytes;
    table->timeouts = (struct sl_nat_timeouts){
        .udp = nat->timeouts.udp,
        .udp_dns = nat->timeouts.udp_dns,
        .icmp = nat->timeouts.icmp,
        .tcp_established = nat->timeouts.tcp_established,
        .tcp_transitory = nat->timeouts.tcp_transitory,
        .other = nat->timeouts.other,
    };
    table->pool_count = nat->pools_count;
    table->source_count = source_count(nat);
    table->static_count = table->static_outside_count = nat->statics_count;
    table->forward_count = nat->forwards_count;
    table->pool_offset = pools;
    table->source_offset = sources;
    table->static_offset = inside;
    table->static_outside_offset = outside;
    table->forward_offset = forwards;
}

static int fill_rules(struct image *image, const struct sl_config_nat *nat, const struct slots *slots,
                      struct addresses *addresses, struct sl_error *error)
{
    struct sl_nat_table *table = (void *)image->bytes;
    struct sl_nat_static *inside = (void *)(image->bytes + table->static_offset);
    struct sl_nat_static *outside = (void *)(image->bytes + table->static_outside_offset);

    int rc = fill_pools(nat, (void *)(image->bytes + table->pool_offset), addresses, error);
    if (rc == 0)
        rc = fill_sources(nat, slots, (void *)(image->bytes + table->source_offset), error);
    if (rc == 0)
        rc = fill_statics(nat, inside, error);
    if (rc == 0)
        rc = fill_forwards(nat, (void *)(image->bytes + table->forward_offset), error);
    if (rc)
        return rc;
    memcpy(outside, inside, nat->statics_count * sizeof(*inside));
    qsort(inside, nat->statics_count, sizeof(*inside), by_inside);
    qsort(outside, nat->statics_count, sizeof(*outside), by_outside);
    return 0;
}

int compile_nat(const struct sl_config *config, const struct slots *slots, struct image *image,
                struct sl_error *error)
{
    struct addresses addresses = {0};

    if (image_init(image, sizeof(struct sl_nat_table)))
        return sl_error_set(error, -ENOMEM, "out of memory");
    append_rules(image, &config->nat);
    int rc = image->bytes ? fill_rules(image, &config->nat, slots, &addresses, error) : 0;
    if (rc == 0)
        append_addresses(image, &addresses);
    free(addresses.list);
    if (rc == 0 && !image->bytes)
        rc = sl_error_set(error, -ENOMEM, "out of memory");
    if (rc)
        image_fini(image);
    return rc;
}
