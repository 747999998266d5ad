// SPDX-License-Identifier: Apache-2.0
// The control socket's framing: any partition of the stream, lying lengths, what is not a request; and the blocking
// client against a server in a thread.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "rpc/rpc.h"

static size_t frame_of(const char *text, char *out)
{
    uint32_t len = (uint32_t)strlen(text);

    out[0] = (char)(len >> 24);
    out[1] = (char)(len >> 16);
    out[2] = (char)(len >> 8);
    out[3] = (char)len;
    memcpy(out + 4, text, len);
    return len + 4;
}

static void two_messages_are_read_however_the_stream_is_cut(void **state)
{
    char stream[128];
    size_t len = frame_of("{\"command\":\"status\"}", stream);
    len += frame_of("{\"a\":[1,{\"b\":\"}\"}]}", stream + len);

    for (size_t cut = 0; cut <= len; cut++) {
        struct sl_rpc_reader reader;
        unsigned messages = 0;
        sl_rpc_reader_init(&reader);
        size_t end[2] = {cut, len}, at = 0;
        for (int part = 0; part < 2; part++) {
            while (at < end[part]) {
                size_t taken;
                int rc = sl_rpc_reader_feed(&reader, stream + at, end[part] - at, &taken);
                assert_true(rc == 0 || rc == 1);
                at += taken;
                json_t *message;
                if (rc == 1) {
                    assert_int_equal(sl_rpc_reader_take(&reader, &message, NULL), 0);
                    assert_non_null(json_object_get(message, messages ? "a" : "command"));
                    json_decref(message);
                    messages++;
                }
            }
        }
        assert_int_equal(messages, 2);
        assert_false(sl_rpc_reader_partial(&reader));
        sl_rpc_reader_fini(&reader);
    }
}

static void a_message_never_takes_bytes_of_the_next(void **state)
{
    char stream[64];
    size_t first = frame_of("{}", stream), taken, len = first + frame_of("{\"x\":1}", stream + first);
    struct sl_rpc_reader reader;

    sl_rpc_reader_init(&reader);
    assert_int_equal(sl_rpc_reader_feed(&reader, stream, len, &taken), 1);
    assert_int_equal(taken, first);
    sl_rpc_reader_fini(&reader);
}

static void lengths_of_nothing_and_of_too_much_end_the_stream(void **state)
{
    static const uint8_t lie[][4] = {{0, 0, 0, 0}, {4, 0, 0, 1}, {0xff, 0xff, 0xff, 0xff}};

    for (size_t i = 0; i < sizeof(lie) / sizeof(lie[0]); i++) {
        struct sl_rpc_reader reader;
        size_t taken;
        sl_rpc_reader_init(&reader);
        assert_int_equal(sl_rpc_reader_feed(&reader, lie[i], 4, &taken), -EMSGSIZE);
        assert_null(reader.body);
        sl_rpc_reader_fini(&reader);
    }
}

static void memory_grows_with_what_came_not_with_what_was_announced(void **state)
{
    uint8_t head[] = {4, 0, 0, 0, '{'}; // announces 64 MB
    struct sl_rpc_reader reader;
    size_t taken;

    sl_rpc_reader_init(&reader);
    assert_int_equal(sl_rpc_reader_feed(&reader, head, sizeof(head), &taken), 0);
    assert_int_equal(taken, sizeof(head));
    assert_true(reader.body_room <= 4096);
    assert_true(sl_rpc_reader_partial(&reader));
    sl_rpc_reader_fini(&reader);
}

static int take_text(struct sl_rpc_reader *reader, const char *text, json_t **message, json_error_t *why)
{
    char stream[8192];
    size_t taken, len = frame_of(text, stream);

    assert_int_equal(sl_rpc_reader_feed(reader, stream, len, &taken), 1);
    return sl_rpc_reader_take(reader, message, why);
}

static void what_is_no_object_is_refused_and_the_stream_goes_on(void **state)
{
    static const char *const bad[] = {"[1]",   "1",        "{",    "{\"a\":1,\"a\":2}",
                                      "{} {}", "\xff\xfe", "null", "{\"a\":\"\xc3\"}"};
    struct sl_rpc_reader reader;
    json_error_t why;
    json_t *message;

    sl_rpc_reader_init(&reader);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(take_text(&reader, bad[i], &message, &why), -EBADMSG);
        assert_null(message);
        assert_true(strlen(why.text) > 0);
    }
    assert_int_equal(take_text(&reader, "{\"command\":\"port\"}", &message, &why), 0);
    json_decref(message);
    sl_rpc_reader_fini(&reader);
}

static void nests_are_bounded_whatever_brackets_strings_hold(void **state)
{
    char text[4 * SL_RPC_MAX_DEPTH + 16];
    struct sl_rpc_reader reader;
    json_t *message;

    sl_rpc_reader_init(&reader);
    for (unsigned depth = SL_RPC_MAX_DEPTH - 1; depth <= SL_RPC_MAX_DEPTH; depth++) {
        size_t at = (size_t)sprintf(text, "{\"a\":");
        for (unsigned i = 0; i < depth; i++)
            text[at++] = '[';
        for (unsigned i = 0; i < depth; i++)
            text[at++] = ']';
        strcpy(text + at, "}");
        int rc = take_text(&reader, text, &message, NULL);
        assert_int_equal(rc, depth < SL_RPC_MAX_DEPTH ? 0 : -EBADMSG);
        json_decref(message);
    }
    size_t at = (size_t)sprintf(text, "{\"\\\"[[\":\"");
    memset(text + at, '[', 2 * SL_RPC_MAX_DEPTH);
    strcpy(text + at + 2 * SL_RPC_MAX_DEPTH, "\"}");
    assert_int_equal(take_text(&reader, text, &message, NULL), 0);
    json_decref(message);
    sl_rpc_reader_fini(&reader);
}

static void nothing_is_taken_before_a_message_is_whole(void **state)
{
    struct sl_rpc_reader reader;
    json_t *message;
    size_t taken;

    sl_rpc_reader_init(&reader);
    assert_int_equal(sl_rpc_reader_take(&reader, &message, NULL), -EAGAIN);
    assert_int_equal(sl_rpc_reader_feed(&reader, "\0\0\0\2{", 5, &taken), 0);
    assert_int_equal(sl_rpc_reader_take(&reader, &message, NULL), -EAGAIN);
    sl_rpc_reader_fini(&reader);
}

static void errors_have_code_text_and_details(void **state)
{
    json_t *error = sl_rpc_error("busy", NULL, "%d applies", 2), *inner = json_object_get(error, "error");

    assert_string_equal(json_string_value(json_object_get(inner, "code")), "busy");
    assert_string_equal(json_string_value(json_object_get(inner, "text")), "2 applies");
    assert_true(json_is_array(json_object_get(inner, "details")));
    json_decref(error);
}

// ---- the client -------------------------------------------------------------------------------------------------

struct peer {
    int fd;
    const void *answer;
    size_t len;
    size_t piece; // bytes a write
};

static void *serve_once(void *context)
{
    struct peer *peer = context;
    struct sl_rpc_reader reader;
    char buffer[256];
    int rc = 0;

    sl_rpc_reader_init(&reader);
    while (rc == 0) {
        size_t taken;
        ssize_t n = read(peer->fd, buffer, sizeof(buffer));
        if (n <= 0)
            break;
        rc = sl_rpc_reader_feed(&reader, buffer, (size_t)n, &taken);
    }
    for (size_t at = 0; at < peer->len;) {
        size_t n = peer->len - at < peer->piece ? peer->len - at : peer->piece;
        ssize_t sent = send(peer->fd, (const char *)peer->answer + at, n, MSG_NOSIGNAL);
        if (sent <= 0)
            break;
        at += (size_t)sent;
    }
    close(peer->fd);
    sl_rpc_reader_fini(&reader);
    return NULL;
}

static int call_peer(const void *answer, size_t len, size_t piece, json_t **response)
{
    int pair[2];
    pthread_t thread;
    json_t *request = json_pack("{s:s}", "command", "status");

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    struct peer peer = {.fd = dup(pair[1]), .answer = answer, .len = len, .piece = piece};
    close(pair[1]);
    // The server's end blocks, the client's does not: as with sl_rpc_connect().
    assert_int_equal(fcntl(peer.fd, F_SETFL, 0), 0);
    assert_int_equal(pthread_create(&thread, NULL, serve_once, &peer), 0);
    int rc = sl_rpc_call(pair[0], request, 10000, response);
    close(pair[0]);
    pthread_join(thread, NULL);
    json_decref(request);
    return rc;
}

static void the_client_reads_an_answer_that_comes_byte_by_byte(void **state)
{
    char answer[64];
    size_t len = frame_of("{\"result\":{\"n\":7}}", answer);
    json_t *response;

    assert_int_equal(call_peer(answer, len, 1, &response), 0);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(response, "result"), "n")), 7);
    json_decref(response);
}

static void the_client_reads_megabytes(void **state)
{
    const size_t size = 8u << 20;
    char *inner = malloc(size + 1), *text = NULL;
    json_t *response;

    assert_non_null(inner);
    for (size_t i = 0; i < size; i++)
        inner[i] = (char)('a' + i % 26);
    inner[size] = '\0';
    assert_true(asprintf(&text, "{\"result\":\"%s\"}", inner) > 0);
    char *answer = malloc(size + 64);
    assert_non_null(answer);
    size_t len = frame_of(text, answer);
    assert_int_equal(call_peer(answer, len, 65536, &response), 0);
    assert_string_equal(json_string_value(json_object_get(response, "result")), inner);
    json_decref(response);
    free(inner);
    free(text);
    free(answer);
}

static void the_client_tells_a_lying_server_from_one_that_went(void **state)
{
    char answer[64];
    json_t *response;

    assert_int_equal(call_peer("", 0, 1, &response), -ECONNRESET);
    size_t len = frame_of("{\"result\":{}}", answer);
    assert_int_equal(call_peer(answer, len - 1, 64, &response), -ECONNRESET);
    assert_int_equal(call_peer("\xff\xff\xff\xff", 4, 4, &response), -EMSGSIZE);
    len = frame_of("[]", answer);
    assert_int_equal(call_peer(answer, len, 64, &response), -EBADMSG);
    assert_null(response);
}

static void a_silent_server_is_waited_for_no_longer_than_said(void **state)
{
    int pair[2];
    json_t *request = json_pack("{s:s}", "command", "status"), *response;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    assert_int_equal(sl_rpc_call(pair[0], request, 20, &response), -ETIMEDOUT);
    json_decref(request);
    close(pair[0]);
    close(pair[1]);
}

static void connecting_to_nobody_says_so(void **state)
{
    char longest[200];

    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(sl_rpc_connect("/nonexistent/socket"), -ENOENT);
    assert_int_equal(sl_rpc_connect(longest), -ENAMETOOLONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_messages_are_read_however_the_stream_is_cut),
        cmocka_unit_test(a_message_never_takes_bytes_of_the_next),
        cmocka_unit_test(lengths_of_nothing_and_of_too_much_end_the_stream),
        cmocka_unit_test(memory_grows_with_what_came_not_with_what_was_announced),
        cmocka_unit_test(what_is_no_object_is_refused_and_the_stream_goes_on),
        cmocka_unit_test(nests_are_bounded_whatever_brackets_strings_hold),
        cmocka_unit_test(nothing_is_taken_before_a_message_is_whole),
        cmocka_unit_test(errors_have_code_text_and_details),
        cmocka_unit_test(the_client_reads_an_answer_that_comes_byte_by_byte),
        cmocka_unit_test(the_client_reads_megabytes),
        cmocka_unit_test(the_client_tells_a_lying_server_from_one_that_went),
        cmocka_unit_test(a_silent_server_is_waited_for_no_longer_than_said),
        cmocka_unit_test(connecting_to_nobody_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
