// SPDX-License-Identifier: Apache-2.0
// Short words for scripts on the rig: what the peer says, what is expected back, how to get a connection into a state.
#ifndef TCP_SCRIPT_H
#define TCP_SCRIPT_H

#include <errno.h>
#include "rig.h"

enum {
    FIN = SL_TCP_FIN,
    SYN = SL_TCP_SYN,
    RST = SL_TCP_RST,
    PSH = SL_TCP_PSH,
    ACK = SL_TCP_ACK,
    URG = SL_TCP_URG
};

#define T(name)        cmocka_unit_test_setup(name, script_fresh)
#define COUNTER(r, id) (sl_tcp_counters((r)->tcp)->id)

int script_fresh(void **state); // a test that failed before must not fail this one

// A segment of the peer with a window of 65,535 bytes.
void say(struct rig *rig, uint8_t flags, uint32_t seq, uint32_t len, uint32_t ack);
// The same with options that stand as bytes; at most 40.
void say_bytes(struct rig *rig, uint8_t flags, uint32_t seq, uint32_t ack, const uint8_t *options,
               size_t len);

struct sl_tcp_options script_bare(void); // rig_options() without any TCP option but the MSS
struct sl_tcp_conn *script_connect(struct rig *rig,
                                   const struct sl_tcp_options *options); // its SYN was taken
struct sl_tcp_conn *script_open(struct rig *rig);      // by the peer, no options but the MSS
struct sl_tcp_conn *script_open_full(struct rig *rig); // by the peer, all options
// SYN_RECEIVED by a simultaneous open, the others from a connection that the peer opened; nothing is left in
// out. Who has
// sent his FIN stands at 2, else at 1.
struct sl_tcp_conn *script_reach(struct rig *rig, enum sl_tcp_state state);
uint32_t script_ours(enum sl_tcp_state state);  // snd_nxt in that state
uint32_t script_peers(enum sl_tcp_state state); // rcv_nxt in that state
const char *script_state_name(enum sl_tcp_state state);

uint8_t script_events(struct rig *rig, int *error); // all that are told by now, together
void expect_ended(struct rig *rig, int error);      // told, and it is the caller's last word: closes it
void expect_not_ended(struct rig *rig);
void expect_state(struct sl_tcp_conn *conn, enum sl_tcp_state state);
unsigned count_out(struct rig *rig); // takes all that came out

#endif
