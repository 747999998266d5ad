// SPDX-License-Identifier: Apache-2.0
// Segments as packets: read with all checks, written with right checksums (RFC 9293 sections 3.1, 3.9.1.7 and 3.9.2).
#include <stdlib.h>
#include <string.h>
#include "script.h"
#include "wire/checksum.h"

struct packet {
    uint8_t bytes[SL_TCP_HEADERS_MAX + 2000];
    size_t len;
};

static struct sl_tcp_out segment(bool v6)
{
    struct sl_tcp_out out = {.sport = 0x1234,
                             .dport = 0x5678,
                             .seq = 0x01020304,
                             .ack = 0x05060708,
                             .window = 0x1122,
                             .flags = ACK | PSH,
                             .hop_limit = 61,
                             .traffic_class = 0xb8,
                             .ecn = SL_ECN_ECT0,
                             .urgent = 9};

    sl_ip_parse(v6 ? "2001:db8::1" : "192.0.2.1", &out.src);
    sl_ip_parse(v6 ? "2001:db8::2" : "192.0.2.2", &out.dst);
    return out;
}

static struct packet packet_of(bool v6, uint32_t len, uint8_t options)
{
    static uint8_t bytes[2000];
    struct sl_tcp_out out = segment(v6);
    struct packet packet;
    unsigned header;

    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = rig_byte(i);
    out.options_len = options;
    memset(out.options, 1, options);
    out.len = (uint16_t)len;
    out.n_pieces = len != 0;
    out.pieces[0] = (struct sl_tcp_chunk){bytes, len, len, NULL};
    header = sl_tcp_write_headers(&out, 77, packet.bytes);
    memcpy(packet.bytes + header, bytes, len);
    packet.len = header + len;
    return packet;
}

static int read_packet(const struct packet *packet, size_t len, struct sl_tcp_in *in)
{
    uint8_t *exact = malloc(len ? len : 1);
    int result;

    assert_non_null(exact);
    memcpy(exact, packet->bytes, len);
    result = sl_tcp_read_packet(in, exact, len, false);
    free(exact);
    return result;
}

static void must_2_3_what_is_written_is_read_back(void **state)
{
    for (int v6 = 0; v6 < 2; v6++)
        for (uint32_t len = 0; len < 300; len += 7)
            for (uint8_t options = 0; options <= 40; options += 4) {
                struct packet packet = packet_of(v6, len, options);
                struct sl_tcp_out out = segment(v6);
                struct sl_tcp_in in;

                assert_int_equal(packet.len, (v6 ? 40u : 20u) + 20 + options + len);
                assert_int_equal(sl_tcp_read_packet(&in, packet.bytes, packet.len, false), 0);
                assert_true(sl_ip_equal(&in.src, &out.src) && sl_ip_equal(&in.dst, &out.dst));
                assert_int_equal(in.sport, out.sport);
                assert_int_equal(in.dport, out.dport);
                assert_int_equal(in.seq, out.seq);
                assert_int_equal(in.ack, out.ack);
                assert_int_equal(in.window, out.window);
                assert_int_equal(in.urgent, out.urgent);
                assert_int_equal(in.flags, out.flags);
                assert_int_equal(in.ecn, out.ecn);
                assert_int_equal(in.options_len, options);
                assert_int_equal(in.payload.len, len);
                assert_ptr_equal(in.payload.data, packet.bytes + packet.len - len);
            }
}

static void pieces_of_odd_lengths_sum_as_one(void **state)
{
    for (unsigned seed = 1; seed < 200; seed++) {
        static uint8_t bytes[400];
        struct sl_tcp_out out = segment(seed & 1);
        struct sl_tcp_in in;
        struct packet packet, whole;
        unsigned at = 0, header;

        for (unsigned i = 0; i < sizeof(bytes); i++)
            bytes[i] = (uint8_t)(i * seed + (i >> 3));
        for (out.n_pieces = 0; out.n_pieces < SL_TCP_PIECES; out.n_pieces++) {
            uint32_t len = 1 + (seed * (out.n_pieces + 3) * 7) % 40;

            out.pieces[out.n_pieces] = (struct sl_tcp_chunk){bytes + at, len, len, NULL};
            at += len;
        }
        out.len = (uint16_t)at;
        header = sl_tcp_write_headers(&out, 0, packet.bytes);
        memcpy(packet.bytes + header, bytes, at);
        assert_int_equal(sl_tcp_read_packet(&in, packet.bytes, header + at, false), 0);
        assert_int_equal(sl_tcp_write_packet(&out, 0, whole.bytes), header + at);
        assert_memory_equal(whole.bytes, packet.bytes, header + at);
    }
}

static void must_3_any_flipped_bit_is_found(void **state)
{
    for (int v6 = 0; v6 < 2; v6++) {
        struct packet good = packet_of(v6, 61, 12);

        for (unsigned bit = 0; bit < good.len * 8; bit++) {
            struct packet bad = good;
            struct sl_tcp_in in;
            unsigned byte = bit / 8;

            bad.bytes[byte] ^= (uint8_t)(1u << bit % 8);
            // IPv6 protects neither its class, flow label nor hop limit
            if (v6 && (byte == 0 ? bit % 8 < 4 : byte < 4 || byte == 7))
                continue;
            if (read_packet(&bad, bad.len, &in) == 0)
                fail_msg("v%d: bit %u of byte %u", v6 ? 6 : 4, bit % 8, byte);
        }
    }
}

static void a_wrong_checksum_is_told_apart_and_can_be_vouched_for(void **state)
{
    for (int v6 = 0; v6 < 2; v6++) {
        struct packet packet = packet_of(v6, 50, 0);
        struct sl_tcp_in in;

        packet.bytes[packet.len - 1] ^= 1;
        assert_int_equal(sl_tcp_read_packet(&in, packet.bytes, packet.len, false), -EBADMSG);
        assert_int_equal(sl_tcp_read_packet(&in, packet.bytes, packet.len, true), 0);
    }
}

static void a_packet_cut_short_is_refused_at_every_length(void **state)
{
    for (int v6 = 0; v6 < 2; v6++) {
        struct packet packet = packet_of(v6, 30, 20);
        struct sl_tcp_in in;

        for (size_t len = 0; len < packet.len; len++)
            assert_int_equal(read_packet(&packet, len, &in), -EPROTO);
        assert_int_equal(read_packet(&packet, packet.len, &in), 0);
    }
}

static void padding_of_the_link_is_not_payload(void **state)
{
    for (int v6 = 0; v6 < 2; v6++) {
        struct packet packet = packet_of(v6, 1, 0);
        struct sl_tcp_in in;

        memset(packet.bytes + packet.len, 0xaa, 20);
        assert_int_equal(read_packet(&packet, packet.len + 20, &in), 0);
        assert_int_equal(in.payload.len, 1);
    }
}

struct lie {
    const char *name;
    unsigned byte;
    uint8_t value;
};

// An IPv4 header that was altered sums up again.
static void header_sum(uint8_t *bytes)
{
    sl_be16 sum;

    memset(bytes + 10, 0, 2);
    sum = sl_csum_ipv4_header(bytes, (bytes[0] & 15) * 4u);
    memcpy(bytes + 10, &sum, 2);
}

static void headers_that_lie_are_refused(void **state)
{
    static const struct lie v4[] = {{"version 5", 0, 0x55},
                                    {"header of 16 bytes", 0, 0x44},
                                    {"header longer than the packet", 0, 0x4f},
                                    {"total length 0", 3, 0},
                                    {"total length of the header", 3, 20},
                                    {"more fragments", 6, 0x20},
                                    {"fragment offset", 7, 1},
                                    {"UDP", 9, 17},
                                    {"data offset of 16 bytes", 32, 0x40},
                                    {"data offset beyond the end", 32, 0xf0}};
    static const struct lie v6[] = {{"version 5", 0, 0x50},       {"payload length 0", 5, 0},
                                    {"payload length 19", 5, 19}, {"an extension header", 6, 0},
                                    {"data offset of 0", 52, 0},  {"data offset beyond the end", 52, 0xf0}};

    for (int family = 0; family < 2; family++)
        for (unsigned i = 0; i < (family ? sizeof(v6) : sizeof(v4)) / sizeof(v4[0]); i++) {
            struct packet packet = packet_of(family, 5, 0);
            const struct lie *lie = family ? &v6[i] : &v4[i];
            struct sl_tcp_in in;

            packet.bytes[lie->byte] = lie->value;
            if (!family && packet.bytes[0] == 0x45)
                header_sum(packet.bytes);
            if (sl_tcp_read_packet(&in, packet.bytes, packet.len, true) != -EPROTO)
                fail_msg("v%d: %s", family ? 6 : 4, lie->name);
        }
}

// MUST-50: their contents are nobody's affair here.
static void must_50_ip_options_are_stepped_over(void **state)
{
    struct packet packet = packet_of(false, 10, 0);
    struct sl_tcp_in in;

    memmove(packet.bytes + 28, packet.bytes + 20, packet.len - 20);
    memset(packet.bytes + 20, 1, 8);
    packet.bytes[0] = 0x47;
    packet.bytes[3] += 8;
    header_sum(packet.bytes);
    assert_int_equal(sl_tcp_read_packet(&in, packet.bytes, packet.len + 8, true), 0);
    assert_int_equal(in.payload.len, 10);
    assert_int_equal(in.seq, 0x01020304);
}

// MUST-48, MUST-49, SHLD-22.
static void must_48_49_hop_limit_and_class_stand_in_the_header(void **state)
{
    struct packet v4 = packet_of(false, 0, 0), v6 = packet_of(true, 0, 0);

    assert_int_equal(v4.bytes[1], 0xb8 | SL_ECN_ECT0);
    assert_int_equal(v4.bytes[8], 61);
    assert_int_equal(v6.bytes[0], 0x6b);
    assert_int_equal(v6.bytes[1], (0x8 | SL_ECN_ECT0) << 4);
    assert_int_equal(v6.bytes[7], 61);
}

static void rfc1191_dont_fragment_is_set(void **state)
{
    struct packet packet = packet_of(false, 0, 0);

    assert_int_equal(packet.bytes[6], 0x40);
    assert_int_equal(packet.bytes[7], 0);
    assert_int_equal(packet.bytes[4] << 8 | packet.bytes[5], 77);
}

static void must_48_49_a_connections_class_and_hop_limit_are_on_every_segment(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn;

    options.hop_limit = 33;
    options.traffic_class = 0x28;
    conn = rig_open_passive(rig, &options, rig_full_syn(), 65535);
    rig_send(rig, conn, 0, 100);
    say(rig, ACK, 1, 10, 101);
    sl_tcp_abort(conn, rig->now_us);
    rig_flush(rig);
    assert_in_range(rig->n_out, 3, 10);
    for (unsigned i = 0; i < rig->n_out; i++) {
        assert_int_equal(rig->out[i]->out.hop_limit, 33);
        assert_int_equal(rig->out[i]->out.traffic_class, 0x28);
    }
    rig_free(rig);
}

static void shld_21_the_class_can_change_during_a_connection(void **state)
{
    struct sl_tcp_options options = rig_options();
    struct rig *rig = rig_new();
    struct sl_tcp_conn *conn = script_open(rig);

    options.traffic_class = 0x48;
    sl_tcp_options_set(conn, &options, rig->now_us);
    rig_send(rig, conn, 0, 10);
    assert_int_equal(rig_take(rig)->out.traffic_class, 0x48);
    rig_free(rig);
}

static void random_bytes_do_no_harm(void **state)
{
    uint64_t random = 99;

    for (unsigned i = 0; i < 100000; i++) {
        struct packet packet = packet_of(i & 1, 20, 8);
        struct sl_tcp_in in;

        for (unsigned n = 0; n < 1 + i % 6; n++) {
            random = random * 6364136223846793005ull + 1442695040888963407ull;
            packet.bytes[(random >> 40) % 60] = (uint8_t)(random >> 33);
        }
        if (sl_tcp_read_packet(&in, packet.bytes, packet.len, true) == 0) {
            assert_true(in.payload.data >= packet.bytes &&
                        in.payload.data + in.payload.len <= packet.bytes + packet.len);
            assert_true(in.options + in.options_len == in.payload.data);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(must_2_3_what_is_written_is_read_back),
        T(pieces_of_odd_lengths_sum_as_one),
        T(must_3_any_flipped_bit_is_found),
        T(a_wrong_checksum_is_told_apart_and_can_be_vouched_for),
        T(a_packet_cut_short_is_refused_at_every_length),
        T(padding_of_the_link_is_not_payload),
        T(headers_that_lie_are_refused),
        T(must_50_ip_options_are_stepped_over),
        T(must_48_49_hop_limit_and_class_stand_in_the_header),
        T(rfc1191_dont_fragment_is_set),
        T(must_48_49_a_connections_class_and_hop_limit_are_on_every_segment),
        T(shld_21_the_class_can_change_during_a_connection),
        T(random_bytes_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
