// SPDX-License-Identifier: Apache-2.0
// What the TCP endpoint is measured beside: echo over the kernel's TCP, by one thread that waits with epoll.
//   echo_server ADDRESS PORT      serves until it is ended by a signal
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS_MAX  256
#define BUFFER_SIZE 65536

// What could not be sent yet: a connection is not read from before it is gone. Indexed by file descriptor.
struct pending {
    uint32_t length, sent;
    char *bytes;
};
#define CONNECTIONS_MAX 65536
static struct pending pending[CONNECTIONS_MAX];
static char buffer[BUFFER_SIZE];

static int listener_make(const char *address, int port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0 || inet_pton(AF_INET, address, &at.sin_addr) != 1)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    return bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(fd, 4096) == 0 ? fd : -1;
}

static void connection_end(int fd)
{
    free(pending[fd].bytes);
    memset(&pending[fd], 0, sizeof(pending[fd]));
    close(fd);
}

static void connections_accept(int epoll, int listener)
{
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        if (fd >= CONNECTIONS_MAX || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
            close(fd);
    }
}

static bool interest_set(int epoll, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    return epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event) == 0;
}

// Keeps what is left of the buffer until the connection takes it. false: no memory.
static bool rest_keep(int epoll, int fd, uint32_t from, uint32_t length)
{
    pending[fd] = (struct pending){.length = length - from, .bytes = malloc(length - from)};
    if (!pending[fd].bytes)
        return false;
    memcpy(pending[fd].bytes, buffer + from, length - from);
    return interest_set(epoll, fd, EPOLLOUT);
}

static bool rest_send(int epoll, int fd)
{
    struct pending *rest = &pending[fd];
    ssize_t took = send(fd, rest->bytes + rest->sent, rest->length - rest->sent, MSG_NOSIGNAL);
    if (took < 0)
        return errno == EAGAIN;
    rest->sent += (uint32_t)took;
    if (rest->sent < rest->length)
        return true;
    free(rest->bytes);
    memset(rest, 0, sizeof(*rest));
    return interest_set(epoll, fd, EPOLLIN);
}

// One read and its answer. false: the connection is over.
static bool echo(int epoll, int fd)
{
    ssize_t got = recv(fd, buffer, sizeof(buffer), 0);
    if (got <= 0)
        return got < 0 && errno == EAGAIN;
    ssize_t took = send(fd, buffer, (size_t)got, MSG_NOSIGNAL);
    if (took < 0 && errno != EAGAIN)
        return false;
    took = took < 0 ? 0 : took;
    return took == got || rest_keep(epoll, fd, (uint32_t)took, (uint32_t)got);
}

static void serve(int epoll, int listener)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(epoll, events, EVENTS_MAX, -1);
    for (int i = 0; i < count; i++) {
        int fd = events[i].data.fd;
        if (fd == listener)
            connections_accept(epoll, listener);
        else if (!(pending[fd].bytes ? rest_send(epoll, fd) : echo(epoll, fd)))
            connection_end(fd);
    }
}

int main(int argc, char **argv)
{
    int listener = argc == 3 ? listener_make(argv[1], atoi(argv[2])) : -1, epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    if (listener < 0 || epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) != 0) {
        fprintf(stderr, "usage: echo_server ADDRESS PORT (%s)\n", strerror(errno));
        return 1;
    }
    for (;;)
        serve(epoll, listener);
}
