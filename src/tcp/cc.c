// SPDX-License-Identifier: Apache-2.0
#include "tcp/cc.h"
#include <string.h>

static const struct tcp_cc_ops *const all[] = {&tcp_cc_cubic, &tcp_cc_newreno, &tcp_cc_bbr};

uint32_t tcp_cc_initial_window(uint32_t mss)
{
    uint32_t least = 2 * mss > 14600 ? 2 * mss : 14600;

    return 10 * mss < least ? 10 * mss : least;
}

const struct tcp_cc_ops *tcp_cc_find(const char *name)
{
    for (unsigned i = 0; name && i < sizeof(all) / sizeof(all[0]); i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}

uint32_t tcp_cc_state_bytes(void)
{
    uint32_t most = 0;

    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        most = all[i]->state_bytes > most ? all[i]->state_bytes : most;
    return most;
}

void tcp_cc_start(struct tcp_cc *cc, const struct tcp_cc_ops *ops, uint32_t mss)
{
    struct tcp_rate *rate = ops->state_bytes ? cc->rate : NULL;

    *cc = (struct tcp_cc){.ops = ops, .mss = mss, .ssthresh = UINT32_MAX};
    if (rate)
        cc->rate = rate;
    cc->cwnd = cc->initial_cwnd = tcp_cc_initial_window(mss);
    cc->hystart.last_min_us = cc->hystart.this_min_us = UINT32_MAX;
    cc->ops->init(cc);
}
