// SPDX-License-Identifier: Apache-2.0
// Makes docs/drops.md from drop.def, counter.def and stage.def, or checks that the page says what they say.
//
//     drops-page PAGE           writes it
//     drops-page --check PAGE   0 where it is current; else 1, and the command that mends it
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shm/counters.h"

#define PAGE_MOST (1 << 20)

static void rows(FILE *out, unsigned from, unsigned count, const char *(*name)(unsigned),
                 const char *(*text)(unsigned))
{
    for (unsigned i = from; i < count; i++)
        fprintf(out, "| `%s` | %s |\n", name(i), text(i));
}

static void page(FILE *out)
{
    fputs("<!-- Made by tools/gen/drops_page.c from src/shm/*.def: change those, then `ninja -C build "
          "drops-page`. -->\n"
          "# What is counted\n\n"
          "Every packet that goes no further is counted under exactly one reason; `sluicectl drops` shows "
          "them since "
          "the\nstart and per second.\n\n"
          "## Reasons a packet is dropped\n\n"
          "| reason | what happened, and what to look at |\n|---|---|\n",
          out);
    rows(out, SL_DROP_none + 1, SL_DROP_KINDS, sl_drop_name, sl_drop_text);
    fputs("\n## Other counters\n\n| counter | what it counts |\n|---|---|\n", out);
    rows(out, 0, SL_COUNTER_KINDS, sl_counter_name, sl_counter_text);
    fputs("\n## Stages whose cycles are counted\n\nIn the order a packet meets them; `sluicectl worker` "
          "shows cycles per "
          "packet of each.\n\n| stage | what its cycles are spent on |\n|---|---|\n",
          out);
    rows(out, 0, SL_STAGE_KINDS, sl_stage_name, sl_stage_text);
}

static int page_write(const char *path)
{
    FILE *file = fopen(path, "w");

    if (!file) {
        perror(path);
        return 2;
    }
    page(file);
    return fclose(file) == 0 ? 0 : 2;
}

static int page_check(const char *path)
{
    static char have[PAGE_MOST];
    char *want = NULL;
    size_t want_length = 0;
    FILE *file = fopen(path, "r"), *memory = open_memstream(&want, &want_length);

    if (!file || !memory) {
        perror(path);
        return 2;
    }
    page(memory);
    fclose(memory);
    size_t have_length = fread(have, 1, sizeof(have), file);
    fclose(file);
    int different = have_length != want_length || memcmp(have, want, want_length) != 0;
    free(want);
    if (different)
        fprintf(stderr, "%s is not what src/shm/*.def say: run 'ninja -C build drops-page'\n", path);
    return different;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--check") == 0)
        return page_check(argv[2]);
    if (argc == 2 && argv[1][0] != '-')
        return page_write(argv[1]);
    fprintf(stderr, "usage: %s [--check] PAGE\n", argv[0]);
    return 2;
}
