// SPDX-License-Identifier: Apache-2.0
// `sluice-pktgen stateful`: ports opened, sides put on them, the load run and drained, the numbers printed. Main thread.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <rte_cycles.h>
#include "../mode.h"
#include "loop.h"
#include "options.h"
#include "report.h"

#define STEP_MS 20

struct stateful { // a run
    struct stateful_options options;
    struct session session;
    struct side *side[LOOP_SIDES]; // the client first, where there is one
    const char *role[LOOP_SIDES];
    uint32_t sides;
    struct loop loop[LOOP_SIDES];
    uint64_t ns_magic;
    double seconds; // of opening
};

static bool has_client(const struct stateful *run)
{
    return run->options.role != ROLE_SERVER;
}

static uint64_t now_ns(const struct stateful *run)
{
    return loop_ns(run->ns_magic, rte_rdtsc());
}

// Two ring ports in one process are a line between the sides: what one sends, the other receives.
static void side_wire(struct stateful *run, struct side *side, uint32_t port)
{
    const struct session_port *own = &run->session.port[port];
    side->rx_device = side->tx_device = own->device.id;
    side->rx_queues = own->device.rx_queues;
    if (run->session.ports == 2 && own->device.spec.driver == PORT_RING &&
        run->session.port[1 - port].device.spec.driver == PORT_RING)
        side->tx_device = run->session.port[1 - port].device.id;
}

// To whom the client's frames go: as told, the gateway, the server side's own port, or the first server on the link.
static int next_hop_find(struct stateful *run, struct side *side, uint8_t mac[6], struct sl_error *error)
{
    static const uint8_t none[6];
    const struct stateful_options *o = &run->options;
    bool gateway = !sl_ip_is_zero(&o->gateway);
    if (memcmp(o->next_hop, none, 6) != 0) {
        memcpy(mac, o->next_hop, 6);
        return 0;
    }
    if (o->role == ROLE_BOTH && !gateway) {
        memcpy(mac, run->session.port[1].device.mac, 6);
        return 0;
    }
    return neighbor_resolve(&run->session, 0, &side->self, &o->client.first,
                            gateway ? &o->gateway : &o->server.first, mac, error);
}

static int side_add(struct stateful *run, bool server, struct sl_error *error)
{
    const struct stateful_options *o = &run->options;
    uint32_t port = run->sides;
    struct endpoint_config config = o->common;
    struct side *side = aligned_alloc(64, sizeof(*side));
    if (!side)
        return sl_error_set(error, -ENOMEM, "no memory for a side");
    memset(side, 0, sizeof(*side));
    side_wire(run, side, port);
    config.server = server;
    config.connections = o->concurrent;
    config.own = server ? o->server : o->client;
    config.peer = o->server;
    memcpy(config.mac, run->session.port[port].device.mac, 6);
    memcpy(side->self.mac, config.mac, 6);
    neighbor_self_add(&side->self, &config.own.first, config.own.addresses);
    int rc = server ? 0 : next_hop_find(run, side, config.next_hop, error);
    if (rc == 0)
        rc = engine_init(&side->engine, &config, now_ns(run), error);
    if (rc == 0 && (rc = side_open(side, run->session.pool)) != 0) {
        engine_fini(&side->engine);
        sl_error_set(error, rc, "the pool has too few packet buffers: give it more with --memory");
    }
    if (rc != 0) {
        free(side);
        return rc;
    }
    run->role[run->sides] = server ? "server" : "client";
    run->side[run->sides++] = side;
    return 0;
}

static void sides_remove(struct stateful *run)
{
    while (run->sides > 0) {
        struct side *side = run->side[--run->sides];
        side_close(side);
        engine_fini(&side->engine);
        free(side);
    }
}

static int sides_add(struct stateful *run, struct sl_error *error)
{
    int rc = has_client(run) ? side_add(run, false, error) : 0;
    if (rc == 0 && run->options.role != ROLE_CLIENT)
        rc = side_add(run, true, error);
    return rc;
}

static void workers_start(struct stateful *run)
{
    void *argument[SL_MAX_WORKERS] = {0};
    uint32_t workers = run->session.workers;
    for (uint32_t i = 0; i < LOOP_SIDES; i++)
        run->loop[i] = (struct loop){.session = &run->session, .ns_magic = run->ns_magic};
    for (uint32_t i = 0; i < run->sides; i++) {
        struct loop *loop = &run->loop[i % workers];
        loop->side[loop->sides++] = run->side[i];
    }
    struct side *first = run->side[0];
    pace_init(&first->pace, run->options.rate, rte_get_tsc_hz(), 1, rte_rdtsc());
    first->limit = run->options.limit;
    first->open = has_client(run);
    for (uint32_t i = 0; i < workers; i++)
        argument[i] = &run->loop[i % LOOP_SIDES];
    session_launch(&run->session, loop_run, argument);
}

static uint64_t side_connections(const struct side *side)
{
    return __atomic_load_n(&side->open_count, __ATOMIC_RELAXED);
}

static bool load_over(const struct stateful *run, double elapsed)
{
    const struct stateful_options *o = &run->options;
    const struct side *side = run->side[0];
    if (o->duration_s > 0 && elapsed >= o->duration_s)
        return true;
    return has_client(run) && o->limit && side->engine.counters.opened >= o->limit &&
           side_connections(side) == 0;
}

static double seconds_since(uint64_t tsc)
{
    return (double)(rte_rdtsc() - tsc) / (double)rte_get_tsc_hz();
}

static void load_run(struct stateful *run)
{
    struct engine_counters before = {0};
    uint64_t start = rte_rdtsc(), said = start;
    const struct side *side = run->side[0];
    bool stop = false;
    while (!stop && !load_over(run, seconds_since(start))) {
        stop = session_wait_ms(&run->session, STEP_MS);
        if (!run->options.quiet && seconds_since(said) >= 1) {
            report_progress(&side->engine, side_connections(side), seconds_since(said), &before);
            said = rte_rdtsc();
        }
    }
    run->seconds = seconds_since(start);
    __atomic_store_n(&run->side[0]->open, false, __ATOMIC_RELAXED);
    start = rte_rdtsc();
    while (!stop && has_client(run) && side_connections(side) > 0 &&
           seconds_since(start) < run->options.drain_s)
        stop = session_wait_ms(&run->session, STEP_MS);
    if (!stop && run->sides == 2) // the server's last acknowledgments
        session_wait_ms(&run->session, STEP_MS);
    session_stop(&run->session);
    session_join(&run->session);
}

static int load_report(const struct stateful *run)
{
    struct side_report report[LOOP_SIDES];
    uint64_t failed = 0;
    for (uint32_t i = 0; i < run->sides; i++) {
        const struct engine *engine = &run->side[i]->engine;
        report[i] = (struct side_report){run->role[i], engine, engine_open(engine), run->seconds};
        failed += counters_failed(&engine->counters);
    }
    if (run->options.json)
        report_json(report, run->sides);
    else
        report_text(report, run->sides);
    return failed && has_client(run) ? PKTGEN_FAILED : PKTGEN_OK;
}

static int stateful_main(int argc, char **argv)
{
    struct stateful *run = calloc(1, sizeof(*run));
    struct sl_error error = {0};
    if (!run)
        return mode_fail(-ENOMEM, &error);
    stateful_options_read(&run->options, argc, argv);
    int status, rc = session_open(&run->session, &run->options.session, &error);
    if (rc == 0) {
        run->ns_magic = loop_ns_magic(rte_get_tsc_hz());
        rc = sides_add(run, &error);
        if (rc == 0) {
            workers_start(run);
            load_run(run);
        }
        status = rc ? mode_fail(rc, &error) : load_report(run);
        sides_remove(run);
        session_close(&run->session);
    } else {
        status = mode_fail(rc, &error);
    }
    free(run);
    return status;
}

const struct generator_mode mode_stateful = {
    .name = "stateful",
    .summary = "open, use and close TCP connections; client, server or both",
    .run = stateful_main,
};
