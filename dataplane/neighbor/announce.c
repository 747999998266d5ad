// SPDX-License-Identifier: Apache-2.0
// Keeps the sorted list of our addresses on each port and sends what is due: see announce.h.
#include <stdlib.h>
#include "neighbor/announce.h"
#include "neighbor/message.h"
#include "neighbor/own.h"

static int announcement_compare(const void *a, const void *b)
{
    const struct announcement *x = a, *y = b;

    if (x->port != y->port)
        return x->port < y->port ? -1 : 1;
    return memcmp(x->ip.b, y->ip.b, 16);
}

void announce_fini(struct announce *announce)
{
    free(announce->list);
    *announce = (struct announce){0};
}

static uint32_t addresses_in_all(const struct tables *tables)
{
    uint32_t count = 0;

    for (uint16_t port = 0; port < tables->port_count; port++)
        count += own_list(tables, port, NULL, 0);
    return count;
}

static uint32_t list_sort_unique(struct announcement *list, uint32_t count)
{
    uint32_t kept = 0;

    qsort(list, count, sizeof(list[0]), announcement_compare);
    for (uint32_t i = 0; i < count; i++)
        if (kept == 0 || announcement_compare(&list[kept - 1], &list[i]) != 0)
            list[kept++] = list[i];
    return kept;
}

// Fills `list` with every address of every port, ANNOUNCE_TIMES to go each; `scratch` has as much room.
static uint32_t list_fill(const struct tables *tables, struct announcement *list, struct sl_ip *scratch,
                          uint32_t max)
{
    uint32_t count = 0;

    for (uint16_t port = 0; port < tables->port_count; port++) {
        uint32_t own = own_list(tables, port, scratch, max - count);
        for (uint32_t i = 0; i < own; i++)
            list[count++] = (struct announcement){.ip = scratch[i], .port = port, .left = ANNOUNCE_TIMES};
    }
    return list_sort_unique(list, count);
}

static void list_keep_known(struct announcement *list, uint32_t count, const struct announce *known)
{
    for (uint32_t i = 0; i < count && known->count > 0; i++) {
        const struct announcement *old =
            bsearch(&list[i], known->list, known->count, sizeof(list[0]), announcement_compare);
        if (old)
            list[i].left = old->left;
    }
}

static void announce_recount(struct announce *announce)
{
    announce->pending = 0;
    for (uint32_t i = 0; i < announce->count; i++)
        announce->pending += announce->list[i].left;
}

void announce_tables(struct house *house, struct announce *announce)
{
    uint32_t max = addresses_in_all(house->tables);
    struct announcement *list = calloc(max + 1, sizeof(list[0]));
    struct sl_ip *scratch = calloc(max + 1, sizeof(scratch[0]));

    if (list && scratch) {
        uint32_t count = list_fill(house->tables, list, scratch, max);
        list_keep_known(list, count, announce);
        free(announce->list);
        announce->list = list;
        announce->count = count;
        announce->at = 0;
        announce->next_ms = house->now_ms;
        announce_recount(announce);
        list = NULL;
    }
    free(list);
    free(scratch);
}

void announce_port(struct house *house, struct announce *announce, uint16_t port)
{
    for (uint32_t i = 0; i < announce->count; i++)
        if (announce->list[i].port == port)
            announce->list[i].left = ANNOUNCE_TIMES;
    announce->at = 0;
    announce->next_ms = house->now_ms;
    announce_recount(announce);
}

static void notice_ports(struct house *house, struct announce *announce)
{
    uint64_t up = 0;

    for (uint16_t port = 0; port < house->tables->port_count; port++)
        up |= (uint64_t)(house->worker_count > 0 && house->worker[0]->tx[port].up) << port;
    uint64_t came = up & ~announce->ports_up;
    announce->ports_up = up;
    for (; came != 0; came &= came - 1)
        announce_port(house, announce, (uint16_t)__builtin_ctzll(came));
}

void announce_tick(struct house *house, struct announce *announce)
{
    notice_ports(house, announce);
    if (announce->pending == 0 || (int32_t)(house->now_ms - announce->next_ms) < 0)
        return;
    for (uint32_t sent = 0; sent < ANNOUNCE_BATCH && announce->at < announce->count; announce->at++) {
        struct announcement *one = &announce->list[announce->at];
        if (one->left == 0 || !(announce->ports_up >> one->port & 1))
            continue;
        message_announce(house, one->port, &one->ip);
        one->left--;
        announce->pending--;
        sent++;
    }
    if (announce->at == announce->count) {
        announce->at = 0;
        announce->next_ms = house->now_ms + ANNOUNCE_INTERVAL_MS;
    }
}
