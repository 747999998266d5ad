// SPDX-License-Identifier: Apache-2.0
// libcyaml's schema, made from the rows of ours for the length of one load. Called by the loader, on its thread.
#include "config/fill.h"

#include <cyaml/cyaml.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "config/schema.h"

struct schema {
    void *block[128]; // everything allocated for it
    unsigned blocks;
};

static const cyaml_schema_value_t text_entry = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 0, CYAML_UNLIMITED),
};

static void *schema_take(struct schema *schema, size_t count, size_t size)
{
    if (schema->blocks == sizeof(schema->block) / sizeof(schema->block[0]))
        return NULL;
    void *block = calloc(count, size);
    if (block)
        schema->block[schema->blocks++] = block;
    return block;
}

static void schema_fini(struct schema *schema)
{
    while (schema->blocks)
        free(schema->block[--schema->blocks]);
}

static const cyaml_schema_field_t *schema_fields(struct schema *schema, const struct sl_key *keys);

static int value_words(struct schema *schema, const struct sl_key *key, cyaml_schema_value_t *value)
{
    cyaml_strval_t *words = schema_take(schema, key->word_count, sizeof(*words));

    if (!words)
        return -ENOMEM;
    for (unsigned i = 0; i < key->word_count; i++)
        words[i] = (cyaml_strval_t){key->words[i].text, key->words[i].value};
    value->type = CYAML_ENUM;
    value->enumeration.strings = words;
    value->enumeration.count = key->word_count;
    return 0;
}

static int value_list(struct schema *schema, const struct sl_key *key, cyaml_schema_field_t *field)
{
    field->count_offset = key->count_offset;
    field->count_size = sizeof(unsigned);
    field->value.type = CYAML_SEQUENCE;
    field->value.flags |= CYAML_FLAG_POINTER;
    field->value.sequence.max = CYAML_UNLIMITED;
    field->value.sequence.entry = &text_entry;
    if (key->type == SL_KEY_TEXTS)
        return 0;

    cyaml_schema_value_t *entry = schema_take(schema, 1, sizeof(*entry));
    if (!entry)
        return -ENOMEM;
    entry->type = CYAML_MAPPING;
    entry->data_size = key->size;
    entry->mapping.fields = schema_fields(schema, key->keys);
    field->value.sequence.entry = entry;
    return entry->mapping.fields ? 0 : -ENOMEM;
}

static int schema_field(struct schema *schema, const struct sl_key *key, cyaml_schema_field_t *field)
{
    field->key = key->name;
    field->data_offset = key->offset;
    field->value.flags = CYAML_FLAG_OPTIONAL;
    field->value.data_size = key->size;
    switch (key->type) {
    case SL_KEY_TEXT:
        field->value.type = CYAML_STRING;
        field->value.flags |= CYAML_FLAG_POINTER;
        field->value.data_size = sizeof(char);
        field->value.string.max = CYAML_UNLIMITED;
        return 0;
    case SL_KEY_BOOL:
        field->value.type = CYAML_BOOL;
        return 0;
    case SL_KEY_UINT:
    case SL_KEY_ENUM:
        field->value.type = CYAML_UINT;
        return key->word_count ? value_words(schema, key, &field->value) : 0;
    case SL_KEY_MAP:
        field->value.type = CYAML_MAPPING;
        field->value.mapping.fields = schema_fields(schema, key->keys);
        return field->value.mapping.fields ? 0 : -ENOMEM;
    case SL_KEY_TEXTS:
    case SL_KEY_MAPS:
        break;
    }
    return value_list(schema, key, field);
}

static const cyaml_schema_field_t *schema_fields(struct schema *schema, const struct sl_key *keys)
{
    size_t count = 0;

    while (keys[count].name)
        count++;
    // The last one, all zero, ends the array as CYAML_FIELD_END does.
    cyaml_schema_field_t *fields = schema_take(schema, count + 1, sizeof(*fields));
    for (size_t i = 0; fields && i < count; i++)
        if (schema_field(schema, &keys[i], &fields[i]) != 0)
            return NULL;
    return fields;
}

struct capture {
    char text[512];
    size_t length;
};

static void capture_log(cyaml_log_t level, void *context, const char *format, va_list arguments)
{
    struct capture *capture = context;
    size_t room = sizeof(capture->text) - capture->length;
    int wrote = vsnprintf(capture->text + capture->length, room, format, arguments);

    capture->length += wrote < 0 ? 0 : (size_t)wrote < room ? (size_t)wrote : room - 1;
    while (capture->length && capture->text[capture->length - 1] == '\n')
        capture->text[--capture->length] = '\0';
}

int fill_struct(const struct sl_key *keys, size_t size, const char *text, size_t length, const char *name,
                void **base, struct sl_diagnostics *diag)
{
    struct schema schema = {0};
    struct capture capture = {0};
    cyaml_schema_value_t top = {
        .type = CYAML_MAPPING, .flags = CYAML_FLAG_POINTER, .data_size = (uint32_t)size};
    const cyaml_config_t how = {.log_fn = capture_log,
                                .log_ctx = &capture,
                                .log_level = CYAML_LOG_ERROR,
                                .mem_fn = cyaml_mem,
                                .flags = CYAML_CFG_NO_ALIAS};
    int error = -ENOMEM;

    *base = NULL;
    top.mapping.fields = schema_fields(&schema, keys);
    if (top.mapping.fields) {
        cyaml_err_t said = cyaml_load_data((const uint8_t *)text, length, &how, &top, base, NULL);

        error = said == CYAML_OK ? 0 : said == CYAML_ERR_OOM ? -ENOMEM : -EINVAL;
        if (error == -EINVAL)
            sl_diag_add(diag, SL_DIAG_ERROR, name, 0, 0, "", "please report this config as a bug of Sluice",
                        "libcyaml: %s: %s", cyaml_strerror(said), capture.text);
    }
    schema_fini(&schema);
    return error;
}
