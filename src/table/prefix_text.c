// SPDX-License-Identifier: Apache-2.0
// Text of a prefix a line into a set. Dotted quads, which large files are made of, are read here digit by digit; all
// else goes through sl_prefix_parse(), which also finds the words for what is wrong. Called by control, any thread.
#include "table/prefix_set.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// Decimal number of at most three digits without leading zeros, at most `most`. Characters used, 0: none.
static unsigned number_read(const char *text, const char *end, unsigned most, unsigned *number)
{
    unsigned used = 0;

    *number = 0;
    while (used < 3 && text + used < end && (unsigned)(text[used] - '0') < 10)
        *number = *number * 10 + (unsigned)(text[used++] - '0');
    return *number > most || (used > 1 && text[0] == '0') ? 0 : used;
}

// "a.b.c.d" or "a.b.c.d/len" with no host bits and nothing around it. False: not that, or to be looked at closer.
static bool quad_read(const char *text, const char *end, struct sl_prefix *prefix)
{
    unsigned part, len = 32, used;
    uint32_t addr = 0;

    for (unsigned i = 0; i < 4; i++) {
        if (i > 0 && (text == end || *text++ != '.'))
            return false;
        used = number_read(text, end, 255, &part);
        if (used == 0)
            return false;
        text += used;
        addr = addr << 8 | part;
    }
    if (text < end && *text == '/') {
        used = number_read(++text, end, 32, &len);
        if (used == 0)
            return false;
        text += used;
    }
    if (text != end || (len < 32 && (addr & (UINT32_MAX >> len))))
        return false;
    *prefix = (struct sl_prefix){.ip = sl_ip_v4(__builtin_bswap32(addr)), .len = (uint8_t)len};
    return true;
}

// The slow way. 0 or -EINVAL with the sentence.
static int prefix_read(const char *text, const char *end, struct sl_prefix *prefix, char sentence[128])
{
    char line[SL_PREFIX_TEXT + 1], right[SL_PREFIX_TEXT];
    size_t length = (size_t)(end - text);
    int status = -EINVAL;

    if (length < sizeof(line) && !memchr(text, '\0', length)) {
        memcpy(line, text, length);
        line[length] = '\0';
        status = sl_prefix_parse(line, prefix);
    }
    if (status == -ERANGE)
        snprintf(sentence, 128, "'%s': the length is too large; IPv4 has 32 bits, IPv6 128", line);
    else if (status == -EDOM)
        snprintf(sentence, 128, "'%s' has bits set behind its length; write %s", line,
                 sl_prefix_format(prefix, right));
    else if (status != 0)
        snprintf(sentence, 128, "'%.*s' is no prefix; write one like 192.0.2.0/24 or 2001:db8::/32",
                 (int)(length < 40 ? length : 40), text);
    return status == 0 ? 0 : -EINVAL;
}

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

// One line without its newline.
static int line_read(struct sl_prefix_set *set, const char *text, const char *end, char sentence[128])
{
    const char *comment = memchr(text, '#', (size_t)(end - text));
    struct sl_prefix prefix;

    if (comment)
        end = comment;
    while (text < end && blank(*text))
        text++;
    while (end > text && blank(end[-1]))
        end--;
    if (text == end)
        return 0;
    if (!quad_read(text, end, &prefix) && prefix_read(text, end, &prefix, sentence) != 0)
        return -EINVAL;
    return sl_prefix_set_add(set, &prefix);
}

int sl_prefix_set_parse(struct sl_prefix_set *set, const char *text, size_t length,
                        struct sl_prefix_set_error *error)
{
    const char *end = text + length;

    *error = (struct sl_prefix_set_error){0};
    for (size_t line = 1; text < end; line++) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        const char *stop = newline ? newline : end;
        int status = line_read(set, text, stop, error->text);
        if (status != 0) {
            error->line = line;
            return status;
        }
        text = newline ? newline + 1 : end;
    }
    return 0;
}

static int file_fail(const char *path, struct sl_prefix_set_error *error)
{
    int status = -errno;

    *error = (struct sl_prefix_set_error){0};
    snprintf(error->text, sizeof(error->text), "cannot read %.80s: %s", path, strerror(-status));
    return status;
}

int sl_prefix_set_read(struct sl_prefix_set *set, const char *path, struct sl_prefix_set_error *error)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    char *text;
    int status;

    if (file < 0)
        return file_fail(path, error);
    if (fstat(file, &info) != 0 || (S_ISDIR(info.st_mode) && (errno = EISDIR))) {
        status = file_fail(path, error);
    } else if (info.st_size == 0) {
        *error = (struct sl_prefix_set_error){0};
        status = 0;
    } else if ((text = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, file, 0)) == MAP_FAILED) {
        status = file_fail(path, error);
    } else {
        status = sl_prefix_set_parse(set, text, (size_t)info.st_size, error);
        munmap(text, (size_t)info.st_size);
    }
    close(file);
    return status;
}
