// SPDX-License-Identifier: Apache-2.0
#include "tun.h"
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

int tun_open(const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

    if (tun < 0)
        return -1;
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    if (ioctl(tun, TUNSETIFF, &request)) {
        close(tun);
        return -1;
    }
    return tun;
}
