// SPDX-License-Identifier: Apache-2.0
// Sluice and a MAC swap between two net_null ports with copying, the ports on which testpmd's macswap is measured too
// (in_process.py): worker_pass() as sluice-dp runs it, driver, buffers and all.
//
// A null port receives zeros. So what its driver has received is given the headers of a flow (frame_write(), of 64
// bytes, as a NIC would have written them) before the worker sees it. What that costs is measured by the MAC swap with
// and without it. Only port 0 receives, port 1 sends.
//
//     bench_null [--workers N] [--flows N] [--routes N]       then trials from standard input, a line each:
//     macswap|written|nat|route BURST MILLISECONDS            written: the MAC swap of packets with headers
//     roundtrip 1 1                                           TSC cycles that a line takes to worker 1 and back
//
// answers with a line of JSON each. A burst below 64 is what the driver gives at a time. With --workers 2 and more
// each has a queue of each port, a core, and its share of the flows' packets to receive; `macswap` and `written` run
// on the first alone.
#include <getopt.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>
#include <rte_dev.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include "bench_gateway.h"
#include "port/map.h"
#include "process/pool.h"
#include "worker/loop.h"

#define BUFFERS     8192 // as testpmd gets them
#define DESCRIPTORS 512
#define MILLION     1000000u
#define ROUND_TRIPS 2000

struct traffic { // packets of a kind, in the order of receiving
    const struct tuple *tuple;
    uint32_t count;
    uint32_t port_flags;
};

struct trial {
    const char *what;
    lcore_function_t *run;
    const struct traffic *traffic;
    uint32_t burst;
    bool write; // headers
    uint64_t cycles;
};

struct runner { // a worker's thread
    struct worker *worker;
    struct worker_clock clock;
    uint32_t epoch_ms; // the harness's clock minus that of the machine
    uint64_t packets;  // sent in the last trial
    uint64_t cycles;   // it took
};

static struct gateway *gateway;
static struct runner runner[HARNESS_WORKERS];
static struct port_map map;
static eth_rx_burst_t driver_receive; // what net_null receives with
static struct traffic nat, routed;
static struct trial trial; // of all threads: constant while one runs
static __thread uint32_t next_tuple;

// ---- ports -------------------------------------------------------------------------------------------------
static uint16_t receive_written(void *queue, struct rte_mbuf **frames, uint16_t room)
{
    uint16_t count = driver_receive(queue, frames, (uint16_t)RTE_MIN(room, trial.burst));
    for (uint16_t i = 0; i < count && trial.write; i++) {
        if (next_tuple >= trial.traffic->count) // also where the last trial's traffic had more
            next_tuple = 0;
        frame_write(frames[i], &trial.traffic->tuple[next_tuple++]);
    }
    return count;
}

static uint16_t receive_nothing(void *queue, struct rte_mbuf **frames, uint16_t room)
{
    return 0;
}

static void port_open(uint16_t slot, uint16_t queues, struct rte_mempool *pool)
{
    const struct rte_eth_conf conf = {0};
    char name[16];
    uint16_t device = 0;
    snprintf(name, sizeof(name), "net_null%u", slot);
    bool good = rte_eal_hotplug_add("vdev", name, "copy=1") == 0 &&
                rte_eth_dev_get_port_by_name(name, &device) == 0 &&
                rte_eth_dev_configure(device, queues, queues, &conf) == 0;
    for (uint16_t q = 0; q < queues && good; q++)
        good = rte_eth_rx_queue_setup(device, q, DESCRIPTORS, SOCKET_ID_ANY, NULL, pool) == 0 &&
               rte_eth_tx_queue_setup(device, q, DESCRIPTORS, SOCKET_ID_ANY, NULL) == 0;
    if (!good || rte_eth_dev_start(device) != 0) {
        fprintf(stderr, "bench_null: %s does not start\n", name);
        exit(1);
    }
    map.port[slot] = (struct port_map_device){device, queues, queues, true};
}

// DPDK calls a driver through this table; a callback of rte_eth_add_rx_callback() could write headers too, but not
// make bursts smaller.
static void ports_open(uint16_t queues)
{
    struct sl_error error;
    struct rte_mempool *pool = pool_new(BUFFERS * queues, RTE_MBUF_DEFAULT_BUF_SIZE, &error);
    if (!pool) {
        fprintf(stderr, "bench_null: %s\n", error.text);
        exit(1);
    }
    port_open(NAT_LAN, queues, pool);
    port_open(NAT_WAN, queues, pool);
    map.worker_count = queues;
    driver_receive = rte_eth_fp_ops[map.port[NAT_LAN].device].rx_pkt_burst;
    rte_eth_fp_ops[map.port[NAT_LAN].device].rx_pkt_burst = receive_written;
    rte_eth_fp_ops[map.port[NAT_WAN].device].rx_pkt_burst = receive_nothing;
}

// ---- running -----------------------------------------------------------------------------------------------
static uint64_t sent_by(const struct worker *worker)
{
    return worker->counters->port[NAT_WAN].tx_packets;
}

// worker_run() for some time. The harness's clock goes on from where it stood when flows were made.
static int sluice_run(void *argument)
{
    struct runner *r = argument;
    uint64_t start = rte_rdtsc(), now = start, before = sent_by(r->worker);
    for (uint32_t passes = 0; now - start < trial.cycles; passes++) {
        r->worker->now_ms = worker_clock_ms(&r->clock, now) + r->epoch_ms;
        r->worker->metered = passes % 16 == 0;
        worker_pass(r->worker);
        now = rte_rdtsc();
    }
    r->packets = sent_by(r->worker) - before;
    r->cycles = now - start;
    return 0;
}

static void macs_swap(struct rte_mbuf *m)
{
    struct rte_ether_hdr *eth = rte_pktmbuf_mtod(m, struct rte_ether_hdr *);
    struct rte_ether_addr was = eth->dst_addr;
    eth->dst_addr = eth->src_addr;
    eth->src_addr = was;
}

static int macswap_run(void *argument)
{
    struct runner *r = argument;
    struct rte_mbuf *frames[BURST_MAX];
    uint64_t start = rte_rdtsc(), now = start;
    for (r->packets = 0; now - start < trial.cycles; now = rte_rdtsc()) {
        uint16_t count = rte_eth_rx_burst(map.port[NAT_LAN].device, 0, frames, (uint16_t)trial.burst);
        for (uint16_t i = 0; i < count; i++) {
            if (i + 1 < count)
                rte_prefetch0(rte_pktmbuf_mtod(frames[i + 1], void *));
            macs_swap(frames[i]);
        }
        uint16_t sent = rte_eth_tx_burst(map.port[NAT_WAN].device, 0, frames, count);
        rte_pktmbuf_free_bulk(frames + sent, count - sent);
        r->packets += sent;
    }
    r->cycles = now - start;
    return 0;
}

// Two cores write to a line in turn.
static int roundtrip_run(void *argument)
{
    static uint32_t ball __attribute__((aligned(64)));
    struct runner *r = argument;
    uint32_t me = r->worker->index;
    uint64_t start = rte_rdtsc();
    for (uint32_t i = 0; i < ROUND_TRIPS; i++) {
        while (__atomic_load_n(&ball, __ATOMIC_ACQUIRE) != me)
            ;
        __atomic_store_n(&ball, 1 - me, __ATOMIC_RELEASE);
    }
    r->cycles = rte_rdtsc() - start;
    r->packets = ROUND_TRIPS;
    return 0;
}

static int clock_start(void *argument)
{
    struct runner *r = argument;
    worker_clock_init(&r->clock);
    r->epoch_ms = r->worker->now_ms - r->clock.now_ms;
    next_tuple = (uint32_t)((uint64_t)r->worker->index * nat.count / gateway->workers);
    return 0;
}

static uint64_t dropped(void)
{
    uint64_t sum = 0;
    for (int reason = 0; reason < SL_DROP_KINDS; reason++)
        sum += harness_dropped(gateway->h, (enum sl_drop)reason);
    return sum;
}

// Cores sleep while others run: see bench_run().
static void on_workers(lcore_function_t *run, uint32_t workers)
{
    for (uint32_t w = 0; w < workers; w++)
        rte_eal_remote_launch(run, &runner[w], w + 1);
    for (uint32_t w = 0; w < workers; w++)
        while (rte_eal_get_lcore_state(w + 1) != WAIT)
            usleep(1000);
}

static void trial_show(uint32_t workers, uint64_t lost)
{
    uint64_t packets = 0, cycles = 0;
    for (uint32_t w = 0; w < workers; w++) {
        packets += runner[w].packets;
        cycles += runner[w].cycles;
    }
    double seconds = (double)cycles / workers / (double)rte_get_tsc_hz();
    printf("{\"what\":\"%s\",\"burst\":%u,\"workers\":%u,\"packets_per_second\":%.0f,\"cycles\":%.2f,"
           "\"lost\":%" PRIu64 "}\n",
           trial.what, trial.burst, workers, (double)packets / seconds, (double)cycles / (double)packets,
           lost);
    fflush(stdout);
}

static void trial_run(void)
{
    uint32_t workers = trial.run == sluice_run ? gateway->workers : trial.run == roundtrip_run ? 2 : 1;
    uint64_t before = dropped();
    if (trial.run == sluice_run)
        gateway->h->port[NAT_LAN].flags = trial.traffic->port_flags;
    on_workers(trial.run, workers);
    trial_show(workers, dropped() - before);
}

// ---- the gateway and its packets ---------------------------------------------------------------------------
// The tuples stay with the traffic; the gateway is to make others.
static struct traffic traffic_take(uint32_t port_flags)
{
    struct traffic traffic = {gateway->tuple, gateway->tuples, port_flags};
    gateway->tuple = NULL;
    gateway->tuples = 0;
    return traffic;
}

static void gateway_make(uint32_t workers, uint32_t flows, uint32_t routes)
{
    gateway = gateway_new(workers, flows + flows / 4); // workers do not own exactly as many each
    gateway_routes(gateway, routes);
    tuples_nat(gateway, flows);
    nat = traffic_take(SL_PORT_NAT);
    tuples_routed(gateway, MILLION);
    routed = traffic_take(0);
    for (uint32_t w = 0; w < workers; w++) {
        runner[w].worker = gateway->h->worker[w];
        gateway->h->worker[w]->ports_next = &map;
    }
    on_workers(clock_start, workers);
}

// Every flow's first packets, until all are known.
static void flows_make(void)
{
    trial = (struct trial){"nat", sluice_run, &nat, BURST_MAX, true, rte_get_tsc_hz() / 5};
    gateway->h->port[NAT_LAN].flags = nat.port_flags;
    for (int rounds = 0; rounds < 50 && harness_nat_flows(gateway->nat) < nat.count; rounds++)
        on_workers(sluice_run, gateway->workers);
}

static const struct {
    const char *what;
    lcore_function_t *run;
    const struct traffic *traffic; // headers to write, NULL: none
    uint32_t workers;              // that it needs
} kinds[] = {
    {"macswap", macswap_run, NULL, 1}, {"written", macswap_run, &nat, 1},     {"nat", sluice_run, &nat, 1},
    {"route", sluice_run, &routed, 1}, {"roundtrip", roundtrip_run, NULL, 2},
};

static int trial_parse(const char *line)
{
    char what[16];
    unsigned burst, milliseconds;
    if (sscanf(line, "%15s %u %u", what, &burst, &milliseconds) != 3 || burst == 0 || burst > BURST_MAX)
        return -EINVAL;
    for (size_t i = 0; i < RTE_DIM(kinds); i++)
        if (strcmp(kinds[i].what, what) == 0 && kinds[i].workers <= gateway->workers) {
            trial = (struct trial){kinds[i].what,
                                   kinds[i].run,
                                   kinds[i].traffic,
                                   burst,
                                   kinds[i].traffic != NULL,
                                   rte_get_tsc_hz() / 1000 * milliseconds};
            return 0;
        }
    return -EINVAL;
}

// Workers that shared a core would wait for each other for a time slice each: nothing that could be measured.
static void cores_check(uint32_t workers)
{
    cpu_set_t mine;
    if (sched_getaffinity(0, sizeof(mine), &mine) == 0 && (uint32_t)CPU_COUNT(&mine) >= workers)
        return;
    fprintf(stderr, "bench_null: %u workers need as many cores, and this process may use fewer\n", workers);
    exit(3);
}

int main(int argc, char **argv)
{
    const struct option known[] = {{"workers", required_argument, NULL, 'w'},
                                   {"flows", required_argument, NULL, 'f'},
                                   {"routes", required_argument, NULL, 'r'},
                                   {NULL, 0, NULL, 0}};
    uint32_t workers = 1, flows = 1u << 20, routes = MILLION;
    for (int o; (o = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        uint32_t number = optarg ? (uint32_t)strtoul(optarg, NULL, 10) : 0;
        if (o == '?' || number == 0)
            return 2;
        *(o == 'w' ? &workers : o == 'f' ? &flows : &routes) = number;
    }
    if (workers > HARNESS_WORKERS)
        return 2;
    cores_check(workers);
    bench_start("bench_null", workers);
    ports_open((uint16_t)workers);
    gateway_make(workers, flows, routes);
    flows_make();
    char line[128];
    for (puts("ready"), fflush(stdout); fgets(line, sizeof(line), stdin);) {
        if (trial_parse(line) != 0) {
            fprintf(stderr, "bench_null: '%s'? See the top of bench_null.c\n", line);
            return 2;
        }
        trial_run();
    }
    return 0;
}
