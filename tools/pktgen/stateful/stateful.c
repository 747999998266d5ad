// SPDX-License-Identifier: Apache-2.0
// `sluice-pktgen stateful`: ports opened, sides put on them, the load run and drained, the numbers printed. Main thread.
#include <errno.h>
#include <stdlib.h>
#include <rte_cycles.h>
#include "../mode.h"
#include "../report.h"
#include "report.h"
#include "sides.h"
#include "watch.h"

#define STEP_MS     20
#define SHOW_MS     250
#define TIMELINE_MS 100

struct stateful { // a run
    struct stateful_options options;
    struct session session;
    struct sides sides;
    struct side_summary summary[SIDES];
    struct watch watch;
    struct timeline timeline;
    uint64_t start_tsc;
    double shown_s; // when the screen was drawn last
};

static bool has_client(const struct stateful *run)
{
    return run->options.role != ROLE_SERVER;
}

static double seconds_since(uint64_t tsc)
{
    return (double)(rte_rdtsc() - tsc) / (double)rte_get_tsc_hz();
}

static void numbers_take(struct stateful *run, double seconds)
{
    for (uint32_t i = 0; i < run->sides.count; i++)
        summary_make(&run->sides.side[i], seconds, &run->summary[i]);
}

static void timeline_take(struct stateful *run, double seconds)
{
    const struct side_summary *first = &run->summary[0];
    timeline_add(&run->timeline,
                 &(struct timeline_point){seconds, first->counters.completed, first->counters.requests,
                                          summary_failed(first), first->open});
}

// The account after the end of opening: its rates are no longer of the load that was asked for.
static void numbers_end(struct stateful *run)
{
    for (uint32_t i = 0; i < run->sides.count; i++)
        summary_end(&run->sides.side[i], &run->summary[i]);
}

// A moment of waiting: true where the operator asked to end.
static bool step(struct stateful *run, bool opening)
{
    bool stop = session_wait_ms(&run->session, STEP_MS);
    double seconds = seconds_since(run->start_tsc);
    if (opening)
        numbers_take(run, seconds);
    else
        numbers_end(run);
    if (timeline_due(&run->timeline, seconds))
        timeline_take(run, seconds);
    if (seconds >= run->shown_s + SHOW_MS / 1000.0) {
        watch_show(&run->watch, seconds, &run->summary[0], opening ? "" : "   (ending)");
        run->shown_s = seconds;
    }
    return stop;
}

static bool load_over(const struct stateful *run)
{
    const struct stateful_options *o = &run->options;
    const struct side_summary *first = &run->summary[0];
    if (o->duration_s > 0 && first->seconds >= o->duration_s)
        return true;
    return has_client(run) && o->limit && first->counters.opened >= o->limit && first->open == 0;
}

// What is open at the end gets time to end well.
static void drain(struct stateful *run)
{
    uint64_t start = rte_rdtsc();
    bool stop = false;
    sides_open_no_more(&run->sides);
    while (!stop && has_client(run) && run->summary[0].open > 0 &&
           seconds_since(start) < run->options.drain_s)
        stop = step(run, false);
    if (!stop && run->sides.count == 2) // the server's last acknowledgments
        session_wait_ms(&run->session, STEP_MS);
}

static void load_run(struct stateful *run)
{
    bool stop = false;
    watch_init(&run->watch, !run->options.quiet);
    timeline_init(&run->timeline, TIMELINE_MS / 1000.0);
    run->start_tsc = rte_rdtsc();
    sides_launch(&run->sides, &run->session);
    timeline_add(&run->timeline, &(struct timeline_point){0});
    while (!stop && !load_over(run))
        stop = step(run, true);
    numbers_take(run, seconds_since(run->start_tsc));
    if (!stop)
        drain(run);
    session_stop(&run->session);
    session_join(&run->session);
    numbers_end(run);
    watch_fini(&run->watch);
}

static int reports_write(const struct stateful *run, struct sl_error *error)
{
    const struct stateful_options *o = &run->options;
    uint32_t sides = run->sides.count;
    int rc = 0;
    if (o->json)
        rc = report_json_print(stdout, stateful_json(run->summary, sides));
    else
        stateful_text(run->summary, sides);
    if (rc == 0 && o->csv)
        rc = stateful_csv(o->csv, run->summary, sides, error);
    if (rc == 0 && o->html)
        rc = stateful_html(o->html, run->summary, sides, &run->timeline, error);
    return rc;
}

static int stateful_execute(struct stateful *run, struct sl_error *error)
{
    int rc = session_open(&run->session, &run->options.session, error);
    if (rc != 0)
        return rc;
    rc = sides_open(&run->sides, &run->session, &run->options, loop_ns_magic(rte_get_tsc_hz()), error);
    if (rc == 0) {
        load_run(run);
        rc = reports_write(run, error);
        sides_close(&run->sides);
    }
    session_close(&run->session);
    return rc;
}

static int stateful_main(int argc, char **argv)
{
    struct stateful *run = aligned_alloc(64, (sizeof(*run) + 63) / 64 * 64);
    struct sl_error error = {0};
    if (!run)
        return mode_fail(-ENOMEM, &error);
    memset(run, 0, sizeof(*run));
    stateful_options_read(&run->options, argc, argv);
    int rc = stateful_execute(run, &error), status = PKTGEN_OK;
    if (rc != 0)
        status = mode_fail(rc, &error);
    else if (has_client(run) && summary_failed(&run->summary[0]))
        status = PKTGEN_FAILED;
    free(run);
    return status;
}

const struct generator_mode mode_stateful = {
    .name = "stateful",
    .summary = "open, use and close TCP connections; client, server or both",
    .run = stateful_main,
};
