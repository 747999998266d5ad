// SPDX-License-Identifier: Apache-2.0
// What the files of tcp-differential share: a connection with its two ends, what was asked for, and the state of the run.
// One thread.
#ifndef DIFFERENTIAL_H
#define DIFFERENTIAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "netpath.h"
#include "tcp/engine.h"

#define PORT_OURS   7000u
#define PORT_THEIRS 7001u
#define LISTENERS   16u // of ours, from PORT_OURS down, each with options of its own
#define SLEEP_US    3000000u // at most
#define PIECE       20000u

struct block {
    uint32_t refs;
    uint8_t data[];
};

struct end { // one side of a connection
    uint32_t to_send, sent, received;
    uint32_t reset_at; // after so many bytes sent; UINT32_MAX: never
    uint32_t piece;
    bool lazy; // reads a little at a time
    bool shut, eof, failed, reset, over, open;
    int error;
    uint64_t asleep_us; // until then
};

enum beginner { BY_THEM, BY_US, BY_BOTH, BEGINNERS };

struct pair {
    struct end ours, theirs;
    struct sl_tcp_conn *conn;
    int fd;
    bool early; // we were given it with its SYN
    enum beginner beginner;
    bool active, compared;
    uint64_t moved_us;
    uint32_t number;
    sl_be16 port;
};

struct wish { // chances are per mille
    unsigned connections, at_once, loss, duplicate, delay, corrupt, burst, latency_ms, rate_mbit, ce, mtu;
    uint64_t seed;
    bool v6, variety, black_hole, fast_open;
};

extern struct wish want;
extern struct sl_tcp_engine *tcp;
extern struct sl_tcp_options options;
extern struct sl_ip our_ip, their_ip;
extern struct pair *pairs;
extern struct pair **active; // those that have begun and not ended, at_once of them at most
extern unsigned n_active;
extern uint32_t by_port[BEGINNERS][65536]; // number + 1
extern struct netpath *paths[2]; // to them, to us
extern uint64_t chances;
extern unsigned wrong, ended, reset_pairs, syn_data, path_mtu, checks;
extern int tun, poller, listener;
extern uint64_t bytes_checked;
extern const struct sl_tcp_buffers buffers;

// differential_pair.c
uint64_t now_us(void);
uint32_t random_below(uint32_t n);
bool chance(unsigned per_mille);
void die(const char *what);
void complain(struct pair *pair, const char *what);
uint8_t byte_of(uint32_t number, uint32_t offset);
void check_bytes(struct pair *pair, struct end *end, const uint8_t *bytes, uint32_t len, bool ours);
bool asleep(struct end *end); // it does nothing for now
void maybe_over(struct pair *pair); // where both ends are: judged, and forgotten
struct pair *pair_of(enum beginner beginner, sl_be16 port);
void address_of(const struct sl_ip *ip, uint16_t port, struct sockaddr_storage *address, socklen_t *len);
void begin(unsigned number); // a connection, by whoever chance says

// differential_path.c
void release(void *owner);
struct block *block_new(uint32_t bytes);
void paths_make(void);
bool send_out(void *context, const struct sl_tcp_out *out);
void refusals_tell(void); // to the engine, which must not be sending
void paths_run(void);
void tun_read(void);

// differential_ours.c
bool our_begin(struct pair *pair); // false: the tuple still waits
void listen_varied(void);
void our_end(struct pair *pair, int error);
void our_turn(void); // events, and every open connection once

// differential_theirs.c
void their_end(struct pair *pair, int error);
void their_event(struct pair *pair, uint32_t events);
void their_wake(struct pair *pair);
void their_open(struct pair *pair);
bool their_begin(struct pair *pair, uint16_t port); // false: the port is taken
void accept_all(void);

// differential_stall.c
void tell_rest(void);
void look_for_stalls(void);

// differential.c
bool keeps_order(void); // the path does nothing but delay

#endif
