// SPDX-License-Identifier: Apache-2.0
// The engine as its users see it: made and told. What it is asked is in report.c. See health.h.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include "health/engine.h"

static const struct check_kind *const kinds[HEALTH_KINDS] = {
    [HEALTH_TCP] = &check_tcp,   [HEALTH_HTTP] = &check_http, [HEALTH_HTTPS] = &check_https,
    [HEALTH_ICMP] = &check_icmp, [HEALTH_UDP] = &check_udp,   [HEALTH_SCRIPT] = &check_script,
};

const struct check_kind *check_kind_of(enum health_kind kind)
{
    return kinds[kind];
}

// ---- made and freed ---------------------------------------------------------------------------------------------

static void on_readable(evutil_socket_t fd, short what, void *context)
{
    schedule_turn(context);
}

// Edge-triggered, so there is nothing to read: it only woke us, and each turn looks at what is due.
static void on_timer(struct health *health, struct watch *watch, uint32_t events)
{
}

// An eighth of the files the process may have open stays for everybody else.
static void limits_set(struct health *health, const struct health_limits *limits)
{
    struct rlimit files;
    uint64_t most = limits && limits->most_checks ? limits->most_checks : 4096;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY &&
        most > files.rlim_cur - files.rlim_cur / 8)
        most = files.rlim_cur - files.rlim_cur / 8;
    health->most[LANE_CHECK] = most ? (uint32_t)most : 1;
    health->most[LANE_SCRIPT] = limits && limits->most_scripts ? limits->most_scripts : 16;
}

static int descriptors_open(struct health *health)
{
    health->timer.ready = on_timer;
    health->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    health->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (health->epoll_fd < 0 || health->timer_fd < 0 ||
        socket_watch(health, &health->timer, health->timer_fd, EPOLLIN | EPOLLET))
        return -errno;
    health->readable = event_new(health->base, health->epoll_fd, EV_READ | EV_PERSIST, on_readable, health);
    return health->readable && event_add(health->readable, NULL) == 0 ? 0 : -ENOMEM;
}

struct health *health_new(struct event_base *base, const struct health_hooks *hooks,
                          const struct health_limits *limits)
{
    struct health *health = calloc(1, sizeof(*health));

    if (!health)
        return NULL;
    health->base = base;
    health->hooks = *hooks;
    health->armed_ns = UINT64_MAX;
    health->now_ns = clock_ns();
    TAILQ_INIT(&health->dead);
    TAILQ_INIT(&health->scripts);
    for (unsigned i = 0; i < LANES; i++)
        TAILQ_INIT(&health->queue[i]);
    if (getrandom(&health->random, sizeof(health->random), 0) != sizeof(health->random) || !health->random)
        health->random = health->now_ns | 1;
    limits_set(health, limits);
    if (descriptors_open(health)) {
        health_free(health);
        return NULL;
    }
    return health;
}

static void target_free(struct health *health, struct target *target)
{
    if (target->kind && target->kind->forget)
        target->kind->forget(health, target);
    wish_fini(&target->wish);
    free(target->room);
    free(target);
}

void health_free(struct health *health)
{
    if (!health)
        return;
    store_fini(health);
    while (health->targets)
        health_remove(health, health->target[0]->id);
    scripts_fini(health);
    icmp_fini(health);
    tls_fini(health);
    if (health->readable)
        event_free(health->readable);
    if (health->timer_fd >= 0)
        close(health->timer_fd);
    if (health->epoll_fd >= 0)
        close(health->epoll_fd);
    free(health->target);
    free(health->bucket);
    free(health->heap);
    free(health);
}

// ---- told -------------------------------------------------------------------------------------------------------

// Takes the copied wish over, also on failure.
static int target_dress(struct health *health, struct target *target, struct health_wish *wish,
                        struct sl_error *error)
{
    target->kind = check_kind_of(wish->kind);
    target->wish = *wish;
    target->room = target->kind->room_bytes ? calloc(1, target->kind->room_bytes) : NULL;
    if (target->kind->room_bytes && !target->room)
        return sl_error_set(error, -ENOMEM, "out of memory");
    health_rules_from(wish, &target->rules);
    health_pace_from(wish, &target->pace);
    return target->kind->prepare ? target->kind->prepare(health, target, error) : 0;
}

static struct target *target_new(struct health *health, uint64_t id, struct health_wish *wish,
                                 struct sl_error *error, int *rc)
{
    struct target *target = calloc(1, sizeof(*target));

    *rc = -ENOMEM;
    if (!target) {
        wish_fini(wish);
        return NULL;
    }
    target->id = id;
    target->fd = -1;
    target->heap_at = NOT_IN_HEAP;
    target->said = "";
    *rc = target_dress(health, target, wish, error);
    if (*rc == 0)
        return target;
    target_free(health, target);
    return NULL;
}

static int target_add(struct health *health, uint64_t id, struct health_wish *wish, struct sl_error *error)
{
    int rc;
    struct target *target = target_new(health, id, wish, error, &rc);

    if (!target)
        return rc;
    if (target_insert(health, target)) {
        target_free(health, target);
        return sl_error_set(error, -ENOMEM, "out of memory");
    }
    health_machine_init(&target->machine, &target->rules);
    target->since_ms = clock_unix_ms();
    store_recall(health, target);
    store_dirty(health);
    schedule_first(health, target);
    return 0;
}

// The same target with another wish: what it was checked with goes, what is known of it stays.
static int target_redress(struct health *health, struct target *target, struct health_wish *wish,
                          struct sl_error *error)
{
    int rc;
    struct target *fresh = target_new(health, target->id, wish, error, &rc);

    if (!fresh)
        return rc;
    check_abandon(health, target);
    struct target old = *target;
    target->wish = fresh->wish;
    target->rules = fresh->rules;
    target->pace = fresh->pace;
    target->kind = fresh->kind;
    target->room = fresh->room;
    fresh->wish = old.wish;
    fresh->kind = old.kind;
    fresh->room = old.room;
    target_free(health, fresh);
    return 0;
}

static void target_begin_anew(struct health *health, struct target *target)
{
    enum health_state before = health_machine_state(&target->machine);

    health_machine_init(&target->machine, &target->rules);
    target->said = "";
    target->last_at_ms = 0;
    if (health_machine_state(&target->machine) != before)
        target_publish(health, target);
}

static int target_change(struct health *health, struct target *target, struct health_wish *wish,
                         struct sl_error *error)
{
    bool same_member = wish_same_member(&target->wish, wish),
         same_check = wish_same_check(&target->wish, wish);
    bool same_pace = wish_same_pace(&target->wish, wish);
    uint64_t id = target->id;
    int rc = 0;

    if (same_check) { // only numbers: nothing under way is disturbed
        struct health_wish old = target->wish;
        target->wish = *wish;
        health_rules_from(wish, &target->rules);
        health_pace_from(wish, &target->pace);
        wish_fini(&old);
    } else
        rc = target_redress(health, target, wish, error);
    if (rc)
        return rc;
    if (!same_check || !same_pace)
        schedule_again(health, target);
    if (!same_check)
        target->machine.good_run = target->machine.bad_run = 0;
    if (!same_member)
        target_begin_anew(health, target); // may call the hook, which may remove it
    target = target_find(health, id);
    if (target && !same_member)
        schedule_first(health, target);
    store_dirty(health);
    return 0;
}

int health_set(struct health *health, uint64_t id, const struct health_wish *wish, struct sl_error *error)
{
    struct target *target = target_find(health, id);
    struct health_wish copy;

    int rc = wish_accept(wish, error);
    if (rc)
        return rc;
    if (wish_copy(&copy, wish))
        return sl_error_set(error, -ENOMEM, "out of memory");
    if (!health->in_turn)
        health->now_ns = clock_ns();
    rc = target ? target_change(health, target, &copy, error) : target_add(health, id, &copy, error);
    schedule_arm(health);
    return rc;
}

// Within a turn an event of it may still lie ahead: it is freed at the turn's end.
int health_remove(struct health *health, uint64_t id)
{
    struct target *target = target_find(health, id);

    if (!target)
        return -ENOENT;
    check_abandon(health, target);
    schedule_forget(health, target);
    target_extract(health, target);
    target->dead = true;
    store_dirty(health);
    if (health->in_turn)
        TAILQ_INSERT_TAIL(&health->dead, target, queue);
    else
        target_free(health, target);
    return 0;
}

void targets_bury(struct health *health)
{
    struct target *target;

    while ((target = TAILQ_FIRST(&health->dead))) {
        TAILQ_REMOVE(&health->dead, target, queue);
        target_free(health, target);
    }
}

int health_check_now(struct health *health, uint64_t id)
{
    struct target *target = target_find(health, id);

    if (!target)
        return -ENOENT;
    if (!health->in_turn)
        health->now_ns = clock_ns();
    schedule_now(health, target);
    schedule_arm(health);
    return 0;
}

int health_passive(struct health *health, uint64_t id, uint32_t bad, uint32_t good)
{
    struct target *target = target_find(health, id);

    if (!target)
        return -ENOENT;
    if (!health->in_turn)
        health->now_ns = clock_ns();
    bool changed = health_machine_passive(&target->machine, &target->rules, bad, good, health->now_ns);
    if (!changed)
        return 0;
    schedule_again(health, target);
    schedule_arm(health);
    target_publish(health, target);
    return 0;
}
