// SPDX-License-Identifier: Apache-2.0
// See server.h.
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <grp.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "apply/work.h"
#include "rpc/rpc.h"
#include "log.h"
#include "serve/server.h"

#define MOST_CONNECTIONS 256
#define WRITE_TIMEOUT_S  30 // a client that does not take its answer
#define MOST_GROUPS      64
#define LARGE_BYTES      (256u << 10) // of a request: a millisecond or two of parsing
#define PARSED_LOOK_US   1000

struct parsing { // a large request, on a thread: the loop goes on
    struct apply_work work;
    struct event *look;
    struct sl_rpc_reader reader;
    json_t *message;
    json_error_t why;
    int rc;
};

struct connection {
    struct server *server;
    struct connection *next, **link;
    struct bufferevent *stream;
    struct sl_rpc_reader reader;
    struct call *call;       // being answered; no more is read meanwhile
    struct parsing *parsing; // likewise; NULL: nothing
    struct ucred peer;
    bool may_change;
    bool ended; // the client will send no more
};

struct call {
    struct connection *connection; // NULL: the client has gone
    json_t *request;
    bool may_change;
    uint32_t uid;
    char user[33];
};

struct server {
    struct evconnlistener *listener;
    struct event_base *base;
    server_request_fn request;
    void *context;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    uid_t owner;
    gid_t group;
    struct connection *connections;
    unsigned count;
};

static void parsing_free(struct parsing *parsing)
{
    if (!parsing)
        return;
    work_end(&parsing->work); // waits, where the client broke off or sluiced ends
    if (parsing->look)
        event_free(parsing->look);
    sl_rpc_reader_fini(&parsing->reader);
    json_decref(parsing->message);
    free(parsing);
}

static void connection_free(struct connection *connection)
{
    parsing_free(connection->parsing);
    if (connection->call)
        connection->call->connection = NULL;
    *connection->link = connection->next;
    if (connection->next)
        connection->next->link = connection->link;
    connection->server->count--;
    sl_rpc_reader_fini(&connection->reader);
    bufferevent_free(connection->stream);
    free(connection);
}

// ---- answers ----------------------------------------------------------------------------------------------------

static void release_frame(const void *data, size_t len, void *extra)
{
    free((void *)data);
}

static void connection_send(struct connection *connection, json_t *response)
{
    char *frame = NULL;
    size_t len = 0;
    int rc = response ? sl_rpc_encode(response, &frame, &len) : -ENOMEM;

    if (rc == -EMSGSIZE) {
        json_t *error =
            sl_rpc_error("internal", NULL, "the answer is longer than %u MB: ask for less with 'limit'",
                         SL_RPC_MAX_BYTES >> 20);
        rc = error ? sl_rpc_encode(error, &frame, &len) : -ENOMEM;
        json_decref(error);
    }
    json_decref(response);
    if (rc ||
        evbuffer_add_reference(bufferevent_get_output(connection->stream), frame, len, release_frame, NULL)) {
        free(rc ? NULL : frame);
        connection_free(connection);
        return;
    }
    // The next request is read once this answer has been taken: see connection_written().
}

static void call_finish(struct call *call, json_t *response)
{
    struct connection *connection = call->connection;

    json_decref(call->request);
    free(call);
    if (!connection) {
        json_decref(response);
        return;
    }
    connection->call = NULL;
    connection_send(connection, response);
}

void call_reply(struct call *call, json_t *result)
{
    call_finish(call, result ? sl_rpc_result(result)
                             : sl_rpc_error("internal", NULL, "out of memory, or a name is not valid UTF-8"));
}

void call_error(struct call *call, const char *code, json_t *details, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    call_finish(call, sl_rpc_error(code, details, "%s", text));
}

const json_t *call_request(const struct call *call)
{
    return call->request;
}

bool call_may_change(const struct call *call)
{
    return call->may_change;
}

uint32_t call_uid(const struct call *call)
{
    return call->uid;
}

const char *call_user(const struct call *call)
{
    return call->user;
}

// ---- requests ---------------------------------------------------------------------------------------------------

static void name_user(struct call *call)
{
    char buffer[1024];
    struct passwd entry, *found = NULL;

    if (getpwuid_r(call->uid, &entry, buffer, sizeof(buffer), &found) == 0 && found)
        snprintf(call->user, sizeof(call->user), "%s", found->pw_name);
    else
        snprintf(call->user, sizeof(call->user), "%u", call->uid);
}

static void connection_request(struct connection *connection, json_t *message)
{
    struct call *call = calloc(1, sizeof(*call));

    if (!call) {
        json_decref(message);
        connection_free(connection);
        return;
    }
    call->connection = connection;
    call->request = message;
    call->may_change = connection->may_change;
    call->uid = connection->peer.uid;
    name_user(call);
    connection->call = call;
    connection->server->request(connection->server->context, call);
}

// Reads up to the end of one message. False: the connection is gone or wants more bytes.
static bool connection_take(struct connection *connection)
{
    struct evbuffer *input = bufferevent_get_input(connection->stream);
    struct evbuffer_iovec piece;

    while (evbuffer_peek(input, -1, NULL, &piece, 1) > 0 && piece.iov_len > 0) {
        size_t taken;
        int rc = sl_rpc_reader_feed(&connection->reader, piece.iov_base, piece.iov_len, &taken);
        if (rc < 0) { // not our protocol: there is no next message to be found in this stream
            connection_free(connection);
            return false;
        }
        evbuffer_drain(input, taken);
        if (rc == 1)
            return true;
    }
    return false;
}

static void connection_parsed(struct connection *connection, int rc, json_t *message, const json_error_t *why)
{
    if (rc == 0)
        connection_request(connection, message);
    else
        connection_send(connection, sl_rpc_error("bad-request", NULL, "not a request: %s", why->text));
}

// Thread.
static int parse(void *context)
{
    struct parsing *parsing = context;

    parsing->rc = sl_rpc_reader_take(&parsing->reader, &parsing->message, &parsing->why);
    return parsing->rc;
}

static void parsing_look(evutil_socket_t fd, short what, void *context)
{
    struct connection *connection = context;
    struct parsing *parsing = connection->parsing;
    struct timeval soon = {.tv_usec = PARSED_LOOK_US};

    if (!work_done(&parsing->work)) {
        event_add(parsing->look, &soon);
        return;
    }
    json_t *message = parsing->message;
    json_error_t why = parsing->why;
    int rc = work_end(&parsing->work);
    parsing->message = NULL;
    connection->parsing = NULL;
    parsing_free(parsing);
    connection_parsed(connection, rc, message, &why);
}

// False: no memory for it.
static bool parse_aside(struct connection *connection)
{
    struct timeval soon = {.tv_usec = PARSED_LOOK_US};
    struct parsing *parsing = calloc(1, sizeof(*parsing));

    if (!parsing)
        return false;
    parsing->look = evtimer_new(connection->server->base, parsing_look, connection);
    if (!parsing->look || event_add(parsing->look, &soon)) {
        parsing_free(parsing);
        return false;
    }
    parsing->reader = connection->reader;
    sl_rpc_reader_init(&connection->reader);
    connection->parsing = parsing;
    work_start(&parsing->work, true, parse, parsing);
    return true;
}

static void connection_read(struct bufferevent *stream, void *context)
{
    struct connection *connection = context;
    json_error_t why;
    json_t *message;

    if (connection->call || connection->parsing || evbuffer_get_length(bufferevent_get_output(stream)) > 0 ||
        !connection_take(connection))
        return;
    if (connection->reader.body_len > LARGE_BYTES && parse_aside(connection))
        return;
    int rc = sl_rpc_reader_take(&connection->reader, &message, &why);
    connection_parsed(connection, rc, message, &why);
}

static void connection_written(struct bufferevent *stream, void *context)
{
    struct connection *connection = context;

    if (connection->ended && !connection->call && evbuffer_get_length(bufferevent_get_input(stream)) == 0)
        connection_free(connection);
    else
        connection_read(stream, context); // what came in meanwhile
}

static void connection_event(struct bufferevent *stream, short what, void *context)
{
    struct connection *connection = context;

    // A client that shut down its sending side may still want the answer under way.
    connection->ended = true;
    if ((what & BEV_EVENT_EOF) && (what & BEV_EVENT_READING) &&
        (connection->call || connection->parsing || evbuffer_get_length(bufferevent_get_output(stream)) > 0))
        return;
    connection_free(connection);
}

// ---- rights -----------------------------------------------------------------------------------------------------

static bool peer_in_group(int fd, const struct ucred *peer, gid_t group)
{
    gid_t groups[MOST_GROUPS];
    socklen_t len = sizeof(groups);

    if (peer->gid == group)
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
        return false; // more groups than fit: only the first counts
    for (unsigned i = 0; i < len / sizeof(gid_t); i++)
        if (groups[i] == group)
            return true;
    return false;
}

static int peer_rights(struct connection *connection, int fd)
{
    socklen_t len = sizeof(connection->peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &connection->peer, &len) < 0)
        return -errno;
    connection->may_change = connection->peer.uid == 0 || connection->peer.uid == connection->server->owner ||
                             peer_in_group(fd, &connection->peer, connection->server->group);
    return 0;
}

// ---- listening --------------------------------------------------------------------------------------------------

static void server_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int len,
                          void *context)
{
    struct server *server = context;
    struct timeval patience = {.tv_sec = WRITE_TIMEOUT_S};
    struct connection *connection = calloc(1, sizeof(*connection));

    if (!connection || server->count >= MOST_CONNECTIONS) {
        free(connection);
        close(fd);
        return;
    }
    connection->server = server;
    if (peer_rights(connection, fd) < 0 ||
        !(connection->stream = bufferevent_socket_new(server->base, fd, BEV_OPT_CLOSE_ON_FREE))) {
        free(connection);
        close(fd);
        return;
    }
    connection->next = server->connections;
    connection->link = &server->connections;
    if (connection->next)
        connection->next->link = &connection->next;
    server->connections = connection;
    server->count++;
    sl_rpc_reader_init(&connection->reader);
    bufferevent_setcb(connection->stream, connection_read, connection_written, connection_event, connection);
    bufferevent_set_timeouts(connection->stream, NULL, &patience);
    // Stop reading where a client sends ahead without taking answers: at most this much waits for it.
    bufferevent_setwatermark(connection->stream, EV_READ, 0, 1u << 20);
    bufferevent_enable(connection->stream, EV_READ | EV_WRITE);
}

// A socket in the way: taken over where nobody answers at it any more.
static int remove_stale(const char *path, struct sl_error *error)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return errno == ENOENT ? 0 : sl_error_set(error, -errno, "%s: %s", path, strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return sl_error_set(error, -EEXIST,
                            "%s: is there and not a socket: remove it, or name another with --socket", path);
    int fd = sl_rpc_connect(path);
    if (fd >= 0) {
        close(fd);
        return sl_error_set(error, -EADDRINUSE,
                            "%s: another program answers there: end it, or name another with "
                            "--socket",
                            path);
    }
    if (unlink(path) < 0)
        return sl_error_set(error, -errno, "%s: a socket left over cannot be removed: %s", path,
                            strerror(errno));
    return 0;
}

static int server_bind(struct server *server, const char *path, const char *group, struct sl_error *error)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct group *entry = group ? getgrnam(group) : NULL;

    if (strlen(path) >= sizeof(at.sun_path))
        return sl_error_set(error, -ENAMETOOLONG, "%s: longer than a socket's path may be (%zu)", path,
                            sizeof(at.sun_path) - 1);
    if (group && !entry)
        return sl_error_set(error, -ENOENT, "--group %s: there is no such group", group);
    int rc = remove_stale(path, error);
    if (rc)
        return rc;
    memcpy(at.sun_path, path, strlen(path) + 1);
    memcpy(server->path, at.sun_path, sizeof(server->path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || chmod(path, 0666) < 0 ||
        (entry && chown(path, (uid_t)-1, entry->gr_gid) < 0) || listen(fd, 64) < 0) {
        rc = sl_error_set(error, -errno,
                          "%s: cannot listen there: %s; make its folder, or name another with --socket", path,
                          strerror(errno));
        if (fd >= 0)
            close(fd);
        return rc;
    }
    struct stat st;
    if (stat(path, &st) == 0) {
        server->owner = st.st_uid;
        server->group = st.st_gid;
    }
    return fd;
}

int server_new(struct event_base *base, const char *path, const char *group, server_request_fn request,
               void *context, struct server **out, struct sl_error *error)
{
    struct server *server = calloc(1, sizeof(*server));

    if (!server)
        return sl_error_set(error, -ENOMEM, "out of memory");
    server->base = base;
    server->request = request;
    server->context = context;
    int fd = server_bind(server, path, group, error);
    if (fd < 0) {
        free(server);
        return fd;
    }
    server->listener = evconnlistener_new(base, server_accept, server, LEV_OPT_CLOSE_ON_FREE, 0, fd);
    if (!server->listener) {
        close(fd);
        free(server);
        return sl_error_set(error, -ENOMEM, "out of memory");
    }
    *out = server;
    return 0;
}

void server_free(struct server *server)
{
    if (!server)
        return;
    while (server->connections)
        connection_free(server->connections);
    evconnlistener_free(server->listener);
    unlink(server->path);
    free(server);
}
