// SPDX-License-Identifier: Apache-2.0
#include "path.h"
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

void path_init(struct path *path, unsigned room, uint64_t seed)
{
    *path = (struct path){.heap = calloc(room, sizeof(*path->heap)), .room = room,
                          .random = seed * 0x9e3779b97f4a7c15ull + 1};
    if (!path->heap)
        path->room = 0;
}

static bool before(const struct path_packet *a, const struct path_packet *b)
{
    return a->due_us < b->due_us || (a->due_us == b->due_us && a->order < b->order);
}

static void swap(struct path *path, unsigned a, unsigned b)
{
    struct path_packet packet = path->heap[a];

    path->heap[a] = path->heap[b];
    path->heap[b] = packet;
}

bool path_put(struct path *path, const uint8_t *bytes, uint32_t len, uint8_t to, uint64_t due_us)
{
    unsigned at = path->n;
    uint8_t *copy = path->n < path->room ? malloc(len) : NULL;

    if (copy == NULL)
        return false;
    memcpy(copy, bytes, len);
    path->heap[path->n++] = (struct path_packet){due_us, path->order++, len, to, copy};
    for (; at && before(&path->heap[at], &path->heap[(at - 1) / 2]); at = (at - 1) / 2)
        swap(path, at, (at - 1) / 2);
    return true;
}

bool path_take(struct path *path, uint64_t now_us, struct path_packet *packet)
{
    unsigned at = 0;

    if (path->n == 0 || path->heap[0].due_us > now_us)
        return false;
    *packet = path->heap[0];
    path->heap[0] = path->heap[--path->n];
    for (;;) {
        unsigned child = 2 * at + 1;

        if (child + 1 < path->n && before(&path->heap[child + 1], &path->heap[child]))
            child++;
        if (child >= path->n || !before(&path->heap[child], &path->heap[at]))
            return true;
        swap(path, at, child);
        at = child;
    }
}

uint32_t path_random(struct path *path, uint32_t below)
{
    path->random ^= path->random << 13;
    path->random ^= path->random >> 7;
    path->random ^= path->random << 17;
    return below ? (uint32_t)(path->random >> 33) % below : 0;
}

uint64_t path_clock_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

int path_tun(const char *name)
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
