// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0)
// The XDP program of AF_XDP ports: filters and redirects in one (the driver attaches exactly one program). What the
// rules deny is dropped before it costs the data plane anything; IP and ARP go to the worker's socket of the receive
// queue; every other protocol, and everything while no worker listens, goes to the kernel.
//
// Loaded by DPDK's af_xdp driver once per port; the maps pinned by name are shared by all ports and filled by control
// (src/shm/prefilter.h). xsks_map is each port's own, and its name is what the driver looks for.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "prefilter/verdict.h"
#include "table/lpm_read.h"

#define MARTIANS (1 << 3) // SL_PORT_MARTIANS of shm/layout.h, which needs more than this compiler has
#define QUEUES   64
#define PORTS    64

struct {
    __uint(type, BPF_MAP_TYPE_XSKMAP);
    __uint(max_entries, QUEUES);
    __type(key, uint32_t);
    __type(value, uint32_t);
} xsks_map SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, SL_PREFILTER_SLOTS);
    __uint(key_size, sizeof(uint32_t));
    __uint(pinning, LIBBPF_PIN_BY_NAME);
    __array(
        values, struct {
            __uint(type, BPF_MAP_TYPE_ARRAY);
            __uint(max_entries, 1);
            __uint(map_flags, BPF_F_MMAPABLE | BPF_F_INNER_MAP);
            __uint(key_size, sizeof(uint32_t));
            __uint(value_size, SL_LPM_BLOCK);
        });
} sluice_sets SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, PORTS);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
    __type(key, uint32_t);
    __type(value, struct sl_prefilter_port);
} sluice_ports SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, SL_PREFILTER_DROPS);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
    __type(key, uint32_t);
    __type(value, uint64_t);
} sluice_drops SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_HASH);
    __uint(max_entries, PORTS);
    __uint(pinning, LIBBPF_PIN_BY_NAME);
    __type(key, uint32_t);
    __type(value, struct sl_prefilter_hits);
} sluice_hits SEC(".maps");

static const void *sl_lpm_fetch(const void *blob, uint32_t index)
{
    return bpf_map_lookup_elem((void *)blob, &index);
}

// A global function: the verifier proves it once, not again for every rule that calls it.
__attribute__((noinline)) int prefilter_lookup(uint32_t slot, const struct prefilter_source *source)
{
    if (!source)
        return 0;
    const void *set = bpf_map_lookup_elem(&sluice_sets, &slot);
    if (!set)
        return 0;
    const struct sl_lpm_trie *tries = sl_lpm_fetch(set, 1); // the header's second block
    if (!tries)
        return 0;
    struct sl_lpm_trie trie = tries[source->v6 ? 1 : 0];
    return sl_lpm_lookup(set, &trie, (const uint8_t *)source->word) != 0;
}

static __always_inline bool set_contains(const void *sets, uint32_t set,
                                         const struct prefilter_source *source)
{
    return prefilter_lookup(set, source) != 0;
}

static __always_inline void count_drop(uint32_t drop, struct sl_prefilter_hits *hits)
{
    uint64_t *packets = bpf_map_lookup_elem(&sluice_drops, &drop);

    if (packets)
        ++*packets;
    if (hits)
        hits->drop_packets++;
}

static __always_inline enum sl_drop judge(const struct prefilter_span *span, bool v6, uint32_t ifindex,
                                          struct sl_prefilter_hits *hits)
{
    const struct sl_prefilter_port *port = bpf_map_lookup_elem(&sluice_ports, &ifindex);
    struct prefilter_source source = {0};
    uint32_t hit;

    enum sl_drop drop = prefilter_check(span, v6, port && (port->flags & MARTIANS), &source);
    if (drop != SL_DROP_none || !port)
        return drop;
    drop = prefilter_rules(port, set_contains, 0, &source, &hit);
    if (hits && hit < SL_PREFILTER_RULES)
        hits->rule[hit]++;
    return drop;
}

SEC("xdp")
int sluice_prefilter(struct xdp_md *ctx)
{
    const void *frame = (const void *)(long)ctx->data, *end = (const void *)(long)ctx->data_end;
    const struct prefilter_eth *eth = frame;
    uint32_t ifindex = ctx->ingress_ifindex;

    if ((const void *)(eth + 1) > end)
        return XDP_PASS;
    bool v6 = eth->type == PREFILTER_ETH_IPV6;
    if (v6 || eth->type == PREFILTER_ETH_IPV4) {
        struct prefilter_span span = {
            .l3 = eth + 1, .end = end, .whole = (uint32_t)(end - (const void *)(eth + 1))};
        struct sl_prefilter_hits *hits = bpf_map_lookup_elem(&sluice_hits, &ifindex);
        enum sl_drop drop = judge(&span, v6, ifindex, hits);
        if (drop != SL_DROP_none) {
            count_drop(drop, hits);
            return XDP_DROP;
        }
    } else if (eth->type != PREFILTER_ETH_ARP) {
        return XDP_PASS;
    }
    return bpf_redirect_map(&xsks_map, ctx->rx_queue_index, XDP_PASS);
}

char prefilter_license[] SEC("license") = "Dual BSD/GPL";
