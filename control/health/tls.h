// SPDX-License-Identifier: Apache-2.0
// TLS for https checks: OpenSSL on a non-blocking socket. One context for each set of trusted authorities, made when a
// wish first names it. Main thread; each handshake costs the loop a few hundred microseconds.
#ifndef HEALTH_TLS_H
#define HEALTH_TLS_H

#include <sys/types.h>
#include "health/health.h"

struct tls_session;

// Results of the transport below 0 that are not -errno.
#define TLS_WANT_READ  (-100001)
#define TLS_WANT_WRITE (-100002)

// Reads the authorities. -EINVAL with a sentence: the file cannot be used.
int tls_prepare(struct health *health, const struct health_http_wish *wish, struct sl_error *error);
struct tls_session *tls_start(struct health *health, int fd,
                              const struct health_wish *wish); // NULL: no memory
void tls_stop(struct tls_session *session);                    // NULL is harmless; the socket stays open
int tls_handshake(struct tls_session *session);                // 0, TLS_WANT_*, or -errno
ssize_t tls_write(struct tls_session *session, const void *bytes, size_t len);
ssize_t tls_read(struct tls_session *session, void *bytes, size_t len); // 0: the end
const char *tls_why(const struct tls_session *session);                 // what failed; "": see errno

#endif
