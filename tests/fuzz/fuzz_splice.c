// SPDX-License-Identifier: Apache-2.0
// Fuzzes what joined connections do with a header (src/tcp/splice.h): segments of any numbers, flags and options from either
// peer. Nothing outside the header is touched, a checksum that was right is right for the other leg, ports are the other
// leg's, and whenever the pair says that it can be taken apart an engine believes both states, and they can be joined again.
// The first byte chooses families and options; a segment is 12 bytes and then its options.
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "tcp/splice.h"
#include "wire/checksum.h"
#include "wire/l4.h"

#define ROOM   600 // bytes of a seed
#define NOW_US 1000000000ull

enum what { SEGMENT, FENCE = 13, PART = 14, ANSWER = 15 }; // by the upper four bits of a step's first byte

static struct sl_tcp_splice splice;
static struct sl_tcp_saved leg[2];
static const uint8_t *at, *stop;

static void expect(bool true_thing)
{
    if (!true_thing)
        abort();
}

static uint8_t next8(void)
{
    return at < stop ? *at++ : 0;
}

static uint16_t next16(void)
{
    uint8_t high = next8();

    return (uint16_t)(high << 8 | next8());
}

// ---- the pair -----------------------------------------------------------------------------------------------------
static void leg_make(unsigned i, uint8_t how)
{
    bool v6 = how >> i & 1;

    leg[i] = (struct sl_tcp_saved){.version = SL_TCP_SAVED_VERSION,
                                   .state = SL_TCP_ESTABLISHED,
                                   .flags = (uint16_t)((how & 4 ? 0 : SL_TCP_SAVED_TIMESTAMPS) |
                                                       (how & 8 ? 0 : SL_TCP_SAVED_SACK) | SL_TCP_SAVED_WSCALE),
                                   .snd_una = i ? 0xfffffff0u : 0x20000000u,
                                   .rcv_nxt = i ? 0x40000000u : 0xffff0000u,
                                   .snd_wnd = 100000,
                                   .max_window = 100000,
                                   .rcv_limit = 65536,
                                   .ts_recent = i ? 4000 : 0xffffff00u,
                                   .tsval = i ? 3000 : 2000,
                                   .ts_recent_us = NOW_US,
                                   .saved_us = NOW_US,
                                   .cwnd = 14600,
                                   .ssthresh = UINT32_MAX,
                                   .peer_mss = v6 ? 1440 : 1460,
                                   .told_mss = v6 ? 1440 : 1460,
                                   .path_mtu = 1500,
                                   .snd_wscale = how >> 4 & 7,
                                   .rcv_wscale = i ? how >> 5 & 7 : 14};
    leg[i].snd_nxt = leg[i].snd_una;
    leg[i].snd_wl1 = leg[i].rcv_nxt;
    leg[i].snd_wl2 = leg[i].snd_una;
    leg[i].iss = leg[i].snd_una - 1;
    leg[i].rcv_wup = leg[i].rcv_nxt;
    leg[i].rcv_edge = leg[i].rcv_nxt + 65536;
    leg[i].local_port = sl_be16_of(i ? 50000 : 443);
    leg[i].remote_port = sl_be16_of(i ? 8080 : 40000);
    sl_ip_parse(v6 ? "2001:db8::fe" : "192.0.2.254", &leg[i].local);
    sl_ip_parse(v6 ? "2001:db8::1" : "192.0.2.1", &leg[i].remote);
}

static bool send_none(void *context, const struct sl_tcp_out *out)
{
    (void)context, (void)out;
    return true;
}

static void hold(void *owner)
{
    (void)owner;
}

// An engine that takes both, finds nothing wrong with them, and gives them back.
static void through_an_engine(void)
{
    static const struct sl_tcp_buffers buffers = {hold, hold};
    struct sl_tcp_config config = {.connections = 2, .time_waits = 2, .listeners = 1, .buffers_held = 16, .segments_held = 16,
                                   .rx_bytes = 1u << 20, .tx_bytes = 1u << 20, .buffers = &buffers, .send = send_none,
                                   .now_us = NOW_US};
    struct sl_tcp_engine *tcp = sl_tcp_new(&config);
    struct sl_tcp_options options;
    int error = 0;

    sl_tcp_options_default(&options);
    expect(tcp != NULL);
    for (unsigned i = 0; i < 2; i++) {
        struct sl_tcp_conn *conn = sl_tcp_attach(tcp, &leg[i], &options, NULL, NOW_US, &error);

        expect(conn != NULL);
        expect(sl_tcp_check(tcp, NULL) == NULL);
        if (leg[i].state == SL_TCP_ESTABLISHED || leg[i].state == SL_TCP_CLOSE_WAIT)
            expect(sl_tcp_detach(conn, &leg[i], NOW_US) == 0);
    }
    sl_tcp_free(tcp);
}

// False: it is over, or cannot be joined any more.
static bool part_and_join(void)
{
    int error = sl_tcp_splice_part(&splice, &leg[0], &leg[1], NOW_US);

    if (error == -EBUSY)
        return true;
    if (error != 0)
        return false;
    through_an_engine();
    return sl_tcp_splice_join(&splice, &leg[0], &leg[1]) == SL_TCP_SPLICE_JOINED;
}

// ---- segments -----------------------------------------------------------------------------------------------------
static uint64_t pseudo(const struct sl_ip *src, const struct sl_ip *dst, size_t len)
{
    return sl_ip_is_v4(src) ? sl_csum_pseudo_v4(src->w[3], dst->w[3], SL_PROTO_TCP, (uint16_t)len)
                            : sl_csum_pseudo_v6(src, dst, SL_PROTO_TCP, (uint32_t)len);
}

// Numbers near those that are expected, mostly; the payload is zeros, which a checksum does not see.
static void header_make(struct sl_tcp *tcp, unsigned from, size_t header, size_t payload)
{
    const struct sl_tcp_way *way = &splice.way[from];
    uint8_t flags = next8(), far = next8();

    tcp->sport = leg[from].remote_port;
    tcp->dport = leg[from].local_port;
    tcp->seq = sl_be32_of(way->max + (uint32_t)(int32_t)(int16_t)next16() * (far & 1 ? 70001u : 1u));
    tcp->ack = sl_be32_of(way->acked + (uint32_t)(int32_t)(int16_t)next16() * (far & 2 ? 70001u : 1u));
    tcp->window = next16();
    tcp->data_offset = (uint8_t)(header / 4 << 4);
    tcp->flags = flags & 0x40 ? flags : (uint8_t)(flags & 0x3b & (far & 4 ? 0xff : ~0x04)) | SL_TCP_ACK;
    tcp->urgent = (sl_be16)(far & 8 ? 77 : 0);
    tcp->checksum = 0;
    for (size_t i = sizeof(*tcp); i < header; i++)
        ((uint8_t *)tcp)[i] = next8();
    tcp->checksum = sl_csum_finish(sl_csum_add(pseudo(&leg[from].remote, &leg[from].local, header + payload), tcp, header));
}

static void checksum_holds(const struct sl_tcp *tcp, unsigned to, size_t header, size_t payload)
{
    expect(sl_csum_finish(sl_csum_add(pseudo(&leg[to].local, &leg[to].remote, header + payload), tcp, header)) == 0);
    expect(tcp->sport == leg[to].local_port && tcp->dport == leg[to].remote_port);
    expect(tcp->data_offset == (uint8_t)(header / 4 << 4));
}

static void segment(uint8_t op)
{
    unsigned from = op & 1;
    size_t header = 20 + 4 * (size_t)(op >> 4), payload = next8() * (op & 2 ? 16u : 1u);
    struct sl_tcp_splice before = splice;
    enum sl_tcp_splice_verdict verdict;
    struct sl_tcp *tcp;

    header = header > 60 ? 60 : header;
    tcp = malloc(header); // of just this size: a sanitizer sees what lies behind it
    expect(tcp != NULL);
    header_make(tcp, from, header, payload);
    verdict = sl_tcp_splice(&splice, from, tcp, header, payload);
    if (verdict == SL_TCP_SPLICE_PASS || verdict == SL_TCP_SPLICE_STRAY)
        checksum_holds(tcp, !from, header, payload);
    for (unsigned i = 0; i < 2; i++) { // what only grows
        expect((int32_t)(splice.way[i].max - before.way[i].max) >= 0);
        expect((int32_t)(splice.way[i].acked - before.way[i].acked) >= 0);
        expect((int32_t)(splice.way[i].edge - before.way[i].edge) >= 0);
        expect((int32_t)(splice.way[i].told_edge - before.way[i].told_edge) >= 0);
    }
    free(tcp);
}

static void answer(uint8_t op)
{
    struct sl_tcp_out out;
    uint32_t seq = 0;

    if (op & 2)
        sl_tcp_splice_answer(&splice, op & 1, &leg[op & 1], &out);
    else
        sl_tcp_splice_reset(&splice, op & 1, &leg[op & 1], &out);
    expect(out.options_len % 4 == 0 && out.options_len <= sizeof(out.options) && out.len == 0);
    seq = out.seq;
    sl_tcp_splice_quoted(&splice, op & 1, &seq);
    expect(sl_tcp_splice_phase(&splice) <= SL_TCP_SPLICE_RESET);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool joined;
    uint8_t how;

    at = data;
    stop = data + size;
    how = next8();
    leg_make(0, how);
    leg_make(1, how);
    joined = sl_tcp_splice_join(&splice, &leg[0], &leg[1]) == SL_TCP_SPLICE_JOINED;
    while (joined && at < stop) {
        uint8_t op = next8();

        switch (op >> 4) {
        case FENCE: sl_tcp_splice_fence(&splice, op & 1, next16()); break;
        case PART: joined = part_and_join(); break;
        case ANSWER: answer(op); break;
        default: segment(op); break;
        }
    }
    return 0;
}

uint8_t *fuzz_seed(unsigned index, size_t *size)
{
    uint8_t *seed = malloc(ROOM);
    uint32_t random = 2463534242u + index * 7919u;

    if (index >= 16 || seed == NULL) {
        free(seed);
        return NULL;
    }
    seed[0] = (uint8_t)(index * 37);
    for (size_t i = 1; i < ROOM; i++) {
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        seed[i] = (uint8_t)(random >> 8);
        if (i % 11 == 1 && index & 1) // short headers, small steps
            seed[i] &= 0x1f;
    }
    *size = ROOM;
    return seed;
}
