// SPDX-License-Identifier: Apache-2.0
// The little languages of a profile's values: rates, durations, sizes, ranges. Pure.
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "profile.h"
#include "wire/headers.h"

static int refuse(const char **why, const char *text)
{
    *why = text;
    return -EINVAL;
}

// A number and an optional k, M, G behind it; NULL where there is none.
static const char *scaled_read(const char *text, double *value)
{
    static const char letters[] = "kMG";
    char *end;
    if (!isdigit((unsigned char)text[0]) && text[0] != '.')
        return NULL;
    *value = strtod(text, &end);
    const char *letter = *end ? strchr(letters, *end) : NULL;
    for (const char *at = letters; letter && at <= letter; at++)
        *value *= 1000;
    return letter ? end + 1 : end;
}

int profile_read_rate(const char *text, struct rate *rate, const char **why)
{
    static const struct {
        const char *word;
        enum rate_unit unit;
    } units[] = {
        {"pps", RATE_PPS}, {"", RATE_PPS}, {"bps", RATE_BPS}, {"bit/s", RATE_BPS}, {"%", RATE_PERCENT}};
    static const char says[] = "is not a rate like 1.5Mpps, 10Gbps, 50% or max";
    double value;
    if (strcmp(text, "max") == 0) {
        *rate = (struct rate){RATE_MAX, 0};
        return 0;
    }
    const char *unit = scaled_read(text, &value);
    if (!unit || !isfinite(value) || value <= 0)
        return refuse(why, says);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(unit, units[i].word) == 0) {
            *rate = (struct rate){units[i].unit, value};
            return rate->unit == RATE_PERCENT && value > 100 ? refuse(why, "is more than the line carries")
                                                             : 0;
        }
    return refuse(why, says);
}

int profile_read_duration(const char *text, uint64_t *us, const char **why)
{
    static const struct {
        const char *word;
        double us;
    } units[] = {{"", 1e6}, {"s", 1e6}, {"ms", 1e3}, {"us", 1}, {"m", 60e6}, {"h", 3600e6}};
    char *end;
    double value = isdigit((unsigned char)text[0]) || text[0] == '.' ? strtod(text, &end) : -1;
    for (size_t i = 0; value > 0 && i < sizeof(units) / sizeof(units[0]); i++)
        if (strcmp(end, units[i].word) == 0 && value * units[i].us < 1e15) {
            *us = (uint64_t)(value * units[i].us);
            return *us ? 0 : refuse(why, "is less than a microsecond");
        }
    return refuse(why, "is not a duration like 10s, 500ms or 2m");
}

static int sizes_add(struct size_plan *sizes, unsigned long first, unsigned long last, unsigned long step,
                     const char **why)
{
    if (first < FRAME_MIN || last > FRAME_MAX)
        return refuse(why, "has a frame of less than 64 or more than 1918 bytes");
    if (last < first || step == 0)
        return refuse(why, "has a range that ends before it begins");
    for (; first <= last; first += step) {
        if (sizes->count == PLAN_SIZES)
            return refuse(why, "has more than 2048 sizes");
        sizes->size[sizes->count++] = (uint16_t)first;
    }
    return 0;
}

// In an order that spreads the sizes evenly.
static void sizes_imix(struct size_plan *sizes)
{
    static const uint16_t imix[] = {64, 594, 64, 64, 594, 64, 1518, 64, 594, 64, 594, 64};
    memcpy(sizes->size, imix, sizeof(imix));
    sizes->count = sizeof(imix) / sizeof(imix[0]);
}

int profile_read_sizes(const char *text, struct size_plan *sizes, const char **why)
{
    static const char says[] = "is not sizes like 64, 64,128,1518, 64-1518, 64-1518/64 or imix";
    sizes->count = 0;
    if (strcmp(text, "imix") == 0) {
        sizes_imix(sizes);
        return 0;
    }
    for (;;) {
        char *end;
        unsigned long first = isdigit((unsigned char)*text) ? strtoul(text, &end, 10) : 0, last = first,
                      step = 1;
        if (first == 0)
            return refuse(why, says);
        if (*end == '-')
            last = strtoul(end + 1, &end, 10);
        if (*end == '/')
            step = strtoul(end + 1, &end, 10);
        int rc = sizes_add(sizes, first, last, step, why);
        if (rc != 0 || *end == '\0')
            return rc;
        if (*end != ',')
            return refuse(why, says);
        text = end + 1;
    }
}

static int prefix_range(const struct sl_prefix *prefix, struct neighbor_range *range, const char **why)
{
    unsigned host = (sl_ip_is_v4(&prefix->ip) ? 32u : 128u) - prefix->len;
    if (host > 24)
        return refuse(why, "has more than 16 million addresses");
    *range = (struct neighbor_range){prefix->ip, 1u << host, 1};
    return 0;
}

// The text up to `end`, or all of it where that is NULL.
static int address_read(const char *text, const char *end, struct sl_ip *ip)
{
    char one[SL_IP_TEXT];
    size_t length = end ? (size_t)(end - text) : strlen(text);
    if (length >= sizeof(one))
        return -EINVAL;
    memcpy(one, text, length);
    one[length] = '\0';
    return sl_ip_parse(one, ip);
}

static int step_read(const char *slash, uint32_t *step)
{
    char *end;
    unsigned long value = slash ? (isdigit((unsigned char)slash[1]) ? strtoul(slash + 1, &end, 10) : 0) : 1;
    *step = (uint32_t)value;
    return value == 0 || value > FLOWS_MAX || (slash && *end) ? -EINVAL : 0;
}

static int span_range(const char *text, const char *dash, struct neighbor_range *range, const char **why)
{
    const char *slash = strchr(dash, '/');
    struct sl_ip last;
    if (address_read(text, dash, &range->first) != 0 || address_read(dash + 1, slash, &last) != 0 ||
        step_read(slash, &range->step) != 0)
        return -EINVAL;
    uint64_t count = (uint64_t)sl_host32(last.w[3]) - sl_host32(range->first.w[3]) + 1;
    if (memcmp(&last, &range->first, 12) != 0 || count - 1 > UINT32_MAX)
        return refuse(
            why,
            "is a range whose ends differ in more than their last 32 bits, or that ends before it begins");
    count = (count - 1) / range->step + 1;
    if (count > FLOWS_MAX)
        return refuse(why, "has more than 16 million addresses");
    range->count = (uint32_t)count;
    return 0;
}

int profile_read_range(const char *text, struct neighbor_range *range, const char **why)
{
    struct sl_prefix prefix;
    const char *dash = strchr(text, '-');
    *why = "is not an address, a range like 16.0.0.1-16.0.0.99 or 16.0.0.0-16.0.255.0/256, or a prefix like "
           "16.0.0.0/24";
    if (dash)
        return span_range(text, dash, range, why);
    int rc = sl_prefix_parse(text, &prefix);
    if (rc == -EDOM)
        return refuse(why, "has bits set beyond its length");
    return rc == 0 ? prefix_range(&prefix, range, why) : -EINVAL;
}

int profile_read_ports(const char *text, struct flow_range *range, const char **why)
{
    char *end;
    unsigned long first = isdigit((unsigned char)text[0]) ? strtoul(text, &end, 10) : 65536, last = first;
    if (first <= 65535 && *end == '-' && isdigit((unsigned char)end[1]))
        last = strtoul(end + 1, &end, 10);
    if (first > 65535 || last > 65535 || last < first || *end)
        return refuse(why, "is not a port like 53 or a range like 1024-65535");
    *range = flow_range_make((uint32_t)first, (uint32_t)(last - first + 1));
    return 0;
}
