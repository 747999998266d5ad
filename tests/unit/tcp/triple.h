// SPDX-License-Identifier: Apache-2.0
// Client, gateway and two servers on virtual time: the gateway relays between its two endpoints, joins them at packet
// level, takes them apart again. Whole IP packets travel, so each checksum is looked at where a packet lands. Each
// host's clock is ahead by something of its own. Applications send bytes of rig_byte() and check those that come by
// their place in the stream, whoever sent them: server, another server, or the gateway itself.
#ifndef TCP_TRIPLE_H
#define TCP_TRIPLE_H

#include "rig.h"
#include "tcp/splice.h"

enum { TRIPLE_CLIENT, TRIPLE_GATEWAY, TRIPLE_SERVER, TRIPLE_SERVER2, TRIPLE_HOSTS };
enum triple_wire { TRIPLE_UP_A, TRIPLE_UP_B, TRIPLE_DOWN_B, TRIPLE_DOWN_A, TRIPLE_WIRES }; // A: client's leg

struct triple;
struct triple_host {
    struct triple *triple;
    struct sl_tcp_engine *tcp;
    struct sl_ip ip;
    uint64_t ahead_us;
};

struct triple_end { // an application on a client's or server's connection
    struct sl_tcp_conn *conn;
    uint32_t to_send, allowed;                    // bytes of the stream: all, and how far it may go now
    uint32_t queued, read;                        // places in the streams
    uint32_t skip;                                // bytes of the gateway's own that come first
    bool close_when_sent, shut, eof, ended, idle; // idle: does not read
    int error;
};

struct triple_packet {
    struct triple_packet *next;
    uint64_t due_us;
    unsigned to; // host
    struct rig_block *block;
    uint32_t len;
};

struct triple_spec {
    uint64_t delay_us[2];              // of each leg, one way
    uint32_t loss, duplicate, reorder; // per mille, of every wire
    uint32_t burst;                    // bytes that the ends may send more each burst_us; 0: all at once
    uint64_t burst_us;
    uint32_t preface[2]; // bytes of its own that the gateway sends first, to client and server
    bool v6_a, v6_b;
    bool wraps; // all four sequence number spaces wrap soon
    uint32_t seed;
    struct sl_tcp_options client, gateway_a, gateway_b, server; // of sl_tcp_options_default() where mtu is 0
};

struct triple {
    struct triple_spec spec;
    struct triple_host host[TRIPLE_HOSTS];
    struct triple_end client, server[2];
    uint64_t now_us, random, burst_at_us;
    struct triple_packet *head;
    // -- the gateway's application
    struct sl_tcp_conn *leg[2], *residue[2]; // NULL: none
    unsigned backend;                        // server of leg 1: 0 or 1
    sl_be16 port[2];                         // of the gateway, on leg 0 (listens), on leg 1
    uint32_t relayed[2];                     // from leg i
    bool connecting, connected, own_answers; // own_answers: nothing is relayed, the test is the server
    bool eof[2], dead;                       // dead: something ended before its time
    int leg_error[2], residue_error;
    struct sl_tcp_splice splice;
    struct sl_tcp_saved saved[2];
    bool spliced, want_join;
    enum sl_tcp_splice_error refused;
    uint32_t joins, parts, fences, residues, passed, strays, drops, answered, resumed;
    // What a wire does with a packet besides chance: true loses it. `tcp` as on the wire.
    bool (*lose)(struct triple *triple, enum triple_wire wire, const struct sl_tcp *tcp, uint32_t payload);
    void (*every)(struct triple *triple); // after each step
    uint64_t scratch;                     // the test's own
};

void triple_spec_default(struct triple_spec *spec);
struct triple *triple_new(const struct triple_spec *spec);
void triple_free(struct triple *triple); // no buffer may be left
uint32_t triple_random(struct triple *triple, uint32_t below);
// The client connects; the gateway connects on to the backend as it accepts, and relays.
void triple_begin(struct triple *triple);
void triple_run(struct triple *triple, uint64_t for_us, bool (*done)(struct triple *triple));
// Out of the engine and joined: true; false: not now, both are as they were (why: triple->refused, or a detach's
// error).
bool triple_join(struct triple *triple);
// 0, or the error of sl_tcp_splice_part(): both are endpoints again.
int triple_part(struct triple *triple);
void triple_backend(struct triple *triple, unsigned backend); // gives up leg 1, connects to another
// The gateway itself sends the next bytes of the stream that the client reads.
void triple_answer(struct triple *triple, uint32_t from, uint32_t bytes);
void triple_reset(struct triple *triple); // a joined pair, on both legs
bool triple_delivered(struct triple *triple); // both have all, with the first server
bool triple_closed(struct triple *triple);    // client and server have ended
// True where all is settled on both legs, so that triple_part() would do.
bool triple_quiet(struct triple *triple);

// triple_step.c: steps of tests, which fail where one does not come about in time.
struct triple *triple_began(const struct triple_spec *spec, uint32_t up, uint32_t down); // bytes to send each way
bool triple_is_spliced(struct triple *triple);
bool triple_is_connected(struct triple *triple);
void triple_join_within(struct triple *triple, uint64_t us);
void triple_part_within(struct triple *triple, uint64_t us);
void triple_deliver_within(struct triple *triple, uint64_t us);
uint64_t triple_segments_out(const struct triple *triple, unsigned host);

#endif
