// SPDX-License-Identifier: Apache-2.0
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "netpath.h"
#include "variety.h"

static bool chance(uint64_t *chances, uint32_t percent)
{
    return netpath_random(chances, 100) < percent;
}

// Windows from a segment's size on, so that they close; send queues as small.
static uint32_t some_bytes(uint64_t *chances, uint32_t least)
{
    return chance(chances, 30) ? least + netpath_random(chances, 8000) : 4u << 20;
}

void variety_ours(uint64_t *chances, struct sl_tcp_options *options)
{
    options->congestion = chance(chances, 50) ? "cubic" : chance(chances, 50) ? "newreno" : "bbr";
    options->timestamps = chance(chances, 75);
    options->sack = chance(chances, 75);
    options->wscale = chance(chances, 75);
    options->ecn = chance(chances, 75);
    options->pacing = chance(chances, 75);
    options->mtu_probing = chance(chances, 75);
    options->no_delay = chance(chances, 30);
    options->cork = chance(chances, 15);
    options->rx_bytes = some_bytes(chances, 1024);
    options->rx_initial_bytes = options->rx_bytes < 65536 ? options->rx_bytes : 65536;
    options->tx_bytes = some_bytes(chances, 1);
    options->keepalive_idle_ms = chance(chances, 30) ? 500 : 0;
    options->keepalive_interval_ms = 2000;
    options->mss_clamp = chance(chances, 10) ? (uint16_t)(100 + netpath_random(chances, 1300)) : 0;
    options->initial_window = chance(chances, 10) ? (uint16_t)(1 + netpath_random(chances, 40)) : 0;
    // a unit larger than the window would say 0 for ever
    options->wscale_shift = options->rx_bytes > 65536 && chance(chances, 10) ? (uint8_t)netpath_random(chances, 15) : 0xff;
}

static void set(int fd, int level, int name, int value)
{
    setsockopt(fd, level, name, &value, sizeof(value)); // what the kernel will not have it leaves as it is
}

bool variety_theirs(uint64_t *chances, int fd)
{
    bool tiny = chance(chances, 3);
    static const char *const controls[] = {"cubic", "reno", "bbr"};
    const char *control = controls[netpath_random(chances, 3)];

    setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, control, (socklen_t)strlen(control));
    set(fd, IPPROTO_TCP, TCP_NODELAY, chance(chances, 30));
    if (tiny || chance(chances, 25))
        set(fd, SOL_SOCKET, SO_RCVBUF, (int)((tiny ? 2000 : 10000) + netpath_random(chances, 10000)));
    if (chance(chances, 30))
        set(fd, SOL_SOCKET, SO_SNDBUF, (int)(2000 + netpath_random(chances, 20000)));
    if (chance(chances, 10))
        set(fd, IPPROTO_TCP, TCP_MAXSEG, (int)(100 + netpath_random(chances, 1300)));
    if (chance(chances, 10))
        set(fd, IPPROTO_TCP, TCP_WINDOW_CLAMP, (int)(1000 + netpath_random(chances, 8000)));
    if (chance(chances, 30)) {
        set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
        set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 1);
        set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 2);
    }
    return tiny;
}

void variety_sysctl(const char *name, const char *value)
{
    char path[128];

    snprintf(path, sizeof(path), "/proc/sys/net/ipv4/%s", name);
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(value, file) < 0 || fclose(file) != 0) {
        perror(path);
        exit(2);
    }
}

void variety_sysctls(uint64_t *chances, bool cookies)
{
    variety_sysctl("tcp_timestamps", chance(chances, 75) ? "1" : "0");
    variety_sysctl("tcp_sack", chance(chances, 75) ? "1" : "0");
    variety_sysctl("tcp_window_scaling", chance(chances, 75) ? "1" : "0");
    variety_sysctl("tcp_ecn", chance(chances, 60) ? "1" : "2");
    variety_sysctl("tcp_syncookies", cookies && chance(chances, 40) ? "2" : "1");
    variety_sysctl("tcp_tw_reuse", "1");
}

void their_info_get(int fd, struct their_info *info)
{
    struct tcp_info all = {0};
    socklen_t len = sizeof(all);

    if (fd < 0 || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &all, &len) != 0)
        memset(&all, 0, sizeof(all));
    *info = (struct their_info){.state = all.tcpi_state, .unacked = all.tcpi_unacked, .rto_us = all.tcpi_rto,
                                .backoff = all.tcpi_backoff, .probes = all.tcpi_probes, .mss = all.tcpi_snd_mss,
                                .pmtu = all.tcpi_pmtu,
                                .synchronized = all.tcpi_state != TCP_SYN_SENT && all.tcpi_state != TCP_SYN_RECV &&
                                                all.tcpi_state != TCP_CLOSE && all.tcpi_state != 0,
                                .timestamps = all.tcpi_options & TCPI_OPT_TIMESTAMPS,
                                .sack = all.tcpi_options & TCPI_OPT_SACK,
                                .ecn = all.tcpi_options & TCPI_OPT_ECN,
                                .snd_wscale = all.tcpi_snd_wscale,
                                .rcv_wscale = all.tcpi_rcv_wscale};
}
