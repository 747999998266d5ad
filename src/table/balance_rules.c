// SPDX-License-Identifier: Apache-2.0
// See balance_rules.h. Addresses sorted by (IP, protocol, port) fall into groups of one protocol each. Nearly every
// group has no two that overlap, and is copied. One that has is painted: the most exact first, each on what ports are
// bare still, and read off.
#include "table/balance_rules.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define PORTS 65536u
#define BARE  0xffff // painted by no service: SL_BALANCE_SERVICES is less

struct paint {
    uint16_t service[PORTS];
    uint32_t bare[PORTS + 1]; // a port at or after this one that may be bare; the end for none
};

static int listen_compare(const void *a, const void *b)
{
    const struct sl_balance_listen *x = a, *y = b;
    int order = memcmp(&x->ip, &y->ip, sizeof(x->ip));

    if (order)
        return order;
    if (x->proto != y->proto)
        return (int)x->proto - y->proto;
    return x->first_port != y->first_port ? (int)x->first_port - y->first_port
                                          : (int)x->last_port - y->last_port;
}

// Fewer ports first; of as many, the lower.
static int exact_compare(const void *a, const void *b)
{
    const struct sl_balance_listen *x = a, *y = b;
    int width = (x->last_port - x->first_port) - (y->last_port - y->first_port);

    return width ? width : (int)x->first_port - y->first_port;
}

// ---- faults -------------------------------------------------------------------------------------------------
static bool proto_has_ports(uint8_t proto)
{
    return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
}

static int listen_fault(const struct sl_balance_listen *listen, struct sl_error *error, const char *what)
{
    char ip[SL_IP_TEXT];

    return sl_error_set(error, -EINVAL, "address %s, protocol %u, ports %u-%u: %s",
                        sl_ip_format(&listen->ip, ip), listen->proto, listen->first_port, listen->last_port,
                        what);
}

static int listens_check(const struct sl_balance_listen *listen, uint32_t count, uint32_t services,
                         struct sl_error *error)
{
    for (uint32_t i = 0; i < count; i++) {
        bool any = listen[i].first_port == 0 && listen[i].last_port == 65535;
        if (listen[i].service >= services)
            return listen_fault(&listen[i], error, "of a service that is none");
        if (listen[i].first_port > listen[i].last_port)
            return listen_fault(&listen[i], error, "the last port is below the first");
        if (!any && !proto_has_ports(listen[i].proto))
            return listen_fault(&listen[i], error, "only TCP, UDP and SCTP have ports");
        if (i > 0 && listen_compare(&listen[i - 1], &listen[i]) == 0)
            return listen_fault(&listen[i], error, "is there twice");
    }
    return 0;
}

// ---- groups -------------------------------------------------------------------------------------------------
static void rule_add(struct balance_rules *rules, uint8_t proto, uint32_t first, uint32_t last,
                     uint32_t service)
{
    rules->rule[rules->rules++] = (struct sl_balance_rule){
        .key = (uint32_t)proto << 16 | first, .last = (uint16_t)last, .service = (uint16_t)service};
}

static bool group_overlaps(const struct sl_balance_listen *listen, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++)
        if (listen[i].first_port <= listen[i - 1].last_port)
            return true;
    return false;
}

static void paint_reset(struct paint *paint)
{
    memset(paint->service, 0xff, sizeof(paint->service));
    for (uint32_t port = 0; port <= PORTS; port++)
        paint->bare[port] = port;
}

// The first bare port from `port` on, the end for none. What was passed is shortened for the next.
static uint32_t paint_bare(struct paint *paint, uint32_t port)
{
    while (paint->bare[port] != port) {
        paint->bare[port] = paint->bare[paint->bare[port]];
        port = paint->bare[port];
    }
    return port;
}

static void paint_over(struct paint *paint, const struct sl_balance_listen *listen)
{
    for (uint32_t port = paint_bare(paint, listen->first_port); port <= listen->last_port;
         port = paint_bare(paint, port)) {
        paint->service[port] = (uint16_t)listen->service;
        paint->bare[port] = port + 1;
    }
}

static void paint_read(const struct paint *paint, uint8_t proto, struct balance_rules *rules)
{
    for (uint32_t first = 0, last; first < PORTS; first = last + 1) {
        for (last = first; last + 1 < PORTS && paint->service[last + 1] == paint->service[first];)
            last++;
        if (paint->service[first] != BARE)
            rule_add(rules, proto, first, last, paint->service[first]);
    }
}

static void group_add(struct balance_rules *rules, struct paint *paint, struct sl_balance_listen *listen,
                      uint32_t count)
{
    struct sl_balance_address *address = &rules->address[rules->addresses - 1];
    uint32_t before = rules->rules;

    if (listen[0].proto == 0) {
        address->all = listen[0].service; // there is one: it has all ports, and is not there twice
        return;
    }
    if (group_overlaps(listen, count)) {
        uint8_t proto = listen[0].proto;
        qsort(listen, count, sizeof(*listen), exact_compare);
        paint_reset(paint);
        for (uint32_t i = 0; i < count; i++)
            paint_over(paint, &listen[i]);
        paint_read(paint, proto, rules);
    } else {
        for (uint32_t i = 0; i < count; i++)
            rule_add(rules, listen[i].proto, listen[i].first_port, listen[i].last_port, listen[i].service);
    }
    address->rule_count += rules->rules - before;
}

// ---- all ----------------------------------------------------------------------------------------------------
static void address_begin(struct balance_rules *rules, const struct sl_ip *ip)
{
    rules->address[rules->addresses++] =
        (struct sl_balance_address){.ip = *ip, .rule_first = rules->rules, .all = SL_BALANCE_NONE, .used = 1};
}

static void groups_add(struct balance_rules *rules, struct paint *paint, struct sl_balance_listen *listen,
                       uint32_t count)
{
    for (uint32_t first = 0, next; first < count; first = next) {
        for (next = first + 1; next < count && sl_ip_equal(&listen[next].ip, &listen[first].ip) &&
                               listen[next].proto == listen[first].proto;)
            next++;
        if (first == 0 || !sl_ip_equal(&listen[first].ip, &rules->address[rules->addresses - 1].ip))
            address_begin(rules, &listen[first].ip);
        group_add(rules, paint, &listen[first], next - first);
    }
}

int balance_rules_make(const struct sl_balance_input *input, struct balance_rules *rules,
                       struct sl_error *error)
{
    uint32_t count = input->listen_count;
    struct sl_balance_listen *listen = calloc(count + 1ull, sizeof(*listen));
    struct paint *paint = malloc(sizeof(*paint));

    *rules = (struct balance_rules){
        .address = calloc(count + 1ull, sizeof(*rules->address)),
        .rule = calloc(BALANCE_RULES_MOST(count) + 1, sizeof(*rules->rule)),
    };
    int code = listen && paint && rules->address && rules->rule ? 0 : -ENOMEM;
    if (code == 0) {
        if (count > 0)
            memcpy(listen, input->listen, count * sizeof(*listen));
        qsort(listen, count, sizeof(*listen), listen_compare);
        code = listens_check(listen, count, input->service_count, error);
    }
    if (code == 0)
        groups_add(rules, paint, listen, count);
    free(listen);
    free(paint);
    return code;
}

void balance_rules_fini(struct balance_rules *rules)
{
    free(rules->address);
    free(rules->rule);
}
