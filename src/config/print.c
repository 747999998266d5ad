// SPDX-License-Identifier: Apache-2.0
// The canonical text of a model, its JSON, and whether two are the same. Called by sluiced and sluicectl. Pure.
#include "config/print.h"

#include <jansson.h>
#include <string.h>
#include "config/emit.h"
#include "config/schema.h"

#define COLUMNS 110 // longer lines are broken, an element a line

static void print_map(struct emit *emit, const struct sl_key *keys, const void *base, unsigned indent,
                      bool all);

static void print_indent(struct emit *emit, unsigned indent)
{
    static const char spaces[] = "                                ";

    emit_bytes(emit, spaces, indent < sizeof(spaces) - 1 ? indent : sizeof(spaces) - 1);
}

// Takes back what was written since `start` where it went over the line's end.
static bool fits(struct emit *emit, size_t start, unsigned indent)
{
    if (emit->failed || emit->length - start + indent <= COLUMNS)
        return true;
    emit->length = start;
    return false;
}

static void print_element(struct emit *emit, const struct sl_key *key, const void *element, unsigned indent,
                          bool all)
{
    print_indent(emit, indent);
    emit_text(emit, "- ");
    size_t start = emit->length;
    if (key->compact) {
        emit_map(emit, key->keys, element, all);
        if (fits(emit, start, indent + 2)) {
            emit_text(emit, "\n");
            return;
        }
    }
    // The first key stands behind the dash: its indentation is taken out again.
    print_map(emit, key->keys, element, indent + 2, all);
    if (!emit->failed && emit->length >= start + indent + 2) {
        memmove(emit->text + start, emit->text + start + indent + 2, emit->length - start - indent - 2);
        emit->length -= indent + 2;
    }
}

static void print_list(struct emit *emit, const struct sl_key *key, const void *base, unsigned indent,
                       bool all)
{
    size_t start = emit->length;

    if (key->type == SL_KEY_TEXTS) {
        emit_text(emit, " ");
        emit_value(emit, key, base, all);
        if (fits(emit, start, indent + (unsigned)strlen(key->name) + 1)) {
            emit_text(emit, "\n");
            return;
        }
    }
    emit_text(emit, "\n");
    for (unsigned i = 0; i < sl_key_count(key, base); i++) {
        if (key->type == SL_KEY_MAPS) {
            print_element(emit, key, sl_key_element(key, base, i), indent + 2, all);
            continue;
        }
        print_indent(emit, indent + 2);
        emit_text(emit, "- ");
        emit_scalar(emit, sl_key_text(key, base, i));
        emit_text(emit, "\n");
    }
}

// Without anything that could be written: a map of nothing but lists that are empty is none of the keys it may have.
static bool is_nothing(const struct sl_key *key, const void *base)
{
    if (key->type == SL_KEY_MAP) {
        for (const struct sl_key *inner = key->keys; inner->name; inner++)
            if (!is_nothing(inner, sl_key_field_const(key, base)))
                return false;
        return true;
    }
    if (key->type == SL_KEY_TEXT)
        return sl_key_text(key, base, 0) == NULL;
    return (key->type == SL_KEY_TEXTS || key->type == SL_KEY_MAPS) && sl_key_count(key, base) == 0;
}

static void print_map(struct emit *emit, const struct sl_key *keys, const void *base, unsigned indent,
                      bool all)
{
    for (const struct sl_key *key = keys; key->name; key++) {
        if (is_nothing(key, base) || (!all && emit_is_default(key, base)))
            continue;
        print_indent(emit, indent);
        emit_text(emit, key->name);
        emit_text(emit, ":");
        if (key->type == SL_KEY_MAP) {
            emit_text(emit, "\n");
            print_map(emit, key->keys, sl_key_field_const(key, base), indent + 2, all);
        } else if (key->type == SL_KEY_TEXTS || key->type == SL_KEY_MAPS) {
            print_list(emit, key, base, indent, all);
        } else {
            emit_text(emit, " ");
            emit_value(emit, key, base, all);
            emit_text(emit, "\n");
        }
    }
}

char *sl_config_print(const struct sl_config *config, bool all, size_t *length)
{
    struct emit emit = {0};

    print_map(&emit, sl_config_keys, config, 0, all);
    emit_bytes(&emit, "", 0);
    return emit_take(&emit, length);
}

static json_t *json_map(const struct sl_key *keys, const void *base);

static json_t *json_list(const struct sl_key *key, const void *base)
{
    json_t *list = json_array();

    for (unsigned i = 0; list && i < sl_key_count(key, base); i++) {
        json_t *element = key->type == SL_KEY_TEXTS ? json_string(sl_key_text(key, base, i))
                                                    : json_map(key->keys, sl_key_element(key, base, i));

        if (json_array_append_new(list, element) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *json_value(const struct sl_key *key, const void *base)
{
    if (key->type == SL_KEY_MAP)
        return json_map(key->keys, sl_key_field_const(key, base));
    if (key->type == SL_KEY_TEXTS || key->type == SL_KEY_MAPS)
        return json_list(key, base);
    if (key->type == SL_KEY_TEXT)
        return json_string(sl_key_text(key, base, 0));

    uint64_t value = sl_key_number(key, base);
    const char *word = sl_key_word(key, value);
    if (key->type == SL_KEY_BOOL)
        return json_boolean(value);
    return word ? json_string(word) : json_integer((json_int_t)value);
}

static json_t *json_map(const struct sl_key *keys, const void *base)
{
    json_t *map = json_object();

    for (const struct sl_key *key = keys; map && key->name; key++) {
        if (key->type == SL_KEY_TEXT && is_nothing(key, base))
            continue;
        if (json_object_set_new(map, key->name, json_value(key, base)) != 0) {
            json_decref(map);
            return NULL;
        }
    }
    return map;
}

json_t *sl_config_json(const struct sl_config *config)
{
    return json_map(sl_config_keys, config);
}

static bool text_equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool map_equal(const struct sl_key *keys, const void *a, const void *b);

static bool list_equal(const struct sl_key *key, const void *a, const void *b)
{
    if (sl_key_count(key, a) != sl_key_count(key, b))
        return false;
    for (unsigned i = 0; i < sl_key_count(key, a); i++) {
        bool same = key->type == SL_KEY_TEXTS
                        ? text_equal(sl_key_text(key, a, i), sl_key_text(key, b, i))
                        : map_equal(key->keys, sl_key_element(key, a, i), sl_key_element(key, b, i));

        if (!same)
            return false;
    }
    return true;
}

static bool value_equal(const struct sl_key *key, const void *a, const void *b)
{
    if (key->type == SL_KEY_MAP)
        return map_equal(key->keys, sl_key_field_const(key, a), sl_key_field_const(key, b));
    if (key->type == SL_KEY_TEXTS || key->type == SL_KEY_MAPS)
        return list_equal(key, a, b);
    if (key->type == SL_KEY_TEXT)
        return text_equal(sl_key_text(key, a, 0), sl_key_text(key, b, 0));
    return sl_key_number(key, a) == sl_key_number(key, b);
}

static bool map_equal(const struct sl_key *keys, const void *a, const void *b)
{
    for (const struct sl_key *key = keys; key->name; key++)
        if (!value_equal(key, a, b))
            return false;
    return true;
}

bool sl_config_equal(const struct sl_config *a, const struct sl_config *b)
{
    return map_equal(sl_config_keys, a, b);
}
