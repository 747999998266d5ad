// SPDX-License-Identifier: Apache-2.0
// Radix sort of prefixes into the order of sl_prefix_compare(): least significant key byte first, passes whose byte
// is the same everywhere skipped, so a million IPv4 prefixes take five. Called by control, any thread.
#include "table/lpm_build.h"

#include <errno.h>
#include <stdlib.h>

#define KEYS 18 // length, address bytes from the last to the first, family

static unsigned key_byte(const struct sl_lpm_item *item, unsigned key)
{
    if (key == 0)
        return item->prefix.len;
    return key <= 16 ? item->prefix.ip.b[16 - key] : !sl_ip_is_v4(&item->prefix.ip);
}

static bool sorted(const struct sl_lpm_item *item, size_t count)
{
    for (size_t i = 1; i < count; i++)
        if (sl_prefix_compare(&item[i - 1].prefix, &item[i].prefix) > 0)
            return false;
    return true;
}

static void pass(const struct sl_lpm_item *from, struct sl_lpm_item *to, size_t count, unsigned key,
                 const size_t histogram[256])
{
    size_t place[256], sum = 0;

    for (unsigned i = 0; i < 256; i++) {
        place[i] = sum;
        sum += histogram[i];
    }
    for (size_t i = 0; i < count; i++)
        to[place[key_byte(&from[i], key)]++] = from[i];
}

int sl_lpm_sort(struct sl_lpm_item *item, size_t count)
{
    size_t histogram[KEYS][256] = {0};

    if (sorted(item, count)) // often: files usually are
        return 0;
    struct sl_lpm_item *scratch = malloc(count * sizeof(*scratch));
    if (!scratch)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        for (unsigned key = 0; key < KEYS; key++)
            histogram[key][key_byte(&item[i], key)]++;

    struct sl_lpm_item *from = item, *to = scratch;
    for (unsigned key = 0; key < KEYS; key++) {
        if (histogram[key][key_byte(&item[0], key)] == count)
            continue;
        pass(from, to, count, key, histogram[key]);
        struct sl_lpm_item *swap = from;
        from = to;
        to = swap;
    }
    if (from != item)
        memcpy(item, from, count * sizeof(*item));
    free(scratch);
    return 0;
}
