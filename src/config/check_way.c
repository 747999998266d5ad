// SPDX-License-Identifier: Apache-2.0
// How packets get to a pool's members: what each way needs, and what it cannot. Called by check_balance().
#include <arpa/inet.h>
#include <string.h>
#include "config/check.h"
#include "shm/layout.h"

const char *check_way_name(int way)
{
    static const char *const name[SL_BALANCE_WAYS] = {"dnat", "full-nat", "direct", "ipip", "gue"};

    return name[way];
}

static bool has_sources(int way)
{
    return way == SL_BALANCE_FULL_NAT || way == SL_BALANCE_IPIP || way == SL_BALANCE_GUE;
}

static bool is_v6(const char *text)
{
    return strchr(text, ':') != NULL;
}

static bool has_source_for(const struct sl_config_server_pool *pool, const char *member)
{
    for (unsigned k = 0; k < pool->sources_count; k++)
        if (is_v6(pool->sources[k]) == is_v6(member))
            return true;
    return false;
}

// Whose the address is besides; NULL: nobody's. Answers to it must come to the pool.
static const char *owner_of(const struct check *check, const struct sl_ip *ip)
{
    uint32_t host = ntohl(ip->w[3]);

    if (check_own(check, ip))
        return "the gateway's own";
    if (check_service_of(check, ip))
        return "a service's";
    if (check_member_of(check, ip))
        return "a member's";
    if (sl_ip_is_v4(ip) && check_pool_of(check, (struct sl_range){host, host}))
        return "a NAT pool's";
    return NULL;
}

static void check_source(struct check *check, unsigned i, unsigned k)
{
    const struct sl_config_server_pool *pool = &check->config->pools[i];
    struct sl_ip ip;

    sl_ip_parse(pool->sources[k], &ip);
    const char *owner = owner_of(check, &ip);
    check_at(check, "pools[%u].sources[%u]", i, k);
    // Tunnels may well begin at the gateway: nothing but errors comes back.
    if (owner && (pool->way == SL_BALANCE_FULL_NAT || !check_own(check, &ip))) {
        check_mend(check, "give the pool addresses of its own");
        check_error(check, "%s is %s address", pool->sources[k], owner);
    }
    for (unsigned j = 0; j < k; j++) {
        if (strcmp(pool->sources[j], pool->sources[k]) != 0)
            continue;
        check_mend(check, "take one of them out");
        check_error(check, "the address is there already, on line %u",
                    check_line(check, "pools[%u].sources[%u]", i, j));
        return;
    }
}

static void check_sources(struct check *check, unsigned i)
{
    const struct sl_config_server_pool *pool = &check->config->pools[i];

    if (!has_sources(pool->way) && pool->sources_count) {
        check_at(check, "pools[%u].sources", i);
        check_mend(check, "take them out; they go with full-nat, ipip, gue");
        check_error(check, "'sources' mean nothing to the way %s", check_way_name(pool->way));
        return;
    }
    for (unsigned k = 0; k < pool->sources_count; k++)
        check_source(check, i, k);
    for (unsigned j = 0; has_sources(pool->way) && j < pool->members_count; j++) {
        if (has_source_for(pool, pool->members[j].address))
            continue;
        check_at(check, "pools[%u].way", i);
        check_mend(check, "add 'sources: [ADDRESS]'");
        check_error(check, "there is no source of the family of member %s", pool->members[j].address);
        return;
    }
}

// What arrives as the client sent it cannot arrive at another port; a member on no link of ours has no MAC to send to.
static void check_unchanged(struct check *check, unsigned i)
{
    const struct sl_config_server_pool *pool = &check->config->pools[i];

    for (unsigned j = 0; j < pool->members_count; j++) {
        struct sl_ip ip;

        sl_ip_parse(pool->members[j].address, &ip);
        if (pool->members[j].port) {
            check_at(check, "pools[%u].members[%u].port", i, j);
            check_mend(check, "take it out: the member gets the port that the client sent to");
            check_error(check, "packets reach members unchanged by the way %s", check_way_name(pool->way));
            return;
        }
        if (pool->way == SL_BALANCE_DIRECT && !check_link_of(check, &ip, -1)) {
            check_at(check, "pools[%u].members[%u].address", i, j);
            check_mend(check, "reach it by ipip or gue, or look at the ports' addresses");
            check_error(check, "%s is on no link of ours, which direct return needs",
                        pool->members[j].address);
        }
    }
}

void check_way(struct check *check, unsigned i)
{
    const struct sl_config_server_pool *pool = &check->config->pools[i];

    check_sources(check, i);
    if (pool->way != SL_BALANCE_DNAT && pool->way != SL_BALANCE_FULL_NAT)
        check_unchanged(check, i);
    if (pool->way != SL_BALANCE_FULL_NAT && pool->client_address) {
        check_at(check, "pools[%u].client-address", i);
        check_mend(check, "take it out: members see the client's address by the way %s", check_way_name(pool->way));
        check_error(check, "'client-address' goes with full-nat");
    }
    if (pool->way != SL_BALANCE_GUE && pool->tunnel_port != 6080) {
        check_at(check, "pools[%u].tunnel-port", i);
        check_mend(check, "take it out; it goes with gue");
        check_error(check, "'tunnel-port' means nothing to the way %s", check_way_name(pool->way));
    }
    if (pool->way != SL_BALANCE_GUE && pool->way != SL_BALANCE_IPIP && pool->tunnel_mtu) {
        check_at(check, "pools[%u].tunnel-mtu", i);
        check_mend(check, "take it out; it goes with ipip, gue");
        check_error(check, "'tunnel-mtu' means nothing to the way %s", check_way_name(pool->way));
    }
}
