// SPDX-License-Identifier: Apache-2.0
// The engine around the checks: when they come, what changes of a wish do, what survives a restart, limits.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "rig.h"

#define ID 7

static struct health_wish wish_at(uint32_t last, uint16_t port)
{
    return (struct health_wish){.address = sl_ip_v4(htonl(0x7f000000 + last)),
                                .port = port,
                                .kind = HEALTH_TCP,
                                .interval_ms = 100,
                                .timeout_ms = 100,
                                .rise = 1,
                                .fall = 1};
}

static uint64_t checks(struct rig *rig)
{
    struct health_totals totals;

    health_totals(rig->health, &totals);
    return totals.checks;
}

// ---- when -------------------------------------------------------------------------------------------------------

// A thousand members added at once, ids as a config would number them: no tenth of a second has twice its share, neither
// at first nor later.
static void starts_are_spread(void **unused)
{
    uint16_t port = closed_port(SOCK_STREAM);
    struct rig rig;

    rig_start(&rig, NULL);
    for (uint32_t i = 0; i < 1000; i++) {
        struct health_wish wish = wish_at(1 + i, port);
        wish.interval_ms = wish.timeout_ms = 1000;
        wish.jitter_percent = 10;
        rig_set(&rig, i, &wish);
    }
    uint64_t before = 0, begin_ns = rig_now_ns(), most = 0;
    for (unsigned i = 0; i < 30; i++) {
        uint64_t from_ns = rig_now_ns();
        rig_run_ms(&rig, 100);
        uint64_t window_ms = (rig_now_ns() - from_ns) / 1000000, now = checks(&rig);
        uint64_t in_100_ms = (now - before) * 100 / (window_ms > 100 ? window_ms : 100);
        most = in_100_ms > most ? in_100_ms : most;
        before = now;
    }
    uint64_t seconds_1000 = (rig_now_ns() - begin_ns) / 1000000;
    // Refused members are checked at their interval, less a twentieth on average for jitter; the second check comes
    // after half an interval on average.
    assert_in_range(before, seconds_1000 * 9 / 10, seconds_1000 * 14 / 10);
    if (most > 200)
        fail_msg("%llu checks began within 100 ms, of 100 in an even spread", (unsigned long long)most);
    rig_stop(&rig);
}

// Answers from another thread begin turns at any time, so that the timer often fires in the middle of one: an alarm that
// is lost there would be the last.
static void the_timer_never_stops(void **unused)
{
    struct server server;
    struct rig rig;

    rig_start(&rig, NULL);
    server_start(&server, "127.0.0.1", SOCK_STREAM, NULL, NULL);
    for (uint32_t i = 0; i < 300; i++) {
        struct health_wish wish =
            server_wish(&server, HEALTH_HTTP); // the connection is closed, which takes a while
        wish.interval_ms = wish.timeout_ms = 100;
        rig_set(&rig, i, &wish);
    }
    for (unsigned i = 0; i < 10; i++) {
        uint64_t before = checks(&rig);
        rig_run_ms(&rig, 300);
        assert_true(checks(&rig) > before);
    }
    server_stop(&server);
    rig_stop(&rig);
}

// A socket nobody reads: each check of it lasts its whole timeout.
static int sink_open(uint16_t *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void a_slow_check_does_not_push_back_the_next(void **unused)
{
    uint16_t port;
    int sink = sink_open(&port);
    struct health_wish wish = wish_at(1, port);
    struct rig rig;

    wish.kind = HEALTH_UDP;
    wish.timeout_ms = 80;
    rig_start(&rig, NULL);
    rig_set(&rig, ID, &wish);
    rig_until_checks(&rig, ID, 1);
    uint64_t begin_ns = rig_now_ns(), before = checks(&rig);
    rig_run_ms(&rig, 2000);
    uint64_t want = (rig_now_ns() - begin_ns) / 100000000;
    assert_in_range(checks(&rig) - before, want - want / 10 - 1, want + want / 10 + 1);
    rig_stop(&rig);
    close(sink);
}

// Five deaths at different phases, each a listener that goes. Refusals are known at once, so that the fall checks take
// interval + (fall - 1) x fast at most. A busy machine may make one of them late.
static void a_dead_member_is_out_in_time(void **unused)
{
    unsigned in_time = 0;

    for (unsigned i = 0; i < 5; i++) {
        struct server server;
        struct rig rig;
        rig_start(&rig, NULL);
        server_start(&server, "127.0.0.1", SOCK_STREAM, NULL, NULL);
        struct health_wish wish = server_wish(&server, HEALTH_TCP);
        wish.interval_ms = 100;
        wish.timeout_ms = 0;
        wish.fall = 3;
        rig_set(&rig, ID, &wish);
        rig_until_state(&rig, ID, HEALTH_UP);
        rig_run_ms(&rig, 120 + 17 * i);
        server_stop(&server);
        uint64_t dead_ns = rig_now_ns();
        rig_run_ms(&rig, 500);
        assert_int_equal(rig_state(&rig, ID), HEALTH_DOWN);
        uint64_t out_ns = rig.change[(rig.seen - 1) % RIG_SEEN].at_ns;
        in_time += out_ns - dead_ns <= 3 * 100 * 1000000ull + 50 * 1000000ull;
        rig_stop(&rig);
    }
    assert_true(in_time >= 4);
}

static void checks_at_once_are_bounded(void **unused)
{
    const struct health_limits limits = {.most_checks = 4};
    uint16_t port;
    struct health_totals totals;
    struct rig rig;
    bool waited = false;

    int sink = sink_open(&port);
    rig_start(&rig, &limits);
    for (uint32_t i = 0; i < 40; i++) {
        struct health_wish wish = wish_at(1, port);
        wish.kind = HEALTH_UDP;
        rig_set(&rig, i, &wish);
    }
    for (unsigned i = 0; i < 100; i++) {
        rig_run_ms(&rig, 10);
        health_totals(rig.health, &totals);
        assert_true(totals.running <= 4);
        waited = waited || totals.waiting > 10;
    }
    assert_true(waited);
    assert_true(totals.checks > 4 * 5); // and it goes on
    for (uint32_t i = 0; i < 40; i++)   // also those that wait and those under way can be removed
        assert_int_equal(health_remove(rig.health, i), 0);
    health_totals(rig.health, &totals);
    assert_int_equal(totals.running + totals.waiting + totals.targets, 0);
    rig_stop(&rig);
    close(sink);
}

// ---- wishes that change -------------------------------------------------------------------------------------------

static void an_unchanged_wish_changes_nothing(void **unused)
{
    struct server server;
    struct rig rig;

    server_start(&server, "127.0.0.1", SOCK_STREAM, NULL, NULL);
    struct health_wish wish = server_wish(&server, HEALTH_TCP);
    rig_start(&rig, NULL);
    rig_set(&rig, ID, &wish);
    rig_until_state(&rig, ID, HEALTH_UP);
    // Applied over and over: checks neither pile up nor starve.
    uint64_t begin_ns = rig_now_ns(), before = checks(&rig);
    for (unsigned i = 0; i < 200; i++) {
        rig_set(&rig, ID, &wish);
        rig_run_ms(&rig, 5);
    }
    uint64_t want = (rig_now_ns() - begin_ns) / 200000000;
    assert_in_range(checks(&rig) - before, want - 2, want + 2);
    assert_int_equal(rig.seen, 1);
    rig_stop(&rig);
    server_stop(&server);
}

static void another_way_to_check_keeps_the_state_until_its_verdicts(void **unused)
{
    struct server server;
    struct rig rig;

    server_start(&server, "127.0.0.1", SOCK_STREAM, NULL,
                 NULL); // accepts and closes: good for tcp, not for http
    struct health_wish wish = server_wish(&server, HEALTH_TCP);
    rig_start(&rig, NULL);
    rig_set(&rig, ID, &wish);
    rig_until_state(&rig, ID, HEALTH_UP);
    uint64_t since_ms = rig_report(&rig, ID).status.since_ms;
    wish.kind = HEALTH_HTTP;
    wish.fall = 2;
    rig_set(&rig, ID, &wish);
    assert_int_equal(rig_state(&rig, ID), HEALTH_UP);
    assert_int_equal(rig_report(&rig, ID).status.since_ms, since_ms);
    rig_until_state(&rig, ID, HEALTH_DOWN);
    wish.kind = HEALTH_TCP;
    rig_set(&rig, ID, &wish);
    assert_int_equal(rig_state(&rig, ID), HEALTH_DOWN);
    rig_until_state(&rig, ID, HEALTH_UP);
    assert_int_equal(rig.seen, 3);
    rig_stop(&rig);
    server_stop(&server);
}

static void another_address_is_another_member(void **unused)
{
    struct server server;
    struct rig rig;

    server_start(&server, "127.0.0.1", SOCK_STREAM, NULL, NULL);
    struct health_wish wish = server_wish(&server, HEALTH_TCP);
    rig_start(&rig, NULL);
    rig_set(&rig, ID, &wish);
    rig_until_state(&rig, ID, HEALTH_UP);
    wish.port = closed_port(SOCK_STREAM);
    rig_set(&rig, ID, &wish);
    assert_int_equal(rig_state(&rig, ID), HEALTH_CHECKING);
    assert_int_equal(rig.seen, 2);
    assert_int_equal(rig.change[1].status.state, HEALTH_CHECKING);
    rig_until_state(&rig, ID, HEALTH_DOWN);
    rig_stop(&rig);
    server_stop(&server);
}

static void remove_it(struct rig *rig, uint64_t id, const struct health_status *status)
{
    assert_int_equal(health_remove(rig->health, id), 0);
    if (id < 50) { // and put another in its place, from within
        struct health_wish wish = wish_at(1, 1);
        rig_set(rig, id + 1000, &wish);
    }
}

// The hook may do anything to any member, in the middle of a turn.
static void the_hook_may_remove_members(void **unused)
{
    uint16_t port = closed_port(SOCK_STREAM);
    struct health_totals totals;
    struct rig rig;

    rig_start(&rig, NULL);
    rig.on_change = remove_it;
    for (uint32_t i = 0; i < 100; i++) {
        struct health_wish wish = wish_at(1 + i, port);
        rig_set(&rig, i, &wish);
    }
    rig_run_ms(&rig, 1000);
    health_totals(rig.health, &totals);
    assert_int_equal(totals.targets, 0);
    assert_int_equal(rig.seen, 150);
    assert_int_equal(health_remove(rig.health, 3), -ENOENT);
    rig_stop(&rig);
}

static void passive_signals_hold_back_and_let_go(void **unused)
{
    struct server server;
    struct rig rig;

    server_start(&server, "127.0.0.1", SOCK_STREAM, NULL, NULL);
    struct health_wish wish = server_wish(&server, HEALTH_TCP);
    wish.interval_ms = 5000; // the end of the hold is a moment of its own, between two checks
    wish.passive = (struct health_passive_wish){.failures = 5, .hold_ms = 200};
    rig_start(&rig, NULL);
    rig_set(&rig, ID, &wish);
    rig_until_state(&rig, ID, HEALTH_UP);
    assert_int_equal(health_passive(rig.health, ID, 4, 0), 0);
    assert_int_equal(rig_state(&rig, ID), HEALTH_UP);
    health_passive(rig.health, ID, 1, 0);
    assert_int_equal(rig.seen, 2); // told before the call returned
    assert_int_equal(rig.change[1].status.state, HEALTH_INHIBITED);
    assert_int_equal(rig.change[1].status.reason, HEALTH_BY_PASSIVE);
    assert_in_range(rig_report(&rig, ID).held_for_ms, 1, 200);
    rig_until_state(&rig, ID, HEALTH_UP);
    assert_in_range(rig.change[2].at_ns - rig.change[1].at_ns, 199000000, 400000000);
    assert_int_equal(health_passive(rig.health, 99, 1, 0), -ENOENT);
    rig_stop(&rig);
    server_stop(&server);
}

// Sets, changes and removals at random, with checks under way, beside what the test knows of them.
static void churn(void **unused)
{
    uint16_t port = closed_port(SOCK_STREAM);
    bool there[200] = {false};
    unsigned count = 0;
    struct rig rig;

    srandom(1);
    rig_start(&rig, NULL);
    for (unsigned i = 0; i < 20000; i++) {
        unsigned id = (unsigned)random() % 200;
        struct health_wish wish = wish_at(1 + id, port);
        wish.kind = random() % 3 ? HEALTH_TCP : HEALTH_HTTP;
        wish.interval_ms = 10 + (uint32_t)random() % 50;
        wish.timeout_ms = 10;
        if (random() % 3 == 0) {
            assert_int_equal(health_remove(rig.health, id), there[id] ? 0 : -ENOENT);
            count -= there[id];
            there[id] = false;
        } else {
            rig_set(&rig, id, &wish);
            count += !there[id];
            there[id] = true;
        }
        if (i % 50 == 0)
            rig_run_ms(&rig, 2);
    }
    struct health_totals totals;
    health_totals(rig.health, &totals);
    assert_int_equal(totals.targets, count);
    assert_true(totals.bad > 1000);
    rig_stop(&rig);
}

// ---- restarts ---------------------------------------------------------------------------------------------------

static void a_restart_recalls_states(void **unused)
{
    char path[] = "/tmp/sluice-health-XXXXXX", aside[64];
    struct sl_error error;
    struct server server;
    struct rig rig;

    close(mkstemp(path));
    unlink(path);
    server_start(&server, "127.0.0.1", SOCK_STREAM, NULL, NULL);
    struct health_wish good = server_wish(&server, HEALTH_TCP), bad = good, moved = good;
    bad.port = closed_port(SOCK_STREAM);
    rig_start(&rig, NULL);
    assert_int_equal(health_store(rig.health, path, &error), 0); // none there yet
    rig_set(&rig, 1, &good);
    rig_set(&rig, 2, &bad);
    rig_set(&rig, 3, &moved);
    rig_until_state(&rig, 1, HEALTH_UP);
    rig_until_state(&rig, 2, HEALTH_DOWN);
    rig_until_state(&rig, 3, HEALTH_UP);
    uint64_t since_ms = rig_report(&rig, 1).status.since_ms;

    rig_new_engine(&rig, NULL);
    assert_int_equal(health_store(rig.health, path, &error), 0);
    unsigned seen = rig.seen;
    good.interval_ms = bad.interval_ms = moved.interval_ms = 5000;
    good.rise = bad.rise = 3;
    moved.address = sl_ip_v4(htonl(0x7f000009));
    rig_set(&rig, 1, &good);
    rig_set(&rig, 2, &bad);
    rig_set(&rig, 3, &moved);
    assert_int_equal(rig_state(&rig, 1), HEALTH_UP);
    assert_int_equal(rig_report(&rig, 1).status.reason, HEALTH_BY_STORE);
    assert_int_equal(rig_report(&rig, 1).status.since_ms, since_ms);
    assert_int_equal(rig_state(&rig, 2), HEALTH_DOWN);
    assert_int_equal(rig_state(&rig, 3), HEALTH_CHECKING); // another member under the same id
    assert_int_equal(rig.seen, seen);                      // nobody flapped
    rig_until_checks(&rig, 1, 1);
    assert_int_equal(rig_report(&rig, 1).status.reason, HEALTH_BY_CHECKS);
    rig_stop(&rig);
    server_stop(&server);
    snprintf(aside, sizeof(aside), "%s.new", path);
    assert_int_equal(access(aside, F_OK), -1);
    unlink(path);
}

static void a_restart_recalls_who_is_held_back(void **unused)
{
    char path[] = "/tmp/sluice-health-XXXXXX";
    struct sl_error error;
    struct server server;
    struct rig rig;

    close(mkstemp(path));
    unlink(path);
    server_start(&server, "127.0.0.1", SOCK_STREAM, NULL, NULL);
    struct health_wish wish = server_wish(&server, HEALTH_TCP);
    wish.passive = (struct health_passive_wish){.failures = 3, .hold_ms = 60000};
    rig_start(&rig, NULL);
    assert_int_equal(health_store(rig.health, path, &error), 0);
    rig_set(&rig, ID, &wish);
    rig_until_state(&rig, ID, HEALTH_UP);
    health_passive(rig.health, ID, 3, 0);
    assert_int_equal(rig_state(&rig, ID), HEALTH_INHIBITED);

    rig_new_engine(&rig, NULL);
    assert_int_equal(health_store(rig.health, path, &error), 0);
    rig_set(&rig, ID, &wish);
    assert_int_equal(rig_state(&rig, ID), HEALTH_INHIBITED);
    assert_int_equal(rig_report(&rig, ID).status.reason, HEALTH_BY_PASSIVE);

    rig_new_engine(&rig, NULL);
    assert_int_equal(health_store(rig.health, path, &error), 0);
    wish.passive.failures = 0; // nobody is held back any more
    rig_set(&rig, ID, &wish);
    assert_int_equal(rig_state(&rig, ID), HEALTH_UP);
    rig_stop(&rig);
    server_stop(&server);
    unlink(path);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void a_damaged_store_recalls_nothing_and_is_mended(void **unused)
{
    const char *const damaged[] = {
        "", "{", "[]", "{\"version\": 2, \"members\": {}}", "{\"version\": 1, \"members\": []}", "\xff\xfe",
    };
    char path[] = "/tmp/sluice-health-XXXXXX";
    struct sl_error error;
    struct rig rig;

    close(mkstemp(path));
    rig_start(&rig, NULL);
    for (unsigned i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
        write_text(path, damaged[i]);
        error.text[0] = '\0';
        assert_int_equal(health_store(rig.health, path, &error), -EBADMSG);
        assert_non_null(strstr(error.text, path));
        struct health_wish wish = wish_at(1, 80);
        rig_set(&rig, ID, &wish);
        assert_int_equal(rig_state(&rig, ID), HEALTH_CHECKING);
        rig_new_engine(&rig, NULL);
        assert_int_equal(health_store(rig.health, path, &error), 0); // written anew at the end
        rig_new_engine(&rig, NULL);
    }
    // Whole JSON with lies in it.
    write_text(
        path,
        "{\"version\": 1, \"members\": {\"0000000000000007\": {\"address\": \"127.0.0.1\", \"port\": 80, "
        "\"state\": \"up\", \"since_ms\": 99999999999999999, \"penalty\": -1e300, \"at_ms\": \"x\"}, "
        "\"0000000000000008\": {\"address\": 5, \"state\": []}, \"0000000000000009\": 1}}");
    assert_int_equal(health_store(rig.health, path, &error), 0);
    struct health_wish wish = wish_at(1, 80);
    for (uint64_t id = 7; id < 10; id++)
        rig_set(&rig, id, &wish);
    assert_int_equal(rig_state(&rig, 7), HEALTH_UP);
    assert_int_equal(rig_report(&rig, 7).penalty, 0);
    assert_int_equal(rig_state(&rig, 8), HEALTH_CHECKING);
    assert_int_equal(rig_state(&rig, 9), HEALTH_CHECKING);
    rig_stop(&rig);
    unlink(path);
}

// Thousands of members are written in slices, whole in the end, and not more than once a second.
static void the_store_is_written_seldom_and_whole(void **unused)
{
    char path[] = "/tmp/sluice-health-XXXXXX";
    uint16_t port = closed_port(SOCK_STREAM);
    struct sl_error error;
    struct stat stat_now;
    ino_t last = 0;
    unsigned written = 0;
    struct rig rig;

    close(mkstemp(path));
    unlink(path);
    rig_start(&rig, NULL);
    assert_int_equal(health_store(rig.health, path, &error), 0);
    for (uint32_t i = 0; i < 3000; i++) {
        struct health_wish wish = wish_at(1 + i, port);
        wish.interval_ms = wish.timeout_ms = 1000;
        rig_set(&rig, i, &wish);
    }
    for (unsigned i = 0; i < 350; i++) {
        rig_run_ms(&rig, 10);
        if (stat(path, &stat_now) == 0 && stat_now.st_ino != last) {
            written++;
            last = stat_now.st_ino;
        }
    }
    assert_in_range(written, 1, 4);
    rig_new_engine(&rig, NULL);
    assert_int_equal(health_store(rig.health, path, &error), 0);
    for (uint32_t i = 0; i < 3000; i++) {
        struct health_wish wish = wish_at(1 + i, port);
        rig_set(&rig, i, &wish);
        assert_int_equal(rig_state(&rig, i), HEALTH_DOWN);
    }
    rig_stop(&rig);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_are_spread),
        cmocka_unit_test(the_timer_never_stops),
        cmocka_unit_test(a_slow_check_does_not_push_back_the_next),
        cmocka_unit_test(a_dead_member_is_out_in_time),
        cmocka_unit_test(checks_at_once_are_bounded),
        cmocka_unit_test(an_unchanged_wish_changes_nothing),
        cmocka_unit_test(another_way_to_check_keeps_the_state_until_its_verdicts),
        cmocka_unit_test(another_address_is_another_member),
        cmocka_unit_test(the_hook_may_remove_members),
        cmocka_unit_test(passive_signals_hold_back_and_let_go),
        cmocka_unit_test(churn),
        cmocka_unit_test(a_restart_recalls_states),
        cmocka_unit_test(a_restart_recalls_who_is_held_back),
        cmocka_unit_test(a_damaged_store_recalls_nothing_and_is_mended),
        cmocka_unit_test(the_store_is_written_seldom_and_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
