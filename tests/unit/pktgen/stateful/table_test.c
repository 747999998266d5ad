// SPDX-License-Identifier: Apache-2.0
// The connection tables at a million entries against an array of truths, the tuples against division, the wheel against
// a list of deadlines.
#include "net.h"

#define MILLION 1000000u

static void a_tuple_and_its_number_are_one_another(void **state)
{
    struct test_random random = test_random_start("tuple");
    for (unsigned i = 0; i < 200000; i++) {
        struct endpoint_range client = {.addresses = 1 + test_random_below(&random, 300),
                                        .ports = 1 + test_random_below(&random, 500)};
        struct endpoint_range server = {.addresses = 1 + test_random_below(&random, 9),
                                        .ports = 1 + test_random_below(&random, 9)};
        uint32_t all = tuple_count(&client, &server), slots = 1 + test_random_below(&random, all);
        struct tuple_space space = tuple_space_make(&client, &server, slots);
        uint32_t number = test_random_below(&random, all);
        struct tuple t = tuple_split(&space, number);
        assert_int_equal(t.server_address, number % server.addresses);
        assert_int_equal(t.server_port, number / server.addresses % server.ports);
        assert_int_equal(t.client_address, number / server.addresses / server.ports % client.addresses);
        assert_int_equal(t.client_port, number / server.addresses / server.ports / client.addresses);
        assert_int_equal(tuple_join(&space, &t), number);
        assert_int_equal(divisor_modulo(space.slots, number), slots == 1 ? 0 : number % slots);
        assert_int_equal(space.laps, all / slots);
    }
}

static void a_million_server_connections_are_found_as_in_a_naive_table(void **state)
{
    struct test_random random = test_random_start("table");
    struct endpoint_config config = net_config(true);
    struct engine *engine = calloc(1, sizeof(*engine));
    uint8_t *present = calloc(2 * MILLION, 1), frame[NET_FRAME] __attribute__((aligned(8)));
    static const uint8_t mac[6] = {2};
    config.connections = MILLION;
    assert_int_equal(engine_init(engine, &config, 0, NULL), 0);
    engine->outbox.frame[0] = frame;
    uint32_t count = 0;
    for (unsigned i = 0; i < 6 * MILLION; i++) {
        uint32_t n = test_random_below(&random, 2 * MILLION);
        struct segment s = {.flags = SL_TCP_SYN, .src_mac = mac};
        s.key.peer = sl_ip_v4(n / 50000);
        s.key.peer_port = (uint16_t)(n % 50000);
        s.key.own = sl_host32(config.own.first.w[3]) + n % 2;
        s.key.own_port = (uint16_t)(80 + n % 3);
        uint32_t hash = server_hash(engine, &s.key);
        struct connection *c = server_find(engine, &s, hash);
        assert_int_equal(c != NULL, present[n]);
        engine->outbox.count = 0;
        engine->outbox.room = 1;
        if (c) {
            assert_true(connection_key_equal(&c->key, &s.key));
            c->state = CONNECTION_FREE;
            server_free(engine, c);
            present[n] = 0;
            count--;
        } else if (count < MILLION) {
            server_accept(engine, &s, hash, 1);
            present[n] = 1;
            count++;
        }
        assert_int_equal(engine_open(engine), count);
    }
    assert_true(count > MILLION * 9 / 10);
    engine_fini(engine);
    free(engine);
    free(present);
}

static void a_million_client_connections_have_a_tuple_each(void **state)
{
    struct endpoint_config config = net_config(false);
    struct engine *engine = calloc(1, sizeof(*engine));
    uint8_t frame[NET_FRAME] __attribute__((aligned(8)));
    config.connections = MILLION;
    config.own.addresses = 200;
    assert_int_equal(engine_init(engine, &config, 0, NULL), 0);
    uint32_t tuples = tuple_count(&config.own, &config.peer);
    uint8_t *used = calloc(tuples, 1);
    engine->outbox.frame[0] = frame;
    for (unsigned i = 0; i < MILLION; i++) {
        struct segment s = {0};
        engine->outbox.count = 0;
        engine->outbox.room = 1;
        assert_int_equal(client_open(engine, 2, 1), 1);
        struct connection *c = &engine->connection[i];
        s.key = c->key;
        assert_ptr_equal(client_find(engine, &s), c);
        assert_int_equal(used[c->link]++, 0);
    }
    engine->outbox.count = 0;
    assert_int_equal(client_open(engine, 1, 1), 0);
    assert_int_equal(engine_open(engine), MILLION);
    engine_fini(engine);
    free(used);
    free(engine);
}

static void a_slot_takes_its_tuples_in_turn(void **state)
{
    struct endpoint_config client = net_config(false), server = net_config(true);
    client.connections = 7;
    client.own.addresses = 1;
    client.own.ports = 10; // 60 tuples: 8 laps of 7
    struct net *net = net_new("laps", &client, &server);
    uint32_t seen[60] = {0};
    for (unsigned i = 0; i < 56; i++) {
        net_run(net, i + 1, 1);
        for (unsigned k = 0; k < 7; k++)
            if (net->client.connection[k].link < 60 && k == i % 7)
                seen[net->client.connection[k].link]++;
    }
    assert_int_equal(net->client.counters.completed, 56);
    for (unsigned i = 0; i < 56; i++)
        assert_int_equal(seen[i], 1);
    net_free(net);
}

static void the_wheel_calls_each_connection_once_when_it_is_due(void **state)
{
    enum { COUNT = 3000 };
    struct test_random random = test_random_start("wheel");
    struct connection *connection = aligned_alloc(64, COUNT * sizeof(*connection));
    struct wheel *wheel = calloc(1, sizeof(*wheel));
    uint32_t due[COUNT] = {0}, now = UINT32_MAX - 5000, fired = 0; // over the end of the ticks
    memset(connection, 0, COUNT * sizeof(*connection));
    wheel_init(wheel, connection, now);
    for (unsigned round = 0; round < 30000; round++) {
        uint32_t i = test_random_below(&random, COUNT);
        connection[i].state = CONNECTION_OPEN;
        due[i] = now + 1 + test_random_below(&random, round % 10 ? 50 : 20000);
        wheel_set(wheel, i, due[i]);
        now += test_random_below(&random, 2);
        uint32_t budget = 1000000, index;
        while ((index = wheel_next(wheel, now, &budget)) != CONNECTION_NONE) {
            assert_int_equal(connection[index].state, CONNECTION_OPEN);
            assert_int_equal(due[index], now);
            connection[index].state = CONNECTION_FREE;
            fired++;
        }
        for (unsigned k = 0; k < COUNT && round % 100 == 0; k++)
            assert_false(connection[k].state == CONNECTION_OPEN && (int32_t)(due[k] - now) <= 0);
    }
    assert_true(fired > 10000);
    free(connection);
    free(wheel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tuple_and_its_number_are_one_another),
        cmocka_unit_test(a_million_server_connections_are_found_as_in_a_naive_table),
        cmocka_unit_test(a_million_client_connections_have_a_tuple_each),
        cmocka_unit_test(a_slot_takes_its_tuples_in_turn),
        cmocka_unit_test(the_wheel_calls_each_connection_once_when_it_is_due),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
