// SPDX-License-Identifier: Apache-2.0
// Proves that a table can be used without looking again: every offset, count and index is inside the file,
// arrays that are searched are sorted, strings end, prefixes are no longer than their family. Workers then
// follow offsets unchecked. Called by control before publishing and by housekeeping before handing over.
// Pure: reads only [table, table + size), never more than the file's size of it, in time linear in it. All
// return 0, or -EBADMSG with a sentence naming the table, the byte offset and what is wrong there.
#ifndef SL_SHM_CHECK_H
#define SL_SHM_CHECK_H

#include "base/error.h"
#include "shm/layout.h"

// Dispatches by kind: SL_SEG_PORT, ROUTE, NAT, PREFILTER or BALANCE; others are -EBADMSG. `table` is 64-byte aligned.
int sl_table_check(const void *table, uint64_t size, enum sl_segment_kind kind, struct sl_error *error);

int sl_port_table_check(const struct sl_port_table *table, uint64_t size, struct sl_error *error);
int sl_route_table_check(const struct sl_route_table *table, uint64_t size, struct sl_error *error);
int sl_nat_table_check(const struct sl_nat_table *table, uint64_t size, struct sl_error *error);
int sl_balance_table_check(const struct sl_balance_table *table, uint64_t size, struct sl_error *error);
int sl_prefilter_table_check(const struct sl_prefilter_table *table, uint64_t size, struct sl_error *error);

// What tables of one generation say of each other: port slots named by routes, NAT and the prefilter are
// slots of the port table; no address and port is both a service's and a 1:1 entry's or a forward's. Each has passed its own check; `nat`, `prefilter` and `balance` may be NULL.
int sl_tables_check_together(const struct sl_port_table *port, const struct sl_route_table *route,
                             const struct sl_nat_table *nat, const struct sl_prefilter_table *prefilter,
                             const struct sl_balance_table *balance, struct sl_error *error);

#endif
