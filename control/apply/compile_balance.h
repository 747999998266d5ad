// SPDX-License-Identifier: Apache-2.0
// Services and pools of a config, as the builder of the balance table takes them (table/balance_table.h). Members'
// states are left out: they change by the minute, and are put in when the table is built (balance_live.h). Pure.
#ifndef APPLY_COMPILE_BALANCE_H
#define APPLY_COMPILE_BALANCE_H

#include "apply/balance_slots.h"
#include "table/balance_table.h"

// A weight of the config is so much in the table: finer steps for a member that starts slowly.
#define BALANCE_SCALE 64

struct compiled_balance {
    struct sl_balance_input input;
    struct sl_balance_service *service;
    struct sl_balance_pool *pool;
    struct sl_balance_member *member;
    struct sl_balance_listen *listen;
    struct sl_ip *source;
};

// 0; -ENOMEM; -EINVAL with a sentence. Slots are those of this config.
int compile_balance(const struct sl_config *config, const struct balance_slots *slots,
                    struct compiled_balance *compiled, struct sl_error *error);
void compiled_balance_fini(struct compiled_balance *compiled);
// Hash of all that a table is made of, before states are put in.
uint64_t compiled_balance_hash(const struct compiled_balance *compiled);

// True where the config has a balance table.
bool config_has_balance(const struct sl_config *config);

#endif
