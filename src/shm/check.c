// SPDX-License-Identifier: Apache-2.0
// Table checks: the parts all of them share, the dispatch by kind, and what tables say of each other. Called
// by control before publishing and by housekeeping before handing over; pure.
#include "shm/check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

#include "shm/check_span.h"
#include "table/balance_read.h"

// ---- shared ------------------------------------------------------------------------------------------------

int check_fail(const struct check *check, const void *where, const char *format, ...)
{
    char text[160];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return sl_error_set(check->error, -EBADMSG, "%s table, byte %td: %s", check->table,
                        (const uint8_t *)where - check->base, text);
}

int check_begin(struct check *check, const char *name, const void *table, uint64_t size, uint64_t fixed,
                struct sl_error *error)
{
    *check = (struct check){.table = name, .base = table, .size = size, .fixed = fixed, .error = error};
    if (size < fixed)
        return sl_error_set(error, -EBADMSG, "%s table: %" PRIu64 " bytes, %" PRIu64 " are the least", name,
                            size, fixed);
    return 0;
}

int check_span(const struct check *check, const struct check_array *array)
{
    const uint8_t *base = check->base;

    if (array->count == 0 && array->offset == 0)
        return 0;
    if (array->offset < check->fixed || array->offset > check->size)
        return check_fail(check, base,
                          "%s are said to start at byte %" PRIu64 ", outside %" PRIu64 "..%" PRIu64,
                          array->what, array->offset, check->fixed, check->size);
    if (array->offset % array->align != 0)
        return check_fail(check, base, "%s start at byte %" PRIu64 ", not a multiple of %u", array->what,
                          array->offset, array->align);
    if (array->count > (check->size - array->offset) / array->element)
        return check_fail(check, base,
                          "%" PRIu64 " %s of %u bytes from byte %" PRIu64 " overrun the file's %" PRIu64,
                          array->count, array->what, array->element, array->offset, check->size);
    return 0;
}

int check_text(const struct check *check, const char *text, uint32_t room, const char *what)
{
    for (uint32_t i = 0; i < room; i++) {
        if (text[i] == '\0')
            return 0;
        if (text[i] < ' ' || text[i] > '~')
            return check_fail(check, &text[i], "%s has a character that cannot be printed", what);
    }
    return check_fail(check, text, "%s does not end within %u bytes", what, room);
}

// Host bits are zero: every bit from `bits` on, of 128.
static bool host_bits_zero(const struct sl_ip *ip, unsigned bits)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned keep = bits >= 8 * (i + 1) ? 8 : bits <= 8 * i ? 0 : bits - 8 * i;
        if (ip->b[i] & (0xffu >> keep))
            return false;
    }
    return true;
}

int check_prefix(const struct check *check, const struct sl_prefix *prefix, const char *what)
{
    bool v4 = sl_ip_is_v4(&prefix->ip);

    if (prefix->len > (v4 ? 32 : 128))
        return check_fail(check, prefix, "%s has length %u, %d is the most", what, prefix->len,
                          v4 ? 32 : 128);
    if (!host_bits_zero(&prefix->ip, v4 ? 96u + prefix->len : prefix->len))
        return check_fail(check, prefix, "%s has bits set beyond its length %u", what, prefix->len);
    return 0;
}

// ---- dispatch ----------------------------------------------------------------------------------------------

int sl_table_check(const void *table, uint64_t size, enum sl_segment_kind kind, struct sl_error *error)
{
    switch (kind) {
    case SL_SEG_PORT:
        return sl_port_table_check(table, size, error);
    case SL_SEG_ROUTE:
        return sl_route_table_check(table, size, error);
    case SL_SEG_NAT:
        return sl_nat_table_check(table, size, error);
    case SL_SEG_PREFILTER:
        return sl_prefilter_table_check(table, size, error);
    case SL_SEG_BALANCE:
        return sl_balance_table_check(table, size, error);
    default:
        return sl_error_set(error, -EBADMSG, "kind %d is no table", kind);
    }
}

// ---- together ----------------------------------------------------------------------------------------------

static bool nexthop_uses_port(const struct sl_nexthop *nexthop)
{
    switch (nexthop->kind) {
    case SL_NEXTHOP_CONNECTED:
    case SL_NEXTHOP_GATEWAY:
    case SL_NEXTHOP_LOCAL:
    case SL_NEXTHOP_BROADCAST:
        return true;
    default:
        return false;
    }
}

static int route_ports_check(const struct sl_port_table *port, const struct sl_route_table *route,
                             struct sl_error *error)
{
    const struct check check = {.table = "route", .base = (const uint8_t *)route, .error = error};
    const struct sl_nexthop *nexthop = (const void *)(check.base + route->nexthop_offset);

    for (uint32_t i = 0; i < route->nexthop_capacity; i++)
        if (nexthop_uses_port(&nexthop[i]) && nexthop[i].port >= port->port_count)
            return check_fail(&check, &nexthop[i], "next hop %u names port slot %u, the port table has %u", i,
                              nexthop[i].port, port->port_count);
    return 0;
}

static int nat_ports_check(const struct sl_port_table *port, const struct sl_nat_table *nat,
                           struct sl_error *error)
{
    const struct check check = {.table = "nat", .base = (const uint8_t *)nat, .error = error};
    const struct sl_nat_source *source = (const void *)(check.base + nat->source_offset);

    for (uint32_t i = 0; i < nat->source_count; i++)
        if (source[i].port >= port->port_count)
            return check_fail(&check, &source[i], "source rule %u names port slot %u, the port table has %u",
                              i, source[i].port, port->port_count);
    return 0;
}

static int forwards_balance_check(const struct sl_nat_table *nat, const struct sl_balance_table *balance,
                                  struct sl_error *error)
{
    const struct check check = {.table = "balance", .base = (const uint8_t *)balance, .error = error};
    const struct sl_nat_forward *forward = (const void *)((const uint8_t *)nat + nat->forward_offset);

    for (uint32_t i = 0; i < nat->forward_count; i++) {
        struct sl_ip ip = sl_ip_v4(forward[i].outside);
        const struct sl_balance_rule *rule = sl_balance_rule_meets(
            balance, &ip, forward[i].proto, forward[i].outside_first, forward[i].outside_last);
        if (rule)
            return check_fail(&check, rule, "service %s and NAT forward %u want the same packets",
                              sl_balance_services(balance)[rule->service].name, i);
    }
    return 0;
}

// An address is a service's or a 1:1 host's, and a port of it a service's or a forward's: who comes first must not
// be a matter of chance. (The rest of a service's address may be a pool's or a forward's.)
static int nat_balance_check(const struct sl_nat_table *nat, const struct sl_balance_table *balance,
                             struct sl_error *error)
{
    const struct check check = {.table = "balance", .base = (const uint8_t *)balance, .error = error};
    const struct sl_nat_static *outside = (const void *)((const uint8_t *)nat + nat->static_outside_offset);

    for (uint32_t i = 0; i < nat->static_outside_count; i++) {
        struct sl_ip ip = sl_ip_v4(outside[i].outside);
        const struct sl_balance_address *address =
            sl_balance_address_find(balance, &ip, sl_balance_address_start(balance, &ip));
        if (address)
            return check_fail(&check, address,
                              "an address of a service is the outside address of 1:1 entry %u", i);
    }
    return forwards_balance_check(nat, balance, error);
}

int sl_tables_check_together(const struct sl_port_table *port, const struct sl_route_table *route,
                             const struct sl_nat_table *nat, const struct sl_prefilter_table *prefilter,
                             const struct sl_balance_table *balance, struct sl_error *error)
{
    int code = route_ports_check(port, route, error);

    if (code == 0 && nat)
        code = nat_ports_check(port, nat, error);
    // The prefilter's rules are indexed by port slot: ports beyond its array have none. More than there are
    // ports is a table of another config.
    if (code == 0 && prefilter && prefilter->port_count > port->port_count)
        code =
            sl_error_set(error, -EBADMSG, "prefilter table: rules for %u port slots, the port table has %u",
                         prefilter->port_count, port->port_count);
    if (code == 0 && nat && balance)
        code = nat_balance_check(nat, balance, error);
    return code;
}
