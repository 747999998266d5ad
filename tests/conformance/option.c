// SPDX-License-Identifier: Apache-2.0
// Socket options, fcntl and ioctl. What Linux knows and this TCP has nothing for is refused (ENOPROTOOPT), never taken
// and forgotten, but for options that change nothing on the wire by what they promise.
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include "door.h"

#define BUFFER_LEAST 1024u // below it the window would be of no use

// Linux's tables of the two levels, as macros of its headers; <netinet/tcp.h> would define struct tcp_info again.
#ifndef SOL_TCP
#define SOL_TCP 6
#endif

static void apply(struct door_socket *s)
{
    s->options.keepalive_idle_ms = s->keepalive ? s->keepalive_idle_ms : 0;
    s->options.traffic_class = (uint8_t)(s->tos & 0xfc);
    if (s->conn)
        sl_tcp_options_set(s->conn, &s->options, s->door->now_us);
}

// ---- SOL_SOCKET -------------------------------------------------------------------------------------------
static uint32_t buffer_size(int value)
{
    return value < (int)BUFFER_LEAST ? BUFFER_LEAST : (uint32_t)value;
}

static int timeout_set(uint64_t *timeout_us, const void *value, socklen_t len)
{
    struct timeval tv;

    if (len < sizeof(tv))
        return -EINVAL;
    memcpy(&tv, value, sizeof(tv));
    if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
        return -EDOM;
    *timeout_us = tv.tv_sec < 0 ? 0 : (uint64_t)tv.tv_sec * DOOR_S + (uint64_t)tv.tv_usec;
    return 0;
}

static int linger_set(struct door_socket *s, const void *value, socklen_t len)
{
    struct linger linger;

    if (len < sizeof(linger))
        return -EINVAL;
    memcpy(&linger, value, sizeof(linger));
    s->linger = linger.l_onoff;
    s->linger_s = linger.l_linger;
    return 0;
}

static int socket_set(struct door_socket *s, int name, int value)
{
    switch (name) {
    case SO_REUSEADDR:
        s->reuse_address = value;
        return 0;
    case SO_KEEPALIVE:
        s->keepalive = value;
        break;
    case SO_RCVBUF:
    case SO_RCVBUFFORCE:
        s->options.rx_bytes = buffer_size(value);
        if (s->options.rx_initial_bytes > s->options.rx_bytes)
            s->options.rx_initial_bytes = s->options.rx_bytes;
        break;
    case SO_SNDBUF:
    case SO_SNDBUFFORCE:
        s->send_bytes = buffer_size(value);
        s->options.tx_bytes = s->send_bytes + DOOR_PIECE_MAX;
        break;
    case SO_RCVLOWAT:
        s->low_water = value > 0 ? value : 1;
        return 0;
    case SO_REUSEPORT: // one process has all its sockets here
    case SO_OOBINLINE: // they always are
    case SO_PRIORITY:
    case SO_MARK:
    case SO_BUSY_POLL:
    case SO_INCOMING_CPU:
        return 0;
    default:
        return -ENOPROTOOPT;
    }
    apply(s);
    return 0;
}

static int socket_get(struct door_socket *s, int name, int *value)
{
    switch (name) {
    case SO_ERROR:
        *value = -door_error_take(s);
        return 0;
    case SO_TYPE:
        *value = SOCK_STREAM;
        return 0;
    case SO_PROTOCOL:
        *value = IPPROTO_TCP;
        return 0;
    case SO_DOMAIN:
        *value = s->family;
        return 0;
    case SO_ACCEPTCONN:
        *value = s->kind == DOOR_LISTENING;
        return 0;
    case SO_REUSEADDR:
        *value = s->reuse_address;
        return 0;
    case SO_KEEPALIVE:
        *value = s->keepalive;
        return 0;
    case SO_RCVBUF: // Linux doubles what it is given, for its own overhead, and says so
        *value = (int)(s->options.rx_bytes * 2);
        return 0;
    case SO_SNDBUF:
        *value = (int)(s->send_bytes * 2);
        return 0;
    case SO_RCVLOWAT:
        *value = s->low_water;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

// ---- IPPROTO_TCP ------------------------------------------------------------------------------------------
static bool in_range(int value, int least, int most)
{
    return value >= least && value <= most;
}

static int keepalive_set(struct door_socket *s, int name, int value)
{
    if (!in_range(value, 1, name == TCP_KEEPCNT ? 127 : 32767))
        return -EINVAL;
    if (name == TCP_KEEPIDLE)
        s->keepalive_idle_ms = (uint32_t)value * 1000;
    else if (name == TCP_KEEPINTVL)
        s->options.keepalive_interval_ms = (uint32_t)value * 1000;
    else
        s->options.keepalive_probes = (uint8_t)value;
    apply(s);
    return 0;
}

static int congestion_set(struct door_socket *s, const char *name, socklen_t len)
{
    if (len >= 5 && strncmp(name, "cubic", len) == 0)
        s->options.congestion = "cubic";
    else if ((len >= 4 && strncmp(name, "reno", len) == 0) ||
             (len >= 7 && strncmp(name, "newreno", len) == 0))
        s->options.congestion = "newreno";
    else if (len >= 3 && strncmp(name, "bbr", len) == 0)
        s->options.congestion = "bbr";
    else
        return -ENOENT;
    return s->conn ? -EBUSY : 0; // the engine keeps what a connection began with
}

static int quick_ack_set(struct door_socket *s, int value)
{
    s->quick_ack = value;
    if (s->conn)
        sl_tcp_quick_ack(s->conn, value, s->door->now_us);
    return 0;
}

static int tcp_set(struct door_socket *s, int name, int value)
{
    switch (name) {
    case TCP_NODELAY:
        s->options.no_delay = value;
        break;
    case TCP_CORK:
        s->cork = s->options.cork = value;
        break;
    case TCP_NOTSENT_LOWAT:
        s->unsent_most = (uint32_t)value;
        return 0;
    case TCP_INQ:
        if (!in_range(value, 0, 1))
            return -EINVAL;
        s->tell_unread = value;
        return 0;
    case TCP_MAXSEG:
        if (value && !in_range(value, 88, 32767))
            return -EINVAL;
        s->options.mss_clamp = (uint16_t)value;
        break;
    case TCP_USER_TIMEOUT:
        if (value < 0)
            return -EINVAL;
        s->options.user_timeout_ms = (uint32_t)value;
        break;
    case TCP_SYNCNT:
        if (!in_range(value, 1, 127))
            return -EINVAL;
        s->options.syn_retries = (uint8_t)value;
        break;
    case TCP_LINGER2:
        s->options.fin_wait_2_ms = value < 0 ? 1 : value ? (uint32_t)value * 1000 : 60000;
        break;
    case TCP_QUICKACK:
        return quick_ack_set(s, value);
    case TCP_WINDOW_CLAMP:
        s->options.rx_bytes = buffer_size(value);
        break;
    case TCP_KEEPIDLE:
    case TCP_KEEPINTVL:
    case TCP_KEEPCNT:
        return keepalive_set(s, name, value);
    default:
        return -ENOPROTOOPT;
    }
    apply(s);
    return 0;
}

static int max_segment(const struct door_socket *s)
{
    struct sl_tcp_info info;

    if (s->conn == NULL)
        return s->options.mss_clamp ? s->options.mss_clamp : 536;
    sl_tcp_info(s->conn, &info);
    return info.snd_mss;
}

static int tcp_get(struct door_socket *s, int name, int *value)
{
    switch (name) {
    case TCP_NODELAY:
        *value = s->options.no_delay;
        return 0;
    case TCP_CORK:
        *value = s->cork;
        return 0;
    case TCP_NOTSENT_LOWAT:
        *value = (int)s->unsent_most;
        return 0;
    case TCP_INQ:
        *value = s->tell_unread;
        return 0;
    case TCP_MAXSEG:
        *value = max_segment(s);
        return 0;
    case TCP_USER_TIMEOUT:
        *value = (int)s->options.user_timeout_ms;
        return 0;
    case TCP_SYNCNT:
        *value = s->options.syn_retries;
        return 0;
    case TCP_LINGER2:
        *value = (int)(s->options.fin_wait_2_ms / 1000);
        return 0;
    case TCP_QUICKACK:
        *value = s->quick_ack;
        return 0;
    case TCP_WINDOW_CLAMP:
        *value = (int)s->options.rx_bytes;
        return 0;
    case TCP_KEEPIDLE:
        *value = (int)(s->keepalive_idle_ms / 1000);
        return 0;
    case TCP_KEEPINTVL:
        *value = (int)(s->options.keepalive_interval_ms / 1000);
        return 0;
    case TCP_KEEPCNT:
        *value = s->options.keepalive_probes;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

// ---- IP ---------------------------------------------------------------------------------------------------
static int ip_set(struct door_socket *s, int level, int name, int value)
{
    bool v6 = level == IPPROTO_IPV6;

    if (name == (v6 ? IPV6_TCLASS : IP_TOS))
        s->tos = value;
    else if (name == (v6 ? IPV6_UNICAST_HOPS : IP_TTL) && in_range(value, -1, 255) && value != 0)
        s->options.hop_limit = value < 0 ? 64 : (uint8_t)value;
    else if (v6 && name == IPV6_V6ONLY)
        s->only_v6 = value;
    else
        return -ENOPROTOOPT;
    apply(s);
    return 0;
}

static int ip_get(struct door_socket *s, int level, int name, int *value)
{
    bool v6 = level == IPPROTO_IPV6;
    struct sl_tcp_info info = {.mtu = s->options.mtu};

    if (s->conn)
        sl_tcp_info(s->conn, &info);
    if (name == (v6 ? IPV6_TCLASS : IP_TOS))
        *value = s->tos;
    else if (name == (v6 ? IPV6_UNICAST_HOPS : IP_TTL))
        *value = s->options.hop_limit;
    else if (name == (v6 ? IPV6_MTU : IP_MTU) && s->conn)
        *value = info.mtu;
    else if (v6 && name == IPV6_V6ONLY)
        *value = s->only_v6;
    else
        return -ENOPROTOOPT;
    return 0;
}

// ---- by level ---------------------------------------------------------------------------------------------
int door_option_set(struct door_socket *s, int level, int name, const void *value, socklen_t len)
{
    int number;

    if (value == NULL)
        return -EFAULT;
    if (level == SOL_SOCKET && name == SO_LINGER)
        return linger_set(s, value, len);
    if (level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO))
        return timeout_set(name == SO_RCVTIMEO ? &s->receive_timeout_us : &s->send_timeout_us, value, len);
    if (level == SOL_TCP && name == TCP_CONGESTION)
        return congestion_set(s, value, len);
    if (len < sizeof(number))
        return -EINVAL;
    memcpy(&number, value, sizeof(number));
    if (level == SOL_SOCKET)
        return socket_set(s, name, number);
    if (level == SOL_TCP)
        return tcp_set(s, name, number);
    return level == IPPROTO_IP || level == IPPROTO_IPV6 ? ip_set(s, level, name, number) : -ENOPROTOOPT;
}

static int bytes_get(const void *from, socklen_t size, void *value, socklen_t *len)
{
    if (*len > size)
        *len = size;
    memcpy(value, from, *len);
    return 0;
}

static int congestion_get(const struct door_socket *s, void *value, socklen_t *len)
{
    char name[16] = {0}; // TCP_CA_NAME_MAX

    strncpy(name, strcmp(s->options.congestion, "newreno") == 0 ? "reno" : s->options.congestion,
            sizeof(name) - 1);
    return bytes_get(name, sizeof(name), value, len);
}

static int struct_get(struct door_socket *s, int level, int name, void *value, socklen_t *len)
{
    struct linger linger = {s->linger, s->linger_s};
    uint64_t us = name == SO_RCVTIMEO ? s->receive_timeout_us : s->send_timeout_us;
    struct timeval tv = {(time_t)(us / DOOR_S), (suseconds_t)(us % DOOR_S)};

    if (level == SOL_SOCKET && name == SO_LINGER)
        return bytes_get(&linger, sizeof(linger), value, len);
    if (level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO))
        return bytes_get(&tv, sizeof(tv), value, len);
    if (level == SOL_TCP && name == TCP_CONGESTION)
        return congestion_get(s, value, len);
    if (level != SOL_TCP || name != TCP_INFO)
        return -ENOPROTOOPT;
    door_tcp_info(s, value, len);
    return 0;
}

int door_option_get(struct door_socket *s, int level, int name, void *value, socklen_t *len)
{
    int number = 0, code;

    if (value == NULL || len == NULL)
        return -EFAULT;
    code = struct_get(s, level, name, value, len);
    if (code != -ENOPROTOOPT)
        return code;
    if (level == SOL_SOCKET)
        code = socket_get(s, name, &number);
    else if (level == SOL_TCP)
        code = tcp_get(s, name, &number);
    else if (level == IPPROTO_IP || level == IPPROTO_IPV6)
        code = ip_get(s, level, name, &number);
    return code ? code : bytes_get(&number, sizeof(number), value, len);
}

// ---- fcntl, ioctl -----------------------------------------------------------------------------------------
int door_fcntl(struct door_socket *s, int command, long argument)
{
    switch (command) {
    case F_GETFL:
        return s->file_flags;
    case F_SETFL:
        s->file_flags = (s->file_flags & ~O_NONBLOCK) | (int)(argument & O_NONBLOCK);
        return 0;
    case F_GETFD:
    case F_SETFD:
        return 0;
    default:
        return -EINVAL;
    }
}

int door_ioctl(struct door_socket *s, unsigned long request, int *value)
{
    struct sl_tcp_info info = {0};

    if (value == NULL)
        return -EFAULT;
    if (request == FIONBIO)
        return door_fcntl(s, F_SETFL, *value ? O_NONBLOCK : 0);
    if (s->kind == DOOR_LISTENING)
        return -EINVAL;
    if (s->conn)
        sl_tcp_info(s->conn, &info);
    if (request == SIOCINQ) // FIONREAD is the same number
        *value = (int)info.rcv_unread;
    else if (request == SIOCOUTQ) // sent or not, not acknowledged
        *value = (int)(info.snd_nxt - info.snd_una + info.snd_queued);
    else if (request == SIOCOUTQNSD)
        *value = (int)info.snd_queued;
    else
        return -ENOTTY;
    return 0;
}
