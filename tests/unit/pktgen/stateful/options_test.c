// SPDX-License-Identifier: Apache-2.0
// Whom the client connects to: the servers, unless a target, or its ports, say otherwise.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>
#include "stateful/options.h"

static struct stateful_options options;

// As if on the command line behind what each wants; up to 6 words.
static void read_words(const char *const *words)
{
    char copy[12][40] = {"stateful", "both", "-p", "ring:a", "-p", "ring:b"}, *argv[13];
    int count = 6;

    for (; *words; words++)
        strcpy(copy[count++], *words);
    for (int i = 0; i < count; i++)
        argv[i] = copy[i];
    argv[count] = NULL;
    stateful_options_read(&options, count, argv);
}

static void range_is(const struct endpoint_range *range, const char *first, uint32_t addresses, uint16_t port,
                     uint32_t ports)
{
    struct sl_ip ip;

    assert_int_equal(sl_ip_parse(first, &ip), 0);
    assert_true(sl_ip_equal(&range->first, &ip));
    assert_int_equal(range->addresses, addresses);
    assert_int_equal(range->port, port);
    assert_int_equal(range->ports, ports);
}

static void target_is_the_servers(void **state)
{
    read_words((const char *const[]){"--server", "10.0.0.1-10.0.0.4", "--server-ports", "81-83", NULL});
    range_is(&options.target, "10.0.0.1", 4, 81, 3);
    range_is(&options.server, "10.0.0.1", 4, 81, 3);
}

static void target_leaves_the_servers_as_they_are(void **state)
{
    read_words((const char *const[]){"--target", "192.0.2.1", "--server", "10.0.0.1-10.0.0.4", NULL});
    range_is(&options.target, "192.0.2.1", 1, 80, 1);
    range_is(&options.server, "10.0.0.1", 4, 80, 1);
}

static void ports_of_the_target_are_its_own(void **state)
{
    read_words((const char *const[]){"--target-ports", "443-444", "--server", "10.0.0.1-10.0.0.4", NULL});
    range_is(&options.target, "10.0.0.1", 4, 443, 2);
    range_is(&options.server, "10.0.0.1", 4, 80, 1);
}

static void segments_fit_both_families(void **state)
{
    read_words((const char *const[]){"--target", "192.0.2.1", "--server", "2001:db8::1", NULL});
    range_is(&options.server, "2001:db8::1", 1, 80, 1);
    assert_int_equal(options.common.mss, 1500 - 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(target_is_the_servers),
        cmocka_unit_test(target_leaves_the_servers_as_they_are),
        cmocka_unit_test(ports_of_the_target_are_its_own),
        cmocka_unit_test(segments_fit_both_families),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
