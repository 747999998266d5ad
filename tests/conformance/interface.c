// SPDX-License-Identifier: Apache-2.0
// The table itself: each entry takes the lock, finds the socket, lets the duty's file do the work, and turns what that
// returns into what a system call returns.
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "door.h"

#define EXPORTED __attribute__((visibility("default")))

// ---- in and out -------------------------------------------------------------------------------------------
static bool enter(struct door *door)
{
    if (door)
        door_enter(door);
    return door != NULL;
}

static ssize_t no_door(void) // packetdrill_interface_init() has said why
{
    errno = ENXIO;
    return -1;
}

static ssize_t leave(struct door *door, ssize_t result)
{
    if (door == NULL)
        return no_door();
    door_leave(door);
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}

// Enters for a call on the socket that `fd` names; NULL and *code where there is none.
static struct door_socket *socket_enter(struct door *door, int fd, ssize_t *code)
{
    struct door_socket *s = enter(door) ? door_find(door, fd) : NULL;

    *code = s ? -ENOTSOCK : -EBADF;
    return s && s->kind != DOOR_EPOLL ? s : NULL;
}

// ---- sockets ----------------------------------------------------------------------------------------------
static int pd_socket(void *userdata, int domain, int type, int protocol)
{
    if (!enter(userdata))
        return (int)no_door();
    return (int)leave(userdata, door_socket_open(userdata, domain, type, protocol));
}

static int pd_bind(void *userdata, int fd, const struct sockaddr *addr, socklen_t len)
{
    ssize_t code;
    struct door_socket *s = socket_enter(userdata, fd, &code);

    return (int)leave(userdata, s ? door_bind(s, addr, len) : code);
}

static int pd_listen(void *userdata, int fd, int backlog)
{
    ssize_t code;
    struct door_socket *s = socket_enter(userdata, fd, &code);

    return (int)leave(userdata, s ? door_listen(s, backlog) : code);
}

static int pd_accept(void *userdata, int fd, struct sockaddr *addr, socklen_t *len)
{
    ssize_t code;
    struct door_socket *s = socket_enter(userdata, fd, &code);

    return (int)leave(userdata, s ? door_accept(s, addr, len) : code);
}

static int pd_connect(void *userdata, int fd, const struct sockaddr *addr, socklen_t len)
{
    ssize_t code;
    struct door_socket *s = socket_enter(userdata, fd, &code);

    return (int)leave(userdata, s ? door_connect(s, addr, len) : code);
}

static int pd_shutdown(void *userdata, int fd, int how)
{
    ssize_t code;
    struct door_socket *s = socket_enter(userdata, fd, &code);

    return (int)leave(userdata, s ? door_shutdown(s, how) : code);
}

static int pd_close(void *userdata, int fd)
{
    struct door *door = userdata;
    struct door_socket *s;

    if (!enter(door))
        return (int)no_door();
    s = door_find(door, fd);
    return (int)leave(door, s ? door_close(s) : close(fd) ? -errno : 0); // an end of a pipe is a real one
}

// ---- reading ----------------------------------------------------------------------------------------------
static ssize_t pd_readv(void *userdata, int fd, const struct iovec *iov, int n)
{
    ssize_t code;
    struct door_socket *s = socket_enter(userdata, fd, &code);

    if (s)
        code = n < 0 ? -EINVAL : door_receive(s, iov, (size_t)n, 0);
    return leave(userdata, code);
}

static ssize_t pd_recv(void *userdata, int fd, void *to, size_t len, int flags)
{
    struct iovec iov = {to, len};
    ssize_t code;
    struct door_socket *s = socket_enter(userdata, fd, &code);

    return leave(userdata, s ? door_receive(s, &iov, 1, flags) : code);
}

static ssize_t pd_read(void *userdata, int fd, void *to, size_t len)
{
    return pd_recv(userdata, fd, to, len, 0);
}

static ssize_t pd_recvfrom(void *userdata, int fd, void *to, size_t len, int flags, struct sockaddr *from,
                           socklen_t *from_len)
{
    (void)from;
    if (from_len) // a stream has no address of sender (tcp_recvmsg())
        *from_len = 0;
    return pd_recv(userdata, fd, to, len, flags);
}

static ssize_t pd_recvmsg(void *userdata, int fd, struct msghdr *message, int flags)
{
    ssize_t code;
    struct door_socket *s = socket_enter(userdata, fd, &code);

    return leave(userdata, s ? door_receive_message(s, message, flags) : code);
}

// ---- writing ----------------------------------------------------------------------------------------------
static ssize_t pd_writev(void *userdata, int fd, const struct iovec *iov, int n)
{
    ssize_t code;
    struct door_socket *s = socket_enter(userdata, fd, &code);

    if (s)
        code = n < 0 ? -EINVAL : door_send(s, iov, (size_t)n, 0);
    return leave(userdata, code);
}

static ssize_t pd_send(void *userdata, int fd, const void *from, size_t len, int flags)
{
    struct iovec iov = {(void *)(uintptr_t)from, len};
    ssize_t code;
    struct door_socket *s = socket_enter(userdata, fd, &code);

    return leave(userdata, s ? door_send(s, &iov, 1, flags) : code);
}

static ssize_t pd_write(void *userdata, int fd, const void *from, size_t len)
{
    return pd_send(userdata, fd, from, len, 0);
}

static ssize_t pd_sendto(void *userdata, int fd, const void *from, size_t len, int flags,
                         const struct sockaddr *to, socklen_t to_len)
{
    (void)to, (void)to_len; // a stream goes where it is connected to
    return pd_send(userdata, fd, from, len, flags);
}

static ssize_t pd_sendmsg(void *userdata, int fd, const struct msghdr *message, int flags)
{
    ssize_t code;
    struct door_socket *s = socket_enter(userdata, fd, &code);

    return leave(userdata, s ? door_send(s, message->msg_iov, message->msg_iovlen, flags) : code);
}

// ---- options ----------------------------------------------------------------------------------------------
static int pd_fcntl(void *userdata, int fd, int command, ...)
{
    va_list arguments;
    long argument;
    ssize_t code;
    struct door_socket *s = socket_enter(userdata, fd, &code);

    va_start(arguments, command);
    argument = va_arg(arguments, long);
    va_end(arguments);
    return (int)leave(userdata, s ? door_fcntl(s, command, argument) : code);
}

static int pd_ioctl(void *userdata, int fd, unsigned long request, ...)
{
    va_list arguments;
    int *value;
    ssize_t code;
    struct door_socket *s = socket_enter(userdata, fd, &code);

    va_start(arguments, request);
    value = va_arg(arguments, void *);
    va_end(arguments);
    return (int)leave(userdata, s ? door_ioctl(s, request, value) : code);
}

static int pd_getsockopt(void *userdata, int fd, int level, int name, void *value, socklen_t *len)
{
    ssize_t code;
    struct door_socket *s = socket_enter(userdata, fd, &code);

    return (int)leave(userdata, s ? door_option_get(s, level, name, value, len) : code);
}

static int pd_setsockopt(void *userdata, int fd, int level, int name, const void *value, socklen_t len)
{
    ssize_t code;
    struct door_socket *s = socket_enter(userdata, fd, &code);

    return (int)leave(userdata, s ? door_option_set(s, level, name, value, len) : code);
}

// ---- waiting for several ----------------------------------------------------------------------------------
static int pd_poll(void *userdata, struct pollfd *fds, nfds_t n, int timeout_ms)
{
    if (!enter(userdata))
        return (int)no_door();
    return (int)leave(userdata, door_poll(userdata, fds, n, timeout_ms));
}

static int pd_epoll_create(void *userdata, int size)
{
    struct door_socket *epoll;

    if (!enter(userdata))
        return (int)no_door();
    epoll = size > 0 ? door_socket_new(userdata, AF_UNSPEC, DOOR_EPOLL) : NULL;
    return (int)leave(userdata, epoll ? epoll->fd : size > 0 ? -ENFILE : -EINVAL);
}

static int pd_epoll_ctl(void *userdata, int epfd, int op, int fd, struct epoll_event *event)
{
    struct door_socket *epoll, *s;

    if (!enter(userdata))
        return (int)no_door();
    epoll = door_find(userdata, epfd);
    s = door_find(userdata, fd);
    return (int)leave(userdata, epoll && s ? door_epoll_ctl(epoll, op, s, event) : -EBADF);
}

static int pd_epoll_wait(void *userdata, int epfd, struct epoll_event *events, int max, int timeout_ms)
{
    struct door_socket *epoll;

    if (!enter(userdata))
        return (int)no_door();
    epoll = door_find(userdata, epfd);
    return (int)leave(userdata, epoll ? door_epoll_wait(epoll, events, max, timeout_ms) : -EBADF);
}

static int pd_pipe(void *userdata, int fds[2])
{
    (void)userdata;
    return pipe(fds);
}

static int pd_splice(void *userdata, int fd_in, loff_t *off_in, int fd_out, loff_t *off_out, size_t len,
                     unsigned flags)
{
    (void)off_in, (void)off_out; // neither end has places
    if (!enter(userdata))
        return (int)no_door();
    return (int)leave(userdata, door_splice(userdata, fd_in, fd_out, len, flags));
}

// ---- wire and time ----------------------------------------------------------------------------------------
static int pd_netdev_send(void *userdata, const void *packet, size_t len)
{
    if (!enter(userdata))
        return (int)no_door();
    return (int)leave(userdata, door_packet_in(userdata, packet, len));
}

static int pd_netdev_receive(void *userdata, void *packet, size_t *len, long long *time_us)
{
    if (!enter(userdata))
        return (int)no_door();
    return (int)leave(userdata, door_packet_out(userdata, packet, len, time_us));
}

static int pd_usleep(void *userdata, useconds_t us)
{
    if (!enter(userdata))
        return (int)no_door();
    door_sleep(userdata, us);
    return (int)leave(userdata, 0);
}

static int pd_gettimeofday(void *userdata, struct timeval *tv, struct timezone *tz)
{
    struct door *door = userdata;
    uint64_t now_us;

    (void)tz;
    if (!enter(door))
        return (int)no_door();
    now_us = door->now_us;
    door_tick(door);
    leave(door, 0);
    *tv = (struct timeval){(time_t)(now_us / DOOR_S), (suseconds_t)(now_us % DOOR_S)};
    return 0;
}

// ---- without the table ------------------------------------------------------------------------------------
static struct door *_Atomic the_door; // the last that was made, until it is freed

// packetdrill takes the data of a script's assertions (`%{ ... }%`) past the table, from the kernel. Loaded first
// (LD_PRELOAD), this one is asked instead, and asks the kernel about what is not a socket of ours.
EXPORTED int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    struct door *door = the_door;
    bool ours = false;

    if (enter(door)) {
        ours = door_find(door, fd) != NULL;
        leave(door, 0);
    }
    return ours ? pd_getsockopt(door, fd, level, name, value, len)
                : (int)syscall(SYS_getsockopt, fd, level, name, value, len);
}

// ---- life -------------------------------------------------------------------------------------------------
static void sockets_free(struct door *door)
{
    while (door->sockets) {
        struct door_socket *s = door->sockets;

        if (!s->closed)
            door_close(s);
        door->sockets = s->next;
        free(s);
    }
}

static void pd_free(void *userdata)
{
    struct door *door = userdata;

    if (door == NULL)
        return;
    the_door = NULL;
    sockets_free(door);
    sl_tcp_free(door->tcp);
    while (door->first) {
        struct door_packet *packet = door->first;

        door->first = packet->next;
        free(packet);
    }
    pthread_cond_destroy(&door->happened);
    pthread_cond_destroy(&door->returned);
    pthread_mutex_destroy(&door->lock);
    free(door);
}

static void defaults(struct door *door)
{
    sl_tcp_options_default(&door->options);
    door->options.pacing = door->options.mtu_probing =
        false; // as Linux without fq and with tcp_mtu_probing 0
    door->options.syn_retries = 6; // tcp_syn_retries: one less than RFC 9293 MUST-23 asks for
    door->ecn = DOOR_ECN_PASSIVE;
    door->now_us = DOOR_BORN_US;
    door->seed = 0x736c756963652121ull;
    sl_ip_parse("192.168.0.1", &door->local_v4); // what packetdrill gives its own interface
    sl_ip_parse("fd3d:fa7b:d17d::1", &door->local_v6);
}

static struct door *door_new(const char *flags)
{
    struct door *door = calloc(1, sizeof(*door));
    char word[64];

    if (door == NULL)
        return NULL;
    defaults(door);
    if (door_flags_read(door, flags, word)) {
        fprintf(stderr, "sluice-packetdrill: flag '%s' is not known, or its value is not\n", word);
        free(door);
        return NULL;
    }
    pthread_mutex_init(&door->lock, NULL);
    pthread_cond_init(&door->happened, NULL);
    pthread_cond_init(&door->returned, NULL);
    if (door_engine_start(door)) {
        fprintf(stderr, "sluice-packetdrill: no memory\n");
        pd_free(door);
        return NULL;
    }
    return door;
}

static const struct packetdrill_interface table = {
    .free = pd_free,
    .socket = pd_socket,
    .bind = pd_bind,
    .listen = pd_listen,
    .accept = pd_accept,
    .connect = pd_connect,
    .read = pd_read,
    .readv = pd_readv,
    .recv = pd_recv,
    .recvfrom = pd_recvfrom,
    .recvmsg = pd_recvmsg,
    .write = pd_write,
    .writev = pd_writev,
    .send = pd_send,
    .sendto = pd_sendto,
    .sendmsg = pd_sendmsg,
    .fcntl = pd_fcntl,
    .ioctl = pd_ioctl,
    .close = pd_close,
    .shutdown = pd_shutdown,
    .getsockopt = pd_getsockopt,
    .setsockopt = pd_setsockopt,
    .poll = pd_poll,
    .netdev_send = pd_netdev_send,
    .netdev_receive = pd_netdev_receive,
    .usleep = pd_usleep,
    .gettimeofday = pd_gettimeofday,
    .epoll_create = pd_epoll_create,
    .epoll_ctl = pd_epoll_ctl,
    .epoll_wait = pd_epoll_wait,
    .pipe = pd_pipe,
    .splice = pd_splice,
};

EXPORTED void packetdrill_interface_init(const char *flags, struct packetdrill_interface *interface)
{
    struct door *door = door_new(flags);
    bool whole = door == NULL || !door->short_table;

    the_door = door;
    memcpy(interface, &table, whole ? sizeof(table) : offsetof(struct packetdrill_interface, epoll_create));
    interface->userdata = door;
}
