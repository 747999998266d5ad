// SPDX-License-Identifier: Apache-2.0
// The rate limit of what a worker itself sends (RFC 1812 section 4.3.2.8, RFC 4443 section 2.4(f)): a token
// bucket, counted in thousandths so that a rate per second and a clock in milliseconds meet without a
// division. On the worker's thread.
#ifndef ICMP_LIMIT_H
#define ICMP_LIMIT_H

#include <stdbool.h>
#include "worker/worker.h"

#define LIMIT_TOKEN 1000u // thousandths

// Takes a token; false where none is there. `rate` tokens a second come in, at most `burst` are held.
static inline bool limit_take(struct token_bucket *bucket, uint32_t rate, uint32_t burst, uint32_t now_ms)
{
    uint64_t refill = (uint64_t)(uint32_t)(now_ms - bucket->refilled_ms) * rate;

    bucket->refilled_ms = now_ms;
    bucket->spent = bucket->spent > refill ? bucket->spent - refill : 0;
    if (bucket->spent + LIMIT_TOKEN > (uint64_t)burst * LIMIT_TOKEN)
        return false;
    bucket->spent += LIMIT_TOKEN;
    return true;
}

#endif
