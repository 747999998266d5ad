// SPDX-License-Identifier: Apache-2.0
// HTTPS checks against a server with a certificate made here, good for the name "member.example" and for 127.0.0.1.
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
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
#include "rig.h"

#define ID 7

static char authority[] = "/tmp/sluice-health-XXXXXX"; // the certificate, trusted as its own authority
static SSL_CTX *server_ctx;
static char asked_name[256];

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
    if (SSL_accept(ssl) == 1 && SSL_read(ssl, request, sizeof(request)) > 0) {
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_without_a_look_at_the_certificate),
        cmocka_unit_test(good_with_the_right_certificate),
        cmocka_unit_test(wrong_certificates_are_bad),
        cmocka_unit_test(bad_answers),
    };

    return cmocka_run_group_tests(tests, server_prepare, server_forget);
}
