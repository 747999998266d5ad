// SPDX-License-Identifier: Apache-2.0
// The balance table as an image: which service an address and port meets, against a naive search; what the builder
// refuses; changes in place, alone and beside a thread that reads (built once more for ThreadSanitizer).
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>

#include "balance_pool.h"
#include "shm/check.h"

struct image {
    struct sl_balance_service service[200];
    struct sl_balance_pool pool[200];
    struct sl_balance_member member[2000];
    struct sl_balance_listen listen[2000];
    struct sl_balance_input input;
    struct sl_balance_table *table;
    uint64_t size;
    struct sl_error error;
};

// `count` services, each with a pool of `members`; no addresses yet.
static void image_init(struct image *im, uint32_t count, uint32_t members)
{
    memset(im, 0, sizeof(*im));
    for (uint32_t i = 0; i < count; i++) {
        im->service[i] = (struct sl_balance_service){.slot = i, .pool = i};
        im->pool[i] = (struct sl_balance_pool){.first = i * members, .count = members, .maglev_size = 101};
        snprintf(im->service[i].name, SL_BALANCE_NAME, "service%u", i);
        snprintf(im->pool[i].name, SL_BALANCE_NAME, "pool%u", i);
    }
    for (uint32_t i = 0; i < count * members; i++) {
        im->member[i] = member_numbered(i, 1);
        im->member[i].pool = i / members;
        im->member[i].slot = i;
    }
    im->input = (struct sl_balance_input){.service = im->service,
                                          .pool = im->pool,
                                          .member = im->member,
                                          .listen = im->listen,
                                          .service_count = count,
                                          .pool_count = count,
                                          .member_count = count * members};
}

static int image_build(struct image *im)
{
    im->size = sl_balance_size(&im->input);
    if (im->size == 0)
        return -ENOSPC;
    im->table = aligned_alloc(64, im->size);
    memset(im->table, 0, im->size);
    int code = sl_balance_build(&im->input, im->table, im->size, &im->error);
    if (code == 0 && sl_balance_table_check(im->table, im->size, &im->error) != 0)
        fail_msg("%s", im->error.text);
    return code;
}

static struct image *image_new(uint32_t services, uint32_t members)
{
    struct image *im = malloc(sizeof(*im));
    image_init(im, services, members);
    return im;
}

static void image_free(struct image *im)
{
    free(im->table);
    free(im);
}

static void listen_add(struct image *im, struct sl_ip ip, uint8_t proto, uint16_t first, uint16_t last,
                       uint32_t service)
{
    im->listen[im->input.listen_count++] = (struct sl_balance_listen){
        .ip = ip, .proto = proto, .first_port = first, .last_port = last, .service = service};
}

static struct sl_ip ip(const char *text)
{
    struct sl_ip read;
    assert_int_equal(sl_ip_parse(text, &read), 0);
    return read;
}

// ---- which service ------------------------------------------------------------------------------------------
static void the_most_exact_address_wins(void **state)
{
    struct image *im = image_new(6, 1);
    struct sl_ip v4 = ip("192.0.2.1"), v6 = ip("2001:db8::1");

    listen_add(im, v4, 0, 0, 65535, 0);
    listen_add(im, v4, IPPROTO_TCP, 0, 65535, 1);
    listen_add(im, v4, IPPROTO_TCP, 80, 90, 2);
    listen_add(im, v4, IPPROTO_TCP, 85, 85, 3);
    listen_add(im, v4, IPPROTO_UDP, 53, 53, 4);
    listen_add(im, v6, IPPROTO_SCTP, 1, 2, 5);
    assert_int_equal(image_build(im), 0);
    assert_int_equal(sl_balance_service_find(im->table, &v4, IPPROTO_TCP, 85), 3);
    assert_int_equal(sl_balance_service_find(im->table, &v4, IPPROTO_TCP, 84), 2);
    assert_int_equal(sl_balance_service_find(im->table, &v4, IPPROTO_TCP, 86), 2);
    assert_int_equal(sl_balance_service_find(im->table, &v4, IPPROTO_TCP, 91), 1);
    assert_int_equal(sl_balance_service_find(im->table, &v4, IPPROTO_TCP, 65535), 1);
    assert_int_equal(sl_balance_service_find(im->table, &v4, IPPROTO_TCP, 0), 1);
    assert_int_equal(sl_balance_service_find(im->table, &v4, IPPROTO_UDP, 53), 4);
    assert_int_equal(sl_balance_service_find(im->table, &v4, IPPROTO_UDP, 54), 0);
    assert_int_equal(sl_balance_service_find(im->table, &v4, IPPROTO_ICMP, 0), 0);
    assert_int_equal(sl_balance_service_find(im->table, &v6, IPPROTO_SCTP, 2), 5);
    assert_int_equal(sl_balance_service_find(im->table, &v6, IPPROTO_SCTP, 3), SL_BALANCE_NONE);
    assert_int_equal(sl_balance_service_find(im->table, &v6, IPPROTO_TCP, 2), SL_BALANCE_NONE);
    v6.b[15] = 2;
    assert_int_equal(sl_balance_service_find(im->table, &v6, IPPROTO_SCTP, 2), SL_BALANCE_NONE);
    image_free(im);
}

// Does `a` decide before `b`, both holding the packet?
static bool more_exact(const struct sl_balance_listen *a, const struct sl_balance_listen *b)
{
    int width_a = a->last_port - a->first_port, width_b = b->last_port - b->first_port;

    if ((a->proto == 0) != (b->proto == 0))
        return a->proto != 0;
    return width_a != width_b ? width_a < width_b : a->first_port < b->first_port;
}

static uint32_t naive_service(const struct image *im, const struct sl_ip *ip, uint8_t proto, uint16_t port)
{
    const struct sl_balance_listen *best = NULL;

    for (uint32_t i = 0; i < im->input.listen_count; i++) {
        const struct sl_balance_listen *l = &im->listen[i];
        bool holds = sl_ip_equal(&l->ip, ip) && (l->proto == 0 || l->proto == proto) &&
                     l->first_port <= port && port <= l->last_port;
        if (holds && (!best || more_exact(l, best)))
            best = l;
    }
    return best ? best->service : SL_BALANCE_NONE;
}

static bool listen_known(const struct image *im, const struct sl_balance_listen *one)
{
    for (uint32_t i = 0; i < im->input.listen_count; i++)
        if (sl_ip_equal(&im->listen[i].ip, &one->ip) && im->listen[i].proto == one->proto &&
            im->listen[i].first_port == one->first_port && im->listen[i].last_port == one->last_port)
            return true;
    return false;
}

// Few addresses and ports near each other, so that they meet.
static void listens_draw(struct image *im, struct random *random, uint32_t count)
{
    static const uint8_t proto[] = {0, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_GRE};

    while (count-- > 0) {
        uint32_t kind = random_below(random, 4);
        struct sl_balance_listen l = {.ip = random_ip(random, random_below(random, 2)),
                                      .proto = proto[random_below(random, 5)],
                                      .last_port = 65535,
                                      .service = random_below(random, im->input.service_count)};
        if (kind > 0 && l.proto != 0 && l.proto != IPPROTO_GRE) {
            l.first_port = (uint16_t)(random_below(random, 8) ? random_below(random, 60)
                                                              : 65476 + random_below(random, 60));
            l.last_port = (uint16_t)(l.first_port + (kind == 1 ? 0 : random_below(random, 60)));
            if (l.last_port < l.first_port)
                l.last_port = 65535;
        }
        if (!listen_known(im, &l))
            im->listen[im->input.listen_count++] = l;
    }
}

static void services_are_found_as_a_naive_search_finds_them(void **state)
{
    static const uint8_t proto[] = {IPPROTO_TCP,  IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_GRE,
                                    IPPROTO_ICMP, 0,           255};
    struct random random = random_seeded("services");

    for (unsigned round = 0; round < 30; round++) {
        struct image *im = image_new(1 + random_below(&random, 150), 1);
        listens_draw(im, &random, round * 40);
        if (image_build(im) != 0)
            fail_msg("%s", im->error.text);
        for (unsigned i = 0; i < 20000; i++) {
            uint32_t any = im->input.listen_count ? random_below(&random, im->input.listen_count) : 0;
            struct sl_ip at = random_below(&random, 8) && im->input.listen_count ? im->listen[any].ip
                                                                                 : random_ip(&random, i & 1);
            uint8_t p = proto[random_below(&random, sizeof(proto))];
            uint16_t port = (uint16_t)(random_below(&random, 4) ? random_below(&random, 125)
                                                                : 65470 + random_below(&random, 66));
            uint32_t want = naive_service(im, &at, p, port),
                     have = sl_balance_service_find(im->table, &at, p, port);
            if (want != have)
                fail_msg("round %u: protocol %u port %u: service %d instead of %d", round, p, port, (int)have,
                         (int)want);
        }
        image_free(im);
    }
}

static void many_addresses_are_all_found(void **state)
{
    struct image *im = image_new(1, 1);
    struct sl_balance_listen *listen = calloc(100000, sizeof(*listen));

    for (uint32_t i = 0; i < 100000; i++)
        listen[i] =
            (struct sl_balance_listen){.ip = sl_ip_v4(__builtin_bswap32(0xc6120000 + i)), .last_port = 65535};
    im->input.listen = listen;
    im->input.listen_count = 100000;
    assert_int_equal(image_build(im), 0);
    for (uint32_t i = 0; i < 100000; i++)
        assert_int_equal(sl_balance_service_find(im->table, &listen[i].ip, IPPROTO_TCP, 80), 0);
    struct sl_ip other = sl_ip_v4(__builtin_bswap32(0xc6120000 + 100000));
    assert_int_equal(sl_balance_service_find(im->table, &other, IPPROTO_TCP, 80), SL_BALANCE_NONE);
    free(listen);
    image_free(im);
}

static void slots_lead_to_services_and_members(void **state)
{
    struct image *im = image_new(3, 4);
    im->service[1].slot = SL_BALANCE_SERVICES - 1;
    im->member[5].slot = SL_BALANCE_MEMBERS - 1;
    assert_int_equal(image_build(im), 0);
    assert_ptr_equal(sl_balance_service_by_slot(im->table, SL_BALANCE_SERVICES - 1),
                     &sl_balance_services(im->table)[1]);
    assert_ptr_equal(sl_balance_member_by_slot(im->table, SL_BALANCE_MEMBERS - 1),
                     &sl_balance_members(im->table)[5]);
    assert_null(sl_balance_service_by_slot(im->table, 1));
    assert_null(sl_balance_member_by_slot(im->table, 5));
    assert_null(sl_balance_service_by_slot(im->table, SL_BALANCE_SERVICES));
    assert_null(sl_balance_member_by_slot(im->table, UINT32_MAX));
    image_free(im);
}

static void nothing_at_all_is_a_table(void **state)
{
    struct image *im = image_new(0, 0);
    struct sl_ip at = ip("192.0.2.1");
    assert_int_equal(image_build(im), 0);
    assert_int_equal(sl_balance_service_find(im->table, &at, IPPROTO_TCP, 80), SL_BALANCE_NONE);
    image_free(im);
}

// ---- what is refused ----------------------------------------------------------------------------------------
static void refused(struct image *im, int code, const char *part)
{
    assert_int_equal(image_build(im), code);
    if (part && !strstr(im->error.text, part))
        fail_msg("\"%s\" is not in \"%s\"", part, im->error.text);
    free(im->table);
    image_init(im, 3, 4);
}

static void what_makes_no_sense_is_refused(void **state)
{
    struct image *im = image_new(3, 4);
    struct sl_ip at = ip("192.0.2.1");

    im->service[1].pool = 3;
    refused(im, -EINVAL, "service1: of pool 3, there are 3");
    im->service[1].slot = 0;
    refused(im, -EINVAL, "services 0 and 1 both have slot 0");
    im->member[7].slot = 2;
    refused(im, -EINVAL, "members 2 and 7 both have slot 2");
    im->member[7].slot = SL_BALANCE_MEMBERS;
    refused(im, -ENOSPC, NULL);
    im->service[2].slot = UINT32_MAX;
    refused(im, -ENOSPC, NULL);
    im->member[5].ip = im->member[6].ip;
    refused(im, -EINVAL, "pool1: member 10.0.0.6 port 80 is there twice");
    im->pool[1].first = 5;
    refused(im, -EINVAL, "pool1: members 5 to 9");
    im->pool[2].count = 3;
    refused(im, -EINVAL, "12 members, the pools have 11");
    im->member[4].pool = 0;
    refused(im, -EINVAL, "pool1: member 0 is of pool 0");
    im->member[4].word = SL_BALANCE_WORD(SL_BALANCE_STATES, 1);
    refused(im, -EINVAL, "state 4");
    im->pool[0].method = SL_BALANCE_METHODS;
    refused(im, -EINVAL, "one of them is none");
    listen_add(im, at, IPPROTO_TCP, 80, 80, 3);
    refused(im, -EINVAL, "of a service that is none");
    listen_add(im, at, IPPROTO_TCP, 80, 79, 1);
    refused(im, -EINVAL, "192.0.2.1, protocol 6, ports 80-79: the last port is below");
    listen_add(im, at, IPPROTO_GRE, 80, 80, 1);
    refused(im, -EINVAL, "only TCP, UDP and SCTP");
    listen_add(im, at, IPPROTO_TCP, 80, 81, 1);
    listen_add(im, at, IPPROTO_TCP, 80, 81, 2);
    refused(im, -EINVAL, "is there twice");
    free(im);
}

static void too_small_a_file_is_refused(void **state)
{
    struct image *im = image_new(3, 4);
    assert_int_equal(image_build(im), 0);
    memset(im->table, 0, im->size);
    assert_int_equal(sl_balance_build(&im->input, im->table, 1024, &im->error), -ENOSPC);
    assert_non_null(strstr(im->error.text, "there are 1024"));
    image_free(im);
}

// ---- in place -----------------------------------------------------------------------------------------------
static struct sl_balance_change change_of(uint32_t member, enum sl_balance_state state, uint16_t weight)
{
    return (struct sl_balance_change){
        .member = member, .state = (uint8_t)state, .weight = weight, .since_ns = 1000 + member, .note = 7};
}

// The lookup in force is the one that a table built anew would have.
static void lookup_is_as_built(const struct image *im, uint32_t index)
{
    const struct sl_balance_pool *pool = &sl_balance_pools(im->table)[index];
    uint16_t *want = calloc(pool->lookup_capacity + 1, sizeof(*want));
    int64_t size = sl_balance_lookup_build(pool, &sl_balance_members(im->table)[pool->first], want);
    struct sl_balance_lookup have = sl_balance_lookup(im->table, pool);

    assert_int_equal(size, have.size);
    assert_memory_equal(want, have.entry, have.size * sizeof(*want));
    free(want);
}

static void changes_in_place_end_as_if_built_anew(void **state)
{
    struct random random = random_seeded("changes");
    struct image *im = image_new(SL_BALANCE_METHODS, 20);

    for (uint32_t i = 0; i < SL_BALANCE_METHODS; i++)
        im->pool[i].method = (uint8_t)i;
    assert_int_equal(image_build(im), 0);
    for (unsigned round = 0; round < 700; round++) {
        struct sl_balance_change change[5];
        uint32_t pool = round % SL_BALANCE_METHODS, count = random_below(&random, 6);
        for (uint32_t i = 0; i < count; i++)
            change[i] = change_of(random_below(&random, 20), random_below(&random, SL_BALANCE_STATES),
                                  (uint16_t)random_below(&random, 12));
        uint64_t epoch = im->table->epoch;
        assert_int_equal(sl_balance_update(im->table, pool, change, count), 0);
        assert_int_equal(im->table->epoch, epoch == 0 ? 2 : epoch + 1);
        for (uint32_t i = 0; i < SL_BALANCE_METHODS; i++)
            lookup_is_as_built(im, i);
        if (sl_balance_table_check(im->table, im->size, &im->error) != 0)
            fail_msg("%s", im->error.text);
        if (count == 1) {
            const struct sl_balance_member *m = &sl_balance_members(im->table)[20 * pool + change[0].member];
            assert_int_equal(m->word, SL_BALANCE_WORD(change[0].state, change[0].weight));
            assert_true(m->since_ns == 1000 + change[0].member && m->note == 7 && m->weight == 1);
        }
    }
    image_free(im);
}

static void changes_that_cannot_be_leave_all_as_it_was(void **state)
{
    struct image *im = image_new(2, 4);
    struct sl_balance_change change[2] = {change_of(1, SL_BALANCE_DOWN, 1), change_of(4, SL_BALANCE_UP, 1)};

    assert_int_equal(image_build(im), 0);
    assert_int_equal(sl_balance_update(im->table, 0, change, 2), -EINVAL);
    change[1] = change_of(2, SL_BALANCE_STATES, 1);
    assert_int_equal(sl_balance_update(im->table, 0, change, 2), -EINVAL);
    assert_int_equal(sl_balance_update(im->table, 2, change, 1), -EINVAL);
    assert_int_equal(im->table->epoch, 0);
    assert_int_equal(sl_balance_members(im->table)[1].word, SL_BALANCE_WORD(SL_BALANCE_UP, 1));
    image_free(im);
}

static uint64_t sweeps_of(struct image *im, uint32_t pool, enum sl_balance_state to)
{
    const struct sl_balance_change change = change_of(0, to, 1);
    uint64_t before = im->table->sweep_epoch;

    assert_int_equal(sl_balance_update(im->table, pool, &change, 1), 0);
    return im->table->sweep_epoch - before;
}

static void workers_are_told_when_flows_must_go(void **state)
{
    struct image *im = image_new(3, 4);
    static const uint8_t policy[] = {SL_BALANCE_KEEP, SL_BALANCE_RESET, SL_BALANCE_MOVE};

    for (uint32_t i = 0; i < 3; i++)
        im->pool[i].on_down = policy[i];
    assert_int_equal(image_build(im), 0);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(sweeps_of(im, i, SL_BALANCE_DRAIN), 0);
        assert_int_equal(sweeps_of(im, i, SL_BALANCE_DOWN), policy[i] != SL_BALANCE_KEEP);
        assert_int_equal(sweeps_of(im, i, SL_BALANCE_DOWN), 0); // is so already
        assert_int_equal(sweeps_of(im, i, SL_BALANCE_FLUSH), 1);
        assert_int_equal(sweeps_of(im, i, SL_BALANCE_UP), 0);
    }
    image_free(im);
}

// A control was killed after the words and before all of the entries.
static void what_was_left_half_done_is_repaired(void **state)
{
    struct image *im = image_new(3, 4);

    assert_int_equal(image_build(im), 0);
    struct sl_balance_member *member = (void *)((uint8_t *)im->table + im->table->member_offset);
    struct sl_balance_pool *pool = (void *)((uint8_t *)im->table + im->table->pool_offset);
    uint16_t *entry = (void *)((uint8_t *)im->table + pool[1].lookup_offset);
    im->table->epoch = 1;
    member[4].word = SL_BALANCE_WORD(SL_BALANCE_DOWN, 1);
    for (uint32_t i = 0; i < 50; i++)
        entry[i] = entry[i] ? entry[i] : 1;
    pool[2].lookup_size = 0;
    assert_int_equal(sl_balance_repair(im->table), 0);
    for (uint32_t i = 0; i < 3; i++)
        lookup_is_as_built(im, i);
    assert_true(im->table->epoch > 1 && im->table->sweep_epoch > 0);
    image_free(im);
}

// ---- beside a reader ----------------------------------------------------------------------------------------
struct race {
    const struct sl_balance_table *table;
    uint32_t stop, wrong;
    uint64_t picks;
};

// Members 0 and 1 are down all the time; 2 to 5 come and go, one of them at least is up.
static void *race_reader(void *argument)
{
    struct race *race = argument;
    const struct sl_balance_table *table = race->table;
    struct random random = {.state = 99};
    uint64_t epoch = 0;

    while (!__atomic_load_n(&race->stop, __ATOMIC_RELAXED)) {
        const struct sl_balance_pool *pool =
            &sl_balance_pools(table)[random_below(&random, table->pool_count)];
        struct sl_balance_lookup lookup = sl_balance_lookup(table, pool);
        uint32_t member = sl_balance_pick(&lookup, random_next(&random));
        uint64_t now = __atomic_load_n(&table->epoch, __ATOMIC_ACQUIRE);
        race->wrong += member < 2 || member >= pool->count || now < epoch;
        race->wrong += sl_balance_word_state(sl_balance_word(&sl_balance_members(table)[pool->first + 2])) >=
                       SL_BALANCE_STATES;
        epoch = now;
        race->picks++;
    }
    return NULL;
}

static void race_change(struct image *im, struct random *random)
{
    struct sl_balance_change change[4];
    uint32_t up = random_below(random, 4);

    for (uint32_t i = 0; i < 4; i++)
        change[i] = change_of(2 + i, i == up || random_below(random, 2) ? SL_BALANCE_UP : SL_BALANCE_DOWN,
                              (uint16_t)(1 + random_below(random, 9)));
    assert_int_equal(sl_balance_update(im->table, random_below(random, SL_BALANCE_METHODS), change, 4), 0);
}

static void a_reader_beside_changes_finds_members_that_may_be(void **state)
{
    struct random random = random_seeded("race");
    struct image *im = image_new(SL_BALANCE_METHODS, 6);
    pthread_t thread;

    for (uint32_t i = 0; i < SL_BALANCE_METHODS; i++) {
        im->pool[i].method = (uint8_t)i;
        im->member[6 * i].word = im->member[6 * i + 1].word = SL_BALANCE_WORD(SL_BALANCE_DOWN, 1);
    }
    assert_int_equal(image_build(im), 0);
    struct race race = {.table = im->table};
    assert_int_equal(pthread_create(&thread, NULL, race_reader, &race), 0);
    for (unsigned round = 0; round < 20000; round++)
        race_change(im, &random);
    __atomic_store_n(&race.stop, 1, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    assert_int_equal(race.wrong, 0);
    assert_true(race.picks > 0);
    image_free(im);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_exact_address_wins),
        cmocka_unit_test(services_are_found_as_a_naive_search_finds_them),
        cmocka_unit_test(many_addresses_are_all_found),
        cmocka_unit_test(slots_lead_to_services_and_members),
        cmocka_unit_test(nothing_at_all_is_a_table),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(too_small_a_file_is_refused),
        cmocka_unit_test(changes_in_place_end_as_if_built_anew),
        cmocka_unit_test(changes_that_cannot_be_leave_all_as_it_was),
        cmocka_unit_test(workers_are_told_when_flows_must_go),
        cmocka_unit_test(what_was_left_half_done_is_repaired),
        cmocka_unit_test(a_reader_beside_changes_finds_members_that_may_be),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
