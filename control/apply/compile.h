// SPDX-License-Identifier: Apache-2.0
// Model to tables, one compiler a table. The loader has proved the values; what can still go wrong here is size and
// memory. Called by the transaction (apply/apply.c) on the main thread. No compiler keeps state.
#ifndef APPLY_COMPILE_H
#define APPLY_COMPILE_H

#include "apply/image.h"
#include "apply/slots.h"
#include "base/error.h"
#include "config/model.h"

// A port table, ready but for its segment header. 0; -ENOMEM; -ENOSPC: too many addresses on a port.
int compile_port(const struct sl_config *config, const struct slots *slots, struct image *image,
                 struct sl_error *error);
// A NAT table. 0; -ENOMEM; -ENOSPC: more addresses than a table holds.
int compile_nat(const struct sl_config *config, const struct slots *slots, struct image *image,
                struct sl_error *error);

// Hash of all that a prefilter table is made of; files count by identity, size and times, not by content, so that a
// million prefixes are not read again to learn that nothing changed.
uint64_t compile_prefilter_hash(const struct sl_config *config, const struct slots *slots);
// A prefilter table. 0; -ENOMEM; -ENOSPC; -errno where a file cannot be read; -EINVAL: a file changed since it was
// checked, and is wrong now.
int compile_prefilter(const struct sl_config *config, const struct slots *slots, struct image *image,
                      struct sl_error *error);

// True where the config translates anything.
bool config_has_nat(const struct sl_config *config);
// Identity of a file for the hashes above: path, device, inode, size, mtime and ctime. 0 where it cannot be seen.
uint64_t file_identity(const char *path);

#endif
