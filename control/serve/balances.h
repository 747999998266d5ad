// SPDX-License-Identifier: Apache-2.0
// What the commands about services and pools share: the running table and the config it was made of, names by slot,
// counters as JSON. Main thread.
#ifndef SERVE_BALANCES_H
#define SERVE_BALANCES_H

#include <jansson.h>
#include "daemon.h"
#include "table/balance_read.h"

struct balances { // of the running config; pools and services stand in both in the same order
    const struct sl_config *config;
    const struct sl_balance_table *table;
    const struct sl_balance_counters *counters;
};

// False: no config runs, or it has neither services nor pools.
bool balances_open(struct daemon *daemon, struct balances *balances);

#define MEMBER_TEXT (SL_IP_TEXT + 8)
// "10.0.0.11:80", "10.0.0.11", "[fd00::11]:80", "fd00::11". Returns `out`.
const char *member_text(const struct sl_ip *ip, uint16_t port, char out[MEMBER_TEXT]);
// Names of a flow's slots; "?" and an empty text where the table has them no more.
const char *service_slot_name(const struct balances *balances, uint32_t slot);
const char *member_slot_pool(const struct balances *balances, uint32_t slot);

const char *balance_method_name(unsigned method); // "maglev"
const char *balance_way_name(unsigned way);
const char *balance_on_down_name(unsigned on_down);
const char *service_protocol_name(int protocol); // "tcp", "any"

// Sets each counter under its field's name.
void json_service_counters(json_t *object, const struct sl_balance_service_counters *sum);
void json_member_counters(json_t *object, const struct sl_balance_member_counters *sum);
// Of all members of a pool.
void pool_sum(const struct balances *balances, const struct sl_balance_pool *pool,
              struct sl_balance_member_counters *sum);

struct pool_states {
    uint32_t state[SL_BALANCE_STATES];
    bool serves; // somebody is eligible
};
struct pool_states pool_states(const struct balances *balances, const struct sl_balance_pool *pool);

#endif
