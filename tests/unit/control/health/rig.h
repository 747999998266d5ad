// SPDX-License-Identifier: Apache-2.0
// An engine on a loop of its own, what it reported, and servers that behave as they are told, each in a thread. Taking
// it down checks that no descriptor and no child is left. One test at a time.
#ifndef UNIT_HEALTH_RIG_H
#define UNIT_HEALTH_RIG_H

#include <event2/event.h>
#include <pthread.h>
#include <stdatomic.h>
#include "health/health.h"

#define RIG_SEEN 64

struct rig {
    struct event_base *base;
    struct health *health;
    unsigned descriptors; // open before
    unsigned seen;        // changes
    struct {
        uint64_t id, at_ns;
        struct health_status status;
    } change[RIG_SEEN]; // the last ones, by seen % RIG_SEEN
    void (*on_change)(struct rig *rig, uint64_t id, const struct health_status *status);
};

void rig_start(struct rig *rig, const struct health_limits *limits);
void rig_stop(struct rig *rig);
void rig_new_engine(struct rig *rig,
                    const struct health_limits *limits); // on the same loop; the old one is freed
void rig_run_ms(struct rig *rig, unsigned ms);
void rig_set(struct rig *rig, uint64_t id, const struct health_wish *wish);
enum health_state rig_state(struct rig *rig, uint64_t id);
struct health_report rig_report(struct rig *rig, uint64_t id);
void rig_until_state(struct rig *rig, uint64_t id, enum health_state state); // fails the test after 10 s
void rig_until_checks(struct rig *rig, uint64_t id, uint64_t verdicts); // good, bad and not checked together
uint64_t rig_now_ns(void);

struct server;
typedef void (*server_fn)(struct server *server, int client); // TCP: for each connection; UDP: once

struct server {
    struct sl_ip address;
    uint16_t port;
    int fd;
    server_fn behave;
    const void *with; // for behave
    atomic_bool ending;
    atomic_uint served;
    struct sl_ip peer; // of the last connection
    pthread_t thread;
};

void server_start(struct server *server, const char *address, int type, server_fn behave, const void *with);
void server_stop(struct server *server);
struct health_wish server_wish(const struct server *server,
                               enum health_kind kind); // quick: 100 ms, rise 1, fall 1
uint16_t closed_port(int type);                        // nobody listens there

#endif
