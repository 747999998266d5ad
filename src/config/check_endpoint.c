// SPDX-License-Identifier: Apache-2.0
// Endpoints: at addresses of the gateway, each port one's alone, and none that NAT gives away. Called by check_config().
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include "config/check.h"
#include "shm/layout.h"

#define TCP_PORT_LEAST  1024
#define TCP_PORTS_LEAST 64 // with as many workers each still has some

static bool listens_on(const struct sl_config_endpoint *endpoint, const char *address)
{
    for (unsigned i = 0; i < endpoint->addresses_count; i++)
        if (strcmp(endpoint->addresses[i], address) == 0)
            return true;
    return endpoint->addresses_count == 0;
}

static bool meet(const struct sl_config_endpoint *one, const struct sl_config_endpoint *other)
{
    if (one->port != other->port)
        return false;
    for (unsigned i = 0; i < one->addresses_count; i++)
        if (listens_on(other, one->addresses[i]))
            return true;
    return one->addresses_count == 0;
}

static void check_unique(struct check *check, unsigned i)
{
    const struct sl_config_endpoint *endpoint = &check->config->endpoints[i];

    for (unsigned j = 0; j < i; j++) {
        const struct sl_config_endpoint *other = &check->config->endpoints[j];

        if (strcmp(other->name, endpoint->name) == 0) {
            check_at(check, "endpoints[%u].name", i);
            check_mend(check, "give each endpoint a name of its own");
            check_error(check, "the endpoint '%s' is there already, on line %u", endpoint->name,
                        check_line(check, "endpoints[%u].name", j));
        } else if (meet(endpoint, other) || meet(other, endpoint)) {
            check_at(check, "endpoints[%u].port", i);
            check_mend(check, "choose another port, or other addresses");
            check_error(check, "the endpoint '%s' listens there too, on line %u", other->name,
                        check_line(check, "endpoints[%u].port", j));
        }
    }
}

static void check_addresses(struct check *check, unsigned i)
{
    const struct sl_config_endpoint *endpoint = &check->config->endpoints[i];

    for (unsigned k = 0; k < endpoint->addresses_count; k++) {
        struct sl_ip ip;

        sl_ip_parse(endpoint->addresses[k], &ip);
        check_at(check, "endpoints[%u].addresses[%u]", i, k);
        if (sl_ip_is_link_local_v6(&ip)) {
            check_mend(check, "take another");
            check_error(check, "%s is link-local: answers would have no port to leave by",
                        endpoint->addresses[k]);
        } else if (!check_own(check, &ip)) {
            check_mend(check, "add it to a port's addresses, or name one of them");
            check_error(check, "%s is not the gateway's own", endpoint->addresses[k]);
        }
    }
}

// A forward takes the packets before they are anybody's here.
static void check_forwards(struct check *check, unsigned i)
{
    const struct sl_config_endpoint *endpoint = &check->config->endpoints[i];
    const struct sl_config_nat *nat = &check->config->nat;

    for (unsigned j = 0; j < nat->forwards_count; j++) {
        struct sl_endpoint outside;
        char text[SL_IP_TEXT];

        sl_endpoint_parse(nat->forwards[j].outside, &outside);
        struct sl_ip ip = sl_ip_v4(outside.address);
        if (nat->forwards[j].protocol != IPPROTO_TCP || endpoint->port < outside.first ||
            endpoint->port > outside.last || !check_own(check, &ip) ||
            !listens_on(endpoint, sl_ip_format(&ip, text)))
            continue;
        check_at(check, "endpoints[%u].port", i);
        check_mend(check, "choose another port, or other addresses");
        check_error(check, "the forward '%s' on line %u has %s:%u", nat->forwards[j].name,
                    check_line(check, "nat.forwards[%u]", j), text, endpoint->port);
    }
}

// As many as the table has entries for: one an address, or one a family.
static void check_count(struct check *check)
{
    unsigned count = 0;

    for (unsigned i = 0; i < check->config->endpoints_count; i++)
        count +=
            check->config->endpoints[i].addresses_count ? check->config->endpoints[i].addresses_count : 2;
    if (count <= SL_MAX_ENDPOINTS)
        return;
    check_at(check, "endpoints");
    check_mend(check, "leave 'addresses' out where an endpoint is to be at all of them");
    check_error(check, "they listen at %u places, %d are the most", count, SL_MAX_ENDPOINTS);
}

// NAT's forwards on own addresses are left out one by one when a port is chosen, and listeners' ports too.
static void check_local_ports(struct check *check)
{
    struct sl_ports ports;

    if (!check->config->tcp.ports || sl_ports_parse(check->config->tcp.ports, &ports) != 0)
        return;
    check_at(check, "tcp.ports");
    check_mend(check, "write a range such as " SL_CONFIG_TCP_PORTS);
    if (ports.first < TCP_PORT_LEAST)
        check_error(check, "connections are not opened from ports below %d", TCP_PORT_LEAST);
    else if (ports.last - ports.first + 1 < TCP_PORTS_LEAST)
        check_error(check, "%d ports are too few to choose from: %d are the least", ports.last - ports.first + 1,
                    TCP_PORTS_LEAST);
}

void check_endpoints(struct check *check)
{
    for (unsigned i = 0; i < check->config->endpoints_count; i++) {
        check_unique(check, i);
        check_addresses(check, i);
        check_forwards(check, i);
    }
    check_count(check);
    check_local_ports(check);
}
