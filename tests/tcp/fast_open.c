// SPDX-License-Identifier: Apache-2.0
#include "fast_open.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

static bool sysctl_set(const char *path, const char *value)
{
    int fd = open(path, O_WRONLY);
    bool done = fd >= 0 && write(fd, value, 1) == 1;

    if (fd >= 0)
        close(fd);
    return done;
}

bool fast_open_allow(void)
{
    return sysctl_set("/proc/sys/net/ipv4/tcp_fastopen", "1") &&
           sysctl_set("/proc/sys/net/ipv4/tcp_fastopen_blackhole_timeout_sec", "0");
}

bool fast_open_connects(int fd)
{
    int one = 1;

    return setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &one, sizeof(one)) == 0;
}

bool fast_open_happened(int fd)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && info.tcpi_options & TCPI_OPT_SYN_DATA;
}
