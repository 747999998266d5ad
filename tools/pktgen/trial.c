// SPDX-License-Identifier: Apache-2.0
// Spreading streams over workers, starting them together, adding up what they counted. Called by the modes, on the main
// thread; workers hold the parts that trial_start() gave them until they end.
#include "trial.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <rte_cycles.h>
#include "worker.h"

#define START_DELAY_US 2000 // workers need a moment to be launched

struct sender {                     // a stream on one queue of its port
    uint32_t stream, worker, index; // index: in the worker's streams
};

struct trial {
    struct session *session;
    const struct plan *plan;
    const struct neighbor_self *self;
    struct worker *worker;
    struct sender *sender; // the signature's stream is the index here
    uint32_t senders;
    uint16_t magic;
};

static void *zalloc_aligned(size_t count, size_t size)
{
    size_t bytes = (count * size + 63) / 64 * 64;
    void *at = aligned_alloc(64, bytes ? bytes : 64);
    return at ? memset(at, 0, bytes) : NULL;
}

static uint32_t senders_count(const struct trial *trial)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < trial->plan->streams; i++)
        count += trial->session->port[trial->plan->stream[i].port].device.tx_queues;
    return count;
}

static int sender_make(struct trial *trial, uint32_t i, uint16_t queue, struct sl_error *error)
{
    const struct stream_plan *plan = &trial->plan->stream[i];
    const struct device *device = &trial->session->port[plan->port].device;
    uint32_t owner = session_owner(trial->session, plan->port, queue);
    struct worker *worker = &trial->worker[owner];
    struct stream *stream = &worker->stream[worker->streams];
    int rc = stream_init(stream, plan, error);
    if (rc != 0)
        return rc;
    stream->device = device->id;
    stream->queue = queue;
    stream->wire_id = (uint16_t)trial->senders;
    stream->flow_step = device->tx_queues < plan->flows.flows ? device->tx_queues : plan->flows.flows;
    trial->sender[trial->senders++] = (struct sender){i, owner, worker->streams++};
    return 0;
}

// A null port hands out buffers as it finds them, old frames of ours among them: nothing that was received.
static void queues_share(struct trial *trial)
{
    for (uint32_t port = 0; port < trial->session->ports; port++) {
        const struct device *device = &trial->session->port[port].device;
        for (uint16_t queue = 0; queue < device->rx_queues && device->spec.driver != PORT_NULL; queue++) {
            struct worker *worker = &trial->worker[session_owner(trial->session, port, queue)];
            if (worker->rx_count < WORKER_QUEUES)
                worker->rx[worker->rx_count++] = (struct worker_queue){device->id, queue, port};
        }
    }
}

static int worker_make(struct trial *trial, struct worker *worker, uint32_t senders)
{
    worker->session = trial->session;
    worker->self = trial->self;
    worker->stream = zalloc_aligned(senders, sizeof(*worker->stream));
    worker->receiver.stream = zalloc_aligned(senders, sizeof(*worker->receiver.stream));
    worker->receiver.streams = senders;
    return worker->stream && worker->receiver.stream ? 0 : -ENOMEM;
}

static int trial_make(struct trial *trial, struct sl_error *error)
{
    uint32_t senders = senders_count(trial);
    trial->worker = zalloc_aligned(trial->session->workers, sizeof(*trial->worker));
    trial->sender = calloc(senders, sizeof(*trial->sender));
    if (!trial->worker || !trial->sender)
        return sl_error_set(error, -ENOMEM, "out of memory");
    for (uint32_t i = 0; i < trial->session->workers; i++)
        if (worker_make(trial, &trial->worker[i], senders) != 0)
            return sl_error_set(error, -ENOMEM, "out of memory for %u streams", senders);
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < trial->plan->streams; i++)
        for (uint16_t q = 0;
             rc == 0 && q < trial->session->port[trial->plan->stream[i].port].device.tx_queues; q++)
            rc = sender_make(trial, i, q, error);
    return rc;
}

struct trial *trial_new(struct session *session, const struct plan *plan, const struct neighbor_self *self,
                        struct sl_error *error)
{
    struct trial *trial = calloc(1, sizeof(*trial));
    if (!trial)
        return NULL;
    trial->session = session;
    trial->plan = plan;
    trial->self = self;
    trial->magic = (uint16_t)rte_rdtsc();
    if (trial_make(trial, error) != 0) {
        trial_free(trial);
        return NULL;
    }
    queues_share(trial);
    return trial;
}

void trial_free(struct trial *trial)
{
    if (!trial)
        return;
    for (uint32_t i = 0; trial->worker && i < trial->session->workers; i++) {
        struct worker *worker = &trial->worker[i];
        for (uint32_t k = 0; k < worker->streams; k++)
            stream_fini(&worker->stream[k]);
        free(worker->stream);
        free(worker->receiver.stream);
    }
    free(trial->worker);
    free(trial->sender);
    free(trial);
}

// A queue's share of the frames that a stream sends in all.
static uint64_t limit_share(uint64_t limit, uint16_t queue, uint16_t queues)
{
    return limit ? limit / queues + (queue < limit % queues) : UINT64_MAX;
}

// Queues of a port share a stream's rate evenly, a little apart in time.
static void sender_reset(struct trial *trial, const struct sender *sender, uint64_t limit, uint64_t start)
{
    const struct stream_plan *plan = &trial->plan->stream[sender->stream];
    const struct session_port *port = &trial->session->port[plan->port];
    struct stream *stream = &trial->worker[sender->worker].stream[sender->index];
    double pps =
        plan_stream_pps(trial->plan, sender->stream, port->line_bps) / stream->parts / port->device.tx_queues;
    pace_init(&stream->pace, pps, rte_get_tsc_hz(), plan->burst, start);
    stream->magic = trial->magic;
    stream->limit = limit_share(limit, stream->queue, port->device.tx_queues);
    stream->sequence = stream->sent = stream->sent_bytes = stream->refused = 0;
    stream->flow_next = stream->queue % stream->flows.flows;
    stream->pick_next = 0;
    stream->full_until = 0;
    stream->random = 0x9e3779b97f4a7c15ULL * (stream->wire_id + 1u);
}

static void receiver_reset(struct receiver *receiver, uint16_t magic, bool verify)
{
    struct arrivals *stream = receiver->stream;
    uint32_t streams = receiver->streams;
    *receiver = (struct receiver){.stream = stream, .streams = streams, .magic = magic, .verify = verify};
    for (uint32_t i = 0; i < streams; i++) {
        track_init(&stream[i].track);
        histogram_init(&stream[i].latency);
        stream[i].bytes = stream[i].corrupt = 0;
    }
}

void trial_start(struct trial *trial, const struct trial_wish *wish)
{
    uint64_t hz = rte_get_tsc_hz(), us = hz / 1000000;
    void *argument[SL_MAX_WORKERS];
    trial->magic = (uint16_t)(trial->magic * 5 + 1) ? (uint16_t)(trial->magic * 5 + 1) : 1;
    for (uint32_t i = 0; i < trial->session->workers; i++)
        receiver_reset(&trial->worker[i].receiver, trial->magic, wish->verify);
    uint64_t start = rte_rdtsc() + START_DELAY_US * us;
    for (uint32_t i = 0; i < trial->senders; i++)
        sender_reset(trial, &trial->sender[i], wish->limit, start);
    for (uint32_t i = 0; i < trial->session->workers; i++) {
        struct worker *worker = &trial->worker[i];
        worker->start_tsc = worker->last_tsc = start;
        worker->end_tsc = start + wish->duration_us * us;
        worker->settle_tsc = worker->end_tsc + wish->settle_us * us;
        worker->deaf = wish->deaf;
        worker->passes = worker->longest_pass = 0;
        argument[i] = worker;
    }
    session_launch(trial->session, worker_run, argument);
}

void trial_join(struct trial *trial)
{
    session_join(trial->session);
}

static void arrivals_add(struct stream_result *into, const struct arrivals *from)
{
    const struct track *track = &from->track;
    into->received += track_unique(track);
    into->received_bytes += from->bytes;
    into->duplicate += track->duplicate;
    into->reordered += track->reordered;
    into->too_late += track->too_late;
    into->distance = track->distance > into->distance ? track->distance : into->distance;
    into->corrupt += from->corrupt;
    histogram_merge(&into->latency, &from->latency);
}

static void sender_add(const struct trial *trial, uint32_t wire_id, struct stream_result *into)
{
    const struct sender *sender = &trial->sender[wire_id];
    const struct stream *stream = &trial->worker[sender->worker].stream[sender->index];
    for (uint32_t i = 0; i < trial->session->workers; i++) // before `sent`, which is ahead of what arrives
        arrivals_add(into, &trial->worker[i].receiver.stream[wire_id]);
    into->sent += stream->sent;
    into->sent_bytes += stream->sent_bytes;
    into->refused += stream->refused;
    into->skipped += stream->pace.skipped;
}

static void stream_close(const struct stream_plan *plan, struct stream_result *stream)
{
    uint64_t came = stream->received + stream->corrupt;
    memcpy(stream->name, plan->name, sizeof(stream->name));
    stream->bad = plan->bad;
    stream->lost = stream->sent > came ? stream->sent - came : 0;
}

static void workers_add(const struct trial *trial, struct result *result)
{
    for (uint32_t i = 0; i < trial->session->workers; i++) {
        const struct worker *worker = &trial->worker[i];
        double seconds = (double)(worker->last_tsc - worker->start_tsc) / (double)result->cycles_per_s;
        result->foreign += worker->receiver.foreign;
        result->answered += worker->receiver.answered;
        result->passes += worker->passes;
        double pass = (double)worker->longest_pass * 1e9 / (double)result->cycles_per_s;
        result->longest_pass_ns = pass > result->longest_pass_ns ? pass : result->longest_pass_ns;
        double silence = (double)worker->receiver.silence * 1e9 / (double)result->cycles_per_s;
        result->longest_silence_ns =
            silence > result->longest_silence_ns ? silence : result->longest_silence_ns;
        result->seconds = worker->streams && seconds > result->seconds ? seconds : result->seconds;
    }
}

void trial_result(const struct trial *trial, struct result *result)
{
    memset(result, 0, sizeof(*result));
    result->cycles_per_s = rte_get_tsc_hz();
    result->ns_per_unit = (double)(1u << SIGNATURE_TIME_SHIFT) * 1e9 / (double)result->cycles_per_s;
    result->workers = trial->session->workers;
    result->streams = trial->plan->streams;
    histogram_init(&result->total.latency);
    histogram_init(&result->bad.latency);
    for (uint32_t i = 0; i < result->streams; i++)
        histogram_init(&result->stream[i].latency);
    workers_add(trial, result);
    for (uint32_t i = 0; i < trial->senders; i++)
        sender_add(trial, i, &result->stream[trial->sender[i].stream]);
    for (uint32_t i = 0; i < result->streams; i++) {
        stream_close(&trial->plan->stream[i], &result->stream[i]);
        stream_result_add(result->stream[i].bad ? &result->bad : &result->total, &result->stream[i]);
    }
}
