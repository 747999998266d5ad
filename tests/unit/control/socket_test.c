// SPDX-License-Identifier: Apache-2.0
// sluiced as a process: what its socket lets whom do, that no client can hold up another, and what it serves over HTTP.
// It runs in a directory of its own, on ports without a device, with no data plane beside it. argv[1]: the program.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "fixture.h"
#include "rpc/rpc.h"
#include "shm/counters.h"

#define PATIENCE_MS 20000
#define NOBODY      65534

struct served {
    const char *program;
    struct fixture files; // its directories; the applier of the fixture is not used
    char socket[128], config[128], metrics[32];
    uint16_t port;
    pid_t pid;
};

static uint16_t free_port(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    close(fd);
    return ntohs(at.sin_port);
}

// Without twins: nothing of this machine's network is touched.
static void write_config(struct served *served, const char *more)
{
    FILE *file = fopen(served->config, "w");

    assert_non_null(file);
    fprintf(file,
            "sluice: 1\n"
            "ports: [{name: lan, device: 'null:', addresses: [10.0.0.1/24], twin: false}]\n%s",
            more);
    fclose(file);
}

static int setup(void **state)
{
    struct served *served = *state;

    fixture_open(&served->files);
    assert_int_equal(chmod(served->files.dir, 0755), 0); // others may look
    snprintf(served->socket, sizeof(served->socket), "%s/s.sock", served->files.dir);
    snprintf(served->config, sizeof(served->config), "%s/sluice.yaml", served->files.dir);
    served->port = free_port();
    snprintf(served->metrics, sizeof(served->metrics), "127.0.0.1:%u", served->port);
    write_config(served, "");
    served->pid = fork();
    if (served->pid == 0) {
        int log = open("/dev/null", O_WRONLY);
        dup2(log, STDERR_FILENO);
        execl(served->program, "sluiced", "--config", served->config, "--run-dir", served->files.run_dir,
              "--state-dir", served->files.state_dir, "--socket", served->socket, "--metrics",
              served->metrics, "--bpffs", served->files.dir, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < PATIENCE_MS && !served->files.board->published; i++)
        usleep(1000);
    assert_int_equal(served->files.board->published, 1);
    return 0;
}

static int teardown(void **state)
{
    struct served *served = *state;
    int status;

    kill(served->pid, SIGTERM);
    assert_int_equal(waitpid(served->pid, &status, 0), served->pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    fixture_close(&served->files);
    return 0;
}

static int client(const struct served *served)
{
    int fd = sl_rpc_connect(served->socket);

    assert_true(fd >= 0);
    return fd;
}

// Asks on a connection of its own; the response object.
static json_t *ask(const struct served *served, const char *request)
{
    int fd = client(served);
    json_t *message = json_loads(request, 0, NULL), *response = NULL;

    assert_non_null(message);
    assert_int_equal(sl_rpc_call(fd, message, PATIENCE_MS, &response), 0);
    json_decref(message);
    close(fd);
    return response;
}

static void expect_error(const struct served *served, const char *request, const char *code, const char *word)
{
    json_t *response = ask(served, request), *error = json_object_get(response, "error");

    assert_string_equal(json_string_value(json_object_get(error, "code")), code);
    assert_non_null(strstr(json_string_value(json_object_get(error, "text")), word));
    json_decref(response);
}

static json_t *expect_result(const struct served *served, const char *request)
{
    json_t *response = ask(served, request), *result = json_incref(json_object_get(response, "result"));

    if (!result)
        fail_msg("%s: %s", request,
                 json_string_value(json_object_get(json_object_get(response, "error"), "text")));
    json_decref(response);
    return result;
}

static void what_is_not_a_request_is_answered_by_name(void **state)
{
    struct served *served = *state;

    expect_error(served, "{\"command\": \"reboot\"}", "unknown-command", "reboot");
    expect_error(served, "{\"order\": \"status\"}", "bad-request", "command");
    expect_error(served, "{\"command\": \"status\", \"colour\": 1}", "bad-request", "colour");
    expect_error(served, "{\"command\": \"flow\", \"limit\": \"ten\"}", "bad-request", "limit");
    expect_error(served, "{\"command\": \"flow\", \"limit\": -1}", "bad-request", "0 to");
    expect_error(served, "{\"command\": \"flow\", \"filter\": {\"inside\": \"ten\"}}", "bad-request",
                 "inside");
    expect_error(served, "{\"command\": \"probe.tcp\", \"address\": \"10.0.0.2\"}", "bad-request", "'port'");
    expect_error(served, "{\"command\": \"probe.tcp\", \"address\": \"there\", \"port\": 80}", "bad-request", "there");
    expect_error(served, "{\"command\": \"probe.tcp\", \"address\": \"10.0.0.2\", \"port\": 65536}", "bad-request", "1 to");
    expect_error(served, "{\"command\": \"probe.tcp\", \"address\": \"10.0.0.2\", \"port\": 80, \"local\": \"fd00::1\"}",
                 "bad-request", "family");
    expect_error(served, "{\"command\": \"probe.tcp\", \"address\": \"10.0.0.2\", \"port\": 80, \"timeout_ms\": 10001}",
                 "bad-request", "10000");
    expect_error(served, "{\"command\": \"probe.tcp\", \"address\": \"10.0.0.2\", \"port\": 80}", "unavailable",
                 "not running");
    expect_error(served, "{\"command\": \"config.apply\", \"path\": \"x.yaml\"}", "bad-request", "absolute");
}

static void a_frame_in_pieces_is_one_request(void **state)
{
    struct served *served = *state;
    json_t *request = json_pack("{s:s}", "command", "status"), *response = NULL;
    struct sl_rpc_reader reader;
    char *frame, byte;
    size_t len, taken;
    int fd = client(served), rc = 0;

    assert_int_equal(sl_rpc_encode(request, &frame, &len), 0);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(write(fd, &frame[i], 1), 1);
        json_t *other =
            i % 8 == 0 ? expect_result(served, "{\"command\": \"status\"}") : NULL; // goes in between
        json_decref(other);
    }
    sl_rpc_reader_init(&reader);
    for (struct pollfd wait = {.fd = fd, .events = POLLIN};
         rc == 0 && poll(&wait, 1, PATIENCE_MS) == 1 && read(fd, &byte, 1) == 1;)
        rc = sl_rpc_reader_feed(&reader, &byte, 1, &taken);
    assert_int_equal(rc, 1);
    assert_int_equal(sl_rpc_reader_take(&reader, &response, NULL), 0);
    assert_non_null(json_object_get(response, "result"));
    sl_rpc_reader_fini(&reader);
    json_decref(request);
    json_decref(response);
    free(frame);
    close(fd);
}

static void a_length_beyond_the_bound_ends_the_connection(void **state)
{
    struct served *served = *state;
    static const uint8_t lie[] = {0xff, 0xff, 0xff, 0xff, '{'};
    struct pollfd wait = {.fd = client(served), .events = POLLIN};
    char byte;

    assert_int_equal(write(wait.fd, lie, sizeof(lie)), sizeof(lie));
    assert_int_equal(poll(&wait, 1, PATIENCE_MS), 1);
    assert_true(read(wait.fd, &byte, 1) <= 0);
    close(wait.fd);
    json_decref(expect_result(*state, "{\"command\": \"status\"}"));
}

// Sends requests for large answers and takes none, until the socket is full.
static int slow_client(const struct served *served)
{
    json_t *request = json_pack("{s:s, s:b}", "command", "counters", "all", 1);
    int fd = client(served);
    char *frame;
    size_t len;

    assert_int_equal(sl_rpc_encode(request, &frame, &len), 0);
    json_decref(request);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    for (int i = 0; i < 100000 && write(fd, frame, len) == (ssize_t)len; i++)
        ;
    free(frame);
    return fd;
}

static void a_client_that_takes_no_answers_holds_up_nobody(void **state)
{
    struct served *served = *state;
    int slow[8];

    for (int i = 0; i < 8; i++)
        slow[i] = slow_client(served);
    for (int i = 0; i < 20; i++)
        json_decref(expect_result(served, "{\"command\": \"status\"}"));
    for (int i = 0; i < 8; i++)
        close(slow[i]);
    json_decref(expect_result(served, "{\"command\": \"status\"}"));
}

static void clients_beyond_the_bound_are_turned_away_and_come_in_when_others_go(void **state)
{
    enum { MANY = 300 };
    struct served *served = *state;
    int fd[MANY], closed = 0;
    char byte;

    for (int i = 0; i < MANY; i++)
        fd[i] = client(served);
    for (int i = 0; i < MANY; i++) { // the last is turned away once the server has looked at all
        struct pollfd wait = {.fd = fd[i], .events = POLLIN};
        closed += poll(&wait, 1, i == MANY - 1 ? PATIENCE_MS : 0) == 1 && read(fd[i], &byte, 1) == 0;
    }
    assert_in_range(closed, 1, MANY - 256);
    for (int i = 0; i < MANY; i++)
        close(fd[i]);
    json_t *response = NULL, *request = json_pack("{s:s}", "command", "status");
    for (int i = 0; i < 1000 && !response; i++) { // the server sees them go one after another
        int again = client(served);
        if (sl_rpc_call(again, request, PATIENCE_MS, &response) != 0)
            usleep(1000);
        close(again);
    }
    assert_non_null(response);
    json_decref(response);
    json_decref(request);
}

static void others_may_look_but_not_change(void **state)
{
    struct served *served = *state;
    int status;

    if (getuid() != 0)
        skip(); // needs a second user
    pid_t pid = fork();
    if (pid == 0) {
        if (setgid(NOBODY) || setuid(NOBODY))
            _exit(1);
        json_t *look = ask(served, "{\"command\": \"status\"}");
        json_t *change = ask(served, "{\"command\": \"config.confirm\"}");
        const char *code = json_string_value(json_object_get(json_object_get(change, "error"), "code"));
        _exit(json_object_get(look, "result") && code && strcmp(code, "denied") == 0 ? 0 : 2);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    expect_error(served, "{\"command\": \"config.confirm\"}", "not-found", "nothing waits");
}

static bool runs(const struct served *served, const char *word)
{
    json_t *shown = expect_result(served, "{\"command\": \"config.show\"}");
    bool found = strstr(json_string_value(json_object_get(shown, "text")), word) != NULL;

    json_decref(shown);
    return found;
}

static void a_config_is_applied_confirmed_and_rolled_back(void **state)
{
    struct served *served = *state;

    write_config(served, "routes: [{prefix: 203.0.113.0/24, kind: blackhole}]\n");
    json_decref(expect_result(served, "{\"command\": \"config.apply\", \"confirm_s\": 600}"));
    assert_true(runs(served, "203.0.113.0/24"));
    json_decref(expect_result(served, "{\"command\": \"config.rollback\"}")); // from what was not confirmed
    assert_false(runs(served, "203.0.113.0/24"));
    json_decref(expect_result(served, "{\"command\": \"config.apply\", \"confirm_s\": 600}"));
    json_decref(expect_result(served, "{\"command\": \"config.confirm\"}"));
    expect_error(served, "{\"command\": \"config.confirm\"}", "not-found", "nothing waits");
    assert_true(runs(served, "203.0.113.0/24"));
    json_decref(expect_result(served, "{\"command\": \"config.rollback\", \"steps\": 1}"));
    assert_false(runs(served, "203.0.113.0/24"));
    expect_error(served, "{\"command\": \"config.rollback\", \"id\": 999}", "not-found", "history");
}

static void a_config_nobody_confirms_goes_by_itself(void **state)
{
    struct served *served = *state;
    bool there = true;

    write_config(served, "routes: [{prefix: 203.0.113.0/24, kind: blackhole}]\n");
    json_decref(expect_result(served, "{\"command\": \"config.apply\", \"confirm_s\": 1}"));
    for (int i = 0; i < PATIENCE_MS / 10 && there; i++) {
        there = runs(served, "203.0.113.0/24");
        usleep(10000);
    }
    assert_false(there);
}

// ---- HTTP -------------------------------------------------------------------------------------------------------

// The whole answer, head and body, in a buffer of the caller's to free.
static char *http_get(const struct served *served, const char *path)
{
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(served->port)};
    size_t room = 1 << 22, len = 0;
    char *text = malloc(room), request[128];
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    int n = snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\n\r\n", path);
    assert_int_equal(write(fd, request, (size_t)n), n);
    for (ssize_t got; len + 1 < room && (got = read(fd, text + len, room - len - 1)) > 0;)
        len += (size_t)got;
    text[len] = '\0';
    close(fd);
    return text;
}

// One line of the Prometheus text format 0.0.4; `family` is of the last # TYPE.
static void check_line(const char *line, char family[128])
{
    char name[128], kind[32], value[64];
    int end = 0;

    if (sscanf(line, "# TYPE %127[a-z_] %31[a-z]%n", name, kind, &end) == 2 && !line[end]) {
        assert_true(strcmp(kind, "counter") == 0 || strcmp(kind, "gauge") == 0);
        assert_int_equal(strcmp(kind, "counter") == 0,
                         strlen(name) > 6 && !strcmp(name + strlen(name) - 6, "_total"));
        strcpy(family, name);
        return;
    }
    if (line[0] == '#')
        return; // help, comments
    if (sscanf(line, "%127[a-z_]%n", name, &end) != 1)
        fail_msg("no metric: %s", line);
    assert_string_equal(name, family); // samples stand behind their own head
    const char *rest = line + end;
    if (*rest == '{') {
        assert_non_null(strstr(rest, "=\""));
        rest = strstr(rest, "\"}");
        assert_non_null(rest);
        rest += 2;
    }
    if (sscanf(rest, " %63[0-9]%n", value, &end) != 1 || rest[end])
        fail_msg("no value: %s", line);
}

static void expect_head(const char *text, const char *name, const char *help)
{
    char wanted[512];

    snprintf(wanted, sizeof(wanted), "# HELP %s %s\n# TYPE %s ", name, help, name);
    if (!strstr(text, wanted))
        fail_msg("not there: %s", wanted);
}

static void metrics_hold_every_counter_in_valid_text(void **state)
{
    struct served *served = *state;
    struct sl_counter_segment *counters = NULL;
    char family[128] = "", name[128], *text, *save = NULL;

    assert_int_equal(sl_counters_create(served->files.run_dir, sl_board_now_ns(), &counters, NULL), 0);
    fixture_dp_start(&served->files, 2);
    counters->block[1].counter[0] = 12345;
    text = http_get(served, "/metrics");
    assert_non_null(strstr(text, " 200 OK"));
    assert_non_null(strstr(text, "text/plain; version=0.0.4"));
    for (unsigned i = 0; i < SL_COUNTER_KINDS; i++) {
        snprintf(name, sizeof(name), "sluice_%s_total", sl_counter_name(i));
        expect_head(text, name, sl_counter_text(i));
    }
    for (unsigned i = SL_DROP_none + 1; i < SL_DROP_KINDS; i++) {
        snprintf(name, sizeof(name), "sluice_drop_packets_total{reason=\"%s\",worker=\"1\"} 0\n",
                 sl_drop_name(i));
        assert_non_null(strstr(text, name));
    }
    snprintf(name, sizeof(name), "sluice_%s_total{worker=\"1\"} 12345\n", sl_counter_name(0));
    assert_non_null(strstr(text, name));
    char *body = strstr(text, "\r\n\r\n");
    assert_non_null(body);
    for (char *line = strtok_r(body + 4, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        check_line(line, family);
    free(text);
    sl_counters_close(counters);
}

#define BALANCE                                                                                              \
    "services: [{name: web, addresses: [203.0.113.80], protocol: tcp, ports: 80, pool: web}]\n"              \
    "pools: [{name: web, members: [{address: 10.0.0.11}, {address: 10.0.0.12, port: 8080, weight: 50}]}]\n"

static void apply_balance(const struct served *served)
{
    char request[256];

    write_config((struct served *)served, BALANCE);
    snprintf(request, sizeof(request), "{\"command\": \"config.apply\", \"path\": \"%s\"}", served->config);
    json_decref(expect_result(served, request));
}

static const char *text_in(const json_t *result, const char *list, size_t i, const char *key)
{
    return json_string_value(json_object_get(json_array_get(json_object_get(result, list), i), key));
}

static void expect_text(const struct served *served, const char *request, const char *key, const char *text)
{
    json_t *result = expect_result(served, request);

    assert_string_equal(json_string_value(json_object_get(result, key)), text);
    json_decref(result);
}

static void services_and_pools_are_shown_and_steered(void **state)
{
    struct served *served = *state;

    expect_error(served, "{\"command\": \"pool\", \"pool\": \"web\"}", "not-found", "no pool 'web'");
    apply_balance(served);
    json_t *services = expect_result(served, "{\"command\": \"service\"}");
    assert_string_equal(text_in(services, "services", 0, "pool"), "web");
    assert_string_equal(text_in(services, "services", 0, "ports"), "80");
    json_decref(services);
    expect_text(served, "{\"command\": \"pool.drain\", \"pool\": \"web\", \"member\": \"10.0.0.11\"}",
                "state", "drain");
    expect_text(
        served,
        "{\"command\": \"pool.weight\", \"pool\": \"web\", \"member\": \"10.0.0.12:8080\", \"weight\": 7}",
        "member", "10.0.0.12:8080");
    expect_error(served, "{\"command\": \"pool.flush\", \"pool\": \"web\", \"member\": \"10.0.0.13\"}",
                 "not-found", "has no member 10.0.0.13");
    expect_error(served, "{\"command\": \"pool.weight\", \"pool\": \"web\", \"member\": \"10.0.0.12\"}",
                 "bad-request", "'weight' is wanted");
    json_t *pools = expect_result(served, "{\"command\": \"pool\", \"pool\": \"web\"}");
    json_t *pool = json_array_get(json_object_get(pools, "pools"), 0);
    assert_int_equal(json_integer_value(json_object_get(pool, "drain")), 1);
    assert_string_equal(text_in(pool, "members", 0, "by"), "operator");
    assert_string_equal(text_in(pool, "members", 1, "state"), "up");
    json_decref(pools);
    // The only one that is left, by hash; nobody's of another port.
    expect_text(
        served,
        "{\"command\": \"explain\", \"protocol\": \"tcp\", \"source\": \"192.0.2.1\", \"source_port\": 1234, "
        "\"address\": \"203.0.113.80\", \"port\": 80}",
        "member", "10.0.0.12:8080");
    expect_text(
        served,
        "{\"command\": \"explain\", \"protocol\": \"tcp\", \"source\": \"192.0.2.1\", \"source_port\": 1234, "
        "\"address\": \"203.0.113.80\", \"port\": 81}",
        "text", "no service takes it: 'sluicectl service' lists them");
}

static void runtime_changes_are_marked_in_a_diff(void **state)
{
    struct served *served = *state;

    apply_balance(served);
    json_decref(expect_result(
        served,
        "{\"command\": \"pool.weight\", \"pool\": \"web\", \"member\": \"10.0.0.12\", \"weight\": 7}"));
    json_decref(expect_result(
        served, "{\"command\": \"pool.disable\", \"pool\": \"web\", \"member\": \"10.0.0.11\"}"));
    json_t *diff = expect_result(served, "{\"command\": \"config.diff\"}");
    assert_true(json_is_true(json_object_get(diff, "same")));
    const char *text = json_string_value(json_object_get(diff, "text"));
    assert_non_null(strstr(text, "! pools[web].members[10.0.0.11].enabled: true, at runtime disable by "));
    assert_non_null(strstr(text, "! pools[web].members[10.0.0.12:8080].weight: 50, at runtime 7 by "));
    json_decref(diff);
}

static void metrics_tell_of_services_and_members(void **state)
{
    struct served *served = *state;
    char family[128] = "", *save = NULL;

    apply_balance(served);
    char *text = http_get(served, "/metrics");
    assert_non_null(strstr(text, "sluice_service_new_flows_total{service=\"web\"} 0\n"));
    assert_non_null(strstr(text, "sluice_pool_members{pool=\"web\",state=\"up\"} 2\n"));
    assert_non_null(strstr(text, "sluice_member_up{pool=\"web\",member=\"10.0.0.12:8080\"} 1\n"));
    char *body = strstr(text, "\r\n\r\n");
    assert_non_null(body);
    for (char *line = strtok_r(body + 4, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        check_line(line, family);
    free(text);
}

static void health_is_good_only_where_traffic_flows_on_the_newest_tables(void **state)
{
    struct served *served = *state;
    char *text = http_get(served, "/health");

    assert_non_null(strstr(text, " 503 "));
    assert_non_null(strstr(text, "no data plane"));
    free(text);
    fixture_dp_start(&served->files, 1);
    fixture_dp_take(&served->files);
    text = http_get(served, "/health");
    assert_non_null(strstr(text, " 200 "));
    assert_non_null(strstr(text, "live"));
    free(text);
}

#define T(name) cmocka_unit_test_prestate_setup_teardown(name, setup, teardown, &served)

int main(int argc, char **argv)
{
    static struct served served;
    const struct CMUnitTest tests[] = {
        T(what_is_not_a_request_is_answered_by_name),
        T(a_frame_in_pieces_is_one_request),
        T(a_length_beyond_the_bound_ends_the_connection),
        T(a_client_that_takes_no_answers_holds_up_nobody),
        T(clients_beyond_the_bound_are_turned_away_and_come_in_when_others_go),
        T(others_may_look_but_not_change),
        T(a_config_is_applied_confirmed_and_rolled_back),
        T(a_config_nobody_confirms_goes_by_itself),
        T(services_and_pools_are_shown_and_steered),
        T(runtime_changes_are_marked_in_a_diff),
        T(metrics_tell_of_services_and_members),
        T(metrics_hold_every_counter_in_valid_text),
        T(health_is_good_only_where_traffic_flows_on_the_newest_tables),
    };

    if (argc < 2)
        return 2;
    served.program = argv[1];
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
