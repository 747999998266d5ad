// SPDX-License-Identifier: Apache-2.0
// Cycles per packet of the whole pipeline in one process, without a driver: received frames in, frames in the tx
// buffer out. Routing (1 and 1 M routes) and NAT44 (flows known, in random order; flows new), UDP of 64 bytes.
//
// Frames are made anew before every burst and only pipeline_run() is timed, so a burst finds its headers in the
// cache, as a NIC with direct cache access leaves them, and everything else where the last million packets have left
// it. The median is over all chunks of 4096 packets of all runs, so that a chunk in which the kernel took the core
// away does not count; the breakdown is of a run of its own, whose meters cost some cycles.
//
//     bench_nat [--json] [--runs N] [--flows N] [--only-nat] [--small-pages]
#include <getopt.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <rte_cycles.h>
#include "../packet/harness_nat.h"
#include "table/route_table.h"

#define FRAMES      1024 // in turn, so that a burst's buffers are not the last burst's
#define PACKETS     (1u << 20)
#define CHUNK       4096
#define RUNS_MOST   101
#define SUBSCRIBERS 65536u
#define ADDRESSES   256u

struct tuple { // of a packet to be sent; checksums are computed once
    sl_be32 src, dst;
    sl_be16 sport, dport, ip_checksum, udp_checksum;
};

struct bench {
    struct harness_nat *nat;
    struct harness *h;
    struct rte_mbuf *frame[FRAMES];
    struct tuple *tuple; // [flows]
    uint32_t flows, next_frame, burst;
    unsigned runs;
    double *value; // cycles per packet of each chunk
    size_t values;
    bool json, printed, only_nat;
    struct sl_route_table *routes;
};

struct result {
    double median, tenth, ninetieth;
};

static uint64_t draw(void)
{
    static uint64_t state = 0x2545f4914f6cdd1d;
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

// ---- frames ------------------------------------------------------------------------------------------------
static void frames_make(struct bench *b)
{
    for (uint32_t i = 0; i < FRAMES; i++)
        b->frame[i] = harness_udp(NAT_LAN, "10.0.0.11", "192.0.2.1", 1, 2, 64 - 14 - 20 - 8 - 4);
}

// The same packet as was received at first, but for another flow.
static inline void frame_restore(struct bench *b, struct rte_mbuf *m, const struct tuple *t)
{
    struct sl_eth *eth = rte_pktmbuf_mtod(m, struct sl_eth *);
    struct sl_ipv4 *ip = (struct sl_ipv4 *)(eth + 1);
    struct sl_udp *udp = (struct sl_udp *)(ip + 1);
    memcpy(eth->dst, harness_port_mac(NAT_LAN), 6);
    ip->ttl = 64;
    ip->src = t->src;
    ip->dst = t->dst;
    ip->checksum = t->ip_checksum;
    udp->sport = t->sport;
    udp->dport = t->dport;
    udp->checksum = t->udp_checksum;
}

static void tuple_checksums(struct bench *b, struct tuple *t)
{
    struct rte_mbuf *m = b->frame[0];
    frame_restore(b, m, t);
    harness_fix_checksums(m);
    t->ip_checksum = harness_ipv4_of(m)->checksum;
    t->udp_checksum = ((struct sl_udp *)harness_l4_of(m))->checksum;
}

static void tuples_shuffle(struct bench *b, uint32_t count)
{
    for (uint32_t i = count - 1; i > 0; i--) {
        uint32_t j = (uint32_t)(draw() % (i + 1));
        struct tuple swap = b->tuple[i];
        b->tuple[i] = b->tuple[j];
        b->tuple[j] = swap;
    }
}

// Subscribers of 10.0.0.0/16 with 16 ports each, to a thousand servers.
static void tuples_nat(struct bench *b)
{
    for (uint32_t i = 0; i < b->flows; i++) {
        b->tuple[i] = (struct tuple){
            .src = sl_be32_of(0x0a000000 + i % SUBSCRIBERS),
            .sport = sl_be16_of((uint16_t)(4096 + i / SUBSCRIBERS)),
            .dst = sl_be32_of(0xc0000200 + (uint32_t)(draw() % 250)),
            .dport = sl_be16_of(4000),
        };
        tuple_checksums(b, &b->tuple[i]);
    }
    tuples_shuffle(b, b->flows);
}

static void tuples_routed(struct bench *b)
{
    for (uint32_t i = 0; i < b->flows; i++) {
        b->tuple[i] = (struct tuple){
            .src = sl_be32_of(0x0a000000 + i % SUBSCRIBERS),
            .sport = sl_be16_of(4096),
            .dst = sl_be32_of(0x14000000 + (uint32_t)(draw() % (80u << 24))),
            .dport = sl_be16_of(4000),
        };
        tuple_checksums(b, &b->tuple[i]);
    }
}

// ---- running -----------------------------------------------------------------------------------------------
// Sends `count` packets, tuples `first` and on, in turn over `among`; cycles of pipeline_run alone.
static uint64_t packets_send(struct bench *b, uint32_t first, uint32_t count, uint32_t among)
{
    struct worker *worker = b->h->worker[0];
    uint64_t cycles = 0;
    for (uint32_t sent = 0; sent < count; sent += b->burst) {
        struct rte_mbuf *frames[BURST_MAX];
        for (uint32_t i = 0; i < b->burst; i++) {
            frames[i] = b->frame[(b->next_frame + i) % FRAMES];
            frame_restore(b, frames[i], &b->tuple[(first + sent + i) % among]);
        }
        uint64_t start = rte_rdtsc_precise();
        pipeline_run(worker, NAT_LAN, frames, (uint16_t)b->burst);
        cycles += rte_rdtsc_precise() - start;
        if (worker->tx[NAT_WAN].count != b->burst) {
            fprintf(stderr, "bench_nat: %u of %u packets left\n", worker->tx[NAT_WAN].count, b->burst);
            exit(1);
        }
        worker->tx[NAT_WAN].count = 0;
        worker->tx_pending = 0;
        b->next_frame = (b->next_frame + b->burst) % FRAMES;
    }
    return cycles;
}

static void flows_end(struct bench *b)
{
    struct worker *worker = b->h->worker[0];
    for (uint32_t i = 0; i < worker->flows->capacity; i++)
        if (worker->flows->entry[i].kind != SL_FLOW_FREE)
            flow_end(worker, i, SL_COUNTER_flow_killed);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

// Median and the bounds of the middle eight tenths.
static struct result summary(struct bench *b)
{
    qsort(b->value, b->values, sizeof(*b->value), compare);
    struct result r = {b->value[b->values / 2], b->value[b->values / 10],
                       b->value[b->values - 1 - b->values / 10]};
    b->values = 0;
    return r;
}

static void run_measured(struct bench *b, uint32_t count, uint32_t among)
{
    for (uint32_t sent = 0; sent + CHUNK <= count; sent += CHUNK)
        b->value[b->values++] = (double)packets_send(b, sent, CHUNK, among) / CHUNK;
}

static struct result run_known(struct bench *b, uint32_t among)
{
    packets_send(b, 0, among > b->burst ? among : b->burst, among); // makes the flows
    packets_send(b, 0, PACKETS, among);                             // and their cached next hops
    for (unsigned run = 0; run < b->runs; run++)
        run_measured(b, PACKETS, among);
    return summary(b);
}

static struct result run_new(struct bench *b, uint32_t among)
{
    for (unsigned run = 0; run < b->runs; run++) {
        flows_end(b);
        run_measured(b, among, among);
    }
    return summary(b);
}

// ---- showing -----------------------------------------------------------------------------------------------
static const char *const stage_name[] = {
#define SL_STAGE(name, text) #name,
#include "shm/stage.def"
#undef SL_STAGE
};

static void show(struct bench *b, const char *what, uint32_t count, struct result r)
{
    const struct sl_stage_counters *stage = b->h->worker[0]->counters->stage;
    if (b->json)
        printf("%s{\"case\":\"%s\",\"count\":%u,\"burst\":%u,\"median\":%.1f,\"tenth\":%.1f,\"ninetieth\":%."
               "1f,\"stages\":{",
               b->printed ? ",\n " : "[", what, count, b->burst, r.median, r.tenth, r.ninetieth);
    else
        printf("%-22s %9u %5u %9.1f %9.1f %9.1f  ", what, count, b->burst, r.median, r.tenth, r.ninetieth);
    const char *comma = "";
    for (unsigned s = 0; s < SL_STAGE_KINDS; s++) {
        if (stage[s].packets == 0)
            continue;
        printf(b->json ? "%s\"%s\":%.1f" : "%s %s %.0f", b->json ? comma : "", stage_name[s],
               (double)stage[s].cycles / (double)stage[s].packets);
        comma = ",";
    }
    printf(b->json ? "}}" : "\n");
    fflush(stdout);
    b->printed = true;
}

// A run with the meters on, for the breakdown.
static void metered(struct bench *b, uint32_t first, uint32_t count, uint32_t among)
{
    struct worker *worker = b->h->worker[0];
    memset(worker->counters->stage, 0, sizeof(worker->counters->stage));
    worker->metered = true;
    packets_send(b, first, count, among);
    worker->metered = false;
}

static void case_known(struct bench *b, uint32_t flows)
{
    flows_end(b);
    struct result r = run_known(b, flows);
    metered(b, 0, PACKETS, flows);
    show(b, flows == 1 ? "nat44 one flow" : "nat44 known flows", flows, r);
}

static void case_new(struct bench *b, uint32_t flows)
{
    struct result r = run_new(b, flows);
    flows_end(b);
    metered(b, 0, flows, flows);
    show(b, "nat44 new flows", flows, r);
}

static void case_routed(struct bench *b, const char *what, uint32_t routes)
{
    for (unsigned run = 0; run < b->runs; run++)
        run_measured(b, PACKETS, b->flows);
    struct result r = summary(b);
    metered(b, 0, PACKETS, b->flows);
    show(b, what, routes, r);
}

// ---- the gateway -------------------------------------------------------------------------------------------
static void rib_default(struct sl_rib *rib)
{
    const struct sl_rib_way way = {
        .gateway = harness_ip_of("198.51.100.23"), .port = NAT_WAN, .kind = SL_NEXTHOP_GATEWAY};
    struct sl_prefix all = {.ip = sl_ip_v4(0)};
    sl_rib_set(rib, &all, &way, 1);
}

// Routes of the lengths that are usual in the Internet, all over 20.0.0.0 to 99.255.255.255.
static void rib_fill(struct sl_rib *rib, uint32_t routes)
{
    const struct sl_rib_way way = {
        .gateway = harness_ip_of("198.51.100.23"), .port = NAT_WAN, .kind = SL_NEXTHOP_GATEWAY};
    while (sl_rib_count(rib) < routes) {
        uint8_t len = (uint8_t)(draw() % 10 < 6 ? 24 : 16 + draw() % 9);
        uint32_t addr = 0x14000000 + (uint32_t)(draw() % (80u << 24));
        struct sl_prefix prefix = {.ip = sl_ip_v4(sl_be32_of(addr & ~0u << (32 - len))), .len = len};
        sl_rib_set(rib, &prefix, &way, 1);
    }
}

static void routes_use(struct bench *b, uint32_t routes)
{
    struct sl_rib *rib = sl_rib_new();
    rib_default(rib);
    rib_fill(rib, routes);
    uint64_t size = sl_rib_prepare(rib);
    free(b->routes);
    b->routes = aligned_alloc(2u << 20, (size + (2u << 20) - 1) & ~((2ull << 20) - 1));
    memset(b->routes, 0, size);
    if (sl_rib_compile(rib, b->routes, size) != 0)
        exit(1);
    struct tables *tables = &b->h->tables;
    tables->route = b->routes;
    tables->nexthop = (const void *)((const uint8_t *)b->routes + b->routes->nexthop_offset);
    tables->group_slot = (const void *)((const uint8_t *)b->routes + b->routes->group_offset);
    tables->lpm = (const void *)((const uint8_t *)b->routes + b->routes->lpm_offset);
    sl_rib_free(rib);
}

static void gateway_make(struct bench *b)
{
    b->nat = harness_nat_new(b->flows);
    b->h = b->nat->h;
    b->h->worker[0]->metered = false;
    harness_nat_pool(b->nat, "wan", "203.0.113.0", ADDRESSES, 16, SL_NAT_FILTER_ENDPOINT_INDEPENDENT);
    harness_nat_source(b->nat, "10.0.0.0/16", NAT_WAN, 0);
    harness_nat_ready(b->nat);
    b->tuple = flow_memory_new(b->flows * sizeof(*b->tuple));
    frames_make(b);
}

static void options(struct bench *b, int argc, char **argv)
{
    const struct option known[] = {
        {"json", no_argument, NULL, 'j'},        {"runs", required_argument, NULL, 'r'},
        {"flows", required_argument, NULL, 'f'}, {"only-nat", no_argument, NULL, 'n'},
        {"small-pages", no_argument, NULL, 's'}, {NULL, 0, NULL, 0}};
    for (int o; (o = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (o == 'j')
            b->json = true;
        else if (o == 'r')
            b->runs = (unsigned)RTE_MIN(strtoul(optarg, NULL, 10), (unsigned long)RUNS_MOST);
        else if (o == 'f')
            b->flows = (uint32_t)strtoul(optarg, NULL, 10);
        else if (o == 'n')
            b->only_nat = true;
        else if (o == 's')
            prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
        else
            exit(2);
    }
}

static void cases_routed(struct bench *b)
{
    b->h->port[NAT_LAN].flags = 0;
    tuples_routed(b);
    routes_use(b, 1);
    case_routed(b, "route", 1);
    routes_use(b, 1000000);
    case_routed(b, "route", 1000000);
}

static void all_cases(struct bench *b)
{
    const uint32_t bursts[] = {32, 64};
    for (unsigned i = 0; i < RTE_DIM(bursts); i++) {
        b->burst = bursts[i];
        if (!b->only_nat)
            cases_routed(b);
        b->h->port[NAT_LAN].flags = SL_PORT_NAT;
        routes_use(b, 1);
        tuples_nat(b);
        case_known(b, 1);
        case_known(b, 65536);
        case_known(b, b->flows);
        case_new(b, b->flows);
    }
}

int main(int argc, char **argv)
{
    struct bench b = {.runs = 11, .flows = 1u << 20};
    options(&b, argc, argv);
    b.value = calloc((size_t)RUNS_MOST * (RTE_MAX(PACKETS, b.flows) / CHUNK), sizeof(*b.value));
    if (harness_start(NULL) != 0)
        return 1;
    gateway_make(&b);
    if (!b.json)
        printf("%-22s %9s %5s %9s %9s %9s   %s\n", "cycles per packet", "count", "burst", "median", "tenth",
               "ninetieth", "by stage");
    all_cases(&b);
    printf(b.json ? "]\n" : "");
    return 0;
}
