// SPDX-License-Identifier: Apache-2.0
// Model values as YAML in one line, quoted so that every reader takes them for the same. Called by print and diff.
#include "config/emit.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void emit_bytes(struct emit *emit, const char *bytes, size_t length)
{
    if (emit->failed)
        return;
    if (emit->length + length + 1 > emit->room) {
        size_t room = emit->room ? emit->room * 2 : 1024;

        while (room < emit->length + length + 1)
            room *= 2;
        char *wider = realloc(emit->text, room);
        if (!wider) {
            emit->failed = true;
            return;
        }
        emit->text = wider;
        emit->room = room;
    }
    memcpy(emit->text + emit->length, bytes, length);
    emit->length += length;
    emit->text[emit->length] = '\0';
}

void emit_text(struct emit *emit, const char *text)
{
    emit_bytes(emit, text, strlen(text));
}

char *emit_take(struct emit *emit, size_t *length)
{
    char *text = emit->text;

    if (!emit->failed && !text)
        emit_bytes(emit, "", 0), text = emit->text;
    if (emit->failed) {
        free(emit->text);
        text = NULL;
    }
    if (length)
        *length = emit->length;
    *emit = (struct emit){0};
    return text;
}

// Words that YAML 1.1 readers take for something else than text.
static bool is_reserved(const char *text)
{
    static const char *const words[] = {"true", "false", "yes",  "no", "on",  "off",
                                        "y",    "n",     "null", "~",  "none"};

    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcasecmp(text, words[i]) == 0)
            return true;
    return false;
}

// A number, or in YAML 1.1 a number to base 60, which a MAC looks like. A dotted quad has too many dots to be one.
static bool looks_like_number(const char *text)
{
    const char *dot = strchr(text, '.');

    return isdigit((unsigned char)text[0]) && text[strspn(text, "0123456789abcdefABCDEFxX_.:+-")] == '\0' &&
           (strchr(text, ':') || !dot || !strchr(dot + 1, '.'));
}

static bool is_plain(const char *text)
{
    size_t length = strlen(text);

    if (length == 0 || is_reserved(text) || !(isalnum((unsigned char)text[0]) || text[0] == '/'))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)text[i]) && !strchr("_./:-+@", text[i]))
            return false;
    return text[length - 1] != ':' && !looks_like_number(text);
}

void emit_scalar(struct emit *emit, const char *text)
{
    char escape[8];

    if (is_plain(text)) {
        emit_text(emit, text);
        return;
    }
    emit_text(emit, "\"");
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            snprintf(escape, sizeof(escape), "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            snprintf(escape, sizeof(escape), "\\x%02x", c);
        else
            snprintf(escape, sizeof(escape), "%c", c);
        emit_text(emit, escape);
    }
    emit_text(emit, "\"");
}

static void emit_number(struct emit *emit, const struct sl_key *key, const void *base)
{
    uint64_t value = sl_key_number(key, base);
    const char *word = key->type == SL_KEY_BOOL ? (value ? "true" : "false") : sl_key_word(key, value);
    char digits[24];

    snprintf(digits, sizeof(digits), "%" PRIu64, value);
    emit_text(emit, word ? word : digits);
}

bool emit_is_default(const struct sl_key *key, const void *base)
{
    if (key->type == SL_KEY_TEXTS || key->type == SL_KEY_MAPS)
        return sl_key_count(key, base) == 0;
    if (key->type == SL_KEY_TEXT)
        return sl_key_text(key, base, 0) == NULL;
    if (key->type != SL_KEY_MAP)
        return !key->required && sl_key_number(key, base) == key->fallback;
    for (const struct sl_key *inner = key->keys; inner->name; inner++)
        if (!emit_is_default(inner, sl_key_field_const(key, base)))
            return false;
    return true;
}

static void emit_list(struct emit *emit, const struct sl_key *key, const void *base, bool all)
{
    emit_text(emit, "[");
    for (unsigned i = 0; i < sl_key_count(key, base); i++) {
        if (i)
            emit_text(emit, ", ");
        if (key->type == SL_KEY_TEXTS)
            emit_scalar(emit, sl_key_text(key, base, i));
        else
            emit_map(emit, key->keys, sl_key_element(key, base, i), all);
    }
    emit_text(emit, "]");
}

void emit_value(struct emit *emit, const struct sl_key *key, const void *base, bool all)
{
    if (key->type == SL_KEY_TEXTS || key->type == SL_KEY_MAPS)
        emit_list(emit, key, base, all);
    else if (key->type == SL_KEY_MAP)
        emit_map(emit, key->keys, sl_key_field_const(key, base), all);
    else if (key->type == SL_KEY_TEXT)
        emit_scalar(emit, sl_key_text(key, base, 0));
    else
        emit_number(emit, key, base);
}

void emit_map(struct emit *emit, const struct sl_key *keys, const void *base, bool all)
{
    const char *between = "{";

    for (const struct sl_key *key = keys; key->name; key++) {
        bool nothing = key->type == SL_KEY_TEXT ? sl_key_text(key, base, 0) == NULL
                       : key->type == SL_KEY_TEXTS || key->type == SL_KEY_MAPS ? sl_key_count(key, base) == 0
                                                                               : false;

        if (nothing || (!all && emit_is_default(key, base)))
            continue;
        emit_text(emit, between);
        emit_text(emit, key->name);
        emit_text(emit, ": ");
        emit_value(emit, key, base, all);
        between = ", ";
    }
    emit_text(emit, between[0] == '{' ? "{}" : "}");
}
