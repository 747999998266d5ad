// SPDX-License-Identifier: Apache-2.0
// See http_response.h.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "health/http_response.h"

void http_text_init(struct http_text *text, const char *wanted)
{
    size_t len = wanted ? strlen(wanted) : 0, k = 0;

    memset(text, 0, sizeof(*text));
    text->len = (uint8_t)(len < HTTP_TEXT_MOST ? len : HTTP_TEXT_MOST);
    for (size_t i = 1; i < text->len; i++) {
        while (k > 0 && wanted[i] != wanted[k])
            k = text->back[k - 1];
        k += wanted[i] == wanted[k];
        text->back[i] = (uint8_t)k;
    }
}

void http_response_init(struct http_response *response, const struct health_http_wish *wish,
                        const struct http_text *text)
{
    memset(response, 0, offsetof(struct http_response, line));
    response->wish = wish;
    response->text = text;
    response->head_request = wish->method && strcmp(wish->method, "HEAD") == 0;
    response->why[0] = '\0';
}

static enum http_result say(struct http_response *response, enum http_result result, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static enum http_result say(struct http_response *response, enum http_result result, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(response->why, sizeof(response->why), format, args);
    va_end(args);
    response->part = HTTP_DONE;
    return response->result = result;
}

// ---- the status -------------------------------------------------------------------------------------------------

static bool status_wanted(const struct health_http_wish *wish, unsigned status)
{
    if (wish->status[0].first == 0)
        return status >= 200 && status <= 399;
    for (unsigned i = 0; i < HEALTH_MOST_STATUS && wish->status[i].first; i++)
        if (status >= wish->status[i].first && status <= wish->status[i].last)
            return true;
    return false;
}

static const char *status_list(const struct health_http_wish *wish, char out[80])
{
    size_t at = 0;

    if (wish->status[0].first == 0)
        return "200-399";
    for (unsigned i = 0; i < HEALTH_MOST_STATUS && wish->status[i].first && at < 80; i++) {
        unsigned first = wish->status[i].first, last = wish->status[i].last;
        int n = first == last ? snprintf(out + at, 80 - at, "%s%u", i ? ", " : "", first)
                              : snprintf(out + at, 80 - at, "%s%u-%u", i ? ", " : "", first, last);
        at += n > 0 ? (size_t)n : 0;
    }
    return out;
}

// "HTTP/1.1 200 OK": version, space, three digits, then a space or the end.
static enum http_result status_line(struct http_response *response)
{
    const char *line = response->line;
    char list[80];

    if (response->line_cut || response->line_bytes < 12 || strncmp(line, "HTTP/1.", 7) != 0 ||
        line[8] != ' ' || (line[12] != '\0' && line[12] != ' '))
        return say(response, HTTP_BAD, "not an HTTP/1 response");
    unsigned status = 0;
    for (unsigned i = 9; i < 12; i++) {
        if (line[i] < '0' || line[i] > '9')
            return say(response, HTTP_BAD, "not an HTTP/1 response");
        status = status * 10 + (unsigned)(line[i] - '0');
    }
    response->status = (uint16_t)status;
    response->part = HTTP_HEADERS;
    bool interim = status >= 100 && status < 200 && status != 101; // another one follows (RFC 9110, 15.2)
    if (!interim && !status_wanted(response->wish, status))
        return say(response, HTTP_BAD, "HTTP %u, expected %s", status, status_list(response->wish, list));
    return HTTP_MORE;
}

// ---- headers ----------------------------------------------------------------------------------------------------

static enum http_result frame_of(struct http_response *response, const char *name, const char *value)
{
    if (strcasecmp(name, "transfer-encoding") == 0) {
        response->chunked = strcasestr(value, "chunked") != NULL;
        return HTTP_MORE;
    }
    if (strcasecmp(name, "content-length") != 0)
        return HTTP_MORE;
    char *end;
    unsigned long long bytes = strtoull(value, &end, 10);
    // Two lengths that differ are how responses are smuggled (RFC 9112, 6.3).
    if (value[0] < '0' || value[0] > '9' || end[strspn(end, " \t")] != '\0' ||
        (response->has_length && bytes != response->left_bytes))
        return say(response, HTTP_BAD, "HTTP %u with a bad Content-Length", response->status);
    response->has_length = true;
    response->left_bytes = bytes;
    return HTTP_MORE;
}

static enum http_result header_line(struct http_response *response)
{
    const struct health_http_wish *wish = response->wish;
    char *colon = strchr(response->line, ':');

    if (!colon || colon == response->line)
        return response->line_cut ? HTTP_MORE
                                  : say(response, HTTP_BAD, "HTTP %u with a bad header", response->status);
    *colon = '\0';
    const char *value = colon + 1 + strspn(colon + 1, " \t");
    if (wish->header && strcasecmp(response->line, wish->header) == 0 &&
        (!wish->header_text || strstr(value, wish->header_text)))
        response->header_found = true;
    return frame_of(response, response->line, value);
}

static enum http_result no_text(struct http_response *response)
{
    return say(response, HTTP_BAD, "HTTP %u, but the body lacks \"%.60s\"", response->status,
               response->wish->body);
}

static enum http_result headers_end(struct http_response *response)
{
    const struct health_http_wish *wish = response->wish;
    unsigned status = response->status;

    if (status >= 100 && status < 200 && status != 101) {
        response->part = HTTP_STATUS;
        response->chunked = response->has_length = response->header_found = false;
        response->left_bytes = 0;
        return HTTP_MORE;
    }
    if (wish->header && !response->header_found)
        return wish->header_text
                   ? say(response, HTTP_BAD, "HTTP %u, but no header %.40s with \"%.40s\"", status,
                         wish->header, wish->header_text)
                   : say(response, HTTP_BAD, "HTTP %u, but no header %.40s", status, wish->header);
    if (response->text->len == 0)
        return say(response, HTTP_GOOD, "HTTP %u", status);
    bool bodyless = response->head_request || status == 204 || status == 304 || status == 101;
    if (bodyless || (!response->chunked && response->has_length && response->left_bytes == 0))
        return no_text(response);
    response->part = response->chunked      ? HTTP_CHUNK_SIZE
                     : response->has_length ? HTTP_BODY_LENGTH
                                            : HTTP_BODY_TO_END;
    return HTTP_MORE;
}

// ---- the body ---------------------------------------------------------------------------------------------------

static enum http_result look_for_text(struct http_response *response, const uint8_t *bytes, size_t len)
{
    const struct http_text *text = response->text;
    const char *wanted = response->wish->body;
    uint32_t most = response->wish->body_most_bytes ? response->wish->body_most_bytes : HTTP_BODY_MOST;
    size_t k = response->matched;

    for (size_t i = 0; i < len && k < text->len; i++) {
        if (response->body_bytes++ >= most)
            return say(response, HTTP_BAD, "HTTP %u, but the first %u bytes lack \"%.60s\"", response->status,
                       most, wanted);
        while (k > 0 && (char)bytes[i] != wanted[k])
            k = text->back[k - 1];
        k += (char)bytes[i] == wanted[k];
    }
    response->matched = (uint8_t)k;
    return k == text->len ? say(response, HTTP_GOOD, "HTTP %u, body as expected", response->status)
                          : HTTP_MORE;
}

// As much of the body as is here; *taken of it is used up.
static enum http_result body(struct http_response *response, const uint8_t *bytes, size_t len, size_t *taken)
{
    bool counted = response->part != HTTP_BODY_TO_END;

    *taken = counted && response->left_bytes < len ? (size_t)response->left_bytes : len;
    if (look_for_text(response, bytes, *taken) != HTTP_MORE)
        return response->result;
    if (!counted)
        return HTTP_MORE;
    response->left_bytes -= *taken;
    if (response->left_bytes > 0)
        return HTTP_MORE;
    if (response->part == HTTP_BODY_LENGTH)
        return no_text(response);
    response->part = HTTP_CHUNK_END;
    return HTTP_MORE;
}

static enum http_result chunk_size(struct http_response *response)
{
    char *end;
    unsigned long long bytes = strtoull(response->line, &end, 16);
    size_t digits = strspn(response->line, "0123456789abcdefABCDEF");

    if (digits == 0 || digits > 15 || end != response->line + digits)
        return say(response, HTTP_BAD, "HTTP %u with a bad chunk", response->status);
    if (bytes == 0)
        return no_text(response);
    response->left_bytes = bytes;
    response->part = HTTP_CHUNK_DATA;
    return HTTP_MORE;
}

static enum http_result chunk_end(struct http_response *response)
{
    if (response->line_bytes > 0)
        return say(response, HTTP_BAD, "HTTP %u with a bad chunk", response->status);
    response->part = HTTP_CHUNK_SIZE;
    return HTTP_MORE;
}

// ---- lines ------------------------------------------------------------------------------------------------------

static enum http_result line_done(struct http_response *response)
{
    if (response->line_bytes > 0 && response->line[response->line_bytes - 1] == '\r' && !response->line_cut)
        response->line_bytes--;
    response->line[response->line_bytes] = '\0';
    enum http_result result = HTTP_MORE;
    switch (response->part) {
    case HTTP_STATUS:
        result = status_line(response);
        break;
    case HTTP_HEADERS:
        result = response->line_bytes == 0 ? headers_end(response) : header_line(response);
        break;
    case HTTP_CHUNK_SIZE:
        result = chunk_size(response);
        break;
    default:
        result = chunk_end(response);
        break;
    }
    response->line_bytes = 0;
    response->line_cut = false;
    return result;
}

static enum http_result line_byte(struct http_response *response, char byte)
{
    // Chunk framing is not a head, but must not go on for ever either.
    if (++response->head_bytes > HTTP_HEAD_MOST)
        return say(response, HTTP_BAD, "headers of more than %u bytes", HTTP_HEAD_MOST);
    if (byte == '\n')
        return line_done(response);
    if (byte == '\0') // would end our strings early, and has no place in a line
        return say(response, HTTP_BAD, "a zero byte in the headers");
    if (response->line_bytes < HTTP_LINE_BYTES - 1)
        response->line[response->line_bytes++] = byte;
    else
        response->line_cut = true;
    return HTTP_MORE;
}

static bool in_body(const struct http_response *response)
{
    return response->part == HTTP_BODY_LENGTH || response->part == HTTP_BODY_TO_END ||
           response->part == HTTP_CHUNK_DATA;
}

enum http_result http_response_feed(struct http_response *response, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    while (len > 0 && response->result == HTTP_MORE) {
        size_t taken = 1;
        if (in_body(response))
            body(response, at, len, &taken);
        else
            line_byte(response, (char)*at);
        at += taken;
        len -= taken;
    }
    return response->result;
}

enum http_result http_response_end(struct http_response *response)
{
    if (response->result != HTTP_MORE)
        return response->result;
    if (response->part == HTTP_BODY_TO_END)
        return no_text(response);
    if (response->part == HTTP_STATUS && response->line_bytes == 0 && response->head_bytes == 0)
        return say(response, HTTP_BAD, "closed without a response");
    return say(response, HTTP_BAD, "cut off in the %s",
               response->part == HTTP_STATUS || response->part == HTTP_HEADERS ? "headers" : "body");
}
