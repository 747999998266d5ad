// SPDX-License-Identifier: Apache-2.0
// TLS for https checks: OpenSSL on a non-blocking socket. One context for each set of trusted authorities, made when a
// wish first names it. Main thread; each whole handshake costs the loop a few hundred microseconds, so connections to a
// member resume its last session (RFC 8446, 2.2; RFC 5077). A resumed one shows that the member still holds its keys,
// but not its certificate: TLS_WHOLE_MS is how long what was verified counts.
#ifndef HEALTH_TLS_H
#define HEALTH_TLS_H

#include <sys/types.h>
#include "health/health.h"

#define TLS_WHOLE_MS 60000

struct tls_session;

// What a member's last connection leaves to its next: zero is nothing. Only for the wish it was made with, whose name and
// authorities were verified.
struct tls_memory {
    struct ssl_session_st *session; // OpenSSL's SSL_SESSION
    uint64_t whole_ms;              // CLOCK_MONOTONIC of the whole handshake it descends from
};

// Results of the transport below 0 that are not -errno.
#define TLS_WANT_READ  (-100001)
#define TLS_WANT_WRITE (-100002)

// Reads the authorities. -EINVAL with a sentence: the file cannot be used.
int tls_prepare(struct health *health, const struct health_http_wish *wish, struct sl_error *error);
// Resumes what is in `memory`, if it is not too old by now_ms, and puts there what the member gives for the next time;
// it must outlive the session. NULL: no memory.
struct tls_session *tls_start(struct health *health, int fd, const struct health_wish *wish,
                              struct tls_memory *memory, uint64_t now_ms);
void tls_forget(struct tls_memory *memory);
void tls_stop(struct tls_session *session);     // NULL is harmless; the socket stays open
int tls_handshake(struct tls_session *session); // 0, TLS_WANT_*, or -errno
ssize_t tls_write(struct tls_session *session, const void *bytes, size_t len);
ssize_t tls_read(struct tls_session *session, void *bytes, size_t len); // 0: the end
const char *tls_why(const struct tls_session *session);                 // what failed; "": see errno

#endif
