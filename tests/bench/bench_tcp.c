// SPDX-License-Identifier: Apache-2.0
// The TCP endpoint in cycles, with nothing around it: two engines in one process, segments handed over by reference, each
// engine's share measured alone. A sender's segment is a call of the sink, so headers are not written; bytes are not
// copied. Prints a line a case, `name value...`, medians over runs.
//     bench_tcp data FLOWS       cycles per data segment of 1,460 bytes in order: receiver, sender (its ACKs included)
//     bench_tcp connections      cycles for a whole short connection: open, 100 bytes each way, close; server, client
//     bench_tcp idle COUNT       bytes of memory for each of COUNT established connections that are idle
//     bench_tcp trace            cycles of a trace record
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <x86intrin.h>

#include "tcp/engine.h"

#define BURST      32u
#define SEND_AHEAD 4u
#define RUNS       15u
#define SEGMENTS   (1u << 17)
#define SHORTS     20000u

struct side {
    struct sl_tcp_engine *tcp;
    struct sl_tcp_out *out; // what it sent since last taken
    unsigned n_out, room;
    uint64_t cycles;
};

static struct side client, server;
static uint64_t now_us = 1000000000;
static uint8_t payload[1460];

static void no_hold(void *owner)
{
    (void)owner;
}

static const struct sl_tcp_buffers buffers = {no_hold, no_hold};

static bool keep(void *context, const struct sl_tcp_out *out)
{
    struct side *side = context;
    struct sl_tcp_out *to = &side->out[side->n_out];

    if (side->n_out == side->room)
        return false;
    memcpy(to, out, offsetof(struct sl_tcp_out, options) + out->options_len);
    to->pieces[0] = out->pieces[0];
    side->n_out++;
    return true;
}

static void side_new(struct side *side, uint32_t connections, uint32_t waits, uint64_t entropy)
{
    struct sl_tcp_config config = {.connections = connections, .time_waits = waits, .listeners = 1,
                                   .buffers_held = 1u << 20, .segments_held = 1u << 20, .rx_bytes = 1ull << 32,
                                   .tx_bytes = 1ull << 32, .entropy = {entropy, 7}, .buffers = &buffers, .send = keep,
                                   .context = side, .now_us = now_us};

    side->room = 1u << 16;
    side->out = malloc(sizeof(*side->out) * side->room);
    side->tcp = sl_tcp_new(&config);
    if (!side->out || !side->tcp)
        exit(1);
}

static void side_free(struct side *side)
{
    sl_tcp_free(side->tcp);
    free(side->out);
    *side = (struct side){0};
}

// What `from` sent goes into `to`, whose cycles are counted.
static void hand_over(struct side *from, struct side *to)
{
    static struct sl_tcp_in in[1u << 16];
    unsigned n = from->n_out;

    for (unsigned i = 0; i < n; i++) {
        const struct sl_tcp_out *out = &from->out[i];

        in[i] = (struct sl_tcp_in){.src = out->src, .dst = out->dst, .sport = out->sport, .dport = out->dport,
                                   .seq = out->seq, .ack = out->ack, .window = out->window, .flags = out->flags,
                                   .options_len = out->options_len, .options = out->options};
        if (out->len)
            in[i].payload = (struct sl_tcp_chunk){out->pieces[0].data, out->len, 2048, payload};
    }
    from->n_out = 0;
    uint64_t start = __rdtsc();
    for (unsigned i = 0; i < n; i += BURST)
        sl_tcp_input_burst(to->tcp, &in[i], n - i < BURST ? n - i : BURST, now_us);
    to->cycles += __rdtsc() - start;
}

static void output(struct side *side)
{
    uint64_t start = __rdtsc();

    sl_tcp_output(side->tcp, now_us);
    side->cycles += __rdtsc() - start;
}

// ---- connections ------------------------------------------------------------------------------------------------
static struct sl_ip address(uint32_t n)
{
    return sl_ip_v4(__builtin_bswap32(0x0a000000 + n));
}

static struct sl_tcp_options options(void)
{
    struct sl_tcp_options options;

    sl_tcp_options_default(&options);
    options.pacing = options.ecn = false;
    options.backlog = UINT32_MAX;
    return options;
}

static void begin(uint32_t connections, uint32_t waits)
{
    struct sl_tcp_options with = options();
    struct sl_ip local = address(1);

    side_new(&client, connections, waits, 1);
    side_new(&server, connections, waits, 2);
    if (!sl_tcp_listen(server.tcp, &local, 80, &with, NULL, NULL))
        exit(1);
}

static struct sl_tcp_conn *connect_one(uint32_t n)
{
    struct sl_tcp_options with = options();
    struct sl_ip from = address(2 + n / 60000), to = address(1);

    return sl_tcp_connect(client.tcp, &from, (sl_be16)(1024 + n % 60000), &to, 80, &with, NULL, now_us, NULL);
}

static void exchange(void)
{
    for (unsigned i = 0; i < 3; i++) {
        output(&client);
        hand_over(&client, &server);
        output(&server);
        hand_over(&server, &client);
    }
}

static unsigned take_events(struct side *side, struct sl_tcp_conn **conns, unsigned room, uint8_t bits)
{
    struct sl_tcp_event event;
    unsigned n = 0;

    while (sl_tcp_event(side->tcp, &event))
        if (event.bits & bits && n < room)
            conns[n++] = event.conn;
    return n;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, unsigned n)
{
    qsort(values, n, sizeof(*values), compare);
    return values[n / 2];
}

// ---- cases --------------------------------------------------------------------------------------------------------
// Bursts of 32 segments, to one flow after the other as they come from a port; the reader takes all at once, the writer
// says on which flows it is going to send.
static void send_burst(struct sl_tcp_conn **conns, unsigned flows, unsigned *next)
{
    struct sl_tcp_chunk chunk = {payload, sizeof(payload) - 12, sizeof(payload) - 12, payload};
    uint64_t start = __rdtsc();

    for (unsigned i = 0; i < SEND_AHEAD; i++)
        sl_tcp_prefetch(conns[(*next + i) % flows]);
    for (unsigned i = 0; i < BURST; i++) {
        if (i + SEND_AHEAD < BURST)
            sl_tcp_prefetch(conns[(*next + SEND_AHEAD) % flows]);
        if (sl_tcp_send(conns[*next], &chunk, now_us))
            exit(2);
        if (++*next == flows)
            *next = 0;
    }
    client.cycles += __rdtsc() - start;
}

static void read_all(void)
{
    struct sl_tcp_event event;
    struct sl_tcp_chunk chunk;
    uint64_t start = __rdtsc();

    while (sl_tcp_event(server.tcp, &event))
        while (sl_tcp_read(event.conn, UINT32_MAX, &chunk, now_us) == 1)
            ;
    server.cycles += __rdtsc() - start;
}

static void data(unsigned flows)
{
    struct sl_tcp_conn **conns = calloc(flows, sizeof(*conns));
    double rx[RUNS], tx[RUNS];
    unsigned next = 0;

    begin(flows + 1, 16);
    for (unsigned i = 0; i < flows; i++) {
        conns[i] = connect_one(i);
        exchange();
        take_events(&client, NULL, 0, 0);
        take_events(&server, NULL, 0, 0);
    }
    for (unsigned run = 0; run < RUNS; run++) {
        client.cycles = server.cycles = 0;
        for (unsigned i = 0; i < SEGMENTS; i += BURST) {
            now_us += 20;
            send_burst(conns, flows, &next);
            output(&client);
            hand_over(&client, &server);
            read_all();
            output(&server);
            hand_over(&server, &client);
            uint64_t start = __rdtsc();
            sl_tcp_tick(client.tcp, now_us);
            client.cycles += __rdtsc() - start;
            start = __rdtsc();
            sl_tcp_tick(server.tcp, now_us);
            server.cycles += __rdtsc() - start;
        }
        rx[run] = (double)server.cycles / SEGMENTS;
        tx[run] = (double)client.cycles / SEGMENTS;
    }
    if (sl_tcp_counters(server.tcp)->bytes_in != (uint64_t)RUNS * SEGMENTS * (sizeof(payload) - 12))
        exit(3);
    printf("data %u %.1f %.1f\n", flows, median(rx, RUNS), median(tx, RUNS));
    side_free(&client);
    side_free(&server);
    free(conns);
}

static void answer(struct side *side, struct sl_tcp_conn *conn)
{
    struct sl_tcp_chunk chunk = {payload, 100, 100, payload}, got;
    uint64_t start = __rdtsc();

    while (sl_tcp_read(conn, UINT32_MAX, &got, now_us) == 1)
        ;
    sl_tcp_send(conn, &chunk, now_us);
    sl_tcp_shutdown(conn, now_us);
    side->cycles += __rdtsc() - start;
}

static void end_all(struct side *side)
{
    struct sl_tcp_event event;
    struct sl_tcp_chunk got;
    uint64_t start = __rdtsc();

    while (sl_tcp_event(side->tcp, &event)) {
        while (sl_tcp_read(event.conn, UINT32_MAX, &got, now_us) == 1)
            ;
        if (event.bits & (SL_TCP_ENDED | SL_TCP_READABLE))
            sl_tcp_close(event.conn, now_us);
    }
    side->cycles += __rdtsc() - start;
}

static void short_burst(uint32_t *n)
{
    struct sl_tcp_conn *conns[BURST], *served[BURST];
    struct sl_tcp_chunk chunk = {payload, 100, 100, payload};
    unsigned count;
    uint64_t start = __rdtsc();

    for (unsigned i = 0; i < BURST; i++)
        conns[i] = connect_one((*n)++);
    client.cycles += __rdtsc() - start;
    output(&client);
    hand_over(&client, &server);
    output(&server);
    hand_over(&server, &client);
    take_events(&client, NULL, 0, 0);
    start = __rdtsc();
    for (unsigned i = 0; i < BURST; i++)
        sl_tcp_send(conns[i], &chunk, now_us);
    client.cycles += __rdtsc() - start;
    output(&client);
    hand_over(&client, &server);
    count = take_events(&server, served, BURST, SL_TCP_ACCEPTED);
    for (unsigned i = 0; i < count; i++)
        answer(&server, served[i]);
    output(&server);
    hand_over(&server, &client);
    end_all(&client);
    output(&client);
    hand_over(&client, &server);
    end_all(&server);
    output(&server);
    hand_over(&server, &client);
    end_all(&client);
}

static void connections(void)
{
    double at_server[RUNS], at_client[RUNS];
    uint32_t n = 0;

    begin(65536, 1u << 20);
    for (unsigned run = 0; run < RUNS; run++) {
        client.cycles = server.cycles = 0;
        for (unsigned i = 0; i < SHORTS; i += BURST) {
            now_us += 100;
            short_burst(&n);
            uint64_t start = __rdtsc();
            sl_tcp_tick(server.tcp, now_us);
            server.cycles += __rdtsc() - start;
            sl_tcp_tick(client.tcp, now_us);
        }
        at_server[run] = (double)server.cycles / SHORTS;
        at_client[run] = (double)client.cycles / SHORTS;
    }
    if (sl_tcp_connection_count(server.tcp) || sl_tcp_counters(server.tcp)->established != (uint64_t)RUNS * SHORTS)
        exit(3);
    printf("connections %.0f %.0f\n", median(at_server, RUNS), median(at_client, RUNS));
}

static long resident_bytes(void)
{
    long size, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (!file || fscanf(file, "%ld %ld", &size, &resident) != 2)
        exit(1);
    fclose(file);
    return resident * sysconf(_SC_PAGESIZE);
}

// Both ends' engines are in this process, so the bytes are halved.
static void idle(uint32_t count)
{
    long before;

    begin(count, 16);
    before = resident_bytes();
    for (uint32_t i = 0; i < count; i++) {
        if (!connect_one(i))
            exit(2);
        if (i % 256 == 255 || i + 1 == count) {
            exchange();
            take_events(&client, NULL, 0, 0);
            take_events(&server, NULL, 0, 0);
        }
    }
    if (sl_tcp_counters(server.tcp)->established != count)
        exit(3);
    printf("idle %u %.0f %.0f\n", count, (double)(resident_bytes() - before) / 2 / count,
           (double)sl_tcp_memory_bytes(server.tcp));
}

static void trace(void)
{
    static struct tcp_trace ring;
    uint32_t written = 0;
    double cycles[RUNS];

    for (unsigned run = 0; run < RUNS; run++) {
        uint64_t start = __rdtsc();

        for (unsigned i = 0; i < 100000; i++) {
            tcp_trace_put(&ring, &written, i, TCP_TRACE_STATE, (uint8_t)i, i);
            __asm__ volatile("" ::: "memory");
        }
        cycles[run] = (double)(__rdtsc() - start) / 100000;
    }
    printf("trace %.1f\n", median(cycles, RUNS));
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    unsigned count = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;

    if (!strcmp(what, "data") && count)
        data(count);
    else if (!strcmp(what, "connections"))
        connections();
    else if (!strcmp(what, "idle") && count)
        idle(count);
    else if (!strcmp(what, "trace"))
        trace();
    else
        return fprintf(stderr, "usage: bench_tcp data FLOWS | connections | idle COUNT | trace\n"), 64;
    return 0;
}
