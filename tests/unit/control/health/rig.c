// SPDX-License-Identifier: Apache-2.0
// See rig.h.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "rig.h"

uint64_t rig_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static unsigned descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;

    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static void on_changed(void *context, uint64_t id, const struct health_status *status)
{
    struct rig *rig = context;
    unsigned at = rig->seen++ % RIG_SEEN;

    rig->change[at].id = id;
    rig->change[at].status = *status;
    rig->change[at].at_ns = rig_now_ns();
    if (rig->on_change)
        rig->on_change(rig, id, status);
}

void rig_new_engine(struct rig *rig, const struct health_limits *limits)
{
    const struct health_hooks hooks = {rig, on_changed};

    health_free(rig->health);
    rig->health = health_new(rig->base, &hooks, limits);
    assert_non_null(rig->health);
}

void rig_start(struct rig *rig, const struct health_limits *limits)
{
    signal(SIGPIPE, SIG_IGN);
    memset(rig, 0, sizeof(*rig));
    rig->descriptors = descriptors();
    rig->base = event_base_new();
    assert_non_null(rig->base);
    rig_new_engine(rig, limits);
}

void rig_stop(struct rig *rig)
{
    health_free(rig->health);
    event_base_free(rig->base);
    for (unsigned i = 0; i < 500 && descriptors() != rig->descriptors; i++)
        usleep(10000); // the servers' threads close their ends in their own time
    assert_int_equal(descriptors(), rig->descriptors);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void stop_loop(evutil_socket_t fd, short what, void *context)
{
    event_base_loopbreak(context);
}

void rig_run_ms(struct rig *rig, unsigned ms)
{
    struct timeval after = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};

    event_base_once(rig->base, -1, EV_TIMEOUT, stop_loop, rig->base, &after);
    event_base_dispatch(rig->base);
}

void rig_set(struct rig *rig, uint64_t id, const struct health_wish *wish)
{
    struct sl_error error = {""};

    if (health_set(rig->health, id, wish, &error))
        fail_msg("health_set: %s", error.text);
}

struct health_report rig_report(struct rig *rig, uint64_t id)
{
    struct health_report report;

    assert_int_equal(health_look(rig->health, id, &report), 0);
    return report;
}

enum health_state rig_state(struct rig *rig, uint64_t id)
{
    return rig_report(rig, id).status.state;
}

void rig_until_state(struct rig *rig, uint64_t id, enum health_state state)
{
    for (unsigned i = 0; i < 2000; i++) {
        if (rig_state(rig, id) == state)
            return;
        rig_run_ms(rig, 5);
    }
    struct health_report report = rig_report(rig, id);
    fail_msg("not %s, but %s: %s", health_state_name(state), health_state_name(report.status.state),
             report.last);
}

void rig_until_checks(struct rig *rig, uint64_t id, uint64_t verdicts)
{
    for (unsigned i = 0; i < 2000; i++) {
        struct health_report report = rig_report(rig, id);
        if (report.good + report.bad + report.not_checked >= verdicts)
            return;
        rig_run_ms(rig, 5);
    }
    fail_msg("not checked %llu times", (unsigned long long)verdicts);
}

// ---- servers ----------------------------------------------------------------------------------------------------

static socklen_t address_of(const struct sl_ip *ip, uint16_t port, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

    memset(out, 0, sizeof(*out));
    if (sl_ip_is_v4(ip)) {
        *v4 =
            (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = ip->w[3]};
        return sizeof(*v4);
    }
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    memcpy(&v6->sin6_addr, ip->b, 16);
    return sizeof(*v6);
}

static int bound(const struct sl_ip *ip, int type, uint16_t *port)
{
    struct sockaddr_storage address;
    socklen_t len = address_of(ip, 0, &address);
    int fd = socket(address.ss_family, type | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *port = ntohs(((struct sockaddr_in *)&address)->sin_port); // at the same place in both families
    return fd;
}

uint16_t closed_port(int type)
{
    struct sl_ip ip = sl_ip_v4(htonl(INADDR_LOOPBACK));
    uint16_t port;

    close(bound(&ip, type, &port));
    return port;
}

static void *serve_tcp(void *context)
{
    struct server *server = context;
    struct sockaddr_in peer;

    while (!server->ending) {
        socklen_t len = sizeof(peer);
        int client = accept4(server->fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC);
        if (client < 0)
            continue;
        server->peer = sl_ip_v4(peer.sin_addr.s_addr);
        server->served++;
        if (server->behave)
            server->behave(server, client);
        close(client);
    }
    return NULL;
}

static void *serve_udp(void *context)
{
    struct server *server = context;

    server->behave(server, server->fd);
    return NULL;
}

void server_start(struct server *server, const char *address, int type, server_fn behave, const void *with)
{
    struct timeval patience = {.tv_usec = 50000};

    memset(server, 0, sizeof(*server));
    assert_int_equal(sl_ip_parse(address, &server->address), 0);
    server->fd = bound(&server->address, type, &server->port);
    server->behave = behave;
    server->with = with;
    if (type == SOCK_STREAM)
        assert_int_equal(listen(server->fd, 64), 0);
    setsockopt(server->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)); // to look at `ending`
    assert_int_equal(
        pthread_create(&server->thread, NULL, type == SOCK_STREAM ? serve_tcp : serve_udp, server), 0);
}

void server_stop(struct server *server)
{
    server->ending = true;
    pthread_join(server->thread, NULL);
    close(server->fd);
}

struct health_wish server_wish(const struct server *server, enum health_kind kind)
{
    return (struct health_wish){.address = server->address,
                                .port = server->port,
                                .kind = kind,
                                .interval_ms = 200,
                                .timeout_ms = 200,
                                .rise = 1,
                                .fall = 1};
}
