// SPDX-License-Identifier: Apache-2.0
// A client of the kernel's TCP, one thread, for servers that echo or speak HTTP.
//   echo_client short|stream echo|PATH ADDRESS PORT CONNECTIONS MILLISECONDS SOURCE...
// short: so many connections at a time; each opens, sends 100 bytes, reads the answer (100 bytes, or until the server
// closes) and closes.
// stream: so many connections that stay; what they read is counted. To echo they write all the time; of PATH they ask once.
// Prints {"connections": N, "failed": N, "bytes": N, "seconds": S}. Connections come from each SOURCE in turn.
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
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX      256
#define REQUEST_SIZE    100
#define BUFFER_SIZE     65536
#define CONNECTIONS_MAX 65536 // file descriptors

static struct {
    bool shortly, echo;
    struct sockaddr_in server;
    int connections, epoll;
    char **sources;
    unsigned int sources_count, source;
    char request[REQUEST_SIZE];
} plan;
static struct {
    bool asked;
    uint32_t got;
} connection[CONNECTIONS_MAX];
static struct {
    unsigned long connections, failed, bytes;
} total;
static char buffer[BUFFER_SIZE];

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// A GET of HTTP/1.0, after which the server closes; filled up to REQUEST_SIZE by a header. To echo: the same bytes.
static void request_make(const char *path)
{
    char text[REQUEST_SIZE + 1];
    int used = snprintf(text, sizeof(text), "GET %.32s HTTP/1.0\r\nX-Fill: ", path);
    memset(text + used, 'x', (size_t)(REQUEST_SIZE - used));
    memcpy(plan.request, text, REQUEST_SIZE);
    memcpy(plan.request + REQUEST_SIZE - 4, "\r\n\r\n", 4);
}

// The port is chosen with the destination, so each source has all of them for each server.
static bool source_bind(int fd)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    int one = 1;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    return inet_pton(AF_INET, plan.sources[plan.source++ % plan.sources_count], &from.sin_addr) == 1 &&
           bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0;
}

static bool connection_open(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct epoll_event event = {.events = EPOLLOUT, .data.fd = fd};
    if (fd < 0)
        return false;
    if (fd >= CONNECTIONS_MAX || !source_bind(fd) ||
        (connect(fd, (struct sockaddr *)&plan.server, sizeof(plan.server)) != 0 && errno != EINPROGRESS) ||
        epoll_ctl(plan.epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        close(fd);
        return false;
    }
    memset(&connection[fd], 0, sizeof(connection[fd]));
    return true;
}

// Ends one and opens the next in its place. false: that cannot be opened.
static bool connection_next(int fd, bool good)
{
    close(fd);
    total.connections += good;
    total.failed += !good;
    return connection_open();
}

static bool ask(int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (!plan.shortly && plan.echo)
        event.events |= EPOLLOUT;
    connection[fd].asked = send(fd, plan.request, REQUEST_SIZE, MSG_NOSIGNAL) == REQUEST_SIZE;
    return connection[fd].asked && epoll_ctl(plan.epoll, EPOLL_CTL_MOD, fd, &event) == 0;
}

// 1: the answer is complete; 0: not yet; -1: the connection broke.
static int answer_take(int fd)
{
    ssize_t got = recv(fd, buffer, sizeof(buffer), 0);
    if (got < 0)
        return errno == EAGAIN ? 0 : -1;
    total.bytes += (unsigned long)got;
    connection[fd].got += (uint32_t)got;
    if (plan.shortly && plan.echo)
        return connection[fd].got >= REQUEST_SIZE ? 1 : got ? 0 : -1;
    return got ? 0 : connection[fd].got ? 1 : -1;
}

// false: no connection can be opened any more.
static bool event_handle(int fd, uint32_t events)
{
    if (!connection[fd].asked)
        return ask(fd) || connection_next(fd, false);
    if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
        int taken = answer_take(fd);
        if (taken)
            return connection_next(fd, taken > 0);
    }
    if (events & EPOLLOUT && send(fd, buffer, sizeof(buffer), MSG_NOSIGNAL) < 0 && errno != EAGAIN)
        return connection_next(fd, false);
    return true;
}

static bool run(double seconds)
{
    struct epoll_event events[EVENTS_MAX];
    double end = now() + seconds;
    for (int i = 0; i < plan.connections; i++)
        if (!connection_open())
            return false;
    while (now() < end) {
        int count = epoll_wait(plan.epoll, events, EVENTS_MAX, 10);
        for (int i = 0; i < count; i++)
            if (!event_handle(events[i].data.fd, events[i].events))
                return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    if (argc < 8 || inet_pton(AF_INET, argv[3], &plan.server.sin_addr) != 1) {
        fprintf(
            stderr,
            "usage: echo_client short|stream echo|PATH ADDRESS PORT CONNECTIONS MILLISECONDS SOURCE...\n");
        return 2;
    }
    plan.shortly = strcmp(argv[1], "short") == 0;
    plan.echo = strcmp(argv[2], "echo") == 0;
    plan.server.sin_family = AF_INET;
    plan.server.sin_port = htons((uint16_t)atoi(argv[4]));
    plan.connections = atoi(argv[5]);
    plan.sources = argv + 7;
    plan.sources_count = (unsigned int)argc - 7;
    plan.epoll = epoll_create1(0);
    request_make(plan.echo ? "/" : argv[2]);
    double start = now();
    if (!run(atof(argv[6]) / 1000)) {
        fprintf(stderr, "echo_client: %s\n", strerror(errno));
        return 1;
    }
    printf("{\"connections\": %lu, \"failed\": %lu, \"bytes\": %lu, \"seconds\": %.6f}\n", total.connections,
           total.failed, total.bytes, now() - start);
    return 0;
}
