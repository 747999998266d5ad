// SPDX-License-Identifier: Apache-2.0
// `sluice-pktgen series`: many trials on ports that stay open, each as a line of the standard input asks, each answered
// by a line of JSON. For programs that compare devices by short trials: opening ports takes longer than a trial, and
// some devices (memif) do not like to lose their peer. Main thread.
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "mode.h"
#include "report.h"
#include "station.h"

#define WORDS_MAX 256
#define LOOK_MS   100
#define END_MS    2 // how exactly the end of a trial is found

struct series {
    int argc; // of the command line, without what is DPDK's
    char **argv;
    struct eal_wish eal;       // before any option was read
    struct session_wish fixed; // what the command line says of ports, cores and memory
    struct options options;    // of the command line and the line together
    char *word[WORDS_MAX + 1];
    int words;
    struct plan plan;
    struct session session;
    struct neighbor_self self[SESSION_PORTS];
    struct result result;
};

static void words_free(struct series *series)
{
    while (series->words > 0)
        free(series->word[--series->words]);
}

// Parsing writes into the words, so each line gets copies of the command line's too.
static int words_copy(struct series *series, char *line)
{
    char *rest = NULL;
    words_free(series);
    for (int i = 0; i < series->argc && series->words < WORDS_MAX; i++)
        series->word[series->words++] = strdup(series->argv[i]);
    for (char *word = strtok_r(line, " \t\r\n", &rest); word && series->words < WORDS_MAX;
         word = strtok_r(NULL, " \t\r\n", &rest))
        series->word[series->words++] = strdup(word);
    series->word[series->words] = NULL;
    return series->words < WORDS_MAX ? 0 : -E2BIG;
}

// What argp says of a wrong line, caught where the parser puts it: with ARGP_NO_EXIT it goes on after a fault.
struct series_parse {
    struct options *options;
    FILE *faults; // NULL: the command line's, which end the program
};

static error_t input_pass(int key, char *text, struct argp_state *state)
{
    struct series_parse *parse = state->input;
    if (key == ARGP_KEY_INIT) {
        state->child_inputs[0] = parse->options;
        if (parse->faults)
            state->err_stream = parse->faults;
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static const struct argp_child children[] = {{&options_argp, 0, NULL, 0}, {0}};
static const struct argp argp = {
    .children = children,
    .parser = input_pass,
    .args_doc = "[-- EAL-OPTIONS]",
    .doc =
        "Runs a trial for each line of the standard input: options of traffic, rate and duration, which come "
        "behind those of the command line. Prints a line of JSON for each; {\"error\": ...} for a wrong "
        "one.\v"
        "Exit status: 0 the input ended, 2 wrong usage, 3 the machine lacks something.",
};

static int options_renew(struct series *series)
{
    options_fini(&series->options);
    memset(&series->options, 0, sizeof(series->options));
    int rc = options_init(&series->options);
    series->options.session.eal = series->eal;
    return rc;
}

// The first line of what argp printed, without the program's name before it; of an unknown option getopt tells on the
// standard error, and here is only a hint.
static int fault_take(const char *text, int rc, struct sl_error *error)
{
    const char *colon = strstr(text, ": "), *begin = colon ? colon + 2 : text;
    if (text[0] == '\0' && rc == 0)
        return 0;
    if (text[0] == '\0' || strncmp(text, "Try", 3) == 0 || !colon)
        return sl_error_set(error, -EINVAL,
                            "the line has an option that there is not, or one without its value");
    return sl_error_set(error, -EINVAL, "%.*s", (int)strcspn(begin, "\n"), begin);
}

static int words_parse(struct series *series, struct sl_error *error)
{
    char *text = NULL;
    size_t length;
    FILE *faults = open_memstream(&text, &length);
    struct series_parse parse = {&series->options, faults};
    if (!faults)
        return sl_error_set(error, -ENOMEM, "out of memory");
    int rc = argp_parse(&argp, series->words, series->word, ARGP_NO_EXIT | ARGP_NO_HELP, NULL, &parse);
    fclose(faults);
    rc = fault_take(text, rc, error);
    free(text);
    return rc;
}

// Ports stay open and cores are taken: a line cannot choose others.
static int line_check(const struct series *series, struct sl_error *error)
{
    const struct session_wish *now = &series->options.session, *fixed = &series->fixed;
    const struct eal_wish *eal = &now->eal, *was = &fixed->eal;
    if (now->ports != fixed->ports)
        return sl_error_set(error, -EINVAL, "--port: ports are those of the command line: leave it out");
    if (eal->core_count != was->core_count || memcmp(eal->core, was->core, sizeof(eal->core)) != 0 ||
        eal->workers != was->workers)
        return sl_error_set(error, -EINVAL,
                            "--cores, --workers: cores are those of the command line: leave them out");
    if (eal->huge != was->huge || eal->memory_mb != was->memory_mb || now->mtu != fixed->mtu)
        return sl_error_set(error, -EINVAL,
                            "--huge, --memory, --mtu are those of the command line: leave them out");
    if (series->options.csv || series->options.html)
        return sl_error_set(error, -EINVAL, "--csv, --html: a series answers in JSON: leave them out");
    return 0;
}

static int plan_make(struct series *series, struct sl_error *error)
{
    struct sl_diagnostics diag;
    sl_diag_init(&diag);
    int rc = options_compile(&series->options, &series->plan, &diag);
    if (rc != 0 && diag.count)
        sl_diag_format(&diag.list[0], error->text, sizeof(error->text));
    sl_diag_fini(&diag);
    return rc;
}

// The command line with a line's options behind it.
static int line_take(struct series *series, char *line, struct sl_error *error)
{
    int rc = words_copy(series, line);
    if (rc != 0)
        return sl_error_set(error, rc, "a line and the command line have more than %d words", WORDS_MAX - 1);
    rc = options_renew(series);
    if (rc != 0)
        return sl_error_set(error, rc, "out of memory");
    rc = words_parse(series, error);
    if (rc == 0)
        rc = line_check(series, error);
    return rc == 0 ? plan_make(series, error) : rc;
}

// The command line alone; a fault ends the program as in the other modes.
static int command_take(struct series *series, struct sl_error *error)
{
    char nothing[] = "";
    struct series_parse parse = {&series->options, NULL};
    int rc = words_copy(series, nothing);
    if (rc != 0)
        return sl_error_set(error, rc, "the command line has more than %d words", WORDS_MAX - 1);
    argp_parse(&argp, series->words, series->word, 0, NULL, &parse);
    series->fixed = series->options.session;
    rc = line_check(series, error);
    return rc == 0 ? plan_make(series, error) : rc;
}

static int trial_do(struct series *series, struct sl_error *error)
{
    const struct trial_wish *wish = &series->options.trial;
    int rc = station_open(&series->session, &series->options, &series->plan, series->self, error);
    struct trial *trial = rc == 0 ? trial_new(&series->session, &series->plan, series->self, error) : NULL;
    if (!trial)
        return rc != 0 ? rc : -EINVAL;
    trial_start(trial, wish);
    // One long sleep: this thread may share a core with the device under test.
    uint32_t ms = (uint32_t)((wish->duration_us + wish->settle_us) / 1000);
    session_wait_ms(&series->session, wish->limit ? END_MS : ms);
    while (session_running(&series->session))
        session_wait_ms(&series->session, END_MS);
    trial_join(trial);
    trial_result(trial, &series->result);
    trial_free(trial);
    return 0;
}

static int answer(json_t *json)
{
    if (!json)
        return -ENOMEM;
    json_dumpf(json, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(json);
    puts("");
    return fflush(stdout) == 0 ? 0 : -EIO;
}

// A wrong line, and a trial that cannot be (the gateway does not answer), is told in its line; the series goes on.
static int line_do(struct series *series, char *line)
{
    struct sl_error error = {0};
    int rc = line_take(series, line, &error);
    if (rc == 0)
        rc = trial_do(series, &error);
    return answer(rc == 0 ? report_result_json(&series->result) : json_pack("{s:s}", "error", error.text));
}

static int lines_do(struct series *series)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char *line = NULL;
    size_t room = 0;
    int rc = 0;
    setvbuf(stdin, NULL, _IONBF, 0); // else poll() would not see what was read ahead
    while (rc == 0 && !session_wait_ms(&series->session, 0)) {
        if (poll(&input, 1, LOOK_MS) == 0)
            continue;
        if (getline(&line, &room, stdin) < 0)
            break;
        if (line[strspn(line, " \t\r\n")] != '\0')
            rc = line_do(series, line);
    }
    free(line);
    return rc;
}

static int series_execute(struct series *series)
{
    struct sl_error error = {0};
    int rc = command_take(series, &error);
    if (rc != 0) {
        mode_fail(rc, &error);
        return PKTGEN_USAGE;
    }
    rc = session_open(&series->session, &series->options.session, &error);
    if (rc != 0)
        return mode_fail(rc, &error);
    rc = lines_do(series);
    session_close(&series->session);
    return rc == 0 ? PKTGEN_OK : PKTGEN_ENVIRONMENT;
}

static int series_main(int argc, char **argv)
{
    struct series *series = calloc(1, sizeof(*series));
    if (!series || options_init(&series->options) != 0)
        return PKTGEN_ENVIRONMENT;
    series->argc = session_wish_init(&series->options.session, argc, argv);
    series->argv = argv;
    series->eal = series->options.session.eal;
    int status = series_execute(series);
    options_fini(&series->options);
    words_free(series);
    free(series);
    return status;
}

const struct generator_mode mode_series = {
    "series", "a trial for each line of the standard input, ports staying open", series_main};
