// SPDX-License-Identifier: Apache-2.0
// The caller's side (RFC 9293 section 3.9.1): what each call takes, says and leaves behind.
#include "script.h"

// ---- engine -------------------------------------------------------------------------------------------------------
static void an_engine_needs_every_pool(void **state)
{
    for (unsigned i = 0; i < 6; i++) {
        struct sl_tcp_config config;

        rig_config(&config);
        if (i == 0)
            config.connections = 0;
        else if (i == 1)
            config.time_waits = 0;
        else if (i == 2)
            config.listeners = 0;
        else if (i == 3)
            config.buffers_held = 0;
        else if (i == 4)
            config.segments_held = 0;
        else
            config.send = NULL;
        assert_null(sl_tcp_new(&config));
    }
    sl_tcp_free(NULL);
}

// A timer that was moved back is found out when the wheel calls: once the handshake's has, there is nothing.
static void an_idle_engine_has_no_deadline(void **state)
{
    struct rig *rig = rig_new();

    assert_int_equal(sl_tcp_deadline(rig->tcp), UINT64_MAX);
    script_open(rig);
    rig_wait(rig, 2 * RIG_S);
    assert_int_equal(sl_tcp_deadline(rig->tcp), UINT64_MAX);
    rig_free(rig);
}

static void something_to_send_is_a_deadline_now(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);
    struct sl_tcp_chunk chunk = rig_chunk(0, 10);

    sl_tcp_send(conn, &chunk, rig->now_us);
    assert_int_equal(sl_tcp_deadline(rig->tcp), rig->now_us);
    rig_flush(rig);
    assert_in_range(sl_tcp_deadline(rig->tcp), rig->now_us + 1, rig->now_us + 2 * RIG_S);
    rig_free(rig);
}

static void free_gives_back_every_buffer(void **state)
{
    struct rig *rig = rig_new();

    for (unsigned i = 0; i < 10; i++, rig->remote_port++) {
        struct sl_tcp_conn *conn = script_open(rig);

        rig_send(rig, conn, 0, 100000);
        say(rig, ACK, 1, 100, 1);
        say(rig, ACK, 301, 100, 1);
        script_events(rig, NULL);
        rig_drop_out(rig);
    }
    assert_true(rig_blocks > 0);
    rig_free(rig); // checks
}

// ---- connect ------------------------------------------------------------------------------------------------------
static int connect_error(struct rig *rig, void (*spoil)(struct sl_tcp_options *))
{
    struct sl_tcp_options options = rig_options();
    int error = 0;

    if (spoil)
        spoil(&options);
    if (sl_tcp_connect(rig->tcp, &rig->local, rig->local_port, &rig->remote, rig->remote_port, &options, NULL,
                       rig->now_us, &error))
        return 0;
    assert_null(sl_tcp_listen(rig->tcp, &rig->local, 0, &options, NULL,
                              NULL)); // a port is needed, and NULL for error borne
    return error;
}

static void no_mtu(struct sl_tcp_options *options)
{
    options->mtu = 500;
}

static void no_rx(struct sl_tcp_options *options)
{
    options->rx_bytes = 1000;
}

static void huge_rx(struct sl_tcp_options *options)
{
    options->rx_bytes = (1u << 30) + 1;
}

static void no_tx(struct sl_tcp_options *options)
{
    options->tx_bytes = 0;
}

static void no_hops(struct sl_tcp_options *options)
{
    options->hop_limit = 0;
}

static void no_algorithm(struct sl_tcp_options *options)
{
    options->congestion = "reno-of-mars";
}

static void options_that_make_no_sense_are_refused(void **state)
{
    static void (*const spoils[])(struct sl_tcp_options *) = {no_mtu, no_rx,   huge_rx,
                                                              no_tx,  no_hops, no_algorithm};

    for (unsigned i = 0; i < sizeof(spoils) / sizeof(spoils[0]); i++) {
        struct rig *rig = rig_new();

        assert_int_equal(connect_error(rig, spoils[i]), -EINVAL);
        assert_int_equal(connect_error(rig, NULL), 0);
        rig_free(rig);
    }
}

static void a_tuple_in_use_is_refused(void **state)
{
    struct rig *rig = rig_new();

    assert_int_equal(connect_error(rig, NULL), 0);
    assert_int_equal(connect_error(rig, NULL), -EADDRINUSE);
    rig->local_port++;
    assert_int_equal(connect_error(rig, NULL), 0);
    rig_free(rig);
}

static void ports_of_zero_and_mixed_families_are_refused(void **state)
{
    struct rig *rig = rig_new();

    rig->local_port = 0;
    assert_int_equal(connect_error(rig, NULL), -EINVAL);
    rig->local_port = 1, rig->remote_port = 0;
    assert_int_equal(connect_error(rig, NULL), -EINVAL);
    rig->remote_port = 1;
    sl_ip_parse("2001:db8::9", &rig->remote);
    assert_int_equal(connect_error(rig, NULL), -EINVAL);
    rig_free(rig);
}

static void a_full_engine_refuses_and_recovers(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_config config;
    struct sl_tcp_conn *conn;
    struct rig *rig;
    int error = 0;

    rig_config(&config);
    config.connections = 1;
    rig = rig_new_with(&config, false);
    conn = script_connect(rig, &options);
    rig->local_port++;
    assert_int_equal(connect_error(rig, NULL), -ENOBUFS);
    sl_tcp_close(conn, rig->now_us);
    rig_flush(rig);
    assert_non_null(sl_tcp_connect(rig->tcp, &rig->local, rig->local_port, &rig->remote, rig->remote_port,
                                   &options, NULL, rig->now_us, &error));
    rig_free(rig);
}

// ---- send and read --------------------------------------------------------------------------------------------------
static void a_chunk_must_have_bytes_and_an_honest_charge(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);
    static const uint8_t bytes[10];
    struct sl_tcp_chunk empty = {bytes, 0, 0, NULL}, lie = {bytes, 10, 9, NULL};

    assert_int_equal(sl_tcp_send(conn, &empty, rig->now_us), -EINVAL);
    assert_int_equal(sl_tcp_send(conn, &lie, rig->now_us), -EINVAL);
    rig_flush(rig);
    rig_expect_none(rig);
    rig_free(rig);
}

static void bytes_that_live_for_ever_need_no_owner(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);
    static uint8_t bytes[3000];
    struct sl_tcp_chunk chunk = {bytes, sizeof(bytes), sizeof(bytes), NULL};

    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = rig_byte(i);
    assert_int_equal(sl_tcp_send(conn, &chunk, rig->now_us), 0);
    rig_flush(rig);
    rig_expect(rig, ACK, 1, 1460, 1);
    rig_expect(rig, ACK, 1461, 1460, 1);
    rig_expect(rig, ACK | PSH, 2921, 80, 1);
    say(rig, ACK, 1, 0, 3001);
    rig_free(rig);
}

static void sent_bytes_are_held_until_they_are_acknowledged(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);

    for (uint32_t i = 0; i < 5; i++)
        rig_send(rig, conn, i * 1460, 1460);
    assert_int_equal(rig_blocks, 5);
    say(rig, ACK, 1, 0, 1 + 2 * 1460 + 10);
    assert_int_equal(rig_blocks, 3);
    say(rig, ACK, 1, 0, 1 + 5 * 1460);
    assert_int_equal(rig_blocks, 0);
    rig_free(rig);
}

static void a_read_of_a_part_leaves_the_rest(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);
    struct sl_tcp_chunk chunk;

    say(rig, ACK, 1, 100, 1);
    for (uint32_t i = 0; i < 100; i += 30) {
        assert_int_equal(sl_tcp_read(conn, 30, &chunk, rig->now_us), 1);
        assert_int_equal(chunk.len, i + 30 <= 100 ? 30 : 10);
        assert_int_equal(chunk.data[0], rig_byte(i));
        rig_buffers.release(chunk.owner);
    }
    assert_int_equal(sl_tcp_read(conn, 30, &chunk, rig->now_us), -EAGAIN);
    assert_int_equal(rig_blocks, 0);
    rig_free(rig);
}

static void a_read_of_nothing_is_refused(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);
    struct sl_tcp_chunk chunk;

    say(rig, ACK, 1, 100, 1);
    assert_int_equal(sl_tcp_read(conn, 0, &chunk, rig->now_us), -EINVAL);
    assert_int_equal(rig_info(conn).rcv_unread, 100);
    rig_free(rig);
}

static void received_bytes_stay_where_they_came_in(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);
    struct sl_tcp_chunk chunk = rig_chunk(0, 50), got;
    struct sl_tcp_in in = {.src = rig->remote,
                           .dst = rig->local,
                           .sport = rig->remote_port,
                           .dport = rig->local_port,
                           .seq = rig->peer_isn + 1,
                           .ack = rig->isn + 1,
                           .window = 65535,
                           .flags = ACK,
                           .payload = chunk};

    assert_true(sl_tcp_input(rig->tcp, &in, rig->now_us));
    assert_int_equal(sl_tcp_read(conn, 100, &got, rig->now_us), 1);
    assert_ptr_equal(got.data, chunk.data);
    assert_ptr_equal(got.owner, chunk.owner);
    rig_buffers.release(got.owner);
    rig_free(rig);
}

static void peek_shows_every_chunk_and_takes_none(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);
    struct sl_tcp_chunk chunk;

    for (uint32_t i = 0; i < 3; i++)
        say(rig, ACK, 1 + i * 100, 100, 1);
    for (unsigned round = 0; round < 2; round++)
        for (uint32_t i = 0; i < 3; i++) {
            assert_true(sl_tcp_peek(conn, i, &chunk));
            assert_int_equal(chunk.data[0], rig_byte(i * 100));
        }
    assert_false(sl_tcp_peek(conn, 3, &chunk));
    assert_int_equal(rig_read(rig, conn, 0), 300);
    assert_false(sl_tcp_peek(conn, 0, &chunk));
    rig_free(rig);
}

// ---- events -------------------------------------------------------------------------------------------------------
static void one_event_carries_all_that_happened(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_event event;

    rig_listen(rig, &options);
    say(rig, SYN, 0, 0, 0);
    say(rig, ACK, 1, 100, 1);
    say(rig, ACK, 101, 100, 1);
    say(rig, RST, 201, 0, 0);
    assert_true(rig_event(rig, &event));
    assert_int_equal(event.bits, SL_TCP_ACCEPTED | SL_TCP_WRITABLE | SL_TCP_READABLE | SL_TCP_ENDED);
    assert_int_equal(event.error, -ECONNRESET);
    assert_false(rig_event(rig, &event));
    assert_int_equal(rig_read(rig, event.conn, 0), 200);
    sl_tcp_close(event.conn, rig->now_us);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    rig_free(rig);
}

static void events_come_in_the_order_in_which_connections_had_them(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conns[4];
    struct sl_tcp_event event;
    sl_be16 first = rig->remote_port;
    uint32_t isns[4];

    for (unsigned i = 0; i < 4; i++, rig->remote_port++) {
        conns[i] = script_open(rig);
        isns[i] = rig->isn;
    }
    for (unsigned i = 4; i-- > 0;) {
        rig->remote_port = (sl_be16)(first + i);
        rig->isn = isns[i];
        say(rig, ACK, 1, 10, 1);
    }
    for (unsigned i = 4; i-- > 0;) {
        assert_true(rig_event(rig, &event));
        assert_ptr_equal(event.conn, conns[i]);
    }
    assert_false(rig_event(rig, &event));
    rig_free(rig);
}

static void users_are_carried_to_events_and_segments(void **state)
{
    static int mine, ours;
    struct rig *rig = rig_new();
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_event event;
    int error = 0;

    assert_non_null(sl_tcp_listen(rig->tcp, &rig->local, rig->local_port, &options, &ours, &error));
    say(rig, SYN, 0, 0, 0);
    say(rig, ACK, 1, 0, 1);
    assert_true(rig_event(rig, &event));
    assert_ptr_equal(event.listener_user, &ours);
    assert_null(event.user);
    sl_tcp_user_set(event.conn, &mine);
    rig_drop_out(rig);
    say(rig, ACK, 1, 10, 1);
    assert_true(rig_event(rig, &event));
    assert_ptr_equal(event.user, &mine);
    assert_ptr_equal(rig_take(rig)->out.user, &mine);
    rig_free(rig);
}

static void a_connection_that_ends_stays_until_it_is_closed(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);

    say(rig, RST, 1, 0, 0);
    script_events(rig, NULL);
    rig_wait(rig, 1000 * RIG_S);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 1);
    expect_state(conn, SL_TCP_CLOSED);
    assert_int_equal(rig_info(conn).error, -ECONNRESET);
    sl_tcp_close(conn, rig->now_us);
    assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    rig_free(rig);
}

static void slots_are_used_again_and_again(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_config config;
    struct rig *rig;

    rig_config(&config);
    config.connections = 2;
    rig = rig_new_with(&config, false);
    for (unsigned i = 0; i < 1000; i++, rig->remote_port++) {
        struct sl_tcp_conn *conn = rig_open_passive(rig, &options, rig_bare_syn(), 65535);

        say(rig, ACK, 1, 10, 1);
        if (i % 3 == 0)
            say(rig, RST, 11, 0, 0);
        if (i % 3 == 1)
            sl_tcp_abort(conn, rig->now_us);
        else
            sl_tcp_close(conn, rig->now_us);
        rig_flush(rig);
        rig_drop_out(rig);
        script_events(rig, NULL);
        assert_int_equal(sl_tcp_connection_count(rig->tcp), 0);
    }
    rig_free(rig);
}

// ---- a device that is full
// --------------------------------------------------------------------------------------------
static void what_could_not_be_sent_is_sent_again(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);

    rig->refuse = true;
    rig_send(rig, conn, 0, 100);
    rig->refuse = false;
    assert_int_equal(COUNTER(rig, send_failures), 1);
    rig_wait_out(rig, 10 * RIG_S);
    rig_expect(rig, ACK | PSH, 1, 100, 1);
    rig_free(rig);
}

static void a_connection_is_told_whole_by_info(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open_full(rig);
    struct sl_tcp_info info;

    rig_send(rig, conn, 0, 100);
    say(rig, ACK, 1, 50, 101);
    info = rig_info(conn);
    assert_int_equal(info.state, SL_TCP_ESTABLISHED);
    assert_true(sl_ip_equal(&info.local, &rig->local) && sl_ip_equal(&info.remote, &rig->remote));
    assert_int_equal(info.local_port, rig->local_port);
    assert_int_equal(info.bytes_acked, 100);
    assert_int_equal(info.bytes_received, 50);
    assert_int_equal(info.rcv_unread, 50);
    assert_int_equal(info.snd_mss, 1448);
    assert_int_equal(info.mtu, 1500);
    assert_string_equal(info.congestion, "cubic");
    assert_true(info.segments_in >= 2 && info.segments_out >= 2);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_engine_needs_every_pool),
        T(an_idle_engine_has_no_deadline),
        T(something_to_send_is_a_deadline_now),
        T(free_gives_back_every_buffer),
        T(options_that_make_no_sense_are_refused),
        T(a_tuple_in_use_is_refused),
        T(ports_of_zero_and_mixed_families_are_refused),
        T(a_full_engine_refuses_and_recovers),
        T(a_chunk_must_have_bytes_and_an_honest_charge),
        T(bytes_that_live_for_ever_need_no_owner),
        T(sent_bytes_are_held_until_they_are_acknowledged),
        T(a_read_of_a_part_leaves_the_rest),
        T(a_read_of_nothing_is_refused),
        T(received_bytes_stay_where_they_came_in),
        T(peek_shows_every_chunk_and_takes_none),
        T(one_event_carries_all_that_happened),
        T(events_come_in_the_order_in_which_connections_had_them),
        T(users_are_carried_to_events_and_segments),
        T(a_connection_that_ends_stays_until_it_is_closed),
        T(slots_are_used_again_and_again),
        T(what_could_not_be_sent_is_sent_again),
        T(a_connection_is_told_whole_by_info),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
