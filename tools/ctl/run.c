// SPDX-License-Identifier: Apache-2.0
// One command from words to exit code: parse, ask, show, perhaps again and again. One thread.
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "command.h"
#include "show.h"

#define SAMPLE_MS 500 // between the two samples of a rate, where nobody watches

static void sleep_ms(unsigned ms)
{
    poll(NULL, 0, (int)ms);
}

static int show_once(struct ctl *ctl, const struct ctl_command *command, json_t *request, json_t **before)
{
    json_t *result;
    int code = ctl_call(ctl, command->rpc, request, &result);

    if (code)
        return code;
    if (ctl->json)
        ctl_json_print(ctl, result);
    else
        code = command->show(ctl, result, *before);
    json_decref(*before);
    *before = result;
    fflush(ctl->out);
    return code;
}

// People get rates at once, from two samples; JSON is one answer, with its clock.
static int ask_and_show(struct ctl *ctl, const struct ctl_command *command, json_t *request)
{
    json_t *before = NULL;
    int code = CTL_OK;

    if (command->rates && !ctl->json && !ctl->watch_ms) {
        code = ctl_call(ctl, command->rpc, request, &before);
        if (!code)
            sleep_ms(SAMPLE_MS);
    }
    if (!code)
        code = show_once(ctl, command, request, &before);
    json_decref(before);
    return code;
}

static void watch_head(struct ctl *ctl, const struct ctl_command *command)
{
    time_t now = time(NULL);
    char clock[16];

    if (ctl->json)
        return;
    strftime(clock, sizeof(clock), "%T", localtime(&now));
    if (ctl->tty)
        fputs("\033[H\033[2J", ctl->out);
    fprintf(ctl->out, "%s every %.1f s, %s\n\n", command->words, ctl->watch_ms / 1000.0, clock);
}

// Until interrupted. A sluiced that restarts meanwhile is waited for.
static int watch(struct ctl *ctl, const struct ctl_command *command, json_t *request)
{
    json_t *before = NULL;
    int code = CTL_OK;

    while (code != CTL_USAGE && code != CTL_REFUSED && !ferror(ctl->out)) {
        watch_head(ctl, command);
        code = command->run ? command->run(ctl, command, request) : show_once(ctl, command, request, &before);
        fflush(ctl->out);
        sleep_ms(ctl->watch_ms);
    }
    json_decref(before);
    return code;
}

static bool wants_help(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

int ctl_run(struct ctl *ctl, int argc, char **argv)
{
    json_t *request;
    char *why;
    int used, code;
    const struct ctl_command *command = ctl_find(argc, argv, &used);

    if (wants_help(argc, argv)) {
        if (command)
            ctl_help_command(ctl->out, command);
        else
            ctl_help(ctl->out);
        return CTL_OK;
    }
    command = ctl_parse(argc, argv, &request, &why);
    if (!command) {
        fprintf(stderr, "sluicectl: %s\n", why ? why : "out of memory");
        free(why);
        return CTL_USAGE;
    }
    if (ctl->watch_ms)
        code = watch(ctl, command, request);
    else if (command->run)
        code = command->run(ctl, command, request);
    else
        code = ask_and_show(ctl, command, request);
    json_decref(request);
    return code;
}
