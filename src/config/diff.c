// SPDX-License-Identifier: Apache-2.0
// Two models side by side along the schema. Elements of lists are matched by their identity, so that one taken out of
// the middle is one removal and not a change of all behind it. Called by sluiced and sluicectl. Pure.
#include "config/diff.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "config/emit.h"
#include "config/schema.h"

#define PATH_BYTES 512

struct diff {
    struct sl_changes *changes;
    unsigned room;
    bool failed;
    char path[PATH_BYTES];
    size_t length;
};

struct named { // an element of a list, by what identifies it
    char *name;
    unsigned i;   // place in its list
    unsigned nth; // of those with the same name
    bool matched;
};

static size_t path_push(struct diff *diff, const char *key, const char *name)
{
    size_t before = diff->length, room = PATH_BYTES - before;
    const char *head = !key ? "[" : before ? "." : "", *tail = key ? "" : "]";
    int wrote = snprintf(diff->path + before, room, "%s%s%s", head, key ? key : name, tail);

    diff->length += (size_t)wrote < room ? (size_t)wrote : room - 1;
    return before;
}

static void path_pop(struct diff *diff, size_t before)
{
    diff->length = before;
    diff->path[before] = '\0';
}

static void change_free(struct sl_change *change)
{
    free(change->path);
    free(change->before);
    free(change->after);
}

// Takes over `before` and `after`.
static void change_add(struct diff *diff, enum sl_change_kind kind, char *before, char *after)
{
    struct sl_changes *changes = diff->changes;
    struct sl_change change = {kind, strdup(diff->path), before, after};
    bool whole = change.path && (before || kind == SL_CHANGE_ADDED || kind == SL_CHANGE_MOVED) &&
                 (after || kind == SL_CHANGE_REMOVED || kind == SL_CHANGE_MOVED);

    if (whole && changes->count == diff->room) {
        unsigned room = diff->room ? 2 * diff->room : 16;
        struct sl_change *wider = realloc(changes->list, room * sizeof(*wider));

        whole = wider != NULL;
        changes->list = wider ? wider : changes->list;
        diff->room = wider ? room : diff->room;
    }
    if (!whole) {
        change_free(&change);
        diff->failed = true;
        return;
    }
    changes->list[changes->count++] = change;
}

static char *value_text(const struct sl_key *key, const void *base)
{
    struct emit emit = {0};

    emit_value(&emit, key, base, false);
    return emit_take(&emit, NULL);
}

static char *element_text(const struct sl_key *key, const void *base, unsigned i)
{
    struct emit emit = {0};

    if (key->type == SL_KEY_TEXTS)
        emit_scalar(&emit, sl_key_text(key, base, i));
    else
        emit_map(&emit, key->keys, sl_key_element(key, base, i), false);
    return emit_take(&emit, NULL);
}

// "wan"; of several identifying keys "10.0.0.99 lan"; without any the element itself.
static char *element_name(const struct sl_key *key, const void *base, unsigned i)
{
    struct emit emit = {0};

    if (key->type == SL_KEY_TEXTS)
        return strdup(sl_key_text(key, base, i));
    for (const struct sl_key *inner = key->keys; inner->name; inner++) {
        const void *element = sl_key_element(key, base, i);

        if (!inner->identity || emit_is_default(inner, element))
            continue;
        if (emit.length)
            emit_text(&emit, " ");
        if (inner->type == SL_KEY_TEXT)
            emit_text(&emit, sl_key_text(inner, element, 0));
        else
            emit_value(&emit, inner, element, false);
    }
    return emit.length ? emit_take(&emit, NULL) : element_text(key, base, i);
}

static int named_compare(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    return order ? order : x->i < y->i ? -1 : x->i > y->i;
}

static int place_compare(const void *a, const void *b)
{
    const struct named *x = a, *y = b;

    return x->i < y->i ? -1 : x->i > y->i;
}

static void named_free(struct named *named, unsigned count)
{
    for (unsigned i = 0; named && i < count; i++)
        free(named[i].name);
    free(named);
}

// The elements of a list sorted by name; NULL where memory is out.
static struct named *named_sorted(const struct sl_key *key, const void *base)
{
    unsigned count = sl_key_count(key, base);
    struct named *named = calloc(count ? count : 1, sizeof(*named));

    for (unsigned i = 0; named && i < count; i++) {
        named[i].i = i;
        named[i].name = element_name(key, base, i);
        if (!named[i].name) {
            named_free(named, count);
            return NULL;
        }
    }
    if (!named)
        return NULL;
    qsort(named, count, sizeof(*named), named_compare);
    for (unsigned i = 1; i < count; i++)
        if (strcmp(named[i].name, named[i - 1].name) == 0)
            named[i].nth = named[i - 1].nth + 1;
    return named;
}

static int pair_compare(const struct named *a, const struct named *b)
{
    int order = strcmp(a->name, b->name);

    return order ? order : a->nth < b->nth ? -1 : a->nth > b->nth;
}

static void diff_map(struct diff *diff, const struct sl_key *keys, const void *before, const void *after);

// One side's element that the other has not. Texts are shown behind the list's own path.
static void diff_lone(struct diff *diff, const struct sl_key *key, const void *base, const struct named *one,
                      enum sl_change_kind kind)
{
    size_t path = diff->length;
    char *text = element_text(key, base, one->i);

    if (key->type == SL_KEY_MAPS)
        path_push(diff, NULL, one->name);
    change_add(diff, kind, kind == SL_CHANGE_REMOVED ? text : NULL, kind == SL_CHANGE_ADDED ? text : NULL);
    path_pop(diff, path);
}

static void mark_matches(struct named *a, unsigned a_count, struct named *b, unsigned b_count,
                         unsigned *partner)
{
    for (unsigned i = 0, j = 0; i < a_count && j < b_count;) {
        int order = pair_compare(&a[i], &b[j]);

        if (order == 0) {
            partner[b[j].i] = a[i].i;
            a[i++].matched = b[j++].matched = true;
        } else if (order < 0) {
            i++;
        } else {
            j++;
        }
    }
}

// Whether the elements both have stand in another order.
static bool order_differs(const struct named *b, unsigned b_count, const unsigned *partner)
{
    unsigned last = 0;

    for (unsigned j = 0; j < b_count; j++) { // b is in the order of its list
        if (!b[j].matched)
            continue;
        if (partner[b[j].i] < last)
            return true;
        last = partner[b[j].i];
    }
    return false;
}

static void diff_list(struct diff *diff, const struct sl_key *key, const void *before, const void *after)
{
    unsigned a_count = sl_key_count(key, before), b_count = sl_key_count(key, after);
    struct named *a = named_sorted(key, before), *b = named_sorted(key, after);
    unsigned *partner =
        calloc(b_count ? b_count : 1, sizeof(*partner)); // of b's elements, by place: a's place

    diff->failed |= !a || !b || !partner;
    if (!diff->failed) {
        mark_matches(a, a_count, b, b_count, partner);
        qsort(a, a_count, sizeof(*a), place_compare);
        qsort(b, b_count, sizeof(*b), place_compare);
        for (unsigned i = 0; i < a_count; i++)
            if (!a[i].matched)
                diff_lone(diff, key, before, &a[i], SL_CHANGE_REMOVED);
        for (unsigned j = 0; j < b_count; j++) {
            if (!b[j].matched) {
                diff_lone(diff, key, after, &b[j], SL_CHANGE_ADDED);
            } else if (key->type == SL_KEY_MAPS) {
                size_t path = path_push(diff, NULL, b[j].name);

                diff_map(diff, key->keys, sl_key_element(key, before, partner[j]),
                         sl_key_element(key, after, j));
                path_pop(diff, path);
            }
        }
        if (key->ordered && order_differs(b, b_count, partner))
            change_add(diff, SL_CHANGE_MOVED, NULL, NULL);
    }
    named_free(a, a ? a_count : 0);
    named_free(b, b ? b_count : 0);
    free(partner);
}

static void diff_text(struct diff *diff, const struct sl_key *key, const void *before, const void *after)
{
    const char *a = sl_key_text(key, before, 0), *b = sl_key_text(key, after, 0);

    if ((!a && !b) || (a && b && strcmp(a, b) == 0))
        return;
    change_add(diff,
               !a   ? SL_CHANGE_ADDED
               : !b ? SL_CHANGE_REMOVED
                    : SL_CHANGE_CHANGED,
               a ? value_text(key, before) : NULL, b ? value_text(key, after) : NULL);
}

static void diff_map(struct diff *diff, const struct sl_key *keys, const void *before, const void *after)
{
    for (const struct sl_key *key = keys; key->name && !diff->failed; key++) {
        size_t path = path_push(diff, key->name, NULL);

        if (key->type == SL_KEY_MAP)
            diff_map(diff, key->keys, sl_key_field_const(key, before), sl_key_field_const(key, after));
        else if (key->type == SL_KEY_TEXTS || key->type == SL_KEY_MAPS)
            diff_list(diff, key, before, after);
        else if (key->type == SL_KEY_TEXT)
            diff_text(diff, key, before, after);
        else if (sl_key_number(key, before) != sl_key_number(key, after))
            change_add(diff, SL_CHANGE_CHANGED, value_text(key, before), value_text(key, after));
        path_pop(diff, path);
    }
}

// A model without anything: every number its default.
static void set_defaults(const struct sl_key *keys, void *base)
{
    for (const struct sl_key *key = keys; key->name; key++) {
        if (key->type == SL_KEY_MAP)
            set_defaults(key->keys, sl_key_field(key, base));
        else if (key->type == SL_KEY_UINT || key->type == SL_KEY_BOOL || key->type == SL_KEY_ENUM)
            sl_key_number_set(key, base, key->required ? key->min : key->fallback);
    }
}

int sl_config_diff(const struct sl_config *before, const struct sl_config *after, struct sl_changes *changes)
{
    struct diff diff = {.changes = changes};
    struct sl_config nothing = {0};

    *changes = (struct sl_changes){0};
    set_defaults(sl_config_keys, &nothing);
    diff_map(&diff, sl_config_keys, before ? before : &nothing, after ? after : &nothing);
    if (!diff.failed)
        return 0;
    sl_changes_fini(changes);
    return -ENOMEM;
}

void sl_changes_fini(struct sl_changes *changes)
{
    for (unsigned i = 0; i < changes->count; i++)
        change_free(&changes->list[i]);
    free(changes->list);
    *changes = (struct sl_changes){0};
}

void sl_changes_print(const struct sl_changes *changes, FILE *out)
{
    for (unsigned i = 0; i < changes->count; i++) {
        const struct sl_change *change = &changes->list[i];

        switch (change->kind) {
        case SL_CHANGE_ADDED:
            fprintf(out, "+ %s: %s\n", change->path, change->after);
            break;
        case SL_CHANGE_REMOVED:
            fprintf(out, "- %s: %s\n", change->path, change->before);
            break;
        case SL_CHANGE_CHANGED:
            fprintf(out, "~ %s: %s -> %s\n", change->path, change->before, change->after);
            break;
        case SL_CHANGE_MOVED:
            fprintf(out, "> %s: in another order\n", change->path);
            break;
        }
    }
}

json_t *sl_changes_json(const struct sl_changes *changes)
{
    static const char *const kinds[] = {"added", "removed", "changed", "moved"};
    json_t *list = json_array();

    for (unsigned i = 0; list && i < changes->count; i++) {
        const struct sl_change *change = &changes->list[i];
        json_t *item = json_pack("{s:s, s:s, s:s?, s:s?}", "kind", kinds[change->kind], "path", change->path,
                                 "before", change->before, "after", change->after);

        if (json_array_append_new(list, item) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}
