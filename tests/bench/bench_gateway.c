// SPDX-License-Identifier: Apache-2.0
// Setting up what is measured: DPDK, a gateway, its tables, its packets.
#include "bench_gateway.h"
#include <stdlib.h>
#include <unistd.h>
#include <rte_cycles.h>
#include <rte_launch.h>
#include "process/eal.h"
#include "table/prefix_set.h"
#include "table/route_table.h"

#define SUBSCRIBERS  65536u
#define ADDRESSES    NAT_TEST_ADDRESSES
#define MEMORY_MB    256
#define POOL_MBUFS   8191
#define SPREAD       (80u << 24) // addresses from 20.0.0.0 on in which routes, sets, destinations lie
#define SPREAD_BASE  0x14000000u
#define SERVER_PORT  4000
#define SOURCES      2           // of full NAT and tunnels
#define SOURCE_FIRST 0xc633646bu // 198.51.100.107 and on
#define PROBE_CHAIN  2048
#define PROBE_CHAINS 400

static struct rte_mbuf *template_frame;
const uint8_t *frame_template;

static void bench_fail(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

uint64_t draw(void)
{
    static uint64_t state = 0x2545f4914f6cdd1d;
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static void template_make(void)
{
    template_frame = harness_udp(NAT_LAN, "10.0.0.11", "192.0.2.1", 1, 2, FRAME_BYTES - 14 - 20 - 8);
    frame_template = rte_pktmbuf_mtod(template_frame, uint8_t *);
}

void bench_start(const char *program, uint32_t workers)
{
    const struct eal_wish wish = {.program = program, .workers = workers, .memory_mb = MEMORY_MB};
    struct placement placement;
    struct sl_error error;
    if (placement_choose(&wish, &placement, &error) != 0 || eal_start(&wish, &placement, &error) != 0)
        bench_fail(error.text);
    if (handover_init() != 0 ||
        !rte_pktmbuf_pool_create(HARNESS_POOL, POOL_MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0))
        bench_fail("no memory for packet buffers");
    template_make();
}

// rte_eal_wait_lcore() spins, and this core may share its units with the worker's.
int bench_run(lcore_function_t *run, void *argument)
{
    rte_eal_remote_launch(run, argument, 1);
    while (rte_eal_get_lcore_state(1) != WAIT)
        usleep(10000);
    return rte_eal_wait_lcore(1);
}

// ---- the gateway -------------------------------------------------------------------------------------------
struct gateway *gateway_new(uint32_t workers, uint32_t capacity)
{
    struct gateway *g = calloc(1, sizeof(*g));
    g->workers = workers;
    g->nat = harness_nat_new_workers(workers, capacity);
    g->h = g->nat->h;
    for (uint32_t i = 0; i < workers; i++)
        g->h->worker[i]->metered = false;
    harness_nat_pool(g->nat, "wan", "203.0.113.0", ADDRESSES, 16, SL_NAT_FILTER_ENDPOINT_INDEPENDENT);
    harness_nat_source(g->nat, "10.0.0.0/16", NAT_WAN, 0);
    harness_nat_ready(g->nat);
    gateway_routes(g, 1);
    return g;
}

void gateway_free(struct gateway *g)
{
    flow_memory_free(g->tuple, g->tuples * sizeof(*g->tuple));
    flow_memory_free(g->routes, g->routes_bytes);
    flow_memory_free(g->prefilter, g->prefilter_bytes);
    if (g->balance)
        harness_balance_free(g->balance);
    else
        harness_nat_free(g->nat);
    free(g);
}

// ---- a gateway that balances -------------------------------------------------------------------------------
// Direct return asks for a next hop and a neighbor for each member.
static void members_direct(struct harness_balance *b, uint32_t members)
{
    for (uint32_t i = 0; i < RTE_MIN(members, (uint32_t)BENCH_DIRECT_MOST); i++) {
        char ip[SL_IP_TEXT], prefix[SL_IP_TEXT + 4];
        snprintf(ip, sizeof(ip), "10.0.0.%u", 20 + i);
        snprintf(prefix, sizeof(prefix), "%s/32", ip);
        harness_neighbor(b->h, NAT_LAN, ip);
        harness_route(b->h, prefix, harness_nexthop(b->h, SL_NEXTHOP_GATEWAY, NAT_LAN, ip));
        b->member[i].ip = harness_ip_of(ip);
        b->member[i].port = 0;
    }
}

static void service_fill(struct harness_balance *b, enum sl_balance_way way)
{
    b->pool[0].way = way;
    b->pool[0].source_count = b->input.source_count = SOURCES;
    for (uint32_t i = 0; i < SOURCES; i++) // full NAT: some 60,000 flows to each member's port
        b->source[i] = sl_ip_v4(sl_be32_of(SOURCE_FIRST + i));
    b->pool[0].tunnel_port = way == SL_BALANCE_GUE ? 6080 : 0;
    harness_route(b->h, "20.0.0.0/8", harness_nexthop(b->h, SL_NEXTHOP_GATEWAY, NAT_WAN, "198.51.100.23"));
}

struct gateway *gateway_balance_new(uint32_t workers, uint32_t capacity, enum sl_balance_method method,
                                    uint32_t members, enum sl_balance_way way)
{
    struct gateway *g = calloc(1, sizeof(*g));
    struct harness_balance *b = g->balance = harness_balance_new(workers, capacity);
    g->workers = workers;
    g->nat = b->n;
    g->h = b->h;
    for (uint32_t i = 0; i < workers; i++)
        g->h->worker[i]->metered = false;
    harness_balance_simple(b, method, way == SL_BALANCE_DIRECT ? BENCH_DIRECT_MOST : members);
    service_fill(b, way);
    if (way == SL_BALANCE_DIRECT)
        members_direct(b, members);
    harness_balance_ready(b);
    return g;
}

void gateway_flows_end(struct gateway *g)
{
    for (uint32_t w = 0; w < g->workers; w++) {
        struct worker *worker = g->h->worker[w];
        for (uint32_t i = 0; i < worker->flows->capacity; i++)
            if (worker->flows->entry[i].kind != SL_FLOW_FREE)
                flow_end(worker, i, SL_COUNTER_flow_killed);
    }
}

// ---- routes ------------------------------------------------------------------------------------------------
static const struct sl_rib_way *way_out(void)
{
    static struct sl_rib_way way = {.port = NAT_WAN, .kind = SL_NEXTHOP_GATEWAY};
    way.gateway = harness_ip_of("198.51.100.23");
    return &way;
}

static struct sl_prefix prefix_draw(uint8_t len)
{
    uint32_t addr = SPREAD_BASE + (uint32_t)(draw() % SPREAD);
    return (struct sl_prefix){.ip = sl_ip_v4(sl_be32_of(addr & ~0u << (32 - len))), .len = len};
}

static void rib_fill(struct sl_rib *rib, uint32_t count)
{
    struct sl_prefix all = {.ip = sl_ip_v4(0)};
    sl_rib_set(rib, &all, way_out(), 1);
    while (sl_rib_count(rib) < count) {
        struct sl_prefix prefix = prefix_draw((uint8_t)(draw() % 10 < 6 ? 24 : 16 + draw() % 9));
        sl_rib_set(rib, &prefix, way_out(), 1);
    }
}

void gateway_routes(struct gateway *g, uint32_t count)
{
    struct sl_rib *rib = sl_rib_new();
    rib_fill(rib, count);
    uint64_t size = sl_rib_prepare(rib);
    flow_memory_free(g->routes, g->routes_bytes);
    g->routes = flow_memory_new(size);
    g->routes_bytes = size;
    if (sl_rib_compile(rib, g->routes, size) != 0)
        bench_fail("the routes do not compile");
    const uint8_t *base = (const uint8_t *)g->routes;
    struct tables *tables = &g->h->tables;
    tables->route = g->routes;
    tables->nexthop = (const void *)(base + g->routes->nexthop_offset);
    tables->group_slot = (const void *)(base + g->routes->group_offset);
    tables->lpm = (const void *)(base + g->routes->lpm_offset);
    sl_rib_free(rib);
}

// ---- the prefilter -----------------------------------------------------------------------------------------
// As block lists are: single addresses and whole /24s.
static void denied_draw(struct sl_prefix_set *denied, uint32_t count)
{
    *denied = (struct sl_prefix_set){0};
    for (uint32_t i = 0; i < count; i++) {
        struct sl_prefix prefix = prefix_draw(draw() % 2 ? 32 : 24);
        sl_prefix_set_add(denied, &prefix);
    }
    sl_prefix_set_finish(denied);
}

static struct sl_prefilter_set *sets_of(struct sl_prefilter_table *table)
{
    return (void *)((uint8_t *)table + table->set_offset);
}

static void ports_fill(struct sl_prefilter_table *table, uint32_t rules)
{
    struct sl_prefilter_port port = {.rule_count = rules, .fallback = SL_PREFILTER_ALLOW};
    for (uint32_t i = 0; i < rules; i++)
        port.rule[i] = (struct sl_prefilter_rule){
            .set = (uint16_t)i, .action = SL_PREFILTER_DENY, .counter = (uint8_t)i};
    for (uint32_t i = 0; i < SL_MAX_PORTS; i++)
        ((struct sl_prefilter_port *)((uint8_t *)table + table->port_offset))[i] = port;
}

// A table with a set to each rule, the same rules on every port.
static void prefilter_fill(struct gateway *g, const struct sl_prefix_set *denied, uint32_t rules)
{
    uint64_t sets = sizeof(struct sl_prefilter_table), ports = sets + rules * sizeof(struct sl_prefilter_set);
    uint64_t at = RTE_ALIGN_CEIL(ports + SL_MAX_PORTS * sizeof(struct sl_prefilter_port), SL_LPM_BLOCK);
    g->prefilter_bytes = at;
    for (uint32_t i = 0; i < rules; i++)
        g->prefilter_bytes += sl_prefix_set_size(&denied[i]);
    struct sl_prefilter_table *table = g->prefilter = flow_memory_new(g->prefilter_bytes);
    table->set_count = rules;
    table->set_offset = sets;
    table->port_count = SL_MAX_PORTS;
    table->port_offset = ports;
    ports_fill(table, rules);
    for (uint32_t i = 0; i < rules; at += sl_prefix_set_size(&denied[i++])) {
        sets_of(table)[i].blob_offset = at;
        if (sl_prefix_set_build(&denied[i], (uint8_t *)table + at, sl_prefix_set_size(&denied[i])) != 0)
            bench_fail("the prefilter's sets do not compile");
    }
}

void gateway_prefilter(struct gateway *g, uint32_t rules, uint32_t prefixes)
{
    struct sl_prefix_set denied[SL_PREFILTER_RULES];
    flow_memory_free(g->prefilter, g->prefilter_bytes);
    g->prefilter = NULL;
    if (rules > 0) {
        for (uint32_t i = 0; i < rules; i++)
            denied_draw(&denied[i], prefixes);
        prefilter_fill(g, denied, rules);
        for (uint32_t i = 0; i < rules; i++)
            sl_prefix_set_fini(&denied[i]);
    }
    g->h->tables.prefilter = g->prefilter;
    g->h->port[NAT_LAN].flags = rules > 0 ? SL_PORT_PREFILTER | SL_PORT_MARTIANS : 0;
}

static bool denied_has(const struct gateway *g, const struct sl_ip *ip)
{
    const uint8_t *base = (const uint8_t *)g->prefilter;
    for (uint32_t i = 0; i < g->prefilter->set_count; i++)
        if (sl_prefix_set_contains((const void *)(base + sets_of(g->prefilter)[i].blob_offset), ip))
            return true;
    return false;
}

// ---- packets -----------------------------------------------------------------------------------------------
static void tuples_new(struct gateway *g, uint32_t count)
{
    flow_memory_free(g->tuple, g->tuples * sizeof(*g->tuple));
    g->tuple = flow_memory_new(count * sizeof(*g->tuple));
    g->tuples = count;
}

// The destination's port, and the checksums.
static void tuple_finish(struct tuple *t, uint16_t port)
{
    t->dport = sl_be16_of(port);
    t->ip_checksum = t->udp_checksum = 0;
    frame_write(template_frame, t);
    harness_fix_checksums(template_frame);
    t->ip_checksum = harness_ipv4_of(template_frame)->checksum;
    t->udp_checksum = ((struct sl_udp *)harness_l4_of(template_frame))->checksum;
}

static void tuples_shuffle(struct gateway *g)
{
    for (uint32_t i = g->tuples - 1; i > 0; i--) {
        uint32_t j = (uint32_t)(draw() % (i + 1));
        struct tuple swap = g->tuple[i];
        g->tuple[i] = g->tuple[j];
        g->tuple[j] = swap;
    }
}

// Subscribers of 10.0.0.0/16 with as many ports each as it takes, to a few hundred servers.
void tuples_nat(struct gateway *g, uint32_t count)
{
    g->h->port[NAT_LAN].flags = SL_PORT_NAT;
    tuples_new(g, count);
    for (uint32_t i = 0; i < count; i++) {
        g->tuple[i] = (struct tuple){
            .src = sl_be32_of(0x0a000000 + i % SUBSCRIBERS),
            .sport = sl_be16_of((uint16_t)(4096 + i / SUBSCRIBERS)),
            .dst = sl_be32_of(0xc0000200 + (uint32_t)(draw() % 250)),
        };
        tuple_finish(&g->tuple[i], SERVER_PORT);
    }
    tuples_shuffle(g);
}

void tuples_balance(struct gateway *g, uint32_t count)
{
    tuples_new(g, count);
    for (uint32_t i = 0; i < count; i++) {
        g->tuple[i] = (struct tuple){
            .src = sl_be32_of(SPREAD_BASE + i % SUBSCRIBERS),
            .sport = sl_be16_of((uint16_t)(4096 + i / SUBSCRIBERS)),
            .dst = ip4(BALANCE_VIP),
        };
        tuple_finish(&g->tuple[i], 80);
    }
    tuples_shuffle(g);
}

static void tuples_to_anywhere(struct gateway *g, uint32_t count, bool allowed)
{
    tuples_new(g, count);
    for (uint32_t i = 0; i < count; i++) {
        struct sl_ip src = sl_ip_v4(sl_be32_of(0x0a000000 + i % SUBSCRIBERS));
        if (allowed)
            do
                src = sl_ip_v4(sl_be32_of(SPREAD_BASE + (uint32_t)(draw() % SPREAD)));
            while (denied_has(g, &src));
        g->tuple[i] = (struct tuple){.src = src.w[3],
                                     .sport = sl_be16_of(4096),
                                     .dst = sl_be32_of(SPREAD_BASE + (uint32_t)(draw() % SPREAD))};
        tuple_finish(&g->tuple[i], SERVER_PORT);
    }
}

void tuples_routed(struct gateway *g, uint32_t count)
{
    g->h->port[NAT_LAN].flags = 0;
    tuples_to_anywhere(g, count, false);
}

void tuples_allowed(struct gateway *g, uint32_t count)
{
    tuples_to_anywhere(g, count, true);
}

// ---- how fast the core is just now -------------------------------------------------------------------------
// Additions that wait for one another take a clock each, on every core there is.
static uint64_t chain_run(void)
{
    uint64_t sum = 1, step = 3, start = rte_rdtsc_precise();
    for (unsigned i = 0; i < PROBE_CHAIN / 8; i++)
        __asm__ volatile("add %1, %0; add %1, %0; add %1, %0; add %1, %0;"
                         "add %1, %0; add %1, %0; add %1, %0; add %1, %0"
                         : "+r"(sum)
                         : "r"(step));
    return rte_rdtsc_precise() - start;
}

// Six chains side by side: what one core can do at once, and no more.
static uint64_t chains_run(void)
{
    uint64_t a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, start = rte_rdtsc_precise();
    for (unsigned i = 0; i < PROBE_CHAINS; i++) {
        a += a << 3 ^ i;
        b += b << 5 ^ i;
        c += c << 3 ^ i;
        d += d << 5 ^ i;
        e += e << 3 ^ i;
        f += f << 5 ^ i;
        __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
    }
    return rte_rdtsc_precise() - start;
}

// The least of three: an interrupt must not look like a slower core.
static double least_of(uint64_t (*run)(void))
{
    uint64_t least = run();
    for (int i = 0; i < 2; i++) {
        uint64_t cycles = run();
        least = RTE_MIN(least, cycles);
    }
    return (double)least;
}

struct core_speed core_probe(void)
{
    double chain = least_of(chain_run), chains = least_of(chains_run);
    return (struct core_speed){.clock_ghz = PROBE_CHAIN * ((double)rte_get_tsc_hz() / 1e9) / chain,
                               .burden = chains / chain};
}
