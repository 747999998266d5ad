// SPDX-License-Identifier: Apache-2.0
// TCP Fast Open of the kernel's clients (RFC 7413), in a file of its own: <netinet/tcp.h> has names of src/tcp's.
#ifndef TESTS_TCP_FAST_OPEN_H
#define TESTS_TCP_FAST_OPEN_H

#include <stdbool.h>

// In the network namespace of the calling process, and whatever was lost on the way before. False: errno.
bool fast_open_allow(void);
// The SYN waits for the first bytes that are written, where a cookie is known. False: errno.
bool fast_open_connects(int fd);
// Has the peer acknowledged them with its SYN-ACK?
bool fast_open_happened(int fd);

#endif
