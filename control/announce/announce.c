// SPDX-License-Identifier: Apache-2.0
// See announce.h. Decisions are decide.c's, routes netlink/announce_routes.c's.
#include "announce/announce.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "daemon.h"
#include "log.h"
#include "netlink/announce_routes.h"
#include "table/balance_read.h"

#define MS_NS 1000000u

struct announce {
    struct daemon *daemon;
    struct announce_routes *routes;
    struct event *readable;
    struct announce_service *service; // in the order of the config
    unsigned count;
    struct announce_route *found; // in the kernel when we started; NULL once everything was looked at
    size_t found_count;
    uint64_t generation; // the services are those of; 0: of none yet
    bool due;            // routes are to be looked at
    bool dp_seen;
    uint64_t dp_missing_since_ms;
    char trouble[256];
};

// ---- services of the config -------------------------------------------------------------------------------------

const struct announce_service *announce_look(const struct announce *announce, const char *service)
{
    for (unsigned i = 0; announce && i < announce->count; i++)
        if (strcmp(announce->service[i].name, service) == 0)
            return &announce->service[i];
    return NULL;
}

// Services that stay keep what was decided about them.
static int follow_config(struct announce *announce, const struct sl_config *config)
{
    struct announce_service *list = calloc((size_t)config->services_count + 1, sizeof(*list));
    unsigned count = 0;

    if (!list)
        return -ENOMEM;
    for (unsigned i = 0; i < config->services_count; i++) {
        const struct sl_config_service *service = &config->services[i];
        if (!service->announce)
            continue;
        const struct announce_service *old = announce_look(announce, service->name);
        if (old)
            list[count] = *old;
        else
            strncpy(list[count].name, service->name, sizeof(list[count].name) - 1);
        count++;
    }
    for (unsigned i = 0; i < announce->count; i++) {
        bool stays = false;
        for (unsigned k = 0; k < count && !stays; k++)
            stays = strcmp(list[k].name, announce->service[i].name) == 0;
        if (!stays && announce->service[i].why == ANNOUNCE_YES)
            log_notice("service %s: withdrawn: the config does not announce it any more",
                       announce->service[i].name);
    }
    free(announce->service);
    announce->service = list;
    announce->count = count;
    announce->due = true;
    return 0;
}

// ---- facts ------------------------------------------------------------------------------------------------------

static struct announce_route route_to(const struct sl_config *config, const char *address)
{
    struct announce_route route = {.table = config->announce.table, .metric = config->announce.metric};

    sl_ip_parse(address, &route.ip);
    return route;
}

static bool was_found(const struct announce *announce, const struct sl_config *config,
                      const struct sl_config_service *service)
{
    for (unsigned i = 0; i < service->addresses_count; i++) {
        struct announce_route route = route_to(config, service->addresses[i]);
        if (!announce->found_count ||
            !bsearch(&route, announce->found, announce->found_count, sizeof(route), announce_route_compare))
            return false;
    }
    return true;
}

// Members that get new flows, as the workers see it. Nobody is eligible: the lookup is empty whatever members say.
static uint32_t eligible_of(const struct sl_balance_table *table, const struct sl_balance_pool *pool,
                            uint32_t enough)
{
    const struct sl_balance_member *member = sl_balance_members(table) + pool->first;
    uint32_t count = 0;

    if (sl_balance_lookup(table, pool).size == 0)
        return 0;
    for (uint32_t i = 0; i < pool->count && count < enough; i++)
        count += sl_balance_word_eligible(sl_balance_word(&member[i]));
    return count > 0 ? count : 1; // a lookup that is still there when the words have changed
}

static bool data_plane_alive(const struct daemon *daemon)
{
    return __atomic_load_n(&daemon->board->loaded, __ATOMIC_ACQUIRE) != 0 &&
           sl_board_dp_alive(daemon->board, sl_board_now_ns());
}

// Decides about every service; true where one changed.
static bool decide_all(struct announce *announce, const struct sl_config *config,
                       const struct sl_balance_table *table)
{
    uint64_t now_ms = daemon_now_ns() / MS_NS;
    bool forwards = announce_data_plane(data_plane_alive(announce->daemon), config->announce.dead_after,
                                        now_ms, &announce->dp_seen, &announce->dp_missing_since_ms);
    bool changed = false;
    unsigned at = 0;

    for (unsigned i = 0; i < config->services_count && at < announce->count; i++) {
        const struct sl_config_service *service = &config->services[i];
        if (!service->announce)
            continue;
        const struct sl_balance_service *row = &sl_balance_services(table)[i];
        const struct announce_facts facts = {
            .enabled = config->announce.enabled,
            .data_plane = forwards,
            .eligible = eligible_of(table, &sl_balance_pools(table)[row->pool], service->announce_least),
            .least = service->announce_least,
            .found = announce->found && was_found(announce, config, service),
        };
        struct announce_service *state = &announce->service[at++];
        bool moved = announce_decide(state, &facts, config->announce.delay, now_ms);
        if (moved)
            log_notice("service %s: %s", state->name, announce_why_text(state->why));
        changed |= moved;
    }
    return changed;
}

// ---- routes -----------------------------------------------------------------------------------------------------

static size_t collect(const struct announce *announce, const struct sl_config *config,
                      struct announce_route *out)
{
    size_t count = 0;
    unsigned at = 0;

    for (unsigned i = 0; i < config->services_count && at < announce->count; i++) {
        const struct sl_config_service *service = &config->services[i];
        if (!service->announce || announce->service[at++].why != ANNOUNCE_YES)
            continue;
        for (unsigned k = 0; k < service->addresses_count; k++, count++)
            if (out)
                out[count] = route_to(config, service->addresses[k]);
    }
    return count;
}

static void sync_routes(struct announce *announce, const struct sl_config *config)
{
    size_t count = collect(announce, config, NULL);
    struct announce_route *wanted = calloc(count + 1, sizeof(*wanted));
    struct sl_error error = {{0}};

    if (!wanted)
        return; // due still
    collect(announce, config, wanted);
    announce->due = false;
    int rc = announce_routes_sync(announce->routes, wanted, count, &error);
    if (rc && strcmp(error.text, announce->trouble) != 0)
        log_warning("announce: %s", error.text);
    snprintf(announce->trouble, sizeof(announce->trouble), "%.255s", rc ? error.text : "");
    announce->due = rc != 0; // at the next tick again
    free(wanted);
}

void announce_tick(struct announce *announce)
{
    const struct snapshot *running = announce ? announce->daemon->applier.running : NULL;

    if (!running || apply_busy(&announce->daemon->applier))
        return; // config and table are not of one generation
    const struct sl_balance_table *table = balance_live_table(&announce->daemon->applier.balance);
    if (announce->generation != running->generation) {
        if (follow_config(announce, running->config))
            return;
        announce->generation = running->generation;
    }
    if (table && announce->count && decide_all(announce, running->config, table))
        announce->due = true;
    free(announce->found);
    announce->found = NULL;
    if (announce->due)
        sync_routes(announce, running->config);
}

// ---- begin and end ----------------------------------------------------------------------------------------------

static void on_routes(evutil_socket_t fd, short what, void *context)
{
    struct announce *announce = context;

    announce->due |= announce_routes_read(announce->routes);
}

static int begin(struct announce *announce, struct sl_error *error)
{
    int rc = announce_routes_new(&announce->routes, error);

    if (rc)
        return rc;
    rc = announce_routes_found(announce->routes, &announce->found, &announce->found_count);
    if (rc)
        return sl_error_set(error, rc, "the kernel's routes cannot be read: %s", strerror(-rc));
    announce->dp_seen = announce->found_count > 0; // it was there a moment ago: it has its time to come back
    announce->readable = event_new(announce->daemon->base, announce_routes_fd(announce->routes),
                                   EV_READ | EV_PERSIST, on_routes, announce);
    if (!announce->readable || event_add(announce->readable, NULL))
        return sl_error_set(error, -ENOMEM, "out of memory");
    return 0;
}

int announce_new(struct daemon *daemon, struct announce **out, struct sl_error *error)
{
    struct announce *announce = calloc(1, sizeof(*announce));

    if (!announce)
        return sl_error_set(error, -ENOMEM, "out of memory");
    announce->daemon = daemon;
    int rc = begin(announce, error);
    if (rc) {
        announce_free(announce);
        return rc;
    }
    *out = announce;
    return 0;
}

void announce_free(struct announce *announce)
{
    if (!announce)
        return;
    if (announce->readable)
        event_free(announce->readable);
    announce_routes_free(announce->routes);
    free(announce->found);
    free(announce->service);
    free(announce);
}

const char *announce_trouble(const struct announce *announce)
{
    return announce ? announce->trouble : "";
}

static uint64_t unix_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / MS_NS;
}

uint64_t announce_unix_ms(const struct announce_service *service)
{
    return unix_now_ms() - (daemon_now_ns() / MS_NS - service->since_ms);
}
