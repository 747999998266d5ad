// SPDX-License-Identifier: Apache-2.0
// The door as packetdrill would use it, for tests: loaded by dlopen(), packets put in and taken out raw, blocking calls
// made on a thread of their own. Sequence numbers are relative: the peer's SYN is 0, so is ours. Windows as they stand
// in the header.
#ifndef CONFORMANCE_DRIVE_H
#define CONFORMANCE_DRIVE_H

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "interface.h"
#include "tcp/options.h"
#include "tcp/tcp.h"

#define DRIVE_PORT 8080 // ours, where we listen
#define MS         1000u
#define S          1000000u

struct drive {
    void *handle;
    struct packetdrill_interface pd;
    bool v6;
    struct sl_ip local, remote;
    sl_be16 local_port, remote_port;
    uint32_t isn; // ours: taken from the SYN that came out
    uint32_t tsval, tsecr;
    bool timestamps; // on what the peer sends
};

struct seen { // a packet that came out
    uint8_t flags, ecn, traffic_class, hop_limit;
    uint32_t seq, ack; // relative
    uint16_t window, urgent;
    uint32_t len; // of payload
    uint8_t payload[9000];
    struct tcp_options options;
    struct sl_ip src, dst;
    sl_be16 sport, dport;
    uint64_t at_us;
};

struct drive *drive_new(const char *flags);
struct drive *drive_new_v6(const char *flags);
void drive_init(struct drive *d, const char *flags); // fills d->pd
void drive_free(struct drive *d);
#define PD(d, call, ...) ((d)->pd.call((d)->pd.userdata, ##__VA_ARGS__))

uint64_t drive_now(struct drive *d);
void drive_wait(struct drive *d, uint32_t us);
void drive_put(struct drive *d, uint8_t flags, uint32_t seq, uint32_t len, uint32_t ack, uint16_t window);
void drive_put_options(struct drive *d, uint8_t flags, uint32_t seq, uint32_t len, uint32_t ack,
                       uint16_t window, const struct tcp_options *options);
struct seen drive_take(struct drive *d);
struct seen drive_expect(struct drive *d, uint8_t flags, uint32_t seq, uint32_t len, uint32_t ack);
void drive_expect_silence(struct drive *d); // nothing has come out so far

struct sockaddr_storage drive_address(const struct drive *d, const struct sl_ip *ip, sl_be16 port);
int drive_socket(struct drive *d, bool blocking);
int drive_listen(struct drive *d);
int drive_accept(struct drive *d, int listener);
int drive_connect(struct drive *d, int fd);  // to remote, the call itself
struct tcp_options drive_syn(void);          // MSS 1460, SACK, window scale 0
int drive_open_passive(struct drive *d);     // fd of an established connection, its listener closed
int drive_open_active(struct drive *d);      // fd, not blocking
void drive_fails(ssize_t result, int error); // -1 and this errno

struct drive_call { // a blocking call on a thread of its own
    pthread_t thread;
    struct drive *d;
    ssize_t (*run)(struct drive *d, int fd);
    int fd;
    ssize_t result;
    int error;
    uint64_t at_us; // when it returned
    _Atomic int tid;
};

void drive_call_begin(struct drive_call *call, struct drive *d, ssize_t (*run)(struct drive *, int), int fd);
void drive_call_end(struct drive_call *call);

#endif
