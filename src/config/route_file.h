// SPDX-License-Identifier: Apache-2.0
// Route files: a route a line, made for millions of them.
//
//   PREFIX via ADDRESS [port PORT] [weight N]
//   PREFIX port PORT            (its own link: the neighbor is the destination)
//   PREFIX blackhole | PREFIX reject
//
// '#' starts a comment. Lines of the same prefix one after another are ways of one route (ECMP).
// Called by the loader (to check) and control/apply (to compile). Pure but for reading the file.
#ifndef SL_CONFIG_ROUTE_FILE_H
#define SL_CONFIG_ROUTE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include "base/ip.h"
#include "config/diag.h"
#include "config/model.h"

struct sl_route_line {
    struct sl_prefix prefix;
    enum sl_config_route_kind kind;
    bool has_gateway;
    struct sl_ip gateway;
    char port[16];   // "" where the gateway's subnet tells it
    uint16_t weight; // 1-256
    unsigned line;   // from 1, and the columns of its words, for messages; 0: the word is not there
    unsigned prefix_column, gateway_column, port_column;
};

// Called for each good line; another return than 0 ends the reading and is handed back.
typedef int (*sl_route_line_fn)(void *context, const struct sl_route_line *line);

// 0; -EINVAL: `diag` holds the errors (good lines were still called back); -errno where the file cannot be
// read (in `diag` too); or what the callback said. `diag` may be NULL.
int sl_route_file_read(const char *path, sl_route_line_fn callback, void *context,
                       struct sl_diagnostics *diag);

// The same from memory; `name` stands for the file in messages.
int sl_route_text_read(const char *text, size_t length, const char *name, sl_route_line_fn callback,
                       void *context, struct sl_diagnostics *diag);

#endif
