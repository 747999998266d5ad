// SPDX-License-Identifier: Apache-2.0
// The HTTP/1.1 (RFC 9112) that the generator speaks: one request at a time on a connection, bodies with Content-Length.
//
//     GET /KKKKKKKK/BYTES HTTP/1.1      K: key of the bodies, eight hex digits; BYTES: wanted in the response
//     Host: sluice
//
// Heads are read byte by byte, wherever segments end; a head that looks like the last one is compared as a whole
// instead. Pure.
#ifndef STATEFUL_HTTP_H
#define STATEFUL_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#define HTTP_HEAD_MAX 240
#define HTTP_BODY_MAX 1000000000u

enum http_phase {
    HTTP_START, // of a first line
    HTTP_VERSION,
    HTTP_METHOD,
    HTTP_KEY,
    HTTP_WANT,
    HTTP_LINE, // what does not matter, to its end
    HTTP_NAME,
    HTTP_VALUE,
    HTTP_LAST, // the line feed of the empty line
    HTTP_BODY,
    HTTP_BAD
};

struct http_parse {
    uint8_t phase;
    uint8_t match;   // characters of this line or name that matched
    uint8_t counted; // Content-Length was there
    uint8_t keyed;   // the path is ours: key and want count
    uint32_t key;
    uint32_t want;   // bytes wanted in the response
    uint32_t length; // bytes of the body
    uint16_t status; // of a response
};

struct http_head { // a head as text, with room for the key
    char text[HTTP_HEAD_MAX];
    uint8_t len;
    uint8_t key_at; // 0: no key
};

// A request's head: for `path` NULL one with a key, otherwise that path. 0, or -E2BIG.
int http_request_head(struct http_head *head, const char *path, const char *host, uint32_t want,
                      uint32_t body);
void http_response_head(struct http_head *head, uint32_t body);
// Writes the head's bytes `from` to `from + count - 1` with `key` in its place.
void http_head_copy(const struct http_head *head, uint32_t key, uint32_t from, uint8_t *out, uint32_t count);

// Reads on in a head. Bytes taken: fewer than `count` only where the head ended (phase HTTP_BODY) or is no HTTP
// (HTTP_BAD). A fresh parse is all zeros.
uint32_t http_request_read(struct http_parse *parse, const uint8_t *bytes, uint32_t count);
uint32_t http_response_read(struct http_parse *parse, const uint8_t *bytes, uint32_t count);
// Reads eight hex digits; false where they are none.
bool http_key_read(const uint8_t *text, uint32_t *key);

#endif
