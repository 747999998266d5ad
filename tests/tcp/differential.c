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
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fast_open.h"
#include "harm.h"
#include "netpath.h"
#include "tcp/engine.h"
#include "tun.h"
#include "variety.h"

#define PORT_OURS   7000u
#define PORT_THEIRS 7001u
#define PORT_FIRST  10000u
#define PORTS       50000u
#define LISTENERS   16u // of ours, from PORT_OURS down, each with options of its own
#define STALL_US    150000000ull // at most; see patience_us()
#define SLACK_US    20000000ull
#define UNSEEN_US   14000000u // what a timer of theirs may be of which nobody can ask any more, the socket being closed
#define SLEEP_US    3000000u // at most
#define CHANGE_US   300000u // between changes of the path's MTU, on average
#define RESET_US    3000000ull // after which a reset that was lost is made good
#define PATH_ROOM   32768u
#define PACKET      2048u
#define PIECE       20000u
#define REFUSED     4096u
#define LITTLE      2000u // bytes that a window of some bytes lets through in reasonable time

struct block {
    uint32_t refs;
    uint8_t data[];
};

struct end { // one side of a connection
    uint32_t to_send, sent, received;
    uint32_t reset_at; // after so many bytes sent; UINT32_MAX: never
    uint32_t piece;
    bool lazy; // reads a little at a time
    bool shut, eof, failed, reset, over, open;
    int error;
    uint64_t asleep_us; // until then
};

enum beginner { BY_THEM, BY_US, BY_BOTH, BEGINNERS };

struct pair {
    struct end ours, theirs;
    struct sl_tcp_conn *conn;
    int fd;
    bool early; // we were given it with its SYN
    enum beginner beginner;
    bool active, compared;
    uint64_t moved_us;
    uint32_t number;
    sl_be16 port;
};

static struct {
    unsigned connections, at_once, loss, duplicate, delay, corrupt, burst, latency_ms, rate_mbit, ce, mtu;
    uint64_t seed;
    bool v6, variety, black_hole, fast_open;
} want = {.connections = 2000, .at_once = 200, .seed = 1, .latency_ms = 1};

static struct sl_tcp_engine *tcp;
static struct sl_tcp_options options;
static struct sl_ip our_ip, their_ip;
static struct pair *pairs;
static struct pair **active; // those that have begun and not ended, at_once of them at most
static unsigned n_active;
static uint32_t by_port[BEGINNERS][65536]; // number + 1
static struct netpath *paths[2]; // to them, to us
static uint64_t chances;
static unsigned wrong, ended, reset_pairs, syn_data, path_mtu = 1500, checks;
static int tun, poller, listener;
static uint64_t bytes_checked;
static volatile sig_atomic_t stopped;

// ---- small things -----------------------------------------------------------------------------------------------
static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint32_t random_below(uint32_t n)
{
    return netpath_random(&chances, n);
}

static bool chance(unsigned per_mille)
{
    return random_below(1000) < per_mille;
}

static void die(const char *what)
{
    fprintf(stderr, "tcp-differential: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void complain(struct pair *pair, const char *what)
{
    static const char *const names[] = {"them", "us", "both"};

    fprintf(stderr, "connection %u (begun by %s): %s; we sent %u of %u and received %u of %u, they sent %u and received %u; "
                    "errors %d and %d\n",
            pair->number, names[pair->beginner], what, pair->ours.sent, pair->ours.to_send, pair->ours.received,
            pair->theirs.to_send, pair->theirs.sent, pair->theirs.received, pair->ours.error, pair->theirs.error);
    wrong++;
}

static uint8_t byte_of(uint32_t number, uint32_t offset)
{
    return (uint8_t)((offset + number) * 31 >> 3);
}

static void check_bytes(struct pair *pair, struct end *end, const uint8_t *bytes, uint32_t len, bool ours)
{
    uint32_t number = pair->number * 2 + ours;

    for (uint32_t i = 0; i < len; i++)
        if (bytes[i] != byte_of(number, end->received + i)) {
            complain(pair, "a byte is wrong");
            break;
        }
    end->received += len;
    bytes_checked += len;
    pair->moved_us = now_us();
}

static void hold(void *owner)
{
    ((struct block *)owner)->refs++;
}

static void release(void *owner)
{
    struct block *block = owner;

    if (--block->refs == 0)
        free(block);
}

static const struct sl_tcp_buffers buffers = {hold, release};

static struct block *block_new(uint32_t bytes)
{
    struct block *block = malloc(sizeof(*block) + bytes);

    if (!block)
        die("memory");
    block->refs = 1;
    return block;
}

// ---- path -------------------------------------------------------------------------------------------------------
static void paths_make(void)
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

static struct sl_tcp_icmp_in refused[REFUSED]; // what was too large: the engine is told when it has ended its output
static unsigned n_refused;

static bool send_out(void *context, const struct sl_tcp_out *out)
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

static void paths_run(void)
{
    struct netpath_packet packet;

    while (netpath_take(paths[0], now_us(), &packet))
        if (write(tun, packet.bytes, packet.len) < 0 && errno != EINVAL && errno != ENOBUFS)
            die("tun");
    while (netpath_take(paths[1], now_us(), &packet))
        take_in(&packet);
}

static void tun_read(void)
{
    uint8_t packet[PACKET];
    ssize_t len;

    for (unsigned i = 0; i < 256 && (len = read(tun, packet, sizeof(packet))) > 0; i++)
        if (passes(packet, (uint32_t)len))
            netpath_put(paths[1], now_us(), packet, (uint32_t)len, 0);
        else if (!want.black_hole)
            tell_them(packet);
}

// ---- behaviour --------------------------------------------------------------------------------------------------
static struct end random_end(bool may_reset)
{
    struct end end = {.piece = 1 + random_below(PIECE), .lazy = chance(150), .reset_at = UINT32_MAX};

    end.to_send = chance(200) ? 0 : chance(500) ? random_below(3000) : random_below(200000);
    if (may_reset && chance(50))
        end.reset_at = random_below(end.to_send + 1);
    return end;
}

static bool asleep(struct end *end)
{
    uint64_t now = now_us();

    if (want.variety && now >= end->asleep_us && random_below(5000) == 0)
        end->asleep_us = now + random_below(SLEEP_US);
    return now < end->asleep_us;
}

static void maybe_over(struct pair *pair)
{
    if (!pair->ours.over || !pair->theirs.over || !pair->active)
        return;
    pair->active = false;
    by_port[pair->beginner][pair->port] = 0;
    ended++;
    if (pair->ours.reset || pair->theirs.reset) {
        reset_pairs++;
        return;
    }
    if (pair->ours.received != pair->theirs.to_send || pair->theirs.received != pair->ours.to_send)
        complain(pair, "bytes are missing");
    else if (pair->ours.failed || pair->theirs.failed)
        complain(pair, "ended with an error");
}

// ---- theirs -------------------------------------------------------------------------------------------------------
static void watch(struct pair *pair, int op)
{
    struct end *end = &pair->theirs;
    struct epoll_event event = {.data.u64 = pair->number + 1};

    if (end->asleep_us == 0)
        event.events = (end->eof ? 0 : EPOLLIN) | (end->shut ? 0 : EPOLLOUT);
    if (epoll_ctl(poller, op, pair->fd, &event))
        die("epoll");
}

// What the kernel thinks became of the bytes on its SYN.
static void check_syn_data(struct pair *pair)
{
    if (!fast_open_happened(pair->fd))
        return;
    syn_data++;
    if (!pair->early && pair->ours.open)
        complain(pair, "bytes of a SYN were acknowledged and not given with it");
}

static void their_end(struct pair *pair, int error)
{
    struct linger linger = {1, 0};

    if (want.fast_open && pair->beginner == BY_THEM)
        check_syn_data(pair);
    pair->theirs.failed |= error != 0;
    pair->theirs.error = error;
    if (pair->theirs.reset)
        setsockopt(pair->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(pair->fd);
    pair->fd = -1;
    pair->theirs.over = true;
    pair->moved_us = now_us();
    maybe_over(pair);
}

static void their_read(struct pair *pair)
{
    uint8_t bytes[16384];
    ssize_t n = read(pair->fd, bytes, pair->theirs.lazy ? 1 + random_below(5000) : sizeof(bytes));

    if (n > 0) {
        check_bytes(pair, &pair->theirs, bytes, (uint32_t)n, true);
    } else if (n == 0) {
        pair->theirs.eof = true;
    } else if (errno != EAGAIN) {
        their_end(pair, errno);
    }
}

static void their_write(struct pair *pair)
{
    struct end *end = &pair->theirs;
    uint8_t bytes[PIECE];
    uint32_t len = tcp_min_u32(end->piece, end->to_send - end->sent);

    if (end->sent >= end->reset_at) {
        end->reset = true;
        their_end(pair, 0);
        return;
    }
    if (end->sent == end->to_send) {
        if (shutdown(pair->fd, SHUT_WR) && errno != ENOTCONN) {
            their_end(pair, errno);
            return;
        }
        end->shut = true;
        return;
    }
    for (uint32_t i = 0; i < len; i++)
        bytes[i] = byte_of(pair->number * 2, end->sent + i);
    ssize_t n = send(pair->fd, bytes, len, MSG_NOSIGNAL | (want.variety && chance(20) ? MSG_OOB : 0));
    if (n > 0)
        end->sent += (uint32_t)n;
    else if (n < 0 && errno != EAGAIN && errno != EINPROGRESS)
        their_end(pair, errno);
}

static void their_event(struct pair *pair, uint32_t events)
{
    bool shut = pair->theirs.shut, eof = pair->theirs.eof;

    if (pair->theirs.asleep_us == 0 && !(events & (EPOLLERR | EPOLLHUP)) && asleep(&pair->theirs)) {
        watch(pair, EPOLL_CTL_MOD);
        return;
    }
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP) && !pair->theirs.eof)
        their_read(pair);
    if (pair->fd >= 0 && events & (EPOLLOUT | EPOLLERR) && !pair->theirs.shut)
        their_write(pair);
    if (pair->fd < 0)
        return;
    if (pair->theirs.eof && pair->theirs.shut)
        their_end(pair, 0);
    else if (shut != pair->theirs.shut || eof != pair->theirs.eof)
        watch(pair, EPOLL_CTL_MOD);
}

// ---- ours -----------------------------------------------------------------------------------------------------------
static void our_end(struct pair *pair, int error)
{
    pair->ours.over = true;
    pair->ours.failed |= error != 0;
    pair->ours.error = error;
    pair->conn = NULL;
    pair->moved_us = now_us();
    maybe_over(pair);
}

static void our_read(struct pair *pair)
{
    struct sl_tcp_chunk chunk;
    int got = -EAGAIN;

    for (unsigned i = 0; i < (pair->ours.lazy ? 1 : 64); i++) {
        got = sl_tcp_read(pair->conn, pair->ours.lazy ? 1 + random_below(5000) : UINT32_MAX, &chunk, now_us());
        if (got != 1)
            break;
        check_bytes(pair, &pair->ours, chunk.data, chunk.len, false);
        release(chunk.owner);
    }
    if (got == 0)
        pair->ours.eof = true;
}

static void our_write(struct pair *pair)
{
    struct end *end = &pair->ours;

    if (end->sent >= end->reset_at) {
        end->reset = true;
        sl_tcp_abort(pair->conn, now_us());
        our_end(pair, 0);
        return;
    }
    while (end->sent < end->to_send && end->sent < end->reset_at) {
        uint32_t len = tcp_min_u32(end->piece, end->to_send - end->sent);
        struct block *block = block_new(len);
        struct sl_tcp_chunk chunk = {block->data, len, len, block};

        for (uint32_t i = 0; i < len; i++)
            block->data[i] = byte_of(pair->number * 2 + 1, end->sent + i);
        if (sl_tcp_send(pair->conn, &chunk, now_us())) {
            release(block);
            return;
        }
        end->sent += len;
        if (want.variety && chance(20))
            sl_tcp_urgent(pair->conn);
    }
    if (end->sent >= end->to_send && !end->shut)
        end->shut = sl_tcp_shutdown(pair->conn, now_us()) == 0;
}

// Who does not look for black holes gets through one only where it happens to be away as the timer fires.
static void vary(struct sl_tcp_options *own)
{
    variety_ours(&chances, own);
    own->mtu_probing |= want.black_hole;
}

// Its mind changes: options that may be set at any time.
static void our_whim(struct pair *pair)
{
    struct sl_tcp_options other = options;

    vary(&other);
    sl_tcp_options_set(pair->conn, &other, now_us());
}

static struct pair *pair_of(enum beginner beginner, sl_be16 port)
{
    uint32_t found = by_port[beginner][port];

    return found ? &pairs[found - 1] : NULL;
}

static void our_event(const struct sl_tcp_event *event)
{
    struct pair *pair = event->user;
    struct sl_tcp_info info;

    if (event->bits & SL_TCP_ACCEPTED) {
        sl_tcp_info(event->conn, &info);
        pair = pair_of(BY_THEM, info.remote_port);
        if (!pair || pair->ours.open) {
            sl_tcp_abort(event->conn, now_us());
            return;
        }
        pair->conn = event->conn;
        pair->ours.open = true;
        pair->early = info.fast_open;
        sl_tcp_user_set(event->conn, pair);
    }
    if (!pair)
        return;
    if (event->bits & (SL_TCP_ACCEPTED | SL_TCP_CONNECTED))
        pair->moved_us = now_us();
    if (event->bits & SL_TCP_ENDED) {
        pair->ours.lazy = false;
        for (uint32_t before = UINT32_MAX; before != pair->ours.received;) {
            before = pair->ours.received;
            our_read(pair);
        }
        sl_tcp_close(event->conn, now_us());
        our_end(pair, event->error);
    }
}

// Both must believe the same of what the handshake agreed on.
static void compare(struct pair *pair)
{
    struct sl_tcp_info ours;
    struct their_info theirs;

    sl_tcp_info(pair->conn, &ours);
    their_info_get(pair->fd, &theirs);
    if (ours.state < SL_TCP_ESTABLISHED || !theirs.synchronized)
        return;
    pair->compared = true;
    // Linux believes in ECN in a simultaneous open although it repeated its SYN without.
    if (ours.timestamps == theirs.timestamps && ours.sack == theirs.sack &&
        (ours.ecn == theirs.ecn || pair->beginner == BY_BOTH) &&
        ours.snd_wscale == theirs.rcv_wscale && ours.rcv_wscale == theirs.snd_wscale)
        return;
    complain(pair, "the two have agreed on different options");
    fprintf(stderr, "  ours: timestamps %d sack %d ecn %d scales %u %u, theirs: %d %d %d %u %u\n", ours.timestamps, ours.sack,
            ours.ecn, ours.snd_wscale, ours.rcv_wscale, theirs.timestamps, theirs.sack, theirs.ecn, theirs.rcv_wscale,
            theirs.snd_wscale);
}

static void attend(struct pair *pair)
{
    if (!pair->compared && pair->conn && pair->fd >= 0)
        compare(pair);
    if (pair->theirs.asleep_us && pair->fd >= 0 && now_us() >= pair->theirs.asleep_us) {
        pair->theirs.asleep_us = 0;
        watch(pair, EPOLL_CTL_MOD);
    }
    if (!pair->conn || pair->ours.over || asleep(&pair->ours))
        return;
    if (!pair->ours.eof && (!pair->ours.lazy || chance(100)))
        our_read(pair);
    if (!pair->ours.shut)
        our_write(pair);
    if (want.variety && pair->conn && chance(1))
        our_whim(pair);
}

// Every connection is attended to in each turn: a few hundred.
static void our_turn(void)
{
    struct sl_tcp_event event;

    while (sl_tcp_event(tcp, &event))
        our_event(&event);
    for (unsigned i = 0; i < n_active;) {
        if (active[i]->active)
            attend(active[i]);
        if (active[i]->active)
            i++;
        else
            active[i] = active[--n_active];
    }
    sl_tcp_output(tcp, now_us());
    while (n_refused)
        sl_tcp_icmp(tcp, &refused[--n_refused], now_us());
}

// ---- beginning ----------------------------------------------------------------------------------------------------
static void address_of(const struct sl_ip *ip, uint16_t port, struct sockaddr_storage *address, socklen_t *len)
{
    memset(address, 0, sizeof(*address));
    if (want.v6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;

        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        memcpy(&in6->sin6_addr, ip, 16);
        *len = sizeof(*in6);
    } else {
        struct sockaddr_in *in4 = (struct sockaddr_in *)address;

        in4->sin_family = AF_INET;
        in4->sin_port = htons(port);
        in4->sin_addr.s_addr = ip->w[3];
        *len = sizeof(*in4);
    }
}

// Connections of ours that are begun by us or by both; false: the tuple still waits.
static bool our_begin(struct pair *pair)
{
    struct sl_tcp_options own = options;
    sl_be16 remote = pair->beginner == BY_US ? htons(PORT_THEIRS) : pair->port;

    if (want.variety)
        vary(&own);
    // Linux (6.18) goes on scaling its windows in a simultaneous open whose other SYN had no scale.
    own.wscale |= pair->beginner == BY_BOTH;
    pair->ours.open = true;
    pair->conn = sl_tcp_connect(tcp, &our_ip, pair->port, &their_ip, remote, &own, pair, now_us(), NULL);
    return pair->conn != NULL;
}

static void their_socket(struct pair *pair)
{
    struct end *ours = &pair->ours;
    int one = 1;

    setsockopt(pair->fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one)); // urgent bytes stay where they are
    if (want.variety && variety_theirs(&chances, pair->fd))
        ours->to_send = tcp_max_u32(ours->sent, tcp_min_u32(ours->to_send, LITTLE));
}

static bool their_begin(struct pair *pair, uint16_t port)
{
    uint16_t to = pair->beginner == BY_BOTH ? port : (uint16_t)(PORT_OURS - random_below(want.variety ? LISTENERS : 1));
    struct sockaddr_storage address;
    socklen_t len;
    int one = 1;

    pair->fd = socket(want.v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    address_of(&their_ip, port, &address, &len);
    if (pair->fd < 0)
        die("socket");
    setsockopt(pair->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    their_socket(pair);
    if (want.fast_open && pair->beginner == BY_THEM && pair->theirs.to_send && pair->theirs.reset_at &&
        !fast_open_connects(pair->fd)) // a SYN waits for the first byte
        die("TCP_FASTOPEN_CONNECT");
    if (bind(pair->fd, (struct sockaddr *)&address, len) == 0) {
        address_of(&our_ip, to, &address, &len);
        if (connect(pair->fd, (struct sockaddr *)&address, len) == 0 || errno == EINPROGRESS)
            return true;
    }
    if (errno != EADDRINUSE && errno != EADDRNOTAVAIL)
        die("connect");
    close(pair->fd);
    return false;
}

static bool try_begin(unsigned number, uint16_t port)
{
    struct pair *pair = &pairs[number];
    enum beginner beginner = want.variety && chance(100) ? BY_BOTH : chance(500) ? BY_US : BY_THEM;

    for (unsigned i = 0; i < BEGINNERS; i++)
        if (by_port[i][htons(port)])
            return false;
    *pair = (struct pair){.number = number, .fd = -1, .beginner = beginner, .moved_us = now_us(), .port = htons(port)};
    pair->ours = random_end(true);
    pair->theirs = random_end(true);
    if (beginner != BY_US && !their_begin(pair, port))
        return false;
    if (beginner != BY_THEM && !our_begin(pair)) {
        if (pair->fd >= 0)
            close(pair->fd);
        return false;
    }
    by_port[beginner][pair->port] = number + 1;
    pair->active = true;
    active[n_active++] = pair;
    pair->theirs.open = pair->fd >= 0;
    if (pair->fd >= 0)
        watch(pair, EPOLL_CTL_ADD);
    return true;
}

// Ports come round, in the varied run soon: over TIME-WAITs of either end's.
static void begin(unsigned number)
{
    static unsigned next;
    unsigned ports = want.variety ? 4 * want.at_once : PORTS;

    for (unsigned tries = 0; tries < 2 * PORTS; tries++)
        if (try_begin(number, (uint16_t)(PORT_FIRST + (next++ % ports + tries / ports * ports) % PORTS)))
            return;
    die("no port is free");
}

static void accept_all(void)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    int fd;

    while ((fd = accept4(listener, (struct sockaddr *)&address, &len, SOCK_NONBLOCK)) >= 0) {
        sl_be16 port = want.v6 ? ((struct sockaddr_in6 *)&address)->sin6_port : ((struct sockaddr_in *)&address)->sin_port;
        struct pair *pair = pair_of(BY_US, port);

        if (!pair || pair->fd >= 0 || pair->theirs.over) {
            close(fd);
            continue;
        }
        pair->fd = fd;
        pair->theirs.open = true;
        their_socket(pair);
        watch(pair, EPOLL_CTL_ADD);
    }
}

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
static bool keeps_order(void)
{
    return !want.loss && !want.burst && !want.delay && !want.corrupt && !want.mtu && !want.rate_mbit;
}

static void listen_varied(void)
{
    for (unsigned i = 1; i < LISTENERS; i++) {
        struct sl_tcp_options own = options;

        vary(&own);
        own.cookies_always = keeps_order() && chance(400);
        if (!sl_tcp_listen(tcp, &our_ip, htons((uint16_t)(PORT_OURS - i)), &own, NULL, NULL))
            die("engine");
    }
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

// ---- turning --------------------------------------------------------------------------------------------------------
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

// How long a connection may move nothing. Timers double with each loss (RFC 6298 section 5.5), so what they are set to now
// has as long passed already; four times that is more than the next can take.
static uint64_t patience_us(struct pair *pair)
{
    struct sl_tcp_info ours = {0};
    struct their_info theirs;
    uint64_t longest = 0;

    if (pair->conn) {
        sl_tcp_info(pair->conn, &ours);
        longest = (uint64_t)ours.rto_us << (ours.backoff < 8 ? ours.backoff : 8);
    }
    their_info_get(pair->fd, &theirs);
    if (pair->fd < 0 && pair->theirs.over)
        longest = UNSEEN_US;
    if ((uint64_t)theirs.rto_us << (theirs.backoff < 8 ? theirs.backoff : 8) > longest)
        longest = (uint64_t)theirs.rto_us << (theirs.backoff < 8 ? theirs.backoff : 8);
    return tcp_min_u64(SLACK_US + 4 * longest, STALL_US);
}

// Where a reset was lost the other hears of it only when he sends; before the handshake nobody else knows.
static void reset_lost(struct pair *pair)
{
    if (pair->conn) {
        sl_tcp_abort(pair->conn, now_us());
        our_end(pair, 0);
    }
    if (pair->fd >= 0)
        their_end(pair, 0);
    pair->ours.over = pair->theirs.over = true;
    maybe_over(pair);
}

static void stop(int number)
{
    (void)number;
    stopped = 1;
}

static void tell(struct pair *pair, const char *what)
{
    struct sl_tcp_info info = {0};
    struct their_info theirs;
    char command[96];

    if (pair->conn)
        sl_tcp_info(pair->conn, &info);
    their_info_get(pair->fd, &theirs);
    complain(pair, what);
    fprintf(stderr, "  for %.1f s\n", (double)(now_us() - pair->moved_us) / 1e6);
    fprintf(stderr, "  ours: state %d una %u nxt %u wnd %u queued %u pipe %u cwnd %u mss %u mtu %u rto %u us backoff %u unread %u "
                    "rcv_wnd %u shut %d eof %d\n", info.state, info.snd_una, info.snd_nxt, info.snd_wnd, info.snd_queued,
            info.pipe, info.cwnd, info.snd_mss, info.mtu, info.rto_us, info.backoff, info.rcv_unread, info.rcv_wnd,
            pair->ours.shut, pair->ours.eof);
    fprintf(stderr, "  theirs: state %d unacked %u rto %u us backoff %u probes %u mss %u pmtu %u shut %d eof %d\n",
            theirs.state, theirs.unacked, theirs.rto_us, theirs.backoff, theirs.probes, theirs.mss, theirs.pmtu,
            pair->theirs.shut, pair->theirs.eof);
    snprintf(command, sizeof(command), "ss -tanoi '( sport = :%u or dport = :%u )' >&2", ntohs(pair->port), ntohs(pair->port));
    if (system(command) != 0)
        fprintf(stderr, "  (no ss)\n");
}

static void stalled(struct pair *pair)
{
    tell(pair, "stalled");
    pair->active = false;
    ended++;
}

// Told to end (a time limit): what it was waiting for.
static void tell_rest(void)
{
    for (unsigned i = 0; i < n_active && i < 20; i++)
        if (active[i]->active)
            tell(active[i], "not done");
}

static void look_for_stalls(void)
{
    uint64_t now = now_us();

    for (unsigned i = 0; i < n_active; i++) {
        struct pair *pair = active[i];
        bool reset = pair->ours.reset || pair->theirs.reset;

        if (!pair->active)
            continue;
        if (reset && now >= pair->moved_us + RESET_US + SLEEP_US)
            reset_lost(pair);
        else if (!reset && now >= pair->moved_us + SLACK_US && now >= pair->moved_us + patience_us(pair))
            stalled(pair);
    }
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
