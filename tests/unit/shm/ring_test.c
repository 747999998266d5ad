// SPDX-License-Identifier: Apache-2.0
// Rings: order kept, losses counted, nobody waits, and a peer that lies harms nobody but itself.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"
#include "shm/ring.h"

static struct fixture fixture;
static struct sl_ring_end producer, consumer;

static int setup(void **state)
{
    fixture_init(&fixture);
    return sl_ring_open_producer(fixture.run_dir, "event", 8, &producer, NULL) ||
           sl_ring_open_consumer(fixture.run_dir, "event", 8, &consumer, NULL);
}

static int teardown(void **state)
{
    sl_ring_close(&producer);
    sl_ring_close(&consumer);
    fixture_fini(&fixture);
    return 0;
}

struct record {
    uint64_t number;
    uint64_t inverse; // tells a torn record
};

static bool push(uint64_t number)
{
    struct record record = {number, ~number};
    return sl_ring_push(&producer, &record, sizeof(record));
}

static bool pop(uint64_t *number)
{
    struct record record;
    bool got = sl_ring_pop(&consumer, &record, sizeof(record));
    if (got && record.inverse != ~record.number)
        abort();
    *number = got ? record.number : 0;
    return got;
}

static void records_come_in_order(void **state)
{
    uint64_t number;

    assert_false(pop(&number));
    for (uint64_t i = 0; i < 100; i += 5) {
        for (uint64_t n = i; n < i + 5; n++)
            assert_true(push(n));
        for (uint64_t n = i; n < i + 5; n++) {
            assert_true(pop(&number));
            assert_int_equal(number, n);
        }
    }
    assert_false(pop(&number));
}

static void a_full_ring_counts_what_it_loses(void **state)
{
    uint64_t number;

    for (uint64_t i = 0; i < 8; i++)
        assert_true(push(i));
    assert_false(push(8));
    assert_false(push(9));
    assert_int_equal(sl_ring_lost(&consumer), 2);
    assert_true(pop(&number));
    assert_int_equal(number, 0);
    assert_true(push(10));
    assert_int_equal(producer.garbled + consumer.garbled, 0);
}

static void the_rest_of_a_record_is_zero(void **state)
{
    uint8_t record[SL_RING_RECORD], twice[SL_RING_RECORD + 1];

    memset(record, 0xee, sizeof(record));
    assert_true(sl_ring_push(&producer, record, SL_RING_RECORD));
    for (unsigned i = 0; i < 8; i++) { // round once, so that a used slot is used again
        assert_true(sl_ring_pop(&consumer, record, sizeof(record)));
        assert_true(sl_ring_push(&producer, "ab", 2));
    }
    assert_true(sl_ring_pop(&consumer, twice, sizeof(twice)));
    for (unsigned i = 2; i < SL_RING_RECORD; i++)
        assert_int_equal(twice[i], 0);
    assert_false(sl_ring_push(&producer, twice, sizeof(twice)));
}

static void a_restarted_end_goes_on_where_it_stopped(void **state)
{
    uint64_t number;

    for (uint64_t i = 0; i < 6; i++)
        assert_true(push(i));
    assert_true(pop(&number));
    sl_ring_close(&producer);
    sl_ring_close(&consumer);
    assert_int_equal(sl_ring_open_consumer(fixture.run_dir, "event", 64, &consumer, NULL), 0);
    assert_int_equal(sl_ring_open_producer(fixture.run_dir, "event", 64, &producer, NULL), 0);
    assert_int_equal(consumer.mask, 7); // the file's capacity, whatever we would have made
    for (uint64_t i = 1; i < 6; i++) {
        assert_true(pop(&number));
        assert_int_equal(number, i);
    }
    assert_true(push(6));
}

static void a_ring_that_cannot_be_is_refused(void **state)
{
    struct sl_ring_end end;
    struct sl_error error;
    const uint32_t capacity[] = {0, 3, 16, 1u << 31, UINT32_MAX};

    for (unsigned i = 0; i < 5; i++) {
        fixture_patch(&fixture, "event", offsetof(struct sl_ring, capacity), &capacity[i],
                      sizeof(capacity[i]));
        assert_int_equal(sl_ring_open_consumer(fixture.run_dir, "event", 8, &end, &error), -EBADMSG);
    }
    assert_non_null(strstr(error.text, "cannot be"));
    assert_int_equal(sl_ring_open_producer(fixture.run_dir, "other", 12, &end, &error), -EINVAL);
}

// The peer writes whatever it likes into the shared words, at any time. Out of bounds would be a crash here: behind
// the mapping comes nothing.
static void a_peer_that_lies_sends_nobody_out_of_bounds(void **state)
{
    uint64_t random = 7, number;
    uint8_t record[SL_RING_RECORD];
    unsigned popped = 0, pushed = 0;

    for (unsigned i = 0; i < 200000; i++) {
        uint64_t lie = fixture_random(&random) >> (fixture_random(&random) % 64);
        switch (fixture_random(&random) % 6) {
        case 0:
            __atomic_store_n(&consumer.ring->head, consumer.index + lie, __ATOMIC_RELEASE);
            break;
        case 1:
            __atomic_store_n(&producer.ring->tail, producer.index - lie, __ATOMIC_RELEASE);
            break;
        case 2:
            producer.ring->capacity = (uint32_t)lie;
            break;
        case 3:
            pushed += sl_ring_push(&producer, &lie, sizeof(lie));
            break;
        default:
            popped += sl_ring_pop(&consumer, record, sizeof(record));
        }
    }
    assert_true(pushed > 0 && popped > 0 && consumer.garbled > 0 && producer.garbled > 0);
    // Once the peer tells the truth again, both sides find together.
    __atomic_store_n(&producer.ring->tail, producer.index, __ATOMIC_RELEASE);
    __atomic_store_n(&consumer.ring->head, producer.index, __ATOMIC_RELEASE);
    while (sl_ring_pop(&consumer, record, sizeof(record)) || consumer.index != producer.index)
        ;
    assert_true(push(5));
    assert_true(pop(&number));
    assert_int_equal(number, 5);
}

// ---- two at once --------------------------------------------------------------------------------------------

#define STREAM 200000u

// Pushes 1..STREAM, trying again where the ring is full: the stream must arrive without a gap.
static void *stream_out(void *argument)
{
    for (uint64_t i = 1; i <= STREAM; i++)
        while (!push(i))
            sched_yield();
    return argument;
}

static void stream_in(void)
{
    uint64_t number;

    for (uint64_t i = 1; i <= STREAM; i++) {
        while (!pop(&number))
            sched_yield();
        if (number != i)
            abort();
    }
}

static void two_threads_stream_without_a_gap(void **state)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, stream_out, NULL), 0);
    stream_in();
    pthread_join(thread, NULL);
}

static void two_processes_stream_without_a_gap(void **state)
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        struct sl_ring_end mine;
        if (sl_ring_open_producer(fixture.run_dir, "event", 8, &mine, NULL) != 0)
            _exit(1);
        producer = mine;
        stream_out(NULL);
        _exit(0);
    }
    stream_in();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(records_come_in_order),
        TEST(a_full_ring_counts_what_it_loses),
        TEST(the_rest_of_a_record_is_zero),
        TEST(a_restarted_end_goes_on_where_it_stopped),
        TEST(a_ring_that_cannot_be_is_refused),
        TEST(a_peer_that_lies_sends_nobody_out_of_bounds),
        TEST(two_threads_stream_without_a_gap),
        TEST(two_processes_stream_without_a_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
