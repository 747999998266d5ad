// SPDX-License-Identifier: Apache-2.0
// sluice-dp: from the command line to the housekeeping loop, and back to an exit status that says what went wrong.
// Main thread.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <rte_eal.h>
#include "housekeeping/generation.h"
#include "housekeeping/notify.h"
#include "housekeeping/turnover.h"
#include "process/dataplane.h"
#include "process/journal.h"
#include "process/log.h"

static int status_of(int rc)
{
    return rc == -EPROTO ? EXIT_CONTRACT : EXIT_ENVIRONMENT;
}

static int fail(struct log_tail *log, int rc, const char *text)
{
    log_tail_show(log);
    journal(JOURNAL_ERROR, "%s", text);
    return status_of(rc);
}

static void placement_tell(const struct placement *placement)
{
    if (placement->shared)
        journal(JOURNAL_WARNING,
                "%u workers and housekeeping share cores; give it one core more than workers, or "
                "use --sleep-idle",
                placement->workers);
}

static void start_tell(const struct dataplane *dp)
{
    char cores[256] = "";
    size_t used = 0;
    for (uint32_t i = 0; i < dp->placement.workers && used < sizeof(cores); i++)
        used +=
            (size_t)snprintf(cores + used, sizeof(cores) - used, "%s%u", i ? "," : "", dp->placement.cpu[i]);
    journal(JOURNAL_NOTICE, "version %s: %u workers on cores %s, housekeeping on %s, %u MB %s huge pages",
            SLUICE_VERSION, dp->placement.workers, cores, dp->placement.house, dp->options.eal.memory_mb,
            rte_eal_has_hugepages() ? "in" : "without");
}

static int environment_make(struct dataplane *dp, struct sl_error *error)
{
    int rc = placement_choose(&dp->options.eal, &dp->placement, error);
    if (rc != 0)
        return rc;
    placement_tell(&dp->placement);
    rc = eal_start(&dp->options.eal, &dp->placement, error);
    if (rc == 0 && (rc = handover_init()) != 0)
        sl_error_set(error, rc, "another library holds the place of the handover record in the mbuf");
    return rc != 0 ? rc : dataplane_attach(dp, error);
}

static int run(struct dataplane *dp, struct log_tail *log)
{
    struct sl_error error = {0};
    start_tell(dp);
    journal(JOURNAL_INFO, "waiting for sluiced to publish a generation in %s", dp->options.run_dir);
    notify_send("READY=1\nSTATUS=waiting for sluiced to publish a generation");
    struct tables *tables = dataplane_wait(dp, &error);
    if (!tables)
        return error.text[0] ? fail(log, -ETIMEDOUT, error.text) : 0;
    int rc = dataplane_start(dp, tables, &error);
    if (rc != 0) {
        tables_close(dp->house.generations, tables); // no worker has seen them
        return fail(log, rc, error.text);
    }
    turnover_apply(&dp->house, tables); // refused: the workers wait for a better one
    house_loop_run(&dp->loop);
    return 0;
}

int main(int argc, char **argv)
{
    static struct dataplane dp; // large; everything else hangs on it
    static struct log_tail log;
    struct sl_error error = {0};
    options_parse(argc, argv, &dp.options);
    int rc = log_tail_init(&log);
    if (rc != 0) {
        journal(JOURNAL_ERROR, "out of memory");
        return EXIT_ENVIRONMENT;
    }
    dp.house.log = &log;
    rc = environment_make(&dp, &error);
    if (rc != 0)
        return fail(&log, rc, error.text);
    int status = run(&dp, &log);
    notify_send("STOPPING=1");
    journal(JOURNAL_NOTICE, "ending; flows, neighbors and counters stay in %s", dp.options.run_dir);
    dataplane_stop(&dp);
    rte_eal_cleanup();
    return status;
}
