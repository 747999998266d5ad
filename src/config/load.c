// SPDX-License-Identifier: Apache-2.0
// From YAML to a checked model, in order: positions, structure, libcyaml, defaults, files' names, checks. Called by
// sluiced (main thread) and sluicectl.
#include "config/load.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "config/check.h"
#include "config/document.h"
#include "config/schema.h"
#include "config/where.h"

void sl_config_free(struct sl_config *config)
{
    sl_document_free(sl_config_keys, config);
}

static int resolve_text(char **text, const char *folder)
{
    char *whole;

    if ((*text)[0] == '/')
        return 0;
    if (asprintf(&whole, "%s/%s", folder, *text) < 0)
        return -ENOMEM;
    free(*text);
    *text = whole;
    return 0;
}

// Makes the names of files absolute, so that a printed config means the same wherever it is loaded from.
static int resolve_files(const struct sl_key *keys, void *base, const char *folder)
{
    int error = 0;

    for (const struct sl_key *key = keys; key->name && !error; key++) {
        void *field = sl_key_field(key, base);

        if (key->type == SL_KEY_MAP)
            error = resolve_files(key->keys, field, folder);
        else if (key->type == SL_KEY_TEXT && key->text == SL_TEXT_FILE && *(char **)field)
            error = resolve_text(field, folder);
        else if (key->type == SL_KEY_TEXTS && key->text == SL_TEXT_FILE)
            for (unsigned i = 0; i < sl_key_count(key, base) && !error; i++)
                error = resolve_text(&(*(char ***)field)[i], folder);
        else if (key->type == SL_KEY_MAPS)
            for (unsigned i = 0; i < sl_key_count(key, base) && !error; i++)
                error = resolve_files(key->keys, *(char **)field + (size_t)i * key->size, folder);
    }
    return error;
}

static int load_tree(struct sl_tree *tree, const char *text, size_t length, const char *name,
                     const char *folder, const struct sl_config_known *known, struct sl_config **config,
                     struct sl_diagnostics *diag)
{
    char absolute[PATH_MAX];
    unsigned errors = diag->errors;

    int error =
        sl_document_fill(sl_config_keys, sizeof(**config), tree, text, length, name, (void **)config, diag);
    if (error)
        return error;
    if (!realpath(folder ? folder : ".", absolute))
        return -errno;
    error = resolve_files(sl_config_keys, *config, absolute);
    if (!error)
        error = check_config(*config, tree, name, known, diag);
    return error ? error : diag->errors > errors ? -EINVAL : 0;
}

static int load_text(const char *text, size_t length, const char *name, const char *folder,
                     const struct sl_config_known *known, struct sl_config **config,
                     struct sl_diagnostics *diag)
{
    struct sl_tree tree;

    *config = NULL;
    int error = sl_tree_read(&tree, text, length, name, diag);
    if (!error)
        error = load_tree(&tree, text, length, name, folder, known, config, diag);
    sl_tree_fini(&tree);
    sl_diag_sort(diag);
    if (error) {
        sl_config_free(*config);
        *config = NULL;
    }
    return error;
}

static int load_file(const char *path, const struct sl_config_known *known, struct sl_config **config,
                     struct sl_diagnostics *diag)
{
    char folder[PATH_MAX], *text;
    size_t length;

    *config = NULL;
    if (strlen(path) >= sizeof(folder))
        return -ENAMETOOLONG;
    int error = sl_document_read(path, &text, &length, diag);
    if (error)
        return error;
    strcpy(folder, path);
    error = load_text(text, length, path, dirname(folder), known, config, diag);
    free(text);
    return error;
}

int sl_config_load_known(const char *name, const char *text, size_t length, const char *folder,
                         const struct sl_config_known *known, struct sl_config **config,
                         struct sl_diagnostics *diag)
{
    return text ? load_text(text, length, name, folder, known, config, diag)
                : load_file(name, known, config, diag);
}

int sl_config_load_text(const char *text, size_t length, const char *name, const char *folder,
                        struct sl_config **config, struct sl_diagnostics *diag)
{
    return load_text(text, length, name, folder, NULL, config, diag);
}

int sl_config_load(const char *path, struct sl_config **config, struct sl_diagnostics *diag)
{
    return load_file(path, NULL, config, diag);
}
