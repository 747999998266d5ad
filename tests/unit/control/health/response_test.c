// SPDX-License-Identifier: Apache-2.0
// What responses a check takes for good, and what it says of the others. Each is fed whole and byte by byte: the
// verdict must not depend on how TCP cut it.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "health/http_response.h"

#define HEAD "HTTP/1.1 200 OK\r\n"

struct example {
    const char *bytes;
    struct health_http_wish wish;
    enum http_result result;
    const char *why;
    bool end; // the verdict needs the end of the connection
};

static void feed_and_compare(const struct example *example, size_t piece)
{
    struct http_text text;
    struct http_response response;
    size_t len = strlen(example->bytes);
    enum http_result result = HTTP_MORE;

    http_text_init(&text, example->wish.body);
    http_response_init(&response, &example->wish, &text);
    for (size_t at = 0; at < len && result == HTTP_MORE; at += piece)
        result = http_response_feed(&response, example->bytes + at, len - at < piece ? len - at : piece);
    if (example->end) {
        assert_int_equal(result, HTTP_MORE);
        result = http_response_end(&response);
    }
    if (result != example->result || strcmp(response.why, example->why) != 0)
        fail_msg("%.60s (pieces of %zu): %d \"%s\"", example->bytes, piece, result, response.why);
}

static void check_all(const struct example *examples, unsigned count)
{
    const size_t pieces[] = {1, 2, 7, 100000};

    for (unsigned i = 0; i < count; i++)
        for (unsigned j = 0; j < 4; j++)
            feed_and_compare(&examples[i], pieces[j]);
}
#define CHECK(examples) check_all(examples, sizeof(examples) / sizeof(examples[0]))

static void status_decides(void **unused)
{
    const struct health_http_wish only = {.status = {{200, 200}, {401, 403}}};
    const struct example examples[] = {
        {HEAD "\r\n", {0}, HTTP_GOOD, "HTTP 200"},
        {"HTTP/1.0 204\r\n\r\n", {0}, HTTP_GOOD, "HTTP 204"},
        {"HTTP/1.1 399 x\n\n", {0}, HTTP_GOOD, "HTTP 399"},
        {"HTTP/1.1 503 Service Unavailable\r\n", {0}, HTTP_BAD, "HTTP 503, expected 200-399"},
        {"HTTP/1.1 402 x\r\n\r\n", only, HTTP_GOOD, "HTTP 402"},
        {"HTTP/1.1 404 x\r\n", only, HTTP_BAD, "HTTP 404, expected 200, 401-403"},
        {"HTTP/1.1 100 Continue\r\nx: y\r\n\r\nHTTP/1.1 103 Hints\r\n\r\n" HEAD "\r\n",
         {0},
         HTTP_GOOD,
         "HTTP 200"},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 no\r\n", {0}, HTTP_BAD, "HTTP 500, expected 200-399"},
    };

    CHECK(examples);
}

static void what_is_not_http_is_refused(void **unused)
{
    const char *not_http = "not an HTTP/1 response";
    const struct example examples[] = {
        {"SSH-2.0-OpenSSH_9.2\r\n", {0}, HTTP_BAD, not_http},
        {"HTTP/2 200 OK\r\n", {0}, HTTP_BAD, not_http},
        {"HTTP/1.1 20 OK\r\n", {0}, HTTP_BAD, not_http},
        {"HTTP/1.1 2000 OK\r\n", {0}, HTTP_BAD, not_http},
        {"HTTP/1.1 2x0 OK\r\n", {0}, HTTP_BAD, not_http},
        {"\r\n", {0}, HTTP_BAD, not_http},
        {"HTTP/1.1 200", {0}, HTTP_BAD, "cut off in the headers", true},
        {"", {0}, HTTP_BAD, "closed without a response", true},
        {HEAD "no colon here\r\n", {0}, HTTP_BAD, "HTTP 200 with a bad header"},
        {HEAD ": empty name\r\n", {0}, HTTP_BAD, "HTTP 200 with a bad header"},
        {HEAD "Content-Length: 1x\r\n", {0}, HTTP_BAD, "HTTP 200 with a bad Content-Length"},
        {HEAD "Content-Length: 1\r\nContent-Length: 2\r\n",
         {0},
         HTTP_BAD,
         "HTTP 200 with a bad Content-Length"},
        {HEAD "Content-Length: -1\r\n", {0}, HTTP_BAD, "HTTP 200 with a bad Content-Length"},
    };

    CHECK(examples);
}

static void headers_decide(void **unused)
{
    const struct health_http_wish any = {.header = "X-Ready"},
                                  yes = {.header = "x-ready", .header_text = "yes"};
    const struct example examples[] = {
        {HEAD "X-READY:\r\n\r\n", any, HTTP_GOOD, "HTTP 200"},
        {HEAD "x-ready:  oh yes\r\n\r\n", yes, HTTP_GOOD, "HTTP 200"},
        {HEAD "x-ready: no\r\nx-ready: yes\r\n\r\n", yes, HTTP_GOOD, "HTTP 200"},
        {HEAD "x-ready2: yes\r\n\r\n", yes, HTTP_BAD, "HTTP 200, but no header x-ready with \"yes\""},
        {HEAD "a: X-Ready: yes\r\n\r\n", any, HTTP_BAD, "HTTP 200, but no header X-Ready"},
        // Of the response itself, not of an interim one.
        {"HTTP/1.1 103 x\r\nx-ready: 1\r\n\r\n" HEAD "\r\n", any, HTTP_BAD,
         "HTTP 200, but no header X-Ready"},
    };

    CHECK(examples);
}

static void the_body_decides(void **unused)
{
    const struct health_http_wish ok = {.body = "all is well"}, head = {.method = "HEAD", .body = "x"};
    const struct health_http_wish aab = {.body = "aabaaac"}, cap = {.body = "zz", .body_most_bytes = 4};
    const char *good = "HTTP 200, body as expected", *lacks = "HTTP 200, but the body lacks \"all is well\"";
    const struct example examples[] = {
        {HEAD "\r\nso: all is well.", ok, HTTP_GOOD, good},
        {HEAD "\r\nall is ", ok, HTTP_BAD, lacks, true},
        {HEAD "all: is well\r\nContent-Length: 3\r\n\r\nall is well", ok, HTTP_BAD,
         lacks}, // beyond its length
        {HEAD "Content-Length: 11\r\n\r\nall is well", ok, HTTP_GOOD, good},
        {HEAD "Content-Length: 11\r\n\r\nall is", ok, HTTP_BAD, "cut off in the body", true},
        {HEAD "Content-Length: 0\r\n\r\n", ok, HTTP_BAD, lacks},
        {"HTTP/1.1 204 x\r\n\r\n", ok, HTTP_BAD, "HTTP 204, but the body lacks \"all is well\""},
        {HEAD "\r\nx", head, HTTP_BAD, "HTTP 200, but the body lacks \"x\""},
        {HEAD "\r\naabaabaaac", aab, HTTP_GOOD, good}, // a match that begins within a failed one
        {HEAD "\r\naabaab aaac", aab, HTTP_BAD, "HTTP 200, but the body lacks \"aabaaac\"", true},
        {HEAD "\r\nabzzz", cap, HTTP_GOOD, good},
        {HEAD "\r\nabczz", cap, HTTP_BAD, "HTTP 200, but the first 4 bytes lack \"zz\""},
    };

    CHECK(examples);
}

static void chunks_are_put_together(void **unused)
{
    const struct health_http_wish ok = {.body = "all is well"};
    const char *good = "HTTP 200, body as expected", *lacks = "HTTP 200, but the body lacks \"all is well\"";
#define CHUNKED HEAD "Transfer-Encoding: Chunked\r\n\r\n"
    const struct example examples[] = {
        {CHUNKED "5\r\nall i\r\n006;ext=1\r\ns well\r\n0\r\n\r\n", ok, HTTP_GOOD, good},
        {CHUNKED "4\r\nall \r\n0\r\n\r\n", ok, HTTP_BAD, lacks},
        {CHUNKED "B\r\nall is well", ok, HTTP_GOOD, good},
        {CHUNKED "x\r\n", ok, HTTP_BAD, "HTTP 200 with a bad chunk"},
        {CHUNKED "-1\r\n", ok, HTTP_BAD, "HTTP 200 with a bad chunk"},
        {CHUNKED "\r\n", ok, HTTP_BAD, "HTTP 200 with a bad chunk"},
        {CHUNKED "ffffffffffffffffffff\r\n", ok, HTTP_BAD, "HTTP 200 with a bad chunk"},
        {CHUNKED "2\r\nabc\r\n", ok, HTTP_BAD, "HTTP 200 with a bad chunk"},
        {CHUNKED "2\r\na", ok, HTTP_BAD, "cut off in the body", true},
        // Length and chunks both: chunks count (RFC 9112, 6.3).
        {HEAD "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nall is well\r\n", ok, HTTP_GOOD,
         good},
    };

    CHECK(examples);
}

static void nothing_goes_on_for_ever(void **unused)
{
    const struct health_http_wish any = {0}, ok = {.body = "x"};
    struct http_text text;
    struct http_response response;

    http_text_init(&text, NULL);
    http_response_init(&response, &any, &text);
    http_response_feed(&response, HEAD, strlen(HEAD));
    for (unsigned i = 0; i < 100000 && response.result == HTTP_MORE; i++)
        http_response_feed(&response, "a: b\r\n", 6);
    assert_int_equal(response.result, HTTP_BAD);
    assert_string_equal(response.why, "headers of more than 65536 bytes");
    // One endless line of an allowed size is read past, and the headers behind it are seen.
    http_response_init(&response, &any, &text);
    http_response_feed(&response, HEAD "long: ", strlen(HEAD) + 6);
    for (unsigned i = 0; i < 5000; i++)
        http_response_feed(&response, "x", 1);
    assert_int_equal(http_response_feed(&response, "\r\n\r\n", 4), HTTP_GOOD);
    // A body that never has the text.
    http_text_init(&text, ok.body);
    http_response_init(&response, &ok, &text);
    http_response_feed(&response, HEAD "\r\n", strlen(HEAD) + 2);
    for (unsigned i = 0; i < 100000 && response.result == HTTP_MORE; i++)
        http_response_feed(&response, "yyyyyyyy", 8);
    assert_string_equal(response.why, "HTTP 200, but the first 65536 bytes lack \"x\"");
    // A zero byte would end our strings early.
    http_response_init(&response, &any, &text);
    assert_int_equal(http_response_feed(&response, "HTTP/1.1 200\0", 13), HTTP_BAD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_decides),          cmocka_unit_test(what_is_not_http_is_refused),
        cmocka_unit_test(headers_decide),          cmocka_unit_test(the_body_decides),
        cmocka_unit_test(chunks_are_put_together), cmocka_unit_test(nothing_goes_on_for_ever),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
