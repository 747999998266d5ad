// SPDX-License-Identifier: Apache-2.0
// Which words may come next, by the command table; for the shell's completion and our own shell's. One thread.
#include <string.h>
#include "command.h"
#include "show.h"

static void offer(FILE *out, const char *word, size_t length, const char *begun)
{
    if (strncmp(begun, word, strlen(begun)) == 0 && strlen(begun) <= length)
        fprintf(out, "%.*s\n", (int)length, word);
}

// The next word of each command that begins with all the words so far; each once.
static void offer_commands(FILE *out, int argc, char **argv)
{
    char last[32] = "";

    for (const struct ctl_command *command = ctl_commands; command->words; command++) {
        const char *at = command->words;
        int i = 0;

        for (; !command->hidden && i < argc - 1 && *at; i++) {
            size_t length = strcspn(at, " ");

            if (strlen(argv[i]) != length || strncmp(argv[i], at, length) != 0)
                break;
            at += length + (at[length] == ' ');
        }
        size_t length = strcspn(at, " ");
        if (command->hidden || i < argc - 1 || !*at ||
            (strlen(last) == length && strncmp(last, at, length) == 0))
            continue;
        snprintf(last, sizeof(last), "%.*s", (int)length, at);
        offer(out, at, length, argv[argc - 1]);
    }
}

// Names of what sluiced has: "port" lists "ports" by "port".
static void offer_names(struct ctl *ctl, FILE *out, const char *what, const char *list, const char *begun)
{
    json_t *result = ctl_ask(ctl, what, NULL), *one;
    size_t i;

    json_array_foreach(json_object_get(result, list), i, one)
    {
        const char *name = get_text(one, what);

        offer(out, name, strlen(name), begun);
    }
    json_decref(result);
}

static void offer_value(struct ctl *ctl, FILE *out, const struct ctl_argument *argument, const char *begun)
{
    static const char *const protocols[] = {"tcp", "udp", "icmp", NULL};
    const char *const *words = argument->kind == CTL_PROTOCOL ? protocols : argument->words;

    if (argument->kind == CTL_PORT)
        offer_names(ctl, out, "port", "ports", begun);
    else if (argument->kind == CTL_SERVICE)
        offer_names(ctl, out, "service", "services", begun);
    else if (argument->kind == CTL_POOL)
        offer_names(ctl, out, "pool", "pools", begun);
    for (; words && *words; words++)
        offer(out, *words, strlen(*words), begun);
}

static const struct ctl_argument *argument_named(const struct ctl_command *command, const char *word)
{
    for (const struct ctl_argument *argument = command->arguments; argument->name; argument++)
        if (argument->style != CTL_POSITIONAL && strcmp(argument->name, word) == 0)
            return argument;
    return NULL;
}

static void offer_arguments(struct ctl *ctl, FILE *out, const struct ctl_command *command, int argc,
                            char **argv)
{
    const struct ctl_argument *before = argc > 1 ? argument_named(command, argv[argc - 2]) : NULL;
    int positional = 0, place = 0;

    if (before && before->style != CTL_FLAG) {
        offer_value(ctl, out, before, argv[argc - 1]);
        return;
    }
    for (int i = 0; i < argc - 1; i++) {
        const struct ctl_argument *argument = argument_named(command, argv[i]);

        if (!argument)
            positional++;
        else if (argument->style != CTL_FLAG)
            i++;
    }
    for (const struct ctl_argument *argument = command->arguments; argument->name; argument++) {
        if (argument->style != CTL_POSITIONAL)
            offer(out, argument->name, strlen(argument->name), argv[argc - 1]);
        else if (place++ == positional)
            offer_value(ctl, out, argument, argv[argc - 1]);
    }
}

void ctl_complete(struct ctl *ctl, int argc, char **argv, FILE *out)
{
    int used;
    const struct ctl_command *command = argc > 1 ? ctl_find(argc - 1, argv, &used) : NULL;

    offer_commands(out, argc, argv);
    if (command)
        offer_arguments(ctl, out, command, argc - used, argv + used);
}

// The script asks us back for the words, so it is never older than the table; files are the shell's own business.
void ctl_completion_script(FILE *out)
{
    fputs("# bash completion for sluicectl; made by 'sluicectl completion bash'\n"
          "_sluicectl() {\n"
          "    local current=${COMP_WORDS[COMP_CWORD]} words=() i\n"
          "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
          "        case ${COMP_WORDS[i]} in\n"
          "        -s | --socket | --run-dir | --config) ((i++)) ;;\n"
          "        -j | --json | -w | --watch | --no-color) ;;\n"
          "        *) words+=(\"${COMP_WORDS[i]}\") ;;\n"
          "        esac\n"
          "    done\n"
          "    mapfile -t COMPREPLY < <(sluicectl --complete \"${words[@]}\" \"$current\" 2>/dev/null)\n"
          "    case \"${words[*]}\" in\n"
          "    'config check' | 'config diff' | 'config apply') mapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY "
          "< <(compgen -f -- \"$current\") ;;\n"
          "    esac\n"
          "    if [[ $current == -* ]]; then\n"
          "        mapfile -t -O \"${#COMPREPLY[@]}\" COMPREPLY < <(compgen -W '--json --watch --socket "
          "--run-dir --config --no-color --help --version' -- \"$current\")\n"
          "    fi\n"
          "}\n"
          "complete -o default -F _sluicectl sluicectl\n",
          out);
}
