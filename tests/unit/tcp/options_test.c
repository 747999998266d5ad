// SPDX-License-Identifier: Apache-2.0
// TCP options, read and written: what they say and every lie that a peer can tell (RFC 9293 sections 3.1, 3.2).
#include <stdlib.h>
#include <string.h>
#include "script.h"

#define BYTES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

static struct tcp_options read_of(const uint8_t *bytes, size_t len, bool on_syn)
{
    struct tcp_options options;
    uint8_t *exact = malloc(len ? len : 1); // of the very length: a read beyond it is seen by the sanitizer

    assert_non_null(exact);
    memcpy(exact, bytes, len);
    memset(&options, 0xee, sizeof(options));
    tcp_options_read(&options, exact, len, on_syn);
    free(exact);
    return options;
}

struct row {
    const char *name;
    uint8_t len, bytes[40];
    uint8_t on_syn, elsewhere; // what is there
};

static const struct row rows[] = {
    {"nothing", 0, {0}, 0, 0},
    {"end of list", 4, {0, 0, 0, 0}, 0, 0},
    {"no-operations alone", 4, {1, 1, 1, 1}, 0, 0},
    {"MSS", 4, {2, 4, 5, 180}, TCP_OPTION_MSS, 0},
    {"MSS of zero", 4, {2, 4, 0, 0}, 0, 0},
    {"MSS too short", 4, {2, 3, 5, 1}, 0, 0},
    {"MSS too long", 8, {2, 5, 5, 180, 1, 1, 1, 1}, 0, 0},
    {"scale", 4, {3, 3, 7, 1}, TCP_OPTION_WSCALE, 0},
    {"scale too long", 4, {3, 4, 7, 1}, 0, 0},
    {"scale too short", 4, {3, 2, 1, 1}, 0, 0},
    {"SACK permitted", 4, {4, 2, 1, 1}, TCP_OPTION_SACK_PERMITTED, 0},
    {"SACK permitted too long", 4, {4, 3, 1, 1}, 0, 0},
    {"one SACK block", 12, {1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2}, 0, TCP_OPTION_SACK},
    {"SACK without a block", 4, {5, 2, 1, 1}, 0, 0},
    {"SACK of half a block", 8, {5, 6, 0, 0, 0, 1, 1, 1}, 0, 0},
    {"SACK of one and a half blocks", 16, {5, 14, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 1, 1}, 0, 0},
    {"timestamps", 12, {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2}, TCP_OPTION_TIMESTAMPS, TCP_OPTION_TIMESTAMPS},
    {"timestamps not aligned",
     12,
     {8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1},
     TCP_OPTION_TIMESTAMPS,
     TCP_OPTION_TIMESTAMPS},
    {"timestamps at an odd place",
     12,
     {1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 0},
     TCP_OPTION_TIMESTAMPS,
     TCP_OPTION_TIMESTAMPS},
    {"timestamps too short", 12, {8, 9, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1}, 0, 0},
    {"timestamps too long", 12, {8, 11, 0, 0, 0, 1, 0, 0, 0, 2, 0, 1}, 0, 0},
    {"unknown kind stepped over", 8, {77, 4, 9, 9, 2, 4, 5, 180}, TCP_OPTION_MSS, 0},
    {"unknown kind of length 2", 8, {254, 2, 1, 1, 2, 4, 5, 180}, TCP_OPTION_MSS, 0},
    {"length zero", 8, {77, 0, 1, 1, 2, 4, 5, 180}, 0, 0},
    {"length one", 8, {77, 1, 1, 1, 2, 4, 5, 180}, 0, 0},
    {"length beyond the end", 8, {2, 4, 5, 180, 77, 5, 1, 1}, TCP_OPTION_MSS, 0},
    {"length 255", 4, {77, 255, 1, 1}, 0, 0},
    {"kind without a length at the end", 4, {1, 1, 1, 8}, 0, 0},
    {"known option cut off", 4, {1, 1, 2, 4}, 0, 0},
    {"timestamps cut off", 8, {8, 10, 0, 0, 0, 1, 0, 0}, 0, 0},
    {"behind the end of the list", 8, {0, 2, 4, 5, 2, 4, 5, 180}, 0, 0},
    {"Fast Open asks for a cookie", 4, {34, 2, 1, 1}, TCP_OPTION_TFO, 0},
    {"Fast Open cookie", 12, {34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1}, TCP_OPTION_TFO, 0},
    {"Fast Open cookie of 3 bytes", 8, {34, 5, 1, 2, 3, 1, 1, 1}, 0, 0},
    {"Fast Open cookie of 2 bytes", 4, {34, 4, 1, 2}, 0, 0},
    {"Fast Open cookie of 18 bytes", 20, {34, 20}, 0, 0},
};

static void must_4_to_7_what_is_there_counts_and_lies_end_the_reading(void **state)
{
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t syn = read_of(rows[i].bytes, rows[i].len, true).present;
        uint8_t other = read_of(rows[i].bytes, rows[i].len, false).present;

        if (syn != rows[i].on_syn || other != rows[i].elsewhere)
            fail_msg("%s: %02x on a SYN, %02x elsewhere", rows[i].name, syn, other);
    }
}

static void values_are_read_in_network_order(void **state)
{
    struct tcp_options options =
        read_of(BYTES(2, 4, 0x12, 0x34, 1, 3, 3, 9, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8), true);

    assert_int_equal(options.mss, 0x1234);
    assert_int_equal(options.wscale, 9);
    assert_int_equal(options.tsval, 0x01020304);
    assert_int_equal(options.tsecr, 0x05060708);
}

static void the_short_way_reads_the_same_as_the_long_one(void **state)
{
    struct tcp_options quick = read_of(BYTES(1, 1, 8, 10, 0xff, 2, 3, 4, 5, 6, 7, 0x80), false);
    struct tcp_options slow = read_of(BYTES(1, 1, 8, 10, 0xff, 2, 3, 4, 5, 6, 7, 0x80, 1, 1, 1, 1), false);

    assert_int_equal(quick.present, slow.present);
    assert_int_equal(quick.tsval, slow.tsval);
    assert_int_equal(quick.tsecr, slow.tsecr);
    assert_int_equal(quick.n_sacks, 0);
    assert_int_equal(quick.tfo_len, 0);
}

static void rfc7323_2_3_a_scale_above_14_counts_as_14(void **state)
{
    for (unsigned shift = 0; shift < 256; shift++)
        assert_int_equal(read_of(BYTES(3, 3, (uint8_t)shift, 0), true).wscale, shift > 14 ? 14 : shift);
}

static void the_second_of_a_kind_counts(void **state)
{
    assert_int_equal(read_of(BYTES(2, 4, 1, 0, 2, 4, 2, 0), true).mss, 512);
    assert_int_equal(
        read_of(BYTES(8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 8, 10, 0, 0, 0, 3, 0, 0, 0, 4), false).tsval, 3);
}

static void four_sack_blocks_are_read(void **state)
{
    uint8_t bytes[36] = {1, 1, 5, 34};
    struct tcp_options options;

    for (unsigned i = 0; i < 8; i++)
        bytes[4 + 4 * i + 3] = (uint8_t)(10 + i);
    options = read_of(bytes, sizeof(bytes), false);
    assert_int_equal(options.n_sacks, 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(options.sacks[i].start, 10 + 2 * i);
        assert_int_equal(options.sacks[i].end, 11 + 2 * i);
    }
}

static uint32_t draw(uint64_t *random)
{
    *random = *random * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(*random >> 33);
}

static void must_7_random_bytes_do_no_harm(void **state)
{
    uint64_t random = 42;

    for (unsigned i = 0; i < 200000; i++) {
        uint8_t bytes[40];
        size_t len = draw(&random) % 41;
        struct tcp_options options;

        for (unsigned b = 0; b < len; b++)
            bytes[b] = draw(&random) % 3 ? (uint8_t)(draw(&random) % 12) : (uint8_t)draw(&random);
        options = read_of(bytes, len, i & 1);
        assert_in_range(options.n_sacks, 0, TCP_SACKS_MAX);
        assert_in_range(options.tfo_len, 0, TCP_TFO_MAX);
        if (options.present & TCP_OPTION_WSCALE)
            assert_in_range(options.wscale, 0, TCP_WSCALE_MAX);
        if (options.present & TCP_OPTION_MSS)
            assert_in_range(options.mss, 1, 65535);
    }
}

// ---- writing ------------------------------------------------------------------------------------------------------
static void what_is_written_is_read_back(void **state)
{
    for (unsigned present = 0; present < 64; present++)
        for (uint8_t n_sacks = 1; n_sacks <= 4; n_sacks++) {
            bool on_syn =
                present & (TCP_OPTION_MSS | TCP_OPTION_WSCALE | TCP_OPTION_SACK_PERMITTED | TCP_OPTION_TFO);
            struct tcp_options in = {.present = (uint8_t)present,
                                     .mss = 1234,
                                     .wscale = 5,
                                     .tsval = 0xfffffffe,
                                     .tsecr = 3,
                                     .n_sacks = n_sacks,
                                     .tfo_len = 8,
                                     .tfo = {1, 2, 3, 4, 5, 6, 7, 8},
                                     .sacks = {{1, 2}, {0xfffffff0, 4}, {5, 6}, {7, 8}}};
            uint8_t bytes[TCP_OPTIONS_MAX + 8];
            struct tcp_options out;
            unsigned len;

            if (on_syn && present & TCP_OPTION_SACK)
                continue;
            memset(bytes, 0x55, sizeof(bytes));
            len = tcp_options_write(bytes, &in);
            assert_int_equal(len % 4, 0);
            assert_in_range(len, 0, TCP_OPTIONS_MAX);
            for (unsigned i = len; i < sizeof(bytes); i++)
                if (i >= TCP_OPTIONS_MAX)
                    assert_int_equal(bytes[i], 0x55);
            out = read_of(bytes, len, on_syn);
            assert_int_equal(out.present, present);
            if (present & TCP_OPTION_TIMESTAMPS)
                assert_int_equal(out.tsval, in.tsval);
            if (present & TCP_OPTION_TFO)
                assert_memory_equal(out.tfo, in.tfo, 8);
            if (present & TCP_OPTION_SACK)
                assert_int_equal(out.n_sacks, present & TCP_OPTION_TIMESTAMPS && n_sacks > 3 ? 3 : n_sacks);
        }
}

static void a_syns_options_stand_as_linux_has_them(void **state)
{
    static const uint8_t want[] = {2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7};
    struct tcp_options options = rig_full_syn();
    uint8_t bytes[TCP_OPTIONS_MAX];

    options.tsval = 1;
    assert_int_equal(tcp_options_write(bytes, &options), sizeof(want));
    assert_memory_equal(bytes, want, sizeof(want));
}

// MUST-68: each but the two of one byte has its length, so that the list can be walked by who knows none of them.
static void must_68_every_written_option_has_its_length(void **state)
{
    for (unsigned present = 0; present < 64; present++) {
        struct tcp_options in = {.present = (uint8_t)present, .mss = 1, .n_sacks = 2, .tfo_len = 4};
        uint8_t bytes[TCP_OPTIONS_MAX];
        unsigned len = tcp_options_write(bytes, &in), at = 0;

        while (at < len)
            at += bytes[at] == 1 ? 1u : bytes[at + 1];
        assert_int_equal(at, len);
    }
}

// ---- on connections -----------------------------------------------------------------------------------------------
// MUST-5: options may come on any segment; what may only stand on a SYN changes nothing elsewhere (MUST-65's
// other side).
static void must_5_options_on_any_segment_do_no_harm(void **state)
{
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig *rig = rig_new();
        struct sl_tcp_conn *conn = script_open(rig);
        struct sl_tcp_info before = rig_info(conn), after;

        say_bytes(rig, ACK, 1, 1, rows[i].bytes, rows[i].len);
        after = rig_info(conn);
        assert_int_equal(after.snd_mss, before.snd_mss);
        assert_int_equal(after.snd_wscale, before.snd_wscale);
        assert_int_equal(after.timestamps, before.timestamps);
        expect_state(conn, SL_TCP_ESTABLISHED);
        rig_free(rig);
    }
}

static void must_7_a_syn_with_lying_options_opens_all_the_same(void **state)
{
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sl_tcp_options options = rig_options();
        struct rig *rig = rig_new();

        rig_listen(rig, &options);
        say_bytes(rig, SYN, 0, 0, rows[i].bytes, rows[i].len);
        rig_expect(rig, SYN | ACK, 0, 0, 1);
        rig_free(rig);
    }
}

static void must_65_the_mss_is_told_on_syns_alone(void **state)
{
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open_full(rig);

    rig_send(rig, conn, 0, 5000);
    say(rig, ACK, 1, 1000, 1449);
    sl_tcp_close(conn, rig->now_us);
    rig_flush(rig);
    for (unsigned i = 1; i < rig->n_out; i++)
        for (unsigned at = 0; at < rig->out[i]->out.options_len;) {
            assert_int_not_equal(rig->out[i]->out.options[at], 2);
            at += rig->out[i]->out.options[at] == 1 ? 1u : rig->out[i]->out.options[at + 1];
        }
    rig_free(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(must_4_to_7_what_is_there_counts_and_lies_end_the_reading),
        T(values_are_read_in_network_order),
        T(the_short_way_reads_the_same_as_the_long_one),
        T(rfc7323_2_3_a_scale_above_14_counts_as_14),
        T(the_second_of_a_kind_counts),
        T(four_sack_blocks_are_read),
        T(must_7_random_bytes_do_no_harm),
        T(what_is_written_is_read_back),
        T(a_syns_options_stand_as_linux_has_them),
        T(must_68_every_written_option_has_its_length),
        T(must_5_options_on_any_segment_do_no_harm),
        T(must_7_a_syn_with_lying_options_opens_all_the_same),
        T(must_65_the_mss_is_told_on_syns_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
