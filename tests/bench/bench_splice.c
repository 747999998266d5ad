// SPDX-License-Identifier: Apache-2.0
// Cycles to translate and watch a header of a joined pair (src/tcp/splice.h), with nothing around it: bursts of 32 data
// segments with timestamps, each of a pair by chance, the pairs' lines asked for before the burst as a pipeline would.
// Making the segments is not counted. Prints `splice FLOWS SACKS CYCLES`, the median over bursts.
//     bench_splice [FLOWS [SACKS]]
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#include "tcp/splice.h"
#include "wire/headers.h"

#define BURST  32u
#define ROUNDS 20001u
#define WINDOW 100000000u

static struct sl_tcp_saved leg[2];
static uint8_t packets[BURST][64];
static uint32_t flow[BURST];
static uint64_t cycles[ROUNDS];

static void legs_set(void)
{
    for (unsigned i = 0; i < 2; i++) {
        leg[i] =
            (struct sl_tcp_saved){.version = SL_TCP_SAVED_VERSION,
                                  .state = SL_TCP_ESTABLISHED,
                                  .flags = SL_TCP_SAVED_TIMESTAMPS | SL_TCP_SAVED_SACK | SL_TCP_SAVED_WSCALE,
                                  .snd_una = 1000,
                                  .snd_nxt = 1000,
                                  .rcv_nxt = 2000,
                                  .rcv_wup = 2000,
                                  .rcv_edge = 2000 + WINDOW,
                                  .snd_wnd = WINDOW,
                                  .ts_recent = 1000,
                                  .tsval = 3000,
                                  .peer_mss = 1460,
                                  .told_mss = 1460,
                                  .path_mtu = 1500,
                                  .snd_wscale = 7,
                                  .rcv_wscale = 9,
                                  .local_port = 1,
                                  .remote_port = 2};
        sl_ip_parse(i ? "192.0.2.1" : "198.51.100.1", &leg[i].local);
        sl_ip_parse(i ? "192.0.2.2" : "198.51.100.2", &leg[i].remote);
    }
}

static void put32(uint8_t *at, uint32_t value)
{
    value = sl_be32_of(value);
    memcpy(at, &value, sizeof(value));
}

static unsigned make(uint8_t *packet, uint32_t seq, unsigned sacks)
{
    unsigned len = sacks ? 36 + 8 * sacks : 32;
    uint8_t *options = packet + 20;

    *(struct sl_tcp *)packet = (struct sl_tcp){.sport = 2,
                                               .dport = 1,
                                               .seq = sl_be32_of(seq),
                                               .ack = sl_be32_of(1000),
                                               .data_offset = (uint8_t)(len / 4 << 4),
                                               .flags = SL_TCP_ACK,
                                               .window = sl_be16_of(1000)};
    put32(options, 0x0101080a);
    put32(options + 4, 1000);
    put32(options + 8, 3000);
    put32(options + 12, 0x01010500 + 2 + 8 * sacks);
    for (unsigned i = 0; i < 2 * sacks; i++)
        put32(options + 16 + 4 * i, 5000 + 1000 * i);
    return len;
}

static uint64_t burst(struct sl_tcp_splice *pairs, unsigned header)
{
    uint64_t from = __rdtsc();

    for (unsigned i = 0; i < BURST; i++) {
        __builtin_prefetch(&pairs[flow[i]].way[0], 1);
        __builtin_prefetch(&pairs[flow[i]].way[1], 1);
    }
    for (unsigned i = 0; i < BURST; i++)
        if (sl_tcp_splice(&pairs[flow[i]], 0, (struct sl_tcp *)packets[i], header, 1448) !=
            SL_TCP_SPLICE_PASS)
            abort();
    return __rdtsc() - from;
}

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    uint32_t flows = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1;
    unsigned sacks = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0, header = 0;
    struct sl_tcp_splice *pairs = aligned_alloc(64, sizeof(*pairs) * (size_t)(flows ? flows : 1));
    uint64_t random = 88172645463325252ull;

    if (!pairs || !flows || sacks > 3)
        return 2;
    legs_set();
    for (uint32_t i = 0; i < flows; i++)
        if (sl_tcp_splice_join(&pairs[i], &leg[0], &leg[1]))
            return 1;
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < BURST; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            flow[i] = (uint32_t)(random >> 33) % flows;
            header = make(packets[i], 2000 + 1448 * ((round * BURST + i) % 60000), sacks);
        }
        cycles[round] = burst(pairs, header);
    }
    qsort(cycles, ROUNDS, sizeof(*cycles), by_size);
    printf("splice %u %u %.1f\n", flows, sacks, (double)cycles[ROUNDS / 2] / BURST);
    free(pairs);
    return 0;
}
