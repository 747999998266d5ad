// SPDX-License-Identifier: Apache-2.0
// Parts of opening session files that re-homing needs too. Main thread.
#ifndef FLOW_OPEN_H
#define FLOW_OPEN_H

#include "flow/table.h"

// Hash of the kernel's boot id; 0 where it cannot be read.
uint64_t flow_boot_id(void);
// True where a mapped flow segment is of this boot and its entries lie inside it.
bool flow_segment_sound(const struct sl_segment_map *map);
// Renames flow.<worker> to flow.<worker>.old. 0 or -errno with a sentence.
int flow_segment_set_aside(const char *run_dir, uint32_t worker, struct sl_error *error);

#endif
