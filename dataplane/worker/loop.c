// SPDX-License-Identifier: Apache-2.0
// The worker's loop. One pass after the other until housekeeping says stop; nothing in it blocks, unless the operator
// asked for --sleep-idle. Thread: the worker's, pinned to its core.
#include "worker/loop.h"
#include <sys/prctl.h>
#include <unistd.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_pause.h>
#include "endpoint/endpoint.h"
#include "flow/flow.h"
#include "housekeeping/generation.h"
#include "port/map.h"
#include "route/fragment.h"

#define METER_EVERY 16  // passes: a power of two
#define KILL_BUDGET 256 // flow entries looked at in a pass where the operator ends flows
#define IDLE_PASSES 64  // passes without work before a worker that may sleep does

static void rx_count(struct worker *worker, uint16_t port, struct rte_mbuf *const *frames, uint16_t count)
{
    struct sl_port_counters *counters = &worker->counters->port[port];
    uint64_t bytes = 0;
    for (uint16_t i = 0; i < count; i++)
        bytes += frames[i]->pkt_len;
    counters->rx_packets += count;
    counters->rx_bytes += bytes;
}

static uint16_t queue_receive(struct worker *worker, const struct rx_queue *rx, struct rte_mbuf **frames)
{
    uint64_t start = worker->metered ? rte_rdtsc() : 0;
    uint16_t count = rte_eth_rx_burst(rx->device, rx->queue, frames, BURST_MAX);
    if (unlikely(worker->metered && count > 0)) {
        struct sl_stage_counters *meter = &worker->counters->stage[SL_STAGE_rx];
        meter->cycles += rte_rdtsc() - start;
        meter->packets += count;
    }
    return count;
}

static uint32_t queues_poll(struct worker *worker)
{
    uint32_t handled = 0;
    for (uint16_t i = 0; i < worker->rx_count; i++) {
        const struct rx_queue *rx = &worker->rx[i];
        struct rte_mbuf *frames[BURST_MAX];
        uint16_t count = queue_receive(worker, rx, frames);
        if (count == 0)
            continue;
        rx_count(worker, rx->port, frames, count);
        pipeline_run(worker, rx->port, frames, count);
        handled += count;
    }
    return handled;
}

// A job the operator asked for, a bounded part of it each pass.
static uint32_t kill_step(struct worker *worker)
{
    struct flow_kill_job *job = &worker->kill;
    uint64_t asked = __atomic_load_n(&job->asked, __ATOMIC_ACQUIRE);
    if (likely(asked == job->done))
        return 0;
    job->cursor = flow_kill_step(worker, &job->match, job->cursor, KILL_BUDGET, &job->killed);
    if (job->cursor == FLOW_NONE)
        __atomic_store_n(&job->done, asked, __ATOMIC_RELEASE);
    return 1;
}

uint32_t worker_pass(struct worker *worker)
{
    port_map_take(worker); // before the tables: they are at least as new as the ports then
    tables_take(worker);
    uint32_t handled = queues_poll(worker);
    handled += worker_rings(worker);
    handled += flow_tick(worker);
    fragment_tick(worker);
    handled += kill_step(worker);
    handled += endpoint_pass(worker);
    worker_flush(worker);
    return handled;
}

static void pass_account(struct worker *worker, uint32_t handled, uint64_t cycles)
{
    if (handled > 0)
        worker->counters->busy_cycles += cycles;
    else
        worker->counters->idle_cycles += cycles;
    __atomic_store_n(&worker->board->bursts, worker->board->bursts + 1, __ATOMIC_RELEASE);
}

// A timer of a connection is not slept through.
static void idle(const struct worker_thread *thread, uint32_t idle_passes)
{
    uint64_t due_us = endpoint_deadline_us(thread->worker), now_us = thread->worker->now_us;

    if (thread->sleep_idle_us > 0 && idle_passes > IDLE_PASSES && due_us > now_us)
        usleep((useconds_t)RTE_MIN(due_us - now_us, (uint64_t)thread->sleep_idle_us));
    else
        rte_pause();
}

int worker_run(void *argument)
{
    struct worker_thread *thread = argument;
    struct worker *worker = thread->worker;
    uint32_t passes = 0, idle_passes = 0;
    prctl(PR_SET_TIMERSLACK, 1000); // nanoseconds: a sleep of 100 us shall not become 150
    worker_clock_init(&thread->clock);
    for (uint64_t now = rte_rdtsc(), last = now; !__atomic_load_n(&thread->stop, __ATOMIC_ACQUIRE);
         last = now) {
        worker->now_ms = worker_clock_ms(&thread->clock, now);
        worker->now_us = worker_clock_us(&thread->clock, now);
        worker->metered = passes++ % METER_EVERY == 0;
        uint32_t handled = worker_pass(worker);
        idle_passes = handled ? 0 : idle_passes + 1;
        if (handled == 0)
            idle(thread, idle_passes);
        now = rte_rdtsc();
        pass_account(worker, handled, now - last);
    }
    worker_flush(worker);
    return 0;
}
