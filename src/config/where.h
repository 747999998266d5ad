// SPDX-License-Identifier: Apache-2.0
// YAML text as a tree whose every node knows its line and column, which libcyaml's structs do not. The structure
// check walks it, and later errors find their place by a path like "nat.forwards[2].outside".
// Called by the loader. Pure.
#ifndef SL_CONFIG_WHERE_H
#define SL_CONFIG_WHERE_H

#include <stdbool.h>
#include <stddef.h>
#include "config/diag.h"

enum sl_node_kind { SL_NODE_SCALAR, SL_NODE_LIST, SL_NODE_MAP };

struct sl_node {
    enum sl_node_kind kind;
    unsigned line, column; // from 1
    char *text;            // of scalars, without NULs inside
    bool plain;            // of scalars: not quoted
    char *key;             // where the parent is a map
    unsigned key_line, key_column;
    struct sl_node **child;
    unsigned count;
};

struct sl_tree {
    struct sl_node *root;
    void *arena; // chunks, each pointing to the one before
    size_t left; // bytes left in the newest
};

// 0; -EINVAL: `diag` says what the YAML does that it may not (syntax, aliases, tags, a key twice, too deep, more than
// one document); -ENOMEM. Empty *tree by sl_tree_fini() in every case.
int sl_tree_read(struct sl_tree *tree, const char *text, size_t length, const char *name,
                 struct sl_diagnostics *diag);
void sl_tree_fini(struct sl_tree *tree);

// Node of a map's key, or NULL.
struct sl_node *sl_node_get(const struct sl_node *map, const char *key);

// The node a path leads to, or the last one on the way that is there: an absent key is reported at its parent.
const struct sl_node *sl_tree_find(const struct sl_tree *tree, const char *path);

#endif
