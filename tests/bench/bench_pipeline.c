// SPDX-License-Identifier: Apache-2.0
// Cycles per packet of the whole pipeline in one process, without a driver: received frames in, frames in the tx
// buffer out. UDP of 64 bytes; routing, the prefilter in front of it, NAT44 with flows known and new, each as large as
// asked for. Cases run in the order they are named:
//
//     bench_pipeline [--json] [--runs N] [--bursts 32,64] [--workers N] [--no-stages] [--small-pages] CASE=COUNT...
//
//     route=ROUTES      a million destinations over so many routes      flows=DESTINATIONS  over a million routes
//     prefixes=N        prefilter, one rule with so many prefixes       rules=N  so many rules with 1000 prefixes each
//     nat=FLOWS         known flows in random order, then new ones
//     balance[:METHOD[:MEMBERS[:WAY]]]=FLOWS       the same to a service; maglev, 100 members, DNAT
//     connections[:METHOD[:MEMBERS]]=FLOWS         whole connections through it, so many closed ones lingering: cycles
//                                                  are per connection (bench_connections.h), counts too
//
// Frames are written anew before every burst and only the pipeline is timed, so a burst finds its headers in the
// cache, as a NIC with direct cache access leaves them, and everything else where the packets before have left it.
// What reading the clock costs, with the fence that keeps the last burst's stores in its own account, is measured
// first and taken off. Printed are the median and the middle eight tenths over chunks of 4096 packets; by stage: of a
// run of its own, whose meters cost some cycles; the core's clock; and which share of the chunks had the core to
// themselves (core_probe() before and after each): the others are left out.
//
// Several workers take turns on the one core: a burst each, then what they steered to each other. So it counts what
// steering costs in instructions, and not what it costs to move lines between cores.
#include <getopt.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <rte_cycles.h>
#include "bench_connections.h"
#include "bench_gateway.h"
#include "worker/loop.h"

#define FRAMES      1024 // in turn, so that a burst's buffers are not the last burst's
#define CHUNK       4096 // packets
#define RUN         256  // chunks
#define MILLION     1000000u
#define CASE_MOST   (1u << 25)
#define CHUNKS_MOST (1u << 16)
#define SECOND      RTE_ALIGN_CEIL(CONNECTIONS_RATE, BURST_MAX) // of connections
#define RULE_SET    1000 // prefixes of each rule where rules are counted

struct chunk {
    double cycles; // per packet
    double clock_ghz;
    double burden; // the larger of before and after
};

struct bench {
    struct gateway *g;
    struct rte_mbuf *frame[FRAMES];
    uint32_t next_frame, next_tuple;
    uint16_t in, out;                // ports
    struct connections *connections; // NULL: packets of flows
    char label[64];                  // the case as it was named
    uint32_t burst, workers, runs;
    uint32_t bursts[4], burst_kinds;
    uint64_t clock_cycles; // of reading it twice
    struct chunk *chunk;
    uint32_t chunks;
    double least_burden;
    double alone;      // share of the chunks that had the core to themselves
    bool json, stages; // stages: also a run with the meters on
};

static int usage(const char *text)
{
    fprintf(stderr, "bench_pipeline: '%s'? Ways of use stand at the top of bench_pipeline.c\n", text);
    return 2;
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

static void burst_receive(struct bench *b, struct rte_mbuf **frames)
{
    for (uint32_t i = 0; i < b->burst; i++) {
        frames[i] = b->frame[b->next_frame++ % FRAMES];
        frame_reset(frames[i]);
        frame_write(frames[i], &b->g->tuple[b->next_tuple++]);
        memcpy(harness_eth_of(frames[i])->dst, harness_port_mac(b->in), 6);
        if (b->next_tuple == b->g->tuples)
            b->next_tuple = 0;
    }
}

static uint64_t burst_run(struct bench *b, struct worker *worker)
{
    struct rte_mbuf *frames[BURST_MAX];
    burst_receive(b, frames);
    uint64_t start = rte_rdtsc_precise();
    pipeline_run(worker, b->in, frames, (uint16_t)b->burst);
    return rte_rdtsc_precise() - start - b->clock_cycles;
}

static uint64_t rings_run(struct bench *b, struct worker *worker)
{
    uint64_t start = rte_rdtsc_precise();
    worker_rings(worker);
    return rte_rdtsc_precise() - start - b->clock_cycles;
}

// Frames in the tx buffers are as good as sent: they are ours again.
static uint32_t sent_take(const struct bench *b, struct worker *worker)
{
    uint32_t count = worker->tx[b->out].count;
    worker->tx[b->out].count = 0;
    worker->tx_pending = 0;
    return count;
}

// A burst to each worker, and what they then hand to each other. Cycles of the pipeline alone.
static uint64_t round_run(struct bench *b)
{
    struct worker **worker = b->g->h->worker;
    uint64_t cycles = 0;
    uint32_t sent = 0;
    for (uint32_t w = 0; w < b->workers; w++)
        cycles += burst_run(b, worker[w]);
    for (uint32_t w = 0; w < b->workers && b->workers > 1; w++)
        cycles += rings_run(b, worker[w]);
    for (uint32_t w = 0; w < b->workers; w++)
        sent += sent_take(b, worker[w]);
    if (sent != b->burst * b->workers) {
        fprintf(stderr, "bench_pipeline: %u of %u packets left\n", sent, b->burst * b->workers);
        exit(1);
    }
    return cycles;
}

static double packets_run(struct bench *b, uint32_t packets)
{
    uint64_t cycles = 0;
    for (uint32_t sent = 0; sent < packets; sent += b->burst * b->workers)
        cycles += b->connections ? connections_run(b->connections, b->burst, b->clock_cycles) : round_run(b);
    return (double)cycles / packets;
}

static void chunks_run(struct bench *b, uint32_t chunks, uint32_t packets)
{
    struct core_speed before = core_probe();
    for (uint32_t i = 0; i < chunks && b->chunks < CHUNKS_MOST; i++) {
        double cycles = packets_run(b, packets);
        struct core_speed after = core_probe();
        b->chunk[b->chunks++] = (struct chunk){cycles, after.clock_ghz, RTE_MAX(before.burden, after.burden)};
        b->least_burden = RTE_MIN(b->least_burden, after.burden);
        before = after;
    }
}

// All flows, from the first packet on, in chunks: each makes a flow where there is none.
static void fill_run(struct bench *b)
{
    uint32_t packets = RTE_MIN(b->g->tuples, (uint32_t)CHUNK);
    b->next_tuple = 0;
    chunks_run(b, b->g->tuples / packets, packets);
}

// ---- showing -----------------------------------------------------------------------------------------------
static const char *const stage_name[] = {
#define SL_STAGE(name, text) #name,
#include "shm/stage.def"
#undef SL_STAGE
};

static int by_cycles(const void *a, const void *b)
{
    double x = ((const struct chunk *)a)->cycles, y = ((const struct chunk *)b)->cycles;
    return (x > y) - (x < y);
}

// Chunks on a shared core go, unless they are nearly all; those that stay are sorted.
static void chunks_choose(struct bench *b)
{
    uint32_t alone = 0, all = b->chunks;
    for (uint32_t i = 0; i < all; i++)
        alone += b->chunk[i].burden <= SHARED_BURDEN * b->least_burden;
    b->alone = (double)alone / all;
    if (alone >= all / 8 + 1) {
        b->chunks = 0;
        for (uint32_t i = 0; i < all; i++)
            if (b->chunk[i].burden <= SHARED_BURDEN * b->least_burden)
                b->chunk[b->chunks++] = b->chunk[i];
    }
    qsort(b->chunk, b->chunks, sizeof(*b->chunk), by_cycles);
}

static void stages_print(const struct bench *b)
{
    const char *comma = "";
    for (unsigned s = 0; s < SL_STAGE_KINDS; s++) {
        double cycles = 0, packets = 0;
        for (uint32_t w = 0; w < b->workers; w++) {
            cycles += (double)b->g->h->worker[w]->counters->stage[s].cycles;
            packets += (double)b->g->h->worker[w]->counters->stage[s].packets;
        }
        if (packets == 0)
            continue;
        printf(b->json ? "%s\"%s\":%.1f" : "%s %s %.0f", b->json ? comma : "", stage_name[s],
               cycles / packets);
        comma = ",";
    }
}

static void show(struct bench *b, const char *what, uint32_t count)
{
    chunks_choose(b);
    const struct chunk *median = &b->chunk[b->chunks / 2], *tenth = &b->chunk[b->chunks / 10],
                       *ninetieth = &b->chunk[b->chunks - 1 - b->chunks / 10];
    if (b->json)
        printf(
            "{\"case\":\"%s\",\"count\":%u,\"workers\":%u,\"burst\":%u,\"median\":%.2f,\"tenth\":%.2f,"
            "\"ninetieth\":%.2f,\"clock_ghz\":%.3f,\"alone\":%.3f,\"burden\":%.3f,\"chunks\":%u,\"stages\":{",
            what, count, b->workers, b->burst, median->cycles, tenth->cycles, ninetieth->cycles,
            median->clock_ghz, b->alone, b->least_burden, b->chunks);
    else
        printf("%-10s %9u %3u %3u %9.1f %9.1f %9.1f %6.2f %5.2f  ", what, count, b->workers, b->burst,
               median->cycles, tenth->cycles, ninetieth->cycles, median->clock_ghz, b->alone);
    stages_print(b);
    printf(b->json ? "}}\n" : "\n");
    fflush(stdout);
    b->chunks = 0;
}

static void meters_set(struct bench *b, bool on)
{
    for (uint32_t w = 0; w < b->workers; w++) {
        struct worker *worker = b->g->h->worker[w];
        if (on)
            memset(worker->counters->stage, 0, sizeof(worker->counters->stage));
        worker->metered = on;
    }
}

// ---- cases -------------------------------------------------------------------------------------------------
// Packets that make nothing new, then the same with the meters on.
static void steady_measure(struct bench *b, const char *suffix, uint32_t count)
{
    char what[80];
    snprintf(what, sizeof(what), "%s%s", b->label, suffix);
    for (uint32_t i = 0; i < b->burst_kinds; i++) {
        b->burst = b->bursts[i];
        packets_run(b, CHUNK);
        chunks_run(b, b->runs * RUN, CHUNK);
        meters_set(b, true);
        packets_run(b, b->stages ? RUN * CHUNK : CHUNK);
        meters_set(b, false);
        show(b, what, count);
    }
}

static void new_metered(struct bench *b)
{
    uint32_t kept = b->chunks;
    gateway_flows_end(b->g);
    meters_set(b, true);
    fill_run(b);
    meters_set(b, false);
    b->chunks = kept;
}

static void new_measure(struct bench *b, uint32_t count)
{
    char what[80];
    snprintf(what, sizeof(what), "%s-new", b->label);
    uint32_t fills = RTE_MAX(b->runs * RUN / RTE_MAX(count / CHUNK, 1u), 1u);
    for (uint32_t i = 0; i < b->burst_kinds; i++) {
        b->burst = b->bursts[i];
        for (uint32_t fill = 0; fill < fills; fill++) {
            gateway_flows_end(b->g);
            fill_run(b);
        }
        if (b->stages)
            new_metered(b);
        show(b, what, count);
    }
}

static void case_route(struct bench *b, uint32_t routes)
{
    b->g = gateway_new(b->workers, 64);
    gateway_routes(b->g, routes);
    tuples_routed(b->g, MILLION);
    steady_measure(b, "", routes);
}

static void case_flows(struct bench *b, uint32_t flows)
{
    b->g = gateway_new(b->workers, 64);
    gateway_routes(b->g, MILLION);
    tuples_routed(b->g, flows);
    steady_measure(b, "", flows);
}

static void case_prefixes(struct bench *b, uint32_t prefixes)
{
    b->g = gateway_new(b->workers, 64);
    gateway_prefilter(b->g, 1, prefixes);
    tuples_allowed(b->g, MILLION);
    steady_measure(b, "", prefixes);
}

static void case_rules(struct bench *b, uint32_t rules)
{
    b->g = gateway_new(b->workers, 64);
    gateway_prefilter(b->g, RTE_MIN(rules, (uint32_t)SL_PREFILTER_RULES), RULE_SET);
    tuples_allowed(b->g, MILLION);
    steady_measure(b, "", rules);
}

// New flows only where a burst of them is a burst of new ones. They are the known ones then.
static void flows_measure(struct bench *b, uint32_t flows)
{
    if (flows >= 1024)
        new_measure(b, flows);
    b->burst = BURST_MAX / 2;
    packets_run(b, RTE_ALIGN_CEIL(flows, CHUNK)); // makes them where need be, and caches their next hops
    steady_measure(b, "-known", flows);
}

static void case_nat(struct bench *b, uint32_t flows)
{
    b->g = gateway_new(b->workers, RTE_MAX(flows, 1024u));
    tuples_nat(b->g, flows);
    flows_measure(b, flows);
}

// What stands behind the case's name: method, members, way.
static struct gateway *balanced(struct bench *b, uint32_t capacity)
{
    static const char *const method_name[SL_BALANCE_METHODS] = {
        "maglev",         "round-robin", "weighted-round-robin", "least",
        "weighted-least", "source-hash", "two-choices"};
    static const char *const way_name[] = {"dnat", "full-nat", "direct", "ipip", "gue"};
    char text[64], *rest = text, *part;
    uint32_t method = SL_BALANCE_MAGLEV, way = SL_BALANCE_DNAT, members = 100, found;
    snprintf(text, sizeof(text), "%s", b->label);
    strsep(&rest, ":");
    for (int place = 0; (part = strsep(&rest, ":")) != NULL; place++) {
        if (place == 1) {
            members = (uint32_t)strtoul(part, NULL, 10);
            continue;
        }
        uint32_t count = place == 0 ? RTE_DIM(method_name) : RTE_DIM(way_name);
        for (found = 0; found < count && strcmp(place == 0 ? method_name[found] : way_name[found], part);
             found++)
            ;
        if (found == count)
            exit(usage(part));
        *(place == 0 ? &method : &way) = found;
    }
    if (members == 0 || members > BALANCE_TEST_PARTS)
        exit(usage("MEMBERS"));
    b->in = NAT_WAN;
    b->out = NAT_LAN;
    return gateway_balance_new(b->workers, capacity, (enum sl_balance_method)method, members,
                               (enum sl_balance_way)way);
}

static void case_balance(struct bench *b, uint32_t flows)
{
    b->g = balanced(b, RTE_MAX(flows, 1024u));
    tuples_balance(b->g, flows);
    flows_measure(b, flows);
}

static void case_connections(struct bench *b, uint32_t flows)
{
    b->g = balanced(b, flows + CONNECTIONS_ROOM);
    b->connections = connections_new(b->g, flows, b->frame);
    b->burst = BURST_MAX / 2;
    for (uint32_t done = 0; done < flows + CONNECTIONS_ROOM; done += CHUNK)
        packets_run(b, CHUNK); // until as many end as begin
    chunks_run(b, 4 + 4 * b->runs,
               SECOND); // flows end in heaps, as the wheel turns: whole seconds hold them all
    show(b, b->label, flows);
    connections_free(b->connections);
    b->connections = NULL;
}

static const struct {
    const char *name;
    void (*run)(struct bench *b, uint32_t count);
} cases[] = {
    {"route", case_route},
    {"flows", case_flows},
    {"prefixes", case_prefixes},
    {"rules", case_rules},
    {"nat", case_nat},
    {"balance", case_balance},
    {"connections", case_connections},
};

// ---- the command line --------------------------------------------------------------------------------------
static int case_run(struct bench *b, const char *text)
{
    const char *equals = strchr(text, '=');
    unsigned long count = equals ? strtoul(equals + 1, NULL, 10) : 0;
    if (count == 0 || count > CASE_MOST)
        return usage(text);
    size_t name_len = strcspn(text, ":=");
    snprintf(b->label, sizeof(b->label), "%.*s", (int)(equals - text), text);
    for (size_t i = 0; i < RTE_DIM(cases); i++)
        if (strlen(cases[i].name) == name_len && !strncmp(cases[i].name, text, name_len)) {
            b->next_tuple = 0;
            b->in = NAT_LAN;
            b->out = NAT_WAN;
            cases[i].run(b, (uint32_t)count);
            return 0;
        }
    return usage(text);
}

static void bursts_parse(struct bench *b, char *text)
{
    b->burst_kinds = 0;
    for (char *part; (part = strsep(&text, ",")) != NULL && b->burst_kinds < RTE_DIM(b->bursts);) {
        uint32_t burst = (uint32_t)strtoul(part, NULL, 10);
        if (burst == 0 || burst > BURST_MAX || CHUNK % (burst * b->workers) != 0)
            exit(usage(part));
        b->bursts[b->burst_kinds++] = burst;
    }
}

static int options(struct bench *b, int argc, char **argv)
{
    const struct option known[] = {{"json", no_argument, NULL, 'j'},
                                   {"no-stages", no_argument, NULL, 'n'},
                                   {"runs", required_argument, NULL, 'r'},
                                   {"bursts", required_argument, NULL, 'b'},
                                   {"workers", required_argument, NULL, 'w'},
                                   {"small-pages", no_argument, NULL, 's'},
                                   {NULL, 0, NULL, 0}};
    for (int o; (o = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        if (o == 'j')
            b->json = true;
        else if (o == 'r')
            b->runs = (uint32_t)RTE_MIN(strtoul(optarg, NULL, 10), CHUNKS_MOST / RUN);
        else if (o == 'b')
            bursts_parse(b, optarg);
        else if (o == 'w')
            b->workers = (uint32_t)strtoul(optarg, NULL, 10);
        else if (o == 'n')
            b->stages = false;
        else if (o == 's')
            prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
        else
            return usage("?");
    }
    return b->workers == 0 || b->workers > HARNESS_WORKERS ? usage("--workers") : 0;
}

struct job {
    struct bench *bench;
    char **text;
    int count;
};

static int job_run(void *argument)
{
    struct job *job = argument;
    clock_measure(job->bench);
    for (int i = 0; i < job->count; i++) {
        int status = case_run(job->bench, job->text[i]);
        if (status != 0)
            return status;
        if (i + 1 < job->count) // the last one goes with the process: millions of flows take seconds to end
            gateway_free(job->bench->g);
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct bench b = {
        .runs = 4, .workers = 1, .bursts = {32, 64}, .burst_kinds = 2, .least_burden = 1e9, .stages = true};
    int status = options(&b, argc, argv);
    if (status != 0)
        return status;
    struct job job = {&b, argv + optind, argc - optind};
    b.chunk = calloc(CHUNKS_MOST, sizeof(*b.chunk));
    bench_start("bench_pipeline", 1);
    for (uint32_t i = 0; i < FRAMES; i++)
        b.frame[i] = harness_udp(NAT_LAN, "10.0.0.11", "192.0.2.1", 1, 2, FRAME_BYTES - 14 - 20 - 8);
    if (!b.json)
        printf("%-10s %9s %3s %3s %9s %9s %9s %6s %5s   %s\n", "cycles", "count", "wrk", "bst", "median",
               "tenth", "ninetieth", "GHz", "alone", "by stage");
    return bench_run(job_run, &job);
}
