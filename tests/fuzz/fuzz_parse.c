// SPDX-License-Identifier: Apache-2.0
// Fuzzes the parse and ICMP stages with whole frames: what parse accepts must lie inside the frame, every ICMP error
// and echo reply made about it must itself be a packet that parse accepts, and no buffer may be lost. Input: how the
// frame is cut into segments, what happens to it behind parse, then the frame.
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "icmp/icmp.h"
#include "stage.h"
#include "worker/parse.h"
#include "wire/checksum.h"
#include "wire/l4.h"

#define ROOM      256  // bytes of a seed
#define FRAME_MAX 9000 // longest input

enum { AT_CUT, AT_FATE, AT_FRAME };
#define REPAIR                                                                                               \
    0x80 // in the fate: the IPv4 header checksum is made right, so that what lies behind is reached
enum fate { FATE_NONE, FATE_ERROR, FATE_ERROR_TRANSLATED, FATE_ECHO, FATE_OWN, FATES };

static struct harness *h;

static void expect(bool true_thing)
{
    if (!true_thing)
        abort();
}

static void stop(void)
{
    harness_free(h);
    harness_stop(NULL);
}

static void start_once(void)
{
    if (h != NULL)
        return;
    expect(harness_start(NULL) == 0);
    h = stage_harness();
    expect(atexit(stop) == 0);
    h->port_table.settings.icmp_error_rate = h->port_table.settings.icmp_error_burst = UINT32_MAX;
}

// ---- frames ---------------------------------------------------------------------------------------------
struct outside { // a segment's bytes, in memory of exactly their size
    struct rte_mbuf_ext_shared_info shared;
    uint8_t *bytes;
};

static void outside_free(void *addr, void *opaque)
{
    struct outside *outside = opaque;

    free(outside->bytes);
    free(outside);
}

// The sanitizer sees a read beyond the segment, which within a pool's buffer it would not.
static struct rte_mbuf *segment(const uint8_t *bytes, size_t len)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(harness_pool());
    struct outside *outside = calloc(1, sizeof(*outside));

    expect(m != NULL && outside != NULL);
    outside->bytes = malloc(len ? len : 1);
    expect(outside->bytes != NULL);
    if (len > 0)
        memcpy(outside->bytes, bytes, len);
    outside->shared.free_cb = outside_free;
    outside->shared.fcb_opaque = outside;
    rte_mbuf_ext_refcnt_set(&outside->shared, 1);
    rte_pktmbuf_attach_extbuf(m, outside->bytes, RTE_BAD_IOVA, (uint16_t)len, &outside->shared);
    m->data_len = (uint16_t)len;
    m->pkt_len = (uint32_t)len;
    return m;
}

static void repair(uint8_t *frame, size_t len)
{
    struct sl_ipv4 *ip = (struct sl_ipv4 *)(frame + 14);

    if (len < 34)
        return;
    size_t header = (size_t)(ip->version_ihl & 15) * 4;
    ip->checksum = 0;
    if (header >= 20 && 14 + header <= len)
        ip->checksum = sl_csum_ipv4_header(ip, header);
}

static struct rte_mbuf *frame_of(const uint8_t *bytes, size_t len, size_t cut)
{
    if (cut == 0 || cut >= len)
        return segment(bytes, len);
    struct rte_mbuf *m = segment(bytes, cut);
    expect(rte_pktmbuf_chain(m, segment(bytes + cut, len - cut)) == 0);
    return m;
}

// ---- what must hold -------------------------------------------------------------------------------------
static void check_packet(const struct packet *packet)
{
    const struct rte_mbuf *m = packet->m;
    bool later = packet->flags & PACKET_LATER_FRAGMENT;

    expect(!(packet->flags & PACKET_V4) != !(packet->flags & PACKET_V6));
    expect(packet->l3_off == 14 && packet->l3_off + packet->l3_len == (int)m->pkt_len);
    expect(packet->l4_off <= m->data_len);
    expect(!(packet->flags & PACKET_L4_KNOWN) || packet->l4_off + 8 <= (int)m->data_len);
    expect(!(packet->flags & PACKET_TCP) || packet->l4_off + 20 <= (int)m->data_len);
    expect(!later || (packet->key.sport == 0 && packet->key.dport == 0));
    expect(!later || packet->flags & PACKET_FRAGMENT);
    if (packet->flags & PACKET_ICMP_ERROR)
        expect(packet->quote_l3_off >= packet->l4_off + 8 && packet->quote_l4_off <= m->data_len);
}

// Read once more it is the same packet: steered ones are parsed by both workers, and padding is gone the second time.
static void check_read_alike(const struct packet *packet)
{
    struct packet whole = *packet;

    whole.flags = packet->flags & PACKET_FROM_HOST;
    whole.hash = whole.l4_off = whole.l3_len = 0;
    whole.proto = whole.key_proto = whole.tos = whole.tcp_flags = 0xaa;
    memset(&whole.key, 0xaa, sizeof(whole.key));
    expect(parse_packet(h->worker[0], &whole) == SL_DROP_none);
    expect(memcmp(&whole.key, &packet->key, sizeof(whole.key)) == 0);
    expect(whole.hash == (uint32_t)sl_hash_key(&h->worker[0]->hash_seed, &packet->key, packet->key_proto));
    expect(packet->stage != PACKET_STEER || whole.hash == packet->hash); // what is not steered goes without
    // The plain reader judged as the thorough one would.
    expect(whole.flags == (packet->flags & ~PACKET_PLAIN) && whole.proto == packet->proto &&
           whole.key_proto == packet->key_proto);
    expect(whole.l4_off == packet->l4_off && whole.l3_len == packet->l3_len);
    expect(whole.tos == packet->tos && whole.tcp_flags == packet->tcp_flags);
}

// What the gateway says itself must be beyond reproach.
static void check_own(const struct packet *made)
{
    struct packet read = *made;

    read.flags = PACKET_FROM_HOST;
    expect(made->stage == PACKET_ROUTE && made->flags & PACKET_FROM_HOST);
    expect(parse_packet(h->worker[0], &read) == SL_DROP_none);
    expect(read.l3_len == made->l3_len && read.l4_off == made->l4_off);
    expect(read.l3_len <= (read.flags & PACKET_V4 ? 576 : 1280));
    expect(sl_check_l4_checksum(rte_pktmbuf_mtod_offset(made->m, void *, made->l3_off)));
}

// ---- behind parse ---------------------------------------------------------------------------------------
static void to_error(struct burst *burst, struct packet *packet, bool translated)
{
    bool v4 = packet->flags & PACKET_V4;

    if (translated)
        packet->flags |= PACKET_TRANSLATED;
    packet_reject(burst, packet, SL_DROP_mtu_exceeded, v4 ? SL_ICMP_UNREACHABLE : SL_ICMP6_TOO_BIG,
                  v4 ? 4 : 0, 1400);
    icmp_stage(h->worker[0], burst);
    if (packet->stage != PACKET_GONE)
        check_own(packet);
}

// Frames are received into buffers of the pool, which alone may be changed in place.
static void to_echo(struct burst *burst, struct packet *packet)
{
    struct rte_mbuf *direct = rte_pktmbuf_copy(packet->m, harness_pool(), 0, UINT32_MAX);

    expect(direct != NULL);
    rte_pktmbuf_free(packet->m);
    packet->m = direct;
    icmp_answer_echo(h->worker[0], burst, packet);
    if (packet->stage != PACKET_GONE)
        expect(packet->stage == PACKET_ROUTE && packet->flags & PACKET_FROM_HOST);
}

static void meet_fate(struct burst *burst, enum fate fate)
{
    struct packet *packet = &burst->packet[0];

    if (packet->stage == PACKET_GONE)
        return;
    check_packet(packet);
    check_read_alike(packet);
    if (fate == FATE_ERROR || fate == FATE_ERROR_TRANSLATED)
        to_error(burst, packet, fate == FATE_ERROR_TRANSLATED);
    else if (fate == FATE_ECHO)
        to_echo(burst, packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct burst burst;

    start_once();
    if (size < AT_FRAME || size > FRAME_MAX)
        return 0;
    unsigned before = rte_mempool_avail_count(harness_pool());
    enum fate fate = (data[AT_FATE] & ~REPAIR) % FATES;
    uint8_t frame[FRAME_MAX];
    size_t len = size - AT_FRAME;
    memcpy(frame, data + AT_FRAME, len);
    if (data[AT_FATE] & REPAIR)
        repair(frame, len);
    stage_burst(&burst, STAGE_LAN, frame_of(frame, len, data[AT_CUT]), PACKET_PARSE);
    if (fate == FATE_OWN)
        burst.packet[0].flags = PACKET_FROM_HOST;
    parse_stage(h->worker[0], &burst);
    meet_fate(&burst, fate);
    stage_done(&burst);
    for (struct rte_mbuf *m; (m = harness_handed(h, 0)) != NULL;)
        rte_pktmbuf_free(m);
    expect(rte_mempool_avail_count(harness_pool()) == before);
    return 0;
}

// ---- seeds ----------------------------------------------------------------------------------------------
static struct rte_mbuf *seed_error(bool v6)
{
    struct rte_mbuf *quoted = v6 ? harness_udp(STAGE_LAN, "2001:db8:100::21", "fd00::11", 53, 4000, 16)
                                 : harness_udp(STAGE_LAN, "198.51.100.21", "10.0.0.11", 53, 4000, 16);
    struct sl_emit_ip ip = {.src = harness_ip_of(v6 ? "fd00::11" : "10.0.0.11"),
                            .dst = harness_ip_of(v6 ? "2001:db8:100::21" : "198.51.100.21"),
                            .payload_len = (uint16_t)(8 + quoted->pkt_len - 14)};

    ip.proto = v6 ? SL_PROTO_ICMPV6 : SL_PROTO_ICMP;
    struct rte_mbuf *frame = harness_ip(STAGE_LAN, &ip);
    uint8_t type = v6 ? SL_ICMP6_UNREACHABLE : SL_ICMP_UNREACHABLE;
    memcpy(sl_emit_icmp(harness_l4_of(frame), type, 3, 0), harness_ipv4_of(quoted), quoted->pkt_len - 14);
    sl_emit_l4_checksum(harness_ipv4_of(frame));
    rte_pktmbuf_free(quoted);
    return frame;
}

static struct rte_mbuf *seed_extensions(void)
{
    struct sl_emit_ip ip = {.src = harness_ip_of("fd00::11"), .dst = harness_ip_of("2001:db8:100::21")};

    ip.proto = SL_PROTO_DSTOPTS;
    ip.payload_len = 8 + 8 + 24;
    struct rte_mbuf *frame = harness_ip(STAGE_LAN, &ip);
    uint8_t *at = harness_l4_of(frame);
    at[0] = SL_PROTO_FRAGMENT;
    sl_emit_udp(sl_emit_ipv6_fragment(at + 8, SL_PROTO_UDP, 0, true, 7), 4000, 53, 16);
    return frame;
}

static struct rte_mbuf *seed_options(void)
{
    struct sl_emit_ip ip = {.src = harness_ip_of("10.0.0.11"), .dst = harness_ip_of("198.51.100.21")};

    ip.proto = SL_PROTO_UDP;
    ip.payload_len = 8 + 24;
    struct rte_mbuf *frame = harness_ip(STAGE_LAN, &ip);
    struct sl_ipv4 *header = harness_ipv4_of(frame);
    header->version_ihl = 0x47;
    memcpy(header + 1, (const uint8_t[8]){0x94, 4, 0, 0, 1, 7, 3, 4}, 8);
    sl_emit_udp((uint8_t *)(header + 1) + 8, 4000, 53, 16);
    return frame;
}

static struct rte_mbuf *seed_frame(unsigned index)
{
    switch (index) {
    case 0:
        return harness_udp(STAGE_LAN, "10.0.0.11", "198.51.100.21", 4000, 53, 16);
    case 1:
        return harness_tcp(STAGE_LAN, "10.0.0.11", "198.51.100.21", 4000, 80, SL_TCP_SYN, 16);
    case 2:
        return harness_udp(STAGE_LAN, "fd00::11", "2001:db8:100::21", 4000, 53, 16);
    case 3:
        return harness_tcp(STAGE_LAN, "fd00::11", "2001:db8:100::21", 4000, 80, SL_TCP_ACK, 16);
    case 4:
        return harness_echo(STAGE_LAN, "10.0.0.11", "198.51.100.21", 7, 1);
    case 5:
        return harness_echo(STAGE_LAN, "fd00::11", "2001:db8:100::21", 7, 1);
    case 6:
    case 7:
        return seed_error(index == 7);
    case 8:
        return seed_extensions();
    case 9:
        return seed_options();
    case 10:
        return harness_arp(1, "10.0.0.11", "10.0.0.1");
    default:
        return NULL;
    }
}

uint8_t *fuzz_seed(unsigned index, size_t *size)
{
    start_once();
    struct rte_mbuf *frame = seed_frame(index / FATES);
    if (frame == NULL)
        return NULL;
    uint8_t *seed = calloc(1, ROOM);
    expect(seed != NULL && frame->pkt_len <= ROOM - AT_FRAME);
    seed[AT_FATE] = (uint8_t)(REPAIR | index % FATES);
    memcpy(seed + AT_FRAME, rte_pktmbuf_mtod(frame, void *), frame->pkt_len);
    *size = AT_FRAME + frame->pkt_len;
    rte_pktmbuf_free(frame);
    return seed;
}
