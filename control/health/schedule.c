// SPDX-License-Identifier: Apache-2.0
// When: a heap of targets under their next moment, one timer, limits on what is under way. See engine.h.
//
// Checks begin at planned times, an interval (less jitter) apart, whatever the one before took. The first of each is
// spread by the hash of its id, so that a thousand members added at once are not checked at once, now or later.
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include "health/engine.h"

#define SECOND_NS  1000000000ull
#define FIRST_RATE 5000 // members added at once are checked first at so many a second

uint64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

uint64_t clock_unix_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

// xorshift64* (Vigna, 2016); jitter needs no better.
static uint64_t random_next(struct health *health)
{
    health->random ^= health->random >> 12;
    health->random ^= health->random << 25;
    health->random ^= health->random >> 27;
    return health->random * 0x2545f4914f6cdd1dull;
}

// ---- heap, four children to a node: half as deep, and the children share a cache line ------------------------------

static void heap_put(struct health *health, uint32_t at, struct target *target)
{
    health->heap[at] = target;
    target->heap_at = at;
}

static void heap_up(struct health *health, uint32_t at, struct target *target)
{
    while (at > 0 && health->heap[(at - 1) / 4]->key_ns > target->key_ns) {
        heap_put(health, at, health->heap[(at - 1) / 4]);
        at = (at - 1) / 4;
    }
    heap_put(health, at, target);
}

static void heap_down(struct health *health, uint32_t at, struct target *target)
{
    for (;;) {
        uint32_t least = at * 4 + 1, end = at * 4 + 5;
        if (least >= health->heaped)
            break;
        for (uint32_t i = least + 1; i < end && i < health->heaped; i++)
            if (health->heap[i]->key_ns < health->heap[least]->key_ns)
                least = i;
        if (health->heap[least]->key_ns >= target->key_ns)
            break;
        heap_put(health, at, health->heap[least]);
        at = least;
    }
    heap_put(health, at, target);
}

static void heap_set(struct health *health, struct target *target, uint64_t key_ns)
{
    uint64_t before = target->heap_at == NOT_IN_HEAP ? UINT64_MAX : target->key_ns;

    if (target->heap_at == NOT_IN_HEAP)
        target->heap_at = health->heaped++;
    target->key_ns = key_ns;
    if (key_ns < before)
        heap_up(health, target->heap_at, target);
    else
        heap_down(health, target->heap_at, target);
}

static void heap_remove(struct health *health, struct target *target)
{
    uint32_t at = target->heap_at;

    if (at == NOT_IN_HEAP)
        return;
    target->heap_at = NOT_IN_HEAP;
    struct target *last = health->heap[--health->heaped];
    if (last == target)
        return;
    if (at > 0 && health->heap[(at - 1) / 4]->key_ns > last->key_ns)
        heap_up(health, at, last);
    else
        heap_down(health, at, last);
}

// ---- a target's next moment -------------------------------------------------------------------------------------

static void place(struct health *health, struct target *target)
{
    uint64_t key_ns = health_machine_due(&target->machine, &target->rules);
    uint64_t own_ns = target->running  ? target->deadline_ns
                      : target->queued ? UINT64_MAX
                                       : target->planned_ns;

    heap_set(health, target, own_ns < key_ns ? own_ns : key_ns);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void schedule_first(struct health *health, struct target *target)
{
    uint64_t spread_ns = health->targets * (SECOND_NS / FIRST_RATE);

    if (spread_ns < SECOND_NS)
        spread_ns = SECOND_NS;
    spread_ns = least(spread_ns, target->pace.interval_ns);
    target->planned_ns = health->now_ns + target_hash(target->id) % spread_ns;
    target->first = true;
    place(health, target);
}

// The second is spread over the whole interval, for good.
static uint64_t step_ns(struct health *health, struct target *target)
{
    uint64_t step =
        health_machine_in_doubt(&target->machine) ? target->pace.fast_ns : target->pace.interval_ns;

    if (target->first) {
        target->first = false;
        uint64_t part = target_hash(~target->id) % target->pace.interval_ns;
        return least(part > target->pace.timeout_ns ? part : target->pace.timeout_ns, step);
    }
    if (target->wish.jitter_percent)
        step -= (uint64_t)((double)step * target->wish.jitter_percent / 100 *
                           ((double)(random_next(health) >> 11) / (double)(1ull << 53)));
    return step;
}

// After a check has ended. One that began late does not push the next ones back.
void schedule_next(struct health *health, struct target *target)
{
    target->planned_ns += step_ns(health, target);
    if (target->planned_ns < health->now_ns)
        target->planned_ns = health->now_ns;
    if (target->hurried)
        target->planned_ns = health->now_ns;
    target->hurried = false;
    place(health, target);
}

void schedule_again(struct health *health, struct target *target)
{
    if (!target->running && !target->queued)
        target->planned_ns = least(target->planned_ns, health->now_ns + target->pace.interval_ns);
    place(health, target);
}

void schedule_now(struct health *health, struct target *target)
{
    target->hurried = target->running;
    if (!target->running && !target->queued)
        target->planned_ns = health->now_ns;
    place(health, target);
}

void schedule_forget(struct health *health, struct target *target)
{
    heap_remove(health, target);
    schedule_dequeue(health, target);
}

void schedule_dequeue(struct health *health, struct target *target)
{
    if (!target->queued)
        return;
    TAILQ_REMOVE(&health->queue[target->kind->lane], target, queue);
    target->queued = false;
    health->waiting--;
}

// ---- doing what is due ------------------------------------------------------------------------------------------

static void note_late(struct health *health, uint64_t late_ns)
{
    if (health->now_ns - health->late_window_ns > SECOND_NS) {
        health->late_before_ns = health->late_ns;
        health->late_ns = 0;
        health->late_window_ns = health->now_ns;
    }
    if (late_ns > health->late_ns)
        health->late_ns = late_ns;
}

static void begin(struct health *health, struct target *target)
{
    note_late(health, health->now_ns > target->planned_ns ? health->now_ns - target->planned_ns : 0);
    target->running = true;
    target->started_ns = health->now_ns;
    target->deadline_ns = health->now_ns + target->pace.timeout_ns;
    health->running[target->kind->lane]++;
    health->checks++;
    place(health, target);
    target->kind->start(health, target);
}

static void begin_or_queue(struct health *health, struct target *target)
{
    enum lane lane = target->kind->lane;

    if (health->running[lane] < health->most[lane] && TAILQ_EMPTY(&health->queue[lane])) {
        begin(health, target);
        return;
    }
    target->queued = true;
    health->waiting++;
    TAILQ_INSERT_TAIL(&health->queue[lane], target, queue);
    place(health, target);
}

static unsigned begin_queued(struct health *health, enum lane lane, unsigned most)
{
    unsigned begun = 0;

    while (begun < most && health->running[lane] < health->most[lane] && !TAILQ_EMPTY(&health->queue[lane])) {
        struct target *target = TAILQ_FIRST(&health->queue[lane]);
        TAILQ_REMOVE(&health->queue[lane], target, queue);
        target->queued = false;
        health->waiting--;
        begin(health, target);
        begun++;
    }
    return begun;
}

static void look_at_clock(struct health *health, struct target *target)
{
    bool changed = health_machine_tick(&target->machine, &target->rules, health->now_ns);

    place(health, target);
    if (changed)
        target_publish(health, target);
}

// False: it was not yet time for a check of it.
static bool due_one(struct health *health, struct target *target)
{
    uint64_t horizon_ns = health->now_ns + SLACK_NS;

    if (health_machine_due(&target->machine, &target->rules) <= health->now_ns)
        look_at_clock(health, target);
    else if (target->running && target->deadline_ns <= health->now_ns)
        target->kind->late(health, target);
    else if (!target->running && !target->queued && target->planned_ns <= horizon_ns)
        begin_or_queue(health, target);
    else
        return false;
    return true;
}

static unsigned due_all(struct health *health)
{
    unsigned done = 0;

    for (unsigned lane = 0; lane < LANES; lane++)
        done += begin_queued(health, (enum lane)lane, START_BURST);
    while (done < START_BURST && health->heaped && health->heap[0]->key_ns <= health->now_ns + SLACK_NS &&
           due_one(health, health->heap[0]))
        done++;
    return done;
}

// What is left over when the time is up is told again in the next turn: the sockets are level-triggered.
static void ready_all(struct health *health)
{
    struct epoll_event events[READY_BURST];
    int count = epoll_wait(health->epoll_fd, events, READY_BURST, 0);

    health->now_ns = clock_ns();
    for (int i = 0; i < count && clock_ns() - health->now_ns < TURN_NS; i++) {
        struct watch *watch = events[i].data.ptr;
        watch->ready(health, watch, events[i].events);
    }
}

// Queued checks can begin only when one ends, which is an event, so they need no alarm.
void schedule_arm(struct health *health)
{
    uint64_t when_ns = health->heaped ? health->heap[0]->key_ns : UINT64_MAX;

    // Its event may have been taken by any epoll_wait() before now_ns was read: what lies in the past is gone.
    if (health->armed_ns <= health->now_ns)
        health->armed_ns = UINT64_MAX;
    if (health->in_turn || when_ns == UINT64_MAX || when_ns >= health->armed_ns)
        return;
    // At the past or at nothing a timerfd would be disarmed or late; 1 ns from the epoch is at once.
    struct itimerspec at = {
        .it_value = {.tv_sec = (time_t)(when_ns / SECOND_NS), .tv_nsec = (long)(when_ns % SECOND_NS) | 1}};
    if (timerfd_settime(health->timer_fd, TFD_TIMER_ABSTIME, &at, NULL) == 0)
        health->armed_ns = when_ns;
}

void schedule_turn(struct health *health)
{
    health->in_turn = true;
    ready_all(health);
    if (due_all(health))
        ready_all(health); // what is near has answered already: saves the loop a turn
    health->in_turn = false;
    targets_bury(health);
    schedule_arm(health);
}
