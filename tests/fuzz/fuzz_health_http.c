// SPDX-License-Identifier: Apache-2.0
// Fuzzes the reader of responses to health checks. The first byte chooses what is wished and how the rest is cut into
// pieces; the same bytes in one piece must come to the same verdict, and every verdict has its sentence.
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "health/http_response.h"

static const struct health_http_wish wishes[] = {
    {0},
    {.header = "x-ready", .header_text = "yes"},
    {.body = "abababac"},
    {.body = "well", .body_most_bytes = 16, .status = {{200, 204}, {500, 599}}},
};

static void run(const struct health_http_wish *wish, const uint8_t *data, size_t size, size_t piece,
                struct http_response *response)
{
    struct http_text text;

    http_text_init(&text, wish->body);
    http_response_init(response, wish, &text);
    for (size_t at = 0; at < size; at += piece) {
        size_t len = size - at < piece ? size - at : piece;
        uint8_t *copy = malloc(len); // exactly: a sanitizer sees one byte too far
        if (!copy)
            abort();
        memcpy(copy, data + at, len);
        http_response_feed(response, copy, len);
        free(copy);
    }
    if (http_response_end(response) == HTTP_MORE || response->why[0] == '\0' ||
        strnlen(response->why, sizeof(response->why)) == sizeof(response->why))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_response whole, pieces;

    if (size == 0)
        return 0;
    const struct health_http_wish *wish = &wishes[data[0] & 3];
    run(wish, data + 1, size - 1, size, &whole);
    run(wish, data + 1, size - 1, 1 + (size_t)(data[0] >> 2), &pieces);
    if (whole.result != pieces.result || strcmp(whole.why, pieces.why) != 0)
        abort();
    return 0;
}

uint8_t *fuzz_seed(unsigned index, size_t *size)
{
    static const char *const seeds[] = {
        "\x04HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\nhello",
        "\x09HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\nX-Ready: yes\r\n\r\n",
        "\x0aHTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabab\r\n5;a\r\nababa\r\n1\r\nc\r\n0\r\n",
        "\x0fHTTP/1.0 503 Sorry\r\nContent-Length: 30\r\n\r\nall is well, all will be well.",
    };

    if (index >= sizeof(seeds) / sizeof(seeds[0]))
        return NULL;
    *size = strlen(seeds[index]);
    return (uint8_t *)strdup(seeds[index]);
}
