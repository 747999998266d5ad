// SPDX-License-Identifier: Apache-2.0
// The bad path between the two: netpath each way, a router that refuses what is too large, and the engine's buffers.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "differential.h"
#include "harm.h"

#define PATH_ROOM   32768u
#define PACKET      2048u
#define REFUSED     4096u

static struct sl_tcp_icmp_in refused[REFUSED]; // what was too large: the engine is told when it has ended its output
static unsigned n_refused;

static void hold(void *owner)
{
    ((struct block *)owner)->refs++;
}

void release(void *owner)
{
    struct block *block = owner;

    if (--block->refs == 0)
        free(block);
}

const struct sl_tcp_buffers buffers = {hold, release};

struct block *block_new(uint32_t bytes)
{
    struct block *block = malloc(sizeof(*block) + bytes);

    if (!block)
        die("memory");
    block->refs = 1;
    return block;
}

void paths_make(void)
{
    struct netpath_config config = {.delay_us = want.latency_ms * 1000, .loss = want.loss * 1000,
                                    .duplicate = want.duplicate * 1000, .reorder = want.delay * 1000, .reorder_us = 10000,
                                    .corrupt = want.corrupt * 1000, .burst_begin = want.burst * 1000, .burst_end = 200000,
                                    .rate_bps = want.rate_mbit * 1000000ull, .queue_bytes = want.rate_mbit ? 200000 : 0};

    chances = netpath_seed(want.seed, 99);
    for (unsigned to_us = 0; to_us < 2; to_us++)
        if (!(paths[to_us] = netpath_new(&config, netpath_seed(want.seed, to_us), PATH_ROOM, PACKET)))
            die("the path");
}

static void tell_them(const uint8_t *packet)
{
    uint8_t error[HARM_ICMP_MAX];
    uint32_t len = harm_too_big(packet, (uint16_t)path_mtu, error);

    if (write(tun, error, len) < 0 && errno != EINVAL && errno != ENOBUFS)
        die("tun");
}

// The router in the middle: what is too large is refused, with a word or without.
static bool passes(uint8_t *packet, uint32_t len)
{
    if (len > path_mtu)
        return false;
    if (want.ce && chance(want.ce))
        harm_mark(packet);
    return true;
}

bool send_out(void *context, const struct sl_tcp_out *out)
{
    uint8_t packet[PACKET];
    unsigned at = sl_tcp_write_headers(out, (uint16_t)random_below(65536), packet);

    (void)context;
    for (unsigned i = 0; i < out->n_pieces; at += out->pieces[i++].len)
        memcpy(packet + at, out->pieces[i].data, out->pieces[i].len);
    if (passes(packet, at))
        netpath_put(paths[0], now_us(), packet, at, 0);
    else if (!want.black_hole && n_refused < REFUSED)
        refused[n_refused++] = (struct sl_tcp_icmp_in){out->src, out->dst, out->sport, out->dport, out->seq,
                                                       SL_TCP_ICMP_TOO_BIG, path_mtu};
    return true;
}

// What routers have said meanwhile. An engine that is sending is told of nothing.
void refusals_tell(void)
{
    while (n_refused)
        sl_tcp_icmp(tcp, &refused[--n_refused], now_us());
}

// The connection after each segment, all of them and their sums now and then: it takes long.
static void check(const struct sl_tcp_in *in)
{
    struct tcp_tuple tuple = {in->dst, in->src, in->dport, in->sport};
    uint32_t name = tcp_table_find(tcp, &tuple);
    const char *fault = NULL;

    if (++checks % 256 == 0)
        fault = sl_tcp_check(tcp, NULL);
    else if (name != TCP_NONE && !(name & TCP_WAIT_BIT))
        fault = sl_tcp_check(tcp, (const struct sl_tcp_conn *)tcp_conn_at(tcp, name));
    if (fault == NULL)
        return;
    fprintf(stderr, "invariant: %s\n", fault);
    wrong++;
}

static void take_in(const struct netpath_packet *packet)
{
    struct block *block = block_new(packet->len);
    struct sl_tcp_in in;

    memcpy(block->data, packet->bytes, packet->len);
    if (sl_tcp_read_packet(&in, block->data, packet->len, false) == 0) {
        in.payload.owner = block;
        in.payload.charge = PACKET;
        if (sl_tcp_input(tcp, &in, now_us()) && in.payload.len)
            block = NULL;
        check(&in);
    }
    if (block)
        release(block);
}

void paths_run(void)
{
    struct netpath_packet packet;

    while (netpath_take(paths[0], now_us(), &packet))
        if (write(tun, packet.bytes, packet.len) < 0 && errno != EINVAL && errno != ENOBUFS)
            die("tun");
    while (netpath_take(paths[1], now_us(), &packet))
        take_in(&packet);
}

void tun_read(void)
{
    uint8_t packet[PACKET];
    ssize_t len;

    for (unsigned i = 0; i < 256 && (len = read(tun, packet, sizeof(packet))) > 0; i++)
        if (passes(packet, (uint32_t)len))
            netpath_put(paths[1], now_us(), packet, (uint32_t)len, 0);
        else if (!want.black_hole)
            tell_them(packet);
}
