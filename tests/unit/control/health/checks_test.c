// SPDX-License-Identifier: Apache-2.0
// Each kind of check against real servers on loopback that do well, refuse, keep silent, lie, drip or break off. What
// matters is the verdict and the sentence an operator reads.
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
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "rig.h"

#define ID 7

static struct health_wish local_wish(enum health_kind kind, uint16_t port)
{
    struct server nobody = {.address = sl_ip_v4(htonl(INADDR_LOOPBACK)), .port = port};

    return server_wish(&nobody, kind);
}

// The first verdict on a wish is this one.
static void expect(const struct health_wish *wish, enum health_state state, const char *sentence)
{
    struct rig rig;

    rig_start(&rig, NULL);
    rig_set(&rig, ID, wish);
    health_check_now(rig.health, ID);
    rig_until_checks(&rig, ID, 1);
    struct health_report report = rig_report(&rig, ID);
    if (report.status.state != state || strcmp(report.last, sentence) != 0)
        fail_msg("%s: \"%s\", not %s: \"%s\"", health_state_name(report.status.state), report.last,
                 health_state_name(state), sentence);
    rig_stop(&rig);
}

// ---- tcp --------------------------------------------------------------------------------------------------------

static void tcp_connects_over_both_families(void **unused)
{
    struct server v4, v6;

    server_start(&v4, "127.0.0.1", SOCK_STREAM, NULL, NULL);
    server_start(&v6, "::1", SOCK_STREAM, NULL, NULL);
    struct health_wish wish4 = server_wish(&v4, HEALTH_TCP), wish6 = server_wish(&v6, HEALTH_TCP);
    expect(&wish4, HEALTH_UP, "connect: ok");
    expect(&wish6, HEALTH_UP, "connect: ok");
    server_stop(&v4);
    server_stop(&v6);
}

static void tcp_refused(void **unused)
{
    struct health_wish wish = local_wish(HEALTH_TCP, closed_port(SOCK_STREAM));

    expect(&wish, HEALTH_DOWN, "connect: refused");
}

// A listener whose backlog is full drops SYNs: to a client a black hole.
static void tcp_that_is_not_answered(void **unused)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0), client[8];

    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    for (unsigned i = 0; i < 8; i++) {
        client[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(client[i], (struct sockaddr *)&address, len);
    }
    struct health_wish wish = local_wish(HEALTH_TCP, ntohs(address.sin_port));
    wish.timeout_ms = 100;
    expect(&wish, HEALTH_DOWN, "connect: no answer within 100 ms");
    for (unsigned i = 0; i < 8; i++)
        close(client[i]);
    close(fd);
}

static unsigned time_waits(uint16_t port)
{
    char line[256], want[16];
    unsigned count = 0;
    FILE *file = fopen("/proc/net/tcp", "r");

    assert_non_null(file);
    snprintf(want, sizeof(want), ":%04X ", port);
    while (fgets(line, sizeof(line), file))
        count += strstr(line, want) && strstr(line, " 06 ");
    fclose(file);
    return count;
}

static void tcp_ends_as_wished(void **unused)
{
    struct server server;
    struct rig rig;

    server_start(&server, "127.0.0.1", SOCK_STREAM, NULL, NULL);
    struct health_wish wish = server_wish(&server, HEALTH_TCP);
    wish.interval_ms = wish.timeout_ms = 20;
    rig_start(&rig, NULL);
    rig_set(&rig, ID, &wish);
    rig_until_checks(&rig, ID, 10);
    assert_int_equal(rig_report(&rig, ID).bad, 0);
    assert_int_equal(time_waits(server.port), 0);
    wish.orderly_close = true;
    unsigned served = server.served;
    rig_set(&rig, ID, &wish);
    rig_until_checks(&rig, ID, 30);
    rig_run_ms(&rig, 100);
    assert_true(server.served > served + 5); // the program sees each connection
    rig_stop(&rig);
    server_stop(&server);
}

static void source_and_device_are_bound(void **unused)
{
    struct server server;

    server_start(&server, "127.0.0.1", SOCK_STREAM, NULL, NULL);
    struct health_wish wish = server_wish(&server, HEALTH_TCP);
    wish.orderly_close = true;
    wish.device = "lo";
    assert_int_equal(sl_ip_parse("127.0.0.5", &wish.source), 0);
    expect(&wish, HEALTH_UP, "connect: ok");
    usleep(100000);
    assert_true(sl_ip_equal(&server.peer, &wish.source));
    server_stop(&server);
}

// ---- http -------------------------------------------------------------------------------------------------------

// Reads a request to its end; answers with the text, all at once.
static void say_text(struct server *server, int client)
{
    char request[2048] = "";
    size_t have = 0;

    while (!strstr(request, "\r\n\r\n") && have < sizeof(request) - 1) {
        ssize_t n = recv(client, request + have, sizeof(request) - 1 - have, 0);
        if (n <= 0)
            return;
        have += (size_t)n;
    }
    send(client, server->with, strlen(server->with), MSG_NOSIGNAL);
}

// A byte at a time, 20 ms each.
static void drip_text(struct server *server, int client)
{
    for (const char *at = server->with; *at && !server->ending; at++) {
        send(client, at, 1, MSG_NOSIGNAL);
        usleep(20000);
    }
}

static void keep_silent(struct server *server, int client)
{
    struct pollfd gone = {.fd = client, .events = POLLRDHUP};

    while (!server->ending && poll(&gone, 1, 20) == 0)
        ;
}

static void reset(struct server *server, int client)
{
    const struct linger linger = {.l_onoff = 1};
    char byte;

    recv(client, &byte, 1, 0);
    setsockopt(client, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static void expect_http(server_fn behave, const char *text, const struct health_http_wish *http,
                        enum health_state state, const char *sentence)
{
    struct server server;

    server_start(&server, "127.0.0.1", SOCK_STREAM, behave, text);
    struct health_wish wish = server_wish(&server, HEALTH_HTTP);
    if (http)
        wish.http = *http;
    expect(&wish, state, sentence);
    server_stop(&server);
}

static void http_good(void **unused)
{
    const struct health_http_wish body = {.path = "/health?a=b", .host = "www.example", .body = "fine"};
    const struct health_http_wish header = {.method = "HEAD", .header = "X-Role", .header_text = "primary"};

    expect_http(say_text, "HTTP/1.1 200 OK\r\n\r\n", NULL, HEALTH_UP, "HTTP 200");
    expect_http(say_text, "HTTP/1.1 200 OK\r\n\r\nall fine", &body, HEALTH_UP, "HTTP 200, body as expected");
    expect_http(say_text, "HTTP/1.1 301 x\r\nx-role: primary\r\n\r\n", &header, HEALTH_UP, "HTTP 301");
}

static void http_bad(void **unused)
{
    const struct health_http_wish body = {.body = "fine"};

    expect_http(say_text, "HTTP/1.1 503 Busy\r\n\r\n", NULL, HEALTH_DOWN, "HTTP 503, expected 200-399");
    expect_http(say_text, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall f", &body, HEALTH_DOWN,
                "cut off in the body");
    expect_http(say_text, "", NULL, HEALTH_DOWN, "closed without a response");
    expect_http(reset, NULL, NULL, HEALTH_DOWN, "response: reset");
    expect_http(keep_silent, NULL, NULL, HEALTH_DOWN, "response: no answer within 200 ms");
    expect_http(drip_text, "HTTP/1.1 200 OK\r\nServer: slow\r\n\r\n", NULL, HEALTH_DOWN,
                "response: not complete within 200 ms");
    struct health_wish wish = local_wish(HEALTH_HTTP, closed_port(SOCK_STREAM));
    expect(&wish, HEALTH_DOWN, "connect: refused");
}

// What the server is asked, word for word.
static void keep_request(struct server *server, int client)
{
    char *request = (char *)(uintptr_t)server->with;
    ssize_t n = recv(client, request, 1023, 0);

    request[n > 0 ? n : 0] = '\0';
    send(client, "HTTP/1.1 200 OK\r\n\r\n", 19, MSG_NOSIGNAL);
}

static void http_asks_as_wished(void **unused)
{
    static char request[1024];
    const struct health_http_wish http = {.method = "OPTIONS", .path = "*", .host = "h.example"};
    char want[256];
    struct server server;

    expect_http(keep_request, request, &http, HEALTH_UP, "HTTP 200");
    assert_string_equal(
        request, "OPTIONS * HTTP/1.1\r\nHost: h.example\r\nUser-Agent: sluice-health\r\nAccept: */*\r\n"
                 "Connection: close\r\n\r\n");
    server_start(&server, "::1", SOCK_STREAM, keep_request, request);
    struct health_wish wish = server_wish(&server, HEALTH_HTTP);
    expect(&wish, HEALTH_UP, "HTTP 200");
    snprintf(want, sizeof(want), "GET / HTTP/1.1\r\nHost: [::1]:%u\r\n", server.port);
    assert_memory_equal(request, want, strlen(want));
    server_stop(&server);
}

// ---- udp --------------------------------------------------------------------------------------------------------

static void answer_datagrams(struct server *server, int fd)
{
    struct sockaddr_in from;
    char bytes[64];

    while (!server->ending) {
        socklen_t len = sizeof(from);
        ssize_t n = recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &len);
        if (n == 4 && memcmp(bytes, "ping", 4) == 0 && server->with)
            sendto(fd, server->with, strlen(server->with), 0, (struct sockaddr *)&from, len);
    }
}

static void expect_udp(const char *answer, const char *wanted, bool silence, enum health_state state,
                       const char *sentence)
{
    struct server server;

    server_start(&server, "127.0.0.1", SOCK_DGRAM, answer_datagrams, answer);
    struct health_wish wish = server_wish(&server, HEALTH_UDP);
    wish.udp = (struct health_udp_wish){"ping", 4, wanted, strlen(wanted), silence};
    wish.timeout_ms = 100;
    expect(&wish, state, sentence);
    server_stop(&server);
}

static void udp_all_ways(void **unused)
{
    expect_udp("pong", "", false, HEALTH_UP, "udp: answered");
    expect_udp("pong 1", "pong", false, HEALTH_UP, "udp: answered");
    expect_udp("pang", "pong", false, HEALTH_DOWN, "udp: an answer of 4 bytes, not the expected one");
    expect_udp("po", "pong", true, HEALTH_DOWN, "udp: an answer of 2 bytes, not the expected one");
    expect_udp(NULL, "", false, HEALTH_DOWN, "udp: no answer within 100 ms");
    expect_udp(NULL, "", true, HEALTH_UP, "udp: no answer and no refusal");
    struct health_wish wish = local_wish(HEALTH_UDP, closed_port(SOCK_DGRAM));
    wish.udp.silence_is_good = true;
    expect(&wish, HEALTH_DOWN, "udp: refused");
}

// ---- script -----------------------------------------------------------------------------------------------------

static void expect_script(const char *line, enum health_state state, const char *sentence)
{
    const char *arguments[] = {"-c", line, "name", "{address}", "{port}", "a b; c"};
    struct health_wish wish = local_wish(HEALTH_SCRIPT, 81);

    wish.interval_ms = wish.timeout_ms = 2000;
    wish.script = (struct health_script_wish){"/bin/sh", arguments, 6};
    expect(&wish, state, sentence);
}

static void script_tells_by_its_exit(void **unused)
{
    expect_script("exit 0", HEALTH_UP, "script: exit 0");
    expect_script("exit 3", HEALTH_DOWN, "script: exit 3");
    expect_script("echo disk full; echo more; exit 1", HEALTH_DOWN, "script: exit 1: disk full");
    expect_script("kill -9 $$", HEALTH_DOWN, "script: killed by signal 9");
    expect_script("test \"$1 $2 $3\" = '127.0.0.1 81 a b; c'", HEALTH_UP, "script: exit 0");
    expect_script("test \"$SLUICE_ADDRESS $SLUICE_PORT\" = '127.0.0.1 81'", HEALTH_UP, "script: exit 0");
    expect_script("for f in 3 4 5 6 7 8 9; do test ! -e /proc/$$/fd/$f || exit 1; done", HEALTH_UP,
                  "script: exit 0"); // nothing of ours
}

// 'Z' where it is gone, or a zombie that init has yet to reap.
static char process_state(int pid)
{
    char stat[64], state = 'Z';

    snprintf(stat, sizeof(stat), "/proc/%d/stat", pid);
    FILE *proc = fopen(stat, "r");
    if (!proc)
        return 'Z';
    if (fscanf(proc, "%*d (%*[^)]) %c", &state) != 1)
        state = 'Z';
    fclose(proc);
    return state;
}

static void script_that_hangs_is_killed_with_its_children(void **unused)
{
    char file[] = "/tmp/sluice-health-XXXXXX", line[128];
    int fd = mkstemp(file);
    const char *arguments[] = {"-c", line};
    struct health_wish wish = local_wish(HEALTH_SCRIPT, 81);
    char pid[32] = "";
    struct rig rig;

    assert_true(fd >= 0);
    snprintf(line, sizeof(line), "sleep 1000 & echo $! >%s; wait", file);
    wish.interval_ms = 2000;
    wish.timeout_ms = 1500; // on a busy machine a shell takes its time to come as far as the pid
    wish.script = (struct health_script_wish){"/bin/sh", arguments, 2};
    rig_start(&rig, NULL);
    rig_set(&rig, ID, &wish);
    rig_until_checks(&rig, ID, 1);
    assert_string_equal(rig_report(&rig, ID).last, "script: killed, not done within 1500 ms");
    assert_true(read(fd, pid, sizeof(pid) - 1) > 0);
    rig_until_checks(&rig, ID, 2); // the next run waits for that end, and is a run like any
    assert_int_equal(rig_report(&rig, ID).not_checked, 0);
    // The pid may already be of the second run: killed just now, which the kernel may be slow to do.
    for (unsigned i = 0; i < 100 && process_state(atoi(pid)) != 'Z'; i++)
        rig_run_ms(&rig, 20);
    assert_int_equal(process_state(atoi(pid)), 'Z');
    rig_stop(&rig);
    unlink(file);
    close(fd);
}

static void scripts_are_bounded_in_number(void **unused)
{
    const struct health_limits limits = {.most_scripts = 2};
    const char *arguments[] = {"0.05"};
    struct health_wish wish = local_wish(HEALTH_SCRIPT, 0);
    struct health_totals totals;
    struct rig rig;
    bool two = false;

    wish.interval_ms = wish.timeout_ms = 2000;
    wish.script = (struct health_script_wish){"/bin/sleep", arguments, 1};
    rig_start(&rig, &limits);
    for (unsigned i = 0; i < 12; i++) {
        rig_set(&rig, i, &wish);
        health_check_now(rig.health, i);
    }
    for (unsigned i = 0; i < 1000; i++) {
        rig_run_ms(&rig, 5);
        health_totals(rig.health, &totals);
        assert_true(totals.running <= 2);
        two = two || (totals.running == 2 && totals.waiting > 0);
        if (totals.up == 12)
            break;
    }
    assert_int_equal(totals.up, 12);
    assert_true(two);
    rig_stop(&rig);
}

// ---- not the member's fault ---------------------------------------------------------------------------------------

static void no_file_left_changes_no_state(void **unused)
{
    struct server server;
    struct rlimit limit, none;
    struct rig rig;

    server_start(&server, "127.0.0.1", SOCK_STREAM, NULL, NULL);
    struct health_wish wish = server_wish(&server, HEALTH_TCP);
    rig_start(&rig, NULL);
    rig_set(&rig, ID, &wish);
    rig_until_state(&rig, ID, HEALTH_UP);
    getrlimit(RLIMIT_NOFILE, &limit);
    none = (struct rlimit){3, limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    rig_until_checks(&rig, ID, rig_report(&rig, ID).good + 3);
    setrlimit(RLIMIT_NOFILE, &limit);
    struct health_report report = rig_report(&rig, ID);
    struct health_totals totals;
    health_totals(rig.health, &totals);
    assert_int_equal(report.status.state, HEALTH_UP);
    assert_int_equal(report.bad, 0);
    assert_true(report.not_checked > 0);
    assert_false(report.last_counted);
    assert_string_equal(report.last, "not checked: socket: Too many open files");
    assert_string_equal(totals.environment, report.last);
    rig_stop(&rig);
    server_stop(&server);
}

static void a_source_or_device_that_is_not_there_changes_no_state(void **unused)
{
    struct health_wish wish = local_wish(HEALTH_TCP, closed_port(SOCK_STREAM));

    wish.device = "nosuch0";
    expect(&wish, HEALTH_CHECKING, "not checked: device: No such device");
    wish.device = NULL;
    assert_int_equal(sl_ip_parse("192.0.2.77", &wish.source), 0);
    expect(&wish, HEALTH_CHECKING, "not checked: source address: Cannot assign requested address");
}

static void wishes_that_make_no_sense_are_refused(void **unused)
{
    const struct health_wish good = local_wish(HEALTH_TCP, 80);
    struct health_wish wish[12];
    struct sl_error error;
    struct rig rig;

    for (unsigned i = 0; i < 12; i++)
        wish[i] = good;
    wish[0].interval_ms = 5;
    wish[1].timeout_ms = 201;
    wish[2].port = 0;
    wish[3].jitter_percent = 51;
    memset(&wish[4].address, 0, sizeof(wish[4].address));
    assert_int_equal(sl_ip_parse("::1", &wish[5].source), 0);
    wish[6].kind = HEALTH_HTTP, wish[6].http.path = "/a b";
    wish[7].kind = HEALTH_HTTP, wish[7].http.host = "x\r\nEvil: y";
    wish[8].kind = HEALTH_HTTP, wish[8].http.status[0].first = 300, wish[8].http.status[0].last = 200;
    wish[9].kind = HEALTH_SCRIPT, wish[9].script.path = "/nosuch/program";
    wish[10].kind = HEALTH_HTTPS, wish[10].http.verify = true, wish[10].http.ca_file = "/dev/null";
    wish[11].damp = (struct health_damp_wish){.half_life_ms = 1, .suppress = 5, .reuse = 5};
    rig_start(&rig, NULL);
    for (unsigned i = 0; i < 12; i++) {
        error.text[0] = '\0';
        assert_int_equal(health_set(rig.health, ID, &wish[i], &error), -EINVAL);
        assert_true(error.text[0]);
    }
    rig_set(&rig, ID, &good);
    assert_int_equal(health_set(rig.health, ID, &wish[10], &error), -EINVAL); // and the old one stays
    assert_true(rig_state(&rig, ID) == HEALTH_CHECKING);
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_connects_over_both_families),
        cmocka_unit_test(tcp_refused),
        cmocka_unit_test(tcp_that_is_not_answered),
        cmocka_unit_test(tcp_ends_as_wished),
        cmocka_unit_test(source_and_device_are_bound),
        cmocka_unit_test(http_good),
        cmocka_unit_test(http_bad),
        cmocka_unit_test(http_asks_as_wished),
        cmocka_unit_test(udp_all_ways),
        cmocka_unit_test(script_tells_by_its_exit),
        cmocka_unit_test(script_that_hangs_is_killed_with_its_children),
        cmocka_unit_test(scripts_are_bounded_in_number),
        cmocka_unit_test(no_file_left_changes_no_state),
        cmocka_unit_test(a_source_or_device_that_is_not_there_changes_no_state),
        cmocka_unit_test(wishes_that_make_no_sense_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
