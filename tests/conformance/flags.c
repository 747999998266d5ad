// SPDX-License-Identifier: Apache-2.0
// The string of --so_flags: what Linux has as sysctls, by name.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "door.h"

enum flag_type { FLAG_BOOL, FLAG_U8, FLAG_U16, FLAG_U32 };

struct flag {
    const char *name;
    enum flag_type type;
    size_t offset; // in struct sl_tcp_options
    uint32_t most;
};

#define OPTION(field) offsetof(struct sl_tcp_options, field)
static const struct flag numbers[] = {
    {"pacing", FLAG_BOOL, OPTION(pacing), 1},
    {"timestamps", FLAG_BOOL, OPTION(timestamps), 1},
    {"sack", FLAG_BOOL, OPTION(sack), 1},
    {"wscale", FLAG_BOOL, OPTION(wscale), 1},
    {"mtu_probing", FLAG_BOOL, OPTION(mtu_probing), 1},
    {"wscale_shift", FLAG_U8, OPTION(wscale_shift), 14},
    {"syn_retries", FLAG_U8, OPTION(syn_retries), 127},
    {"synack_retries", FLAG_U8, OPTION(synack_retries), 127},
    {"retries", FLAG_U8, OPTION(retries), 127},
    {"iw", FLAG_U16, OPTION(initial_window), 1024},
    {"mtu", FLAG_U16, OPTION(mtu), 65535},
    {"rcvbuf", FLAG_U32, OPTION(rx_bytes), 1u << 30},
    {"rcvbuf_initial", FLAG_U32, OPTION(rx_initial_bytes), 1u << 30},
    {"sndbuf", FLAG_U32, OPTION(tx_bytes), 1u << 30},
    {"fin_wait_2_ms", FLAG_U32, OPTION(fin_wait_2_ms), 1u << 30},
};

static int number_set(struct door *door, const struct flag *flag, const char *text)
{
    uint8_t *at = (uint8_t *)&door->options + flag->offset;
    char *end;
    unsigned long value;

    if (flag->type == FLAG_BOOL && (strcmp(text, "on") == 0 || strcmp(text, "off") == 0)) {
        *(bool *)at = text[1] == 'n';
        return 0;
    }
    value = strtoul(text, &end, 10);
    if (*text == 0 || *end || value > flag->most)
        return -EINVAL;
    if (flag->type == FLAG_U32)
        *(uint32_t *)at = (uint32_t)value;
    else if (flag->type == FLAG_U16)
        *(uint16_t *)at = (uint16_t)value;
    else
        *at = (uint8_t)value; // a bool of 0 or 1 as well
    return 0;
}

static int congestion_set(struct door *door, const char *text)
{
    if (strcmp(text, "cubic") == 0)
        door->options.congestion = "cubic";
    else if (strcmp(text, "newreno") == 0 || strcmp(text, "reno") == 0)
        door->options.congestion = "newreno";
    else if (strcmp(text, "bbr") == 0)
        door->options.congestion = "bbr";
    else
        return -EINVAL;
    return 0;
}

static int cookies_set(struct door *door, const char *text)
{
    door->options.cookies_always = strcmp(text, "always") == 0;
    door->options.cookies_never = strcmp(text, "never") == 0;
    return door->options.cookies_always || door->options.cookies_never || strcmp(text, "auto") == 0 ? 0
                                                                                                    : -EINVAL;
}

static int ecn_set(struct door *door, const char *text)
{
    door->ecn = strcmp(text, "on") == 0    ? DOOR_ECN_ON
                : strcmp(text, "off") == 0 ? DOOR_ECN_OFF
                                           : DOOR_ECN_PASSIVE;
    return door->ecn != DOOR_ECN_PASSIVE || strcmp(text, "passive") == 0 ? 0 : -EINVAL;
}

static int local_set(struct door *door, const char *text)
{
    struct sl_ip ip;

    if (sl_ip_parse(text, &ip))
        return -EINVAL;
    *(sl_ip_is_v4(&ip) ? &door->local_v4 : &door->local_v6) = ip;
    return 0;
}

static int table_set(struct door *door, const char *text)
{
    door->short_table = strcmp(text, "short") == 0;
    return door->short_table || strcmp(text, "full") == 0 ? 0 : -EINVAL;
}

static int seed_set(struct door *door, const char *text)
{
    char *end;

    door->seed = strtoull(text, &end, 0);
    return *text && *end == 0 ? 0 : -EINVAL;
}

static const struct {
    const char *name;
    int (*set)(struct door *door, const char *text);
} words[] = {{"congestion", congestion_set}, {"cookies", cookies_set}, {"ecn", ecn_set},
             {"local", local_set},           {"seed", seed_set},       {"table", table_set}};

static int word_set(struct door *door, char *word)
{
    char *value = strchr(word, '=');

    if (value == NULL)
        return -EINVAL;
    *value++ = 0;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (strcmp(numbers[i].name, word) == 0)
            return number_set(door, &numbers[i], value);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(words[i].name, word) == 0)
            return words[i].set(door, value);
    return -EINVAL;
}

int door_flags_read(struct door *door, const char *flags, char word[64])
{
    char copy[64];

    while (flags && *flags) {
        size_t len = strcspn(flags, ", ");

        if (len >= 64)
            len = 63; // no word is so long: it will not be understood
        memcpy(word, flags, len);
        word[len] = 0;
        memcpy(copy, word, len + 1);
        if (len && word_set(door, copy))
            return -EINVAL;
        flags += len;
        flags += strspn(flags, ", ");
    }
    return 0;
}
