// SPDX-License-Identifier: Apache-2.0
// The command line of sluice-dp, without EAL's syntax. Main thread.
#include "process/options.h"
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "shm/segment.h"

#define MEMORY_MB     512
#define MEMORY_MB_MIN 64
#define MEMORY_MB_MAX 1048576

enum key {
    KEY_RUN_DIR = 256,
    KEY_WORKERS,
    KEY_CORES,
    KEY_HUGE,
    KEY_MEMORY,
    KEY_XDP_PROG,
    KEY_SLEEP_IDLE,
    KEY_WAIT
};

static const struct argp_option table[] = {
    {"run-dir", KEY_RUN_DIR, "DIR", 0, "Directory shared with sluiced (default " SL_RUN_DIR ")", 0},
    {"workers", KEY_WORKERS, "N", 0, "Poll-mode workers (default: one less than there are cores)", 0},
    {"cores", KEY_CORES, "LIST", 0, "Cores to pin the workers to, such as 2,4-6 (default: the last ones)", 0},
    {"huge", KEY_HUGE, "auto|on|off", 0, "Huge pages (default auto: where enough are free)", 0},
    {"memory", KEY_MEMORY, "MB", 0, "Memory for packets and tables (default 512)", 0},
    {"xdp-prog", KEY_XDP_PROG, "FILE", 0, "XDP program for af_xdp ports (default " SLUICE_XDP_PROG ")", 0},
    {"sleep-idle", KEY_SLEEP_IDLE, "USEC", 0,
     "Let a worker without packets sleep this long between polls, on machines with few cores: saves the "
     "core, costs "
     "latency (default 0: never sleep)",
     0},
    {"wait", KEY_WAIT, "SECONDS", 0, "Give up when sluiced publishes nothing in this time (default 0: wait)",
     0},
    {0},
};

static uint32_t number_parse(const char *text, uint32_t min, uint32_t max, const char *option,
                             struct argp_state *state)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno || end == text || *end || value < min || value > max)
        argp_error(state, "--%s: '%s' is no number from %u to %u", option, text, min, max);
    return (uint32_t)value;
}

static enum huge_mode huge_parse(const char *text, struct argp_state *state)
{
    static const char *const word[] = {[HUGE_AUTO] = "auto", [HUGE_ON] = "on", [HUGE_OFF] = "off"};
    for (unsigned i = 0; i < sizeof(word) / sizeof(word[0]); i++)
        if (strcmp(text, word[i]) == 0)
            return i;
    argp_error(state, "--huge: '%s' is none of auto, on, off", text);
    return HUGE_AUTO;
}

static void cores_take(struct options *options, const char *text, struct argp_state *state)
{
    int count = eal_cores_parse(text, options->eal.core);
    if (count < 0)
        argp_error(state, "--cores: '%s' is no list of cores such as 2,4-6", text);
    else
        options->eal.core_count = (uint32_t)count;
}

static void finish(struct options *options, struct argp_state *state)
{
    if (options->eal.core_count > 0 && options->eal.workers == 0)
        options->eal.workers = options->eal.core_count;
    if (options->eal.core_count > 0 && options->eal.core_count < options->eal.workers)
        argp_error(state, "--cores names %u cores for %u workers", options->eal.core_count,
                   options->eal.workers);
}

static error_t option_take(int key, char *text, struct argp_state *state)
{
    struct options *options = state->input;
    switch (key) {
    case KEY_RUN_DIR:
        options->run_dir = text;
        return 0;
    case KEY_WORKERS:
        options->eal.workers = number_parse(text, 1, SL_MAX_WORKERS - 1, "workers", state);
        return 0;
    case KEY_CORES:
        cores_take(options, text, state);
        return 0;
    case KEY_HUGE:
        options->eal.huge = huge_parse(text, state);
        return 0;
    case KEY_MEMORY:
        options->eal.memory_mb = number_parse(text, MEMORY_MB_MIN, MEMORY_MB_MAX, "memory", state);
        return 0;
    case KEY_XDP_PROG:
        options->xdp_prog = text;
        return 0;
    case KEY_SLEEP_IDLE:
        options->sleep_idle_us = number_parse(text, 0, 10000, "sleep-idle", state);
        return 0;
    case KEY_WAIT:
        options->wait_s = number_parse(text, 0, 86400, "wait", state);
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' is no option; options for DPDK follow '--'", text);
        return 0;
    case ARGP_KEY_END:
        finish(options, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

// What follows "--" is EAL's and never reaches argp.
static int split(int argc, char **argv, struct options *options)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--") == 0) {
            options->eal.eal_argc = argc - i - 1;
            options->eal.eal_argv = argv + i + 1;
            return i;
        }
    return argc;
}

void options_parse(int argc, char **argv, struct options *options)
{
    static const struct argp argp = {
        .options = table,
        .parser = option_take,
        .args_doc = "[-- EAL-OPTIONS]",
        .doc = "The data plane of Sluice: moves packets with the tables that sluiced publishes.\v"
               "Exit status: 0 asked to end, 2 wrong usage, 3 the machine lacks something (the message says "
               "what and "
               "how to mend it), 4 another version of the contract with sluiced.",
    };
    *options = (struct options){
        .run_dir = SL_RUN_DIR,
        .xdp_prog = SLUICE_XDP_PROG,
        .eal = {.program = "sluice-dp", .memory_mb = MEMORY_MB},
    };
    argp_program_version = "sluice-dp " SLUICE_VERSION;
    argp_err_exit_status = EXIT_USAGE;
    argp_parse(&argp, split(argc, argv, options), argv, 0, NULL, options);
}
