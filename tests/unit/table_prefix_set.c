// SPDX-License-Identifier: Apache-2.0
// Prefix sets: text in, the fewest prefixes for the same addresses out, errors that name line and remedy.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "table/prefix_map.h"
#include "table/prefix_set.h"
#include "table_random.h"

static struct sl_lpm *set_build(struct sl_prefix_set *set, uint64_t *size)
{
    assert_int_equal(sl_prefix_set_finish(set), 0);
    *size = sl_prefix_set_size(set);
    struct sl_lpm *lpm = aligned_alloc(64, *size);
    assert_non_null(lpm);
    memset(lpm, 0, *size);
    assert_int_equal(sl_prefix_set_build(set, lpm, *size), 0);
    assert_int_equal(sl_lpm_check(lpm, *size, 1), 0);
    return lpm;
}

static int parse(struct sl_prefix_set *set, const char *text, struct sl_prefix_set_error *error)
{
    return sl_prefix_set_parse(set, text, strlen(text), error);
}

static void prefix_set_reads_lines_comments_and_both_families(void **state)
{
    static const char text[] =
        "# a list\n10.0.0.0/8\n\n  192.0.2.1 # a host\r\n\t2001:db8::/32\n::1\n0.0.0.0/32\n"
        "255.255.255.255";
    const char *in[] = {"10.255.0.1", "192.0.2.1", "2001:db8:ffff::", "::1", "0.0.0.0", "255.255.255.255"};
    const char *out[] = {"11.0.0.0", "192.0.2.2", "2001:db9::", "::", "::2", "0.0.0.1", "255.255.255.254"};
    struct sl_prefix_set set = {0};
    struct sl_prefix_set_error error;
    uint64_t size;
    struct sl_ip ip;

    assert_int_equal(parse(&set, text, &error), 0);
    struct sl_lpm *lpm = set_build(&set, &size);
    assert_int_equal(set.count_v4, 4);
    assert_int_equal(set.count_v6, 2);
    for (unsigned i = 0; i < sizeof(in) / sizeof(in[0]); i++) {
        assert_int_equal(sl_ip_parse(in[i], &ip), 0);
        assert_true(sl_prefix_set_contains(lpm, &ip));
    }
    for (unsigned i = 0; i < sizeof(out) / sizeof(out[0]); i++) {
        assert_int_equal(sl_ip_parse(out[i], &ip), 0);
        assert_false(sl_prefix_set_contains(lpm, &ip));
    }
    free(lpm);
    sl_prefix_set_fini(&set);
}

static void prefix_set_names_the_bad_line_and_its_remedy(void **state)
{
    const struct {
        const char *line, *words;
    } bad[] = {
        {"10.0.0.1/8", "write 10.0.0.0/8"},
        {"10.0.0.0/33", "too large"},
        {"10.0.0.0/", "no prefix"},
        {"10.0.0", "no prefix"},
        {"10.0.0.256", "no prefix"},
        {"10.0.0.01", "no prefix"},
        {"10.0.0.0/08", "no prefix"},
        {"10.0.0.0 10.0.0.1", "no prefix"},
        {"2001:db8::1/64", "write 2001:db8::/64"},
        {"2001:db8::/129", "too large"},
        {"hello", "no prefix"},
        {"1.2.3.4/-1", "no prefix"},
        {"0000000000000000000000000000000000000000000000000000000000000000000000000000000000", "no prefix"},
    };

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct sl_prefix_set set = {0};
        struct sl_prefix_set_error error;
        char text[256];
        snprintf(text, sizeof(text), "10.0.0.0/8\n# two\n%s\n11.0.0.0/8\n", bad[i].line);
        assert_int_equal(parse(&set, text, &error), -EINVAL);
        assert_int_equal(error.line, 3);
        assert_non_null(strstr(error.text, bad[i].words));
        assert_int_equal(set.count, 1);
        sl_prefix_set_fini(&set);
    }
}

static void prefix_set_file_errors_name_the_path(void **state)
{
    struct sl_prefix_set set = {0};
    struct sl_prefix_set_error error;
    char path[] = "/tmp/sluice-set-XXXXXX";
    int file = mkstemp(path);

    assert_true(file >= 0);
    assert_int_equal(sl_prefix_set_read(&set, path, &error), 0); // empty
    assert_int_equal(write(file, "10.0.0.0/8\nx\n", 13), 13);
    close(file);
    assert_int_equal(sl_prefix_set_read(&set, path, &error), -EINVAL);
    assert_int_equal(error.line, 2);
    assert_int_equal(set.count, 1);
    unlink(path);
    assert_int_equal(sl_prefix_set_read(&set, path, &error), -ENOENT);
    assert_int_equal(error.line, 0);
    assert_non_null(strstr(error.text, path));
    assert_int_equal(sl_prefix_set_read(&set, "/tmp", &error), -EISDIR);
    sl_prefix_set_fini(&set);
}

static void prefix_set_joins_halves_and_drops_what_is_covered(void **state)
{
    static const char text[] =
        "10.0.0.0/9\n10.128.0.0/10\n10.192.0.0/11\n10.224.0.0/11\n10.1.2.3\n10.0.0.0/9\n"
        "11.0.0.0/8\n::/1\n8000::/1\n10.0.0.128/25\n192.0.2.1\n192.0.2.2\n";
    const char *left[] = {"10.0.0.0/7", "192.0.2.1/32", "192.0.2.2/32", "::/0"};
    struct sl_prefix_set set = {0};
    struct sl_prefix_set_error error;
    char out[SL_PREFIX_TEXT];

    assert_int_equal(parse(&set, text, &error), 0);
    assert_int_equal(sl_prefix_set_finish(&set), 0);
    assert_int_equal(set.count, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_string_equal(sl_prefix_format(&set.item[i].prefix, out), left[i]);
    sl_prefix_set_fini(&set);
}

static void prefix_set_contains_what_its_prefixes_contain(void **state)
{
    struct random r = random_seeded(__func__);

    for (unsigned round = 0; round < 50; round++) {
        static struct naive naive;
        struct sl_prefix_set set = {0};
        uint64_t size;
        naive.count = 0;
        for (unsigned i = 0; i < 1 + round * 8; i++) {
            struct sl_prefix prefix = random_prefix(&r, random_below(&r, 2));
            if (prefix.len < 6 && random_below(&r, 4)) // few of those that cover nearly all
                continue;
            naive_set(&naive, &prefix, 1);
            assert_int_equal(sl_prefix_set_add(&set, &prefix), 0);
        }
        struct sl_lpm *lpm = set_build(&set, &size);
        for (unsigned i = 0; i < 1000; i++) {
            struct sl_ip ip = random_ip(&r, i % 2);
            assert_int_equal(sl_prefix_set_contains(lpm, &ip), naive_lookup(&naive, &ip, 255) != 0);
        }
        free(lpm);
        sl_prefix_set_fini(&set);
    }
}

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

// Times are printed, not asserted: the machine may be busy.
static void prefix_set_takes_a_million_lines(void **state)
{
    struct random r = random_seeded(__func__);
    const size_t lines = 1000000;
    char *text = malloc(lines * 56), *at = text;
    struct sl_prefix_set set = {0};
    struct sl_prefix_set_error error;
    struct sl_ip last = {0};
    uint64_t size;

    for (size_t i = 0; i < lines; i++) {
        char out[SL_PREFIX_TEXT];
        struct sl_prefix prefix =
            random_masked(sl_ip_v4((uint32_t)random_next(&r)), 24 + random_below(&r, 9));
        if (i % 4 == 0)
            prefix =
                random_masked((struct sl_ip){.q = {random_next(&r) | 0x20, 0}}, 32 + random_below(&r, 33));
        last = prefix.ip;
        at += sprintf(at, "%s\n", sl_prefix_format(&prefix, out));
    }
    double start = now_ms();
    assert_int_equal(sl_prefix_set_parse(&set, text, (size_t)(at - text), &error), 0);
    double parsed = now_ms();
    struct sl_lpm *lpm = set_build(&set, &size);
    printf("%zu lines: parse %.0f ms, sort, join, build and check %.0f ms, %.0f MiB\n", lines, parsed - start,
           now_ms() - parsed, (double)size / (1 << 20));
    assert_true(sl_prefix_set_contains(lpm, &last));
    free(lpm);
    free(text);
    sl_prefix_set_fini(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefix_set_reads_lines_comments_and_both_families),
        cmocka_unit_test(prefix_set_names_the_bad_line_and_its_remedy),
        cmocka_unit_test(prefix_set_file_errors_name_the_path),
        cmocka_unit_test(prefix_set_joins_halves_and_drops_what_is_covered),
        cmocka_unit_test(prefix_set_contains_what_its_prefixes_contain),
        cmocka_unit_test(prefix_set_takes_a_million_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
