// SPDX-License-Identifier: Apache-2.0
// Tables in memory, laid out as control lays them out in files. Test thread.
#include "harness.h"
#include <rte_malloc.h>
#include "shm/segment.h"
#include "table/lpm_build.h"

void harness_tables_init(struct harness *h)
{
    h->tables = (struct tables){
        .generation = 0,
        .port_table = &h->port_table,
        .settings = &h->port_table.settings,
        .port = h->port,
        .route = &h->route_table,
        .nexthop = h->nexthop,
        .group_slot = h->group_slot,
    };
    h->port_table.settings = (struct sl_settings){
        .flow_capacity = 4096,
        .neighbor_capacity = 64,
        .icmp_error_rate = 1000,
        .icmp_error_burst = 100,
        .neighbor_reachable_ms = 30000,
        .fragment_timeout_ms = 2000,
    };
    h->route_table.nexthop_capacity = h->route_table.group_capacity = HARNESS_ROUTES;
    h->route_table.nexthop_count = 1; // index 0: no route
}

static void port_queues(struct harness *h, uint16_t slot, bool up)
{
    for (uint32_t i = 0; i < h->worker_count; i++) {
        h->worker[i]->tx[slot].up = up;
        h->worker[i]->tx[slot].owner = HARNESS_CAPTURE;
    }
}

void harness_port_up(struct harness *h, uint16_t slot, bool up)
{
    port_queues(h, slot, up);
}

void harness_port(struct harness *h, uint16_t slot, uint32_t flags)
{
    struct sl_port *port = &h->port[slot];
    *port = (struct sl_port){.flags = flags, .mtu = 1500};
    snprintf(port->name, sizeof(port->name), "p%u", slot);
    snprintf(port->device, sizeof(port->device), "ring:p%u", slot);
    memcpy(port->mac, harness_port_mac(slot), 6);
    memcpy(h->tables.port_mac[slot], harness_port_mac(slot), 6);
    if (slot >= h->tables.port_count)
        h->tables.port_count = h->port_table.port_count = slot + 1u;
    port_queues(h, slot, true);
}

uint32_t harness_nexthop(struct harness *h, enum sl_nexthop_kind kind, uint16_t port, const char *gateway)
{
    uint32_t index = h->route_table.nexthop_count++;
    assert_true(index < HARNESS_ROUTES);
    h->nexthop[index] = (struct sl_nexthop){.kind = kind, .port = port};
    if (gateway)
        h->nexthop[index].gateway = harness_ip_of(gateway);
    return index;
}

uint32_t harness_group(struct harness *h, const uint32_t *members, uint32_t count)
{
    uint32_t index = harness_nexthop(h, SL_NEXTHOP_GROUP, 0, NULL);
    assert_true(h->route_table.group_count + count <= HARNESS_ROUTES);
    h->nexthop[index].group_first = h->route_table.group_count;
    h->nexthop[index].group_count = count;
    for (uint32_t i = 0; i < count; i++)
        h->group_slot[h->route_table.group_count++] = members[i];
    return index;
}

static void route_add(struct harness *h, const struct sl_prefix *prefix, uint32_t nexthop)
{
    assert_true(h->route_count < HARNESS_ROUTES);
    h->route[h->route_count++] = (struct harness_route){*prefix, nexthop};
}

void harness_route(struct harness *h, const char *text, uint32_t nexthop)
{
    struct sl_prefix prefix;
    if (sl_prefix_parse(text, &prefix) != 0)
        fail_msg("'%s' is no prefix", text);
    route_add(h, &prefix, nexthop);
}

static void route_broadcast(struct harness *h, uint16_t slot, const struct sl_prefix *net)
{
    struct sl_prefix last = {.ip = net->ip, .len = 32};
    last.ip.w[3] |= sl_be32_of((uint32_t)(0xffffffffULL >> net->len));
    route_add(h, &last, harness_nexthop(h, SL_NEXTHOP_BROADCAST, slot, NULL));
}

void harness_address(struct harness *h, uint16_t slot, const char *text)
{
    char host[SL_IP_TEXT];
    struct sl_prefix net; // host bits cleared: parse says so and stores it all the same
    const char *slash = strchr(text, '/');
    assert_non_null(slash);
    snprintf(host, sizeof(host), "%.*s", (int)(slash - text), text);
    assert_true(sl_prefix_parse(text, &net) != -EINVAL);
    bool v4 = sl_ip_is_v4(&net.ip);
    struct sl_prefix own = {.ip = harness_ip_of(host), .len = v4 ? 32 : 128};
    struct sl_port *port = &h->port[slot];
    assert_true(port->addr_count < SL_MAX_PORT_ADDRS);
    port->addr[port->addr_count++] = (struct sl_port_addr){.ip = own.ip, .len = net.len};
    route_add(h, &own, harness_nexthop(h, SL_NEXTHOP_LOCAL, slot, NULL));
    if (net.len == own.len)
        return;
    route_add(h, &net, harness_nexthop(h, SL_NEXTHOP_CONNECTED, slot, NULL));
    if (v4 && net.len < 31)
        route_broadcast(h, slot, &net);
}

static void lpm_build(struct harness *h)
{
    struct sl_lpm_item item[HARNESS_ROUTES];
    struct sl_lpm_plan plan;
    for (uint32_t i = 0; i < h->route_count; i++)
        item[i] = (struct sl_lpm_item){.prefix = h->route[i].prefix, .value = h->route[i].nexthop};
    assert_int_equal(sl_lpm_sort(item, h->route_count), 0);
    sl_lpm_plan(item, h->route_count, false, &plan);
    rte_free(h->lpm);
    h->lpm = rte_zmalloc(NULL, plan.blocks * SL_LPM_BLOCK, SL_LPM_BLOCK);
    assert_non_null(h->lpm);
    assert_int_equal(sl_lpm_build(item, h->route_count, &plan, h->lpm, plan.blocks * SL_LPM_BLOCK), 0);
    h->tables.lpm = h->lpm;
    h->route_table.lpm_size = plan.blocks * SL_LPM_BLOCK;
}

void harness_ready(struct harness *h)
{
    lpm_build(h);
    h->tables.generation++;
    h->route_table.epoch++;
    h->house.tables = &h->tables;
    for (uint32_t i = 0; i < h->worker_count; i++)
        h->worker[i]->tables = h->worker[i]->next_tables = &h->tables;
    harness_state_ready(h);
}
