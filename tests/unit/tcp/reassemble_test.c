// SPDX-License-Identifier: Apache-2.0
// Text out of order (RFC 9293 section 3.10.7.4, seventh check): against a naive map of bytes, its bounds, and what is
// told of it by SACK (RFC 2018) and DSACK (RFC 2883).
#include <string.h>
#include "script.h"

static uint64_t random_state;

static uint32_t draw(uint32_t below)
{
    random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)((random_state >> 33) % below);
}

static const struct rig_segment *last_out(struct rig *rig)
{
    const struct rig_segment *last = NULL, *next;

    while ((next = rig_take(rig)) != NULL)
        last = next;
    assert_non_null(last);
    return last;
}

// A connection with SACK and no timestamps, so four blocks fit.
static struct rig *opened(struct sl_tcp_conn **conn)
{
    struct sl_tcp_options options = rig_options();
    struct tcp_options syn = {.present = TCP_OPTION_MSS | TCP_OPTION_SACK_PERMITTED, .mss = 1460};
    struct rig *rig = rig_new();

    *conn = rig_open_passive(rig, &options, syn, 65535);
    return rig;
}

static void expect_blocks(struct rig *rig, const uint32_t (*blocks)[2], unsigned n)
{
    const struct rig_segment *out = last_out(rig);

    if (out->options.n_sacks != n || (n != 0) != !!(out->options.present & TCP_OPTION_SACK))
        fail_msg("%u blocks were told; expected %u", out->options.n_sacks, n);
    for (unsigned i = 0; i < n; i++) {
        uint32_t start = out->options.sacks[i].start - rig->peer_isn,
                 end = out->options.sacks[i].end - rig->peer_isn;

        if (start != blocks[i][0] || end != blocks[i][1])
            fail_msg("block %u is %u to %u; expected %u to %u", i, start, end, blocks[i][0], blocks[i][1]);
    }
}

#define BLOCKS(...) (const uint32_t[][2]){__VA_ARGS__}, sizeof((const uint32_t[][2]){__VA_ARGS__}) / 8

// ---- bytes ------------------------------------------------------------------------------------------------------
#define MAP 20000u

static void random_segments_read_as_a_map_of_bytes_would(void **state)
{
    for (unsigned seed = 1; seed <= 150; seed++) {
        static bool have[MAP + 2000];
        struct sl_tcp_conn *conn;
        struct rig *rig = opened(&conn);
        uint32_t next = 0, read = 0, span = 200 + draw(MAP - 200);

        random_state = seed;
        memset(have, 0, sizeof(have));
        for (unsigned step = 0; step < 400 && next < span; step++) {
            uint32_t at = step % 3 ? draw(span) : next + draw(50), len = 1 + draw(draw(4) ? 60 : 1460);

            at = at > span ? span : at;
            say(rig, ACK, 1 + at, len, 1);
            if (((struct tcp_conn *)conn)->n_ranges == TCP_RANGES_MAX)
                break; // from here on it may let go what it had
            memset(have + at, true, len);
            while (have[next])
                next++;
            if (rig_info(conn).rcv_nxt - rig->peer_isn - 1 != next)
                fail_msg("seed %u step %u: rcv_nxt %u; expected %u", seed, step,
                         rig_info(conn).rcv_nxt - rig->peer_isn - 1, next);
            if (draw(5) == 0)
                read += rig_read(rig, conn, read);
        }
        read += rig_read(rig, conn, read);
        assert_int_equal(read, rig_info(conn).rcv_nxt - rig->peer_isn - 1);
        rig_free(rig);
    }
}

static void every_overlap_of_two_ranges_is_cut_right(void **state)
{
    for (uint32_t start = 10; start <= 80; start += 5)
        for (uint32_t len = 1; len <= 60; len += 3) {
            struct sl_tcp_conn *conn;
            struct rig *rig = opened(&conn);

            say(rig, ACK, 1 + 20, 20, 1);
            say(rig, ACK, 1 + 60, 20, 1);
            say(rig, ACK, 1 + start, len, 1);
            for (uint32_t at = 0; at < 150; at += 10)
                say(rig, ACK, 1 + at, 10, 1);
            assert_int_equal(rig_read(rig, conn, 0), 150);
            rig_free(rig);
        }
}

static void the_last_segment_first(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = opened(&conn);

    for (int i = 39; i >= 0; i--)
        say(rig, ACK, 1 + (uint32_t)i * 1000, 1000, 1);
    assert_int_equal(rig_read(rig, conn, 0), 40000);
    rig_free(rig);
}

// ---- bounds -----------------------------------------------------------------------------------------------------
static unsigned ranges(struct sl_tcp_conn *conn)
{
    return ((struct tcp_conn *)conn)->n_ranges;
}

// A segment whose acknowledgement nobody waits for: thousands of them, without a look at all of it after each.
static void put_fast(struct rig *rig, uint32_t seq, uint32_t len)
{
    struct sl_tcp_in in = {.src = rig->remote,
                           .dst = rig->local,
                           .sport = rig->remote_port,
                           .dport = rig->local_port,
                           .seq = rig->peer_isn + seq,
                           .ack = rig->isn + 1,
                           .window = 65535,
                           .flags = ACK,
                           .payload = rig_chunk(seq - 1, len)};

    if (!sl_tcp_input(rig->tcp, &in, rig->now_us))
        rig_buffers.release(in.payload.owner);
}

// Every second segment is lost, as where slow start has filled a queue.
static void rfc2018_3_each_of_hundreds_of_ranges_is_kept_and_told(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = opened(&conn);

    for (uint32_t i = 1; i <= 500; i++) {
        say(rig, ACK, 1 + i * 40, 20, 1);
        assert_int_equal(last_out(rig)->options.sacks[0].start - rig->peer_isn, 1 + i * 40);
    }
    assert_int_equal(ranges(conn), 500);
    assert_int_equal(COUNTER(rig, refused_memory), 0);
    for (uint32_t i = 1; i <= 500; i++)
        say(rig, ACK, 1 + i * 40 - 20, 20, 1);
    assert_int_equal(ranges(conn), 1);
    say(rig, ACK, 1, 20, 1);
    assert_int_equal(rig_read(rig, conn, 0), 20020);
    rig_free(rig);
}

static unsigned depth(const struct sl_tcp_engine *tcp, uint32_t root)
{
    unsigned left, right;

    if (root == TCP_NONE)
        return 0;
    left = depth(tcp, tcp_item_at(tcp, root)->left);
    right = depth(tcp, tcp_item_at(tcp, root)->right);
    return 1 + (left > right ? left : right);
}

// Orders that make a list, or a tree that nothing balances, as long as there are ranges.
static uint32_t place(unsigned order, uint32_t i, uint32_t n)
{
    return order == 0 ? i : order == 1 ? n - i : i % 2 ? i : n - i;
}

static void cve_2018_5390_no_order_makes_the_way_to_a_range_long(void **state)
{
    const uint32_t n = 3000;

    for (unsigned order = 0; order < 3; order++) {
        struct sl_tcp_conn *conn;
        struct rig *rig = opened(&conn);

        for (uint32_t i = 0; i < n; i++)
            put_fast(rig, 11 + 20 * place(order, i, n), 10);
        assert_in_range(ranges(conn), n / 2, n);
        assert_in_range(depth(rig->tcp, ((struct tcp_conn *)conn)->rx_ranges), 10, 50);
        rig_flush(rig);
        rig_free(rig);
    }
}

static struct rig *opened_with_pool(uint32_t buffers_held, uint32_t window, struct sl_tcp_conn **conn)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_config config;
    struct rig *rig;

    options.rx_initial_bytes = options.rx_bytes = window;
    rig_config(&config);
    config.buffers_held = buffers_held;
    rig = rig_new_with(&config, false);
    *conn = rig_open_passive(rig, &options, rig_full_syn(), 65535);
    return rig;
}

// What was told is kept: a range too many is refused, and a hole at the front still fills.
static void rfc2018_8_a_range_too_many_is_refused_and_none_gives_way(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = opened_with_pool(400, 65535, &conn);
    uint32_t kept, read = 0;

    for (uint32_t i = 200; i > 0; i--)
        say(rig, ACK, 1 + i * 20, 10, 1);
    kept = ranges(conn);
    assert_in_range(kept, 50, 100);
    assert_int_equal(COUNTER(rig, refused_memory), 200 - kept);
    say(rig, ACK, 1 + 200 * 20 + 10, 10, 1); // one of them may still grow
    assert_int_equal(ranges(conn), kept);
    for (uint32_t i = 0; i <= 200 - kept; i++) {
        say(rig, ACK, 1 + i * 20, 10, 1);
        say(rig, ACK, 11 + i * 20, 10, 1);
        read += rig_read(rig, conn, read);
    }
    for (uint32_t i = 200 - kept + 1; i < 200; i++)
        say(rig, ACK, 11 + i * 20, 10, 1);
    assert_int_equal(read + rig_read(rig, conn, read), 201 * 20);
    assert_int_equal(rig->tcp->items.used, 0);
    rig_free(rig);
}

static void cve_2018_5390_ranges_have_a_limit_whatever_the_memory(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = opened_with_pool(65536, 1u << 20, &conn);

    for (uint32_t i = 1; i <= TCP_RANGES_MAX + 100; i++)
        put_fast(rig, 1 + i * 2, 1);
    assert_int_equal(ranges(conn), TCP_RANGES_MAX);
    rig_free(rig);
}

static void one_segment_over_all_ranges_replaces_them(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = opened(&conn);

    for (uint32_t i = 1; i <= 50; i++)
        say(rig, ACK, 1 + i * 20, 10, 1);
    say(rig, ACK, 11, 1400, 1);
    assert_int_equal(ranges(conn), 1);
    assert_int_equal(rig_blocks, 1);
    say(rig, ACK, 1, 10, 1);
    assert_int_equal(rig_read(rig, conn, 0), 1410);
    rig_free(rig);
}

static void buffers_of_bytes_twice_received_are_given_back(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = opened(&conn);

    for (unsigned i = 0; i < 50; i++)
        say(rig, ACK, 101, 100, 1);
    assert_int_equal(rig_blocks, 1);
    assert_int_equal(rig->tcp->rx_charge, 100);
    say(rig, ACK, 1, 300, 1);
    assert_int_equal(rig_read(rig, conn, 0), 300);
    assert_int_equal(rig->tcp->rx_charge, 0);
    assert_int_equal(rig_blocks, 0);
    rig_free(rig);
}

static void what_is_out_of_order_counts_as_memory(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_config config;
    struct sl_tcp_conn *conn;
    struct rig *rig;

    rig_config(&config);
    config.rx_bytes = 20000;
    rig = rig_new_with(&config, false);
    conn = rig_open_passive(rig, &options, rig_full_syn(), 65535);
    for (uint32_t i = 1; i < 40; i++)
        say(rig, ACK, 1 + i * 1000, 900, 1);
    assert_in_range(rig->tcp->rx_charge, 900, 10000);
    assert_in_range(ranges(conn), 1, 11);
    rig_free(rig);
}

// Else a hole at the front would wait for memory that what lies behind it holds, for ever.
static void the_segment_that_lacks_displaces_what_lies_behind_it(void **state)
{
    for (unsigned pool = 0; pool < 2; pool++) {
        struct sl_tcp_options options = rig_options();
        struct sl_tcp_config config;
        struct sl_tcp_conn *conn;
        struct rig *rig;
        uint32_t read = 0;

        rig_config(&config);
        if (pool)
            config.buffers_held = 10;
        else
            config.rx_bytes = 20000;
        rig = rig_new_with(&config, false);
        conn = rig_open_passive(rig, &options, rig_full_syn(), 65535);
        for (uint32_t i = 1; i < 40; i++)
            say(rig, ACK, 1 + i * 1000, 900, 1);
        for (uint32_t i = 0; i < 400; i++) {
            say(rig, ACK, 1 + i * 100, 100, 1);
            read += rig_read(rig, conn, read);
        }
        assert_int_equal(read, 40000);
        rig_free(rig);
    }
}

static void what_was_displaced_is_told_no_longer(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct sl_tcp_config config;
    struct rig *rig;

    rig_config(&config);
    config.rx_bytes = 4000;
    rig = rig_new_with(&config, false);
    rig_open_passive(rig, &options,
                     (struct tcp_options){.present = TCP_OPTION_MSS | TCP_OPTION_SACK_PERMITTED, .mss = 1460}, 65535);
    say(rig, ACK, 1001, 900, 1);
    say(rig, ACK, 3001, 900, 1);
    expect_blocks(rig, BLOCKS({3001, 3901}, {1001, 1901}));
    say(rig, ACK, 1, 500, 1);
    expect_blocks(rig, BLOCKS({1001, 1901}));
    rig_free(rig);
}

static void a_reset_or_abort_gives_all_of_it_back(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = opened(&conn);

    for (uint32_t i = 1; i < 40; i++)
        say(rig, ACK, 1 + i * 100, 50, 1);
    sl_tcp_abort(conn, rig->now_us);
    assert_int_equal(rig_blocks, 0);
    assert_int_equal(rig->tcp->items.used, 0);
    rig_free(rig);
}

// ---- SACK -------------------------------------------------------------------------------------------------------
static void rfc2018_4_the_first_block_is_of_the_latest_segment(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = opened(&conn);

    say(rig, ACK, 201, 100, 1);
    expect_blocks(rig, BLOCKS({201, 301}));
    say(rig, ACK, 601, 100, 1);
    expect_blocks(rig, BLOCKS({601, 701}, {201, 301}));
    say(rig, ACK, 401, 100, 1);
    expect_blocks(rig, BLOCKS({401, 501}, {601, 701}, {201, 301}));
    say(rig, ACK, 301, 50, 1); // an old one grows: it is the latest
    expect_blocks(rig, BLOCKS({201, 351}, {401, 501}, {601, 701}));
    rig_free(rig);
}

static void rfc2018_4_blocks_that_meet_become_one(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = opened(&conn);

    say(rig, ACK, 201, 100, 1);
    say(rig, ACK, 401, 100, 1);
    say(rig, ACK, 301, 100, 1);
    expect_blocks(rig, BLOCKS({201, 501}));
    rig_free(rig);
}

static void rfc2018_4_four_blocks_at_most_and_three_beside_timestamps(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = opened(&conn);

    for (uint32_t i = 1; i <= 6; i++)
        say(rig, ACK, 1 + i * 100, 50, 1);
    expect_blocks(rig, BLOCKS({601, 651}, {501, 551}, {401, 451}, {301, 351}));
    rig_free(rig);
    rig = rig_new();
    script_open_full(rig);
    for (uint32_t i = 1; i <= 6; i++)
        say(rig, ACK, 1 + i * 100, 50, 1);
    expect_blocks(rig, BLOCKS({601, 651}, {501, 551}, {401, 451}));
    rig_free(rig);
}

static void blocks_go_as_their_bytes_are_acknowledged(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = opened(&conn);

    say(rig, ACK, 201, 100, 1);
    say(rig, ACK, 401, 100, 1);
    say(rig, ACK, 1, 200, 1);
    expect_blocks(rig, BLOCKS({401, 501}));
    say(rig, ACK, 301, 100, 1);
    expect_blocks(rig, NULL, 0);
    rig_free(rig);
}

static void rfc2018_2_nothing_is_told_to_who_did_not_ask(void **state)
{
    struct rig *rig = rig_new();

    script_open(rig);
    say(rig, ACK, 201, 100, 1);
    expect_blocks(rig, NULL, 0);
    rig_free(rig);
}

static void data_carries_the_blocks_too(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = opened(&conn);

    say(rig, ACK, 201, 100, 1);
    rig_send(rig, conn, 0, 2000);
    rig_drop_out(rig);
    assert_int_equal(rig->out[rig->n_out - 1]->options.n_sacks, 1);
    for (unsigned i = 0; i < rig->n_out; i++) // and gives way for them
        assert_in_range(rig->out[i]->out.len + rig->out[i]->out.options_len, 0, 1460);
    rig_free(rig);
}

// ---- DSACK --------------------------------------------------------------------------------------------------------
static void rfc2883_4_1_1_a_whole_old_segment(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = opened(&conn);

    say(rig, ACK, 1, 500, 1);
    say(rig, ACK, 1, 500, 1);
    expect_blocks(rig, BLOCKS({1, 501}));
    assert_int_equal(COUNTER(rig, dsacks_out), 1);
    rig_free(rig);
}

static void rfc2883_4_1_2_with_a_block_behind_it(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = opened(&conn);

    say(rig, ACK, 1, 500, 1);
    say(rig, ACK, 1001, 500, 1);
    say(rig, ACK, 1, 500, 1);
    expect_blocks(rig, BLOCKS({1, 501}, {1001, 1501}));
    rig_free(rig);
}

static void rfc2883_4_1_3_of_a_segment_out_of_order(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = opened(&conn);

    say(rig, ACK, 501, 500, 1);
    say(rig, ACK, 501, 500, 1);
    expect_blocks(rig, BLOCKS({501, 1001}, {501, 1001}));
    rig_free(rig);
}

static void rfc2883_4_2_1_a_part_of_a_segment_that_fills_a_hole(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = opened(&conn);

    say(rig, ACK, 501, 500, 1);
    say(rig, ACK, 1, 1000, 1);
    expect_blocks(rig, BLOCKS({501, 1001}));
    assert_int_equal(rig_read(rig, conn, 0), 1000);
    rig_free(rig);
}

static void rfc2883_4_2_of_several_parts_the_first_is_told(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = opened(&conn);

    say(rig, ACK, 501, 500, 1);
    say(rig, ACK, 2001, 500, 1);
    say(rig, ACK, 4001, 500, 1);
    say(rig, ACK, 1, 3000, 1);
    expect_blocks(rig, BLOCKS({501, 1001}, {4001, 4501}));
    say(rig, ACK, 6001, 500, 1);
    say(rig, ACK, 3501, 4000, 1);
    expect_blocks(rig, BLOCKS({4001, 4501}, {3501, 7501}));
    say(rig, ACK, 2501, 5000, 1); // what lies before the hole is old as well, and comes first
    expect_blocks(rig, BLOCKS({2501, 3001}));
    rig_free(rig);
}

static void rfc2883_4_2_2_a_part_of_a_range_comes_again(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = opened(&conn);

    say(rig, ACK, 501, 500, 1);
    say(rig, ACK, 601, 100, 1);
    expect_blocks(rig, BLOCKS({601, 701}, {501, 1001}));
    rig_free(rig);
}

static void an_old_front_and_new_text(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = opened(&conn);

    say(rig, ACK, 1, 500, 1);
    say(rig, ACK, 401, 200, 1);
    expect_blocks(rig, BLOCKS({401, 501}));
    rig_free(rig);
}

static void each_duplicate_is_told_once(void **state)
{
    struct sl_tcp_conn *conn;
    struct rig *rig = opened(&conn);

    say(rig, ACK, 1, 500, 1);
    say(rig, ACK, 1, 500, 1);
    expect_blocks(rig, BLOCKS({1, 501}));
    say(rig, ACK, 501, 500, 1);
    expect_blocks(rig, NULL, 0);
    rig_free(rig);
}

static void rfc2883_none_is_told_to_who_did_not_ask(void **state)
{
    struct rig *rig = rig_new();

    script_open(rig);
    say(rig, ACK, 1, 500, 1);
    say(rig, ACK, 1, 500, 1);
    expect_blocks(rig, NULL, 0);
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(random_segments_read_as_a_map_of_bytes_would),
        T(every_overlap_of_two_ranges_is_cut_right),
        T(the_last_segment_first),
        T(rfc2018_3_each_of_hundreds_of_ranges_is_kept_and_told),
        T(cve_2018_5390_no_order_makes_the_way_to_a_range_long),
        T(rfc2018_8_a_range_too_many_is_refused_and_none_gives_way),
        T(cve_2018_5390_ranges_have_a_limit_whatever_the_memory),
        T(one_segment_over_all_ranges_replaces_them),
        T(buffers_of_bytes_twice_received_are_given_back),
        T(what_is_out_of_order_counts_as_memory),
        T(the_segment_that_lacks_displaces_what_lies_behind_it),
        T(what_was_displaced_is_told_no_longer),
        T(a_reset_or_abort_gives_all_of_it_back),
        T(rfc2018_4_the_first_block_is_of_the_latest_segment),
        T(rfc2018_4_blocks_that_meet_become_one),
        T(rfc2018_4_four_blocks_at_most_and_three_beside_timestamps),
        T(blocks_go_as_their_bytes_are_acknowledged),
        T(rfc2018_2_nothing_is_told_to_who_did_not_ask),
        T(data_carries_the_blocks_too),
        T(rfc2883_4_1_1_a_whole_old_segment),
        T(rfc2883_4_1_2_with_a_block_behind_it),
        T(rfc2883_4_1_3_of_a_segment_out_of_order),
        T(rfc2883_4_2_1_a_part_of_a_segment_that_fills_a_hole),
        T(rfc2883_4_2_of_several_parts_the_first_is_told),
        T(rfc2883_4_2_2_a_part_of_a_range_comes_again),
        T(an_old_front_and_new_text),
        T(each_duplicate_is_told_once),
        T(rfc2883_none_is_told_to_who_did_not_ask),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
