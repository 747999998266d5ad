// SPDX-License-Identifier: Apache-2.0
// The command table of sluicectl: whole, parsed as it says, shown in help, completion and the man page.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include "command.h"
#include "config/file.h"

#define WORDS_MOST 16

struct words {
    char text[256];
    char *word[WORDS_MOST];
    int count;
};

static void words_cut(struct words *words, const char *line)
{
    char *save = NULL;

    snprintf(words->text, sizeof(words->text), "%s", line);
    words->count = 0;
    for (char *word = strtok_r(words->text, " ", &save); word; word = strtok_r(NULL, " ", &save))
        words->word[words->count++] = word;
}

static void assert_parses(const char *line, const char *rpc, const char *request_text)
{
    struct words words;
    json_t *request;
    char *why;

    words_cut(&words, line);
    const struct ctl_command *command = ctl_parse(words.count, words.word, &request, &why);
    if (!command)
        fail_msg("'%s': %s", line, why);
    assert_string_equal(command->rpc ? command->rpc : "", rpc);
    char *got = json_dumps(request, JSON_COMPACT | JSON_SORT_KEYS);
    assert_string_equal(got, request_text);
    free(got);
    json_decref(request);
}

static void assert_refused(const char *line, const char *sentence)
{
    struct words words;
    json_t *request;
    char *why;

    words_cut(&words, line);
    assert_null(ctl_parse(words.count, words.word, &request, &why));
    assert_null(request);
    assert_string_equal(why, sentence);
    free(why);
}

static void words_become_requests(void **state)
{
    assert_parses("status", "status", "{}");
    assert_parses("config apply", "config.apply", "{}");
    assert_parses("config apply --confirm 2m new.yaml --dry-run", "config.apply",
                  "{\"confirm_s\":120,\"dry\":true,\"path\":\"new.yaml\"}");
    assert_parses("config rollback 3", "config.rollback", "{\"steps\":3}");
    assert_parses("port wan", "port", "{\"port\":\"wan\"}");
    assert_parses("service", "service", "{}");
    assert_parses("service web", "service", "{\"service\":\"web\"}");
    assert_parses("pool web", "pool", "{\"pool\":\"web\"}");
    assert_parses("pool drain web 10.0.0.11:80 --deadline 2m", "pool.drain",
                  "{\"deadline_s\":120,\"member\":\"10.0.0.11:80\",\"pool\":\"web\"}");
    assert_parses("pool weight web [fd00::11]:80 30", "pool.weight",
                  "{\"member\":\"[fd00::11]:80\",\"pool\":\"web\",\"weight\":30}");
    assert_parses("probe tcp 198.51.100.21 80", "probe.tcp", "{\"address\":\"198.51.100.21\",\"port\":80}");
    assert_parses("probe tcp fd00::11 80 --local fd00::1 --count 3 --interval 0.2 --timeout 1500ms --worker 1", "probe.tcp",
                  "{\"address\":\"fd00::11\",\"count\":3,\"interval_ms\":200,\"local\":\"fd00::1\",\"port\":80,"
                  "\"timeout_ms\":1500,\"worker\":1}");
    assert_parses(
        "explain tcp 203.0.113.7 40000 198.51.100.80 80", "explain",
        "{\"address\":\"198.51.100.80\",\"port\":80,\"protocol\":\"tcp\",\"source\":\"203.0.113.7\","
        "\"source_port\":40000}");
    assert_parses("route", "route", "{}");
    assert_parses("route 10.0.0.0/8 port lan --limit 5", "route",
                  "{\"filter\":\"10.0.0.0/8\",\"limit\":5,\"port\":\"lan\"}");
    assert_parses("route lookup 2001:db8::1", "route.lookup", "{\"address\":\"2001:db8::1\"}");
    assert_parses("flow inside 10.0.0.11 proto tcp remote-port 443", "flow",
                  "{\"filter\":{\"inside\":\"10.0.0.11\",\"protocol\":\"tcp\",\"remote_port\":443}}");
    assert_parses("flow count by inside", "flow.count", "{\"by\":\"inside\"}");
    assert_parses("flow kill proto 47", "flow.kill", "{\"filter\":{\"protocol\":47}}");
    assert_parses("flow kill --all", "flow.kill", "{\"all\":true}");
    assert_parses("prefilter test wan 192.0.2.1", "prefilter.test",
                  "{\"address\":\"192.0.2.1\",\"port\":\"wan\"}");
    assert_parses("drops --all", "drops", "{\"all\":true}");
}

static void wrong_words_are_told_with_the_right_ones(void **state)
{
    assert_refused("sttaus", "there is no command 'sttaus': did you mean 'status'?");
    assert_refused("config aply x", "there is no command 'config': did you mean 'config apply'?");
    assert_refused("frobnicate", "there is no command 'frobnicate': 'sluicectl --help' lists them");
    assert_refused("flow insde 10.0.0.1", "'flow' takes no 'insde': did you mean 'inside'?");
    assert_refused("status now", "'status' takes no 'now': see 'sluicectl status --help'");
    assert_refused("route lookup", "'route lookup' needs ADDRESS: destination");
    assert_refused("route lookup 10.0.0", "'10.0.0' is not an address, which ADDRESS wants");
    assert_refused("flow inside", "'inside' needs a prefix behind it");
    assert_refused("flow inside 10.0.0.1/8", "'10.0.0.1/8' is not a prefix, which inside wants");
    assert_refused("flow kind fast", "'fast' is not source, static, forward or balance, which kind wants");
    assert_refused("config apply --confirm soon",
                   "'soon' is not a time like 60s or 5m, which --confirm wants");
    assert_refused("port a b", "'port' takes no 'b': see 'sluicectl port --help'");
}

static void times_have_units(void **state)
{
    assert_int_equal(ctl_duration("60"), 60);
    assert_int_equal(ctl_duration("60s"), 60);
    assert_int_equal(ctl_duration("5m"), 300);
    assert_int_equal(ctl_duration("2h"), 7200);
    assert_int_equal(ctl_duration(""), -1);
    assert_int_equal(ctl_duration("-1"), -1);
    assert_int_equal(ctl_duration("1 s"), -1);
    assert_int_equal(ctl_duration("1d"), -1);
    assert_int_equal(ctl_duration("99999999999999999999"), -1);
}

static void every_command_is_whole(void **state)
{
    for (const struct ctl_command *command = ctl_commands; command->words; command++) {
        bool optional = false;

        if (!command->help || !command->help[0] || !command->arguments)
            fail_msg("'%s' lacks its help or its arguments", command->words);
        if (!command->run && (!command->rpc || !command->show))
            fail_msg("'%s' does nothing", command->words);
        for (const struct ctl_argument *argument = command->arguments; argument->name; argument++) {
            if (!argument->json || !argument->help)
                fail_msg("'%s': %s lacks something", command->words, argument->name);
            if ((argument->name[0] == '-') != (argument->style == CTL_OPTION || argument->style == CTL_FLAG))
                fail_msg("'%s': %s is not spelled as its style", command->words, argument->name);
            if (argument->style == CTL_POSITIONAL && argument->required && optional)
                fail_msg("'%s': %s is required behind one that is not", command->words, argument->name);
            optional |= argument->style == CTL_POSITIONAL && !argument->required;
        }
        for (const struct ctl_command *other = ctl_commands; other < command; other++)
            assert_string_not_equal(other->words, command->words);
    }
}

static char *printed(void (*print)(FILE *out))
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    print(out);
    fclose(out);
    return text;
}

static void every_command_is_in_help_and_man_page(void **state)
{
    char *help = printed(ctl_help), *man = printed(ctl_man_page), entry[64];

    for (const struct ctl_command *command = ctl_commands; command->words; command++) {
        snprintf(entry, sizeof(entry), "\n  %s ", command->words);
        if (!strstr(help, entry))
            fail_msg("'%s' is not in the help", command->words);
        snprintf(entry, sizeof(entry), "\n*%s*", command->words);
        if (!strstr(man, entry))
            fail_msg("'%s' is not in the man page", command->words);
    }
    free(help);
    free(man);
}

static void the_man_page_is_current(void **state)
{
    char *wanted = printed(ctl_man_page), *text;
    size_t length;

    assert_int_equal(file_read(DOCS "/man/sluicectl.1.scd", &text, &length), 0);
    if (strcmp(text, wanted) != 0)
        fail_msg(
            "docs/man/sluicectl.1.scd is not what the table prints: run sluicectl --reference man again");
    free(text);
    free(wanted);
}

static void a_commands_own_help_lists_its_arguments(void **state)
{
    int used;
    char flow[] = "flow", kill[] = "kill", *words[] = {flow, kill}, *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    ctl_help_command(out, ctl_find(2, words, &used));
    fclose(out);
    assert_int_equal(used, 2);
    assert_non_null(strstr(text, "usage: sluicectl flow kill"));
    assert_non_null(strstr(text, "  inside PREFIX "));
    assert_non_null(strstr(text, "  --all "));
    free(text);
}

// `line` ends in a space where the next word has not begun.
static void assert_completes(const char *line, const char *candidates)
{
    struct ctl ctl = {.socket = "/nonexistent/socket", .fd = -1};
    struct words words;
    char *text = NULL, begun[] = "";
    size_t length;

    words_cut(&words, line);
    if (line[0] == '\0' || line[strlen(line) - 1] == ' ')
        words.word[words.count++] = begun;
    FILE *out = open_memstream(&text, &length);
    ctl_complete(&ctl, words.count, words.word, out);
    fclose(out);
    assert_string_equal(text, candidates);
    free(text);
}

static void completion_offers_what_may_come_next(void **state)
{
    assert_completes("st", "status\n");
    assert_completes("config ", "check\ndiff\napply\nconfirm\nrollback\nhistory\nshow\n");
    assert_completes("config ro", "rollback\n");
    assert_completes("config apply --", "--confirm\n--dry-run\n--comment\n");
    assert_completes("flow proto ", "tcp\nudp\nicmp\n");
    assert_completes("flow proto tcp ki", "kind\n");
    assert_completes("flow count by re", "remote\n");
    assert_completes("flow k", "kill\nkind\n");
    assert_completes("pool ", "show\ndrain\nenable\ndisable\nflush\nweight\n");
    assert_completes("explain s", "sctp\n");
    assert_completes("pool drain web 10.0.0.11 -", "--deadline\n");
    assert_completes("completion ", "bash\n");
    assert_completes("frobnicate ", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_become_requests),
        cmocka_unit_test(wrong_words_are_told_with_the_right_ones),
        cmocka_unit_test(times_have_units),
        cmocka_unit_test(every_command_is_whole),
        cmocka_unit_test(every_command_is_in_help_and_man_page),
        cmocka_unit_test(the_man_page_is_current),
        cmocka_unit_test(a_commands_own_help_lists_its_arguments),
        cmocka_unit_test(completion_offers_what_may_come_next),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
