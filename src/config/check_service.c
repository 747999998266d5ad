// SPDX-License-Identifier: Apache-2.0
// Services: their pools, their addresses, and that no packet is for two of them. Called by check_balance().
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include "config/check.h"
#include "shm/layout.h"

static struct sl_ports ports_of(const struct sl_config_service *service)
{
    struct sl_ports ports = {0, 65535};

    if (service->ports)
        sl_ports_parse(service->ports, &ports);
    return ports;
}

uint16_t check_service_port(const struct check *check, const char *pool)
{
    const struct sl_config_service *only = NULL;

    for (unsigned i = 0; i < check->config->services_count; i++) {
        if (strcmp(check->config->services[i].pool, pool) != 0)
            continue;
        if (only)
            return 0;
        only = &check->config->services[i];
    }
    struct sl_ports ports = only ? ports_of(only) : (struct sl_ports){0, 0};
    return ports.first == ports.last ? ports.first : 0;
}

// ---- addresses --------------------------------------------------------------------------------------------------

// The link whose network or broadcast address it is: nobody could answer there.
static const struct check_link *broadcast_of(const struct check *check, const struct sl_ip *ip)
{
    for (unsigned i = 0; i < check->link_count; i++) {
        const struct check_link *link = &check->link[i];
        uint32_t mask = link->interface.link.len < 31 ? UINT32_MAX >> link->interface.link.len : 0;
        uint32_t host = ntohl(ip->w[3]) & mask;

        if (mask && sl_ip_is_v4(ip) && sl_ip_is_v4(&link->interface.ip) &&
            sl_prefix_contains(&link->interface.link, ip) && (host == 0 || host == mask))
            return link;
    }
    return NULL;
}

// A 1:1 translation or a forward that has the address; false: none. *line is where.
static bool nat_has(const struct check *check, const char *address, const char **what, unsigned *line)
{
    const struct sl_config_nat *nat = &check->config->nat;
    size_t length = strlen(address);

    for (unsigned i = 0; i < nat->statics_count; i++) {
        if (strcmp(nat->statics[i].outside, address) == 0 || strcmp(nat->statics[i].inside, address) == 0) {
            *what = "a 1:1 translation";
            *line = check_line(check, "nat.static[%u]", i);
            return true;
        }
    }
    for (unsigned i = 0; i < nat->forwards_count; i++) {
        if (strncmp(nat->forwards[i].outside, address, length) == 0 &&
            nat->forwards[i].outside[length] == ':') {
            *what = "a forward";
            *line = check_line(check, "nat.forwards[%u]", i);
            return true;
        }
    }
    return false;
}

static void check_address(struct check *check, const struct check_service_address *address)
{
    const char *text = check->config->services[address->service].addresses[address->address], *what;
    const struct check_link *own = check_own(check, &address->ip),
                            *broadcast = broadcast_of(check, &address->ip);
    uint32_t host = ntohl(address->ip.w[3]);
    const struct check_pool_range *range =
        sl_ip_is_v4(&address->ip) ? check_pool_of(check, (struct sl_range){host, host}) : NULL;
    unsigned line;

    check_at(check, "services[%u].addresses[%u]", address->service, address->address);
    if (own) {
        check_mend(check, "give the service an address of its own: the gateway itself answers at this one");
        check_error(check, "%s is the address of port '%s'", text, check->config->ports[own->port].name);
    } else if (broadcast) {
        check_mend(check, "take another");
        check_error(check, "%s is the network or broadcast address of port '%s'", text,
                    check->config->ports[broadcast->port].name);
    } else if (range) {
        check_mend(check, "take it out of the pool: a service's address is the service's alone");
        check_error(check, "%s is in the NAT pool '%s' on line %u", text,
                    check->config->nat.pools[range->pool].name,
                    check_line(check, "nat.pools[%u].addresses[%u]", range->pool, range->address));
    } else if (sl_ip_is_v4(&address->ip) && nat_has(check, text, &what, &line)) {
        check_mend(check, "give one of them another address");
        check_error(check, "%s has %s, on line %u", text, what, line);
    }
}

// ---- two services at one place ----------------------------------------------------------------------------------

struct listen {
    struct sl_ip ip;
    int protocol;
    struct sl_ports ports;
    unsigned service, address;
};

static int listen_compare(const void *a, const void *b)
{
    const struct listen *x = a, *y = b;
    int order = memcmp(x->ip.b, y->ip.b, sizeof(x->ip.b));

    if (order == 0)
        order = x->protocol - y->protocol;
    if (order == 0)
        order = x->ports.first - y->ports.first;
    if (order == 0)
        order = y->ports.last - x->ports.last;
    if (order == 0)
        order = x->service < y->service ? -1 : x->service > y->service;
    return order ? order : x->address < y->address ? -1 : x->address > y->address;
}

static bool same_place(const struct listen *a, const struct listen *b)
{
    return sl_ip_equal(&a->ip, &b->ip) && a->protocol == b->protocol;
}

static void check_pair(struct check *check, const struct listen *one, const struct listen *before)
{
    const struct sl_config_service *services = check->config->services;
    unsigned line = check_line(check, "services[%u].addresses[%u]", before->service, before->address);

    check_at(check, "services[%u].addresses[%u]", one->service, one->address);
    if (one->service == before->service) {
        check_mend(check, "take one of them out");
        check_error(check, "the address is there already, on line %u", line);
    } else if (one->ports.first == before->ports.first && one->ports.last == before->ports.last) {
        check_mend(check, "a packet is for one service: choose another address, protocol or port");
        check_error(check, "the service '%s' has this address, protocol and port too, on line %u",
                    services[before->service].name, line);
    } else if (one->ports.first <= before->ports.last && one->ports.last > before->ports.last) {
        check_mend(check, "let one range hold the other, or neither a port of the other");
        check_error(check, "ports of the service '%s' on line %u overlap these",
                    services[before->service].name, line);
    }
}

static int check_listens(struct check *check)
{
    struct listen *list = calloc((size_t)check->service_address_count + 1, sizeof(*list));
    unsigned count = check->service_address_count;

    if (!list)
        return -ENOMEM;
    for (unsigned i = 0; i < count; i++) {
        const struct check_service_address *from = &check->service_address[i];
        const struct sl_config_service *service = &check->config->services[from->service];

        list[i] =
            (struct listen){from->ip, service->protocol, ports_of(service), from->service, from->address};
    }
    // By first port, the longer range first: what overlaps a range but is not inside it is its neighbor, or that of
    // one inside it.
    qsort(list, count, sizeof(*list), listen_compare);
    for (unsigned i = 1; i < count; i++)
        if (same_place(&list[i], &list[i - 1]))
            check_pair(check, &list[i], &list[i - 1]);
    free(list);
    return 0;
}

// ---- one service ------------------------------------------------------------------------------------------------

// A client's address has no form in the other family, so only what changes it too crosses; tunnels take any in any.
static void check_families(struct check *check, unsigned i, const struct sl_config_server_pool *pool)
{
    const struct sl_config_service *service = &check->config->services[i];

    if (pool->way == SL_BALANCE_IPIP || pool->way == SL_BALANCE_GUE || pool->way == SL_BALANCE_FULL_NAT)
        return;
    for (unsigned k = 0; k < service->addresses_count; k++) {
        bool v6 = strchr(service->addresses[k], ':') != NULL;

        for (unsigned j = 0; j < pool->members_count; j++) {
            if ((strchr(pool->members[j].address, ':') != NULL) == v6)
                continue;
            check_at(check, "services[%u].addresses[%u]", i, k);
            check_mend(check, "write 'way: full-nat' with 'sources' of the member's family, or make a service and a pool for "
                              "each family");
            check_error(check, "%s cannot be translated to the %s member %s of pool '%s'",
                        service->addresses[k], v6 ? "IPv4" : "IPv6", pool->members[j].address, pool->name);
            return;
        }
    }
}

// A range of ports onto one port would make flows of one client to several of them one.
static void check_member_ports(struct check *check, unsigned i, const struct sl_config_server_pool *pool)
{
    const struct sl_config_service *service = &check->config->services[i];
    struct sl_ports ports = ports_of(service);

    if (ports.first == ports.last && service->protocol != IPPROTO_SCTP)
        return;
    for (unsigned j = 0; j < pool->members_count; j++) {
        if (!pool->members[j].port || (ports.first == ports.last && pool->members[j].port == ports.first))
            continue;
        check_at(check, "services[%u].%s", i, service->ports ? "ports" : "protocol");
        if (ports.first == ports.last) {
            check_mend(check, "leave the members' port out, or write %u there", ports.first);
            check_error(check, "SCTP passes with its ports, but member %s of pool '%s' has port %u",
                        pool->members[j].address, pool->name, pool->members[j].port);
        } else {
            check_mend(check, "leave the members' port out: packets keep the one they were sent to");
            check_error(check, "several ports cannot become port %u of member %s in pool '%s'",
                        pool->members[j].port, pool->members[j].address, pool->name);
        }
        return;
    }
}

static void check_relief(struct check *check, unsigned i, const struct sl_config_server_pool *pool)
{
    const struct sl_config_service *service = &check->config->services[i];
    bool by_hash = pool->balance == SL_BALANCE_MAGLEV || pool->balance == SL_BALANCE_SOURCE_HASH;

    if ((service->when_full || service->when_flooded) && !by_hash) {
        check_at(check, "services[%u].%s", i, service->when_full ? "when-full" : "when-flooded");
        check_mend(check, "balance its pool by 'maglev' or 'source-hash'");
        check_error(check, "without a flow only a hash finds a packet's member again");
    }
    if ((service->when_full || service->when_flooded) && pool->way == SL_BALANCE_DNAT &&
        (service->addresses_count > 1 || !check_service_port(check, pool->name))) {
        check_at(check, "services[%u].%s", i, service->when_full ? "when-full" : "when-flooded");
        check_mend(check, "give the pool one service with one address and one port");
        check_warning(check, "answers to packets without a flow will not find their way back to the client");
    }
    if (service->when_flooded && !service->flow_rate && !service->source_rate) {
        check_at(check, "services[%u].when-flooded", i);
        check_mend(check, "add 'flow-rate' or 'source-rate'");
        check_warning(check, "no rate is set, so it never counts");
    }
}

// Full NAT changes ports, which only TCP's and UDP's checksums allow.
static void check_full_nat(struct check *check, unsigned i, const struct sl_config_server_pool *pool)
{
    int protocol = check->config->services[i].protocol;

    if (pool->way != SL_BALANCE_FULL_NAT || protocol == IPPROTO_TCP || protocol == IPPROTO_UDP)
        return;
    check_at(check, "services[%u].protocol", i);
    check_mend(check, "write tcp or udp, or reach the members of '%s' another way", pool->name);
    check_error(check, "full NAT is for TCP and UDP");
}

static void check_service(struct check *check, unsigned i, bool *used)
{
    const struct sl_config_service *service = &check->config->services[i];

    if (service->protocol == 0 && service->ports && strcmp(service->ports, "any") != 0) {
        check_at(check, "services[%u].ports", i);
        check_mend(check, "take them out, or write 'protocol: tcp', udp or sctp");
        check_error(check, "all of IP has no ports");
    }
    check_at(check, "services[%u].pool", i);
    int pool = check_server_pool_named(check, service->pool);
    if (pool < 0)
        return;
    used[pool] = true;
    check_families(check, i, &check->config->pools[pool]);
    check_member_ports(check, i, &check->config->pools[pool]);
    check_relief(check, i, &check->config->pools[pool]);
    check_full_nat(check, i, &check->config->pools[pool]);
}

static int name_compare(const void *a, const void *b)
{
    const struct sl_config_service *x = *(const struct sl_config_service *const *)a,
                                   *y = *(const struct sl_config_service *const *)b;
    int order = strcmp(x->name, y->name);

    return order ? order : x < y ? -1 : x > y;
}

static int check_names(struct check *check)
{
    const struct sl_config *config = check->config;
    const struct sl_config_service **list = calloc((size_t)config->services_count + 1, sizeof(*list));

    if (!list)
        return -ENOMEM;
    for (unsigned i = 0; i < config->services_count; i++)
        list[i] = &config->services[i];
    qsort(list, config->services_count, sizeof(*list), name_compare);
    for (unsigned i = 1; i < config->services_count; i++) {
        if (strcmp(list[i]->name, list[i - 1]->name) != 0)
            continue;
        check_at(check, "services[%u].name", (unsigned)(list[i] - config->services));
        check_mend(check, "give each service a name of its own");
        check_error(check, "the service '%s' is there already, on line %u", list[i]->name,
                    check_line(check, "services[%u].name", (unsigned)(list[i - 1] - config->services)));
    }
    free(list);
    return 0;
}

// Looked at by the host itself: a blackhole there would swallow what it sends to the service.
static void check_announce(struct check *check)
{
    uint32_t table = check->config->announce.table;

    if (table < 253 || table > 255)
        return;
    check_at(check, "announce.table");
    check_mend(check, "take a number of your own, such as 184");
    check_error(check, "table %u is the kernel's '%s'", table,
                table == 253   ? "default"
                : table == 254 ? "main"
                               : "local");
}

int check_services(struct check *check)
{
    const struct sl_config *config = check->config;
    bool *used = calloc((size_t)config->pools_count + 1, sizeof(*used));
    int error = used ? check_names(check) : -ENOMEM;

    check_announce(check);
    for (unsigned i = 0; !error && i < config->services_count; i++)
        check_service(check, i, used);
    for (unsigned i = 0; !error && i < check->service_address_count; i++)
        check_address(check, &check->service_address[i]);
    for (unsigned i = 0; !error && i < config->pools_count; i++) {
        if (used[i])
            continue;
        check_at(check, "pools[%u].name", i);
        check_mend(check, "name it in 'services', or take it out");
        check_warning(check, "no service uses the pool '%s'", config->pools[i].name);
    }
    free(used);
    return error ? error : check_listens(check);
}
