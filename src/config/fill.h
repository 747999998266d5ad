// SPDX-License-Identifier: Apache-2.0
// YAML text to model structs by libcyaml, whose schema is made from ours. Inside src/config. Pure.
#ifndef SL_CONFIG_FILL_H
#define SL_CONFIG_FILL_H

#include <stddef.h>
#include "config/diag.h"
#include "config/schema.h"

// The text has passed structure_check() by the same rows. 0 and *base, a struct of `size` bytes for document_free();
// -ENOMEM; -EINVAL with libcyaml's sentence in `diag`: the two readers disagree, which is our fault.
int fill_struct(const struct sl_key *keys, size_t size, const char *text, size_t length, const char *name,
                void **base, struct sl_diagnostics *diag);

#endif
