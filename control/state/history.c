// SPDX-License-Identifier: Apache-2.0
// The last configs that were applied. See stored.h.
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "state/stored.h"

#define NAME_BYTES 48
#define MOST_SEEN  1024 // files looked at; there are HISTORY_MOST unless somebody put more there

static const char *history_name(uint64_t id, char out[NAME_BYTES])
{
    snprintf(out, NAME_BYTES, "history/%" PRIu64 ".yaml", id);
    return out;
}

static int newest_first(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? 1 : x > y ? -1 : 0;
}

static unsigned history_scan(const char *dir, uint64_t id[MOST_SEEN])
{
    char path[4096];
    unsigned count = 0;

    snprintf(path, sizeof(path), "%s/history", dir);
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder && count < MOST_SEEN && (entry = readdir(folder));) {
        char *end;
        uint64_t number = strtoull(entry->d_name, &end, 10);
        if (end != entry->d_name && strcmp(end, ".yaml") == 0)
            id[count++] = number;
    }
    if (folder)
        closedir(folder);
    qsort(id, count, sizeof(id[0]), newest_first);
    return count;
}

unsigned history_list(const char *dir, uint64_t id[HISTORY_MOST])
{
    uint64_t seen[MOST_SEEN];
    unsigned count = history_scan(dir, seen);

    if (count > HISTORY_MOST)
        count = HISTORY_MOST;
    memcpy(id, seen, count * sizeof(id[0]));
    return count;
}

int history_add(const char *dir, const struct stored *stored, struct sl_error *error)
{
    char name[NAME_BYTES];
    uint64_t seen[MOST_SEEN];

    int rc = stored_write(dir, history_name(stored->id, name), stored, false, error);
    unsigned count = history_scan(dir, seen);
    for (unsigned i = HISTORY_MOST; i < count; i++)
        stored_remove(dir, history_name(seen[i], name));
    return rc;
}

int history_read(const char *dir, uint64_t id, struct stored *stored, struct sl_error *error)
{
    char name[NAME_BYTES];

    return stored_read(dir, history_name(id, name), stored, error);
}
