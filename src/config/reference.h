// SPDX-License-Identifier: Apache-2.0
// The reference of the config's language, printed from the schema's rows: docs/config.md, sluice.yaml(5), JSON Schema.
// Called by sluicectl --reference and the test that keeps the pages current. Pure but for the output.
#ifndef SL_CONFIG_REFERENCE_H
#define SL_CONFIG_REFERENCE_H

#include <stdio.h>

struct json_t;

void sl_config_reference_markdown(FILE *out);
void sl_config_reference_scdoc(FILE *out);
// JSON Schema (draft 2020-12), for editors that complete YAML by it; a new reference, NULL where memory is out.
struct json_t *sl_config_reference_json(void);

#endif
