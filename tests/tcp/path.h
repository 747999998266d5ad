// SPDX-License-Identifier: Apache-2.0
// Packets on their way, for programs that put a bad path between two TCP stacks in real time: a heap by the time at which
// they are due, in plain memory. One thread.
#ifndef TESTS_TCP_PATH_H
#define TESTS_TCP_PATH_H

#include <stdbool.h>
#include <stdint.h>

#define PATH_PACKET 2048u // bytes of a packet at most

struct path_packet {
    uint64_t due_us, order;
    uint32_t len; // bytes
    uint8_t to;   // whose it is: the caller's numbering
    uint8_t *bytes;
};

struct path {
    struct path_packet *heap;
    unsigned n, room;
    uint64_t order; // equal times come out as they went in
    uint64_t random;
};

void path_init(struct path *path, unsigned room, uint64_t seed);
bool path_put(struct path *path, const uint8_t *bytes, uint32_t len, uint8_t to, uint64_t due_us); // false: it is full
bool path_take(struct path *path, uint64_t now_us, struct path_packet *packet); // one that is due; free(packet->bytes)
uint32_t path_random(struct path *path, uint32_t below); // 0 where below is 0
uint64_t path_clock_us(void); // CLOCK_MONOTONIC
// A TUN device in the network namespace of the calling thread, without packet information, not blocking. -1: errno.
int path_tun(const char *name);

#endif
