// SPDX-License-Identifier: Apache-2.0
// Schema rows, YAML tree and struct brought together. Called by the loaders of configs and profiles. Pure.
#include "config/document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "config/file.h"
#include "config/fill.h"
#include "config/structure.h"

static void free_fields(const struct sl_key *keys, void *base)
{
    for (const struct sl_key *key = keys; key->name; key++) {
        void *field = sl_key_field(key, base);

        if (key->type == SL_KEY_MAP) {
            free_fields(key->keys, field);
        } else if (key->type == SL_KEY_TEXT) {
            free(*(char **)field);
        } else if (key->type == SL_KEY_TEXTS) {
            for (unsigned i = 0; i < sl_key_count(key, base); i++)
                free((*(char ***)field)[i]);
            free(*(char ***)field);
        } else if (key->type == SL_KEY_MAPS) {
            for (unsigned i = 0; i < sl_key_count(key, base); i++)
                free_fields(key->keys, *(char **)field + (size_t)i * key->size);
            free(*(char **)field);
        }
    }
}

void sl_document_free(const struct sl_key *keys, void *base)
{
    if (!base)
        return;
    free_fields(keys, base);
    free(base);
}

int sl_document_fill(const struct sl_key *keys, size_t size, const struct sl_tree *tree, const char *text,
                     size_t length, const char *name, void **base, struct sl_diagnostics *diag)
{
    unsigned errors = diag->errors;

    *base = NULL;
    structure_check(keys, tree, name, diag);
    if (diag->errors > errors)
        return -EINVAL;
    int error = fill_struct(keys, size, text, length, name, base, diag);
    if (error == 0)
        structure_defaults(keys, tree, *base);
    return error;
}

void sl_document_defaults(const struct sl_key *keys, void *base)
{
    structure_defaults(keys, &(struct sl_tree){0}, base);
}

int sl_document_read(const char *path, char **text, size_t *length, struct sl_diagnostics *diag)
{
    int error = file_read(path, text, length);

    if (error)
        sl_diag_add(diag, SL_DIAG_ERROR, path, 0, 0, "",
                    error == -EACCES ? "let the reader read it, or run as root" : "look at the path", "%s",
                    strerror(-error));
    return error;
}
