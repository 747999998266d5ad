// SPDX-License-Identifier: Apache-2.0
// See options.h. argp makes --help, --usage and --version of the table.
#include <argp.h>
#include <stdlib.h>
#include "rpc/rpc.h"
#include "shm/segment.h"
#include "options.h"

const char *argp_program_version = "sluiced " SLUICE_VERSION;
const char *argp_program_bug_address = NULL;

enum { KEY_RUN_DIR = 256, KEY_STATE_DIR, KEY_SOCKET, KEY_GROUP, KEY_BPFFS, KEY_METRICS, KEY_CHECK };

static const struct argp_option table[] = {
    {"config", 'c', "FILE", 0, "the config (default /etc/sluice/sluice.yaml)", 0},
    {"run-dir", KEY_RUN_DIR, "DIR", 0,
     "shared memory, where the data plane looks too (default " SL_RUN_DIR ")", 0},
    {"state-dir", KEY_STATE_DIR, "DIR", 0, "running config and history (default /var/lib/sluice)", 0},
    {"socket", KEY_SOCKET, "PATH", 0, "control socket (default " SL_RPC_SOCKET ")", 0},
    {"group", KEY_GROUP, "NAME", 0, "members of this group may change things, not only look", 0},
    {"bpffs", KEY_BPFFS, "DIR", 0, "where the XDP programs' maps are pinned (default /sys/fs/bpf)", 0},
    {"metrics", KEY_METRICS, "HOST:PORT", 0, "serve Prometheus metrics and /health there", 0},
    {"foreground", 'f', NULL, 0, "stay in the foreground (sluiced always does)", 0},
    {"check", KEY_CHECK, NULL, 0, "check and compile the config, then end: 0 good, 1 bad", 0},
    {0},
};

static error_t take(int key, char *arg, struct argp_state *state)
{
    struct options *options = state->input;

    switch (key) {
    case 'c':
        options->config_path = arg;
        return 0;
    case 'f':
        options->foreground = true;
        return 0;
    case KEY_RUN_DIR:
        options->run_dir = arg;
        return 0;
    case KEY_STATE_DIR:
        options->state_dir = arg;
        return 0;
    case KEY_SOCKET:
        options->socket_path = arg;
        return 0;
    case KEY_GROUP:
        options->socket_group = arg;
        return 0;
    case KEY_BPFFS:
        options->bpffs = arg;
        return 0;
    case KEY_METRICS:
        options->metrics = arg;
        return 0;
    case KEY_CHECK:
        options->check_only = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void options_parse(int argc, char **argv, struct options *options)
{
    static const struct argp argp = {table,
                                     take,
                                     NULL,
                                     "sluiced reads the config, compiles it into tables that sluice-dp takes "
                                     "up from shared memory, and answers "
                                     "sluicectl.\vSIGHUP applies the config file; SIGTERM ends sluiced and "
                                     "leaves the data plane as it is.",
                                     NULL,
                                     NULL,
                                     NULL};

    *options = (struct options){
        .config_path = "/etc/sluice/sluice.yaml",
        .run_dir = SL_RUN_DIR,
        .state_dir = "/var/lib/sluice",
        .socket_path = SL_RPC_SOCKET,
        .bpffs = "/sys/fs/bpf",
    };
    argp_parse(&argp, argc, argv, 0, NULL, options);
}
