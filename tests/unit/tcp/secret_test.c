// SPDX-License-Identifier: Apache-2.0
// What strangers must not guess: SipHash-2-4, initial sequence numbers (RFC 6528), timestamp offsets, Fast Open
// cookies.
#include <string.h>
#include "script.h"

static const struct tcp_secret other = {{0x1111111111111111, 0x2222222222222222}};

// Appendix A of the paper: key 00 01 … 0f, input 00 01 … 0e; and the reference implementation's vectors of other
// lengths.
static void siphash_2_4_gives_the_official_vectors(void **state)
{
    static const struct tcp_secret key = {{0x0706050403020100, 0x0f0e0d0c0b0a0908}};
    static const struct {
        unsigned len;
        uint64_t hash;
    } rows[] = {{0, 0x726fdb47dd0e0e31}, {1, 0x74f839c593dc67fd},  {7, 0xab0200f58b01d137},
                {8, 0x93f5f5799a932462}, {15, 0xa129ca6149be45e5}, {63, 0x958a324ceb064572}};
    uint8_t input[64];

    for (unsigned i = 0; i < sizeof(input); i++)
        input[i] = (uint8_t)i;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (tcp_siphash(&key, input, rows[i].len) != rows[i].hash)
            fail_msg("%u bytes: %016lx", rows[i].len, tcp_siphash(&key, input, rows[i].len));
}

static struct tcp_tuple tuple(void)
{
    struct tcp_tuple tuple = {.local_port = 1, .remote_port = 2};

    sl_ip_parse("192.0.2.1", &tuple.local);
    sl_ip_parse("192.0.2.2", &tuple.remote);
    return tuple;
}

// ---- ISN --------------------------------------------------------------------------------------------------------
static void must_8_an_isn_advances_once_in_4_microseconds(void **state)
{
    struct tcp_tuple t = tuple();
    uint32_t first = tcp_isn(&other, &t, 1000);

    assert_int_equal(tcp_isn(&other, &t, 1004) - first, 1);
    assert_int_equal(tcp_isn(&other, &t, 1000 + 4 * 1000000) - first, 1000000);
    assert_int_equal(tcp_isn(&other, &t, 1000 + (4ull << 32)), first); // around in 4.77 hours
}

static void shld_1_isns_of_different_tuples_and_keys_have_nothing_in_common(void **state)
{
    struct tcp_secret key = other;
    uint32_t isns[6];

    for (unsigned i = 0; i < 6; i++) {
        struct tcp_tuple t = tuple();

        key = other;
        t.local_port += i == 1;
        t.remote_port += i == 2;
        t.local.b[15] += i == 3;
        t.remote.b[15] += i == 4;
        key.k[1] += i == 5;
        isns[i] = tcp_isn(&key, &t, 1000);
    }
    for (unsigned i = 0; i < 6; i++)
        for (unsigned k = i + 1; k < 6; k++)
            assert_in_range(isns[i] - isns[k] + 100000, 200001, UINT32_MAX);
}

// MUST-9: nothing that the same key makes for another purpose tells an ISN.
static void must_9_purposes_do_not_share_a_hash(void **state)
{
    struct tcp_tuple t = tuple();
    uint32_t isn = tcp_isn(&other, &t, 0), offset = tcp_timestamp_offset(&other, &t), tfo;
    uint8_t cookie[8];

    tcp_tfo_cookie(&other, &t.remote, 0, cookie);
    memcpy(&tfo, cookie, 4);
    assert_int_not_equal(isn, offset);
    assert_int_not_equal(isn, tfo);
    assert_int_not_equal(offset, tfo);
}

static void connections_take_their_isn_from_tuple_and_clock(void **state)
{
    struct sl_tcp_options options = script_bare();
    struct rig *rig = rig_new();
    uint32_t first;

    script_connect(rig, &options);
    first = rig->isn;
    rig_free(rig);
    rig = rig_new();
    rig->now_us += 400;
    script_connect(rig, &options);
    assert_int_equal(rig->isn - first, 100);
    rig_free(rig);
}

// ---- timestamps ---------------------------------------------------------------------------------------------------
static void timestamp_offsets_depend_on_the_addresses_alone(void **state)
{
    struct tcp_tuple a = tuple(), b = tuple();

    b.local_port = 77;
    b.remote_port = 78;
    assert_int_equal(tcp_timestamp_offset(&other, &a), tcp_timestamp_offset(&other, &b));
    b.remote.b[15]++;
    assert_int_not_equal(tcp_timestamp_offset(&other, &a), tcp_timestamp_offset(&other, &b));
}

// ---- Fast Open ----------------------------------------------------------------------------------------------------
static void rfc7413_4_1_2_a_cookie_is_an_addresss_own(void **state)
{
    struct tcp_tuple t = tuple();
    uint8_t a[8], b[8], c[8];

    tcp_tfo_cookie(&other, &t.remote, 5, a);
    tcp_tfo_cookie(&other, &t.remote, 5, b);
    assert_memory_equal(a, b, 8);
    tcp_tfo_cookie(&other, &t.remote, 6, c);
    assert_memory_not_equal(a, c, 8);
    t.remote.b[15]++;
    tcp_tfo_cookie(&other, &t.remote, 5, c);
    assert_memory_not_equal(a, c, 8);
}

// ---- cookies --------------------------------------------------------------------------------------------------------
static void a_cookie_says_what_was_put_in_for_any_tuple_and_number(void **state)
{
    uint64_t random = 7;

    for (unsigned i = 0; i < 20000; i++) {
        struct tcp_tuple t = tuple();
        struct tcp_options syn = {.present = TCP_OPTION_MSS, .mss = 1460}, ack = {0};
        struct tcp_cookie out;
        uint32_t isn, cookie, tsval;

        random = random * 6364136223846793005ull + 1442695040888963407ull;
        isn = (uint32_t)(random >> 32);
        tsval = (uint32_t)random;
        t.remote_port = (sl_be16)(random >> 20);
        t.remote.b[13] = (uint8_t)(random >> 40);
        if (i & 1) {
            syn.present |= TCP_OPTION_TIMESTAMPS | (i & 2 ? TCP_OPTION_SACK_PERMITTED : 0) |
                           (i & 4 ? TCP_OPTION_WSCALE : 0);
            syn.wscale = i / 8 % 15;
        }
        cookie = tcp_cookie_make(&other, &t, isn, &syn, i & 16, i * 1000000ull, &tsval);
        ack.present = i & 1 ? TCP_OPTION_TIMESTAMPS : 0;
        ack.tsecr = tsval;
        assert_true(tcp_cookie_check(&other, &t, isn, cookie, &ack, i * 1000000ull + 59000000, &out));
        assert_int_equal(out.mss, 1460);
        assert_int_equal(out.timestamps, i & 1);
        assert_int_equal(out.sack, i & 1 && i & 2);
        assert_int_equal(out.ecn, i & 1 && i & 16);
        assert_int_equal(out.wscale, i & 1 && i & 4 ? i / 8 % 15 : 0xff);
        assert_false(tcp_cookie_check(&other, &t, isn + 1, cookie, &ack, i * 1000000ull, &out));
        assert_false(tcp_cookie_check(&other, &t, isn, cookie, &ack, i * 1000000ull + 120000000, &out));
    }
}

static void guessed_cookies_are_found_out(void **state)
{
    struct tcp_tuple t = tuple();
    struct tcp_options ack = {0};
    struct tcp_cookie out;
    unsigned good = 0;

    for (uint32_t i = 0; i < 1u << 20; i++) // 24 bits of MAC, 2 minutes of 32 good: one in 2^28
        good += tcp_cookie_check(&other, &t, 1, i * 2654435761u, &ack, 0, &out);
    assert_in_range(good, 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(siphash_2_4_gives_the_official_vectors),
        T(must_8_an_isn_advances_once_in_4_microseconds),
        T(shld_1_isns_of_different_tuples_and_keys_have_nothing_in_common),
        T(must_9_purposes_do_not_share_a_hash),
        T(connections_take_their_isn_from_tuple_and_clock),
        T(timestamp_offsets_depend_on_the_addresses_alone),
        T(rfc7413_4_1_2_a_cookie_is_an_addresss_own),
        T(a_cookie_says_what_was_put_in_for_any_tuple_and_number),
        T(guessed_cookies_are_found_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
