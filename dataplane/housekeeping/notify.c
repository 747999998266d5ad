// SPDX-License-Identifier: Apache-2.0
// sd_notify(3) without its library: the protocol is one datagram. Housekeeping thread alone.
#include "housekeeping/notify.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/un.h>

void notify_send(const char *message)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (!path || strlen(path) >= sizeof(to.sun_path))
        return;
    strcpy(to.sun_path, path);
    if (to.sun_path[0] == '@') // an abstract socket
        to.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    sendto(fd, message, strlen(message), MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&to, length);
    close(fd);
}

uint64_t notify_watchdog_us(void)
{
    const char *text = getenv("WATCHDOG_USEC");
    return text ? strtoull(text, NULL, 10) / 2 : 0; // twice as often as it must be
}
