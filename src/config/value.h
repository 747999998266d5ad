// SPDX-License-Identifier: Apache-2.0
// Whether a single value is what its row of the schema wants, told in words. Inside src/config. Pure.
#ifndef SL_CONFIG_VALUE_H
#define SL_CONFIG_VALUE_H

#include "config/schema.h"

struct value_fault {
    char what[320];
    char mend[192];
};

// 0, or -EINVAL and the fault told.
int value_check_text(enum sl_text_kind kind, const char *text, struct value_fault *fault);

// A number (decimal, within the row's limits) or one of the row's words.
int value_check_number(const struct sl_key *key, const char *text, struct value_fault *fault);

int value_check_bool(const char *text, struct value_fault *fault);

int value_check_word(const struct sl_key *key, const char *text, struct value_fault *fault);

#endif
