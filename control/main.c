// SPDX-License-Identifier: Apache-2.0
// sluiced: reads the config, compiles it into tables that the data plane takes up from shared memory, answers
// sluicectl. See docs/architecture.md; the loop is daemon.c.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "apply/snapshot.h"
#include "config/diag.h"
#include "config/load.h"
#include "daemon.h"
#include "log.h"

// --check: the same loader and the same compilers as an apply, without a run directory.
static int check_config(const struct options *options)
{
    struct sl_diagnostics diag;
    struct sl_config *config = NULL;
    struct sl_error error = {{0}};

    sl_diag_init(&diag);
    int rc = sl_config_load(options->config_path, &config, &diag);
    sl_diag_print(&diag, stderr);
    if (rc && rc != -EINVAL)
        fprintf(stderr, "%s: cannot be read: %s\n", options->config_path, strerror(-rc));
    struct snapshot *snapshot = rc == 0 ? snapshot_new(config, NULL, &error) : NULL;
    if (rc == 0 && !snapshot)
        fprintf(stderr, "%s: %s\n", options->config_path, error.text);
    rc = snapshot ? 0 : 1;
    snapshot_free(snapshot);
    sl_diag_fini(&diag);
    return rc;
}

int main(int argc, char **argv)
{
    struct options options;
    struct sl_error error = {{0}};

    options_parse(argc, argv, &options);
    if (options.check_only)
        return check_config(&options);
    struct daemon *daemon = calloc(1, sizeof(*daemon));
    int code = 1;
    if (!daemon)
        log_error("out of memory");
    else if (daemon_init(daemon, &options, &error) == 0)
        code = daemon_run(daemon);
    else
        log_error("%s", error.text);
    if (daemon)
        daemon_fini(daemon);
    free(daemon);
    return code;
}
