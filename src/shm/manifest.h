// SPDX-License-Identifier: Apache-2.0
// What the writer and the reader of generations share: checksum, and which kinds are tables. Private to
// src/shm.
#ifndef SL_SHM_MANIFEST_H
#define SL_SHM_MANIFEST_H

#include "shm/generation.h"

// Checksum of a table: XXH3 of the bytes behind the header.
uint64_t table_checksum(const struct sl_segment_map *map);

bool table_kind_valid(uint32_t kind);

// Smallest size of a table of this kind: its fixed part.
uint64_t table_fixed_size(uint32_t kind);

// Does the manifest make sense in itself? 0 or -EBADMSG with a sentence.
int manifest_check(const struct sl_generation *generation, uint64_t number, struct sl_error *error);

#endif
