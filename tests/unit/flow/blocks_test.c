// SPDX-License-Identifier: Apache-2.0
// Port blocks under threads that claim and give back at once, as workers do. Each holder writes its mark beside the
// block and finds it unchanged when it gives the block back: nobody else had the block meanwhile. Also run under TSan.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "nat/binding.h"

#define THREADS 4
#define ROUNDS  20000
#define HELD    300 // blocks of a thread: four of them want more than there are

struct claimer {
    struct nat_outside *outside;
    uint8_t *mark; // [SL_NAT_BLOCKS] who holds it: plain stores, ordered by the claims alone
    uint8_t worker;
    uint32_t claimed, stolen;
};

static void give_back(struct claimer *claimer, uint32_t block)
{
    claimer->stolen += claimer->mark[block] != claimer->worker;
    claimer->mark[block] = NAT_NOBODY;
    nat_block_unclaim(claimer->outside, SL_NAT_UDP, block);
}

static void *claim_and_give_back(void *argument)
{
    struct claimer *claimer = argument;
    uint32_t held[HELD], count = 0, draw = claimer->worker + 1u;

    for (uint32_t round = 0; round < ROUNDS; round++) {
        draw = draw * 1664525u + 1013904223u;
        if (count == HELD || (draw >> 31 && count > 0)) {
            uint32_t at = (draw >> 8) % count;
            give_back(claimer, held[at]);
            held[at] = held[--count];
            continue;
        }
        int block =
            nat_block_claim(claimer->outside, SL_NAT_UDP, claimer->worker, (draw >> 4) % SL_NAT_BLOCKS);
        if (block < 0)
            continue;
        claimer->stolen += claimer->mark[block] != NAT_NOBODY;
        claimer->mark[block] = claimer->worker;
        held[count++] = (uint32_t)block;
        claimer->claimed++;
    }
    while (count > 0)
        give_back(claimer, held[--count]);
    return NULL;
}

static void no_block_has_two_owners(void **state)
{
    struct nat_outside *outside = nat_outside_new(1);
    uint8_t mark[SL_NAT_BLOCKS];
    struct claimer claimer[THREADS];
    pthread_t thread[THREADS];

    memset(mark, NAT_NOBODY, sizeof(mark));
    for (uint8_t i = 0; i < THREADS; i++) {
        claimer[i] = (struct claimer){.outside = outside, .mark = mark, .worker = i};
        assert_int_equal(pthread_create(&thread[i], NULL, claim_and_give_back, &claimer[i]), 0);
    }
    for (uint8_t i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(claimer[i].stolen, 0);
        assert_true(claimer[i].claimed > HELD);
    }
    assert_int_equal(outside->spare[SL_NAT_UDP], SL_NAT_BLOCKS);
    for (uint32_t block = 0; block < SL_NAT_BLOCKS; block++)
        assert_int_equal(outside->owner[SL_NAT_UDP][block], NAT_NOBODY);
    free(outside);
}

// Four threads that claim all they can get: every block once, and then no more.
static void *claim_all(void *argument)
{
    struct claimer *claimer = argument;

    for (int block; (block = nat_block_claim(claimer->outside, SL_NAT_TCP, claimer->worker, 500)) >= 0;) {
        claimer->stolen += claimer->mark[block] != NAT_NOBODY;
        claimer->mark[block] = claimer->worker;
        claimer->claimed++;
    }
    return NULL;
}

static void every_block_is_given_once(void **state)
{
    struct nat_outside *outside = nat_outside_new(1);
    uint8_t mark[SL_NAT_BLOCKS];
    struct claimer claimer[THREADS];
    pthread_t thread[THREADS];
    uint32_t claimed = 0;

    memset(mark, NAT_NOBODY, sizeof(mark));
    for (uint8_t i = 0; i < THREADS; i++) {
        claimer[i] = (struct claimer){.outside = outside, .mark = mark, .worker = i};
        assert_int_equal(pthread_create(&thread[i], NULL, claim_all, &claimer[i]), 0);
    }
    for (uint8_t i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(claimer[i].stolen, 0);
        claimed += claimer[i].claimed;
    }
    assert_int_equal(claimed, SL_NAT_BLOCKS);
    assert_int_equal(outside->spare[SL_NAT_TCP], 0);
    free(outside);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_block_has_two_owners),
        cmocka_unit_test(every_block_is_given_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
