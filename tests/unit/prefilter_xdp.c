// SPDX-License-Identifier: Apache-2.0
// The XDP program against the verdict in C, on the same vectors, with real maps filled by control's code; and what
// control does to the maps. Needs the right to load programs: says so and skips where it is missing. The bpf file
// system is a private mount of this process.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#include "prefilter/xdp.h"
#include "prefilter_vectors.h"

#define IFINDEX 1 // BPF_PROG_TEST_RUN receives on lo

struct world {
    char directory[32];
    bool mounted;
    struct bpf_object *object;
    int program;
    struct prefilter_xdp *xdp;
    struct vectors_table table;
    char why[256]; // not to be run, and why
};

static int silent(enum libbpf_print_level level, const char *format, va_list arguments)
{
    return 0;
}

static int give_up(struct world *world, const char *what, int error)
{
    snprintf(world->why, sizeof(world->why), "%s: %s", what, strerror(error));
    return 0;
}

static int start(void **state)
{
    static struct world world = {.directory = "/tmp/sluice-bpf-XXXXXX"};
    struct sl_error error;

    *state = &world;
    world.table = vectors_table_new();
    libbpf_set_print(silent);
    if (!mkdtemp(world.directory))
        return -1;
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("bpf", world.directory, "bpf", 0, NULL) != 0)
        return give_up(&world, "cannot mount a bpf file system of its own (CAP_SYS_ADMIN)", errno);
    world.mounted = true;
    LIBBPF_OPTS(bpf_object_open_opts, options, .pin_root_path = world.directory);
    world.object = bpf_object__open_file(getenv("SLUICE_XDP_OBJECT"), &options);
    if (!world.object)
        return give_up(&world, "cannot open the program: SLUICE_XDP_OBJECT", errno);
    int status = bpf_object__load(world.object);
    if (status == -EPERM)
        return give_up(&world, "may not load a program (CAP_BPF, CAP_NET_ADMIN)", EPERM);
    if (status != 0)
        return -1; // the verifier does not like it
    world.program = bpf_program__fd(bpf_object__find_program_by_name(world.object, "sluice_prefilter"));
    return prefilter_xdp_open(&world.xdp, world.directory, &error);
}

static int stop(void **state)
{
    struct world *world = *state;

    prefilter_xdp_close(world->xdp);
    bpf_object__close(world->object);
    free(world->table.table);
    if (world->mounted)
        umount(world->directory);
    rmdir(world->directory);
    return 0;
}

// Skips with the reason where there is no program.
static struct world *world_of(void **state)
{
    struct world *world = *state;

    if (world->why[0]) {
        print_message("skipped: %s\n", world->why);
        skip();
    }
    return world;
}

static void rules_apply(struct world *world, unsigned port)
{
    struct prefilter_xdp_port at = {.ifindex = IFINDEX, .slot = port};
    struct sl_error error = {{0}};
    int status = prefilter_xdp_apply(world->xdp, world->table.table, world->table.size, &at, 1, &error);

    if (status != 0)
        fail_msg("%s", error.text);
}

struct outcome {
    bool dropped;
    enum sl_drop drop;
    uint32_t hit;
};

struct counted {
    uint64_t drop[SL_DROP_KINDS];
    struct sl_prefilter_hits hits;
};

static void count(struct world *world, struct counted *counted)
{
    assert_int_equal(prefilter_xdp_drops(world->xdp, counted->drop), 0);
    assert_int_equal(prefilter_xdp_hits(world->xdp, IFINDEX, &counted->hits), 0);
}

// Which of the counters moved, at most one each.
static struct outcome run(struct world *world, const uint8_t *frame, unsigned length)
{
    struct counted before, after;
    struct outcome outcome = {.drop = SL_DROP_none, .hit = PREFILTER_NO_RULE};
    uint8_t out[VECTOR_FRAME + 64];

    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = length, .data_out = out,
                .data_size_out = sizeof(out), .repeat = 1);
    count(world, &before);
    assert_int_equal(bpf_prog_test_run_opts(world->program, &options), 0);
    count(world, &after);
    outcome.dropped = options.retval == XDP_DROP;
    assert_true(outcome.dropped || options.retval == XDP_PASS); // no socket is there to redirect to
    for (unsigned i = 0; i < SL_DROP_KINDS; i++)
        if (after.drop[i] != before.drop[i])
            outcome.drop = i;
    for (unsigned i = 0; i < SL_PREFILTER_RULES; i++)
        if (after.hits.rule[i] != before.hits.rule[i])
            outcome.hit = i;
    assert_int_equal(after.hits.drop_packets - before.hits.drop_packets, outcome.dropped);
    return outcome;
}

static void prefilter_verdict_in_c_is_what_the_vectors_say(void **state)
{
    struct world *world = *state;
    uint8_t frame[VECTOR_FRAME];
    uint32_t hit;

    for (unsigned i = 0; i < VECTORS; i++) {
        const struct vector *v = &vectors[i];
        unsigned length = vectors_frame(v, frame);
        enum sl_drop drop = vectors_verdict(world->table.table, v->port, frame, length, &hit);
        if (drop != v->drop || hit != v->hit)
            fail_msg("%s: drop %u, hit %u", v->name, drop, hit);
    }
}

static void prefilter_in_xdp_is_what_the_vectors_say(void **state)
{
    struct world *world = world_of(state);
    uint8_t frame[VECTOR_FRAME];

    for (unsigned port = 0; port < VECTOR_PORTS; port++) {
        rules_apply(world, port);
        for (unsigned i = 0; i < VECTORS; i++) {
            const struct vector *v = &vectors[i];
            if (v->port != port)
                continue;
            struct outcome outcome = run(world, frame, vectors_frame(v, frame));
            if (outcome.drop != v->drop || outcome.hit != v->hit ||
                outcome.dropped != (v->drop != SL_DROP_none))
                fail_msg("%s: drop %u, hit %u", v->name, outcome.drop, outcome.hit);
        }
    }
}

static void prefilter_in_xdp_agrees_with_c_on_random_frames(void **state)
{
    struct world *world = world_of(state);
    struct random r = random_seeded(__func__);
    uint8_t frame[VECTOR_FRAME];
    uint32_t hit, drops = 0;

    for (unsigned port = 0; port < VECTOR_PORTS; port++) {
        rules_apply(world, port);
        for (unsigned i = 0; i < 2000; i++) {
            unsigned length = vectors_random_frame(&r, frame);
            enum sl_drop drop = vectors_verdict(world->table.table, port, frame, length, &hit);
            struct outcome outcome = run(world, frame, length);
            if (outcome.drop != drop || outcome.hit != hit || outcome.dropped != (drop != SL_DROP_none))
                fail_msg("port %u frame %u: C drop %u hit %u, XDP drop %u hit %u", port, i, drop, hit,
                         outcome.drop, outcome.hit);
            drops += outcome.dropped;
        }
    }
    assert_in_range(drops, 1000, 7000); // both ways were gone
}

static void prefilter_without_rules_lets_all_but_malformed_pass_in_xdp(void **state)
{
    struct world *world = world_of(state);
    struct sl_error error;
    uint8_t frame[VECTOR_FRAME];

    assert_int_equal(prefilter_xdp_apply(world->xdp, NULL, 0, NULL, 0, &error), 0);
    unsigned length = vectors_packet("127.0.0.1", OUT, 17, frame);
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = length, .repeat = 1);
    assert_int_equal(bpf_prog_test_run_opts(world->program, &options), 0);
    assert_int_equal(options.retval, XDP_PASS);
    frame[14] = 0x44;
    assert_int_equal(bpf_prog_test_run_opts(world->program, &options), 0);
    assert_int_equal(options.retval, XDP_DROP);
}

// Maps in use by slot.
static unsigned slots_used(struct world *world)
{
    int sets = bpf_object__find_map_fd_by_name(world->object, SL_PREFILTER_MAP_SETS);
    unsigned used = 0;

    for (uint32_t i = 0; i + 1 < SL_PREFILTER_SLOTS; i++) {
        uint32_t id;
        used += bpf_map_lookup_elem(sets, &i, &id) == 0;
    }
    return used;
}

static void prefilter_sets_that_no_rule_names_any_more_leave_the_kernel(void **state)
{
    struct world *world = world_of(state);
    struct sl_error error;
    struct prefilter_xdp *later;

    rules_apply(world, 3);
    assert_int_equal(slots_used(world), 3);
    rules_apply(world, 0);
    assert_int_equal(slots_used(world), 2);
    rules_apply(world, 0); // the same again changes nothing
    assert_int_equal(slots_used(world), 2);

    // A control process that starts later takes them over, and replaces them.
    assert_int_equal(prefilter_xdp_open(&later, world->directory, &error), 0);
    assert_int_equal(slots_used(world), 2);
    struct prefilter_xdp_port at = {.ifindex = IFINDEX, .slot = 1};
    assert_int_equal(prefilter_xdp_apply(later, world->table.table, world->table.size, &at, 1, &error), 0);
    assert_int_equal(slots_used(world), 4);
    assert_int_equal(prefilter_xdp_apply(later, NULL, 0, NULL, 0, &error), 0);
    assert_int_equal(slots_used(world), 0);
    prefilter_xdp_close(later);
    prefilter_xdp_close(world->xdp);
    assert_int_equal(prefilter_xdp_open(&world->xdp, world->directory, &error), 0);
}

static void prefilter_table_that_lies_changes_nothing_in_xdp(void **state)
{
    struct world *world = world_of(state);
    struct prefilter_xdp_port at[2] = {{.ifindex = IFINDEX, .slot = 0}, {.ifindex = 2, .slot = 1}};
    struct sl_error error = {{0}};
    uint8_t frame[VECTOR_FRAME];

    rules_apply(world, 0);
    uint64_t short_by = world->table.size - 1; // the last set, which port 1 names, ends outside
    assert_int_equal(prefilter_xdp_apply(world->xdp, world->table.table, short_by, at, 2, &error), -EINVAL);
    assert_non_null(strstr(error.text, "outside"));
    assert_int_equal(slots_used(world), 2);
    unsigned length = vectors_packet("203.0.113.1", OUT, 17, frame);
    assert_int_equal(run(world, frame, length).drop, SL_DROP_prefilter_denied);
}

static void prefilter_open_says_how_to_mend_what_is_missing(void **state)
{
    struct world *world = world_of(state);
    struct sl_error error = {{0}};
    struct prefilter_xdp *none = NULL;
    char path[64];

    assert_true(prefilter_xdp_open(&none, "/tmp", &error) < 0);
    assert_non_null(strstr(error.text, "mount -t bpf"));
    snprintf(path, sizeof(path), "%s/" SL_PREFILTER_MAP_HITS, world->directory);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(prefilter_xdp_open(&none, world->directory, &error), -ENOENT);
    assert_non_null(strstr(error.text, "sluice-dp"));
    int other = bpf_map_create(BPF_MAP_TYPE_HASH, "other", 4, 8, 1, NULL);
    assert_int_equal(bpf_obj_pin(other, path), 0);
    close(other);
    assert_int_equal(prefilter_xdp_open(&none, world->directory, &error), -EPROTO);
    assert_non_null(strstr(error.text, "another version"));
    assert_int_equal(unlink(path), 0);
    struct bpf_map *hits = bpf_object__find_map_by_name(world->object, SL_PREFILTER_MAP_HITS);
    assert_int_equal(bpf_obj_pin(bpf_map__fd(hits), path), 0);
}

static uint32_t map_id(struct bpf_object *object, const char *name)
{
    struct bpf_map_info info = {0};
    uint32_t length = sizeof(info);

    assert_int_equal(bpf_obj_get_info_by_fd(bpf_object__find_map_fd_by_name(object, name), &info, &length),
                     0);
    return info.id;
}

static void prefilter_program_of_another_port_shares_all_maps_but_its_sockets(void **state)
{
    struct world *world = world_of(state);
    const char *shared[] = {SL_PREFILTER_MAP_SETS, SL_PREFILTER_MAP_PORTS, SL_PREFILTER_MAP_DROPS,
                            SL_PREFILTER_MAP_HITS};

    LIBBPF_OPTS(bpf_object_open_opts, options, .pin_root_path = world->directory);
    struct bpf_object *second = bpf_object__open_file(getenv("SLUICE_XDP_OBJECT"), &options);
    assert_non_null(second);
    assert_int_equal(bpf_object__load(second), 0);
    for (unsigned i = 0; i < sizeof(shared) / sizeof(shared[0]); i++)
        assert_int_equal(map_id(world->object, shared[i]), map_id(second, shared[i]));
    assert_int_not_equal(map_id(world->object, "xsks_map"), map_id(second, "xsks_map"));
    bpf_object__close(second);
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

// Times are printed, not asserted: the machine may be busy.
static void prefilter_set_of_a_million_prefixes_loads_in_bulk(void **state)
{
    struct world *world = world_of(state);
    struct random r = random_seeded(__func__);
    struct sl_prefix_set set = {0};
    struct sl_prefix denied = {0};
    uint8_t frame[VECTOR_FRAME];

    for (unsigned i = 0; i < 1000000; i++) {
        denied = random_masked(sl_ip_v4(__builtin_bswap32(0x01000000 + random_below(&r, 0x7d000000))), 32);
        assert_int_equal(sl_prefix_set_add(&set, &denied), 0);
    }
    double begin = now_ms();
    assert_int_equal(sl_prefix_set_finish(&set), 0);
    uint64_t size = 4096 + sl_prefix_set_size(&set);
    struct sl_prefilter_table *table = aligned_alloc(64, size);
    memset(table, 0, size);
    struct sl_prefilter_set *entry = (struct sl_prefilter_set *)(table + 1);
    struct sl_prefilter_port *rules = (struct sl_prefilter_port *)(entry + 1);
    table->set_count = table->port_count = 1;
    table->set_offset = sizeof(*table);
    table->port_offset = sizeof(*table) + sizeof(*entry);
    *rules = (struct sl_prefilter_port){.rule_count = 1, .rule = {{0, SL_PREFILTER_DENY, 0}}};
    *entry = (struct sl_prefilter_set){.blob_offset = 4096, .blob_size = size - 4096};
    assert_int_equal(sl_prefix_set_build(&set, (uint8_t *)table + 4096, size - 4096), 0);
    double built = now_ms();
    struct prefilter_xdp_port at = {.ifindex = IFINDEX, .slot = 0};
    struct sl_error error;
    assert_int_equal(prefilter_xdp_apply(world->xdp, table, size, &at, 1, &error), 0);
    print_message("%zu prefixes, %.0f MiB: built in %.0f ms, live in XDP after %.0f ms more\n", set.count,
                  (double)size / (1 << 20), built - begin, now_ms() - built);

    char text[SL_IP_TEXT];
    unsigned length = vectors_packet(sl_ip_format(&denied.ip, text), OUT, 17, frame);
    assert_int_equal(run(world, frame, length).drop, SL_DROP_prefilter_denied);
    length = vectors_packet("198.18.0.1", OUT, 17, frame);
    assert_int_equal(run(world, frame, length).drop, SL_DROP_none);
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = length, .repeat = 1000000);
    assert_int_equal(bpf_prog_test_run_opts(world->program, &options), 0);
    print_message("one source not in it: %u ns\n", options.duration);
    sl_prefix_set_fini(&set);
    free(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefilter_verdict_in_c_is_what_the_vectors_say),
        cmocka_unit_test(prefilter_in_xdp_is_what_the_vectors_say),
        cmocka_unit_test(prefilter_in_xdp_agrees_with_c_on_random_frames),
        cmocka_unit_test(prefilter_without_rules_lets_all_but_malformed_pass_in_xdp),
        cmocka_unit_test(prefilter_sets_that_no_rule_names_any_more_leave_the_kernel),
        cmocka_unit_test(prefilter_table_that_lies_changes_nothing_in_xdp),
        cmocka_unit_test(prefilter_open_says_how_to_mend_what_is_missing),
        cmocka_unit_test(prefilter_program_of_another_port_shares_all_maps_but_its_sockets),
        cmocka_unit_test(prefilter_set_of_a_million_prefixes_loads_in_bulk),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
