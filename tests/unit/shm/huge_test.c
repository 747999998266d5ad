// SPDX-License-Identifier: Apache-2.0
// Huge-page mappings of segment files: aligned, the same bytes for everyone before and after, nothing left mapped.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shm/huge.h"

static int file_of(uint64_t size)
{
    char path[] = "/dev/shm/sluice-huge-XXXXXX";
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    return fd;
}

static void huge_mappings_share_their_bytes_before_and_after_collapsing(void **state)
{
    const uint64_t sizes[] = {4096, SL_HUGE_PAGE - 1, SL_HUGE_PAGE, 3 * SL_HUGE_PAGE + 12345};

    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        int fd = file_of(sizes[i]);
        uint8_t *writer = sl_huge_map(fd, sizes[i], PROT_READ | PROT_WRITE);
        uint8_t *reader = sl_huge_map(fd, sizes[i], PROT_READ);
        assert_true(writer != MAP_FAILED && reader != MAP_FAILED);
        if (sizes[i] >= SL_HUGE_PAGE)
            assert_int_equal((uintptr_t)reader % SL_HUGE_PAGE, 0);
        for (uint64_t at = 0; at < sizes[i]; at += 509)
            writer[at] = (uint8_t)(at / 509);
        uint64_t done = sl_huge_collapse(reader, sizes[i]);
        assert_true(done <= sizes[i] && done % SL_HUGE_PAGE == 0);
        print_message("%llu of %llu bytes in huge pages\n", (unsigned long long)done,
                      (unsigned long long)sizes[i]);
        writer[sizes[i] - 1] = 77;
        for (uint64_t at = 0; at < sizes[i] - 1; at += 509)
            assert_int_equal(reader[at], (uint8_t)(at / 509));
        assert_int_equal(reader[sizes[i] - 1], 77);
        assert_int_equal(munmap(writer, sizes[i]), 0);
        assert_int_equal(munmap(reader, sizes[i]), 0);
        close(fd);
    }
}

// The room kept for alignment is given back: the number of mappings does not grow.
static unsigned mappings(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    unsigned lines = 0;
    int c;

    assert_non_null(maps);
    while ((c = fgetc(maps)) != EOF)
        lines += c == '\n';
    fclose(maps);
    return lines;
}

static void huge_mappings_leave_nothing_behind(void **state)
{
    int fd = file_of(3 * SL_HUGE_PAGE + 1);
    unsigned before = 0;

    for (unsigned i = 0; i < 50; i++) {
        void *base = sl_huge_map(fd, 3 * SL_HUGE_PAGE + 1, PROT_READ);
        assert_true(base != MAP_FAILED);
        assert_int_equal(munmap(base, 3 * SL_HUGE_PAGE + 1), 0);
        if (i == 5) // the allocator and stdio have settled
            before = mappings();
    }
    assert_in_range(mappings(), before - 2, before + 2);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(huge_mappings_share_their_bytes_before_and_after_collapsing),
        cmocka_unit_test(huge_mappings_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
