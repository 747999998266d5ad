// SPDX-License-Identifier: Apache-2.0
// Two engines at the ends of a path, on virtual time: what one sends arrives at the other after a delay, but for what
// `fate` says of each segment. Payloads travel by reference, as between two ports of one machine.
#ifndef TCP_PAIR_H
#define TCP_PAIR_H

#include "rig.h"

enum pair_fate {
    PAIR_DELIVER,
    PAIR_DROP,
    PAIR_DUPLICATE,
    PAIR_DELAY
}; // DELAY: three times as long, so it is overtaken

struct pair;
typedef enum pair_fate (*pair_fate_of)(struct pair *pair, bool from_client, const struct sl_tcp_out *out);

struct pair_flight;
struct pair {
    struct rig *client, *server;
    uint64_t now_us, delay_us;
    pair_fate_of fate; // NULL: all arrive
    void *context;
    uint64_t random;
    uint32_t n_sent[2], n_dropped;
    uint32_t mtu; // larger packets vanish; 0: none does
    bool ce;      // every ECT segment is marked on its way
    struct pair_flight *head, *tail;
};

struct pair *pair_new(uint64_t delay_us, bool v6);
void pair_free(struct pair *pair);
uint32_t pair_random(struct pair *pair, uint32_t below);
// Until both have nothing to do before `until_us` (absolute), or `done` says so after a step.
void pair_run(struct pair *pair, uint64_t until_us, bool (*done)(struct pair *pair));

struct pair_end { // an application: sends `to_send` bytes of rig_byte(), reads and checks all that comes
    struct sl_tcp_conn *conn;
    uint32_t to_send, queued, read;
    bool close_when_sent, shut, peer_done, ended, reading;
    int error;
};
extern struct pair_end pair_client, pair_server; // of the one connection that pair_connect opens
// Connects client to server (which listens at once); the applications run inside pair_run. Nothing has been sent yet.
void pair_connect(struct pair *pair, const struct sl_tcp_options *client,
                  const struct sl_tcp_options *server);
bool pair_both_ended(struct pair *pair);
bool pair_all_read(struct pair *pair); // both have read what the other was to send

#endif
