// SPDX-License-Identifier: Apache-2.0
// Getting at results: short names for jansson's long ones. What is absent is 0, "" or NULL, so that an older sluiced's
// answers print with gaps. One thread.
#ifndef CTL_SHOW_H
#define CTL_SHOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include "command.h"

static inline const char *get_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

static inline uint64_t get_number(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

static inline bool get_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

// "text" or "-".
static inline const char *get_or_dash(const json_t *object, const char *key)
{
    const char *text = get_text(object, key);

    return text[0] ? text : "-";
}

// Seconds between two results by their clock_ns; 0 where there is no earlier one, or the counters started anew.
double show_interval(const json_t *result, const json_t *before);
// Growth of a counter per second; -1 where there is no interval.
double show_rate(const json_t *now, const json_t *before, const char *key, double interval);
// The element of an earlier list whose `key` is the same, or NULL.
const json_t *show_match(const json_t *before, const char *list, const char *key, const json_t *element);
// Texts of a list with commas; returns `out`.
const char *show_join(const json_t *list, char *out, size_t size);

#endif
