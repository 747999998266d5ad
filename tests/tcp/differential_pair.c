// SPDX-License-Identifier: Apache-2.0
// A connection of the differential test: how it begins, what its ends are to do, and whether it ended as it must.
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "differential.h"

#define PORT_FIRST  10000u
#define PORTS       50000u

uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint32_t random_below(uint32_t n)
{
    return netpath_random(&chances, n);
}

bool chance(unsigned per_mille)
{
    return random_below(1000) < per_mille;
}

void die(const char *what)
{
    fprintf(stderr, "tcp-differential: %s: %s\n", what, strerror(errno));
    exit(2);
}

void complain(struct pair *pair, const char *what)
{
    static const char *const names[] = {"them", "us", "both"};

    fprintf(stderr, "connection %u (begun by %s): %s; we sent %u of %u and received %u of %u, they sent %u and received %u; "
                    "errors %d and %d\n",
            pair->number, names[pair->beginner], what, pair->ours.sent, pair->ours.to_send, pair->ours.received,
            pair->theirs.to_send, pair->theirs.sent, pair->theirs.received, pair->ours.error, pair->theirs.error);
    wrong++;
}

uint8_t byte_of(uint32_t number, uint32_t offset)
{
    return (uint8_t)((offset + number) * 31 >> 3);
}

void check_bytes(struct pair *pair, struct end *end, const uint8_t *bytes, uint32_t len, bool ours)
{
    uint32_t number = pair->number * 2 + ours;

    for (uint32_t i = 0; i < len; i++)
        if (bytes[i] != byte_of(number, end->received + i)) {
            complain(pair, "a byte is wrong");
            break;
        }
    end->received += len;
    bytes_checked += len;
    pair->moved_us = now_us();
}

static struct end random_end(bool may_reset)
{
    struct end end = {.piece = 1 + random_below(PIECE), .lazy = chance(150), .reset_at = UINT32_MAX};

    end.to_send = chance(200) ? 0 : chance(500) ? random_below(3000) : random_below(200000);
    if (may_reset && chance(50))
        end.reset_at = random_below(end.to_send + 1);
    return end;
}

bool asleep(struct end *end)
{
    uint64_t now = now_us();

    if (want.variety && now >= end->asleep_us && random_below(5000) == 0)
        end->asleep_us = now + random_below(SLEEP_US);
    return now < end->asleep_us;
}

void maybe_over(struct pair *pair)
{
    if (!pair->ours.over || !pair->theirs.over || !pair->active)
        return;
    pair->active = false;
    by_port[pair->beginner][pair->port] = 0;
    ended++;
    if (pair->ours.reset || pair->theirs.reset) {
        reset_pairs++;
        return;
    }
    if (pair->ours.received != pair->theirs.to_send || pair->theirs.received != pair->ours.to_send)
        complain(pair, "bytes are missing");
    else if (pair->ours.failed || pair->theirs.failed)
        complain(pair, "ended with an error");
}

struct pair *pair_of(enum beginner beginner, sl_be16 port)
{
    uint32_t found = by_port[beginner][port];

    return found ? &pairs[found - 1] : NULL;
}

void address_of(const struct sl_ip *ip, uint16_t port, struct sockaddr_storage *address, socklen_t *len)
{
    memset(address, 0, sizeof(*address));
    if (want.v6) {
        struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;

        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        memcpy(&in6->sin6_addr, ip, 16);
        *len = sizeof(*in6);
    } else {
        struct sockaddr_in *in4 = (struct sockaddr_in *)address;

        in4->sin_family = AF_INET;
        in4->sin_port = htons(port);
        in4->sin_addr.s_addr = ip->w[3];
        *len = sizeof(*in4);
    }
}

static bool try_begin(unsigned number, uint16_t port)
{
    struct pair *pair = &pairs[number];
    enum beginner beginner = want.variety && chance(100) ? BY_BOTH : chance(500) ? BY_US : BY_THEM;

    for (unsigned i = 0; i < BEGINNERS; i++)
        if (by_port[i][htons(port)])
            return false;
    *pair = (struct pair){.number = number, .fd = -1, .beginner = beginner, .moved_us = now_us(), .port = htons(port)};
    pair->ours = random_end(true);
    pair->theirs = random_end(true);
    if (beginner != BY_US && !their_begin(pair, port))
        return false;
    if (beginner != BY_THEM && !our_begin(pair)) {
        if (pair->fd >= 0)
            close(pair->fd);
        return false;
    }
    by_port[beginner][pair->port] = number + 1;
    pair->active = true;
    active[n_active++] = pair;
    if (pair->fd >= 0)
        their_open(pair);
    return true;
}

// Ports come round, in the varied run soon: over TIME-WAITs of either end's.
void begin(unsigned number)
{
    static unsigned next;
    unsigned ports = want.variety ? 4 * want.at_once : PORTS;

    for (unsigned tries = 0; tries < 2 * PORTS; tries++)
        if (try_begin(number, (uint16_t)(PORT_FIRST + (next++ % ports + tries / ports * ports) % PORTS)))
            return;
    die("no port is free");
}
