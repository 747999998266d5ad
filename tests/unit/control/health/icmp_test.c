// SPDX-License-Identifier: Apache-2.0
// Echo checks, in a network namespace of the test's own: there the kernel can be told to keep silent. Needs root.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "rig.h"

#define ID      7
#define SILENCE "/proc/sys/net/ipv4/icmp_echo_ignore_all"
#define PING    "/proc/sys/net/ipv4/ping_group_range"

static void tell_kernel(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static int own_namespace(void **unused)
{
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd;

    if (geteuid() != 0 || unshare(CLONE_NEWNET) != 0)
        return 0; // the tests skip
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    int rc = ioctl(fd, SIOCSIFFLAGS, &lo);
    close(fd);
    return rc;
}

#define NEED_ROOT()                                                                                          \
    do {                                                                                                     \
        if (geteuid() != 0)                                                                                  \
            skip();                                                                                          \
    } while (0)

static struct health_wish echo_wish(const char *address)
{
    struct health_wish wish = {
        .kind = HEALTH_ICMP, .interval_ms = 100, .timeout_ms = 100, .rise = 1, .fall = 1};

    assert_int_equal(sl_ip_parse(address, &wish.address), 0);
    return wish;
}

static void both_families_answer(void)
{
    struct health_wish v4 = echo_wish("127.0.0.1"), v6 = echo_wish("::1");
    struct rig rig;

    rig_start(&rig, NULL);
    for (unsigned i = 0; i < 50; i++) { // many share the sockets
        rig_set(&rig, i * 2, &v4);
        rig_set(&rig, i * 2 + 1, &v6);
    }
    for (unsigned i = 0; i < 100; i++)
        rig_until_state(&rig, i, HEALTH_UP);
    rig_run_ms(&rig, 300);
    struct health_totals totals;
    health_totals(rig.health, &totals);
    assert_int_equal(totals.bad + totals.not_checked, 0);
    assert_string_equal(rig_report(&rig, 0).last, "icmp: answered");
    rig_stop(&rig);
}

static void a_raw_socket_where_ping_is_not_allowed(void **unused)
{
    NEED_ROOT();
    tell_kernel(PING, "1 0");
    both_families_answer();
}

static void a_ping_socket_where_it_is(void **unused)
{
    NEED_ROOT();
    tell_kernel(PING, "0 0");
    both_families_answer();
    tell_kernel(PING, "1 0");
}

static void silence_is_bad(void **unused)
{
    struct health_wish wish;
    struct rig rig;

    NEED_ROOT();
    wish = echo_wish("127.0.0.1");
    tell_kernel(SILENCE, "1");
    rig_start(&rig, NULL);
    rig_set(&rig, ID, &wish);
    rig_until_state(&rig, ID, HEALTH_DOWN);
    assert_string_equal(rig_report(&rig, ID).last, "icmp: no answer within 100 ms");
    rig_stop(&rig);
    tell_kernel(SILENCE, "0");
}

// A member that falls silent, not one that refuses: the slowest death to see. At six phases of the interval, and with
// the longest timeout, it is out within fall x interval + 50 ms. A busy machine may make one of them late.
static void a_member_fallen_silent_is_out_in_time(void **unused)
{
    struct health_wish wish;
    unsigned in_time = 0;
    struct rig rig;

    NEED_ROOT();
    wish = echo_wish("127.0.0.1");
    wish.timeout_ms = 0;
    wish.fall = 3;
    for (unsigned i = 0; i < 6; i++) {
        rig_start(&rig, NULL);
        rig_set(&rig, ID, &wish);
        rig_until_state(&rig, ID, HEALTH_UP);
        rig_run_ms(&rig, 120 + 17 * i);
        tell_kernel(SILENCE, "1");
        uint64_t dead_ns = rig_now_ns();
        rig_run_ms(&rig, 500);
        tell_kernel(SILENCE, "0");
        assert_int_equal(rig_state(&rig, ID), HEALTH_DOWN);
        uint64_t out_ns = rig.change[(rig.seen - 1) % RIG_SEEN].at_ns - dead_ns;
        printf("out after %.1f ms\n", (double)out_ns / 1e6);
        in_time += out_ns <= (3 * 100 + 50) * 1000000ull;
        rig_stop(&rig);
    }
    assert_true(in_time >= 5);
}

static void source_and_device_travel_with_the_packet(void **unused)
{
    struct health_wish wish;
    struct rig rig;

    NEED_ROOT();
    wish = echo_wish("127.0.0.1");
    wish.device = "lo";
    assert_int_equal(sl_ip_parse("127.0.0.9", &wish.source), 0);
    rig_start(&rig, NULL);
    rig_set(&rig, ID, &wish);
    rig_until_state(&rig, ID, HEALTH_UP);
    wish.device = "nosuch0";
    rig_set(&rig, ID, &wish);
    rig_until_checks(&rig, ID, rig_report(&rig, ID).good + 2);
    assert_int_equal(rig_state(&rig, ID), HEALTH_UP);
    assert_string_equal(rig_report(&rig, ID).last, "not checked: icmp: No such device");
    rig_stop(&rig);
}

static void no_right_to_ask_is_not_the_members_fault(void **unused)
{
    struct health_wish wish;
    struct rig rig;

    NEED_ROOT();
    wish = echo_wish("127.0.0.1");
    rig_start(&rig, NULL);
    assert_int_equal(seteuid(65534), 0);
    rig_set(&rig, ID, &wish);
    rig_until_checks(&rig, ID, 2);
    assert_int_equal(rig_state(&rig, ID), HEALTH_CHECKING);
    assert_int_equal(rig_report(&rig, ID).bad, 0);
    assert_int_equal(seteuid(0), 0);
    rig_until_state(&rig, ID, HEALTH_UP); // and tried again
    rig_stop(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_raw_socket_where_ping_is_not_allowed),
        cmocka_unit_test(a_ping_socket_where_it_is),
        cmocka_unit_test(silence_is_bad),
        cmocka_unit_test(a_member_fallen_silent_is_out_in_time),
        cmocka_unit_test(source_and_device_travel_with_the_packet),
        cmocka_unit_test(no_right_to_ask_is_not_the_members_fault),
    };

    return cmocka_run_group_tests(tests, own_namespace, NULL);
}
