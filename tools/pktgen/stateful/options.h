// SPDX-License-Identifier: Apache-2.0
// The command line of `sluice-pktgen stateful`. Main thread.
#ifndef STATEFUL_OPTIONS_H
#define STATEFUL_OPTIONS_H

#include "../session.h"
#include "engine.h"

enum stateful_role { ROLE_NONE, ROLE_CLIENT, ROLE_SERVER, ROLE_BOTH };

struct stateful_options {
    struct session_wish session;
    enum stateful_role role;
    struct endpoint_range client, server;
    struct endpoint_range target; // whom the client connects to: the servers, or what stands for them
    struct sl_ip gateway; // zero: none
    uint8_t next_hop[6];  // zero: asked for
    double rate;          // connections a second, 0: as many as will go
    uint32_t concurrent;
    struct endpoint_config common; // what both sides read of it
    uint64_t limit;                // connections in all, 0: no limit
    double duration_s;             // 0: until Ctrl-C
    double drain_s;                // for what is open at the end
    double wait_s;                 // for links
    const char *csv, *html;        // files to write, NULL: none
    const char *client_option;     // the first that was given and tells a client what to do, NULL: none
    bool json, quiet;
};

// Reads argv; exits with a message on faults, as argp does.
void stateful_options_read(struct stateful_options *options, int argc, char **argv);

#endif
