// SPDX-License-Identifier: Apache-2.0
// Limits of new flows: of a service, and of each source of a service. Each worker holds its share of the former; of
// the latter all, because a source's flows are all its own. On the worker's thread.
#ifndef BALANCE_LIMIT_H
#define BALANCE_LIMIT_H

#include "balance/state.h"

struct balance_sources *balance_sources_new(void); // freed with free()

// May the service have one more flow now?
bool balance_rate_take(struct balance *balance, const struct sl_balance_service *service, uint32_t now_ms);
// May this source?
bool balance_source_take(struct balance *balance, const struct sl_balance_service *service,
                         const struct sl_ip *source, uint32_t now_ms);

#endif
