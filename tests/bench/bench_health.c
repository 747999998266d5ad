// SPDX-License-Identifier: Apache-2.0
// What health checks cost: TARGETS members on loopback (127.0.0.0/8, one listener for all), each checked once a second,
// for SECONDS. Prints the engine thread's CPU time as per cent of a core, with the kernel's work for its system calls
// in it; on loopback that is also the listener's half of each handshake.
// usage: bench_health [TARGETS [SECONDS [tcp|http|https|icmp|udp [PORT]]]]  PORT: of a server of your own, else ours
// The https server gives tickets, as servers do; its certificate (ECDSA, P-256) is made at the start and verified.
#include <arpa/inet.h>
#include <event2/event.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "health/health.h"

static double cpu_ms(double *system)
{
    struct rusage usage;

    getrusage(RUSAGE_THREAD, &usage);
    *system = (double)usage.ru_stime.tv_sec * 1e3 + (double)usage.ru_stime.tv_usec / 1e3;
    return *system + (double)usage.ru_utime.tv_sec * 1e3 + (double)usage.ru_utime.tv_usec / 1e3;
}

static int listen_any(uint16_t *port, int type)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    socklen_t len = sizeof(any);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&any, len) || (type == SOCK_STREAM && listen(fd, 4096)) ||
        getsockname(fd, (struct sockaddr *)&any, &len)) {
        perror("listen");
        exit(1);
    }
    *port = ntohs(any.sin_port);
    return fd;
}

static const char response[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

// Answers whatever it is asked; its time is not the engine's.
static void *serve_tcp(void *context)
{
    int fd = *(int *)context;
    char request[1024];

    for (;;) {
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0)
            continue;
        if (recv(client, request, sizeof(request), 0) > 0)
            send(client, response, sizeof(response) - 1, MSG_NOSIGNAL);
        close(client);
    }
    return NULL;
}

// ---- https --------------------------------------------------------------------------------------------------

#define NAME        "member.example"
#define TLS_SERVERS 4 // threads, so that no client waits for another's round trips

static SSL_CTX *tls_server;
static char authority[] =
    "/tmp/bench-health-XXXXXX"; // the certificate, its own authority; until all have read it

static X509 *certificate_make(EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:" NAME);

    X509_set_version(certificate, 2);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)NAME, -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_add_ext(certificate, names, -1);
    X509_EXTENSION_free(names);
    X509_sign(certificate, key, EVP_sha256());
    return certificate;
}

static SSL_CTX *tls_server_new(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = certificate_make(key);
    int fd = mkstemp(authority);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

    if (!file || !PEM_write_X509(file, certificate) || fclose(file) ||
        SSL_CTX_use_certificate(ctx, certificate) != 1 || SSL_CTX_use_PrivateKey(ctx, key) != 1) {
        fprintf(stderr, "no certificate can be made\n");
        exit(1);
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
    return ctx;
}

static void answer_over_tls(SSL_CTX *ctx, int client)
{
    const struct timeval patience = {.tv_sec = 1};
    SSL *ssl = SSL_new(ctx);
    char request[1024];

    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    SSL_set_fd(ssl, client);
    if (SSL_accept(ssl) == 1 && SSL_read(ssl, request, sizeof(request)) > 0)
        SSL_write(ssl, response, sizeof(response) - 1);
    SSL_free(ssl);
}

static void *serve_tls(void *context)
{
    int fd = *(int *)context;

    for (;;) {
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0)
            continue;
        answer_over_tls(tls_server, client);
        close(client);
    }
    return NULL;
}

// ---- udp ----------------------------------------------------------------------------------------------------

static void *serve_udp(void *context)
{
    int fd = *(int *)context;
    struct sockaddr_in from;
    char bytes[256];

    for (;;) {
        struct iovec part = {bytes, sizeof(bytes)};
        char control[64];
        struct msghdr message = {&from, sizeof(from), &part, 1, control, sizeof(control), 0};
        ssize_t len = recvmsg(fd, &message, 0);
        if (len < 0)
            continue;
        part.iov_len =
            (size_t)len; // back from the address it was sent to: the pktinfo goes out as it came in
        sendmsg(fd, &message, MSG_NOSIGNAL);
    }
    return NULL;
}

static void stop(evutil_socket_t fd, short what, void *context)
{
    event_base_loopbreak(context);
}

static void run_for(struct event_base *base, double seconds)
{
    struct timeval after = {.tv_sec = (time_t)seconds,
                            .tv_usec = (suseconds_t)((seconds - (time_t)seconds) * 1e6)};

    event_base_once(base, -1, EV_TIMEOUT, stop, base, &after);
    event_base_dispatch(base);
}

static enum health_kind kind_named(const char *name)
{
    for (unsigned kind = 0; kind < HEALTH_KINDS; kind++)
        if (strcmp(health_kind_name((enum health_kind)kind), name) == 0)
            return (enum health_kind)kind;
    fprintf(stderr, "no kind '%s'\n", name);
    exit(2);
}

static void serve(enum health_kind kind, uint16_t *port)
{
    static int fd;
    const int on = 1;
    pthread_t thread;
    bool udp = kind == HEALTH_UDP;
    void *(*server)(void *) = udp ? serve_udp : kind == HEALTH_HTTPS ? serve_tls : serve_tcp;

    fd = listen_any(port, udp ? SOCK_DGRAM : SOCK_STREAM);
    if (udp)
        setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on));
    if (kind == HEALTH_HTTPS)
        tls_server = tls_server_new();
    for (unsigned i = 0; i < (kind == HEALTH_HTTPS ? TLS_SERVERS : 1); i++)
        if (pthread_create(&thread, NULL, server, &fd))
            exit(1);
}

static void add_targets(struct health *health, unsigned targets, enum health_kind kind, uint16_t port)
{
    struct sl_error error;

    for (unsigned i = 0; i < targets; i++) {
        struct health_wish wish = {.address = sl_ip_v4(htonl(0x7f000001 + i)),
                                   .port = port,
                                   .kind = kind,
                                   .interval_ms = 1000,
                                   .http = {.verify = kind == HEALTH_HTTPS && tls_server,
                                            .ca_file = authority,
                                            .sni = tls_server ? NAME : NULL},
                                   .udp = {.send = "ping", .send_bytes = 4}};
        if (health_set(health, i, &wish, &error)) {
            fprintf(stderr, "%s\n", error.text);
            exit(1);
        }
    }
}

static void measure(struct event_base *base, struct health *health, double seconds)
{
    struct health_totals before, after;
    struct timespec start, end;
    double system_before, system_after;

    health_totals(health, &before);
    clock_gettime(CLOCK_MONOTONIC, &start);
    double cpu = cpu_ms(&system_before);
    run_for(base, seconds);
    cpu = cpu_ms(&system_after) - cpu;
    clock_gettime(CLOCK_MONOTONIC, &end);
    health_totals(health, &after);
    double ms = (double)(end.tv_sec - start.tv_sec) * 1e3 + (double)(end.tv_nsec - start.tv_nsec) / 1e6;
    double rate = (double)(after.checks - before.checks) / ms * 1e3;
    printf("%.0f checks a second: %.1f %% of a core (%.1f %% in the kernel), %.1f us a check; "
           "%llu up of %llu, bad %llu, not checked %llu, %llu ms late at most\n",
           rate, cpu / ms * 100, (system_after - system_before) / ms * 100, cpu / ms / rate * 1e6,
           (unsigned long long)after.up, (unsigned long long)after.targets,
           (unsigned long long)(after.bad - before.bad),
           (unsigned long long)(after.not_checked - before.not_checked), (unsigned long long)after.late_ms);
    if (after.environment[0])
        printf("  %s\n", after.environment);
}

int main(int argc, char **argv)
{
    unsigned targets = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 0) : 5000;
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 5;
    enum health_kind kind = argc > 3 ? kind_named(argv[3]) : HEALTH_TCP;
    uint16_t port = argc > 4 ? (uint16_t)strtoul(argv[4], NULL, 0) : 0;
    const struct health_hooks hooks = {0};

    signal(SIGPIPE, SIG_IGN);
    if (!port)
        serve(kind, &port);
    struct event_base *base = event_base_new();
    struct health *health = base ? health_new(base, &hooks, NULL) : NULL;
    if (!health)
        return 1;
    add_targets(health, targets, kind, port);
    if (tls_server)
        unlink(authority);
    run_for(base, 3); // until all are known
    measure(base, health, seconds);
    health_free(health);
    event_base_free(base);
    return 0;
}
