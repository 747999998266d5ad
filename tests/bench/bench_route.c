// SPDX-License-Identifier: Apache-2.0
// Cycles per packet of the routed path, parse to tx buffer, without ports: bench_route [ROUTES [BURSTS]]. UDP over
// IPv4 in bursts of 64, a random flow and destination each, 16 gateways. The median and the least of all bursts are
// printed, then each stage's share: a burst takes microseconds, so most are undisturbed even on a busy machine.
#include <rte_cycles.h>
#include <rte_malloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "packet/harness.h"
#include "shm/huge.h"
#include "table/lpm_build.h"

enum { LAN, WAN };
#define GATEWAYS HARNESS_NEIGHBORS
#define FRAMES   (BURST_MAX * 64) // in turns, so that headers are not in L1 by accident
#define HEADERS  64

static uint64_t seed = 1;

static uint32_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32);
}

struct bench {
    struct harness *h;
    struct sl_lpm_item *item;
    uint32_t routes;
    uint32_t gateway[GATEWAYS];
    struct rte_mbuf *frame[FRAMES];
    uint8_t header[FRAMES][HEADERS];
    uint64_t *cycles;
    uint32_t bursts;
};

static void gateway_make(struct bench *b)
{
    struct harness *h = b->h = harness_new(1);

    harness_port(h, LAN, 0);
    harness_port(h, WAN, 0);
    harness_address(h, LAN, "10.0.0.1/24");
    harness_address(h, WAN, "198.51.100.1/24");
    for (uint32_t i = 0; i < GATEWAYS; i++) {
        char text[SL_IP_TEXT];
        snprintf(text, sizeof(text), "198.51.100.%u", 10 + i);
        b->gateway[i] = harness_nexthop(h, SL_NEXTHOP_GATEWAY, WAN, text);
        harness_neighbor(h, WAN, text);
    }
    harness_ready(h);
    h->worker[0]->metered = false;
}

// Random prefixes outside of our own subnets; lengths as in the global table: mostly /24, then /16 to /23.
static void routes_make(struct bench *b)
{
    struct sl_lpm_plan plan;
    uint32_t count = 0;

    b->item = calloc(b->routes, sizeof(b->item[0]));
    while (count < b->routes) {
        uint8_t len = next_random() % 10 < 6 ? 24 : (uint8_t)(16 + next_random() % 8);
        uint32_t addr = (next_random() % 200 + 11) << 24 | (next_random() & 0xffffff);
        if (addr >> 24 == 127 || addr >> 24 == 198)
            continue;
        b->item[count++] = (struct sl_lpm_item){
            .prefix = {.ip = sl_ip_v4(sl_be32_of(addr & ~(uint32_t)(0xffffffffULL >> len))), .len = len},
            .value = b->gateway[next_random() % GATEWAYS]};
    }
    sl_lpm_sort(b->item, count);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (kept == 0 || sl_prefix_compare(&b->item[kept - 1].prefix, &b->item[i].prefix) != 0)
            b->item[kept++] = b->item[i];
    b->routes = kept;
    sl_lpm_plan(b->item, kept, false, &plan);
    uint64_t size = (plan.blocks * SL_LPM_BLOCK + SL_HUGE_PAGE - 1) / SL_HUGE_PAGE * SL_HUGE_PAGE;
    void *lpm = aligned_alloc(SL_HUGE_PAGE, size);
    madvise(lpm, size, MADV_HUGEPAGE); // as the data plane has its tables: src/shm/huge.h
    memset(lpm, 0, plan.blocks * SL_LPM_BLOCK);
    if (sl_lpm_build(b->item, kept, &plan, lpm, plan.blocks * SL_LPM_BLOCK) != 0)
        exit(1);
    b->h->tables.lpm = lpm;
}

static void frames_make(struct bench *b)
{
    for (uint32_t i = 0; i < FRAMES; i++) {
        const struct sl_prefix *to = &b->item[next_random() % b->routes].prefix;
        uint32_t host = sl_host32(to->ip.w[3]) | (next_random() & (uint32_t)(0xffffffffULL >> to->len));
        b->frame[i] = harness_udp(LAN, "10.0.0.11", "203.0.113.1", (uint16_t)next_random(), 53, 18);
        harness_ipv4_of(b->frame[i])->dst = sl_be32_of(host);
        harness_fix_checksums(b->frame[i]);
        memcpy(b->header[i], rte_pktmbuf_mtod(b->frame[i], void *), 60);
    }
}

// The frames stand in the tx buffer: taken out again, they are as good as new.
static void burst_run(struct bench *b, uint32_t turn)
{
    struct worker *worker = b->h->worker[0];
    uint32_t first = turn % (FRAMES / BURST_MAX) * BURST_MAX;
    struct rte_mbuf *frames[BURST_MAX];

    memcpy(frames, &b->frame[first], sizeof(frames));
    uint64_t start = rte_rdtsc();
    pipeline_run(worker, LAN, frames, BURST_MAX);
    b->cycles[turn] = rte_rdtsc() - start;
    if (worker->tx[WAN].count != BURST_MAX) {
        fprintf(stderr, "%u of %u packets came out\n", worker->tx[WAN].count, BURST_MAX);
        exit(1);
    }
    worker->tx[WAN].count = 0;
    for (uint32_t i = 0; i < BURST_MAX; i++)
        memcpy(rte_pktmbuf_mtod(b->frame[first + i], void *), b->header[first + i], 60);
}

static int cycles_compare(const void *x, const void *y)
{
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;

    return a < b ? -1 : a > b;
}

static void stages_print(const struct bench *b)
{
    static const char *const name[] = {
#define SL_STAGE(name, text) #name,
#include "shm/stage.def"
#undef SL_STAGE
    };

    for (uint32_t i = 0; i < SL_STAGE_KINDS; i++) {
        const struct sl_stage_counters *meter = &b->h->counters->block[0].stage[i];
        if (meter->packets)
            printf("  %-10s %6.1f\n", name[i], (double)meter->cycles / (double)meter->packets);
    }
}

int main(int argc, char **argv)
{
    static struct bench b;

    b.routes = argc > 1 ? (uint32_t)atoi(argv[1]) : 1;
    b.bursts = argc > 2 ? (uint32_t)atoi(argv[2]) : 100000;
    b.cycles = calloc(b.bursts, sizeof(b.cycles[0]));
    if (!b.cycles || harness_start(NULL) != 0)
        return 1;
    gateway_make(&b);
    routes_make(&b);
    frames_make(&b);
    for (uint32_t turn = 0; turn < b.bursts; turn++)
        burst_run(&b, turn);
    qsort(b.cycles, b.bursts, sizeof(b.cycles[0]), cycles_compare);
    printf("routes %u: median %.1f, least %.1f cycles/packet\n", b.routes,
           (double)b.cycles[b.bursts / 2] / BURST_MAX, (double)b.cycles[0] / BURST_MAX);
    b.h->worker[0]->metered = true;
    for (uint32_t turn = 0; turn < b.bursts / 10; turn++)
        burst_run(&b, turn);
    stages_print(&b);
    return 0;
}
