// SPDX-License-Identifier: Apache-2.0
// Words of a command line to a command and its request, by the table. One thread; pure.
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "base/ip.h"
#include "command.h"
#include "config/suggest.h"

// How many of argv are the command's words; 0 where they are not.
static int words_match(const char *words, int argc, char **argv)
{
    int used = 0;

    for (const char *at = words; *at; used++) {
        size_t length = strcspn(at, " ");

        if (used == argc || strlen(argv[used]) != length || memcmp(argv[used], at, length) != 0)
            return 0;
        at += length + (at[length] == ' ');
    }
    return used;
}

const struct ctl_command *ctl_find(int argc, char **argv, int *used)
{
    const struct ctl_command *best = NULL;

    *used = 0;
    for (const struct ctl_command *command = ctl_commands; command->words; command++) {
        int match = words_match(command->words, argc, argv);

        if (match > *used) {
            *used = match;
            best = command;
        }
    }
    return best;
}

long ctl_duration(const char *text)
{
    static const struct {
        const char *unit;
        long seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"min", 60}, {"h", 3600}};
    char *end;

    errno = 0;
    long value = strtol(text, &end, 10);
    if (end == text || errno || value < 0 || value > 86400 * 365 || !isdigit((unsigned char)text[0]))
        return -1;
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(end, units[i].unit) == 0)
            return value * units[i].seconds;
    return -1;
}

long ctl_milliseconds(const char *text)
{
    char *end;
    double value = strtod(text, &end);

    if (!isdigit((unsigned char)text[0]) || strspn(text, "0123456789.") != (size_t)(end - text))
        return -1;
    if (strcmp(end, "ms") != 0)
        value *= 1000;
    if ((*end && strcmp(end, "ms") != 0 && strcmp(end, "s") != 0) || value > 86400e3)
        return -1;
    return (long)(value + 0.5);
}

void ctl_request_set(json_t *request, const char *path, json_t *value)
{
    const char *dot = strchr(path, '.');
    char outer[32];

    if (!dot) {
        json_object_set_new(request, path, value);
        return;
    }
    snprintf(outer, sizeof(outer), "%.*s", (int)(dot - path), path);
    json_t *inner = json_object_get(request, outer);
    if (!inner) {
        inner = json_object();
        json_object_set_new(request, outer, inner);
    }
    json_object_set_new(inner, dot + 1, value);
}

static json_t *number_value(const char *text)
{
    char *end;

    errno = 0;
    long long value = strtoll(text, &end, 10);
    return end == text || *end || errno || value < 0 ? NULL : json_integer(value);
}

static json_t *word_value(const struct ctl_argument *argument, const char *text)
{
    for (const char *const *word = argument->words; word && *word; word++)
        if (strcmp(*word, text) == 0)
            return json_string(text);
    return argument->words ? NULL : json_string(text);
}

// The value as the request wants it; NULL where the text is not one.
static json_t *argument_value(const struct ctl_argument *argument, const char *text)
{
    struct sl_prefix prefix;
    struct sl_ip ip;

    switch (argument->kind) {
    case CTL_ADDRESS:
        return sl_ip_parse(text, &ip) == 0 ? json_string(text) : NULL;
    case CTL_PREFIX:
        return sl_prefix_parse(text, &prefix) == 0 ? json_string(text) : NULL;
    case CTL_NUMBER:
        return number_value(text);
    case CTL_DURATION:
        return ctl_duration(text) >= 0 ? json_integer(ctl_duration(text)) : NULL;
    case CTL_SECONDS:
        return ctl_milliseconds(text) >= 0 ? json_integer(ctl_milliseconds(text)) : NULL;
    case CTL_PROTOCOL:
        if (strcmp(text, "tcp") == 0 || strcmp(text, "udp") == 0 || strcmp(text, "icmp") == 0)
            return json_string(text);
        return number_value(text);
    case CTL_WORD:
        return word_value(argument, text);
    case CTL_FILE:
    case CTL_PORT:
    case CTL_SERVICE:
    case CTL_POOL:
    case CTL_KINDS:
        break;
    }
    return text[0] ? json_string(text) : NULL;
}

// The argument a word names, or the next positional one.
static const struct ctl_argument *argument_find(const struct ctl_command *command, const char *word,
                                                int *positional)
{
    int place = 0;

    for (const struct ctl_argument *argument = command->arguments; argument->name; argument++)
        if (argument->style != CTL_POSITIONAL && strcmp(argument->name, word) == 0)
            return argument;
    for (const struct ctl_argument *argument = command->arguments; argument->name && word[0] != '-';
         argument++)
        if (argument->style == CTL_POSITIONAL && place++ == *positional) {
            (*positional)++;
            return argument;
        }
    return NULL;
}

static int say(char **why, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int say(char **why, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (vasprintf(why, format, arguments) < 0)
        *why = NULL;
    va_end(arguments);
    return -EINVAL;
}

static int unknown_word(const struct ctl_command *command, const char *word, char **why)
{
    struct sl_suggestion nearest;

    sl_suggest_init(&nearest, word);
    for (const struct ctl_argument *argument = command->arguments; argument->name; argument++)
        if (argument->style != CTL_POSITIONAL)
            sl_suggest_offer(&nearest, argument->name);
    return nearest.best
               ? say(why, "'%s' takes no '%s': did you mean '%s'?", command->words, word, nearest.best)
               : say(why, "'%s' takes no '%s': see 'sluicectl %s --help'", command->words, word,
                     command->words);
}

static int wrong_value(const struct ctl_argument *argument, const char *text, char **why)
{
    char wanted[128];
    size_t used = 0;

    snprintf(wanted, sizeof(wanted), "%s", ctl_kind_name(argument->kind));
    for (const char *const *word = argument->words; word && *word && used < sizeof(wanted); word++)
        used += (size_t)snprintf(wanted + used, sizeof(wanted) - used, "%s%s",
                                 word == argument->words ? ""
                                 : word[1]               ? ", "
                                                         : " or ",
                                 *word);
    return say(why, "'%s' is not %s, which %s wants", text, wanted, argument->name);
}

static int arguments_read(const struct ctl_command *command, int argc, char **argv, json_t *request,
                          char **why)
{
    int positional = 0;

    for (int i = 0; i < argc; i++) {
        const struct ctl_argument *argument = argument_find(command, argv[i], &positional);
        const char *text = argv[i];

        if (!argument)
            return unknown_word(command, argv[i], why);
        if (argument->style == CTL_FLAG) {
            ctl_request_set(request, argument->json, json_true());
            continue;
        }
        if (argument->style != CTL_POSITIONAL) {
            if (++i == argc)
                return say(why, "'%s' needs %s behind it", text, ctl_kind_name(argument->kind));
            text = argv[i];
        }
        json_t *value = argument_value(argument, text);
        if (!value)
            return wrong_value(argument, text, why);
        ctl_request_set(request, argument->json, value);
    }
    return 0;
}

static bool request_has(const json_t *request, const char *path)
{
    const char *dot = strchr(path, '.');

    return dot || json_object_get(request, path);
}

static int arguments_missing(const struct ctl_command *command, const json_t *request, char **why)
{
    for (const struct ctl_argument *argument = command->arguments; argument->name; argument++)
        if (argument->required && !request_has(request, argument->json))
            return say(why, "'%s' needs %s: %s", command->words, argument->name, argument->help);
    return 0;
}

static const struct ctl_command *unknown_command(int argc, char **argv, char **why)
{
    struct sl_suggestion nearest;
    char words[64];

    snprintf(words, sizeof(words), "%s%s%s", argv[0], argc > 1 ? " " : "", argc > 1 ? argv[1] : "");
    for (int tries = 0; tries < 2; tries++) {
        sl_suggest_init(&nearest, tries ? argv[0] : words);
        for (const struct ctl_command *command = ctl_commands; command->words; command++)
            if (!command->hidden)
                sl_suggest_offer(&nearest, command->words);
        if (nearest.best)
            break;
    }
    if (nearest.best)
        say(why, "there is no command '%s': did you mean '%s'?", argv[0], nearest.best);
    else
        say(why, "there is no command '%s': 'sluicectl --help' lists them", argv[0]);
    return NULL;
}

const struct ctl_command *ctl_parse(int argc, char **argv, json_t **request, char **why)
{
    int used;
    const struct ctl_command *command = ctl_find(argc, argv, &used);

    *why = NULL;
    *request = NULL;
    if (!command)
        return unknown_command(argc, argv, why);
    *request = json_object();
    if (arguments_read(command, argc - used, argv + used, *request, why) == 0 &&
        arguments_missing(command, *request, why) == 0)
        return command;
    json_decref(*request);
    *request = NULL;
    return NULL;
}
