// SPDX-License-Identifier: Apache-2.0
// Help and the man page, printed from the command table. One thread; pure but for the output.
#include <string.h>
#include "command.h"

static const char *const kind_names[CTL_KINDS] = {[CTL_WORD] = "a word",
                                                  [CTL_FILE] = "a file",
                                                  [CTL_ADDRESS] = "an address",
                                                  [CTL_PREFIX] = "a prefix",
                                                  [CTL_PORT] = "a port's name",
                                                  [CTL_SERVICE] = "a service's name",
                                                  [CTL_POOL] = "a pool's name",
                                                  [CTL_NUMBER] = "a number",
                                                  [CTL_DURATION] = "a time like 60s or 5m",
                                                  [CTL_SECONDS] = "a time like 0.5 or 200ms",
                                                  [CTL_PROTOCOL] = "a protocol (tcp, udp, icmp or a number)"};

const char *ctl_kind_name(enum ctl_kind kind)
{
    return kind_names[kind];
}

static const char *const placeholders[CTL_KINDS] = {
    [CTL_WORD] = "WORD",       [CTL_FILE] = "FILE", [CTL_ADDRESS] = "ADDRESS", [CTL_PREFIX] = "PREFIX",
    [CTL_PORT] = "PORT",       [CTL_NUMBER] = "N",  [CTL_DURATION] = "TIME",   [CTL_PROTOCOL] = "PROTOCOL",
    [CTL_SECONDS] = "SECONDS",
    [CTL_SERVICE] = "SERVICE", [CTL_POOL] = "POOL"};

// "a|b|c" or the placeholder of the kind.
static void value_print(FILE *out, const struct ctl_argument *argument)
{
    if (!argument->words) {
        fputs(placeholders[argument->kind], out);
        return;
    }
    for (const char *const *word = argument->words; *word; word++)
        fprintf(out, "%s%s", word == argument->words ? "" : "|", *word);
}

static void argument_print(FILE *out, const struct ctl_argument *argument)
{
    if (argument->style == CTL_POSITIONAL) {
        fputs(argument->name, out);
        return;
    }
    fputs(argument->name, out);
    if (argument->style != CTL_FLAG) {
        fputc(' ', out);
        value_print(out, argument);
    }
}

void ctl_usage_line(FILE *out, const struct ctl_command *command, bool bold)
{
    unsigned optional = 0;

    fprintf(out, bold ? "*%s*" : "%s", command->words);
    for (const struct ctl_argument *argument = command->arguments; argument->name; argument++) {
        if (argument->style != CTL_POSITIONAL) {
            optional++;
            continue;
        }
        fprintf(out, argument->required ? " " : " [");
        argument_print(out, argument);
        fprintf(out, argument->required ? "" : "]");
    }
    if (optional > 3) {
        fputs(" [WORD VALUE]...", out);
        return;
    }
    for (const struct ctl_argument *argument = command->arguments; argument->name; argument++) {
        if (argument->style == CTL_POSITIONAL)
            continue;
        fputs(" [", out);
        argument_print(out, argument);
        fputs("]", out);
    }
}

void ctl_help(FILE *out)
{
    fputs("sluicectl: look at and steer a Sluice gateway\n\n"
          "usage: sluicectl [OPTION]... COMMAND [ARGUMENT]...\n\n",
          out);
    for (const struct ctl_command *command = ctl_commands; command->words; command++)
        if (!command->hidden)
            fprintf(out, "  %-17s %s\n", command->words, command->help);
    fputs("\noptions:\n"
          "  -j, --json          print JSON\n"
          "  -w, --watch [SEC]   again and again, every SEC seconds (1)\n"
          "  -s, --socket PATH   sluiced's socket (/run/sluice/sluiced.sock)\n"
          "      --run-dir DIR   run directory, for doctor (/dev/shm/sluice)\n"
          "      --config FILE   sluiced's config, for doctor (/etc/sluice/sluice.yaml)\n"
          "      --no-color      plain text; so does the variable NO_COLOR\n"
          "  -h, --help          this, or with a command its own\n"
          "  -V, --version       versions\n\n"
          "exit codes: 0 well, 1 not so or failed, 2 usage, 3 sluiced does not answer, 4 no permission\n"
          "without a command on a terminal: an interactive shell\n",
          out);
}

void ctl_help_command(FILE *out, const struct ctl_command *command)
{
    fputs("usage: sluicectl ", out);
    ctl_usage_line(out, command, false);
    fprintf(out, "\n\n%s\n", command->help);
    if (command->arguments->name)
        fputc('\n', out);
    for (const struct ctl_argument *argument = command->arguments; argument->name; argument++) {
        char shown[64] = "";
        FILE *text = fmemopen(shown, sizeof(shown), "w");

        argument_print(text, argument);
        fclose(text);
        fprintf(out, "  %-28s %s\n", shown, argument->help);
    }
}

// Underscores and asterisks mean something to scdoc.
static void man_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '_')
            fputc('\\', out);
        fputc(*text, out);
    }
}

static void man_command(FILE *out, const struct ctl_command *command)
{
    ctl_usage_line(out, command, true);
    fputs("\n\t", out);
    man_text(out, command->help);
    fputs(".", out);
    if (command->detail) {
        fputs(" ", out);
        man_text(out, command->detail);
    }
    fputs("\n\n", out);
    for (const struct ctl_argument *argument = command->arguments; argument->name; argument++) {
        fputs("\t*", out);
        argument_print(out, argument);
        fputs("*: ", out);
        man_text(out, argument->help);
        fputs(argument[1].name ? "++\n" : "\n\n", out);
    }
}

void ctl_man_page(FILE *out)
{
    fputs("sluicectl(1)\n\n# NAME\n\nsluicectl - look at and steer a Sluice gateway\n\n"
          "# SYNOPSIS\n\n*sluicectl* [_OPTION_]... _COMMAND_ [_ARGUMENT_]...\n\n"
          "# DESCRIPTION\n\n"
          "*sluicectl* asks *sluiced*(8) over its control socket. Looking needs no root; changing needs root "
          "or the "
          "socket's group. Without a command, on a terminal, it is an interactive shell with completion and "
          "history.\n\n"
          "# OPTIONS\n\nOptions may stand before or behind the command.\n\n"
          "*-j*, *--json*\n\tPrint the answer as JSON.\n\n"
          "*-w*, *--watch* [_SECONDS_]\n\tAsk again and again and redraw, every second where nothing is "
          "said. Counters become rates.\n\n"
          "*-s*, *--socket* _PATH_\n\tThe control socket, /run/sluice/sluiced.sock where nothing is said.\n\n"
          "*--run-dir* _DIR_\n\tThe run directory that *doctor* looks at, /dev/shm/sluice where nothing is "
          "said.\n\n"
          "*--config* _FILE_\n\tThe config that *doctor* reads when sluiced is down, /etc/sluice/sluice.yaml "
          "where nothing is said.\n\n"
          "*--no-color*\n\tPlain text. The environment variable *NO_COLOR* does the same.\n\n"
          "*-h*, *--help*\n\tHelp; behind a command, that command's.\n\n"
          "*-V*, *--version*\n\tVersions of sluicectl and, where it answers, sluiced.\n\n"
          "# COMMANDS\n\n",
          out);
    for (const struct ctl_command *command = ctl_commands; command->words; command++)
        if (!command->hidden)
            man_command(out, command);
    fputs("# EXIT STATUS\n\n*0*\n\tAll is well.\n\n*1*\n\tWhat was asked for is not so (no route, configs "
          "differ, a check failed), or could not be done.\n\n"
          "*2*\n\tThe command line is wrong.\n\n*3*\n\tsluiced does not answer.\n\n"
          "*4*\n\tNo permission.\n\n"
          "# EXAMPLES\n\n```\nsluicectl config apply --confirm 60s new.yaml && sluicectl config confirm\n"
          "sluicectl flow inside 10.0.0.11 proto tcp\nsluicectl -w 2 drops\nsluicectl -j port | jq "
          "'.ports[].rx_packets'\n```\n\n"
          "# SEE ALSO\n\n*sluiced*(8), *sluice-dp*(8), *sluice.yaml*(5)\n",
          out);
}
