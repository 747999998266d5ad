// SPDX-License-Identifier: Apache-2.0
// `sluice-pktgen rfc2544`: the benchmark of RFC 2544 over frame sizes. Main thread.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "mode.h"
#include "report.h"
#include "rfc2544.h"
#include "screen.h"
#include "station.h"

#define SIZES_STANDARD "64,128,256,512,1024,1280,1518" // section 9.1
#define TRIAL_US       60000000                        // section 24
#define QUICK_PARTS    10
#define WIDTH          0.005
#define CONFIRM        2
#define LOSS_SECOND    0.005
#define TESTS_ALL                                                                                            \
    (RFC2544_THROUGHPUT | RFC2544_LATENCY | RFC2544_LOSS | RFC2544_BACK_TO_BACK | RFC2544_RECOVERY)

struct bench_options {
    struct options common;
    const char *sizes;
    bool imix;
    uint32_t tests;
    double width;
    const char *reset_command;
};

struct bench_run {
    struct bench_options options;
    struct plan plan;
    struct session session;
    struct neighbor_self self[SESSION_PORTS];
    struct result result;
    struct rfc2544_report report;
};

enum key { KEY_SIZES = 1024, KEY_TESTS, KEY_WIDTH, KEY_RESET, KEY_NO_IMIX };

static const struct argp_option table[] = {
    {0, 0, 0, 0, "Benchmark:", 0},
    {"sizes", KEY_SIZES, "LIST", 0, "Frame sizes, one search each (default " SIZES_STANDARD ")", 0},
    {"no-imix", KEY_NO_IMIX, 0, 0, "Leave out the mix of sizes", 0},
    {"tests", KEY_TESTS, "LIST", 0,
     "Of throughput, latency, loss, back-to-back, recovery (default: all). Trials last --duration (default "
     "60 s)",
     0},
    {"width", KEY_WIDTH, "PERCENT", 0, "How exact a throughput is (default 0.5)", 0},
    {"reset-command", KEY_RESET, "COMMAND", 0, "Resets the device: measures the silence that follows", 0},
    {0},
};

static void tests_take(struct bench_options *options, char *text, struct argp_state *state)
{
    static const struct {
        const char *word;
        uint32_t test;
    } words[] = {{"throughput", RFC2544_THROUGHPUT},
                 {"latency", RFC2544_LATENCY},
                 {"loss", RFC2544_LOSS},
                 {"back-to-back", RFC2544_BACK_TO_BACK},
                 {"recovery", RFC2544_RECOVERY}};
    char *rest = NULL;
    options->tests = RFC2544_THROUGHPUT;
    for (char *word = strtok_r(text, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
        uint32_t before = options->tests;
        bool known = false;
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
            if (strcmp(word, words[i].word) == 0) {
                options->tests = before | words[i].test;
                known = true;
            }
        if (!known)
            argp_error(state, "--tests: there is no test '%s'", word);
    }
}

static void width_take(struct bench_options *options, const char *text, struct argp_state *state)
{
    char *end;
    double percent = strtod(text, &end);
    if (*end || end == text || !(percent >= 0.01 && percent <= 50))
        argp_error(state, "--width: '%s' is no percentage from 0.01 to 50", text);
    options->width = percent / 100;
}

static error_t option_take(int key, char *text, struct argp_state *state)
{
    struct bench_options *options = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->common;
        return 0;
    case KEY_SIZES:
        options->sizes = text;
        return 0;
    case KEY_NO_IMIX:
        options->imix = false;
        return 0;
    case KEY_TESTS:
        tests_take(options, text, state);
        return 0;
    case KEY_WIDTH:
        width_take(options, text, state);
        return 0;
    case KEY_RESET:
        options->reset_command = text;
        options->tests |= RFC2544_RESET;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

// Every stream of the profile takes the size that is measured.
static int row_measure(struct bench_run *run, struct rfc2544_bench *bench, const struct size_plan *sizes,
                       struct sl_error *error)
{
    struct rfc2544_row *row = &run->report.row[run->report.rows++];
    if (sizes->count > 1)
        strcpy(row->name, "imix");
    else
        snprintf(row->name, sizeof(row->name), "%u", sizes->size[0]);
    rfc2544_row_init(row, plan_mean_size(sizes));
    for (uint32_t i = 0; i < run->plan.streams; i++)
        run->plan.stream[i].sizes = *sizes;
    bench->trial = trial_new(&run->session, &run->plan, run->self, error);
    if (!bench->trial)
        return -EINVAL;
    int rc = rfc2544_measure(bench, row);
    trial_free(bench->trial);
    return rc;
}

static int rows_measure(struct bench_run *run, struct rfc2544_bench *bench, struct sl_error *error)
{
    struct size_plan list, one;
    const char *why;
    int rc = profile_read_sizes(run->options.sizes, &list, &why);
    if (rc != 0 || list.count > RFC2544_SIZES - 1)
        return sl_error_set(
            error, -EINVAL, "--sizes: '%s' %s", run->options.sizes,
            rc != 0 ? why
                    : "makes more than 15 sizes: list those to measure, or give a step, as in 64-1518/256");
    for (uint32_t i = 0; rc == 0 && i < list.count; i++) {
        one = (struct size_plan){.size = {list.size[i]}, .count = 1};
        rc = row_measure(run, bench, &one, error);
    }
    if (rc == 0 && run->options.imix) {
        profile_read_sizes("imix", &one, &why);
        one.random = false;
        rc = row_measure(run, bench, &one, error);
    }
    return rc;
}

static int reports_write(const struct bench_run *run, struct sl_error *error)
{
    const struct options *options = &run->options.common;
    int rc = 0;
    if (options->json)
        rc = report_json_print(stdout, rfc2544_json(&run->report));
    else
        rfc2544_text(stdout, &run->report);
    if (rc == 0 && options->csv)
        rc = rfc2544_csv(options->csv, &run->report, error);
    if (rc == 0 && options->html)
        rc = rfc2544_html(options->html, &run->report, error);
    return rc;
}

// Options of run that have no meaning here.
static int options_check(const struct options *options, struct sl_error *error)
{
    const struct profile_stream *stream = &options->profile->streams[0];
    if (options->trial.limit)
        return sl_error_set(error, -EINVAL, "--count: rfc2544 measures for a --duration: leave --count out");
    if (options->trial.deaf)
        return sl_error_set(error, -EINVAL, "--no-receive: rfc2544 looks at what comes back: leave it out");
    if (!options->file && (stream->sizes || stream->random_sizes))
        return sl_error_set(
            error, -EINVAL,
            "--size, --random-sizes: rfc2544 measures size after size: list them with --sizes");
    return 0;
}

// A search sets the rate of all that is sent, and what is lost must mean something.
static int plan_check(const struct plan *plan, struct sl_error *error)
{
    for (uint32_t i = 0; i < plan->streams; i++) {
        const struct stream_plan *stream = &plan->stream[i];
        if (stream->own_rate)
            return sl_error_set(error, -EINVAL,
                                "stream %s has a rate of its own, and rfc2544 looks for the rate: give it a "
                                "weight instead",
                                stream->name);
        if (stream->bad)
            return sl_error_set(error, -EINVAL,
                                "stream %s is of bad packets, which are to be lost: rfc2544 cannot tell them "
                                "from a loss; send them with 'sluice-pktgen run'",
                                stream->name);
    }
    return 0;
}

static uint32_t senders_count(const struct plan *plan)
{
    uint64_t ports = 0;
    for (uint32_t i = 0; i < plan->streams; i++)
        ports |= 1ULL << plan->stream[i].port;
    return (uint32_t)__builtin_popcountll(ports);
}

static int bench_measure(struct bench_run *run, struct sl_error *error)
{
    struct screen screen;
    struct rfc2544_bench bench = {
        .session = &run->session,
        .plan = &run->plan,
        .asked = run->plan.rate,
        .senders = senders_count(&run->plan),
        .options = &run->options.common,
        .result = &run->result,
        .screen = &screen,
        .tests = run->options.tests,
        .final_us = run->options.common.trial.duration_us,
        .quick_us = run->options.common.trial.duration_us / QUICK_PARTS,
        .width = run->options.width,
        .confirm = CONFIRM,
        .goal = run->report.goal,
        .reset_command = run->options.reset_command,
    };
    int rc = station_open(&run->session, &run->options.common, &run->plan, run->self, error);
    if (rc != 0)
        return rc;
    run->report.goal[1] = LOSS_SECOND;
    run->report.tests = run->options.tests;
    run->report.seconds = (double)bench.final_us / 1e6;
    screen_init(&screen, stderr, !run->options.common.quiet);
    rc = rows_measure(run, &bench, error);
    screen_fini(&screen);
    run->report.ended = rc == -EINTR;
    return rc == 0 || rc == -EINTR ? reports_write(run, error) : rc;
}

static int bench_execute(struct bench_run *run)
{
    struct sl_error error = {0};
    int rc = options_check(&run->options.common, &error);
    if (rc != 0)
        return mode_fail(rc, &error);
    if (run->options.common.trial.duration_us == 0 && !run->options.common.file)
        run->options.common.trial.duration_us = TRIAL_US;
    if (options_finish(&run->options.common, &run->plan) != 0)
        return PKTGEN_USAGE;
    rc = plan_check(&run->plan, &error);
    if (rc == 0)
        rc = session_open(&run->session, &run->options.common.session, &error);
    if (rc != 0)
        return mode_fail(rc, &error);
    rc = bench_measure(run, &error);
    session_close(&run->session);
    if (rc != 0)
        return mode_fail(rc, &error);
    return run->report.row[0].throughput[0].found ? PKTGEN_OK : PKTGEN_FAILED;
}

static int bench_main(int argc, char **argv)
{
    static const struct argp_child children[] = {{&options_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = table,
        .children = children,
        .parser = option_take,
        .args_doc = "[-- EAL-OPTIONS]",
        .doc = "Searches the throughput of a device and measures it as RFC 2544 says.\v"
               "Exit status: 0 done, 1 no load was carried without loss, 2 wrong usage or profile, 3 the "
               "machine lacks "
               "something.",
    };
    struct bench_run *run = calloc(1, sizeof(*run));
    if (!run || options_init(&run->options.common) != 0)
        return PKTGEN_ENVIRONMENT;
    run->options.sizes = SIZES_STANDARD;
    run->options.imix = true;
    run->options.tests = TESTS_ALL;
    run->options.width = WIDTH;
    run->options.common.other_sizes = true;
    int own = session_wish_init(&run->options.common.session, argc, argv);
    argp_parse(&argp, own, argv, 0, NULL, &run->options);
    int status = bench_execute(run);
    options_fini(&run->options.common);
    free(run);
    return status;
}

const struct generator_mode mode_rfc2544 = {
    "rfc2544", "throughput, latency, loss, bursts, recovery, over frame sizes", bench_main};
