// SPDX-License-Identifier: Apache-2.0
// A member is well where a TCP connection comes about. The kind of which there are thousands: half a dozen
// system calls each, no memory.
#include <errno.h>
#include <sys/epoll.h>
#include "health/engine.h"

static int accept_wish(const struct health_wish *wish, struct sl_error *error)
{
    return wish->port ? 0 : sl_error_set(error, -EINVAL, "a tcp check needs a port");
}

static void start(struct health *health, struct target *target)
{
    const char *what;
    int error = socket_connect(target, SOCK_STREAM, &what);

    if (error == 0) {
        what = "epoll";
        error = target_watch(health, target, EPOLLOUT);
    }
    if (error)
        check_failed(health, target, what, error);
}

static void ready(struct health *health, struct target *target, uint32_t events)
{
    int error = events & (EPOLLERR | EPOLLHUP) ? socket_error(target->fd) : 0;

    if (error)
        check_failed(health, target, "connect", error);
    else
        check_good(health, target, "connect: ok");
}

static void late(struct health *health, struct target *target)
{
    check_bad(health, target, "connect: no answer within %u ms",
              (unsigned)(target->pace.timeout_ns / 1000000));
}

static void stop(struct health *health, struct target *target)
{
    socket_close(target);
}

const struct check_kind check_tcp = {
    .name = "tcp",
    .lane = LANE_CHECK,
    .accept = accept_wish,
    .start = start,
    .ready = ready,
    .late = late,
    .stop = stop,
};
