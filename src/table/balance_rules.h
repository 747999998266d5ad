// SPDX-License-Identifier: Apache-2.0
// Addresses of services made into rules that do not overlap. Private to src/table. Control, one thread.
#ifndef SL_TABLE_BALANCE_RULES_H
#define SL_TABLE_BALANCE_RULES_H

#include "table/balance_table.h"

struct balance_rules {
    struct sl_balance_address *address; // [addresses], each with its rules; in no order of the hash
    struct sl_balance_rule *rule;       // [rules]
    uint32_t addresses, rules;
};

// At most this many rules come of `listens` addresses.
#define BALANCE_RULES_MOST(listens) (2ull * (listens))

// 0; -EINVAL with a sentence: ports the wrong way round, ports where there are none, the same twice; -ENOMEM. To be
// ended by balance_rules_fini() in any case.
int balance_rules_make(const struct sl_balance_input *input, struct balance_rules *rules,
                       struct sl_error *error);
void balance_rules_fini(struct balance_rules *rules);

#endif
