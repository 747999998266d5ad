// SPDX-License-Identifier: Apache-2.0
// Model values as YAML in one line. Inside src/config: print and diff share it. Pure.
#ifndef SL_CONFIG_EMIT_H
#define SL_CONFIG_EMIT_H

#include <stdbool.h>
#include <stddef.h>
#include "config/schema.h"

struct emit { // a text that grows; after a failure it takes nothing more
    char *text;
    size_t length, room;
    bool failed;
};

void emit_bytes(struct emit *emit, const char *bytes, size_t length);
void emit_text(struct emit *emit, const char *text);
// As a YAML scalar that reads back as just this text, quoted where it must be.
void emit_scalar(struct emit *emit, const char *text);
// The value of a row: "1500", "[a, b]", "{name: a}".
void emit_value(struct emit *emit, const struct sl_key *key, const void *base, bool all);
// "{name: a, mtu: 1500}"
void emit_map(struct emit *emit, const struct sl_key *keys, const void *base, bool all);
// Whether a row has its default or, of lists and texts, nothing.
bool emit_is_default(const struct sl_key *key, const void *base);
// Takes the text out (NUL-terminated, for free()); NULL where memory was out.
char *emit_take(struct emit *emit, size_t *length);

#endif
