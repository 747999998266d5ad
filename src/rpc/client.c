// SPDX-License-Identifier: Apache-2.0
// The blocking client of the control socket. Called by sluicectl, tests and scripts, on any thread; a
// descriptor belongs to one thread at a time.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "rpc/rpc.h"

int sl_rpc_connect(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(to.sun_path))
        return -ENAMETOOLONG;
    memcpy(to.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) < 0) {
        int rc = -errno;
        close(fd);
        return rc;
    }
    return fd;
}

static int64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// 0 once `events` are there, -ETIMEDOUT past `deadline_ms` (<0: none).
static int await(int fd, short events, int64_t deadline_ms)
{
    for (;;) {
        int wait_ms = -1;
        if (deadline_ms >= 0) {
            int64_t left = deadline_ms - clock_ms();
            wait_ms = left > 0 ? (int)left : 0;
        }
        struct pollfd p = {.fd = fd, .events = events};
        int rc = poll(&p, 1, wait_ms);
        if (rc > 0)
            return 0;
        if (rc == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

static int send_all(int fd, const char *frame, size_t len, int64_t deadline_ms)
{
    while (len > 0) {
        ssize_t n = send(fd, frame, len, MSG_NOSIGNAL);
        if (n >= 0) {
            frame += n;
            len -= (size_t)n;
            continue;
        }
        if (errno == EAGAIN) {
            int rc = await(fd, POLLOUT, deadline_ms);
            if (rc)
                return rc;
        } else if (errno != EINTR) {
            return errno == EPIPE ? -ECONNRESET : -errno;
        }
    }
    return 0;
}

static int receive_one(int fd, struct sl_rpc_reader *reader, int64_t deadline_ms)
{
    static const size_t room = 65536;
    char *buffer = malloc(room);
    int rc = buffer ? 0 : -ENOMEM;

    while (rc == 0) {
        ssize_t n = recv(fd, buffer, room, 0);
        size_t taken;
        if (n > 0)
            rc = sl_rpc_reader_feed(reader, buffer, (size_t)n, &taken);
        else if (n == 0)
            rc = -ECONNRESET;
        else if (errno == EAGAIN)
            rc = await(fd, POLLIN, deadline_ms);
        else if (errno != EINTR)
            rc = -errno;
        if (n > 0 && rc == 1 && taken != (size_t)n)
            rc = -EBADMSG; // bytes nobody asked for behind the one response we wait for
    }
    free(buffer);
    return rc;
}

int sl_rpc_call(int fd, const json_t *request, int timeout_ms, json_t **response)
{
    int64_t deadline_ms = timeout_ms < 0 ? -1 : clock_ms() + timeout_ms;
    struct sl_rpc_reader reader;
    char *frame;
    size_t len;

    *response = NULL;
    int rc = sl_rpc_encode(request, &frame, &len);
    if (rc)
        return rc;
    rc = send_all(fd, frame, len, deadline_ms);
    free(frame);
    if (rc)
        return rc;
    sl_rpc_reader_init(&reader);
    rc = receive_one(fd, &reader, deadline_ms);
    if (rc == 1)
        rc = sl_rpc_reader_take(&reader, response, NULL);
    sl_rpc_reader_fini(&reader);
    return rc;
}
