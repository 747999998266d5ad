// SPDX-License-Identifier: Apache-2.0
// Reads an HTTP/1.1 response as far as a check needs it (RFC 9112): status line, headers, a body framed by length,
// chunks or the end of the connection. Bytes in, verdict out, as soon as it is certain; nothing is kept but a line and
// how far the wanted text has been matched, so a member cannot make us hold memory. No I/O; any thread.
#ifndef HEALTH_HTTP_RESPONSE_H
#define HEALTH_HTTP_RESPONSE_H

#include "health/health.h"

#define HTTP_LINE_BYTES 1024        // longer header lines are read past; a longer status line is refused
#define HTTP_HEAD_MOST  (64u << 10) // of all headers together
#define HTTP_BODY_MOST  (64u << 10)
#define HTTP_TEXT_MOST  255 // of the text wanted in the body
#define HTTP_WHY_BYTES  128

enum http_result { HTTP_MORE, HTTP_GOOD, HTTP_BAD };

enum http_part {
    HTTP_STATUS,
    HTTP_HEADERS,
    HTTP_BODY_LENGTH,
    HTTP_BODY_TO_END,
    HTTP_CHUNK_SIZE,
    HTTP_CHUNK_DATA,
    HTTP_CHUNK_END,
    HTTP_DONE,
};

// The text wanted in the body, and where to go on when it stops matching (Knuth, Morris, Pratt, 1977).
struct http_text {
    uint8_t len;
    uint8_t back[HTTP_TEXT_MOST];
};

struct http_response {
    const struct health_http_wish *wish;
    const struct http_text *text;
    enum http_part part;
    enum http_result result;
    uint16_t status;
    bool head_request, header_found, chunked, has_length;
    uint8_t matched;     // bytes of the text
    uint64_t left_bytes; // of the body or the chunk
    uint32_t head_bytes, body_bytes;
    uint16_t line_bytes;
    bool line_cut;
    char line[HTTP_LINE_BYTES];
    char why[HTTP_WHY_BYTES]; // the verdict as a sentence
};

void http_text_init(struct http_text *text, const char *wanted); // at most HTTP_TEXT_MOST bytes
void http_response_init(struct http_response *response, const struct health_http_wish *wish,
                        const struct http_text *text);
// HTTP_MORE: not certain yet. After a verdict all else is ignored.
enum http_result http_response_feed(struct http_response *response, const void *bytes, size_t len);
enum http_result http_response_end(struct http_response *response); // the connection ended: a verdict

#endif
