// SPDX-License-Identifier: Apache-2.0
// The life of sockets, as Linux has it: which call is right in which state, and what a wrong one is told.
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "door.h"
#include "wire/headers.h"

#define EPHEMERAL_FIRST 32768u // Linux's ip_local_port_range
#define EPHEMERAL_LAST  60999u
#define BACKLOG_MAX     4096u // net.core.somaxconn

// ---- addresses --------------------------------------------------------------------------------------------
static struct sl_ip any(bool v4)
{
    return v4 ? sl_ip_v4(0) : (struct sl_ip){0};
}

static bool is_any(const struct sl_ip *ip)
{
    return sl_ip_is_zero(ip) || (sl_ip_is_v4(ip) && ip->w[3] == 0);
}

static int address_read(const struct door_socket *s, const struct sockaddr *addr, socklen_t len,
                        struct sl_ip *ip, sl_be16 *port)
{
    const struct sockaddr_in *v4 = (const void *)addr;
    const struct sockaddr_in6 *v6 = (const void *)addr;

    if (addr == NULL)
        return -EFAULT;
    if (len < (s->family == AF_INET ? sizeof(*v4) : sizeof(*v6)))
        return -EINVAL;
    if (addr->sa_family != s->family)
        return -EAFNOSUPPORT;
    if (s->family == AF_INET) {
        *ip = sl_ip_v4(v4->sin_addr.s_addr);
        *port = v4->sin_port;
    } else {
        memcpy(ip, &v6->sin6_addr, 16);
        *port = v6->sin6_port;
    }
    return 0;
}

void door_address_write(const struct door_socket *s, const struct sl_ip *ip, sl_be16 port,
                        struct sockaddr *addr, socklen_t *len)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = port, .sin_addr.s_addr = ip->w[3]};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = port};
    socklen_t real = s->family == AF_INET ? sizeof(v4) : sizeof(v6);

    if (addr == NULL || len == NULL)
        return;
    memcpy(&v6.sin6_addr, ip, 16);
    memcpy(addr, s->family == AF_INET ? (const void *)&v4 : (const void *)&v6, *len < real ? *len : real);
    *len = real;
}

// ---- making -----------------------------------------------------------------------------------------------
struct door_socket *door_find(struct door *door, int fd)
{
    struct door_socket *s = door->sockets;

    while (s && (s->fd != fd || s->closed))
        s = s->next;
    return s;
}

// The fd must be a real one: packetdrill passes those that are left over to close(2), and ends where that fails.
static bool fd_make(struct door_socket *s)
{
    struct stat stat;

    s->fd = memfd_create("sluice-socket", MFD_CLOEXEC);
    if (s->fd < 0 || fstat(s->fd, &stat))
        return false;
    s->inode = stat.st_ino;
    return true;
}

static void fd_drop(struct door_socket *s)
{
    struct stat stat;

    if (s->fd >= 0 && fstat(s->fd, &stat) == 0 && stat.st_ino == s->inode)
        close(s->fd);
    s->fd = -1;
}

struct door_socket *door_socket_new(struct door *door, int family, enum door_kind kind)
{
    struct door_socket *s = calloc(1, sizeof(*s));

    if (s == NULL || !fd_make(s)) {
        free(s);
        return NULL;
    }
    s->door = door;
    s->kind = kind;
    s->family = family;
    s->options = door->options;
    s->send_bytes = door->options.tx_bytes;
    s->options.tx_bytes += DOOR_PIECE_MAX;
    s->low_water = 1;
    s->unsent_most = UINT32_MAX;
    s->keepalive_idle_ms = 7200 * 1000;
    s->next = door->sockets;
    door->sockets = s;
    return s;
}

int door_socket_open(struct door *door, int domain, int type, int protocol)
{
    struct door_socket *s;

    if (domain != AF_INET && domain != AF_INET6)
        return -EAFNOSUPPORT;
    if ((type & 0xf) != SOCK_STREAM)
        return -ESOCKTNOSUPPORT;
    if (protocol != 0 && protocol != IPPROTO_TCP)
        return -EPROTONOSUPPORT;
    s = door_socket_new(door, domain, DOOR_FRESH);
    if (s == NULL)
        return -ENFILE;
    s->local = any(domain == AF_INET);
    s->file_flags = O_RDWR | (type & SOCK_NONBLOCK ? O_NONBLOCK : 0);
    return s->fd;
}

// ---- bind -------------------------------------------------------------------------------------------------
static bool same_place(const struct door_socket *a, const struct sl_ip *ip, sl_be16 port)
{
    return a->bound && !a->closed && a->local_port == port &&
           (sl_ip_equal(&a->local, ip) || is_any(&a->local) || is_any(ip));
}

// As Linux's: with SO_REUSEADDR on both, ports are shared unless one of them listens.
static bool is_taken(const struct door_socket *s, const struct sl_ip *ip, sl_be16 port)
{
    for (const struct door_socket *other = s->door->sockets; other; other = other->next)
        if (other != s && same_place(other, ip, port) &&
            !(other->reuse_address && s->reuse_address && other->kind != DOOR_LISTENING))
            return true;
    return false;
}

static sl_be16 port_choose(struct door_socket *s, const struct sl_ip *ip)
{
    struct door *door = s->door;

    for (unsigned tries = EPHEMERAL_FIRST; tries <= EPHEMERAL_LAST; tries++) {
        if (door->next_port < EPHEMERAL_FIRST || door->next_port > EPHEMERAL_LAST)
            door->next_port = EPHEMERAL_FIRST;
        sl_be16 port = sl_be16_of(door->next_port++);

        if (!is_taken(s, ip, port))
            return port;
    }
    return 0;
}

static int place(struct door_socket *s, const struct sl_ip *ip, sl_be16 port)
{
    if (port && is_taken(s, ip, port))
        return -EADDRINUSE;
    if (port == 0 && (port = port_choose(s, ip)) == 0)
        return -EADDRINUSE;
    s->local = *ip;
    s->local_port = port;
    s->bound = true;
    return 0;
}

int door_bind(struct door_socket *s, const struct sockaddr *addr, socklen_t len)
{
    struct sl_ip ip;
    sl_be16 port;
    int code = address_read(s, addr, len, &ip, &port);

    if (code)
        return code;
    if (s->bound || s->kind != DOOR_FRESH)
        return -EINVAL;
    return place(s, &ip, port);
}

// ---- listen, accept ---------------------------------------------------------------------------------------
static struct sl_tcp_options listening_options(const struct door_socket *s)
{
    struct sl_tcp_options options = s->options;

    options.ecn = s->door->ecn != DOOR_ECN_OFF;
    return options;
}

static int listen_begin(struct door_socket *s)
{
    struct sl_tcp_options options = listening_options(s);
    bool dual = s->family == AF_INET6 && sl_ip_is_zero(&s->local) && !s->only_v6;
    struct sl_ip v4 = any(true);
    int error = 0;

    s->listeners[0] = sl_tcp_listen(s->door->tcp, &s->local, s->local_port, &options, s, &error);
    if (s->listeners[0] && dual)
        s->listeners[1] = sl_tcp_listen(s->door->tcp, &v4, s->local_port, &options, s, &error);
    return s->listeners[0] ? 0 : error;
}

int door_listen(struct door_socket *s, int backlog)
{
    int code;

    if (s->kind != DOOR_FRESH && s->kind != DOOR_LISTENING)
        return -EINVAL;
    s->backlog = backlog < 0 || (unsigned)backlog > BACKLOG_MAX ? BACKLOG_MAX : (uint32_t)backlog;
    if (s->kind == DOOR_LISTENING)
        return 0;
    if (!s->bound && (code = place(s, &s->local, 0)) != 0)
        return code;
    code = listen_begin(s);
    if (code == 0)
        s->kind = DOOR_LISTENING;
    return code;
}

int door_listen_again(struct door_socket *s)
{
    for (unsigned i = 0; i < 2; i++)
        if (s->listeners[i])
            sl_tcp_unlisten(s->listeners[i]);
    s->listeners[0] = s->listeners[1] = NULL;
    return listen_begin(s);
}

static void listen_end(struct door_socket *s)
{
    struct door *door = s->door;

    for (unsigned i = 0; i < 2; i++)
        if (s->listeners[i])
            sl_tcp_unlisten(s->listeners[i]);
    s->listeners[0] = s->listeners[1] = NULL;
    for (struct door_socket *child = s->queue; child; child = child->queue_next) {
        sl_tcp_abort(child->conn, door->now_us);
        child->conn = NULL;
        child->closed = true;
        fd_drop(child);
    }
    s->queue = NULL;
    s->queued = 0;
}

static void queue_add(struct door_socket *listener, struct door_socket *child)
{
    struct door_socket **at = &listener->queue;

    while (*at)
        at = &(*at)->queue_next;
    *at = child;
    listener->queued++;
}

static bool accept_ready(void *argument)
{
    const struct door_socket *s = argument;

    return s->queue || s->closed || s->kind != DOOR_LISTENING;
}

int door_accept(struct door_socket *s, struct sockaddr *addr, socklen_t *len)
{
    struct door_socket *child;
    int code;

    if (s->kind != DOOR_LISTENING)
        return -EINVAL;
    if (s->queue == NULL && s->file_flags & O_NONBLOCK)
        return -EAGAIN;
    code = door_block_on(s->door, accept_ready, s, door_deadline(s->door, s->receive_timeout_us));
    if (code)
        return code;
    if (s->closed || s->queue == NULL)
        return -EINVAL;
    child = s->queue;
    s->queue = child->queue_next;
    child->queue_next = NULL;
    s->queued--;
    door_address_write(child, &child->remote, child->remote_port, addr, len);
    return child->fd;
}

static struct door_socket *accepted(struct door *door, struct door_socket *listener, struct sl_tcp_conn *conn)
{
    struct door_socket *s = door_socket_new(door, listener->family, DOOR_CONNECTED);
    struct sl_tcp_info info;

    if (s == NULL) {
        sl_tcp_abort(conn, door->now_us);
        return NULL;
    }
    sl_tcp_info(conn, &info);
    s->conn = conn;
    s->options = listening_options(listener);
    s->send_bytes = listener->send_bytes;
    s->file_flags = O_RDWR;
    s->local = info.local;
    s->remote = info.remote;
    s->local_port = info.local_port;
    s->remote_port = info.remote_port;
    s->bound = s->connect_told = true;
    s->reuse_address = listener->reuse_address;
    s->keepalive = listener->keepalive;
    s->keepalive_idle_ms = listener->keepalive_idle_ms;
    s->linger = listener->linger;
    s->linger_s = listener->linger_s;
    s->low_water = listener->low_water;
    s->unsent_most = listener->unsent_most;
    s->tos = listener->tos;
    sl_tcp_user_set(conn, s);
    queue_add(listener, s);
    return s;
}

// ---- connect ----------------------------------------------------------------------------------------------
static bool connect_ready(void *argument)
{
    const struct door_socket *s = argument;

    return s->closed || s->kind != DOOR_CONNECTING;
}

int door_error_take(struct door_socket *s)
{
    int error = s->error;

    s->error = 0;
    return -error;
}

static int connect_result(struct door_socket *s)
{
    int code;

    if (s->closed)
        return -EBADF;
    if (s->kind != DOOR_FAILED) {
        s->connect_told = true;
        return 0;
    }
    code = door_error_take(s);
    s->kind = DOOR_FRESH;
    s->shut_read = s->shut_write = false;
    return code ? code : -ECONNABORTED;
}

static int connect_wait(struct door_socket *s)
{
    int code = door_block_on(s->door, connect_ready, s, door_deadline(s->door, s->send_timeout_us));

    if (code)
        return code == -EAGAIN ? -EINPROGRESS : code;
    return connect_result(s);
}

static int connect_begin(struct door_socket *s, const struct sl_ip *remote, sl_be16 port)
{
    struct door *door = s->door;
    struct sl_ip local = s->local;
    int code;

    if (sl_ip_is_v4(remote) && s->family == AF_INET6 && s->only_v6)
        return -ENETUNREACH;
    if (is_any(&local))
        local = sl_ip_is_v4(remote) ? door->local_v4 : door->local_v6;
    if (!s->bound && (code = place(s, &local, 0)) != 0)
        return -EADDRNOTAVAIL;
    s->local = local;
    s->remote = *remote;
    s->remote_port = port;
    s->options.ecn = door->ecn == DOOR_ECN_ON;
    s->conn = sl_tcp_connect(door->tcp, &s->local, s->local_port, remote, port, &s->options, s, door->now_us,
                             &code);
    if (s->conn == NULL)
        return code == -EADDRINUSE ? -EADDRNOTAVAIL : code;
    s->kind = DOOR_CONNECTING;
    s->connect_told = false;
    return 0;
}

static int disconnect(struct door_socket *s)
{
    if (s->conn)
        sl_tcp_abort(s->conn, s->door->now_us);
    s->conn = NULL;
    if (s->kind == DOOR_LISTENING)
        listen_end(s);
    s->kind = DOOR_FRESH;
    s->error = 0;
    s->shut_read = s->shut_write = false;
    return 0;
}

int door_connect(struct door_socket *s, const struct sockaddr *addr, socklen_t len)
{
    struct sl_ip ip;
    sl_be16 port;
    int code;

    if (addr && len >= sizeof(addr->sa_family) && addr->sa_family == AF_UNSPEC)
        return disconnect(s);
    code = address_read(s, addr, len, &ip, &port);
    if (code)
        return code;
    if (s->kind == DOOR_LISTENING || ((s->kind == DOOR_CONNECTED || s->kind == DOOR_OVER) && s->connect_told))
        return -EISCONN;
    if (s->kind == DOOR_CONNECTING && s->file_flags & O_NONBLOCK)
        return -EALREADY;
    if (s->kind != DOOR_FRESH)
        return s->kind == DOOR_CONNECTING ? connect_wait(s) : connect_result(s);
    code = connect_begin(s, &ip, port);
    if (code)
        return code;
    return s->file_flags & O_NONBLOCK ? -EINPROGRESS : connect_wait(s);
}

// ---- what the engine tells --------------------------------------------------------------------------------
static void ended(struct door_socket *s, int error)
{
    if (s->kind == DOOR_CONNECTING) {
        sl_tcp_close(s->conn, s->door->now_us);
        s->conn = NULL;
        s->kind = DOOR_FAILED;
    } else {
        s->kind = DOOR_OVER;
    }
    s->shut_write = true;
    if (error)
        s->error = -error;
}

void door_event(struct door *door, const struct sl_tcp_event *event)
{
    struct door_socket *s = event->user;

    if (event->bits & SL_TCP_ACCEPTED) {
        struct door_socket *listener = event->listener_user;

        listener->edge++;
        s = accepted(door, listener, event->conn);
    }
    if (s == NULL)
        return;
    s->edge++;
    if (event->bits & SL_TCP_CONNECTED)
        s->kind = DOOR_CONNECTED;
    if (event->bits & SL_TCP_ENDED)
        ended(s, event->error);
}

// ---- shutdown, close --------------------------------------------------------------------------------------
int door_shutdown(struct door_socket *s, int how)
{
    if (how < SHUT_RD || how > SHUT_RDWR)
        return -EINVAL;
    if (s->kind == DOOR_LISTENING && how != SHUT_WR)
        return disconnect(s);
    if (s->kind == DOOR_CONNECTING) // Linux: SYN-SENT is ended, whichever way
        return disconnect(s);
    if (s->kind != DOOR_CONNECTED)
        return -ENOTCONN;
    if (how != SHUT_WR)
        s->shut_read = true;
    if (how != SHUT_RD) {
        s->shut_write = true;
        sl_tcp_shutdown(s->conn, s->door->now_us);
    }
    s->edge++;
    return 0;
}

static void conn_close(struct door_socket *s)
{
    struct sl_tcp_conn *conn = s->conn;

    s->conn = NULL;
    if (conn == NULL)
        return;
    if (s->linger && s->linger_s == 0)
        sl_tcp_abort(conn, s->door->now_us);
    else
        sl_tcp_close(conn, s->door->now_us);
}

int door_close(struct door_socket *s)
{
    if (s->kind == DOOR_LISTENING)
        listen_end(s);
    conn_close(s);
    s->closed = true;
    s->edge++;
    free(s->watches);
    s->watches = NULL;
    s->n_watches = 0;
    fd_drop(s);
    return 0;
}
