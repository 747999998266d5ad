// SPDX-License-Identifier: Apache-2.0
// The tests of RFC 2544 section 26, each made of trials. Called by rfc2544.c for each size, on the main thread.
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "report.h"
#include "rfc2544.h"
#include "screen.h"

#define LOOK_MS           200
#define TRIALS_MAX        200
#define LOAD_LEAST        0.001 // of the most: below, a device forwards nothing
#define BURST_SECONDS_MAX 2     // section 26.4: at least two seconds
#define OVERLOAD          1.1
#define SLICE_US          50000
#define CURVE_STEP        0.1
#define KEPT_MOST         0.01 // of what was due: more was skipped, and the trial says nothing of the device
#define REFUSED_MOST      0.03 // of what was handed to the port: more, and it is the port that holds back

void rfc2544_row_init(struct rfc2544_row *row, double mean_size)
{
    const struct rfc2544_latency none = {NAN, NAN, NAN, NAN, NAN, NAN};
    row->mean_size = mean_size;
    row->offered_max = row->burst_frames = row->recovery_ms = row->reset_ms = NAN;
    row->latency[0] = row->latency[1] = none;
    for (uint32_t i = 0; i < RFC2544_GOALS; i++)
        row->throughput[i].carried = NAN;
}

static int trial_run(struct rfc2544_bench *bench, double pps, uint64_t duration_us, uint64_t limit)
{
    struct trial_wish wish = bench->options->trial;
    wish.duration_us = duration_us;
    wish.limit = limit;
    bench->plan->rate = pps > 0 ? (struct rate){RATE_PPS, pps / bench->senders} : (struct rate){RATE_MAX, 0};
    trial_start(bench->trial, &wish);
    while (session_running(bench->session)) {
        session_wait_ms(bench->session, duration_us < 1000000 ? 10 : LOOK_MS);
        if (bench->screen->on) {
            trial_result(bench->trial, bench->result);
            screen_show(bench->screen, bench->result, bench->progress);
        }
    }
    trial_join(bench->trial);
    trial_result(bench->trial, bench->result);
    return session_stopping(bench->session) ? -EINTR : 0;
}

static double sent_rate(const struct result *result)
{
    return result->seconds > 0 ? (double)result->total.sent / result->seconds : 0;
}

static bool port_full(const struct result *result)
{
    const struct stream_result *t = &result->total;
    return (double)t->refused > REFUSED_MOST * (double)(t->sent + t->refused);
}

// What was to be sent and what of it is missing. Where the port holds back (memif, whose other end is slow), packets
// that were let go for it are the loss of what stands behind the port. `refused` is no such count: what a port refuses
// is offered to it again.
static void due(const struct result *result, double *offered, double *loss)
{
    const struct stream_result *t = &result->total;
    double skipped = port_full(result) ? (double)t->skipped : 0;
    *offered = (double)t->sent + skipped;
    *loss = *offered > 0 ? ((double)t->lost + skipped) / *offered : 1; // nothing was shown
}

static bool kept_from_core(const struct result *result)
{
    const struct stream_result *t = &result->total;
    return !port_full(result) && (double)t->skipped > KEPT_MOST * (double)(t->sent + t->skipped);
}

static int measure(void *context, double load, uint64_t duration_us, struct search_measured *measured)
{
    struct rfc2544_bench *bench = context;
    int rc = trial_run(bench, load, duration_us, 0);
    due(bench->result, &measured->offered, &measured->loss);
    measured->offered /= (double)duration_us / 1e6;
    measured->kept = kept_from_core(bench->result);
    return rc;
}

__attribute__((format(printf, 3, 4))) static void
progress(struct rfc2544_bench *bench, const struct rfc2544_row *row, const char *format, ...)
{
    va_list list;
    int used = snprintf(bench->progress, sizeof(bench->progress), "%s bytes: ", row->name);
    va_start(list, format);
    vsnprintf(bench->progress + used, sizeof(bench->progress) - (size_t)used, format, list);
    va_end(list);
}

// More loss allowed cannot mean less carried: where a search says so, its trials were worse ones.
static void goals_order(struct rfc2544_row *row, uint32_t goal)
{
    struct search_result *own = &row->throughput[goal];
    const struct search_result *stricter = goal ? &row->throughput[goal - 1] : own;
    if (!stricter->found || (own->found && own->carried >= stricter->carried))
        return;
    uint32_t trials = own->trials;
    *own = *stricter;
    own->trials = trials;
    row->from_stricter[goal] = !row->carries_all[goal];
    row->carries_all[goal] = row->carries_all[goal - 1];
}

static int throughput(struct rfc2544_bench *bench, struct rfc2544_row *row, double hint, uint32_t goal)
{
    struct search_wish wish = {
        .min = row->offered_max * LOAD_LEAST,
        .max = row->offered_max,
        .hint = hint,
        .goal = bench->goal[goal],
        .width = bench->width,
        .quick_us = bench->quick_us,
        .final_us = bench->final_us,
        .confirm = bench->confirm,
        .trials_max = TRIALS_MAX,
    };
    progress(bench, row, "throughput at %.2g %% loss", 100 * bench->goal[goal]);
    int rc = search_run(&wish, measure, bench, &row->throughput[goal]);
    const struct search_result *result = &row->throughput[goal];
    row->carries_all[goal] = result->found && !result->bounded && result->lower >= row->offered_max;
    if (rc != 0 && rc != -E2BIG) {
        if (!result->found)
            row->throughput[goal].carried = NAN; // it might have been
        return rc;
    }
    goals_order(row, goal);
    return 0;
}

static bool port_sends(const struct plan *plan, uint32_t port)
{
    bool sends = false;
    for (uint32_t i = 0; i < plan->streams; i++)
        sends = sends || plan->stream[i].port == port;
    return sends;
}

// What the operator allows, of all ports that send together; 0: all there is.
static double asked_pps(const struct rfc2544_bench *bench, const struct rfc2544_row *row)
{
    double sum = 0;
    for (uint32_t port = 0; port < bench->session->ports; port++)
        if (port_sends(bench->plan, port))
            sum += rate_pps(&bench->asked, row->mean_size, bench->session->port[port].line_bps);
    return sum;
}

// The generator's own ceiling and what the device makes of it. At nine tenths of what it can, a generator keeps its
// pace; hence that is the highest load that is asked for. Where the port pushes back, the ceiling is not the generator's
// but that of what takes the frames: all of it is asked for.
static int ceiling(struct rfc2544_bench *bench, struct rfc2544_row *row, double *forwarded)
{
    const struct result *result = bench->result;
    progress(bench, row, "the generator's ceiling");
    int rc = trial_run(bench, 0, bench->quick_us, 0);
    double asked = asked_pps(bench, row);
    if (rc != 0)
        return rc;
    row->port_full = port_full(result);
    row->offered_max = sent_rate(result) * (row->port_full ? 1 : 0.9);
    if (asked > 0 && asked < row->offered_max)
        row->offered_max = asked;
    *forwarded = result->seconds > 0 ? (double)result->total.received / result->seconds : 0;
    return 0;
}

static int latency_at(struct rfc2544_bench *bench, struct rfc2544_row *row, double pps,
                      struct rfc2544_latency *latency)
{
    const struct result *r = bench->result;
    if (!(pps > 0))
        return 0;
    progress(bench, row, "latency");
    int rc = trial_run(bench, pps, bench->final_us, 0);
    const struct histogram *h = &r->total.latency;
    if (rc != 0 || h->count == 0)
        return rc;
    *latency = (struct rfc2544_latency){sent_rate(r),
                                        result_latency_ns(r, h, 0.5),
                                        result_latency_ns(r, h, 0.9),
                                        result_latency_ns(r, h, 0.99),
                                        result_latency_ns(r, h, 0.999),
                                        result_latency_ns(r, h, 1)};
    return rc;
}

// Section 26.3: from the highest load down in steps of a tenth until two trials in a row lose nothing.
static int loss_curve(struct rfc2544_bench *bench, struct rfc2544_row *row)
{
    uint32_t clean = 0;
    double frames, loss;
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < RFC2544_CURVE && clean < 2; i++) {
        double load = row->offered_max * (1 - CURVE_STEP * i);
        progress(bench, row, "loss at %u %% of the highest load", 100 - 10 * i);
        rc = trial_run(bench, load, bench->final_us, 0);
        due(bench->result, &frames, &loss);
        if (rc == 0)
            row->curve[row->curve_points++] =
                (struct rfc2544_point){frames / ((double)bench->final_us / 1e6), loss};
        clean = loss > 0 ? 0 : clean + 1;
    }
    return rc;
}

// Section 26.4: the longest burst, as fast as the generator can, that comes back whole.
static int back_to_back(struct rfc2544_bench *bench, struct rfc2544_row *row)
{
    uint32_t streams = bench->plan->streams; // each sends its share
    uint64_t most = (uint64_t)(row->offered_max * BURST_SECONDS_MAX) / streams, low = 0, high = most + 1;
    int rc = 0;
    for (uint64_t next = most; rc == 0 && high - low > 1 + low / 100; next = low + (high - low) / 2) {
        progress(bench, row, "back to back, %llu frames", (unsigned long long)next * streams);
        rc = trial_run(bench, 0, 2 * BURST_SECONDS_MAX * 1000000ULL, next);
        if (bench->result->total.lost == 0)
            low = next;
        else
            high = next;
    }
    if (rc == 0) {
        row->burst_frames = (double)(low * streams);
        row->burst_is_limit = low == most;
    }
    return rc;
}

// Section 26.5: an overload, then half of the throughput, in slices: the end of the last slice that lost something.
static int recovery(struct rfc2544_bench *bench, struct rfc2544_row *row)
{
    double rate = row->throughput[0].carried, overload = rate * OVERLOAD;
    if (!row->throughput[0].found)
        return 0;
    progress(bench, row, "recovery from overload");
    int rc = trial_run(bench, overload < row->offered_max ? overload : row->offered_max, bench->final_us, 0);
    uint32_t last = 0, clean = 0;
    for (uint32_t i = 1; rc == 0 && i <= RFC2544_SLICES && clean < 5; i++) {
        rc = trial_run(bench, rate / 2, SLICE_US, 0);
        clean = bench->result->total.lost ? 0 : clean + 1;
        last = clean ? last : i;
    }
    if (rc == 0)
        row->recovery_ms = clean ? last * (SLICE_US / 1000.0) : -1;
    return rc;
}

// Section 26.6: half of the throughput while a command resets the device; the longest silence.
static int reset(struct rfc2544_bench *bench, struct rfc2544_row *row)
{
    double rate = row->throughput[0].carried;
    if (!bench->reset_command || !row->throughput[0].found)
        return 0;
    progress(bench, row, "reset");
    struct trial_wish wish = bench->options->trial;
    wish.duration_us = bench->final_us;
    bench->plan->rate = (struct rate){RATE_PPS, rate / 2 / bench->senders};
    trial_start(bench->trial, &wish);
    session_wait_ms(bench->session, (uint32_t)(bench->final_us / 4000));
    int status = system(bench->reset_command);
    trial_join(bench->trial);
    trial_result(bench->trial, bench->result);
    if (session_stopping(bench->session))
        return -EINTR;
    row->reset_ms = status == 0 ? bench->result->longest_silence_ns / 1e6 : -1;
    return 0;
}

int rfc2544_measure(struct rfc2544_bench *bench, struct rfc2544_row *row)
{
    double forwarded;
    int rc = ceiling(bench, row, &forwarded);
    for (uint32_t i = 0; rc == 0 && i < RFC2544_GOALS; i++)
        rc = throughput(bench, row, forwarded, i);
    double loss_free = row->throughput[0].carried;
    for (uint32_t i = 0; rc == 0 && (bench->tests & RFC2544_LATENCY) && i < 2; i++)
        rc = latency_at(bench, row, loss_free / (i + 1), &row->latency[i]);
    if (rc == 0 && (bench->tests & RFC2544_LOSS))
        rc = loss_curve(bench, row);
    if (rc == 0 && (bench->tests & RFC2544_BACK_TO_BACK))
        rc = back_to_back(bench, row);
    if (rc == 0 && (bench->tests & RFC2544_RECOVERY))
        rc = recovery(bench, row);
    if (rc == 0 && (bench->tests & RFC2544_RESET))
        rc = reset(bench, row);
    return rc;
}
