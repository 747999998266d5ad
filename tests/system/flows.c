// SPDX-License-Identifier: Apache-2.0
// Many real connections, and their servers, in the kernel's sockets: what a script is too slow for. Built by the tests.
//
//     flows serve NAME                       TCP 80: says NAME to whoever connects, then echoes. UDP 53: answers DNS questions with a
//                                            TXT record that says NAME (RFC 1035)
//     flows tcp  ADDRESS COUNT RATE SECONDS  opens COUNT connections, RATE in a second (0: as many as go), at most 256 at
//     flows dns  ADDRESS COUNT RATE SECONDS  a time; asks COUNT questions, each from a socket of its own. SIGTERM ends it
//                                            early. Prints {"seconds": S, "seen": {NAME: N}, "failed": {WHY: N}}:
//                                            whose word came, and what failed
//
// A client ends its connection with a reset, so that its port is free at once. Questions come from the ports 10000 to
// 59999 in turn: so many are as many flows.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define AT_A_TIME 256
#define NAMES     16
#define WHYS      8
#define WAIT_NS   5000000000ull

struct count {
    char name[64];
    unsigned long n;
};

struct flow {
    int fd; // -1: free
    uint64_t began_ns;
};

static struct count seen[NAMES], why[WHYS];
static volatile sig_atomic_t ended;
static struct flow flow[AT_A_TIME];
static unsigned long done, begun;
static unsigned under_way;

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void count(struct count *table, unsigned room, const char *name, size_t length)
{
    for (unsigned i = 0; i < room; i++) {
        if (table[i].name[0] == '\0')
            snprintf(table[i].name, sizeof(table[i].name), "%.*s", (int)length, name);
        if (strlen(table[i].name) == length && memcmp(table[i].name, name, length) == 0) {
            table[i].n++;
            return;
        }
    }
}

// ---- the server -------------------------------------------------------------------------------------------------
static int listener(int type, uint16_t port)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int fd = socket(AF_INET6, type | SOCK_NONBLOCK, 0), one = 1, big = 8 << 20;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &big, sizeof(big));
    if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) || (type == SOCK_STREAM && listen(fd, 4096)))
        die("listen");
    return fd;
}

// The question comes back with one TXT record behind it.
static void dns_answer(int fd, const char *name)
{
    static const uint8_t record[] = {0xc0, 0x0c, 0, 16, 0, 1, 0, 0, 0, 0, 0};
    struct sockaddr_in6 from;
    socklen_t from_length = sizeof(from);
    uint8_t packet[1024];
    ssize_t got = recvfrom(fd, packet, 512, 0, (struct sockaddr *)&from, &from_length);
    size_t at = 12, length = strlen(name);

    if (got < 17 || packet[2] & 0x80)
        return;
    while (at < (size_t)got && packet[at])
        at += packet[at] + 1u;
    if (at + 5 > (size_t)got) // 0, type, class
        return;
    at += 5;
    packet[2] |= 0x84; // an answer, authoritative
    packet[3] = 0;
    memcpy(packet + 6, "\0\1\0\0\0\0", 6);
    memcpy(packet + at, record, sizeof(record));
    at += sizeof(record);
    packet[at++] = (uint8_t)(length + 1);
    packet[at++] = (uint8_t)length;
    memcpy(packet + at, name, length);
    sendto(fd, packet, at + length, 0, (struct sockaddr *)&from, from_length);
}

static void tcp_accept(int epoll, int listening, const char *name)
{
    int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    char line[64];

    if (fd < 0)
        return;
    int length = snprintf(line, sizeof(line), "%s\n", name);
    if (send(fd, line, (size_t)length, MSG_NOSIGNAL) < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event))
        close(fd);
}

static void echo(int fd)
{
    char text[512];
    ssize_t got = recv(fd, text, sizeof(text), 0);

    if (got <= 0 || send(fd, text, (size_t)got, MSG_NOSIGNAL) != got)
        close(fd); // the client has ended
}

static _Noreturn void serve(const char *name)
{
    int epoll = epoll_create1(0), tcp = listener(SOCK_STREAM, 80), udp = listener(SOCK_DGRAM, 53);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = tcp}, ready[64];

    epoll_ctl(epoll, EPOLL_CTL_ADD, tcp, &event);
    event.data.fd = udp;
    epoll_ctl(epoll, EPOLL_CTL_ADD, udp, &event);
    for (;;) {
        int n = epoll_wait(epoll, ready, 64, -1);
        for (int i = 0; i < n; i++)
            if (ready[i].data.fd == tcp)
                tcp_accept(epoll, tcp, name);
            else if (ready[i].data.fd == udp)
                dns_answer(udp, name);
            else
                echo(ready[i].data.fd);
    }
}

// ---- the client -------------------------------------------------------------------------------------------------
static socklen_t address_of(const char *text, uint16_t port, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

    memset(out, 0, sizeof(*out));
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return sizeof(*v4);
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) != 1)
        die("address");
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    return sizeof(*v6);
}

static void finish(struct flow *one, const char *failure)
{
    const struct linger at_once = {1, 0};

    if (failure)
        count(why, WHYS, failure, strlen(failure));
    setsockopt(one->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(one->fd);
    one->fd = -1;
    under_way--;
    done++;
}

static void port_take(int fd, sa_family_t family, uint16_t port)
{
    struct sockaddr_storage from;
    socklen_t length = address_of(family == AF_INET ? "0.0.0.0" : "::", port, &from);

    if (bind(fd, (const struct sockaddr *)&from, length))
        die("bind");
}

static const uint8_t question[] = {0x12, 0x34, 1,   0,   0,   1, 0, 0,  0, 0, 0,
                                   0,    3,    'w', 'h', 'o', 0, 0, 16, 0, 1};

static void begin(int epoll, struct flow *one, const struct sockaddr_storage *to, socklen_t length, int type)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = one};

    one->fd = socket(to->ss_family, type | SOCK_NONBLOCK, 0);
    if (one->fd < 0)
        die("socket");
    if (type == SOCK_DGRAM)
        port_take(one->fd, to->ss_family, (uint16_t)(10000 + begun % 50000));
    one->began_ns = now_ns();
    begun++;
    under_way++;
    if (connect(one->fd, (const struct sockaddr *)to, length) && errno != EINPROGRESS)
        finish(one, strerror(errno));
    else if (type == SOCK_DGRAM && send(one->fd, question, sizeof(question), 0) < 0)
        finish(one, strerror(errno));
    else
        epoll_ctl(epoll, EPOLL_CTL_ADD, one->fd, &event);
}

static void hear(struct flow *one, int type)
{
    char text[600];
    ssize_t got = recv(one->fd, text, sizeof(text), 0);
    size_t skip = type == SOCK_DGRAM ? sizeof(question) + 13 : 0; // what stands before the text

    if (got < 0 && errno == EAGAIN)
        return;
    if (got > 0 && type == SOCK_STREAM)
        got--; // the line's end
    if (got > (ssize_t)skip) {
        count(seen, NAMES, text + skip, (size_t)got - skip);
        finish(one, NULL);
    } else {
        finish(one, got < 0 ? strerror(errno) : "ended without a word");
    }
}

static void give_up_old(void)
{
    uint64_t now = now_ns();

    for (unsigned i = 0; i < AT_A_TIME; i++)
        if (flow[i].fd >= 0 && now - flow[i].began_ns > WAIT_NS)
            finish(&flow[i], "no answer in 5 s");
}

static unsigned long due(uint64_t began_ns, unsigned long rate, unsigned long most)
{
    unsigned long by_now =
        rate ? (unsigned long)((double)(now_ns() - began_ns) * 1e-9 * (double)rate) + 1 : most;

    return by_now < most ? by_now : most;
}

static void table_print(const char *name, const struct count *table, unsigned room)
{
    printf("\"%s\": {", name);
    for (unsigned i = 0; i < room && table[i].name[0]; i++)
        printf("%s\"%s\": %lu", i ? ", " : "", table[i].name, table[i].n);
    printf("}");
}

static void on_term(int signal)
{
    (void)signal;
    ended = 1;
}

static int run(int type, const char *address, unsigned long most, unsigned long rate, unsigned seconds)
{
    struct sockaddr_storage to;
    socklen_t length = address_of(address, type == SOCK_DGRAM ? 53 : 80, &to);
    int epoll = epoll_create1(0);
    uint64_t began_ns = now_ns(), end_ns = began_ns + seconds * 1000000000ull;
    struct epoll_event ready[AT_A_TIME];

    for (unsigned i = 0; i < AT_A_TIME; i++)
        flow[i].fd = -1;
    while (under_way || (begun < most && !ended && now_ns() < end_ns)) {
        bool more = !ended && now_ns() < end_ns;
        for (unsigned i = 0; more && i < AT_A_TIME && begun < due(began_ns, rate, most); i++)
            if (flow[i].fd < 0)
                begin(epoll, &flow[i], &to, length, type);
        int n = epoll_wait(epoll, ready, AT_A_TIME, 1);
        for (int i = 0; i < n; i++)
            hear(ready[i].data.ptr, type);
        give_up_old();
    }
    printf("{\"seconds\": %.3f, ", (double)(now_ns() - began_ns) * 1e-9);
    table_print("seen", seen, NAMES);
    printf(", ");
    table_print("failed", why, WHYS);
    printf("}\n");
    return 0;
}

int main(int argc, char **argv)
{
    signal(SIGTERM, on_term);
    signal(SIGPIPE, SIG_IGN);
    if (argc == 3 && strcmp(argv[1], "serve") == 0)
        serve(argv[2]);
    if (argc == 6 && (strcmp(argv[1], "tcp") == 0 || strcmp(argv[1], "dns") == 0))
        return run(argv[1][0] == 't' ? SOCK_STREAM : SOCK_DGRAM, argv[2], strtoul(argv[3], NULL, 10),
                   strtoul(argv[4], NULL, 10), (unsigned)strtoul(argv[5], NULL, 10));
    fputs("usage: flows serve NAME; flows tcp|dns ADDRESS COUNT RATE SECONDS\n", stderr);
    return 2;
}
