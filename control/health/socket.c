// SPDX-License-Identifier: Apache-2.0
// Sockets for checks: made, bound, closed; and which errors are the member's. See engine.h.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include "health/engine.h"

uint32_t socket_address(const struct sl_ip *ip, uint16_t port, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof(struct sockaddr_in6));
    if (sl_ip_is_v4(ip)) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)out;
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        v4->sin_addr.s_addr = ip->w[3];
        return sizeof(*v4);
    }
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    memcpy(&v6->sin6_addr, ip->b, 16);
    return sizeof(*v6);
}

// Our own lack, a rule of our own firewall, or a source or device that is not there: nothing that speaks of the member.
// A network that cannot be reached does: packets would not get there either.
bool error_is_ours(int error)
{
    switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case ENOBUFS:
    case EPERM:
    case EACCES:
    case EAGAIN: // no local port left, no process left
    case EADDRNOTAVAIL:
    case EADDRINUSE:
    case ENODEV:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
    case EINVAL:
    case ENOSYS:
        return true;
    default:
        return false;
    }
}

const char *error_word(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return "refused";
    case ECONNRESET:
        return "reset";
    case EPIPE:
        return "closed";
    case ETIMEDOUT:
        return "no answer";
    case EHOSTUNREACH:
        return "host unreachable";
    case ENETUNREACH:
        return "network unreachable";
    default:
        return strerrordesc_np(error) ? strerrordesc_np(error) : "unknown error";
    }
}

int socket_error(int fd)
{
    int error = 0;
    socklen_t len = sizeof(error);

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? errno : error;
}

static int control(int op, struct health *health, struct watch *watch, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = watch};

    return epoll_ctl(health->epoll_fd, op, fd, &event) < 0 ? errno : 0;
}

int socket_watch(struct health *health, struct watch *watch, int fd, uint32_t events)
{
    return control(EPOLL_CTL_ADD, health, watch, fd, events);
}

int socket_rewatch(struct health *health, struct watch *watch, int fd, uint32_t events)
{
    return control(EPOLL_CTL_MOD, health, watch, fd, events);
}

// A target removed within this turn may still have an event in it.
static void on_target_ready(struct health *health, struct watch *watch, uint32_t events)
{
    struct target *target = (struct target *)watch;

    if (target->running)
        target->kind->ready(health, target, events);
}

int target_watch(struct health *health, struct target *target, uint32_t events)
{
    target->watch.ready = on_target_ready;
    return socket_watch(health, &target->watch, target->fd, events);
}

static int bind_as_wished(int fd, const struct health_wish *wish, const char **what)
{
    struct sockaddr_storage address;
    const int on = 1;

    *what = "device";
    if (wish->device &&
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, wish->device, (socklen_t)strlen(wish->device)) < 0)
        return errno;
    *what = "source address";
    if (sl_ip_is_zero(&wish->source))
        return 0;
    // Else the port is chosen here, one of few for all members together, instead of one for each pair of addresses.
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    uint32_t len = socket_address(&wish->source, 0, &address);
    return bind(fd, (struct sockaddr *)&address, len) < 0 ? errno : 0;
}

// A connection ended by reset leaves no TIME-WAIT behind, here or there. Without quick acknowledgement the handshake's
// last segment waits, and for a tcp check the reset overtakes it: the server's program never sees the connection.
static void end_by_reset(int fd)
{
    const struct linger linger = {.l_onoff = 1};
    const int off = 0;

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &off, sizeof(off));
}

int socket_connect(struct target *target, int type, const char **what)
{
    const struct health_wish *wish = &target->wish;
    struct sockaddr_storage address;
    uint32_t len = socket_address(&wish->address, wish->port, &address);

    *what = "socket";
    int fd = socket(address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    target->fd = fd;
    if (type == SOCK_STREAM && !wish->orderly_close)
        end_by_reset(fd);
    int error = wish->device || !sl_ip_is_zero(&wish->source) ? bind_as_wished(fd, wish, what) : 0;
    if (error)
        return error;
    *what = "connect";
    return connect(fd, (struct sockaddr *)&address, len) < 0 && errno != EINPROGRESS ? errno : 0;
}

// Closing takes it out of the epoll set: no copy of it is anywhere.
void socket_close(struct target *target)
{
    if (target->fd >= 0)
        close(target->fd);
    target->fd = -1;
}
