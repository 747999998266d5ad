// SPDX-License-Identifier: Apache-2.0
// What differs between two models, by path. Elements of lists are named by what identifies them (a port by
// its name, a route by its prefix), not by their place. Called by sluiced (apply, history) and sluicectl
// (config diff). Pure.
#ifndef SL_CONFIG_DIFF_H
#define SL_CONFIG_DIFF_H

#include <stdio.h>
#include "config/model.h"

struct json_t;

enum sl_change_kind { SL_CHANGE_ADDED, SL_CHANGE_REMOVED, SL_CHANGE_CHANGED, SL_CHANGE_MOVED };

struct sl_change {
    enum sl_change_kind kind;
    char *path;   // "ports[wan].mtu", "routes[192.0.2.0/24]"
    char *before; // as YAML on a line; NULL where added or moved
    char *after;  // NULL where removed or moved
};

struct sl_changes {
    struct sl_change *list;
    unsigned count;
};

// Fills *changes, to be emptied by sl_changes_fini(). 0 or -ENOMEM. A NULL model is one without anything.
int sl_config_diff(const struct sl_config *before, const struct sl_config *after, struct sl_changes *changes);
void sl_changes_fini(struct sl_changes *changes);

// "+ path: value", "- path: value", "~ path: old -> new", "> path" (moved within a list whose order counts).
void sl_changes_print(const struct sl_changes *changes, FILE *out);
// [{"kind", "path", "before", "after"}]; a new reference, NULL where memory is out.
struct json_t *sl_changes_json(const struct sl_changes *changes);

#endif
