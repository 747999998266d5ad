// SPDX-License-Identifier: Apache-2.0
// Segments: nothing is visible half made, and whatever is not ours is refused in a sentence that says what to do.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

static struct fixture fixture;

static int setup(void **state)
{
    fixture_init(&fixture);
    return 0;
}

static int teardown(void **state)
{
    fixture_fini(&fixture);
    return 0;
}

static struct sl_segment_spec spec_of(const char *name, uint64_t size)
{
    return (struct sl_segment_spec){
        .dir = fixture.run_dir, .name = name, .kind = SL_SEG_FLOW, .mode = SL_MODE_PRIVATE, .size = size};
}

static void make(const char *name, uint64_t size)
{
    struct sl_segment_draft draft;
    struct sl_segment_spec spec = spec_of(name, size);
    assert_int_equal(sl_segment_create(&spec, &draft, NULL), 0);
    assert_int_equal(sl_segment_commit(&draft, NULL, NULL), 0);
}

static int look(const char *name, struct sl_error *error)
{
    struct sl_segment_map map;
    int code = sl_segment_open(fixture.run_dir, name, SL_SEG_FLOW, false, &map, error);
    sl_segment_close(&map);
    return code;
}

static void a_segment_is_invisible_until_it_is_committed(void **state)
{
    struct sl_segment_draft draft;
    struct sl_segment_spec spec = spec_of("flow.0", 8192);

    assert_int_equal(sl_segment_create(&spec, &draft, NULL), 0);
    assert_int_equal(look("flow.0", NULL), -ENOENT);
    ((uint8_t *)draft.map.base)[8191] = 7;
    struct sl_segment_map made, seen;
    assert_int_equal(sl_segment_commit(&draft, &made, NULL), 0);
    assert_int_equal(sl_segment_open(fixture.run_dir, "flow.0", SL_SEG_FLOW, false, &seen, NULL), 0);
    assert_int_equal(((const uint8_t *)seen.base)[8191], 7);
    assert_int_equal(fixture_files(&fixture, "."), 2); // "." and "..": no temporary name is left
    sl_segment_close(&made);
    sl_segment_close(&seen);
}

static void an_aborted_segment_leaves_nothing(void **state)
{
    struct sl_segment_draft draft;
    struct sl_segment_spec spec = spec_of("flow.0", 4096);

    assert_int_equal(sl_segment_create(&spec, &draft, NULL), 0);
    sl_segment_abort(&draft);
    sl_segment_abort(&draft);
    assert_int_equal(fixture_files(&fixture, "flow"), 0);
    assert_int_equal(fixture_files(&fixture, "."), 2);
}

static void what_a_killed_maker_left_is_replaced(void **state)
{
    struct sl_segment_draft left;
    struct sl_segment_spec spec = spec_of("flow.0", 4096);

    assert_int_equal(sl_segment_create(&spec, &left, NULL), 0);
    make("flow.0", 8192);
    assert_int_equal(look("flow.0", NULL), 0);
    assert_int_equal(fixture_files(&fixture, "."), 2);
    sl_segment_close(&left.map);
}

static void the_mode_does_not_depend_on_the_umask(void **state)
{
    char path[128];
    struct stat status;
    mode_t before = umask(0077);

    make("flow.0", 4096);
    umask(before);
    snprintf(path, sizeof(path), "%s/flow.0", fixture.run_dir);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0640);
}

static void refused(uint64_t offset, const void *bytes, uint64_t len_bytes, int code, const char *part)
{
    struct sl_error error = {0};

    make("flow.0", 4096);
    fixture_patch(&fixture, "flow.0", offset, bytes, len_bytes);
    assert_int_equal(look("flow.0", &error), code);
    assert_non_null(strstr(error.text, "flow.0"));
    if (!strstr(error.text, part))
        fail_msg("\"%s\" is not in \"%s\"", part, error.text);
}

static void another_major_version_is_refused_with_both_numbers(void **state)
{
    const uint16_t major = 9;
    refused(offsetof(struct sl_segment, major), &major, sizeof(major), -EPROTO, "contract 9.");
    refused(offsetof(struct sl_segment, major), &major, sizeof(major), -EPROTO, "speaks 1.");
}

static void another_layout_of_the_same_version_is_refused(void **state)
{
    const uint64_t hash = 0x1234;
    refused(offsetof(struct sl_segment, layout_hash), &hash, sizeof(hash), -EPROTO, "one build");
}

static void a_newer_minor_version_is_read(void **state)
{
    const uint16_t minor = SL_SHM_MINOR + 1;
    const uint64_t hash = 0x1234;

    make("flow.0", 4096);
    fixture_patch(&fixture, "flow.0", offsetof(struct sl_segment, minor), &minor, sizeof(minor));
    fixture_patch(&fixture, "flow.0", offsetof(struct sl_segment, layout_hash), &hash, sizeof(hash));
    assert_int_equal(look("flow.0", NULL), 0);
}

static void damaged_headers_are_refused(void **state)
{
    const uint64_t magic = 0x21, size = 4095;
    const uint32_t kind = SL_SEG_RING, none = 99;

    refused(offsetof(struct sl_segment, magic), &magic, sizeof(magic), -EBADMSG, "not a segment");
    refused(offsetof(struct sl_segment, size), &size, sizeof(size), -EBADMSG,
            "4095 bytes, the file has 4096");
    refused(offsetof(struct sl_segment, kind), &kind, sizeof(kind), -EBADMSG, "(ring) where 8 (flow)");
    refused(offsetof(struct sl_segment, kind), &none, sizeof(none), -EBADMSG, "kind 99 (?)");
}

static void files_cut_short_are_refused(void **state)
{
    char path[128];
    struct sl_error error;

    snprintf(path, sizeof(path), "%s/flow.0", fixture.run_dir);
    for (off_t size = 0; size < 4096; size += 31) {
        make("flow.0", 4096);
        assert_int_equal(truncate(path, size), 0);
        assert_int_equal(look("flow.0", &error), -EBADMSG);
    }
}

static void a_directory_or_a_symbolic_link_is_no_segment(void **state)
{
    char path[128], target[128];

    snprintf(path, sizeof(path), "%s/flow.1", fixture.run_dir);
    snprintf(target, sizeof(target), "%s/flow.0", fixture.run_dir);
    make("flow.0", 4096);
    assert_int_equal(symlink(target, path), 0);
    assert_int_equal(look("flow.1", NULL), -ELOOP);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_not_equal(look("flow.1", NULL), 0);
    assert_int_equal(rmdir(path), 0);
}

static void a_full_file_system_is_an_error_and_not_a_signal(void **state)
{
    struct sl_segment_draft draft;
    struct sl_segment_spec spec = spec_of("flow.0", 1ull << 45);
    struct sl_error error;

    int code = sl_segment_create(&spec, &draft, &error);
    assert_true(code == -ENOSPC || code == -ENOMEM || code == -EFBIG);
    assert_non_null(strstr(error.text, "no room for flow.0"));
    assert_int_equal(fixture_files(&fixture, "."), 2);
}

static void the_first_of_two_makers_wins(void **state)
{
    struct sl_segment_draft first, second;
    struct sl_segment_spec spec = spec_of("board2", 4096);
    struct sl_segment_map map;

    spec.kind = SL_SEG_BOARD;
    assert_int_equal(sl_segment_create(&spec, &first, NULL), 0);
    assert_int_equal(sl_segment_commit_first(&first, NULL, NULL), 0);
    assert_int_equal(sl_segment_create(&spec, &second, NULL), 0);
    assert_int_equal(sl_segment_commit_first(&second, &map, NULL), -EEXIST);
}

static void a_role_is_claimed_once(void **state)
{
    struct sl_error error;
    int first = sl_run_dir_claim(fixture.run_dir, "control", &error);

    assert_true(first >= 0);
    assert_int_equal(sl_run_dir_claim(fixture.run_dir, "control", &error), -EBUSY);
    assert_non_null(strstr(error.text, "stop the other control first"));
    int other = sl_run_dir_claim(fixture.run_dir, "dataplane", &error);
    assert_true(other >= 0);
    close(first);
    int again = sl_run_dir_claim(fixture.run_dir, "control", &error);
    assert_true(again >= 0);
    close(other);
    close(again);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_segment_is_invisible_until_it_is_committed),
        TEST(an_aborted_segment_leaves_nothing),
        TEST(what_a_killed_maker_left_is_replaced),
        TEST(the_mode_does_not_depend_on_the_umask),
        TEST(another_major_version_is_refused_with_both_numbers),
        TEST(another_layout_of_the_same_version_is_refused),
        TEST(a_newer_minor_version_is_read),
        TEST(damaged_headers_are_refused),
        TEST(files_cut_short_are_refused),
        TEST(a_directory_or_a_symbolic_link_is_no_segment),
        TEST(a_full_file_system_is_an_error_and_not_a_signal),
        TEST(the_first_of_two_makers_wins),
        TEST(a_role_is_claimed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
