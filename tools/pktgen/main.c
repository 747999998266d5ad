// SPDX-License-Identifier: Apache-2.0
// sluice-pktgen: finds the mode that the first word names and runs it. Main thread.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "mode.h"
#include "session.h"

static const struct generator_mode *const modes[] = {
    &mode_run,
    &mode_series,
    &mode_rfc2544,
    &mode_replay,
    &mode_reflect,
    &mode_stateful,
};

static void usage(FILE *out)
{
    fprintf(out,
            "Usage: sluice-pktgen MODE [OPTION...]\n"
            "Generates network traffic, counts what comes back and measures how long it took.\n\nModes:\n");
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        fprintf(out, "  %-10s %s\n", modes[i]->name, modes[i]->summary);
    fprintf(out, "\n'sluice-pktgen MODE --help' lists the options of a mode; sluice-pktgen(1) tells all.\n");
}

int mode_fail(int rc, const struct sl_error *error)
{
    fprintf(stderr, "sluice-pktgen: %s\n", error->text[0] ? error->text : strerror(-rc));
    return rc == -EINVAL ? PKTGEN_USAGE : PKTGEN_ENVIRONMENT;
}

static int mode_start(const struct generator_mode *mode, int argc, char **argv)
{
    char name[64];
    snprintf(name, sizeof(name), "sluice-pktgen %s", mode->name);
    argv[1] = name;
    argp_program_version = "sluice-pktgen " SLUICE_VERSION;
    argp_err_exit_status = PKTGEN_USAGE;
    session_signals_take();
    return mode->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        if (strcmp(word, modes[i]->name) == 0)
            return mode_start(modes[i], argc, argv);
    if (strcmp(word, "--version") == 0) {
        printf("sluice-pktgen %s\n", SLUICE_VERSION);
        return PKTGEN_OK;
    }
    bool help = strcmp(word, "--help") == 0 || strcmp(word, "-?") == 0;
    if (!help && word[0])
        fprintf(stderr, "sluice-pktgen: there is no mode '%s'\n", word);
    usage(help ? stdout : stderr);
    return help ? PKTGEN_OK : PKTGEN_USAGE;
}
