// SPDX-License-Identifier: Apache-2.0
// The route-file reader: one pass over the text, no allocation, no copy but of words that need a NUL. Called by
// the loader and control/apply, on their thread.
#include "config/route_file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "config/file.h"

struct word {
    const char *text;
    size_t length;
};

struct line {
    const char *start, *at, *end;
    const char *name;
    unsigned number;
    struct sl_diagnostics *diag;
};

static unsigned column_of(const struct line *line, const char *at)
{
    return (unsigned)(at - line->start) + 1;
}

static int refuse(const struct line *line, const struct word *word, const char *mend, const char *what)
{
    const char *at = word && word->length ? word->text : line->end;
    int length = word ? word->length < 60 ? (int)word->length : 60 : 0;

    if (!line->diag)
        return -EINVAL;
    if (length)
        sl_diag_add(line->diag, SL_DIAG_ERROR, line->name, line->number, column_of(line, at), "", mend,
                    "'%.*s' %s", length, word->text, what);
    else
        sl_diag_add(line->diag, SL_DIAG_ERROR, line->name, line->number, column_of(line, at), "", mend, "%s",
                    what);
    return -EINVAL;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct word word_next(struct line *line)
{
    while (line->at < line->end && is_space(*line->at))
        line->at++;
    struct word word = {line->at, 0};
    while (line->at < line->end && !is_space(*line->at))
        line->at++;
    word.length = (size_t)(line->at - word.text);
    return word;
}

static bool word_is(const struct word *word, const char *text)
{
    return word->length == strlen(text) && memcmp(word->text, text, word->length) == 0;
}

// One decimal of at most `most`, without leading zeros, moved over; -1 where there is none.
static int decimal_next(const char **at, const char *end, unsigned most)
{
    const char *start = *at;
    unsigned value = 0;

    while (*at < end && **at >= '0' && **at <= '9' && *at - start < 4)
        value = value * 10 + (unsigned)(*(*at)++ - '0');
    if (*at == start || value > most || (*start == '0' && *at - start > 1))
        return -1;
    return (int)value;
}

// The common case of a million lines: a dotted quad, read without a copy. True where it is one and nothing else
// but `*at` is moved behind it.
static bool quad_next(const char **at, const char *end, uint32_t *host)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < 4; i++) {
        int part = decimal_next(at, end, 255);

        if (part < 0 || (i < 3 && (*at == end || *(*at)++ != '.')))
            return false;
        value = value << 8 | (uint32_t)part;
    }
    *host = value;
    return true;
}

static int address_read(const struct word *word, struct sl_ip *ip)
{
    const char *at = word->text, *end = word->text + word->length;
    char text[SL_IP_TEXT];
    uint32_t host;

    if (quad_next(&at, end, &host) && at == end) {
        *ip = sl_ip_v4(htonl(host));
        return 0;
    }
    if (word->length >= sizeof(text))
        return -EINVAL;
    memcpy(text, word->text, word->length);
    text[word->length] = '\0';
    return sl_ip_parse(text, ip);
}

static int prefix_read(const struct word *word, struct sl_prefix *prefix)
{
    const char *at = word->text, *end = word->text + word->length;
    char text[SL_PREFIX_TEXT];
    uint32_t host;

    if (quad_next(&at, end, &host) && at < end && *at == '/') {
        at++;
        int length = decimal_next(&at, end, 32);

        if (length >= 0 && at == end && (length == 32 || (host << length) == 0)) {
            *prefix = (struct sl_prefix){.ip = sl_ip_v4(htonl(host)), .len = (uint8_t)length};
            return 0;
        }
    }
    if (word->length >= sizeof(text))
        return -EINVAL;
    memcpy(text, word->text, word->length);
    text[word->length] = '\0';
    return sl_prefix_parse(text, prefix);
}

static int prefix_word(const struct line *line, const struct word *word, struct sl_prefix *prefix)
{
    char mend[80], corrected[SL_PREFIX_TEXT];
    int error = prefix_read(word, prefix);

    if (error == -EDOM) {
        snprintf(mend, sizeof(mend), "write %s", sl_prefix_format(prefix, corrected));
        return refuse(line, word, mend, "has bits set beyond its length");
    }
    if (error == -ERANGE)
        return refuse(line, word, "IPv4 has 32 bits, IPv6 128", "has a prefix length that is too large");
    return error ? refuse(line, word, "write one like 192.0.2.0/24 or 2001:db8::/32", "is not a prefix") : 0;
}

static int weight_word(const struct line *line, const struct word *word, uint16_t *weight)
{
    const char *at = word->text, *end = word->text + word->length;
    int value = decimal_next(&at, end, 256);

    if (value < 1 || at != end)
        return refuse(line, word, "write 1 to 256", "is not a weight");
    *weight = (uint16_t)value;
    return 0;
}

static int port_word(const struct line *line, const struct word *word, struct sl_route_line *route)
{
    if (word->length == 0 || word->length >= sizeof(route->port))
        return refuse(line, word, "a port's name has 1 to 15 characters",
                      word->length ? "is too long for a port's name" : "the port's name is missing");
    memcpy(route->port, word->text, word->length);
    route->port[word->length] = '\0';
    route->port_column = column_of(line, word->text);
    return 0;
}

// What follows the prefix: pairs of a word and its value.
static int ways_read(struct line *line, struct word *word, struct sl_route_line *route)
{
    for (; word->length; *word = word_next(line)) {
        struct word keyword = *word, value = word_next(line);
        int error;

        if (word_is(&keyword, "via") && !route->has_gateway) {
            error = address_read(&value, &route->gateway);
            if (error)
                return refuse(line, &value, "write an address like 192.0.2.1 behind 'via'",
                              value.length ? "is not an address" : "the gateway's address is missing");
            route->has_gateway = true;
            route->gateway_column = column_of(line, value.text);
        } else if (word_is(&keyword, "port") && !route->port[0]) {
            error = port_word(line, &value, route);
        } else if (word_is(&keyword, "weight")) {
            error = weight_word(line, &value, &route->weight);
        } else {
            return refuse(line, &keyword,
                          "a line is: PREFIX via ADDRESS [port PORT] [weight N], PREFIX port PORT, "
                          "PREFIX blackhole, or PREFIX reject",
                          "does not belong here");
        }
        if (error)
            return error;
    }
    return 0;
}

// A line that is not empty.
static int line_read(struct line *line, struct word *word, struct sl_route_line *route)
{
    int error = prefix_word(line, word, &route->prefix);

    if (error)
        return error;
    route->prefix_column = column_of(line, word->text);
    *word = word_next(line);
    if (word_is(word, "blackhole") || word_is(word, "reject")) {
        route->kind = word_is(word, "reject") ? SL_CONFIG_ROUTE_REJECT : SL_CONFIG_ROUTE_BLACKHOLE;
        *word = word_next(line);
        return word->length ? refuse(line, word, "take it out", "stands behind the end of the route") : 0;
    }
    error = ways_read(line, word, route);
    if (!error && !route->has_gateway && !route->port[0])
        error = refuse(line, NULL, "add 'via ADDRESS', 'port PORT', 'blackhole' or 'reject'",
                       "the route leads nowhere");
    return error;
}

int sl_route_text_read(const char *text, size_t length, const char *name, sl_route_line_fn callback,
                       void *context, struct sl_diagnostics *diag)
{
    const char *at = text, *end = text + length;
    bool wrong = false;

    for (unsigned number = 1; at < end; number++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline ? newline : end;
        const char *hash = memchr(at, '#', (size_t)(stop - at));
        struct line line = {at, at, hash ? hash : stop, name, number, diag};
        struct sl_route_line route = {.line = number, .weight = 1};
        struct word word = word_next(&line);

        at = newline ? newline + 1 : end;
        if (!word.length)
            continue;
        if (line_read(&line, &word, &route) != 0) {
            wrong = true;
            continue;
        }
        int stopped = callback ? callback(context, &route) : 0;
        if (stopped)
            return stopped;
    }
    return wrong ? -EINVAL : 0;
}

int sl_route_file_read(const char *path, sl_route_line_fn callback, void *context,
                       struct sl_diagnostics *diag)
{
    char *text;
    size_t length;
    int error = file_read(path, &text, &length);

    if (error) {
        if (diag)
            sl_diag_add(diag, SL_DIAG_ERROR, path, 0, 0, "", "", "%s", strerror(-error));
        return error;
    }
    error = sl_route_text_read(text, length, path, callback, context, diag);
    free(text);
    return error;
}
