// SPDX-License-Identifier: Apache-2.0
// Housekeeping, round and round: packets of the workers, twins, timers, generations, commands, heartbeats. Sleeps in
// ppoll() whenever there is nothing to do; the rings have no file descriptor, so it never sleeps long. Main thread.
#include "housekeeping/loop.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include <sys/signalfd.h>
#include "housekeeping/notify.h"
#include "housekeeping/turnover.h"
#include "housekeeping/twin.h"
#include "neighbor/neighbor.h"
#include "port/ports.h"
#include "shm/board.h"

#define RING_BURST     256     // packets taken from one worker before the next has its turn
#define SLEEP_IDLE_NS  1000000 // an ARP answer may be late by this
#define SLEEP_BUSY_NS  100000  // while packets come
#define LINKS_EVERY_NS 1000000000ULL
#define BEAT_EVERY_NS  (SL_HEARTBEAT_EVERY_MS * 1000000ULL)

static uint32_t worker_drain(struct house *house, uint32_t index)
{
    struct rte_mbuf *packet[RING_BURST];
    uint32_t count =
        rte_ring_dequeue_burst(house->worker[index]->to_house, (void **)packet, RING_BURST, NULL);
    for (uint32_t i = 0; i < count; i++)
        house_handle(house, packet[i]);
    return count;
}

static uint32_t workers_drain(struct house *house)
{
    uint32_t handled = 0;
    for (uint32_t i = 0; i < house->worker_count; i++)
        handled += worker_drain(house, i);
    return handled;
}

static uint32_t twins_drain(struct house *house)
{
    uint32_t handled = 0;
    for (uint16_t port = 0; port < SL_MAX_PORTS; port++)
        if (house->twin[port] >= 0)
            handled += twin_read(house, port);
    return handled;
}

static void links_watch(struct house *house)
{
    uint64_t came_up = ports_links_came_up(house->ports);
    for (; came_up != 0; came_up &= came_up - 1)
        neighbor_port_up(house, (uint16_t)__builtin_ctzll(came_up));
}

static bool due(uint64_t now_ns, uint64_t *next_ns, uint64_t every_ns)
{
    if (now_ns < *next_ns)
        return false;
    *next_ns = now_ns + every_ns;
    return true;
}

static void clock_take(struct house_loop *loop)
{
    loop->now_ns = sl_board_now_ns();
    loop->house->now_ms = (uint32_t)(loop->now_ns / 1000000);
}

static void beat(struct house_loop *loop)
{
    clock_take(loop);
    if (due(loop->now_ns, &loop->next_beat_ns, BEAT_EVERY_NS))
        sl_board_dp_beat(loop->house->board, loop->now_ns);
    if (loop->watchdog_ns > 0 && due(loop->now_ns, &loop->next_watchdog_ns, loop->watchdog_ns))
        notify_send("WATCHDOG=1");
}

static void generation_announce(const struct house *house)
{
    char status[96];
    snprintf(status, sizeof(status), "STATUS=generation %llu on %u workers",
             (unsigned long long)house->tables->generation, house->worker_count);
    notify_send(status);
}

static uint32_t pass(struct house_loop *loop)
{
    struct house *house = loop->house;
    beat(loop);
    uint32_t handled = workers_drain(house) + twins_drain(house);
    neighbor_tick(house);
    handled += commands_step(&loop->commands, house);
    if (turnover_step(house)) {
        generation_announce(house);
        loop->next_links_ns = 0; // new ports announce their addresses at once
    }
    if (due(loop->now_ns, &loop->next_links_ns, LINKS_EVERY_NS)) {
        links_watch(house);
        ports_report(house->ports, house->port_state);
        watch_step(&loop->watch, house, loop->now_ns);
    }
    return handled;
}

// Sleeps until a twin or a signal has something, or the time is over. True: a signal.
static bool sleep_until(const struct house_loop *loop, int64_t ns)
{
    struct timespec timeout = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    struct pollfd fds[SL_MAX_PORTS + 1];
    nfds_t count = 0;
    fds[count++] = (struct pollfd){.fd = loop->signals, .events = POLLIN};
    for (uint16_t port = 0; port < SL_MAX_PORTS; port++)
        if (loop->house->twin[port] >= 0)
            fds[count++] = (struct pollfd){.fd = loop->house->twin[port], .events = POLLIN};
    return ppoll(fds, count, &timeout, NULL) > 0 && fds[0].revents != 0;
}

bool house_loop_idle(struct house_loop *loop, int timeout_ms)
{
    beat(loop);
    return sleep_until(loop, timeout_ms * 1000000LL);
}

void house_loop_run(struct house_loop *loop)
{
    for (;;) {
        uint32_t handled = pass(loop);
        if (sleep_until(loop, handled ? SLEEP_BUSY_NS : SLEEP_IDLE_NS))
            return;
    }
}
