// SPDX-License-Identifier: Apache-2.0
// The maglev table of a pool: every member looks at the entries in an order of its own, drawn from a hash of its address
// and port, and takes free ones until none is left (after Eisenbud et al., "Maglev", NSDI 2016, section 3.4).
//
// Where it differs from the paper: there a member that finds an entry taken looks on at once until it finds a free one,
// so that all get the same number; but that makes each one's place in time depend on everybody's collisions, and when
// one of 100 members goes, 2.5 times its share changes hands. Here a turn is one look, taken or not. So an entry goes to
// the member in whose order it comes first, weight counted, whoever else is there: rendezvous hashing, where a member
// that goes touches its own entries alone. Shares come out right only by chance then; so a member stops when it is a
// small part above its share, and the rest falls to those below. The smaller that part, the more entries move, most
// where a member has few:
//
//     members        entries     above its share at most
//     up to 16       10,000       1 %, rounded up
//     up to 64       10,000       5 %
//     up to 1,024    100 each    10 %
//     more           100 each    25 %
//
// Below its share a member is by chance only: by less than four times the root of its share. When one goes, on average
// 1.00 to 1.1 times its entries change hands. tests/unit/table_balance.c holds to all of this.
//
// The orders are drawn with repetition, not the paper's permutations by offset and skip: where the skips of two members
// are as small numbers to each other, the one would look just where the other has been, and a light member that looks
// forty times in all can come away with nothing. So the size need not be prime either.
//
// Weights: a member looks as often as its weight says, by a credit in integers, so that every machine makes the same
// table. It depends on addresses, ports, weights and size alone.
#include <errno.h>
#include <stdlib.h>
#include "base/hash.h"
#include "table/balance_lookup.h"

#define FREE  0xffff
#define LOOKS 4ull // a round of one of usual weight: the fewer the fairer, the more the faster

struct looker {
    uint64_t drawn; // where it is in its order
    uint64_t credit;
    uint32_t weight;
    uint32_t may_take; // entries until it has enough
    uint16_t member;
};

struct filling {
    struct looker *looker; // [looking]: those that take part still
    uint32_t looking;
    uint64_t price; // credit for one look, a power of two
    uint32_t price_shift;
    uint16_t *entry;
    uint32_t size;
    uint32_t left; // free entries
};

static uint64_t identity_hash(const struct balance_candidate *c, uint64_t salt)
{
    return sl_hash_fold(sl_hash_fold(c->ip.q[0] ^ salt, c->ip.q[1] ^ 0x9e3779b97f4a7c15u) ^ c->port,
                        0xd1b54a32d192ed03u);
}

// Lookers take turns by what they are, not by where the config has them.
static int identity_compare(const void *a, const void *b)
{
    const struct balance_candidate *left = a, *right = b;
    uint64_t x = identity_hash(left, 3), y = identity_hash(right, 3);

    if (x != y)
        return x < y ? -1 : 1;
    int order = memcmp(&left->ip, &right->ip, sizeof(left->ip));
    return order ? order : (int)left->port - right->port;
}

// Hundredths above its share that a member may get.
static uint32_t tolerance(uint32_t members)
{
    return members <= 16 ? 1 : members <= 64 ? 5 : members <= 1024 ? 10 : 25;
}

static struct looker looker_of(const struct balance_candidate *c, const struct filling *f, uint64_t weights,
                               uint32_t above)
{
    uint64_t share = (uint64_t)f->size * c->weight * (100 + above);

    return (struct looker){
        .drawn = identity_hash(c, 1),
        .credit =
            identity_hash(c, 2) % f->price, // so that light ones do not all wait equally long for their first
        .weight = c->weight,
        .may_take = (uint32_t)((share + 100 * weights - 1) / (100 * weights)),
        .member = c->member,
    };
}

// Looks so many times. False: it has enough, or nothing is left.
static inline bool look(struct filling *f, struct looker *looker, uint32_t times)
{
    for (; times > 0; times--) {
        looker->drawn += 0xa0761d6478bd642fu;
        uint32_t at =
            sl_hash_scale(sl_hash_fold(looker->drawn, looker->drawn ^ 0xe7037ed1a0b428dbu), f->size);
        if (f->entry[at] != FREE)
            continue;
        f->entry[at] = looker->member;
        f->left--;
        if (--looker->may_take == 0 || f->left == 0)
            return false;
    }
    return true;
}

// A round: each looks as often as it can pay. What a look costs must not depend on who is eligible: rounds would fall
// otherwise, and who of two comes first in one round would change.
static void filling_round(struct filling *f)
{
    uint32_t stay = 0;

    for (uint32_t i = 0; i < f->looking && f->left > 0; i++) {
        struct looker *looker = &f->looker[i];
        uint64_t credit = looker->credit + LOOKS * looker->weight;
        looker->credit = credit & (f->price - 1);
        if (look(f, looker, (uint32_t)(credit >> f->price_shift)) && stay++ != i)
            f->looker[stay - 1] = *looker;
    }
    f->looking = stay;
}

static void fill(struct filling *f)
{
    while (f->left > 0 && f->looking > 1)
        filling_round(f);
    for (uint32_t i = 0; f->left > 0 && i < f->size; i++) { // nobody else wants any
        if (f->entry[i] == FREE) {
            f->entry[i] = f->looker[0].member;
            f->left--;
        }
    }
}

int balance_maglev_fill(const struct balance_candidates *candidates, uint32_t capacity_members,
                        uint16_t *entry, uint32_t size)
{
    struct filling f = {
        .looker = calloc(candidates->count, sizeof(*f.looker)),
        .looking = candidates->count,
        .price = candidates->usual_weight,
        .price_shift = (uint32_t)__builtin_ctz(candidates->usual_weight),
        .entry = entry,
        .size = size,
        .left = size,
    };

    if (!f.looker)
        return -ENOMEM;
    qsort(candidates->list, candidates->count, sizeof(*candidates->list), identity_compare);
    for (uint32_t i = 0; i < f.looking; i++)
        f.looker[i] = looker_of(&candidates->list[i], &f, candidates->weights, tolerance(capacity_members));
    memset(entry, 0xff, size * sizeof(*entry));
    fill(&f);
    free(f.looker);
    return 0;
}
