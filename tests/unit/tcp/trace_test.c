// SPDX-License-Identifier: Apache-2.0
// The trace of a connection's life: the ring, its text, and what a real connection leaves in it.
#include <string.h>
#include "script.h"

static void a_ring_not_yet_full_is_read_as_it_was_written(void **state)
{
    struct tcp_trace trace;
    uint32_t written = 0, lost = 9;

    for (uint32_t i = 0; i < TCP_TRACE_RECORDS; i++) {
        assert_null(tcp_trace_get(&trace, written, i, &lost));
        tcp_trace_put(&trace, &written, i * 10, TCP_TRACE_STATE, (uint8_t)i, i);
        for (uint32_t k = 0; k <= i; k++) {
            assert_int_equal(tcp_trace_get(&trace, written, k, &lost)->at_ms, k * 10);
            assert_int_equal(lost, 0);
        }
    }
}

static void an_overwritten_ring_keeps_the_first_two_and_the_last(void **state)
{
    for (uint32_t total = TCP_TRACE_RECORDS + 1; total < 100; total++) {
        struct tcp_trace trace;
        uint32_t written = 0, lost;

        for (uint32_t i = 0; i < total; i++)
            tcp_trace_put(&trace, &written, i, TCP_TRACE_RTO, 0, 0);
        for (uint32_t i = 0; i < TCP_TRACE_RECORDS; i++) {
            uint32_t want = i < 2 ? i : total - TCP_TRACE_RECORDS + i;

            assert_int_equal(tcp_trace_get(&trace, written, i, &lost)->at_ms, want);
            assert_int_equal(lost, i == 2 ? total - TCP_TRACE_RECORDS : 0);
        }
        assert_null(tcp_trace_get(&trace, written, TCP_TRACE_RECORDS, &lost));
    }
}

static void values_that_do_not_fit_are_told_as_the_largest(void **state)
{
    struct tcp_trace trace;
    uint32_t written = 0, lost;

    tcp_trace_put(&trace, &written, 0, TCP_TRACE_MEMORY, 0, 65536);
    assert_int_equal(tcp_trace_get(&trace, written, 0, &lost)->value, 65535);
    assert_int_equal(sizeof(struct tcp_trace_record), 8);
}

static void records_read_as_text(void **state)
{
    static const struct {
        struct tcp_trace_record record;
        const char *text;
    } rows[] = {
        {{0, TCP_TRACE_STATE, SL_TCP_ESTABLISHED, 0}, "0.000 s  state ESTABLISHED"},
        {{12345, TCP_TRACE_RTO, 2, 800}, "12.345 s  timeout after 800 ms, 2 in a row"},
        {{1, TCP_TRACE_TLP, 9, 40}, "0.001 s  probe of the tail after 40 ms"},
        {{1, TCP_TRACE_END, 110, 7}, "0.001 s  end Connection timed out"},
        {{1, TCP_TRACE_END, 0, 0}, "0.001 s  end in order"},
        {{1, TCP_TRACE_OPTIONS, 3, 1448}, "0.001 s  options segments of 1448 bytes, timestamps, SACK"},
        {{1, TCP_TRACE_CHALLENGE, SL_TCP_SYN, 0}, "0.001 s  challenge to a segment with SYN"},
        {{1, TCP_TRACE_RECOVERY, 0, 3}, "0.001 s  recovery by SACK and time (RACK), 3 segments lost"},
        {{1, TCP_TRACE_DETACH, 0, 1500}, "0.001 s  detach, 1500 bytes left to be repeated"},
        {{1, TCP_TRACE_ATTACH, SL_TCP_CLOSE_WAIT, 1448}, "0.001 s  attach in CLOSE-WAIT, segments of 1448 bytes"},
        {{1, TCP_TRACE_STATE, 200, 0}, "0.001 s  state ?"},
    };
    char out[80];

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(tcp_trace_format(&rows[i].record, out, sizeof(out)), rows[i].text);
}

static void any_record_fits_any_room(void **state)
{
    for (unsigned event = 0; event < 256; event++)
        for (size_t room = 1; room < 64; room++) {
            struct tcp_trace_record record = {UINT32_MAX, (uint8_t)event, 255, 65535};
            char out[64];

            memset(out, 'x', sizeof(out));
            tcp_trace_format(&record, out, room);
            assert_true(memchr(out, 0, room) != NULL);
            for (size_t i = room; i < sizeof(out); i++)
                assert_int_equal(out[i], 'x');
        }
}

static bool has(struct rig *rig, uint32_t slot, enum tcp_trace_event event, uint8_t small)
{
    const struct tcp_conn *conn = tcp_conn_at(rig->tcp, slot);
    const struct tcp_trace_record *record;
    uint32_t lost;

    for (uint32_t i = 0; (record = tcp_trace_get(&rig->tcp->traces[slot], conn->traced, i, &lost)) != NULL;
         i++)
        if (record->event == event && record->small == small)
            return true;
    return false;
}

static void a_connection_leaves_its_life_behind(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);
    uint32_t slot = rig_info(conn).slot;

    RIG_PUT(rig, .flags = ACK, .seq = 1, .ack = 1, .window = 0);
    RIG_PUT(rig, .flags = ACK, .seq = 1, .ack = 1, .window = 60000);
    say(rig, RST, 5, 0, 0);
    say(rig, RST, 1, 0, 0);
    assert_true(has(rig, slot, TCP_TRACE_OPEN, 0));
    assert_true(has(rig, slot, TCP_TRACE_STATE, SL_TCP_SYN_RECEIVED));
    assert_true(has(rig, slot, TCP_TRACE_STATE, SL_TCP_ESTABLISHED));
    assert_true(has(rig, slot, TCP_TRACE_OPTIONS, 0));
    assert_true(has(rig, slot, TCP_TRACE_ZERO_WINDOW, 0));
    assert_true(has(rig, slot, TCP_TRACE_OPEN_WINDOW, 0));
    assert_true(has(rig, slot, TCP_TRACE_CHALLENGE, RST));
    assert_true(has(rig, slot, TCP_TRACE_RESET, 0));
    assert_true(has(rig, slot, TCP_TRACE_END, ECONNRESET));
    rig_free(rig);
}

static void segments_in_order_leave_nothing(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);
    uint32_t before = ((struct tcp_conn *)conn)->traced;

    for (uint32_t i = 0; i < 40; i++)
        say(rig, ACK, 1 + i * 100, 100, 1);
    rig_send(rig, conn, 0, 5000);
    assert_int_equal(((struct tcp_conn *)conn)->traced, before);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_ring_not_yet_full_is_read_as_it_was_written),
        T(an_overwritten_ring_keeps_the_first_two_and_the_last),
        T(values_that_do_not_fit_are_told_as_the_largest),
        T(records_read_as_text),
        T(any_record_fits_any_room),
        T(a_connection_leaves_its_life_behind),
        T(segments_in_order_leave_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
