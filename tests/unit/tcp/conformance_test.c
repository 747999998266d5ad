// SPDX-License-Identifier: Apache-2.0
// docs/tcp-conformance.md names tests that exist: a proof that was renamed or taken out must not stay claimed.
#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "script.h"

static const char *source_root;

static char *contents(const char *path)
{
    FILE *file = fopen(path, "r");
    size_t room = 1 << 20, len;
    char *text = malloc(room);

    assert_non_null(text);
    if (file == NULL)
        fail_msg("%s: cannot be read", path);
    len = fread(text, 1, room - 1, file);
    fclose(file);
    text[len] = 0;
    return text;
}

// All tests' sources, one behind the other.
static char *sources(void)
{
    char pattern[1024], *all = calloc(1, 4 << 20);
    glob_t found;

    assert_non_null(all);
    snprintf(pattern, sizeof(pattern), "%s/tests/unit/tcp/*_test.c", source_root);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    for (size_t i = 0, at = 0; i < found.gl_pathc; i++) {
        char *one = contents(found.gl_pathv[i]);

        at += (size_t)snprintf(all + at, (4u << 20) - at, "%s", one);
        assert_true(at < 4u << 20);
        free(one);
    }
    globfree(&found);
    return all;
}

// A test's name has four words at least; no other word of the page has.
static bool is_test_name(const char *word, size_t len)
{
    unsigned underscores = 0;

    for (size_t i = 0; i < len; i++)
        underscores += word[i] == '_';
    return underscores >= 3 && islower((unsigned char)word[0]);
}

static void every_test_that_the_page_names_exists(void **state)
{
    char path[1024], wanted[256], *page, *all = sources();
    unsigned n = 0;

    snprintf(path, sizeof(path), "%s/docs/tcp-conformance.md", source_root);
    page = contents(path);
    for (const char *at = page; *at;) {
        size_t len = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_");

        if (is_test_name(at, len)) {
            snprintf(wanted, sizeof(wanted), "%.*s(void **state)", (int)len, at);
            if (strstr(all, wanted) == NULL)
                fail_msg("no test %.*s", (int)len, at);
            n++;
        }
        at += len ? len : 1;
    }
    assert_true(n > 100);
    free(page);
    free(all);
}

static void every_must_and_should_has_a_row(void **state)
{
    char path[1024], wanted[32], *page;

    snprintf(path, sizeof(path), "%s/docs/tcp-conformance.md", source_root);
    page = contents(path);
    for (unsigned kind = 0; kind < 2; kind++)
        for (unsigned i = 1; i <= (kind ? 31 : 69); i++) {
            snprintf(wanted, sizeof(wanted), "%s-%u", kind ? "SHLD" : "MUST", i);
            char *found = strstr(page, wanted);
            while (found && isdigit((unsigned char)found[strlen(wanted)]))
                found = strstr(found + 1, wanted);
            if (found == NULL)
                fail_msg("%s is missing", wanted);
        }
    free(page);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        T(every_test_that_the_page_names_exists),
        T(every_must_and_should_has_a_row),
    };

    source_root = argc > 1 ? argv[1] : ".";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
