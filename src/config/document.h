// SPDX-License-Identifier: Apache-2.0
// A YAML document of any shape: rows of a schema say what it looks like, a struct takes it. What the gateway's config
// (load.h) and the generator's profiles have in common. Pure; any thread.
#ifndef SL_CONFIG_DOCUMENT_H
#define SL_CONFIG_DOCUMENT_H

#include <stddef.h>
#include "config/diag.h"
#include "config/schema.h"
#include "config/where.h"

// Checks `tree`, which was read from `text` (sl_tree_read()), against the rows and fills a struct of `size` bytes, with
// defaults where nothing is written. 0 and *base; -EINVAL: `diag` holds every fault, with its place; -ENOMEM.
int sl_document_fill(const struct sl_key *keys, size_t size, const struct sl_tree *tree, const char *text,
                     size_t length, const char *name, void **base, struct sl_diagnostics *diag);
// Sets numbers, bools and words of a zeroed struct to their defaults, lists aside.
void sl_document_defaults(const struct sl_key *keys, void *base);
// Frees the struct and everything its rows say it holds. NULL is fine.
void sl_document_free(const struct sl_key *keys, void *base);
// A whole file: 0, and *text (NUL behind its end, to be freed by free()) of *length bytes; -errno with a sentence in
// `diag`.
int sl_document_read(const char *path, char **text, size_t *length, struct sl_diagnostics *diag);

#endif
