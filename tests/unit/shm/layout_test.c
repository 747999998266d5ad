// SPDX-License-Identifier: Apache-2.0
// The layout of everything shared stays as the golden file says, or the version changes. With --write FILE the program
// writes a new golden file instead: to be done together with the change of SL_SHM_MAJOR or SL_SHM_MINOR.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/segment.h"

#define LINE 160

static const char *golden_path;

static void field_print(char out[LINE], const struct sl_layout_field *field)
{
    snprintf(out, LINE, "%s %u %u\n", field->name, field->offset, field->size);
}

static int golden_write(const char *path)
{
    unsigned count;
    const struct sl_layout_field *field = sl_layout_fields(&count);
    FILE *file = fopen(path, "w");
    char line[LINE];

    if (!file)
        return 1;
    fprintf(file, "# struct.field offset size; written by unit-shm-layout --write\nversion %d.%d\n",
            SL_SHM_MAJOR, SL_SHM_MINOR);
    for (unsigned i = 0; i < count; i++) {
        field_print(line, &field[i]);
        fputs(line, file);
    }
    return fclose(file) == 0 ? 0 : 1;
}

// Compares line by line; prints each that differs. Returns how many.
static unsigned golden_compare(FILE *file)
{
    unsigned count, different = 0;
    const struct sl_layout_field *field = sl_layout_fields(&count);
    char want[LINE], have[LINE];

    for (unsigned i = 0; i < count; i++) {
        field_print(have, &field[i]);
        if (!fgets(want, sizeof(want), file))
            strcpy(want, "(nothing)\n");
        if (strcmp(want, have) != 0 && different++ < 20)
            print_error("golden: %s   now: %s", want, have);
    }
    while (fgets(want, sizeof(want), file) && ++different < 20)
        print_error("golden: %s   now: (nothing)\n", want);
    return different;
}

static void the_layout_changes_only_with_its_version(void **state)
{
    char line[LINE];
    int major = 0, minor = 0;
    FILE *file = fopen(golden_path, "r");

    assert_non_null(file);
    assert_non_null(fgets(line, sizeof(line), file));
    assert_int_equal(fscanf(file, "version %d.%d\n", &major, &minor), 2);
    unsigned different = golden_compare(file);
    fclose(file);
    bool same_version = major == SL_SHM_MAJOR && minor == SL_SHM_MINOR;
    if (different > 0 && same_version)
        fail_msg("%u fields moved, but the contract is still %d.%d: change SL_SHM_MAJOR (readers of the old "
                 "layout would "
                 "misread) or SL_SHM_MINOR (they would not) in layout.h, then: unit-shm-layout --write %s",
                 different, major, minor, golden_path);
    if (!same_version)
        fail_msg("the contract is %d.%d, the golden file of %d.%d: unit-shm-layout --write %s", SL_SHM_MAJOR,
                 SL_SHM_MINOR, major, minor, golden_path);
}

// "sl_command.neighbor.ip": a member of an unnamed struct, one of several in a union.
static bool in_union(const struct sl_layout_field *field)
{
    const char *dot = strchr(field->name, '.');
    return dot && strchr(dot + 1, '.');
}

// Fields of layout.def are in the order of the struct and leave no room in which an unlisted one could hide.
static void every_field_is_listed(void **state)
{
    unsigned count;
    const struct sl_layout_field *field = sl_layout_fields(&count);
    const struct sl_layout_field *whole = NULL;
    uint32_t end = 0;

    for (unsigned i = 0; i <= count; i++) {
        bool begins = i == count || !strchr(field[i].name, '.');
        uint32_t next = begins ? (whole ? whole->size : 0) : field[i].offset;
        // A gap smaller than a word may be the compiler's; alignment of a whole struct may be a line's.
        uint32_t room = begins ? 64 : 8;
        if (!begins && in_union(&field[i]))
            continue;
        if (whole && (next < end || next - end >= room) && !(begins && strcmp(whole->name, "sl_ring") == 0))
            fail_msg("%s: bytes %u to %u before %s are in no field of layout.def", whole->name, end, next,
                     i == count ? "its end" : field[i].name);
        if (i < count)
            end = begins ? 0 : field[i].offset + field[i].size;
        if (begins)
            whole = i < count ? &field[i] : NULL;
    }
}

static void the_hash_tells_counters_from_the_rest(void **state)
{
    assert_int_equal(sl_layout_hash(SL_SEG_PORT), sl_layout_hash(SL_SEG_BOARD));
    assert_int_not_equal(sl_layout_hash(SL_SEG_COUNTER), sl_layout_hash(SL_SEG_BOARD));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_layout_changes_only_with_its_version),
        cmocka_unit_test(every_field_is_listed),
        cmocka_unit_test(the_hash_tells_counters_from_the_rest),
    };

    if (argc == 3 && strcmp(argv[1], "--write") == 0)
        return golden_write(argv[2]);
    if (argc != 2) {
        fprintf(stderr, "usage: %s GOLDEN | --write GOLDEN\n", argv[0]);
        return 2;
    }
    golden_path = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
