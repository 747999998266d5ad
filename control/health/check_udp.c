// SPDX-License-Identifier: Apache-2.0
// A member is well where it answers a datagram, or where it keeps silent and that is wished to be good (syslog, RADIUS
// accounting): a port nobody listens on is told by ICMP, which the kernel reports on a connected socket.
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include "health/engine.h"

#define ANSWER_MOST 2048

static int accept_wish(const struct health_wish *wish, struct sl_error *error)
{
    if (!wish->port)
        return sl_error_set(error, -EINVAL, "a udp check needs a port");
    if (wish->udp.send_bytes > 1400 || wish->udp.expect_bytes > 1400)
        return sl_error_set(error, -EINVAL, "a udp check sends and expects at most 1400 bytes");
    return 0;
}

static void start(struct health *health, struct target *target)
{
    const struct health_udp_wish *wish = &target->wish.udp;
    const char *what;
    int error = socket_connect(target, SOCK_DGRAM, &what);

    if (error == 0) {
        what = "epoll";
        error = target_watch(health, target, EPOLLIN);
    }
    if (error == 0) {
        what = "send";
        error =
            send(target->fd, wish->send ? wish->send : "", wish->send_bytes, MSG_NOSIGNAL) < 0 ? errno : 0;
    }
    if (error)
        check_failed(health, target, what, error);
}

static void ready(struct health *health, struct target *target, uint32_t events)
{
    const struct health_udp_wish *wish = &target->wish.udp;
    uint8_t answer[ANSWER_MOST];
    ssize_t len = recv(target->fd, answer, sizeof(answer), 0);

    if (len < 0 && (errno == EAGAIN || errno == EINTR)) // a wrong checksum: there was nothing after all
        return;
    if (len < 0)
        check_failed(health, target, "udp", errno);
    else if ((size_t)len < wish->expect_bytes ||
             (wish->expect_bytes && memcmp(answer, wish->expect, wish->expect_bytes) != 0))
        check_bad(health, target, "udp: an answer of %zd bytes, not the expected one", len);
    else
        check_good(health, target, "udp: answered");
}

static void late(struct health *health, struct target *target)
{
    if (target->wish.udp.silence_is_good)
        check_good(health, target, "udp: no answer and no refusal");
    else
        check_bad(health, target, "udp: no answer within %u ms",
                  (unsigned)(target->pace.timeout_ns / 1000000));
}

static void stop(struct health *health, struct target *target)
{
    socket_close(target);
}

const struct check_kind check_udp = {
    .name = "udp",
    .lane = LANE_CHECK,
    .accept = accept_wish,
    .start = start,
    .ready = ready,
    .late = late,
    .stop = stop,
};
