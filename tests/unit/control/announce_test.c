// SPDX-License-Identifier: Apache-2.0
// When a service is announced and when it is withdrawn, under a clock of the test's own.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "announce/decide.h"

#define DELAY_MS 3000
#define DEAD_MS  2000

static const struct announce_facts well = {.enabled = true, .data_plane = true, .eligible = 2, .least = 1};

static void assert_decides(struct announce_service *service, struct announce_facts facts, uint64_t now_ms,
                           enum announce_why why, bool changed)
{
    assert_int_equal(announce_decide(service, &facts, DELAY_MS, now_ms), changed);
    assert_int_equal(service->why, why);
}

static void announced_once_it_served_for_the_delay(void **state)
{
    struct announce_service service = {.name = "web"};

    assert_decides(&service, well, 1000, ANNOUNCE_DELAY, false);
    assert_decides(&service, well, 3999, ANNOUNCE_DELAY, false);
    assert_decides(&service, well, 4000, ANNOUNCE_YES, true);
    assert_decides(&service, well, 9000, ANNOUNCE_YES, false);
    assert_int_equal(service.since_ms, 4000);
}

static void routes_of_an_earlier_process_stay_without_a_delay(void **state)
{
    struct announce_service service = {.name = "web"};
    struct announce_facts facts = well;

    facts.found = true;
    assert_decides(&service, facts, 1000, ANNOUNCE_YES, true);
}

static void routes_of_an_earlier_process_go_where_nobody_serves(void **state)
{
    struct announce_service service = {.name = "web"};
    struct announce_facts facts = well;

    facts.found = true;
    facts.eligible = 0;
    assert_decides(&service, facts, 1000, ANNOUNCE_NO_MEMBER, false);
}

static void found_counts_only_at_the_first_look(void **state)
{
    struct announce_service service = {.name = "web"};
    struct announce_facts facts = well;

    facts.eligible = 0;
    assert_decides(&service, facts, 1000, ANNOUNCE_NO_MEMBER, false);
    facts = well;
    facts.found = true;
    assert_decides(&service, facts, 2000, ANNOUNCE_DELAY, false);
}

static void withdrawn_at_once(void **state)
{
    const struct {
        struct announce_facts facts;
        enum announce_why why;
    } cases[] = {
        {{.enabled = false, .data_plane = true, .eligible = 2, .least = 1}, ANNOUNCE_OFF},
        {{.enabled = true, .data_plane = false, .eligible = 2, .least = 1}, ANNOUNCE_NO_DATA_PLANE},
        {{.enabled = true, .data_plane = true, .eligible = 0, .least = 1}, ANNOUNCE_NO_MEMBER},
        {{.enabled = true, .data_plane = true, .eligible = 2, .least = 3}, ANNOUNCE_NO_MEMBER},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct announce_service service = {.name = "web", .known = true, .why = ANNOUNCE_YES};
        assert_decides(&service, cases[i].facts, 5000, cases[i].why, true);
        assert_int_equal(service.since_ms, 5000);
    }
}

static void a_break_in_service_begins_the_delay_anew(void **state)
{
    struct announce_service service = {.name = "web"};
    struct announce_facts down = well;

    down.eligible = 0;
    for (uint64_t now_ms = 0; now_ms < 60000; now_ms += 2000) { // flaps: up for a second, then down
        assert_decides(&service, well, now_ms, ANNOUNCE_DELAY, false);
        assert_decides(&service, down, now_ms + 1000, ANNOUNCE_NO_MEMBER, false);
    }
    assert_decides(&service, well, 60000, ANNOUNCE_DELAY, false);
    assert_decides(&service, well, 63000, ANNOUNCE_YES, true);
}

static void without_delay_announced_at_once(void **state)
{
    struct announce_service service = {.name = "web"};

    assert_true(announce_decide(&service, &well, 0, 7));
    assert_int_equal(service.why, ANNOUNCE_YES);
}

static void a_data_plane_may_restart_within_its_time(void **state)
{
    bool seen = false;
    uint64_t missing = 0;

    assert_true(announce_data_plane(true, DEAD_MS, 1000, &seen, &missing));
    assert_true(announce_data_plane(false, DEAD_MS, 2000, &seen, &missing));
    assert_true(announce_data_plane(false, DEAD_MS, 3999, &seen, &missing));
    assert_true(announce_data_plane(true, DEAD_MS, 4000, &seen, &missing));
    assert_true(announce_data_plane(false, DEAD_MS, 5000, &seen, &missing)); // counted anew
    assert_true(announce_data_plane(false, DEAD_MS, 6999, &seen, &missing));
    assert_false(announce_data_plane(false, DEAD_MS, 7000, &seen, &missing));
    assert_false(announce_data_plane(false, DEAD_MS, 7001, &seen, &missing));
    assert_true(announce_data_plane(true, DEAD_MS, 8000, &seen, &missing));
}

static void a_data_plane_never_seen_is_not_waited_for(void **state)
{
    bool seen = false;
    uint64_t missing = 0;

    assert_false(announce_data_plane(false, DEAD_MS, 1000, &seen, &missing));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(announced_once_it_served_for_the_delay),
        cmocka_unit_test(routes_of_an_earlier_process_stay_without_a_delay),
        cmocka_unit_test(routes_of_an_earlier_process_go_where_nobody_serves),
        cmocka_unit_test(found_counts_only_at_the_first_look),
        cmocka_unit_test(withdrawn_at_once),
        cmocka_unit_test(a_break_in_service_begins_the_delay_anew),
        cmocka_unit_test(without_delay_announced_at_once),
        cmocka_unit_test(a_data_plane_may_restart_within_its_time),
        cmocka_unit_test(a_data_plane_never_seen_is_not_waited_for),
    };

    return cmocka_run_group_tests_name("control-announce", tests, NULL, NULL);
}
