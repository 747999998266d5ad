// SPDX-License-Identifier: Apache-2.0
// Exit codes of sluicectl, against a sluiced that is a thread of this test and answers what the test tells it to.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "command.h"
#include "rpc/rpc.h"

struct fake {
    char folder[32], path[64];
    int listener;
    const char *answer; // JSON of each response; NULL: hangs up
    char asked[512];    // the last request
    pthread_t thread;
};

static void answer_one(struct fake *fake, int fd, json_t *request)
{
    char *text = json_dumps(request, JSON_COMPACT | JSON_SORT_KEYS), *frame;
    size_t length;

    snprintf(fake->asked, sizeof(fake->asked), "%s", text);
    free(text);
    json_decref(request);
    json_t *response = json_loads(fake->answer, 0, NULL);
    if (sl_rpc_encode(response, &frame, &length) == 0) {
        ssize_t wrote = write(fd, frame, length);

        (void)wrote; // who does not read it fails its own assertion
        free(frame);
    }
    json_decref(response);
}

static void serve(struct fake *fake, int fd)
{
    struct sl_rpc_reader reader;
    uint8_t bytes[1024];
    ssize_t got;

    sl_rpc_reader_init(&reader);
    while (fake->answer && (got = read(fd, bytes, sizeof(bytes))) > 0) {
        for (size_t at = 0, taken; at < (size_t)got; at += taken) {
            json_t *request;

            if (sl_rpc_reader_feed(&reader, bytes + at, (size_t)got - at, &taken) == 1 &&
                sl_rpc_reader_take(&reader, &request, NULL) == 0)
                answer_one(fake, fd, request);
        }
    }
    sl_rpc_reader_fini(&reader);
    close(fd);
}

static void *serve_all(void *argument)
{
    struct fake *fake = argument;
    int fd;

    while ((fd = accept(fake->listener, NULL, NULL)) >= 0)
        serve(fake, fd);
    return NULL;
}

static int start(void **state)
{
    struct fake *fake = calloc(1, sizeof(*fake));
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    strcpy(fake->folder, "/tmp/sluice-ctl-XXXXXX");
    if (!mkdtemp(fake->folder))
        return -1;
    snprintf(fake->path, sizeof(fake->path), "%s/socket", fake->folder);
    snprintf(at.sun_path, sizeof(at.sun_path), "%s", fake->path);
    fake->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(fake->listener, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fake->listener, 4) != 0)
        return -1;
    *state = fake;
    return pthread_create(&fake->thread, NULL, serve_all, fake);
}

static int stop(void **state)
{
    struct fake *fake = *state;

    shutdown(fake->listener, SHUT_RDWR);
    pthread_join(fake->thread, NULL);
    close(fake->listener);
    unlink(fake->path);
    rmdir(fake->folder);
    free(fake);
    return 0;
}

// Runs a command line against the fake; what it prints is in *printed where wanted.
static int run(struct fake *fake, const char *answer, bool json, const char *line, char **printed)
{
    char text[256], *words[16], *save = NULL, *out = NULL;
    struct ctl ctl = {.socket = fake->path, .fd = -1, .json = json};
    size_t length;
    int count = 0;

    fake->answer = answer;
    snprintf(text, sizeof(text), "%s", line);
    for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save))
        words[count++] = word;
    ctl.out = open_memstream(&out, &length);
    int code = ctl_run(&ctl, count, words);
    fclose(ctl.out);
    if (ctl.fd >= 0)
        close(ctl.fd);
    if (printed)
        *printed = out;
    else
        free(out);
    return code;
}

#define ERROR(code) "{\"error\": {\"code\": \"" code "\", \"text\": \"because\"}}"

static void each_error_has_its_exit_code(void **state)
{
    assert_int_equal(run(*state, ERROR("denied"), false, "flow kill proto tcp", NULL), CTL_REFUSED);
    assert_int_equal(run(*state, ERROR("bad-request"), false, "flow", NULL), CTL_USAGE);
    assert_int_equal(run(*state, ERROR("unknown-command"), false, "flow", NULL), CTL_USAGE);
    assert_int_equal(run(*state, ERROR("refused"), false, "config apply", NULL), CTL_FAILED);
    assert_int_equal(run(*state, ERROR("invalid-config"), false, "config apply", NULL), CTL_FAILED);
    assert_int_equal(run(*state, ERROR("not-found"), false, "config confirm", NULL), CTL_FAILED);
    assert_int_equal(run(*state, ERROR("unavailable"), false, "worker", NULL), CTL_FAILED);
}

static void no_sluiced_is_3_and_wrong_words_are_2(void **state)
{
    struct fake nobody = {.path = "/nonexistent/socket"};

    assert_int_equal(run(&nobody, NULL, false, "status", NULL), CTL_UNREACHABLE);
    assert_int_equal(run(*state, NULL, false, "status", NULL), CTL_UNREACHABLE); // hangs up
    assert_int_equal(run(*state, NULL, false, "sttaus", NULL), CTL_USAGE);
    assert_int_equal(run(*state, NULL, false, "route lookup here", NULL), CTL_USAGE);
}

static void what_is_not_so_is_1(void **state)
{
    assert_int_equal(run(*state, "{\"result\": {\"address\": \"10.0.0.1\", \"found\": false}}", false,
                         "route lookup 10.0.0.1", NULL),
                     CTL_FAILED);
    assert_int_equal(run(*state, "{\"result\": {\"same\": false, \"changes\": [], \"text\": \"~ a\\n\"}}",
                         false, "config diff", NULL),
                     CTL_FAILED);
    assert_int_equal(run(*state, "{\"result\": {\"same\": true, \"changes\": [], \"text\": \"\"}}", false,
                         "config diff", NULL),
                     CTL_OK);
}

static void json_is_the_answer_as_it_is(void **state)
{
    static const char answer[] = "{\"result\": {\"killed\": 3, \"new\": [1, {}]}}";
    char *printed;

    assert_int_equal(run(*state, answer, true, "flow kill inside 10.0.0.11 proto tcp", &printed), CTL_OK);
    json_t *got = json_loads(printed, 0, NULL), *whole = json_loads(answer, 0, NULL);
    assert_true(json_equal(got, json_object_get(whole, "result")));
    json_decref(got);
    json_decref(whole);
    free(printed);
    assert_string_equal(
        ((struct fake *)*state)->asked,
        "{\"command\":\"flow.kill\",\"filter\":{\"inside\":\"10.0.0.11\",\"protocol\":\"tcp\"}}");
}

static void people_get_a_sentence(void **state)
{
    char *printed;

    assert_int_equal(run(*state, "{\"result\": {\"killed\": 3}}", false, "flow kill --all", &printed),
                     CTL_OK);
    assert_string_equal(printed, "3 flows ended\n");
    free(printed);
}

#define PROBED(result) "{\"result\": {\"result\": \"" result "\", \"rtt_us\": 1500, \"worker\": 1, \"syns\": 1, "
#define PROBED_FROM    "\"local\": \"10.0.0.1\", \"local_port\": 61000, \"out\": \"lan\", \"mtu\": 1500"

static void probes_are_a_line_each_and_a_summary(void **state)
{
    char *printed;

    assert_int_equal(run(*state,
                         PROBED("connected") PROBED_FROM ", \"mss\": 1460, \"window_scale\": 7, \"sack\": true}}",
                         false, "probe tcp 10.0.0.11 80 --count 2 --interval 0", &printed),
                     CTL_OK);
    assert_string_equal(printed, "1: connected, 1.500 ms; mss 1460 wscale 7 sack; from 10.0.0.1:61000 by lan, mtu 1500, "
                                 "worker 1\n"
                                 "2: connected, 1.500 ms; mss 1460 wscale 7 sack; from 10.0.0.1:61000 by lan, mtu 1500, "
                                 "worker 1\n"
                                 "10.0.0.11:80: 2 of 2 connected, min/mean/max 1.500/1.500/1.500 ms\n");
    free(printed);
    assert_string_equal(((struct fake *)*state)->asked,
                        "{\"address\":\"10.0.0.11\",\"command\":\"probe.tcp\",\"port\":80}");
    assert_int_equal(run(*state,
                         PROBED("unreachable") PROBED_FROM
                         ", \"why\": \"host unreachable\", \"router\": \"10.0.0.9\"}}",
                         false, "probe tcp fd00::11 80 --count 1", &printed),
                     CTL_FAILED);
    assert_string_equal(printed, "1: unreachable: host unreachable, says 10.0.0.9, 1.500 ms; from 10.0.0.1:61000 by lan, "
                                 "mtu 1500, worker 1\n[fd00::11]:80: 0 of 1 connected\n");
    free(printed);
}

static void a_probe_fails_unless_all_are_connected(void **state)
{
    static const char line[] = "probe tcp 10.0.0.11 80 --count 1";
    char *printed;

    assert_int_equal(run(*state, PROBED("refused") PROBED_FROM "}}", false, line, NULL), CTL_FAILED);
    assert_int_equal(run(*state, PROBED("timeout") PROBED_FROM "}}", false, line, NULL), CTL_FAILED);
    assert_int_equal(run(*state, PROBED("no-route") "\"x\": 1}}", false, line, NULL), CTL_FAILED);
    assert_int_equal(run(*state, ERROR("busy"), false, line, NULL), CTL_FAILED);
    assert_int_equal(run(*state, ERROR("denied"), false, line, NULL), CTL_REFUSED);
    assert_int_equal(run(*state, "{\"result\": {}}", false, line, NULL), CTL_FAILED);
    assert_int_equal(run(*state, NULL, false, "probe tcp 10.0.0.11 80 --count 0", NULL), CTL_USAGE);
    assert_int_equal(run(*state, NULL, false, "probe tcp 10.0.0.11", NULL), CTL_USAGE);
    assert_int_equal(run(*state, NULL, false, "probe tcp here 80", NULL), CTL_USAGE);
    assert_int_equal(run(*state, NULL, false, "probe tcp 10.0.0.11 80 --interval soon", NULL), CTL_USAGE);
    assert_int_equal(run(*state, PROBED("connected") PROBED_FROM "}}", true, line, &printed), CTL_OK);
    json_t *got = json_loads(printed, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(got, "probes")), 1);
    assert_int_equal(json_integer_value(json_object_get(got, "connected")), 1);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(got, "rtt_us"), "mean")), 1500);
    json_decref(got);
    free(printed);
}

// A command with something right for each argument that it needs.
static void line_of(const struct ctl_command *command, char *line, size_t size)
{
    size_t used = (size_t)snprintf(line, size, "%s", command->words);

    for (const struct ctl_argument *argument = command->arguments; argument->name; argument++)
        if (argument->required)
            used += (size_t)snprintf(line + used, size - used, " %s",
                                     argument->words                 ? argument->words[0]
                                     : argument->kind == CTL_ADDRESS ? "10.0.0.1"
                                                                     : "1");
    assert_true(used < size);
}

// Every command that only asks survives an answer with nothing in it, as an older sluiced might give.
static void an_empty_answer_breaks_nothing(void **state)
{
    for (const struct ctl_command *command = ctl_commands; command->words; command++) {
        char line[128];

        if (!command->rpc || command->run)
            continue;
        line_of(command, line, sizeof(line));
        int code = run(*state, "{\"result\": {}}", false, line, NULL);
        if (code != CTL_OK && code != CTL_FAILED)
            fail_msg("'%s' ended with %d", line, code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_error_has_its_exit_code, start, stop),
        cmocka_unit_test_setup_teardown(no_sluiced_is_3_and_wrong_words_are_2, start, stop),
        cmocka_unit_test_setup_teardown(what_is_not_so_is_1, start, stop),
        cmocka_unit_test_setup_teardown(json_is_the_answer_as_it_is, start, stop),
        cmocka_unit_test_setup_teardown(people_get_a_sentence, start, stop),
        cmocka_unit_test_setup_teardown(probes_are_a_line_each_and_a_summary, start, stop),
        cmocka_unit_test_setup_teardown(a_probe_fails_unless_all_are_connected, start, stop),
        cmocka_unit_test_setup_teardown(an_empty_answer_breaks_nothing, start, stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
