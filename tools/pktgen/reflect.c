// SPDX-License-Identifier: Apache-2.0
// `sluice-pktgen reflect`: sends every frame back with its Ethernet addresses exchanged. The ideal device under test:
// what a generator measures against it is the ceiling of the generator and the link. Its workers run
// reflect_work(); the rest is the main thread's.
#include <inttypes.h>
#include <stdio.h>
#include <rte_ethdev.h>
#include <rte_prefetch.h>
#include "mode.h"
#include "session.h"

#define BURST 64

struct reflector { // one worker's
    const struct session *session;
    uint32_t index;
    uint64_t frames; // w: worker  r: main thread
    uint64_t lost;   // the port did not take them back
} __attribute__((aligned(64)));

static void frame_turn(struct rte_mbuf *frame)
{
    struct rte_ether_hdr *eth = rte_pktmbuf_mtod(frame, struct rte_ether_hdr *);
    struct rte_ether_addr source = eth->src_addr;
    eth->src_addr = eth->dst_addr;
    eth->dst_addr = source;
}

static void queue_reflect(struct reflector *reflector, uint16_t device, uint16_t queue)
{
    struct rte_mbuf *frame[BURST];
    uint16_t count = rte_eth_rx_burst(device, queue, frame, BURST);
    for (uint16_t i = 0; i < count; i++)
        rte_prefetch0(rte_pktmbuf_mtod(frame[i], void *));
    for (uint16_t i = 0; i < count; i++)
        frame_turn(frame[i]);
    uint16_t sent = rte_eth_tx_burst(device, queue, frame, count);
    if (sent < count)
        rte_pktmbuf_free_bulk(frame + sent, count - sent);
    reflector->frames += sent;
    reflector->lost += count - sent;
}

static int reflect_work(void *argument)
{
    struct reflector *reflector = argument;
    const struct session *session = reflector->session;
    while (!session_stopping(session))
        for (uint32_t port = 0; port < session->ports; port++) {
            const struct device *device = &session->port[port].device;
            for (uint16_t queue = 0; queue < device->rx_queues; queue++)
                if (session_owner(session, port, queue) == reflector->index)
                    queue_reflect(reflector, device->id, queue);
        }
    return 0;
}

static void reflect_run(struct session *session)
{
    struct reflector reflector[SL_MAX_WORKERS] = {0};
    void *argument[SL_MAX_WORKERS];
    uint64_t frames = 0, lost = 0;
    for (uint32_t i = 0; i < session->workers; i++) {
        reflector[i].session = session;
        reflector[i].index = i;
        argument[i] = &reflector[i];
    }
    session_launch(session, reflect_work, argument);
    while (!session_wait_ms(session, 1000))
        ;
    session_join(session);
    for (uint32_t i = 0; i < session->workers; i++) {
        frames += reflector[i].frames;
        lost += reflector[i].lost;
    }
    printf("%" PRIu64 " frames sent back, %" PRIu64 " not taken by the port\n", frames, lost);
}

static int reflect_main(int argc, char **argv)
{
    static const struct argp_child children[] = {{&session_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .children = children,
        .doc = "Sends every frame back where it came from, with its Ethernet addresses exchanged.",
        .args_doc = "[-- EAL-OPTIONS]",
    };
    struct session_wish wish;
    struct session session;
    struct sl_error error = {0};
    int own = session_wish_init(&wish, argc, argv);
    argp_parse(&argp, own, argv, 0, NULL, &wish);
    int rc = session_open(&session, &wish, &error);
    if (rc != 0)
        return mode_fail(rc, &error);
    reflect_run(&session);
    session_close(&session);
    return PKTGEN_OK;
}

const struct generator_mode mode_reflect = {"reflect", "send every frame back: a peer to measure against",
                                            reflect_main};
