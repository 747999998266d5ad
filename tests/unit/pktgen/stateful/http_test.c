// SPDX-License-Identifier: Apache-2.0
// Heads read wherever they are cut, and the pattern that bodies are made of.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include "random.h"
#include "stateful/http.h"
#include "stateful/pattern.h"

typedef uint32_t (*read_fn)(struct http_parse *, const uint8_t *, uint32_t);

// Reads `text` in two pieces cut at `cut`; what is behind the head stays.
static struct http_parse read_cut(read_fn read, const char *text, uint32_t cut, uint32_t *used)
{
    struct http_parse parse = {0};
    uint32_t len = (uint32_t)strlen(text);
    *used = read(&parse, (const uint8_t *)text, cut);
    if (*used == cut)
        *used += read(&parse, (const uint8_t *)text + cut, len - cut);
    return parse;
}

static void a_response_is_read_wherever_it_is_cut(void **state)
{
    static const char text[] =
        "HTTP/1.0 200 OK\r\nServer: x y\r\nContent-Lengthy: 5\r\ncontent-LENGTH:  1234 \r\n"
        "Date: Mon\r\n\r\nbody";
    for (uint32_t cut = 0; cut <= sizeof(text) - 1; cut++) {
        uint32_t used;
        struct http_parse parse = read_cut(http_response_read, text, cut, &used);
        assert_int_equal(parse.phase, HTTP_BODY);
        assert_int_equal(parse.status, 200);
        assert_true(parse.counted);
        assert_int_equal(parse.length, 1234);
        assert_int_equal(used, sizeof(text) - 1 - 4);
    }
}

static void our_own_request_is_read_wherever_it_is_cut(void **state)
{
    struct http_head head;
    char text[HTTP_HEAD_MAX + 8] = {0};
    assert_int_equal(http_request_head(&head, NULL, "sluice", 4096, 77), 0);
    http_head_copy(&head, 0xdeadbe0f, 0, (uint8_t *)text, head.len);
    for (uint32_t cut = 0; cut <= head.len; cut++) {
        uint32_t used;
        struct http_parse parse = read_cut(http_request_read, text, cut, &used);
        assert_int_equal(parse.phase, HTTP_BODY);
        assert_true(parse.keyed);
        assert_int_equal(parse.key, 0xdeadbe0f);
        assert_int_equal(parse.want, 4096);
        assert_int_equal(parse.length, 77);
        assert_int_equal(used, head.len);
    }
}

static void a_head_can_be_made_again_in_pieces(void **state)
{
    struct http_head head;
    uint8_t whole[HTTP_HEAD_MAX], piece[HTTP_HEAD_MAX];
    http_request_head(&head, NULL, "example.net", 1, 0);
    http_head_copy(&head, 0x0123abcd, 0, whole, head.len);
    for (uint32_t from = 0; from < head.len; from++)
        for (uint32_t count = 1; from + count <= head.len; count++) {
            http_head_copy(&head, 0x0123abcd, from, piece, count);
            assert_memory_equal(piece, whole + from, count);
        }
}

static void every_key_survives_its_digits(void **state)
{
    struct test_random random = test_random_start("key");
    struct http_head head;
    http_request_head(&head, NULL, "sluice", 1, 0);
    for (unsigned i = 0; i < 100000; i++) {
        uint8_t text[HTTP_HEAD_MAX];
        char expected[9];
        uint32_t key = (uint32_t)test_random_u64(&random), read;
        http_head_copy(&head, key, 0, text, head.len);
        snprintf(expected, sizeof(expected), "%08x", key);
        assert_memory_equal(text + head.key_at, expected, 8);
        assert_true(http_key_read(text + head.key_at, &read));
        assert_int_equal(read, key);
    }
    assert_false(http_key_read((const uint8_t *)"0123456g", &(uint32_t){0}));
}

static void what_is_no_http_is_refused(void **state)
{
    static const char *const bad[] = {"SSH-2.0-x\r\n",
                                      "HTTP/2.0 200\r\n",
                                      "HTTP/1.1 2x0 OK\r\n",
                                      "HTTP/1.1 200 OK\r\nContent-Length: 12a\r\n\r\n",
                                      "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
                                      "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"};
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct http_parse parse = {0};
        http_response_read(&parse, (const uint8_t *)bad[i], (uint32_t)strlen(bad[i]));
        assert_int_equal(parse.phase, HTTP_BAD);
    }
}

static void a_path_of_others_is_no_fault(void **state)
{
    static const char *const text[] = {"GET / HTTP/1.1\r\n\r\n",
                                       "GET /index.html HTTP/1.1\r\nHost: a\r\n\r\n",
                                       "GET /0123abcd/1x HTTP/1.1\r\n\r\n", "GET /0123abcd HTTP/1.1\r\n\r\n"};
    for (unsigned i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
        struct http_parse parse = {0};
        assert_int_equal(http_request_read(&parse, (const uint8_t *)text[i], (uint32_t)strlen(text[i])),
                         strlen(text[i]));
        assert_int_equal(parse.phase, HTTP_BODY);
        assert_false(parse.keyed);
    }
}

static void a_pattern_is_the_same_in_any_pieces(void **state)
{
    struct test_random random = test_random_start("pattern");
    uint8_t whole[512], piece[512];
    pattern_fill(0x12345678, 0, whole, sizeof(whole));
    for (unsigned i = 0; i < 50000; i++) {
        uint32_t from = test_random_below(&random, 500), count = test_random_below(&random, 512 - from);
        pattern_fill(0x12345678, from, piece, count);
        assert_memory_equal(piece, whole + from, count);
        assert_true(pattern_check(0x12345678, from, piece, count));
    }
}

static void any_changed_bit_of_a_pattern_is_seen(void **state)
{
    uint8_t bytes[40];
    for (uint32_t from = 0; from < 16; from++)
        for (uint32_t count = 1; count <= 24; count++)
            for (uint32_t bit = 0; bit < 8 * count; bit++) {
                pattern_fill(99, from, bytes, count);
                bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
                assert_false(pattern_check(99, from, bytes, count));
            }
}

static void patterns_of_other_keys_and_offsets_differ(void **state)
{
    uint8_t bytes[64];
    pattern_fill(1, 0, bytes, sizeof(bytes));
    assert_false(pattern_check(2, 0, bytes, sizeof(bytes)));
    assert_false(pattern_check(1, 8, bytes, sizeof(bytes)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_response_is_read_wherever_it_is_cut),
        cmocka_unit_test(our_own_request_is_read_wherever_it_is_cut),
        cmocka_unit_test(a_head_can_be_made_again_in_pieces),
        cmocka_unit_test(every_key_survives_its_digits),
        cmocka_unit_test(what_is_no_http_is_refused),
        cmocka_unit_test(a_path_of_others_is_no_fault),
        cmocka_unit_test(a_pattern_is_the_same_in_any_pieces),
        cmocka_unit_test(any_changed_bit_of_a_pattern_is_seen),
        cmocka_unit_test(patterns_of_other_keys_and_offsets_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
