// SPDX-License-Identifier: Apache-2.0
// How fast a sender is over a path of a given rate, round trip and loss: ours, or the kernel's with its own CUBIC; the
// receiver is the kernel in both cases, so that only the sender differs. Two network namespaces, a TUN device in each, and
// this program's path in between, in real time: a queue that drains at the rate and drops at its end, half the round trip
// each way, losses at random on the way of the data. Needs root. Prints bits per second of what each flow delivered.
//     tcp-race [--sender ours|kernel]... [--rate MBIT] [--rtt MS] [--loss PER_100000] [--seconds N] [--seed N]
//              [--congestion cubic|newreno|bbr]  a flow for each --sender given; one of ours without any. The kernel has
//              its default where it does not know the name
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "netpath.h"
#include "tcp/engine.h"
#include "tun.h"

#define FLOWS_MAX 8u
#define PORT      9000u
#define PIECE     16384u
#define PACKET    2048u
#define PATH_ROOM 65536u

enum side { SENDER_KERNEL, RECEIVER };

struct flow {
    bool ours;
    int sends, receives; // sockets
    struct sl_tcp_conn *conn;
    uint64_t received;
};

static struct {
    unsigned rate_mbit, rtt_ms, loss, seconds;
    uint64_t seed;
    const char *congestion;
} want = {.rate_mbit = 100, .rtt_ms = 20, .seconds = 5, .seed = 1, .congestion = "cubic"};

static struct flow flows[FLOWS_MAX];
static unsigned n_flows;
static struct netpath *paths[2]; // [to whom]
static struct sl_tcp_engine *tcp;
static struct sl_ip our_ip, receiver_ip;
static int tun[2], listener;
static uint8_t zeros[PIECE];

static void die(const char *what)
{
    fprintf(stderr, "tcp-race: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void nothing(void *owner)
{
    (void)owner;
}

static const struct sl_tcp_buffers buffers = {nothing, nothing};

static struct sl_tcp_chunk copied(const uint8_t *bytes, uint32_t len)
{
    uint8_t *own = malloc(len + 1u);

    if (!own)
        die("memory");
    memcpy(own, bytes, len);
    return (struct sl_tcp_chunk){own, len, len, own};
}

// ---- path -------------------------------------------------------------------------------------------------------
static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

// Data goes through a link with a round trip's worth of queue, 64 packets at least; acknowledgements have none.
static void paths_make(void)
{
    struct netpath_config data = {.rate_bps = want.rate_mbit * 1000000ull, .delay_us = want.rtt_ms * 500,
                                  .loss = want.loss * 10};
    struct netpath_config back = {.delay_us = want.rtt_ms * 500};

    data.queue_bytes = tcp_max_u32(want.rtt_ms * want.rate_mbit * 125, 64 * 1500);
    paths[RECEIVER] = netpath_new(&data, want.seed, PATH_ROOM, PACKET);
    paths[SENDER_KERNEL] = netpath_new(&back, want.seed, PATH_ROOM, PACKET);
    if (!paths[0] || !paths[1])
        die("the path");
}

static bool send_out(void *context, const struct sl_tcp_out *out)
{
    uint8_t packet[PACKET];
    unsigned at = sl_tcp_write_headers(out, 0, packet);

    (void)context;
    for (unsigned i = 0; i < out->n_pieces; at += out->pieces[i++].len)
        memcpy(packet + at, out->pieces[i].data, out->pieces[i].len);
    netpath_put(paths[RECEIVER], now_us(), packet, at, 0);
    return true;
}

static void to_sender(const struct netpath_packet *packet)
{
    struct sl_tcp_in in;

    if (memcmp(packet->bytes + 16, &our_ip.w[3], 4) != 0) {
        if (write(tun[SENDER_KERNEL], packet->bytes, packet->len) < 0 && errno != EINVAL && errno != ENOBUFS)
            die("tun");
        return;
    }
    if (sl_tcp_read_packet(&in, packet->bytes, packet->len, false))
        return;
    if (in.payload.len)
        in.payload = copied(in.payload.data, in.payload.len);
    if (!sl_tcp_input(tcp, &in, now_us()))
        free(in.payload.owner);
}

static void paths_run(void)
{
    struct netpath_packet packet;

    while (netpath_take(paths[RECEIVER], now_us(), &packet))
        if (write(tun[RECEIVER], packet.bytes, packet.len) < 0 && errno != EINVAL && errno != ENOBUFS)
            die("tun");
    while (netpath_take(paths[SENDER_KERNEL], now_us(), &packet))
        to_sender(&packet);
}

static void tun_read(enum side side)
{
    uint8_t packet[PACKET];
    ssize_t len;

    for (unsigned i = 0; i < 64 && (len = read(tun[side], packet, sizeof(packet))) > 0; i++) {
        if ((packet[0] >> 4) == 4)
            netpath_put(paths[side == SENDER_KERNEL ? RECEIVER : SENDER_KERNEL], now_us(), packet, (uint32_t)len, 0);
    }
}

// ---- flows --------------------------------------------------------------------------------------------------------
static void run(const char *command)
{
    if (system(command) != 0)
        die(command);
}

static struct sockaddr_in address_of(const char *ip, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};

    inet_pton(AF_INET, ip, &address.sin_addr);
    return address;
}

// The sender's namespace is left for the receiver's: sockets stay where they were made.
static void set_up(void)
{
    struct sockaddr_in address = address_of("10.99.1.1", PORT);
    int one = 1;

    if (unshare(CLONE_NEWNET) || (tun[SENDER_KERNEL] = tun_open("race0")) < 0)
        die("a network namespace with a TUN device (root is needed)");
    run("ip addr add 10.99.0.1/24 dev race0 && ip link set race0 up txqueuelen 1000 && ip route add 10.99.1.0/24 dev race0");
    for (unsigned i = 0; i < n_flows; i++)
        if (!flows[i].ours && (flows[i].sends = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) < 0)
            die("socket");
    if (unshare(CLONE_NEWNET) || (tun[RECEIVER] = tun_open("race1")) < 0)
        die("a network namespace with a TUN device");
    run("ip addr add 10.99.1.1/24 dev race1 && ip link set race1 up txqueuelen 1000 && ip route add 10.99.0.0/24 dev race1");
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) || listen(listener, 64))
        die("listen");
    sl_ip_parse("10.99.0.2", &our_ip);
    sl_ip_parse("10.99.1.1", &receiver_ip);
}

static void begin(unsigned i)
{
    struct sockaddr_in to = address_of("10.99.1.1", PORT), from = address_of("10.99.0.1", (uint16_t)(20000 + i));
    struct sl_tcp_options options;

    flows[i].receives = -1;
    if (flows[i].ours) {
        sl_tcp_options_default(&options);
        options.congestion = want.congestion;
        options.ecn = false;
        flows[i].conn = sl_tcp_connect(tcp, &our_ip, htons((uint16_t)(20000 + i)), &receiver_ip, htons(PORT), &options, NULL,
                                       now_us(), NULL);
        return;
    }
    if (setsockopt(flows[i].sends, IPPROTO_TCP, 13 /* TCP_CONGESTION */, want.congestion, (socklen_t)strlen(want.congestion)) &&
        strcmp(want.congestion, "cubic") == 0)
        die("the kernel's cubic");
    if (bind(flows[i].sends, (struct sockaddr *)&from, sizeof(from)) ||
        (connect(flows[i].sends, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS))
        die("connect");
}

static void feed(struct flow *flow)
{
    struct sl_tcp_chunk chunk = {zeros, PIECE, PIECE, NULL};

    if (flow->ours)
        while (sl_tcp_send(flow->conn, &chunk, now_us()) == 0)
            ;
    else
        while (send(flow->sends, zeros, PIECE, MSG_NOSIGNAL) > 0)
            ;
}

static void accept_all(void)
{
    struct sockaddr_in from;
    socklen_t len = sizeof(from);
    int fd;

    while ((fd = accept4(listener, (struct sockaddr *)&from, &len, SOCK_NONBLOCK)) >= 0)
        flows[ntohs(from.sin_port) - 20000u].receives = fd;
}

static void drain(struct flow *flow)
{
    static uint8_t bytes[1 << 18];
    ssize_t n;

    while (flow->receives >= 0 && (n = read(flow->receives, bytes, sizeof(bytes))) > 0)
        flow->received += (uint64_t)n;
}

static void race(void)
{
    uint64_t end_us = now_us() + want.seconds * 1000000ull;
    struct sl_tcp_event event;

    while (now_us() < end_us) {
        tun_read(SENDER_KERNEL);
        tun_read(RECEIVER);
        paths_run();
        sl_tcp_tick(tcp, now_us());
        accept_all();
        for (unsigned i = 0; i < n_flows; i++) {
            feed(&flows[i]);
            drain(&flows[i]);
        }
        sl_tcp_output(tcp, now_us());
        while (sl_tcp_event(tcp, &event))
            if (event.bits & SL_TCP_ENDED)
                die("a flow of ours ended");
    }
}

static void read_arguments(int argc, char **argv)
{
    static const struct option long_options[] = {{"sender", 1, 0, 's'},  {"rate", 1, 0, 'r'},    {"rtt", 1, 0, 't'},
                                                 {"loss", 1, 0, 'l'},    {"seconds", 1, 0, 'n'}, {"seed", 1, 0, 'e'},
                                                 {"congestion", 1, 0, 'c'}, {0}};
    int c;

    while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        unsigned value = c == '?' ? 0 : (unsigned)strtoul(optarg, NULL, 10);

        if (c == 's' && n_flows < FLOWS_MAX)
            flows[n_flows++].ours = strcmp(optarg, "kernel") != 0;
        else if (c == 'r' && value)
            want.rate_mbit = value;
        else if (c == 't' && value)
            want.rtt_ms = value;
        else if (c == 'l')
            want.loss = value;
        else if (c == 'n' && value)
            want.seconds = value;
        else if (c == 'e')
            want.seed = value;
        else if (c == 'c')
            want.congestion = optarg;
        else
            exit(64);
    }
    if (n_flows == 0)
        flows[n_flows++].ours = true;
}

int main(int argc, char **argv)
{
    struct sl_tcp_config config = {.connections = 64, .time_waits = 16, .listeners = 1, .buffers_held = 1u << 16,
                                   .segments_held = 1u << 16, .rx_bytes = 1u << 28, .tx_bytes = 1u << 28,
                                   .buffers = &buffers, .send = send_out};

    read_arguments(argc, argv);
    paths_make();
    config.entropy[0] = want.seed;
    config.now_us = now_us();
    tcp = sl_tcp_new(&config);
    if (!tcp)
        die("memory");
    set_up();
    for (unsigned i = 0; i < n_flows; i++)
        begin(i);
    race();
    for (unsigned i = 0; i < n_flows; i++)
        printf("%s %.0f\n", flows[i].ours ? "ours" : "kernel", (double)flows[i].received * 8 / want.seconds);
    return 0;
}
