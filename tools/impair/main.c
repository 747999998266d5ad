// SPDX-License-Identifier: Apache-2.0
// sluice-impair: a bad network between two Ethernet interfaces. What comes in on one goes out on the other, through a path
// (netpath.h) for each direction. AF_PACKET sockets, so it needs no driver of its own, and root.
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "netpath.h"
#include "units.h"
#include "wire/checksum.h"

#define FRAME_BYTES 9234u // the largest Ethernet frame that is passed on
#define PACKETS     32768u
#define READS       64u // frames of one side before the other has its turn
#define HEADER      sizeof(struct virtio_net_hdr)

static const char *const side_name[2] = {"a", "b"};

struct side {
    const char *interface;
    int socket;
    struct netpath *path; // what comes in here goes through it
    struct netpath_config config;
    uint64_t segmented, unsent;
};

static struct side sides[2];
static uint64_t seed = 1;
static unsigned seconds;

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

__attribute__((noreturn)) static void fail(int code, const char *what, const char *why, const char *mend)
{
    fprintf(stderr, "sluice-impair: %s: %s%s%s\n", what, why, *mend ? "; " : "", mend);
    exit(code);
}

// ---- arguments ------------------------------------------------------------------------------------------------------
static const char usage[] =
    "usage: sluice-impair --a INTERFACE --b INTERFACE [--seconds N] [--seed N] [impairments]\n"
    "Impairments are of both directions, or of one behind --a-to-b or --b-to-a:\n"
    "  --delay TIME            --jitter TIME           --loss CHANCE\n"
    "  --loss-burst CHANCE:N   bursts of N lost packets on average begin with this chance\n"
    "  --duplicate CHANCE      --reorder CHANCE:TIME   --corrupt CHANCE\n"
    "  --rate RATE             --queue BYTES           --mtu BYTES\n"
    "TIME: 20ms, 150us, 1s. CHANCE: 1%, 0.05%. RATE: 100mbit, 1gbit. BYTES: 1500, 64k. See sluice-impair(1).\n";

enum option_kind { SIDE_A = 1000, SIDE_B, SECONDS, SEED, A_TO_B, B_TO_A, BOTH, DELAY, JITTER, LOSS, LOSS_BURST, DUPLICATE,
                   REORDER, CORRUPT, RATE, QUEUE, MTU, HELP };

static const struct option options[] = {
    {"a", 1, 0, SIDE_A},           {"b", 1, 0, SIDE_B},         {"seconds", 1, 0, SECONDS}, {"seed", 1, 0, SEED},
    {"a-to-b", 0, 0, A_TO_B},      {"b-to-a", 0, 0, B_TO_A},    {"both", 0, 0, BOTH},       {"delay", 1, 0, DELAY},
    {"jitter", 1, 0, JITTER},      {"loss", 1, 0, LOSS},        {"loss-burst", 1, 0, LOSS_BURST},
    {"duplicate", 1, 0, DUPLICATE}, {"reorder", 1, 0, REORDER}, {"corrupt", 1, 0, CORRUPT}, {"rate", 1, 0, RATE},
    {"queue", 1, 0, QUEUE},        {"mtu", 1, 0, MTU},          {"help", 0, 0, HELP},       {0}};

static void set(struct netpath_config *config, int kind, const char *text)
{
    uint64_t value = 0, second = 0;
    const char *wrong = kind == LOSS_BURST ? units_chance_count(text, &value, &second)
                        : kind == REORDER  ? units_chance_time(text, &value, &second)
                        : kind == DELAY || kind == JITTER ? units_time(text, &value)
                        : kind == RATE                    ? units_rate(text, &value)
                        : kind == QUEUE || kind == MTU    ? units_bytes(text, &value)
                                                          : units_chance(text, &value);

    if (wrong)
        fail(64, text, wrong, "see sluice-impair --help");
    switch (kind) {
    case DELAY: config->delay_us = (uint32_t)value; break;
    case JITTER: config->jitter_us = (uint32_t)value; break;
    case LOSS: config->loss = (uint32_t)value; break;
    case LOSS_BURST: config->burst_begin = (uint32_t)value; config->burst_end = (uint32_t)(NETPATH_SURE / second); break;
    case DUPLICATE: config->duplicate = (uint32_t)value; break;
    case REORDER: config->reorder = (uint32_t)value; config->reorder_us = (uint32_t)second; break;
    case CORRUPT: config->corrupt = (uint32_t)value; break;
    case RATE: config->rate_bps = value; config->overhead = 24; break; // preamble, FCS and gap of Ethernet
    case QUEUE: config->queue_bytes = (uint32_t)value; break;
    default: config->mtu = (uint32_t)value + ETH_HLEN; break;
    }
}

static unsigned whole_number(const char *name, const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end || value > UINT32_MAX)
        fail(64, name, "a whole number is wanted", "");
    return (unsigned)value;
}

static void read_arguments(int argc, char **argv)
{
    bool of[2] = {true, true};
    int kind;

    while ((kind = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (kind) {
        case SIDE_A: sides[0].interface = optarg; break;
        case SIDE_B: sides[1].interface = optarg; break;
        case SECONDS: seconds = whole_number("--seconds", optarg); break;
        case SEED: seed = whole_number("--seed", optarg); break;
        case A_TO_B: of[0] = true, of[1] = false; break;
        case B_TO_A: of[0] = false, of[1] = true; break;
        case BOTH: of[0] = of[1] = true; break;
        case HELP: fputs(usage, stdout); exit(0);
        case '?': fputs(usage, stderr); exit(64);
        default:
            for (unsigned i = 0; i < 2; i++)
                if (of[i])
                    set(&sides[i].config, kind, optarg);
        }
    }
    if (optind < argc)
        fail(64, argv[optind], "not an option", "see sluice-impair --help");
    if (!sides[0].interface || !sides[1].interface)
        fail(64, "--a, --b", "two interfaces are wanted", "see sluice-impair --help");
    if (strcmp(sides[0].interface, sides[1].interface) == 0)
        fail(64, sides[0].interface, "both ends are the same interface", "a path lies between two");
}

// ---- sockets --------------------------------------------------------------------------------------------------------
static void side_open(struct side *side)
{
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    struct packet_mreq all = {.mr_type = PACKET_MR_PROMISC};
    int one = 1, room = 8 << 20;

    address.sll_ifindex = all.mr_ifindex = (int)if_nametoindex(side->interface);
    if (address.sll_ifindex == 0)
        fail(1, side->interface, "there is no such interface", "ip link shows those there are");
    side->socket = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
    if (side->socket < 0)
        fail(1, "packet socket", strerror(errno), errno == EPERM ? "run it as root" : "");
    // Unfinished checksums and segments to be cut are told by a header in front of each frame.
    if (setsockopt(side->socket, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) ||
        setsockopt(side->socket, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) ||
        setsockopt(side->socket, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) ||
        bind(side->socket, (struct sockaddr *)&address, sizeof(address)))
        fail(1, side->interface, strerror(errno), "");
    setsockopt(side->socket, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
    setsockopt(side->socket, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
}

// Else corruption would be mended by whoever finishes it.
static bool finish_checksum(const struct virtio_net_hdr *header, uint8_t *frame, uint32_t len)
{
    uint32_t start = header->csum_start, at = start + header->csum_offset;
    sl_be16 sum;

    if (!(header->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
        return true;
    if (start >= len || at + 2 > len)
        return false;
    sum = sl_csum_finish_udp(sl_csum_add(0, frame + start, len - start));
    memcpy(frame + at, &sum, 2);
    return true;
}

static void side_read(struct side *side)
{
    static uint8_t buffer[HEADER + 65536 + ETH_HLEN];
    ssize_t got;

    for (unsigned i = 0; i < READS && (got = recv(side->socket, buffer, sizeof(buffer), 0)) > (ssize_t)HEADER; i++) {
        struct virtio_net_hdr header;
        uint32_t len = (uint32_t)got - (uint32_t)HEADER;

        memcpy(&header, buffer, HEADER);
        if (header.gso_type != VIRTIO_NET_HDR_GSO_NONE) {
            side->segmented++;
            continue;
        }
        if (finish_checksum(&header, buffer + HEADER, len))
            netpath_put(side->path, now_us(), buffer + HEADER, len, 0);
    }
}

// A socket that is full for the moment loses the frame, as a link would; it is counted.
static void side_write(struct side *from, const struct side *to)
{
    struct netpath_packet packet;

    while (netpath_take(from->path, now_us(), &packet)) {
        struct virtio_net_hdr header = {0};
        struct iovec parts[2] = {{&header, HEADER}, {packet.bytes, packet.len}};
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

        if (sendmsg(to->socket, &message, 0) < 0)
            from->unsent++;
    }
}

// ---- turning --------------------------------------------------------------------------------------------------------
static void timer_set(int timer)
{
    uint64_t a = netpath_next_us(sides[0].path), b = netpath_next_us(sides[1].path), due = a < b ? a : b;
    struct itimerspec when = {0};

    if (due != UINT64_MAX) {
        when.it_value.tv_sec = (time_t)(due / 1000000);
        when.it_value.tv_nsec = (long)(due % 1000000 * 1000);
    }
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void watch(int poller, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event))
        fail(1, "epoll", strerror(errno), "");
}

static void turn(void)
{
    uint64_t end_us = seconds ? now_us() + seconds * 1000000ull : UINT64_MAX;
    int poller = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), signals;
    sigset_t ends;

    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    signals = signalfd(-1, &ends, SFD_NONBLOCK);
    watch(poller, timer);
    watch(poller, signals);
    watch(poller, sides[0].socket);
    watch(poller, sides[1].socket);
    while (now_us() < end_us) {
        struct epoll_event events[4];
        int n = epoll_wait(poller, events, 4, seconds ? 50 : -1);

        for (int i = 0; i < n; i++)
            if (events[i].data.fd == signals)
                return;
        for (unsigned i = 0; i < 2; i++) {
            side_read(&sides[i]);
            side_write(&sides[i], &sides[1 - i]);
        }
        timer_set(timer);
    }
}

static void report(void)
{
    printf("{");
    for (unsigned i = 0; i < 2; i++) {
        const struct netpath_counters *c = netpath_counters(sides[i].path);

        printf("%s\"%s_to_%s\": {\"in\": %llu, \"out\": %llu, \"too_large\": %llu, \"queue_full\": %llu, \"lost\": %llu, "
               "\"corrupted\": %llu, \"duplicated\": %llu, \"held_back\": %llu, \"no_room\": %llu, \"segmented\": %llu, "
               "\"unsent\": %llu, \"inside\": %u}",
               i ? ", " : "", side_name[i], side_name[1 - i], (unsigned long long)c->in, (unsigned long long)c->out,
               (unsigned long long)c->too_large, (unsigned long long)c->queue_full, (unsigned long long)c->lost,
               (unsigned long long)c->corrupted, (unsigned long long)c->duplicated, (unsigned long long)c->held_back,
               (unsigned long long)c->no_room, (unsigned long long)sides[i].segmented, (unsigned long long)sides[i].unsent,
               netpath_inside(sides[i].path));
    }
    printf("}\n");
    for (unsigned i = 0; i < 2; i++)
        if (sides[i].segmented)
            fprintf(stderr,
                    "sluice-impair: %s: %llu frames were refused that still had to be cut into packets; on the sender: "
                    "ethtool -K DEVICE tso off gso off, and gro off on %s\n",
                    sides[i].interface, (unsigned long long)sides[i].segmented, sides[i].interface);
}

int main(int argc, char **argv)
{
    read_arguments(argc, argv);
    for (unsigned i = 0; i < 2; i++) {
        const char *fault = netpath_config_fault(&sides[i].config);

        if (fault)
            fail(64, i ? "b to a" : "a to b", fault, "");
        sides[i].path = netpath_new(&sides[i].config, netpath_seed(seed, 100 + i), PACKETS, FRAME_BYTES);
        if (!sides[i].path)
            fail(1, "memory", strerror(ENOMEM), "");
        side_open(&sides[i]);
    }
    fprintf(stderr, "sluice-impair: between %s and %s\n", sides[0].interface, sides[1].interface);
    turn();
    report();
    return 0;
}
