// SPDX-License-Identifier: Apache-2.0
// Drawing lots for frames. Called by reflector.c for each, on its worker.
#include "impair.h"
#include "signature.h"

#define FRACTION_BITS 8 // of a tick: half a year of them fits

bool impair_wish_none(const struct impair_wish *wish)
{
    uint64_t any = 0;
    for (unsigned i = HARM_LOSE; i <= HARM_CORRUPT; i++)
        any |= wish->one_in[i];
    return any == 0 && wish->pps <= 0;
}

static uint64_t share(uint32_t one_in)
{
    return one_in ? (1ULL << 32) / one_in : 0;
}

bool impair_wish_fits(const struct impair_wish *wish)
{
    uint64_t sum = 0;
    for (unsigned i = HARM_LOSE; i <= HARM_CORRUPT; i++)
        sum += share(wish->one_in[i]);
    return sum < 1ULL << 32 || (sum == 1ULL << 32 && wish->one_in[HARM_LOSE] == 1);
}

static uint64_t random_next(struct impair *impair)
{
    uint64_t x = impair->random;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return impair->random = x;
}

void impair_init(struct impair *impair, const struct impair_wish *wish, uint64_t ticks_per_s, uint64_t now)
{
    uint64_t below = 0;
    *impair = (struct impair){.start = now, .random = (wish->seed + 1) * 0x9e3779b97f4a7c15ULL};
    impair->random = impair->random ? impair->random : 1;
    for (unsigned i = HARM_LOSE; i <= HARM_CORRUPT; i++)
        impair->below[i] = below += share(wish->one_in[i]);
    for (unsigned i = 0; i < 8; i++) // seeds that lie close begin apart
        random_next(impair);
    if (wish->pps <= 0)
        return;
    impair->interval = (uint64_t)((double)ticks_per_s / wish->pps * (1 << FRACTION_BITS));
    impair->slack = impair->interval * (wish->burst ? wish->burst - 1 : 0);
}

// The virtual scheduling algorithm of ITU-T I.371: each frame takes an interval; one that comes more than the slack
// before its time is too many.
static bool over_rate(struct impair *impair, uint64_t now)
{
    uint64_t at = (now - impair->start) << FRACTION_BITS;
    if (impair->interval == 0)
        return false;
    if (impair->due > at + impair->slack)
        return true;
    impair->due = (impair->due > at ? impair->due : at) + impair->interval;
    return false;
}

enum harm impair_next(struct impair *impair, uint64_t now)
{
    enum harm harm = HARM_LOSE;
    if (over_rate(impair, now)) {
        impair->count[HARM_OVER]++;
        return HARM_OVER;
    }
    uint64_t lot = random_next(impair) >> 32;
    while (harm <= HARM_CORRUPT && lot >= impair->below[harm])
        harm++;
    harm = harm > HARM_CORRUPT ? HARM_NONE : harm;
    impair->count[harm] += harm != HARM_LATE;
    return harm;
}

// Not the signature's magic, without which a frame is nobody's.
void impair_corrupt(struct impair *impair, uint8_t *frame, uint32_t len)
{
    uint32_t bit = (uint32_t)(random_next(impair) >> 32) % ((SIGNATURE_BYTES - 2) * 8);
    frame[signature_offset(len) + 2 + bit / 8] ^= (uint8_t)(1u << (bit % 8));
}
