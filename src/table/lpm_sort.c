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

// The keys in which any two items differ: of IPv4 prefixes alone those are five.
static unsigned keys_in_use(const struct sl_lpm_item *item, size_t count, uint8_t use[KEYS])
{
    struct sl_ip differ = {0};
    unsigned lengths = 0, families = 0, keys = 0;

    for (size_t i = 1; i < count; i++) {
        differ.q[0] |= item[i].prefix.ip.q[0] ^ item[0].prefix.ip.q[0];
        differ.q[1] |= item[i].prefix.ip.q[1] ^ item[0].prefix.ip.q[1];
        lengths |= item[i].prefix.len ^ item[0].prefix.len;
        families |= sl_ip_is_v4(&item[i].prefix.ip) ^ sl_ip_is_v4(&item[0].prefix.ip);
    }
    for (unsigned key = 0; key < KEYS; key++)
        if (key == 0 ? lengths : key <= 16 ? differ.b[16 - key] : families)
            use[keys++] = (uint8_t)key;
    return keys;
}

int sl_lpm_sort(struct sl_lpm_item *item, size_t count)
{
    size_t histogram[KEYS][256] = {0};
    uint8_t use[KEYS];

    if (sorted(item, count)) // often: files usually are
        return 0;
    struct sl_lpm_item *scratch = malloc(count * sizeof(*scratch));
    if (!scratch)
        return -ENOMEM;
    unsigned keys = keys_in_use(item, count, use);
    for (size_t i = 0; i < count; i++)
        for (unsigned k = 0; k < keys; k++)
            histogram[k][key_byte(&item[i], use[k])]++;

    struct sl_lpm_item *from = item, *to = scratch;
    for (unsigned k = 0; k < keys; k++) {
        pass(from, to, count, use[k], histogram[k]);
        struct sl_lpm_item *swap = from;
        from = to;
        to = swap;
    }
    if (from != item)
        memcpy(item, from, count * sizeof(*item));
    free(scratch);
    return 0;
}
