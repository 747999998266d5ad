// SPDX-License-Identifier: Apache-2.0
// The loop of a sending and receiving core. Launched by trial.c.
#include "worker.h"
#include <rte_cycles.h>
#include <rte_pause.h>

static void receive(struct worker *worker)
{
    for (uint32_t i = 0; !worker->deaf && i < worker->rx_count; i++)
        receiver_poll(&worker->receiver, worker->rx[i].device, worker->rx[i].queue,
                      &worker->self[worker->rx[i].port]);
}

// False where every stream has reached its limit.
static bool streams_send(struct worker *worker, uint64_t tsc)
{
    bool more = false;
    for (uint32_t i = 0; i < worker->streams; i++) {
        struct stream *stream = &worker->stream[i];
        if (stream->sent >= stream->limit)
            continue;
        stream_send(stream, worker->session->pool, tsc);
        more = true;
    }
    worker->last_tsc = tsc;
    return more || worker->streams == 0;
}

// What earlier trials left in the queues is taken out before the clock starts; it counts as foreign, by its magic.
int worker_run(void *argument)
{
    struct worker *worker = argument;
    uint64_t now = rte_rdtsc();
    for (; now < worker->start_tsc && !session_stopping(worker->session); now = rte_rdtsc())
        receive(worker);
    for (uint64_t before = now; now < worker->end_tsc && !session_stopping(worker->session);
         now = rte_rdtsc()) {
        worker->longest_pass = now - before > worker->longest_pass ? now - before : worker->longest_pass;
        before = now;
        receive(worker);
        if (!streams_send(worker, now))
            break;
        worker->passes++;
    }
    uint64_t settle = worker->settle_tsc - worker->end_tsc;
    for (uint64_t since = now; now - since < settle; now = rte_rdtsc())
        receive(worker);
    return 0;
}
