// SPDX-License-Identifier: Apache-2.0
// Cycles per packet of the whole pipeline in one process, without a driver: received frames in, frames in the tx
// buffer out. Routing (1 and 1 M routes), the prefilter in front of it (1 and 1 M denied prefixes) and NAT44 (flows
// known, in random order; flows new), UDP of 64 bytes.
//
// Frames are made anew before every burst and only pipeline_run() is timed, so a burst finds its headers in the
// cache, as a NIC with direct cache access leaves them, and everything else where the last million packets have left
// it. Tables are in huge pages, as src/shm/huge.h has them. What reading the clock costs, with the fence that keeps
// the last burst's stores in its own account, is measured first and taken off. The median is over all chunks of 4096 packets of all runs, so that a chunk in which the kernel took the core
// away does not count; the breakdown is of a run of its own, whose meters cost some cycles.
//
//     bench_nat [--json] [--runs N] [--flows N] [--only CASE] [--small-pages]
#include <getopt.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <rte_cycles.h>
#include "../packet/harness_nat.h"
#include "table/prefix_set.h"
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
    uint64_t clock_cycles; // of reading it twice
    bool json, printed;
    const char *only; // cases whose name begins so
    struct sl_route_table *routes;
    uint64_t routes_bytes;
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
static void clock_measure(struct bench *b)
{
    b->clock_cycles = UINT64_MAX;
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t start = rte_rdtsc_precise();
        b->clock_cycles = RTE_MIN(b->clock_cycles, rte_rdtsc_precise() - start);
    }
}

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
        cycles += rte_rdtsc_precise() - start - b->clock_cycles;
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
    flow_memory_free(b->routes, b->routes_bytes);
    b->routes = flow_memory_new(size);
    b->routes_bytes = size;
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
        {"flows", required_argument, NULL, 'f'}, {"only", required_argument, NULL, 'o'},
        {"small-pages", no_argument, NULL, 's'}, {NULL, 0, NULL, 0}};
    for (int o; (o = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (o == 'j')
            b->json = true;
        else if (o == 'r')
            b->runs = (unsigned)RTE_MIN(strtoul(optarg, NULL, 10), (unsigned long)RUNS_MOST);
        else if (o == 'f')
            b->flows = (uint32_t)strtoul(optarg, NULL, 10);
        else if (o == 'o')
            b->only = optarg;
        else if (o == 's')
            prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
        else
            exit(2);
    }
}

// ---- the prefilter -----------------------------------------------------------------------------------------
static const struct sl_lpm *denied_of(const struct sl_prefilter_table *table)
{
    const struct sl_prefilter_set *set = (const void *)((const uint8_t *)table + table->set_offset);

    return (const void *)((const uint8_t *)table + set->blob_offset);
}

// A table with one set, denied on every port by one rule.
static struct sl_prefilter_table *prefilter_make(const struct sl_prefix_set *denied, uint64_t *bytes)
{
    uint64_t sets = sizeof(struct sl_prefilter_table), ports = sets + sizeof(struct sl_prefilter_set);
    uint64_t blob = RTE_ALIGN_CEIL(ports + SL_MAX_PORTS * sizeof(struct sl_prefilter_port), SL_LPM_BLOCK);

    *bytes = blob + sl_prefix_set_size(denied);
    struct sl_prefilter_table *table = flow_memory_new(*bytes);
    uint8_t *base = (uint8_t *)table;
    table->set_count = 1;
    table->set_offset = sets;
    table->port_count = SL_MAX_PORTS;
    table->port_offset = ports;
    ((struct sl_prefilter_set *)(base + sets))->blob_offset = blob;
    for (uint32_t i = 0; i < SL_MAX_PORTS; i++)
        ((struct sl_prefilter_port *)(base + ports))[i] = (struct sl_prefilter_port){
            .rule_count = 1, .fallback = SL_PREFILTER_ALLOW, .rule = {{.action = SL_PREFILTER_DENY}}};
    if (sl_prefix_set_build(denied, base + blob, *bytes - blob) != 0)
        exit(1);
    return table;
}

// As block lists are: single addresses and whole /24s, all over 20.0.0.0 to 99.255.255.255.
static void denied_draw(struct sl_prefix_set *denied, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint8_t len = draw() % 2 ? 32 : 24;
        uint32_t addr = 0x14000000 + (uint32_t)(draw() % (80u << 24));
        struct sl_prefix prefix = {.ip = sl_ip_v4(sl_be32_of(addr & ~0u << (32 - len))), .len = len};
        sl_prefix_set_add(denied, &prefix);
    }
    sl_prefix_set_finish(denied);
}

// Sources from among the denied prefixes, but none of them.
static void tuples_allowed(struct bench *b, const struct sl_lpm *denied)
{
    for (uint32_t i = 0; i < b->flows; i++) {
        struct sl_ip src;
        do
            src = sl_ip_v4(sl_be32_of(0x14000000 + (uint32_t)(draw() % (80u << 24))));
        while (sl_prefix_set_contains(denied, &src));
        b->tuple[i] = (struct tuple){.src = src.w[3],
                                     .sport = sl_be16_of(4096),
                                     .dst = sl_be32_of(0xc0000201),
                                     .dport = sl_be16_of(4000)};
        tuple_checksums(b, &b->tuple[i]);
    }
}

static void case_prefilter(struct bench *b, uint32_t count)
{
    struct sl_prefix_set denied = {0};
    uint64_t bytes;

    denied_draw(&denied, count);
    struct sl_prefilter_table *table = prefilter_make(&denied, &bytes);
    sl_prefix_set_fini(&denied);
    tuples_allowed(b, denied_of(table));
    b->h->tables.prefilter = table;
    b->h->port[NAT_LAN].flags = SL_PORT_PREFILTER | SL_PORT_MARTIANS;
    case_routed(b, "prefilter", count);
    b->h->tables.prefilter = NULL;
    flow_memory_free(table, bytes);
}

// ---- all of it ---------------------------------------------------------------------------------------------
static bool wanted(const struct bench *b, const char *name)
{
    return b->only == NULL || strncmp(name, b->only, strlen(b->only)) == 0;
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

static void cases_nat(struct bench *b)
{
    b->h->port[NAT_LAN].flags = SL_PORT_NAT;
    tuples_nat(b);
    case_known(b, 1);
    case_known(b, 65536);
    case_known(b, b->flows);
    case_new(b, b->flows);
}

static void all_cases(struct bench *b)
{
    const uint32_t bursts[] = {32, 64};
    for (unsigned i = 0; i < RTE_DIM(bursts); i++) {
        b->burst = bursts[i];
        if (wanted(b, "route"))
            cases_routed(b);
        routes_use(b, 1);
        if (wanted(b, "prefilter")) {
            case_prefilter(b, 1);
            case_prefilter(b, 1000000);
        }
        if (wanted(b, "nat44"))
            cases_nat(b);
    }
}

int main(int argc, char **argv)
{
    struct bench b = {.runs = 11, .flows = 1u << 20};
    options(&b, argc, argv);
    b.value = calloc((size_t)RUNS_MOST * (RTE_MAX(PACKETS, b.flows) / CHUNK), sizeof(*b.value));
    if (harness_start(NULL) != 0)
        return 1;
    clock_measure(&b);
    gateway_make(&b);
    if (!b.json)
        printf("%-22s %9s %5s %9s %9s %9s   %s\n", "cycles per packet", "count", "burst", "median", "tenth",
               "ninetieth", "by stage");
    all_cases(&b);
    printf(b.json ? "]\n" : "");
    return 0;
}
