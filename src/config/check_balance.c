// SPDX-License-Identifier: Apache-2.0
// Pools of servers and their members. Services are in check_service.c, health checks in check_health.c. Pools may hold
// half a million members, so whatever is asked of an address is answered from sorted arrays. Called by check_config().
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "config/check.h"
#include "shm/layout.h"

static int ip_compare(const struct sl_ip *a, const struct sl_ip *b)
{
    return memcmp(a->b, b->b, sizeof(a->b));
}

static int member_compare(const void *a, const void *b)
{
    const struct check_member *x = a, *y = b;
    int order = ip_compare(&x->ip, &y->ip);

    if (order == 0)
        order = x->pool < y->pool ? -1 : x->pool > y->pool;
    return order ? order : x->member < y->member ? -1 : x->member > y->member;
}

static int address_compare(const void *a, const void *b)
{
    const struct check_service_address *x = a, *y = b;
    int order = ip_compare(&x->ip, &y->ip);

    if (order == 0)
        order = x->service < y->service ? -1 : x->service > y->service;
    return order ? order : x->address < y->address ? -1 : x->address > y->address;
}

static int members_collect(struct check *check)
{
    const struct sl_config *config = check->config;
    size_t count = 0;

    for (unsigned i = 0; i < config->pools_count; i++)
        count += config->pools[i].members_count;
    check->member = calloc(count + 1, sizeof(*check->member));
    if (!check->member)
        return -ENOMEM;
    for (unsigned i = 0; i < config->pools_count; i++) {
        for (unsigned j = 0; j < config->pools[i].members_count; j++) {
            struct check_member *member = &check->member[check->member_count++];

            sl_ip_parse(config->pools[i].members[j].address, &member->ip);
            member->pool = i;
            member->member = j;
        }
    }
    qsort(check->member, check->member_count, sizeof(*check->member), member_compare);
    return 0;
}

static int addresses_collect(struct check *check)
{
    const struct sl_config *config = check->config;
    size_t count = 0;

    for (unsigned i = 0; i < config->services_count; i++)
        count += config->services[i].addresses_count;
    check->service_address = calloc(count + 1, sizeof(*check->service_address));
    if (!check->service_address)
        return -ENOMEM;
    for (unsigned i = 0; i < config->services_count; i++) {
        for (unsigned j = 0; j < config->services[i].addresses_count; j++) {
            struct check_service_address *address = &check->service_address[check->service_address_count++];

            sl_ip_parse(config->services[i].addresses[j], &address->ip);
            address->service = i;
            address->address = j;
        }
    }
    qsort(check->service_address, check->service_address_count, sizeof(*check->service_address),
          address_compare);
    return 0;
}

// Both arrays begin with an address; the first of equal ones. NULL: there is none.
static const void *first_of(const void *array, unsigned count, size_t each, const struct sl_ip *ip)
{
    unsigned low = 0, high = count;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        const struct sl_ip *at = (const void *)((const char *)array + middle * each);

        if (ip_compare(at, ip) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    const struct sl_ip *found = (const void *)((const char *)array + low * each);
    return low < count && sl_ip_equal(found, ip) ? found : NULL;
}

const struct check_service_address *check_service_of(const struct check *check, const struct sl_ip *ip)
{
    return first_of(check->service_address, check->service_address_count, sizeof(*check->service_address),
                    ip);
}

const struct check_member *check_member_of(const struct check *check, const struct sl_ip *ip)
{
    return first_of(check->member, check->member_count, sizeof(*check->member), ip);
}

// ---- members ----------------------------------------------------------------------------------------------------

// What else the address is, so that packets would not reach the member.
static void check_member_address(struct check *check, const struct check_member *member)
{
    const char *text = check->config->pools[member->pool].members[member->member].address;
    const struct check_service_address *service = check_service_of(check, &member->ip);
    uint32_t host = ntohl(member->ip.w[3]);
    const struct check_pool_range *range =
        sl_ip_is_v4(&member->ip) ? check_pool_of(check, (struct sl_range){host, host}) : NULL;

    check_at(check, "pools[%u].members[%u].address", member->pool, member->member);
    if (check_own(check, &member->ip)) {
        check_mend(check, "a member is a server behind the gateway");
        check_error(check, "%s is the gateway's own address", text);
    } else if (service) {
        check_mend(check, "name the servers themselves: a service cannot stand behind another");
        check_error(check, "%s is an address of the service '%s' on line %u", text,
                    check->config->services[service->service].name,
                    check_line(check, "services[%u].addresses[%u]", service->service, service->address));
    } else if (range) {
        check_mend(check, "name the server's own address");
        check_error(check, "%s is an outside address of the NAT pool '%s' on line %u", text,
                    check->config->nat.pools[range->pool].name,
                    check_line(check, "nat.pools[%u].addresses[%u]", range->pool, range->address));
    }
}

// Sorted by address and pool: doubles of a pool are neighbors, but for those with other ports between them.
static void check_member_twice(struct check *check, unsigned i)
{
    const struct check_member *one = &check->member[i];
    const struct sl_config_member *members = check->config->pools[one->pool].members;

    for (unsigned j = i; j-- > 0;) {
        const struct check_member *other = &check->member[j];

        if (other->pool != one->pool || !sl_ip_equal(&other->ip, &one->ip))
            return;
        if (members[other->member].port != members[one->member].port)
            continue;
        check_at(check, "pools[%u].members[%u].address", one->pool, one->member);
        check_mend(check, "raise its weight instead");
        check_error(check, "the member is there already, on line %u",
                    check_line(check, "pools[%u].members[%u].address", one->pool, other->member));
        return;
    }
}

static void check_members(struct check *check)
{
    for (unsigned i = 0; i < check->member_count; i++) {
        check_member_address(check, &check->member[i]);
        check_member_twice(check, i);
    }
    if (check->member_count > SL_BALANCE_MEMBERS) {
        check_at(check, "pools");
        check_mend(check, "there is room for %d", SL_BALANCE_MEMBERS);
        check_error(check, "the pools have %u members", check->member_count);
    }
}

static void check_eligible(struct check *check, unsigned i)
{
    const struct sl_config_server_pool *pool = &check->config->pools[i];

    for (unsigned j = 0; j < pool->members_count; j++)
        if (pool->members[j].enabled)
            return;
    check_at(check, "pools[%u].members", i);
    check_mend(check, "enable one: new flows to this pool are dropped");
    check_warning(check, "no member of the pool '%s' is enabled", pool->name);
}

// ---- pools ------------------------------------------------------------------------------------------------------

static bool is_prime(uint32_t number)
{
    for (uint32_t divisor = 2; divisor <= number / divisor; divisor++)
        if (number % divisor == 0)
            return false;
    return number > 1;
}

static void check_maglev_size(struct check *check, unsigned i)
{
    const struct sl_config_server_pool *pool = &check->config->pools[i];
    uint32_t next = pool->maglev_size;

    if (next == 0)
        return;
    check_at(check, "pools[%u].maglev-size", i);
    if (pool->balance != SL_BALANCE_MAGLEV && pool->balance != SL_BALANCE_SOURCE_HASH) {
        check_mend(check, "take it out, or balance by 'maglev' or 'source-hash'");
        check_warning(check, "this way of balancing has no such table");
    } else if (!is_prime(next)) {
        while (!is_prime(next))
            next++;
        check_mend(check, "write %u", next);
        check_error(check, "%u is not a prime", pool->maglev_size);
    } else if (next < pool->members_count) {
        check_mend(check, "give it 100 entries for each member, or leave it out");
        check_error(check, "%u entries are fewer than the %u members", next, pool->members_count);
    }
}

static void check_pool(struct check *check, unsigned i)
{
    check_way(check, i);
    check_maglev_size(check, i);
    check_eligible(check, i);
    check_health(check, i);
}

struct pool_name {
    const char *name;
    unsigned pool;
};

static int name_compare(const void *a, const void *b)
{
    const struct pool_name *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    return order ? order : x->pool < y->pool ? -1 : x->pool > y->pool;
}

static int check_pool_names(struct check *check)
{
    unsigned count = check->config->pools_count;
    struct pool_name *list = calloc((size_t)count + 1, sizeof(*list));

    if (!list)
        return -ENOMEM;
    for (unsigned i = 0; i < count; i++)
        list[i] = (struct pool_name){check->config->pools[i].name, i};
    qsort(list, count, sizeof(*list), name_compare);
    for (unsigned i = 1; i < count; i++) {
        if (strcmp(list[i].name, list[i - 1].name) != 0)
            continue;
        check_at(check, "pools[%u].name", list[i].pool);
        check_mend(check, "give each pool a name of its own");
        check_error(check, "the pool '%s' is there already, on line %u", list[i].name,
                    check_line(check, "pools[%u].name", list[i - 1].pool));
    }
    free(list);
    return 0;
}

int check_balance(struct check *check)
{
    int error = members_collect(check);

    if (!error)
        error = addresses_collect(check);
    if (!error)
        error = check_pool_names(check);
    if (error)
        return error;
    check_members(check);
    for (unsigned i = 0; i < check->config->pools_count; i++)
        check_pool(check, i);
    return check_services(check);
}
