// SPDX-License-Identifier: Apache-2.0
// Options of connections, kept once for all that have the same: a million connections of a few listeners would else hold
// a million copies. As many profiles as connections can be, so taking one never fails.
#include <stddef.h>
#include <string.h>
#include "tcp/engine.h"

static struct tcp_profile *at(const struct sl_tcp_engine *tcp, uint32_t index)
{
    return (struct tcp_profile *)tcp->profiles.base + index;
}

// Compared with the latest few, padding and all: two that only differ there are two profiles, which does no harm.
static struct tcp_profile *find(const struct sl_tcp_engine *tcp, const struct sl_tcp_options *options)
{
    for (unsigned i = 0; i < TCP_PROFILES_TRIED; i++) {
        uint32_t index = tcp->profiles_tried[i];

        if (index != TCP_NONE && memcmp(&at(tcp, index)->options, options, sizeof(*options)) == 0)
            return at(tcp, index);
    }
    return NULL;
}

const struct sl_tcp_options *tcp_profile_get(struct sl_tcp_engine *tcp, const struct sl_tcp_options *options)
{
    struct tcp_profile *profile = find(tcp, options);

    if (profile == NULL) {
        uint32_t index = tcp_pool_get(&tcp->profiles);

        profile = at(tcp, index);
        profile->refs = 0;
        memcpy(&profile->options, options, sizeof(*options));
        tcp->profiles_tried[tcp->profile_next++ % TCP_PROFILES_TRIED] = index;
    }
    profile->refs++;
    return &profile->options;
}

void tcp_profile_put(struct sl_tcp_engine *tcp, const struct sl_tcp_options *options)
{
    struct tcp_profile *profile =
        (struct tcp_profile *)((const uint8_t *)options - offsetof(struct tcp_profile, options));
    uint32_t index = (uint32_t)(profile - (struct tcp_profile *)tcp->profiles.base);

    if (--profile->refs)
        return;
    for (unsigned i = 0; i < TCP_PROFILES_TRIED; i++)
        if (tcp->profiles_tried[i] == index)
            tcp->profiles_tried[i] = TCP_NONE;
    tcp_pool_put(&tcp->profiles, index);
}
