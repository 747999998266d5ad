// SPDX-License-Identifier: Apache-2.0
// What the show functions share: rates between two results, lists as text. One thread; pure.
#include "show.h"

#include <string.h>

double show_interval(const json_t *result, const json_t *before)
{
    uint64_t now = get_number(result, "clock_ns"), then = before ? get_number(before, "clock_ns") : 0;

    return then && now > then ? (double)(now - then) / 1e9 : 0;
}

double show_rate(const json_t *now, const json_t *before, const char *key, double interval)
{
    uint64_t a = before ? get_number(before, key) : 0, b = get_number(now, key);

    // A counter that went back was started anew between the two.
    return interval <= 0 || !before || b < a ? -1 : (double)(b - a) / interval;
}

const json_t *show_match(const json_t *before, const char *list, const char *key, const json_t *element)
{
    json_t *wanted = json_object_get(element, key), *one;
    size_t i;

    json_array_foreach(json_object_get(before, list), i,
                       one) if (json_equal(json_object_get(one, key), wanted)) return one;
    return NULL;
}

const char *show_join(const json_t *list, char *out, size_t size)
{
    size_t used = 0, i;
    json_t *one;

    snprintf(out, size, "-");
    json_array_foreach(list, i, one)
    {
        const char *text = json_string_value(one);

        if (used < size)
            used += (size_t)snprintf(out + used, size - used, "%s%s", i ? ", " : "", text ? text : "?");
    }
    return out;
}
