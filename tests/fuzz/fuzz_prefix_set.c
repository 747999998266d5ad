// SPDX-License-Identifier: Apache-2.0
// Fuzzes the prefix-set reader. Its own parser of dotted quads must take exactly what sl_prefix_parse() takes, line by
// line, and what it collects must make a blob that passes its check.
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "table/prefix_set.h"

// What a line says, without the reader: comment and blanks off. Its prefix, or false.
static bool line_judge(const char *text, size_t length, bool *empty, struct sl_prefix *prefix)
{
    char line[SL_PREFIX_TEXT + 8];
    const char *comment = memchr(text, '#', length);

    if (comment)
        length = (size_t)(comment - text);
    for (; length > 0 && strchr(" \t\r", *text) && *text; length--)
        text++;
    while (length > 0 && strchr(" \t\r", text[length - 1]) && text[length - 1])
        length--;
    *empty = length == 0;
    if (length >= sizeof(line) || memchr(text, '\0', length))
        return false;
    memcpy(line, text, length);
    line[length] = '\0';
    return sl_prefix_parse(line, prefix) == 0;
}

static void judge_all(const char *text, size_t size, const struct sl_prefix_set *set,
                      const struct sl_prefix_set_error *error)
{
    size_t line = 0, seen = 0;

    for (const char *end = text + size; text < end; line++) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        struct sl_prefix prefix;
        bool empty, right = line_judge(text, (size_t)((newline ? newline : end) - text), &empty, &prefix);
        if (error->line == line + 1) {
            if (right || empty)
                abort();
            return; // the reader ends here too
        }
        if (!empty &&
            (!right || seen == set->count || sl_prefix_compare(&set->item[seen++].prefix, &prefix) != 0))
            abort();
        text = newline ? newline + 1 : end;
    }
    if (seen != set->count || error->line != 0)
        abort();
}

static void blob_check(struct sl_prefix_set *set)
{
    if (sl_prefix_set_finish(set) != 0)
        abort();
    uint64_t size = sl_prefix_set_size(set);
    void *blob = aligned_alloc(64, size);
    if (!blob)
        abort();
    memset(blob, 0, size);
    if (sl_prefix_set_build(set, blob, size) != 0 || sl_lpm_check(blob, size, 1) != 0)
        abort();
    for (size_t i = 0; i < set->count; i++)
        if (!sl_prefix_set_contains(blob, &set->item[i].prefix.ip))
            abort();
    free(blob);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sl_prefix_set set = {0};
    struct sl_prefix_set_error error;
    int status = sl_prefix_set_parse(&set, (const char *)data, size, &error);

    if (status != 0 && status != -EINVAL)
        abort();
    if ((status != 0) != (error.line != 0) || (status != 0) != (error.text[0] != '\0'))
        abort();
    judge_all((const char *)data, size, &set, &error);
    blob_check(&set);
    sl_prefix_set_fini(&set);
    return 0;
}

uint8_t *fuzz_seed(unsigned index, size_t *size)
{
    static const char *const seeds[] = {
        "# a list\n10.0.0.0/8\n192.0.2.1 # a host\r\n\t2001:db8::/32\n::1\n",
        "0.0.0.0/0\n255.255.255.255/32\n1.2.3.4\n10.20.30.0/24\n10.20.31.0/24",
        "::/0\n2001:db8:1:2::/64\nfe80::/10\n::ffff:1.2.3.4/128\n",
    };

    if (index >= sizeof(seeds) / sizeof(seeds[0]))
        return NULL;
    *size = strlen(seeds[index]);
    return (uint8_t *)strdup(seeds[index]);
}
