// SPDX-License-Identifier: Apache-2.0
// A segment between two joined connections, field by field (tcp/splice.h): what is written, whether the checksum is what
// it would be had the segment been made so, and what of it is believed.
#include "rig.h"
#include <errno.h>
#include <string.h>
#include "tcp/splice.h"
#include "wire/checksum.h"
#include "wire/emit.h"
#include "wire/l4.h"

#define PAYLOAD 7u // odd

static struct sl_tcp_splice splice;
static struct sl_tcp_saved leg[2];
static uint8_t bytes[80];

// Leg 0: the client's numbers begin at 0x10000000, ours at 0x20000000; leg 1: ours at 0x30000000, the server's at
// 0x40000000. Timestamps 1000, 2000, 3000, 4000 in the same order.
static void legs_set(void)
{
    for (unsigned i = 0; i < 2; i++) {
        leg[i] =
            (struct sl_tcp_saved){.version = SL_TCP_SAVED_VERSION,
                                  .state = SL_TCP_ESTABLISHED,
                                  .flags = SL_TCP_SAVED_TIMESTAMPS | SL_TCP_SAVED_SACK | SL_TCP_SAVED_WSCALE,
                                  .snd_una = i ? 0x30000000u : 0x20000000u,
                                  .rcv_nxt = i ? 0x40000000u : 0x10000000u,
                                  .snd_wnd = 100000,
                                  .max_window = 100000,
                                  .ts_recent = i ? 4000 : 1000,
                                  .tsval = i ? 3000 : 2000,
                                  .peer_mss = 1460,
                                  .told_mss = 1460,
                                  .path_mtu = 1500,
                                  .snd_wscale = i ? 3 : 7,
                                  .rcv_wscale = i ? 9 : 5};
        leg[i].snd_nxt = leg[i].snd_una;
        leg[i].rcv_wup = leg[i].rcv_nxt;
        leg[i].rcv_edge = leg[i].rcv_nxt + 100000;
        leg[i].local_port = sl_be16_of(i ? 50000 : 443);
        leg[i].remote_port = sl_be16_of(i ? 8080 : 40000);
        sl_ip_parse(i ? "198.51.100.254" : "192.0.2.254", &leg[i].local);
        sl_ip_parse(i ? "198.51.100.1" : "192.0.2.1", &leg[i].remote);
    }
}

static void joined(void)
{
    assert_int_equal(sl_tcp_splice_join(&splice, &leg[0], &leg[1]), SL_TCP_SPLICE_JOINED);
}

static int setup(void **state)
{
    legs_set();
    return 0;
}

// ---- segments -----------------------------------------------------------------------------------------------------
static uint64_t pseudo(const struct sl_ip *src, const struct sl_ip *dst, size_t len)
{
    return sl_ip_is_v4(src) ? sl_csum_pseudo_v4(src->w[3], dst->w[3], SL_PROTO_TCP, (uint16_t)len)
                            : sl_csum_pseudo_v6(src, dst, SL_PROTO_TCP, (uint32_t)len);
}

static struct sl_tcp *tcp(void)
{
    return (struct sl_tcp *)bytes;
}

static size_t header_len(void)
{
    return (size_t)(tcp()->data_offset >> 4) * 4;
}

static void make(unsigned from, uint8_t flags, uint32_t seq, uint32_t ack, uint16_t window,
                 const uint8_t *options, uint8_t len, uint32_t payload)
{
    struct sl_emit_tcp emit = {.sport = sl_host16(leg[from].remote_port),
                               .dport = sl_host16(leg[from].local_port),
                               .seq = seq,
                               .ack = ack,
                               .flags = flags,
                               .window = window,
                               .options = options,
                               .options_len = len};
    uint8_t *end = sl_emit_tcp(bytes, &emit);

    tcp()->urgent = 0;
    tcp()->checksum = 0;
    for (uint32_t i = 0; i < payload; i++)
        end[i] = (uint8_t)(i * 59 + 3);
    tcp()->checksum = sl_csum_finish(sl_csum_add(
        pseudo(&leg[from].remote, &leg[from].local, header_len() + payload), bytes, header_len() + payload));
}

static void checksum_is_right(unsigned from, uint32_t payload)
{
    const struct sl_tcp_saved *to = &leg[!from];
    uint64_t sum = pseudo(&to->local, &to->remote, header_len() + payload);

    assert_int_equal(sl_csum_finish(sl_csum_add(sum, bytes, header_len() + payload)), 0);
}

static enum sl_tcp_splice_verdict pass(unsigned from, uint8_t flags, uint32_t seq, uint32_t ack,
                                       uint16_t window, const uint8_t *options, uint8_t len, uint32_t payload)
{
    enum sl_tcp_splice_verdict verdict;

    make(from, flags, seq, ack, window, options, len, payload);
    verdict = sl_tcp_splice(&splice, from, tcp(), header_len(), payload);
    if (verdict <= SL_TCP_SPLICE_STRAY) {
        checksum_is_right(from, payload);
        assert_int_equal(tcp()->sport, leg[!from].local_port);
        assert_int_equal(tcp()->dport, leg[!from].remote_port);
    }
    return verdict;
}

static uint32_t at32(unsigned offset)
{
    uint32_t word;

    memcpy(&word, bytes + 20 + offset, sizeof(word));
    return sl_host32(word);
}

static void put32(uint8_t *at, uint32_t value)
{
    value = sl_be32_of(value);
    memcpy(at, &value, sizeof(value));
}

// ---- fields -------------------------------------------------------------------------------------------------------
static void each_field_becomes_the_other_legs(void **state)
{
    uint8_t options[12] = {1, 1, 8, 10};

    joined();
    put32(options + 4, 1010);
    put32(options + 8, 1990);
    assert_int_equal(pass(0, SL_TCP_ACK | SL_TCP_PSH, 0x10000000, 0x20000000, 100, options, 12, PAYLOAD),
                     SL_TCP_SPLICE_PASS);
    assert_int_equal(sl_host32(tcp()->seq), 0x30000000);
    assert_int_equal(sl_host32(tcp()->ack), 0x40000000);
    assert_int_equal(sl_host16(tcp()->window), 100 << 7 >> 9);
    assert_int_equal(tcp()->flags, SL_TCP_ACK | SL_TCP_PSH);
    assert_int_equal(at32(4), 3010);
    assert_int_equal(at32(8), 3990);

    put32(options + 4, 4020);
    put32(options + 8, 3010);
    assert_int_equal(pass(1, SL_TCP_ACK, 0x40000000, 0x30000007, 1000, options, 12, 0), SL_TCP_SPLICE_PASS);
    assert_int_equal(sl_host32(tcp()->seq), 0x20000000);
    assert_int_equal(sl_host32(tcp()->ack), 0x10000007);
    assert_int_equal(sl_host16(tcp()->window), 1000 << 3 >> 5);
    assert_int_equal(at32(4), 2020);
    assert_int_equal(at32(8), 1010); // what the client said, to the bit
}

static void an_echo_of_nothing_stays_one(void **state)
{
    uint8_t options[12] = {1, 1, 8, 10};

    joined();
    put32(options + 4, 1010);
    assert_int_equal(pass(0, SL_TCP_ACK, 0x10000000, 0x20000000, 100, options, 12, 0), SL_TCP_SPLICE_PASS);
    assert_int_equal(at32(8), 0);
}

static void windows_are_never_rounded_to_nothing_nor_beyond_the_field(void **state)
{
    joined(); // from leg 0: shifted by 7, leaves by 9; from leg 1: by 3, leaves by 5
    pass(0, SL_TCP_ACK, 0x10000000, 0x20000000, 3, NULL, 0, 0);
    assert_int_equal(sl_host16(tcp()->window), 1);
    pass(0, SL_TCP_ACK, 0x10000000, 0x20000000, 0, NULL, 0, 0);
    assert_int_equal(sl_host16(tcp()->window), 0);
    leg[0].snd_wscale = 14;
    leg[1].rcv_wscale = 0;
    joined();
    pass(0, SL_TCP_ACK, 0x10000000, 0x20000000, 65535, NULL, 0, 0);
    assert_int_equal(sl_host16(tcp()->window), 65535);
}

static void blocks_move_with_the_acknowledgement(void **state)
{
    uint8_t options[36] = {1, 1, 5, 34};

    joined();
    for (unsigned i = 0; i < 4; i++) {
        put32(options + 4 + 8 * i, 0x20000100 + 0x1000 * i);
        put32(options + 8 + 8 * i, 0x20000200 + 0x1000 * i);
    }
    put32(options + 4, 0x1fffff00); // a DSACK: below what is acknowledged
    put32(options + 8, 0x1fffff80);
    assert_int_equal(pass(0, SL_TCP_ACK, 0x10000000, 0x20000000, 100, options, 36, PAYLOAD),
                     SL_TCP_SPLICE_PASS);
    assert_int_equal(at32(4), 0x3fffff00);
    assert_int_equal(at32(8), 0x3fffff80);
    for (unsigned i = 1; i < 4; i++) {
        assert_int_equal(at32(4 + 8 * i), 0x40000100 + 0x1000 * i);
        assert_int_equal(at32(8 + 8 * i), 0x40000200 + 0x1000 * i);
    }
}

// One byte of NOP puts numbers at odd offsets: their halves of each word change places in the sum.
static void options_may_stand_anywhere(void **state)
{
    for (unsigned before = 0; before < 4; before++)
        for (unsigned between = 0; between < 4; between++)
            for (unsigned swap = 0; swap < 2; swap++) {
                uint8_t options[40], sack[18] = {5, 18}, stamps[10] = {8, 10};
                unsigned first = swap ? sizeof(sack) : sizeof(stamps), at_sack, at_stamps;

                joined();
                memset(options, 1, sizeof(options));
                put32(sack + 2, 0x20000a01);
                put32(sack + 6, 0x20000b03);
                put32(sack + 10, 0x20001a05);
                put32(sack + 14, 0x20001b07);
                put32(stamps + 2, 1234);
                put32(stamps + 6, 1777);
                at_sack = swap ? before : before + first + between;
                at_stamps = swap ? before + first + between : before;
                memcpy(options + at_sack, sack, sizeof(sack));
                memcpy(options + at_stamps, stamps, sizeof(stamps));
                assert_int_equal(pass(0, SL_TCP_ACK, 0x10000000, 0x20000000, 100, options, 40, PAYLOAD),
                                 SL_TCP_SPLICE_PASS);
                assert_int_equal(at32(at_sack + 2), 0x40000a01);
                assert_int_equal(at32(at_sack + 14), 0x40001b07);
                assert_int_equal(at32(at_stamps + 2), 3234);
                assert_int_equal(at32(at_stamps + 6), 3777);
            }
}

static void lengths_that_lie_end_the_reading(void **state)
{
    static const uint8_t lies[][8] = {{1, 1, 8, 10, 1, 2, 3, 4},
                                      {5, 10, 1, 2, 3, 4, 5, 6},
                                      {5, 0, 5, 0},
                                      {8, 1},
                                      {254},
                                      {1, 1, 1, 1, 1, 1, 1, 5},
                                      {0, 8, 10, 1},
                                      {5, 3, 1, 1, 8}};

    joined();
    for (unsigned i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        assert_int_equal(pass(0, SL_TCP_ACK, 0x10000000, 0x20000000, 100, lies[i], 8, PAYLOAD),
                         SL_TCP_SPLICE_PASS);
        assert_memory_equal(bytes + 20, lies[i], 8);
    }
}

static void options_that_were_not_agreed_are_left_alone(void **state)
{
    uint8_t options[24] = {1, 1, 8, 10, 0, 0, 3, 0, 0, 0, 7, 0, 1, 1, 5, 10};

    for (unsigned i = 0; i < 2; i++)
        leg[i].flags = SL_TCP_SAVED_WSCALE;
    joined();
    assert_int_equal(pass(0, SL_TCP_ACK, 0x10000000, 0x20000000, 100, options, 24, PAYLOAD),
                     SL_TCP_SPLICE_PASS);
    assert_memory_equal(bytes + 20, options, 24);
}

static void numbers_and_checksums_wrap(void **state)
{
    uint8_t options[12] = {1, 1, 8, 10};
    uint32_t random = 12345;

    for (unsigned i = 0; i < 100000; i++) {
        uint32_t values[6];

        for (unsigned k = 0; k < 6; k++) {
            random = random * 1664525 + 1013904223;
            values[k] = i & 1 << k ? random | 0xffff0000 : random; // near an end, or anywhere
        }
        leg[0].rcv_nxt = leg[0].rcv_wup = values[0];
        leg[0].snd_una = leg[0].snd_nxt = values[1];
        leg[1].rcv_nxt = leg[1].rcv_wup = values[2];
        leg[1].snd_una = leg[1].snd_nxt = values[3];
        leg[0].rcv_edge = values[0] + 100000;
        leg[0].ts_recent = values[4];
        leg[1].tsval = values[5];
        joined();
        put32(options + 4, values[4] + i % 3);
        put32(options + 8, leg[0].tsval - i % 5);
        pass(0, SL_TCP_ACK, values[0] + i % 9000, values[1], (uint16_t)(random >> 7), options, 12, PAYLOAD);
        assert_int_equal(sl_host32(tcp()->seq), values[3] + i % 9000);
        assert_int_equal(sl_host32(tcp()->ack), values[2]);
        assert_int_equal(at32(4), values[5] + i % 3);
    }
}

static void a_corrupt_segment_stays_corrupt(void **state)
{
    const struct sl_tcp_saved *to = &leg[1];

    joined();
    for (unsigned bit = 0; bit < 8 * PAYLOAD; bit++) {
        make(0, SL_TCP_ACK, 0x10000000, 0x20000000, 100, NULL, 0, PAYLOAD);
        bytes[20 + bit / 8] ^= (uint8_t)(1u << bit % 8);
        sl_tcp_splice(&splice, 0, tcp(), 20, PAYLOAD);
        assert_int_not_equal(
            sl_csum_finish(sl_csum_add(pseudo(&to->local, &to->remote, 20 + PAYLOAD), bytes, 20 + PAYLOAD)),
            0);
    }
}

static void addresses_of_another_family_weigh_as_they_do(void **state)
{
    uint8_t options[12] = {1, 1, 8, 10};

    sl_ip_parse("2001:db8:a::fe", &leg[0].local);
    sl_ip_parse("2001:db8:a::1", &leg[0].remote);
    leg[0].told_mss = leg[1].told_mss = 1440;
    joined();
    put32(options + 4, 1010);
    assert_int_equal(pass(0, SL_TCP_ACK, 0x10000000, 0x20000000, 100, options, 12, PAYLOAD),
                     SL_TCP_SPLICE_PASS);
    put32(options + 4, 4010);
    assert_int_equal(pass(1, SL_TCP_ACK, 0x40000000, 0x30000000, 100, options, 12, PAYLOAD),
                     SL_TCP_SPLICE_PASS);
}

// ---- what a residue keeps -------------------------------------------------------------------------------------------
static void an_acknowledgement_is_not_taken_back_while_a_residue_is_out(void **state)
{
    uint8_t options[20] = {1, 1, 5, 18};

    leg[1].snd_una -= 1000; // the gateway's word for these is given
    leg[1].snd_wnd = 64000;
    joined();
    put32(options + 4, 0x30000000);
    put32(options + 8, 0x30000007);
    put32(options + 12, 0x30000100);
    put32(options + 16, 0x30000200);
    assert_int_equal(pass(1, SL_TCP_ACK, 0x40000000, 0x30000000 - 1000, 1000, options, 20, 0),
                     SL_TCP_SPLICE_PASS);
    assert_int_equal(sl_host32(tcp()->ack), 0x10000000);
    assert_int_equal(sl_host16(tcp()->window), (8000 - 1000) >> 5); // the right edge stands
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(bytes[20 + i], 1); // no block of what is not the client's
    assert_int_equal(pass(1, SL_TCP_ACK, 0x40000000, 0x30000000 - 1000, 100, options, 20, 0),
                     SL_TCP_SPLICE_PASS);
    assert_int_equal(sl_host16(tcp()->window), 0); // it ends before what is acknowledged
    assert_true(splice.way[1].flags & SL_TCP_WAY_FLUSHING);
    assert_int_equal(sl_tcp_splice_part(&splice, &leg[0], &leg[1], 0), -EBUSY);

    assert_int_equal(pass(1, SL_TCP_ACK, 0x40000000, 0x30000000, 1000, NULL, 0, 0), SL_TCP_SPLICE_PASS);
    assert_false(splice.way[1].flags & SL_TCP_WAY_FLUSHING);
    assert_int_equal(sl_host32(tcp()->ack), 0x10000000);
    assert_int_equal(sl_tcp_splice_part(&splice, &leg[0], &leg[1], 0), 0);
}

static void an_acknowledgement_beyond_the_window_is_put_where_it_is_looked_at(void **state)
{
    leg[1].snd_wnd = 50; // leg 0's peer was told 100,000
    joined();
    assert_int_equal(sl_tcp_splice_excess(&leg[0], &leg[1]), 100000 - 50);
    assert_int_equal(sl_tcp_splice_excess(&leg[1], &leg[0]), 0);
    pass(0, SL_TCP_ACK, 0x10000000 + 2000, 0x20000000, 100, NULL, 0, PAYLOAD); // data is what it is
    assert_int_equal(sl_host32(tcp()->seq), 0x30000000 + 2000);
    pass(0, SL_TCP_ACK, 0x10000000 + 2007, 0x20000000, 100, NULL, 0, 0);
    assert_int_equal(sl_host32(tcp()->seq), 0x30000000);
    pass(0, SL_TCP_ACK, 0x10000000 + 50, 0x20000000, 100, NULL, 0, 0);
    assert_int_equal(sl_host32(tcp()->seq), 0x30000000 + 50);
}

static void an_acknowledgement_before_the_window_is_too_unless_it_is_a_probe_or_old_news(void **state)
{
    joined();
    pass(1, SL_TCP_ACK, 0x40000000, 0x30000000, 1000, NULL, 0, PAYLOAD);
    assert_int_equal(pass(0, SL_TCP_ACK, 0x10000000 - 50, 0x20000007, 100, NULL, 0, 0), SL_TCP_SPLICE_PASS);
    assert_int_equal(sl_host32(tcp()->seq), 0x30000000);
    assert_int_equal(splice.way[0].acked, 0x20000007);
    assert_int_equal(pass(0, SL_TCP_ACK, 0x10000000 - 1, 0x20000007, 100, NULL, 0, 0), SL_TCP_SPLICE_STRAY);
    assert_int_equal(sl_host32(tcp()->seq), 0x30000000 - 1);
    assert_int_equal(pass(0, SL_TCP_ACK, 0x10000000 - 50, 0x20000000, 100, NULL, 0, 0), SL_TCP_SPLICE_STRAY);
    assert_int_equal(sl_host32(tcp()->seq), 0x30000000 - 50);
}

// They are no bytes of the other connection's, whatever their numbers become.
static void bytes_from_before_the_join_are_answered_and_never_pass(void **state)
{
    struct sl_tcp_out out;
    struct sl_tcp_splice before;

    joined();
    pass(1, SL_TCP_ACK, 0x40000000, 0x30000000, 1000, NULL, 0, PAYLOAD);
    before = splice;
    assert_int_equal(pass(0, SL_TCP_ACK, 0x10000000 - PAYLOAD, 0x20000007, 100, NULL, 0, PAYLOAD),
                     SL_TCP_SPLICE_OLD);
    assert_int_equal(pass(0, SL_TCP_ACK, 0x10000000 - 3, 0x20000007, 100, NULL, 0, PAYLOAD),
                     SL_TCP_SPLICE_OLD);
    assert_memory_equal(&splice, &before, sizeof(before));
    assert_int_equal(sl_host32(tcp()->seq), 0x10000000 - 3);
    sl_tcp_splice_answer(&splice, 0, &leg[0], &out);
    assert_true(sl_ip_equal(&out.dst, &leg[0].remote));
    assert_int_equal(out.dport, leg[0].remote_port);
    assert_int_equal(out.seq, 0x20000000); // what the client expects
    assert_int_equal(out.ack, 0x10000000);
    assert_int_equal(out.window, 100000 >> 5);
    assert_int_equal(out.flags, SL_TCP_ACK);
    assert_int_equal(out.options_len, 12);
    assert_int_equal(pass(0, SL_TCP_ACK, 0x10000000, 0x20000007, 100, NULL, 0, PAYLOAD), SL_TCP_SPLICE_PASS);
}

static void the_join_is_not_mistaken_for_what_comes_billions_later(void **state)
{
    joined();
    for (uint32_t i = 0; i < 5000; i++) { // 5 GB up, a megabyte at a time
        uint32_t at = 0x10000000 + i * 1000000, acked = 0x30000000 + (i + 1) * 1000000;

        assert_int_equal(pass(0, SL_TCP_ACK, at, 0x20000000, 100, NULL, 0, PAYLOAD), SL_TCP_SPLICE_PASS);
        assert_int_equal(pass(0, SL_TCP_ACK, at + 1000000 - PAYLOAD, 0x20000000, 100, NULL, 0, PAYLOAD),
                         i ? SL_TCP_SPLICE_PASS : SL_TCP_SPLICE_STRAY);
        splice.way[0].max = at + 1000000;
        assert_int_equal(pass(1, SL_TCP_ACK, 0x40000000, acked, 65535, NULL, 0, 0), SL_TCP_SPLICE_PASS);
        splice.way[0].told_edge = acked - splice.way[0].seq + 2000000;
    }
}

// ---- what is believed -----------------------------------------------------------------------------------------------
static void segments_that_no_endpoint_would_take_are_not_believed(void **state)
{
    uint8_t options[12] = {1, 1, 8, 10};
    struct sl_tcp_splice before;

    joined();
    before = splice;
    assert_int_equal(pass(0, SL_TCP_ACK, 0x10000000 + 200000, 0x20000000, 100, NULL, 0, PAYLOAD),
                     SL_TCP_SPLICE_STRAY);
    assert_int_equal(pass(0, SL_TCP_ACK, 0x10000000 - 200, 0x20000001, 100, NULL, 0, 0), SL_TCP_SPLICE_STRAY);
    assert_int_equal(pass(0, SL_TCP_ACK, 0x10000000, 0x20000001, 100, NULL, 0, PAYLOAD), SL_TCP_SPLICE_STRAY);
    assert_int_equal(pass(0, SL_TCP_PSH, 0x10000000, 0x20000000, 100, NULL, 0, PAYLOAD), SL_TCP_SPLICE_STRAY);
    assert_int_equal(pass(0, SL_TCP_SYN, 0x10000000, 0, 100, NULL, 0, 0), SL_TCP_SPLICE_STRAY);
    put32(options + 4, 999); // PAWS
    assert_int_equal(pass(0, SL_TCP_ACK, 0x10000000, 0x20000000, 100, options, 12, PAYLOAD),
                     SL_TCP_SPLICE_STRAY);
    assert_int_equal(pass(0, SL_TCP_ACK, 0x10000000 - 1, 0x20000000, 100, NULL, 0, 0),
                     SL_TCP_SPLICE_STRAY); // keepalive
    assert_memory_equal(&splice, &before, sizeof(before));
}

static void only_resets_in_the_window_pass_and_only_exact_ones_count(void **state)
{
    joined();
    assert_int_equal(pass(0, SL_TCP_RST, 0x10000000 - 1, 0, 0, NULL, 0, 0), SL_TCP_SPLICE_DROP);
    assert_int_equal(pass(0, SL_TCP_RST, 0x10000000 + 200000, 0, 0, NULL, 0, 0), SL_TCP_SPLICE_DROP);
    assert_int_equal(pass(0, SL_TCP_RST, 0x10000000 + 5, 0, 0, NULL, 0, 0), SL_TCP_SPLICE_STRAY);
    assert_int_equal(sl_tcp_splice_phase(&splice), SL_TCP_SPLICE_OPEN);
    assert_int_equal(pass(0, SL_TCP_RST, 0x10000000, 0, 0, NULL, 0, 0), SL_TCP_SPLICE_PASS);
    assert_int_equal(sl_tcp_splice_phase(&splice), SL_TCP_SPLICE_RESET);
}

static void both_states_are_had_at_any_quiet_moment(void **state)
{
    struct sl_tcp_saved now[2] = {leg[0], leg[1]};

    joined();
    pass(0, SL_TCP_ACK, 0x10000000, 0x20000000, 100, NULL, 0, PAYLOAD);
    assert_int_equal(sl_tcp_splice_part(&splice, &now[0], &now[1], 99), -EBUSY);
    pass(1, SL_TCP_ACK, 0x40000000, 0x30000007, 1000, NULL, 0, 0);
    assert_int_equal(sl_tcp_splice_part(&splice, &now[0], &now[1], 99), 0);
    assert_int_equal(now[0].rcv_nxt, 0x10000007);
    assert_int_equal(now[0].rcv_wup, 0x10000007);
    assert_int_equal(now[0].snd_nxt, 0x20000000);
    assert_int_equal(now[0].rcv_edge, 0x10000000 + 100000); // the edge that we told is further right
    assert_int_equal(now[1].snd_una, 0x30000007);
    assert_int_equal(now[1].snd_nxt, 0x30000007);
    assert_int_equal(now[1].snd_wnd, 100000 - 7); // never left
    assert_int_equal(now[1].rcv_nxt, 0x40000000);
    assert_int_equal(now[1].saved_us, 99);
}

static void fins_are_followed_to_their_acknowledgement(void **state)
{
    struct sl_tcp_saved now[2] = {leg[0], leg[1]};

    joined();
    pass(0, SL_TCP_ACK | SL_TCP_FIN, 0x10000000, 0x20000000, 100, NULL, 0, 0);
    assert_int_equal(sl_tcp_splice_phase(&splice), SL_TCP_SPLICE_OPEN);
    assert_int_equal(sl_tcp_splice_part(&splice, &now[0], &now[1], 0), 0); // a FIN can be repeated
    assert_int_equal(now[0].state, SL_TCP_CLOSE_WAIT);
    assert_int_equal(now[0].rcv_nxt, 0x10000001);
    assert_int_equal(now[0].rcv_wup, 0x10000000);
    assert_int_equal(now[1].state, SL_TCP_FIN_WAIT_1);
    pass(1, SL_TCP_ACK, 0x40000000, 0x30000001, 100, NULL, 0, PAYLOAD);
    assert_int_equal(sl_tcp_splice_phase(&splice), SL_TCP_SPLICE_HALF_CLOSED);
    pass(1, SL_TCP_ACK | SL_TCP_FIN, 0x40000007, 0x30000001, 100, NULL, 0, 0);
    assert_int_equal(sl_tcp_splice_phase(&splice), SL_TCP_SPLICE_CLOSING);
    pass(0, SL_TCP_ACK, 0x10000001, 0x20000008, 100, NULL, 0, 0);
    assert_int_equal(sl_tcp_splice_phase(&splice), SL_TCP_SPLICE_CLOSED);
    assert_int_equal(pass(1, SL_TCP_ACK | SL_TCP_FIN, 0x40000007, 0x30000001, 100, NULL, 0, 0),
                     SL_TCP_SPLICE_PASS);
    assert_int_equal(sl_tcp_splice_part(&splice, &now[0], &now[1], 0), -ESHUTDOWN);
}

static void a_fence_stops_the_segment_that_reaches_it_and_no_other(void **state)
{
    joined();
    sl_tcp_splice_fence(&splice, 0, 2 * PAYLOAD);
    pass(1, SL_TCP_ACK, 0x40000000, 0x30000000, 100, NULL, 0, PAYLOAD);
    pass(1, SL_TCP_ACK, 0x40000007, 0x30000000, 100, NULL, 0, PAYLOAD);
    assert_int_equal(pass(0, SL_TCP_ACK, 0x10000000, 0x20000007, 100, NULL, 0, 0), SL_TCP_SPLICE_PASS);
    assert_int_equal(pass(0, SL_TCP_ACK, 0x10000000, 0x2000000e, 100, NULL, 0, PAYLOAD), SL_TCP_SPLICE_FENCE);
    assert_int_equal(sl_host32(tcp()->seq), 0x10000000); // as it came
    assert_int_equal(sl_host32(tcp()->ack), 0x2000000e);
    assert_int_equal(sl_tcp_splice_part(&splice, &leg[0], &leg[1], 0), 0);
    assert_int_equal(leg[0].rcv_nxt, 0x10000000); // its payload is not yet here
    assert_int_equal(leg[0].snd_una, 0x2000000e);
    assert_int_equal(leg[1].rcv_nxt, 0x4000000e);
    assert_int_equal(leg[1].rcv_wup, 0x40000007); // owed to the server
    legs_set();
    assert_int_equal(pass(0, SL_TCP_ACK, 0x10000000, 0x2000000e, 100, NULL, 0, PAYLOAD), SL_TCP_SPLICE_PASS);
}

static void quoted_numbers_are_translated_where_they_are_in_flight(void **state)
{
    uint32_t seq = 0x30000003;

    joined();
    assert_false(sl_tcp_splice_quoted(&splice, 1, &seq));
    pass(0, SL_TCP_ACK, 0x10000000, 0x20000000, 100, NULL, 0, PAYLOAD);
    assert_true(sl_tcp_splice_quoted(&splice, 1, &seq));
    assert_int_equal(seq, 0x10000003);
    seq = 0x30000007;
    assert_false(sl_tcp_splice_quoted(&splice, 1, &seq));
}

static void legs_that_do_not_agree_are_refused_by_name(void **state)
{
#define REFUSED(change, why)                                                                                 \
    do {                                                                                                     \
        legs_set();                                                                                          \
        change;                                                                                              \
        assert_int_equal(sl_tcp_splice_join(&splice, &leg[0], &leg[1]), why);                                \
    } while (0)
    REFUSED(leg[1].flags ^= SL_TCP_SAVED_TIMESTAMPS, SL_TCP_SPLICE_TIMESTAMPS);
    REFUSED(leg[0].flags ^= SL_TCP_SAVED_SACK, SL_TCP_SPLICE_SACK);
    REFUSED(leg[0].flags ^= SL_TCP_SAVED_ECN, SL_TCP_SPLICE_ECN);
    REFUSED(leg[1].peer_mss = 1459, SL_TCP_SPLICE_MSS);
    REFUSED(leg[0].path_mtu = 1499, SL_TCP_SPLICE_MSS);
    REFUSED(leg[0].flags |= SL_TCP_SAVED_FIN_RECEIVED, SL_TCP_SPLICE_HALF);
    REFUSED(leg[0].flags |= SL_TCP_SAVED_FIN_SENT, SL_TCP_SPLICE_HALF);
    REFUSED(leg[0].state = SL_TCP_SYN_SENT, SL_TCP_SPLICE_STATE);
    REFUSED(leg[1].version = 0, SL_TCP_SPLICE_STATE);
    REFUSED(leg[1].flags ^= SL_TCP_SAVED_WSCALE, SL_TCP_SPLICE_JOINED);
    assert_string_equal(sl_tcp_splice_error_name(SL_TCP_SPLICE_STATE), "state");
    assert_string_equal(sl_tcp_splice_error_name(99), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_field_becomes_the_other_legs, setup),
        cmocka_unit_test_setup(an_echo_of_nothing_stays_one, setup),
        cmocka_unit_test_setup(windows_are_never_rounded_to_nothing_nor_beyond_the_field, setup),
        cmocka_unit_test_setup(blocks_move_with_the_acknowledgement, setup),
        cmocka_unit_test_setup(options_may_stand_anywhere, setup),
        cmocka_unit_test_setup(lengths_that_lie_end_the_reading, setup),
        cmocka_unit_test_setup(options_that_were_not_agreed_are_left_alone, setup),
        cmocka_unit_test_setup(numbers_and_checksums_wrap, setup),
        cmocka_unit_test_setup(a_corrupt_segment_stays_corrupt, setup),
        cmocka_unit_test_setup(addresses_of_another_family_weigh_as_they_do, setup),
        cmocka_unit_test_setup(an_acknowledgement_is_not_taken_back_while_a_residue_is_out, setup),
        cmocka_unit_test_setup(an_acknowledgement_beyond_the_window_is_put_where_it_is_looked_at, setup),
        cmocka_unit_test_setup(an_acknowledgement_before_the_window_is_too_unless_it_is_a_probe_or_old_news,
                               setup),
        cmocka_unit_test_setup(bytes_from_before_the_join_are_answered_and_never_pass, setup),
        cmocka_unit_test_setup(the_join_is_not_mistaken_for_what_comes_billions_later, setup),
        cmocka_unit_test_setup(segments_that_no_endpoint_would_take_are_not_believed, setup),
        cmocka_unit_test_setup(only_resets_in_the_window_pass_and_only_exact_ones_count, setup),
        cmocka_unit_test_setup(both_states_are_had_at_any_quiet_moment, setup),
        cmocka_unit_test_setup(fins_are_followed_to_their_acknowledgement, setup),
        cmocka_unit_test_setup(a_fence_stops_the_segment_that_reaches_it_and_no_other, setup),
        cmocka_unit_test_setup(quoted_numbers_are_translated_where_they_are_in_flight, setup),
        cmocka_unit_test_setup(legs_that_do_not_agree_are_refused_by_name, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
