// SPDX-License-Identifier: Apache-2.0
// The generator's sending and receiving paths, with a wire between them that harms packets by list: the account must
// be exactly what was done to them.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <rte_eal.h>
#include <rte_mbuf.h>
#include "rx.h"
#include "stream.h"
#include "wire/emit.h"

#define POOL   4096
#define FRAMES 1024
#define MAGIC  0x5a17

static struct rte_mempool *pool;
static struct stream stream;
static struct receiver receiver;
static struct arrivals arrivals;
static struct stream_plan plan;
static uint64_t state = 3;

static uint32_t next_random(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 32) * below >> 32);
}

static void plan_make(uint8_t proto, bool v6, uint16_t size)
{
    struct sl_ip v6_address = {.b = {0x20, 1, 0x0d, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8}};
    plan = (struct stream_plan){
        .name = "s", .proto = proto, .v6 = v6, .ttl = 64, .fragments = 1, .burst = 1, .tcp_flags = 0x18};
    plan.src = v6 ? v6_address : sl_ip_v4(0);
    plan.dst = v6 ? v6_address : sl_ip_v4(0);
    plan.flows.range[FLOW_SRC] = flow_range_make(0x10000001, 200);
    plan.flows.range[FLOW_SPORT] = flow_range_make(1024, 77);
    plan.flows.range[FLOW_DST] = flow_range_make(0x30000001, 3);
    plan.flows.range[FLOW_DPORT] = flow_range_make(proto == IPPROTO_UDP || proto == IPPROTO_TCP ? 9 : 0, 1);
    plan.flows.flows = 200 * 77 * 3;
    plan.sizes.size[0] = size;
    plan.sizes.count = 1;
}

static void start(void)
{
    struct sl_error error = {0};
    if (stream_init(&stream, &plan, &error) != 0)
        fail_msg("%s", error.text);
    stream.magic = MAGIC;
    receiver = (struct receiver){.stream = &arrivals, .streams = 1, .magic = MAGIC, .verify = true};
    memset(&arrivals, 0, sizeof(arrivals));
    track_init(&arrivals.track);
    histogram_init(&arrivals.latency);
}

static void build(struct rte_mbuf **frame, uint32_t packets)
{
    assert_int_equal(rte_pktmbuf_alloc_bulk(pool, frame, packets * stream.parts), 0);
    for (uint32_t done = 0; done < packets; done += STREAM_BURST / 4)
        stream_build(&stream, frame + done * stream.parts,
                     packets - done < STREAM_BURST / 4 ? packets - done : STREAM_BURST / 4, 1000);
}

static void end(struct rte_mbuf **frame, uint32_t count)
{
    rte_pktmbuf_free_bulk(frame, count);
    stream_fini(&stream);
}

static void every_packet_is_as_a_host_would_have_it(void **context)
{
    static const uint8_t protos[] = {IPPROTO_UDP, IPPROTO_TCP, IPPROTO_ICMP};
    static const uint16_t sizes[] = {96, 97, 98, 99, 512, 1517, 1518};
    struct rte_mbuf *frame[512];
    for (unsigned v6 = 0; v6 < 2; v6++)
        for (unsigned p = 0; p < 3; p++)
            for (unsigned s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
                plan_make(v6 && p == 2 ? IPPROTO_ICMPV6 : protos[p], v6, sizes[s]);
                start();
                build(frame, 512);
                receiver_take(&receiver, frame, 512, 1000 + 16 * 5);
                for (unsigned i = 0; i < 512; i++)
                    assert_int_equal(frame[i]->pkt_len, sizes[s] - FRAME_FCS);
                assert_int_equal(arrivals.corrupt, 0);
                assert_int_equal(arrivals.track.received, 512);
                assert_int_equal(arrivals.track.reordered + arrivals.track.duplicate, 0);
                assert_int_equal(histogram_percentile(&arrivals.latency, 1), 5);
                end(frame, 512);
            }
}

static void the_smallest_frame_holds_a_signature(void **context)
{
    struct rte_mbuf *frame[16];
    plan_make(IPPROTO_UDP, false, 64);
    start();
    build(frame, 16);
    receiver_take(&receiver, frame, 16, 1000);
    assert_int_equal(frame[0]->pkt_len, 60);
    assert_int_equal(arrivals.track.received, 16);
    assert_int_equal(arrivals.corrupt, 0);
    end(frame, 16);
}

static void a_frame_too_small_for_its_headers_is_refused(void **context)
{
    struct sl_error error = {0};
    plan_make(IPPROTO_TCP, false, 64);
    assert_int_not_equal(stream_init(&stream, &plan, &error), 0);
    assert_non_null(strstr(error.text, "need 76"));
}

// What is done to the n-th packet.
enum harm { HARM_NONE, HARM_LOSE, HARM_TWICE, HARM_LATE, HARM_CORRUPT, HARMS };

struct account {
    uint64_t lost, duplicate, reordered, corrupt;
};

static void frame_corrupt(struct rte_mbuf *frame, bool anywhere)
{
    // Behind the Ethernet header, which no checksum covers; not the magic, without which a frame is nobody's; not the
    // time to live, which a router may lower.
    uint32_t magic = signature_offset(frame->data_len), at;
    do
        at =
            anywhere ? 14 + next_random(frame->data_len - 14u) : magic + 2 + next_random(SIGNATURE_BYTES - 2);
    while (at == magic || at == magic + 1);
    rte_pktmbuf_mtod(frame, uint8_t *)[at] ^= (uint8_t)(1u << next_random(8));
}

// The wire: what goes in, what comes out, and what was done. A late packet comes out behind the next that goes on.
static uint32_t wire(struct rte_mbuf **in, uint32_t count, struct rte_mbuf **out, struct account *account)
{
    struct rte_mbuf *late = NULL;
    uint32_t came = 0;
    for (uint32_t i = 0; i < count; i++) {
        enum harm harm = next_random(10) == 0 ? 1 + next_random(HARMS - 1) : HARM_NONE;
        if (harm == HARM_LATE && !late && i + 1 < count) {
            late = in[i];
            continue;
        }
        if (harm == HARM_LOSE) {
            account->lost++;
            continue;
        }
        if (harm == HARM_CORRUPT) {
            frame_corrupt(in[i], true);
            account->corrupt++;
        }
        out[came++] = in[i];
        if (harm == HARM_TWICE) {
            out[came++] = in[i];
            account->duplicate++;
        }
        if (late && harm != HARM_CORRUPT) {
            out[came++] = late;
            account->reordered++;
            late = NULL;
        }
    }
    if (late)
        out[came++] = late; // behind nothing: in order after all, unless it was
    return came;
}

static void harm_and_count(void)
{
    static struct rte_mbuf *frame[FRAMES], *out[2 * FRAMES];
    struct account account = {0};
    start();
    for (unsigned round = 0; round < 50; round++) {
        build(frame, FRAMES);
        uint32_t came = wire(frame, FRAMES, out, &account);
        for (uint32_t at = 0; at < came; at += 64)
            receiver_take(&receiver, out + at, came - at < 64 ? came - at : 64, 2000);
        rte_pktmbuf_free_bulk(frame, FRAMES);
    }
    uint64_t sent = 50 * FRAMES;
    assert_int_equal(receiver.foreign, 0);
    assert_int_equal(arrivals.corrupt, account.corrupt);
    assert_int_equal(arrivals.track.duplicate, account.duplicate);
    assert_int_equal(arrivals.track.reordered, account.reordered);
    assert_int_equal(sent - track_unique(&arrivals.track) - arrivals.corrupt, account.lost);
    assert_true(account.lost && account.duplicate && account.reordered && account.corrupt);
    stream_fini(&stream);
}

static void planted_loss_repeats_reordering_and_corruption_are_counted_exactly(void **context)
{
    static const uint16_t sizes[] = {64, 100, 1518};
    for (unsigned s = 0; s < 3; s++) {
        plan_make(IPPROTO_UDP, false, sizes[s]);
        harm_and_count();
    }
    plan_make(IPPROTO_TCP, false, 128);
    harm_and_count();
}

static void without_checksums_the_signature_alone_shows_its_own_corruption(void **context)
{
    struct rte_mbuf *frame[256];
    plan_make(IPPROTO_UDP, false, 300);
    start();
    receiver.verify = false;
    build(frame, 256);
    for (unsigned i = 0; i < 256; i += 3)
        frame_corrupt(frame[i], false);
    receiver_take(&receiver, frame, 256, 1000);
    assert_int_equal(arrivals.corrupt, 86);
    assert_int_equal(arrivals.track.received, 170);
    end(frame, 256);
}

// Puts a datagram's pieces together and looks at its checksum.
static void pieces_make_a_datagram_with_a_right_checksum(void **context)
{
    struct rte_mbuf *frame[PLAN_FRAGMENTS * 64];
    uint8_t whole[PLAN_FRAGMENTS * 256] __attribute__((aligned(8)));
    for (uint8_t parts = 2; parts <= PLAN_FRAGMENTS; parts++) {
        plan_make(IPPROTO_UDP, false, 137);
        plan.fragments = parts;
        start();
        build(frame, 64);
        receiver_take(&receiver, frame, 64u * parts, 1000);
        assert_int_equal(arrivals.track.received, 64 * parts);
        assert_int_equal(arrivals.corrupt, 0);
        for (unsigned n = 0; n < 64; n++) {
            uint16_t length = 20, id = 0;
            memcpy(whole, rte_pktmbuf_mtod_offset(frame[n * parts], uint8_t *, 14), 20);
            for (unsigned i = 0; i < parts; i++) {
                const uint8_t *ip = rte_pktmbuf_mtod_offset(frame[n * parts + i], uint8_t *, 14);
                const struct sl_ipv4 *header = (const struct sl_ipv4 *)ip;
                uint16_t data = (uint16_t)(sl_host16(header->total_len) - 20);
                assert_int_equal((sl_host16(header->fragment) & SL_IPV4_OFFSET) * 8, length - 20);
                assert_true(i == 0 || header->id == id);
                id = header->id;
                memcpy(whole + length, ip + 20, data);
                length = (uint16_t)(length + data);
            }
            ((struct sl_ipv4 *)whole)->total_len = sl_be16_of(length);
            assert_true(sl_check_l4_checksum(whole));
        }
        end(frame, 64u * parts);
    }
}

static void bad_packets_are_bad(void **context)
{
    struct rte_mbuf *frame[32];
    for (int bad = BAD_IP_VERSION; bad < BAD_KINDS; bad++) {
        if (bad == BAD_TTL || bad == BAD_SOURCE || bad == BAD_TCP_FLAGS)
            continue; // well-formed: a host's checksums do not see them
        plan_make(IPPROTO_UDP, false, 128);
        plan.bad = (enum bad_kind)bad;
        start();
        build(frame, 32);
        receiver_take(&receiver, frame, 32, 1000);
        if (bad != BAD_L4_LENGTH)
            assert_int_equal(arrivals.corrupt, 32);
        end(frame, 32);
    }
}

static void what_the_port_refused_is_sent_under_the_same_number(void **context)
{
    struct rte_mbuf *frame[64];
    plan_make(IPPROTO_UDP, false, 64);
    start();
    build(frame, 16);
    uint32_t flow = stream.flow_next;
    rte_pktmbuf_free_bulk(frame, 16);
    build(frame, 16);
    stream_rewind(&stream, 16);
    assert_int_equal(stream.sequence, 16);
    assert_int_equal(stream.flow_next, flow);
    end(frame, 16);
}

static int setup(void **context)
{
    char text[][24] = {"test", "--no-huge", "--no-pci",       "--no-shconf",
                       "-m",   "64",        "--no-telemetry", "--lcores=0"};
    char *argv[9] = {0};
    for (unsigned i = 0; i < 8; i++)
        argv[i] = text[i];
    if (rte_eal_init(8, argv) < 0)
        return -1;
    pool = rte_pktmbuf_pool_create("frames", POOL, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    return pool ? 0 : -1;
}

static int teardown(void **context)
{
    rte_mempool_free(pool);
    return rte_eal_cleanup();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_packet_is_as_a_host_would_have_it),
        cmocka_unit_test(the_smallest_frame_holds_a_signature),
        cmocka_unit_test(a_frame_too_small_for_its_headers_is_refused),
        cmocka_unit_test(planted_loss_repeats_reordering_and_corruption_are_counted_exactly),
        cmocka_unit_test(without_checksums_the_signature_alone_shows_its_own_corruption),
        cmocka_unit_test(pieces_make_a_datagram_with_a_right_checksum),
        cmocka_unit_test(bad_packets_are_bad),
        cmocka_unit_test(what_the_port_refused_is_sent_under_the_same_number),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
