// SPDX-License-Identifier: Apache-2.0
// Our TCP endpoint against the kernel's, over a TUN device in a network namespace of its own and a bad path in between:
// thousands of connections of random behaviour, begun by either side or by both at once, a few hundred at a time. Each end
// sends a random number of bytes in random pieces, some of them urgent, reads at random paces, falls asleep, half-closes
// when it has sent all, or resets in the midst; with --variety each has its own options as well, and ports come round
// again. Every byte is checked; without a reset both must have all and a clean end. After each segment sl_tcp_check() must
// hold. A connection that moves nothing for several times what its timers (RFC 6298) ask for has stalled. Needs root. Prints
// a line of counts; 1: something was wrong. SIGTERM ends it, with a word on what it waited for.
//     tcp-differential [--connections N] [--at-once N] [--seed N] [--loss PER_MILLE] [--duplicate PER_MILLE]
//                      [--delay PER_MILLE] [--corrupt PER_MILLE] [--burst PER_MILLE] [--latency MS] [--rate MBIT]
//                      [--ce PER_MILLE] [--mtu LEAST [--black-hole]] [--v6] [--variety] [--congestion NAME] [--no-sack]
//                      [--no-timestamps] [--fast-open]
// With --fast-open the kernel's clients put their first bytes on the SYN where they have a cookie (RFC 7413), and each that
// is told by the kernel to have been acknowledged there must have been read before the handshake's end.
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "differential.h"
#include "fast_open.h"
#include "tun.h"
#include "variety.h"

#define CHANGE_US   300000u // between changes of the path's MTU, on average

struct wish want = {.connections = 2000, .at_once = 200, .seed = 1, .latency_ms = 1};

struct sl_tcp_engine *tcp;
struct sl_tcp_options options;
struct sl_ip our_ip, their_ip;
struct pair *pairs;
struct pair **active; // those that have begun and not ended, at_once of them at most
unsigned n_active;
uint32_t by_port[BEGINNERS][65536]; // number + 1
struct netpath *paths[2]; // to them, to us
uint64_t chances;
unsigned wrong, ended, reset_pairs, syn_data, path_mtu = 1500, checks;
int tun, poller, listener;
uint64_t bytes_checked;
static volatile sig_atomic_t stopped;

static void run(const char *command)
{
    if (system(command) != 0)
        die(command);
}

static void set_up(void)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = 0};
    struct sockaddr_storage address;
    socklen_t len;
    int one = 1;

    if (unshare(CLONE_NEWNET))
        die("a network namespace (root is needed)");
    if ((tun = tun_open("diff0")) < 0)
        die("/dev/net/tun");
    run("ip addr add 10.99.0.1/24 dev diff0 && ip addr add fd99::1/64 dev diff0 nodad && ip link set diff0 up txqueuelen 10000");
    sl_ip_parse(want.v6 ? "fd99::2" : "10.99.0.2", &our_ip);
    sl_ip_parse(want.v6 ? "fd99::1" : "10.99.0.1", &their_ip);
    poller = epoll_create1(0);
    listener = socket(want.v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    address_of(&their_ip, PORT_THEIRS, &address, &len);
    if (bind(listener, (struct sockaddr *)&address, len) || listen(listener, 4096))
        die("listen");
    if (epoll_ctl(poller, EPOLL_CTL_ADD, tun, &event))
        die("epoll");
    if (want.fast_open && !fast_open_allow())
        die("tcp_fastopen");
}

// A cookie's ACK that is lost, and the first data behind it too, means a reset: who keeps no state cannot know better, be it
// Linux or we.
bool keeps_order(void)
{
    return !want.loss && !want.burst && !want.delay && !want.corrupt && !want.mtu && !want.rate_mbit;
}

static void engine(void)
{
    struct sl_tcp_config config = {.connections = 65536, .time_waits = 65536, .listeners = LISTENERS, .buffers_held = 1u << 20,
                                   .segments_held = 1u << 20, .rx_bytes = 1ull << 30, .tx_bytes = 1ull << 30,
                                   .entropy = {want.seed, ~want.seed}, .buffers = &buffers, .send = send_out,
                                   .now_us = now_us()};
    int error;

    tcp = sl_tcp_new(&config);
    if (!tcp || !sl_tcp_listen(tcp, &our_ip, htons(PORT_OURS), &options, NULL, &error))
        die("engine");
    if (want.variety) {
        listen_varied();
        variety_sysctls(&chances, keeps_order());
    }
    if (want.black_hole)
        variety_sysctl("tcp_mtu_probing", "1");
}

static void wait_for_events(void)
{
    struct epoll_event events[256];
    int n = epoll_wait(poller, events, 256, netpath_inside(paths[0]) + netpath_inside(paths[1]) ? 0 : 1);

    for (int i = 0; i < n; i++) {
        if (events[i].data.u64 == 0)
            tun_read();
        else if (pairs[events[i].data.u64 - 1].fd >= 0)
            their_event(&pairs[events[i].data.u64 - 1], events[i].events);
    }
}

static void stop(int number)
{
    (void)number;
    stopped = 1;
}

// Routes change.
static void change(void)
{
    static uint64_t next_us;
    uint64_t now = now_us();

    if (!want.mtu || now < next_us)
        return;
    next_us = now + random_below(2 * CHANGE_US * (want.black_hole ? 10 : 1));
    path_mtu = chance(500) ? 1500 : want.mtu + random_below(1501 - want.mtu);
    variety_sysctl("route/flush", "1");
}

static void all(void)
{
    unsigned begun = 0;
    uint64_t looked_us = now_us();

    pairs = calloc(want.connections, sizeof(*pairs));
    active = calloc(want.at_once, sizeof(struct pair *));
    if (!pairs || !active)
        die("memory");
    while (ended < want.connections && wrong < 20 && !stopped) {
        change();
        while (begun < want.connections && n_active < want.at_once)
            begin(begun++);
        wait_for_events();
        accept_all();
        paths_run();
        sl_tcp_tick(tcp, now_us());
        our_turn();
        if (now_us() > looked_us + 1000000) {
            looked_us = now_us();
            look_for_stalls();
        }
    }
}

static void read_arguments(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"connections", 1, 0, 'c'}, {"at-once", 1, 0, 'a'}, {"seed", 1, 0, 's'},    {"loss", 1, 0, 'l'},
        {"duplicate", 1, 0, 'd'},   {"delay", 1, 0, 'e'},   {"corrupt", 1, 0, 'x'}, {"v6", 0, 0, '6'},
        {"congestion", 1, 0, 'n'},  {"no-sack", 0, 0, 'S'}, {"no-timestamps", 0, 0, 'T'}, {"burst", 1, 0, 'b'},
        {"latency", 1, 0, 'L'},     {"rate", 1, 0, 'r'},    {"ce", 1, 0, 'C'},      {"mtu", 1, 0, 'm'},
        {"black-hole", 0, 0, 'B'},  {"variety", 0, 0, 'v'}, {"fast-open", 0, 0, 'F'}, {0}};
    int c;

    while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        unsigned value = optarg ? (unsigned)strtoul(optarg, NULL, 10) : 0;

        switch (c) {
        case 'c': want.connections = value; break;
        case 'a': want.at_once = value; break;
        case 's': want.seed = value; break;
        case 'l': want.loss = value; break;
        case 'd': want.duplicate = value; break;
        case 'e': want.delay = value; break;
        case 'x': want.corrupt = value; break;
        case '6': want.v6 = true; break;
        case 'b': want.burst = value; break;
        case 'L': want.latency_ms = value; break;
        case 'r': want.rate_mbit = value; break;
        case 'C': want.ce = value; break;
        case 'm': want.mtu = value; break;
        case 'B': want.black_hole = true; break;
        case 'v': want.variety = true; break;
        case 'n': options.congestion = optarg; break;
        case 'S': options.sack = false; break;
        case 'T': options.timestamps = false; break;
        case 'F': options.fast_open = want.fast_open = true; break;
        default: exit(64);
        }
    }
}

int main(int argc, char **argv)
{
    const struct sl_tcp_counters *counters;

    sl_tcp_options_default(&options);
    options.backlog = 4096;
    read_arguments(argc, argv);
    paths_make();
    set_up();
    engine();
    signal(SIGTERM, stop);
    all();
    if (stopped)
        tell_rest();
    counters = sl_tcp_counters(tcp);
    printf("%u connections, %u reset, %llu bytes checked, %llu segments in, %llu out, %llu retransmitted, %llu timeouts, "
           "%llu undone, %u wrong\n",
           ended, reset_pairs, (unsigned long long)bytes_checked, (unsigned long long)counters->segments_in,
           (unsigned long long)counters->segments_out, (unsigned long long)counters->retransmits,
           (unsigned long long)counters->timeouts, (unsigned long long)counters->undone, wrong);
    if (want.fast_open) {
        printf("%llu with a SYN's data at once, %u of which the kernel knows, %llu cookies, %llu refused\n",
               (unsigned long long)counters->fast_open_accepted, syn_data, (unsigned long long)counters->fast_open_cookies,
               (unsigned long long)counters->fast_open_refused);
        wrong += counters->fast_open_accepted == 0 || syn_data == 0;
    }
    return wrong ? 1 : 0;
}
