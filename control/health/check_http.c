// SPDX-License-Identifier: Apache-2.0
// A member is well where it answers an HTTP request as wished, over TCP or TLS. One request on a fresh connection, which
// is what a client would see; https resumes its last session while the member is well (tls.h). The response is read by
// http_response.c.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include "health/engine.h"
#include "health/http_response.h"
#include "health/tls.h"

#define READ_BYTES 4096
#define READS_MOST 16 // a turn: a member that sends without end must not keep the loop

enum step { STEP_CONNECT, STEP_TLS, STEP_SEND, STEP_RECEIVE };

struct http_check {
    char *request; // made once
    size_t request_bytes, sent;
    struct http_text text;
    enum step step;
    uint32_t events;
    struct tls_memory memory;       // https: of this wish's connections so far
    struct tls_session *session;    // https, while a check is under way
    struct http_response *response; // while a check is under way
};

static bool plain(const char *text) // nothing that would end a line or a request line early
{
    for (; text && *text; text++)
        if ((unsigned char)*text <= ' ' || *text == 0x7f)
            return false;
    return true;
}

static int accept_wish(const struct health_wish *wish, struct sl_error *error)
{
    const struct health_http_wish *http = &wish->http;

    if (!wish->port)
        return sl_error_set(error, -EINVAL, "an http check needs a port");
    if (!plain(http->method) || !plain(http->path) || !plain(http->host) || !plain(http->header) ||
        !plain(http->sni))
        return sl_error_set(error, -EINVAL,
                            "blanks or control characters in method, path, host, header or sni");
    if (http->path && http->path[0] != '/' && strcmp(http->path, "*") != 0)
        return sl_error_set(error, -EINVAL, "path %s: begins with /", http->path);
    if (http->body && strlen(http->body) > HTTP_TEXT_MOST)
        return sl_error_set(error, -EINVAL, "text wanted in the body: at most %u bytes", HTTP_TEXT_MOST);
    for (unsigned i = 0; i < HEALTH_MOST_STATUS && http->status[i].first; i++)
        if (http->status[i].first < 100 || http->status[i].last > 599 ||
            http->status[i].last < http->status[i].first)
            return sl_error_set(error, -EINVAL, "status %u-%u: within 100-599", http->status[i].first,
                                http->status[i].last);
    return 0;
}

// "192.0.2.1:8080", "[2001:db8::1]": the port where it is not the scheme's own (RFC 9110, 7.2).
static void host_of_address(const struct health_wish *wish, char out[72])
{
    char address[SL_IP_TEXT];
    bool v4 = sl_ip_is_v4(&wish->address);
    uint16_t usual = wish->kind == HEALTH_HTTPS ? 443 : 80;

    sl_ip_format(&wish->address, address);
    int at = snprintf(out, 72, "%s%s%s", v4 ? "" : "[", address, v4 ? "" : "]");
    if (wish->port != usual)
        snprintf(out + at, 72 - (size_t)at, ":%u", wish->port);
}

static int prepare(struct health *health, struct target *target, struct sl_error *error)
{
    struct http_check *check = target->room;
    const struct health_wish *wish = &target->wish;
    const struct health_http_wish *http = &wish->http;
    char host[72];

    host_of_address(wish, host);
    int len = asprintf(&check->request,
                       "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: sluice-health\r\nAccept: */*\r\n"
                       "Connection: close\r\n\r\n",
                       http->method ? http->method : "GET", http->path ? http->path : "/",
                       http->host ? http->host : host);
    if (len < 0) {
        check->request = NULL;
        return sl_error_set(error, -ENOMEM, "out of memory");
    }
    check->request_bytes = (size_t)len;
    http_text_init(&check->text, http->body);
    return wish->kind == HEALTH_HTTPS ? tls_prepare(health, http, error) : 0;
}

static void forget(struct health *health, struct target *target)
{
    struct http_check *check = target->room;

    if (!check)
        return;
    free(check->request);
    tls_forget(&check->memory);
}

static void start(struct health *health, struct target *target)
{
    struct http_check *check = target->room;
    const char *what = "memory";
    int error = ENOMEM;

    check->step = STEP_CONNECT;
    check->sent = 0;
    check->events = EPOLLOUT;
    check->response = malloc(sizeof(*check->response));
    if (check->response) {
        http_response_init(check->response, &target->wish.http, &check->text);
        error = socket_connect(target, SOCK_STREAM, &what);
    }
    if (error == 0) {
        what = "epoll";
        error = target_watch(health, target, check->events);
    }
    if (error)
        check_failed(health, target, what, error);
}

// ---- what a step came to ----------------------------------------------------------------------------------------

static void want(struct health *health, struct target *target, uint32_t events)
{
    struct http_check *check = target->room;

    if (check->events == events)
        return;
    check->events = events;
    int error = socket_rewatch(health, &target->watch, target->fd, events);
    if (error)
        check_failed(health, target, "epoll", error);
}

// The response's own words live no longer than the check: copied, also where they are good.
static void verdict(struct health *health, struct target *target, enum http_result result)
{
    struct http_check *check = target->room;

    if (result == HTTP_BAD) {
        check_bad(health, target, "%s", check->response->why);
        return;
    }
    memcpy(target->said_text, check->response->why, sizeof(target->said_text));
    check_good(health, target, target->said_text);
}

static const char *step_name(enum step step)
{
    static const char *const name[] = {"connect", "TLS handshake", "request", "response"};

    return name[step];
}

// Negative results of the transport: waiting, or the end of this check.
static void transport_stop(struct health *health, struct target *target, ssize_t result)
{
    struct http_check *check = target->room;

    if (result == TLS_WANT_READ)
        want(health, target, EPOLLIN);
    else if (result == TLS_WANT_WRITE)
        want(health, target, EPOLLOUT);
    else if (check->session && tls_why(check->session)[0])
        check_bad(health, target, "%s: %s", step_name(check->step), tls_why(check->session));
    else
        check_failed(health, target, step_name(check->step), (int)-result);
}

static ssize_t transport_write(struct target *target, const char *bytes, size_t len)
{
    struct http_check *check = target->room;

    if (check->session)
        return tls_write(check->session, bytes, len);
    ssize_t n = send(target->fd, bytes, len, MSG_NOSIGNAL);
    return n >= 0 ? n : errno == EAGAIN ? TLS_WANT_WRITE : -errno;
}

static ssize_t transport_read(struct target *target, char *bytes, size_t len)
{
    struct http_check *check = target->room;

    if (check->session)
        return tls_read(check->session, bytes, len);
    ssize_t n = recv(target->fd, bytes, len, 0);
    return n >= 0 ? n : errno == EAGAIN ? TLS_WANT_READ : -errno;
}

// ---- steps: each true where the next may follow at once ------------------------------------------------------------

static bool step_connect(struct health *health, struct target *target, uint32_t events)
{
    struct http_check *check = target->room;
    int error = events & (EPOLLERR | EPOLLHUP) ? socket_error(target->fd) : 0;

    if (error) {
        check_failed(health, target, "connect", error);
        return false;
    }
    check->step = STEP_SEND;
    if (target->wish.kind == HEALTH_HTTP)
        return true;
    check->step = STEP_TLS;
    if (target->last_verdict != HEALTH_GOOD) // what was wrong is to be seen whole
        tls_forget(&check->memory);
    check->session = tls_start(health, target->fd, &target->wish, &check->memory, health->now_ns / 1000000);
    if (check->session)
        return true;
    check_failed(health, target, "TLS", ENOMEM);
    return false;
}

static bool step_tls(struct health *health, struct target *target)
{
    struct http_check *check = target->room;
    int result = tls_handshake(check->session);

    if (result < 0) {
        transport_stop(health, target, result);
        return false;
    }
    check->step = STEP_SEND;
    return true;
}

static bool step_send(struct health *health, struct target *target)
{
    struct http_check *check = target->room;

    while (check->sent < check->request_bytes) {
        ssize_t n = transport_write(target, check->request + check->sent, check->request_bytes - check->sent);
        // A server may answer and close before it has read all: its answer counts.
        if (n == -EPIPE || n == -ECONNRESET)
            break;
        if (n < 0) {
            transport_stop(health, target, n);
            return false;
        }
        check->sent += (size_t)n;
    }
    check->step = STEP_RECEIVE;
    return true;
}

static void step_receive(struct health *health, struct target *target)
{
    struct http_check *check = target->room;
    char bytes[READ_BYTES];

    for (unsigned i = 0; i < READS_MOST; i++) {
        ssize_t n = transport_read(target, bytes, sizeof(bytes));
        if (n < 0) {
            transport_stop(health, target, n);
            return;
        }
        enum http_result result = n == 0 ? http_response_end(check->response)
                                         : http_response_feed(check->response, bytes, (size_t)n);
        if (result != HTTP_MORE) {
            verdict(health, target, result);
            return;
        }
    }
    want(health, target,
         EPOLLIN | EPOLLOUT); // TLS may hold bytes the socket no longer tells of: writable comes at once
}

static void ready(struct health *health, struct target *target, uint32_t events)
{
    struct http_check *check = target->room;

    if (check->step == STEP_CONNECT && !step_connect(health, target, events))
        return;
    if (check->step == STEP_TLS && !step_tls(health, target))
        return;
    if (check->step == STEP_SEND && !step_send(health, target))
        return;
    step_receive(health, target);
}

static void late(struct health *health, struct target *target)
{
    const struct http_check *check = target->room;
    unsigned ms = (unsigned)(target->pace.timeout_ns / 1000000);

    if (check->step == STEP_RECEIVE && (check->response->head_bytes || check->response->status))
        check_bad(health, target, "response: not complete within %u ms", ms);
    else
        check_bad(health, target, "%s: no answer within %u ms", step_name(check->step), ms);
}

static void stop(struct health *health, struct target *target)
{
    struct http_check *check = target->room;

    tls_stop(check->session);
    check->session = NULL;
    free(check->response);
    check->response = NULL;
    socket_close(target);
}

#define HTTP_KIND(its_name)                                                                                  \
    {                                                                                                        \
        .name = its_name, .lane = LANE_CHECK, .room_bytes = sizeof(struct http_check),                       \
        .accept = accept_wish, .prepare = prepare, .forget = forget, .start = start, .ready = ready,         \
        .late = late, .stop = stop                                                                           \
    }

const struct check_kind check_http = HTTP_KIND("http");
const struct check_kind check_https = HTTP_KIND("https");
