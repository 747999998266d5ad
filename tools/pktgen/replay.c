// SPDX-License-Identifier: Apache-2.0
// `sluice-pktgen replay`: sends a capture's frames at a rate or at their recorded times, and counts what comes in. The
// frames carry no signature, so counts are all there is. One worker runs replay_work(); the rest is the main thread's.
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_memcpy.h>
#include "capture.h"
#include "mode.h"
#include "pace.h"
#include "profile.h"
#include "report.h"

#define BURST       32
#define SETTLE_MS   200
#define LOOK_MS     250
#define LINK_WAIT_S 10

struct replay { // w: main thread before launch  r: worker
    struct session_wish wish;
    struct session session;
    const char *file;
    struct rate rate; // recorded times where `timed`
    bool timed, json, speed_given;
    double speed; // of recorded times
    uint32_t loops;
    struct capture capture;
    struct pace pace;
    double ticks_per_ns;
    // w: worker  r: main thread
    uint64_t sent, sent_bytes, received, received_bytes, refused;
    uint64_t ticks; // of sending
};

static void receive(struct replay *replay)
{
    struct rte_mbuf *frame[BURST];
    for (uint32_t port = 0; port < replay->session.ports; port++) {
        const struct device *device = &replay->session.port[port].device;
        for (uint16_t queue = 0; queue < device->rx_queues && device->spec.driver != PORT_NULL; queue++) {
            uint16_t count = rte_eth_rx_burst(device->id, queue, frame, BURST);
            for (uint16_t i = 0; i < count; i++)
                replay->received_bytes += frame[i]->pkt_len;
            replay->received += count;
            rte_pktmbuf_free_bulk(frame, count);
        }
    }
}

// Frames from `next` on that are due; all of one pass over the capture.
static uint32_t due(struct replay *replay, size_t next, uint64_t pass_start, uint64_t now)
{
    size_t left = replay->capture.frames - next;
    uint32_t most = left < BURST ? (uint32_t)left : BURST, count = 0;
    if (!replay->timed)
        return pace_due(&replay->pace, now, most);
    while (count < most && pass_start + (uint64_t)((double)replay->capture.frame[next + count].time_ns *
                                                   replay->ticks_per_ns) <=
                               now)
        count++;
    return count;
}

static uint32_t frames_send(struct replay *replay, size_t next, uint32_t count)
{
    struct rte_mbuf *frame[BURST];
    uint16_t device = replay->session.port[0].device.id;
    if (count == 0 || rte_pktmbuf_alloc_bulk(replay->session.pool, frame, count) != 0)
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct capture_frame *from = &replay->capture.frame[next + i];
        rte_memcpy(rte_pktmbuf_mtod(frame[i], void *), replay->capture.bytes + from->at, from->len_bytes);
        frame[i]->data_len = (uint16_t)from->len_bytes;
        frame[i]->pkt_len = from->len_bytes;
    }
    uint16_t sent = rte_eth_tx_burst(device, 0, frame, (uint16_t)count);
    for (uint16_t i = 0; i < sent; i++)
        replay->sent_bytes += replay->capture.frame[next + i].len_bytes + FRAME_FCS;
    replay->sent += sent;
    replay->refused += count - sent;
    if (sent < count)
        rte_pktmbuf_free_bulk(frame + sent, count - sent);
    return sent;
}

static void pass(struct replay *replay)
{
    uint64_t start = rte_rdtsc();
    for (size_t next = 0; next < replay->capture.frames && !session_stopping(&replay->session);) {
        uint32_t wanted = due(replay, next, start, rte_rdtsc());
        uint32_t sent = frames_send(replay, next, wanted);
        if (!replay->timed)
            pace_return(&replay->pace, wanted - sent); // they stay next
        next += sent;
        receive(replay);
    }
}

static int replay_work(void *argument)
{
    struct replay *replay = argument;
    uint64_t start = rte_rdtsc(), settle = rte_get_tsc_hz() / 1000 * SETTLE_MS;
    for (uint32_t i = 0; (replay->loops == 0 || i < replay->loops) && !session_stopping(&replay->session);
         i++)
        pass(replay);
    uint64_t end = rte_rdtsc();
    replay->ticks = end - start;
    while (rte_rdtsc() - end < settle)
        receive(replay);
    return 0;
}

// One worker sends, so that frames keep their order; others, where the operator asks for them, have nothing to do.
static int work(void *argument)
{
    return argument ? replay_work(argument) : 0;
}

static int report(const struct replay *replay)
{
    double seconds = (double)replay->ticks / (double)rte_get_tsc_hz();
    char rate[16], bits[16];
    if (replay->json)
        return report_json_print(
            stdout,
            json_pack("{s:s, s:f, s:I, s:I, s:I, s:I, s:I}", "version", SLUICE_VERSION, "seconds", seconds,
                      "sent", (json_int_t)replay->sent, "sent_bytes", (json_int_t)replay->sent_bytes,
                      "refused", (json_int_t)replay->refused, "received", (json_int_t)replay->received,
                      "left_out", (json_int_t)replay->capture.cut));
    printf("%" PRIu64 " frames sent in %.3f s: %s/s, %s bit/s; %" PRIu64 " came in\n", replay->sent, seconds,
           report_scaled((double)replay->sent / seconds, rate),
           report_scaled(8.0 * (double)replay->sent_bytes / seconds, bits), replay->received);
    if (replay->refused)
        printf("%" PRIu64 " times a frame was not taken by the port and tried again\n", replay->refused);
    if (replay->capture.cut)
        printf("%zu frames of the capture were cut short or too long, and left out\n", replay->capture.cut);
    return 0;
}

static double mean_size(const struct capture *capture)
{
    double bytes = 0;
    for (size_t i = 0; i < capture->frames; i++)
        bytes += capture->frame[i].len_bytes + FRAME_FCS;
    return bytes / (double)capture->frames;
}

static int replay_execute(struct replay *replay, struct sl_error *error)
{
    void *argument[SL_MAX_WORKERS] = {replay};
    int rc = session_open(&replay->session, &replay->wish, error);
    if (rc != 0)
        return rc;
    double pps = rate_pps(&replay->rate, mean_size(&replay->capture), replay->session.port[0].line_bps);
    replay->ticks_per_ns = (double)rte_get_tsc_hz() / 1e9 / replay->speed;
    pace_init(&replay->pace, pps, rte_get_tsc_hz(), 1, rte_rdtsc());
    rc = session_links_wait(&replay->session, LINK_WAIT_S, error);
    if (rc == 0)
        rc = session_launch(&replay->session, work, argument);
    while (rc == 0 && session_running(&replay->session))
        session_wait_ms(&replay->session, LOOK_MS);
    session_join(&replay->session);
    if (rc == 0)
        rc = report(replay);
    session_close(&replay->session);
    return rc;
}

enum key { KEY_SPEED = 1024 };

static const struct argp_option table[] = {
    {"rate", 'r', "RATE", 0, "1Mpps | 5Gbps | 50% | max, instead of the recorded times", 0},
    {"speed", KEY_SPEED, "FACTOR", 0, "Recorded times, this much faster (default 1)", 0},
    {"loop", 'l', "N", 0, "Send the capture N times; 0: until Ctrl-C (default 1)", 0},
    {"json", 'j', 0, 0, "JSON on the standard output instead of text", 0},
    {0},
};

static error_t option_take(int key, char *text, struct argp_state *state)
{
    struct replay *replay = state->input;
    const char *why;
    char *end = NULL;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &replay->wish;
        return 0;
    case 'r':
        if (profile_read_rate(text, &replay->rate, &why) != 0)
            argp_error(state, "--rate: '%s' %s", text, why);
        replay->timed = false;
        return 0;
    case KEY_SPEED:
        replay->speed = strtod(text, &end);
        replay->speed_given = true;
        if (*end || !(replay->speed >= 0.001 && replay->speed <= 1000))
            argp_error(state, "--speed: '%s' is no factor from 0.001 to 1000", text);
        return 0;
    case 'l':
        replay->loops = (uint32_t)strtoul(text, &end, 10);
        if (*end || end == text || *text == '-')
            argp_error(state, "--loop: '%s' is no number from 0 to 4294967295", text);
        return 0;
    case 'j':
        replay->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (replay->file)
            argp_error(state, "one capture file, not two");
        replay->file = text;
        return 0;
    case ARGP_KEY_END:
        if (!replay->timed && replay->speed_given)
            argp_error(state, "--rate and --speed both say when to send: leave one of them out");
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "name the capture file to send");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int replay_main(int argc, char **argv)
{
    static const struct argp_child children[] = {{&session_argp, 0, NULL, 0}, {0}};
    static const struct argp argp = {
        .options = table,
        .children = children,
        .parser = option_take,
        .args_doc = "FILE.pcap [-- EAL-OPTIONS]",
        .doc = "Sends a capture's frames on the first port and counts what comes in on all.",
    };
    struct sl_error error = {0};
    struct replay *replay = calloc(1, sizeof(*replay));
    if (!replay)
        return PKTGEN_ENVIRONMENT;
    replay->timed = true;
    replay->speed = 1;
    replay->loops = 1;
    int own = session_wish_init(&replay->wish, argc, argv);
    argp_parse(&argp, own, argv, 0, NULL, replay);
    int rc = capture_load(replay->file, &replay->capture, &error);
    if (rc == 0)
        rc = replay_execute(replay, &error);
    capture_fini(&replay->capture);
    free(replay);
    return rc == 0 ? PKTGEN_OK : mode_fail(rc, &error);
}

const struct generator_mode mode_replay = {"replay", "send a capture file at a rate or at its recorded times",
                                           replay_main};
