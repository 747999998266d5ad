// SPDX-License-Identifier: Apache-2.0
// The kernel's end of a connection: a socket.
#include <arpa/inet.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "differential.h"
#include "fast_open.h"
#include "variety.h"

#define LITTLE      2000u // bytes that a window of some bytes lets through in reasonable time

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

void their_end(struct pair *pair, int error)
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

void their_event(struct pair *pair, uint32_t events)
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

void their_wake(struct pair *pair)
{
    if (pair->theirs.asleep_us == 0 || pair->fd < 0 || now_us() < pair->theirs.asleep_us)
        return;
    pair->theirs.asleep_us = 0;
    watch(pair, EPOLL_CTL_MOD);
}

void their_open(struct pair *pair)
{
    pair->theirs.open = true;
    watch(pair, EPOLL_CTL_ADD);
}

static void their_socket(struct pair *pair)
{
    struct end *ours = &pair->ours;
    int one = 1;

    setsockopt(pair->fd, SOL_SOCKET, SO_OOBINLINE, &one, sizeof(one)); // urgent bytes stay where they are
    if (want.variety && variety_theirs(&chances, pair->fd))
        ours->to_send = tcp_max_u32(ours->sent, tcp_min_u32(ours->to_send, LITTLE));
}

bool their_begin(struct pair *pair, uint16_t port)
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

void accept_all(void)
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
        their_socket(pair);
        their_open(pair);
    }
}
