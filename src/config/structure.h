// SPDX-License-Identifier: Apache-2.0
// A YAML tree against the schema's rows: unknown and missing keys, types, limits, the form of every value.
// Inside src/config. Pure.
#ifndef SL_CONFIG_STRUCTURE_H
#define SL_CONFIG_STRUCTURE_H

#include "config/schema.h"
#include "config/where.h"

// All faults go to `diag`, each with its place. What passes here libcyaml can load by the same rows.
void structure_check(const struct sl_key *keys, const struct sl_tree *tree, const char *name,
                     struct sl_diagnostics *diag);

// Sets what the tree does not write to its default. `base`, the struct the rows describe, was filled from this tree.
void structure_defaults(const struct sl_key *keys, const struct sl_tree *tree, void *base);

#endif
