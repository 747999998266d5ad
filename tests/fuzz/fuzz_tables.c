// SPDX-License-Identifier: Apache-2.0
// Fuzzes the table checks: what they accept must be safe to walk. The first byte chooses the kind of table.
#include <stdlib.h>
#include <string.h>

#include "../unit/shm/fixture.h"
#include "fuzz.h"
#include "shm/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 1 << 22)
        return 0;
    enum sl_segment_kind kind = fixture_kind[data[0] % FIXTURE_KINDS];
    struct sl_error error;
    size_t table_size = size - 1;
    void *table; // of exactly its size: a sanitizer sees one byte too far

    if (posix_memalign(&table, 64, table_size ? table_size : 1) != 0)
        abort();
    memcpy(table, data + 1, table_size);
    if (sl_table_check(table, table_size, kind, &error) == 0)
        fixture_walk(table, kind);
    free(table);
    return 0;
}

uint8_t *fuzz_seed(unsigned index, size_t *size)
{
    uint64_t image_size;

    if (index >= FIXTURE_KINDS)
        return NULL;
    void *image = fixture_image(fixture_kind[index], 1, &image_size);
    uint8_t *seed = malloc(image_size + 1);
    if (!seed)
        abort();
    seed[0] = (uint8_t)index;
    memcpy(seed + 1, image, image_size);
    free(image);
    *size = image_size + 1;
    return seed;
}
