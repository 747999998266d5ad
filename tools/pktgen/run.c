// SPDX-License-Identifier: Apache-2.0
// `sluice-pktgen run`: sends a profile's traffic once and reports. Main thread.
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include "mode.h"
#include "report.h"
#include "screen.h"
#include "station.h"

#define LOOK_MS 250

struct run {
    struct options options;
    struct plan plan;
    struct session session;
    struct neighbor_self self[SESSION_PORTS];
    struct result result;
};

// Waits for the trial's end, or for the operator's, showing what there is meanwhile.
static void trial_watch(struct run *run, struct trial *trial)
{
    struct screen screen;
    screen_init(&screen, stderr, !run->options.quiet);
    while (session_running(&run->session)) {
        session_wait_ms(&run->session, LOOK_MS);
        if (screen.on) {
            trial_result(trial, &run->result);
            screen_show(&screen, &run->result, NULL);
        }
    }
    screen_fini(&screen);
    trial_join(trial);
}

static int reports_write(const struct options *options, const struct result *result, struct sl_error *error)
{
    int rc = 0;
    if (options->json)
        rc = report_json_print(stdout, report_result_json(result));
    else
        report_result_text(stdout, result);
    if (rc == 0 && options->csv)
        rc = report_result_csv(options->csv, result, error);
    if (rc == 0 && options->html)
        rc = report_result_html(options->html, result, error);
    return rc;
}

static int run_trial(struct run *run, struct sl_error *error)
{
    int rc = station_open(&run->session, &run->options, &run->plan, run->self, error);
    if (rc != 0)
        return rc;
    struct trial *trial = trial_new(&run->session, &run->plan, run->self, error);
    if (!trial)
        return -EINVAL;
    trial_start(trial, &run->options.trial);
    trial_watch(run, trial);
    trial_result(trial, &run->result);
    trial_free(trial);
    return reports_write(&run->options, &run->result, error);
}

static int run_execute(struct run *run)
{
    struct sl_error error = {0};
    if (options_finish(&run->options, &run->plan) != 0)
        return PKTGEN_USAGE;
    int rc = session_open(&run->session, &run->options.session, &error);
    if (rc != 0)
        return mode_fail(rc, &error);
    rc = run_trial(run, &error);
    session_close(&run->session);
    if (rc != 0)
        return mode_fail(rc, &error);
    return run->result.total.corrupt ? PKTGEN_FAILED : PKTGEN_OK;
}

static error_t input_pass(int key, char *text, struct argp_state *state)
{
    if (key == ARGP_KEY_INIT) {
        state->child_inputs[0] = state->input;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static int run_main(int argc, char **argv)
{
    static const struct argp_child children[] = {{&options_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .children = children,
        .parser = input_pass,
        .args_doc = "[-- EAL-OPTIONS]",
        .doc = "Sends a profile's traffic and counts what comes back.\v"
               "Exit status: 0 done, 1 corrupted packets came, 2 wrong usage or profile, 3 the machine lacks "
               "something.",
    };
    struct run *run = calloc(1, sizeof(*run));
    if (!run || options_init(&run->options) != 0)
        return PKTGEN_ENVIRONMENT;
    int own = session_wish_init(&run->options.session, argc, argv);
    argp_parse(&argp, own, argv, 0, NULL, &run->options);
    int status = run_execute(run);
    options_fini(&run->options);
    free(run);
    return status;
}

const struct generator_mode mode_run = {"run", "send a profile's traffic, count and time what comes back",
                                        run_main};
