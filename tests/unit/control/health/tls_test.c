// SPDX-License-Identifier: Apache-2.0
// HTTPS checks against a server with a certificate made here, good for the name "member.example" and for 127.0.0.1.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "health/tls.h"
#include "rig.h"

#define ID 7

static char authority[] = "/tmp/sluice-health-XXXXXX"; // the certificate, trusted as its own authority
static SSL_CTX *server_ctx;
static char asked_name[256];
static unsigned whole, resumed; // handshakes, by the server

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

static X509 *certificate_make(EVP_PKEY *key)
{
    X509 *certificate = X509_new();

    assert_non_null(certificate);
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(certificate, NID_subject_alt_name, "DNS:member.example,IP:127.0.0.1");
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    return certificate;
}

static int on_name(SSL *ssl, int *alert, void *context)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

    snprintf(asked_name, sizeof(asked_name), "%s", name ? name : "");
    return SSL_TLSEXT_ERR_OK;
}

static int server_prepare(void **unused)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = certificate_make(key);
    int fd = mkstemp(authority);
    FILE *file = fdopen(fd, "w");

    assert_non_null(file);
    PEM_write_X509(file, certificate);
    fclose(file);
    server_ctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(server_ctx, certificate);
    SSL_CTX_use_PrivateKey(server_ctx, key);
    SSL_CTX_set_tlsext_servername_callback(server_ctx, on_name);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return 0;
}

static int server_forget(void **unused)
{
    SSL_CTX_free(server_ctx);
    unlink(authority);
    return 0;
}

// Answers in pieces: each is a TLS record, of which a client's one read may see several.
static void say_over_tls(struct server *server, int client)
{
    SSL *ssl = SSL_new(server_ctx);
    const char *text = server->with;
    char request[1024];

    SSL_set_fd(ssl, client);
    bool accepted = SSL_accept(ssl) == 1;
    *(accepted && SSL_session_reused(ssl) ? &resumed : &whole) += 1;
    if (accepted && SSL_read(ssl, request, sizeof(request)) > 0) {
        for (size_t at = 0, len = strlen(text); at < len; at += 5)
            SSL_write(ssl, text + at, (int)(len - at < 5 ? len - at : 5));
        SSL_shutdown(ssl);
    }
    SSL_free(ssl);
    ERR_clear_error();
}

static void say_plain(struct server *server, int client)
{
    char hello[1024];

    if (recv(client, hello, sizeof(hello), 0) > 0)
        send(client, server->with, strlen(server->with), MSG_NOSIGNAL);
}

static void keep_silent(struct server *server, int client)
{
    struct pollfd gone = {.fd = client, .events = POLLRDHUP};

    while (!server->ending && poll(&gone, 1, 20) == 0)
        ;
}

static void expect(server_fn behave, const char *text, struct health_http_wish http, enum health_state state,
                   const char *sentence)
{
    struct server server;
    struct rig rig;

    rig_start(&rig, NULL);
    server_start(&server, "127.0.0.1", SOCK_STREAM, behave, text);
    struct health_wish wish = server_wish(&server, HEALTH_HTTPS);
    wish.interval_ms = wish.timeout_ms = behave == keep_silent ? 200 : 2000;
    wish.http = http;
    rig_set(&rig, ID, &wish);
    health_check_now(rig.health, ID);
    rig_until_checks(&rig, ID, 1);
    struct health_report report = rig_report(&rig, ID);
    if (report.status.state != state || strcmp(report.last, sentence) != 0)
        fail_msg("%s: \"%s\", not \"%s\"", health_state_name(report.status.state), report.last, sentence);
    server_stop(&server);
    rig_stop(&rig);
}

#define OK_TEXT "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nall fine"

static void good_without_a_look_at_the_certificate(void **unused)
{
    expect(say_over_tls, OK_TEXT, (struct health_http_wish){0}, HEALTH_UP, "HTTP 200");
    assert_string_equal(asked_name, "");
    expect(say_over_tls, OK_TEXT, (struct health_http_wish){.body = "fine", .host = "h.example:8443"},
           HEALTH_UP, "HTTP 200, body as expected");
    assert_string_equal(asked_name, "h.example");
}

static void good_with_the_right_certificate(void **unused)
{
    const struct health_http_wish by_name = {.verify = true, .ca_file = authority, .sni = "member.example"};
    const struct health_http_wish by_address = {.verify = true, .ca_file = authority};

    expect(say_over_tls, OK_TEXT, by_name, HEALTH_UP, "HTTP 200");
    assert_string_equal(asked_name, "member.example");
    expect(say_over_tls, OK_TEXT, by_address, HEALTH_UP, "HTTP 200");
}

static void wrong_certificates_are_bad(void **unused)
{
    const struct health_http_wish other_name = {.verify = true, .ca_file = authority, .sni = "other.example"};
    const struct health_http_wish not_trusted = {.verify = true, .sni = "member.example"};

    expect(say_over_tls, OK_TEXT, other_name, HEALTH_DOWN, "TLS handshake: certificate: hostname mismatch");
    expect(say_over_tls, OK_TEXT, not_trusted, HEALTH_DOWN,
           "TLS handshake: certificate: self-signed certificate");
}

static void bad_answers(void **unused)
{
    expect(say_over_tls, "HTTP/1.1 500 x\r\n\r\n", (struct health_http_wish){0}, HEALTH_DOWN,
           "HTTP 500, expected 200-399");
    expect(say_over_tls, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nall",
           (struct health_http_wish){.body = "x"}, HEALTH_DOWN, "cut off in the body");
    expect(say_plain, "HTTP/1.1 400 Bad Request\r\n\r\n", (struct health_http_wish){0}, HEALTH_DOWN,
           "TLS handshake: wrong version number");
    expect(keep_silent, NULL, (struct health_http_wish){0}, HEALTH_DOWN,
           "TLS handshake: no answer within 200 ms");
    expect(say_plain, "", (struct health_http_wish){0}, HEALTH_DOWN, "TLS handshake: closed");
}

// ---- sessions ---------------------------------------------------------------------------------------------------

struct resumption {
    struct rig rig;
    struct server server;
    struct health_wish wish;
};

static void resumption_start(struct resumption *r, int version)
{
    SSL_CTX_set_max_proto_version(server_ctx, version);
    whole = resumed = 0;
    rig_start(&r->rig, NULL);
    server_start(&r->server, "127.0.0.1", SOCK_STREAM, say_over_tls, OK_TEXT);
    r->wish = server_wish(&r->server, HEALTH_HTTPS);
    r->wish.interval_ms = r->wish.timeout_ms = 5000;
    r->wish.http = (struct health_http_wish){.verify = true, .ca_file = authority, .sni = "member.example"};
    rig_set(&r->rig, ID, &r->wish);
}

static void resumption_stop(struct resumption *r)
{
    server_stop(&r->server);
    rig_stop(&r->rig);
    SSL_CTX_set_max_proto_version(server_ctx, 0);
}

// `checks` more, each as soon as the last one has ended.
static void checks_run(struct resumption *r, unsigned checks)
{
    for (unsigned i = 0; i < checks; i++) {
        struct health_report before = rig_report(&r->rig, ID);
        health_check_now(r->rig.health, ID);
        rig_until_checks(&r->rig, ID, before.good + before.bad + before.not_checked + 1);
    }
}

static void checks_of_a_member_resume_its_session(void **unused)
{
    const int version[] = {TLS1_2_VERSION, TLS1_3_VERSION};

    for (unsigned i = 0; i < 2; i++) {
        struct resumption r;
        resumption_start(&r, version[i]);
        checks_run(&r, 5);
        assert_int_equal(rig_report(&r.rig, ID).good, 5);
        resumption_stop(&r);
        assert_int_equal(whole, 1);
        assert_int_equal(resumed, 4);
    }
}

static void check_after_a_bad_one_is_whole(void **unused)
{
    struct resumption r;

    resumption_start(&r, 0);
    checks_run(&r, 2);
    r.server.with = "HTTP/1.1 500 x\r\n\r\n";
    checks_run(&r, 1); // resumes: it was well before
    r.server.with = OK_TEXT;
    checks_run(&r, 2);
    assert_int_equal(rig_report(&r.rig, ID).bad, 1);
    resumption_stop(&r);
    assert_int_equal(whole, 2);
    assert_int_equal(resumed, 3);
}

// What was verified for one name says nothing of another.
static void another_name_resumes_nothing(void **unused)
{
    struct resumption r;

    resumption_start(&r, 0);
    checks_run(&r, 2);
    r.wish.http.sni = "other.example";
    rig_set(&r.rig, ID, &r.wish);
    checks_run(&r, 1);
    assert_string_equal(rig_report(&r.rig, ID).last, "TLS handshake: certificate: hostname mismatch");
    resumption_stop(&r);
}

// A connection to the server of its own, as of that time: true, it resumed.
static bool resumes_at(struct health *health, const struct health_wish *wish, struct tls_memory *memory,
                       uint64_t now_ms)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(wish->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    unsigned before = resumed;
    char bytes[256];
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    struct tls_session *session = tls_start(health, fd, wish, memory, now_ms);
    assert_non_null(session);
    assert_int_equal(tls_handshake(session), 0);
    assert_int_equal(tls_write(session, "GET", 3), 3);
    while (tls_read(session, bytes, sizeof(bytes)) > 0)
        ;
    tls_stop(session);
    close(fd);
    return resumed > before;
}

// However often it is resumed: a minute after the certificate was seen, it is to be seen again.
static void certificate_is_verified_anew_each_minute(void **unused)
{
    struct resumption r;
    struct tls_memory memory = {0};

    resumption_start(&r, 0);
    assert_false(resumes_at(r.rig.health, &r.wish, &memory, 1000));
    assert_true(resumes_at(r.rig.health, &r.wish, &memory, 31000));
    assert_true(resumes_at(r.rig.health, &r.wish, &memory, 60999));
    assert_false(resumes_at(r.rig.health, &r.wish, &memory, 61000));
    assert_true(resumes_at(r.rig.health, &r.wish, &memory, 62000));
    tls_forget(&memory);
    resumption_stop(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_without_a_look_at_the_certificate),
        cmocka_unit_test(good_with_the_right_certificate),
        cmocka_unit_test(wrong_certificates_are_bad),
        cmocka_unit_test(checks_of_a_member_resume_its_session),
        cmocka_unit_test(check_after_a_bad_one_is_whole),
        cmocka_unit_test(another_name_resumes_nothing),
        cmocka_unit_test(certificate_is_verified_anew_each_minute),
        cmocka_unit_test(bad_answers),
    };

    return cmocka_run_group_tests(tests, server_prepare, server_forget);
}
