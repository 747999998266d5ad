// SPDX-License-Identifier: Apache-2.0
// Fuzzes what housekeeping reads of ARP and neighbor discovery: any frame, straight into neighbor_handle, past the
// checks of the parse stage. The frame lies in memory of exactly its size, so a sanitizer sees one byte too far; no
// buffer may be lost, and static neighbors stay what they are.
#include <stdlib.h>
#include <rte_malloc.h>
#include "../packet/harness.h"
#include "fuzz.h"
#include "neighbor/neighbor.h"

enum { WAN };
#define FRAME_MAX 2000

static struct harness *h; // one for all inputs: it is the neighbors' memory that is fuzzed, too

static void stop(void)
{
    harness_free(h);
}

static void frame_memory_free(void *memory, void *opaque)
{
    (void)opaque;
    free(memory);
}

static void start(void)
{
    if (harness_start(NULL) != 0)
        abort();
    h = harness_new(1);
    harness_port(h, WAN, 0);
    harness_address(h, WAN, "198.51.100.1/24");
    harness_address(h, WAN, "2001:db8:100::1/64");
    harness_neighbor(h, WAN, "198.51.100.21");
    harness_ready(h);
    atexit(stop);
}

// Mutations of a neighbor-discovery message would all end at its checksum: half of them get it right.
static void checksum_mend(uint8_t *frame, size_t size)
{
    struct sl_ipv6 *ip = (struct sl_ipv6 *)(frame + 14);

    if (size < 14 + sizeof(*ip) + 8 || frame[12] != 0x86 || frame[14] >> 4 != 6 || ip->next != 58)
        return;
    if (sl_host16(ip->payload_len) >= 8 && sl_host16(ip->payload_len) <= size - 14 - sizeof(*ip) &&
        frame[size - 1] & 1)
        sl_emit_l4_checksum(ip);
}

static struct rte_mbuf *frame_exact(const uint8_t *data, size_t size, struct rte_mbuf_ext_shared_info *shared)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(harness_pool());
    void *memory = malloc(size);

    if (!m || !memory)
        abort();
    memcpy(memory, data, size);
    checksum_mend(memory, size);
    shared->free_cb = frame_memory_free;
    shared->fcb_opaque = NULL;
    rte_mbuf_ext_refcnt_set(shared, 1);
    rte_pktmbuf_attach_extbuf(m, memory, RTE_BAD_IOVA, (uint16_t)size, shared);
    m->data_off = 0;
    m->data_len = (uint16_t)size;
    m->pkt_len = (uint32_t)size;
    return m;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rte_mbuf_ext_shared_info shared;
    struct sl_ip fixed = sl_ip_v4(sl_be32_of(0xc6336415));

    if (!h)
        start();
    if (size == 0 || size > FRAME_MAX)
        return 0;
    unsigned before = rte_mempool_avail_count(harness_pool());
    struct rte_mbuf *m = frame_exact(data, size, &shared);
    *handover_of(m) = (struct handover){.kind = HANDOVER_ARP, .port_in = WAN};
    neighbor_handle(&h->house, m);
    harness_settle(h);
    for (struct rte_mbuf *out; (out = harness_sent(h, WAN)) != NULL;)
        rte_pktmbuf_free(out);
    if (rte_mempool_avail_count(harness_pool()) != before)
        abort();
    if (neighbor_state(neighbor_find(h->house.neighbors, WAN, &fixed)) != SL_NEIGHBOR_STATIC)
        abort();
    return 0;
}

static size_t seed_discovery(uint8_t *at, uint8_t type, uint8_t option)
{
    struct sl_emit_ip ip = {.proto = 58, .ttl = 255, .payload_len = 32};
    uint8_t *frame = at;

    sl_ip_parse("2001:db8:100::21", &ip.src);
    sl_ip_parse("2001:db8:100::1", &ip.dst);
    at = sl_emit_eth(at, harness_port_mac(WAN), harness_peer_mac(), SL_ETHERTYPE_IPV6);
    uint8_t *l3 = at;
    at = sl_emit_icmp(sl_emit_ipv6(at, &ip), type, 0, 0);
    memcpy(at, type == SL_ICMP6_NEIGHBOR_SOLICIT ? ip.dst.b : ip.src.b, 16);
    at[16] = option;
    at[17] = 1;
    memcpy(at + 18, harness_peer_mac(), 6);
    sl_emit_l4_checksum(l3);
    return (size_t)(at + 24 - frame);
}

uint8_t *fuzz_seed(unsigned index, size_t *size)
{
    uint8_t *seed = calloc(1, 128);

    if (!seed)
        abort();
    switch (index) {
    case 0:
    case 1:
        sl_emit_arp(sl_emit_eth(seed, harness_port_mac(WAN), harness_peer_mac(), SL_ETHERTYPE_ARP),
                    (uint16_t)(index + 1), harness_peer_mac(), sl_be32_of(0xc6336432), harness_port_mac(WAN),
                    sl_be32_of(0xc6336401));
        *size = 14 + sizeof(struct sl_arp);
        return seed;
    case 2:
        *size = seed_discovery(seed, SL_ICMP6_NEIGHBOR_SOLICIT, 1);
        return seed;
    case 3:
        *size = seed_discovery(seed, SL_ICMP6_NEIGHBOR_ADVERT, 2);
        return seed;
    default:
        free(seed);
        return NULL;
    }
}
