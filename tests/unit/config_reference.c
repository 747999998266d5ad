// SPDX-License-Identifier: Apache-2.0
// The schema's rows are whole, and the pages printed from them are current.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include "config/file.h"
#include "config/reference.h"
#include "config/schema.h"
#include "config/value.h"

static void assert_rows_whole(const struct sl_key *keys)
{
    for (const struct sl_key *key = keys; key->name; key++) {
        bool scalar = key->type != SL_KEY_MAP && key->type != SL_KEY_MAPS;

        if (!key->help || !key->help[0] || key->help[strlen(key->help) - 1] != '.')
            fail_msg("'%s' has no sentence of help", key->name);
        if (scalar && !key->example)
            fail_msg("'%s' has no example", key->name);
        if (key->type == SL_KEY_UINT && (!key->unit || key->max < key->min))
            fail_msg("'%s' has no unit or no limits", key->name);
        // A default is itself within the limits, or one of the words.
        if (key->type == SL_KEY_UINT && !key->required && !sl_key_word(key, key->fallback) &&
            (key->fallback < key->min || key->fallback > key->max))
            fail_msg("the default of '%s' is out of range", key->name);
        if (key->type == SL_KEY_ENUM && !key->required && !sl_key_word(key, key->fallback))
            fail_msg("the default of '%s' is no word", key->name);
        if ((key->type == SL_KEY_TEXTS || key->type == SL_KEY_MAPS) && key->max == 0)
            fail_msg("the list '%s' has no limit", key->name);
        if (key->keys)
            assert_rows_whole(key->keys);
    }
}

static void every_row_has_help_limits_and_an_example(void **state)
{
    assert_rows_whole(sl_config_keys);
}

static void assert_examples_right(const struct sl_key *keys)
{
    for (const struct sl_key *key = keys; key->name; key++) {
        struct value_fault fault = {0};
        char text[128];

        if (key->keys)
            assert_examples_right(key->keys);
        if (!key->example || key->type == SL_KEY_TEXTS || key->type == SL_KEY_MAPS)
            continue;
        size_t quoted = key->example[0] == '"';
        snprintf(text, sizeof(text), "%.*s", (int)(strlen(key->example) - 2 * quoted), key->example + quoted);
        int error = key->type == SL_KEY_UINT   ? value_check_number(key, text, &fault)
                    : key->type == SL_KEY_BOOL ? value_check_bool(text, &fault)
                    : key->type == SL_KEY_ENUM ? value_check_word(key, text, &fault)
                                               : value_check_text(key->text, text, &fault);
        if (error)
            fail_msg("the example of '%s': %s", key->name, fault.what);
    }
}

static void every_example_is_a_right_value(void **state)
{
    assert_examples_right(sl_config_keys);
}

static char *printed(void (*print)(FILE *out))
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    print(out);
    fclose(out);
    return text;
}

static void assert_current(const char *path, void (*print)(FILE *out))
{
    char *wanted = printed(print), *text;
    size_t length;

    assert_int_equal(file_read(path, &text, &length), 0);
    if (strcmp(text, wanted) != 0)
        fail_msg("%s is not what the schema prints: run sluicectl --reference again", path);
    free(text);
    free(wanted);
}

static void the_pages_are_current(void **state)
{
    assert_current(DOCS "/config.md", sl_config_reference_markdown);
    assert_current(DOCS "/man/sluice.yaml.5.scd", sl_config_reference_scdoc);
}

static void assert_documented(const struct sl_key *keys, const char *page)
{
    for (const struct sl_key *key = keys; key->name; key++) {
        char row[64];

        snprintf(row, sizeof(row), "\n| `%s` | ", key->name);
        if (!strstr(page, row))
            fail_msg("'%s' is not in the reference", key->name);
        if (key->keys)
            assert_documented(key->keys, page);
    }
}

static void every_key_is_documented(void **state)
{
    char *page;
    size_t length;

    assert_int_equal(file_read(DOCS "/config.md", &page, &length), 0);
    assert_documented(sl_config_keys, page);
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_has_help_limits_and_an_example),
        cmocka_unit_test(every_example_is_a_right_value),
        cmocka_unit_test(the_pages_are_current),
        cmocka_unit_test(every_key_is_documented),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
