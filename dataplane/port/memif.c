// SPDX-License-Identifier: Apache-2.0
// Who is at the other end of a memif port's path: see memif.h. Called by port/device.c on the housekeeping thread.
#include "port/memif.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static int socket_at(const char *path, int type, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(address->sun_path, sizeof(address->sun_path), "%s", path);
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    return fd < 0 ? -errno : fd;
}

// 0: a living process holds the socket; -ECONNREFUSED: none does. Asked with a socket of another type than memif's, so
// that nobody is connected: the kernel says EPROTOTYPE of one that lives. A server that greets somebody who has gone
// already is killed by SIGPIPE, DPDK's included.
static int socket_owner_ask(const char *path)
{
    struct sockaddr_un address;
    int fd = socket_at(path, SOCK_DGRAM, &address);
    if (fd < 0)
        return fd;
    int rc = connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : -errno;
    close(fd);
    return rc == -EPROTOTYPE ? 0 : rc;
}

// The driver will bind the path; what it would fail on is found here, where it can be told.
static int socket_try_bind(const char *path)
{
    struct sockaddr_un address;
    int fd = socket_at(path, SOCK_SEQPACKET, &address);
    if (fd < 0)
        return fd;
    int rc = bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : -errno;
    close(fd);
    if (rc == 0)
        unlink(path);
    return rc;
}

// A server makes its socket in the directory; a client only passes through it.
static int directory_check(const char *path, bool server, struct sl_error *error)
{
    const char *slash = strrchr(path, '/');
    char directory[sizeof(((struct sockaddr_un *)0)->sun_path)];
    if (!slash)
        return sl_error_set(error, -EINVAL, "the socket path %s has no directory: write it from / on", path);
    int length = slash == path ? 1 : (int)(slash - path);
    snprintf(directory, sizeof(directory), "%.*s", length, path);
    if (access(directory, server ? W_OK | X_OK : X_OK) == 0)
        return 0;
    return sl_error_set(error, -errno, "its directory %s cannot be used (%s)", directory, strerror(errno));
}

// A socket that no process holds is a leftover: its owner was killed, or it would have removed it.
static int leftover_remove(const char *path, struct sl_error *error)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return errno == ENOENT ? 0 : sl_error_set(error, -errno, "%s: %s", path, strerror(errno));
    if (!S_ISSOCK(st.st_mode))
        return sl_error_set(error, -EEXIST, "%s is there and no socket: choose another path, or remove it",
                            path);
    int rc = socket_owner_ask(path);
    if (rc == 0)
        return sl_error_set(error, -EADDRINUSE,
                            "another program listens at %s: end it, choose another path or take role=client",
                            path);
    if (rc != -ECONNREFUSED)
        return sl_error_set(error, rc, "%s: %s", path, strerror(-rc));
    if (unlink(path) != 0 && errno != ENOENT)
        return sl_error_set(error, -errno, "the leftover socket %s cannot be removed (%s)", path,
                            strerror(errno));
    return 0;
}

static int server_prepare(const char *path, struct sl_error *error)
{
    int rc = leftover_remove(path, error);
    if (rc != 0)
        return rc;
    rc = socket_try_bind(path);
    return rc == 0 ? 0 : sl_error_set(error, rc, "no socket can be made at %s (%s)", path, strerror(-rc));
}

static int client_prepare(const char *path, struct sl_error *error)
{
    int rc = socket_owner_ask(path);
    if (rc == -ENOENT || rc == -ECONNREFUSED)
        return sl_error_set(error, rc,
                            "nobody listens at %s: start the other side, which is the server, first", path);
    return rc == 0 ? 0 : sl_error_set(error, rc, "%s: %s", path, strerror(-rc));
}

int memif_socket_prepare(const char *path, bool server, struct sl_error *error)
{
    int rc = directory_check(path, server, error);
    if (rc != 0)
        return rc;
    return server ? server_prepare(path, error) : client_prepare(path, error);
}
