// SPDX-License-Identifier: Apache-2.0
// Walks the YAML tree along the schema. libcyaml stops at the first fault and knows neither limits nor defaults; this
// walk finds every fault, and libcyaml then fills the structs. Called by the loader, on its thread. Pure.
#include "config/structure.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "config/suggest.h"
#include "config/value.h"

#define PATH_BYTES 256

struct walk {
    const char *name;
    struct sl_diagnostics *diag;
    char path[PATH_BYTES];
    size_t length;
};

// Appends ".key" or "[i]" to the path; returns the length to go back to.
static size_t path_push(struct walk *walk, const char *key, unsigned i)
{
    size_t before = walk->length;
    char *end = walk->path + before;
    size_t room = sizeof(walk->path) - before;
    int wrote = key ? snprintf(end, room, "%s%s", before ? "." : "", key) : snprintf(end, room, "[%u]", i);

    walk->length += (size_t)wrote < room ? (size_t)wrote : room - 1;
    return before;
}

static void path_pop(struct walk *walk, size_t before)
{
    walk->length = before;
    walk->path[before] = '\0';
}

static void fault_at(struct walk *walk, const struct sl_node *node, const char *mend, const char *what)
{
    sl_diag_add(walk->diag, SL_DIAG_ERROR, walk->name, node->line, node->column, walk->path, mend, "%s",
                what);
}

static const char *const node_says[] = {"a single value", "a list", "a map of keys"};

static void check_value(struct walk *walk, const struct sl_key *key, const struct sl_node *node);

static void unknown_key(struct walk *walk, const struct sl_key *keys, const struct sl_node *node)
{
    struct sl_suggestion nearest;
    char mend[256];
    size_t used = 0;

    sl_suggest_init(&nearest, node->key);
    for (const struct sl_key *key = keys; key->name; key++)
        sl_suggest_offer(&nearest, key->name);
    if (nearest.best) {
        snprintf(mend, sizeof(mend), "did you mean '%s'?", nearest.best);
    } else {
        used = (size_t)snprintf(mend, sizeof(mend), "there may be");
        for (const struct sl_key *key = keys; key->name && used < sizeof(mend); key++)
            used += (size_t)snprintf(mend + used, sizeof(mend) - used, "%s %s", key == keys ? "" : ",",
                                     key->name);
    }
    sl_diag_add(walk->diag, SL_DIAG_ERROR, walk->name, node->key_line, node->key_column, walk->path, mend,
                "unknown key '%.64s'", node->key);
}

static void check_missing(struct walk *walk, const struct sl_key *keys, const struct sl_node *map)
{
    char mend[192];

    for (const struct sl_key *key = keys; key->name; key++) {
        if (!key->required || sl_node_get(map, key->name))
            continue;
        snprintf(mend, sizeof(mend), "add '%s: %s'", key->name, key->example ? key->example : "...");
        sl_diag_add(walk->diag, SL_DIAG_ERROR, walk->name, map->line, map->column, walk->path, mend,
                    "the key '%s' is missing", key->name);
    }
}

static void check_map(struct walk *walk, const struct sl_key *keys, const struct sl_node *map)
{
    for (unsigned i = 0; i < map->count; i++) {
        const struct sl_node *child = map->child[i];
        const struct sl_key *key = sl_key_find(keys, child->key, strlen(child->key));

        if (!key) {
            unknown_key(walk, keys, child);
            continue;
        }
        size_t before = path_push(walk, child->key, 0);
        check_value(walk, key, child);
        path_pop(walk, before);
    }
    check_missing(walk, keys, map);
}

static void check_scalar(struct walk *walk, const struct sl_key *key, const struct sl_node *node)
{
    struct value_fault fault = {0};
    int error = 0;

    if (node->kind != SL_NODE_SCALAR) {
        snprintf(fault.what, sizeof(fault.what), "%s where a single value belongs", node_says[node->kind]);
        snprintf(fault.mend, sizeof(fault.mend), "write it like '%s: %s'", key->name, key->example);
        fault_at(walk, node, fault.mend, fault.what);
        return;
    }
    if (node->text[0] == '\0') {
        snprintf(fault.mend, sizeof(fault.mend), "write a value or take the key out");
        fault_at(walk, node, fault.mend, "the value is empty");
        return;
    }
    if (key->type == SL_KEY_UINT)
        error = value_check_number(key, node->text, &fault);
    else if (key->type == SL_KEY_BOOL)
        error = value_check_bool(node->text, &fault);
    else if (key->type == SL_KEY_ENUM)
        error = value_check_word(key, node->text, &fault);
    else
        error = value_check_text(key->text, node->text, &fault);
    if (error)
        fault_at(walk, node, fault.mend, fault.what);
}

static void check_count(struct walk *walk, const struct sl_key *key, const struct sl_node *list)
{
    char what[128], mend[64] = "";

    if (list->count < key->min) {
        snprintf(what, sizeof(what), "the list is empty");
        snprintf(mend, sizeof(mend), "it needs at least %" PRIu64 " element", key->min);
    } else if (list->count > key->max) {
        snprintf(what, sizeof(what), "%u elements", list->count);
        snprintf(mend, sizeof(mend), "there is room for %" PRIu64, key->max);
    } else {
        return;
    }
    fault_at(walk, list, mend, what);
}

static void check_list(struct walk *walk, const struct sl_key *key, const struct sl_node *list)
{
    if (list->kind != SL_NODE_LIST) {
        char what[96];

        snprintf(what, sizeof(what), "%s where a list belongs", node_says[list->kind]);
        fault_at(walk, list,
                 key->type == SL_KEY_TEXTS ? "put it in brackets: [A, B]"
                                           : "start each element with '- ' on a line of its own",
                 what);
        return;
    }
    check_count(walk, key, list);
    for (unsigned i = 0; i < list->count; i++) {
        const struct sl_node *element = list->child[i];
        size_t before = path_push(walk, NULL, i);

        if (key->type == SL_KEY_TEXTS)
            check_scalar(walk, key, element);
        else if (element->kind == SL_NODE_MAP)
            check_map(walk, key->keys, element);
        else
            fault_at(walk, element, "write '- key: value'", "an element of this list must be a map of keys");
        path_pop(walk, before);
    }
}

static void check_value(struct walk *walk, const struct sl_key *key, const struct sl_node *node)
{
    if (key->type == SL_KEY_TEXTS || key->type == SL_KEY_MAPS)
        check_list(walk, key, node);
    else if (key->type != SL_KEY_MAP)
        check_scalar(walk, key, node);
    else if (node->kind == SL_NODE_MAP)
        check_map(walk, key->keys, node);
    else
        fault_at(walk, node, "write its keys indented on the lines below", "a map of keys belongs here");
}

void structure_check(const struct sl_key *keys, const struct sl_tree *tree, const char *name,
                     struct sl_diagnostics *diag)
{
    struct walk walk = {.name = name, .diag = diag};
    char mend[96];

    snprintf(mend, sizeof(mend), "start it with '%s: %s'", keys->name, keys->example);
    if (!tree->root)
        sl_diag_add(diag, SL_DIAG_ERROR, name, 0, 0, "", mend, "the config is empty");
    else if (tree->root->kind != SL_NODE_MAP)
        fault_at(&walk, tree->root, mend, "a config is a map of keys");
    else
        check_map(&walk, keys, tree->root);
}

static void defaults_of(const struct sl_key *keys, const struct sl_node *map, void *base)
{
    for (const struct sl_key *key = keys; key->name; key++) {
        const struct sl_node *node = sl_node_get(map, key->name);

        if (key->type == SL_KEY_MAP) {
            defaults_of(key->keys, node, sl_key_field(key, base));
        } else if (key->type == SL_KEY_MAPS && node) {
            char *elements = *(char **)sl_key_field(key, base);

            for (unsigned i = 0; i < node->count; i++)
                defaults_of(key->keys, node->child[i], elements + (size_t)i * key->size);
        } else if (!node &&
                   (key->type == SL_KEY_UINT || key->type == SL_KEY_BOOL || key->type == SL_KEY_ENUM)) {
            sl_key_number_set(key, base, key->fallback);
        }
    }
}

void structure_defaults(const struct sl_key *keys, const struct sl_tree *tree, void *base)
{
    defaults_of(keys, tree->root, base);
}
