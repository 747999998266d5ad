// SPDX-License-Identifier: Apache-2.0
// A member is well where it answers an echo (RFC 792, RFC 4443 section 4). All targets of a family share one socket: an
// unprivileged ping socket where the kernel allows us one, else a raw one. An answer names its target in the payload
// and proves with a nonce, new for each check, that it is not one of an earlier check or somebody's invention.
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h> // before the kernel's headers, which then leave out what it defines
#include <linux/icmp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>
#include "base/cursor.h"
#include "health/engine.h"
#include "wire/checksum.h"

#define MAGIC       0x736c756963656864ull // "sluicehd"
#define ANSWER_MOST 512
#define BUFFER      (1 << 20) // a second's answers of thousands

struct echo { // as on the wire, and the same for both families
    uint8_t type, code;
    uint16_t checksum, id, sequence;
    uint64_t magic, target, nonce;
} __attribute__((packed));

struct icmp_socket {
    struct watch watch;
    int family, fd;
    bool raw; // answers come with their IPv4 header
};

struct icmp {
    struct icmp_socket v4, v6;
    uint64_t nonce[2]; // splitmix over a random start: unpredictable enough for who cannot see our packets
    uint16_t sequence;
};

struct icmp_check {
    uint64_t nonce;
};

static int accept_wish(const struct health_wish *wish, struct sl_error *error)
{
    return 0;
}

// ---- answers ----------------------------------------------------------------------------------------------------

static bool echo_of(const struct icmp_socket *from, const uint8_t *bytes, size_t len, struct echo *echo)
{
    struct sl_cursor cursor = sl_cursor_over(bytes, len);

    if (from->raw && from->family == AF_INET && len > 0)
        sl_cursor_skip(&cursor, (size_t)(bytes[0] & 15) * 4);
    uint8_t type = from->family == AF_INET ? ICMP_ECHOREPLY : ICMP6_ECHO_REPLY;
    return sl_cursor_copy(&cursor, echo, sizeof(*echo)) && echo->type == type && echo->magic == MAGIC;
}

static bool came_from(const struct sockaddr_storage *from, const struct sl_ip *ip)
{
    if (from->ss_family == AF_INET)
        return sl_ip_is_v4(ip) && ((const struct sockaddr_in *)from)->sin_addr.s_addr == ip->w[3];
    return memcmp(&((const struct sockaddr_in6 *)from)->sin6_addr, ip->b, 16) == 0;
}

static void answer(struct health *health, const struct echo *echo, const struct sockaddr_storage *from)
{
    struct target *target = target_find(health, echo->target);

    if (!target || !target->running || target->kind != &check_icmp)
        return;
    if (((struct icmp_check *)target->room)->nonce == echo->nonce && came_from(from, &target->wish.address))
        check_good(health, target, "icmp: answered");
}

static void on_answers(struct health *health, struct watch *watch, uint32_t events)
{
    struct icmp_socket *self = (struct icmp_socket *)watch;
    struct sockaddr_storage from = {0};
    uint8_t bytes[ANSWER_MOST];
    struct echo echo;

    for (unsigned i = 0; i < READY_BURST; i++) {
        socklen_t from_len = sizeof(from);
        ssize_t len = recvfrom(self->fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &from_len);
        if (len < 0)
            return;
        if (echo_of(self, bytes, (size_t)len, &echo))
            answer(health, &echo, &from);
    }
}

// ---- the shared sockets -----------------------------------------------------------------------------------------

// Only answers: a raw socket would be handed all ICMP of this host.
static void filter_set(const struct icmp_socket *self)
{
    struct icmp_filter v4 = {.data = ~(1u << ICMP_ECHOREPLY)};
    struct icmp6_filter v6;

    ICMP6_FILTER_SETBLOCKALL(&v6);
    ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &v6);
    if (self->family == AF_INET)
        setsockopt(self->fd, SOL_RAW, ICMP_FILTER, &v4, sizeof(v4));
    else
        setsockopt(self->fd, IPPROTO_ICMPV6, ICMP6_FILTER, &v6, sizeof(v6));
}

static int open_one(struct health *health, struct icmp_socket *self, int family)
{
    int protocol = family == AF_INET ? IPPROTO_ICMP : (int)IPPROTO_ICMPV6;
    const int flags = SOCK_NONBLOCK | SOCK_CLOEXEC, buffer = BUFFER;

    self->family = family;
    self->watch.ready = on_answers;
    self->fd = socket(family, SOCK_DGRAM | flags, protocol);
    self->raw = self->fd < 0;
    if (self->raw)
        self->fd = socket(family, SOCK_RAW | flags, protocol);
    if (self->fd < 0)
        return errno;
    if (self->raw)
        filter_set(self);
    setsockopt(self->fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
    int error = socket_watch(health, &self->watch, self->fd, EPOLLIN);
    if (error) {
        close(self->fd);
        self->fd = -1;
    }
    return error;
}

static struct icmp *icmp_get(struct health *health)
{
    struct icmp *icmp = health->icmp ? health->icmp : calloc(1, sizeof(*icmp));

    if (!icmp || health->icmp)
        return icmp;
    icmp->v4.fd = icmp->v6.fd = -1;
    if (getrandom(icmp->nonce, sizeof(icmp->nonce), 0) != sizeof(icmp->nonce))
        icmp->nonce[0] = health->random;
    return health->icmp = icmp;
}

void icmp_fini(struct health *health)
{
    if (!health->icmp)
        return;
    if (health->icmp->v4.fd >= 0)
        close(health->icmp->v4.fd);
    if (health->icmp->v6.fd >= 0)
        close(health->icmp->v6.fd);
    free(health->icmp);
    health->icmp = NULL;
}

// ---- questions --------------------------------------------------------------------------------------------------

// Source and device travel with each packet, as the socket is everybody's.
union control {
    char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
    struct cmsghdr align;
};

static int control_set(const struct health_wish *wish, struct msghdr *message, union control *control)
{
    unsigned device = wish->device ? if_nametoindex(wish->device) : 0;
    bool v4 = sl_ip_is_v4(&wish->address);

    if (wish->device && !device)
        return ENODEV;
    if (!device && sl_ip_is_zero(&wish->source))
        return 0;
    struct in_pktinfo info4 = {.ipi_ifindex = (int)device, .ipi_spec_dst.s_addr = wish->source.w[3]};
    struct in6_pktinfo info6 = {.ipi6_ifindex = device};
    memcpy(&info6.ipi6_addr, wish->source.b, 16);
    size_t len = v4 ? sizeof(info4) : sizeof(info6);
    message->msg_control = control->bytes;
    message->msg_controllen = CMSG_SPACE(len);
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    *header = (struct cmsghdr){.cmsg_len = CMSG_LEN(len),
                               .cmsg_level = v4 ? IPPROTO_IP : (int)IPPROTO_IPV6,
                               .cmsg_type = v4 ? IP_PKTINFO : IPV6_PKTINFO};
    memcpy(CMSG_DATA(header), v4 ? (void *)&info4 : (void *)&info6, len);
    return 0;
}

static int ask(const struct icmp_socket *self, const struct health_wish *wish, struct echo *echo)
{
    struct sockaddr_storage address;
    union control control = {0};
    struct iovec part = {echo, sizeof(*echo)};
    struct msghdr message = {.msg_name = &address, .msg_iov = &part, .msg_iovlen = 1};

    message.msg_namelen = socket_address(&wish->address, 0, &address);
    echo->type = self->family == AF_INET ? ICMP_ECHO : ICMP6_ECHO_REQUEST;
    if (self->family == AF_INET) // the kernel fills in ICMPv6's, and a ping socket's
        echo->checksum = sl_csum_finish(sl_csum_add(0, echo, sizeof(*echo)));
    int error = control_set(wish, &message, &control);
    if (error)
        return error;
    return sendmsg(self->fd, &message, MSG_NOSIGNAL) < 0 ? errno : 0;
}

static void start(struct health *health, struct target *target)
{
    struct icmp_check *check = target->room;
    struct icmp *icmp = icmp_get(health);
    bool v4 = sl_ip_is_v4(&target->wish.address);

    if (!icmp) {
        check_failed(health, target, "memory", ENOMEM);
        return;
    }
    struct icmp_socket *self = v4 ? &icmp->v4 : &icmp->v6;
    int error = self->fd < 0 ? open_one(health, self, v4 ? AF_INET : AF_INET6) : 0;
    if (error) {
        check_failed(health, target, "no ICMP socket (CAP_NET_RAW, or ping_group_range)", error);
        return;
    }
    check->nonce = target_hash(icmp->nonce[0]++) ^ icmp->nonce[1];
    struct echo echo = {.id = htons((uint16_t)icmp->nonce[1]),
                        .sequence = htons(++icmp->sequence),
                        .magic = MAGIC,
                        .target = target->id,
                        .nonce = check->nonce};
    error = ask(self, &target->wish, &echo);
    if (error)
        check_failed(health, target, "icmp", error);
}

static void late(struct health *health, struct target *target)
{
    check_bad(health, target, "icmp: no answer within %u ms", (unsigned)(target->pace.timeout_ns / 1000000));
}

static void stop(struct health *health, struct target *target)
{
    ((struct icmp_check *)target->room)->nonce = 0;
}

const struct check_kind check_icmp = {
    .name = "icmp",
    .lane = LANE_CHECK,
    .room_bytes = sizeof(struct icmp_check),
    .accept = accept_wish,
    .start = start,
    .late = late,
    .stop = stop,
};
