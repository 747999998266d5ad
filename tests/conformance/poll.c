// SPDX-License-Identifier: Apache-2.0
// poll, epoll and splice.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "door.h"

// ---- what a socket has to say -----------------------------------------------------------------------------
static bool is_connected(const struct door_socket *s)
{
    return s->kind == DOOR_CONNECTED || s->kind == DOOR_OVER;
}

static uint32_t can_read(const struct door_socket *s)
{
    bool end = s->shut_read || !is_connected(s) || s->kind == DOOR_OVER || door_at_end(s);

    if (s->kind == DOOR_CONNECTING)
        return 0;
    return (end ? POLLIN | POLLRDNORM | POLLRDHUP : 0) | (door_readable(s) ? POLLIN | POLLRDNORM : 0);
}

// As tcp_poll() does: a hang-up where both directions are shut or there never was a connection.
static uint32_t events_of(const struct door_socket *s)
{
    uint32_t events = s->error ? POLLERR : 0;

    if (s->kind == DOOR_LISTENING)
        return events | (s->queue ? POLLIN | POLLRDNORM : 0);
    if (s->kind == DOOR_FRESH)
        return events | POLLOUT | POLLWRNORM | POLLHUP;
    if (s->kind == DOOR_OVER || s->kind == DOOR_FAILED || (s->shut_write && (s->shut_read || door_at_end(s))))
        events |= POLLHUP;
    if (door_writable(s))
        events |= POLLOUT | POLLWRNORM;
    return events | can_read(s);
}

// ---- poll -------------------------------------------------------------------------------------------------
struct polled {
    struct door *door;
    struct pollfd *fds;
    nfds_t n;
};

static int look(const struct polled *polled)
{
    int count = 0;

    for (nfds_t i = 0; i < polled->n; i++) {
        struct pollfd *fd = &polled->fds[i];
        struct door_socket *s = fd->fd < 0 ? NULL : door_find(polled->door, fd->fd);

        fd->revents = 0;
        if (s)
            fd->revents = (short)(events_of(s) & ((unsigned)fd->events | POLLERR | POLLHUP));
        else if (fd->fd >= 0)
            fd->revents = POLLNVAL;
        count += fd->revents != 0;
    }
    return count;
}

static bool poll_ready(void *argument)
{
    return look(argument) != 0;
}

static uint64_t deadline_of(const struct door *door, int timeout_ms)
{
    return timeout_ms < 0 ? DOOR_NEVER : door->now_us + (uint64_t)timeout_ms * DOOR_MS;
}

int door_poll(struct door *door, struct pollfd *fds, nfds_t n, int timeout_ms)
{
    struct polled polled = {door, fds, n};
    int code = door_block_on(door, poll_ready, &polled, deadline_of(door, timeout_ms));

    return code == 0 || code == -EAGAIN ? look(&polled) : code;
}

// ---- epoll ------------------------------------------------------------------------------------------------
static struct door_watch *watch_find(struct door_socket *epoll, const struct door_socket *s)
{
    for (uint32_t i = 0; i < epoll->n_watches; i++)
        if (epoll->watches[i].socket == s)
            return &epoll->watches[i];
    return NULL;
}

static int watch_add(struct door_socket *epoll, struct door_socket *s, const struct epoll_event *event)
{
    struct door_watch *grown = realloc(epoll->watches, (epoll->n_watches + 1) * sizeof(*grown));

    if (grown == NULL)
        return -ENOMEM;
    epoll->watches = grown;
    grown[epoll->n_watches++] = (struct door_watch){.socket = s, .event = *event, .edge = s->edge - 1};
    return 0;
}

int door_epoll_ctl(struct door_socket *epoll, int op, struct door_socket *s, const struct epoll_event *event)
{
    struct door_watch *watch = watch_find(epoll, s);

    if (epoll->kind != DOOR_EPOLL || s == epoll)
        return -EINVAL;
    if (op != EPOLL_CTL_DEL && event == NULL)
        return -EFAULT;
    if (op == EPOLL_CTL_ADD)
        return watch ? -EEXIST : watch_add(epoll, s, event);
    if (watch == NULL)
        return -ENOENT;
    if (op == EPOLL_CTL_MOD)
        *watch = (struct door_watch){.socket = s, .event = *event, .edge = s->edge - 1};
    else if (op == EPOLL_CTL_DEL)
        *watch = epoll->watches[--epoll->n_watches];
    else
        return -EINVAL;
    return 0;
}

static uint32_t watch_events(const struct door_watch *watch)
{
    uint32_t asked = watch->event.events;

    if (watch->socket->closed || watch->disarmed || (asked & EPOLLET && watch->edge == watch->socket->edge))
        return 0;
    return events_of(watch->socket) & (asked | EPOLLERR | EPOLLHUP);
}

static bool epoll_ready(void *argument)
{
    const struct door_socket *epoll = argument;

    for (uint32_t i = 0; i < epoll->n_watches; i++)
        if (watch_events(&epoll->watches[i]))
            return true;
    return epoll->closed;
}

int door_epoll_wait(struct door_socket *epoll, struct epoll_event *events, int max, int timeout_ms)
{
    int n = 0, code;

    if (epoll->kind != DOOR_EPOLL || max <= 0)
        return -EINVAL;
    code = door_block_on(epoll->door, epoll_ready, epoll, deadline_of(epoll->door, timeout_ms));
    if (code && code != -EAGAIN)
        return code;
    for (uint32_t i = 0; i < epoll->n_watches && n < max; i++) {
        struct door_watch *watch = &epoll->watches[i];
        uint32_t happened = watch_events(watch);

        if (!happened)
            continue;
        events[n++] = (struct epoll_event){.events = happened, .data = watch->event.data};
        watch->edge = watch->socket->edge;
        watch->disarmed = watch->event.events & EPOLLONESHOT;
    }
    return n;
}

// ---- splice: by copy, between a socket and a real pipe ----------------------------------------------------
#define SPLICE_MAX 65536u

static int from_socket(struct door_socket *s, int pipe, size_t len, unsigned flags)
{
    uint8_t bytes[SPLICE_MAX];
    struct iovec iov = {bytes, len < sizeof(bytes) ? len : sizeof(bytes)};
    ssize_t got = door_receive(s, &iov, 1, flags & SPLICE_F_NONBLOCK ? MSG_DONTWAIT : 0);

    if (got > 0 && write(pipe, bytes, (size_t)got) != got)
        return -EIO; // larger than a pipe: not of a script that this is for
    return (int)got;
}

static int to_socket(int pipe, struct door_socket *s, size_t len, unsigned flags)
{
    uint8_t bytes[SPLICE_MAX];
    ssize_t got = read(pipe, bytes, len < sizeof(bytes) ? len : sizeof(bytes));
    struct iovec iov = {bytes, got > 0 ? (size_t)got : 0};

    if (got <= 0)
        return got < 0 ? -errno : 0;
    return (int)door_send(s, &iov, 1, flags & SPLICE_F_NONBLOCK ? MSG_DONTWAIT : 0);
}

int door_splice(struct door *door, int fd_in, int fd_out, size_t len, unsigned flags)
{
    struct door_socket *in = door_find(door, fd_in), *out = door_find(door, fd_out);

    if (!in == !out)
        return -EINVAL;
    return in ? from_socket(in, fd_out, len, flags) : to_socket(fd_in, out, len, flags);
}
