// SPDX-License-Identifier: Apache-2.0
// sluicectl: global options, then one command, or the shell. One thread.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "command.h"
#include "config/reference.h"
#include "rpc/rpc.h"
#include "shm/segment.h"

#define DEFAULT_CONFIG "/etc/sluice/sluice.yaml"

struct options {
    struct ctl ctl;
    int argc; // the words that are left
    char **argv;
    bool version, complete;
    const char *reference; // which page to print
    const char *wrong;
};

// Seconds, "0.5" too, as milliseconds; 0 where the text is none.
static unsigned watch_interval(const char *text)
{
    char *end;
    double seconds = strtod(text, &end);

    return *text && !*end && seconds >= 0.1 && seconds <= 86400 ? (unsigned)(seconds * 1000) : 0;
}

// The value of an option: behind '=' or the next word.
static const char *option_value(int argc, char **argv, int *i, const char *equals, struct options *options)
{
    if (equals)
        return equals + 1;
    if (*i + 1 < argc)
        return argv[++*i];
    options->wrong = argv[*i];
    return "";
}

static void option_watch(int argc, char **argv, int *i, struct options *options)
{
    options->ctl.watch_ms = 1000;
    if (*i + 1 < argc && watch_interval(argv[*i + 1]))
        options->ctl.watch_ms = watch_interval(argv[++*i]);
}

static bool is(const char *word, size_t length, const char *brief, const char *name)
{
    return (brief && strlen(brief) == length && memcmp(word, brief, length) == 0) ||
           (strlen(name) == length && memcmp(word, name, length) == 0);
}

// Takes a global option; false where it is none.
static bool option_take(int argc, char **argv, int *i, struct options *options)
{
    const char *word = argv[*i], *equals = strchr(word, '=');
    size_t length = equals ? (size_t)(equals - word) : strlen(word);

    if (is(word, length, "-j", "--json"))
        options->ctl.json = true;
    else if (is(word, length, "-w", "--watch"))
        option_watch(argc, argv, i, options);
    else if (is(word, length, "-s", "--socket"))
        options->ctl.socket = option_value(argc, argv, i, equals, options);
    else if (is(word, length, NULL, "--run-dir"))
        options->ctl.run_dir = option_value(argc, argv, i, equals, options);
    else if (is(word, length, NULL, "--config"))
        options->ctl.config = option_value(argc, argv, i, equals, options);
    else if (is(word, length, NULL, "--no-color"))
        options->ctl.color = false;
    else if (is(word, length, "-V", "--version"))
        options->version = true;
    else if (is(word, length, NULL, "--reference"))
        options->reference = option_value(argc, argv, i, equals, options);
    else
        return false;
    return true;
}

static void options_read(int argc, char **argv, struct options *options)
{
    options->argv = calloc((size_t)argc + 1, sizeof(*options->argv));
    for (int i = 1; options->argv && i < argc; i++) {
        // Behind --complete everything is the words of the line that is being typed.
        if (!options->complete && strcmp(argv[i], "--complete") == 0)
            options->complete = true;
        else if (options->complete || !option_take(argc, argv, &i, options))
            options->argv[options->argc++] = argv[i];
    }
}

// Pages that are printed from tables: the build makes man pages of them.
static int reference(struct ctl *ctl, const char *page)
{
    if (strcmp(page, "man") == 0)
        ctl_man_page(ctl->out);
    else if (strcmp(page, "markdown") == 0)
        sl_config_reference_markdown(ctl->out);
    else if (strcmp(page, "scdoc") == 0)
        sl_config_reference_scdoc(ctl->out);
    else if (strcmp(page, "json") == 0) {
        json_t *schema = sl_config_reference_json();

        ctl_json_print(ctl, schema);
        json_decref(schema);
    } else {
        fprintf(stderr, "sluicectl: --reference wants man, markdown, scdoc or json\n");
        return CTL_USAGE;
    }
    return CTL_OK;
}

static int run(struct options *options)
{
    struct ctl *ctl = &options->ctl;
    char word[] = "version", *version[] = {word};

    if (options->wrong) {
        fprintf(stderr, "sluicectl: %s needs a value behind it\n", options->wrong);
        return CTL_USAGE;
    }
    if (options->reference)
        return reference(ctl, options->reference);
    if (options->complete) {
        if (options->argc)
            ctl_complete(ctl, options->argc, options->argv, stdout);
        return CTL_OK;
    }
    if (options->version)
        return ctl_run(ctl, 1, version);
    if (options->argc)
        return ctl_run(ctl, options->argc, options->argv);
    if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
        return ctl_shell(ctl);
    ctl_help(stderr);
    return CTL_USAGE;
}

int main(int argc, char **argv)
{
    const char *no_color = getenv("NO_COLOR");
    bool tty = isatty(STDOUT_FILENO);
    struct options options = {
        .ctl = {.socket = SL_RPC_SOCKET,
                .config = DEFAULT_CONFIG,
                .run_dir = SL_RUN_DIR,
                .fd = -1,
                .out = stdout,
                .tty = tty,
                .color = tty && (!no_color || !*no_color)},
    };

    signal(SIGPIPE,
           SIG_IGN); // a sluiced that goes away is an error to tell, `| head` one to see in the output
    options_read(argc, argv, &options);
    int code = run(&options);
    if (options.ctl.fd >= 0)
        close(options.ctl.fd);
    free(options.argv);
    return code;
}
