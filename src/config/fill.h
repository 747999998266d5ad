// SPDX-License-Identifier: Apache-2.0
// YAML text to model structs by libcyaml, whose schema is made from ours. Inside src/config. Pure.
#ifndef SL_CONFIG_FILL_H
#define SL_CONFIG_FILL_H

#include <stddef.h>
#include "config/diag.h"
#include "config/model.h"

// The text has passed structure_check(). 0 and *config (for sl_config_free()); -ENOMEM; -EINVAL with libcyaml's
// sentence in `diag`: the two readers disagree, which is our fault.
int fill_config(const char *text, size_t length, const char *name, struct sl_config **config,
                struct sl_diagnostics *diag);

#endif
