// SPDX-License-Identifier: Apache-2.0
// A model to text: canonical YAML (valid input: loading it gives an equal model) and JSON of the same shape.
// Called by sluiced (config show, history) and sluicectl. Pure.
#ifndef SL_CONFIG_PRINT_H
#define SL_CONFIG_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include "config/model.h"

struct json_t;

// Values that equal their default are left out unless `all`. NUL-terminated, to be freed by free(); *length
// without the NUL. NULL where memory is out.
char *sl_config_print(const struct sl_config *config, bool all, size_t *length);

// A new reference; every key, defaults included. NULL where memory is out.
struct json_t *sl_config_json(const struct sl_config *config);

bool sl_config_equal(const struct sl_config *a, const struct sl_config *b);

#endif
