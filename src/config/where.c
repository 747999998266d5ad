// SPDX-License-Identifier: Apache-2.0
// libyaml's events to a tree with positions. Called by the loader, on its thread. Pure; memory from an arena that is
// freed as a whole.
#include "config/where.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#define DEPTH_MOST  16 // the schema is six deep; deeper input is a mistake or an attack on the stack
#define KEYS_MOST   64 // no map of the schema has as many; finding doubles is quadratic in it
#define CHUNK_BYTES (64 * 1024)

struct reader {
    struct sl_tree *tree;
    struct sl_diagnostics *diag;
    const char *name;
    yaml_parser_t parser;
};

static void *arena_take(struct sl_tree *tree, size_t size)
{
    size = (size + 15) & ~(size_t)15;
    if (size > tree->left) {
        size_t whole = size > CHUNK_BYTES ? size : CHUNK_BYTES;
        char *chunk = malloc(16 + whole);

        if (!chunk)
            return NULL;
        *(void **)chunk = tree->arena;
        tree->arena = chunk;
        tree->left = whole;
    }
    // A chunk is used from its end down to its header, so that its size need not be stored.
    tree->left -= size;
    return memset((char *)tree->arena + 16 + tree->left, 0, size);
}

void sl_tree_fini(struct sl_tree *tree)
{
    while (tree->arena) {
        void *before = *(void **)tree->arena;

        free(tree->arena);
        tree->arena = before;
    }
    *tree = (struct sl_tree){0};
}

static int refuse(struct reader *reader, yaml_mark_t mark, const char *what, const char *mend)
{
    sl_diag_add(reader->diag, SL_DIAG_ERROR, reader->name, (unsigned)mark.line + 1, (unsigned)mark.column + 1,
                "", mend, "%s", what);
    return -EINVAL;
}

static int refuse_syntax(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    char what[256];

    if (parser->error == YAML_MEMORY_ERROR)
        return -ENOMEM;
    if (parser->error == YAML_READER_ERROR) {
        sl_diag_add(reader->diag, SL_DIAG_ERROR, reader->name, (unsigned)parser->mark.line + 1,
                    (unsigned)parser->mark.column + 1, "", "save the file as UTF-8 text",
                    "not YAML: %s (byte %zu)", parser->problem, parser->problem_offset);
        return -EINVAL;
    }
    snprintf(what, sizeof(what), "not YAML: %s%s%s", parser->problem ? parser->problem : "cannot be read",
             parser->context ? ", " : "", parser->context ? parser->context : "");
    return refuse(reader, parser->problem_mark, what,
                  "look at the indentation, the quotes and the brackets here and on the line before");
}

static int event_next(struct reader *reader, yaml_event_t *event)
{
    return yaml_parser_parse(&reader->parser, event) ? 0 : refuse_syntax(reader);
}

static struct sl_node *node_new(struct reader *reader, enum sl_node_kind kind, yaml_mark_t mark)
{
    struct sl_node *node = arena_take(reader->tree, sizeof(*node));

    if (node) {
        node->kind = kind;
        node->line = (unsigned)mark.line + 1;
        node->column = (unsigned)mark.column + 1;
    }
    return node;
}

// Children double their room; what they leave behind stays in the arena, at most as much again.
static int node_add(struct reader *reader, struct sl_node *parent, struct sl_node *child)
{
    unsigned count = parent->count;

    if ((count & (count - 1)) == 0) {
        struct sl_node **wider = arena_take(reader->tree, sizeof(*wider) * (count ? 2 * (size_t)count : 1));

        if (!wider)
            return -ENOMEM;
        if (count)
            memcpy(wider, parent->child, sizeof(*wider) * count);
        parent->child = wider;
    }
    parent->child[parent->count++] = child;
    return 0;
}

// Copies a scalar's text.
static int scalar_text(struct reader *reader, const yaml_event_t *event, char **text)
{
    size_t length = event->data.scalar.length;

    // libcyaml hands out C strings: a NUL in the middle would make two readers read two things.
    if (memchr(event->data.scalar.value, '\0', length))
        return refuse(reader, event->start_mark, "a zero byte in a text", "take out the \\0");
    *text = arena_take(reader->tree, length + 1);
    if (!*text)
        return -ENOMEM;
    memcpy(*text, event->data.scalar.value, length);
    return 0;
}

static int read_node(struct reader *reader, const yaml_event_t *event, unsigned depth, struct sl_node **node);

static int read_list(struct reader *reader, struct sl_node *list, unsigned depth)
{
    for (;;) {
        struct sl_node *child;
        yaml_event_t event;
        int error = event_next(reader, &event);

        if (error)
            return error;
        bool end = event.type == YAML_SEQUENCE_END_EVENT;
        if (!end)
            error = read_node(reader, &event, depth, &child);
        yaml_event_delete(&event);
        if (end || error)
            return error;
        if (node_add(reader, list, child) != 0)
            return -ENOMEM;
    }
}

// A map's key: a scalar that the map does not have yet.
static int read_key(struct reader *reader, const struct sl_node *map, const yaml_event_t *event, char **key)
{
    char what[160];

    if (event->type != YAML_SCALAR_EVENT)
        return refuse(reader, event->start_mark, "a key must be a word", "write 'key: value'");
    int error = scalar_text(reader, event, key);
    if (error)
        return error;
    const struct sl_node *before = sl_node_get(map, *key);
    if (map->count == KEYS_MOST)
        return refuse(reader, event->start_mark, "too many keys in one map",
                      "a list starts its elements with '- '");
    if (!before)
        return 0;
    snprintf(what, sizeof(what), "the key '%.64s' stands twice, first on line %u", *key, before->key_line);
    return refuse(reader, event->start_mark, what, "take one of them out");
}

static int read_map(struct reader *reader, struct sl_node *map, unsigned depth)
{
    for (;;) {
        struct sl_node *child;
        yaml_event_t event;
        char *key = NULL;
        int error = event_next(reader, &event);

        if (error)
            return error;
        bool end = event.type == YAML_MAPPING_END_EVENT;
        yaml_mark_t mark = event.start_mark;
        if (!end)
            error = read_key(reader, map, &event, &key);
        yaml_event_delete(&event);
        if (end || error)
            return error;

        error = event_next(reader, &event);
        if (error)
            return error;
        error = read_node(reader, &event, depth, &child);
        yaml_event_delete(&event);
        if (error)
            return error;
        child->key = key;
        child->key_line = (unsigned)mark.line + 1;
        child->key_column = (unsigned)mark.column + 1;
        if (node_add(reader, map, child) != 0)
            return -ENOMEM;
    }
}

// A node may not be named for reuse nor carry a type of its own: the schema gives the types.
static int refuse_decoration(struct reader *reader, const yaml_event_t *event, const yaml_char_t *anchor,
                             const yaml_char_t *tag)
{
    if (anchor)
        return refuse(reader, event->start_mark, "anchors ('&name') are not taken", "write the value out");
    if (tag)
        return refuse(reader, event->start_mark, "tags ('!type') are not taken", "take the tag out");
    return 0;
}

static int read_scalar(struct reader *reader, const yaml_event_t *event, struct sl_node **node)
{
    *node = node_new(reader, SL_NODE_SCALAR, event->start_mark);
    if (!*node)
        return -ENOMEM;
    (*node)->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    int error = scalar_text(reader, event, &(*node)->text);
    return error ? error
                 : refuse_decoration(reader, event, event->data.scalar.anchor, event->data.scalar.tag);
}

static int read_node(struct reader *reader, const yaml_event_t *event, unsigned depth, struct sl_node **node)
{
    if (depth == DEPTH_MOST)
        return refuse(reader, event->start_mark, "nested too deep", "no key of the config is this deep");
    if (event->type == YAML_ALIAS_EVENT)
        return refuse(reader, event->start_mark, "aliases ('*name') are not taken", "write the value out");
    if (event->type == YAML_SCALAR_EVENT)
        return read_scalar(reader, event, node);

    bool list = event->type == YAML_SEQUENCE_START_EVENT;
    *node = node_new(reader, list ? SL_NODE_LIST : SL_NODE_MAP, event->start_mark);
    if (!*node)
        return -ENOMEM;
    int error = list ? refuse_decoration(reader, event, event->data.sequence_start.anchor,
                                         event->data.sequence_start.tag)
                     : refuse_decoration(reader, event, event->data.mapping_start.anchor,
                                         event->data.mapping_start.tag);
    if (error)
        return error;
    return list ? read_list(reader, *node, depth + 1) : read_map(reader, *node, depth + 1);
}

// One document and nothing else.
static int read_stream(struct reader *reader)
{
    bool done = false;

    for (unsigned documents = 0; !done;) {
        yaml_event_t event;
        int error = event_next(reader, &event);

        if (error)
            return error;
        if (event.type == YAML_DOCUMENT_START_EVENT && ++documents > 1)
            error = refuse(reader, event.start_mark, "a second YAML document",
                           "a config is one: take the '---' out");
        else if (event.type != YAML_STREAM_START_EVENT && event.type != YAML_STREAM_END_EVENT &&
                 event.type != YAML_DOCUMENT_START_EVENT && event.type != YAML_DOCUMENT_END_EVENT)
            error = read_node(reader, &event, 0, &reader->tree->root);
        done = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
        if (error)
            return error;
    }
    return 0;
}

int sl_tree_read(struct sl_tree *tree, const char *text, size_t length, const char *name,
                 struct sl_diagnostics *diag)
{
    struct reader reader = {.tree = tree, .diag = diag, .name = name};

    *tree = (struct sl_tree){0};
    if (!yaml_parser_initialize(&reader.parser))
        return -ENOMEM;
    yaml_parser_set_input_string(&reader.parser, (const unsigned char *)text, length);
    int error = read_stream(&reader);
    yaml_parser_delete(&reader.parser);
    return error;
}

struct sl_node *sl_node_get(const struct sl_node *map, const char *key)
{
    for (unsigned i = 0; map && map->kind == SL_NODE_MAP && i < map->count; i++)
        if (strcmp(map->child[i]->key, key) == 0)
            return map->child[i];
    return NULL;
}

// One step of a path, "name" or "[3]"; *path moves behind it. NULL where the step leads nowhere.
static const struct sl_node *step(const struct sl_node *node, const char **path)
{
    char key[64];

    if (**path == '[') {
        unsigned long index = strtoul(*path + 1, NULL, 10);

        *path += strcspn(*path, "]");
        *path += **path == ']';
        return node->kind == SL_NODE_LIST && index < node->count ? node->child[index] : NULL;
    }
    *path += **path == '.';
    size_t length = strcspn(*path, ".[");
    if (length >= sizeof(key))
        return NULL;
    memcpy(key, *path, length);
    key[length] = '\0';
    *path += length;
    return sl_node_get(node, key);
}

const struct sl_node *sl_tree_find(const struct sl_tree *tree, const char *path)
{
    const struct sl_node *node = tree->root;

    while (node && *path) {
        const struct sl_node *next = step(node, &path);

        if (!next)
            break;
        node = next;
    }
    return node;
}
