// SPDX-License-Identifier: Apache-2.0
// Walks the schema's rows and says what each key is: as markdown, as a man page's source, as JSON Schema. Called by
// sluicectl --reference and a test.
#include "config/reference.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "config/schema.h"

#define PATH_BYTES 128

// "one of `a`, `b`" in either markup.
static void print_words(FILE *out, const struct sl_key *key, const char *quote)
{
    for (unsigned i = 0; i < key->word_count; i++)
        fprintf(out, "%s%s%s%s",
                i == 0                     ? ""
                : i + 1 == key->word_count ? " or "
                                           : ", ",
                quote, key->words[i].text, quote);
}

static void print_number(FILE *out, const struct sl_key *key, const char *quote)
{
    if (key->min == key->max)
        fprintf(out, "%s%" PRIu64 "%s", quote, key->min, quote);
    else
        fprintf(out, "%" PRIu64 " to %" PRIu64 "%s%s", key->min, key->max, key->unit[0] ? " " : "",
                key->unit);
    if (key->word_count) {
        fputs(", ", out);
        print_words(out, key, quote);
    }
}

// What a value must be.
static void print_type(FILE *out, const struct sl_key *key, const char *quote)
{
    switch (key->type) {
    case SL_KEY_TEXT:
        fputs(sl_text_kind_says(key->text), out);
        break;
    case SL_KEY_TEXTS:
        fprintf(out, "a list, each %s", sl_text_kind_says(key->text));
        break;
    case SL_KEY_UINT:
        print_number(out, key, quote);
        break;
    case SL_KEY_BOOL:
        fprintf(out, "%strue%s or %sfalse%s", quote, quote, quote, quote);
        break;
    case SL_KEY_ENUM:
        print_words(out, key, quote);
        break;
    case SL_KEY_MAP:
        fputs("keys, see below", out);
        break;
    case SL_KEY_MAPS:
        fprintf(out, "a list of up to %" PRIu64 ", see below", key->max);
        break;
    }
}

// The default, or that there must be one.
static void print_default(FILE *out, const struct sl_key *key, const char *quote)
{
    const char *word = sl_key_word(key, key->fallback);

    if (key->required)
        fputs("must be there", out);
    else if (key->type == SL_KEY_BOOL)
        fprintf(out, "%s%s%s", quote, key->fallback ? "true" : "false", quote);
    else if (word)
        fprintf(out, "%s%s%s", quote, word, quote);
    else if (key->type == SL_KEY_UINT)
        fprintf(out, "%s%" PRIu64 "%s", quote, key->fallback, quote);
    else
        fputs("none", out);
}

// A cell of a markdown table ends at '|'.
static void print_cell(FILE *out, const char *text)
{
    for (; *text; text++)
        fprintf(out, *text == '|' ? "\\%c" : "%c", *text);
}

// "nat.pools[]": where the keys of `key` stand.
static void inner_path(const char *path, const struct sl_key *key, char out[PATH_BYTES])
{
    snprintf(out, PATH_BYTES, "%s%s%s%s", path, path[0] ? "." : "", key->name,
             key->type == SL_KEY_MAPS ? "[]" : "");
}

static void markdown_section(FILE *out, const struct sl_key *keys, const char *path)
{
    if (path[0])
        fprintf(out, "\n## `%s`\n", path);
    fputs("\n| key | value | default | meaning |\n|---|---|---|---|\n", out);
    for (const struct sl_key *key = keys; key->name; key++) {
        fprintf(out, "| `%s` | ", key->name);
        print_type(out, key, "`");
        fputs(" | ", out);
        print_default(out, key, "`");
        fputs(" | ", out);
        print_cell(out, key->help);
        if (key->example) {
            fputs(" Example: `", out);
            print_cell(out, key->example);
            fputs("`.", out);
        }
        fputs(" |\n", out);
    }
    for (const struct sl_key *key = keys; key->name; key++) {
        char inner[PATH_BYTES];

        if (!key->keys)
            continue;
        inner_path(path, key, inner);
        markdown_section(out, key->keys, inner);
    }
}

void sl_config_reference_markdown(FILE *out)
{
    fputs("# The config\n\n"
          "Printed from the schema (`sluicectl --reference markdown`); a test keeps it current. "
          "`examples/sluice.yaml` is a whole one.\n"
          "A config is YAML (or JSON, which is YAML too) in UTF-8. Numbers are decimal, `true` and `false` "
          "are the only truths, every value\n"
          "has the type given here, whatever it looks like. Keys that are not listed, anchors, aliases and "
          "tags are refused. Check one with\n"
          "`sluicectl config check FILE`: the code that checks is the code that loads.\n",
          out);
    markdown_section(out, sl_config_keys, "");
    fputs("\n## Route files\n\n"
          "A route a line, made for millions; `#` starts a comment. Lines of one prefix one after another "
          "are ways of one route.\n\n"
          "```\nPREFIX via ADDRESS [port PORT] [weight N]\nPREFIX port PORT\nPREFIX blackhole\nPREFIX "
          "reject\n```\n\n"
          "## Prefix files\n\nA prefix or an address a line, IPv4 and IPv6 mixed; `#` starts a comment.\n",
          out);
}

// scdoc takes underscores and asterisks for markup, and our help's backquotes for nothing.
static void scdoc_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '`') {
            fputc('*', out);
        } else if (strchr("_*\\#<>", *text)) {
            fprintf(out, "\\%c", *text);
        } else {
            fputc(*text, out);
        }
    }
}

static void scdoc_section(FILE *out, const struct sl_key *keys, const char *path)
{
    fprintf(out, "# %s\n\n", path[0] ? path : "KEYS");
    for (const struct sl_key *key = keys; key->name; key++) {
        char *type = NULL;
        size_t size;
        FILE *text = open_memstream(&type, &size);

        print_type(text, key, "`");
        fputs("; default: ", text);
        print_default(text, key, "`");
        fclose(text);
        fprintf(out, "*%s*\n\t", key->name);
        scdoc_text(out, type);
        fputs(".++\n", out);
        scdoc_text(out, key->help);
        if (key->example) {
            fputs(" Example: ", out);
            scdoc_text(out, key->example);
        }
        fputs("\n\n", out);
        free(type);
    }
    for (const struct sl_key *key = keys; key->name; key++) {
        char inner[PATH_BYTES];

        if (!key->keys)
            continue;
        inner_path(path, key, inner);
        scdoc_section(out, key->keys, inner);
    }
}

void sl_config_reference_scdoc(FILE *out)
{
    fputs("sluice.yaml(5)\n\n# NAME\n\nsluice.yaml - config of a Sluice gateway\n\n# DESCRIPTION\n\n"
          "*sluiced*(8) reads */etc/sluice/sluice.yaml*, or the file its option *--config* names. It is YAML "
          "(or JSON, which is YAML too) "
          "in UTF-8. Numbers are decimal, *true* and *false* are the only truths, and every value has the "
          "type given here, "
          "whatever it looks like. Unknown keys, anchors, aliases and tags are refused. *sluicectl config "
          "check* _FILE_ checks one "
          "by the code that loads it.\n\n",
          out);
    scdoc_section(out, sl_config_keys, "");
    fputs("# ROUTE FILES\n\nA route a line; # starts a comment. Lines of one prefix one after another are "
          "ways of one route.\n\n"
          "```\nPREFIX via ADDRESS [port PORT] [weight N]\nPREFIX port PORT\nPREFIX blackhole\nPREFIX "
          "reject\n```\n\n"
          "# PREFIX FILES\n\nA prefix or an address a line, IPv4 and IPv6 mixed; # starts a comment.\n\n"
          "# SEE ALSO\n\n*sluicectl*(1), *sluiced*(8), *sluice-dp*(8)\n",
          out);
}

static json_t *schema_words(const struct sl_key *key)
{
    json_t *words = json_array();

    for (unsigned i = 0; i < key->word_count; i++)
        json_array_append_new(words, json_string(key->words[i].text));
    return words;
}

static json_t *schema_map(const struct sl_key *keys);

static json_t *schema_value(const struct sl_key *key)
{
    json_t *value;

    switch (key->type) {
    case SL_KEY_TEXT:
        return json_pack("{s:s, s:s}", "type", "string", "description", key->help);
    case SL_KEY_TEXTS:
        return json_pack("{s:s, s:s, s:{s:s}, s:I, s:I}", "type", "array", "description", key->help, "items",
                         "type", "string", "minItems", (json_int_t)key->min, "maxItems",
                         (json_int_t)key->max);
    case SL_KEY_BOOL:
        return json_pack("{s:s, s:s, s:b}", "type", "boolean", "description", key->help, "default",
                         (int)key->fallback);
    case SL_KEY_ENUM:
        return json_pack("{s:o, s:s}", "enum", schema_words(key), "description", key->help);
    case SL_KEY_MAP:
        value = schema_map(key->keys);
        json_object_set_new(value, "description", json_string(key->help));
        return value;
    case SL_KEY_MAPS:
        return json_pack("{s:s, s:s, s:o, s:I, s:I}", "type", "array", "description", key->help, "items",
                         schema_map(key->keys), "minItems", (json_int_t)key->min, "maxItems",
                         (json_int_t)key->max);
    case SL_KEY_UINT:
        break;
    }
    value = json_pack("{s:s, s:I, s:I}", "type", "integer", "minimum", (json_int_t)key->min, "maximum",
                      (json_int_t)key->max);
    if (key->word_count)
        value = json_pack("{s:[o, {s:o}]}", "anyOf", value, "enum", schema_words(key));
    json_object_set_new(value, "description", json_string(key->help));
    return value;
}

static json_t *schema_map(const struct sl_key *keys)
{
    json_t *properties = json_object(), *required = json_array();

    for (const struct sl_key *key = keys; key->name; key++) {
        json_object_set_new(properties, key->name, schema_value(key));
        if (key->required)
            json_array_append_new(required, json_string(key->name));
    }
    return json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties, "required", required,
                     "additionalProperties", 0);
}

json_t *sl_config_reference_json(void)
{
    json_t *schema = schema_map(sl_config_keys);

    if (schema) {
        json_object_set_new(schema, "$schema", json_string("https://json-schema.org/draft/2020-12/schema"));
        json_object_set_new(schema, "title", json_string("Sluice config"));
    }
    return schema;
}
