// SPDX-License-Identifier: Apache-2.0
// See tls.h.
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "health/engine.h"
#include "health/tls.h"

struct tls { // a context; a list of them
    struct tls *next;
    bool verify;
    char *ca_file; // NULL: the system's
    SSL_CTX *ctx;
};

struct tls_session {
    SSL *ssl;
    struct tls_memory *memory;
    uint64_t now_ms; // when it began
    char why[96];
};

static struct tls *context_find(struct health *health, const struct health_http_wish *wish)
{
    const char *file = wish->verify ? wish->ca_file : NULL;

    for (struct tls *tls = health->tls; tls; tls = tls->next)
        if (tls->verify == wish->verify &&
            (file ? tls->ca_file && strcmp(tls->ca_file, file) == 0 : !tls->ca_file))
            return tls;
    return NULL;
}

static void context_free(struct tls *tls)
{
    SSL_CTX_free(tls->ctx);
    free(tls->ca_file);
    free(tls);
}

void tls_forget(struct tls_memory *memory)
{
    SSL_SESSION_free(memory->session);
    *memory = (struct tls_memory){0};
}

// The member gives a ticket, or its last handshake's session (TLS 1.2): 1, it is kept.
static int on_session(SSL *ssl, SSL_SESSION *given)
{
    struct tls_session *session = SSL_get_app_data(ssl);
    struct tls_memory *memory = session->memory;
    uint64_t whole_ms = SSL_session_reused(ssl) ? memory->whole_ms : session->now_ms;

    tls_forget(memory);
    *memory = (struct tls_memory){given, whole_ms};
    return 1;
}

static SSL_CTX *context_make(const struct health_http_wish *wish, const char *file)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    if (!ctx)
        return NULL;
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, on_session);
    SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF); // cut off or not: the response's framing tells
    SSL_CTX_set_verify(ctx, wish->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    int fine = !wish->verify ? 1
               : file        ? SSL_CTX_load_verify_locations(ctx, file, NULL)
                             : SSL_CTX_set_default_verify_paths(ctx);
    if (fine == 1)
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

int tls_prepare(struct health *health, const struct health_http_wish *wish, struct sl_error *error)
{
    const char *file = wish->verify ? wish->ca_file : NULL;

    if (context_find(health, wish))
        return 0;
    struct tls *tls = calloc(1, sizeof(*tls));
    if (!tls)
        return sl_error_set(error, -ENOMEM, "out of memory");
    tls->verify = wish->verify;
    tls->ca_file = file ? strdup(file) : NULL;
    tls->ctx = context_make(wish, file);
    ERR_clear_error();
    if (!tls->ctx || (file && !tls->ca_file)) {
        context_free(tls);
        return sl_error_set(error, -EINVAL, "%s: no certificates of authorities can be read from it",
                            file ? file : "OpenSSL's default");
    }
    tls->next = health->tls;
    health->tls = tls;
    return 0;
}

void tls_fini(struct health *health)
{
    while (health->tls) {
        struct tls *tls = health->tls;
        health->tls = tls->next;
        context_free(tls);
    }
}

// ---- sessions ---------------------------------------------------------------------------------------------------

static bool is_address(const char *text)
{
    struct sl_ip ip;

    return sl_ip_parse(text, &ip) == 0;
}

// The name asked for: sni, else the host without its port where that is a name; false: none.
static bool name_of(const struct health_http_wish *wish, char name[256])
{
    const char *from = wish->sni ? wish->sni : wish->host;

    if (!from || from[0] == '[')
        return false;
    snprintf(name, 256, "%.*s", wish->sni ? 255 : (int)strcspn(from, ":"), from);
    return name[0] && !is_address(name);
}

static bool name_set(SSL *ssl, const struct health_wish *wish)
{
    char name[256], address[SL_IP_TEXT];

    if (name_of(&wish->http, name))
        return SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set1_host(ssl, name) == 1;
    sl_ip_format(&wish->address, address);
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), address) == 1;
}

static bool resume(SSL *ssl, struct tls_memory *memory, uint64_t now_ms)
{
    if (memory->session && now_ms - memory->whole_ms >= TLS_WHOLE_MS)
        tls_forget(memory);
    return !memory->session || SSL_set_session(ssl, memory->session) == 1;
}

struct tls_session *tls_start(struct health *health, int fd, const struct health_wish *wish,
                              struct tls_memory *memory, uint64_t now_ms)
{
    struct tls *tls = context_find(health, &wish->http);
    struct tls_session *session = calloc(1, sizeof(*session));

    if (!session || !tls || !(session->ssl = SSL_new(tls->ctx)) || !name_set(session->ssl, wish) ||
        SSL_set_fd(session->ssl, fd) != 1 || !resume(session->ssl, memory, now_ms)) {
        ERR_clear_error();
        tls_stop(session);
        return NULL;
    }
    session->memory = memory;
    session->now_ms = now_ms;
    SSL_set_app_data(session->ssl, session);
    SSL_set_connect_state(session->ssl);
    return session;
}

void tls_stop(struct tls_session *session)
{
    if (!session)
        return;
    if (session->ssl) // as if it had been ended in order: else OpenSSL makes its session unfit to be resumed
        SSL_set_shutdown(session->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(session->ssl);
    free(session);
}

// What OpenSSL's last call came to; the queue of errors is the thread's and must be left empty.
static ssize_t outcome(struct tls_session *session, int rc)
{
    int saved = errno, kind = SSL_get_error(session->ssl, rc);
    unsigned long error = ERR_get_error();
    long certificate = SSL_get_verify_result(session->ssl);

    ERR_clear_error();
    switch (kind) {
    case SSL_ERROR_WANT_READ:
        return TLS_WANT_READ;
    case SSL_ERROR_WANT_WRITE:
        return TLS_WANT_WRITE;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        return saved ? -saved : -EPIPE;
    default:
        break;
    }
    const char *reason = ERR_reason_error_string(error);
    if (SSL_get_verify_mode(session->ssl) != SSL_VERIFY_NONE && certificate != X509_V_OK)
        snprintf(session->why, sizeof(session->why), "certificate: %s",
                 X509_verify_cert_error_string(certificate));
    else
        snprintf(session->why, sizeof(session->why), "%s", reason ? reason : "failed");
    return -EPROTO;
}

int tls_handshake(struct tls_session *session)
{
    errno = 0;
    int rc = SSL_do_handshake(session->ssl);

    if (rc == 1)
        return 0;
    int result = (int)outcome(session, rc);
    return result ? result : -EPIPE;
}

ssize_t tls_write(struct tls_session *session, const void *bytes, size_t len)
{
    errno = 0;
    int rc = SSL_write(session->ssl, bytes, (int)len);

    if (rc > 0)
        return rc;
    ssize_t result = outcome(session, rc);
    return result ? result : -EPIPE;
}

ssize_t tls_read(struct tls_session *session, void *bytes, size_t len)
{
    errno = 0;
    int rc = SSL_read(session->ssl, bytes, (int)len);

    return rc > 0 ? rc : outcome(session, rc);
}

const char *tls_why(const struct tls_session *session)
{
    return session->why;
}
