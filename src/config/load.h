// SPDX-License-Identifier: Apache-2.0
// YAML to a checked model. Checking is loading: there is no other way to a model, so `config check` and the
// daemon cannot disagree. Called by sluiced (main thread) and sluicectl. Reads files; keeps nothing open, no
// state.
#ifndef SL_CONFIG_LOAD_H
#define SL_CONFIG_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include "config/diag.h"
#include "config/model.h"

// Reads the file and the files it names (which count from its folder). 0 and *config; else *config is NULL
// and -ENOENT and the like: the file cannot be read; -EINVAL: `diag` holds every error found; -ENOMEM.
// Warnings may come with 0.
int sl_config_load(const char *path, struct sl_config **config, struct sl_diagnostics *diag);

// The same from memory. `name` stands for the file in messages; files it names count from `folder` (NULL:
// from the working directory).
int sl_config_load_text(const char *text, size_t length, const char *name, const char *folder,
                        struct sl_config **config, struct sl_diagnostics *diag);

// What the loader need not read again: a daemon that holds a million routes of a file knows whether it changed.
struct sl_config_known {
    // True where this one of config->route_files was found right before, is the same file still, and the ports
    // are those it was checked against.
    bool (*route_file)(void *context, const struct sl_config *config, const char *file);
    // True where the files of all sets of config->prefilter were found right before and are the same still.
    // May be NULL: they are read.
    bool (*set_files)(void *context, const struct sl_config *config);
    void *context;
};

// As sl_config_load() (`text` NULL: reads `name`) or sl_config_load_text(), leaving out what `known` knows (NULL:
// nothing).
int sl_config_load_known(const char *name, const char *text, size_t length, const char *folder,
                         const struct sl_config_known *known, struct sl_config **config,
                         struct sl_diagnostics *diag);

void sl_config_free(struct sl_config *config);

#endif
