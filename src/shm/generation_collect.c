// SPDX-License-Identifier: Apache-2.0
// Removes the files of generations that nobody uses. Called by control alone. What it keeps is decided by the
// board: the published generation, the loaded one, those that workers of a running data plane use, and all
// between.
#include "shm/generation.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/manifest.h"

#define KEPT_TABLES_MAX      ((SL_MAX_WORKERS + 3) * SL_GENERATION_TABLES)
#define KEPT_GENERATIONS_MAX (SL_MAX_WORKERS + 2)

struct keep {
    uint32_t generation_count;
    uint64_t generation[KEPT_GENERATIONS_MAX];
    uint32_t table_count;
    struct sl_table_ref table[KEPT_TABLES_MAX];
};

static bool generation_is_kept(const struct keep *keep, uint64_t number)
{
    for (uint32_t i = 0; i < keep->generation_count; i++)
        if (keep->generation[i] == number)
            return true;
    return false;
}

static bool table_is_kept(const struct keep *keep, uint32_t kind, uint64_t serial)
{
    for (uint32_t i = 0; i < keep->table_count; i++)
        if (keep->table[i].kind == kind && keep->table[i].serial == serial)
            return true;
    return false;
}

static void keep_table(struct keep *keep, const struct sl_table_ref *ref)
{
    if (!table_is_kept(keep, ref->kind, ref->serial) && keep->table_count < KEPT_TABLES_MAX)
        keep->table[keep->table_count++] = *ref;
}

// Keeps a generation with all it names. One that cannot be read only matters where it is published.
static int keep_generation(struct keep *keep, const char *run_dir, uint64_t number, struct sl_error *error)
{
    struct sl_generation generation;

    if (number == 0 || generation_is_kept(keep, number))
        return 0;
    int code = sl_generation_read(run_dir, number, &generation, error);
    if (code != 0)
        return code;
    keep->generation[keep->generation_count++] = number;
    for (uint32_t i = 0; i < generation.table_count; i++)
        keep_table(keep, &generation.table[i]);
    return 0;
}

static int keep_fill(struct keep *keep, const char *run_dir, const struct sl_board *board,
                     struct sl_error *error)
{
    int code = keep_generation(keep, run_dir, __atomic_load_n(&board->published, __ATOMIC_ACQUIRE), error);

    if (code != 0 || !sl_board_dp_alive(board, sl_board_now_ns()))
        return code;
    // A generation the data plane uses is mapped already: its files are kept for those who look, and for a
    // rollback.
    keep_generation(keep, run_dir, __atomic_load_n(&board->loaded, __ATOMIC_ACQUIRE), NULL);
    for (unsigned i = 0; i < SL_MAX_WORKERS; i++)
        keep_generation(keep, run_dir, __atomic_load_n(&board->worker[i].live_generation, __ATOMIC_ACQUIRE),
                        NULL);
    return 0;
}

// Reads "17" up to `end` characters. False where it is anything else.
static bool number_read(const char *text, const char *end_text, uint64_t *number)
{
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *number = strtoull(text, &end, 10);
    return errno == 0 && strcmp(end, end_text) == 0;
}

// The kinds this process is the only maker of.
static uint32_t name_kind(const char *name, size_t stem_length)
{
    static const uint32_t kind[] = {SL_SEG_GENERATION, SL_SEG_PORT, SL_SEG_ROUTE, SL_SEG_NAT,
                                    SL_SEG_PREFILTER,  SL_SEG_BALANCE};

    for (unsigned i = 0; i < sizeof(kind) / sizeof(kind[0]); i++) {
        const char *stem = sl_segment_kind_name(kind[i]);
        if (strlen(stem) == stem_length && memcmp(stem, name, stem_length) == 0)
            return kind[i];
    }
    return 0;
}

// ".route.17.4711.tmp": left by a process that was killed while it made a table.
static bool draft_is_left_over(const char *name)
{
    char mine[32];
    size_t length = strlen(name);
    const char *dot = strchr(name, '.');

    if (!dot || name_kind(name, (size_t)(dot - name)) == 0 || length < 4 ||
        strcmp(name + length - 4, ".tmp") != 0)
        return false;
    int mine_length = snprintf(mine, sizeof(mine), ".%d.tmp", getpid());
    return length < (size_t)mine_length || strcmp(name + length - (size_t)mine_length, mine) != 0;
}

static bool file_is_garbage(const struct keep *keep, const char *name)
{
    uint64_t number;

    if (name[0] == '.')
        return draft_is_left_over(name + 1);
    const char *dot = strchr(name, '.');
    uint32_t kind = dot ? name_kind(name, (size_t)(dot - name)) : 0;
    if (kind == 0 || !number_read(dot + 1, "", &number))
        return false;
    return kind == SL_SEG_GENERATION ? !generation_is_kept(keep, number) : !table_is_kept(keep, kind, number);
}

static int garbage_remove(const struct keep *keep, const char *run_dir, struct sl_error *error)
{
    DIR *dir = opendir(run_dir);
    int removed = 0;

    if (!dir)
        return sl_error_set(error, -errno, "cannot list %s: %s", run_dir, strerror(errno));
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir))
        if (file_is_garbage(keep, entry->d_name) && sl_segment_unlink(run_dir, entry->d_name) == 0)
            removed++;
    closedir(dir);
    return removed;
}

int sl_generation_collect(const char *run_dir, const struct sl_board *board,
                          const struct sl_table_ref *tables, uint32_t table_count, struct sl_error *error)
{
    struct keep *keep = calloc(1, sizeof(*keep));

    if (!keep)
        return sl_error_set(error, -ENOMEM, "out of memory");
    int code = keep_fill(keep, run_dir, board, error);
    for (uint32_t i = 0; code == 0 && i < table_count; i++)
        keep_table(keep, &tables[i]);
    if (code == 0)
        code = garbage_remove(keep, run_dir, error);
    free(keep);
    return code;
}
