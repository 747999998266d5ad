// SPDX-License-Identifier: Apache-2.0
// The maglev table of a pool: every member walks the entries in an order of its own, a permutation made of two hashes
// of its address and port (Eisenbud et al., "Maglev", NSDI 2016, section 3.4), and takes free ones until none is left.
//
// Where it differs from the paper: there a member that finds an entry taken walks on at once until it finds a free one,
// so that all get the same number; but that makes each one's place in time depend on everybody's collisions, and when
// one of 100 members goes, 2.5 times its share changes hands (12,809 entries). Here a turn is one step, taken or not.
// So an entry goes to the member in whose order it stands first, weight counted, whoever else is there: rendezvous
// hashing by permutations, where a member that goes touches its own entries alone. Shares come out right only by
// chance then; so a member stops when it is a small part above its share, and the rest falls to those below. The
// smaller that part, the more entries move, most where a member has few. What tests/unit/table_balance.c holds to:
//
//     members        entries    above its share at most    moved when one goes, of its entries (mean; of 10 random pools)
//     up to 16       10,007      1 %, rounded up           1.00 to 1.05
//     up to 64       10,007      5 %                       1.00 to 1.11
//     up to 1,024    100 each   10 %                       1.01 to 1.08
//     more           100 each   25 %                       1.00
//
// Below its share a member is by chance only: by less than three times the root of its share (3 % of one with 10,000
// entries, 30 % of one with 100). tests/unit/table_balance.c holds all of this to bounds.
//
// Weights: steps come at such times that an entry's first taker is a member with a probability as its weight: the
// k-th of n steps at -ln(1 - k/n) / weight. Kept as a credit that grows by weight * (n - k) a round, in integers, so
// that every machine makes the same table. It depends on addresses, ports, weights and size alone.
#include <errno.h>
#include <stdlib.h>
#include "base/hash.h"
#include "table/balance_lookup.h"

#define FREE 0xffff

struct walker {
    uint64_t credit;
    uint32_t weight;
    uint32_t at, skip; // the entry it looks at next, how far from one to the next
    uint32_t unseen;   // entries it has not looked at
    uint32_t may_take; // entries until it has enough
    uint16_t member;
};

struct walk {
    struct walker *walker; // [walking]: those that take part still
    uint32_t walking;
    uint64_t step_price; // credit for one step
    uint16_t *entry;
    uint32_t size;
    uint32_t left; // free entries
};

static uint64_t identity_hash(const struct balance_candidate *c, uint64_t salt)
{
    return sl_hash_fold(sl_hash_fold(c->ip.q[0] ^ salt, c->ip.q[1] ^ 0x9e3779b97f4a7c15u) ^ c->port,
                        0xd1b54a32d192ed03u);
}

// Walkers take turns by what they are, not by where the config has them.
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

static struct walker walker_of(const struct balance_candidate *c, const struct walk *walk, uint64_t weights,
                               uint32_t above)
{
    uint64_t share = (uint64_t)walk->size * c->weight * (100 + above);

    return (struct walker){
        .credit = walk->step_price / 2,
        .weight = c->weight,
        .at = (uint32_t)(identity_hash(c, 1) % walk->size),
        .skip = (uint32_t)(identity_hash(c, 2) % (walk->size - 1)) + 1,
        .unseen = walk->size,
        .may_take = (uint32_t)((share + 100 * weights - 1) / (100 * weights)),
        .member = c->member,
    };
}

// One step. True while the walker goes on.
static inline bool walker_step(struct walk *walk, struct walker *walker)
{
    uint32_t at = walker->at;

    walker->unseen--;
    walker->at = at + walker->skip - (at >= walk->size - walker->skip ? walk->size : 0);
    if (walk->entry[at] != FREE)
        return true;
    walk->entry[at] = walker->member;
    walk->left--;
    return --walker->may_take > 0;
}

// A round: each walker makes as many steps as it can pay, about one while all is new. What a step costs must not
// depend on who is eligible: rounds would fall otherwise, and who of two comes first in one round would change.
static void walk_round(struct walk *walk)
{
    uint32_t stay = 0;

    for (uint32_t i = 0; i < walk->walking; i++) {
        struct walker *walker = &walk->walker[i];
        bool goes_on = true;
        walker->credit += (uint64_t)walker->weight * walker->unseen;
        while (goes_on && walker->credit >= walk->step_price && walk->left > 0) {
            walker->credit -= walk->step_price;
            goes_on = walker_step(walk, walker);
        }
        if (goes_on && stay++ != i)
            walk->walker[stay - 1] = *walker;
    }
    walk->walking = stay;
}

static void walk_fill(struct walk *walk)
{
    while (walk->left > 0 && walk->walking > 1)
        walk_round(walk);
    for (uint32_t i = 0; walk->left > 0 && i < walk->size; i++) { // nobody else wants any
        if (walk->entry[i] == FREE) {
            walk->entry[i] = walk->walker[0].member;
            walk->left--;
        }
    }
}

int balance_maglev_fill(const struct balance_candidates *candidates, uint32_t capacity_members,
                        uint16_t *entry, uint32_t size)
{
    struct walk walk = {
        .walker = calloc(candidates->count, sizeof(*walk.walker)),
        .walking = candidates->count,
        .step_price = (uint64_t)candidates->usual_weight * size,
        .entry = entry,
        .size = size,
        .left = size,
    };

    if (!walk.walker)
        return -ENOMEM;
    qsort(candidates->list, candidates->count, sizeof(*candidates->list), identity_compare);
    for (uint32_t i = 0; i < walk.walking; i++)
        walk.walker[i] =
            walker_of(&candidates->list[i], &walk, candidates->weights, tolerance(capacity_members));
    memset(entry, 0xff, size * sizeof(*entry));
    walk_fill(&walk);
    free(walk.walker);
    return 0;
}
