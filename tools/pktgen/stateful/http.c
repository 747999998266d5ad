// SPDX-License-Identifier: Apache-2.0
// Writing and reading the heads. Called by client.c and server.c, on the engine's thread.
#include "http.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char length_name[] = "content-length:";

static int head_finish(struct http_head *head, int len, uint32_t key_at)
{
    if (len < 0 || len >= HTTP_HEAD_MAX)
        return -E2BIG;
    head->len = (uint8_t)len;
    head->key_at = (uint8_t)key_at;
    return 0;
}

int http_request_head(struct http_head *head, const char *path, const char *host, uint32_t want,
                      uint32_t body)
{
    const char *method = body ? "POST" : "GET";
    char own[32], length[40] = "";
    snprintf(own, sizeof(own), "/00000000/%u", want);
    if (body)
        snprintf(length, sizeof(length), "Content-Length: %u\r\n", body);
    int len = snprintf(head->text, sizeof(head->text), "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", method,
                       path ? path : own, host, length);
    return head_finish(head, len, path ? 0 : (uint32_t)strlen(method) + 2);
}

void http_response_head(struct http_head *head, uint32_t body)
{
    int len = snprintf(head->text, sizeof(head->text), "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n", body);
    head_finish(head, len, 0);
}

// Eight hex digits, the first in the lowest byte: each nibble to its digit without a branch.
static uint64_t hex_digits(uint32_t key)
{
    uint64_t x = __builtin_bswap32(key);
    x = (x | x << 16) & 0x0000ffff0000ffff;
    x = (x | x << 8) & 0x00ff00ff00ff00ff;
    x = (x >> 4 | x << 8) & 0x0f0f0f0f0f0f0f0f;
    uint64_t letter = ((x + 0x0606060606060606) >> 4) & 0x0101010101010101;
    return x + 0x3030303030303030 + letter * ('a' - '0' - 10);
}

void http_head_copy(const struct http_head *head, uint32_t key, uint32_t from, uint8_t *out, uint32_t count)
{
    uint64_t digits = hex_digits(key);
    if (from == 0 && count == head->len) {
        memcpy(out, head->text, count);
        if (head->key_at)
            memcpy(out + head->key_at, &digits, 8);
        return;
    }
    char text[HTTP_HEAD_MAX];
    memcpy(text, head->text, head->len);
    if (head->key_at)
        memcpy(text + head->key_at, &digits, 8);
    memcpy(out, text + from, count);
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool http_key_read(const uint8_t *text, uint32_t *key)
{
    int bad = 0;
    *key = 0;
    for (unsigned i = 0; i < 8; i++) {
        int value = hex_value(text[i]);
        bad |= value;
        *key = *key << 4 | (uint32_t)(value & 15);
    }
    return bad >= 0;
}

// Appends a decimal digit; false where `c` is none or the number grows too large.
static bool number_take(uint32_t *number, uint8_t c)
{
    if (c < '0' || c > '9' || *number > HTTP_BODY_MAX / 10)
        return false;
    *number = *number * 10 + (uint32_t)(c - '0');
    return true;
}

static enum http_phase name_take(struct http_parse *p, uint8_t c)
{
    if (p->match == 0 && (c == '\r' || c == '\n'))
        return c == '\r' ? HTTP_LAST : HTTP_BODY;
    uint8_t lower = c >= 'A' && c <= 'Z' ? c | 0x20 : c;
    if (lower != (uint8_t)length_name[p->match])
        return c == '\n' ? HTTP_NAME : HTTP_LINE;
    p->match++;
    return length_name[p->match] ? HTTP_NAME : HTTP_VALUE;
}

static enum http_phase value_take(struct http_parse *p, uint8_t c)
{
    if (c == '\n')
        return p->counted ? HTTP_NAME : HTTP_BAD;
    if (c == ' ' || c == '\t' || c == '\r')
        return HTTP_VALUE;
    p->counted = 1;
    return number_take(&p->length, c) ? HTTP_VALUE : HTTP_BAD;
}

// Phases that requests and responses share.
static enum http_phase common_take(struct http_parse *p, uint8_t c)
{
    switch (p->phase) {
    case HTTP_LINE:
        return c == '\n' ? HTTP_NAME : HTTP_LINE;
    case HTTP_NAME:
        return name_take(p, c);
    case HTTP_VALUE:
        return value_take(p, c);
    case HTTP_LAST:
        return c == '\n' ? HTTP_BODY : HTTP_BAD;
    default:
        return HTTP_BAD;
    }
}

// "HTTP/1.x SSS ..."
static enum http_phase version_take(struct http_parse *p, uint8_t c)
{
    static const char version[] = "HTTP/1.";
    uint8_t at = p->match++;
    if (at < 7)
        return c == (uint8_t)version[at] ? HTTP_VERSION : HTTP_BAD;
    if (at < 9)
        return at == 7 ? HTTP_VERSION : c == ' ' ? HTTP_VERSION : HTTP_BAD;
    if (c < '0' || c > '9')
        return HTTP_BAD;
    p->status = (uint16_t)(p->status * 10 + (c - '0'));
    return at == 11 ? HTTP_LINE : HTTP_VERSION;
}

// "/KKKKKKKK/"; another path is no fault, only none of ours.
static enum http_phase key_take(struct http_parse *p, uint8_t c)
{
    uint8_t at = p->match++;
    int value = hex_value(c);
    if (c == '\n')
        return HTTP_NAME;
    if (at == 0 || at == 9) {
        if (c != '/')
            return HTTP_LINE;
        return at ? HTTP_WANT : HTTP_KEY;
    }
    p->key = p->key << 4 | (uint32_t)(value & 15);
    return value < 0 ? HTTP_LINE : HTTP_KEY;
}

static enum http_phase want_take(struct http_parse *p, uint8_t c)
{
    if (c == ' ') {
        p->keyed = 1;
        return HTTP_LINE;
    }
    return number_take(&p->want, c) ? HTTP_WANT : c == '\n' ? HTTP_NAME : HTTP_LINE;
}

static enum http_phase request_take(struct http_parse *p, uint8_t c)
{
    switch (p->phase) {
    case HTTP_START:
        return c >= 'A' && c <= 'Z' ? HTTP_METHOD : HTTP_BAD;
    case HTTP_METHOD:
        return c == ' ' ? HTTP_KEY : c >= 'A' && c <= 'Z' ? HTTP_METHOD : HTTP_BAD;
    case HTTP_KEY:
        return key_take(p, c);
    case HTTP_WANT:
        return want_take(p, c);
    default:
        return common_take(p, c);
    }
}

static enum http_phase response_take(struct http_parse *p, uint8_t c)
{
    return p->phase <= HTTP_VERSION ? version_take(p, c) : common_take(p, c);
}

static inline uint32_t head_read(struct http_parse *p, const uint8_t *bytes, uint32_t count,
                                 enum http_phase (*take)(struct http_parse *, uint8_t))
{
    uint32_t i = 0;
    while (i < count && p->phase < HTTP_BODY) {
        enum http_phase next = take(p, bytes[i++]);
        bool turned = next != (enum http_phase)p->phase && next != HTTP_VERSION;
        if (turned || bytes[i - 1] == '\n')
            p->match = 0;
        p->phase = (uint8_t)next;
    }
    return i;
}

uint32_t http_request_read(struct http_parse *parse, const uint8_t *bytes, uint32_t count)
{
    return head_read(parse, bytes, count, request_take);
}

uint32_t http_response_read(struct http_parse *parse, const uint8_t *bytes, uint32_t count)
{
    return head_read(parse, bytes, count, response_take);
}
