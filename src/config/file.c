// SPDX-License-Identifier: Apache-2.0
// Reading a file whole. Called by the loader and the route-file reader.
#include "config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_all(int fd, size_t size, char **text, size_t *length)
{
    char *room = malloc(size + 1);
    size_t have = 0;

    if (!room)
        return -ENOMEM;
    while (have < size) {
        ssize_t got = read(fd, room + have, size - have);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            free(room);
            return -errno;
        }
        if (got == 0)
            break; // it shrank meanwhile
        have += (size_t)got;
    }
    room[have] = '\0';
    *text = room;
    *length = have;
    return 0;
}

int file_read(const char *path, char **text, size_t *length)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a FIFO must not block the daemon
    struct stat status;
    int error;

    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) != 0)
        error = -errno;
    else if (!S_ISREG(status.st_mode))
        error = S_ISDIR(status.st_mode) ? -EISDIR : -EINVAL;
    else
        error = read_all(fd, (size_t)status.st_size, text, length);
    close(fd);
    return error;
}
