// SPDX-License-Identifier: Apache-2.0
#include "units.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    double factor;
};

// A number that begins with a digit and ends in one of the units.
static bool quantity(const char *text, const struct unit *units, double most, uint64_t *value)
{
    char *end;
    double number;

    if (*text < '0' || *text > '9' || text[1] == 'x' || text[1] == 'X') // strtod reads more than people write
        return false;
    number = strtod(text, &end);
    for (; units->name; units++)
        if (strcmp(end, units->name) == 0 && number * units->factor <= most) {
            *value = (uint64_t)(number * units->factor + 0.5);
            return true;
        }
    return false;
}

const char *units_time(const char *text, uint64_t *us)
{
    static const struct unit units[] = {{"us", 1}, {"ms", 1e3}, {"s", 1e6}, {0}};

    return quantity(text, units, 3600e6, us) ? NULL : "a time is wanted, such as 20ms (us, ms, s; at most an hour)";
}

const char *units_chance(const char *text, uint64_t *ppm)
{
    static const struct unit units[] = {{"%", 1e4}, {0}};

    return quantity(text, units, 1e6, ppm) ? NULL : "a chance is wanted, such as 0.1%";
}

const char *units_rate(const char *text, uint64_t *bps)
{
    static const struct unit units[] = {{"bit", 1}, {"kbit", 1e3}, {"mbit", 1e6}, {"gbit", 1e9}, {0}};

    return quantity(text, units, 1e12, bps) && *bps ? NULL : "a rate is wanted, such as 100mbit (bit, kbit, mbit, gbit)";
}

const char *units_bytes(const char *text, uint64_t *bytes)
{
    static const struct unit units[] = {{"", 1}, {"k", 1024}, {"m", 1048576}, {0}};

    return quantity(text, units, 1u << 30, bytes) && *bytes ? NULL : "bytes are wanted, such as 1500 or 64k";
}

static const char *halves(const char *text, char *first, size_t room, const char **second)
{
    const char *colon = strchr(text, ':');

    if (!colon || (size_t)(colon - text) >= room)
        return "two things are wanted with a colon between, such as 1%:5ms";
    snprintf(first, room, "%.*s", (int)(colon - text), text);
    *second = colon + 1;
    return NULL;
}

const char *units_chance_time(const char *text, uint64_t *ppm, uint64_t *us)
{
    char first[32];
    const char *second, *wrong = halves(text, first, sizeof(first), &second);

    if (!wrong)
        wrong = units_chance(first, ppm);
    return wrong ? wrong : units_time(second, us);
}

const char *units_chance_count(const char *text, uint64_t *ppm, uint64_t *count)
{
    static const struct unit units[] = {{"", 1}, {0}};
    char first[32];
    const char *second, *wrong = halves(text, first, sizeof(first), &second);

    if (!wrong)
        wrong = units_chance(first, ppm);
    if (wrong)
        return wrong;
    return quantity(second, units, 1e6, count) && *count ? NULL : "a number of packets is wanted behind the colon";
}
