// SPDX-License-Identifier: Apache-2.0
// The command table and what it gives: parsing, help, completion, the man page. A command is a row in commands.c and
// nothing else. One thread.
#ifndef CTL_COMMAND_H
#define CTL_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

enum ctl_exit { // documented in sluicectl(1)
    CTL_OK = 0,
    CTL_FAILED = 1,      // what was asked for is not so, or could not be done
    CTL_USAGE = 2,       // the command line is wrong
    CTL_UNREACHABLE = 3, // sluiced does not answer
    CTL_REFUSED = 4,     // no permission
};

enum ctl_kind { // what an argument's value is
    CTL_WORD,   // one of `words`, or free text
    CTL_FILE,
    CTL_ADDRESS,
    CTL_PREFIX,  // an address is a prefix too
    CTL_PORT,    // a port's name
    CTL_SERVICE, // a service's
    CTL_POOL,    // a pool's
    CTL_NUMBER,
    CTL_DURATION, // 60s, 5m, 1h; seconds where no unit is said
    CTL_SECONDS,  // 0.2, 2, 500ms; seconds where no unit is said; in the request as milliseconds
    CTL_PROTOCOL, // tcp, udp, icmp or a number
    CTL_KINDS
};

enum ctl_style {
    CTL_POSITIONAL, // ADDR
    CTL_KEYWORD,    // inside PREFIX
    CTL_OPTION,     // --confirm DURATION
    CTL_FLAG,       // --all
};

struct ctl_argument {
    const char *name; // NULL ends the list
    enum ctl_style style;
    enum ctl_kind kind;
    bool required;
    const char *json;         // where it goes in the request: "filter.inside"
    const char *const *words; // of CTL_WORD: the choices, ends with NULL; NULL: any
    const char *help;
};

struct ctl {
    const char *socket;
    const char *config; // sluiced's file, for doctor when sluiced is down
    const char *run_dir;
    bool json, color, tty;
    unsigned watch_ms; // 0: once
    int fd;            // to sluiced, or -1
    FILE *out;
};

struct ctl_command {
    const char *words; // "config apply"; NULL ends the table
    const char *rpc;   // command of the control socket; NULL where `run` does it all
    const struct ctl_argument *arguments;
    // Prints a result; `before` is an earlier one where `rates`. Returns an exit code.
    int (*show)(struct ctl *ctl, const json_t *result, const json_t *before);
    // Instead of asking and showing. `request` holds the arguments; returns an exit code.
    int (*run)(struct ctl *ctl, const struct ctl_command *command, json_t *request);
    bool rates;  // two samples make rates
    bool hidden; // not for people
    const char *help;
    const char *detail; // more for the man page, or NULL
};

extern const struct ctl_command ctl_commands[];

// ---- parse.c ------------------------------------------------------------------------------------------------
// Finds the command and reads its arguments into a new request. NULL: *why tells (to be freed).
const struct ctl_command *ctl_parse(int argc, char **argv, json_t **request, char **why);
// The command whose words `argv` begins with, the longest; *used of them. NULL where there is none.
const struct ctl_command *ctl_find(int argc, char **argv, int *used);
// "300", "5m", "1h": seconds, or -1.
long ctl_duration(const char *text);
// "0.2", "2s", "500ms": milliseconds, or -1.
long ctl_milliseconds(const char *text);
// Sets "a.b" in a request.
void ctl_request_set(json_t *request, const char *path, json_t *value);

// ---- help.c -------------------------------------------------------------------------------------------------
void ctl_help(FILE *out);
void ctl_help_command(FILE *out, const struct ctl_command *command);
void ctl_usage_line(FILE *out, const struct ctl_command *command, bool bold);
void ctl_man_page(FILE *out); // scdoc source of sluicectl(1)
const char *ctl_kind_name(enum ctl_kind kind);

// ---- complete.c ---------------------------------------------------------------------------------------------
// Prints the words that may come after argv[0..argc-2], beginning with argv[argc-1].
void ctl_complete(struct ctl *ctl, int argc, char **argv, FILE *out);
void ctl_completion_script(FILE *out);

// ---- call.c -------------------------------------------------------------------------------------------------
// Asks sluiced. Returns an exit code; what went wrong has been printed to stderr (or as JSON). *result is new.
int ctl_call(struct ctl *ctl, const char *rpc, json_t *request, json_t **result);
// The same without printing, for who can do without an answer.
json_t *ctl_ask(struct ctl *ctl, const char *rpc, json_t *request);
void ctl_json_print(struct ctl *ctl, const json_t *value);

// ---- run.c --------------------------------------------------------------------------------------------------
// A whole command line of words, without global options. Returns an exit code.
int ctl_run(struct ctl *ctl, int argc, char **argv);
int ctl_shell(struct ctl *ctl);

#endif
